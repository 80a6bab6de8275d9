/* forward.c - ports of the sandbox's loopback joined to ports of the host's.
 *
 * A service of the host is a listener inside, made by the launcher; whoever
 * connects to it is connected to that one port of the host.  A published port
 * is a listener on the host's loopback; for each of its connections the
 * sandbox's init makes a socket inside, for the gateway cannot. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "gateway/conn.h"
#include "launch/inside.h"

enum { BACKLOG = 512, ACCEPT_AT_ONCE = 64 };

struct listener {
    struct source source;
    struct net_forward ports;
};

struct forwards {
    struct listener inside[MAX_LISTENERS];
    size_t ninside;
    struct listener outside[MAX_LISTENERS];
    size_t noutside;
    /* Connections that wait for a socket of init's, in order. */
    struct conn *waiting, *last;
};

static void loopback(bool is_v6, struct net_addr *out)
{
    static const uint8_t four[4] = { 127, 0, 0, 1 };

    if (!is_v6) {
        net_addr_v4(out, four);
        return;
    }
    memset(out, 0, sizeof(*out));
    out->b[15] = 1;
}

/* The connection, with the side that came; NULL: no room, and it is closed. */
static struct conn *begin(struct gw *g, struct listener *l,
                          enum gateway_what what, int fd)
{
    struct conn *c = conn_create(g, what, sizeof(*c));
    struct gateway_record r;
    struct target t;

    if (!c) {
        (void)close(fd);
        return NULL;
    }
    c->end[what == GATEWAY_PUBLISH ? OUTSIDE : INSIDE].source.fd = fd;
    loopback(l->ports.is_v6, &c->addr);
    c->port = what == GATEWAY_PUBLISH ? l->ports.guest : l->ports.host;
    t = conn_target(g, c);
    if (g->tells_all) {
        tell_begin(&r, GATEWAY_DECIDED, what, &t);
        r.is_allowed = 1;
        r.id = c->id;
        tell(g, &r);
    }
    return c;
}

/* --- services of the host ---------------------------------------------------
 */

static void on_dialled(struct gw *g, struct dial *d, int fd)
{
    struct conn *c = (void *)((char *)d - offsetof(struct conn, dial));
    struct target t = conn_target(g, c);

    if (fd < 0) {
        tell_refused(g, c->what, d->why, &t, d->sys, NULL);
        conn_end(g, c, false);
        return;
    }
    c->end[OUTSIDE].source.fd = fd;
    conn_relay(g, c);
}

static void on_inside(struct gw *g, struct source *s, uint32_t events)
{
    struct listener *l =
        (void *)((char *)s - offsetof(struct listener, source));

    (void)events;
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        struct sockaddr_storage from;
        int fd = gw_accept(g, s, &from);
        struct conn *c;

        if (fd < 0)
            return;
        if (l->ports.guest == NET_PROXY_PORT && l->ports.host == 0) {
            proxy_serve(g, fd);
            continue;
        }
        c = begin(g, l, GATEWAY_SERVICE, fd);
        if (!c)
            continue;
        c->dial.done = on_dialled;
        dial_address(g, &c->dial, &c->addr, c->port);
    }
}

/* The launcher made a listener for each port; which is which, it says itself.
 */
static int take_inside(struct gw *g, int fd, struct err *e)
{
    struct forwards *f = g->forwards;
    struct listener *l = &f->inside[f->ninside++];
    struct sockaddr_storage where = { 0 };
    socklen_t len = sizeof(where);
    struct net_addr addr;
    uint16_t port = 0;
    bool is_known;

    if (getsockname(fd, (void *)&where, &len) < 0 ||
        !sockaddr_read(&where, &addr, &port))
        return err_sys(e, "getsockname(2)", errno, "cannot listen inside");
    is_known = net_filtering_proxy(&g->rules) && port == NET_PROXY_PORT;
    l->source = (struct source){ .fd = fd, .on = on_inside };
    l->ports = (struct net_forward){ .guest = port };
    for (size_t i = 0; i < net_service_count(&g->rules) && !is_known; i++) {
        l->ports = net_service_at(&g->rules, i);
        is_known = l->ports.guest == port;
    }
    if (!is_known)
        return err_set(e, ERR_BACKEND_ERROR,
                       "a listener on port %u that no rule names", port);
    if (gw_watch(g, &l->source, EPOLLIN) < 0)
        return err_sys(e, "epoll_ctl(2)", errno, "cannot listen inside");
    return 0;
}

/* --- published ports
 * ---------------------------------------------------------- */

static void want_socket(struct gw *g, struct conn *c, bool is_v6)
{
    const struct inside_request want = { .is_v6 = is_v6 };
    struct forwards *f = g->forwards;

    if (send(g->lender.fd, &want, sizeof(want), MSG_NOSIGNAL | MSG_DONTWAIT) !=
        (ssize_t)sizeof(want)) {
        conn_end(g, c, false);
        return;
    }
    c->bucket_next = NULL;
    if (f->waiting)
        f->last->bucket_next = c;
    else
        f->waiting = c;
    f->last = c;
}

static void on_outside(struct gw *g, struct source *s, uint32_t events)
{
    struct listener *l =
        (void *)((char *)s - offsetof(struct listener, source));

    (void)events;
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        struct sockaddr_storage from;
        int fd = gw_accept(g, s, &from);
        struct conn *c;

        if (fd < 0)
            return;
        c = begin(g, l, GATEWAY_PUBLISH, fd);
        if (c)
            want_socket(g, c, false);
    }
}

