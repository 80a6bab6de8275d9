/* test_gw_tls.c - whom a ClientHello names, however it is cut. */
#include "gateway/tls.h"

#include "t.h"

#include "base/scoped.h"

/* The message under construction; lengths are filled in when a part ends. */
struct hello {
    uint8_t b[20000];
    size_t n;
};

static void add(struct hello *h, const void *bytes, size_t n)
{
    CHECK(n <= sizeof(h->b) - h->n);
    memcpy(h->b + h->n, bytes, n);
    h->n += n;
}

static size_t begin(struct hello *h, size_t bytes)
{
    add(h, "\0\0\0", bytes);
    return h->n;
}

static void end(struct hello *h, size_t start, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        h->b[start - 1 - i] = (uint8_t)((h->n - start) >> 8 * i);
}

static void add_extension(struct hello *h, const char *type, const void *bytes,
                          size_t n)
{
    size_t start;

    add(h, type, 2);
    start = begin(h, 2);
    add(h, bytes, n);
    end(h, start, 2);
}

#define SNI      "\0\0"
#define ALPN     "\0\x10"
#define ECH      "\xfe\x0d"
#define ESNI     "\xff\xce"
#define VERSIONS "\0\x2b"

static void add_name(struct hello *h, const void *name, size_t n)
{
    struct hello e = { .n = 0 };
    size_t list = begin(&e, 2), text;

    add(&e, "\0", 1);
    text = begin(&e, 2);
    add(&e, name, n);
    end(&e, text, 2);
    end(&e, list, 2);
    add_extension(h, SNI, e.b, e.n);
}

/* Everything before the extensions. */
static size_t start_hello(struct hello *h)
{
    size_t start;

    h->n = 0;
    add(h, "\x01", 1);
    start = begin(h, 3);
    add(h, "\x03\x03", 2);
    for (int i = 0; i < 32; i++)
        add(h, "r", 1);
    add(h, "\x02ss", 3);
    add(h, "\0\x04\x13\x01\x13\x02", 6);
    add(h, "\x01\0", 2);
    return start;
}

/* A hello with these extensions; NULL: without the block of them. */
static void make(struct hello *h, const struct hello *extensions)
{
    size_t start = start_hello(h), ext;

    if (extensions) {
        ext = begin(h, 2);
        add(h, extensions->b, extensions->n);
        end(h, ext, 2);
    }
    end(h, start, 3);
}

/* Cut into records of `size` bytes each. */
static size_t wrap(const struct hello *h, size_t size, uint8_t *out)
{
    size_t n = 0;

    for (size_t at = 0; at < h->n; at += size) {
        size_t here = h->n - at < size ? h->n - at : size;
        uint8_t head[] = { 22, 3, 1, (uint8_t)(here >> 8), (uint8_t)here };

        memcpy(out + n, head, 5);
        memcpy(out + n + 5, h->b + at, here);
        n += 5 + here;
    }
    return n;
}

static enum tls_verdict look(const uint8_t *bytes, size_t n,
                             struct tls_hello *out)
{
    /* A copy of its own, so that a byte too far is seen. */
    uint8_t *copy = malloc(n ? n : 1);
    enum tls_verdict v;

    CHECK(copy != NULL);
    memcpy(copy, bytes, n);
    v = tls_hello(copy, n, out);
    free(copy);
    return v;
}

/* In one record, in records of every size, and each of them cut anywhere. */
static enum tls_verdict judge(const struct hello *h, struct tls_hello *out)
{
    static uint8_t bytes[120000];
    enum tls_verdict v = look(bytes, wrap(h, 16384, bytes), out);

    for (size_t size = 1; size < h->n; size += size < 60 ? 1 : h->n / 3) {
        size_t n = wrap(h, size, bytes);
        struct tls_hello other;

        CHECK_INT(look(bytes, n, &other), v);
        CHECK(memcmp(&other, out, sizeof(other)) == 0);
        for (size_t cut = 0; cut < n && n < 1000; cut++) {
            enum tls_verdict early = look(bytes, cut, &other);

            CHECK(early == TLS_NEED_MORE || (early == TLS_BAD && v == TLS_BAD));
            CHECK(!other.name[0] && !other.alpn_len && !other.ech);
        }
    }
    return v;
}

