/* check.c - see check.h.
 *
 * These are the rules that hold whatever the machine: those of MXC's parse
 * phase.  What a backend can or cannot enforce is not decided here. */
#include "contract/check.h"

#include <stdio.h>
#include <string.h>

#include "contract/cidr.h"
#include "contract/proxy.h"

/* Holds "network.egress.allow[N].ports[N]" whatever the numbers. */
enum { RULE_PATH_MAX = 96 };

static int fault(struct err *e, const char *where, const char *what)
{
    err_set(e, ERR_MALFORMED_REQUEST, "%s", what);
    return err_where(e, "%s", where);
}

static int check_peer(const struct net_peer *peer,
                      const char where[RULE_PATH_MAX], struct err *e)
{
    char path[sizeof(e->where)];
    struct cidr outer, inner;
    const char *why;

    if (cidr_parse(peer->cidr, &outer, &why) < 0)
        return fault(e, where, why);
    for (size_t i = 0; i < peer->except.n; i++) {
        (void)snprintf(path, sizeof(path), "%.*s.except[%zu]", RULE_PATH_MAX,
                       where, i);
        if (cidr_parse(peer->except.item[i], &inner, &why) < 0)
            return fault(e, path, why);
        if (!cidr_contains(&outer, &inner))
            return fault(e, path, "exception lies outside its 'cidr'");
    }
    return 0;
}

static int check_port(const struct net_port *p, const char *where,
                      struct err *e)
{
    if (p->protocol == PROTO_ICMP && (p->port || p->end_port))
        return fault(e, where, "protocol 'icmp' has no ports");
    if (p->end_port && !p->port)
        return fault(e, where, "'endPort' needs 'port'");
    if (p->end_port && p->end_port < p->port)
        return fault(e, where, "'endPort' is below 'port'");
    return 0;
}

static int check_rules(const struct net_rules *rules, const char *list,
                       struct err *e)
{
    char path[RULE_PATH_MAX];

    for (size_t i = 0; i < rules->n; i++) {
        const struct net_rule *r = &rules->item[i];

        for (size_t j = 0; j < r->nto; j++) {
            (void)snprintf(path, sizeof(path), "network.egress.%s[%zu].to[%zu]",
                           list, i, j);
            if (check_peer(&r->to[j], path, e) < 0)
                return -1;
        }
        for (size_t j = 0; j < r->nports; j++) {
            (void)snprintf(path, sizeof(path),
                           "network.egress.%s[%zu].ports[%zu]", list, i, j);
            if (check_port(&r->ports[j], path, e) < 0)
                return -1;
        }
    }
    return 0;
}

/* WSL containers reach a proxy over their own network; every other backend
 * is given the host's loopback and nothing else. */
static bool proxy_may_be_remote(const struct request *r)
{
    return r->containment == CONTAIN_WSLC ||
           (r->phase == PHASE_EXEC &&
            strncmp(r->sandbox_id, "wslc:", strlen("wslc:")) == 0);
}

static int check_proxy(const struct request *r, struct err *e)
{
    static const char where[] = "runtimeConfig.networkProxy";
    struct proxy_url url;
    const char *why;

    if (!r->network_proxy)
        return 0;
    if (proxy_parse(r->network_proxy, &url, &why) < 0)
        return fault(e, where, why);
    if (proxy_may_be_remote(r))
        return 0;
    if (!proxy_is_loopback(&url))
        return fault(e, where,
                     "proxy must be on localhost, 127.0.0.1 or [::1]");
    if (r->network.egress_default != NET_DENY || r->network.egress_allow.n ||
        r->network.egress_deny.n)
        return fault(e, where,
                     "a proxy is the only way out: it needs "
                     "network.egress.default 'deny' and no rules");
    return 0;
}

static int check_container_proxy(const struct request *r, struct err *e)
{
    const char *peer = r->process_container.allowed_proxy_peer;

    if (peer && !r->network_proxy)
        return fault(e, "processContainer.network.allowedProxyPeer",
                     "needs runtimeConfig.networkProxy");
    if (r->containment != CONTAIN_PROCESSCONTAINER || !r->network_proxy)
        return 0;
    if (r->network.ingress_default != NET_ALLOW)
        return fault(e, "runtimeConfig.networkProxy",
                     "the proxy of a process container needs "
                     "network.ingress.default 'allow'");
    if (peer && r->network.host_loopback == NET_ALLOW)
        return fault(e, "network.ingress.hostLoopback",
                     "'allowedProxyPeer' needs hostLoopback 'deny'");
    if (!peer && r->network.host_loopback != NET_ALLOW)
        return fault(e, "runtimeConfig.networkProxy",
                     "the proxy of a process container needs "
                     "network.ingress.hostLoopback 'allow' or an "
                     "'allowedProxyPeer'");
    return 0;
}

