/* test_gw_proxy.c - what the built-in proxy is asked: HTTP and SOCKS 5. */
#include "gateway/proxy_head.h"
#include "gateway/socks.h"

#include "t.h"

#include "base/scoped.h"
#include "gateway/http.h"

#define L(text) text, sizeof(text) - 1
#define END     "\r\n\r\n"

static enum proxy_verdict parse(const char *text, size_t len, size_t *seen,
                                struct proxy_head *out)
{
    /* A copy of its own, so that a byte too far is seen. */
    uint8_t *copy = malloc(len ? len : 1);
    enum proxy_verdict v;

    CHECK(copy != NULL);
    memcpy(copy, text, len);
    v = proxy_head_parse(copy, len, seen, out);
    free(copy);
    return v;
}

/* At once, and byte by byte. */
static enum proxy_verdict judge(const char *text, size_t len,
                                struct proxy_head *out)
{
    size_t seen = 0, slow = 0;
    enum proxy_verdict v = parse(text, len, &seen, out), w = PROXY_NEED_MORE;
    struct proxy_head h;

    for (size_t n = 0; n <= len && w == PROXY_NEED_MORE; n++)
        w = parse(text, n, &slow, &h);
    CHECK_INT(w, v);
    CHECK(memcmp(&h, out, sizeof(h)) == 0);
    return v;
}

/* clang-format off */
static const struct {
    const char *text;
    enum proxy_verdict is;
    const char *host, *addr;    /* addr: the last bytes in hexadecimal */
    size_t port;
} asked[] = {
    { "CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443" END,
      PROXY_TUNNEL, "api.example.com", NULL, 443 },
    { "CONNECT API.example.com:443 HTTP/1.1\r\nHost: api.EXAMPLE.com" END,
      PROXY_TUNNEL, "api.example.com", NULL, 443 },
    { "CONNECT a.b:1 HTTP/1.0" END, PROXY_TUNNEL, "a.b", NULL, 1 },
    { "CONNECT a.b:65535 HTTP/1.1\r\nProxy-Connection: x\r\n"
      "Content-Length: 0" END, PROXY_TUNNEL, "a.b", NULL, 65535 },
    { "CONNECT 192.0.2.1:22 HTTP/1.1" END,
      PROXY_TUNNEL, "192.0.2.1", "ffffc0000201", 22 },
    { "CONNECT [2001:DB8::1]:22 HTTP/1.1\r\nHost: [2001:db8::1]:22" END,
      PROXY_TUNNEL, "[2001:db8::1]", "000000000001", 22 },
    { "CONNECT [::ffff:192.0.2.1]:22 HTTP/1.1" END,
      PROXY_TUNNEL, "[::ffff:192.0.2.1]", "ffffc0000201", 22 },
    { "GET http://api.example.com/x?y HTTP/1.1\r\n"
      "Host: api.example.com" END, PROXY_PLAIN, "api.example.com", NULL, 80 },
    { "GET HTTP://A.b:8080 HTTP/1.1\r\nHost: a.b:8080" END,
      PROXY_PLAIN, "a.b", NULL, 8080 },
    { "GET http://192.0.2.1?x HTTP/1.0" END,
      PROXY_PLAIN, "192.0.2.1", "ffffc0000201", 80 },
    { "GET http://[::1]/ HTTP/1.1\r\nHost: [::1]" END,
      PROXY_PLAIN, "[::1]", "000000000001", 80 },
    /* no host that there is */
    { "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443" END,
      PROXY_NO_HOST, "localhost", NULL, 0 },
    { "CONNECT a.b.:443 HTTP/1.1" END, PROXY_NO_HOST, "a.b.", NULL, 0 },
    { "CONNECT 127.1:443 HTTP/1.1" END, PROXY_NO_HOST, "127.1", NULL, 0 },
    { "CONNECT 0x7f.1:443 HTTP/1.1" END, PROXY_NO_HOST, "0x7f.1", NULL, 0 },
    { "CONNECT 2130706433:443 HTTP/1.1" END,
      PROXY_NO_HOST, "2130706433", NULL, 0 },
    { "CONNECT 0177.0.0.1:443 HTTP/1.1" END,
      PROXY_NO_HOST, "0177.0.0.1", NULL, 0 },
    { "CONNECT [::1%lo]:443 HTTP/1.1" END,
      PROXY_NO_HOST, "[::1%lo]", NULL, 0 },
    { "CONNECT [192.0.2.1]:443 HTTP/1.1" END,
      PROXY_NO_HOST, "[192.0.2.1]", NULL, 0 },
    { "CONNECT [a.b]:443 HTTP/1.1" END, PROXY_NO_HOST, "[a.b]", NULL, 0 },
    { "CONNECT a%2eb:443 HTTP/1.1" END, PROXY_NO_HOST, "a%2eb", NULL, 0 },
    { "GET http://a%00.b/ HTTP/1.1\r\nHost: x" END,
      PROXY_NO_HOST, "a%00.b", NULL, 0 },
    /* disagreement */
    { "CONNECT a.b:443 HTTP/1.1\r\nHost: c.d:443" END,
      PROXY_MISMATCH, "a.b", NULL, 443 },
    { "CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:80" END,
      PROXY_MISMATCH, "a.b", NULL, 443 },
    { "CONNECT a.b:443 HTTP/1.1\r\nHost: a.b.." END,
      PROXY_MISMATCH, "a.b", NULL, 443 },
    { "GET http://a.b/ HTTP/1.1\r\nHost: c.d" END,
      PROXY_MISMATCH, "a.b", NULL, 80 },
    { "GET http://a.b/ HTTP/1.1\r\nHost:" END,
      PROXY_MISMATCH, "a.b", NULL, 80 },
};
/* clang-format on */

