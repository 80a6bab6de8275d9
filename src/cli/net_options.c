/* net_options.c - the values of the network's options.
 *
 * A port is what follows the last colon, except in a bare IPv6 address, which
 * has none: with a port it stands in brackets, as in a URL. */
#include <string.h>

#include "base/num.h"
#include "cli/cli.h"
#include "contract/cidr.h"
#include "contract/proxy.h"

enum { MAX_FLAGS = 16384 };

static const char no_room[] = "too many of these";

/* "443" or "8000-8010". */
static const char *read_ports(struct arena *a, const char *text,
                              struct net_port *out)
{
    const char *dash = strchr(text, '-');
    const char *low =
        dash ? arena_strndup(a, text, (size_t)(dash - text)) : text;
    uint64_t from, to;

    if (!low || num_u64(low, UINT16_MAX, &from) < 0 || from == 0)
        return "expected a port from 1 to 65535";
    if (!dash) {
        *out = (struct net_port){ .port = (uint16_t)from };
        return NULL;
    }
    if (num_u64(dash + 1, UINT16_MAX, &to) < 0 || to < from)
        return "expected a range of ports, the lower one first";
    *out =
        (struct net_port){ .port = (uint16_t)from, .end_port = (uint16_t)to };
    return NULL;
}

/* What stands before the port, without brackets; *ports is NULL when there is
 * no port. */
static const char *split(struct arena *a, const char *arg, const char **head,
                         const char **ports)
{
    const char *colon = strchr(arg, ':'), *end;

    *ports = NULL;
    if (strstr(arg, "://"))
        return "expected a name or an address without a scheme or a path";
    if (arg[0] == '[') {
        end = strchr(arg, ']');
        if (!end)
            return "expected ']'";
        if (end[1] != '\0' && end[1] != '/' && end[1] != ':')
            return "expected '/' or ':' behind ']'";
        colon = strchr(end, ':');
        *head = arena_printf(
            a, "%.*s%.*s", (int)(end - arg - 1), arg + 1,
            (int)(colon ? colon - end - 1 : (ptrdiff_t)strlen(end + 1)),
            end + 1);
        if (!strchr(*head ? *head : "", ':'))
            return "only an IPv6 address stands in brackets";
    } else if (colon && !strchr(colon + 1, ':')) {
        *head = arena_strndup(a, arg, (size_t)(colon - arg));
    } else {
        colon = NULL;
        *head = arg;
    }
    if (colon)
        *ports = colon + 1;
    return *head ? NULL : no_room;
}

/* Room for one more rule of a kind; its ordinal is counted here. */
static struct net_rule *new_rule(struct cli *c, enum net_list list,
                                 bool has_peer, bool has_ports)
{
    struct net_flags *f = &c->flags.net;
    struct net_rule *rule = arena_alloc(&c->arena, sizeof(*rule));
    uint32_t before = 0;

    if (!f->rule)
        f->rule = arena_array(&c->arena, MAX_FLAGS, sizeof(*f->rule));
    if (!f->rule || !rule || f->nrules == MAX_FLAGS)
        return NULL;
    if (has_peer)
        rule->to = arena_alloc(&c->arena, sizeof(*rule->to));
    if (has_ports)
        rule->ports = arena_alloc(&c->arena, sizeof(*rule->ports));
    if ((has_peer && !rule->to) || (has_ports && !rule->ports))
        return NULL;
    rule->nto = has_peer;
    rule->nports = has_ports;
    for (size_t i = 0; i < f->nrules; i++)
        before += f->rule[i].origin.list == (uint32_t)list;
    f->rule[f->nrules++] = (struct net_source){
        .action = list == NET_FROM_DENY_NET ? NET_DENY : NET_ALLOW,
        .rule = rule,
        .origin = { list, before },
    };
    return rule;
}

static const char *add_rule(struct cli *c, enum net_list list,
                            const struct net_peer *peer, const char *ports)
{
    struct net_port port = { 0 };
    const char *why = ports ? read_ports(&c->arena, ports, &port) : NULL;
    struct net_rule *rule;

    if (why)
        return why;
    rule = new_rule(c, list, peer != NULL, ports != NULL);
    if (!rule)
        return no_room;
    if (peer)
        rule->to[0] = *peer;
    if (ports)
        rule->ports[0] = port;
    return NULL;
}

static const char *allow_host(struct cli *c, enum net_list list,
                              const char *arg)
{
    struct net_peer peer = { .intranet = list == NET_FROM_ALLOW_INTRANET };
    const char *ports, *why = split(&c->arena, arg, &peer.host, &ports);
    struct cidr address;

    if (why)
        return why;
    if (cidr_parse(peer.host, &address, &why) == 0)
        return "for an address there is --allow-net";
    why = net_host_wrong(peer.host);
    return why ? why : add_rule(c, list, &peer, ports);
}

