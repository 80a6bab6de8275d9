/* buf.h - a text buffer that knows its maximum.
 *
 * Invariant: data is NULL or NUL-terminated at data[len].  Reaching the
 * maximum (or running out of memory) sets `failed`; later appends do nothing,
 * so that a writer checks once, at the end.  Init with
 * `struct buf b = { .max = N };`, end with buf_drop. */
#ifndef MXC_BASE_BUF_H
#define MXC_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
};

void buf_add(struct buf *b, const char *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A JSON string literal, quotes included.  Invalid UTF-8 becomes U+FFFD, so
 * that the output is valid JSON whatever the input was. */
void buf_json(struct buf *b, const char *s);
/* The same of `left` bytes, which may hold NUL. */
void buf_json_n(struct buf *b, const char *s, size_t left);

/* Text for a terminal: control characters, bidirectional and zero-width
 * marks, and invalid UTF-8 are shown as \n, \x1b or \u{202e}, never sent. */
void buf_shown(struct buf *b, const char *s);

/* One word of a shell's: quoted, where it has to be. */
void buf_word(struct buf *b, const char *s);

void buf_drop(struct buf *b);

#endif
