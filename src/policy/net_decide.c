/* net_decide.c - may the workload talk to that?
 *
 * Everything that says something about an address is on the way from the
 * longest block that holds it to the widest; about a name, it is the name
 * itself and its suffixes.  Any deny on the way is the answer, then any allow
 * that is close enough, then the default. */
#include "policy/net_pack.h"

#include <string.h>

/* A name of NET_NAME_MAX has at most 126 dots with something before them. */
enum { MAX_SETS = 128 };

/* The sets that speak of one name. */
struct about {
    const struct packed_set *set[MAX_SETS];
    size_t n;
    bool is_exact;                  /* set[0] is of the name itself */
    const struct packed_set *world; /* of rules without `to`: may only deny */
};

/* The first span that ends at the port or later, NULL if none. */
static const struct packed_span *from_port(const struct net_parts *p,
                                           const struct packed_set *s,
                                           unsigned list, unsigned proto,
                                           uint32_t port)
{
    uint32_t at = s->first, lo = 0, n = s->n[list][proto], end = n;

    for (unsigned k = 0; k < list * NET_PROTOS + proto; k++)
        at += s->n[k / NET_PROTOS][k % NET_PROTOS];
    while (lo < end) {
        uint32_t mid = lo + (end - lo) / 2;

        if (p->span[at + mid].hi < port)
            lo = mid + 1;
        else
            end = mid;
    }
    return lo < n ? &p->span[at + lo] : NULL;
}

/* The span of the port, NULL if none. */
static const struct packed_span *span_at(const struct net_parts *p,
                                         const struct packed_set *s,
                                         unsigned list, unsigned proto,
                                         uint32_t port)
{
    const struct packed_span *x = from_port(p, s, list, proto, port);

    return x && x->lo <= port ? x : NULL;
}

/* Of two rules that match, the one that is told: the lower origin. */
static void keep_lower(const struct packed_span **best,
                       const struct packed_span *x)
{
    const struct packed_span *b = *best;

    if (!x)
        return;
    if (!b || x->list < b->list || (x->list == b->list && x->index < b->index))
        *best = x;
}

static struct net_verdict verdict(bool allowed, enum net_why why,
                                  const struct packed_span *x)
{
    struct net_verdict v = { .is_allowed = allowed, .why = why };

    if (x)
        v.origin = (struct net_origin){ x->list, x->index };
    return v;
}

/* The longest block that holds k, NET_NONE if none does.  The last block that
 * does not begin behind k is it, or lies beside k in it. */
static uint32_t longest(const struct net_parts *p, struct net_key k)
{
    uint32_t lo = 0, end = p->head->nblocks;

    while (lo < end) {
        uint32_t mid = lo + (end - lo) / 2;
        const struct packed_block *b = &p->block[mid];

        if (b->hi < k.hi || (b->hi == k.hi && b->lo <= k.lo))
            lo = mid + 1;
        else
            end = mid;
    }
    while (lo-- > 0) {
        const struct packed_block *b = &p->block[lo];

        if (net_key_in(k, (struct net_key){ b->hi, b->lo }, b->bits))
            return lo;
        lo = b->parent + 1; /* NET_NONE becomes 0 */
    }
    return NET_NONE;
}

/* What the blocks around an address say. */
struct found {
    const struct packed_span *deny, *allow;
    const struct packed_span *wide; /* allows, but not what is special */
};

static void look_around(const struct net_parts *p, struct net_key k,
                        enum net_proto proto, uint16_t port, unsigned need,
                        struct found *out)
{
    *out = (struct found){ 0 };
    for (uint32_t i = longest(p, k); i != NET_NONE; i = p->block[i].parent) {
        const struct packed_set *s = &p->set[p->block[i].set];

        keep_lower(&out->deny, span_at(p, s, NET_L_DENY, proto, port));
        keep_lower(p->block[i].reach >= need ? &out->allow : &out->wide,
                   span_at(p, s, NET_L_ALLOW, proto, port));
    }
}

void net_decide(const struct net_view *v, const struct net_addr *to,
                enum net_proto proto, uint16_t port, bool is_own,
                struct net_verdict *out)
{
    struct net_parts p = net_parts(v);
    struct net_key v4, k = net_key_of(to);
    bool by_default = p.head->flags & NET_F_DEFAULT_ALLOW;
    unsigned at, need;
    enum net_class class = net_key_class(k, &need);
    struct found f, inner;

    if ((unsigned)proto >= NET_PROTOS) {
        *out = verdict(false, NET_BY_DEFAULT, NULL);
        return;
    }
    port = proto == NET_ICMP ? 0 : port;
    need = is_own ? 128 : need;
    look_around(&p, k, proto, port, need, &f);
    /* What is denied is denied by way of a translator too. */
    if (net_key_embedded(k, &v4, &at)) {
        look_around(&p, v4, proto, port, 0, &inner);
        keep_lower(&f.deny, inner.deny);
    }
    if (f.deny)
        *out = verdict(false, NET_BY_RULE, f.deny);
    else if (class == NET_NEVER)
        *out = verdict(false, NET_BY_NEVER, NULL);
    else if (f.allow)
        *out = verdict(true, NET_BY_RULE, f.allow);
    else if (is_own)
        *out = verdict(false, NET_BY_OWN, f.wide);
    else if (by_default && need == 0)
        *out = verdict(true, NET_BY_DEFAULT, NULL);
    else if (by_default || f.wide)
        *out = verdict(false, NET_BY_CLASS, f.wide);
    else
        *out = verdict(false, NET_BY_DEFAULT, NULL);
}

