/* net_lower.c - rules taken apart: peers into blocks and names, ports into
 * ranges.  Whatever no gateway could hold to is refused here, with its
 * place. */
#include "policy/net_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "contract/cidr.h"

/* One peer under way. */
struct peer {
    struct net_build *b;
    const struct net_source *source;
    size_t number;
    uint32_t rank;
};

struct block {
    struct net_key at;
    unsigned bits;
    unsigned reach;
};

void *net_grow(struct net_build *b, void *old, size_t n, size_t *cap,
               size_t size, struct err *e)
{
    /* Most rules have one destination and one range of ports. */
    size_t more = *cap ? *cap * 2 : b->p->nsources + 64;
    void *new;

    if (n < *cap)
        return old;
    new = arena_array(&b->scratch, more, size);
    if (!new) {
        err_set(e, ERR_BACKEND_ERROR, "out of memory for network rules");
        return NULL;
    }
    if (n)
        memcpy(new, old, n * size);
    *cap = more;
    return new;
}

/* Say which peer, and perhaps which exception, was refused. */
static int refused(const struct peer *p, const char *more, struct err *e)
{
    char origin[64];

    net_origin_print(p->source->origin, origin);
    /* A flag has one peer: its name says it all. */
    if (p->source->origin.list > NET_FROM_DENY || p->source->rule->nto == 0)
        err_where(e, "%s", origin);
    else
        err_where(e, "%s.to[%zu]%s", origin, p->number, more);
    return -1;
}

static int add_item(struct net_build *b, struct net_items *to,
                    struct net_item x, struct err *e)
{
    if (to->n == NET_MAX_ITEMS) {
        err_set(e, ERR_POLICY_VALIDATION,
                "network rules come to more than %d %s", NET_MAX_ITEMS,
                x.name ? "names" : "blocks of addresses");
        return err_hint(e, x.name ? "use wildcards"
                                  : "use wider blocks or fewer exceptions");
    }
    to->item = net_grow(b, to->item, to->n, &to->cap, sizeof(x), e);
    if (!to->item)
        return -1;
    to->item[to->n++] = x;
    return 0;
}

static int add_block(const struct peer *p, struct block x, struct err *e)
{
    /* Only what is allowed has to be close enough. */
    unsigned reach = p->source->action == NET_DENY ? x.bits : x.reach;
    struct net_item item = { .hi = x.at.hi, .lo = x.at.lo };

    item.tail = net_tail(x.bits, reach, p->rank, false);
    if (add_item(p->b, &p->b->block, item, e) < 0)
        return refused(p, "", e);
    return 0;
}

/* The half of a block whose next bit is set. */
static struct block upper_half(struct block x)
{
    x.bits++;
    if (x.bits <= 64)
        x.at.hi |= UINT64_C(1) << (64 - x.bits);
    else
        x.at.lo |= UINT64_C(1) << (128 - x.bits);
    return x;
}

static bool is_before(struct net_key x, struct net_key y)
{
    return x.hi != y.hi ? x.hi < y.hi : x.lo < y.lo;
}

/* Add `x` less the exceptions, which lie in it and are sorted, the wider of
 * two that begin alike first. */
static int subtract(const struct peer *p, struct block x,
                    const struct block *except, size_t n, struct err *e)
{
    struct block lower = { x.at, x.bits + 1, x.reach }, upper;
    size_t in_lower = 0, end = n;

    if (n == 0)
        return add_block(p, x, e);
    if (except[0].bits <= x.bits)
        return 0;
    upper = upper_half(x);
    while (in_lower < end) {
        size_t mid = in_lower + (end - in_lower) / 2;

        if (is_before(except[mid].at, upper.at))
            in_lower = mid + 1;
        else
            end = mid;
    }
    if (subtract(p, lower, except, in_lower, e) < 0)
        return -1;
    return subtract(p, upper, except + in_lower, n - in_lower, e);
}

