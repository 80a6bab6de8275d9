/* addr.c - addresses in the kernel's forms, and packets to the sandbox. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "gateway/gw.h"
#include "sys/route.h"

socklen_t sockaddr_of(const struct net_addr *a, uint16_t port,
                      struct sockaddr_storage *out)
{
    struct sockaddr_in6 *six = (void *)out;
    struct sockaddr_in *four = (void *)out;

    memset(out, 0, sizeof(*six));
    if (net_addr_is_v4(a)) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        memcpy(&four->sin_addr, a->b + 12, 4);
        return sizeof(*four);
    }
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    memcpy(&six->sin6_addr, a->b, 16);
    return sizeof(*six);
}

bool sockaddr_read(const struct sockaddr_storage *s, struct net_addr *a,
                   uint16_t *port)
{
    const struct sockaddr_in6 *six = (const void *)s;
    const struct sockaddr_in *four = (const void *)s;

    if (s->ss_family == AF_INET) {
        net_addr_v4(a, (const uint8_t *)&four->sin_addr);
        *port = ntohs(four->sin_port);
        return true;
    }
    if (s->ss_family != AF_INET6)
        return false;
    memcpy(a->b, &six->sin6_addr, 16);
    *port = ntohs(six->sin6_port);
    return true;
}

void send_inside(struct gw *g, const struct net_addr *to, size_t len)
{
    bool is_v4 = net_addr_is_v4(to);
    struct sockaddr_storage where;
    /* A raw socket's "port" must be 0 or the protocol (raw(7), ipv6(7)). */
    socklen_t size = sockaddr_of(to, 0, &where);

    (void)sendto(g->inside[is_v4 ? NETGATE_SEND4 : NETGATE_SEND6].fd, g->room,
                 len, MSG_DONTWAIT, (const void *)&where, size);
}

bool is_own_address(struct gw *g, const struct net_addr *a)
{
    bool is_v4 = net_addr_is_v4(a);

    return route_is_own(g->route, a->b + (is_v4 ? 12 : 0), is_v4);
}

bool is_sandboxs_own(const struct net_addr *a)
{
    static const struct net_addr one = { .b = { [15] = 1 } };
    uint32_t number;

    return (net_addr_is_v4(a) && a->b[12] == 127) ||
           memcmp(a, &one, sizeof(one)) == 0 ||
           (net_own_number(a, &number) && number == NET_OWN_SANDBOX);
}
