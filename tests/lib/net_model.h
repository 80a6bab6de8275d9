/* net_model.h - the meaning of network rules, read straight off their
 * definition: a loop over the rules for each question.
 *
 * Shares nothing with src/policy: addresses are read by inet_pton(3) and
 * compared bit by bit, special blocks are text, exceptions are asked about and
 * not subtracted. */
#ifndef MXC_TESTS_NET_MODEL_H
#define MXC_TESTS_NET_MODEL_H

#include <arpa/inet.h>

#include "t.h"

#include "policy/net.h"

enum { M_RULES = 32, M_PARTS = 8 };

/* Sixteen bytes, IPv4 as ::ffff:a.b.c.d. */
struct m_block {
    uint8_t a[16];
    unsigned bits;
};

struct m_peer {
    struct m_block block, except[M_PARTS];
    size_t nexcept;
    const char *host;
    bool intranet;
};

struct m_rule {
    const struct net_source *source;
    struct m_peer to[M_PARTS];
};

struct m_special {
    struct m_block block;
    enum net_class class;
};

enum { M_SPECIALS = 40 };

struct m_policy {
    bool default_allow;
    struct m_rule rule[M_RULES];
    size_t n;
    struct m_special special[M_SPECIALS];
    size_t nspecials;
};

static inline void m_block_read(struct m_block *out, const char *text)
{
    char addr[64];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    bool is_v4 = !strchr(text, ':');

    memset(out, 0, sizeof(*out));
    CHECK(n < sizeof(addr));
    memcpy(addr, text, n);
    addr[n] = '\0';
    if (is_v4)
        out->a[10] = out->a[11] = 0xff;
    CHECK(inet_pton(is_v4 ? AF_INET : AF_INET6, addr,
                    out->a + (is_v4 ? 12 : 0)) == 1);
    out->bits = 128;
    if (slash)
        out->bits = (unsigned)atoi(slash + 1) + (is_v4 ? 96 : 0);
}

static inline bool m_in(const uint8_t a[16], const struct m_block *b)
{
    for (unsigned i = 0; i < b->bits; i++)
        if ((a[i / 8] ^ b->a[i / 8]) & 0x80 >> i % 8)
            return false;
    return true;
}

static inline void m_read(struct m_policy *m, const struct net_policy *p)
{
    static const struct {
        const char *text;
        enum net_class class;
    } special[] = {
        { "0.0.0.0/8", NET_NEVER },
        { "127.0.0.0/8", NET_NEVER },
        { "224.0.0.0/4", NET_NEVER },
        { "240.0.0.0/4", NET_NEVER },
        { "198.18.0.0/15", NET_NEVER },
        { "10.0.0.0/8", NET_PRIVATE },
        { "172.16.0.0/12", NET_PRIVATE },
        { "192.168.0.0/16", NET_PRIVATE },
        { "100.64.0.0/10", NET_PRIVATE },
        { "169.254.0.0/16", NET_LINK_LOCAL },
        { "169.254.169.254", NET_METADATA },
        { "169.254.169.253", NET_METADATA },
        { "169.254.170.2", NET_METADATA },
        { "169.254.170.23", NET_METADATA },
        { "100.100.100.200", NET_METADATA },
        { "168.63.129.16", NET_METADATA },
        { "192.0.0.192", NET_METADATA },
        { "192.0.0.0/24", NET_RESERVED },
        { "192.88.99.0/24", NET_RESERVED },
        { "::", NET_NEVER },
        { "::1", NET_NEVER },
        { "ff00::/8", NET_NEVER },
        { "fd6d:7863:6e65:7400::/64", NET_NEVER },
        { "fc00::/7", NET_PRIVATE },
        { "fec0::/10", NET_PRIVATE },
        { "fe80::/10", NET_LINK_LOCAL },
        { "fd00:ec2::254", NET_METADATA },
        { "fd20:ce::254", NET_METADATA },
        { "::ffff:0:0:0/96", NET_RESERVED },
        { "100::/64", NET_RESERVED },
        { "64:ff9b:1::/48", NET_RESERVED },
        { "2001::/32", NET_RESERVED },
    };

    memset(m, 0, sizeof(*m));
    m->default_allow = p->egress_default == NET_ALLOW;
    for (; m->nspecials < sizeof(special) / sizeof(special[0]);
         m->nspecials++) {
        struct m_special *s = &m->special[m->nspecials];

        s->class = special[m->nspecials].class;
        m_block_read(&s->block, special[m->nspecials].text);
    }
    CHECK(p->nsources <= M_RULES);
    for (; m->n < p->nsources; m->n++) {
        struct m_rule *r = &m->rule[m->n];

        r->source = &p->source[m->n];
        CHECK(r->source->rule->nto <= M_PARTS);
        for (size_t i = 0; i < r->source->rule->nto; i++) {
            const struct net_peer *peer = &r->source->rule->to[i];
            struct m_peer *to = &r->to[i];

            to->host = peer->host;
            to->intranet = peer->intranet;
            if (!peer->host)
                m_block_read(&to->block, peer->cidr);
            CHECK(peer->except.n <= M_PARTS);
            for (; to->nexcept < peer->except.n; to->nexcept++)
                m_block_read(&to->except[to->nexcept],
                             peer->except.item[to->nexcept]);
        }
    }
}

