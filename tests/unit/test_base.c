/* test_base.c - errors, arena, buffer, UTF-8, numbers, reports. */
#include "t.h"

#include <errno.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/num.h"
#include "base/report.h"
#include "base/sha256.h"
#include "base/utf8.h"

TEST(an_error_is_filled_once)
{
    struct err e;

    memset(&e, 'x', sizeof(e));
    CHECK_INT(err_set(&e, ERR_STALE_ID, "id '%s' is %d", "a", 7), -1);
    CHECK_INT(e.code, ERR_STALE_ID);
    CHECK_STR(e.msg, "id 'a' is 7");
    CHECK_INT(e.sys, 0);
    CHECK(!e.op[0] && !e.where[0] && !e.hint[0] && !e.line && !e.column);
    CHECK_INT(err_where(&e, "a[%d]", 3), -1);
    CHECK_INT(err_hint(&e, "try %s", "this"), -1);
    CHECK_STR(e.where, "a[3]");
    CHECK_STR(e.hint, "try this");
    CHECK_INT(err_ctx(&e, "outer %d", 1), -1);
    CHECK_STR(e.msg, "outer 1: id 'a' is 7");
    CHECK_STR(e.where, "a[3]");
    CHECK_INT(err_sys(&e, "mount(2)", ENOENT, "cannot mount '%s'", "x"), -1);
    CHECK_INT(e.code, ERR_BACKEND_ERROR);
    CHECK_INT(e.sys, ENOENT);
    CHECK_STR(e.op, "mount(2)");
    CHECK_STR(e.msg, "cannot mount 'x': No such file or directory");
    CHECK(!e.where[0] && !e.hint[0]);
}

