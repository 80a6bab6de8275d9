/* net.h - who may be talked to: the network part of a policy.
 *
 * Rules come as the contract writes them (struct net_rule), from a request or
 * from flags.  net_compile turns them into one flat object without pointers
 * that the gateway reads in place; net_open treats that object as hostile.
 * A decision takes time by the length of an address or of a name, not by the
 * number of rules.  Pure.
 *
 * What a rule means (docs/network.md): deny rules come first, then allow
 * rules, then the default.  "Everything" (a default of allow, a rule without
 * `to`, a wide block) is the public internet: an address of a special block
 * (private, link-local, a metadata service, ...) is reached only by a rule
 * whose block lies within that special block, and some (loopback, multicast)
 * by none. */
#ifndef MXC_POLICY_NET_H
#define MXC_POLICY_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "contract/request.h"

/* Where a rule was written.  Text by net_origin_print. */
enum net_list {
    NET_FROM_DEFAULT = 0,    /* network.egress.default */
    NET_FROM_ALLOW,          /* network.egress.allow[index] */
    NET_FROM_DENY,           /* network.egress.deny[index] */
    NET_FROM_ALLOW_HOST,     /* --allow-host, the index-th of its kind */
    NET_FROM_ALLOW_NET,      /* --allow-net */
    NET_FROM_DENY_NET,       /* --deny-net */
    NET_FROM_ALLOW_INTRANET, /* --allow-intranet-host */
    NET_FROM_ALLOWED,        /* network.allowedHosts[index], former contracts */
    NET_FROM_BLOCKED,        /* network.blockedHosts[index] */
    NET_FROM_END
};

struct net_origin {
    uint32_t list; /* enum net_list */
    uint32_t index;
};

/* One rule before compilation.  `rule` is borrowed: its texts were checked by
 * the contract (cidr_parse, net_host_wrong). */
struct net_source {
    enum net_action action;
    const struct net_rule *rule;
    struct net_origin origin;
};

/* A port of the sandbox's loopback joined to one of the host's loopback. */
struct net_forward {
    uint16_t guest;
    uint16_t host; /* publish: 0 picks a free one */
    bool is_v6;    /* service: the host's ::1 instead of 127.0.0.1 */
};

/* What the gateway has room for; with the proxy, 64 ports inside. */
enum { NET_MAX_PUBLISHED = 128, NET_MAX_SERVICES = 63 };

/* The port, inside, of the built-in proxy (runtimeConfig.filteringProxy). */
enum { NET_PROXY_PORT = 3128 };

/* The network part of struct policy.  All-zero: no network at all. */
struct net_policy {
    enum net_action egress_default;
    struct net_source *source;
    size_t nsources;
    size_t cap;
    struct net_forward *publish; /* sandbox's port, visible on the host */
    size_t npublish;
    struct net_forward *service; /* host's port, visible in the sandbox */
    size_t nservices;
    const char *proxy_url; /* runtimeConfig.networkProxy, or NULL; its port
                            * is one of the services too */
    bool filtering_proxy;
    bool is_told; /* there is a gateway in any case, which tells */
};

/* Append a rule; fails only for lack of memory. */
int net_add(struct net_policy *p, struct arena *a, enum net_action action,
            const struct net_rule *rule, struct net_origin origin,
            struct err *e);

/* Does anything but loopback forwarding have to be let out? */
bool net_has_egress(const struct net_policy *p);

/* Is a gateway needed at all? */
bool net_needs_gateway(const struct net_policy *p);

/* May ICMP echo be sent to anybody? */
bool net_has_icmp(const struct net_policy *p);

/* All of it as text, for comparing; nothing where there is no network. */
void net_print(struct buf *b, const struct net_policy *p);

/* --- names ----------------------------------------------------------- */

enum { NET_NAME_MAX = 253 };

/* Why `text` is no host pattern ("api.example.com" or "*.example.com"): NULL
 * when it is one.  Letters, digits and hyphens in labels of 1 to 63, two
 * labels at least below a wildcard, no trailing dot, no address and nothing
 * that some reader takes for one, not localhost. */
const char *net_host_wrong(const char *text);

/* The same for a name that a client asks for: writes it in lower case,
 * without its one trailing dot, to out (at least NET_NAME_MAX + 1).  Underscore
 * is allowed at the start of a label.  False: no name that is ever looked up.
 */
bool net_name_clean(const char *text, size_t len, char *out);

/* --- addresses ------------------------------------------------------- */

/* An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d. */
struct net_addr {
    uint8_t b[16];
};

enum net_class {
    NET_PUBLIC = 0,
    NET_PRIVATE,    /* RFC 1918, 100.64/10, fc00::/7, fec0::/10 */
    NET_LINK_LOCAL, /* 169.254/16, fe80::/10 */
    NET_METADATA,   /* addresses of cloud metadata services, each alone */
    NET_RESERVED,   /* 192.0.0.0/24, 64:ff9b:1::/48, 100::/64, Teredo, ... */
    NET_NEVER       /* loopback, unspecified, multicast, broadcast, 240/4, and
                     * the sandbox's own pools */
};

/* The class of an address; what IPv4 address an IPv6 one stands for (NAT64
 * 64:ff9b::/96, 6to4, IPv4-compatible) decides where it has one.  *bits is
 * the length of the special block's prefix in this 128-bit form, 0 for
 * NET_PUBLIC. */