/* Nobody listens on 127.0.0.1: perhaps on ::1, as "localhost" may mean. */
static void inside_failed(struct gw *g, struct conn *c, int sys)
{
    struct target t = conn_target(g, c);

    if (net_addr_is_v4(&c->addr)) {
        loopback(true, &c->addr);
        want_socket(g, c, true);
        return;
    }
    tell_refused(g, c->what, GATEWAY_BY_UPSTREAM, &t, sys, NULL);
    conn_end(g, c, false);
}

static void on_connected(struct gw *g, struct source *s, uint32_t events)
{
    struct conn *c =
        (void *)((char *)s - offsetof(struct conn, end[INSIDE].source));
    socklen_t len = sizeof(int);
    int sys = 0;

    (void)events;
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
        sys = errno;
    if (sys) {
        gw_close(g, s);
        inside_failed(g, c, sys);
        return;
    }
    (void)epoll_ctl(g->ep, EPOLL_CTL_DEL, s->fd, NULL);
    s->on = relay_on_end;
    conn_relay(g, c);
}

static void connect_inside(struct gw *g, struct conn *c, int fd)
{
    struct source *s = &c->end[INSIDE].source;
    struct sockaddr_storage where;
    socklen_t len = sockaddr_of(&c->addr, c->port, &where);

    *s = (struct source){ .fd = fd, .on = on_connected };
    if ((connect(fd, (const void *)&where, len) < 0 && errno != EINPROGRESS) ||
        gw_watch(g, s, EPOLLOUT) < 0) {
        int sys = errno;

        gw_close(g, s);
        inside_failed(g, c, sys);
    }
}

static int receive_socket(int from)
{
    struct inside_request echo;
    struct iovec iov = { .iov_base = &echo, .iov_len = sizeof(echo) };
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.room,
                        .msg_controllen = sizeof(control.room) };
    ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    int fd = -ENFILE;

    if (n < 0)
        return -errno;
    if (n == 0)
        return -EPIPE;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

static void on_lent(struct gw *g, struct source *s, uint32_t events)
{
    struct forwards *f = g->forwards;

    (void)events;
    for (;;) {
        int fd = receive_socket(s->fd);
        struct conn *c = f->waiting;

        if (fd == -EAGAIN)
            return;
        if (fd == -EPIPE) {
            gw_close(g, s);
            return;
        }
        if (!c) {
            drop_fd(&fd);
            continue;
        }
        f->waiting = c->bucket_next;
        if (fd < 0)
            conn_end(g, c, false);
        else
            connect_inside(g, c, fd);
    }
}

static int open_outside(struct net_forward *ports, struct listener *l,
                        struct err *e)
{
    const int one = 1;
    struct sockaddr_storage where;
    socklen_t len;
    struct net_addr addr;
    scoped(drop_fd) int fd =
        socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    loopback(false, &addr);
    len = sockaddr_of(&addr, ports->host, &where);
    if (fd < 0)
        return err_sys(e, "socket(2)", errno, "cannot publish a port");
    /* The last run's connections in TIME_WAIT do not keep the port. */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (const void *)&where, len) < 0 || listen(fd, BACKLOG) < 0) {
        err_sys(e, "bind(2)", errno,
                "cannot publish port %u at 127.0.0.1:%u of the host",
                ports->guest, ports->host);
        return err_hint(e, "take another port, or 0 for any that is free");
    }
    len = sizeof(where);
    if (getsockname(fd, (void *)&where, &len) < 0 ||
        !sockaddr_read(&where, &addr, &ports->host))
        return err_sys(e, "getsockname(2)", errno, "cannot publish a port");
    l->ports = *ports;
    l->source = (struct source){ .fd = take_fd(&fd), .on = on_outside };
    return 0;
}

int forwards_create(struct gw *g, struct err *e)
{
    struct forwards *f = calloc(1, sizeof(*f));

    if (!f)
        return err_sys(e, "malloc(3)", ENOMEM, "cannot start the gateway");
    g->forwards = f;
    if (net_publish_count(&g->rules) > MAX_LISTENERS)
        return err_set(e, ERR_POLICY_VALIDATION, "more than %d published ports",
                       MAX_LISTENERS);
    for (size_t i = 0; i < net_publish_count(&g->rules); i++) {
        struct net_forward ports = net_publish_at(&g->rules, i);

        if (open_outside(&ports, &f->outside[f->noutside], e) < 0)
            return -1;
        f->noutside++;
    }
    return 0;
}

int forwards_start(struct gw *g, struct err *e)
{
    struct forwards *f = g->forwards;
    struct gateway_record r;

    for (size_t i = 0; i < g->nlisteners; i++)
        if (take_inside(g, g->listener[i], e) < 0)
            return -1;
    g->lender.on = on_lent;
    if (f->noutside && gw_watch(g, &g->lender, EPOLLIN) < 0)
        return err_sys(e, "epoll_ctl(2)", errno, "cannot publish a port");
    for (size_t i = 0; i < f->noutside; i++) {
        if (gw_watch(g, &f->outside[i].source, EPOLLIN) < 0)
            return err_sys(e, "epoll_ctl(2)", errno, "cannot publish a port");
        tell_begin(&r, GATEWAY_PUBLISHED, GATEWAY_PUBLISH, NULL);
        r.forward = f->outside[i].ports;
        tell(g, &r);
    }
    return 0;
}
