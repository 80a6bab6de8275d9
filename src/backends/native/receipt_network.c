/* receipt_network.c - the receipt's rows about the network. */
#include <stdio.h>

#include "backends/native/build.h"
#include "plan/clause.h"

enum { LISTED_MAX = 10 };

/* "a, b and 3 more" */
struct listing {
    struct buf text;
    size_t n;
};

static void list(struct listing *l, const char *item)
{
    if (l->n++ < LISTED_MAX)
        buf_printf(&l->text, "%s%s", l->n > 1 ? ", " : "", item);
}

static void put_listing(struct receipt *r, const char *clause,
                        struct listing *l, const char *by)
{
    if (l->n > LISTED_MAX)
        buf_printf(&l->text, " and %zu more", l->n - LISTED_MAX);
    if (l->n)
        native_receipt_put(
            r,
            l->text.failed
                ? NULL
                : arena_printf(r->a, "network: %s: %s", clause, l->text.data),
            by, "enforced");
    buf_drop(&l->text);
}

static void list_names(struct listing *l, const struct net_policy *n,
                       bool intranet)
{
    for (size_t i = 0; i < n->nsources; i++) {
        const struct net_source *s = &n->source[i];

        for (size_t k = 0; s->action == NET_ALLOW && k < s->rule->nto; k++)
            if (s->rule->to[k].host && s->rule->to[k].intranet == intranet)
                list(l, s->rule->to[k].host);
    }
}

static void put_names(struct receipt *r, const struct net_policy *n)
{
    struct listing names = { .text = { .max = 8192 } };
    struct listing intranet = { .text = { .max = 8192 } };

    list_names(&names, n, false);
    list_names(&intranet, n, true);
    put_listing(r, "host names", &names,
                "name server of the gateway, with an address of its own for "
                "each name; the gateway resolves and dials outside, and TLS "
                "and HTTP must name the same host");
    put_listing(
        r, "host names that may lead to private addresses", &intranet,
        "the same, where the gateway accepts private addresses as well");
}

static size_t count(const struct net_policy *n, enum net_action action)
{
    size_t found = 0;

    for (size_t i = 0; i < n->nsources; i++)
        found += n->source[i].action == action;
    return found;
}

static void put_rules(struct receipt *r, const struct net_policy *n)
{
    size_t allow = count(n, NET_ALLOW), deny = count(n, NET_DENY);

    native_receipt_put(
        r,
        n->egress_default == NET_ALLOW
            ? "network: the public internet is allowed by default"
            : "network: nothing is allowed by default",
        "rules in the gateway; special addresses (private, link-local, "
        "metadata, this host's own) need a rule of their own, and IPv6 forms "
        "of IPv4 addresses are judged as those",
        "enforced");
    if (n->nsources)
        native_receipt_put(
            r,
            arena_printf(r->a, "network: %zu allow and %zu deny rules", allow,
                         deny),
            "rules in the gateway, deny before allow, refused at once",
            "enforced");
    if (net_has_icmp(n))
        native_receipt_put(r, "network: ICMP echo alone of ICMP",
                           "sockets for echo requests, which the gateway "
                           "repeats outside; no raw sockets",
                           "enforced");
}

static void put_forwards(struct receipt *r, const struct net_policy *n)
{
    struct listing publish = { .text = { .max = 4096 } };
    struct listing service = { .text = { .max = 4096 } };
    char text[32];

    for (size_t i = 0; i < n->npublish; i++) {
        const struct net_forward *f = &n->publish[i];

        if (f->host)
            (void)snprintf(text, sizeof(text), "%u at %u", f->guest, f->host);
        else
            (void)snprintf(text, sizeof(text), "%u at a free one", f->guest);
        list(&publish, text);
    }
    for (size_t i = 0; i < n->nservices; i++) {
        const struct net_forward *f = &n->service[i];

        (void)snprintf(text, sizeof(text), "%u at %u", f->host, f->guest);
        list(&service, text);
    }
    put_listing(r, "published ports", &publish,
                "listener of the gateway on the host's loopback");
    put_listing(r, "ports of the host's loopback", &service,
                "listener on the sandbox's loopback, which the gateway joins "
                "to that port and no other");
}

static void put_proxies(struct receipt *r, const struct net_policy *n)
{
    if (n->proxy_url)
        native_receipt_put(r, "network: a proxy is the only way out",
                           "its port alone is on the sandbox's loopback; eight "
                           "proxy variables name it",
                           "enforced");
    if (n->filtering_proxy)
        native_receipt_put(r, "network: built-in proxy",
                           "listener of the gateway on the sandbox's loopback "
                           "for HTTP and SOCKS5, under the same rules",
                           "enforced");
}

void native_receipt_network(struct receipt *r, const struct net_policy *n)
{
    if (!net_needs_gateway(n)) {
        native_receipt_put(
            r, clause_name(CLAUSE_NO_NETWORK),
            "network namespace with nothing but its own loopback; AF_VSOCK "
            "and other families refused by seccomp",
            "enforced");
        return;
    }
    native_receipt_put(
        r, clause_name(CLAUSE_GATEWAY),
        "network namespace whose only peer is mxc-gateway: transparent "
        "sockets; the gateway decides each connection, datagram flow and "
        "name; AF_VSOCK and other families refused by seccomp",
        "enforced");
    put_rules(r, n);
    put_names(r, n);
    put_forwards(r, n);
    put_proxies(r, n);
}
