/* tar.c - see tar.h. */
#include "copy/tar.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"

/* The header's fields, by place and length. */
enum {
    NAME_AT = 0,
    NAME_LEN = 100,
    MODE_AT = 100,
    SIZE_AT = 124,
    MTIME_AT = 136,
    SUM_AT = 148,
    SUM_LEN = 8,
    TYPE_AT = 156,
    LINK_AT = 157,
    MAGIC_AT = 257,
    PREFIX_AT = 345,
    PREFIX_LEN = 155,
    SHORT_LEN = 8, /* of a number, with its end */
    LONG_LEN = 12
};

/* The largest size that SIZE_AT can say. */
#define LONG_MOST 077777777777ll

void tar_reset(struct tar_entry *e)
{
    e->kind = TAR_END;
    e->has_name = e->has_link = e->has_size = e->has_mtime = false;
    e->name[0] = e->link[0] = '\0';
    e->size = e->extra = e->mtime = 0;
    e->mode = 0;
}

/* --- reading ---------------------------------------------------------------
 */

/* GNU's way to say large numbers: bit 7, then the number itself. */
static int number_256(const unsigned char *p, size_t len, int64_t *out)
{
    uint64_t n = p[0] & 0x3f;

    if (p[0] & 0x40) { /* below zero: of times only */
        *out = 0;
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if (n >> 54)
            return -1;
        n = n << 8 | p[i];
    }
    *out = (int64_t)n;
    return 0;
}

/* Octal digits between spaces, up to a NUL or a space. */
static int number(const unsigned char *p, size_t len, int64_t *out)
{
    size_t i = 0;
    int64_t n = 0;

    if (p[0] & 0x80)
        return number_256(p, len, out);
    while (i < len && p[i] == ' ')
        i++;
    for (; i < len && p[i] >= '0' && p[i] <= '7'; i++)
        n = n * 8 + (p[i] - '0');
    if (i < len && p[i] != ' ' && p[i] != '\0')
        return -1;
    *out = n;
    return 0;
}

static bool is_zero(const unsigned char *p)
{
    for (size_t i = 0; i < TAR_BLOCK; i++)
        if (p[i])
            return false;
    return true;
}

/* Of all bytes, those of the sum itself taken for spaces. */
static int64_t sum_of(const unsigned char *p)
{
    int64_t sum = 0;

    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += i >= SUM_AT && i < SUM_AT + SUM_LEN ? ' ' : p[i];
    return sum;
}

static void take_text(char *out, const unsigned char *from, size_t len)
{
    size_t n = strnlen((const char *)from, len);

    memcpy(out, from, n);
    out[n] = '\0';
}

static void take_name(struct tar_entry *e, const unsigned char *p)
{
    bool is_ustar = memcmp(p + MAGIC_AT, "ustar", 6) == 0;
    size_t n = 0;

    /* GNU's own format has other things in the place of the prefix. */
    if (is_ustar && p[PREFIX_AT]) {
        take_text(e->name, p + PREFIX_AT, PREFIX_LEN);
        n = strlen(e->name);
        e->name[n++] = '/';
    }
    take_text(e->name + n, p + NAME_AT, NAME_LEN);
}

static enum tar_kind kind_of(unsigned char type, bool *known)
{
    *known = true;
    switch (type) {
    case '\0':
    case '0':
    case '7':
        return TAR_FILE;
    case '1':
        return TAR_LINK;
    case '2':
        return TAR_SYMLINK;
    case '3':
    case '4':
    case '6':
        return TAR_DEVICE;
    case '5':
        return TAR_DIR;
    case 'x':
        return TAR_PAX;
    case 'L':
        return TAR_LONG_NAME;
    case 'K':
        return TAR_LONG_LINK;
    case 'g':
    case 'V':
        return TAR_IGNORED;
    default:
        *known = false;
        return TAR_IGNORED;
    }
}

static bool is_extra(enum tar_kind k)
{
    return k == TAR_PAX || k == TAR_LONG_NAME || k == TAR_LONG_LINK;
}

