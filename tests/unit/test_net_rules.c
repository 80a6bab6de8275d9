/* test_net_rules.c - what a network policy means, point by point, and what it
 * may not say. */
#include "policy/net.h"

#include <time.h>

#include "net_text.h"

#define A0 "network.egress.allow[0]"
#define A1 "network.egress.allow[1]"
#define D0 "network.egress.deny[0]"

/* clang-format off */
static const struct {
    const char *policy, *question, *want;
} rows[] = {
    /* Nothing is allowed that nobody allowed. */
    { "", "tcp 203.0.113.1 443", "no default" },
    { "", "icmp 203.0.113.1", "no default" },
    { "", "tcp 127.0.0.1 80", "no never" },
    { "", "tcp example.com 443", "no default" },
    { "default allow", "tcp 203.0.113.1 443", "yes default" },
    { "default allow", "udp 2001:db8::1 53", "yes default" },
    { "default allow", "icmp 8.8.8.8", "yes default" },

    /* Deny, then allow, then the default, whatever is the longer. */
    { "allow 203.0.113.7; deny 203.0.113.0/24", "tcp 203.0.113.7 1", "no " D0 },
    { "allow 203.0.113.0/24; deny 203.0.113.7", "tcp 203.0.113.7 1", "no " D0 },
    { "allow 203.0.113.0/24; deny 203.0.113.7", "tcp 203.0.113.8 1",
      "yes " A0 },
    { "default allow; deny 203.0.113.0/24", "tcp 203.0.113.7 1", "no " D0 },
    { "default allow; deny 203.0.113.0/24", "tcp 203.0.112.7 1",
      "yes default" },
    { "allow 203.0.113.0/24; allow 203.0.113.7", "tcp 203.0.113.7 1",
      "yes " A0 },
    { "allow 203.0.113.7; allow 203.0.113.0/24", "tcp 203.0.113.7 1",
      "yes " A0 },
    { "deny 203.0.113.9; deny 203.0.113.0/24", "tcp 203.0.113.7 1",
      "no network.egress.deny[1]" },

    /* A rule without `to` is about everything. */
    { "allow", "tcp 203.0.113.1 1", "yes " A0 },
    { "allow", "udp 2001:db8::1 1", "yes " A0 },
    { "allow", "icmp 2001:db8::1", "yes " A0 },
    { "allow tcp:443", "tcp 2001:db8::1 443", "yes " A0 },
    { "allow tcp:443", "tcp 2001:db8::1 444", "no default" },
    { "default allow; deny tcp:25", "tcp 203.0.113.1 25", "no " D0 },
    { "default allow; deny", "tcp 203.0.113.1 25", "no " D0 },
    { "default allow; deny", "tcp 10.0.0.1 25", "no " D0 },

    /* Protocols and ports. */
    { "allow 203.0.113.0/24", "icmp 203.0.113.1", "yes " A0 },
    { "allow 203.0.113.0/24 any", "udp 203.0.113.1 9", "yes " A0 },
    { "allow 203.0.113.0/24 any", "icmp 203.0.113.1", "yes " A0 },
    { "allow 203.0.113.0/24 any:53", "tcp 203.0.113.1 53", "yes " A0 },
    { "allow 203.0.113.0/24 any:53", "udp 203.0.113.1 53", "yes " A0 },
    { "allow 203.0.113.0/24 any:53", "icmp 203.0.113.1 53", "no default" },
    { "allow 203.0.113.0/24 any:53", "tcp 203.0.113.1 54", "no default" },
    { "allow 203.0.113.0/24 tcp", "tcp 203.0.113.1 65535", "yes " A0 },
    { "allow 203.0.113.0/24 tcp", "udp 203.0.113.1 65535", "no default" },
    { "allow 203.0.113.0/24 icmp", "icmp 203.0.113.1 77", "yes " A0 },
    { "allow 203.0.113.0/24 icmp", "tcp 203.0.113.1 7", "no default" },
    { "allow 203.0.113.0/24 tcp:80-90", "tcp 203.0.113.1 79", "no default" },
    { "allow 203.0.113.0/24 tcp:80-90", "tcp 203.0.113.1 80", "yes " A0 },
    { "allow 203.0.113.0/24 tcp:80-90", "tcp 203.0.113.1 90", "yes " A0 },
    { "allow 203.0.113.0/24 tcp:80-90", "tcp 203.0.113.1 91", "no default" },
    { "allow 203.0.113.0/24 tcp:80 tcp:70-75 udp:1", "tcp 203.0.113.1 75",
      "yes " A0 },
    { "allow 203.0.113.0/24 tcp:80 tcp:70-75 udp:1", "udp 203.0.113.1 1",
      "yes " A0 },
    { "allow 203.0.113.0/24 tcp:1-65535", "tcp 203.0.113.1 65535", "yes " A0 },
    { "allow 203.0.113.0/24 tcp:1-65535", "tcp 203.0.113.1 0", "no default" },
    { "allow 203.0.113.0/24 tcp:5-9; allow 203.0.113.0/24 tcp:1-99",
      "tcp 203.0.113.1 9", "yes " A0 },
    { "allow 203.0.113.0/24 tcp:5-9; allow 203.0.113.0/24 tcp:1-99",
      "tcp 203.0.113.1 10", "yes " A1 },
    { "allow 203.0.113.0/24 tcp:5-9; allow 203.0.113.0/24 tcp:1-99",
      "tcp 203.0.113.1 4", "yes " A1 },
    { "allow tcp:80; deny 203.0.113.0/24 udp", "tcp 203.0.113.1 80",
      "yes " A0 },

    /* Exceptions. */
    { "allow 203.0.113.0/24 !203.0.113.16/28", "tcp 203.0.113.15 1",
      "yes " A0 },
    { "allow 203.0.113.0/24 !203.0.113.16/28", "tcp 203.0.113.16 1",
      "no default" },
    { "allow 203.0.113.0/24 !203.0.113.16/28", "tcp 203.0.113.31 1",
      "no default" },
    { "allow 203.0.113.0/24 !203.0.113.16/28", "tcp 203.0.113.32 1",
      "yes " A0 },
    { "allow 203.0.113.0/24 !203.0.113.0/24", "tcp 203.0.113.1 1",
      "no default" },
    { "allow 203.0.113.0/24 !203.0.113.0/25 !203.0.113.128/25",
      "tcp 203.0.113.200 1", "no default" },
    { "allow 203.0.113.0/24 !203.0.113.7 !203.0.113.0/25 !203.0.113.0/28",
      "tcp 203.0.113.100 1", "no default" },
    { "allow 203.0.113.0/24 !203.0.113.7; allow 203.0.113.0/28",
      "tcp 203.0.113.7 1", "yes " A1 },
    { "default allow; deny 203.0.113.0/24 !203.0.113.7", "tcp 203.0.113.7 1",
      "yes default" },
    { "allow 2001:db8::/32 !2001:db8:1::/48", "tcp 2001:db8:1::1 1",
      "no default" },
    { "allow 2001:db8::/32 !2001:db8:1::/48", "tcp 2001:db8:2::1 1",
      "yes " A0 },

    /* One space: mapped blocks are IPv4, NAT64 is not. */
    { "allow ::ffff:203.0.113.0/120", "tcp 203.0.113.9 1", "yes " A0 },
    { "allow ::ffff:0:0/96", "tcp 203.0.113.9 1", "yes " A0 },
    { "allow ::ffff:0:0/96", "tcp 2001:db8::1 1", "no default" },
    { "allow ::ffff:203.0.113.0/120 !::ffff:203.0.113.128/121",
      "tcp 203.0.113.129 1", "no default" },
    { "allow 0.0.0.0/0", "tcp 64:ff9b::203.0.113.9 1", "no default" },
    { "allow 2000::/3", "tcp 203.0.113.9 1", "no default" },
    { "default allow; deny 203.0.113.0/24", "tcp 64:ff9b::203.0.113.9 1",
      "no " D0 },
    { "default allow; deny 203.0.113.0/24", "tcp 64:ff9b::203.0.112.9 1",
      "yes default" },
    { "default allow; deny 203.0.113.0/24", "tcp 2002:cb00:7101::1 1",
      "no " D0 },

    /* Special blocks: only a rule for them, or for part of them. */
    { "default allow", "tcp 10.0.0.1 1", "no class" },
    { "default allow", "tcp fd00::1 1", "no class" },
    { "default allow", "tcp 169.254.0.1 1", "no class" },
    { "default allow", "tcp 169.254.169.254 80", "no class" },
    { "default allow", "tcp 192.0.0.5 80", "no class" },
    { "default allow", "tcp 224.0.0.1 80", "no never" },
    { "default allow", "tcp ::1 80", "no never" },
    { "default allow", "tcp 198.18.0.1 80", "no never" },
    { "default allow", "tcp fd6d:7863:6e65:7400::2 80", "no never" },
    { "allow 0.0.0.0/0", "tcp 127.0.0.1 1", "no never" },
    { "allow 0.0.0.0/0", "tcp 10.0.0.1 1", "no class " A0 },
    { "allow", "tcp 10.0.0.1 1", "no class " A0 },
    { "allow 8.0.0.0/7 tcp:80", "tcp 10.0.0.1 80", "no default" },
    { "allow 10.0.0.0/7 tcp:80", "tcp 10.0.0.1 80", "no class " A0 },
    { "allow 10.0.0.0/7 tcp:80", "tcp 10.0.0.1 81", "no default" },
    { "allow 10.0.0.0/7 tcp:80", "tcp 11.0.0.1 80", "yes " A0 },
    { "allow 10.0.0.0/8", "tcp 10.0.0.1 1", "yes " A0 },
    { "allow 10.9.0.0/16", "tcp 10.9.0.1 1", "yes " A0 },
    { "allow 10.9.0.0/16", "tcp 10.8.0.1 1", "no default" },
    { "default allow; allow 10.9.0.0/16", "tcp 10.8.0.1 1", "no class" },
    { "allow 0.0.0.0/0; allow 10.0.0.0/8 tcp:1", "tcp 10.0.0.1 1", "yes " A1 },
    { "allow 0.0.0.0/0; allow 10.0.0.0/8 tcp:1", "tcp 10.0.0.1 2",
      "no class " A0 },
    { "allow 10.0.0.0/8; deny 10.1.0.0/16", "tcp 10.1.0.1 1", "no " D0 },
    { "deny 0.0.0.0/0", "tcp 127.0.0.1 1", "no " D0 },
    { "allow 169.254.0.0/16", "tcp 169.254.1.1 1", "yes " A0 },
    { "allow 169.254.0.0/16", "tcp 169.254.169.254 1", "no class " A0 },
    { "allow 169.254.169.254", "tcp 169.254.169.254 1", "yes " A0 },
    { "allow 169.254.169.254/31", "tcp 169.254.169.254 1", "no class " A0 },
    { "allow 169.254.169.254/31", "tcp 169.254.169.255 1", "yes " A0 },
    { "allow 168.0.0.0/8", "tcp 168.63.129.16 80", "no class " A0 },
    { "allow 168.0.0.0/8", "tcp 168.63.129.17 80", "yes " A0 },
    { "allow fc00::/7", "tcp fd00:ec2::254 80", "no class " A0 },
    { "allow fc00::/7", "tcp fd00:ec2::253 80", "yes " A0 },
    { "allow fc00::/7", "tcp fd6d:7863:6e65:7400::9 80", "no never" },
    { "allow fe80::/10", "tcp fe80::1 80", "yes " A0 },
    { "allow 64:ff9b::/96", "tcp 64:ff9b::10.0.0.1 80", "no class " A0 },
    { "allow 64:ff9b::/96", "tcp 64:ff9b::127.0.0.1 80", "no never" },
    { "allow 64:ff9b::/96", "tcp 64:ff9b::203.0.113.1 80", "yes " A0 },
    { "allow 64:ff9b::a00:0/104", "tcp 64:ff9b::10.0.0.1 80", "yes " A0 },
    { "allow 2002:a00::/24", "tcp 2002:a00:1::1 80", "yes " A0 },
    { "allow 2002::/16", "tcp 2002:a00:1::1 80", "no class " A0 },
    { "allow 2002::/16", "tcp 2002:808:808::1 80", "yes " A0 },
    { "allow 2000::/3", "tcp 2002:808:808::1 80", "no class " A0 },
    { "allow 2000::/3", "tcp 2001:0:1::1 80", "no class " A0 },

    /* An exception does not make a rule reach further than without it. */
    { "allow 8.0.0.0/6 !11.0.0.0/8", "tcp 10.0.0.1 1", "no class " A0 },
    { "allow 0.0.0.0/0 !11.0.0.1", "tcp 10.0.0.1 1", "no class " A0 },
    { "allow 169.254.169.252/30 !169.254.169.252/31 !169.254.169.255",
      "tcp 169.254.169.254 1", "no class " A0 },
    { "allow 10.0.0.0/8 !10.0.0.0/16", "tcp 10.1.0.1 1", "yes " A0 },
    { "allow 8.0.0.0/6 !11.0.0.0/8; allow 10.0.0.0/8", "tcp 10.0.0.1 1",
      "yes " A1 },
    { "allow 203.0.113.6/31 !203.0.113.7", "tcp 203.0.113.6 1 own",
      "no own " A0 },

    /* The host's own addresses, public or not. */
    { "default allow", "tcp 203.0.113.6 1 own", "no own" },
    { "allow 203.0.113.0/24", "tcp 203.0.113.6 1 own", "no own " A0 },
    { "allow 203.0.113.6", "tcp 203.0.113.6 1 own", "yes " A0 },
    { "allow 203.0.113.6; deny 203.0.113.0/24", "tcp 203.0.113.6 1 own",
      "no " D0 },
    { "allow 10.0.0.0/8", "tcp 10.0.0.5 1 own", "no own " A0 },
    { "allow 10.0.0.5/32 tcp:1", "tcp 10.0.0.5 1 own", "yes " A0 },
    { "allow 10.0.0.5/32 tcp:1", "tcp 10.0.0.5 2 own", "no own" },
    { "allow 2001:db8::5", "icmp 2001:db8::5 own", "yes " A0 },
    { "allow 0.0.0.0/0", "tcp 127.0.0.1 1 own", "no never" },

    /* Names. */
    { "allow example.com", "tcp example.com 443", "yes " A0 },
    { "allow example.com", "icmp example.com", "yes " A0 },
    { "allow example.com", "udp example.com 53", "yes " A0 },
    { "allow example.com", "udp example.com 443", "no quic" },
    { "allow example.com tcp:80", "udp example.com 443", "no quic" },
    { "allow example.com tcp:80", "tcp example.com 443", "no name-only" },
    { "allow example.com tcp:80", "icmp example.com", "no name-only" },
    { "allow example.com", "tcp www.example.com 443", "no default" },
    { "allow example.com", "udp www.example.com 443", "no default" },
    { "allow EXAMPLE.com", "tcp example.com 443", "yes " A0 },
    { "allow *.example.com", "tcp www.example.com 443", "yes " A0 },
    { "allow *.example.com", "tcp a.b.www.example.com 443", "yes " A0 },
    { "allow *.example.com", "tcp example.com 443", "no default" },
    { "allow *.example.com", "tcp wwwexample.com 443", "no default" },
    { "allow *.example.com", "tcp .example.com 443", "no default" },
    { "allow *.example.com tcp:80; allow www.example.com tcp:443",
      "tcp www.example.com 80", "yes " A0 },
    { "allow *.example.com tcp:80; allow www.example.com tcp:443",
      "tcp www.example.com 443", "yes " A1 },
    { "allow *.example.com; deny bad.example.com", "tcp bad.example.com 443",
      "no " D0 },
    { "allow *.example.com; deny bad.example.com", "tcp x.bad.example.com 443",
      "yes " A0 },
    { "allow www.bad.example.com; deny *.bad.example.com",
      "tcp www.bad.example.com 443", "no " D0 },
    { "allow example.com; deny example.com tcp:25", "tcp example.com 25",
      "no " D0 },
    { "allow example.com; deny example.com tcp:25", "tcp example.com 26",
      "yes " A0 },
    { "allow example.com; deny tcp:25", "tcp example.com 25", "no " D0 },
    { "allow example.com; deny tcp:25", "tcp example.com 26", "yes " A0 },
    { "allow example.com; deny 0.0.0.0/0", "tcp example.com 26", "yes " A0 },
    { "default allow", "tcp example.com 443", "no default" },
    { "allow", "tcp example.com 443", "no default" },
    { "default allow; allow example.com", "tcp example.com 443", "yes " A0 },
    { "allow +example.com", "tcp example.com 443", "yes " A0 " intranet" },
    { "allow +example.com tcp:80; allow example.com", "tcp example.com 80",
      "yes " A0 " intranet" },
    { "allow example.com; allow +example.com tcp:80", "tcp example.com 80",
      "yes " A0 " intranet" },
    { "allow example.com; allow +example.com tcp:80", "tcp example.com 81",
      "yes " A0 },
    { "allow example.com; allow +*.example.com", "tcp example.com 81",
      "yes " A0 },
    { "allow x.example.com; allow +*.example.com", "tcp x.example.com 81",
      "yes " A0 " intranet" },
    { "allow intranet-host", "tcp intranet-host 81", "yes " A0 },

    /* Who is told. */
    { "net allow 203.0.113.1; net allow 203.0.113.2", "tcp 203.0.113.2 1",
      "yes --allow-net (2nd)" },
    { "net allow 203.0.113.0/24; allow 203.0.113.1", "tcp 203.0.113.1 1",
      "yes " A0 },
    { "denynet deny 203.0.113.1; default allow", "tcp 203.0.113.1 1",
      "no --deny-net (1st)" },
    { "host allow example.com", "tcp example.com 1",
      "yes --allow-host (1st)" },
    { "intranet allow +example.com", "tcp example.com 1",
      "yes --allow-intranet-host (1st) intranet" },
};
/* clang-format on */

