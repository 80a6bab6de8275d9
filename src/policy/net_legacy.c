/* net_legacy.c - the network of former contracts, as rules of today.
 *
 * An entry is a name, an address or a block, for every protocol and port.
 * Former products let a list of names stand for the addresses that these had
 * at the start; here a name is a name (docs/network.md). */
#include "contract/cidr.h"
#include "contract/proxy.h"
#include "policy/policy.h"

static int add_host(struct policy *p, struct arena *a,
                    const struct legacy_hosts *l, size_t i, struct err *e)
{
    struct net_peer *peer = arena_alloc(a, sizeof(*peer));
    struct net_rule *rule = arena_alloc(a, sizeof(*rule));
    const char *text = l->hosts->item[i], *why;
    struct cidr block;

    if (!peer || !rule)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for network rules");
    if (cidr_parse(text, &block, &why) == 0) {
        peer->cidr = text;
    } else {
        why = net_host_wrong(text);
        peer->host = text;
    }
    if (peer->host && why) {
        err_set(e, ERR_MALFORMED_REQUEST, "host '%s': %s", text, why);
        return err_where(e, "%s[%zu]", l->path, i);
    }
    *rule = (struct net_rule){ .to = peer, .nto = 1 };
    return policy_add_net(
        p, a, &(struct net_source){ l->action, rule, { l->from, (uint32_t)i } },
        l->path, e);
}

/* Former products let the workload go past a proxy; here it cannot.  A proxy
 * elsewhere would need a rule beside it, and then be passed on its own
 * address. */
static int add_proxy(struct policy *p, struct arena *a, const char *url,
                     struct err *e)
{
    struct proxy_url u;
    const char *why;

    if (policy_set_proxy(p, a, url, "network.proxy", e) < 0)
        return -1;
    if (p->containment == CONTAIN_WSLC || p->containment == CONTAIN_LXC ||
        proxy_parse(url, &u, &why) < 0 || proxy_is_loopback(&u))
        return 0;
    err_set(e, ERR_POLICY_VALIDATION,
            "proxy '%s' is not on this host's loopback", url);
    err_hint(e, "forward a port of the loopback to it, and name that one");
    return err_where(e, "network.proxy.url");
}

int policy_add_legacy(struct policy *p, struct arena *a,
                      const struct net_legacy *n, struct err *e)
{
    const struct legacy_hosts lists[] = {
        { n->blocked, "network.blockedHosts", NET_DENY, NET_FROM_BLOCKED },
        { n->allowed, "network.allowedHosts", NET_ALLOW, NET_FROM_ALLOWED },
    };

    policy_need(p, FEAT_NET_DENY, "network", "no network");
    if (n->allows_by_default && n->proxy)
        policy_warn(p, "network.defaultPolicy: beside network.proxy nothing "
                       "else is let out");
    else if (n->allows_by_default)
        policy_allow_internet(p, "network.defaultPolicy");
    if (n->allows_local)
        policy_need(p, FEAT_NET_INGRESS, "network.allowLocalNetwork",
                    "incoming connections from other machines");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (size_t k = 0; lists[i].hosts && k < lists[i].hosts->n; k++)
            if (add_host(p, a, &lists[i], k, e) < 0)
                return -1;
    if (n->filtering_proxy)
        policy_set_filtering_proxy(p, "network.proxy.builtinTestServer");
    return n->proxy ? add_proxy(p, a, n->proxy, e) : 0;
}
