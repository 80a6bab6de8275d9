/* variables.h - names in a policy for the directories of who uses it.
 *
 * "${workspace}" is the directory that mxc is called in, "${home}" the caller's
 * home, at the beginning of a path and nowhere else; in contract 1.1.0+c1
 * alone, where no path could begin so.  A directory that holds the home is no
 * workspace. */
#ifndef MXC_POLICY_VARIABLES_H
#define MXC_POLICY_VARIABLES_H

#include "base/arena.h"
#include "base/err.h"
#include "contract/request.h"

struct variables {
    const char *workspace; /* absolute */
    const char *home;      /* absolute, or NULL: none is known */
};

/* The path, in the arena where it has a variable; NULL: *e says why not. */
const char *variables_expand(struct arena *a, const struct variables *v,
                             const char *path, struct err *e);

/* The same path with the variable that says it, in the arena, where there is
 * one.  NULL: no memory. */
const char *variables_spell(struct arena *a, const struct variables *v,
                            const char *path);

/* All paths of a request, its working directory, and the values of its
 * environment that begin with a known one.  `out` is a copy. */
int variables_apply(struct arena *a, const struct variables *v,
                    const struct request *r, struct request *out,
                    struct err *e);

#endif
