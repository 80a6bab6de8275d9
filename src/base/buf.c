/* buf.c - see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static bool reserve(struct buf *b, size_t more)
{
    /* Room for the NUL, also where the maximum is none. */
    size_t max = b->max < SIZE_MAX ? b->max : SIZE_MAX - 1;
    size_t need, cap;
    char *p;

    if (b->failed || more > max || b->len > max - more) {
        b->failed = true;
        return false;
    }
    need = b->len + more + 1;
    if (need <= b->cap)
        return true;
    cap = b->cap ? b->cap * 2 : 256;
    if (cap < need)
        cap = need;
    p = realloc(b->data, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->data = p;
    b->cap = cap;
    return true;
}

void buf_add(struct buf *b, const char *data, size_t len)
{
    if (!reserve(b, len))
        return;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !reserve(b, (size_t)n)) {
        b->failed = true;
        return;
    }
    va_start(ap, fmt);
    (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void buf_json(struct buf *b, const char *s)
{
    buf_json_n(b, s, strlen(s));
}

void buf_json_n(struct buf *b, const char *s, size_t left)
{
    buf_putc(b, '"');
    while (left > 0) {
        uint32_t cp;
        size_t n = utf8_decode(s, left, &cp);

        if (n == 0) {
            buf_puts(b, "\\ufffd");
            n = 1;
        } else if (cp == '"' || cp == '\\') {
            buf_putc(b, '\\');
            buf_putc(b, (char)cp);
        } else if (cp == '\n') {
            buf_puts(b, "\\n");
        } else if (cp == '\t') {
            buf_puts(b, "\\t");
        } else if (utf8_is_hidden(cp) && cp <= 0xffff) {
            buf_printf(b, "\\u%04x", (unsigned)cp);
        } else {
            buf_add(b, s, n);
        }
        s += n;
        left -= n;
    }
    buf_putc(b, '"');
}

void buf_shown(struct buf *b, const char *s)
{
    size_t left = strlen(s);

    while (left > 0) {
        uint32_t cp;
        size_t n = utf8_decode(s, left, &cp);

        if (n == 0) {
            buf_printf(b, "\\x%02x", (unsigned)(unsigned char)*s);
            n = 1;
        } else if (cp == '\n') {
            buf_puts(b, "\\n");
        } else if (cp == '\t') {
            buf_puts(b, "\\t");
        } else if (utf8_is_hidden(cp)) {
            buf_printf(b, cp < 0x80 ? "\\x%02x" : "\\u{%x}", (unsigned)cp);
        } else {
            buf_add(b, s, n);
        }
        s += n;
        left -= n;
    }
}

void buf_drop(struct buf *b)
{
    free(b->data);
    b->data = NULL;
    b->len = 0;
    b->cap = 0;
}

void buf_word(struct buf *b, const char *s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_@%+=:,./-";

    if (s[0] && s[strspn(s, plain)] == '\0') {
        buf_puts(b, s);
        return;
    }
    buf_putc(b, '\'');
    for (; *s; s++)
        if (*s == '\'')
            buf_puts(b, "'\\''");
        else
            buf_putc(b, *s);
    buf_putc(b, '\'');
}
