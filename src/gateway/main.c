/* main.c - mxc-gateway [all]: the sandbox's only way out.
 *
 * Started by the supervisor with the rules, a socket to it and one to the
 * launcher; of no use by hand.  Takes the sandbox's sockets, then relays what
 * the rules allow until either of the two is gone.  With "all" it tells what
 * it allows, too. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/gw.h"
#include "gateway/quota.h"
#include "launch/inside.h"
#include "sys/route.h"

enum {
    STAGGER_MS = 250, /* RFC 8305, 8 */
    REFUSE_MS = 5,
    ACCEPT_MS = 5000,
    HEAD_MS = 15000,
    FLOW_MS = 60000, /* RFC 4787 asks for 120 s of NATs; nobody maps here */
    QUERY_MS = 2000, /* at most: resolv.conf may say less */
    END_MS = 3000
};

static int map_rules(struct net_view *out, struct err *e)
{
    struct stat st;
    void *bytes;

    if (fstat(GATEWAY_RULES_FD, &st) < 0 || st.st_size <= 0 ||
        st.st_size > (off_t)NET_MAX_BYTES)
        return err_set(e, ERR_BACKEND_ERROR, "the rules have no usable size");
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE,
                 GATEWAY_RULES_FD, 0);
    if (bytes == MAP_FAILED)
        return err_sys(e, "mmap(2)", errno, "cannot map the rules");
    return net_open(bytes, (size_t)st.st_size, out, e);
}

static void make_timers(struct gw *g)
{
    static const uint32_t ms[TIMER_KINDS] = {
        [TIMER_STAGGER] = STAGGER_MS, [TIMER_ACCEPT] = ACCEPT_MS,
        [TIMER_HEAD] = HEAD_MS,       [TIMER_FLOW] = FLOW_MS,
        [TIMER_QUERY] = QUERY_MS,     [TIMER_END] = END_MS,
        [TIMER_REFUSE] = REFUSE_MS,
    };

    for (size_t i = 0; i < TIMER_KINDS; i++) {
        g->timers[i].next = g->timers[i].prev = &g->timers[i];
        g->timer_ms[i] = ms[i];
    }
}

/* All that files, ports and memory are needed for. */
static int prepare(struct gw *g, struct err *e)
{
    make_timers(g);
    if (map_rules(&g->rules, e) < 0)
        return -1;
    g->ep = epoll_create1(EPOLL_CLOEXEC);
    g->route = route_open();
    g->reserve = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (g->ep < 0 || g->route < 0 || g->reserve < 0)
        return err_sys(e, "epoll_create1(2)", errno,
                       "cannot start the gateway");
    g->names = names_create();
    g->room = malloc(PACKET_ROOM);
    g->peek = malloc(PEEK_ROOM);
    if (!g->names || !g->room || !g->peek || conns_create(g) < 0 ||
        flows_create(g) < 0 || refusals_create(g) < 0)
        return err_sys(e, "malloc(3)", ENOMEM, "cannot start the gateway");
    if ((net_names(&g->rules) || net_default_allows(&g->rules)) &&
        resolver_create(&g->resolver, &g->timer_ms[TIMER_QUERY], e) < 0)
        return -1;
    return forwards_create(g, e);
}

/* Waits for the launcher, which does this first of all. */
static ssize_t receive_hello(struct inside_hello *hello, int fd[INSIDE_FDS],
                             size_t *nfd)
{
    struct iovec iov = { .iov_base = hello, .iov_len = sizeof(*hello) };
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(INSIDE_FDS * sizeof(int))];
    } control;
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.room,
                        .msg_controllen = sizeof(control.room) };
    ssize_t n = recvmsg(GATEWAY_INSIDE_FD, &m, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

    *nfd = 0;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        *nfd = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fd, CMSG_DATA(c), *nfd * sizeof(int));
    }
    return n;
}

static size_t ones(uint32_t v)
{
    size_t n = 0;

    for (; v; v &= v - 1)
        n++;
    return n;
}

