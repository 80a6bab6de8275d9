/* flow.c - datagrams and echoes: each flow has a socket of its own outside,
 * connected to the one peer it may talk to, and ends when it is idle.
 *
 * What comes back is written as a packet whose source is the address that the
 * workload sent to. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "gateway/gw.h"
#include "gateway/quota.h"

#ifndef IP_ORIGDSTADDR
#define IP_ORIGDSTADDR 20
#endif
#ifndef IPV6_ORIGDSTADDR
#define IPV6_ORIGDSTADDR 74
#endif

enum {
    BUCKETS = 512,
    AT_ONCE = 32, /* datagrams of one source before others are served */
    HELD_MAX = 2048,
    DNS_PORT = 53,
    ECHO_HEAD = 8,
    ECHO_REQUEST4 = 8,
    ECHO_REQUEST6 = 128
};

struct udp_flow {
    struct grave grave;
    struct source source;
    struct timer timer;
    struct wait wait;
    struct udp_flow *bucket_next;
    struct udp_flow *next, *prev; /* by last use */
    struct flow key;
    enum net_proto proto;
    bool is_dead;
    struct name *name;
    bool intranet;
    bool is_question; /* the resolver's, and not the workload's: not told, and
                       * no connection of the policy's limit */
    struct net_addr peer;
    uint32_t id;
    uint64_t since_ms, sent, received;
    uint8_t *held; /* the first datagram, while the name is looked up */
    size_t nheld;
};

struct flows {
    struct udp_flow *bucket[BUCKETS];
    struct udp_flow all; /* ring, the longest unused first */
    size_t n;
    bool told_full;
};

int flows_create(struct gw *g)
{
    struct flows *f = calloc(1, sizeof(*f));

    if (!f)
        return -1;
    f->all.next = f->all.prev = &f->all;
    g->flows = f;
    return 0;
}

static struct udp_flow **bucket_of(struct gw *g, const struct flow *f)
{
    uint32_t h = (uint32_t)f->from_port * 31u + f->to_port, w;

    for (size_t i = 0; i < 16; i += 4) {
        memcpy(&w, f->to.b + i, 4);
        h = (h ^ w) * 0x9e3779b1u;
    }
    return &g->flows->bucket[(h >> 16) % BUCKETS];
}

static struct udp_flow **find(struct gw *g, enum net_proto proto,
                              const struct flow *f)
{
    struct udp_flow **at = bucket_of(g, f);

    while (*at &&
           ((*at)->proto != proto || memcmp(&(*at)->key, f, sizeof(*f)) != 0))
        at = &(*at)->bucket_next;
    return at;
}

static struct target target_of(const struct udp_flow *f)
{
    return (struct target){ .addr = f->name ? f->peer : f->key.to,
                            .port = f->key.to_port,
                            .name = f->name ? name_text(f->name) : NULL,
                            .proto = f->proto };
}

static void end_flow(struct gw *g, struct udp_flow *f)
{
    struct udp_flow **at = find(g, f->proto, &f->key);
    struct target t = target_of(f);
    struct gateway_record r;

    if (f->is_dead)
        return;
    f->is_dead = true;
    if (*at == f)
        *at = f->bucket_next;
    f->next->prev = f->prev;
    f->prev->next = f->next;
    if (!f->is_question)
        quota_close(g);
    if (--g->flows->n <= g->max_flows / 2)
        g->flows->told_full = false;
    gw_close(g, &f->source);
    gw_stop(&f->timer);
    wait_cancel(&f->wait);
    free(f->held);
    f->held = NULL;
    if (g->tells_all && f->id) {
        tell_begin(&r, GATEWAY_CLOSED, GATEWAY_FLOW, &t);
        r.id = f->id;
        r.sent = f->sent;
        r.received = f->received;
        r.duration_ms = g->now_ms - f->since_ms;
        tell(g, &r);
    }
    gw_bury(g, &f->grave, f);
}

bool flows_drain(const struct gw *g)
{
    const struct udp_flow *all = &g->flows->all;

    for (const struct udp_flow *f = all->next; f != all; f = f->next)
        if (f->held)
            return false;
    return true;
}

void flows_end(struct gw *g)
{
    struct udp_flow *all = &g->flows->all;

    while (all->next != all)
        end_flow(g, all->next);
}

static void on_idle(struct gw *g, struct timer *t)
{
    struct udp_flow *f = (void *)((char *)t - offsetof(struct udp_flow, timer));

    end_flow(g, f);
}