TEST(a_name)
{
    static const char alpn[] = "\0\x0c\x02h2\x08http/1.1";
    struct hello h, e = { .n = 0 };
    struct tls_hello out;

    add_name(&e, "API.example.com", 15);
    add_extension(&e, VERSIONS, "\x02\x03\x04", 3);
    add_extension(&e, ALPN, alpn, sizeof(alpn) - 1);
    make(&h, &e);
    CHECK_INT(judge(&h, &out), TLS_OK);
    CHECK_STR(out.name, "api.example.com");
    CHECK(!out.ech);
    CHECK_INT(out.alpn_len, 12);
    CHECK(memcmp(out.alpn, "\x02h2\x08http/1.1", 12) == 0);
}

TEST(no_name)
{
    struct hello h, e = { .n = 0 };
    struct tls_hello out;

    make(&h, NULL);
    CHECK_INT(judge(&h, &out), TLS_OK);
    CHECK_STR(out.name, "");
    make(&h, &e);
    CHECK_INT(judge(&h, &out), TLS_OK);
    CHECK_STR(out.name, "");
    CHECK_INT(out.alpn_len, 0);
}

TEST(encrypted_hellos_are_told)
{
    static const char *const types[] = { ECH, ESNI };

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct hello h, e = { .n = 0 };
        struct tls_hello out;

        add_name(&e, "a.example", 9);
        add_extension(&e, types[i], "\0x", 2);
        make(&h, &e);
        CHECK_INT(judge(&h, &out), TLS_OK);
        CHECK(out.ech);
        CHECK_STR(out.name, "a.example");
    }
}

#define L(text) text, sizeof(text) - 1

TEST(names_that_are_none)
{
    static const struct {
        const char *name;
        size_t len;
    } names[] = {
        { L("") },
        { L("a.example.") },
        { L(".a.example") },
        { L("a..example") },
        { L("a\0.example") },
        { L("a.example\0") },
        { L("a.example\r\n") },
        { L("a example") },
        { L("*.example") },
        { L("a/example") },
        { L("u@a.example") },
        { L("a.example:443") },
        { L("\xc3\xa4.example") },
        { L("-a.example") },
        { L("127.0.0.1") },
        { L("127.1") },
        { L("2130706433") },
        { L("0x7f.1") },
        { L("::1") },
        { L("[::1]") },
        { L("localhost") },
    };
    char text[300];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct hello h, e = { .n = 0 };
        struct tls_hello out;

        NOTE(names[i].name);
        add_name(&e, names[i].name, names[i].len);
        make(&h, &e);
        CHECK_INT(judge(&h, &out), TLS_BAD);
        CHECK_STR(out.name, "");
    }
    for (size_t n = 250; n < sizeof(text); n++) {
        struct hello h, e = { .n = 0 };
        struct tls_hello out;

        memset(text, 'a', n);
        for (size_t dot = 50; dot < n; dot += 50)
            text[dot] = '.';
        if (text[n - 1] == '.')
            continue;
        add_name(&e, text, n);
        make(&h, &e);
        CHECK_INT(judge(&h, &out), n <= 253 ? TLS_OK : TLS_BAD);
    }
}