static int by_place(const void *x, const void *y)
{
    const struct block *a = x, *b = y;

    if (a->at.hi != b->at.hi || a->at.lo != b->at.lo)
        return is_before(a->at, b->at) ? -1 : 1;
    return (int)a->bits - (int)b->bits;
}

static struct block block_of(const struct cidr *c)
{
    struct block x = { .bits = c->bits };

    if (c->family == 4) {
        x.bits += 96;
        x.at = net_key_v4((uint32_t)(net_load64(c->addr) >> 32));
    } else {
        x.at.hi = net_load64(c->addr);
        x.at.lo = net_load64(c->addr + 8);
    }
    x.reach = x.bits;
    return x;
}

static int read_block(const struct peer *p, const char *text, const char *more,
                      struct block *out, struct err *e)
{
    struct cidr c;
    const char *why;

    if (cidr_parse(text, &c, &why) < 0) {
        err_set(e, ERR_POLICY_VALIDATION, "'%s': %s", text, why);
        return refused(p, more, e);
    }
    *out = block_of(&c);
    return 0;
}

/* Is every address of it one that nobody is given? */
static bool is_never(struct block x)
{
    struct block lower = { x.at, x.bits + 1, x.reach };
    unsigned bits;

    if (net_key_class(x.at, &bits) != NET_NEVER)
        return false;
    return bits <= x.bits || (is_never(lower) && is_never(upper_half(x)));
}

static int refuse_never(const struct peer *p, struct block x, const char *text,
                        struct err *e)
{
    bool loopback = net_key_in(x.at, net_key_v4(127U << 24), 96 + 8) ||
                    (x.at.hi == 0 && x.at.lo == 1);

    err_set(e, ERR_POLICY_VALIDATION, "no rule can grant '%s': %s", text,
            loopback ? "it is loopback"
                     : "it is unspecified, multicast, reserved or the "
                       "sandbox's own");
    err_hint(e, loopback ? "the host's loopback is reached by "
                           "network.ingress.hostServices"
                         : "leave it out");
    return refused(p, "", e);
}

static int check_block(const struct peer *p, struct block x, const char *text,
                       struct err *e)
{
    if (x.bits < 96 && net_key_in(net_key_v4(0), x.at, x.bits)) {
        err_set(e, ERR_POLICY_VALIDATION,
                "IPv6 block '%s' holds all of IPv4 as mapped addresses", text);
        err_hint(e, "write 0.0.0.0/0 for IPv4 and 2000::/3 for the public "
                    "IPv6 internet");
        return refused(p, "", e);
    }
    if (p->source->action == NET_ALLOW && is_never(x))
        return refuse_never(p, x, text, e);
    return 0;
}

static int lower_cidr(const struct peer *p, const struct net_peer *peer,
                      struct err *e)
{
    size_t n = peer->except.n;
    struct block x, *except = NULL;
    char more[40];

    if (read_block(p, peer->cidr, "", &x, e) < 0 ||
        check_block(p, x, peer->cidr, e) < 0)
        return -1;
    if (n) {
        except = arena_array(&p->b->scratch, n, sizeof(*except));
        if (!except)
            return err_set(e, ERR_BACKEND_ERROR,
                           "out of memory for network rules");
    }
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(more, sizeof(more), ".except[%zu]", i);
        if (read_block(p, peer->except.item[i], more, &except[i], e) < 0)
            return -1;
        if (except[i].bits < x.bits ||
            !net_key_in(except[i].at, x.at, x.bits)) {
            err_set(e, ERR_POLICY_VALIDATION,
                    "exception '%s' lies outside its '%s'",
                    peer->except.item[i], peer->cidr);
            return refused(p, more, e);
        }
    }
    if (n > 1)
        qsort(except, n, sizeof(*except), by_place);
    return subtract(p, x, except, n, e);
}

static uint64_t name_bytes(const char *s, size_t len, size_t from)
{
    uint8_t b[8] = { 0 };

    if (len > from)
        memcpy(b, s + from, len - from < 8 ? len - from : 8);
    return net_load64(b);
}