static void touch(struct gw *g, struct udp_flow *f)
{
    struct udp_flow *all = &g->flows->all;

    gw_start(g, &f->timer, TIMER_FLOW);
    f->next->prev = f->prev;
    f->prev->next = f->next;
    f->prev = all->prev;
    f->next = all;
    all->prev->next = f;
    all->prev = f;
}

/* How a refusal looks to the sender: an ICMP error. */
static void refuse(struct gw *g, enum net_proto proto, const struct flow *f,
                   enum refusal how)
{
    bool is_v4 = net_addr_is_v4(&f->to);
    uint8_t head[ECHO_HEAD] = { 0 }, protocol = IPPROTO_UDP;

    if (proto == NET_UDP) {
        packet_udp_head(f, 0, head);
    } else {
        protocol = is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
        head[0] = is_v4 ? ECHO_REQUEST4 : ECHO_REQUEST6;
        head[4] = (uint8_t)(f->from_port >> 8);
        head[5] = (uint8_t)f->from_port;
    }
    send_inside(g, &f->from, packet_error(f, protocol, head, how, g->room));
}

/* --- from outside --------------------------------------------------------- */

static void take_answer(struct gw *g, struct udp_flow *f, uint8_t *bytes,
                        size_t len)
{
    const struct flow back = { .from = f->key.to,
                               .to = f->key.from,
                               .from_port = f->key.to_port,
                               .to_port = f->key.from_port };
    size_t n;

    if (!quota_take(g, len))
        return;
    f->received += len;
    if (f->proto == NET_UDP) {
        n = packet_udp(&back, bytes, len, g->room);
    } else {
        /* The host's socket has an identifier of its own (icmp(7)). */
        if (len < ECHO_HEAD)
            return;
        bytes[4] = (uint8_t)(f->key.from_port >> 8);
        bytes[5] = (uint8_t)f->key.from_port;
        n = packet_echo_reply(&back, bytes + 4, len - 4, g->room);
    }
    if (n)
        send_inside(g, &f->key.from, n);
}

static void on_outside(struct gw *g, struct source *s, uint32_t events)
{
    struct udp_flow *f =
        (void *)((char *)s - offsetof(struct udp_flow, source));

    (void)events;
    for (int i = 0; i < AT_ONCE; i++) {
        ssize_t n = recv(s->fd, g->peek, PEEK_ROOM, MSG_DONTWAIT);

        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                refuse(g, f->proto, &f->key, refusal_of(errno));
            return;
        }
        take_answer(g, f, g->peek, (size_t)n);
        touch(g, f);
    }
}

/* --- from inside ---------------------------------------------------------- */

