/* decide.c - the rules' word on a target. */
#include "gateway/gw.h"

void decide(struct gw *g, const struct target *t, enum net_proto proto,
            struct net_verdict *out)
{
    struct net_verdict own;

    if (t->name) {
        net_decide_name(&g->rules, t->name, proto, t->port, out);
        return;
    }
    net_decide(&g->rules, &t->addr, proto, t->port, false, out);
    if (!out->is_allowed)
        return;
    /* Asked of the kernel only where it can change anything. */
    net_decide(&g->rules, &t->addr, proto, t->port, true, &own);
    if (!own.is_allowed && is_own_address(g, &t->addr))
        *out = own;
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
