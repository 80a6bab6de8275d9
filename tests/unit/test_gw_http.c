/* test_gw_http.c - requests of plain HTTP: what goes on, and what never does.
 *
 * Each text is fed at once, byte by byte, and in two pieces split anywhere:
 * the verdict and what has passed must be the same. */
#include "gateway/http.h"

#include "t.h"

#include "base/scoped.h"

#define NAME "api.example.com"
#define HOST "Host: " NAME "\r\n"
#define GET  "GET / HTTP/1.1\r\n" HOST "\r\n"
#define POST "POST /x HTTP/1.1\r\n" HOST
#define END  "\r\n\r\n"
#define WS                                                                     \
    "GET /chat HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n"                     \
    "Connection: keep-alive, Upgrade\r\n"

struct outcome {
    enum http_verdict verdict;
    enum http_why why;
    size_t passed;
    char other[NET_NAME_MAX + 1];
};

/* The caller of the tracker: `first` bytes have come, and then `step` more
 * each time. */
static void feed(struct http *h, const char *text, size_t len, size_t first,
                 size_t step, struct outcome *out)
{
    size_t have = first, at = 0, pass;

    for (;;) {
        /* A copy of its own, so that a byte too far is seen. */
        size_t n = have - at;
        uint8_t *peeked = malloc(n ? n : 1);

        CHECK(peeked != NULL);
        memcpy(peeked, text + at, n);
        out->verdict = http_look(h, peeked, n, &pass);
        free(peeked);
        CHECK(pass <= n);
        CHECK((out->verdict == HTTP_PASS) == (pass > 0));
        at += pass;
        if (out->verdict == HTTP_PASS)
            continue;
        if (out->verdict != HTTP_NEED_MORE || have == len)
            break;
        have = len - have < step ? len : have + step;
    }
    out->passed = at;
    out->why = h->why;
    memcpy(out->other, h->other, sizeof(out->other));
}

static void judge(const char *text, size_t len, bool once, struct outcome *out)
{
    struct outcome o;
    struct http h;

    http_init(&h, NAME, 80);
    h.once = once;
    feed(&h, text, len, len, len, out);
    for (size_t split = 0; split <= len; split++) {
        /* Long ones byte by byte only. */
        if (split > 1 && len > 1000)
            break;
        http_init(&h, NAME, 80);
        h.once = once;
        feed(&h, text, len, split, split ? len : 1, &o);
        CHECK_INT(o.verdict, out->verdict);
        CHECK_INT(o.why, out->why);
        CHECK_INT(o.passed, out->passed);
        CHECK_STR(o.other, out->other);
    }
}

/* clang-format off */
static const struct {
    const char *text;
} accepted[] = {
    { GET },
    { GET GET },
    { "GET / HTTP/1.0\r\n" HOST "\r\n" },
    { "GET / HTTP/1.1\r\nhOsT:\t API.Example.COM \t\r\n\r\n" },
    { "GET / HTTP/1.1\r\nHost:" NAME ":80" END },
    { "GET / HTTP/1.1\r\nHost: " NAME "." END },
    { "GET / HTTP/1.1\r\nHost: " NAME ".:80" END },
    { "GET //x/../%2e%2e/?a=http://evil.example/ HTTP/1.1\r\n" HOST "\r\n" },
    { "GET http://" NAME " HTTP/1.1\r\n" HOST "\r\n" },
    { "GET HTTP://API.EXAMPLE.COM:80/x?y HTTP/1.1\r\n" HOST "\r\n" },
    { "GET http://" NAME "?y HTTP/1.1\r\n" HOST "\r\n" },
    { "OPTIONS * HTTP/1.1\r\n" HOST "\r\n" },
    { "M-SEARCH / HTTP/1.1\r\n" HOST "\r\n" },
    { "GET / HTTP/1.1\r\n" HOST "X-Empty:\r\nX-Latin: \xe4\r\n\r\n" },
    { "GET / HTTP/1.1\r\n" HOST "Connection: upgrade" END GET },
    { POST "Content-Length: 0" END GET },
    { POST "Content-Length: 3" END "a\nb" GET },
    { POST "Content-Length: 0003" END "GET" GET },
    { "POST / HTTP/1.0\r\n" HOST "Content-Length: 1" END "x" GET },
    { "GET / HTTP/1.1\r\n" HOST "Content-Length: 0" END GET },
    { POST "Transfer-Encoding: chunked" END "0\r\n\r\n" GET },
    { POST "Transfer-Encoding: Chunked" END "3\r\nabc\r\n00\r\n\r\n" GET },
    { POST "Transfer-Encoding: chunked" END
      "A;a=\"b, c\";d\r\n0123456789\r\n0;last\r\nX-Sum: 1\r\nY: 2" END GET },
    { POST "Expect: 100-continue\r\nContent-Length: 2" END "ab" },

};
/* clang-format on */

