/* packet.c - see packet.h.  RFC 791, 8200, 9293, 768, 792, 4443, 1071. */
#include "gateway/packet.h"

#include <string.h>

enum {
    TCP = 6,
    UDP = 17,
    ICMP4 = 1,
    ICMP6 = 58,
    HOPS = 64,
    HEAD4 = 20,
    HEAD6 = 40,
    TCP_MIN = 20,
    ECHO_REPLY4 = 0,
    UNREACHABLE4 = 3,
    UNREACHABLE6 = 1,
    ECHO_REPLY6 = 129,
    TCP_RST_ACK = 0x14
};

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint32_t sum(uint32_t s, const uint8_t *p, size_t len)
{
    size_t i;

    /* 65,575 bytes at most: no overflow. */
    for (i = 0; i + 1 < len; i += 2)
        s += get16(p + i);
    return len & 1 ? s + ((uint32_t)p[len - 1] << 8) : s;
}

static unsigned fold(uint32_t s)
{
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return ~s & 0xffff;
}

static bool is_v4(const struct flow *f)
{
    return net_addr_is_v4(&f->to);
}

/* The checksum of TCP, UDP and ICMPv6: with the pseudo header. */
static unsigned checksum(const struct flow *f, uint8_t protocol,
                         const uint8_t *p, size_t len)
{
    size_t at = is_v4(f) ? 12 : 0;
    uint32_t s = protocol + (uint32_t)len;

    s = sum(s, f->from.b + at, 16 - at);
    s = sum(s, f->to.b + at, 16 - at);
    return fold(sum(s, p, len));
}

static size_t head_len(const struct flow *f)
{
    return is_v4(f) ? HEAD4 : HEAD6;
}

/* Of an IPv4 header the kernel writes identification and checksum itself
 * when they are zero (raw(7)). */
static void write_head(const struct flow *f, uint8_t protocol, size_t len,
                       uint8_t *out)
{
    memset(out, 0, head_len(f));
    if (is_v4(f)) {
        out[0] = 0x45;
        put16(out + 2, (unsigned)(HEAD4 + len));
        out[8] = HOPS;
        out[9] = protocol;
        memcpy(out + 12, f->from.b + 12, 4);
        memcpy(out + 16, f->to.b + 12, 4);
        return;
    }
    out[0] = 0x60;
    put16(out + 4, (unsigned)len);
    out[6] = protocol;
    out[7] = HOPS;
    memcpy(out + 8, f->from.b, 16);
    memcpy(out + 24, f->to.b, 16);
}

static bool take_tcp(const uint8_t *tcp, size_t len, struct first *out)
{
    size_t head;

    if (len < TCP_MIN)
        return false;
    head = (size_t)(tcp[12] >> 4) * 4;
    if (head < TCP_MIN || head > len || head > PACKET_TCP_MAX)
        return false;
    out->flow.from_port = (uint16_t)get16(tcp);
    out->flow.to_port = (uint16_t)get16(tcp + 2);
    out->seq = get32(tcp + 4);
    out->len = head;
    memcpy(out->tcp, tcp, head);
    return true;
}

bool packet_read_first4(const uint8_t *bytes, size_t len, struct first *out)
{
    size_t head;

    if (len < HEAD4 || bytes[0] >> 4 != 4 || bytes[9] != TCP)
        return false;
    head = (size_t)(bytes[0] & 15) * 4;
    if (head < HEAD4 || head > len)
        return false;
    net_addr_v4(&out->flow.from, bytes + 12);
    net_addr_v4(&out->flow.to, bytes + 16);
    return take_tcp(bytes + head, len - head, out);
}

bool packet_read_first6(const uint8_t *tcp, size_t len,
                        const struct net_addr *from, const struct net_addr *to,
                        struct first *out)
{
    out->flow.from = *from;
    out->flow.to = *to;
    return take_tcp(tcp, len, out);
}

size_t packet_first(const struct first *f, uint8_t *out)
{
    size_t head = head_len(&f->flow);
    uint8_t *tcp = out + head;

    write_head(&f->flow, TCP, f->len, out);
    memcpy(tcp, f->tcp, f->len);
    /* Over loopback the kernel leaves it unfinished. */
    put16(tcp + 16, 0);
    put16(tcp + 16, checksum(&f->flow, TCP, tcp, f->len));
    return head + f->len;
}

