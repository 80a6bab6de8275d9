/* netgate_parts.h - what rules and sockets of netgate.h share; not for
 * others. */
#ifndef MXC_SYS_NETGATE_PARTS_H
#define MXC_SYS_NETGATE_PARTS_H

enum {
    NETGATE_MARK = 0x6d7863, /* of packets that the gateway sends */
    /* At the listen addresses, which the workload cannot reach. */
    NETGATE_ACCEPT_PORT = 1,
    NETGATE_MUTE_PORT = 2,
    NETGATE_UDP_PORT = 1,
    NETGATE_BACKLOG = 4096,
    NETGATE_TCP_FLAGS = 13, /* their offset in the header (RFC 9293, 3.1) */
    NETGATE_SYN_ACK = 0x12, /* both bits */
    NETGATE_SYN = 0x02
};

#endif
