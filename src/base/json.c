/* json.c - see json.h.
 *
 * Our own reader, for four reasons: the shipped programs are static (their
 * start-up is what a user feels), every fault needs a line and a column,
 * memory must stop at the arena's limit, and MXC takes documents that common
 * readers refuse (NUL in strings, repeated keys inside `_comment`).  It does
 * not know what a document means. */
#include "base/json.h"

#include <errno.h>
#include <string.h>

#include "base/ascii.h"
#include "base/utf8.h"

struct reader {
    struct arena *arena;
    const char *text;
    size_t len;
    size_t pos;
    unsigned depth;
    struct err *e;
};

struct span {
    const char *text;
    uint32_t len;
};

static int read_value(struct reader *r, struct json *v);

void json_place(const char *text, size_t len, size_t pos, unsigned *line,
                unsigned *column)
{
    unsigned l = 1, c = 1;

    for (size_t i = 0; i < pos && i < len; i++) {
        c++;
        if (text[i] == '\n') {
            l++;
            c = 1;
        }
    }
    *line = l;
    *column = c;
}

static int fail_at(struct reader *r, size_t pos, const char *what)
{
    err_set(r->e, ERR_MALFORMED_REQUEST, "invalid JSON: %s", what);
    json_place(r->text, r->len, pos, &r->e->line, &r->e->column);
    return -1;
}

static bool after_comma(const struct reader *r)
{
    size_t i = r->pos;

    while (i > 0 && (unsigned char)r->text[i - 1] <= ' ')
        i--;
    return i > 0 && r->text[i - 1] == ',';
}

static void hint_for(struct reader *r, char c)
{
    switch (c) {
    case '/':
    case '#':
        err_hint(r->e, "JSON has no comments; use a '_comment' field");
        break;
    case '\'':
        err_hint(r->e, "use double quotes");
        break;
    case ']':
    case '}':
        if (after_comma(r))
            err_hint(r->e, "remove the comma before it");
        break;
    default:
        break;
    }
}

/* What stands at the current position is not what should be there. */
static int unexpected(struct reader *r, const char *expected)
{
    size_t pos = r->pos;
    char c;

    if (pos >= r->len) {
        err_set(r->e, ERR_MALFORMED_REQUEST,
                "invalid JSON: the text ends, expected %s", expected);
    } else {
        c = r->text[pos];
        err_set(r->e, ERR_MALFORMED_REQUEST,
                c > 0x20 && c < 0x7f
                    ? "invalid JSON: expected %s, found '%c'"
                    : "invalid JSON: expected %s, found byte 0x%02x",
                expected, (unsigned char)c);
        hint_for(r, c);
    }
    json_place(r->text, r->len, pos, &r->e->line, &r->e->column);
    return -1;
}

static int too_big(struct reader *r)
{
    if (r->arena->starved)
        return err_set(r->e, ERR_BACKEND_ERROR, "out of memory");
    err_set(r->e, ERR_MALFORMED_REQUEST,
            "document needs more memory than a document may use");
    json_place(r->text, r->len, r->pos, &r->e->line, &r->e->column);
    return -1;
}

static void skip_space(struct reader *r)
{
    while (r->pos < r->len) {
        char c = r->text[r->pos];

        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        r->pos++;
    }
}

static bool at(const struct reader *r, char c)
{
    return r->pos < r->len && r->text[r->pos] == c;
}

static bool eat(struct reader *r, char c)
{
    if (!at(r, c))
        return false;
    r->pos++;
    return true;
}

static bool at_digit(const struct reader *r)
{
    return r->pos < r->len && ascii_is_digit(r->text[r->pos]);
}

static bool eat_digits(struct reader *r)
{
    size_t from = r->pos;

    while (at_digit(r))
        r->pos++;
    return r->pos > from;
}

static int read_number(struct reader *r, struct json *v)
{
    size_t from = r->pos;

    v->type = JSON_NUMBER;
    (void)eat(r, '-');
    if (eat(r, '0')) {
        if (at_digit(r))
            return fail_at(r, r->pos, "number with a leading zero");
    } else if (!eat_digits(r)) {
        return unexpected(r, "a digit");
    }
    if (eat(r, '.') && !eat_digits(r))
        return unexpected(r, "a digit after the decimal point");
    if (at(r, 'e') || at(r, 'E')) {
        r->pos++;
        if (!eat(r, '+'))
            (void)eat(r, '-');
        if (!eat_digits(r))
            return unexpected(r, "a digit in the exponent");
    }
    v->text = r->text + from;
    v->len = (uint32_t)(r->pos - from);
    return 0;
}