/* What stands in the header itself, where no other has said it. */
static const char *take_fields(struct tar_entry *e, const unsigned char *p,
                               int64_t size, int64_t mtime)
{
    size_t n;

    if (!e->has_name)
        take_name(e, p);
    if (!e->has_link)
        take_text(e->link, p + LINK_AT, NAME_LEN);
    if (!e->has_size)
        e->size = size;
    if (!e->has_mtime)
        e->mtime = mtime;
    n = strlen(e->name);
    /* Of archives that are older than types. */
    if (e->kind == TAR_FILE && n && e->name[n - 1] == '/')
        e->kind = TAR_DIR;
    /* Of others it means nothing. */
    if (e->kind != TAR_FILE)
        e->size = 0;
    return n ? NULL : "an entry has no name";
}

const char *tar_decode(struct tar_entry *e, const void *block)
{
    const unsigned char *p = block;
    int64_t sum, mode, size, mtime;
    bool is_known;

    if (is_zero(p)) {
        e->kind = TAR_END;
        return NULL;
    }
    if (number(p + SUM_AT, SUM_LEN, &sum) < 0 || sum != sum_of(p))
        return "a header's sum is wrong";
    if (number(p + MODE_AT, SHORT_LEN, &mode) < 0 ||
        number(p + SIZE_AT, LONG_LEN, &size) < 0 ||
        number(p + MTIME_AT, LONG_LEN, &mtime) < 0)
        return "a header has a number that is none";
    e->kind = kind_of(p[TYPE_AT], &is_known);
    if (!is_known)
        return "an entry is of a type that is not known here";
    e->mode = (unsigned)(mode & 07777);
    e->extra = 0;
    if (is_extra(e->kind) || e->kind == TAR_IGNORED) {
        e->extra = size;
        return size > TAR_EXTRA ? "a header is too long" : NULL;
    }
    return take_fields(e, p, size, mtime);
}

static const char *set_text(char *out, bool *has, const char *text, size_t len)
{
    if (len == 0 || len >= TAR_NAME || memchr(text, '\0', len))
        return "a name is empty, too long, or has a NUL in it";
    memcpy(out, text, len);
    out[len] = '\0';
    *has = true;
    return NULL;
}

static bool key_is(const char *key, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(key, name, len) == 0;
}

static const char *set_number(int64_t *out, bool *has, const char *text,
                              size_t len)
{
    char digits[24];
    /* A time may have a fraction, or lie before all of this. */
    size_t n = 0;

    while (n < len && text[n] != '.')
        n++;
    if (n > 0 && text[0] == '-') {
        *out = 0;
        *has = true;
        return NULL;
    }
    if (n >= sizeof(digits))
        return "a number is too long";
    memcpy(digits, text, n);
    digits[n] = '\0';
    if (num_i64(digits, 0, INT64_MAX / 2, out) < 0)
        return "a header has a number that is none";
    *has = true;
    return NULL;
}

static const char *set_key(struct tar_entry *e, const char *key, size_t keylen,
                           const char *value, size_t len)
{
    if (key_is(key, keylen, "path"))
        return set_text(e->name, &e->has_name, value, len);
    if (key_is(key, keylen, "linkpath"))
        return set_text(e->link, &e->has_link, value, len);
    if (key_is(key, keylen, "size"))
        return set_number(&e->size, &e->has_size, value, len);
    if (key_is(key, keylen, "mtime"))
        return set_number(&e->mtime, &e->has_mtime, value, len);
    /* What follows is not the file then, but parts of it. */
    if (keylen > 11 && memcmp(key, "GNU.sparse.", 11) == 0)
        return "files with holes are packed in a way that is not known here";
    return NULL;
}

