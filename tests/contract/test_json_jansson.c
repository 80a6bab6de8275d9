/* test_json_jansson.c - our JSON reader against jansson's, on documents that
 * are made up and then damaged: taken and refused alike, and read alike.
 *
 * Left out is what they are meant to differ in: numbers beyond 64 bits or a
 * double, which ours keeps as text; NUL in keys, which jansson cannot hold;
 * repeated keys, of which jansson keeps the last; depth. */
/* Both name their kinds JSON_OBJECT and so on. */
#define JSON_NULL   OUR_NULL
#define JSON_STRING OUR_STRING
#define JSON_ARRAY  OUR_ARRAY
#define JSON_OBJECT OUR_OBJECT
#include "base/json.h"
#undef JSON_NULL
#undef JSON_STRING
#undef JSON_ARRAY
#undef JSON_OBJECT

#include "t.h"

#ifndef HAVE_JANSSON

TEST(reads_as_jansson)
{
    SKIP("no package libjansson-dev");
}

#else

#include <jansson.h>

enum { TEXT_MAX = 2000, DOCUMENTS = 150000 };

struct maker {
    char text[TEXT_MAX];
    size_t len;
    uint64_t seed;
};

static unsigned roll(struct maker *m, unsigned sides)
{
    /* Knuth's MMIX constants; the high bits are the good ones. */
    m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(m->seed >> 33) % sides;
}

static void add(struct maker *m, const char *s)
{
    size_t n = strlen(s);

    if (m->len + n >= TEXT_MAX)
        return;
    memcpy(m->text + m->len, s, n);
    m->len += n;
}

static void add_string(struct maker *m)
{
    static const char *const pieces[] = {
        "a",
        "Z",
        " ",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\b\\f\\r\\t",
        "\\u0041",
        "\\u00e9",
        "\\u20AC",
        "\\ud83d\\ude00",
        "\\u0000",
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "\x7f",
        "\\ud800",
        "\\udc00",
        "\\ud800\\ud800",
        "\\uDBFF\\uDFFF",
        "\\ufeff",
    };
    unsigned n = roll(m, 5);

    add(m, "\"");
    for (unsigned i = 0; i < n; i++)
        add(m, pieces[roll(m, ARRAY_LEN(pieces))]);
    add(m, "\"");
}

static void add_scalar(struct maker *m)
{
    static const char *const words[] = {
        "true",
        "false",
        "null",
        "0",
        "-0",
        "1",
        "-1",
        "12",
        "1.5",
        "-0.25",
        "1e3",
        "1E-3",
        "2.5e+2",
        "9223372036854775807",
        "123456789012345678",
        "01",
        "1.",
        ".5",
        "1e",
        "nan",
        "tru",
        "-",
        "+1",
        "0x1",
    };

    if (roll(m, 2))
        add_string(m);
    else
        add(m, words[roll(m, roll(m, 8) ? 15 : ARRAY_LEN(words))]);
}

static void add_space(struct maker *m)
{
    static const char *const spaces[] = { "", "", "", " ", "\n", "\t\r" };

    add(m, spaces[roll(m, ARRAY_LEN(spaces))]);
}

static void add_value(struct maker *m, unsigned depth)
{
    bool object = roll(m, 2);
    unsigned n = roll(m, 4);

    if (depth == 0 || roll(m, 3) == 0) {
        add_scalar(m);
        return;
    }
    add(m, object ? "{" : "[");
    for (unsigned i = 0; i < n; i++) {
        add_space(m);
        if (object) {
            add_string(m);
            add_space(m);
            add(m, ":");
        }
        add_value(m, depth - 1);
        add(m, i + 1 < n ? "," : "");
    }
    add_space(m);
    add(m, object ? "}" : "]");
}

/* One byte replaced, inserted or removed. */
static void damage(struct maker *m)
{
    static const char bytes[] =
        "{}[]\",:\\u0123 eE+-.\n\t\x01\x80\xc3\xed\xf4/";
    size_t at = roll(m, (unsigned)m->len + 1);
    /* No NUL: jansson 2.14 overlooks one that follows a number. */
    char c = bytes[roll(m, sizeof(bytes) - 1)];

    switch (roll(m, 3)) {
    case 0:
        if (at < m->len)
            m->text[at] = c;
        break;
    case 1:
        if (at < m->len)
            memmove(m->text + at, m->text + at + 1, m->len-- - at - 1);
        break;
    default:
        if (m->len + 1 >= TEXT_MAX)
            break;
        memmove(m->text + at + 1, m->text + at, m->len++ - at);
        m->text[at] = c;
        break;
    }
}

