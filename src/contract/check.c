/* check.c - see check.h.
 *
 * These are the rules that hold whatever the machine: those of MXC's parse
 * phase.  What a backend can or cannot enforce is not decided here. */
#include "contract/check.h"

#include <stdio.h>
#include <string.h>

#include "base/port_set.h"
#include "contract/cidr.h"
#include "contract/proxy.h"

static int fault(struct err *e, const char *where, const char *what)
{
    err_set(e, ERR_MALFORMED_REQUEST, "%s", what);
    return err_where(e, "%s", where);
}

/* A part of a rule; put into words only where it is wrong, as there may be
 * very many. */
struct part {
    const char *list;
    size_t rule;
    const char *kind;
    size_t number;
};

static int wrong(struct err *e, const struct part *at, const char *what)
{
    err_set(e, ERR_MALFORMED_REQUEST, "%s", what);
    return err_where(e, "network.egress.%s[%zu].%s[%zu]", at->list, at->rule,
                     at->kind, at->number);
}

static int wrong_except(struct err *e, const struct part *at, size_t i,
                        const char *what)
{
    err_set(e, ERR_MALFORMED_REQUEST, "%s", what);
    return err_where(e, "network.egress.%s[%zu].%s[%zu].except[%zu]", at->list,
                     at->rule, at->kind, at->number, i);
}

/* The tables of the other contracts have 'cidr' alone, and want it. */
static int check_peer_kind(const struct net_peer *peer, const struct part *at,
                           struct err *e)
{
    if (peer->cidr && peer->host)
        return wrong(e, at, "'cidr' and 'host' exclude each other");
    if (!peer->cidr && !peer->host)
        return wrong(e, at, "needs 'cidr' or 'host'");
    if (peer->except.present && !peer->cidr)
        return wrong(e, at, "'except' belongs to 'cidr'");
    if (peer->intranet && !peer->host)
        return wrong(e, at, "'intranet' belongs to 'host'");
    return 0;
}

static int check_peer(const struct net_peer *peer, const struct part *at,
                      struct err *e)
{
    struct cidr outer, inner;
    const char *why;

    if (check_peer_kind(peer, at, e) < 0)
        return -1;
    if (peer->host)
        return 0;
    if (cidr_parse(peer->cidr, &outer, &why) < 0)
        return wrong(e, at, why);
    for (size_t i = 0; i < peer->except.n; i++) {
        if (cidr_parse(peer->except.item[i], &inner, &why) < 0)
            return wrong_except(e, at, i, why);
        if (!cidr_contains(&outer, &inner))
            return wrong_except(e, at, i, "exception lies outside its 'cidr'");
    }
    return 0;
}

static int check_port(const struct net_port *p, const struct part *at,
                      struct err *e)
{
    if (p->protocol == PROTO_ICMP && (p->port || p->end_port))
        return wrong(e, at, "protocol 'icmp' has no ports");
    if (p->end_port && !p->port)
        return wrong(e, at, "'endPort' needs 'port'");
    if (p->end_port && p->end_port < p->port)
        return wrong(e, at, "'endPort' is below 'port'");
    return 0;
}

static int check_rules(const struct net_rules *rules, const char *list,
                       struct err *e)
{
    for (size_t i = 0; i < rules->n; i++) {
        const struct net_rule *r = &rules->item[i];
        struct part at = { .list = list, .rule = i, .kind = "to" };

        for (; at.number < r->nto; at.number++)
            if (check_peer(&r->to[at.number], &at, e) < 0)
                return -1;
        at.kind = "ports";
        for (at.number = 0; at.number < r->nports; at.number++)
            if (check_port(&r->ports[at.number], &at, e) < 0)
                return -1;
    }
    return 0;
}

struct forwards {
    const struct net_pair *item;
    size_t n;
    const char *path;
    const char *taken; /* what is wrong with a guest port that is not new */
};

static int check_forwards(const struct request *r, const struct forwards *f,
                          struct port_set *guests, struct err *e)
{
    char path[sizeof(e->where)];
    struct port_set hosts = { 0 };

