/* net_request.c - the network part of a policy, from requests and flags.
 *
 * What a rule means is decided elsewhere (net.h); here is which rules there
 * are, and what a backend must be able to do for them. */
#include <string.h>

#include "base/port_set.h"
#include "contract/proxy.h"
#include "policy/policy.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR, "out of memory for network rules");
}

static bool has_names(const struct net_rule *r)
{
    for (size_t i = 0; i < r->nto; i++)
        if (r->to[i].host)
            return true;
    return false;
}

int policy_add_net(struct policy *p, struct arena *a,
                   const struct net_source *s, const char *origin,
                   struct err *e)
{
    if (net_add(&p->net, a, s->action, s->rule, s->origin, e) < 0)
        return -1;
    if (s->action == NET_ALLOW)
        policy_need(p, FEAT_NET_EGRESS, origin,
                    "rules for outgoing connections");
    if (has_names(s->rule))
        policy_need(p, FEAT_NET_NAMES, origin, "rules for host names");
    return 0;
}

void policy_allow_internet(struct policy *p, const char *origin)
{
    p->net.egress_default = NET_ALLOW;
    p->egress_origin = origin;
    policy_need(p, FEAT_NET_EGRESS, origin, "outgoing connections");
}

/* A list that grows by doubling, with a second one of origins beside it. */
struct grown {
    struct net_forward *item;
    const char **from;
};

static int append(struct arena *a, struct grown *list, size_t n,
                  struct net_forward f, const char *origin, struct err *e)
{
    if ((n & (n - 1)) == 0) {
        size_t cap = n ? 2 * n : 1;
        struct net_forward *item = arena_array(a, cap, sizeof(*item));
        const char **from = arena_array(a, cap, sizeof(*from));

        if (!item || !from)
            return no_memory(e);
        if (n) {
            memcpy(item, list->item, n * sizeof(*item));
            memcpy(from, list->from, n * sizeof(*from));
        }
        *list = (struct grown){ item, from };
    }
    list->item[n] = f;
    list->from[n] = origin;
    return 0;
}

int policy_publish(struct policy *p, struct arena *a, struct net_forward f,
                   const char *origin, struct err *e)
{
    struct grown list = { p->net.publish, p->publish_from };

    if (append(a, &list, p->net.npublish, f, origin, e) < 0)
        return -1;
    p->net.publish = list.item;
    p->publish_from = list.from;
    p->net.npublish++;
    policy_need(p, FEAT_NET_FORWARD, origin, "published ports");
    return 0;
}

static int add_service(struct policy *p, struct arena *a, struct net_forward f,
                       const char *origin, struct err *e)
{
    struct grown list = { p->net.service, p->service_from };

    if (append(a, &list, p->net.nservices, f, origin, e) < 0)
        return -1;
    p->net.service = list.item;
    p->service_from = list.from;
    p->net.nservices++;
    return 0;
}

int policy_serve(struct policy *p, struct arena *a, struct net_forward f,
                 const char *origin, struct err *e)
{
    policy_need(p, FEAT_NET_FORWARD, origin, "services of the host");
    return add_service(p, a, f, origin, e);
}

static bool is_served(const struct net_policy *n, struct net_forward f)
{
    for (size_t i = 0; i < n->nservices; i++)
        if (n->service[i].guest == f.guest && n->service[i].host == f.host &&
            n->service[i].is_v6 == f.is_v6)
            return true;
    return false;
}

static int bad_proxy(struct err *e, const char *origin, const char *why)
{
    err_set(e, ERR_POLICY_VALIDATION, "proxy: %s", why);
    return err_where(e, "%s", origin);
}