void net_decide_asking(const struct net_view *v, const struct net_addr *to,
                       enum net_proto proto, uint16_t port, net_is_own *is_own,
                       void *arg, struct net_verdict *out)
{
    struct net_verdict own;

    net_decide(v, to, proto, port, false, out);
    net_decide(v, to, proto, port, true, &own);
    if (own.why != out->why && is_own(arg, to))
        *out = own;
}

static const struct packed_set *find(const struct net_parts *p,
                                     const char *text)
{
    uint32_t lo = 0, end = p->head->nnames;

    while (lo < end) {
        uint32_t mid = lo + (end - lo) / 2;
        int c = strcmp(p->text + p->name[mid].text, text);

        if (c == 0)
            return &p->set[p->name[mid].set];
        if (c < 0)
            lo = mid + 1;
        else
            end = mid;
    }
    return NULL;
}

static void look_up(const struct net_parts *p, const char *name,
                    struct about *out)
{
    const struct packed_set *s;

    out->n = 0;
    out->is_exact = false;
    out->world = NULL;
    /* Only a rule without `to` has a block of no bits (net_lower.c). */
    if (p->head->nblocks && p->block[0].bits == 0)
        out->world = &p->set[p->block[0].set];
    /* As packed, a dot first would be a wildcard. */
    if (name[0] == '.')
        return;
    s = find(p, name);
    if (s) {
        out->set[out->n++] = s;
        out->is_exact = true;
    }
    for (const char *dot = strchr(name, '.'); dot && out->n < MAX_SETS;
         dot = strchr(dot + 1, '.')) {
        s = find(p, dot);
        if (s)
            out->set[out->n++] = s;
    }
}

static bool allows_any(const struct packed_set *s)
{
    const uint32_t *n = s->n[NET_L_ALLOW];

    return n[NET_TCP] || n[NET_UDP] || n[NET_ICMP];
}

static bool is_known(const struct about *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (allows_any(a->set[i]))
            return true;
    return false;
}

/* The rule that denies it, NULL if none does.  A rule without `to` denies
 * whatever address the name has. */
static const struct packed_span *denied(const struct net_parts *p,
                                        const struct about *a, unsigned proto,
                                        uint32_t port)
{
    const struct packed_span *deny = NULL;

    for (size_t i = 0; i < a->n; i++)
        keep_lower(&deny, span_at(p, a->set[i], NET_L_DENY, proto, port));
    if (a->world)
        keep_lower(&deny, span_at(p, a->world, NET_L_DENY, proto, port));
    return deny;
}

/* HTTP/3 shows no server name that could be compared; clients fall back. */
static bool is_quic(unsigned proto, uint32_t port)
{
    return proto == NET_UDP && port == 443;
}

void net_decide_name(const struct net_view *v, const char *name,
                     enum net_proto proto, uint16_t port,
                     struct net_verdict *out)
{
    struct net_parts p = net_parts(v);
    const struct packed_span *deny, *allow = NULL;
    bool intranet = false;
    struct about a;

    if ((unsigned)proto >= NET_PROTOS) {
        *out = verdict(false, NET_BY_DEFAULT, NULL);
        return;
    }
    port = proto == NET_ICMP ? 0 : port;
    look_up(&p, name, &a);
    deny = denied(&p, &a, proto, port);
    for (size_t i = 0; i < a.n; i++) {
        keep_lower(&allow, span_at(&p, a.set[i], NET_L_ALLOW, proto, port));
        intranet |= span_at(&p, a.set[i], NET_L_INTRANET, proto, port) != NULL;
    }
    if (deny)
        *out = verdict(false, NET_BY_RULE, deny);
    else if (!is_known(&a))
        *out = verdict(false, NET_BY_DEFAULT, NULL);
    else if (is_quic(proto, port))
        *out = verdict(false, NET_BY_QUIC, NULL);
    else if (!allow)
        *out = verdict(false, NET_BY_NAME_ONLY, NULL);
    else
        *out = verdict(true, NET_BY_RULE, allow);
    out->intranet = out->is_allowed && intranet;
}

/* The first port from `port` on that some set allows, UINT32_MAX if none. */
static uint32_t next_allowed(const struct net_parts *p, const struct about *a,
                             unsigned proto, uint32_t port)
{
    uint32_t next = UINT32_MAX;

    for (size_t i = 0; i < a->n; i++) {
        const struct packed_span *x =
            from_port(p, a->set[i], NET_L_ALLOW, proto, port);
        uint32_t lo = !x ? UINT32_MAX : x->lo > port ? x->lo : port;

        next = lo < next ? lo : next;
    }
    return next;
}

static bool has_open_port(const struct net_parts *p, const struct about *a,
                          unsigned proto)
{
    uint32_t port = next_allowed(p, a, proto, 0);

    while (port <= UINT16_MAX) {
        const struct packed_span *deny = denied(p, a, proto, port);

        if (!deny && !is_quic(proto, port))
            return true;
        port =
            next_allowed(p, a, proto, (deny ? deny->hi : port) + (uint32_t)1);
    }
    return false;
}

enum net_known net_knows_name(const struct net_view *v, const char *name)
{
    struct net_parts p = net_parts(v);
    struct about a;

    look_up(&p, name, &a);
    for (unsigned proto = 0; proto < NET_PROTOS; proto++)
        if (has_open_port(&p, &a, proto))
            return a.is_exact && allows_any(a.set[0]) ? NET_EXACT
                                                      : NET_WILDCARD;
    return NET_UNKNOWN;
}