TEST(requests_that_pass)
{
    for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
        struct outcome o;

        NOTE(accepted[i].text);
        judge(accepted[i].text, strlen(accepted[i].text), false, &o);
        CHECK_INT(o.verdict, HTTP_NEED_MORE);
        CHECK_INT(o.why, HTTP_NOT_REFUSED);
        CHECK_INT(o.passed, strlen(accepted[i].text));
    }
}

#define L(text) text, sizeof(text) - 1

/* clang-format off */
static const struct {
    const char *text;
    size_t len;
    enum http_why why;
    const char *other;
} refused[] = {
    /* whom it names */
    { L("GET / HTTP/1.1\r\nHost: evil.example" END),
      HTTP_MISMATCH, "evil.example" },
    { L("GET / HTTP/1.1\r\nHost: x." NAME END), HTTP_MISMATCH, "x." NAME },
    { L("GET / HTTP/1.1\r\nHost: api.example.co" END),
      HTTP_MISMATCH, "api.example.co" },
    { L("GET / HTTP/1.1\r\nHost: " NAME ".." END), HTTP_MISMATCH, NAME ".." },
    { L("GET / HTTP/1.1\r\nHost: " NAME ".:81" END),
      HTTP_MISMATCH, NAME ".:81" },
    /* a body that some leave unread */
    { L("GET / HTTP/1.1\r\n" HOST "Content-Length: 1" END "x"),
      HTTP_PROTOCOL, "" },
    { L("HEAD / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked" END
        "0\r\n\r\n"), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\nHost: " NAME ":81" END),
      HTTP_MISMATCH, NAME ":81" },
    { L("GET / HTTP/1.1\r\nHost: " NAME ":" END), HTTP_MISMATCH, NAME ":" },
    { L("GET / HTTP/1.1\r\nHost: " NAME ":080" END),
      HTTP_MISMATCH, NAME ":080" },
    { L("GET / HTTP/1.1\r\nHost: " NAME ":65616" END),
      HTTP_MISMATCH, NAME ":65616" },
    { L("GET / HTTP/1.1\r\nHost: " NAME ":80:80" END),
      HTTP_MISMATCH, NAME ":80:80" },
    { L("GET / HTTP/1.1\r\nHost: u@" NAME END), HTTP_MISMATCH, "u@" NAME },
    { L("GET / HTTP/1.1\r\nHost: " NAME ":80@evil.example" END),
      HTTP_MISMATCH, NAME ":80@evil.example" },
    { L("GET / HTTP/1.1\r\nHost: " NAME "/x" END), HTTP_MISMATCH, NAME "/x" },
    { L("GET / HTTP/1.1\r\nHost: " NAME ", evil.example" END),
      HTTP_MISMATCH, NAME ",?evil.example" },
    { L("GET / HTTP/1.1\r\nHost: " NAME " evil.example" END),
      HTTP_MISMATCH, NAME "?evil.example" },
    { L("GET / HTTP/1.1\r\nHost: 192.0.2.1" END), HTTP_MISMATCH, "192.0.2.1" },
    { L("GET / HTTP/1.1\r\nHost: [::1]:80" END), HTTP_MISMATCH, "[::1]:80" },
    { L("GET / HTTP/1.1\r\nHost: [::1" END), HTTP_MISMATCH, "[::1" },
    { L("GET / HTTP/1.1\r\nHost: [" NAME "]80" END),
      HTTP_MISMATCH, "[" NAME "]80" },
    { L("GET / HTTP/1.1\r\nHost: \xe4\x9b\x1b[2J" END), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\nHost: \xe4.example" END),
      HTTP_MISMATCH, "?.example" },
    { L("GET / HTTP/1.1\r\nHost:" END), HTTP_MISMATCH, "" },
    { L("GET / HTTP/1.1\r\nAccept: *" END), HTTP_NO_NAME, "" },
    { L("GET / HTTP/1.0" END), HTTP_NO_NAME, "" },
    { L("GET http://" NAME "/ HTTP/1.0" END), HTTP_NO_NAME, "" },
    { L("GET / HTTP/1.1\r\n" HOST HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "Host: evil.example" END),
      HTTP_PROTOCOL, "" },
    { L("GET http://evil.example/ HTTP/1.1\r\n" HOST "\r\n"),
      HTTP_MISMATCH, "evil.example" },
    { L("GET http://" NAME "@evil.example/ HTTP/1.1\r\n" HOST "\r\n"),
      HTTP_MISMATCH, NAME "@evil.example" },
    { L("GET http://u:p@" NAME "/ HTTP/1.1\r\n" HOST "\r\n"),
      HTTP_MISMATCH, "u:p@" NAME },
    { L("GET http://" NAME ":8080/ HTTP/1.1\r\n" HOST "\r\n"),
      HTTP_MISMATCH, NAME ":8080" },
    { L("GET http:///x HTTP/1.1\r\n" HOST "\r\n"), HTTP_MISMATCH, "" },
    { L("GET http://" NAME "/ HTTP/1.1\r\nHost: evil.example" END),
      HTTP_MISMATCH, "evil.example" },
    { L("GET http://" NAME "\\@evil.example/ HTTP/1.1\r\n" HOST "\r\n"),
      HTTP_MISMATCH, NAME "\\@evil.example" },
    /* request lines */
    { L("CONNECT " NAME ":80 HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("connect / HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HTTP_PROTOCOL, "" },
    { L("PRI / HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET * HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET " NAME ":80 HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET https://" NAME "/ HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET x HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET /#x HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET  / HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET /  HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1 \r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET /\t HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L(" GET / HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET /\r\n\r\n"), HTTP_PROTOCOL, "" },
    { L("GET\r\n\r\n"), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.2\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/2\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET / http/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.10\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("G(T / HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L(" / HTTP/1.1\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" HOST "\r\n"),
      HTTP_PROTOCOL, "" },
    { L("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), HTTP_PROTOCOL, "" },
    /* lines */
    { L("GET / HTTP/1.1\nHost: " NAME "\n\n"), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "X: a\nHost: evil.example" END),
      HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "X: a\rHost: evil.example" END),
      HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "\r\r\n"), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "X: a\0b" END), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\nHost: " NAME "\0.evil.example" END),
      HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\nHost: " NAME "\r\n .evil.example" END),
      HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb" END), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n"), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\nHost : " NAME END), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "Host\t: evil.example" END),
      HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST ": x" END), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "x" END), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "X\x01Y: x" END), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "X: \x0b" END), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "X: \x7f" END), HTTP_PROTOCOL, "" },
    /* how long it is */
    { L(POST "Content-Length: 3\r\nTransfer-Encoding: chunked" END),
      HTTP_PROTOCOL, "" },
    { L(POST "Transfer-Encoding: chunked\r\nContent-Length: 3" END),
      HTTP_PROTOCOL, "" },
    { L(POST "Content-Length: 3\r\nContent-Length: 4" END),
      HTTP_PROTOCOL, "" },
    { L(POST "Content-Length: 3\r\nContent-Length: 3" END),
      HTTP_PROTOCOL, "" },
    { L(POST "Content-Length: 3, 3" END), HTTP_PROTOCOL, "" },
    { L(POST "Content-Length: +3" END), HTTP_PROTOCOL, "" },
    { L(POST "Content-Length: -3" END), HTTP_PROTOCOL, "" },
    { L(POST "Content-Length: 0x3" END), HTTP_PROTOCOL, "" },
    { L(POST "Content-Length: 3 4" END), HTTP_PROTOCOL, "" },
    { L(POST "Content-Length: 1.0" END), HTTP_PROTOCOL, "" },
    { L(POST "Content-Length:" END), HTTP_PROTOCOL, "" },
    { L(POST "Content-Length: 18446744073709551617" END), HTTP_PROTOCOL, "" },
    { L(POST "Content_Length: 3" END), HTTP_PROTOCOL, "" },
    { L(POST "Transfer_Encoding: chunked" END), HTTP_PROTOCOL, "" },
    { L(POST "Transfer-Encoding: xchunked" END), HTTP_PROTOCOL, "" },
    { L(POST "Transfer-Encoding: chunked, identity" END), HTTP_PROTOCOL, "" },
    { L(POST "Transfer-Encoding: gzip, chunked" END), HTTP_PROTOCOL, "" },
    { L(POST "Transfer-Encoding: identity" END), HTTP_PROTOCOL, "" },
    { L(POST "Transfer-Encoding: \x0b" "chunked" END), HTTP_PROTOCOL, "" },
    { L(POST "Transfer-Encoding: \"chunked\"" END), HTTP_PROTOCOL, "" },
    { L(POST "Transfer-Encoding:" END), HTTP_PROTOCOL, "" },
    { L(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x" END),
      HTTP_PROTOCOL, "" },
    { L(POST "Transfer-Encoding : chunked" END), HTTP_PROTOCOL, "" },
    { L(POST "Transfer-Encoding:\r\n chunked" END), HTTP_PROTOCOL, "" },
    { L("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked" END),
      HTTP_PROTOCOL, "" },
    { L(POST "Content-Length: 3\r\nConnection: close, Content-Length" END),
      HTTP_PROTOCOL, "" },
    { L(POST "Connection: Host" END), HTTP_PROTOCOL, "" },
    /* upgrades */
    { L("GET / HTTP/1.1\r\n" HOST "Connection: Upgrade, HTTP2-Settings\r\n"
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__" END),
      HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "HTTP2-Settings: AAMAAABkAAQAAP__" END),
      HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nConnection: Upgrade" END),
      HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "Upgrade: websocket, h2c\r\n"
        "Connection: Upgrade" END), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "Upgrade: TLS/1.0\r\n"
        "Connection: Upgrade" END), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.1\r\n" HOST "Upgrade: websocket" END),
      HTTP_PROTOCOL, "" },
    { L(WS "Upgrade: websocket" END), HTTP_PROTOCOL, "" },
    { L(WS "Content-Length: 0" END), HTTP_PROTOCOL, "" },
    { L(WS "Transfer-Encoding: chunked" END), HTTP_PROTOCOL, "" },
    { L("POST / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n"
        "Connection: upgrade" END), HTTP_PROTOCOL, "" },
    { L("GET / HTTP/1.0\r\n" HOST "Upgrade: websocket\r\n"
        "Connection: upgrade" END), HTTP_PROTOCOL, "" },
};
/* clang-format on */