static struct nt_policy np;

TEST(decisions)
{
    char got[128];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = { .limit = 1 << 20 };
        char note[256];
        struct net_view v;

        (void)snprintf(note, sizeof(note), "%s: %s", rows[i].policy,
                       rows[i].question);
        NOTE(note);
        nt_read(&np, rows[i].policy);
        v = nt_compile(&a, &np.p);
        CHECK_STR(nt_ask(&v, rows[i].question, got), rows[i].want);
        arena_drop(&a);
    }
}

/* How often it is asked, and what it says. */
struct asked {
    unsigned n;
    bool says;
};

static bool is_own(void *arg, const struct net_addr *a)
{
    struct asked *x = arg;

    (void)a;
    x->n++;
    return x->says;
}

/* clang-format off */
static const struct {
    const char *policy, *to;
    bool is_asked;
    const char *want, *own;
} asking[] = {
    { "", "203.0.113.6", true, "no default", "no own" },
    { "", "10.0.0.5", true, "no default", "no own" },
    { "default allow", "203.0.113.6", true, "yes default", "no own" },
    { "default allow", "10.0.0.5", true, "no class", "no own" },
    { "allow 203.0.113.0/24", "203.0.113.6", true, "yes " A0, "no own " A0 },
    { "allow 203.0.113.6", "203.0.113.6", false, "yes " A0, "yes " A0 },
    { "default allow; deny 203.0.113.6", "203.0.113.6", false, "no " D0,
      "no " D0 },
    { "", "127.0.0.1", false, "no never", "no never" },
};
/* clang-format on */

