/* err.h - the one way a failure travels from the kernel to the user.
 *
 * Functions that can fail take `struct err *e` last, return 0 or -1, fill *e
 * exactly once, and leave it alone on success.  The struct has a fixed size
 * and no owned memory: reporting a failure never allocates, and the launcher
 * sends it over its status socket as it is. */
#ifndef MXC_BASE_ERR_H
#define MXC_BASE_ERR_H

#include "base/scoped.h"

/* Stable: the numbers are MXC's status numbers, the names its wire strings. */
#define ERR_CODES(X)                                                           \
    X(1, MALFORMED_REQUEST, "malformed_request")                               \
    X(2, UNSUPPORTED_CONTAINMENT, "unsupported_containment")                   \
    X(3, UNSUPPORTED_PHASE, "unsupported_phase")                               \
    X(4, BACKEND_UNAVAILABLE, "backend_unavailable")                           \
    X(5, MALFORMED_ID, "malformed_id")                                         \
    X(6, STALE_ID, "stale_id")                                                 \
    X(7, NOT_PROVISIONED, "not_provisioned")                                   \
    X(8, NOT_STARTED, "not_started")                                           \
    X(9, ALREADY_STARTED, "already_started")                                   \
    X(10, ALREADY_STOPPED, "already_stopped")                                  \
    X(11, POLICY_VALIDATION, "policy_validation")                              \
    X(12, BACKEND_ERROR, "backend_error")

enum err_code {
    ERR_NONE = 0,
#define X(num, id, str) ERR_##id = (num),
    ERR_CODES(X)
#undef X
};

struct err {
    enum err_code code;
    int sys;         /* errno of the failed call, 0 if there was none */
    unsigned line;   /* place in the request text, 0 if unknown */
    unsigned column; /* 1-based, in bytes */
    char op[32];     /* the call that failed, e.g. "mount(2)", or "" */
    char where[160]; /* place in the request, e.g. process.env[3], or "" */
    char hint[256];  /* what the user can do about it, or "" */
    char msg[512];   /* "outer: inner", no newline, no trailing dot */
};

/* All return -1, so that a failing step is one statement. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
    printf_like(3, 4);
int err_sys(struct err *e, const char *op, int sys, const char *fmt, ...)
    printf_like(4, 5);

/* Prepend "fmt: " to the message; keeps everything else. */
int err_ctx(struct err *e, const char *fmt, ...) printf_like(2, 3);

/* Say where in the request the fault lies, and what would mend it. */
int err_where(struct err *e, const char *fmt, ...) printf_like(2, 3);
int err_hint(struct err *e, const char *fmt, ...) printf_like(2, 3);

/* One that another process wrote: its texts end where they must. */
void err_end_texts(struct err *e);

/* Wire string of a code ("backend_error" for one that is not known). */
const char *err_code_name(enum err_code code);

/* Symbolic errno ("EACCES"), or "E?" for one that is not in the table. */
const char *err_errno_name(int sys);

#endif