TEST(requests_that_are_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct outcome o;

        NOTE(refused[i].text);
        judge(refused[i].text, refused[i].len, false, &o);
        CHECK_INT(o.verdict, HTTP_REFUSED);
        CHECK_INT(o.why, refused[i].why);
        CHECK_STR(o.other, refused[i].other);
        CHECK_INT(o.passed, 0);
    }
}

#define EVIL    "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked" END

/* clang-format off */
/* The first part passes, the second is refused. */
static const struct {
    const char *good, *bad;
    enum http_why why;
} pipelined[] = {
    { GET, EVIL, HTTP_MISMATCH },
    { GET GET, "GET http://evil.example/ HTTP/1.1\r\n" HOST "\r\n",
      HTTP_MISMATCH },
    { GET, WS "\r\n", HTTP_PROTOCOL },
    { GET, "\r\n" GET, HTTP_PROTOCOL },
    { GET, "\x16\x03\x01\x01\x01 ", HTTP_PROTOCOL },
    { POST "Content-Length: 5" END "12345", EVIL, HTTP_MISMATCH },
    { POST "Content-Length: 0" END, EVIL, HTTP_MISMATCH },
    { "GET / HTTP/1.1\r\n" HOST "Connection: close" END, EVIL, HTTP_MISMATCH },
    { CHUNKED "0\r\n\r\n", EVIL, HTTP_MISMATCH },
    { CHUNKED "1\r\nx\r\n0\r\nA: b" END, EVIL, HTTP_MISMATCH },
    { CHUNKED, "\r\n", HTTP_PROTOCOL },
    { CHUNKED, "x\r\n", HTTP_PROTOCOL },
    { CHUNKED, "-1\r\n", HTTP_PROTOCOL },
    { CHUNKED, "+1\r\n", HTTP_PROTOCOL },
    { CHUNKED, "0x1\r\n", HTTP_PROTOCOL },
    { CHUNKED, " 1\r\n", HTTP_PROTOCOL },
    { CHUNKED, "1 \r\n", HTTP_PROTOCOL },
    { CHUNKED, "1 ;a\r\n", HTTP_PROTOCOL },
    { CHUNKED, "1\n", HTTP_PROTOCOL },
    { CHUNKED, "1;a\n", HTTP_PROTOCOL },
    { CHUNKED, "1\rx", HTTP_PROTOCOL },
    { CHUNKED, "1;\x01\r\n", HTTP_PROTOCOL },
    { CHUNKED, "0000000000000001\r\n", HTTP_PROTOCOL },
    { CHUNKED, "1;345678901234567890123456789012345678901234567890123456789012"
               "345\r\n", HTTP_PROTOCOL },
    { CHUNKED "1\r\nx", "y\r\n", HTTP_PROTOCOL },
    { CHUNKED "1\r\nx", "\n", HTTP_PROTOCOL },
    { CHUNKED "1\r\nx", "\r0", HTTP_PROTOCOL },
    { CHUNKED "0\r\n", "\n", HTTP_PROTOCOL },
    { CHUNKED "0\r\n", "Host: evil.example" END, HTTP_PROTOCOL },
    { CHUNKED "0\r\n", "X: y\r\ncontent-length: 3" END, HTTP_PROTOCOL },
    { CHUNKED "0\r\n", "Transfer-Encoding: chunked" END, HTTP_PROTOCOL },
    { CHUNKED "0\r\n", "Upgrade: h2c" END, HTTP_PROTOCOL },
    { CHUNKED "0\r\n", "X: y\r\n z" END, HTTP_PROTOCOL },
    { CHUNKED "0\r\n", EVIL, HTTP_PROTOCOL },
};
/* clang-format on */

