/* test_json.c - the JSON reader: what it takes, where it says a fault is, and
 * that hostile text costs little. */
#include "base/json.h"

#include <errno.h>
#include <time.h>

#include "t.h"

enum { LIMIT = 16 << 20 };

/* clang-format off */
static const struct {
    const char *text, *msg;
    unsigned line, column;
    const char *hint;
} refused[] = {
    { "", "invalid JSON: the text ends, expected a value", 1, 1, "" },
    { " \n ", "invalid JSON: the text ends, expected a value", 2, 2, "" },
    { "\xef\xbb\xbf{}", "invalid JSON: byte-order mark at the start", 1, 1,
      "save the text as UTF-8 without one" },
    { "{} x", "invalid JSON: the text goes on after the document", 1, 4, "" },
    { "[1,\n 2,]", "invalid JSON: expected a value, found ']'", 2, 4,
      "remove the comma before it" },
    { "{\"a\":}", "invalid JSON: expected a value, found '}'", 1, 6, "" },
    { "{\"a\":1,}",
      "invalid JSON: expected a field name in double quotes, found '}'", 1, 8,
      "remove the comma before it" },
    { "{'a':1}",
      "invalid JSON: expected a field name in double quotes, found '''", 1, 2,
      "use double quotes" },
    { "{\"a\" 1}", "invalid JSON: expected ':', found '1'", 1, 6, "" },
    { "{\"a\":1 \"b\"}", "invalid JSON: expected ',' or '}', found '\"'", 1, 8,
      "" },
    { "[1 2]", "invalid JSON: expected ',' or ']', found '2'", 1, 4, "" },
    { "[1, // x\n2]", "invalid JSON: expected a value, found '/'", 1, 5,
      "JSON has no comments; use a '_comment' field" },
    { "# x", "invalid JSON: expected a value, found '#'", 1, 1,
      "JSON has no comments; use a '_comment' field" },
    { "[\v1]", "invalid JSON: expected a value, found byte 0x0b", 1, 2, "" },
    { "[\xc2\xa0]", "invalid JSON: expected a value, found byte 0xc2", 1, 2,
      "" },
    { "nul", "invalid JSON: expected a value, found 'n'", 1, 1, "" },
    { "[NaN]", "invalid JSON: expected a value, found 'N'", 1, 2, "" },
    { "trueX", "invalid JSON: the text goes on after the document", 1, 5, "" },
    { "01", "invalid JSON: number with a leading zero", 1, 2, "" },
    { "-", "invalid JSON: the text ends, expected a digit", 1, 2, "" },
    { "1.", "invalid JSON: the text ends, expected a digit after the decimal "
            "point", 1, 3, "" },
    { "[1.x]", "invalid JSON: expected a digit after the decimal point, "
               "found 'x'", 1, 4, "" },
    { "1e+", "invalid JSON: the text ends, expected a digit in the exponent",
      1, 4, "" },
    { "\"a\tb\"", "invalid JSON: control character in a string", 1, 3,
      "write it as \\u0009" },
    { "\"a\xff\"", "invalid JSON: text is not UTF-8", 1, 3, "" },
    { "\"\xed\xa0\x80\"", "invalid JSON: text is not UTF-8", 1, 2, "" },
    { "\"\xc0\x80\"", "invalid JSON: text is not UTF-8", 1, 2, "" },
    { "\"\xe2\x82\"", "invalid JSON: text is not UTF-8", 1, 2, "" },
    { "\"\\x41\"", "invalid JSON: unknown escape", 1, 2, "" },
    { "\"\\u00g0\"", "invalid JSON: escape that names no character", 1, 2, "" },
    { "\"\\ud800\"", "invalid JSON: escape that names no character", 1, 2, "" },
    { "\"\\udc00\"", "invalid JSON: escape that names no character", 1, 2, "" },
    { "\"\\ud800\\ud800\"", "invalid JSON: escape that names no character", 1,
      2, "" },
    { "\"\\ud800\\u0041\"", "invalid JSON: escape that names no character", 1,
      2, "" },
    { "\"\\", "invalid JSON: the text ends, expected an escape", 1, 3, "" },
    { "\"\\u12", "invalid JSON: escape that names no character", 1, 2, "" },
    { "\"a", "invalid JSON: the text ends, expected '\"'", 1, 3, "" },
    { "[", "invalid JSON: the text ends, expected a value", 1, 2, "" },
    { "{", "invalid JSON: the text ends, expected a field name in double "
           "quotes", 1, 2, "" },
};
/* clang-format on */

