/* network.c - the network's part of a native plan.
 *
 * Without rules there is nothing to add: the sandbox's network namespace has
 * its own loopback and no way out.  With them the gateway is the only peer. */
#include "backends/native/build.h"

static bool has_names(const struct net_policy *n)
{
    for (size_t i = 0; i < n->nsources; i++) {
        const struct net_source *s = &n->source[i];

        for (size_t k = 0; s->action == NET_ALLOW && k < s->rule->nto; k++)
            if (s->rule->to[k].host)
                return true;
    }
    return false;
}

/* The gateway answers for names, and for the whole internet; rules for blocks
 * alone let the workload ask the host's own name servers, if they allow it
 * (contract: no rule opens DNS by itself). */
int native_add_resolver(struct builder *b, struct err *e)
{
    static const char path[] = "/etc/resolv.conf";
    const struct net_policy *n = &b->p->net;
    struct net_addr addr;
    char dns[48];

    if (!net_needs_gateway(n))
        return native_add_file(
            b, path, "# no name server: this sandbox has no network\n", e);
    if (has_names(n) || n->egress_default == NET_ALLOW || n->is_told) {
        net_own_v4(NET_OWN_DNS, &addr);
        net_addr_print(&addr, dns);
        return native_add_file(
            b, path, arena_printf(b->a, "nameserver %s\noptions edns0\n", dns),
            e);
    }
    if (!net_has_egress(n))
        return native_add_file(
            b, path, "# no name server: nothing beyond loopback is reached\n",
            e);
    return b->h->resolv_conf ? native_add_file(b, path, b->h->resolv_conf, e)
                             : 0;
}

static int add_sysctl(struct builder *b, const char *path, const char *value,
                      struct err *e)
{
    if (!value)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for the plan");
    return native_add(b, STEP_SYSCTL, 0, 0, 0, path, value, e);
}

/* Echo requests are the gateway's to answer, or not; and the sandbox's one
 * group may make sockets for them (icmp(7)). */
static int add_icmp(struct builder *b, struct err *e)
{
    b->plan->flags |= PLAN_NET_ICMP;
    if (add_sysctl(b, "/proc/sys/net/ipv4/icmp_echo_ignore_all", "1", e) < 0 ||
        native_add(b, STEP_SYSCTL, STEP_OPTIONAL, 0, 0,
                   "/proc/sys/net/ipv6/icmp/echo_ignore_all", "1", e) < 0)
        return -1;
    return add_sysctl(b, "/proc/sys/net/ipv4/ping_group_range",
                      arena_printf(b->a, "%u %u", b->h->gid, b->h->gid), e);
}

static int add_rules(struct builder *b, struct err *e)
{
    struct step s = { .kind = STEP_RULES };
    void *bytes;

    if (net_compile(b->a, &b->p->net, &bytes, &s.text_len, e) < 0)
        return -1;
    s.text = bytes;
    return plan_add(b->plan, b->a, s, e);
}

int native_add_network(struct builder *b, struct err *e)
{
    const struct net_policy *n = &b->p->net;

    if (!net_needs_gateway(n))
        return 0;
    /* Nothing of the sandbox is root, and its ports are its own. */
    if (add_sysctl(b, "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0", e) <
        0)
        return -1;
    /* As the gateway's side of it (sys/netgate_socket.c). */
    if (native_add(b, STEP_SYSCTL, STEP_OPTIONAL, 0, 0,
                   "/proc/sys/net/ipv4/tcp_congestion_control", "reno", e) < 0)
        return -1;
    if (net_has_egress(n))
        b->plan->flags |= PLAN_NET_EGRESS;
    if (n->npublish)
        b->plan->flags |= PLAN_NET_DIAL;
    if (net_has_icmp(n) && add_icmp(b, e) < 0)
        return -1;
    for (size_t i = 0; i < n->nservices; i++)
        if (native_add(b, STEP_LISTEN, 0, n->service[i].guest, 0, NULL, NULL,
                       e) < 0)
            return -1;
    if (n->filtering_proxy &&
        native_add(b, STEP_LISTEN, 0, NET_PROXY_PORT, 0, NULL, NULL, e) < 0)
        return -1;
    return add_rules(b, e);
}
