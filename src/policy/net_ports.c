/* net_ports.c - the `ports` of a rule as ranges for each protocol, in order,
 * none touching the next. */
#include "policy/net_build.h"

#include <stdlib.h>

static bool speaks_of(const struct net_port *port, enum net_proto proto)
{
    switch (port->protocol) {
    case PROTO_TCP:
        return proto == NET_TCP;
    case PROTO_UDP:
        return proto == NET_UDP;
    case PROTO_ICMP:
        return proto == NET_ICMP;
    case PROTO_ANY:
    default:
        /* A port is something of TCP and UDP. */
        return proto != NET_ICMP || port->port == 0;
    }
}

static int add_range(struct net_build *b, uint16_t lo, uint16_t hi,
                     struct err *e)
{
    b->range =
        net_grow(b, b->range, b->nranges, &b->range_cap, sizeof(*b->range), e);
    if (!b->range)
        return -1;
    b->range[b->nranges++] = (struct net_range){ lo, hi };
    return 0;
}

static int add_port(struct net_build *b, const struct net_port *port,
                    enum net_proto proto, struct err *e)
{
    if (proto == NET_ICMP || port->port == 0)
        return add_range(b, 0, UINT16_MAX, e);
    return add_range(b, port->port,
                     port->end_port ? port->end_port : port->port, e);
}

static int by_lo(const void *x, const void *y)
{
    const struct net_range *a = x, *b = y;

    return (int)a->lo - (int)b->lo;
}

/* Unite what overlaps or touches; the number that is left. */
static size_t unite(struct net_range *r, size_t n)
{
    size_t w = 0;

    if (n > 1)
        qsort(r, n, sizeof(*r), by_lo);
    for (size_t i = 0; i < n; i++) {
        if (w == 0 || r[i].lo > (uint32_t)r[w - 1].hi + 1)
            r[w++] = r[i];
        else if (r[i].hi > r[w - 1].hi)
            r[w - 1].hi = r[i].hi;
    }
    return w;
}

static int check_ports(const struct net_source *s, struct err *e)
{
    char origin[64];

    for (size_t i = 0; i < s->rule->nports; i++) {
        const struct net_port *port = &s->rule->ports[i];

        if (!port->end_port || (port->port && port->end_port >= port->port))
            continue;
        net_origin_print(s->origin, origin);
        err_set(e, ERR_POLICY_VALIDATION, "'endPort' is below 'port'");
        return err_where(e, "%s.ports[%zu]", origin, i);
    }
    return 0;
}

int net_lower_ports(struct net_build *b, uint32_t rank, struct err *e)
{
    static const struct net_port any;
    struct net_lowered *to = &b->rule[rank];
    const struct net_rule *r = to->source->rule;
    const struct net_port *port = r->nports ? r->ports : &any;
    size_t nports = r->nports ? r->nports : 1;

    if (check_ports(to->source, e) < 0)
        return -1;
    to->first = (uint32_t)b->nranges;
    for (int proto = 0; proto < NET_PROTOS; proto++) {
        size_t from = b->nranges;

        for (size_t i = 0; i < nports; i++)
            if (speaks_of(&port[i], (enum net_proto)proto) &&
                add_port(b, &port[i], (enum net_proto)proto, e) < 0)
                return -1;
        if (b->nranges > from)
            b->nranges = from + unite(b->range + from, b->nranges - from);
        to->n[proto] = (uint32_t)(b->nranges - from);
    }
    return 0;
}