static bool meant_to_differ(const char *why)
{
    return strstr(why, "too big integer") || strstr(why, "too big negative") ||
           strstr(why, "real number overflow") ||
           strstr(why, "NUL byte in object key");
}

static bool same_number(const struct json *v, const json_t *j)
{
    char text[64];
    uint64_t n;

    if (v->len >= sizeof(text))
        return true;
    memcpy(text, v->text, v->len);
    text[v->len] = '\0';
    if (json_is_real(j))
        return strtod(text, NULL) == json_real_value(j) && json_u64(v, &n) < 0;
    if (json_u64(v, &n) == 0)
        return (json_int_t)n == json_integer_value(j);
    return strtoll(text, NULL, 10) == json_integer_value(j);
}

static bool same(const struct json *v, const json_t *j);

static bool same_members(const struct json *v, const json_t *j)
{
    size_t distinct = 0;

    for (const struct json *c = v->first; c; c = c->next) {
        char key[TEXT_MAX];
        bool again = false;

        memcpy(key, c->key, c->key_len);
        key[c->key_len] = '\0';
        for (const struct json *d = c->next; d; d = d->next)
            again |= d->key_len == c->key_len &&
                     memcmp(d->key, c->key, c->key_len) == 0;
        distinct += !again;
        if (!again && !same(c, json_object_get(j, key)))
            return false;
    }
    return distinct == json_object_size(j);
}

static bool same(const struct json *v, const json_t *j)
{
    size_t i = 0;

    switch (v->type) {
    case OUR_NULL:
        return json_is_null(j);
    case JSON_BOOL:
        return v->truth ? json_is_true(j) : json_is_false(j);
    case JSON_NUMBER:
        return json_is_number(j) && same_number(v, j);
    case OUR_STRING:
        return json_is_string(j) && json_string_length(j) == v->len &&
               memcmp(json_string_value(j), v->text, v->len) == 0;
    case OUR_OBJECT:
        return json_is_object(j) && same_members(v, j);
    case OUR_ARRAY:
        break;
    }
    for (const struct json *c = v->first; c; c = c->next)
        if (!same(c, json_array_get(j, i++)))
            return false;
    return json_is_array(j) && json_array_size(j) == i && v->len == i;
}

/* 1: both take it and read the same; 0: both refuse it, or it is one that
 * they are meant to differ in. */
static int compare(const struct maker *m)
{
    struct arena a = { .limit = 1 << 20 };
    struct json *v = NULL;
    struct err e = { 0 };
    json_error_t why;
    json_t *j =
        json_loadb(m->text, m->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    int ours = json_parse(&a, m->text, m->len, &v, &e), taken = 0;

    if (!j && meant_to_differ(why.text))
        goto done;
    if ((ours == 0) != (j != NULL))
        T_FAIL("%.*s\n# ours: %s\n# jansson: %s", (int)m->len, m->text,
               ours ? e.msg : "taken", j ? "taken" : why.text);
    if (!j)
        goto done;
    if (!same(v, j))
        T_FAIL("%.*s is read differently", (int)m->len, m->text);
    taken = 1;
done:
    json_decref(j);
    arena_drop(&a);
    return taken;
}

TEST(reads_as_jansson)
{
    struct maker m = { .seed = 20251101 };
    int taken = 0;

    for (int i = 0; i < DOCUMENTS; i++) {
        m.len = 0;
        add_value(&m, 5);
        for (unsigned n = roll(&m, 3); n > 0; n--)
            damage(&m);
        taken += compare(&m);
    }
    printf("# %d documents, %d taken by both\n", DOCUMENTS, taken);
    CHECK(taken > DOCUMENTS / 5 && taken < DOCUMENTS * 4 / 5);
}

#endif

T_MAIN()
