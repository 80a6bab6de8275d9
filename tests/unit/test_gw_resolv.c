/* test_gw_resolv.c - resolv.conf and hosts, as text. */
#include "gateway/resolv.h"

#include "t.h"

#include "base/scoped.h"

/* "v4" in its mapped form, "v6" as it is; each byte in hexadecimal. */
static const char *shown(const struct net_addr *a)
{
    static char text[33];

    for (int i = 0; i < 16; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", a->b[i]);
    return text;
}

#define V4(last) "00000000000000000000ffffc00002" last /* 192.0.2.last */
#define V6(last) "20010db80000000000000000000000" last /* 2001:db8::last */

/* clang-format off */
static const struct {
    const char *text;
    size_t n;
    const char *server[3];
    unsigned timeout, attempts;
    bool rotate, use_vc;
} confs[] = {
    { "", 0, { NULL }, 5, 2, false, false },
    { "nameserver 192.0.2.1", 1, { V4("01") }, 5, 2, false, false },
    { "nameserver\t192.0.2.1  \r\nnameserver 2001:db8::2\n", 2,
      { V4("01"), V6("02") }, 5, 2, false, false },
    { "nameserver 192.0.2.1 # x\nnameserver 192.0.2.2;x\n", 1,
      { V4("01") }, 5, 2, false, false },
    { "nameserver fe80::1%eth0\nnameserver 192.0.2.1\n", 1,
      { V4("01") }, 5, 2, false, false },
    { "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"
      "nameserver 192.0.2.4\n", 3, { V4("01"), V4("02"), V4("03") },
      5, 2, false, false },
    { "#nameserver 192.0.2.1\n;nameserver 192.0.2.1\n nameserver 192.0.2.1\n"
      "nameservers 192.0.2.1\nnameserver\nnameserver 192.0.2\n"
      "nameserver 192.0.2.01\nnameserver example.com\n"
      "search nameserver 192.0.2.1\nNAMESERVER 192.0.2.1\n",
      0, { NULL }, 5, 2, false, false },
    { "options timeout:3 attempts:4 rotate use-vc ndots:3\n", 0,
      { NULL }, 3, 4, true, true },
    { "options timeout:0 attempts:0 timeout: timeout:x attempts:1x\n", 0,
      { NULL }, 5, 2, false, false },
    { "options timeout:99999999999999999999 attempts:99\noptions rotate\n", 0,
      { NULL }, 30, 5, true, false },
    { "option rotate\noptions rotates no-rotate use-vc:1\n", 0,
      { NULL }, 5, 2, false, false },
    { "nameserver 11111111111111111111111111111111111111111111111111111111\n",
      0, { NULL }, 5, 2, false, false },
};
/* clang-format on */

TEST(configurations)
{
    for (size_t i = 0; i < ARRAY_LEN(confs); i++) {
        struct resolv_conf c;

        NOTE(confs[i].text);
        resolv_parse(confs[i].text, strlen(confs[i].text), &c);
        CHECK_INT(c.nservers, confs[i].n);
        for (size_t j = 0; j < c.nservers; j++)
            CHECK_STR(shown(&c.server[j]), confs[i].server[j]);
        CHECK_INT(c.timeout_s, confs[i].timeout);
        CHECK_INT(c.attempts, confs[i].attempts);
        CHECK_INT(c.rotate, confs[i].rotate);
        CHECK_INT(c.use_vc, confs[i].use_vc);
    }
}

TEST(a_byte_of_zero_is_no_end)
{
    static const char text[] = "nameserver 192.0.2.1\0x\nnameserver 192.0.2.2";
    struct resolv_conf c;

    resolv_parse(text, sizeof(text) - 1, &c);
    CHECK_INT(c.nservers, 1);
    CHECK_STR(shown(&c.server[0]), V4("02"));
    /* Nothing is read behind the end. */
    resolv_parse(text, strlen("nameserver 192.0.2."), &c);
    CHECK_INT(c.nservers, 0);
}

static const char hosts[] = "127.0.0.1 localhost\n"
                            "# 192.0.2.9 a.example\n"
                            "192.0.2.1\ta.example  b.example #c.example\n"
                            "2001:db8::1 A.Example\n"
                            "  192.0.2.2 B.EXAMPLE\r\n"
                            "192.0.2.1 a.example\n"
                            "192.0.2.300 a.example\n"
                            "fe80::1%eth0 a.example\n"
                            "192.0.2.3\n"
                            "192.0.2.4 last.example";

TEST(names_in_hosts)
{
    struct net_addr a[RESOLV_ADDRS];
    size_t len = sizeof(hosts) - 1;

    CHECK_INT(resolv_hosts(hosts, len, "a.example", a), 2);
    CHECK_STR(shown(&a[0]), V4("01"));
    CHECK_STR(shown(&a[1]), V6("01"));
    CHECK_INT(resolv_hosts(hosts, len, "b.example", a), 2);
    CHECK_STR(shown(&a[0]), V4("01"));
    CHECK_STR(shown(&a[1]), V4("02"));
    CHECK_INT(resolv_hosts(hosts, len, "c.example", a), 0);
    CHECK_INT(resolv_hosts(hosts, len, "example", a), 0);
    CHECK_INT(resolv_hosts(hosts, len, "", a), 0);
    CHECK_INT(resolv_hosts(hosts, len, "192.0.2.1", a), 0);
    CHECK_INT(resolv_hosts(hosts, len, "last.example", a), 1);
    CHECK_INT(resolv_hosts(hosts, len - 1, "last.example", a), 0);
    CHECK_INT(resolv_hosts("", 0, "last.example", a), 0);
}

TEST(many_addresses)
{
    struct net_addr a[RESOLV_ADDRS];
    char text[1000] = "";
    size_t n = 0;

    for (unsigned i = 1; i <= 30; i++)
        n +=
            (size_t)snprintf(text + n, sizeof(text) - n, "192.0.2.%u x.y\n", i);
    CHECK_INT(resolv_hosts(text, n, "x.y", a), RESOLV_ADDRS);
    CHECK_STR(shown(&a[15]), V4("10"));
}

T_MAIN()