TEST(requests)
{
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        const char *t = asked[i].text;
        struct proxy_head h;
        char addr[13] = "";

        NOTE(t);
        CHECK_INT(judge(t, strlen(t), &h), asked[i].is);
        CHECK_INT(h.len, strlen(t));
        CHECK_STR(h.to.host, asked[i].host);
        CHECK_INT(h.to.port, asked[i].port);
        CHECK_INT(h.to.is_addr, asked[i].addr != NULL);
        for (int j = 0; j < 6 && asked[i].addr; j++)
            (void)snprintf(addr + 2 * j, 3, "%02x", h.to.addr.b[10 + j]);
        CHECK_STR(addr, asked[i].addr ? asked[i].addr : "");
        CHECK_INT(h.other[0] != 0,
                  asked[i].is == PROXY_MISMATCH && !strstr(t, "Host:\r"));
    }
}

/* clang-format off */
static const struct {
    const char *text;
    size_t len;
} bad[] = {
    { L("CONNECT a.b HTTP/1.1" END) },
    { L("CONNECT a.b: HTTP/1.1" END) },
    { L("CONNECT a.b:0 HTTP/1.1" END) },
    { L("CONNECT a.b:0443 HTTP/1.1" END) },
    { L("CONNECT a.b:65536 HTTP/1.1" END) },
    { L("CONNECT a.b:+443 HTTP/1.1" END) },
    { L("CONNECT a.b:443:443 HTTP/1.1" END) },
    { L("CONNECT a.b:443/ HTTP/1.1" END) },
    { L("CONNECT :443 HTTP/1.1" END) },
    { L("CONNECT u@a.b:443 HTTP/1.1" END) },
    { L("CONNECT a.b:443@c.d HTTP/1.1" END) },
    { L("CONNECT ::1:443 HTTP/1.1" END) },
    { L("CONNECT [::1:443 HTTP/1.1" END) },
    { L("CONNECT [::1]443 HTTP/1.1" END) },
    { L("CONNECT http://a.b:443 HTTP/1.1" END) },
    { L("CONNECT / HTTP/1.1" END) },
    { L("CONNECT * HTTP/1.1" END) },
    { L("connect a.b:443 HTTP/1.1" END) },
    { L("CONNECT  a.b:443 HTTP/1.1" END) },
    { L("CONNECT a.b:443 HTTP/1.1 " END) },
    { L("CONNECT a.b:443 HTTP/2.0" END) },
    { L("CONNECT a.b:443" END) },
    { L("CONNECT a\0.b:443 HTTP/1.1" END) },
    { L("CONNECT a.b:443 HTTP/1.1\n\n") },
    { L("CONNECT a.b:443 HTTP/1.1\r\nHost: a.b\r\nHost: a.b" END) },
    { L("CONNECT a.b:443 HTTP/1.1\r\nHost : a.b" END) },
    { L("CONNECT a.b:443 HTTP/1.1\r\nX: y\r\n z" END) },
    { L("CONNECT a.b:443 HTTP/1.1\r\nContent-Length: 1" END) },
    { L("CONNECT a.b:443 HTTP/1.1\r\nTransfer-Encoding: chunked" END) },
    { L("GET / HTTP/1.1\r\nHost: a.b" END) },
    { L("GET * HTTP/1.1\r\nHost: a.b" END) },
    { L("GET a.b HTTP/1.1\r\nHost: a.b" END) },
    { L("GET https://a.b/ HTTP/1.1\r\nHost: a.b" END) },
    { L("GET ftp://a.b/ HTTP/1.1\r\nHost: a.b" END) },
    { L("GET http:/a.b/ HTTP/1.1\r\nHost: a.b" END) },
    { L("GET http:///x HTTP/1.1\r\nHost: a.b" END) },
    { L("GET http://u:p@a.b/ HTTP/1.1\r\nHost: a.b" END) },
    { L("GET http://a.b@c.d/ HTTP/1.1\r\nHost: a.b" END) },
    { L("GET http://a.b:/ HTTP/1.1\r\nHost: a.b" END) },
    { L("GET http://a.b:x/ HTTP/1.1\r\nHost: a.b" END) },
    { L("GET http://a.b/#x HTTP/1.1\r\nHost: a.b" END) },
    { L("GET http://a.b#x HTTP/1.1\r\nHost: a.b" END) },
    { L("GET http://a.b/ x HTTP/1.1\r\nHost: a.b" END) },
    { L("\x04\x01\0\x50\xc0\0\x02\x01\0") },
};
/* clang-format on */