TEST(extensions_that_are_malformed)
{
    /* clang-format off */
    static const struct {
        const char *bytes;
        size_t len;
    } blocks[] = {
        { L("\0") },
        { L("\0\x17\0") },
        { L("\0\x17\0\x01") },
        { L(SNI "\0\0") },
        { L(SNI "\0\x01" "a") },
        { L(SNI "\0\x02" "\0\0") },
        { L(SNI "\0\x05" "\0\x03" "\0\0\0") },
        { L(SNI "\0\x08" "\0\x06" "\x01\0\x03" "a.b") },
        { L(SNI "\0\x08" "\0\x06" "\0\0\x04" "a.b") },
        { L(SNI "\0\x08" "\0\x06" "\0\0\x02" "a.b") },
        { L(SNI "\0\x08" "\0\x05" "\0\0\x03" "a.b") },
        { L(SNI "\0\x08" "\0\x07" "\0\0\x03" "a.b") },
        { L(SNI "\0\x09" "\0\x06" "\0\0\x03" "a.bx") },
        /* two names, two lists of names */
        { L(SNI "\0\x0e" "\0\x0c" "\0\0\x03" "a.b" "\0\0\x03" "c.d") },
        { L(SNI "\0\x0e" "\0\x0c" "\0\0\x03" "a.b" "\x01\0\x03" "c.d") },
        { L(SNI "\0\x08" "\0\x06" "\0\0\x03" "a.b"
            SNI "\0\x08" "\0\x06" "\0\0\x03" "a.b") },
        { L(SNI "\0\x08" "\0\x06" "\0\0\x03" "a.b"
            SNI "\0\x08" "\0\x06" "\0\0\x03" "c.d") },
        { L(ALPN "\0\0") },
        { L(ALPN "\0\x02\0\0") },
        { L(ALPN "\0\x03\0\x01\0") },
        { L(ALPN "\0\x04\0\x02\x02h") },
        { L(ALPN "\0\x05\0\x03\x01h2") },
        { L(ALPN "\0\x06\0\x03\x02h2x") },
        { L(ALPN "\0\x05\0\x03\x02h2" ALPN "\0\x05\0\x03\x02h2") },
    };
    /* clang-format on */

    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        struct hello h, e = { .n = 0 };
        struct tls_hello out;
        char note[32];

        (void)snprintf(note, sizeof(note), "row %zu", i);
        NOTE(note);
        add(&e, blocks[i].bytes, blocks[i].len);
        make(&h, &e);
        CHECK_INT(judge(&h, &out), TLS_BAD);
    }
}

TEST(messages_that_are_malformed)
{
    struct hello h, whole, e = { .n = 0 };
    struct tls_hello out;

    add_name(&e, "a.example", 9);
    make(&whole, &e);
    /* Cut short, with a length that says so. */
    for (size_t n = 4; n < whole.n; n++) {
        h = whole;
        h.n = n;
        end(&h, 4, 3);
        /* Up to the compression methods it is one without extensions. */
        CHECK_INT(judge(&h, &out),
                  n == 4 + 2 + 32 + 3 + 6 + 2 ? TLS_OK : TLS_BAD);
    }
    h = whole;
    add(&h, "x", 1);
    end(&h, 4, 3);
    CHECK_INT(judge(&h, &out), TLS_BAD);
    /* Another message in the same record. */
    h = whole;
    add(&h, "x", 1);
    CHECK_INT(look(h.b, 0, &out), TLS_NEED_MORE);
    {
        uint8_t bytes[300];

        CHECK_INT(look(bytes, wrap(&h, 16384, bytes), &out), TLS_BAD);
    }
    h = whole;
    h.b[0] = 2;
    CHECK_INT(judge(&h, &out), TLS_BAD);
    h = whole;
    h.b[4] = 2; /* legacy_version */
    CHECK_INT(judge(&h, &out), TLS_BAD);
    h = whole;
    h.b[42] = 3; /* half a cipher suite */
    CHECK_INT(judge(&h, &out), TLS_BAD);
}

TEST(records_that_are_malformed)
{
    struct hello h, e = { .n = 0 };
    struct tls_hello out;
    uint8_t good[400], bytes[500];
    size_t n;

    add_name(&e, "a.example", 9);
    make(&h, &e);
    n = wrap(&h, 40, good);
    CHECK_INT(look(good, n, &out), TLS_OK);
    /* What comes after the hello is not its business. */
    memcpy(bytes, good, n);
    memset(bytes + n, 0xee, 50);
    CHECK_INT(look(bytes, n + 50, &out), TLS_OK);
    /* Second record: type, version, empty, too long. */
    for (int what = 0; what < 5; what++) {
        memcpy(bytes, good, n);
        bytes[45 + what] = 99;
        if (what == 4)
            bytes[45 + 3] = bytes[45 + 4] = 0;
        CHECK_INT(look(bytes, n, &out), TLS_BAD);
    }
    /* A handshake longer than we read. */
    memcpy(bytes, good, n);
    bytes[7] = 0x40;
    CHECK_INT(look(bytes, n, &out), TLS_BAD);
    bytes[6] = 1;
    CHECK_INT(look(bytes, 9, &out), TLS_BAD);
}

