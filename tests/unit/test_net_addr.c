/* test_net_addr.c - addresses: class, text, the sandbox's own; origins. */
#include "policy/net.h"

#include "net_text.h"

/* clang-format off */
static const struct {
    const char *addr;
    enum net_class class;
    unsigned bits;
} rows[] = {
    { "8.8.8.8", NET_PUBLIC, 0 },
    { "1.0.0.0", NET_PUBLIC, 0 },
    { "223.255.255.255", NET_PUBLIC, 0 },
    { "192.0.2.1", NET_PUBLIC, 0 },
    { "198.51.100.1", NET_PUBLIC, 0 },
    { "203.0.113.1", NET_PUBLIC, 0 },
    { "0.0.0.0", NET_NEVER, 104 },
    { "0.255.255.255", NET_NEVER, 104 },
    { "127.0.0.1", NET_NEVER, 104 },
    { "127.255.255.255", NET_NEVER, 104 },
    { "126.255.255.255", NET_PUBLIC, 0 },
    { "128.0.0.0", NET_PUBLIC, 0 },
    { "224.0.0.0", NET_NEVER, 100 },
    { "239.255.255.255", NET_NEVER, 100 },
    { "240.0.0.0", NET_NEVER, 100 },
    { "255.255.255.255", NET_NEVER, 100 },
    { "198.17.255.255", NET_PUBLIC, 0 },
    { "198.18.0.0", NET_NEVER, 111 },
    { "198.19.255.255", NET_NEVER, 111 },
    { "198.20.0.0", NET_PUBLIC, 0 },
    { "10.0.0.0", NET_PRIVATE, 104 },
    { "10.255.255.255", NET_PRIVATE, 104 },
    { "11.0.0.0", NET_PUBLIC, 0 },
    { "172.15.255.255", NET_PUBLIC, 0 },
    { "172.16.0.0", NET_PRIVATE, 108 },
    { "172.31.255.255", NET_PRIVATE, 108 },
    { "172.32.0.0", NET_PUBLIC, 0 },
    { "192.167.255.255", NET_PUBLIC, 0 },
    { "192.168.0.0", NET_PRIVATE, 112 },
    { "192.168.255.255", NET_PRIVATE, 112 },
    { "192.169.0.0", NET_PUBLIC, 0 },
    { "100.63.255.255", NET_PUBLIC, 0 },
    { "100.64.0.0", NET_PRIVATE, 106 },
    { "100.127.255.255", NET_PRIVATE, 106 },
    { "100.128.0.0", NET_PUBLIC, 0 },
    { "169.253.255.255", NET_PUBLIC, 0 },
    { "169.254.0.0", NET_LINK_LOCAL, 112 },
    { "169.254.255.255", NET_LINK_LOCAL, 112 },
    { "169.255.0.0", NET_PUBLIC, 0 },
    { "169.254.169.254", NET_METADATA, 128 },
    { "169.254.169.253", NET_METADATA, 128 },
    { "169.254.169.252", NET_LINK_LOCAL, 112 },
    { "169.254.170.2", NET_METADATA, 128 },
    { "169.254.170.23", NET_METADATA, 128 },
    { "100.100.100.200", NET_METADATA, 128 },
    { "100.100.100.201", NET_PRIVATE, 106 },
    { "168.63.129.16", NET_METADATA, 128 },
    { "168.63.129.17", NET_PUBLIC, 0 },
    { "192.0.0.192", NET_METADATA, 128 },
    { "192.0.0.1", NET_RESERVED, 120 },
    { "192.0.1.0", NET_PUBLIC, 0 },
    { "192.88.99.1", NET_RESERVED, 120 },
    { "192.88.98.255", NET_PUBLIC, 0 },

    { "2606:4700::1111", NET_PUBLIC, 0 },
    { "2001:db8::1", NET_PUBLIC, 0 },
    { "::", NET_NEVER, 128 },
    { "::1", NET_NEVER, 128 },
    { "ff00::", NET_NEVER, 8 },
    { "ff02::1", NET_NEVER, 8 },
    { "fd6d:7863:6e65:7400::1", NET_NEVER, 64 },
    { "fd6d:7863:6e65:7400:ffff::1", NET_NEVER, 64 },
    { "fd6d:7863:6e65:7401::1", NET_PRIVATE, 7 },
    { "fc00::", NET_PRIVATE, 7 },
    { "fdff::1", NET_PRIVATE, 7 },
    { "fe00::", NET_PUBLIC, 0 },
    { "fe80::1", NET_LINK_LOCAL, 10 },
    { "febf::1", NET_LINK_LOCAL, 10 },
    { "fec0::1", NET_PRIVATE, 10 },
    { "feff::1", NET_PRIVATE, 10 },
    { "fd00:ec2::254", NET_METADATA, 128 },
    { "fd00:ec2::253", NET_PRIVATE, 7 },
    { "fd20:ce::254", NET_METADATA, 128 },
    { "100::1", NET_RESERVED, 64 },
    { "::ffff:0:8.8.8.8", NET_RESERVED, 96 },
    { "100:0:0:1::", NET_PUBLIC, 0 },
    { "64:ff9b:1::1", NET_RESERVED, 48 },
    { "2001::1", NET_RESERVED, 32 },
    { "2001:1::1", NET_PUBLIC, 0 },

    /* What an IPv6 address stands for. */
    { "::8.8.8.8", NET_RESERVED, 96 },
    { "::10.0.0.1", NET_PRIVATE, 104 },
    { "::127.0.0.1", NET_NEVER, 104 },
    { "::2", NET_NEVER, 104 },
    { "::169.254.169.254", NET_METADATA, 128 },
    { "64:ff9b::8.8.8.8", NET_PUBLIC, 0 },
    { "64:ff9b::10.0.0.1", NET_PRIVATE, 104 },
    { "64:ff9b::127.0.0.1", NET_NEVER, 104 },
    { "64:ff9b::169.254.169.254", NET_METADATA, 128 },
    { "64:ff9b::192.0.0.1", NET_RESERVED, 120 },
    { "64:ff9b::1:0:0", NET_PUBLIC, 0 },
    { "2002:808:808::1", NET_RESERVED, 16 },
    { "2002:a00:1::1", NET_PRIVATE, 24 },
    { "2002:7f00:1::1", NET_NEVER, 24 },
    { "2002:a9fe:a9fe::1", NET_METADATA, 48 },
    { "2002:c0a8:1::1", NET_PRIVATE, 32 },
    { "2003::1", NET_PUBLIC, 0 },
};
/* clang-format on */

