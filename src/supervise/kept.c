/* kept.c - the container that a plan names, from the lock to its end. */
#include "supervise/kept.h"

/* False: the plan has none. */
static bool find(const struct plan_view *plan, struct container_want *out)
{
    struct container_want w = { 0 };

    for (size_t i = 0; i < plan->head.nsteps; i++) {
        const struct step s = plan_step(plan, i);

        if (s.kind == STEP_KEPT) {
            w.path = s.path;
            w.found = s.text;
            w.dev = s.num[0];
            w.ino = s.num[1];
            w.ends = s.flags & STEP_LAST;
        } else if (s.kind == STEP_RECORD) {
            w.record = s.text;
        }
    }
    *out = w;
    return w.path;
}

int kept_take(const struct plan_view *plan, struct kept_run *k, struct err *e)
{
    *k = (struct kept_run){ .hold = CONTAINER_HOLD_NONE };
    return find(plan, &k->want) ? container_hold(&k->want, &k->hold, e) : 0;
}

int kept_begin(struct kept_run *k, struct err *e)
{
    return k->want.path ? container_begin(&k->want, &k->hold, e) : 0;
}

int kept_release(struct kept_run *k, struct err *e)
{
    return k->want.path ? container_release(&k->hold, e) : 0;
}