TEST(whether_it_is_the_hosts_own_is_asked_where_it_matters)
{
    for (size_t i = 0; i < ARRAY_LEN(asking) * 2; i++) {
        struct asked x = { .says = i % 2 };
        struct arena a = { .limit = 1 << 20 };
        struct net_addr to = nt_addr(asking[i / 2].to);
        struct net_verdict v;
        struct net_view view;
        char note[256], got[128];

        (void)snprintf(note, sizeof(note), "%s: %s%s", asking[i / 2].policy,
                       asking[i / 2].to, x.says ? " own" : "");
        NOTE(note);
        nt_read(&np, asking[i / 2].policy);
        view = nt_compile(&a, &np.p);
        net_decide_asking(&view, &to, NET_TCP, 80, is_own, &x, &v);
        nt_print(&v, got);
        CHECK_STR(got, x.says ? asking[i / 2].own : asking[i / 2].want);
        CHECK_INT(x.n, asking[i / 2].is_asked);
        arena_drop(&a);
    }
}

TEST(a_view_of_zeros_denies)
{
    struct net_view v = { 0 };
    char got[128];

    CHECK_STR(nt_ask(&v, "tcp 203.0.113.1 443", got), "no default");
    CHECK_STR(nt_ask(&v, "tcp example.com 443", got), "no default");
    CHECK_INT(net_knows_name(&v, "example.com"), NET_UNKNOWN);
    CHECK(!net_default_allows(&v) && !net_egress(&v) && !net_names(&v));
    CHECK_INT(net_publish_count(&v) + net_service_count(&v), 0);
}

