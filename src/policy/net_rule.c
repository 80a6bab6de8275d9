/* net_rule.c - rules before compilation: collected, asked about, named. */
#include "policy/net.h"

#include <stdio.h>
#include <string.h>

int net_add(struct net_policy *p, struct arena *a, enum net_action action,
            const struct net_rule *rule, struct net_origin origin,
            struct err *e)
{
    if (p->nsources == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 16;
        struct net_source *more = arena_array(a, cap, sizeof(*more));

        if (!more)
            return err_set(e, ERR_BACKEND_ERROR,
                           "out of memory for network rules");
        if (p->nsources)
            memcpy(more, p->source, p->nsources * sizeof(*more));
        p->source = more;
        p->cap = cap;
    }
    p->source[p->nsources++] = (struct net_source){ action, rule, origin };
    return 0;
}

bool net_has_egress(const struct net_policy *p)
{
    /* Nothing may pass, and the gateway tells what would. */
    if (p->egress_default == NET_ALLOW || p->is_told)
        return true;
    for (size_t i = 0; i < p->nsources; i++)
        if (p->source[i].action == NET_ALLOW)
            return true;
    return false;
}

bool net_needs_gateway(const struct net_policy *p)
{
    return net_has_egress(p) || p->npublish || p->nservices ||
           p->filtering_proxy;
}

static bool rule_has_icmp(const struct net_rule *r)
{
    for (size_t i = 0; i < r->nports; i++)
        if (r->ports[i].protocol == PROTO_ICMP ||
            (r->ports[i].protocol == PROTO_ANY && r->ports[i].port == 0))
            return true;
    return r->nports == 0;
}

bool net_has_icmp(const struct net_policy *p)
{
    if (p->egress_default == NET_ALLOW)
        return true;
    for (size_t i = 0; i < p->nsources; i++)
        if (p->source[i].action == NET_ALLOW &&
            rule_has_icmp(p->source[i].rule))
            return true;
    return false;
}

static const char *ordinal(uint64_t n)
{
    if (n % 100 >= 11 && n % 100 <= 13)
        return "th";
    switch (n % 10) {
    case 1:
        return "st";
    case 2:
        return "nd";
    case 3:
        return "rd";
    default:
        return "th";
    }
}

void net_origin_print(struct net_origin o, char out[64])
{
    static const char *const flag[NET_FROM_END] = {
        [NET_FROM_ALLOW_HOST] = "--allow-host",
        [NET_FROM_ALLOW_NET] = "--allow-net",
        [NET_FROM_DENY_NET] = "--deny-net",
        [NET_FROM_ALLOW_INTRANET] = "--allow-intranet-host",
    };
    static const char *const list[NET_FROM_END] = {
        [NET_FROM_ALLOW] = "network.egress.allow",
        [NET_FROM_DENY] = "network.egress.deny",
        [NET_FROM_ALLOWED] = "network.allowedHosts",
        [NET_FROM_BLOCKED] = "network.blockedHosts",
    };
    uint64_t number = (uint64_t)o.index + 1;

    if (o.list < NET_FROM_END && list[o.list])
        (void)snprintf(out, 64, "%s[%u]", list[o.list], o.index);
    else if (o.list < NET_FROM_END && flag[o.list])
        (void)snprintf(out, 64, "%s (%llu%s)", flag[o.list],
                       (unsigned long long)number, ordinal(number));
    else
        (void)snprintf(out, 64, "network.egress.default");
}
