/* limit_holder.h - limits as steps and as rows of the receipt, for all
 * backends. */
#ifndef MXC_BACKENDS_LIMIT_HOLDER_H
#define MXC_BACKENDS_LIMIT_HOLDER_H

#include "backends/backend.h"

/* Those that are held, for supervisor and gateway. */
int limits_add(const struct policy_limits *l, struct plan *plan,
               struct arena *a, struct err *e);

/* The row of one that is set; a clause of NULL: no memory. */
struct receipt_row limits_row(const struct policy_limits *l,
                              const struct host *h, struct arena *a,
                              enum limit which);

/* What would hold it in a single run here, whose host was looked at for all
 * limits; NULL: nothing. */
const char *limit_held_by(const struct host *h, enum limit which);

#endif