TEST(faults_have_a_place)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct arena a = { .limit = LIMIT };
        struct json *v = NULL;
        struct err e = { 0 };

        NOTE(refused[i].text);
        CHECK_INT(
            json_parse(&a, refused[i].text, strlen(refused[i].text), &v, &e),
            -1);
        CHECK(v == NULL);
        CHECK_INT(e.code, ERR_MALFORMED_REQUEST);
        CHECK_STR(e.msg, refused[i].msg);
        CHECK_INT(e.line, refused[i].line);
        CHECK_INT(e.column, refused[i].column);
        CHECK_STR(e.hint, refused[i].hint);
        arena_drop(&a);
    }
}

static const struct json *parse(struct arena *a, const char *text)
{
    struct json *v = NULL;
    struct err e = { 0 };

    if (json_parse(a, text, strlen(text), &v, &e) < 0)
        T_FAIL("%s: %s", text, e.msg);
    return v;
}

TEST(strings_are_decoded)
{
    static const struct {
        const char *text, *want;
        size_t len;
    } rows[] = {
        { "\"\"", "", 0 },
        { "\"plain\"", "plain", 5 },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8 },
        { "\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac", 6 },
        { "\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!", 5 },
        { "\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf", 4 },
        { "\"a\\u0000b\"", "a\0b", 3 },
        { "\"\x7f\xe2\x82\xac\"", "\x7f\xe2\x82\xac", 4 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = { .limit = LIMIT };
        const struct json *v = parse(&a, rows[i].text);

        NOTE(rows[i].text);
        CHECK_INT(v->type, JSON_STRING);
        CHECK_INT(v->len, rows[i].len);
        CHECK(v->len == 0 || memcmp(v->text, rows[i].want, v->len) == 0);
        arena_drop(&a);
    }
}