static int take_inside(struct gw *g, struct err *e)
{
    struct inside_hello hello;
    int fd[INSIDE_FDS] = { 0 };
    size_t nfd, at = 0;
    ssize_t n = receive_hello(&hello, fd, &nfd);

    if (n < 0)
        return err_sys(e, "recvmsg(2)", errno,
                       "cannot receive the sandbox's sockets");
    if (n != (ssize_t)sizeof(hello))
        return 1; /* its own word is the better one */
    if (hello.has >> NETGATE_SOCKETS || hello.listeners > MAX_LISTENERS ||
        nfd != ones(hello.has) + hello.listeners)
        return err_set(e, ERR_BACKEND_ERROR,
                       "the sandbox's sockets did not arrive");
    for (size_t i = 0; i < NETGATE_SOCKETS; i++)
        g->inside[i].fd = hello.has >> i & 1 ? fd[at++] : -1;
    while (at < nfd)
        g->listener[g->nlisteners++] = fd[at++];
    return 0;
}

static void on_end(struct gw *g, struct timer *t)
{
    (void)t;
    g->has_ended = true;
}

static void on_supervisor(struct gw *g, struct source *s, uint32_t events)
{
    (void)events;
    /* It never says anything but that the sandbox is gone. */
    (void)epoll_ctl(g->ep, EPOLL_CTL_DEL, s->fd, NULL);
    g->is_ending = true;
    g->end.on = on_end;
    gw_start(g, &g->end, TIMER_END);
}

static int start(struct gw *g, struct err *e)
{
    static void (*const on[NETGATE_SOCKETS])(struct gw *, struct source *,
                                             uint32_t) = {
        [NETGATE_ACCEPT4] = gate_accept,   [NETGATE_ACCEPT6] = gate_accept,
        [NETGATE_FIRST4] = gate_first4,    [NETGATE_FIRST6] = gate_first6,
        [NETGATE_UDP4] = flow_udp_ready,   [NETGATE_UDP6] = flow_udp_ready,
        [NETGATE_ECHO4] = flow_echo_ready, [NETGATE_ECHO6] = flow_echo_ready,
    };

    g->status = (struct source){ .fd = GATEWAY_STATUS_FD, .on = on_supervisor };
    g->lender = (struct source){ .fd = GATEWAY_INSIDE_FD };
    if (gw_watch(g, &g->status, EPOLLIN) < 0)
        return err_sys(e, "epoll_ctl(2)", errno, "cannot start the gateway");
    for (size_t i = 0; i < NETGATE_SOCKETS; i++) {
        g->inside[i].on = on[i];
        if (g->inside[i].fd >= 0 && on[i] &&
            gw_watch(g, &g->inside[i], EPOLLIN) < 0)
            return err_sys(e, "epoll_ctl(2)", errno,
                           "cannot start the gateway");
    }
    return forwards_start(g, e);
}

static int fail(const struct err *e)
{
    tell_failed(e);
    return 1;
}

/* A word that is not heard would leave the supervisor waiting for ever, and
 * the caller without the numbers of published ports. */
static int say_ready(struct gw *g, struct err *e)
{
    struct gateway_record ready;

    if (!g->lost)
        tell(g, tell_begin(&ready, GATEWAY_READY, 0, NULL));
    if (g->lost)
        return err_sys(e, "send(2)", errno, "cannot say that all is ready");
    return 0;
}

int main(int argc, char **argv)
{
    const struct sigaction ignore = { .sa_handler = SIG_IGN };
    static struct gw gw;
    struct err e = { 0 };
    int r;

    gw.tells_all = argc > 1 && strcmp(argv[1], "all") == 0;
    if (quota_set(&gw, argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : NULL) <
        0) {
        err_set(&e, ERR_BACKEND_ERROR, "the limits of the network are none");
        return fail(&e);
    }
    /* A peer that is gone is told by errno. */
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (prepare(&gw, &e) < 0 || walls_raise(&e) < 0)
        return fail(&e);
    r = take_inside(&gw, &e);
    if (r > 0)
        return 1;
    if (r < 0 || start(&gw, &e) < 0 || say_ready(&gw, &e) < 0)
        return fail(&e);
    gw_run(&gw);
    /* With a reset: what is left did not arrive. */
    conns_end(&gw);
    flows_end(&gw);
    return 0;
}