    if (f->n && r->network.host_loopback != NET_ALLOW)
        return fault(e, f->path, "needs network.ingress.hostLoopback 'allow'");
    for (size_t i = 0; i < f->n; i++) {
        const struct net_pair *p = &f->item[i];

        (void)snprintf(path, sizeof(path), "%s[%zu]", f->path, i);
        if (port_set_add(guests, (uint16_t)(p->guest ? p->guest : p->host)))
            return fault(e, path, f->taken);
        if (p->host && port_set_add(&hosts, (uint16_t)p->host))
            return fault(e, path, "this port of the host is named twice");
    }
    return 0;
}

static int check_loopback(const struct request *r, struct err *e)
{
    const struct forwards publish = {
        r->network.publish, r->network.npublish, "network.ingress.ports",
        "this port of the sandbox is named twice"
    };
    const struct forwards service = {
        r->network.service, r->network.nservices,
        "network.ingress.hostServices",
        "this port of the sandbox is named twice, or published"
    };
    struct port_set guests = { 0 };

    if (check_forwards(r, &publish, &guests, e) < 0)
        return -1;
    return check_forwards(r, &service, &guests, e);
}

/* WSL containers reach a proxy over their own network; every other backend
 * is given the host's loopback and nothing else. */
static bool proxy_may_be_remote(const struct request *r)
{
    return r->containment == CONTAIN_WSLC ||
           (r->phase == PHASE_EXEC &&
            strncmp(r->sandbox_id, "wslc:", strlen("wslc:")) == 0);
}

/* The tables take any number of the three. */
static int check_legacy_proxy(const struct legacy_network *n, struct err *e)
{
    static const char where[] = "network.proxy.url";
    struct proxy_url url;
    const char *why;

    if ((n->proxy_port != 0) + (n->proxy_url != NULL) + n->proxy_builtin != 1)
        return fault(e, "network.proxy",
                     "expected exactly one of 'localhost', 'url' and "
                     "'builtinTestServer'");
    if (n->proxy_url && proxy_parse(n->proxy_url, &url, &why) < 0)
        return fault(e, where, why);
    return 0;
}

static int check_legacy(const struct request *r, struct err *e)
{
    const struct legacy_network *n = &r->network.legacy;

    if (!n->present)
        return 0;
    if (n->proxy_present && check_legacy_proxy(n, e) < 0)
        return -1;
    if (!r->network.egress_present && !r->network.ingress_present &&
        !r->network_proxy && !r->process_container.allowed_proxy_peer)
        return 0;
    fault(e, "network",
          "'egress', 'ingress', 'networkProxy' and "
          "'allowedProxyPeer' exclude the other fields of 'network'");
    return err_hint(e, "mxc migrate rewrites the other fields");
}

static int check_proxy(const struct request *r, struct err *e)
{
    static const char where[] = "runtimeConfig.networkProxy";
    struct proxy_url url;
    const char *why;

    if (r->network_proxy && r->filtering_proxy)
        return fault(e, "runtimeConfig.filteringProxy",
                     "'networkProxy' and 'filteringProxy' exclude each other");
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
    const struct legacy_network *n = &r->network.legacy;

    if (r->phase != PHASE_NONE || r->containment != CONTAIN_ISOLATION_SESSION)
        return 0;
    if (n->default_policy == NET_ALLOW && n->allow_local && !n->allowed.n &&
        !n->blocked.n && !n->proxy_present)
        return 0;
    if (r->network.egress_default == NET_ALLOW &&
        r->network.ingress_default == NET_ALLOW &&
        r->network.host_loopback == NET_ALLOW &&
        !r->network.egress_allow.present && !r->network.egress_deny.present &&
        !r->network.npublish && !r->network.nservices && !r->network_proxy &&
        !r->filtering_proxy)
        return 0;
    return fault(e, "network",
                 "an isolation session needs egress.default, ingress.default "
                 "and ingress.hostLoopback 'allow', no rules and no proxy");
}

/* Where sections of backends stand that 0.8.0-alpha does not have beside
 * 'process'. */
static const char *place_of_section(const struct request *r)
{
    return r->contract == CONTRACT_0_8_0_ALPHA ? "experimental." : "";
}

