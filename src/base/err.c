/* err.c - filling and naming struct err. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    memset(e, 0, sizeof(*e));
    e->code = code;
    va_start(ap, fmt);
    (void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
    va_end(ap);
    return -1;
}

int err_sys(struct err *e, const char *op, int sys, const char *fmt, ...)
{
    char text[384];
    va_list ap;

    memset(e, 0, sizeof(*e));
    e->code = ERR_BACKEND_ERROR;
    e->sys = sys;
    (void)snprintf(e->op, sizeof(e->op), "%s", op);
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)snprintf(e->msg, sizeof(e->msg), "%s: %s", text, strerror(sys));
    return -1;
}

int err_ctx(struct err *e, const char *fmt, ...)
{
    char outer[sizeof(e->msg)];
    size_t used;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(outer, sizeof(outer), fmt, ap);
    va_end(ap);
    used = strlen(outer);
    (void)snprintf(outer + used, sizeof(outer) - used, ": %.*s",
                   (int)(sizeof(outer) - used), e->msg);
    memcpy(e->msg, outer, sizeof(e->msg));
    return -1;
}

int err_where(struct err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(e->where, sizeof(e->where), fmt, ap);
    va_end(ap);
    return -1;
}

int err_hint(struct err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
    va_end(ap);
    return -1;
}

void err_end_texts(struct err *e)
{
    e->op[sizeof(e->op) - 1] = '\0';
    e->where[sizeof(e->where) - 1] = '\0';
    e->hint[sizeof(e->hint) - 1] = '\0';
    e->msg[sizeof(e->msg) - 1] = '\0';
}

const char *err_code_name(enum err_code code)
{
    switch (code) {
#define X(num, id, str)                                                        \
    case ERR_##id:                                                             \
        return str;
        ERR_CODES(X)
#undef X
    case ERR_NONE:
        break;
    }
    return "backend_error";
}

/* Those that the calls of a sandbox return; libc has no portable way to name
 * an errno (strerrorname_np is glibc's alone). */
const char *err_errno_name(int sys)
{
#define ROW(n)                                                                 \
    {                                                                          \
        n, #n                                                                  \
    }
    static const struct {
        int num;
        const char *name;
    } rows[] = {
        ROW(EPERM),           ROW(ENOENT),
        ROW(EINTR),           ROW(EIO),
        ROW(ENXIO),           ROW(E2BIG),
        ROW(ENOEXEC),         ROW(EBADF),
        ROW(ECHILD),          ROW(EAGAIN),
        ROW(ENOMEM),          ROW(EACCES),
        ROW(EFAULT),          ROW(EBUSY),
        ROW(EEXIST),          ROW(EXDEV),
        ROW(ENODEV),          ROW(ENOTDIR),
        ROW(EISDIR),          ROW(EINVAL),
        ROW(ENFILE),          ROW(EMFILE),
        ROW(ENOTTY),          ROW(ETXTBSY),
        ROW(EFBIG),           ROW(ENOSPC),
        ROW(ESPIPE),          ROW(EROFS),
        ROW(EMLINK),          ROW(EPIPE),
        ROW(ERANGE),          ROW(ENAMETOOLONG),
        ROW(ENOSYS),          ROW(ENOTEMPTY),
        ROW(ELOOP),           ROW(EOVERFLOW),
        ROW(EUSERS),          ROW(ENOTSOCK),
        ROW(EOPNOTSUPP),      ROW(EAFNOSUPPORT),
        ROW(EADDRINUSE),      ROW(ENETUNREACH),
        ROW(ECONNRESET),      ROW(ECONNREFUSED),
        ROW(ETIMEDOUT),       ROW(EHOSTUNREACH),
        ROW(EDQUOT),          ROW(ESOCKTNOSUPPORT),
        ROW(EPROTONOSUPPORT), ROW(ENOPROTOOPT),
        ROW(EADDRNOTAVAIL),
    };
#undef ROW

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].num == sys)
            return rows[i].name;
    return "E?";
}
