/* narrow.h - what one command of a session may reach less than the session.
 *
 * A second Landlock ruleset for the command alone.  Landlock allows whole
 * trees, so what the session grants whole can be taken away whole, or made
 * read-only, and be given back in parts; what cannot be said so is refused by
 * name.  Pure, but for narrow_check_aliases. */
#ifndef MXC_SESSION_NARROW_H
#define MXC_SESSION_NARROW_H

#include "plan/plan.h"

enum narrow_access { NARROW_DENY = 0, NARROW_READ, NARROW_WRITE };

struct narrow_path {
    enum narrow_access access;
    const char *path; /* absolute and clean, inside the sandbox */
};

/* What the session's plan lets a path be used for. */
enum narrow_access narrow_session_access(const struct plan_view *session,
                                         const char *path);

/* Add the rules to the command's plan. */
int narrow_add(struct arena *a, const struct plan_view *session,
               const struct narrow_path *path, size_t n, struct plan *out,
               struct err *e);

/* What the options say of a path: the nearest, of equal ones the strictest. */
enum narrow_access narrow_wanted(const struct narrow_path *path, size_t n,
                                 const char *name);

/* The host's path of what a step shows; NULL: nothing of the host's. */
const char *narrow_source(const struct step *s);

/* The same for a path inside. */
const char *narrow_host(struct arena *a, const struct plan_view *session,
                        const char *path);

/* Refuse what would stay reachable by another name.  Reads the mount table. */
int narrow_check_aliases(struct arena *a, const struct plan_view *session,
                         const struct narrow_path *path, size_t n,
                         struct err *e);

#endif
