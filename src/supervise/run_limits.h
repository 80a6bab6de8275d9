/* run_limits.h - the limits of one run: what holds them, and what they came to.
 */
#ifndef MXC_SUPERVISE_RUN_LIMITS_H
#define MXC_SUPERVISE_RUN_LIMITS_H

#include "base/outcome.h"
#include "plan/plan.h"
#include "supervise/events.h"
#include "supervise/output.h"
#include "sys/cgroup.h"

struct run_limits {
    uint32_t set;    /* LIMIT_BITs: of those that are held */
    uint32_t groups; /* those that a control group holds */
    uint64_t value[LIMIT_COUNT];
};

void limits_take(const struct plan_view *plan, struct run_limits *out);

/* The control group of a plan; with nothing to hold it is none. */
int limits_group(const struct plan_view *plan, struct cgroup *out,
                 struct err *e);

/* What its output passes through, where that is limited and no terminal. */
int limits_output(const struct plan_view *plan, struct output **out,
                  struct err *e);

/* How long, in ms, the time that is left lasts at least; 0: it is used up.
 * Only where LIMIT_CPU_TIME is set.  -errno: the group does not tell. */
int limits_cpu_left(const struct run_limits *l, const struct cgroup *g,
                    uint64_t *left);

/* The run is over, and nobody is in its group any more: what was reached goes
 * into the result, and the end is the limit's where it was one. */
void limits_judge(const struct run_limits *l, const struct cgroup_counts *c,
                  struct result *r);

/* What was reached and did not end it, for a person; nothing where that is
 * nothing.  Having to wait for a processor is no news. */
void limits_text(const struct result *r, struct buf *out);

/* An event for each that was reached, its end or not. */
void limits_events(const struct result *r, struct events *ev);

/* It was reached so many times more. */
void limits_reach(const struct run_limits *l, enum limit which, uint64_t count,
                  struct result *r);

/* The supervisor ends the run for this limit. */
void limits_end(const struct run_limits *l, enum limit which, struct result *r);

#endif
