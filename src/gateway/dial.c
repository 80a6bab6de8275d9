/* dial.c - from a target to a connected socket outside.
 *
 * Of several addresses the next is tried when one fails, or beside it after a
 * quarter of a second (RFC 8305, "happy eyeballs").  What is dialled is the
 * address that was judged, nothing is resolved in between. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "gateway/gw.h"

static void try_next(struct gw *g, struct dial *d);

static bool is_trying(const struct dial *d)
{
    for (size_t i = 0; i < DIAL_PARALLEL; i++)
        if (d->attempt[i].source.fd >= 0)
            return true;
    return false;
}

static void finish(struct gw *g, struct dial *d, int fd)
{
    dial_cancel(g, d);
    d->done(g, d, fd);
}

static void fail_one(struct gw *g, struct dial *d, int sys)
{
    d->sys = sys;
    if (d->next < d->n)
        try_next(g, d);
    else if (!is_trying(d))
        finish(g, d, -1);
}

static void on_attempt(struct gw *g, struct source *s, uint32_t events)
{
    struct attempt *a = (void *)((char *)s - offsetof(struct attempt, source));
    struct dial *d = a->dial;
    socklen_t len = sizeof(int);
    int sys = 0;

    if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        return;
    /* A connect(2) that failed is an error of the socket. */
    if (events & (EPOLLERR | EPOLLHUP) &&
        getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
        sys = errno;
    if (sys) {
        gw_close(g, s);
        fail_one(g, d, sys);
        return;
    }
    d->reached = d->addr[a->which];
    /* Its new owner watches it in its own way. */
    d->is_watched = true;
    finish(g, d, take_fd(&s->fd));
}

static struct attempt *free_attempt(struct dial *d)
{
    for (size_t i = 0; i < DIAL_PARALLEL; i++)
        if (d->attempt[i].source.fd < 0)
            return &d->attempt[i];
    return NULL;
}

