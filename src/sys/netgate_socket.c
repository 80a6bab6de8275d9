/* netgate_socket.c - the sockets of netgate.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/scoped.h"
#include "sys/netgate.h"
#include "sys/netgate_parts.h"

#ifndef IP_RECVORIGDSTADDR
#define IP_RECVORIGDSTADDR 20
#endif
#ifndef IPV6_RECVORIGDSTADDR
#define IPV6_RECVORIGDSTADDR 74
#endif
#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75
#endif
#ifndef ICMP_FILTER
#define ICMP_FILTER 1
#endif

/* <linux/filter.h>: places outside of the bytes of a packet. */
enum { FIRST_ROOM = 4 << 20, ALL = 0xffff };

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static socklen_t address(const struct netgate_addrs *a, bool is_v6,
                         uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in6 *six = (void *)out;
    struct sockaddr_in *four = (void *)out;

    memset(out, 0, sizeof(*out));
    if (is_v6) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(port);
        memcpy(&six->sin6_addr, a->listen6, 16);
        return sizeof(*six);
    }
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    memcpy(&four->sin_addr, a->listen4, 4);
    return sizeof(*four);
}

/* A transparent socket accepts what was steered to it under the address that
 * it was sent to (ip(7), IP_TRANSPARENT). */
static int open_transparent(const struct netgate_addrs *a, bool is_v6, int type,
                            uint16_t port)
{
    scoped(drop_fd) int fd = socket(is_v6 ? AF_INET6 : AF_INET,
                                    type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_storage where;
    socklen_t len = address(a, is_v6, port, &where);
    int r;

    if (fd < 0)
        return -errno;
    if (is_v6)
        r = set(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1);
    else
        r = set(fd, IPPROTO_IP, IP_TRANSPARENT, 1);
    if (r == 0 && is_v6)
        r = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (r == 0 && type == SOCK_DGRAM)
        r = is_v6 ? set(fd, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 1)
                  : set(fd, IPPROTO_IP, IP_RECVORIGDSTADDR, 1);
    if (r < 0)
        return r;
    if (bind(fd, (const void *)&where, len) < 0)
        return -errno;
    return take_fd(&fd);
}

static int attach(int fd, struct sock_filter *f, size_t n)
{
    const struct sock_fprog p = { .len = (unsigned short)n, .filter = f };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)) < 0
               ? -errno
               : 0;
}

static int open_listener(const struct netgate_addrs *a, bool is_v6,
                         uint16_t port, bool mute)
{
    static const char plain[] = "reno";
    struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
    scoped(drop_fd) int fd = open_transparent(a, is_v6, SOCK_STREAM, port);
    int r;

    if (fd < 0)
        return fd;
    /* Before it listens: a filter that keeps nothing makes the kernel drop
     * the packet without an answer (socket(7), SO_ATTACH_FILTER). */
    r = mute ? attach(fd, nothing, ARRAY_LEN(nothing)) : 0;
    /* What is accepted has it too (tcp(7)). */
    if (r == 0)
        r = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    /* Nothing is lost on the way through the kernel, and what the host may
     * have chosen for the internet would pace it.  Always there (tcp(7)). */
    if (r == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, plain,
                         sizeof(plain) - 1);
    if (r < 0)
        return r;
    if (listen(fd, NETGATE_BACKLOG) < 0)
        return -errno;
    return take_fd(&fd);
}

/* Copies of packets with SYN and without ACK that are not ours. */
static int filter_first4(int fd)
{
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_MARK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETGATE_MARK, 5, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, NETGATE_TCP_FLAGS),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, NETGATE_SYN_ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETGATE_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, ALL),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };

    return attach(fd, f, ARRAY_LEN(f));
}

/* IPv6 raw sockets see a packet from its transport header on (ipv6(7)). */
static int filter_first6(int fd)
{
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_MARK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETGATE_MARK, 4, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NETGATE_TCP_FLAGS),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, NETGATE_SYN_ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETGATE_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, ALL),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };

    return attach(fd, f, ARRAY_LEN(f));
}

