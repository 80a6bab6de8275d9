/* hash.c - which policy ran, as one number.
 *
 * Hashed is what shapes the sandbox: directory, timeout, label, network,
 * paths in their order, lifecycle, fallback, user interface and proxy.  Not
 * hashed are command and environment, which may hold secrets and differ from
 * run to run, the contract's version, and whether the backend was named.  The
 * number is ours: MXC's comes of the text of its own types. */
#include "base/sha256.h"
#include "lxcexec/lxcexec.h"

static void put_text(struct buf *b, const char *name, const char *text)
{
    buf_printf(b, ",\"%s\":", name);
    if (text)
        buf_json(b, text);
    else
        buf_puts(b, "null");
}

static void put_number(struct buf *b, const char *name, unsigned number)
{
    buf_printf(b, ",\"%s\":%u", name, number);
}

static void put_list(struct buf *b, const char *name, const struct strings *s)
{
    buf_printf(b, ",\"%s\":[", name);
    for (size_t i = 0; i < s->n; i++) {
        buf_puts(b, i ? "," : "");
        buf_json(b, s->item[i]);
    }
    buf_putc(b, ']');
}

static void put_rule(struct buf *b, const struct net_rule *r)
{
    buf_puts(b, "{\"to\":[");
    for (size_t i = 0; i < r->nto; i++) {
        buf_puts(b, i ? ",{\"is\":1" : "{\"is\":1");
        put_text(b, "cidr", r->to[i].cidr);
        put_list(b, "except", &r->to[i].except);
        buf_putc(b, '}');
    }
    buf_puts(b, "],\"ports\":[");
    for (size_t i = 0; i < r->nports; i++)
        buf_printf(b, "%s[%d,%u,%u]", i ? "," : "", (int)r->ports[i].protocol,
                   r->ports[i].port, r->ports[i].end_port);
    buf_puts(b, "]}");
}

static void put_rules(struct buf *b, const char *name,
                      const struct net_rules *rules)
{
    buf_printf(b, ",\"%s\":[", name);
    for (size_t i = 0; i < rules->n; i++) {
        buf_puts(b, i ? "," : "");
        put_rule(b, &rules->item[i]);
    }
    buf_putc(b, ']');
}

static void put_network(struct buf *b, const struct request *r)
{
    put_number(b, "egress", r->network.egress_present);
    put_number(b, "egressDefault", r->network.egress_default);
    put_rules(b, "allow", &r->network.egress_allow);
    put_rules(b, "deny", &r->network.egress_deny);
    put_number(b, "ingressDefault", r->network.ingress_default);
    put_number(b, "hostLoopback", r->network.host_loopback);
    put_text(b, "networkProxy", r->network_proxy);
}

static void put_policy(struct buf *b, const struct request *r)
{
    buf_puts(b, "{\"form\":1");
    put_text(b, "cwd", r->process.cwd);
    put_number(b, "timeout", r->process.timeout_ms);
    put_text(b, "containerId", r->container_id);
    put_network(b, r);
    put_list(b, "readwritePaths", &r->filesystem.readwrite);
    put_list(b, "readonlyPaths", &r->filesystem.readonly);
    put_list(b, "deniedPaths", &r->filesystem.denied);
    put_number(b, "keepOnExit", r->lifecycle.keep_on_exit);
    put_number(b, "preservePolicy", r->lifecycle.preserve_policy);
    put_number(b, "refuseDaclMutation", r->refuse_dacl_mutation);
    put_number(b, "ui", r->ui.enable);
    put_number(b, "clipboard", r->ui.clipboard);
    put_number(b, "injection", r->ui.injection);
    buf_putc(b, '}');
}

void policy_event(const struct request *r, struct buf *out)
{
    struct buf b = { .max = 64u << 20 };
    char hex[SHA256_HEX];

    put_policy(&b, r);
    if (b.failed) {
        out->failed = true;
    } else {
        sha256_hex(b.data, b.len, hex);
        buf_printf(out,
                   "{\"event\":\"mxc.PolicyHash\",\"backend\":\"native\","
                   "\"policy_hash\":\"sha256:%s\","
                   "\"config_schema_version\":\"%s\"}",
                   hex, r->version);
    }
    buf_drop(&b);
}
