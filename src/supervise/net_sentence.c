/* net_sentence.c - a refusal in words, and what would lift it. */
#include "supervise/net_report.h"

#include <stdio.h>
#include <string.h>

static const char *proto_name(const struct gateway_record *r)
{
    static const char *const names[NET_PROTOS] = { "tcp", "udp", "icmp" };

    return r->proto < NET_PROTOS ? names[r->proto] : "?";
}

static bool has_address(const struct gateway_record *r)
{
    static const struct net_addr none;

    return memcmp(&r->addr, &none, sizeof(none)) != 0;
}

/* "example.test:443", "192.0.2.1:443", "[2001:db8::1]:443". */
static void put_peer(const struct gateway_record *r, struct buf *out)
{
    char addr[48];
    bool brackets;

    if (r->name[0]) {
        buf_shown(out, r->name);
    } else {
        net_addr_print(&r->addr, addr);
        brackets = !net_addr_is_v4(&r->addr) && r->port;
        buf_printf(out, brackets ? "[%s]" : "%s", addr);
    }
    if (r->port && r->what != GATEWAY_QUERY)
        buf_printf(out, ":%u", r->port);
}

static void put_subject(const struct gateway_record *r, struct buf *out)
{
    switch (r->what) {
    case GATEWAY_QUERY:
        buf_puts(out, "looking up ");
        break;
    case GATEWAY_FLOW:
        buf_puts(out, r->proto == NET_ICMP ? "a ping to " : "a datagram to ");
        break;
    case GATEWAY_TLS:
        buf_puts(out, "TLS to ");
        break;
    case GATEWAY_HTTP:
        buf_puts(out, "a request to ");
        break;
    case GATEWAY_PROXY:
        buf_puts(out, "through the proxy: ");
        break;
    default:
        buf_puts(out, "connecting to ");
        break;
    }
    put_peer(r, out);
}

static void put_rule(const struct gateway_record *r, const char *what,
                     struct buf *out)
{
    char origin[64];

    net_origin_print(r->origin, origin);
    buf_printf(out, "%s %s", what, origin);
}

static void put_class(const struct gateway_record *r, struct buf *out)
{
    unsigned bits;
    enum net_class c = net_classify(&r->addr, &bits);

    buf_printf(out, "it is a %s address, and no rule names it closely",
               net_class_name(c));
}

static void put_verdict(const struct gateway_record *r, struct buf *out)
{
    switch (r->verdict_why) {
    case NET_BY_RULE:
        put_rule(r, "denied by", out);
        break;
    case NET_BY_CLASS:
        put_class(r, out);
        break;
    case NET_BY_OWN:
        buf_puts(out, "it is an address of this host's own, and no rule names "
                      "it alone");
        break;
    case NET_BY_NEVER:
        buf_puts(out, "no rule can allow this kind of address");
        break;
    case NET_BY_NAME_ONLY:
        buf_puts(out, "the name is allowed, but not with this protocol and "
                      "port");
        break;
    case NET_BY_QUIC:
        buf_puts(out, "QUIC hides the name; clients use TCP then");
        break;
    default:
        buf_puts(out,
                 r->name[0] ? "no rule allows this name" : "no rule allows it");
        break;
    }
}

static void put_other(const struct gateway_record *r, const char *before,
                      struct buf *out)
{
    buf_printf(out, "%s '", before);
    buf_shown(out, r->other);
    buf_putc(out, '\'');
}

static void put_why(const struct gateway_record *r, struct buf *out)
{
    char addr[48];

    switch (r->why) {
    case GATEWAY_BY_POLICY:
        put_verdict(r, out);
        break;
    case GATEWAY_BY_UPSTREAM:
        buf_printf(out, "the network answered %s", err_errno_name(r->sys));
        break;
    case GATEWAY_BY_ADDRESS:
        net_addr_print(&r->addr, addr);
        buf_puts(out, "the name leads to an address that it may not lead to");
        if (has_address(r))
            buf_printf(out, " (%s)", addr);
        break;
    case GATEWAY_BY_NO_ADDRESS:
        buf_puts(out, "the name has no address");
        break;
    case GATEWAY_BY_MISMATCH:
        put_other(r, "it asked for", out);
        buf_puts(out, " on a connection that was allowed for another name");
        break;
    case GATEWAY_BY_NO_NAME:
        buf_puts(out, r->what == GATEWAY_TLS ? "it names no server (no SNI)"
                                             : "it names no host");
        break;
    case GATEWAY_BY_PROTOCOL:
        buf_puts(out, "malformed, or a way around the check of its name");
        if (r->other[0])
            put_other(r, ":", out);
        break;
    case GATEWAY_BY_BUDGET:
        buf_puts(out, "too many at once, or too many different names");
        break;
    default:
        buf_puts(out, "refused");
        break;
    }
}

void net_report_sentence(const struct gateway_record *r, struct buf *out)
{
    put_subject(r, out);
    if (r->what == GATEWAY_CONNECT || r->what == GATEWAY_FLOW)
        buf_printf(out, " (%s)", proto_name(r));
    buf_puts(out, " was refused: ");
    put_why(r, out);
}

static void hint_address(const struct gateway_record *r, struct buf *out)
{
    buf_puts(out, "--allow-net ");
    if (r->proto == NET_ICMP) {
        struct gateway_record all = *r;

        all.port = 0;
        put_peer(&all, out);
        return;
    }
    put_peer(r, out);
}

/* Nothing that would be refused in its turn, and no word of a shell's: the
 * gateway may have been taken over. */
static bool put_name(const struct gateway_record *r, const char *option,
                     struct buf *out)
{
    if (net_host_wrong(r->name))
        return false;
    buf_printf(out, "%s ", option);
    buf_shown(out, r->name);
    return true;
}

static void hint_name(const struct gateway_record *r, struct buf *out)
{
    if (!put_name(r, "--allow-host", out))
        return;
    if (r->what != GATEWAY_QUERY && r->port)
        buf_printf(out, ":%u", r->port);
}

void net_report_hint(const struct gateway_record *r, struct buf *out)
{
    if (r->why == GATEWAY_BY_ADDRESS && r->name[0]) {
        unsigned bits;

        if (net_classify(&r->addr, &bits) == NET_PRIVATE)
            (void)put_name(r, "--allow-intranet-host", out);
        return;
    }
    if (r->why == GATEWAY_BY_MISMATCH) {
        struct gateway_record other = *r;

        (void)snprintf(other.name, sizeof(other.name), "%s", r->other);
        hint_name(&other, out);
        return;
    }
    if (r->why != GATEWAY_BY_POLICY)
        return;
    switch (r->verdict_why) {
    case NET_BY_DEFAULT:
    case NET_BY_NAME_ONLY:
    case NET_BY_CLASS:
        if (r->name[0])
            hint_name(r, out);
        else
            hint_address(r, out);
        break;
    case NET_BY_OWN:
        /* Not to be done unasked: what listens on the host a firewall may keep
         * from everybody else. */
    default:
        break;
    }
}
