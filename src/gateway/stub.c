/* stub.c - the resolver inside: answers for allowed names, with addresses of
 * the sandbox's own, and asks nobody about any other.
 *
 * An allowed name has both an IPv4 and an IPv6 address inside as soon as it
 * has any outside: what is dialled is decided when it is dialled. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "gateway/dns.h"
#include "gateway/gw.h"
#include "gateway/quota.h"

enum {
    MAX_ASKS = 1024, /* questions that wait for an answer from outside */
    ANSWER_ROOM = 1300,
    MESSAGE_MAX = 1024, /* of a question by TCP */
    TTL_INSIDE = 60
};

struct serve;

/* A question by TCP that the host's resolver answers, over a connection of its
 * own: what is not a question does not get there. */
struct pass {
    struct grave grave;
    struct source source;
    struct serve *serve;
    bool is_sent;
    size_t len;
    uint8_t bytes[2 + UINT16_MAX]; /* the question, then the answer */
};

/* One question, and who asked: a datagram's sender, or a connection. */
struct ask {
    struct grave grave;
    struct wait wait;
    struct name *name;
    struct flow flow;
    struct serve *serve;
    struct dns_query query;
};

/* A client by TCP: one question at a time. */
struct serve {
    struct grave grave;
    struct source source;
    struct timer timer;
    bool is_dead;
    struct ask *ask; /* under way */
    struct pass *pass;
    size_t len;
    uint8_t in[2 + MESSAGE_MAX];
};

static void pass_end(struct gw *g, struct pass *p)
{
    p->serve->pass = NULL;
    gw_close(g, &p->source);
    gw_bury(g, &p->grave, p);
}

static void serve_end(struct gw *g, struct serve *s)
{
    if (s->is_dead)
        return;
    s->is_dead = true;
    if (--g->nserves <= g->max_serves / 2)
        g->told_serves = false;
    gw_close(g, &s->source);
    gw_stop(&s->timer);
    if (s->ask) {
        wait_cancel(&s->ask->wait);
        gw_bury(g, &s->ask->grave, s->ask);
        g->nasks--;
    }
    if (s->pass)
        pass_end(g, s->pass);
    gw_bury(g, &s->grave, s);
}

static void serve_go_on(struct gw *g, struct serve *s);

static void send_answer(struct gw *g, const struct flow *f, struct serve *s,
                        const struct dns_query *q, const struct dns_reply *r)
{
    uint8_t out[2 + ANSWER_ROOM];
    size_t cap = s ? ANSWER_ROOM : q->udp_size, n;
    const struct flow back = { .from = f->to,
                               .to = f->from,
                               .from_port = f->to_port,
                               .to_port = f->from_port };

    n = dns_answer(q, r, out + 2, cap < ANSWER_ROOM ? cap : ANSWER_ROOM);
    if (!n)
        return;
    if (!s) {
        send_inside(g, &f->from, packet_udp(&back, out + 2, n, g->room));
        return;
    }
    out[0] = (uint8_t)(n >> 8);
    out[1] = (uint8_t)n;
    if (send(s->source.fd, out, n + 2, MSG_NOSIGNAL | MSG_DONTWAIT) !=
        (ssize_t)n + 2)
        serve_end(g, s);
}

/* What a name has inside. */
static void answer_name(struct gw *g, const struct flow *f, struct serve *s,
                        const struct dns_query *q, const struct name *n)
{
    struct net_addr addr;
    struct dns_reply r = { .rcode = name_rcode(n), .ttl = TTL_INSIDE };

    if (name_ttl(g, n) < r.ttl)
        r.ttl = name_ttl(g, n);
    if (r.rcode == DNS_NOERROR && name_addresses(n, g->scratch) > 0) {
        if (q->qtype == DNS_A)
            net_own_v4(name_number(n), &addr);
        else
            net_own_v6(name_number(n), &addr);
        r.addr = &addr;
        r.naddrs = 1;
    }
    send_answer(g, f, s, q, &r);
}

static void on_resolved(struct gw *g, struct wait *w)
{
    struct ask *a = (void *)((char *)w - offsetof(struct ask, wait));
    struct serve *s = a->serve;

    if (s)
        s->ask = NULL;
    g->nasks--;
    answer_name(g, &a->flow, s, &a->query, a->name);
    gw_bury(g, &a->grave, a);
    if (s && !s->is_dead)
        serve_go_on(g, s);
}

static void fail(struct gw *g, const struct flow *f, struct serve *s,
                 const struct dns_query *q, unsigned rcode)
{
    const struct dns_reply r = { .rcode = rcode };

    send_answer(g, f, s, q, &r);
}