/* clang-format off */
static const struct {
    const char *policy, *name;
    enum net_known want;
} known[] = {
    { "", "example.com", NET_UNKNOWN },
    { "default allow", "example.com", NET_UNKNOWN },
    { "allow", "example.com", NET_UNKNOWN },
    { "allow example.com", "example.com", NET_EXACT },
    { "allow example.com icmp", "example.com", NET_EXACT },
    { "allow example.com", "www.example.com", NET_UNKNOWN },
    { "allow *.example.com", "www.example.com", NET_WILDCARD },
    { "allow *.example.com", "example.com", NET_UNKNOWN },
    { "allow *.example.com; allow www.example.com", "www.example.com",
      NET_EXACT },
    { "allow *.example.com; deny www.example.com", "www.example.com",
      NET_UNKNOWN },
    { "allow *.example.com; deny www.example.com tcp", "www.example.com",
      NET_WILDCARD },
    { "allow example.com udp:443", "example.com", NET_UNKNOWN },
    { "allow example.com udp:443-444", "example.com", NET_EXACT },
    { "allow example.com udp:442-443", "example.com", NET_EXACT },
    { "allow example.com tcp:1-9; deny example.com tcp:1-4 tcp:5-9",
      "example.com", NET_UNKNOWN },
    { "allow example.com tcp:1-9; deny example.com tcp:1-4 tcp:6-9",
      "example.com", NET_EXACT },
    { "allow example.com tcp:1-9 tcp:20; deny tcp:1-10", "example.com",
      NET_EXACT },
    { "allow example.com; deny", "example.com", NET_UNKNOWN },
    { "allow example.com; deny any tcp:1", "example.com", NET_UNKNOWN },
};
/* clang-format on */

