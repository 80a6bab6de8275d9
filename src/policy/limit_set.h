/* limit_set.h - how much a sandbox may use up, and what holds each of these. */
#ifndef MXC_POLICY_LIMIT_SET_H
#define MXC_POLICY_LIMIT_SET_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limit.h"

enum limit_holder {
    HOLD_NOT = 0,    /* it is advisory, and nothing here can */
    HOLD_GROUP,      /* a control group */
    HOLD_RLIMIT,     /* setrlimit(2) */
    HOLD_PID_MAX,    /* of the pid namespace */
    HOLD_TMPFS,      /* size and inodes of the private root */
    HOLD_SUPERVISOR, /* counts, and ends the run */
    HOLD_GATEWAY,    /* counts */
    HOLD_NO_NETWORK  /* there is nothing to count */
};

struct policy_limits {
    uint32_t set;      /* LIMIT_BITs */
    uint32_t advisory; /* of these */
    uint64_t value[LIMIT_COUNT];
    const char *origin[LIMIT_COUNT];
    /* Not the policy's to say: filled in by backend_limits. */
    enum limit_holder holder[LIMIT_COUNT];
};

/* The value, or what is usual where there is none. */
uint64_t limit_or(const struct policy_limits *l, enum limit which,
                  uint64_t usual);

/* Is it set, and held by this? */
bool limit_is_held(const struct policy_limits *l, enum limit which,
                   enum limit_holder by);

#endif