static int open_raw(bool is_v6, int protocol)
{
    int fd = socket(is_v6 ? AF_INET6 : AF_INET,
                    SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

    return fd < 0 ? -errno : fd;
}

/* The filter stands before any packet can come: the namespace has no
 * workload yet. */
static int open_first(bool is_v6)
{
    scoped(drop_fd) int fd = open_raw(is_v6, IPPROTO_TCP);
    int r;

    if (fd < 0)
        return fd;
    r = is_v6 ? filter_first6(fd) : filter_first4(fd);
    if (r == 0 && is_v6)
        r = set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    /* A burst of connections; the kernel may give less. */
    (void)set(fd, SOL_SOCKET, SO_RCVBUF, FIRST_ROOM);
    return r < 0 ? r : take_fd(&fd);
}

/* IPPROTO_RAW: the header is ours to write (raw(7)). */
static int open_send(bool is_v6)
{
    scoped(drop_fd) int fd = open_raw(is_v6, IPPROTO_RAW);
    int r = fd < 0 ? fd : set(fd, SOL_SOCKET, SO_MARK, NETGATE_MARK);

    if (r < 0)
        return r;
    (void)set(fd, SOL_SOCKET, SO_SNDBUF, FIRST_ROOM);
    /* Never read: what comes to it is not kept. */
    (void)shutdown(fd, SHUT_RD);
    return take_fd(&fd);
}

static int open_echo(bool is_v6)
{
    scoped(drop_fd) int fd =
        open_raw(is_v6, is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
    const uint32_t only4 = ~(1u << ICMP_ECHO);
    struct icmp6_filter only6;
    int r = 0;

    if (fd < 0)
        return fd;
    if (is_v6) {
        ICMP6_FILTER_SETBLOCKALL(&only6);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REQUEST, &only6);
        if (setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only6,
                       sizeof(only6)) < 0)
            return -errno;
        r = set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    } else if (setsockopt(fd, SOL_RAW, ICMP_FILTER, &only4, sizeof(only4)) <
               0) {
        return -errno;
    }
    return r < 0 ? r : take_fd(&fd);
}

static int open_one(const struct netgate_addrs *a, enum netgate_socket which)
{
    bool is_v6 = which & 1;

    switch (which) {
    case NETGATE_ACCEPT4:
    case NETGATE_ACCEPT6:
        return open_listener(a, is_v6, NETGATE_ACCEPT_PORT, false);
    case NETGATE_MUTE4:
    case NETGATE_MUTE6:
        return open_listener(a, is_v6, NETGATE_MUTE_PORT, true);
    case NETGATE_FIRST4:
    case NETGATE_FIRST6:
        return open_first(is_v6);
    case NETGATE_UDP4:
    case NETGATE_UDP6:
        return open_transparent(a, is_v6, SOCK_DGRAM, NETGATE_UDP_PORT);
    case NETGATE_SEND4:
    case NETGATE_SEND6:
        return open_send(is_v6);
    case NETGATE_ECHO4:
    case NETGATE_ECHO6:
        return open_echo(is_v6);
    case NETGATE_SOCKETS:
        break;
    }
    return -EINVAL;
}

static const char *const names[] = { "TCP",         "TCP",      "TCP",
                                     "TCP",         "raw TCP",  "raw TCP",
                                     "UDP",         "UDP",      "raw sending",
                                     "raw sending", "raw ICMP", "raw ICMP" };

int netgate_open(const struct netgate_addrs *a, bool has_v6, bool want_echo,
                 int out[NETGATE_SOCKETS], const char **op)
{
    int r = 0;

    for (int i = 0; i < NETGATE_SOCKETS; i++)
        out[i] = -1;
    for (int i = 0; i < NETGATE_SOCKETS && r >= 0; i++) {
        if ((i & 1 && !has_v6) || (i >= NETGATE_ECHO4 && !want_echo))
            continue;
        *op = names[i];
        r = out[i] = open_one(a, (enum netgate_socket)i);
    }
    if (r >= 0)
        return 0;
    for (int i = 0; i < NETGATE_SOCKETS; i++)
        drop_fd(&out[i]);
    return r;
}

int netgate_listen(uint16_t port, bool is_v6)
{
    const struct sockaddr_in6 six = { .sin6_family = AF_INET6,
                                      .sin6_port = htons(port),
                                      .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    const struct sockaddr_in four = { .sin_family = AF_INET,
                                      .sin_port = htons(port),
                                      .sin_addr.s_addr =
                                          htonl(INADDR_LOOPBACK) };
    scoped(drop_fd) int fd =
        socket(is_v6 ? AF_INET6 : AF_INET,
               SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r;

    if (fd < 0)
        return -errno;
    if (is_v6)
        r = bind(fd, (const void *)&six, sizeof(six));
    else
        r = bind(fd, (const void *)&four, sizeof(four));
    if (r < 0 || listen(fd, NETGATE_BACKLOG) < 0)
        return -errno;
    return take_fd(&fd);
}
