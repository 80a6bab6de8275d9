/* explain_network.c - the network part of `mxc explain`: each rule as it was
 * written, with its origin. */
#include <stdio.h>

#include "api/explain.h"

/* Peers of one rule that are shown without --all. */
enum { SHOWN_PEERS = 10 };

/* ": tcp 443, 8000-8010"; nothing where all is meant. */
static void put_ports(struct buf *b, const struct net_rule *r)
{
    static const char *const protocols[] = { "", "tcp", "udp", "icmp" };

    for (size_t i = 0; i < r->nports; i++) {
        const struct net_port *p = &r->ports[i];

        buf_puts(b, i ? ", " : ": ");
        buf_puts(b, protocols[p->protocol]);
        if (!p->port) {
            buf_puts(b, p->protocol == PROTO_ANY ? "everything" : "");
            continue;
        }
        buf_printf(b, "%s%u", p->protocol == PROTO_ANY ? "" : " ", p->port);
        if (p->end_port > p->port)
            buf_printf(b, "-%u", p->end_port);
    }
}

static void put_peer(struct buf *b, const struct net_peer *p)
{
    buf_puts(b, p->host ? p->host : p->cidr);
    buf_puts(b, p->intranet ? " (also at private addresses)" : "");
    for (size_t i = 0; i < p->except.n; i++)
        buf_printf(b, "%s%s", i ? ", " : " except ", p->except.item[i]);
}

static void rule_row(struct buf *b, const struct net_source *s,
                     const struct net_peer *peer, const char *origin)
{
    struct buf text = { .max = 1 << 16 };

    if (peer)
        put_peer(&text, peer);
    else
        buf_puts(&text, s->action == NET_ALLOW ? "the public internet"
                                               : "every address");
    put_ports(&text, s->rule);
    explain_row(b, s->action == NET_ALLOW ? "allow" : "deny",
                text.failed ? "(too long to show)" : text.data, origin);
    buf_drop(&text);
}

static void explain_rule(struct buf *b, const struct net_source *s, bool all)
{
    const struct net_rule *r = s->rule;
    char origin[64], more[64];
    size_t shown = all || r->nto <= SHOWN_PEERS ? r->nto : SHOWN_PEERS;

    net_origin_print(s->origin, origin);
    if (r->nto == 0)
        rule_row(b, s, NULL, origin);
    for (size_t i = 0; i < shown; i++)
        rule_row(b, s, &r->to[i], origin);
    if (shown == r->nto)
        return;
    (void)snprintf(more, sizeof(more), "and %zu more", r->nto - shown);
    explain_row(b, "", more, origin);
}

static void explain_forwards(struct buf *b, const struct policy *p)
{
    const struct net_policy *n = &p->net;
    char text[80];

    for (size_t i = 0; i < n->npublish; i++) {
        if (n->publish[i].host)
            (void)snprintf(text, sizeof(text), "%u as the host's %u",
                           n->publish[i].guest, n->publish[i].host);
        else
            (void)snprintf(text, sizeof(text), "%u as a free port of the host",
                           n->publish[i].guest);
        explain_row(b, "publish", text, p->publish_from[i]);
    }
    for (size_t i = 0; i < n->nservices; i++) {
        (void)snprintf(text, sizeof(text), "the host's %s%u as its own %u",
                       n->service[i].is_v6 ? "[::1]:" : "", n->service[i].host,
                       n->service[i].guest);
        explain_row(b, "service", text, p->service_from[i]);
    }
}

void explain_network(struct buf *b, const struct policy *p, bool all)
{
    const struct net_policy *n = &p->net;

    buf_puts(b, "\nNetwork\n");
    if (!net_needs_gateway(n)) {
        buf_puts(b, "  none: no connection leaves the sandbox, and none comes "
                    "in\n");
        return;
    }
    explain_row(b, "default",
                n->egress_default == NET_ALLOW
                    ? "the public internet is allowed"
                    : "refused",
                n->egress_default == NET_ALLOW ? p->egress_origin : "default");
    for (size_t i = 0; i < n->nsources; i++)
        if (n->source[i].action == NET_DENY)
            explain_rule(b, &n->source[i], all);
    for (size_t i = 0; i < n->nsources; i++)
        if (n->source[i].action == NET_ALLOW)
            explain_rule(b, &n->source[i], all);
    explain_forwards(b, p);
    if (n->proxy_url)
        explain_row(b, "proxy", n->proxy_url, p->proxy_origin);
    if (n->filtering_proxy)
        explain_row(b, "proxy", "built in, obeys the rules", p->proxy_origin);
    if (net_has_egress(n))
        buf_puts(b, "  Deny comes before allow. Special addresses (private, "
                    "link-local, this host's)\n  need a rule of their own.\n");
}