TEST(what_was_in_order_passes_before_what_is_not)
{
    for (size_t i = 0; i < ARRAY_LEN(pipelined); i++) {
        struct outcome o;
        char text[1000];

        NOTE(pipelined[i].bad);
        (void)snprintf(text, sizeof(text), "%s%s", pipelined[i].good,
                       pipelined[i].bad);
        judge(text, strlen(text), false, &o);
        CHECK_INT(o.verdict, HTTP_REFUSED);
        CHECK_INT(o.why, pipelined[i].why);
        CHECK_INT(o.passed, strlen(pipelined[i].good));
    }
}

TEST(heads_and_trailers_have_an_end)
{
    static char text[HTTP_HEAD_MAX + 100];
    const char *head = "GET / HTTP/1.1\r\n" HOST "X: ";
    size_t n = strlen(head);
    struct outcome o;

    memcpy(text, head, n);
    memset(text + n, 'a', sizeof(text) - n);
    judge(text, HTTP_HEAD_MAX - 1, false, &o);
    CHECK_INT(o.verdict, HTTP_NEED_MORE);
    judge(text, HTTP_HEAD_MAX, false, &o);
    CHECK_INT(o.verdict, HTTP_REFUSED);
    memcpy(text + HTTP_HEAD_MAX - 4, END, 4);
    judge(text, HTTP_HEAD_MAX, false, &o);
    CHECK_INT(o.passed, HTTP_HEAD_MAX);
    memcpy(text + HTTP_HEAD_MAX - 4, "aaaa", 4);
    memcpy(text + HTTP_HEAD_MAX - 3, END, 4);
    judge(text, HTTP_HEAD_MAX + 1, false, &o);
    CHECK_INT(o.verdict, HTTP_REFUSED);
    CHECK_INT(o.passed, 0);

    head = CHUNKED "0\r\nX: ";
    n = strlen(head);
    memcpy(text, head, n);
    memset(text + n, 'a', sizeof(text) - n);
    judge(text, 8192 + n, false, &o);
    CHECK_INT(o.verdict, HTTP_REFUSED);
    CHECK_INT(o.passed, n - 3);
}