TEST(names_that_may_be_resolved)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct net_view v;

        NOTE(known[i].policy);
        nt_read(&np, known[i].policy);
        v = nt_compile(&a, &np.p);
        CHECK_INT(net_knows_name(&v, known[i].name), known[i].want);
        arena_drop(&a);
    }
}

/* clang-format off */
#define MAPPED(block) "IPv6 block '" block "' holds all of IPv4 as mapped "
#define SPECIAL                                                                \
    "it is unspecified, multicast, reserved or the sandbox's own"
#define OTHER_NAMES                                                            \
    "denying 'example.com' cannot be enforced: the address behind a name "     \
    "can be reached under other names"

static const struct {
    const char *policy, *where, *msg, *hint;
} refused[] = {
    { "allow 10.0.0.0/8; allow 192.0.2.1 ::/0", A1 ".to[1]",
      MAPPED("::/0") "addresses",
      "write 0.0.0.0/0 for IPv4 and 2000::/3 for the public IPv6 internet" },
    { "deny ::/64", D0 ".to[0]", MAPPED("::/64") "addresses", "2000::/3" },
    { "allow ::fffe:0:0/95", A0 ".to[0]", MAPPED("::fffe:0:0/95") "addresses",
      "2000::/3" },
    { "net allow 192.0.2.1; net allow ::/0", "--allow-net (2nd)",
      MAPPED("::/0") "addresses", "2000::/3" },
    { "allow 127.0.0.0/8", A0 ".to[0]",
      "no rule can grant '127.0.0.0/8': it is loopback",
      "the host's loopback is reached by network.ingress.hostServices" },
    { "allow ::1", A0 ".to[0]", "no rule can grant '::1': it is loopback",
      "network.ingress.hostServices" },
    { "net allow 127.0.0.1", "--allow-net (1st)",
      "no rule can grant '127.0.0.1': it is loopback", "hostServices" },
    { "allow ::ffff:127.0.0.1", A0 ".to[0]",
      "no rule can grant '::ffff:127.0.0.1': it is loopback", "hostServices" },
    { "allow 224.0.0.0/24", A0 ".to[0]",
      "no rule can grant '224.0.0.0/24': " SPECIAL, "leave it out" },
    { "allow 224.0.0.0/3", A0 ".to[0]",
      "no rule can grant '224.0.0.0/3': " SPECIAL, "leave it out" },
    { "allow 255.255.255.255", A0 ".to[0]",
      "no rule can grant '255.255.255.255': " SPECIAL, "leave it out" },
    { "allow 0.0.0.0", A0 ".to[0]", "no rule can grant '0.0.0.0': " SPECIAL,
      "leave it out" },
    { "allow ff02::/16", A0 ".to[0]", "no rule can grant 'ff02::/16': " SPECIAL,
      "leave it out" },
    { "allow 198.18.4.0/24", A0 ".to[0]",
      "no rule can grant '198.18.4.0/24': " SPECIAL, "leave it out" },
    { "allow fd6d:7863:6e65:7400::/64", A0 ".to[0]",
      "no rule can grant 'fd6d:7863:6e65:7400::/64': " SPECIAL,
      "leave it out" },
    { "allow 64:ff9b::7f00:0/104", A0 ".to[0]",
      "no rule can grant '64:ff9b::7f00:0/104': " SPECIAL, "leave it out" },
    { "default allow; deny 192.0.2.1 example.com", D0 ".to[1]", OTHER_NAMES,
      "deny its addresses, or make the default deny and allow the names that "
      "are needed" },
    { "allow any; deny example.com", D0 ".to[0]", OTHER_NAMES,
      "deny its addresses, or make the default deny and allow the names that "
      "are needed" },
    { "allow bad_name.example", A0 ".to[0]",
      "'bad_name.example': a host name has letters, digits, hyphens and dots "
      "only", "" },
    { "allow 10.0.0.0/8 !10.0.0.1/8", A0 ".to[0].except[0]",
      "'10.0.0.1/8': has bits set behind the prefix length", "" },
    { "allow 10.0.0.0/8 !10.1.0.0/16 !11.0.0.0/8", A0 ".to[0].except[1]",
      "exception '11.0.0.0/8' lies outside its '10.0.0.0/8'", "" },
    { "allow 10.0.0.0/8 !0.0.0.0/0", A0 ".to[0].except[0]",
      "exception '0.0.0.0/0' lies outside its '10.0.0.0/8'", "" },
    { "allow tcp:9-8", A0 ".ports[0]", "'endPort' is below 'port'", "" },
};