static int open_outside(struct gw *g, struct udp_flow *f, uint16_t port)
{
    bool is_v4 = net_addr_is_v4(&f->peer);
    int protocol = f->proto == NET_UDP ? 0
                   : is_v4             ? IPPROTO_ICMP
                                       : IPPROTO_ICMPV6;
    struct sockaddr_storage where;
    socklen_t len = sockaddr_of(&f->peer, port, &where);

    f->source.fd = socket(is_v4 ? AF_INET : AF_INET6,
                          SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (f->source.fd < 0 ||
        connect(f->source.fd, (const void *)&where, len) < 0)
        return -errno;
    return gw_watch(g, &f->source, EPOLLIN);
}

static void send_outside(struct gw *g, struct udp_flow *f, const uint8_t *bytes,
                         size_t len)
{
    if (!quota_take(g, len))
        return;
    f->sent += len;
    /* An error that an earlier datagram met is told once (udp(7)). */
    if (send(f->source.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
        errno != EAGAIN && errno != ENOBUFS)
        refuse(g, f->proto, &f->key, refusal_of(errno));
}

static void fail(struct gw *g, struct udp_flow *f, enum gateway_why why,
                 int sys)
{
    struct target t = target_of(f);

    tell_refused(g, GATEWAY_FLOW, why, &t, sys, NULL);
    refuse(g, f->proto, &f->key,
           why == GATEWAY_BY_UPSTREAM ? refusal_of(sys) : REFUSE_PROHIBITED);
    end_flow(g, f);
}

static void connect_flow(struct gw *g, struct udp_flow *f, uint16_t port)
{
    int r = open_outside(g, f, port);

    if (r < 0)
        fail(g, f, GATEWAY_BY_UPSTREAM, -r);
}

/* The first address that it may lead to; of the kind that was sent to, where
 * there is one. */
static bool choose_peer(struct gw *g, struct udp_flow *f)
{
    struct net_addr all[DIAL_MAX];
    size_t n = name_addresses(f->name, all);
    bool is_v4 = net_addr_is_v4(&f->key.to), is_found = false;

    for (size_t i = 0; i < n; i++) {
        bool fits = net_addr_is_v4(&all[i]) == is_v4;

        if (i == 0)
            f->peer = all[i]; /* for the report, where none may be dialled */
        /* An echo of one kind is no echo of the other. */
        if ((is_found && !fits) || (f->proto == NET_ICMP && !fits) ||
            !may_lead_to(g, &all[i], f->proto, f->key.to_port, f->intranet))
            continue;
        f->peer = all[i];
        is_found = true;
        if (fits)
            return true;
    }
    return is_found;
}

static void on_resolved(struct gw *g, struct wait *w)
{
    struct udp_flow *f = (void *)((char *)w - offsetof(struct udp_flow, wait));

    if (!choose_peer(g, f)) {
        fail(g, f,
             name_addresses(f->name, g->scratch) ? GATEWAY_BY_ADDRESS
                                                 : GATEWAY_BY_NO_ADDRESS,
             0);
        return;
    }
    connect_flow(g, f, f->key.to_port);
    if (!f->is_dead && f->held)
        send_outside(g, f, f->held, f->nheld);
    free(f->held);
    f->held = NULL;
}

static struct udp_flow *make_flow(struct gw *g, enum net_proto proto,
                                  const struct flow *key, bool is_question)
{
    struct udp_flow **at = find(g, proto, key), *f, *all = &g->flows->all;

    /* The longest unused one makes room. */
    if (g->flows->n >= g->max_flows) {
        if (!g->flows->told_full)
            tell_limit(g, "datagram flows at once");
        end_flow(g, all->next);
        g->flows->told_full = true;
        at = find(g, proto, key);
    }
    if (!is_question && !quota_open(g))
        return NULL;
    f = calloc(1, sizeof(*f));
    if (!f) {
        if (!is_question)
            quota_close(g);
        return NULL;
    }
    f->is_question = is_question;
    f->source = (struct source){ .fd = -1, .on = on_outside };
    f->timer.on = on_idle;
    f->wait.on = on_resolved;
    f->key = *key;
    f->proto = proto;
    f->id = is_question ? 0 : ++g->next_id;
    f->since_ms = g->now_ms;
    f->next = f->prev = f;
    *at = f;
    g->flows->n++;
    touch(g, f);
    return f;
}

/* A flow that the rules have allowed; NULL: it could not be made. */
static struct udp_flow *open_flow(struct gw *g, const struct target *t,
                                  const struct flow *key, struct name *n,
                                  const struct net_verdict *v)
{
    struct udp_flow *f = make_flow(g, t->proto, key, false);

    if (!f) {
        tell_refused(g, GATEWAY_FLOW, GATEWAY_BY_BUDGET, t, 0, NULL);
        refuse(g, t->proto, key, REFUSE_PROHIBITED);
        return NULL;
    }
    f->name = n;
    f->intranet = v->intranet;
    if (!n)
        f->peer = key->to;
    tell_verdict(g, GATEWAY_FLOW, t->proto, t, v, f->id);
    if (!n)
        connect_flow(g, f, key->to_port);
    else if (name_resolve(g, n, &f->wait))
        on_resolved(g, &f->wait);
    return f->is_dead ? NULL : f;
}

/* A question that the stub leaves to the host's resolver. */
static struct udp_flow *open_question(struct gw *g, const struct flow *key)
{
    struct udp_flow *f = make_flow(g, NET_UDP, key, true);

    if (!f || !resolver_server(g, &f->peer)) {
        if (f)
            end_flow(g, f);
        refuse(g, NET_UDP, key, REFUSE_HOST);
        return NULL;
    }
    connect_flow(g, f, DNS_PORT);
    return f->is_dead ? NULL : f;
}

static struct udp_flow *judge(struct gw *g, enum net_proto proto,
                              const struct flow *key)
{
    struct target t = { .addr = key->to, .port = key->to_port, .proto = proto };
    struct name *n = NULL;
    struct net_verdict v;
    uint32_t number;

    if (net_own_number(&key->to, &number))
        n = name_at(g, number);
    if (n) {
        t.name = name_text(n);
        memset(&t.addr, 0, sizeof(t.addr));
    }
    decide(g, &t, proto, &v);
    if (v.is_allowed)
        return open_flow(g, &t, key, n, &v);
    tell_verdict(g, GATEWAY_FLOW, proto, &t, &v, 0);
    refuse(g, proto, key, REFUSE_PROHIBITED);
    return NULL;
}

static bool is_question(const struct flow *key)
{
    uint32_t number;

    return key->to_port == DNS_PORT && net_own_number(&key->to, &number) &&
           number == NET_OWN_DNS;
}

static void hold(struct udp_flow *f, const uint8_t *bytes, size_t len)
{
    if (f->held || len > HELD_MAX)
        return;
    f->held = malloc(len ? len : 1);
    if (!f->held)
        return;
    memcpy(f->held, bytes, len);
    f->nheld = len;
}

static void take_datagram(struct gw *g, enum net_proto proto,
                          const struct flow *key, const uint8_t *bytes,
                          size_t len)
{
    struct udp_flow *f;

    if (proto == NET_UDP && is_question(key) &&
        stub_datagram(g, key, bytes, len))
        return;
    f = *find(g, proto, key);
    if (!f)
        f = proto == NET_UDP && is_question(key) ? open_question(g, key)
                                                 : judge(g, proto, key);
    if (!f)
        return;
    touch(g, f);
    if (f->source.fd >= 0)
        send_outside(g, f, bytes, len);
    else
        hold(f, bytes, len);
}

/* Where a datagram was sent to: beside it (ip(7), IP_RECVORIGDSTADDR; for
 * echoes ipv6(7), IPV6_RECVPKTINFO). */
static bool read_destination(struct msghdr *m, struct flow *out)
{
    struct sockaddr_storage where = { 0 };

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR) ||
            (c->cmsg_level == IPPROTO_IPV6 &&
             c->cmsg_type == IPV6_ORIGDSTADDR)) {
            size_t n = c->cmsg_len - CMSG_LEN(0);

            memcpy(&where, CMSG_DATA(c), n < sizeof(where) ? n : sizeof(where));
            return sockaddr_read(&where, &out->to, &out->to_port);
        }
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            memcpy(out->to.b, CMSG_DATA(c), 16);
            out->to_port = 0;
            return true;
        }
    }
    return false;
}

