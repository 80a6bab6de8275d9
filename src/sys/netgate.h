/* netgate.h - the inside of the gateway: what it needs in the sandbox's
 * network namespace.
 *
 * Every destination is made local (AnyIP: a local default route), and what
 * arrives there is steered to a few sockets (transparent proxying,
 * Documentation/networking/tproxy.rst):
 *
 *   first packet of a TCP connection -> copied to a raw socket, then dropped;
 *       sent once more with our mark when the gateway has dialled, it is
 *       accepted by a listener whose local address is the destination
 *   UDP -> one socket, with the original destination beside each datagram
 *   ICMP echo requests -> a raw socket
 *   answers -> raw sockets that send from any address
 *
 * Only loopback and the sandbox's own address stay the sandbox's.  Needs
 * CAP_NET_ADMIN, CAP_NET_RAW and CAP_NET_BIND_SERVICE over the namespace that
 * the caller is in; who has none of them can change nothing of it. */
#ifndef MXC_SYS_NETGATE_H
#define MXC_SYS_NETGATE_H

#include <stdbool.h>
#include <stdint.h>

/* The sockets, in the order in which they are handed over.  -1 where the
 * kernel has no IPv6, and for the echoes when nobody may ping. */
enum netgate_socket {
    NETGATE_ACCEPT4 = 0, /* TCP listeners for what was let through */
    NETGATE_ACCEPT6,
    NETGATE_MUTE4, /* swallow the first packets; never read */
    NETGATE_MUTE6,
    NETGATE_FIRST4, /* copies of the first packets */
    NETGATE_FIRST6,
    NETGATE_UDP4,
    NETGATE_UDP6,
    NETGATE_SEND4, /* raw, with our mark */
    NETGATE_SEND6,
    NETGATE_ECHO4,
    NETGATE_ECHO6,
    NETGATE_SOCKETS
};

/* Addresses that are not the internet's, in network order. */
struct netgate_addrs {
    uint8_t own4[4]; /* the sandbox's */
    uint8_t own6[16];
    uint8_t listen4[4]; /* where the gateway's sockets are bound */
    uint8_t listen6[16];
};

/* Routes and rules.  Returns 0 or -errno, and *op names what failed. */
int netgate_set_up(const struct netgate_addrs *a, bool has_v6, const char **op);

/* The sockets; on failure none is left open. */
int netgate_open(const struct netgate_addrs *a, bool has_v6, bool want_echo,
                 int out[NETGATE_SOCKETS], const char **op);

/* A listener on the namespace's own loopback: fd or -errno. */
int netgate_listen(uint16_t port, bool is_v6);

/* Does this kernel have IPv6 (here)? */
bool netgate_has_v6(void);

/* What this kernel lacks when one of these failed with that errno, and what
 * gives it: for people; NULL where the errno tells nothing. */
const char *netgate_lack(int sys);
const char *netgate_remedy(int sys);

#endif