static const char *add_net(struct cli *c, enum net_list list, const char *arg)
{
    struct net_peer peer = { 0 };
    const char *ports, *why = split(&c->arena, arg, &peer.cidr, &ports);
    struct cidr block;

    if (why)
        return why;
    if (strcmp(peer.cidr, "internet") == 0) {
        if (list == NET_FROM_DENY_NET)
            return "it is refused unless something allows it";
        if (ports)
            return add_rule(c, list, NULL, ports);
        c->flags.net.internet = true;
        return NULL;
    }
    if (cidr_parse(peer.cidr, &block, &why) < 0)
        return why;
    return add_rule(c, list, &peer, ports);
}

/* "3000" or "3000:8080". */
static const char *read_pair(struct arena *a, const char *arg, uint64_t pair[2],
                             bool *has_two)
{
    const char *colon = strchr(arg, ':');
    const char *first =
        colon ? arena_strndup(a, arg, (size_t)(colon - arg)) : arg;

    *has_two = colon != NULL;
    pair[1] = 0;
    if (!first || num_u64(first, UINT16_MAX, &pair[0]) < 0 || pair[0] == 0 ||
        (colon && num_u64(colon + 1, UINT16_MAX, &pair[1]) < 0))
        return "expected ports from 1 to 65535";
    return NULL;
}

static const char *append(struct arena *a, struct net_forward **list, size_t *n,
                          struct net_forward f)
{
    if (!*list)
        *list = arena_array(a, MAX_FLAGS, sizeof(**list));
    if (!*list || *n == MAX_FLAGS)
        return no_room;
    (*list)[(*n)++] = f;
    return NULL;
}

static const char *publish(struct cli *c, const char *arg)
{
    struct net_flags *f = &c->flags.net;
    uint64_t pair[2];
    bool has_two;
    const char *why = read_pair(&c->arena, arg, pair, &has_two);

    return why ? why
               : append(&c->arena, &f->publish, &f->npublish,
                        (struct net_forward){ .guest = (uint16_t)pair[0],
                                              .host = (uint16_t)pair[1] });
}

static const char *serve(struct cli *c, const char *arg)
{
    struct net_flags *f = &c->flags.net;
    uint64_t pair[2];
    bool has_two;
    const char *why = read_pair(&c->arena, arg, pair, &has_two);

    if (why)
        return why;
    if (has_two && pair[1] == 0)
        return "expected ports from 1 to 65535";
    return append(
        &c->arena, &f->service, &f->nservices,
        (struct net_forward){ .guest = (uint16_t)pair[has_two ? 1 : 0],
                              .host = (uint16_t)pair[0] });
}

static const char *set_proxy(struct cli *c, const char *arg)
{
    struct net_flags *f = &c->flags.net;
    struct proxy_url url;
    const char *why;

    if (f->proxy || f->builtin_proxy)
        return "a second proxy";
    if (strcmp(arg, "builtin") == 0) {
        f->builtin_proxy = true;
        return NULL;
    }
    if (proxy_parse(arg, &url, &why) < 0)
        return why;
    if (!proxy_is_loopback(&url))
        return "the proxy must be on localhost, 127.0.0.1 or [::1]";
    f->proxy = arg;
    return NULL;
}

const char *net_option(struct cli *c, int id, const char *arg,
                       const char **hint)
{
    switch (id) {
    case ID_ALLOW_HOST:
        *hint = "--allow-host example.com, example.com:443 or "
                "'*.example.com:8000-8010'";
        return allow_host(c, NET_FROM_ALLOW_HOST, arg);
    case ID_ALLOW_INTRANET:
        *hint = "--allow-intranet-host wiki.example.com:443";
        return allow_host(c, NET_FROM_ALLOW_INTRANET, arg);
    case ID_ALLOW_NET:
        *hint = "--allow-net 192.0.2.0/24:443, 192.0.2.1, "
                "[2001:db8::]/32:443, 2001:db8::/32 or internet";
        return add_net(c, NET_FROM_ALLOW_NET, arg);
    case ID_DENY_NET:
        *hint = "--deny-net 192.0.2.0/24:443, 192.0.2.1, "
                "[2001:db8::]/32:443 or 2001:db8::/32";
        return add_net(c, NET_FROM_DENY_NET, arg);
    case ID_PUBLISH:
        *hint = "--publish 3000, or 3000:8080 for the host's port 8080";
        return publish(c, arg);
    case ID_SERVICE:
        *hint = "--host-service 5432, or 5432:15432 for the sandbox's port "
                "15432";
        return serve(c, arg);
    default:
        *hint = "--proxy http://127.0.0.1:8080 or --proxy builtin";
        return set_proxy(c, arg);
    }
}
