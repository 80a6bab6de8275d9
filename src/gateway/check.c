/* check.c - see check.h. */
#include "gateway/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/conn.h"
#include "gateway/tls.h"

void check_begin(struct check *c, const char *name, uint16_t port)
{
    c->state = CHECK_FIRST;
    c->name = name;
    http_init(&c->http, name, port);
}

void check_begin_once(struct check *c, const char *host, uint16_t port)
{
    check_begin(c, host, port);
    c->http.once = true;
    c->state = CHECK_REQUESTS;
}

static bool refuse(struct gw *g, struct conn *c, enum gateway_what what,
                   enum gateway_why why, const char *other)
{
    struct target t = conn_target(g, c);

    tell_refused(g, what, why, &t, 0, other);
    conn_end(g, c, false);
    return false;
}

static bool refuse_incomplete(struct gw *g, struct conn *c)
{
    return refuse(g, c,
                  c->check.state == CHECK_REQUESTS ? GATEWAY_HTTP : GATEWAY_TLS,
                  GATEWAY_BY_PROTOCOL, "an incomplete head");
}

static void on_too_slow(struct gw *g, struct timer *t)
{
    struct conn *c = (void *)((char *)t - offsetof(struct conn, timer));

    (void)refuse_incomplete(g, c);
}

/* More has to come: until then there is nothing to be read. */
static bool wait_for_more(struct gw *g, struct conn *c)
{
    if (c->end[INSIDE].has_said_end)
        return refuse_incomplete(g, c);
    c->end[INSIDE].can_read = false;
    if (!c->timer.next) {
        c->timer.on = on_too_slow;
        gw_start(g, &c->timer, TIMER_HEAD);
    }
    return false;
}

void check_end(struct check *c)
{
    free(c->early);
    c->early = NULL;
    c->nearly = 0;
}

static bool pass(struct conn *c, uint64_t n)
{
    gw_stop(&c->timer);
    c->way[INSIDE].credit = n;
    return true;
}

static bool pass_all(struct conn *c)
{
    c->check.state = CHECK_NOTHING;
    check_end(&c->check);
    return pass(c, UINT64_MAX);
}

/* Of n bytes those before `nearly` have gone. */
static bool pass_early(struct gw *g, struct conn *c, size_t n)
{
    struct check *k = &c->check;
    size_t more = n - k->nearly;

    if (!k->early)
        k->early = malloc(HTTP_SNIFF_MAX);
    if (!k->early)
        return wait_for_more(g, c);
    memcpy(k->early + k->nearly, g->peek + k->nearly, more);
    k->nearly = n;
    return pass(c, more);
}

static bool refuse_http(struct gw *g, struct conn *c)
{
    const struct http *h = &c->check.http;

    switch (h->why) {
    case HTTP_MISMATCH:
        return refuse(g, c, GATEWAY_HTTP, GATEWAY_BY_MISMATCH, h->other);
    case HTTP_NO_NAME:
        return refuse(g, c, GATEWAY_HTTP, GATEWAY_BY_NO_NAME, NULL);
    case HTTP_PROTOCOL:
    case HTTP_NOT_REFUSED:
        break;
    }
    return refuse(g, c, GATEWAY_HTTP, GATEWAY_BY_PROTOCOL, NULL);
}

static bool look_at_request(struct gw *g, struct conn *c, size_t n)
{
    struct http *h = &c->check.http;
    size_t len = 0;

    switch (http_look(h, g->peek, n, &len)) {
    case HTTP_PASS:
        /* The answer decides whether the rest is HTTP at all: nothing of it
         * may pass unseen. */
        if (h->state == HTTP_WAIT_101)
            c->way[OUTSIDE].credit = 0;
        /* All of a head, of which the early bytes are the beginning. */
        if (len <= c->check.nearly)
            return refuse(g, c, GATEWAY_HTTP, GATEWAY_BY_PROTOCOL, NULL);
        len -= c->check.nearly;
        check_end(&c->check);
        return pass(c, len);
    case HTTP_NEED_MORE:
        return wait_for_more(g, c);
    case HTTP_WAIT:
        c->end[INSIDE].can_read = false;
        return false;
    case HTTP_DONE:
        /* What stands behind the one request goes nowhere, and must not hide
         * that the client has closed. */
        (void)!recv(c->end[INSIDE].source.fd, g->peek, PEEK_ROOM, MSG_DONTWAIT);
        conn_queue(g, c);
        return false;
    case HTTP_REFUSED:
        break;
    }
    return refuse_http(g, c);
}

