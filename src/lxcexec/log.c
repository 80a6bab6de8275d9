/* log.c - lines about a run, and the log file.
 *
 * A line of the file is one write(2) with O_APPEND, so that runs that share a
 * file do not mix their lines. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lxcexec/lxcexec.h"

/* A request of the largest length, every byte of it escaped, has room. */
enum { LINE_MAX_BYTES = 64 << 20 };

void log_open(struct log *l, const char *path)
{
    l->fd = -1;
    l->kept.max = 2u * LINE_MAX_BYTES;
    if (!path)
        return;
    l->fd =
        open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
    if (l->fd < 0) {
        const int sys = errno;
        struct buf b = { .max = 8192 };

        buf_puts(&b, "Warning: could not open log file '");
        buf_shown(&b, path);
        buf_printf(&b, "': %s (os error %d)\n", strerror(sys), sys);
        say(STDERR_FILENO, &b);
        buf_drop(&b);
    }
}

static void write_line(const struct log *l, const char *line)
{
    struct buf b = { .max = LINE_MAX_BYTES };

    if (l->fd < 0)
        return;
    buf_printf(&b, "[%lld] %s\n", (long long)time(NULL), line);
    if (!b.failed)
        (void)!write(l->fd, b.data, b.len);
    buf_drop(&b);
}

/* Shown safely: what stands in a request must not make lines of its own. */
static void format(struct buf *out, const char *fmt, va_list ap)
{
    char *text = NULL;

    if (vasprintf(&text, fmt, ap) < 0)
        return;
    buf_shown(out, text);
    free(text);
}

void log_line(struct log *l, const char *fmt, ...)
{
    struct buf b = { .max = LINE_MAX_BYTES };
    va_list ap;

    va_start(ap, fmt);
    format(&b, fmt, ap);
    va_end(ap);
    write_line(l, b.data ? b.data : "");
    buf_putc(&b, '\n');
    if (l->debug)
        say(STDERR_FILENO, &b);
    else if (!b.failed)
        buf_add(&l->kept, b.data, b.len);
    buf_drop(&b);
}

void log_file_line(const struct log *l, const char *fmt, ...)
{
    struct buf b = { .max = LINE_MAX_BYTES };
    va_list ap;

    if (l->fd < 0)
        return;
    va_start(ap, fmt);
    format(&b, fmt, ap);
    va_end(ap);
    write_line(l, b.data ? b.data : "");
    buf_drop(&b);
}
