/* dns_upstream.c - see dns.h: questions to a resolver and its answers.
 *
 * An answer is believed as far as it answers: the identifier, the question
 * with the case of its letters, and records of the asked name and of those
 * that it is an alias of.  Whatever else a message carries is not looked at. */
#include "gateway/dns.h"

#include <string.h>

#include "base/ascii.h"
#include "gateway/bytes.h"

enum {
    OPT_SIZE = 11,
    RECORD_HEAD = 10, /* type, class, TTL, length */
    SOA_NUMBERS = 20,
    MAX_RECORDS = 256, /* in each section that is read */
    MAX_ALIASES = 16
};

static bool is_upper(const uint8_t random[32], size_t i)
{
    return random[i / 8 % 32] >> i % 8 & 1;
}

/* The name in wire form, or 0. */
static size_t put_name(const char *name, const uint8_t random[32], uint8_t *out)
{
    size_t n = 0, at = 0, len = strnlen(name, NET_NAME_MAX + 1);

    if (len == 0 || len > NET_NAME_MAX)
        return 0;
    while (at <= len) {
        size_t label = 0;

        while (at + label < len && name[at + label] != '.')
            label++;
        if (label == 0 || label > 63)
            return 0;
        out[n++] = (uint8_t)label;
        for (size_t i = 0; i < label; i++, n++) {
            uint8_t c = (uint8_t)name[at + i];

            if (ascii_is_letter((char)c) && is_upper(random, n))
                c = (uint8_t)(c & ~0x20u);
            out[n] = c;
        }
        at += label + 1;
    }
    out[n++] = 0;
    return n;
}

size_t dns_make_query(uint16_t id, const char *name, uint16_t qtype,
                      const uint8_t random[32], struct dns_sent *sent,
                      uint8_t *out, size_t cap)
{
    size_t n;

    memset(sent, 0, sizeof(*sent));
    n = put_name(name, random, sent->question);
    if (n == 0 || cap < DNS_HEADER + n + 4 + OPT_SIZE)
        return 0;
    put16(sent->question + n, qtype);
    put16(sent->question + n + 2, DNS_IN);
    n += 4;
    sent->id = id;
    sent->qtype = qtype;
    sent->question_len = (uint16_t)n;
    memset(out, 0, DNS_HEADER);
    put16(out, id);
    put16(out + 2, DNS_RD);
    put16(out + 4, 1);
    put16(out + 10, 1);
    memcpy(out + DNS_HEADER, sent->question, n);
    n += DNS_HEADER;
    memset(out + n, 0, OPT_SIZE);
    put16(out + n + 1, DNS_OPT);
    put16(out + n + 3, DNS_UDP_SIZE);
    return n + OPT_SIZE;
}

/* --- the answer ------------------------------------------------------ */

struct msg {
    const uint8_t *bytes;
    size_t len;
};

/* A name, uncompressed and in lower case. */
struct wire_name {
    uint8_t b[DNS_WIRE_NAME_MAX];
    size_t len;
};

struct record {
    struct wire_name owner;
    uint16_t type, class;
    uint32_t ttl;
    size_t data, data_len;
};

/* Read the name at `at`; *after is the first byte behind it.  A pointer leads
 * strictly backwards, before all that was read for this name so far, so the
 * walk ends; and no more of them are followed than a name has labels. */
static bool read_name(const struct msg *m, size_t at, struct wire_name *out,
                      size_t *after)
{
    size_t lowest = at, hops = 0;

    *after = 0;
    out->len = 0;
    while (at < m->len) {
        size_t label = m->bytes[at];

        if (label >= 0xc0) {
            if (m->len - at < 2)
                return false;
            if (*after == 0)
                *after = at + 2;
            at = get16(m->bytes + at) & 0x3fffu;
            if (at < DNS_HEADER || at >= lowest || ++hops > 127)
                return false;
            lowest = at;
            continue;
        }
        /* 0x40 and 0x80 are no labels (RFC 6891 5). */
        if (label > 63 || m->len - at <= label ||
            out->len + label + 1 > sizeof(out->b))
            return false;
        out->b[out->len++] = (uint8_t)label;
        for (size_t i = 1; i <= label; i++)
            out->b[out->len++] = (uint8_t)ascii_lower((char)m->bytes[at + i]);
        at += label + 1;
        if (label == 0) {
            if (*after == 0)
                *after = at;
            return true;
        }
    }
    return false;
}

static bool read_record(const struct msg *m, size_t *at, struct record *r)
{
    size_t p;

    if (!read_name(m, *at, &r->owner, &p) || m->len - p < RECORD_HEAD)
        return false;
    r->type = get16(m->bytes + p);
    r->class = get16(m->bytes + p + 2);
    r->ttl = get32(m->bytes + p + 4);
    /* RFC 2181 8: a set highest bit means 0. */
    if (r->ttl > INT32_MAX)
        r->ttl = 0;
    r->data_len = get16(m->bytes + p + 8);
    r->data = p + RECORD_HEAD;
    if (r->data_len > m->len - r->data)
        return false;
    *at = r->data + r->data_len;
    return true;
}