static void look_up(struct gw *g, const struct flow *f, struct serve *s,
                    const struct dns_query *q, struct name *n)
{
    struct ask *a = g->nasks < MAX_ASKS ? calloc(1, sizeof(*a)) : NULL;

    if (!a) {
        fail(g, f, s, q, DNS_SERVFAIL);
        return;
    }
    g->nasks++;
    *a = (struct ask){
        .wait.on = on_resolved, .name = n, .flow = *f, .serve = s, .query = *q
    };
    if (s)
        s->ask = a;
    if (name_resolve(g, n, &a->wait))
        on_resolved(g, &a->wait);
}

static void refuse(struct gw *g, const struct flow *f, struct serve *s,
                   const struct dns_query *q)
{
    const struct dns_reply r = { .rcode = DNS_NXDOMAIN,
                                 .ede = DNS_EDE_BLOCKED,
                                 .why = "not allowed by the sandbox's policy" };
    struct gateway_record rec;
    const struct target t = { .port = 53, .name = q->name };

    tell_begin(&rec, GATEWAY_DECIDED, GATEWAY_QUERY, &t);
    rec.verdict_why = NET_BY_DEFAULT;
    rec.qtype = q->qtype;
    /* Whoever looks up the names of addresses, for a log, means no host. */
    if (q->qtype != DNS_PTR)
        tell(g, &rec);
    send_answer(g, f, s, q, &r);
}

static void over_budget(struct gw *g, const struct flow *f, struct serve *s,
                        const struct dns_query *q)
{
    const struct target t = { .port = 53, .name = q->name };

    tell_refused(g, GATEWAY_QUERY, GATEWAY_BY_BUDGET, &t, 0, NULL);
    fail(g, f, s, q, DNS_REFUSED);
}

static void serve_question(struct gw *g, const struct flow *f, struct serve *s,
                           const struct dns_query *q)
{
    enum net_known known = net_knows_name(&g->rules, q->name);
    struct name *n;

    if (known == NET_UNKNOWN) {
        refuse(g, f, s, q);
        return;
    }
    /* That it may exist is all that is said of other types; HTTPS and SVCB
     * records would only lead around the name's addresses (RFC 9460). */
    if (q->qtype != DNS_A && q->qtype != DNS_AAAA) {
        fail(g, f, s, q, DNS_NOERROR);
        return;
    }
    n = name_take(g, q->name, known);
    if (n)
        look_up(g, f, s, q, n);
    else
        over_budget(g, f, s, q);
}

/* Names of the machine that asks: nobody else's answer counts (RFC 6761,
 * 6.3), and the host's own would lead to the host. */
static bool is_local(const char *name)
{
    static const char local[] = "localhost";
    size_t n = strlen(name), len = sizeof(local) - 1;

    return n >= len && strcmp(name + n - len, local) == 0 &&
           (n == len || name[n - len - 1] == '.');
}

/* Where everything is allowed, the host's resolver answers for what the rules
 * do not name; a name that nobody should look up is not passed on either. */
static bool is_for_host(struct gw *g, const struct dns_query *q)
{
    return net_default_allows(&g->rules) && !is_local(q->name) &&
           net_knows_name(&g->rules, q->name) == NET_UNKNOWN;
}

bool stub_datagram(struct gw *g, const struct flow *f, const uint8_t *bytes,
                   size_t len)
{
    struct dns_query q;
    int rcode = dns_parse_query(bytes, len, &q);

    if (rcode == 0 && is_for_host(g, &q))
        return false;
    if (rcode == 0)
        serve_question(g, f, NULL, &q);
    else if (rcode > 0)
        fail(g, f, NULL, &q, (unsigned)rcode);
    return true;
}

/* --- by TCP ------------------------------------------------------------- */

/* The question, as soon as there is a connection. */
static bool send_question(struct pass *p)
{
    socklen_t len = sizeof(int);
    int sys = 0;

    p->is_sent =
        getsockopt(p->source.fd, SOL_SOCKET, SO_ERROR, &sys, &len) == 0 &&
        !sys &&
        send(p->source.fd, p->bytes, p->len, MSG_NOSIGNAL | MSG_DONTWAIT) ==
            (ssize_t)p->len;
    p->len = 0;
    return p->is_sent;
}

