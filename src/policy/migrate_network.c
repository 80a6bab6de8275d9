/* migrate_network.c - the network of former contracts, written as rules.
 *
 * The same as net_legacy.c makes of it, which decides what it means.  A
 * permission that cannot be written is left out; a denial never is. */
#include "policy/migrate_parts.h"

#include "contract/cidr.h"
#include "contract/proxy.h"
#include "policy/net.h"

static const char no_names[] = "host names need contract '1.1.0+c1'";

/* NULL, or why a later request cannot have this host. */
static const char *wrong_host(const struct migration *m, const char *host,
                              const char **kind)
{
    struct cidr block;
    const char *why;

    *kind = "cidr";
    if (cidr_parse(host, &block, &why) == 0)
        return NULL;
    *kind = "host";
    why = net_host_wrong(host);
    if (why)
        return why;
    return m->to == CONTRACT_1_1_0_C1 ? NULL : no_names;
}

/* A denied name takes away from allowed names alone, and 1.0.0 has none. */
static bool may_leave_out(const struct migration *m, const char *why)
{
    return why == no_names &&
           m->from->network.legacy.default_policy == NET_DENY;
}

struct list {
    const struct strings *hosts;
    const char *path; /* of the list */
    const char *key;  /* of the rules */
    bool is_denial;
};

/* tree_append would look for the end each time. */
static void push(struct json *list, struct json **last, struct json *value)
{
    if (!list || !value)
        return;
    *(*last ? &(*last)->next : &list->first) = value;
    *last = value;
    list->len++;
}

static int add_rules(struct migration *m, struct json *egress,
                     const struct list *l, struct err *e)
{
    struct json *rules = tree_new(&m->tree, JSON_ARRAY), *last = NULL;

    for (size_t i = 0; i < l->hosts->n; i++) {
        const char *host = l->hosts->item[i], *kind;
        const char *why = wrong_host(m, host, &kind);
        struct json *rule, *to, *peer;

        if (why && l->is_denial && !may_leave_out(m, why)) {
            err_set(e, ERR_POLICY_VALIDATION,
                    "denied host '%s' cannot be carried over: %s", host, why);
            return err_where(e, "%s[%zu]", l->path, i);
        }
        if (why) {
            migrate_note(m, true,
                         arena_printf(m->tree.arena, "%s[%zu]", l->path, i),
                         why);
            continue;
        }
        rule = tree_new(&m->tree, JSON_OBJECT);
        to = tree_new(&m->tree, JSON_ARRAY);
        peer = tree_new(&m->tree, JSON_OBJECT);
        tree_put(peer, kind, tree_string(&m->tree, host));
        tree_append(to, peer);
        tree_put(rule, "to", to);
        push(rules, &last, rule);
    }
    if (rules && rules->len)
        tree_put(egress, l->key, rules);
    return 0;
}

static int add_lists(struct migration *m, struct json *egress, struct err *e)
{
    const struct legacy_network *n = &m->from->network.legacy;
    const struct list lists[] = {
        { &n->allowed, "network.allowedHosts", "allow", false },
        { &n->blocked, "network.blockedHosts", "deny", true },
    };

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (add_rules(m, egress, &lists[i], e) < 0)
            return -1;
    return 0;
}

static struct json *runtime_config(struct migration *m)
{
    struct json *v = tree_find(m->doc, "runtimeConfig");

    if (v)
        return v;
    v = tree_new(&m->tree, JSON_OBJECT);
    tree_put_behind(m->doc, "network", "runtimeConfig", v);
    return v;
}

static const char *proxy_of(struct migration *m)
{
    const struct legacy_network *n = &m->from->network.legacy;
    const char *url;

    if (!n->proxy_port)
        return n->proxy_url;
    url = arena_printf(m->tree.arena, "http://127.0.0.1:%u", n->proxy_port);
    m->tree.failed |= !url;
    return url;
}

/* A proxy of the host is the only way out: nothing can stand beside it, and
 * when it goes nothing takes its place. */
static int add_proxy(struct migration *m, const char *url, struct err *e)
{
    const struct legacy_network *n = &m->from->network.legacy;
    static const char beside[] =
        "a proxy is the only way out; no rule can stand beside it";
    struct proxy_url u;
    const char *why;

    /* What runs the old request refuses it as well (net_lower.c). */
    if (n->blocked.n) {
        err_set(e, ERR_POLICY_VALIDATION,
                "denied hosts cannot be carried over: %s", beside);
        err_hint(e, "leave them out, or let the proxy refuse them");
        return err_where(e, "network.blockedHosts");
    }
    if (n->default_policy == NET_ALLOW)
        migrate_note(m, false, "network.defaultPolicy",
                     "a proxy is the only way out; there is no other");
    if (n->allowed.n)
        migrate_note(m, true, "network.allowedHosts", beside);
    if (m->from->containment == CONTAIN_WSLC ||
        (proxy_parse(url, &u, &why) == 0 && proxy_is_loopback(&u)))
        tree_put(runtime_config(m), "networkProxy", tree_string(&m->tree, url));
    else
        migrate_note(m, true, "network.proxy.url",
                     "a proxy must be on the host's loopback; without it "
                     "nothing is let out");
    return 0;
}

static int add_egress(struct migration *m, struct json *network, struct err *e)
{
    const struct legacy_network *n = &m->from->network.legacy;
    struct json *egress = tree_new(&m->tree, JSON_OBJECT);

    tree_put(egress, "default",
             tree_string(&m->tree,
                         n->default_policy == NET_ALLOW ? "allow" : "deny"));
    if (add_lists(m, egress, e) < 0)
        return -1;
    tree_put(network, "egress", egress);
    if (n->proxy_builtin && m->to == CONTRACT_1_1_0_C1) {
        struct json *yes = tree_new(&m->tree, JSON_BOOL);

        if (yes)
            yes->truth = true;
        tree_put(runtime_config(m), "filteringProxy", yes);
    } else if (n->proxy_builtin) {
        migrate_note(m, true, "network.proxy.builtinTestServer",
                     "the built-in proxy needs contract '1.1.0+c1'");
    }
    return 0;
}

static void add_ingress(struct migration *m, struct json *network)
{
    struct json *ingress = tree_new(&m->tree, JSON_OBJECT);

    tree_put(ingress, "default", tree_string(&m->tree, "allow"));
    /* It shares the host's network, and has to say so. */
    if (m->from->containment == CONTAIN_ISOLATION_SESSION)
        tree_put(ingress, "hostLoopback", tree_string(&m->tree, "allow"));
    tree_put(network, "ingress", ingress);
}

int migrate_network(struct migration *m, struct err *e)
{
    static const char *const former[] = {
        "defaultPolicy", "allowLocalNetwork", "allowedHosts", "blockedHosts",
        "proxy",
    };
    const struct legacy_network *n = &m->from->network.legacy;
    struct json *network = tree_find(m->doc, "network");
    const char *proxy;

    if (!n->present)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(former); i++)
        (void)tree_cut(network, former[i]);
    if (tree_cut(network, "enforcementMode"))
        migrate_note(m, false, "network.enforcementMode",
                     "without effect: the backend chooses how it enforces");
    proxy = proxy_of(m);
    if ((proxy ? add_proxy(m, proxy, e) : add_egress(m, network, e)) < 0)
        return -1;
    if (n->allow_local)
        add_ingress(m, network);
    return 0;
}