TEST(classes)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct net_addr a = nt_addr(rows[i].addr);
        unsigned bits = 77;

        NOTE(rows[i].addr);
        CHECK_STR(net_class_name(net_classify(&a, &bits)),
                  net_class_name(rows[i].class));
        CHECK_INT(bits, rows[i].bits);
    }
}

TEST(class_names)
{
    CHECK_STR(net_class_name(NET_PUBLIC), "public");
    CHECK_STR(net_class_name(NET_PRIVATE), "private");
    CHECK_STR(net_class_name(NET_LINK_LOCAL), "link-local");
    CHECK_STR(net_class_name(NET_METADATA), "metadata");
    CHECK_STR(net_class_name(NET_RESERVED), "reserved");
    CHECK_STR(net_class_name(NET_NEVER), "never");
}

/* clang-format off */
static const struct {
    const char *addr;
    bool plain, intranet;
} leads[] = {
    { "203.0.113.1", true, true },
    { "2001:db8::1", true, true },
    { "64:ff9b::203.0.113.1", true, true },
    { "10.0.0.1", false, true },
    { "100.64.0.1", false, true },
    { "fd00::1", false, true },
    { "64:ff9b::10.0.0.1", false, true },
    { "169.254.0.1", false, false },
    { "fe80::1", false, false },
    { "169.254.169.254", false, false },
    { "64:ff9b::169.254.169.254", false, false },
    { "168.63.129.16", false, false },
    { "100.100.100.200", false, false },
    { "127.0.0.1", false, false },
    { "::1", false, false },
    { "::ffff:0:0", false, false },
    { "::127.0.0.1", false, false },
    { "224.0.0.1", false, false },
    { "192.0.0.1", false, false },
    { "2002:808:808::1", false, false },
    { "198.18.0.2", false, false },
};
/* clang-format on */

TEST(where_names_may_lead)
{
    for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++) {
        struct net_addr a = nt_addr(leads[i].addr);

        NOTE(leads[i].addr);
        CHECK_INT(net_may_lead_to(&a, false, false), leads[i].plain);
        CHECK_INT(net_may_lead_to(&a, true, false), leads[i].intranet);
        CHECK(!net_may_lead_to(&a, false, true));
        CHECK(!net_may_lead_to(&a, true, true));
    }
}

