/* render.c - what is said, on which stream, in which form. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/report.h"
#include "lxcexec/lxcexec.h"

enum { WARNINGS_SHOWN = 10 };

void say(int fd, const struct buf *b)
{
    struct err e;

    if (b->len)
        (void)report_write(fd, b, &e);
}

int answer(const struct buf *b, int status)
{
    struct err e;

    if (report_write(STDOUT_FILENO, b, &e) == 0)
        return status;
    say_text(STDERR_FILENO, "error: cannot write to standard output");
    return DOOR_FAILED;
}

void say_text(int fd, const char *fmt, ...)
{
    char *text = NULL;
    struct buf b = { .max = 1 << 20 };
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) >= 0) {
        buf_shown(&b, text);
        buf_putc(&b, '\n');
        say(fd, &b);
        free(text);
    }
    va_end(ap);
    buf_drop(&b);
}

void one_line(struct buf *out, const struct err *e)
{
    buf_shown(out, e->msg);
    if (!e->where[0] && !e->line)
        return;
    buf_puts(out, " (at ");
    buf_shown(out, e->where[0] ? e->where : "the request");
    if (e->line)
        buf_printf(out, ", line %u, column %u", e->line, e->column);
    buf_putc(out, ')');
}

void say_parse_error(const struct log *l, const struct err *e)
{
    struct buf b = { .max = 16384 }, line = { .max = 8192 };

    buf_puts(&b, "Request error\nConfiguration parse error: ");
    report_lines(&b, e);
    say(STDERR_FILENO, &b);
    buf_drop(&b);
    one_line(&line, e);
    log_file_line(l, "Configuration parse error: %s",
                  line.data ? line.data : "");
    buf_drop(&line);
}

void say_json(const struct err *e)
{
    struct buf b = { .max = 16384 };

    buf_puts(&b, "{\"error\":");
    report_json(&b, e);
    buf_puts(&b, "}\n");
    say(STDERR_FILENO, &b);
    buf_drop(&b);
}

void say_failure(const struct err *e)
{
    struct buf b = { .max = 8192 };

    report_lines(&b, e);
    say(STDERR_FILENO, &b);
    buf_drop(&b);
    say_json(e);
}

static void warn(struct log *l, const char *text)
{
    log_file_line(l, "WARNING: %s", text);
    say_text(STDERR_FILENO, "WARNING: %s", text);
}

static void warn_of_denials(struct log *l, const struct net_report *r)
{
    uint64_t left = r->more + r->lost;

    for (size_t i = 0; i < r->ndenials; i++) {
        const struct net_denial *d = &r->denial[i];
        struct buf b = { .max = 8192 };

        if (i >= WARNINGS_SHOWN) {
            left += d->count;
            continue;
        }
        net_report_sentence(&d->record, &b);
        if (d->count > 1)
            buf_printf(&b, " (%llu times)", (unsigned long long)d->count);
        if (!b.failed && b.len)
            warn(l, b.data);
        buf_drop(&b);
    }
    if (left) {
        char text[96];

        (void)snprintf(text, sizeof(text),
                       "%llu more refusals of the network policy",
                       (unsigned long long)left);
        warn(l, text);
    }
}

void say_warnings(struct log *l, const struct policy *p,
                  const struct net_report *net)
{
    for (size_t i = 0; i < p->nwarnings; i++)
        warn(l, p->warning[i]);
    warn_of_denials(l, net);
}

void log_header(struct log *l, const struct request *r)
{
    log_line(l, "Script code length: %zu", strlen(r->process.command_line));
    log_line(l, "Working directory: %s", r->process.cwd ? r->process.cwd : "");
    log_line(l, "Script timeout: %u", r->process.timeout_ms);
    log_line(l, "Container name: %s", r->container_id ? r->container_id : "");
}
