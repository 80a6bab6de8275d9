/* net_text.h - network policies and questions as lines of text, so that the
 * tables of tests can be read.
 *
 *   default allow
 *   allow 10.0.0.0/8 !10.1.0.0/16 tcp:443 udp:1-10 icmp
 *   allow *.example.com +intranet.example any:80
 *   deny tcp:25                                (a rule without `to`)
 *   net allow 192.0.2.1                        (as if --allow-net)
 *
 * Rules are separated by ';' or newline; "!" is an exception to the block
 * before it, "+" a host that may lead to private addresses.  A question is
 * "tcp 10.0.0.1 443", "icmp ::1", "udp example.com 53", with "own" behind it
 * for an address of the host itself. */
#ifndef MXC_TESTS_NET_TEXT_H
#define MXC_TESTS_NET_TEXT_H

#include "t.h"

#include "contract/cidr.h"
#include "policy/net.h"

enum { NT_RULES = 64, NT_PARTS = 16 };

struct nt_rule {
    struct net_rule rule;
    struct net_peer to[NT_PARTS];
    const char *except[NT_PARTS][NT_PARTS];
    struct net_port port[NT_PARTS];
};

struct nt_policy {
    struct net_policy p;
    struct net_source source[NT_RULES];
    struct nt_rule rule[NT_RULES];
    uint32_t count[NET_FROM_END];
    char text[4096];
};

static inline bool nt_port(const char *word, struct net_port *out)
{
    static const char *const name[] = { "any", "tcp", "udp", "icmp" };
    unsigned lo = 0, hi = 0;

    for (int i = 0; i < 4; i++) {
        size_t n = strlen(name[i]);

        if (strncmp(word, name[i], n) != 0 || (word[n] && word[n] != ':'))
            continue;
        if (word[n])
            (void)sscanf(word + n + 1, "%u-%u", &lo, &hi);
        *out = (struct net_port){ (enum net_protocol)i, (uint16_t)lo,
                                  (uint16_t)hi };
        return true;
    }
    return false;
}

static inline void nt_peer(struct nt_rule *r, char *word)
{
    struct net_peer *last = r->rule.nto ? &r->to[r->rule.nto - 1] : NULL;
    struct net_peer peer = { 0 };
    struct cidr c;
    const char *why;

    if (word[0] == '!') {
        CHECK(last && last->except.n < NT_PARTS);
        last->except.item = r->except[r->rule.nto - 1];
        last->except.item[last->except.n++] = word + 1;
        return;
    }
    peer.intranet = word[0] == '+';
    word += peer.intranet;
    if (cidr_parse(word, &c, &why) == 0)
        peer.cidr = word;
    else
        peer.host = word;
    CHECK(r->rule.nto < NT_PARTS);
    r->to[r->rule.nto++] = peer;
}

static inline void nt_word(struct nt_policy *np, struct nt_rule *r,
                           struct net_source *s, char *word)
{
    static const struct {
        const char *word;
        uint32_t list;
    } list[] = { { "net", NET_FROM_ALLOW_NET },
                 { "host", NET_FROM_ALLOW_HOST },
                 { "intranet", NET_FROM_ALLOW_INTRANET },
                 { "denynet", NET_FROM_DENY_NET } };

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        if (strcmp(word, list[i].word) == 0) {
            s->origin.list = list[i].list;
            return;
        }
    if (strcmp(word, "allow") == 0 || strcmp(word, "deny") == 0) {
        s->action = word[0] == 'a' ? NET_ALLOW : NET_DENY;
        if (!s->origin.list)
            s->origin.list = word[0] == 'a' ? NET_FROM_ALLOW : NET_FROM_DENY;
        s->origin.index = np->count[s->origin.list]++;
    } else if (nt_port(word, &r->port[r->rule.nports])) {
        CHECK(++r->rule.nports < NT_PARTS);
    } else {
        nt_peer(r, word);
    }
}

