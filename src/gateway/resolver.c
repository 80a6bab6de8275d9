/* resolver.c - asks the host's resolvers for the addresses of a name.
 *
 * Each question has a socket of its own, so that its port is a number that an
 * answer has to know (RFC 5452); what is cut short is asked again by TCP.  The
 * hosts file comes first, as with any program of the host. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "gateway/dns.h"
#include "gateway/gw.h"
#include "gateway/resolv.h"
#include "gateway/quota.h"

enum { FILE_MAX = 1 << 20, MAX_QUESTIONS = 256, TCP_MAX = 65535, PORT = 53 };

struct resolver {
    struct resolv_conf conf;
    char *hosts;
    size_t hosts_len;
    size_t open;  /* questions under way */
    size_t first; /* server, with "rotate" */
};

struct question {
    struct grave grave;
    struct source source;
    struct timer timer;
    struct name *name;
    bool is_aaaa;
    bool by_tcp;
    bool is_sent; /* by TCP */
    unsigned tries;
    size_t server;
    struct dns_sent sent;
    uint8_t *answer; /* by TCP: TCP_MAX + 2 */
    size_t len;
};

/* One that does not exist is empty; NULL: *e says why. */
static char *read_file(const char *path, size_t *len, struct err *e)
{
    scoped(drop_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text;
    ssize_t n = 1;

    *len = 0;
    if (fd < 0 && errno != ENOENT && errno != ENOTDIR) {
        err_sys(e, "open(2)", errno, "cannot open '%s'", path);
        return NULL;
    }
    text = malloc(FILE_MAX);
    if (!text) {
        err_sys(e, "malloc(3)", ENOMEM, "cannot make a resolver");
        return NULL;
    }
    while (fd >= 0 && *len < FILE_MAX && n > 0) {
        n = read(fd, text + *len, FILE_MAX - *len);
        *len += n > 0 ? (size_t)n : 0;
    }
    if (n < 0) {
        err_sys(e, "read(2)", errno, "cannot read '%s'", path);
        free(text);
        return NULL;
    }
    return text;
}

int resolver_create(struct resolver **out, uint32_t *patience_ms, struct err *e)
{
    static const uint8_t local[4] = { 127, 0, 0, 1 };
    struct resolver *r = calloc(1, sizeof(*r));
    size_t len;
    char *conf;

    *out = r;
    if (!r)
        return err_sys(e, "malloc(3)", ENOMEM, "cannot make a resolver");
    conf = read_file("/etc/resolv.conf", &len, e);
    if (!conf)
        return -1;
    resolv_parse(conf, len, &r->conf);
    free(conf);
    r->hosts = read_file("/etc/hosts", &r->hosts_len, e);
    if (!r->hosts)
        return -1;
    if (r->conf.timeout_s * 1000 < *patience_ms)
        *patience_ms = r->conf.timeout_s * 1000;
    /* As resolv.conf(5) has it. */
    if (r->conf.nservers == 0)
        net_addr_v4(&r->conf.server[r->conf.nservers++], local);
    return 0;
}

bool resolver_server(const struct gw *g, struct net_addr *out)
{
    *out = g->resolver->conf.server[0];
    return true;
}

static void ask(struct gw *g, struct question *q);

static void finish(struct gw *g, struct question *q, unsigned rcode,
                   const struct dns_result *r)
{
    struct name *n = q->name;
    bool is_aaaa = q->is_aaaa;

    gw_close(g, &q->source);
    gw_stop(&q->timer);
    free(q->answer);
    q->answer = NULL;
    g->resolver->open--;
    gw_bury(g, &q->grave, q);
    if (r)
        name_answered(g, n, is_aaaa, rcode, r->addr, r->naddrs, r->ttl);
    else
        name_answered(g, n, is_aaaa, rcode, NULL, 0, 0);
}

/* The next server, or the first again. */
static void ask_another(struct gw *g, struct question *q)
{
    const struct resolv_conf *c = &g->resolver->conf;

    gw_close(g, &q->source);
    gw_stop(&q->timer);
    q->server = (q->server + 1) % c->nservers;
    q->by_tcp = c->use_vc;
    if (++q->tries < c->attempts * c->nservers)
        ask(g, q);
    else
        finish(g, q, DNS_SERVFAIL, NULL);
}

static void on_late(struct gw *g, struct timer *t)
{
    struct question *q = (void *)((char *)t - offsetof(struct question, timer));

    ask_another(g, q);
}

static void on_message(struct gw *g, struct question *q, const uint8_t *bytes,
                       size_t len)
{
    struct dns_result r;

    switch (dns_parse_response(bytes, len, &q->sent, &r)) {
    case DNS_FOREIGN:
        if (q->by_tcp)
            ask_another(g, q);
        return;
    case DNS_TRUNCATED:
        if (q->by_tcp) {
            ask_another(g, q);
            return;
        }
        gw_close(g, &q->source);
        gw_stop(&q->timer);
        q->by_tcp = true;
        ask(g, q);
        return;
    case DNS_BAD:
    case DNS_FAILED:
        ask_another(g, q);
        return;
    case DNS_NO_NAME:
        finish(g, q, DNS_NXDOMAIN, &r);
        return;
    case DNS_NO_DATA:
    case DNS_FOUND:
        finish(g, q, DNS_NOERROR, &r);
        return;
    }
}

static void read_udp(struct gw *g, struct question *q)
{
    /* Foreign answers do not make it read for ever. */
    for (int i = 0; i < 16 && q->source.fd >= 0 && !q->by_tcp; i++) {
        ssize_t n = recv(q->source.fd, g->room, PACKET_ROOM, MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN)
            ask_another(g, q); /* nobody listens there */
        if (n < 0 || !quota_take(g, (uint64_t)n))
            return;
        on_message(g, q, g->room, (size_t)n);
    }
}

/* Two bytes of length, then the message (RFC 1035 4.2.2). */
static void write_tcp(struct gw *g, struct question *q, uint32_t events)
{
    uint8_t head[2 + DNS_QUERY_MAX];
    static const uint8_t lower[32] = { 0 };
    size_t n;
    socklen_t len = sizeof(int);
    int sys = 0;

    if (!(events & EPOLLOUT) ||
        getsockopt(q->source.fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0 || sys) {
        ask_another(g, q);
        return;
    }
    n = dns_make_query(q->sent.id, name_text(q->name),
                       q->is_aaaa ? DNS_AAAA : DNS_A, lower, &q->sent, head + 2,
                       DNS_QUERY_MAX);
    head[0] = (uint8_t)(n >> 8);
    head[1] = (uint8_t)n;
    /* It fits into any empty send buffer. */
    if (!n || !quota_take(g, n + 2) ||
        send(q->source.fd, head, n + 2, MSG_NOSIGNAL) != (ssize_t)n + 2)
        ask_another(g, q);
    else
        q->is_sent = true;
}

static void read_tcp(struct gw *g, struct question *q)
{
    ssize_t n = recv(q->source.fd, q->answer + q->len, TCP_MAX + 2 - q->len,
                     MSG_DONTWAIT);
    size_t want;

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        ask_another(g, q);
        return;
    }
    if (!quota_take(g, (uint64_t)n))
        return;
    q->len += (size_t)n;
    if (q->len < 2)
        return;
    want = (size_t)q->answer[0] << 8 | q->answer[1];
    if (q->len >= want + 2)
        on_message(g, q, q->answer + 2, want);
}

static void on_ready(struct gw *g, struct source *s, uint32_t events)
{
    struct question *q =
        (void *)((char *)s - offsetof(struct question, source));

    if (!q->by_tcp)
        read_udp(g, q);
    else if (!q->is_sent)
        write_tcp(g, q, events);
    else
        read_tcp(g, q);
}

/* Level-triggered: for the answer, and by TCP first for the connection. */
static int open_question(struct gw *g, struct question *q)
{
    const struct net_addr *to = &g->resolver->conf.server[q->server];
    int type = q->by_tcp ? SOCK_STREAM : SOCK_DGRAM;
    struct sockaddr_storage where;
    socklen_t len = sockaddr_of(to, PORT, &where);

    q->source.fd = socket(net_addr_is_v4(to) ? AF_INET : AF_INET6,
                          type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (q->source.fd < 0)
        return -errno;
    if (connect(q->source.fd, (const void *)&where, len) < 0 &&
        errno != EINPROGRESS)
        return -errno;
    return gw_watch(g, &q->source,
                    q->by_tcp ? EPOLLIN | EPOLLOUT | EPOLLET : EPOLLIN);
}

static bool send_udp(struct gw *g, struct question *q)
{
    uint8_t bytes[DNS_QUERY_MAX], random[34];
    size_t n;

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return false;
    /* A resolver that does not keep the case is answered the second time. */
    if (q->tries > 0)
        memset(random, 0, 32);
    n = dns_make_query((uint16_t)(random[32] << 8 | random[33]),
                       name_text(q->name), q->is_aaaa ? DNS_AAAA : DNS_A,
                       random, &q->sent, bytes, sizeof(bytes));
    return n && quota_take(g, n) &&
           send(q->source.fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static void ask(struct gw *g, struct question *q)
{
    gw_start(g, &q->timer, TIMER_QUERY);
    q->is_sent = false;
    q->len = 0;
    if (q->by_tcp && !q->answer)
        q->answer = malloc(TCP_MAX + 2);
    if ((q->by_tcp && !q->answer) || open_question(g, q) < 0 ||
        (!q->by_tcp && !send_udp(g, q))) {
        /* The timer, soon, takes the next one: not from within a call. */
        gw_close(g, &q->source);
        gw_start(g, &q->timer, TIMER_NOW);
    }
}

static struct question *make(struct gw *g, struct name *n, bool is_aaaa)
{
    struct resolver *r = g->resolver;
    struct question *q = r->open < MAX_QUESTIONS ? calloc(1, sizeof(*q)) : NULL;

    if (!q)
        return NULL;
    r->open++;
    q->source = (struct source){ .fd = -1, .on = on_ready };
    q->timer.on = on_late;
    q->name = n;
    q->is_aaaa = is_aaaa;
    q->by_tcp = r->conf.use_vc;
    if (r->conf.rotate)
        q->server = r->first++ % r->conf.nservers;
    return q;
}

static bool in_hosts(struct gw *g, struct name *n)
{
    struct net_addr all[RESOLV_ADDRS], kind[2][RESOLV_ADDRS];
    struct resolver *r = g->resolver;
    size_t count[2] = { 0, 0 },
           found = resolv_hosts(r->hosts, r->hosts_len, name_text(n), all);

    for (size_t i = 0; i < found; i++) {
        bool is_v6 = !net_addr_is_v4(&all[i]);

        kind[is_v6][count[is_v6]++] = all[i];
    }
    for (int i = 0; i < 2 && found; i++)
        name_answered(g, n, i, DNS_NOERROR, kind[i], count[i], UINT32_MAX);
    return found > 0;
}

void resolver_ask(struct gw *g, struct name *n)
{
    if (in_hosts(g, n))
        return;
    for (int i = 0; i < 2; i++) {
        struct question *q = make(g, n, i);

        if (q)
            ask(g, q);
        else
            name_answered(g, n, i, DNS_SERVFAIL, NULL, 0, 0);
    }
}