TEST(integers_are_exact)
{
    static const struct {
        const char *text;
        int result;
        uint64_t value;
    } rows[] = {
        { "0", 0, 0 },
        { "18446744073709551615", 0, UINT64_MAX },
        { "18446744073709551616", -ERANGE, 0 },
        { "99999999999999999999999999999999999999", -ERANGE, 0 },
        { "-1", -ERANGE, 0 },
        { "-0", -EINVAL, 0 },
        { "1.0", -EINVAL, 0 },
        { "1e3", -EINVAL, 0 },
        { "1E3", -EINVAL, 0 },
        { "\"1\"", -EINVAL, 0 },
        { "true", -EINVAL, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = { .limit = LIMIT };
        uint64_t value = 77;

        NOTE(rows[i].text);
        CHECK_INT(json_u64(parse(&a, rows[i].text), &value), rows[i].result);
        CHECK(value == (rows[i].result ? 77 : rows[i].value));
        arena_drop(&a);
    }
}

TEST(paths_lead_to_places)
{
    static const char text[] = "{\"a\": {\"b\": [1,\n [true, {\"$c\": null}]]},"
                               "\"\": 1, \"a\": 2}";
    static const struct {
        const char *path;
        bool found;
        unsigned line, column;
    } rows[] = {
        { "", true, 1, 1 },        { "a", true, 1, 7 },
        { "a.b", true, 1, 13 },    { "a.b[0]", true, 1, 14 },
        { "a.b[1]", true, 2, 2 },  { "a.b[1][1].$c", true, 2, 16 },
        { "a.b[2]", false, 0, 0 }, { "a.b[1][1].$d", false, 0, 0 },
        { "a[0]", false, 0, 0 },   { "a.b.c", false, 0, 0 },
        { "a.b[x]", false, 0, 0 }, { "a.b[", false, 0, 0 },
        { "a.b[0", false, 0, 0 },  { "a.b[99999999999999999999]", false, 0, 0 },
        { "a.b[]", false, 0, 0 },  { "zz", false, 0, 0 },
    };
    struct arena a = { .limit = LIMIT };
    const struct json *root = parse(&a, text);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct json *v = json_at(root, rows[i].path);
        unsigned line = 0, column = 0;

        NOTE(rows[i].path);
        CHECK_INT(v != NULL, rows[i].found);
        if (v)
            json_place(text, strlen(text), v->pos, &line, &column);
        CHECK_INT(line, rows[i].line);
        CHECK_INT(column, rows[i].column);
    }
    CHECK(json_get(root, "a")->type == JSON_OBJECT);
    CHECK(json_get(json_get(root, "a"), "x") == NULL);
    CHECK(json_get(json_at(root, "a.b"), "x") == NULL);
    CHECK_INT(root->len, 3);
    CHECK_INT(json_at(root, "a.b")->key_pos, 7);
    arena_drop(&a);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* `left` n times, `middle`, `right` n times. */
static char *nested(const char *left, size_t n, const char *middle,
                    const char *right)
{
    size_t l = strlen(left), r = strlen(right), m = strlen(middle);
    char *text = malloc(n * (l + r) + m + 1), *p = text;

    CHECK(text);
    for (size_t i = 0; i < n; i++, p += l)
        memcpy(p, left, l);
    memcpy(p, middle, m);
    p += m;
    for (size_t i = 0; i < n; i++, p += r)
        memcpy(p, right, r);
    *p = '\0';
    return text;
}

static void check_depth(const char *left, const char *right, size_t n,
                        bool accepted)
{
    scoped(drop_mem) char *text = nested(left, n, "1", right);
    struct arena a = { .limit = LIMIT };
    struct json *v = NULL;
    struct err e = { 0 };
    double start = seconds();
    int r = json_parse(&a, text, strlen(text), &v, &e);

    CHECK_INT(r, accepted ? 0 : -1);
    CHECK_STR(e.msg,
              accepted ? "" : "invalid JSON: nested deeper than 127 levels");
    CHECK(accepted || e.column == 127 * strlen(left) + 1);
    CHECK(seconds() - start < 1);
    CHECK(a.used < 1 << 20);
    arena_drop(&a);
}

TEST(depth_ends_at_127)
{
    check_depth("[", "]", 127, true);
    check_depth("[", "]", 128, false);
    check_depth("[", "]", 1000000, false);
    check_depth("{\"a\":", "}", 127, true);
    check_depth("{\"a\":", "}", 128, false);
    check_depth("{\"a\":", "}", 1000000, false);
    check_depth("[", "", 1000000, false);
}

TEST(memory_ends_at_the_limit)
{
    scoped(drop_mem) char *text = nested("[],", 1000000, "[]", "");
    scoped(drop_mem) char *list = malloc(3000010);
    struct arena a = { .limit = 1 << 20 };
    struct json *v = NULL;
    struct err e = { 0 };

    CHECK(list);
    (void)snprintf(list, 3000010, "[%s]", text);
    CHECK_INT(json_parse(&a, list, strlen(list), &v, &e), -1);
    CHECK_STR(e.msg, "document needs more memory than a document may use");
    CHECK(e.column > 10000);
    CHECK(a.used <= a.limit);
    arena_drop(&a);
}

/* Every beginning of a document is refused, whatever it ends with, and
 * nothing is read behind it (the address sanitizer would tell). */
TEST(every_prefix_is_refused)
{
    static const char text[] =
        "{\"a\": [1.5e-3, -20, true, false, null, \"x\\n\\u20ac\\ud83d\\ude00\""
        ", \"\xe2\x82\xac\"], \"b\": {\"c\": {}}, \"d\": []}";

    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        scoped(drop_mem) char *copy = malloc(n ? n : 1);
        struct arena a = { .limit = LIMIT };
        struct json *v = NULL;
        struct err e = { 0 };

        memcpy(copy, text, n);
        CHECK_INT(json_parse(&a, copy, n, &v, &e), -1);
        CHECK_INT(e.line, 1);
        CHECK(e.column >= 1 && e.column <= n + 1);
        arena_drop(&a);
    }
}

T_MAIN()
