/* claim.h - a pool's policy, and what a claim may add to it.
 *
 * A claim's grants are decided together with the rules of the pool, by the code
 * that decides a run's; what comes out must be the pool's own plan and more
 * mounts, or the claim is refused: what stands already is not changed. */
#ifndef MXC_API_CLAIM_H
#define MXC_API_CLAIM_H

#include "api/prepare.h"
#include "session/pool.h"

/* Prepare a pool's policy: *out, and in *s its plan and rules.  `f->nargs` must
 * be 0, and the request without a command. */
int claim_make_pool(struct arena *a, const char *text, size_t len,
                    const struct run_flags *f, struct pool_start *s,
                    struct prepared *out, struct err *e);

/* What f->path adds.  Where a command starts follows from it, as in a run,
 * unless c->cwd says so. */
int claim_grants(struct arena *a, const struct pool_dir *d,
                 const struct run_flags *f, struct session_command *c,
                 struct pool_extra *out, struct err *e);

/* The plan of a run of its own, for a claim that finds no sandbox ready. */
int claim_cold_plan(struct arena *a, const struct pool_dir *d,
                    const struct session_command *c,
                    const struct pool_extra *extra, void **bytes, size_t *len,
                    struct err *e);

#endif