TEST(requests_that_are_bad)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct proxy_head h;

        NOTE(bad[i].text);
        CHECK_INT(judge(bad[i].text, bad[i].len, &h), PROXY_BAD);
    }
}

TEST(heads_have_an_end)
{
    static char text[HTTP_HEAD_MAX + 1];
    const char *head = "CONNECT a.b:1 HTTP/1.1\r\nX: ";
    size_t n = strlen(head), seen = 0;
    struct proxy_head h;

    memcpy(text, head, n);
    memset(text + n, 'a', sizeof(text) - n);
    CHECK_INT(parse(text, HTTP_HEAD_MAX - 1, &seen, &h), PROXY_NEED_MORE);
    CHECK_INT(parse(text, HTTP_HEAD_MAX, &seen, &h), PROXY_BAD);
    memcpy(text + HTTP_HEAD_MAX - 4, END, 4);
    seen = 0;
    CHECK_INT(parse(text, HTTP_HEAD_MAX + 1, &seen, &h), PROXY_TUNNEL);
    CHECK_INT(h.len, HTTP_HEAD_MAX);
    /* Too many fields. */
    n = strlen("CONNECT a.b:1 HTTP/1.1\r\n");
    for (int i = 0; i < 257; i++, n += 4)
        memcpy(text + n, "x:\r\n", 4);
    memcpy(text + n, "\r\n", 2);
    seen = 0;
    CHECK_INT(parse(text, n + 2, &seen, &h), PROXY_BAD);
    memcpy(text + n - 4, "\r\n", 2);
    seen = 0;
    CHECK_INT(parse(text, n - 2, &seen, &h), PROXY_TUNNEL);
}

/* clang-format off */
static const struct {
    const char *from, *to;
} rewritten[] = {
    { "GET http://a.b/x?y HTTP/1.1\r\nHost: a.b\r\nAccept: *" "/*" END,
      "GET /x?y HTTP/1.1\r\nHost: a.b\r\nConnection: close\r\n"
      "Accept: *" "/*" END },
    { "GET http://A.B:8080 HTTP/1.0\r\n\r\n",
      "GET / HTTP/1.0\r\nHost: a.b:8080\r\nConnection: close" END },
    { "GET http://a.b:80?q HTTP/1.1\r\nHost: A.b:80" END,
      "GET /?q HTTP/1.1\r\nHost: a.b\r\nConnection: close" END },
    { "OPTIONS http://a.b HTTP/1.1\r\nHost: a.b" END,
      "OPTIONS * HTTP/1.1\r\nHost: a.b\r\nConnection: close" END },
    { "OPTIONS http://a.b/ HTTP/1.1\r\nHost: a.b" END,
      "OPTIONS / HTTP/1.1\r\nHost: a.b\r\nConnection: close" END },
    { "POST http://[::1]:8/ HTTP/1.1\r\nContent-Length: 3\r\nHost: [::1]:8\r\n"
      "X: 1\r\nx: 2" END,
      "POST / HTTP/1.1\r\nHost: [::1]:8\r\nConnection: close\r\n"
      "Content-Length: 3\r\nX: 1\r\nx: 2" END },
    { "POST http://a.b/ HTTP/1.1\r\nHost: a.b\r\n"
      "Transfer-Encoding: chunked" END,
      "POST / HTTP/1.1\r\nHost: a.b\r\nConnection: close\r\n"
      "Transfer-Encoding: chunked" END },
    { "GET http://a.b/ HTTP/1.1\r\nproxy-authorization: Basic eA==\r\n"
      "Proxy-Connection: keep-alive\r\nPROXY-X: y\r\nHost: a.b\r\n"
      "Connection: keep-alive, X-Hop\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
      "x-hop: y\r\nUpgrade: websocket\r\nX-Keep: Proxy-X\r\n"
      "Connection: other\r\nOther: 1" END,
      "GET / HTTP/1.1\r\nHost: a.b\r\nConnection: close\r\n"
      "X-Keep: Proxy-X" END },
};
/* clang-format on */

