/* verify_net.c - the sandbox tries what it reaches of the network: see
 * verify.h.  No packet is made: a datagram socket that is connected has looked
 * for a route, and that is all. */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launch/verify.h"

struct links {
    bool is_over, has_loopback;
};

/* Of a new namespace some kernels have tunnels too, which are down, and stay
 * so. */
static int try_links(struct verify *v, const char *room, int len,
                     struct links *l)
{
    const struct nlmsghdr *h = (const void *)room;

    for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
        const struct ifinfomsg *i = NLMSG_DATA(h);

        if (h->nlmsg_type == NLMSG_DONE) {
            l->is_over = true;
            return 0;
        }
        if (h->nlmsg_type != RTM_NEWLINK ||
            h->nlmsg_len < NLMSG_LENGTH(sizeof(*i)))
            return verify_fell(v, verify_network_clause(v), "netlink(7)",
                               "a list of interfaces", "another answer");
        if (i->ifi_flags & IFF_LOOPBACK)
            l->has_loopback = true;
        else if (i->ifi_flags & IFF_UP)
            return verify_fell(v, verify_network_clause(v),
                               "network interfaces", "loopback alone",
                               "another one that is up");
    }
    return 0;
}

static int try_interfaces(struct verify *v)
{
    const struct {
        struct nlmsghdr head;
        struct ifinfomsg body;
    } ask = { .head = { .nlmsg_len = sizeof(ask),
                        .nlmsg_type = RTM_GETLINK,
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
    scoped(drop_fd) int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    char room[8192] __attribute__((aligned(8)));
    struct links l = { 0 };

    if (v->plan->head.flags & PLAN_EXEC_NO_SOCKETS)
        return verify_refused(v, verify_network_clause(v), "socket(2)", fd,
                              EACCES, EACCES);
    if (fd < 0 || send(fd, &ask, sizeof(ask), 0) < 0)
        return verify_fell(v, verify_network_clause(v), "netlink(7)",
                           "an answer", err_errno_name(errno));
    while (!l.is_over) {
        const ssize_t n = recv(fd, room, sizeof(room), 0);

        if (n <= 0)
            return verify_fell(v, verify_network_clause(v), "netlink(7)",
                               "an answer",
                               n < 0 ? err_errno_name(errno) : "none");
        if (try_links(v, room, (int)n, &l) < 0)
            return -1;
    }
    if (!l.has_loopback)
        return verify_fell(v, verify_network_clause(v), "network interfaces",
                           "loopback", "none");
    return verify_held(v, verify_network_clause(v));
}

/* Addresses for documentation, which are nobody's (RFC 5737, RFC 3849). */
static int try_route(struct verify *v)
{
    struct sockaddr_in four = { .sin_family = AF_INET,
                                .sin_port = htons(9),
                                .sin_addr = { htonl(0xc0000201) } };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6,
                                .sin6_port = htons(9),
                                .sin6_addr = {
                                    { { 0x20, 1, 0xd, 0xb8, [15] = 1 } } } };
    scoped(drop_fd) int fd4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    scoped(drop_fd) int fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (verify_refused(v, verify_network_clause(v), "connecting to 192.0.2.1",
                       connect(fd4, (struct sockaddr *)&four, sizeof(four)),
                       ENETUNREACH, ENETUNREACH) < 0)
        return -1;
    if (fd6 < 0) /* a kernel without it */
        return 0;
    return verify_refused(v, verify_network_clause(v),
                          "connecting to 2001:db8::1",
                          connect(fd6, (struct sockaddr *)&six, sizeof(six)),
                          ENETUNREACH, EADDRNOTAVAIL);
}

int verify_network(struct verify *v)
{
    if (plan_count(v->plan, STEP_RULES))
        verify_untried(v, CLAUSE_RULES, REASON_GATEWAY);
    if (try_interfaces(v) < 0)
        return -1;
    return v->plan->head.flags & (PLAN_NET_EGRESS | PLAN_EXEC_NO_SOCKETS)
               ? 0
               : try_route(v);
}