/* "LENGTH KEY=VALUE\n", the length being that of all of it. */
static const char *take_record(struct tar_entry *e, const char *text,
                               size_t left, size_t *used)
{
    static const char broken[] = "an extended header is broken";
    size_t at = 0, len = 0, key;

    while (at < left && text[at] >= '0' && text[at] <= '9' && at < 8)
        len = len * 10 + (size_t)(text[at++] - '0');
    if (at == 0 || at == left || text[at] != ' ' || len > left ||
        len < at + 3 || text[len - 1] != '\n')
        return broken;
    key = ++at;
    while (at < len && text[at] != '=')
        at++;
    if (at == len)
        return broken;
    *used = len;
    return set_key(e, text + key, at - key, text + at + 1, len - at - 2);
}

const char *tar_extra(struct tar_entry *e, enum tar_kind kind, const char *text,
                      size_t len)
{
    const char *why = NULL;

    if (kind == TAR_LONG_NAME)
        return set_text(e->name, &e->has_name, text, strnlen(text, len));
    if (kind == TAR_LONG_LINK)
        return set_text(e->link, &e->has_link, text, strnlen(text, len));
    for (size_t at = 0, used = 0; at < len && !why; at += used)
        why = take_record(e, text + at, len - at, &used);
    return why;
}

/* --- writing ---------------------------------------------------------------
 */

size_t tar_padding(int64_t size)
{
    return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

static void put_octal(unsigned char *p, size_t len, int64_t n)
{
    p[--len] = '\0';
    while (len > 0) {
        p[--len] = (unsigned char)('0' + n % 8);
        n /= 8;
    }
}

static void put_header(unsigned char *p, char type, unsigned mode, int64_t size,
                       int64_t mtime, const char *name, const char *link)
{
    memset(p, 0, TAR_BLOCK);
    memcpy(p + NAME_AT, name, strnlen(name, NAME_LEN));
    put_octal(p + MODE_AT, SHORT_LEN, mode);
    put_octal(p + 108, SHORT_LEN, 0); /* owner and group */
    put_octal(p + 116, SHORT_LEN, 0);
    put_octal(p + SIZE_AT, LONG_LEN, size > LONG_MOST ? 0 : size);
    put_octal(p + MTIME_AT, LONG_LEN,
              mtime < 0 || mtime > LONG_MOST ? 0 : mtime);
    p[TYPE_AT] = (unsigned char)type;
    memcpy(p + LINK_AT, link, strnlen(link, NAME_LEN));
    memcpy(p + MAGIC_AT,
           "ustar\0"
           "00",
           8);
    /* Six digits, a NUL, and a space that is there already. */
    memset(p + SUM_AT, ' ', SUM_LEN);
    put_octal(p + SUM_AT, SUM_LEN - 1, sum_of(p));
}

/* One record of an extended header; its length counts its own digits. */
static size_t put_record(char *out, const char *key, const char *value)
{
    size_t n = strlen(key) + strlen(value) + 3, digits = 1;

    for (size_t most = 10; n + digits >= most; most *= 10)
        digits++;
    (void)snprintf(out, n + digits + 1, "%zu %s=%s\n", n + digits, key, value);
    return n + digits;
}

size_t tar_encode(const struct tar_entry *e, unsigned char out[TAR_HEAD])
{
    static const char types[] = {
        [TAR_FILE] = '0', [TAR_DIR] = '5', [TAR_SYMLINK] = '2', [TAR_LINK] = '1'
    };
    char *extra = (char *)out + TAR_BLOCK;
    char digits[24];
    size_t n = 0, at = 0;

    if (strlen(e->name) > NAME_LEN)
        n += put_record(extra + n, "path", e->name);
    if (strlen(e->link) > NAME_LEN)
        n += put_record(extra + n, "linkpath", e->link);
    if (e->size > LONG_MOST) {
        (void)snprintf(digits, sizeof(digits), "%lld", (long long)e->size);
        n += put_record(extra + n, "size", digits);
    }
    if (n) {
        put_header(out, 'x', 0644, (int64_t)n, e->mtime, "././@PaxHeader", "");
        memset(extra + n, 0, tar_padding((int64_t)n));
        at = TAR_BLOCK + n + tar_padding((int64_t)n);
    }
    put_header(out + at, types[e->kind], e->mode, e->size, e->mtime, e->name,
               e->link);
    return at + TAR_BLOCK;
}
