/* why_network.c - see why.h: connections. */
#include <arpa/inet.h>
#include <string.h>

#include "cli/why.h"
#include "base/num.h"
#include "base/scoped.h"
#include "supervise/net_report.h"
#include "sys/route.h"

struct peer {
    const char *host; /* without brackets */
    struct net_addr addr;
    char name[NET_NAME_MAX + 1]; /* "": it is an address */
    uint16_t port;
};

static int no_peer(const char *text, struct err *e)
{
    err_set(e, ERR_MALFORMED_REQUEST, "'%.300s' is no HOST:PORT", text);
    return err_hint(e, "as in example.com:443, 192.0.2.1:80 or [2001:db8::1]:"
                       "22");
}

static bool take_address(const char *text, struct net_addr *out)
{
    uint8_t v4[4];

    if (inet_pton(AF_INET6, text, out->b) == 1)
        return true;
    if (inet_pton(AF_INET, text, v4) != 1)
        return false;
    net_addr_v4(out, v4);
    return true;
}

static int take_peer(struct arena *a, const char *text, struct peer *out,
                     struct err *e)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    struct in_addr other;
    uint64_t port;

    if (len == 0 || num_u64(colon + 1, UINT16_MAX, &port) < 0 || port == 0)
        return no_peer(text, e);
    if (text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    *out = (struct peer){ .port = (uint16_t)port };
    out->host = arena_printf(a, "%.*s", (int)len, text);
    if (!out->host)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (take_address(out->host, &out->addr))
        return 0;
    /* What programs take for an address, "127.1", is no name. */
    if (inet_aton(out->host, &other) == 0 &&
        net_name_clean(out->host, len, out->name))
        return 0;
    return no_peer(text, e);
}

static bool is_loopback(const struct peer *p)
{
    static const uint8_t v6[16] = { [15] = 1 }, none[16];

    return strcmp(p->name, "localhost") == 0 ||
           (!p->name[0] && (memcmp(p->addr.b, v6, sizeof(v6)) == 0 ||
                            memcmp(p->addr.b, none, sizeof(none)) == 0 ||
                            (net_addr_is_v4(&p->addr) &&
                             (p->addr.b[12] == 127 || p->addr.b[12] == 0))));
}

/* Aligned, as net_open wants it.  NULL: there are none, or no memory. */
static int open_rules(struct arena *a, const struct plan_view *plan,
                      struct net_view *out, bool *found, struct err *e)
{
    *found = false;
    for (size_t i = 0; i < plan->head.nsteps && !*found; i++) {
        const struct step s = plan_step(plan, i);
        uint64_t *bytes;

        if (s.kind != STEP_RULES)
            continue;
        *found = true;
        bytes = arena_array(a, s.text_len / sizeof(*bytes) + 1, sizeof(*bytes));
        if (!bytes)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory");
        memcpy(bytes, s.text, s.text_len);
        if (net_open(bytes, s.text_len, out, e) < 0)
            return -1;
    }
    return 0;
}

/* As the gateway asks, which is where we are. */
static bool is_own(void *arg, const struct net_addr *a)
{
    const bool is_v4 = net_addr_is_v4(a);
    const int *route = arg;

    return route_is_own(*route, a->b + (is_v4 ? 12 : 0), is_v4);
}

static void decide(const struct net_view *rules, const struct peer *p,
                   struct net_verdict *v)
{
    scoped(drop_fd) int route = -1;

    if (p->name[0]) {
        net_decide_name(rules, p->name, NET_TCP, p->port, v);
        return;
    }
    route = route_open();
    net_decide_asking(rules, &p->addr, NET_TCP, p->port, is_own, &route, v);
}

static const char *told(struct arena *a,
                        void (*tell)(const struct gateway_record *r,
                                     struct buf *out),
                        const struct gateway_record *r)
{
    struct buf b = { .max = 4096 };
    const char *text;

    tell(r, &b);
    text = b.failed || !b.len ? NULL : arena_printf(a, "%s", b.data);
    buf_drop(&b);
    return text;
}

static const char *address_of(struct arena *a, const struct peer *p)
{
    char text[48];

    net_addr_print(&p->addr, text);
    return arena_strdup(a, text);
}

static void tell(struct arena *a, const struct peer *p,
                 const struct net_verdict *v, struct why_answer *w)
{
    struct gateway_record r = { .what = GATEWAY_CONNECT,
                                .why = GATEWAY_BY_POLICY,
                                .proto = NET_TCP,
                                .verdict_why = v->why,
                                .origin = v->origin,
                                .port = p->port,
                                .addr = p->addr };
    char origin[64];

    net_origin_print(v->origin, origin);
    w->where = p->host;
    w->clause = arena_printf(
        a, "%s",
        v->origin.list == NET_FROM_DEFAULT ? "network.egress.default" : origin);
    w->mechanism = "the gateway, which is the only way out";
    if (v->is_allowed) {
        w->decision = WHY_ALLOWED;
        w->peer = p->name[0] ? arena_strdup(a, p->name) : address_of(a, p);
        w->port = p->port;
        w->reason = p->name[0] ? "the policy allows the name; what it leads to "
                                 "is judged when it is dialled"
                               : "the policy allows the address";
        return;
    }
    memcpy(r.name, p->name, sizeof(r.name));
    w->reason = told(a, net_report_sentence, &r);
    w->remedy = told(a, net_report_hint, &r);
}

int why_decide_connect(struct arena *a, const struct plan_view *plan,
                       const char *peer, struct why_answer *w, struct err *e)
{
    struct net_verdict v = { 0 };
    struct net_view rules = { 0 }; /* where there are none, all is denied */
    struct peer p = { 0 };
    bool found;

    if (take_peer(a, peer, &p, e) < 0 ||
        open_rules(a, plan, &rules, &found, e) < 0)
        return -1;
    if (is_loopback(&p)) {
        *w = (struct why_answer){
            .decision = WHY_OPEN,
            .where = p.host,
            .clause = "base",
            .mechanism = "a loopback of the sandbox's own",
            .reason = "who listens there is in the sandbox, or a service of "
                      "the host that the policy names (--host-service)"
        };
        return 0;
    }
    decide(&rules, &p, &v);
    tell(a, &p, &v, w);
    if (found)
        return 0;
    w->mechanism = "a network namespace with nothing but its own loopback";
    /* Nobody answers for names there, which takes seconds to find out. */
    if (p.name[0])
        w->instead = arena_printf(a, "192.0.2.1:%u", p.port);
    return 0;
}
