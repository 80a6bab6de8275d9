/* decide.c - the rules' word on a target. */
#include "gateway/gw.h"

/* Asked of the kernel. */
static bool is_own(void *arg, const struct net_addr *a)
{
    return is_own_address(arg, a);
}

void decide(struct gw *g, const struct target *t, enum net_proto proto,
            struct net_verdict *out)
{
    if (t->name)
        net_decide_name(&g->rules, t->name, proto, t->port, out);
    else
        net_decide_asking(&g->rules, &t->addr, proto, t->port, is_own, g, out);
}

bool may_lead_to(struct gw *g, const struct net_addr *a, enum net_proto proto,
                 uint16_t port, bool intranet)
{
    struct net_verdict v;

    if (!net_may_lead_to(a, intranet, is_own_address(g, a)))
        return false;
    /* That no rule allows the address itself is what the name is for. */
    net_decide(&g->rules, a, proto, port, false, &v);
    return v.is_allowed || v.why != NET_BY_RULE;
}