TEST(a_body_passes_without_a_look)
{
    const char *head = POST "Content-Length: 100000000000" END;
    size_t pass, n = strlen(head);
    struct http h;

    http_init(&h, NAME, 80);
    CHECK_INT(http_unseen(&h), 0);
    CHECK_INT(http_look(&h, (const uint8_t *)head, n, &pass), HTTP_PASS);
    CHECK_INT(pass, n);
    CHECK_INT(http_unseen(&h), 100000000000);
    http_passed(&h, 99999999999);
    CHECK_INT(http_unseen(&h), 1);
    CHECK_INT(http_look(&h, (const uint8_t *)"xGE", 3, &pass), HTTP_PASS);
    CHECK_INT(pass, 1);
    CHECK_INT(http_unseen(&h), 0);
    CHECK_INT(h.state, HTTP_IN_HEAD);
    head = CHUNKED "fffff\r\n";
    n = strlen(head);
    CHECK_INT(http_look(&h, (const uint8_t *)head, n, &pass), HTTP_PASS);
    CHECK_INT(http_unseen(&h), 0xfffff);
    http_passed(&h, 0xfffff);
    CHECK_INT(http_look(&h, (const uint8_t *)"x", 1, &pass), HTTP_REFUSED);
}

TEST(an_upgrade_waits_for_its_answer)
{
    const char *head = WS "\r\n";
    const uint8_t *frame = (const uint8_t *)"\x81\x85";
    size_t pass, n = strlen(head);
    struct outcome o;
    struct http h;

    judge(WS "\r\n" EVIL, n + strlen(EVIL), false, &o);
    CHECK_INT(o.verdict, HTTP_WAIT);
    CHECK_INT(o.passed, n);

    http_init(&h, NAME, 80);
    CHECK_INT(http_look(&h, (const uint8_t *)head, n, &pass), HTTP_PASS);
    CHECK_INT(http_look(&h, frame, 2, &pass), HTTP_WAIT);
    CHECK_INT(http_unseen(&h), 0);
    http_on_response_status(&h, 101);
    CHECK_INT(http_look(&h, frame, 2, &pass), HTTP_PASS);
    CHECK_INT(pass, 2);
    CHECK(http_unseen(&h) == UINT64_MAX);
    http_passed(&h, 1 << 20);
    CHECK_INT(h.state, HTTP_OPAQUE);

    http_init(&h, NAME, 80);
    http_on_response_status(&h, 101);
    CHECK_INT(h.state, HTTP_IN_HEAD);
    CHECK_INT(http_look(&h, (const uint8_t *)head, n, &pass), HTTP_PASS);
    http_on_response_status(&h, 200);
    CHECK_INT(http_look(&h, (const uint8_t *)EVIL, strlen(EVIL), &pass),
              HTTP_REFUSED);
    CHECK_STR(h.other, "evil.example");
}