TEST(rewritten_heads)
{
    for (size_t i = 0; i < ARRAY_LEN(rewritten); i++) {
        const char *from = rewritten[i].from;
        size_t seen = 0, n, want = strlen(rewritten[i].to), pass;
        struct proxy_head h;
        char out[1000];
        struct http t;

        NOTE(from);
        CHECK_INT(parse(from, strlen(from), &seen, &h), PROXY_PLAIN);
        n = proxy_head_rewrite((const uint8_t *)from, &h, (uint8_t *)out,
                               sizeof(out) - 1);
        out[n] = '\0';
        CHECK_STR(out, rewritten[i].to);
        for (size_t cap = 0; cap < want; cap++)
            CHECK_INT(proxy_head_rewrite((const uint8_t *)from, &h,
                                         (uint8_t *)out, cap),
                      0);
        /* What we send is what the tracker lets pass. */
        http_init(&t, h.to.host, h.to.port);
        CHECK_INT(http_look(&t, (const uint8_t *)rewritten[i].to, want, &pass),
                  HTTP_PASS);
        CHECK_INT(pass, want);
    }
}

TEST(the_largest_head_fits)
{
    static uint8_t text[HTTP_HEAD_MAX + 1], out[PROXY_REWRITTEN_MAX];
    const char *head = "GET http://[2001:db8:1111:1111:1111:1111:1111:1111]"
                       ":65535 HTTP/1.0\r\nX: ";
    size_t n = strlen(head), seen = 0;
    struct proxy_head h;

    memcpy(text, head, n);
    memset(text + n, 'a', sizeof(text) - n);
    memcpy(text + HTTP_HEAD_MAX - 4, END, 4);
    CHECK_INT(proxy_head_parse(text, HTTP_HEAD_MAX, &seen, &h), PROXY_PLAIN);
    CHECK(proxy_head_rewrite(text, &h, out, sizeof(out)) > 0);
}

TEST(first_bytes)
{
    CHECK_INT(proxy_sort('G'), PROXY_HTTP);
    CHECK_INT(proxy_sort('c'), PROXY_HTTP);
    CHECK_INT(proxy_sort(5), PROXY_SOCKS5);
    CHECK_INT(proxy_sort(4), PROXY_NEITHER);
    CHECK_INT(proxy_sort(0x16), PROXY_NEITHER);
    CHECK_INT(proxy_sort('\r'), PROXY_NEITHER);
}

/* clang-format off */
static const struct {
    const char *bytes;
    size_t len;
    enum socks_verdict is;
    size_t used;
} greetings[] = {
    { L(""), SOCKS_NEED_MORE, 0 },
    { L("\x05"), SOCKS_NEED_MORE, 0 },
    { L("\x05\x01"), SOCKS_NEED_MORE, 0 },
    { L("\x05\x01\0"), SOCKS_OK, 3 },
    { L("\x05\x03\x02\0\x01" "more"), SOCKS_OK, 5 },
    { L("\x05\x01\x02"), SOCKS_REFUSED, 0 },
    { L("\x05\0"), SOCKS_REFUSED, 0 },
    { L("\x04\x01"), SOCKS_BAD, 0 },
};