/* Near what is refused. */
static const char *const accepted[] = {
    "deny 127.0.0.0/8 224.0.0.0/4 ::1",
    "allow 126.0.0.0/7",
    "allow 0.0.0.0/0 2000::/3",
    "allow 192.0.0.0/2",
    "allow ::ffff:0:0/96",
    "allow ::/96",
    "allow 64:ff9b::/96",
    "allow example.com; deny example.com *.example.org",
    "deny 0.0.0.0/0 !10.0.0.0/8",
};
/* clang-format on */

TEST(refusals)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct arena a = { .limit = 1 << 20 };
        void *bytes = &a;
        size_t len = 77;
        struct err e = { 0 };

        NOTE(refused[i].policy);
        nt_read(&np, refused[i].policy);
        CHECK(net_compile(&a, &np.p, &bytes, &len, &e) == -1);
        CHECK_INT(e.code, ERR_POLICY_VALIDATION);
        CHECK_STR(e.where, refused[i].where);
        CHECK_STR(e.msg, refused[i].msg);
        CHECK_HAS(e.hint, refused[i].hint);
        CHECK(bytes == &a && len == 77);
        arena_drop(&a);
    }
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        struct arena a = { .limit = 1 << 20 };

        NOTE(accepted[i]);
        nt_read(&np, accepted[i]);
        (void)nt_compile(&a, &np.p);
        arena_drop(&a);
    }
}