TEST(once_is_once)
{
    struct outcome o;
    const char *twice = GET GET;

    judge(twice, strlen(twice), true, &o);
    CHECK_INT(o.verdict, HTTP_DONE);
    CHECK_INT(o.passed, strlen(GET));
    twice = POST "Content-Length: 2" END "ab" GET;
    judge(twice, strlen(twice), true, &o);
    CHECK_INT(o.verdict, HTTP_DONE);
    CHECK_INT(o.passed, strlen(twice) - strlen(GET));
    twice = CHUNKED "1\r\na\r\n0\r\n\r\n" GET;
    judge(twice, strlen(twice), true, &o);
    CHECK_INT(o.verdict, HTTP_DONE);
    CHECK_INT(o.passed, strlen(twice) - strlen(GET));
    judge(WS "\r\n", strlen(WS "\r\n"), true, &o);
    CHECK_INT(o.verdict, HTTP_REFUSED);
    /* The proxy gives it the field that it lacks. */
    twice = "GET http://" NAME "/ HTTP/1.0" END;
    judge(twice, strlen(twice), true, &o);
    CHECK_INT(o.verdict, HTTP_DONE);
    CHECK_INT(o.passed, strlen(twice));
    twice = "GET http://" NAME "/ HTTP/1.1" END;
    judge(twice, strlen(twice), true, &o);
    CHECK_INT(o.why, HTTP_NO_NAME);
}