static inline void nt_line(struct nt_policy *np, char *line)
{
    struct nt_rule *r = &np->rule[np->p.nsources];
    struct net_source *s = &np->source[np->p.nsources];
    char *save = NULL;

    if (strcmp(line, "default allow") == 0) {
        np->p.egress_default = NET_ALLOW;
        return;
    }
    for (char *w = strtok_r(line, " ", &save); w;
         w = strtok_r(NULL, " ", &save))
        nt_word(np, r, s, w);
    r->rule.to = r->rule.nto ? r->to : NULL;
    r->rule.ports = r->rule.nports ? r->port : NULL;
    s->rule = &r->rule;
    CHECK(++np->p.nsources < NT_RULES);
}

/* Read a policy; everything it points to is in *np. */
static inline void nt_read(struct nt_policy *np, const char *text)
{
    char *save = NULL;

    memset(np, 0, sizeof(*np));
    np->p.source = np->source;
    CHECK(strlen(text) < sizeof(np->text));
    memcpy(np->text, text, strlen(text) + 1);
    for (char *l = strtok_r(np->text, ";\n", &save); l;
         l = strtok_r(NULL, ";\n", &save)) {
        l += strspn(l, " ");
        if (*l)
            nt_line(np, l);
    }
}

/* Compile and open, both without fault. */
static inline struct net_view nt_compile(struct arena *a,
                                         const struct net_policy *p)
{
    struct err e = { 0 };
    struct net_view v = { 0 };
    void *bytes;
    size_t len;

    if (net_compile(a, p, &bytes, &len, &e) < 0)
        T_FAIL("%s: %s", e.where, e.msg);
    if (net_open(bytes, len, &v, &e) < 0)
        T_FAIL("%s", e.msg);
    return v;
}

static inline struct net_addr nt_addr(const char *text)
{
    struct net_addr a;
    struct cidr c;

    if (cidr_parse_address(text, &c) < 0)
        T_FAIL("no address: %s", text);
    memcpy(a.b, c.addr, sizeof(a.b));
    if (c.family == 4)
        net_addr_v4(&a, c.addr);
    return a;
}

/* "yes network.egress.allow[0]", "no default", "no class --allow-net (1st)";
 * with "intranet" behind it where it is so. */
static inline void nt_print(const struct net_verdict *v, char out[128])
{
    static const char *const why[] = { [NET_BY_RULE] = "",
                                       [NET_BY_DEFAULT] = " default",
                                       [NET_BY_CLASS] = " class",
                                       [NET_BY_NEVER] = " never",
                                       [NET_BY_NAME_ONLY] = " name-only",
                                       [NET_BY_QUIC] = " quic",
                                       [NET_BY_OWN] = " own" };
    char origin[64] = "";

    if (v->origin.list)
        net_origin_print(v->origin, origin);
    (void)snprintf(out, 128, "%s%s%s%s%s", v->is_allowed ? "yes" : "no",
                   why[v->why], origin[0] ? " " : "", origin,
                   v->intranet ? " intranet" : "");
}

/* Ask one question; the answer as nt_print writes it. */
static inline const char *nt_ask(const struct net_view *v, const char *question,
                                 char out[128])
{
    char proto[8] = "", to[256] = "", third[8] = "", fourth[8] = "";
    struct net_verdict got;
    struct net_port port;
    struct cidr c;
    unsigned number = 0;
    bool own;

    (void)sscanf(question, "%7s %255s %7s %7s", proto, to, third, fourth);
    CHECK(nt_port(proto, &port));
    (void)sscanf(third, "%u", &number);
    own = strcmp(third, "own") == 0 || strcmp(fourth, "own") == 0;
    if (cidr_parse_address(to, &c) == 0) {
        struct net_addr a = nt_addr(to);

        net_decide(v, &a, (enum net_proto)(port.protocol - PROTO_TCP),
                   (uint16_t)number, own, &got);
    } else {
        net_decide_name(v, to, (enum net_proto)(port.protocol - PROTO_TCP),
                        (uint16_t)number, &got);
    }
    nt_print(&got, out);
    return out;
}

#endif