TEST(long_errors_are_cut_and_ended)
{
    char text[2000];
    struct err e;

    memset(text, 'y', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    err_sys(&e, text, EIO, "%s", text);
    CHECK_INT(strlen(e.op), sizeof(e.op) - 1);
    CHECK_HAS(e.msg, "y: Input/output error");
    err_set(&e, ERR_BACKEND_ERROR, "%s", text);
    CHECK_INT(strlen(e.msg), sizeof(e.msg) - 1);
    err_ctx(&e, "%s", text);
    CHECK_INT(strlen(e.msg), sizeof(e.msg) - 1);
    err_ctx(&e, "outer");
    CHECK(strncmp(e.msg, "outer: yyy", 10) == 0);
    CHECK_INT(strlen(e.msg), sizeof(e.msg) - 1);
    err_where(&e, "%s", text);
    CHECK_INT(strlen(e.where), sizeof(e.where) - 1);
    err_hint(&e, "%s", text);
    CHECK_INT(strlen(e.hint), sizeof(e.hint) - 1);
}

/* The numbers and names are MXC's. */
TEST(codes_have_stable_names)
{
    static const char *const names[] = {
        "backend_error",     "malformed_request",   "unsupported_containment",
        "unsupported_phase", "backend_unavailable", "malformed_id",
        "stale_id",          "not_provisioned",     "not_started",
        "already_started",   "already_stopped",     "policy_validation",
        "backend_error",     "backend_error"
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        CHECK_STR(err_code_name((enum err_code)i), names[i]);
    CHECK_STR(err_errno_name(EACCES), "EACCES");
    CHECK_STR(err_errno_name(EPERM), "EPERM");
    CHECK_STR(err_errno_name(0), "E?");
    CHECK_STR(err_errno_name(-5), "E?");
}

TEST(an_arena_keeps_its_limit)
{
    struct arena a = { .limit = 100 };
    char *p = arena_alloc(&a, 33), *q;

    CHECK(p && (uintptr_t)p % 16 == 0);
    for (int i = 0; i < 33; i++)
        CHECK_INT(p[i], 0);
    memset(p, 'x', 33);
    q = arena_alloc(&a, 48);
    CHECK(q && q >= p + 33 && *q == 0);
    CHECK(arena_alloc(&a, 16) == NULL);
    CHECK(arena_alloc(&a, SIZE_MAX) == NULL);
    CHECK(arena_alloc(&a, SIZE_MAX - 15) == NULL);
    CHECK(arena_array(&a, SIZE_MAX / 2, 3) == NULL);
    CHECK(arena_strndup(&a, "x", SIZE_MAX) == NULL);
    CHECK(a.used <= a.limit);
    arena_drop(&a);
    CHECK(a.head == NULL && a.used == 0);
    CHECK(arena_alloc(&a, 96) != NULL);
    arena_drop(&a);
}

/* Large and small ones by turns, checked against each other. */
TEST(arena_blocks_do_not_overlap)
{
    struct arena a = { .limit = 8 << 20 };
    unsigned char *block[64];
    size_t size[64];

    for (size_t i = 0; i < 64; i++) {
        size[i] = i % 7 == 0 ? 150000 : i * 31 + 1;
        block[i] = arena_alloc(&a, size[i]);
        CHECK(block[i] != NULL);
        memset(block[i], (int)i, size[i]);
    }
    for (size_t i = 0; i < 64; i++)
        CHECK(block[i][0] == i && block[i][size[i] - 1] == i);
    arena_drop(&a);
}

TEST(arena_strings)
{
    struct arena a = { .limit = 1 << 12 };

    CHECK_STR(arena_strdup(&a, "abc"), "abc");
    CHECK_STR(arena_strndup(&a, "abc", 2), "ab");
    CHECK_STR(arena_strndup(&a, NULL, 0), "");
    CHECK_STR(arena_printf(&a, "%s-%03d", "x", 7), "x-007");
    CHECK(arena_printf(&a, "%5000d", 1) == NULL);
    arena_drop(&a);
}

TEST(a_buffer_knows_its_end)
{
    struct buf b = { .max = 10 };

    CHECK(b.data == NULL);
    buf_puts(&b, "");
    CHECK_STR(b.data, "");
    buf_puts(&b, "12345");
    buf_printf(&b, "%d", 6789);
    buf_putc(&b, '0');
    CHECK_STR(b.data, "1234567890");
    CHECK(!b.failed);
    buf_putc(&b, 'x');
    CHECK(b.failed);
    CHECK_STR(b.data, "1234567890");
    buf_add(&b, "", 0);
    buf_printf(&b, "%s", "");
    CHECK(b.failed && b.len == 10);
    buf_drop(&b);
    CHECK(b.data == NULL && b.len == 0 && b.cap == 0);
}

TEST(a_buffer_fails_whole_pieces)
{
    struct buf b = { .max = 4 }, huge = { .max = SIZE_MAX };

    buf_puts(&b, "abc");
    buf_puts(&b, "de");
    CHECK(b.failed);
    CHECK_STR(b.data, "abc");
    buf_drop(&b);
    buf_add(&huge, "x", SIZE_MAX);
    CHECK(huge.failed && huge.data == NULL);
}

/* attacks.md I9: nothing of the text acts on a terminal or a reader. */
TEST(text_is_shown_not_obeyed)
{
    static const struct {
        const char *in, *shown, *json;
    } rows[] = {
        { "plain", "plain", "\"plain\"" },
        { "a\nb\tc", "a\\nb\\tc", "\"a\\nb\\tc\"" },
        { "\x1b[2J", "\\x1b[2J", "\"\\u001b[2J\"" },
        { "\x7f", "\\x7f", "\"\\u007f\"" },
        { "\"\\", "\"\\", "\"\\\"\\\\\"" },
        { "\xc2\x9b", "\\u{9b}", "\"\\u009b\"" },
        { "\xef\xbb\xbf", "\\u{feff}", "\"\\ufeff\"" },
        { "\xf3\xa0\x81\x81", "\\u{e0041}", "\"\xf3\xa0\x81\x81\"" },
        { "\xc3\xa9\xe2\x82\xac", "\xc3\xa9\xe2\x82\xac",
          "\"\xc3\xa9\xe2\x82\xac\"" },
        { "\xff", "\\xff", "\"\\ufffd\"" },
        { "\xc3", "\\xc3", "\"\\ufffd\"" },
        { "\xed\xa0\x80", "\\xed\\xa0\\x80", "\"\\ufffd\\ufffd\\ufffd\"" },
        { "\r", "\\x0d", "\"\\u000d\"" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf shown = { .max = 100 }, json = { .max = 100 };

        NOTE(rows[i].shown);
        buf_puts(&shown, "");
        buf_shown(&shown, rows[i].in);
        buf_json(&json, rows[i].in);
        CHECK_STR(shown.data, rows[i].shown);
        CHECK_STR(json.data, rows[i].json);
        buf_drop(&shown);
        buf_drop(&json);
    }
}

/* Those that turn the direction of what follows. */
TEST(bidirectional_marks_are_shown)
{
    static const uint32_t marks[] = { 0x61c,  0x200e, 0x200f, 0x202a,
                                      0x202e, 0x2066, 0x2069 };

    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        struct buf shown = { .max = 100 }, want = { .max = 100 };
        char text[5] = { 0 };

        CHECK(utf8_encode(marks[i], text) > 1 && utf8_is_hidden(marks[i]));
        buf_shown(&shown, text);
        buf_json(&shown, text);
        buf_printf(&want, "\\u{%x}\"\\u%04x\"", marks[i], marks[i]);
        CHECK_STR(shown.data, want.data);
        buf_drop(&shown);
        buf_drop(&want);
    }
}

TEST(utf8_there_and_back)
{
    for (uint32_t cp = 0; cp <= 0x110010; cp++) {
        char text[4];
        uint32_t back = 0;
        size_t n = utf8_encode(cp, text);
        bool is_valid = cp < 0xd800 || (cp > 0xdfff && cp <= 0x10ffff);

        CHECK_INT(n != 0, is_valid);
        if (n == 0)
            continue;
        CHECK_INT(utf8_decode(text, n, &back), n);
        CHECK_INT(back, cp);
        /* One byte less is not a character. */
        CHECK_INT(utf8_decode(text, n - 1, &back), 0);
    }
}

TEST(utf8_is_strict)
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
        "\xc3\x41",
        "\xe2\x82\x41",
        "\xf0\x9f\x98\x41",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint32_t cp = 77;

        CHECK_INT(utf8_decode(bad[i], strlen(bad[i]), &cp), 0);
        CHECK_INT(cp, 77);
    }
}