static int check_wslc_ports(const struct request *r, struct err *e)
{
    struct port_set used = { 0 };
    char path[sizeof(e->where)];

    for (size_t i = 0; i < r->nwslc_ports; i++) {
        if (port_set_add(&used, r->wslc_ports[i].windows_port)) {
            (void)snprintf(path, sizeof(path),
                           "%swslc%s.portMappings[%zu].windowsPort",
                           place_of_section(r),
                           r->phase == PHASE_PROVISION ? ".provision" : "", i);
            return fault(e, path, "this port is mapped twice");
        }
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
    bool is_old = r->contract == CONTRACT_0_8_0_ALPHA;
    const struct section all[] = {
        { "processContainer", r->process_container_present,
          CONTAIN_PROCESSCONTAINER },
        { "lxc", r->lxc.present, CONTAIN_LXC },
        { "seatbelt", r->seatbelt.present, CONTAIN_SEATBELT },
        { is_old ? "experimental.wslc" : "wslc", r->wslc_present,
          CONTAIN_WSLC },
        { "hyperlight", r->hyperlight_present, CONTAIN_HYPERLIGHT },
        { is_old ? "experimental.windows_sandbox" : "windowsSandbox",
          r->windows_sandbox_present, CONTAIN_WINDOWS_SANDBOX },
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

bool request_wants_record(const struct request *r)
{
    return r->process_container_present &&
           (r->process_container.learning_mode ||
            r->process_container.capture_present);
}

/* What it says of how a record is made. */
static int check_capture(const struct request *r, struct err *e)
{
    if (r->process_container.capture_mode == CAPTURE_ALLOW) {
        err_set(e, ERR_POLICY_VALIDATION,
                "mode 'allow' would run the command with rights that the "
                "policy does not give it");
        err_hint(e, "`mxc learn` finds what a command needs; or take mode "
                    "'block', which refuses and records");
        return err_where(e, "processContainer.captureDenials.mode");
    }
    if (!r->process_container.capture_retain_etl)
        return 0;
    err_set(e, ERR_POLICY_VALIDATION,
            "there is no trace to keep: only Windows makes the record from "
            "one");
    err_hint(e, "remove 'retainEtl', or set it to false");
    return err_where(e, "processContainer.captureDenials.retainEtl");
}

int request_check_record(const struct request *r, struct err *e)
{
    const struct {
        const char *name;
        bool is_said;
    } foreign[] = {
        { "leastPrivilege", r->process_container.least_privilege },
        { "capabilities", r->process_container.capabilities.n > 0 },
        { "filesystem.enumeratePaths",
          r->process_container.enumerate_paths.n > 0 },
        { "network.allowedProxyPeer",
          r->process_container.allowed_proxy_peer != NULL },
        { "ui.isolation", r->process_container.ui_isolation != 0 },
        { "ui.desktopSystemControl",
          r->process_container.ui_desktop_system_control },
        { "ui.systemSettings",
          r->process_container.ui_settings != 0 ||
              (r->process_container.ui_system_settings &&
               strcmp(r->process_container.ui_system_settings, "none") != 0) },
        { "ui.ime", r->process_container.ui_ime },
    };

    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        if (!foreign[i].is_said)
            continue;
        err_set(e, ERR_POLICY_VALIDATION,
                "'%s' is of Windows alone: of 'processContainer' only "
                "'learningMode' and 'captureDenials' have a meaning here",
                foreign[i].name);
        err_hint(e, "remove it, or set 'containment' to 'processcontainer'");
        return err_where(e, "processContainer.%s", foreign[i].name);
    }
    return check_capture(r, e);
}

int check_request(const struct request *r, struct err *e)
{
    if (check_rules(&r->network.egress_allow, "allow", e) < 0 ||
        check_rules(&r->network.egress_deny, "deny", e) < 0 ||
        check_loopback(r, e) < 0 || check_legacy(r, e) < 0 ||
        check_isolation_session(r, e) < 0 || check_proxy(r, e) < 0 ||
        check_container_proxy(r, e) < 0 ||
        (r->nwslc_ports && check_wslc_ports(r, e) < 0))
        return -1;
    if (r->phase != PHASE_NONE)
        return 0;
    return request_check_sections(r, r->containment, e);
}