enum net_class net_classify(const struct net_addr *a, unsigned *bits);

const char *net_class_name(enum net_class c);

bool net_addr_is_v4(const struct net_addr *a);
void net_addr_v4(struct net_addr *out, const uint8_t v4[4]);
/* "192.0.2.1", "2001:db8::1". */
void net_addr_print(const struct net_addr *a, char out[48]);

/* The sandbox's own pools (never granted, never dialled): 198.18.0.0/15 and
 * fd6d:7863:6e65:7400::/64.  Number 1 is the sandbox itself, 2 the resolver,
 * 4 the gateway's listeners, from 256 on the names. */
enum {
    NET_OWN_SANDBOX = 1,
    NET_OWN_DNS = 2,
    NET_OWN_LISTEN = 4,
    NET_OWN_NAMES = 256,
    NET_OWN_END = 131072
};
void net_own_v4(uint32_t number, struct net_addr *out);
void net_own_v6(uint32_t number, struct net_addr *out);
/* Is it one of ours?  Then *number. */
bool net_own_number(const struct net_addr *a, uint32_t *number);

/* --- the compiled form ----------------------------------------------- */

#define NET_MAX_BYTES (8u << 20)

/* Refuses what cannot be enforced: an IPv6 block that holds the IPv4-mapped
 * ones without being one (::/0), allow rules for blocks that no rule can
 * grant, deny rules for names under a default of allow.  *bytes is aligned
 * for uint64_t. */
int net_compile(struct arena *a, const struct net_policy *p, void **bytes,
                size_t *len, struct err *e);

struct net_view {
    const unsigned char *bytes;
    size_t len;
};

int net_open(const void *bytes, size_t len, struct net_view *out,
             struct err *e);

bool net_default_allows(const struct net_view *v);
bool net_filtering_proxy(const struct net_view *v);
bool net_icmp(const struct net_view *v);
bool net_egress(const struct net_view *v); /* as net_has_egress */
bool net_names(const struct net_view *v);  /* is there any allowed name? */
size_t net_publish_count(const struct net_view *v);
struct net_forward net_publish_at(const struct net_view *v, size_t i);
size_t net_service_count(const struct net_view *v);
struct net_forward net_service_at(const struct net_view *v, size_t i);

enum net_proto { NET_TCP = 0, NET_UDP, NET_ICMP, NET_PROTOS };

/* Why it was decided so. */
enum net_why {
    NET_BY_RULE = 0, /* origin says which */
    NET_BY_DEFAULT,
    NET_BY_CLASS,     /* special address, and no rule names it closely enough */
    NET_BY_NEVER,     /* no rule can grant it */
    NET_BY_NAME_ONLY, /* the name is known, not with this protocol and port */
    NET_BY_QUIC,      /* UDP 443 towards a name: clients shall use TCP */
    NET_BY_OWN        /* one of the host's own, and no rule names it alone */
};

struct net_verdict {
    bool is_allowed;
    enum net_why why;
    struct net_origin origin; /* of the deciding rule, for NET_BY_CLASS and
                               * NET_BY_OWN of the one that is too wide; else
                               * NET_FROM_DEFAULT */
    bool intranet;            /* names: private addresses may be dialled */
};

/* May the workload talk to this address?  `port` is ignored for ICMP.  With
 * `is_own` the address is one of the host's own interfaces: then only an allow
 * rule for exactly this address counts.  Deny rules for an IPv4 address hold
 * for the IPv6 ones that stand for it, too.  Of several rules that match, the
 * one with the lowest origin is told. */
void net_decide(const struct net_view *v, const struct net_addr *to,
                enum net_proto proto, uint16_t port, bool is_own,
                struct net_verdict *out);

/* Is it an address of the host's own? */
typedef bool net_is_own(void *arg, const struct net_addr *a);

/* The same where that is not known: it is asked only where the answer, or the
 * reason for it, depends on that. */
void net_decide_asking(const struct net_view *v, const struct net_addr *to,
                       enum net_proto proto, uint16_t port, net_is_own *is_own,
                       void *arg, struct net_verdict *out);

/* May the workload talk to this name (clean, lower case)?  Deny rules without
 * `to` hold for names as well.  Those for blocks do for the addresses that a
 * name leads to: where net_decide says no with NET_BY_RULE. */
void net_decide_name(const struct net_view *v, const char *name,
                     enum net_proto proto, uint16_t port,
                     struct net_verdict *out);

enum net_known {
    NET_UNKNOWN = 0, /* no rule allows it, or one denies all of it */
    NET_EXACT,       /* an allow rule names it */
    NET_WILDCARD     /* an allow rule's wildcard covers it */
};

/* May the name be resolved: is there any protocol and port that
 * net_decide_name allows?  Wildcards are told apart, for they let the workload
 * choose labels. */
enum net_known net_knows_name(const struct net_view *v, const char *name);

/* May an allowed name lead to this address?  Public ones; with `intranet` the
 * private ones too; never the host's own, link-local or metadata ones. */
bool net_may_lead_to(const struct net_addr *a, bool intranet, bool is_own);

/* "network.egress.allow[3]", "--allow-net (2nd)". */
void net_origin_print(struct net_origin o, char out[64]);

#endif