TEST(whole_numbers_or_none)
{
    static const struct {
        const char *s;
        uint64_t max, want;
        int r;
    } rows[] = {
        { "0", 10, 0, 0 },
        { "10", 10, 10, 0 },
        { "11", 10, 0, -ERANGE },
        { "007", 10, 7, 0 },
        { "", 10, 0, -EINVAL },
        { "-1", 10, 0, -EINVAL },
        { "+1", 10, 0, -EINVAL },
        { " 1", 10, 0, -EINVAL },
        { "1 ", 10, 0, -EINVAL },
        { "0x1", 10, 0, -EINVAL },
        { "1e1", 10, 0, -EINVAL },
        { "18446744073709551615", UINT64_MAX, UINT64_MAX, 0 },
        { "18446744073709551616", UINT64_MAX, 0, -ERANGE },
        { "99999999999999999999999", UINT64_MAX, 0, -ERANGE },
    };
    int64_t i64 = 77;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t v = 77;

        NOTE(rows[i].s);
        CHECK_INT(num_u64(rows[i].s, rows[i].max, &v), rows[i].r);
        CHECK(v == (rows[i].r ? 77 : rows[i].want));
    }
    CHECK_INT(num_i64("-5", -5, 5, &i64), 0);
    CHECK_INT(i64, -5);
    CHECK_INT(num_i64("-6", -5, 5, &i64), -ERANGE);
    CHECK_INT(num_i64("6", -5, 5, &i64), -ERANGE);
    CHECK_INT(num_i64("--5", -5, 5, &i64), -EINVAL);
    CHECK_INT(num_i64("-", -5, 5, &i64), -EINVAL);
    CHECK_INT(num_i64("", -5, 5, &i64), -EINVAL);
    CHECK_INT(i64, -5);
}

