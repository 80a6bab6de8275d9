/* dns.c - see dns.h: questions of the sandbox and the answers to them.
 *
 * A question is taken apart completely or refused; nothing of it is sent on,
 * so what a client hides in flags, options or further sections goes nowhere. */
#include "gateway/dns.h"

#include <string.h>

#include "gateway/bytes.h"

enum {
    OPT_DO = 0x8000, /* in the lower half of OPT's TTL, RFC 6891 6.1.4 */
    OPT_SIZE = 11,   /* an OPT record without options */
    OPTION_EDE = 15, /* RFC 8914 2 */
    ADDR_HEAD = 12   /* an address record before its address */
};

/* Copy the question and write its name as dotted text, without the last dot.
 * *at moves behind the question.  `text` takes DNS_WIRE_NAME_MAX bytes. */
static bool read_question(const uint8_t *bytes, size_t len, size_t *at,
                          struct dns_query *q, char *text, size_t *text_len)
{
    size_t from = *at, p = from, n = 0;

    for (;;) {
        size_t label;

        if (p >= len)
            return false;
        label = bytes[p++];
        if (label == 0)
            break;
        /* 0xc0 is a pointer: there is nothing before that it could mean. */
        if (label > 63 || label > len - p ||
            p + label - from >= DNS_WIRE_NAME_MAX)
            return false;
        if (n > 0)
            text[n++] = '.';
        for (size_t i = 0; i < label; i++) {
            char c = (char)bytes[p + i];

            /* A dot inside of a label would become a border of labels. */
            text[n++] = c == '.' ? '\0' : c;
        }
        p += label;
    }
    if (len - p < 4)
        return false;
    q->qtype = get16(bytes + p);
    p += 4;
    q->question_len = (uint16_t)(p - from);
    memcpy(q->question, bytes + from, p - from);
    *text_len = n;
    *at = p;
    return true;
}

/* The one additional record that a query may have (RFC 6891 6.1). */
static int read_opt(const uint8_t *p, size_t len, struct dns_query *q)
{
    uint16_t size;

    if (len < OPT_SIZE || p[0] != 0 || get16(p + 1) != DNS_OPT ||
        get16(p + 9) != len - OPT_SIZE)
        return DNS_FORMERR;
    size = get16(p + 3);
    q->edns = true;
    if (size > DNS_UDP_MIN)
        q->udp_size = size;
    q->dnssec_ok = get16(p + 7) & OPT_DO;
    return p[6] == 0 ? 0 : DNS_BADVERS;
}

int dns_parse_query(const uint8_t *bytes, size_t len, struct dns_query *out)
{
    char text[DNS_WIRE_NAME_MAX + 1];
    size_t at = DNS_HEADER, text_len = 0;
    uint16_t flags;
    int rcode = 0;

    memset(out, 0, sizeof(*out));
    out->udp_size = DNS_UDP_MIN;
    if (len < DNS_HEADER || get16(bytes + 2) & DNS_QR)
        return -1;
    flags = get16(bytes + 2);
    out->id = get16(bytes);
    out->opcode = flags >> 11 & 15;
    out->rd = flags & DNS_RD;
    out->cd = flags & DNS_CD;
    if (out->opcode != 0)
        return DNS_NOTIMP;
    if (flags & DNS_TC || get16(bytes + 4) != 1 || get16(bytes + 6) != 0 ||
        get16(bytes + 8) != 0 || get16(bytes + 10) > 1)
        return DNS_FORMERR;
    if (!read_question(bytes, len, &at, out, text, &text_len))
        return DNS_FORMERR;
    if (get16(bytes + 10) == 1)
        rcode = read_opt(bytes + at, len - at, out);
    else if (at != len)
        rcode = DNS_FORMERR;
    if (rcode != 0)
        return rcode;
    if (get16(out->question + out->question_len - 2) != DNS_IN ||
        !net_name_clean(text, text_len, out->name)) {
        out->name[0] = '\0';
        return DNS_REFUSED;
    }
    return 0;
}

/* The addresses, each under a pointer to the question's name. */
static size_t put_addrs(const struct dns_query *q, const struct dns_reply *r,
                        uint8_t *p)
{
    size_t size = q->qtype == DNS_A ? 4 : 16;

    for (size_t i = 0; i < r->naddrs; i++) {
        put16(p, 0xc000u | DNS_HEADER);
        put16(p + 2, q->qtype);
        put16(p + 4, DNS_IN);
        put32(p + 6, r->ttl);
        put16(p + 10, (unsigned)size);
        memcpy(p + ADDR_HEAD, r->addr[i].b + 16 - size, size);
        p += ADDR_HEAD + size;
    }
    return r->naddrs * (ADDR_HEAD + size);
}

/* An OPT record, with the extended error and as much of its text as fits. */
static size_t put_opt(const struct dns_query *q, const struct dns_reply *r,
                      uint8_t *p, size_t room)
{
    size_t text = r->why ? strnlen(r->why, DNS_UDP_MIN) : 0, used = OPT_SIZE;

    memset(p, 0, OPT_SIZE);
    put16(p + 1, DNS_OPT);
    put16(p + 3, DNS_UDP_SIZE);
    p[5] = (uint8_t)(r->rcode >> 4);
    put16(p + 7, q->dnssec_ok ? OPT_DO : 0);
    if (r->why && room >= OPT_SIZE + 6) {
        if (text > room - OPT_SIZE - 6)
            text = room - OPT_SIZE - 6;
        put16(p + 9, (unsigned)text + 6);
        put16(p + 11, OPTION_EDE);
        put16(p + 13, (unsigned)text + 2);
        put16(p + 15, r->ede);
        memcpy(p + 17, r->why, text);
        used += 6 + text;
    }
    return used;
}

size_t dns_answer(const struct dns_query *q, const struct dns_reply *r,
                  uint8_t *out, size_t cap)
{
    size_t opt = q->edns ? OPT_SIZE : 0, n = DNS_HEADER;
    size_t each = ADDR_HEAD + (q->qtype == DNS_A ? 4u : 16u);
    unsigned flags = DNS_QR | (unsigned)q->opcode << 11 | DNS_RA;
    bool has_addrs = r->naddrs > 0 && r->rcode == 0 && q->question_len > 0 &&
                     (q->qtype == DNS_A || q->qtype == DNS_AAAA);

    if (cap < DNS_HEADER + q->question_len + opt)
        return 0;
    memset(out, 0, DNS_HEADER);
    memcpy(out + n, q->question, q->question_len);
    n += q->question_len;
    /* All or none of a set, RFC 2181 9. */
    if (has_addrs && r->naddrs <= (cap - n - opt) / each) {
        n += put_addrs(q, r, out + n);
        put16(out + 6, (unsigned)r->naddrs);
    } else if (has_addrs) {
        flags |= DNS_TC;
    }
    if (q->edns) {
        n += put_opt(q, r, out + n, cap - n);
        put16(out + 10, 1);
    }
    flags |= (q->rd ? DNS_RD : 0u) | (q->cd ? DNS_CD : 0u) | (r->rcode & 15);
    put16(out, q->id);
    put16(out + 2, flags);
    put16(out + 4, q->question_len > 0 ? 1 : 0);
    return n;
}
