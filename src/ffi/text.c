/* text.c - text that goes to the caller: lossy UTF-8, error details, and what
 * frees them. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "ffi/ffi.h"

/* How many bytes at p, which begin no character, stand for one that was cut
 * off or spoiled (Unicode 3.9, "substitution of maximal subparts"). */
static size_t spoiled(const unsigned char *p, size_t len)
{
    const unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    const size_t want = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    size_t n = 1;

    if (p[0] < 0xc2 || p[0] > 0xf4 || len < 2 || p[1] < low || p[1] > high)
        return 1;
    while (n < len && n < want - 1 && (p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* The next piece of the text: *take bytes come in, *give go out, which are
 * themselves or, where false is returned, U+FFFD. */
static bool next(const char *p, size_t len, size_t *take)
{
    uint32_t cp = 0;
    size_t n = utf8_decode(p, len, &cp);

    if (n && cp) {
        *take = n;
        return true;
    }
    *take = n ? n : spoiled((const unsigned char *)p, len);
    return false;
}

char *text_lossy(const char *bytes, size_t len)
{
    static const char mark[] = { '\xef', '\xbf', '\xbd' };
    size_t need = 1, n;
    char *out, *to;

    for (size_t at = 0; at < len; at += n)
        need += next(bytes + at, len - at, &n) ? n : sizeof(mark);
    out = malloc(need);
    if (!out)
        return NULL;
    to = out;
    for (size_t at = 0; at < len; at += n) {
        const bool good = next(bytes + at, len - at, &n);
        const size_t give = good ? n : sizeof(mark);

        memcpy(to, good ? bytes + at : mark, give);
        to += give;
    }
    *to = '\0';
    return out;
}

char *text_take(struct buf *b)
{
    char *text = b->failed ? NULL : b->data;

    if (b->failed)
        buf_drop(b);
    *b = (struct buf){ .max = b->max };
    return text;
}

static char *text_or_null(const char *s)
{
    return s[0] ? text_lossy(s, strlen(s)) : NULL;
}

/* "what: why (at process.env[3], line 1, column 20)" */
static char *message_of(const struct err *e)
{
    struct buf b = { .max = 4096 };

    buf_puts(&b, e->msg);
    if (e->where[0] && e->line)
        buf_printf(&b, " (at %s, line %u, column %u)", e->where, e->line,
                   e->column);
    else if (e->where[0])
        buf_printf(&b, " (at %s)", e->where);
    else if (e->line)
        buf_printf(&b, " (at line %u, column %u)", e->line, e->column);
    return text_take(&b);
}

int32_t fail_with(MxcErrorDetail *detail, const struct err *e)
{
    char *raw;

    if (!detail)
        return (int32_t)e->code;
    raw = message_of(e);
    *detail = (MxcErrorDetail){ .message_utf8 =
                                    raw ? text_lossy(raw, strlen(raw)) : NULL,
                                .operation_utf8 = text_or_null(e->op),
                                .remediation_utf8 = text_or_null(e->hint) };
    free(raw);
    if (detail->operation_utf8 && e->sys)
        detail->native_code_utf8 = text_or_null(err_errno_name(e->sys));
    return (int32_t)e->code;
}

int32_t fail_saying(MxcErrorDetail *detail, int32_t status, const char *text)
{
    if (detail)
        *detail = (MxcErrorDetail){ .message_utf8 = text_or_null(text) };
    return status;
}

/* --- strings that mxc_string_free frees ---------------------------------
 *
 * MXC's SDK 1.0.1 for Node.js hands it a copy of the string that it was given,
 * in memory of its own.  So such a string has a mark before it, and what has
 * none is left alone.  Looking there is safe: a text of ours never begins so
 * near to a page's beginning that the mark would be on the page before. */

enum { MARK = 16, PAGE = 4096 };

/* What stands before the text at this address: the first says that it is one
 * of ours, the second where its memory begins. */
struct mark {
    uint64_t word;
    uint64_t start;
};

static uint64_t word_of(const char *text)
{
    return (uint64_t)(uintptr_t)text ^ UINT64_C(0x6d78632d74657874);
}

static bool is_near_page(const char *text)
{
    return (uintptr_t)text % PAGE < MARK;
}

char *text_give(char *text)
{
    const size_t len = text ? strlen(text) + 1 : 0;
    /* Both places for it: malloc(3) aligns to 16 at least. */
    char *block = text ? malloc(2 * (size_t)MARK + len) : NULL;
    char *out = block ? block + MARK : NULL;
    struct mark m;

    if (out && is_near_page(out))
        out += MARK;
    if (out) {
        m = (struct mark){ word_of(out), (uint64_t)(out - block) };
        memcpy(out - MARK, &m, sizeof(m));
        memcpy(out, text, len);
    }
    free(text);
    return out;
}

MXC_FFI_API void mxc_string_free(char *text)
{
    struct mark m;

    if (!text || is_near_page(text))
        return;
    memcpy(&m, text - MARK, sizeof(m));
    if (m.word != word_of(text))
        return;
    free(text - m.start);
}

MXC_FFI_API void mxc_error_detail_free(MxcErrorDetail *detail)
{
    if (!detail)
        return;
    free(detail->message_utf8);
    free(detail->operation_utf8);
    free(detail->native_code_utf8);
    free(detail->remediation_utf8);
    *detail = (MxcErrorDetail){ 0 };
}
