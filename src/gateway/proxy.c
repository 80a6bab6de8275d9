/* proxy.c - the built-in proxy, for programs that insist on one: HTTP CONNECT,
 * plain HTTP in absolute form, SOCKS 5.  It goes where the rules let the
 * workload go without it, and nowhere else.
 *
 * A client is read only as far as its request; what it sends behind that stays
 * in the kernel until the connection is relayed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "gateway/conn.h"
#include "gateway/proxy_head.h"
#include "gateway/socks.h"
#include "gateway/quota.h"

enum guest_phase { GUEST_FIRST = 0, GUEST_HTTP, GUEST_GREETING, GUEST_SOCKS };

/* A client that has not said yet where it wants to go. */
struct guest {
    struct grave grave;
    struct source source;
    struct timer timer;
    enum guest_phase phase;
    size_t seen;
    bool is_dead;
};

/* A connection through the proxy, and how its client wants to be answered. */
struct errand {
    struct conn conn; /* first: freed as one */
    enum guest_phase phase;
    bool is_plain;
    size_t nhead; /* of conn.extra, the head of a plain request */
    char host[NET_NAME_MAX + 1];
};

static void end_guest(struct gw *g, struct guest *u)
{
    if (u->is_dead)
        return;
    u->is_dead = true;
    gw_close(g, &u->source);
    gw_stop(&u->timer);
    g->nguests--;
    gw_bury(g, &u->grave, u);
}