/* False: it ended, or has said what is no answer. */
static bool read_answer(struct gw *g, struct pass *p)
{
    struct serve *s = p->serve;
    ssize_t n = recv(p->source.fd, p->bytes + p->len, sizeof(p->bytes) - p->len,
                     MSG_DONTWAIT);
    size_t want;

    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    if (!quota_take(g, (uint64_t)n))
        return false;
    p->len += (size_t)n;
    want = 2 + ((size_t)p->bytes[0] << 8 | p->bytes[1]);
    if (p->len < 2 || p->len < want)
        return true;
    if (send(s->source.fd, p->bytes, want, MSG_NOSIGNAL | MSG_DONTWAIT) !=
        (ssize_t)want)
        return false;
    pass_end(g, p);
    serve_go_on(g, s);
    return true;
}

static void on_resolver(struct gw *g, struct source *source, uint32_t events)
{
    struct pass *p = (void *)((char *)source - offsetof(struct pass, source));

    (void)events;
    if (!(p->is_sent ? read_answer(g, p)
                     : quota_take(g, p->len) && send_question(p)))
        serve_end(g, p->serve);
}

/* `bytes` with their length in front. */
static void pass_on(struct gw *g, struct serve *s, const uint8_t *bytes,
                    size_t len)
{
    struct pass *p = calloc(1, sizeof(*p));
    struct sockaddr_storage where;
    struct net_addr to;
    socklen_t size;

    if (!p || !resolver_server(g, &to)) {
        free(p);
        serve_end(g, s);
        return;
    }
    s->pass = p;
    p->serve = s;
    p->len = len;
    memcpy(p->bytes, bytes, len);
    p->source = (struct source){
        .fd = socket(net_addr_is_v4(&to) ? AF_INET : AF_INET6,
                     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
        .on = on_resolver,
    };
    size = sockaddr_of(&to, 53, &where);
    if (p->source.fd < 0 ||
        (connect(p->source.fd, (const void *)&where, size) < 0 &&
         errno != EINPROGRESS) ||
        gw_watch(g, &p->source, EPOLLIN | EPOLLOUT | EPOLLET) < 0)
        serve_end(g, s);
}

static void serve_message(struct gw *g, struct serve *s, size_t len)
{
    static const struct flow nobody;
    struct dns_query q;
    int rcode = dns_parse_query(s->in + 2, len, &q);

    if (rcode == 0 && is_for_host(g, &q))
        pass_on(g, s, s->in, len + 2);
    s->len -= len + 2;
    memmove(s->in, s->in + 2 + len, s->len);
    if (s->is_dead || s->pass)
        return;
    if (rcode < 0)
        serve_end(g, s);
    else if (rcode > 0)
        fail(g, &nobody, s, &q, (unsigned)rcode);
    else
        serve_question(g, &nobody, s, &q);
}

static void serve_go_on(struct gw *g, struct serve *s)
{
    while (!s->is_dead && !s->ask && !s->pass && s->len >= 2) {
        size_t len = (size_t)s->in[0] << 8 | s->in[1];

        if (len > MESSAGE_MAX)
            serve_end(g, s);
        else if (s->len < len + 2)
            return;
        else
            serve_message(g, s, len);
    }
}

static void on_client(struct gw *g, struct source *source, uint32_t events)
{
    struct serve *s = (void *)((char *)source - offsetof(struct serve, source));
    ssize_t n;

    (void)events;
    /* It does not read ahead while it asks: an end of file is seen when the
     * answer is written. */
    n = recv(source->fd, s->in + s->len, sizeof(s->in) - s->len, MSG_DONTWAIT);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            serve_end(g, s);
        return;
    }
    s->len += (size_t)n;
    gw_start(g, &s->timer, TIMER_HEAD);
    serve_go_on(g, s);
    /* Full, and waiting: nothing that the protocol has use for. */
    if (!s->is_dead && s->len == sizeof(s->in))
        serve_end(g, s);
}

static void on_idle(struct gw *g, struct timer *t)
{
    struct serve *s = (void *)((char *)t - offsetof(struct serve, timer));

    serve_end(g, s);
}

/* A client that asks nothing, or slowly, keeps its place for a while; there
 * are not many, for who asks by UDP needs none. */
void stub_serve(struct gw *g, int fd)
{
    struct serve *s = g->nserves < g->max_serves ? calloc(1, sizeof(*s)) : NULL;

    if (!s) {
        if (!g->told_serves)
            tell_limit(g, "name server connections at once");
        g->told_serves = true;
        (void)close(fd);
        return;
    }
    g->nserves++;
    s->source = (struct source){ .fd = fd, .on = on_client };
    s->timer.on = on_idle;
    gw_start(g, &s->timer, TIMER_HEAD);
    if (gw_watch(g, &s->source, EPOLLIN) < 0)
        serve_end(g, s);
}