TEST(sizes)
{
    static uint8_t bytes[120000];
    static uint8_t zeros[17000];
    struct hello h, e;
    struct tls_hello out;
    size_t start, ext, n;

    /* The largest hello, in one record and in many. */
    for (size_t more = 0; more < 2; more++) {
        start = start_hello(&h);
        ext = begin(&h, 2);
        add_extension(&h, "\0\x15", zeros, 16384 - h.n - 4 + more);
        end(&h, ext, 2);
        end(&h, start, 3);
        CHECK_INT(h.n, 16384 + more);
        n = wrap(&h, 16384, bytes);
        CHECK_INT(look(bytes, n, &out), more ? TLS_BAD : TLS_OK);
        n = wrap(&h, 50, bytes);
        CHECK_INT(look(bytes, n, &out), more ? TLS_BAD : TLS_OK);
    }
    /* In so small pieces that its records are more than it. */
    h.n--;
    end(&h, start, 3);
    n = wrap(&h, 10, bytes);
    CHECK(n > TLS_PEEK_MAX);
    CHECK_INT(look(bytes, n, &out), TLS_BAD);
    CHECK_INT(look(bytes, TLS_PEEK_MAX, &out), TLS_BAD);
    CHECK_INT(look(bytes, TLS_PEEK_MAX - 1, &out), TLS_NEED_MORE);
    /* More names of protocols than we keep. */
    for (size_t len = 253; len < 257; len++) {
        uint8_t alpn[300] = { 0, (uint8_t)(len + 1) };

        alpn[0] = (uint8_t)((len + 1) >> 8);
        alpn[2] = (uint8_t)len;
        e.n = 0;
        add_extension(&e, ALPN, alpn, len + 3);
        make(&h, &e);
        CHECK_INT(judge(&h, &out), len <= 255 ? TLS_OK : TLS_BAD);
    }
}

TEST(other_beginnings)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum tls_verdict is;
    } cases[] = {
        { L(""), TLS_NEED_MORE },
        { L("\x16"), TLS_NEED_MORE },
        { L("\x16\x03\x01\x02"), TLS_NEED_MORE },
        { L("\x16\x03\x01\x02\x00"), TLS_NEED_MORE },
        { L("\x16\x02\x01\x02\x00"), TLS_BAD },
        { L("\x16\x03\x05\x02\x00"), TLS_BAD },
        { L("\x16\xfe\xfd\x00\x00"), TLS_BAD },
        { L("\x16\x03\x01\x40\x01"), TLS_BAD },
        { L("\x16\x03\x01\0\0"), TLS_BAD },
        { L("\x16\x03\x01\0\x10\x02"), TLS_BAD },
        { L("\x14\x03"), TLS_BAD },
        { L("\x15\x03\x01\0\x02\x01\x5a"), TLS_BAD },
        { L("\x17\x03"), TLS_BAD },
        { L("\x18\x03"), TLS_BAD },
        { L("\x15"), TLS_NEED_MORE },
        { L("\x15\x04"), TLS_NOT_TLS },
        { L("GET / HTTP/1.1\r\n"), TLS_NOT_TLS },
        { L("\0"), TLS_NOT_TLS },
        { L("\x80"), TLS_NEED_MORE },
        { L("\x80\x2e"), TLS_NEED_MORE },
        { L("\x80\x2e\x01"), TLS_NEED_MORE },
        { L("\x80\x2e\x01\x00\x02"), TLS_BAD },
        { L("\x80\x2e\x01\x03\x01"), TLS_BAD },
        { L("\x80\x2e\x02"), TLS_NOT_TLS },
        { L("\x80\x2e\x01\x09"), TLS_NOT_TLS },
        { L("\xff\xfd\x03"), TLS_NOT_TLS },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_hello out;
        char note[32];

        (void)snprintf(note, sizeof(note), "row %zu", i);
        NOTE(note);
        CHECK_INT(look((const uint8_t *)cases[i].bytes, cases[i].len, &out),
                  cases[i].is);
    }
}

T_MAIN()