TEST(sizes_have_units)
{
    static const struct {
        const char *s;
        uint64_t want;
        int r;
    } rows[] = {
        { "0", 0, 0 },
        { "512", 512, 0 },
        { "3K", 3072, 0 },
        { "1M", 1 << 20, 0 },
        { "4G", 4ull << 30, 0 },
        { "2T", 2ull << 40, 0 },
        { "9223372036854775807", INT64_MAX, 0 },
        { "9223372036854775808", 0, -ERANGE },
        { "8388608T", 0, -ERANGE },
        { "8388607T", 8388607ull << 40, 0 },
        { "", 0, -EINVAL },
        { "G", 0, -EINVAL },
        { "1k", 0, -EINVAL },
        { "1KB", 0, -EINVAL },
        { "1 K", 0, -EINVAL },
        { "-1", 0, -EINVAL },
        { "1.5G", 0, -EINVAL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t v = 77;

        NOTE(rows[i].s);
        CHECK_INT(num_size(rows[i].s, &v), rows[i].r);
        CHECK_INT(v, rows[i].r ? 77 : rows[i].want);
    }
}

TEST(durations_have_units)
{
    static const struct {
        const char *s;
        uint64_t want;
        int r;
    } rows[] = {
        { "30s", 30000, 0 },
        { "1500ms", 1500, 0 },
        { "5m", 300000, 0 },
        { "2h", 7200000, 0 },
        { "7", 7000, 0 },
        { "0", 0, 0 },
        { "4294967295ms", 4294967295u, 0 },
        { "4294967296ms", 0, -ERANGE },
        { "4294968s", 0, -ERANGE },
        { "1193h", 4294800000u, 0 },
        { "1194h", 0, -ERANGE },
        { "s", 0, -EINVAL },
        { "", 0, -EINVAL },
        { "1d", 0, -EINVAL },
        { "1.5s", 0, -EINVAL },
        { "-1s", 0, -EINVAL },
        { "1 s", 0, -EINVAL },
        { "1S", 0, -EINVAL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t v = 77;

        NOTE(rows[i].s);
        CHECK_INT(num_duration_ms(rows[i].s, &v), rows[i].r);
        CHECK_INT(v, rows[i].r ? 77 : rows[i].want);
    }
}

TEST(reports_for_people)
{
    struct buf b = { .max = 4096 };
    struct err e;

    err_set(&e, ERR_POLICY_VALIDATION, "path '\x1b[2J' is bad");
    report_text(&b, &e);
    CHECK_STR(b.data, "mxc: path '\\x1b[2J' is bad\n");
    buf_drop(&b);
    err_where(&e, "a.b[0]");
    err_hint(&e, "mend it");
    e.line = 3;
    e.column = 9;
    report_text(&b, &e);
    CHECK_STR(b.data, "mxc: path '\\x1b[2J' is bad\n"
                      "  at: a.b[0] (line 3, column 9)\n  try: mend it\n");
    buf_drop(&b);
    e.where[0] = '\0';
    report_text(&b, &e);
    CHECK_HAS(b.data, "\n  at: line 3, column 9\n");
    buf_drop(&b);
}

TEST(reports_for_programs)
{
    struct buf b = { .max = 4096 };
    struct err e;

    err_set(&e, ERR_MALFORMED_REQUEST, "no \"x\"");
    report_json(&b, &e);
    CHECK_STR(b.data, "{\"code\":\"malformed_request\","
                      "\"message\":\"no \\\"x\\\"\"}");
    buf_drop(&b);
    err_sys(&e, "open(2)", EACCES, "cannot open");
    err_where(&e, "a");
    err_hint(&e, "h");
    e.line = 1;
    e.column = 2;
    report_json(&b, &e);
    CHECK_STR(
        b.data,
        "{\"code\":\"backend_error\",\"message\":\"cannot "
        "open: Permission denied\",\"operation\":\"open(2)\",\"nativeCode\":"
        "\"EACCES\",\"remediation\":\"h\",\"details\":{\"where\":\"a\","
        "\"line\":1,\"column\":2}}");
    buf_drop(&b);
}

/* Lengths around where the padding needs a block of its own; the values are
 * sha256sum(1)'s. */
TEST(sha256_is_everybodys)
{
    static const struct {
        size_t len;
        const char *hex;
    } rows[] = {
        { 0,
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { 55,
          "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318" },
        { 56,
          "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a" },
        { 63,
          "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34" },
        { 64,
          "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb" },
        { 119,
          "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb" },
        { 120,
          "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c" },
        { 200,
          "c2a908d98f5df987ade41b5fce213067efbcc21ef2240212a41e54b5e7c28ae5" },
    };
    char text[200], hex[SHA256_HEX];

    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        sha256_hex(text, rows[i].len, hex);
        CHECK_STR(hex, rows[i].hex);
    }
}

TEST(sha256_does_not_see_the_pieces)
{
    char text[300], whole[SHA256_HEX], pieces[SHA256_HEX];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 7);
    for (size_t len = 0; len <= sizeof(text); len++) {
        sha256_hex(text, len, whole);
        for (size_t step = 1; step < 140; step += 23) {
            struct sha256 s;

            sha256_begin(&s);
            for (size_t at = 0; at < len; at += step)
                sha256_add(&s, text + at, len - at < step ? len - at : step);
            sha256_end(&s, pieces);
            CHECK_STR(pieces, whole);
        }
    }
}

T_MAIN()
