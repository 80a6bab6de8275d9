/* place.h - what a plan has made of a path inside. */
#ifndef MXC_SUPERVISE_PLACE_H
#define MXC_SUPERVISE_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "plan/plan.h"

struct plan_place {
    const char *at;  /* the longest name above it, or its own */
    bool is_granted; /* by the policy, and not part of the base */
    size_t len;
    uint32_t flags;
    enum step_kind kind; /* BIND, MASK, HOLLOW, ABSENT; NONE: private */
    const char *source;  /* of a BIND: where it is on the host */
    const char *named;   /* by what other name the clause has it, or NULL */
};

/* `named` is known in a plan of PLAN_DENIALS. */
struct plan_place place_find(const struct plan_view *plan, const char *path);

/* Is it below a grant of the policy's, where nothing of the base's or private
 * is nearer?  A plan of PLAN_ACCESSES has all of these. */
bool place_is_granted(const struct plan_view *plan, const char *path);

/* Is its directory there only because it leads to a grant?  What is made in it
 * is not made on the host, which has a directory of that name too. */
bool place_is_on_the_way(const struct plan_view *plan, const char *path);

#endif