static bool is_name(const struct wire_name *a, const struct wire_name *b)
{
    return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

static void lower_ttl(struct dns_result *out, uint32_t ttl)
{
    if (ttl < out->ttl)
        out->ttl = ttl;
}

static bool add_address(const struct msg *m, const struct record *r,
                        struct dns_result *out)
{
    size_t size = r->type == DNS_A ? 4 : 16;
    struct net_addr a = { { 0 } };

    if (r->data_len != size)
        return false;
    if (size == 4)
        a.b[10] = a.b[11] = 0xff;
    memcpy(a.b + 16 - size, m->bytes + r->data, size);
    if (out->naddrs < DNS_ADDRS) {
        out->addr[out->naddrs++] = a;
        lower_ttl(out, r->ttl);
    }
    return true;
}

/* One look through the answers for `name`: its addresses are collected, and
 * *alias becomes the first name that it stands for. */
static bool look_for(const struct msg *m, size_t at, unsigned count,
                     const struct wire_name *name, uint16_t qtype,
                     struct wire_name *alias, struct dns_result *out)
{
    struct record r;
    size_t after;

    alias->len = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!read_record(m, &at, &r))
            return false;
        if (r.class != DNS_IN || !is_name(&r.owner, name))
            continue;
        if (r.type == qtype && (qtype == DNS_A || qtype == DNS_AAAA)) {
            if (!add_address(m, &r, out))
                return false;
        } else if (r.type == DNS_CNAME && alias->len == 0) {
            if (!read_name(m, r.data, alias, &after) ||
                after != r.data + r.data_len)
                return false;
            lower_ttl(out, r.ttl);
        }
    }
    /* RFC 1034 3.6.2: an alias has no other data. */
    return alias->len == 0 || out->naddrs == 0;
}

/* Follow the aliases of the question.  *at moves behind the answers. */
static bool follow(const struct msg *m, size_t *at, unsigned count,
                   const struct dns_sent *sent, struct dns_result *out)
{
    struct wire_name name, alias;
    struct record r;
    size_t after;

    if (!read_name(m, DNS_HEADER, &name, &after))
        return false;
    for (int hops = 0;; hops++) {
        if (!look_for(m, *at, count, &name, sent->qtype, &alias, out))
            return false;
        if (alias.len == 0)
            break;
        if (hops == MAX_ALIASES)
            return false;
        name = alias;
    }
    for (unsigned i = 0; i < count; i++)
        if (!read_record(m, at, &r))
            return false;
    return true;
}

/* How long a negative answer holds, RFC 2308 5. */
static void negative_ttl(const struct msg *m, size_t at, unsigned count,
                         struct dns_result *out)
{
    struct wire_name skipped;
    struct record r;

    lower_ttl(out, DNS_NEGATIVE_MAX);
    for (unsigned i = 0; i < count && i < MAX_RECORDS; i++) {
        size_t p, end;

        if (!read_record(m, &at, &r))
            break;
        if (r.class != DNS_IN || r.type != DNS_SOA)
            continue;
        end = r.data + r.data_len;
        if (!read_name(m, r.data, &skipped, &p) ||
            !read_name(m, p, &skipped, &p) || p > end || end - p != SOA_NUMBERS)
            break;
        lower_ttl(out, r.ttl);
        lower_ttl(out, get32(m->bytes + end - 4));
        return;
    }
    out->ttl = 0;
}

/* Is it the question that was sent, letter by letter? */
static bool is_ours(const struct msg *m, const struct dns_sent *sent)
{
    return get16(m->bytes + 4) == 1 &&
           m->len - DNS_HEADER >= sent->question_len &&
           memcmp(m->bytes + DNS_HEADER, sent->question, sent->question_len) ==
               0;
}

enum dns_status dns_parse_response(const uint8_t *bytes, size_t len,
                                   const struct dns_sent *sent,
                                   struct dns_result *out)
{
    struct msg m = { bytes, len };
    size_t at = DNS_HEADER + sent->question_len;
    uint16_t flags, answers;

    memset(out, 0, sizeof(*out));
    if (len < DNS_HEADER || get16(bytes) != sent->id)
        return DNS_FOREIGN;
    flags = get16(bytes + 2);
    answers = get16(bytes + 6);
    if (!(flags & DNS_QR) || flags >> 11 & 15)
        return DNS_FOREIGN;
    out->rcode = flags & 15;
    if (!is_ours(&m, sent)) {
        /* Who cannot read our OPT may answer without the question. */
        if (get16(bytes + 4) == 0 && len == DNS_HEADER &&
            out->rcode != DNS_NOERROR && out->rcode != DNS_NXDOMAIN)
            return DNS_FAILED;
        return DNS_FOREIGN;
    }
    if (out->rcode != DNS_NOERROR && out->rcode != DNS_NXDOMAIN)
        return DNS_FAILED;
    if (flags & DNS_TC)
        return DNS_TRUNCATED;
    out->ttl = INT32_MAX;
    if (answers > MAX_RECORDS || !follow(&m, &at, answers, sent, out)) {
        memset(out, 0, sizeof(*out));
        return DNS_BAD;
    }
    if (out->rcode == DNS_NOERROR && out->naddrs > 0)
        return DNS_FOUND;
    out->naddrs = 0;
    negative_ttl(&m, at, get16(bytes + 8), out);
    return out->rcode == DNS_NXDOMAIN ? DNS_NO_NAME : DNS_NO_DATA;
}