/* Four hex digits at p, or -1. */
static int hex4(const char *p, size_t left)
{
    int value = 0;

    if (left < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = ascii_hex(p[i]);

        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* The \u escape at p (after the 'u'), the second half of a surrogate pair
 * included: its length, or 0 when it names no character. */
static size_t unicode_escape(const char *p, size_t left, uint32_t *cp)
{
    int high = hex4(p, left), low;

    if (high < 0)
        return 0;
    *cp = (uint32_t)high;
    if (high < 0xd800 || high > 0xdfff)
        return 4;
    if (high > 0xdbff || left < 10 || p[4] != '\\' || p[5] != 'u')
        return 0;
    low = hex4(p + 6, left - 6);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *cp =
        0x10000u + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
    return 10;
}

static const char escapes[] = "\"\\/bfnrt";
static const char escaped[] = "\"\\/\b\f\n\r\t";

static int check_escape(struct reader *r)
{
    const char *p = r->text + r->pos + 1;
    size_t left = r->len - r->pos - 1, n;
    uint32_t cp;

    if (left == 0) {
        r->pos = r->len;
        return unexpected(r, "an escape");
    }
    if (*p == 'u') {
        n = unicode_escape(p + 1, left - 1, &cp);
        if (n == 0)
            return fail_at(r, r->pos, "escape that names no character");
        r->pos += 2 + n;
        return 0;
    }
    if (!*p || !strchr(escapes, *p))
        return fail_at(r, r->pos, "unknown escape");
    r->pos += 2;
    return 0;
}

/* Move behind the closing quote; everything between is then known good. */
static int check_string(struct reader *r, bool *has_escape)
{
    while (r->pos < r->len) {
        unsigned char c = (unsigned char)r->text[r->pos];
        uint32_t cp;
        size_t n;

        if (c == '"') {
            r->pos++;
            return 0;
        }
        if (c == '\\') {
            *has_escape = true;
            if (check_escape(r) < 0)
                return -1;
            continue;
        }
        if (c < 0x20) {
            fail_at(r, r->pos, "control character in a string");
            return err_hint(r->e, "write it as \\u%04x", c);
        }
        n = utf8_decode(r->text + r->pos, r->len - r->pos, &cp);
        if (n == 0)
            return fail_at(r, r->pos, "text is not UTF-8");
        r->pos += n;
    }
    return unexpected(r, "'\"'");
}

/* Decode what check_string accepted.  An escape is never shorter than its
 * character: \n is 2 for 1, \uXXXX 6 for at most 3, a pair 12 for 4. */
static size_t decode(const char *from, size_t len, char *to)
{
    size_t in = 0, out = 0;

    while (in < len) {
        uint32_t cp = 0;

        if (from[in] != '\\') {
            to[out++] = from[in++];
        } else if (from[in + 1] == 'u') {
            in += 2 + unicode_escape(from + in + 2, len - in - 2, &cp);
            out += utf8_encode(cp, to + out);
        } else {
            to[out++] = escaped[strchr(escapes, from[in + 1]) - escapes];
            in += 2;
        }
    }
    return out;
}

/* At the opening quote. */
static int read_string(struct reader *r, struct span *s)
{
    bool has_escape = false;
    size_t from = ++r->pos;
    char *copy;

    if (check_string(r, &has_escape) < 0)
        return -1;
    s->text = r->text + from;
    s->len = (uint32_t)(r->pos - 1 - from);
    if (!has_escape)
        return 0;
    copy = arena_alloc(r->arena, s->len);
    if (!copy)
        return too_big(r);
    s->len = (uint32_t)decode(s->text, s->len, copy);
    s->text = copy;
    return 0;
}

static int read_word(struct reader *r, struct json *v, const char *word,
                     enum json_type type)
{
    size_t n = strlen(word);

    if (r->len - r->pos < n || memcmp(r->text + r->pos, word, n) != 0)
        return unexpected(r, "a value");
    r->pos += n;
    v->type = type;
    v->truth = word[0] == 't';
    return 0;
}

/* A key and its colon. */
static int read_key(struct reader *r, struct json *v)
{
    struct span s;

    if (!at(r, '"'))
        return unexpected(r, "a field name in double quotes");
    v->key_pos = (uint32_t)r->pos;
    if (read_string(r, &s) < 0)
        return -1;
    v->key = s.text;
    v->key_len = s.len;
    skip_space(r);
    if (!eat(r, ':'))
        return unexpected(r, "':'");
    skip_space(r);
    return 0;
}

static int read_child(struct reader *r, enum json_type parent,
                      struct json **out)
{
    struct json *v = arena_alloc(r->arena, sizeof(*v));

    if (!v)
        return too_big(r);
    v->key_pos = (uint32_t)r->pos;
    if (parent == JSON_OBJECT && read_key(r, v) < 0)
        return -1;
    if (read_value(r, v) < 0)
        return -1;
    *out = v;
    return 0;
}

static int read_children(struct reader *r, struct json *v, char close)
{
    struct json **link = &v->first;

    r->pos++;
    skip_space(r);
    if (eat(r, close))
        return 0;
    for (;;) {
        if (read_child(r, v->type, link) < 0)
            return -1;
        link = &(*link)->next;
        v->len++;
        skip_space(r);
        if (eat(r, close))
            return 0;
        if (!eat(r, ','))
            return unexpected(r, close == ']' ? "',' or ']'" : "',' or '}'");
        skip_space(r);
    }
}

/* The only recursion; JSON_MAX_DEPTH keeps it off the end of the stack. */
static int read_container(struct reader *r, struct json *v)
{
    char open = r->text[r->pos];

    v->type = open == '[' ? JSON_ARRAY : JSON_OBJECT;
    if (r->depth == JSON_MAX_DEPTH)
        return fail_at(r, r->pos, "nested deeper than 127 levels");
    r->depth++;
    if (read_children(r, v, open == '[' ? ']' : '}') < 0)
        return -1;
    r->depth--;
    return 0;
}

static int read_string_value(struct reader *r, struct json *v)
{
    struct span s;

    if (read_string(r, &s) < 0)
        return -1;
    v->type = JSON_STRING;
    v->text = s.text;
    v->len = s.len;
    return 0;
}

static int read_value(struct reader *r, struct json *v)
{
    v->pos = (uint32_t)r->pos;
    if (r->pos >= r->len)
        return unexpected(r, "a value");
    switch (r->text[r->pos]) {
    case '{':
    case '[':
        return read_container(r, v);
    case '"':
        return read_string_value(r, v);
    case 't':
        return read_word(r, v, "true", JSON_BOOL);
    case 'f':
        return read_word(r, v, "false", JSON_BOOL);
    case 'n':
        return read_word(r, v, "null", JSON_NULL);
    default:
        if (at(r, '-') || at_digit(r))
            return read_number(r, v);
        return unexpected(r, "a value");
    }
}

static int read_document(struct reader *r, struct json *v)
{
    if (r->len >= 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0) {
        fail_at(r, 0, "byte-order mark at the start");
        return err_hint(r->e, "save the text as UTF-8 without one");
    }
    skip_space(r);
    if (read_value(r, v) < 0)
        return -1;
    skip_space(r);
    if (r->pos < r->len)
        return fail_at(r, r->pos, "the text goes on after the document");
    return 0;
}

int json_parse(struct arena *a, const char *text, size_t len, struct json **out,
               struct err *e)
{
    struct reader r = { .arena = a, .text = text, .len = len, .e = e };
    struct json *v;

    /* Offsets have 32 bits. */
    if (len > UINT32_MAX)
        return err_set(e, ERR_MALFORMED_REQUEST, "document is too long");
    v = arena_alloc(a, sizeof(*v));
    if (!v)
        return too_big(&r);
    if (read_document(&r, v) < 0)
        return -1;
    *out = v;
    return 0;
}

static bool same(const char *a, size_t len, const char *b, size_t blen)
{
    return len == blen && (len == 0 || memcmp(a, b, len) == 0);
}

static const struct json *member(const struct json *v, const char *key,
                                 size_t len)
{
    if (v->type != JSON_OBJECT)
        return NULL;
    for (const struct json *c = v->first; c; c = c->next)
        if (same(c->key, c->key_len, key, len))
            return c;
    return NULL;
}

static const struct json *element(const struct json *v, uint64_t index)
{
    const struct json *c;

    if (v->type != JSON_ARRAY || index >= v->len)
        return NULL;
    for (c = v->first; c && index > 0; c = c->next)
        index--;
    return c;
}

const struct json *json_get(const struct json *v, const char *key)
{
    return member(v, key, strlen(key));
}

/* "12]" -> 12; NULL when it is not that. */
static const char *read_index(const char *p, uint64_t *index)
{
    uint64_t n = 0;
    const char *from = p;

    for (; ascii_is_digit(*p); p++) {
        if (n > UINT32_MAX)
            return NULL;
        n = n * 10 + (uint64_t)(*p - '0');
    }
    if (p == from || *p != ']')
        return NULL;
    *index = n;
    return p + 1;
}

const struct json *json_at(const struct json *root, const char *path)
{
    const struct json *v = root;
    uint64_t index;

    while (v && *path) {
        if (*path == '[') {
            path = read_index(path + 1, &index);
            v = path ? element(v, index) : NULL;
        } else {
            size_t n = strcspn(path, ".[");

            v = member(v, path, n);
            path += n;
        }
        if (v && *path == '.')
            path++;
    }
    return v;
}

bool json_is(const struct json *v, const char *s)
{
    return v->type == JSON_STRING && same(v->text, v->len, s, strlen(s));
}

/* -0 is not an integer here: MXC reads it as the float -0.0. */
int json_u64(const struct json *v, uint64_t *out)
{
    bool negative;
    uint64_t n = 0;

    if (v->type != JSON_NUMBER || memchr(v->text, '.', v->len) ||
        memchr(v->text, 'e', v->len) || memchr(v->text, 'E', v->len))
        return -EINVAL;
    negative = v->text[0] == '-';
    if (negative)
        return v->text[1] == '0' ? -EINVAL : -ERANGE;
    for (uint32_t i = 0; i < v->len; i++)
        if (__builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(v->text[i] - '0'), &n))
            return -ERANGE;
    *out = n;
    return 0;
}

const char *json_type_name(enum json_type type)
{
    switch (type) {
    case JSON_NULL:
        return "null";
    case JSON_BOOL:
        return "a boolean";
    case JSON_NUMBER:
        return "a number";
    case JSON_STRING:
        return "a string";
    case JSON_ARRAY:
        return "an array";
    case JSON_OBJECT:
        break;
    }
    return "an object";
}