/* An isolation session holds back nothing of the network, so that a request
 * that does not say so would be misled. */
static int check_isolation_session(const struct request *r, struct err *e)
{
    if (r->phase != PHASE_NONE || r->containment != CONTAIN_ISOLATION_SESSION)
        return 0;
    if (r->network.egress_default == NET_ALLOW &&
        r->network.ingress_default == NET_ALLOW &&
        r->network.host_loopback == NET_ALLOW &&
        !r->network.egress_allow.present && !r->network.egress_deny.present &&
        !r->network_proxy)
        return 0;
    return fault(e, "network",
                 "an isolation session needs egress.default, ingress.default "
                 "and ingress.hostLoopback 'allow', no rules and no proxy");
}

static int check_wslc_ports(const struct request *r, struct err *e)
{
    uint8_t used[(UINT16_MAX + 1) / 8] = { 0 };
    char path[sizeof(e->where)];

    for (size_t i = 0; i < r->nwslc_ports; i++) {
        unsigned port = r->wslc_ports[i].windows_port;
        uint8_t bit = (uint8_t)(1u << port % 8);

        if (used[port / 8] & bit) {
            (void)snprintf(path, sizeof(path),
                           "wslc%s.portMappings[%zu].windowsPort",
                           r->phase == PHASE_PROVISION ? ".provision" : "", i);
            return fault(e, path, "this port is mapped twice");
        }
        used[port / 8] |= bit;
    }
    return 0;
}

struct section {
    const char *name;
    bool present;
    enum containment owner;
};

/* Whether a request for `asked` may end up on the owner of a section. */
static bool may_become(enum containment asked, enum containment owner)
{
    if (asked == CONTAIN_PROCESS)
        return owner == CONTAIN_PROCESSCONTAINER || owner == CONTAIN_SEATBELT;
    if (asked == CONTAIN_VM)
        return owner == CONTAIN_WINDOWS_SANDBOX;
    return asked == owner;
}

int request_check_sections(const struct request *r, enum containment backend,
                           struct err *e)
{
    const struct section all[] = {
        { "processContainer", r->process_container_present,
          CONTAIN_PROCESSCONTAINER },
        { "lxc", r->lxc.present, CONTAIN_LXC },
        { "seatbelt", r->seatbelt.present, CONTAIN_SEATBELT },
        { "wslc", r->wslc_present, CONTAIN_WSLC },
        { "hyperlight", r->hyperlight_present, CONTAIN_HYPERLIGHT },
        { "windowsSandbox", r->windows_sandbox_present,
          CONTAIN_WINDOWS_SANDBOX },
    };
    const char *first = NULL;

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (!all[i].present)
            continue;
        if (!may_become(backend, all[i].owner)) {
            err_set(e, ERR_MALFORMED_REQUEST,
                    "section '%s' does not belong to containment '%s'",
                    all[i].name, containment_name(backend));
            err_hint(e, "remove the section, or set 'containment' to '%s'",
                     containment_name(all[i].owner));
            return err_where(e, "%s", all[i].name);
        }
        if (first) {
            err_set(e, ERR_MALFORMED_REQUEST,
                    "sections '%s' and '%s' belong to different backends",
                    first, all[i].name);
            return err_where(e, "%s", all[i].name);
        }
        first = all[i].name;
    }
    return 0;
}

int check_request(const struct request *r, struct err *e)
{
    if (check_rules(&r->network.egress_allow, "allow", e) < 0 ||
        check_rules(&r->network.egress_deny, "deny", e) < 0 ||
        check_isolation_session(r, e) < 0 || check_proxy(r, e) < 0 ||
        check_container_proxy(r, e) < 0 ||
        (r->nwslc_ports && check_wslc_ports(r, e) < 0))
        return -1;
    if (r->phase != PHASE_NONE)
        return 0;
    return request_check_sections(r, r->containment, e);
}
