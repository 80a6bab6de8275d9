/* kept.h - the container that a plan names, from the lock to its end. */
#ifndef MXC_SUPERVISE_KEPT_H
#define MXC_SUPERVISE_KEPT_H

#include "container/container.h"
#include "plan/plan.h"

struct kept_run {
    struct container_want want; /* no path: the plan has none */
    struct container_hold hold;
};

/* Of a plan that has none, all three do nothing. */
int kept_take(const struct plan_view *plan, struct kept_run *k, struct err *e);
int kept_begin(struct kept_run *k, struct err *e);
int kept_release(struct kept_run *k, struct err *e);

#endif