/* The IPv4 address within, as a mapped one, and where it begins. */
static inline bool m_inner(const uint8_t a[16], uint8_t out[16], unsigned *at)
{
    struct m_block compat, nat64, sixtofour;

    m_block_read(&compat, "::/96");
    m_block_read(&nat64, "64:ff9b::/96");
    m_block_read(&sixtofour, "2002::/16");
    memset(out, 0, 16);
    out[10] = out[11] = 0xff;
    if (m_in(a, &compat) || m_in(a, &nat64))
        *at = 96;
    else if (m_in(a, &sixtofour))
        *at = 16;
    else
        return false;
    memcpy(out + 12, a + *at / 8, 4);
    return true;
}

static inline enum net_class m_classify(const struct m_policy *m,
                                        const uint8_t a[16], unsigned *bits)
{
    const struct m_special *best = NULL;
    uint8_t inner[16];
    enum net_class class;
    unsigned at;

    for (size_t i = 0; i < m->nspecials; i++)
        if (m_in(a, &m->special[i].block) &&
            (!best || m->special[i].block.bits > best->block.bits))
            best = &m->special[i];
    *bits = best ? best->block.bits : 0;
    if (best)
        return best->class;
    if (!m_inner(a, inner, &at))
        return NET_PUBLIC;
    class = m_classify(m, inner, bits);
    if (class != NET_PUBLIC)
        *bits = *bits - 96 + at;
    else if (a[1] == 0x64) /* NAT64 */
        *bits = 0;
    else
        *bits = at;
    return class == NET_PUBLIC && *bits ? NET_RESERVED : class;
}

static inline bool m_port_matches(const struct net_rule *r,
                                  enum net_proto proto, uint32_t port)
{
    for (size_t i = 0; i < r->nports; i++) {
        const struct net_port *p = &r->ports[i];
        uint32_t end = p->end_port ? p->end_port : p->port;
        bool in = p->port == 0 || (port >= p->port && port <= end);

        if ((p->protocol == PROTO_TCP && proto == NET_TCP && in) ||
            (p->protocol == PROTO_UDP && proto == NET_UDP && in) ||
            (p->protocol == PROTO_ICMP && proto == NET_ICMP) ||
            (p->protocol == PROTO_ANY && proto != NET_ICMP && in) ||
            (p->protocol == PROTO_ANY && proto == NET_ICMP && p->port == 0))
            return true;
    }
    return r->nports == 0;
}

static inline bool m_lower(const struct m_rule *x, const struct m_rule *best)
{
    const struct net_origin *a = &x->source->origin;
    const struct net_origin *b = best ? &best->source->origin : NULL;

    return !b || a->list < b->list ||
           (a->list == b->list && a->index < b->index);
}

/* The lowest rule of that action about the address, by peers whose block has
 * at least (or, with `below`, less than) that many bits. */
static inline const struct m_rule *
m_rule_for(const struct m_policy *m, enum net_action action,
           const uint8_t a[16], enum net_proto proto, uint32_t port,
           unsigned bits, bool below)
{
    const struct m_rule *best = NULL;

    for (size_t i = 0; i < m->n; i++) {
        const struct m_rule *r = &m->rule[i];
        const struct net_rule *rule = r->source->rule;
        bool hit = rule->nto == 0 && (bits == 0) != below;

        if (r->source->action != action || !m_port_matches(rule, proto, port))
            continue;
        for (size_t k = 0; k < rule->nto; k++) {
            const struct m_peer *to = &r->to[k];
            bool in = !to->host && m_in(a, &to->block);

            for (size_t x = 0; x < to->nexcept; x++)
                in &= !m_in(a, &to->except[x]);
            hit |= in && (to->block.bits < bits) == below;
        }
        if (hit && m_lower(r, best))
            best = r;
    }
    return best;
}

static inline void m_answer(struct net_verdict *out, bool allowed,
                            enum net_why why, const struct m_rule *r)
{
    memset(out, 0, sizeof(*out));
    out->is_allowed = allowed;
    out->why = why;
    if (r)
        out->origin = r->source->origin;
}