static const struct {
    const char *bytes;
    size_t len;
    enum socks_verdict is;
    enum socks_code code;
    const char *host;
    unsigned port;
} socks[] = {
    { L(""), SOCKS_NEED_MORE, SOCKS_FAILURE, "", 0 },
    { L("\x05\x01\0\x01\xc0\0\x02\x01\0\x50" "more"),
      SOCKS_OK, SOCKS_DONE, "192.0.2.1", 80 },
    { L("\x05\x01\0\x03\x03" "A.b\x01\xbb"), SOCKS_OK, SOCKS_DONE, "a.b", 443 },
    { L("\x05\x01\0\x03\x04" "A.b.\x01\xbb"),
      SOCKS_OK, SOCKS_DONE, "a.b", 443 },
    { L("\x05\x01\0\x03\x09" "192.0.2.1\x01\xbb"),
      SOCKS_OK, SOCKS_DONE, "192.0.2.1", 443 },
    { L("\x05\x01\0\x03\x03" "::1\x01\xbb"),
      SOCKS_OK, SOCKS_DONE, "[::1]", 443 },
    { L("\x05\x01\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50"),
      SOCKS_OK, SOCKS_DONE, "[2001:db8::1]", 80 },
    { L("\x05\x01\0\x03\0\0\x50"), SOCKS_REFUSED, SOCKS_NOT_ALLOWED, "", 80 },
    { L("\x05\x01\0\x03\x09localhost\0\x50"),
      SOCKS_REFUSED, SOCKS_NOT_ALLOWED, "localhost", 80 },
    { L("\x05\x01\0\x03\x05" "a\0b.c\0\x50"),
      SOCKS_REFUSED, SOCKS_NOT_ALLOWED, "a?b.c", 80 },
    { L("\x05\x01\0\x03\x0b" "127.0.0.1\0x\0\x50"),
      SOCKS_REFUSED, SOCKS_NOT_ALLOWED, "127.0.0.1?x", 80 },
    { L("\x05\x01\0\x03\x05" "127.1\0\x50"),
      SOCKS_REFUSED, SOCKS_NOT_ALLOWED, "127.1", 80 },
    { L("\x05\x01\0\x03\x07" "u@a.b:1\0\x50"),
      SOCKS_REFUSED, SOCKS_NOT_ALLOWED, "u@a.b:1", 80 },
    { L("\x05\x01\0\x01\xc0\0\x02\x01\0\0"),
      SOCKS_REFUSED, SOCKS_FAILURE, "192.0.2.1", 0 },
    { L("\x05\x02\0\x01\xc0\0\x02\x01\0\x50"),
      SOCKS_REFUSED, SOCKS_NO_COMMAND, "", 0 },
    { L("\x05\x03\0\x01\0\0\0\0\0\0"),
      SOCKS_REFUSED, SOCKS_NO_COMMAND, "", 0 },
    { L("\x05\x01\0\x02\xc0\0\x02\x01\0\x50"),
      SOCKS_REFUSED, SOCKS_NO_ADDRESS_TYPE, "", 0 },
    { L("\x05\x01\x01\x01\xc0\0\x02\x01\0\x50"),
      SOCKS_BAD, SOCKS_FAILURE, "", 0 },
    { L("\x04\x01\0\x50\xc0\0\x02\x01\0"), SOCKS_BAD, SOCKS_FAILURE, "", 0 },
};
/* clang-format on */

TEST(socks_greetings)
{
    uint8_t reply[2];

    for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
        const uint8_t *p = (const uint8_t *)greetings[i].bytes;
        size_t used = 7;

        CHECK_INT(socks_greeting(p, greetings[i].len, &used), greetings[i].is);
        CHECK_INT(used, greetings[i].used);
    }
    socks_greeting_reply(true, reply);
    CHECK(memcmp(reply, "\x05\0", 2) == 0);
    socks_greeting_reply(false, reply);
    CHECK(memcmp(reply, "\x05\xff", 2) == 0);
}

TEST(socks_requests)
{
    uint8_t reply[SOCKS_REPLY];

    for (size_t i = 0; i < ARRAY_LEN(socks); i++) {
        char note[32];

        (void)snprintf(note, sizeof(note), "row %zu", i);
        NOTE(note);
        for (size_t n = 0; n <= socks[i].len; n++) {
            uint8_t *copy = malloc(n ? n : 1);
            struct proxy_target to;
            enum socks_verdict v;
            enum socks_code code;
            size_t used;

            CHECK(copy != NULL);
            memcpy(copy, socks[i].bytes, n);
            v = socks_request(copy, n, &to, &used, &code);
            free(copy);
            if (v == SOCKS_NEED_MORE && n < socks[i].len)
                continue;
            CHECK_INT(v, socks[i].is);
            CHECK_INT(code, socks[i].code);
            CHECK_STR(to.host, socks[i].host);
            CHECK_INT(to.port, socks[i].port);
            CHECK((used > 0) == (v == SOCKS_OK) && used <= n);
        }
    }
    socks_reply(SOCKS_NO_COMMAND, reply);
    CHECK(memcmp(reply, "\x05\x07\0\x01\0\0\0\0\0\0", 10) == 0);
}

T_MAIN()