/* Exceptions cost about as many blocks as they have bits. */
TEST(too_many_blocks)
{
    enum { RULES = 1000 };
    static struct net_rule rule[RULES];
    static struct net_peer peer[RULES];
    static const char *except[] = { "2001:db8:1:2:3:4:5:6" };
    struct arena a = { .limit = 16 << 20 };
    struct net_policy p = { 0 };
    struct err e = { 0 };
    void *bytes;
    size_t len;

    for (uint32_t i = 0; i < RULES; i++) {
        peer[i] = (struct net_peer){ .cidr = "2001:d00::/24",
                                     .except = { except, 1, true } };
        rule[i] = (struct net_rule){ .to = &peer[i], .nto = 1 };
        CHECK(net_add(&p, &a, NET_ALLOW, &rule[i],
                      (struct net_origin){ NET_FROM_ALLOW, i }, &e) == 0);
    }
    CHECK(net_compile(&a, &p, &bytes, &len, &e) == -1);
    CHECK_INT(e.code, ERR_POLICY_VALIDATION);
    CHECK_STR(e.msg, "network rules come to more than 65536 blocks of "
                     "addresses");
    CHECK_STR(e.where, "network.egress.allow[630].to[0]");
    p.nsources = 630;
    (void)nt_compile(&a, &p);
    arena_drop(&a);
}

/* clang-format off */
static const struct {
    const char *policy;
    bool egress, icmp, gateway, names;
} facts[] = {
    { "", false, false, false, false },
    { "deny 10.0.0.0/8", false, false, false, false },
    { "deny example.com", false, false, false, false },
    { "default allow", true, true, true, false },
    { "default allow; deny icmp", true, true, true, false },
    { "allow 10.0.0.0/8", true, true, true, false },
    { "allow 10.0.0.0/8 tcp", true, false, true, false },
    { "allow 10.0.0.0/8 any:80", true, false, true, false },
    { "allow 10.0.0.0/8 any:80 any", true, true, true, false },
    { "allow 10.0.0.0/8 icmp", true, true, true, false },
    { "allow 10.0.0.0/8 !10.0.0.0/8", true, true, true, false },
    { "allow example.com tcp:80", true, false, true, true },
    { "allow *.example.com; deny *.example.com", true, true, true, true },
};
/* clang-format on */

TEST(what_a_policy_needs)
{
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct net_view v;

        NOTE(facts[i].policy);
        nt_read(&np, facts[i].policy);
        CHECK_INT(net_has_egress(&np.p), facts[i].egress);
        CHECK_INT(net_has_icmp(&np.p), facts[i].icmp);
        CHECK_INT(net_needs_gateway(&np.p), facts[i].gateway);
        v = nt_compile(&a, &np.p);
        CHECK_INT(net_egress(&v), facts[i].egress);
        CHECK_INT(net_icmp(&v), facts[i].icmp);
        CHECK_INT(net_names(&v), facts[i].names);
        CHECK_INT(net_default_allows(&v), np.p.egress_default == NET_ALLOW);
        arena_drop(&a);
    }
}

TEST(forwards_survive)
{
    struct net_forward publish[] = { { 8080, 0, false }, { 81, 8081, false } };
    struct net_forward service[] = { { 5432, 5432, true } };
    struct arena a = { .limit = 1 << 20 };
    struct net_policy p = { .publish = publish, .npublish = 2 };
    struct net_forward f;
    struct net_view v;

    CHECK(net_needs_gateway(&p) && !net_has_egress(&p));
    p = (struct net_policy){ .service = service, .nservices = 1 };
    CHECK(net_needs_gateway(&p));
    p = (struct net_policy){ .filtering_proxy = true };
    CHECK(net_needs_gateway(&p));
    p = (struct net_policy){ .publish = publish,
                             .npublish = 2,
                             .service = service,
                             .nservices = 1,
                             .filtering_proxy = true };
    v = nt_compile(&a, &p);
    CHECK(net_filtering_proxy(&v));
    CHECK_INT(net_publish_count(&v), 2);
    CHECK_INT(net_service_count(&v), 1);
    f = net_publish_at(&v, 1);
    CHECK(f.guest == 81 && f.host == 8081 && !f.is_v6);
    f = net_publish_at(&v, 0);
    CHECK(f.guest == 8080 && f.host == 0 && !f.is_v6);
    f = net_service_at(&v, 0);
    CHECK(f.guest == 5432 && f.host == 5432 && f.is_v6);
    arena_drop(&a);
}