static inline void m_decide(const struct m_policy *m, const uint8_t a[16],
                            enum net_proto proto, uint16_t port, bool own,
                            struct net_verdict *out)
{
    const struct m_rule *deny, *inner_deny = NULL, *allow, *wide;
    unsigned bits, at;
    uint8_t inner[16];
    enum net_class class = m_classify(m, a, &bits);

    if (own)
        bits = 128;
    deny = m_rule_for(m, NET_DENY, a, proto, port, 0, false);
    if (m_inner(a, inner, &at))
        inner_deny = m_rule_for(m, NET_DENY, inner, proto, port, 0, false);
    if (inner_deny && m_lower(inner_deny, deny))
        deny = inner_deny;
    allow = m_rule_for(m, NET_ALLOW, a, proto, port, bits, false);
    wide = m_rule_for(m, NET_ALLOW, a, proto, port, bits, true);
    if (deny)
        m_answer(out, false, NET_BY_RULE, deny);
    else if (class == NET_NEVER)
        m_answer(out, false, NET_BY_NEVER, NULL);
    else if (allow)
        m_answer(out, true, NET_BY_RULE, allow);
    else if (own)
        m_answer(out, false, NET_BY_OWN, wide);
    else if (m->default_allow && class == NET_PUBLIC)
        m_answer(out, true, NET_BY_DEFAULT, NULL);
    else if (wide || m->default_allow)
        m_answer(out, false, NET_BY_CLASS, wide);
    else
        m_answer(out, false, NET_BY_DEFAULT, NULL);
}

static inline bool m_host_matches(const char *pattern, const char *name)
{
    size_t n = strlen(name), p = strlen(pattern);

    if (pattern[0] != '*')
        return strcasecmp(pattern, name) == 0;
    return n > p - 1 && strcasecmp(pattern + 1, name + n - (p - 1)) == 0;
}

/* Does a peer of this rule cover the name? */
static inline bool m_covers(const struct m_rule *r, const char *name,
                            bool *intranet, bool *exact)
{
    bool hit = false;

    for (size_t i = 0; i < r->source->rule->nto; i++) {
        const struct m_peer *to = &r->to[i];

        if (!to->host || !m_host_matches(to->host, name))
            continue;
        hit = true;
        *intranet |= to->intranet;
        *exact |= to->host[0] != '*';
    }
    return hit;
}

/* With `known`, whether any rule allows the name, on whatever port. */
static inline void m_decide_name(const struct m_policy *m, const char *name,
                                 enum net_proto proto, uint16_t port,
                                 struct net_verdict *out, enum net_known *known)
{
    const struct m_rule *deny = NULL, *allow = NULL;
    bool intranet = false, exact = false, any = false;

    for (size_t i = 0; i < m->n; i++) {
        const struct m_rule *r = &m->rule[i];
        bool match = m_port_matches(r->source->rule, proto, port);
        bool inside = false, named = false;
        bool hit = m_covers(r, name, &inside, &named);

        if (r->source->action == NET_DENY) {
            hit |= r->source->rule->nto == 0;
            if (hit && match && m_lower(r, deny))
                deny = r;
            continue;
        }
        any |= hit;
        exact |= named;
        intranet |= hit && match && inside;
        if (hit && match && m_lower(r, allow))
            allow = r;
    }
    *known = !any ? NET_UNKNOWN : exact ? NET_EXACT : NET_WILDCARD;
    if (deny)
        m_answer(out, false, NET_BY_RULE, deny);
    else if (!any)
        m_answer(out, false, NET_BY_DEFAULT, NULL);
    else if (proto == NET_UDP && port == 443)
        m_answer(out, false, NET_BY_QUIC, NULL);
    else if (!allow)
        m_answer(out, false, NET_BY_NAME_ONLY, NULL);
    else
        m_answer(out, true, NET_BY_RULE, allow);
    out->intranet = out->is_allowed && intranet;
}

/* Answers change only where a range of some rule begins or has ended, and
 * around QUIC's port. */
static inline enum net_known m_knows(const struct m_policy *m, const char *name)
{
    uint32_t edge[2 * M_RULES * M_PARTS + 3] = { 0, 443, 444 };
    size_t n = 3;
    enum net_known known = NET_UNKNOWN;
    struct net_verdict v;

    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < m->rule[i].source->rule->nports; k++) {
            const struct net_port *p = &m->rule[i].source->rule->ports[k];

            edge[n++] = p->port;
            edge[n++] = (p->end_port ? p->end_port : p->port) + 1u;
        }
    for (size_t i = 0; i < n; i++)
        for (int proto = 0; proto < NET_PROTOS; proto++) {
            if (edge[i] > UINT16_MAX)
                continue;
            m_decide_name(m, name, (enum net_proto)proto, (uint16_t)edge[i], &v,
                          &known);
            if (v.is_allowed)
                return known;
        }
    return NET_UNKNOWN;
}

#endif