TEST(refused_stays_refused)
{
    struct http h = { 0 };
    size_t pass;

    /* All zero: nothing passes. */
    CHECK_INT(http_look(&h, (const uint8_t *)GET, strlen(GET), &pass),
              HTTP_REFUSED);
    http_init(&h, NAME, 80);
    CHECK_INT(http_look(&h, (const uint8_t *)EVIL, strlen(EVIL), &pass),
              HTTP_REFUSED);
    CHECK_INT(http_look(&h, (const uint8_t *)GET, strlen(GET), &pass),
              HTTP_REFUSED);
    CHECK_INT(pass, 0);
}

/* clang-format off */
static const struct {
    const char *text;
    size_t len;
    enum http_sniff is;
} sniffed[] = {
    { L(""), HTTP_SNIFF_MORE },
    { L("GE"), HTTP_SNIFF_MORE },
    { L("GET"), HTTP_SNIFF_MORE },
    { L("GET "), HTTP_SNIFF_YES },
    { L("GET\t"), HTTP_SNIFF_YES },
    { L("GET /\r\n"), HTTP_SNIFF_YES },
    { L("GET\r\n"), HTTP_SNIFF_YES },
    { L("\r\n \tGET "), HTTP_SNIFF_YES },
    { L("\f\x85 GET "), HTTP_SNIFF_YES },
    { L("\x1cPOST / HTTP/1.1\r\n"), HTTP_SNIFF_YES },
    { L("\xa0\v"), HTTP_SNIFF_MORE },
    { L("POST / HT"), HTTP_SNIFF_MORE },
    { L("POST / HTTP/1.1\r\n"), HTTP_SNIFF_YES },
    { L("get / http/1.1\n"), HTTP_SNIFF_YES },
    { L("x\x85/\xa0HTTP/1.0"), HTTP_SNIFF_YES },
    { L("(x) / HTTP/9"), HTTP_SNIFF_YES },
    { L("AVERYVERYVERYVERYVERYVERYVERYLONGMETHOD / HTTP/1.1\r\n"),
      HTTP_SNIFF_YES },
    { L("PRI * HTTP/2.0\r\n"), HTTP_SNIFF_YES },
    { L("CONNECT a:1 HTTP/1.1\r\n"), HTTP_SNIFF_YES },
    { L("PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\n"), HTTP_SNIFF_YES },
    { L("\r\n\r\n\0\r\nQUIT\n!"), HTTP_SNIFF_YES },
    { L("\r\n\r\n\0\r\nQUIT"), HTTP_SNIFF_MORE },
    { L("\r\n\r\n\0x"), HTTP_SNIFF_NO },
    { L("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), HTTP_SNIFF_NO },
    { L("SSH-2.0-x\r\n"), HTTP_SNIFF_NO },
    { L("EHLO example.com\r\n"), HTTP_SNIFF_NO },
    { L("NICK x\r\nUSER HTTP/1.1\r\n"), HTTP_SNIFF_NO },
    { L("CONNECT\naccept-version:1.2\n"), HTTP_SNIFF_NO },
    { L("CONNECT {\"verbose\":false}\r\n"), HTTP_SNIFF_NO },
    { L("*1\r\n$4\r\nPING\r\n"), HTTP_SNIFF_NO },
    { L("<?xml version='1.0'?><stream:stream"), HTTP_SNIFF_NO },
    { L("{\"id\": 1}"), HTTP_SNIFF_NO },
    { L("\0\0\0\x08\x04\xd2\x16\x2f"), HTTP_SNIFF_NO },
    { L("R user\0x"), HTTP_SNIFF_NO },
    { L("\x16\x03\x01"), HTTP_SNIFF_NO },
    { L("AMQP\0\0\x09\x01"), HTTP_SNIFF_NO },
};
/* clang-format on */

TEST(what_begins_like_a_request)
{
    static uint8_t many[HTTP_SNIFF_MAX + 1];

    for (size_t i = 0; i < ARRAY_LEN(sniffed); i++) {
        const uint8_t *p = (const uint8_t *)sniffed[i].text;

        NOTE(sniffed[i].text);
        CHECK_INT(http_sniff(p, sniffed[i].len), sniffed[i].is);
        /* More bytes never change what was said. */
        for (size_t n = 0; n < sniffed[i].len; n++) {
            enum http_sniff before = http_sniff(p, n);

            CHECK(before == HTTP_SNIFF_MORE || before == sniffed[i].is);
        }
    }
    memset(many, '\n', sizeof(many));
    CHECK_INT(http_sniff(many, 63), HTTP_SNIFF_MORE);
    CHECK_INT(http_sniff(many, 64), HTTP_SNIFF_YES);
    memset(many, 'a', sizeof(many));
    CHECK_INT(http_sniff(many, HTTP_SNIFF_MAX - 1), HTTP_SNIFF_MORE);
    CHECK_INT(http_sniff(many, HTTP_SNIFF_MAX), HTTP_SNIFF_YES);
    CHECK_INT(http_sniff(many, HTTP_SNIFF_MAX + 1), HTTP_SNIFF_YES);
}

TEST(the_status_of_a_response)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        { "", 0 },
        { "HTTP/1.1 10", 0 },
        { "HTTP/1.1 101", 0 },
        { "HTTP/1.1 101 Switching", 101 },
        { "HTTP/1.0 404\r\n", 404 },
        { "HTTP/1.1 999 ", 999 },
        { "HTTP/2 200 ", -1 },
        { "http/1.1 101 ", -1 },
        { "HTTP/1.1  101", -1 },
        { "HTTP/1.1 1011", -1 },
        { "HTTP/1.1 011 ", -1 },
        { "HTTP/1.1\t101 ", -1 },
        { "\x15", -1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n = strlen(cases[i].text);

        NOTE(cases[i].text);
        CHECK_INT(http_status((const uint8_t *)cases[i].text, n),
                  cases[i].status);
    }
}

T_MAIN()