static const char *const texts[][2] = {
    { "192.0.2.1", "192.0.2.1" },
    { "::ffff:192.0.2.1", "192.0.2.1" },
    { "0.0.0.0", "0.0.0.0" },
    { "255.255.255.255", "255.255.255.255" },
    { "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
    { "::", "::" },
    { "::1", "::1" },
    { "::1.2.3.4", "::102:304" },
    { "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
    { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
};

TEST(text)
{
    char out[48];

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct net_addr a = nt_addr(texts[i][0]);

        net_addr_print(&a, out);
        CHECK_STR(out, texts[i][1]);
        CHECK_INT(net_addr_is_v4(&a), strchr(out, ':') == NULL);
    }
}

TEST(own_addresses)
{
    static const uint32_t number[] = { NET_OWN_SANDBOX, NET_OWN_DNS,
                                       NET_OWN_LISTEN,  NET_OWN_NAMES,
                                       65536,           NET_OWN_END - 1 };
    struct net_addr a;
    uint32_t got;
    unsigned bits;
    char out[48];

    for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++) {
        net_own_v4(number[i], &a);
        CHECK(net_addr_is_v4(&a) && net_own_number(&a, &got));
        CHECK_INT(got, number[i]);
        CHECK_INT(net_classify(&a, &bits), NET_NEVER);
        net_own_v6(number[i], &a);
        CHECK(!net_addr_is_v4(&a) && net_own_number(&a, &got));
        CHECK_INT(got, number[i]);
        CHECK_INT(net_classify(&a, &bits), NET_NEVER);
    }
    net_own_v4(NET_OWN_DNS, &a);
    net_addr_print(&a, out);
    CHECK_STR(out, "198.18.0.2");
    net_own_v4(NET_OWN_END - 1, &a);
    net_addr_print(&a, out);
    CHECK_STR(out, "198.19.255.255");
    net_own_v6(NET_OWN_NAMES, &a);
    net_addr_print(&a, out);
    CHECK_STR(out, "fd6d:7863:6e65:7400::100");
}

TEST(not_own_addresses)
{
    static const char *const other[] = {
        "198.17.255.255",           "198.20.0.0",
        "fd6d:7863:6e65:7401::1",   "fd6d:7863:6e65:7400::2:0",
        "fd6d:7863:6e65:7400:1::1", "::198.18.0.1",
        "64:ff9b::198.18.0.1",
    };
    uint32_t got;

    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        struct net_addr a = nt_addr(other[i]);

        NOTE(other[i]);
        CHECK(!net_own_number(&a, &got));
    }
}

/* clang-format off */
static const struct {
    struct net_origin o;
    const char *want;
} origins[] = {
    { { NET_FROM_DEFAULT, 0 }, "network.egress.default" },
    { { NET_FROM_ALLOW, 3 }, "network.egress.allow[3]" },
    { { NET_FROM_DENY, 0 }, "network.egress.deny[0]" },
    { { NET_FROM_ALLOWED, 1 }, "network.allowedHosts[1]" },
    { { NET_FROM_BLOCKED, 0 }, "network.blockedHosts[0]" },
    { { NET_FROM_ALLOW_HOST, 0 }, "--allow-host (1st)" },
    { { NET_FROM_ALLOW_NET, 1 }, "--allow-net (2nd)" },
    { { NET_FROM_DENY_NET, 2 }, "--deny-net (3rd)" },
    { { NET_FROM_ALLOW_INTRANET, 3 }, "--allow-intranet-host (4th)" },
    { { NET_FROM_ALLOW_NET, 9 }, "--allow-net (10th)" },
    { { NET_FROM_ALLOW_NET, 10 }, "--allow-net (11th)" },
    { { NET_FROM_ALLOW_NET, 11 }, "--allow-net (12th)" },
    { { NET_FROM_ALLOW_NET, 12 }, "--allow-net (13th)" },
    { { NET_FROM_ALLOW_NET, 20 }, "--allow-net (21st)" },
    { { NET_FROM_ALLOW_NET, 110 }, "--allow-net (111th)" },
    { { NET_FROM_ALLOW_INTRANET, UINT32_MAX },
      "--allow-intranet-host (4294967296th)" },
    { { NET_FROM_ALLOW, UINT32_MAX }, "network.egress.allow[4294967295]" },
    { { NET_FROM_END, 0 }, "network.egress.default" },
};
/* clang-format on */

TEST(origin_texts)
{
    char out[64];

    for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        net_origin_print(origins[i].o, out);
        CHECK_STR(out, origins[i].want);
    }
}

T_MAIN()
