/* gate.c - the sandbox's sockets for TCP: first packets come, and what was let
 * through is accepted. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "gateway/gw.h"

enum { AT_ONCE = 64, FIRST_ROOM = 256 };

void gate_first4(struct gw *g, struct source *s, uint32_t events)
{
    (void)events;
    for (int i = 0; i < AT_ONCE; i++) {
        uint8_t bytes[FIRST_ROOM];
        struct first f = { 0 };
        ssize_t n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (n < 0)
            return;
        if (packet_read_first4(bytes, (size_t)n, &f) &&
            !is_sandboxs_own(&f.flow.to))
            conn_first(g, &f);
    }
}

void gate_first6(struct gw *g, struct source *s, uint32_t events)
{
    (void)events;
    for (int i = 0; i < AT_ONCE; i++) {
        uint8_t bytes[FIRST_ROOM];
        struct sockaddr_storage from = { 0 };
        struct iovec iov = { .iov_base = bytes, .iov_len = sizeof(bytes) };
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
        ssize_t n = recvmsg(s->fd, &m, MSG_DONTWAIT);
        const struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL;
        struct net_addr source, to;
        struct first f = { 0 };
        uint16_t port;

        if (n < 0)
            return;
        if (!c || c->cmsg_level != IPPROTO_IPV6 ||
            c->cmsg_type != IPV6_PKTINFO ||
            !sockaddr_read(&from, &source, &port))
            continue;
        memcpy(to.b, CMSG_DATA(c), sizeof(to.b));
        if (packet_read_first6(bytes, (size_t)n, &source, &to, &f) &&
            !is_sandboxs_own(&f.flow.to))
            conn_first(g, &f);
    }
}

static void take_some(struct gw *g, const struct source *s, unsigned n)
{
    for (; n > 0; n--) {
        struct sockaddr_storage from = { 0 }, to = { 0 };
        socklen_t to_len = sizeof(to);
        int fd = gw_accept(g, s, &from);
        struct flow f = { 0 };

        if (fd < 0)
            return;
        /* A transparent socket's own address is the one that was asked for. */
        if (getsockname(fd, (void *)&to, &to_len) < 0 ||
            !sockaddr_read(&from, &f.from, &f.from_port) ||
            !sockaddr_read(&to, &f.to, &f.to_port))
            drop_fd(&fd);
        else
            conn_accepted(g, fd, &f);
    }
}

void gate_accept(struct gw *g, struct source *s, uint32_t events)
{
    (void)events;
    take_some(g, s, AT_ONCE);
}

void gate_accept_now(struct gw *g)
{
    static const enum netgate_socket both[] = { NETGATE_ACCEPT4,
                                                NETGATE_ACCEPT6 };

    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        take_some(g, &g->inside[both[i]], g->nlet_in[i]);
        g->nlet_in[i] = 0;
    }
}
