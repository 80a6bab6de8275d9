/* route.c - see route.h. */
#include "sys/route.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "sys/netlink.h"

int route_open(void)
{
    return netlink_open(NETLINK_ROUTE);
}

static int ask(int fd, const uint8_t *addr, bool is_v4)
{
    const size_t len = is_v4 ? 4 : 16;
    struct {
        struct nlmsghdr h;
        struct rtmsg m;
        struct rtattr a;
        uint8_t addr[16];
    } q = {
        .h = { .nlmsg_len =
                   (uint32_t)(NLMSG_LENGTH(sizeof(q.m)) + RTA_LENGTH(len)),
               .nlmsg_type = RTM_GETROUTE,
               .nlmsg_flags = NLM_F_REQUEST },
        .m = { .rtm_family = is_v4 ? AF_INET : AF_INET6,
               .rtm_dst_len = (uint8_t)(len * 8) },
        .a = { .rta_type = RTA_DST, .rta_len = (uint16_t)RTA_LENGTH(len) },
    };

    memcpy(q.addr, addr, len);
    return send(fd, &q, q.h.nlmsg_len, 0) == (ssize_t)q.h.nlmsg_len ? 0
                                                                    : -errno;
}

bool route_is_own(int fd, const uint8_t *addr, bool is_v4)
{
    uint32_t room[1024];
    const struct nlmsghdr *h = (const void *)room;
    const struct rtmsg *m = NLMSG_DATA(h);
    ssize_t n;

    if (ask(fd, addr, is_v4) < 0)
        return true;
    /* The kernel has answered by the time that send returns. */
    n = recv(fd, room, sizeof(room), MSG_DONTWAIT);
    if (n < (ssize_t)NLMSG_LENGTH(sizeof(*m)))
        return true;
    /* No route at all: connecting will say so. */
    if (h->nlmsg_type == NLMSG_ERROR)
        return false;
    return h->nlmsg_type != RTM_NEWROUTE ||
           (m->rtm_type != RTN_UNICAST && m->rtm_type != RTN_UNREACHABLE &&
            m->rtm_type != RTN_PROHIBIT && m->rtm_type != RTN_BLACKHOLE &&
            m->rtm_type != RTN_THROW);
}