/* Into g->peek; the sender in *out. */
static ssize_t receive(struct gw *g, int fd, struct flow *out, bool *has_to)
{
    struct sockaddr_storage from = { 0 };
    struct iovec iov = { .iov_base = g->peek, .iov_len = PEEK_ROOM };
    union {
        struct cmsghdr head;
        char room[256];
    } control;
    struct msghdr m = { .msg_name = &from,
                        .msg_namelen = sizeof(from),
                        .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.room,
                        .msg_controllen = sizeof(control.room) };
    ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);

    memset(out, 0, sizeof(*out));
    if (n < 0 || !sockaddr_read(&from, &out->from, &out->from_port))
        return n < 0 ? n : 0;
    *has_to = read_destination(&m, out);
    return n;
}

void flow_udp_ready(struct gw *g, struct source *s, uint32_t events)
{
    (void)events;
    for (int i = 0; i < AT_ONCE; i++) {
        struct flow f;
        bool has_to = false;
        ssize_t n = receive(g, s->fd, &f, &has_to);

        if (n < 0)
            return;
        if (has_to)
            take_datagram(g, NET_UDP, &f, g->peek, (size_t)n);
    }
}

/* What goes to the sandbox itself is answered here. */
static void take_echo(struct gw *g, const struct flow *f, const uint8_t *bytes,
                      size_t len)
{
    const struct flow back = { .from = f->to, .to = f->from };
    size_t n;

    if (!is_sandboxs_own(&f->to)) {
        take_datagram(g, NET_ICMP, f, bytes, len);
        return;
    }
    n = packet_echo_reply(&back, bytes + 4, len - 4, g->room);
    if (n)
        send_inside(g, &f->from, n);
}

/* Of IPv4 the raw socket gives the packet with its header, and the sandbox's
 * own addresses have to be answered here: the kernel is told not to. */
void flow_echo_ready(struct gw *g, struct source *s, uint32_t events)
{
    bool is_v4 = s == &g->inside[NETGATE_ECHO4];

    (void)events;
    for (int i = 0; i < AT_ONCE; i++) {
        struct flow f;
        bool has_to = false;
        const uint8_t *p = g->peek;
        ssize_t n = receive(g, s->fd, &f, &has_to);
        size_t head = 0;

        if (n < 0)
            return;
        if (is_v4) {
            head = (size_t)(p[0] & 15) * 4;
            if (n < 20 || (size_t)n < head || head < 20)
                continue;
            net_addr_v4(&f.to, p + 16);
        } else if (!has_to) {
            continue;
        }
        if ((size_t)n < head + ECHO_HEAD)
            continue;
        f.to_port = 0;
        f.from_port = (uint16_t)(p[head + 4] << 8 | p[head + 5]);
        take_echo(g, &f, p + head, (size_t)n - head);
    }
}
