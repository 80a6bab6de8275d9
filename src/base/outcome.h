/* outcome.h - how a command ended, and that as JSON. */
#ifndef MXC_BASE_OUTCOME_H
#define MXC_BASE_OUTCOME_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum outcome {
    OUTCOME_FAILED = 0,  /* set-up or supervision failed */
    OUTCOME_NOT_STARTED, /* every wall stood, the exec failed */
    OUTCOME_EXITED,
    OUTCOME_SIGNALED,
    OUTCOME_TIMED_OUT,
    OUTCOME_STOPPED, /* a denied path could not be held, the caller
                      * ended, or a signal told so */
    OUTCOME_KILLED   /* the caller said so */
};

/* Exit codes of `mxc run` that are not the workload's (docs/errors.md). */
enum { EXIT_TIMED_OUT = 124, EXIT_MXC = 125, EXIT_KILLED = 137 };

struct result {
    enum outcome outcome;
    int exit_code;        /* what the process shall exit with */
    int signal;           /* OUTCOME_SIGNALED; STOPPED by ends_on_signal */
    uint64_t duration_ms; /* workload time */
    struct err err;       /* FAILED, NOT_STARTED, STOPPED */
};

/* The JSON object's first members, without its end. */
void result_members(const struct result *r, struct buf *out);

#endif