static int open_socket(const struct net_addr *to)
{
    const int one = 1;
    int fd = socket(net_addr_is_v4(to) ? AF_INET : AF_INET6,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    /* The workload's own choice shows in when it sends. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* 0, EINPROGRESS, or why it failed at once. */
static int try_connect(int fd, const struct sockaddr_storage *to, socklen_t len)
{
    if (connect(fd, (const void *)to, len) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    /* On this host the peer has answered meanwhile: asked once more the
     * socket says so, and need not be waited for. */
    if (connect(fd, (const void *)to, len) == 0)
        return 0;
    return errno == EALREADY ? EINPROGRESS : errno;
}

/* To itself this host need not pace what it sends, whatever it does towards
 * others. */
static void calm(int fd, const struct sockaddr_storage *to)
{
    static const char plain[] = "reno";
    struct sockaddr_storage own = { 0 };
    struct net_addr a, b;
    socklen_t len = sizeof(own);
    uint16_t port;

    if (getsockname(fd, (void *)&own, &len) == 0 &&
        sockaddr_read(&own, &a, &port) && sockaddr_read(to, &b, &port) &&
        memcmp(&a, &b, sizeof(a)) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, plain,
                         sizeof(plain) - 1);
}

/* 0, or why it failed at once. */
static int start_attempt(struct gw *g, struct dial *d, struct attempt *a)
{
    struct sockaddr_storage where;
    socklen_t len;
    int fd = open_socket(&d->addr[d->next]), sys;

    if (fd < 0)
        return -fd;
    a->which = d->next;
    a->dial = d;
    a->source = (struct source){ .fd = fd, .on = on_attempt };
    len = sockaddr_of(&d->addr[d->next], d->port, &where);
    sys = try_connect(fd, &where, len);
    if (sys == 0) {
        d->connected = a;
        calm(fd, &where);
    } else if (sys == EINPROGRESS) {
        /* Once: until somebody takes it up nobody has use for more. */
        sys = -gw_watch(g, &a->source, EPOLLOUT | EPOLLONESHOT);
    }
    if (sys)
        gw_close(g, &a->source);
    return sys;
}

static void try_next(struct gw *g, struct dial *d)
{
    while (d->next < d->n) {
        struct attempt *a = free_attempt(d);
        int sys;

        if (!a)
            return;
        sys = start_attempt(g, d, a);
        d->next++;
        if (sys == 0) {
            if (d->connected)
                gw_start(g, &d->stagger, TIMER_NOW);
            else if (d->next < d->n)
                gw_start(g, &d->stagger, TIMER_STAGGER);
            return;
        }
        d->sys = sys;
    }
}

static void on_stagger(struct gw *g, struct timer *t)
{
    struct dial *d = (void *)((char *)t - offsetof(struct dial, stagger));

    if (d->connected) {
        d->reached = d->addr[d->connected->which];
        finish(g, d, take_fd(&d->connected->source.fd));
        return;
    }
    try_next(g, d);
    /* All that was left failed at once, and before it the others. */
    if (d->is_running && d->next == d->n && !is_trying(d))
        finish(g, d, -1);
}

static void reset(struct dial *d)
{
    d->n = d->next = 0;
    d->sys = 0;
    d->why = GATEWAY_BY_UPSTREAM;
    d->is_running = true;
    d->is_watched = false;
    d->connected = NULL;
    d->stagger.on = on_stagger;
    for (size_t i = 0; i < DIAL_PARALLEL; i++)
        d->attempt[i].source.fd = -1;
}

/* The caller is told by a function of its own, never from within its call:
 * what failed at once is told a moment later. */
static void begin(struct gw *g, struct dial *d)
{
    try_next(g, d);
    if (!is_trying(d)) {
        d->next = d->n;
        gw_start(g, &d->stagger, TIMER_NOW);
    }
}

void dial_address(struct gw *g, struct dial *d, const struct net_addr *a,
                  uint16_t port)
{
    reset(d);
    d->port = port;
    d->addr[d->n++] = *a;
    begin(g, d);
}

static bool may_dial(struct gw *g, const struct dial *d,
                     const struct net_addr *a)
{
    const struct target t = { .addr = *a, .port = d->port };
    struct net_verdict v;

    if (!d->by_address)
        return may_lead_to(g, a, NET_TCP, d->port, d->intranet);
    decide(g, &t, NET_TCP, &v);
    return v.is_allowed;
}

/* IPv6 and IPv4 in turn, as RFC 8305 (4) has it. */
static void take_addresses(struct gw *g, struct dial *d)
{
    struct net_addr all[DIAL_MAX], kept[2][DIAL_MAX];
    size_t n = name_addresses(d->name, all), count[2] = { 0, 0 };

    for (size_t i = 0; i < n; i++) {
        bool is_v4 = net_addr_is_v4(&all[i]);

        if (may_dial(g, d, &all[i]))
            kept[is_v4][count[is_v4]++] = all[i];
    }
    for (size_t i = 0; i < DIAL_MAX; i++)
        for (int is_v4 = 0; is_v4 < 2; is_v4++)
            if (i < count[is_v4] && d->n < DIAL_MAX)
                d->addr[d->n++] = kept[is_v4][i];
    if (d->n == 0) {
        d->why = n ? GATEWAY_BY_ADDRESS : GATEWAY_BY_NO_ADDRESS;
        d->reached = n ? all[0] : d->reached;
        d->sys = EHOSTUNREACH;
    }
}

static void on_resolved(struct gw *g, struct wait *w)
{
    struct dial *d = (void *)((char *)w - offsetof(struct dial, wait));

    take_addresses(g, d);
    begin(g, d);
}

void dial_name(struct gw *g, struct dial *d, struct name *name, uint16_t port,
               bool intranet)
{
    reset(d);
    d->port = port;
    d->name = name;
    d->intranet = intranet;
    d->wait.on = on_resolved;
    if (name_resolve(g, name, &d->wait))
        on_resolved(g, &d->wait);
}

void dial_cancel(struct gw *g, struct dial *d)
{
    if (!d->is_running)
        return;
    d->is_running = false;
    gw_stop(&d->stagger);
    wait_cancel(&d->wait);
    for (size_t i = 0; i < DIAL_PARALLEL; i++)
        gw_close(g, &d->attempt[i].source);
}

enum refusal refusal_of(int sys)
{
    switch (sys) {
    case ECONNREFUSED:
        return REFUSE_PORT;
    case ENETUNREACH:
    case EAFNOSUPPORT:
        return REFUSE_NET;
    case EACCES:
    case EPERM:
        return REFUSE_PROHIBITED;
    default:
        return REFUSE_HOST;
    }
}