static struct flow reversed(const struct flow *f)
{
    return (struct flow){ .from = f->to,
                          .to = f->from,
                          .from_port = f->to_port,
                          .to_port = f->from_port };
}

size_t packet_reset(const struct first *f, uint8_t *out)
{
    const struct flow back = reversed(&f->flow);
    size_t head = head_len(&back);
    uint8_t *tcp = out + head;

    write_head(&back, TCP, TCP_MIN, out);
    memset(tcp, 0, TCP_MIN);
    put16(tcp, back.from_port);
    put16(tcp + 2, back.to_port);
    put32(tcp + 8, f->seq + 1);
    tcp[12] = TCP_MIN / 4 << 4;
    tcp[13] = TCP_RST_ACK;
    put16(tcp + 16, checksum(&back, TCP, tcp, TCP_MIN));
    return head + TCP_MIN;
}

static uint8_t error_code(bool v4, enum refusal how)
{
    switch (how) {
    case REFUSE_HOST:
        return v4 ? 1 : 3; /* host, address unreachable */
    case REFUSE_NET:
        return 0; /* no route */
    case REFUSE_PORT:
        return v4 ? 3 : 4;
    case REFUSE_PROHIBITED:
        break;
    }
    return v4 ? 13 : 1; /* communication administratively prohibited */
}

size_t packet_error(const struct flow *about, uint8_t protocol,
                    const uint8_t head[8], enum refusal how, uint8_t *out)
{
    const struct flow back = reversed(about);
    const bool v4 = is_v4(about);
    size_t ip = head_len(about), len = 8 + ip + 8;
    uint8_t *icmp = out + ip;

    write_head(&back, v4 ? ICMP4 : ICMP6, len, out);
    memset(icmp, 0, 8);
    icmp[0] = v4 ? UNREACHABLE4 : UNREACHABLE6;
    icmp[1] = error_code(v4, how);
    /* The packet that it is about: its header and eight bytes. */
    write_head(about, protocol, 8, icmp + 8);
    memcpy(icmp + 8 + ip, head, 8);
    put16(icmp + 2,
          v4 ? fold(sum(0, icmp, len)) : checksum(&back, ICMP6, icmp, len));
    return ip + len;
}

size_t packet_error_first(const struct first *f, enum refusal how, uint8_t *out)
{
    return packet_error(&f->flow, TCP, f->tcp, how, out);
}

void packet_udp_head(const struct flow *flow, size_t len, uint8_t out[8])
{
    put16(out, flow->from_port);
    put16(out + 2, flow->to_port);
    put16(out + 4, (unsigned)(len + 8));
    put16(out + 6, 0);
}

size_t packet_udp(const struct flow *flow, const void *data, size_t len,
                  uint8_t *out)
{
    size_t head = head_len(flow);
    uint8_t *udp = out + head;
    unsigned check;

    if (len > 65535u - 8 - (is_v4(flow) ? HEAD4 : 0))
        return 0;
    write_head(flow, UDP, 8 + len, out);
    packet_udp_head(flow, len, udp);
    memcpy(udp + 8, data, len);
    check = checksum(flow, UDP, udp, 8 + len);
    /* Zero would mean that there is none (RFC 768). */
    put16(udp + 6, check ? check : 0xffff);
    return head + 8 + len;
}

size_t packet_echo_reply(const struct flow *flow, const void *rest, size_t len,
                         uint8_t *out)
{
    const bool v4 = is_v4(flow);
    size_t head = head_len(flow);
    uint8_t *icmp = out + head;

    if (len > 65535u - 4 - (v4 ? HEAD4 : 0))
        return 0;
    write_head(flow, v4 ? ICMP4 : ICMP6, 4 + len, out);
    memset(icmp, 0, 4);
    icmp[0] = v4 ? ECHO_REPLY4 : ECHO_REPLY6;
    memcpy(icmp + 4, rest, len);
    put16(icmp + 2, v4 ? fold(sum(0, icmp, 4 + len))
                       : checksum(flow, ICMP6, icmp, 4 + len));
    return head + 4 + len;
}
