/* net_text.c - the network part of a policy as text, one clause in a line, for
 * comparing two of them: what is written the same is the same, wherever it was
 * written. */
#include <string.h>

#include "policy/net.h"

static void put_ports(struct buf *b, const struct net_rule *r)
{
    static const char *const protocols[] = { "any", "tcp", "udp", "icmp" };

    for (size_t i = 0; i < r->nports; i++) {
        const struct net_port *p = &r->ports[i];

        buf_printf(b, " %s:%u-%u", protocols[p->protocol], p->port,
                   p->end_port ? p->end_port : p->port);
    }
}

static void put_rule(struct buf *b, const struct net_source *s)
{
    const struct net_rule *r = s->rule;

    buf_puts(b, s->action == NET_ALLOW ? "allow" : "deny");
    for (size_t i = 0; i < r->nto; i++) {
        const struct net_peer *p = &r->to[i];

        buf_printf(b, "%s %s%s", i ? "," : "", p->host ? p->host : p->cidr,
                   p->intranet ? " intranet" : "");
        for (size_t k = 0; k < p->except.n; k++)
            buf_printf(b, " except %s", p->except.item[k]);
    }
    put_ports(b, r);
    buf_putc(b, '\n');
}

void net_print(struct buf *b, const struct net_policy *p)
{
    if (!net_needs_gateway(p))
        return;
    buf_printf(b, "default %s\n",
               p->egress_default == NET_ALLOW ? "allow" : "deny");
    for (size_t i = 0; i < p->nsources; i++)
        put_rule(b, &p->source[i]);
    for (size_t i = 0; i < p->npublish; i++)
        buf_printf(b, "publish %u %u\n", p->publish[i].guest,
                   p->publish[i].host);
    for (size_t i = 0; i < p->nservices; i++)
        buf_printf(b, "service %u %s%u\n", p->service[i].guest,
                   p->service[i].is_v6 ? "[::1]:" : "", p->service[i].host);
    if (p->proxy_url)
        buf_printf(b, "proxy %s\n", p->proxy_url);
    if (p->filtering_proxy)
        buf_puts(b, "filtering proxy\n");
}