int policy_set_proxy(struct policy *p, struct arena *a, const char *url,
                     const char *origin, struct err *e)
{
    struct net_forward f = { 0 };
    struct proxy_url u;
    const char *why;

    if (p->net.proxy_url)
        return bad_proxy(e, origin, "there is another one already");
    if (proxy_parse(url, &u, &why) < 0)
        return bad_proxy(e, origin, why);
    /* The workload could read them, in its environment. */
    if (u.has_userinfo) {
        bad_proxy(e, origin,
                  "its URL holds credentials, which the workload "
                  "would see");
        return err_hint(e, "let a proxy on the host add them");
    }
    p->net.proxy_url = url;
    p->proxy_origin = origin;
    policy_need(p, FEAT_NET_PROXY, origin, "a proxy");
    /* The contract allows others for backends that are given no service. */
    if (!proxy_is_loopback(&u))
        return 0;
    f = (struct net_forward){ .guest = u.port,
                              .host = u.port,
                              .is_v6 = strchr(u.host, ':') != NULL };
    return is_served(&p->net, f) ? 0 : add_service(p, a, f, origin, e);
}

void policy_set_filtering_proxy(struct policy *p, const char *origin)
{
    p->net.filtering_proxy = true;
    p->proxy_origin = origin;
    policy_need(p, FEAT_NET_FILTER_PROXY, origin, "the built-in proxy");
}

/* --- together -------------------------------------------------------- */

static int check_ports(const struct net_forward *f, const char *const *from,
                       size_t n, struct port_set *guests, struct err *e)
{
    struct port_set hosts = { 0 };

    for (size_t i = 0; i < n; i++) {
        bool is_guest = port_set_add(guests, f[i].guest);

        /* ::1 and 127.0.0.1 are two hosts. */
        if (!is_guest &&
            (f[i].host == 0 || f[i].is_v6 || !port_set_add(&hosts, f[i].host)))
            continue;
        err_set(e, ERR_POLICY_VALIDATION, "port %u of the %s has two meanings",
                is_guest ? f[i].guest : f[i].host,
                is_guest ? "sandbox" : "host");
        return err_where(e, "%s", from[i]);
    }
    return 0;
}

static int check_proxies(const struct policy *p, struct err *e)
{
    const struct net_policy *n = &p->net;

    if (!n->proxy_url)
        return 0;
    if (n->filtering_proxy)
        return bad_proxy(e, p->proxy_origin,
                         "either the built-in one or one of the host");
    if (n->egress_default == NET_ALLOW || n->nsources > 0) {
        bad_proxy(e, p->proxy_origin,
                  "it is the only way out, beside which no rule can stand");
        return err_hint(e, "leave the rules out, or use the built-in proxy");
    }
    return 0;
}

int policy_check_network(const struct policy *p, struct err *e)
{
    const struct net_policy *n = &p->net;
    struct port_set guests = { 0 };

    if (check_proxies(p, e) < 0)
        return -1;
    if (n->npublish > NET_MAX_PUBLISHED || n->nservices > NET_MAX_SERVICES) {
        bool is_published = n->npublish > NET_MAX_PUBLISHED;

        err_set(e, ERR_POLICY_VALIDATION, "more than %d %s",
                is_published ? NET_MAX_PUBLISHED : NET_MAX_SERVICES,
                is_published ? "published ports" : "services of the host");
        return err_where(e, "%s",
                         is_published ? p->publish_from[NET_MAX_PUBLISHED]
                                      : p->service_from[NET_MAX_SERVICES]);
    }
    if (n->filtering_proxy)
        (void)port_set_add(&guests, NET_PROXY_PORT);
    if (check_ports(n->publish, p->publish_from, n->npublish, &guests, e) < 0)
        return -1;
    return check_ports(n->service, p->service_from, n->nservices, &guests, e);
}

/* --- from a request -------------------------------------------------- */

struct list {
    const struct net_rules *rules;
    const char *path;
    enum net_action action;
    enum net_list from;
};

/* What the contract's format let through. */
static int check_names(const struct list *l, size_t i, struct err *e)
{
    const struct net_rule *r = &l->rules->item[i];

    for (size_t j = 0; j < r->nto; j++) {
        const char *why = r->to[j].host ? net_host_wrong(r->to[j].host) : NULL;

        if (!why)
            continue;
        err_set(e, ERR_MALFORMED_REQUEST, "host '%s': %s", r->to[j].host, why);
        return err_where(e, "%s[%zu].to[%zu].host", l->path, i, j);
    }
    return 0;
}

