/* try.h - ask the kernel inside a started session (src/try). */
#ifndef MXC_SESSION_TRY_H
#define MXC_SESSION_TRY_H

#include "session/dir.h"

struct try_question {
    const char *kind; /* "read", "write", "create", "exec", "connect" */
    const char *operand;
};

struct try_answer {
    int error; /* errno(3), or of try/proto.h; 0: it may */
    const char *call;
};

/* One answer to each of `n` questions.  `program` is the path of mxc-try;
 * `signals` a signalfd(2) or -1: what is read from it ends the asking.  Of a
 * session that is not started, or when it does not answer in time: an error. */
int session_try(const struct session_dir *d, const char *program, int signals,
                const struct try_question *q, size_t n, struct try_answer *out,
                struct err *e);

#endif