static int lower_host(const struct peer *p, const struct net_peer *peer,
                      struct err *e)
{
    const char *why = net_host_wrong(peer->host);
    struct net_item x = { .tail = net_tail(0, 0, p->rank, peer->intranet) };
    char *name;
    size_t len;

    if (why) {
        err_set(e, ERR_POLICY_VALIDATION, "'%s': %s", peer->host, why);
        return refused(p, "", e);
    }
    if (p->source->action == NET_DENY && p->b->allows_everything) {
        err_set(e, ERR_POLICY_VALIDATION,
                "denying '%s' cannot be enforced: the address behind a name "
                "can be reached under other names",
                peer->host);
        err_hint(e, "deny its addresses, or make the default deny and allow "
                    "the names that are needed");
        return refused(p, "", e);
    }
    name = arena_strdup(&p->b->scratch,
                        peer->host + (peer->host[0] == '*' ? 1 : 0));
    if (!name)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for network rules");
    for (char *c = name; *c; c++)
        *c = ascii_lower(*c);
    len = strlen(name);
    x.name = name;
    x.hi = name_bytes(name, len, 0);
    x.lo = name_bytes(name, len, 8);
    if (add_item(p->b, &p->b->name, x, e) < 0)
        return refused(p, "", e);
    return 0;
}

static int lower_peers(struct net_build *b, uint32_t rank, struct err *e)
{
    struct peer p = { .b = b, .source = b->rule[rank].source, .rank = rank };
    const struct net_rule *r = p.source->rule;

    if (r->nto == 0)
        return add_block(&p, (struct block){ { 0, 0 }, 0, 0 }, e);
    for (; p.number < r->nto; p.number++) {
        const struct net_peer *peer = &r->to[p.number];

        if (!peer->host == !peer->cidr) {
            err_set(e, ERR_POLICY_VALIDATION,
                    "expected either 'cidr' or 'host'");
            return refused(&p, "", e);
        }
        if ((peer->host ? lower_host(&p, peer, e) : lower_cidr(&p, peer, e)) <
            0)
            return -1;
    }
    return 0;
}

/* Lowest origin first: of several rules that match, that one is told. */
static int by_origin(const void *x, const void *y)
{
    const struct net_lowered *a = x, *b = y;
    const struct net_origin *s = &a->source->origin, *t = &b->source->origin;

    if (s->list != t->list)
        return s->list < t->list ? -1 : 1;
    if (s->index != t->index)
        return s->index < t->index ? -1 : 1;
    return a->source < b->source ? -1 : a->source > b->source;
}

/* They mostly come in order already. */
static void rank(struct net_lowered *rule, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (by_origin(&rule[i - 1], &rule[i]) > 0) {
            qsort(rule, n, sizeof(*rule), by_origin);
            return;
        }
}

static bool allows_everything(const struct net_policy *p)
{
    for (size_t i = 0; i < p->nsources; i++)
        if (p->source[i].action == NET_ALLOW && p->source[i].rule->nto == 0)
            return true;
    return p->egress_default == NET_ALLOW;
}

int net_lower(struct net_build *b, struct err *e)
{
    size_t n = b->p->nsources;

    /* Packed, a rule is named by 32 bits. */
    if (n >= NET_NONE)
        return err_set(e, ERR_POLICY_VALIDATION, "too many network rules");
    b->rule = arena_array(&b->scratch, n + 1, sizeof(*b->rule));
    if (!b->rule)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for network rules");
    for (size_t i = 0; i < n; i++)
        b->rule[i].source = &b->p->source[i];
    rank(b->rule, n);
    b->allows_everything = allows_everything(b->p);
    for (size_t i = 0; i < n; i++)
        if (net_lower_ports(b, (uint32_t)i, e) < 0 ||
            lower_peers(b, (uint32_t)i, e) < 0)
            return -1;
    return 0;
}
