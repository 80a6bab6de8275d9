/* clauses.h - which clause of the policy each place of a session comes from:
 * its plan does not say so, and `mxc why --session` is asked. */
#ifndef MXC_API_CLAUSES_H
#define MXC_API_CLAUSES_H

#include "policy/fs.h"
#include "session/dir.h"

/* As they are kept. */
int clauses_print(const struct places *p, struct buf *out, struct err *e);

/* Of a session: kind, target, rest and origin of its places, in the arena;
 * *out is NULL where it was made by who did not keep them. */
int clauses_of(struct arena *a, const struct session_dir *d,
               const struct places **out, struct err *e);

#endif