/* Small, to a socket that was never written to: it fits, or nobody reads. */
static void say(int fd, const void *bytes, size_t len)
{
    (void)!send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void say_http(int fd, const char *status, const char *text)
{
    char out[1024];
    int n = snprintf(out, sizeof(out),
                     "HTTP/1.1 %s\r\nContent-Type: text/plain\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                     status, strlen(text), text);

    if (n > 0 && (size_t)n < sizeof(out))
        say(fd, out, (size_t)n);
}

static void say_socks(int fd, enum socks_code code)
{
    uint8_t out[SOCKS_REPLY];

    socks_reply(code, out);
    say(fd, out, sizeof(out));
}

/* --- after the decision ----------------------------------------------------
 */

static enum socks_code socks_code_of(int sys)
{
    switch (sys) {
    case ECONNREFUSED:
        return SOCKS_CONN_REFUSED;
    case ENETUNREACH:
        return SOCKS_NET_UNREACHABLE;
    default:
        return SOCKS_HOST_UNREACHABLE;
    }
}

static void say_failed(const struct errand *r, const struct dial *d)
{
    int fd = r->conn.end[INSIDE].source.fd;
    bool is_policy = d->why == GATEWAY_BY_ADDRESS;

    if (r->phase == GUEST_SOCKS)
        say_socks(fd, is_policy ? SOCKS_NOT_ALLOWED : socks_code_of(d->sys));
    else if (is_policy)
        say_http(fd, "403 Forbidden",
                 "mxc: the host leads to an address that the network policy "
                 "does not allow\n");
    else
        say_http(fd, "502 Bad Gateway",
                 d->why == GATEWAY_BY_NO_ADDRESS
                     ? "mxc: the host has no address\n"
                     : "mxc: the host cannot be reached\n");
}

static void say_connected(const struct errand *r)
{
    static const char ok[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    int fd = r->conn.end[INSIDE].source.fd;

    if (r->phase == GUEST_SOCKS)
        say_socks(fd, SOCKS_DONE);
    else if (!r->is_plain)
        say(fd, ok, sizeof(ok) - 1);
}

static void on_dialled(struct gw *g, struct dial *d, int fd)
{
    struct conn *c = (void *)((char *)d - offsetof(struct conn, dial));
    struct errand *r = (void *)c;
    struct target t = conn_target(g, c);

    if (fd < 0) {
        tell_refused(g, c->what, d->why, &t, d->sys, NULL);
        say_failed(r, d);
        conn_end(g, c, true);
        return;
    }
    c->end[OUTSIDE].source.fd = fd;
    say_connected(r);
    if (r->is_plain &&
        (!quota_take(g, r->nhead) ||
         send(fd, c->extra, r->nhead, MSG_NOSIGNAL) != (ssize_t)r->nhead)) {
        conn_end(g, c, false);
        return;
    }
    c->way[INSIDE].total += r->nhead;
    free(c->extra);
    c->extra = NULL;
    conn_relay(g, c);
}

static void refuse(struct gw *g, const struct guest *u,
                   const struct proxy_target *to, const struct net_verdict *v)
{
    const struct target t = { .addr = to->addr,
                              .port = to->port,
                              .name = to->is_addr ? NULL : to->host };

    tell_verdict(g, GATEWAY_PROXY, NET_TCP, &t, v, 0);
    if (u->phase == GUEST_SOCKS)
        say_socks(u->source.fd, SOCKS_NOT_ALLOWED);
    else
        say_http(u->source.fd, "403 Forbidden",
                 "mxc: the network policy does not allow this host and "
                 "port\n");
}

/* It may go there, but not now. */
static void say_busy(const struct guest *u)
{
    if (u->phase == GUEST_SOCKS)
        say_socks(u->source.fd, SOCKS_FAILURE);
    else
        say_http(u->source.fd, "503 Service Unavailable",
                 "mxc: too many connections at once, or too many different "
                 "names\n");
}

/* Takes the client over from the guest. */
static struct errand *make_errand(struct gw *g, struct guest *u,
                                  const struct proxy_target *to)
{
    struct conn *c = conn_create(g, GATEWAY_PROXY, sizeof(struct errand));
    struct errand *r = (void *)c;

    if (!c) {
        say_busy(u);
        return NULL;
    }
    r->phase = u->phase;
    c->end[INSIDE].source.fd = take_fd(&u->source.fd);
    (void)epoll_ctl(g->ep, EPOLL_CTL_DEL, c->end[INSIDE].source.fd, NULL);
    c->dial.done = on_dialled;
    c->port = to->port;
    c->addr = to->addr;
    return r;
}

/* A name that the rules know, or (when everything is allowed) any. */
static struct name *take_name(struct gw *g, const struct proxy_target *to,
                              struct net_verdict *v, bool *by_address)
{
    enum net_known known = net_knows_name(&g->rules, to->host);
    const struct target t = { .port = to->port, .name = to->host };

    *by_address = known == NET_UNKNOWN && net_default_allows(&g->rules);
    if (!*by_address) {
        decide(g, &t, NET_TCP, v);
        if (!v->is_allowed)
            return NULL;
    } else {
        *v = (struct net_verdict){ .is_allowed = true, .why = NET_BY_DEFAULT };
    }
    return name_take(g, to->host, known);
}

static struct errand *go_to_name(struct gw *g, struct guest *u,
                                 const struct proxy_target *to)
{
    struct net_verdict v;
    bool by_address;
    struct name *n = take_name(g, to, &v, &by_address);
    const struct target t = { .port = to->port, .name = to->host };
    struct errand *r;

    if (!n && v.is_allowed) {
        tell_refused(g, GATEWAY_PROXY, GATEWAY_BY_BUDGET, &t, 0, NULL);
        say_busy(u);
    } else if (!n) {
        refuse(g, u, to, &v);
    }
    if (!n)
        return NULL;
    r = make_errand(g, u, to);
    if (!r)
        return NULL;
    tell_verdict(g, GATEWAY_PROXY, NET_TCP, &t, &v, r->conn.id);
    r->conn.name = name_number(n);
    if (!by_address) {
        check_begin(&r->conn.check, name_text(n), to->port);
        r->conn.way[INSIDE].credit = 0;
    }
    r->conn.dial.by_address = by_address;
    dial_name(g, &r->conn.dial, n, to->port, v.intranet);
    return r;
}

static struct errand *go_to_address(struct gw *g, struct guest *u,
                                    const struct proxy_target *to)
{
    const struct target t = { .addr = to->addr, .port = to->port };
    struct net_verdict v;
    struct errand *r;

    decide(g, &t, NET_TCP, &v);
    if (!v.is_allowed) {
        refuse(g, u, to, &v);
        return NULL;
    }
    r = make_errand(g, u, to);
    if (!r)
        return NULL;
    tell_verdict(g, GATEWAY_PROXY, NET_TCP, &t, &v, r->conn.id);
    dial_address(g, &r->conn.dial, &to->addr, to->port);
    return r;
}

static struct errand *go(struct gw *g, struct guest *u,
                         const struct proxy_target *to)
{
    return to->is_addr ? go_to_address(g, u, to) : go_to_name(g, u, to);
}

/* --- what the client says ---------------------------------------------------
 */

/* Its request is read: the rest stays where it is. */
static void consume(struct gw *g, int fd, size_t len)
{
    (void)!recv(fd, g->peek, len, MSG_DONTWAIT);
}

/* One request goes on, with another head; the tracker follows the client's. */
static bool prepare_plain(struct errand *r, const struct proxy_head *h,
                          const uint8_t *bytes)
{
    struct check *k = &r->conn.check;
    size_t len = 0;

    r->is_plain = true;
    r->conn.extra = malloc(PROXY_REWRITTEN_MAX);
    if (!r->conn.extra)
        return false;
    r->nhead = proxy_head_rewrite(bytes, h, r->conn.extra, PROXY_REWRITTEN_MAX);
    (void)snprintf(r->host, sizeof(r->host), "%s", h->to.host);
    check_begin_once(k, r->host, h->to.port);
    r->conn.way[INSIDE].credit = 0;
    return r->nhead && http_look(&k->http, bytes, h->len, &len) == HTTP_PASS &&
           len == h->len;
}

static void serve_request(struct gw *g, struct guest *u,
                          const struct proxy_head *h, bool is_plain)
{
    struct errand *r = go(g, u, &h->to);
    int fd;

    if (!r) {
        end_guest(g, u);
        return;
    }
    fd = r->conn.end[INSIDE].source.fd;
    if (is_plain && !prepare_plain(r, h, g->peek)) {
        say_http(fd, "400 Bad Request",
                 "mxc: this request cannot be sent "
                 "on\n");
        conn_end(g, &r->conn, true);
        end_guest(g, u);
        return;
    }
    consume(g, fd, h->len);
    end_guest(g, u);
}

static void refuse_head(struct gw *g, struct guest *u, const char *text)
{
    struct target t = { .port = NET_PROXY_PORT };

    net_addr_v4(&t.addr, (const uint8_t[]){ 127, 0, 0, 1 });
    tell_refused(g, GATEWAY_PROXY, GATEWAY_BY_PROTOCOL, &t, 0, NULL);
    say_http(u->source.fd, "400 Bad Request", text);
    end_guest(g, u);
}

static void read_http(struct gw *g, struct guest *u, size_t n)
{
    static const struct net_verdict never = { .why = NET_BY_DEFAULT };
    struct proxy_head h;

    switch (proxy_head_parse(g->peek, n, &u->seen, &h)) {
    case PROXY_NEED_MORE:
        return;
    case PROXY_TUNNEL:
        serve_request(g, u, &h, false);
        return;
    case PROXY_PLAIN:
        serve_request(g, u, &h, true);
        return;
    case PROXY_NO_HOST:
        refuse(g, u, &h.to, &never);
        end_guest(g, u);
        return;
    case PROXY_MISMATCH:
        refuse_head(g, u, "mxc: Host and target differ\n");
        return;
    case PROXY_BAD:
        break;
    }
    refuse_head(g, u, "mxc: no request that a proxy takes\n");
}

static void read_greeting(struct gw *g, struct guest *u, size_t n)
{
    size_t used = 0;
    uint8_t out[2];
    enum socks_verdict v = socks_greeting(g->peek, n, &used);

    if (v == SOCKS_NEED_MORE)
        return;
    if (v != SOCKS_BAD) {
        socks_greeting_reply(v == SOCKS_OK, out);
        say(u->source.fd, out, sizeof(out));
    }
    if (v != SOCKS_OK) {
        end_guest(g, u);
        return;
    }
    consume(g, u->source.fd, used);
    u->phase = GUEST_SOCKS;
}

static void read_socks(struct gw *g, struct guest *u, size_t n)
{
    static const struct net_verdict never = { .why = NET_BY_DEFAULT };
    struct proxy_target to;
    enum socks_code code;
    struct errand *r;
    size_t used = 0;

    switch (socks_request(g->peek, n, &to, &used, &code)) {
    case SOCKS_NEED_MORE:
        return;
    case SOCKS_OK:
        r = go(g, u, &to);
        if (r)
            consume(g, r->conn.end[INSIDE].source.fd, used);
        break;
    case SOCKS_REFUSED:
        if (code == SOCKS_NOT_ALLOWED)
            refuse(g, u, &to, &never);
        else
            say_socks(u->source.fd, code);
        break;
    case SOCKS_BAD:
        break;
    }
    end_guest(g, u);
}

static void sort_out(struct gw *g, struct guest *u)
{
    switch (proxy_sort(g->peek[0])) {
    case PROXY_HTTP:
        u->phase = GUEST_HTTP;
        break;
    case PROXY_SOCKS5:
        u->phase = GUEST_GREETING;
        break;
    case PROXY_NEITHER:
        refuse_head(g, u, "mxc: neither HTTP nor SOCKS 5\n");
        break;
    }
}

static void on_guest(struct gw *g, struct source *s, uint32_t events)
{
    struct guest *u = (void *)((char *)s - offsetof(struct guest, source));
    enum guest_phase before;

    (void)events;
    do {
        ssize_t n = recv(s->fd, g->peek, PEEK_ROOM, MSG_PEEK | MSG_DONTWAIT);

        if (n <= 0) {
            if (n == 0 || errno != EAGAIN)
                end_guest(g, u);
            return;
        }
        before = u->phase;
        if (before == GUEST_FIRST)
            sort_out(g, u);
        else if (before == GUEST_HTTP)
            read_http(g, u, (size_t)n);
        else if (before == GUEST_GREETING)
            read_greeting(g, u, (size_t)n);
        else
            read_socks(g, u, (size_t)n);
    } while (!u->is_dead && u->phase != before);
}

static void on_too_slow(struct gw *g, struct timer *t)
{
    struct guest *u = (void *)((char *)t - offsetof(struct guest, timer));

    end_guest(g, u);
}

void proxy_serve(struct gw *g, int fd)
{
    struct guest *u = g->nguests < g->max_guests ? calloc(1, sizeof(*u)) : NULL;

    if (!u) {
        (void)close(fd);
        return;
    }
    g->nguests++;
    u->source = (struct source){ .fd = fd, .on = on_guest };
    u->timer.on = on_too_slow;
    gw_start(g, &u->timer, TIMER_HEAD);
    /* Edge-triggered: what is only peeked at would be told for ever. */
    if (gw_watch(g, &u->source, EPOLLIN | EPOLLRDHUP | EPOLLET) < 0)
        end_guest(g, u);
}