static bool look_for_http(struct gw *g, struct conn *c, size_t n)
{
    switch (http_sniff(g->peek, n)) {
    case HTTP_SNIFF_YES:
        c->check.state = CHECK_REQUESTS;
        return look_at_request(g, c, n);
    case HTTP_SNIFF_MORE:
        return pass_early(g, c, n);
    case HTTP_SNIFF_NO:
        break;
    }
    return pass_all(c);
}

static bool look_at_first(struct gw *g, struct conn *c, size_t n)
{
    struct tls_hello hello;

    switch (tls_hello(g->peek, n, &hello)) {
    case TLS_NOT_TLS:
        return look_for_http(g, c, n);
    case TLS_NEED_MORE:
        return wait_for_more(g, c);
    case TLS_OK:
        if (!hello.name[0])
            return refuse(g, c, GATEWAY_TLS, GATEWAY_BY_NO_NAME, NULL);
        /* The name that counts may be another, inside (RFC 9849). */
        if (hello.ech)
            return refuse(g, c, GATEWAY_TLS, GATEWAY_BY_PROTOCOL,
                          "encrypted client hello (ECH)");
        if (strcmp(hello.name, c->check.name) != 0)
            return refuse(g, c, GATEWAY_TLS, GATEWAY_BY_MISMATCH, hello.name);
        return pass_all(c);
    case TLS_BAD:
        break;
    }
    return refuse(g, c, GATEWAY_TLS, GATEWAY_BY_PROTOCOL, NULL);
}

/* Bytes that wait at this end, behind `at` others; 0: none, and it is
 * remembered why. */
static size_t peek(struct gw *g, struct end *e, size_t at)
{
    ssize_t n = recv(e->source.fd, g->peek + at, PEEK_ROOM - at,
                     MSG_PEEK | MSG_DONTWAIT);

    if (n == 0)
        e->is_at_end = true;
    else if (n < 0)
        e->can_read = false;
    return n > 0 ? (size_t)n : 0;
}

/* What the server says to an upgrade.  Too little and then nothing more is an
 * answer too, and no upgrade. */
static bool look_at_answer(struct gw *g, struct conn *c)
{
    struct end *e = &c->end[OUTSIDE];
    size_t n = peek(g, e, 0);
    int status;

    if (!n && !e->is_at_end)
        return false;
    status = http_status(g->peek, n);
    if (status == 0 && !e->has_said_end && !e->is_at_end) {
        e->can_read = false;
        return false;
    }
    http_on_response_status(&c->check.http, status);
    c->way[OUTSIDE].credit = UINT64_MAX;
    /* What the client sent meanwhile may go on now. */
    c->end[INSIDE].can_read = true;
    conn_queue(g, c);
    return true;
}

bool check_more(struct gw *g, struct conn *c, int d)
{
    struct check *k = &c->check;
    uint64_t unseen;
    size_t n;

    if (d == OUTSIDE)
        return look_at_answer(g, c);
    if (k->granted) {
        http_passed(&k->http, k->granted);
        k->granted = 0;
    }
    unseen = k->state == CHECK_REQUESTS ? http_unseen(&k->http) : 0;
    if (unseen == UINT64_MAX)
        return pass_all(c);
    if (unseen) {
        k->granted = unseen;
        return pass(c, unseen);
    }
    n = peek(g, &c->end[INSIDE], k->nearly);
    if (!n)
        return false;
    if (k->nearly)
        memcpy(g->peek, k->early, k->nearly);
    n += k->nearly;
    return k->state == CHECK_REQUESTS ? look_at_request(g, c, n)
                                      : look_at_first(g, c, n);
}
