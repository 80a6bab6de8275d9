/* report.c - see report.h. */
#include "base/report.h"

#include <errno.h>
#include <unistd.h>

int report_write(int fd, const struct buf *b, struct err *e)
{
    if (b->failed)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for the result");
    for (size_t at = 0; at < b->len;) {
        ssize_t n = write(fd, b->data + at, b->len - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EPIPE)
            return 0;
        if (n < 0)
            return err_sys(e, "write(2)", errno,
                           "cannot write the result (--json)");
        at += (size_t)n;
    }
    return 0;
}

void report_text(struct buf *out, const struct err *e)
{
    buf_puts(out, "mxc: ");
    report_lines(out, e);
}

void report_lines(struct buf *out, const struct err *e)
{
    buf_shown(out, e->msg);
    buf_putc(out, '\n');
    if (e->where[0]) {
        buf_puts(out, "  at: ");
        buf_shown(out, e->where);
        if (e->line)
            buf_printf(out, " (line %u, column %u)", e->line, e->column);
        buf_putc(out, '\n');
    } else if (e->line) {
        buf_printf(out, "  at: line %u, column %u\n", e->line, e->column);
    }
    if (e->hint[0]) {
        buf_puts(out, "  try: ");
        buf_shown(out, e->hint);
        buf_putc(out, '\n');
    }
}

static void member(struct buf *out, const char *name, const char *value)
{
    if (!value[0])
        return;
    buf_printf(out, ",\"%s\":", name);
    buf_json(out, value);
}

void report_json(struct buf *out, const struct err *e)
{
    buf_puts(out, "{\"code\":");
    buf_json(out, err_code_name(e->code));
    buf_puts(out, ",\"message\":");
    buf_json(out, e->msg);
    member(out, "operation", e->op);
    if (e->sys)
        member(out, "nativeCode", err_errno_name(e->sys));
    member(out, "remediation", e->hint);
    if (e->where[0] || e->line) {
        buf_puts(out, ",\"details\":{\"where\":");
        buf_json(out, e->where);
        if (e->line)
            buf_printf(out, ",\"line\":%u,\"column\":%u", e->line, e->column);
        buf_putc(out, '}');
    }
    buf_putc(out, '}');
}
