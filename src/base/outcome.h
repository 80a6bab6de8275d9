/* outcome.h - how a command ended, and that as JSON. */
#ifndef MXC_BASE_OUTCOME_H
#define MXC_BASE_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limit.h"

enum outcome {
    OUTCOME_FAILED = 0,  /* set-up or supervision failed */
    OUTCOME_NOT_STARTED, /* every wall stood, the exec failed */
    OUTCOME_EXITED,
    OUTCOME_SIGNALED,
    OUTCOME_TIMED_OUT,
    OUTCOME_STOPPED, /* a denied path could not be held, the caller
                      * ended, or a signal told so */
    OUTCOME_KILLED,  /* the caller said so */
    OUTCOME_LIMITED  /* a limit ended it */
};

/* Exit codes of `mxc run` that are not the workload's (docs/errors.md). */
enum {
    EXIT_LIMITED = 123,
    EXIT_TIMED_OUT = 124,
    EXIT_MXC = 125,
    EXIT_KILLED = 137
};

struct result {
    enum outcome outcome;
    int exit_code;        /* what the process shall exit with */
    int signal;           /* OUTCOME_SIGNALED; STOPPED by one */
    uint64_t duration_ms; /* workload time */
    bool has_run;         /* something of the workload's may have been */
    bool is_gone;         /* FAILED: its first process was killed */
    enum limit ended_by;  /* LIMITED */
    struct {
        uint64_t count; /* how often; 0: never */
        uint64_t value; /* of the limit */
    } reached[LIMIT_COUNT];
    struct err err; /* FAILED, NOT_STARTED, STOPPED, LIMITED */
};

/* "exited", ... */
const char *outcome_name(enum outcome outcome);

/* By itself, and nothing is known to have gone wrong. */
bool result_is_orderly(const struct result *r);

/* Not all of its output was passed on; where that could not be written, `sys`
 * is why. */
void result_cut(struct result *r, int sys);

/* The JSON object's first members, without its end. */
void result_members(const struct result *r, struct buf *out);

#endif
