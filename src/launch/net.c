/* net.c - the sandbox's side of its network: routes, rules and sockets for
 * the gateway, and later single sockets for connections into the sandbox. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/compat.h"
#include "launch/inside.h"
#include "launch/launch.h"
#include "sys/netgate.h"

/* The pools of policy/net.h: number 1 is the sandbox, 4 the listeners. */
static const struct netgate_addrs addrs = {
    .own4 = { 198, 18, 0, 1 },
    .own6 = { 0xfd, 0x6d, 0x78, 0x63, 0x6e, 0x65, 0x74, 0, [15] = 1 },
    .listen4 = { 198, 18, 0, 4 },
    .listen6 = { 0xfd, 0x6d, 0x78, 0x63, 0x6e, 0x65, 0x74, 0, [15] = 4 },
};

struct sockets {
    int fd[INSIDE_FDS];
    size_t n;
    struct inside_hello hello;
};

static int fail(struct err *e, const char *op, int r)
{
    const char *lack = netgate_lack(-r), *remedy = netgate_remedy(-r);

    err_sys(e, op, -r, "cannot set up the sandbox's network (%s)",
            lack ? lack : op);
    e->code = ERR_BACKEND_UNAVAILABLE;
    return err_hint(e, "%s",
                    remedy ? remedy
                           : "`mxc doctor` tries the same and tells more");
}

static int open_egress(const struct plan_view *plan, struct sockets *s,
                       bool has_v6, struct err *e)
{
    int fd[NETGATE_SOCKETS];
    const char *op;
    int r = netgate_set_up(&addrs, has_v6, &op);

    if (r < 0)
        return fail(e, op, r);
    r = netgate_open(&addrs, has_v6, plan->head.flags & PLAN_NET_ICMP, fd, &op);
    if (r < 0)
        return fail(e, op, r);
    for (size_t i = 0; i < NETGATE_SOCKETS; i++) {
        if (fd[i] < 0)
            continue;
        s->hello.has |= 1u << i;
        s->fd[s->n++] = fd[i];
    }
    return 0;
}

static int open_listeners(const struct plan_view *plan, struct sockets *s,
                          bool has_v6, struct err *e)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step step = plan_step(plan, i);

        for (int six = 0; step.kind == STEP_LISTEN && six < (has_v6 ? 2 : 1);
             six++) {
            int fd;

            if (s->hello.listeners == INSIDE_LISTENERS)
                return err_set(e, ERR_POLICY_VALIDATION,
                               "more than %d ports of the host are visible "
                               "inside",
                               INSIDE_LISTENERS / 2);
            fd = netgate_listen((uint16_t)step.num[0], six);
            if (fd < 0)
                return fail(e, "listen(2)", fd);
            s->hello.listeners++;
            s->fd[s->n++] = fd;
        }
    }
    return 0;
}

/* Waits for room: the gateway pairs answers with what it asked by their order,
 * and never waits itself. */
static int send_fds(const void *bytes, size_t len, const int *fd, size_t n)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(INSIDE_FDS * sizeof(int))];
    } control = { 0 };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (n) {
        m.msg_control = control.room;
        m.msg_controllen = (socklen_t)CMSG_SPACE(n * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = (socklen_t)CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(&control.head), fd, n * sizeof(int));
    }
    return sendmsg(LAUNCH_INSIDE_FD, &m, MSG_NOSIGNAL) == (ssize_t)len ? 0
                                                                       : -errno;
}

int launch_set_up_network(const struct plan_view *plan, struct err *e)
{
    struct sockets s = { 0 };
    bool has_v6;
    int r = 0;

    if (!plan_count(plan, STEP_RULES))
        return 0;
    has_v6 = netgate_has_v6();
    if (plan->head.flags & PLAN_NET_EGRESS)
        r = open_egress(plan, &s, has_v6, e);
    if (r == 0)
        r = open_listeners(plan, &s, has_v6, e);
    if (r == 0) {
        r = send_fds(&s.hello, sizeof(s.hello), s.fd, s.n);
        /* A gateway that has gone has said why, or its supervisor says so.  It
         * was never ready, so nobody gives the word to go. */
        if (r == -EPIPE || r == -ECONNRESET)
            r = 0;
        if (r < 0)
            r = err_sys(e, "sendmsg(2)", -r,
                        "cannot hand the network to the gateway");
    }
    for (size_t i = 0; i < s.n; i++)
        (void)close(s.fd[i]);
    if (!(plan->head.flags & PLAN_NET_DIAL))
        (void)close(LAUNCH_INSIDE_FD);
    return r;
}

bool launch_lend_socket(int *inside)
{
    struct inside_request want;
    ssize_t n = recv(*inside, &want, sizeof(want), MSG_DONTWAIT);
    scoped(drop_fd) int fd = -1;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    /* The gateway is gone, and with it, soon, the sandbox. */
    if (n != (ssize_t)sizeof(want)) {
        drop_fd(inside);
        return false;
    }
    fd = socket(want.is_v6 ? AF_INET6 : AF_INET,
                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)send_fds(&want, sizeof(want), &fd, fd >= 0);
    return true;
}
