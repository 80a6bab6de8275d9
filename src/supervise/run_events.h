/* run_events.h - the events of a run itself: its beginning and its end. */
#ifndef MXC_SUPERVISE_RUN_EVENTS_H
#define MXC_SUPERVISE_RUN_EVENTS_H

#include "base/outcome.h"
#include "plan/clause.h"
#include "plan/plan.h"
#include "supervise/events.h"

/* Begin the stream, with the caller's word for the run and what it is warned
 * of, as the plan's receipt has them. */
void run_events_open(struct events *ev, int fd, const struct plan_view *plan);

/* A line on each wall that the sandbox tried. */
void run_events_verified(struct events *ev, const struct verified *walls,
                         const struct plan_view *plan);

/* The same as a member ,"verified":[...] of a result; nothing was tried, it is
 * left out. */
void run_verified_json(const struct verified *walls,
                       const struct plan_view *plan, struct buf *out);

void run_events_started(struct events *ev, const struct plan_view *plan);

/* The last line; `denials` is how often something was refused. */
void run_events_exited(struct events *ev, const struct result *r,
                       uint64_t denials);

#endif
