/* packet.h - the few packets that the gateway writes itself: the answer to a
 * first packet, the first packet once more, datagrams and echoes that come
 * back.  Pure. */
#ifndef MXC_GATEWAY_PACKET_H
#define MXC_GATEWAY_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/net.h"

/* One direction between two endpoints; ports in host order, 0 for ICMP. */
struct flow {
    struct net_addr from;
    struct net_addr to;
    uint16_t from_port;
    uint16_t to_port;
};

enum { PACKET_TCP_MAX = 60, PACKET_FIRST_MAX = 40 + PACKET_TCP_MAX };

/* The first packet of a TCP connection (SYN), as the client sent it. */
struct first {
    struct flow flow;
    uint32_t seq;
    size_t len; /* of the TCP header with its options */
    uint8_t tcp[PACKET_TCP_MAX];
};

/* From an IPv4 packet, or from a TCP header between two IPv6 addresses.  Data
 * that the packet carries is left out.  False: no such packet. */
bool packet_read_first4(const uint8_t *bytes, size_t len, struct first *out);
bool packet_read_first6(const uint8_t *tcp, size_t len,
                        const struct net_addr *from, const struct net_addr *to,
                        struct first *out);

/* How a refusal looks to the client (icmp(7), tcp(7)). */
enum refusal {
    REFUSE_PROHIBITED = 0, /* IPv4: EHOSTUNREACH, IPv6: EACCES */
    REFUSE_HOST,           /* EHOSTUNREACH */
    REFUSE_NET,            /* ENETUNREACH */
    REFUSE_PORT            /* ECONNREFUSED */
};

/* Packets are written with their IP header, whole; each returns its length.
 * `room` of PACKET_ROOM holds any of them. */
enum { PACKET_ROOM = 65535 + 40 };

size_t packet_first(const struct first *f, uint8_t *out);
size_t packet_reset(const struct first *f, uint8_t *out);

/* An ICMP error about a packet of this flow; `head` are the first bytes of its
 * transport header, at least eight. */
size_t packet_error(const struct flow *about, uint8_t protocol,
                    const uint8_t head[8], enum refusal how, uint8_t *out);
size_t packet_error_first(const struct first *f, enum refusal how,
                          uint8_t *out);

/* 0 when the data is too long for a datagram. */
size_t packet_udp(const struct flow *flow, const void *data, size_t len,
                  uint8_t *out);

/* An echo reply: `rest` is what follows type, code and checksum: identifier,
 * sequence number, data. */
size_t packet_echo_reply(const struct flow *flow, const void *rest, size_t len,
                         uint8_t *out);

/* The eight bytes of a UDP header, for packet_error. */
void packet_udp_head(const struct flow *flow, size_t len, uint8_t out[8]);

#endif