enum { MANY = 10000 };

static struct net_rule many_rule[MANY];
static struct net_peer many_peer[MANY];
static struct net_port many_port[MANY];
static char many_text[MANY][32];

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Compiles what is in many_*; the best of a few, for others are at work. */
static struct net_view compile_many(struct arena *a, double *ms)
{
    struct net_policy p = { 0 };
    struct net_view v = { 0 };
    struct err e = { 0 };

    for (uint32_t i = 0; i < MANY; i++) {
        many_rule[i] = (struct net_rule){ &many_peer[i], 1, &many_port[i], 1 };
        CHECK(net_add(&p, a, NET_ALLOW, &many_rule[i],
                      (struct net_origin){ NET_FROM_ALLOW, i }, &e) == 0);
    }
    *ms = 1e9;
    for (int i = 0; i < 5; i++) {
        double start = now_ms();

        v = nt_compile(a, &p);
        if (now_ms() - start < *ms)
            *ms = now_ms() - start;
    }
    return v;
}

TEST(ten_thousand_blocks)
{
    struct arena a = { .limit = 64 << 20 };
    struct net_view v;
    char got[128];
    double ms;

    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t k = i * 7919 % MANY;

        (void)snprintf(many_text[i], sizeof(many_text[i]), "20.%u.%u.0/24",
                       k / 256, k % 256);
        many_peer[i] = (struct net_peer){ .cidr = many_text[i] };
        many_port[i] = (struct net_port){ PROTO_TCP, (uint16_t)(i + 1), 0 };
    }
    v = compile_many(&a, &ms);
    printf("# %.2f ms\n", ms);
    CHECK_STR(nt_ask(&v, "tcp 20.30.239.9 2", got), "yes " A1);
    CHECK_STR(nt_ask(&v, "tcp 20.30.239.9 1", got), "no default");
    CHECK_STR(nt_ask(&v, "tcp 21.0.0.1 2", got), "no default");
    CHECK(ms < 300);
    arena_drop(&a);
}

TEST(ten_thousand_rules_of_one_block)
{
    struct arena a = { .limit = 64 << 20 };
    struct net_view v;
    char got[128];
    double ms;

    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t k = i * 7919 % MANY;

        many_peer[i] = (struct net_peer){ .cidr = "203.0.113.0/24" };
        many_port[i] = (struct net_port){ PROTO_TCP, (uint16_t)(k + 1),
                                          (uint16_t)(k + 50000) };
    }
    v = compile_many(&a, &ms);
    printf("# %.2f ms\n", ms);
    CHECK_STR(nt_ask(&v, "tcp 203.0.113.1 1", got), "yes " A0);
    CHECK_STR(nt_ask(&v, "tcp 203.0.113.1 50000", got), "yes " A0);
    CHECK_STR(nt_ask(&v, "tcp 203.0.113.1 57919", got), "yes " A1);
    CHECK_STR(nt_ask(&v, "tcp 203.0.113.1 60000", got), "no default");
    CHECK(ms < 300);
    arena_drop(&a);
}

/* Half of them wildcards. */
TEST(ten_thousand_names)
{
    struct arena a = { .limit = 64 << 20 };
    struct net_view v;
    char got[128];
    double ms;

    for (uint32_t i = 0; i < MANY; i++) {
        (void)snprintf(many_text[i], sizeof(many_text[i]), "%sh%u.example",
                       i % 2 ? "*." : "", i * 7919 % MANY);
        many_peer[i] = (struct net_peer){ .host = many_text[i] };
        many_port[i] = (struct net_port){ PROTO_TCP, 443, 0 };
    }
    v = compile_many(&a, &ms);
    printf("# %.2f ms\n", ms);
    CHECK_STR(nt_ask(&v, "tcp h0.example 443", got), "yes " A0);
    CHECK_STR(nt_ask(&v, "tcp x.h7919.example 443", got), "yes " A1);
    CHECK_STR(nt_ask(&v, "tcp h7919.example 443", got), "no default");
    CHECK(ms < 300);
    arena_drop(&a);
}

T_MAIN()