static int take_rules(struct policy *p, struct arena *a, const struct list *l,
                      struct err *e)
{
    for (size_t i = 0; i < l->rules->n; i++) {
        const struct net_source s = { l->action,
                                      &l->rules->item[i],
                                      { l->from, (uint32_t)i } };

        if (check_names(l, i, e) < 0 ||
            policy_add_net(p, a, &s, l->path, e) < 0)
            return -1;
    }
    return 0;
}

static int take_forwards(struct policy *p, struct arena *a,
                         const struct request *r, struct err *e)
{
    for (size_t i = 0; i < r->network.npublish; i++) {
        const struct net_pair *pair = &r->network.publish[i];
        const char *from = arena_printf(a, "network.ingress.ports[%zu]", i);

        if (!from)
            return no_memory(e);
        if (policy_publish(p, a,
                           (struct net_forward){ pair->guest,
                                                 (uint16_t)pair->host, false },
                           from, e) < 0)
            return -1;
    }
    for (size_t i = 0; i < r->network.nservices; i++) {
        const struct net_pair *pair = &r->network.service[i];
        uint16_t host = (uint16_t)pair->host;
        const char *from =
            arena_printf(a, "network.ingress.hostServices[%zu]", i);

        if (!from)
            return no_memory(e);
        if (policy_serve(p, a,
                         (struct net_forward){ pair->guest ? pair->guest : host,
                                               host, false },
                         from, e) < 0)
            return -1;
    }
    return 0;
}

static int take_legacy(struct policy *p, struct arena *a,
                       const struct legacy_network *from, struct err *e)
{
    struct net_legacy n = {
        .allows_by_default = from->default_policy == NET_ALLOW,
        .allows_local = from->allow_local,
        .allowed = &from->allowed,
        .blocked = &from->blocked,
        .proxy = from->proxy_url,
        .filtering_proxy = from->proxy_builtin,
    };

    if (from->proxy_port) {
        n.proxy = arena_printf(a, "http://127.0.0.1:%u", from->proxy_port);
        if (!n.proxy)
            return no_memory(e);
    }
    return policy_add_legacy(p, a, &n, e);
}

int policy_from_network(struct policy *p, struct arena *a,
                        const struct request *r, struct err *e)
{
    const struct list deny = { &r->network.egress_deny, "network.egress.deny",
                               NET_DENY, NET_FROM_DENY };
    const struct list allow = { &r->network.egress_allow,
                                "network.egress.allow", NET_ALLOW,
                                NET_FROM_ALLOW };

    if (r->network.legacy.present)
        return take_legacy(p, a, &r->network.legacy, e);
    policy_need(p, FEAT_NET_DENY, "network", "no network");
    if (r->network.egress_default == NET_ALLOW)
        policy_allow_internet(p, "network.egress.default");
    if (r->network.ingress_default == NET_ALLOW)
        policy_need(p, FEAT_NET_INGRESS, "network.ingress.default",
                    "incoming connections from other machines");
    /* With ports it says no more than they do. */
    if (r->network.host_loopback == NET_ALLOW && !r->network.npublish &&
        !r->network.nservices)
        policy_need(p, FEAT_NET_LOOPBACK, "network.ingress.hostLoopback",
                    "the host's loopback without a list of ports");
    if (take_rules(p, a, &deny, e) < 0 || take_rules(p, a, &allow, e) < 0 ||
        take_forwards(p, a, r, e) < 0)
        return -1;
    if (r->filtering_proxy)
        policy_set_filtering_proxy(p, "runtimeConfig.filteringProxy");
    return r->network_proxy ? policy_set_proxy(p, a, r->network_proxy,
                                               "runtimeConfig.networkProxy", e)
                            : 0;
}
