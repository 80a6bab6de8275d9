/* access.h - what the workload used of what the policy grants (--accesses).
 *
 * Told by init, like refusals (denial.h), and as little to be trusted.  What
 * every sandbox has is left out here: the base system, /proc, /dev, and the
 * private places. */
#ifndef MXC_SUPERVISE_ACCESS_H
#define MXC_SUPERVISE_ACCESS_H

#include "launch/proto.h"
#include "plan/plan.h"
#include "supervise/events.h"
#include "supervise/keys.h"

enum { ACCESSES_LISTED = 16384, ACCESSES_BYTES = 8 << 20 };

struct accesses {
    const struct plan_view *plan;
    struct events *events; /* NULL: nobody listens */
    struct access_row {
        uint64_t count;
        char *members; /* of its object, but for the count */
    } * list;
    size_t n, room, bytes;
    struct keys keys;
    uint64_t more; /* that are not in the list */
};

/* Take a record of init's (launcher.h): of each an event is told, once. */
void accesses_take(struct accesses *a, const struct launch_seen *rec);

/* ,"accesses":[...],"accessesNotListed":N */
void accesses_json(const struct accesses *a, struct buf *out);

/* A line for a person. */
void accesses_text(const struct accesses *a, struct buf *out);

void accesses_drop(struct accesses *a);

#endif
