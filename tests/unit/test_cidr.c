/* test_cidr.c - address blocks: what is one, what lies in what. */
#include "contract/cidr.h"

#include <arpa/inet.h>
#include <errno.h>

#include "t.h"

#include "base/scoped.h"

#define HOST "has bits set behind the prefix length"
#define ADDRESS                                                                \
    "expected an IPv4 or IPv6 address, alone or with '/' and a "               \
    "prefix length"
#define LENGTH4 "expected a prefix length from 0 to 32"
#define LENGTH6 "expected a prefix length from 0 to 128"

/* clang-format off */
/* `want` is the canonical text, or NULL and `why`. */
static const struct {
    const char *text, *want, *why;
} rows[] = {
    { "10.0.0.0/8", "10.0.0.0/8", NULL },
    { "0.0.0.0/0", "0.0.0.0/0", NULL },
    { "255.255.255.255", "255.255.255.255/32", NULL },
    { "1.2.3.4/31", "1.2.3.4/31", NULL },
    { "1.2.3.5/31", NULL, HOST },
    { "192.0.2.128/25", "192.0.2.128/25", NULL },
    { "10.0.0.1/8", NULL, HOST },
    { "10.0.0.0/33", NULL, LENGTH4 },
    { "10.0.0.0/08", NULL, LENGTH4 },
    { "10.0.0.0/+8", NULL, LENGTH4 },
    { "10.0.0.0/-1", NULL, LENGTH4 },
    { "10.0.0.0/", NULL, LENGTH4 },
    { "10.0.0.0/8/8", NULL, LENGTH4 },
    { "10.0.0.0/8 ", NULL, LENGTH4 },
    { "1.2.3.4/256", NULL, LENGTH4 },
    { "1.2.3.4/4294967328", NULL, LENGTH4 },
    { " 10.0.0.0/8", NULL, ADDRESS },
    { "010.0.0.0/8", NULL, ADDRESS },
    { "10.0.0/8", NULL, ADDRESS },
    { "1.2.3.256", NULL, ADDRESS },
    { "1.2.3.4.5", NULL, ADDRESS },
    { "1..3.4", NULL, ADDRESS },
    { "0x7f.0.0.1", NULL, ADDRESS },
    { "", NULL, ADDRESS },
    { "/8", NULL, ADDRESS },
    { "localhost", NULL, ADDRESS },
    { "::", "::/128", NULL },
    { "::/0", "::/0", NULL },
    { "::1", "::1/128", NULL },
    { "FE80::/10", "fe80::/10", NULL },
    { "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8/128", NULL },
    { "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0/128", NULL },
    { "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8/128", NULL },
    { "1:0:0:4:0:0:0:8", "1:0:0:4::8/128", NULL },
    { "1:0:0:4:5:0:0:8", "1::4:5:0:0:8/128", NULL },
    { "1::", "1::/128", NULL },
    { "0001:02:3:004::", "1:2:3:4::/128", NULL },
    { "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304/128", NULL },
    { "::ffff:10.0.0.0/104", "::ffff:a00:0/104", NULL },
    { "::1:1.2.3.4", "::1:102:304/128", NULL },
    { "8000::/1", "8000::/1", NULL },
    { "::/1", "::/1", NULL },
    { "::1/64", NULL, HOST },
    { "::1/127", NULL, HOST },
    { "::/129", NULL, LENGTH6 },
    { "::/", NULL, LENGTH6 },
    { "1::2::3", NULL, ADDRESS },
    { ":::", NULL, ADDRESS },
    { ":", NULL, ADDRESS },
    { "1:", NULL, ADDRESS },
    { ":1", NULL, ADDRESS },
    { "1:2:3:4:5:6:7", NULL, ADDRESS },
    { "1:2:3:4:5:6:7:8:9", NULL, ADDRESS },
    { "1::2:3:4:5:6:7:8", NULL, ADDRESS },
    { "1:2:3:4:5:6:7:8::", NULL, ADDRESS },
    { "1:2:3:4:5:6:7:1.2.3.4", NULL, ADDRESS },
    { "1.2.3.4::", NULL, ADDRESS },
    { "::1.2.3.4:5", NULL, ADDRESS },
    { "::01.2.3.4", NULL, ADDRESS },
    { "12345::", NULL, ADDRESS },
    { "::g", NULL, ADDRESS },
    { "[::1]", NULL, ADDRESS },
    { "fe80::1%lo", NULL, ADDRESS },
};
/* clang-format on */

TEST(texts)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cidr c = { .family = 99 };
        char text[CIDR_TEXT_MAX];
        const char *why = "";
        int r = cidr_parse(rows[i].text, &c, &why);

        NOTE(rows[i].text);
        CHECK_INT(r, rows[i].want ? 0 : -EINVAL);
        if (r < 0) {
            CHECK_STR(why, rows[i].why);
            CHECK_INT(c.family, 99);
            continue;
        }
        cidr_print(&c, text);
        CHECK_STR(text, rows[i].want);
    }
}

TEST(containment)
{
    static const struct {
        const char *outer, *inner;
        bool want;
    } pairs[] = {
        { "10.0.0.0/8", "10.0.0.0/8", true },
        { "10.0.0.0/8", "10.255.255.255", true },
        { "10.0.0.0/8", "11.0.0.0", false },
        { "10.0.0.0/8", "10.0.0.0/7", false },
        { "10.0.0.0/8", "0.0.0.0/0", false },
        { "0.0.0.0/0", "1.2.3.4", true },
        { "10.128.0.0/9", "10.128.0.0/10", true },
        { "10.128.0.0/9", "10.0.0.0/10", false },
        { "0.0.0.0/0", "::1", false },
        { "::/0", "1.2.3.4", false },
        { "::/0", "::1", true },
        { "2001:db8::/33", "2001:db8:7fff::1", true },
        { "2001:db8::/33", "2001:db8:8000::", false },
        { "::1", "::1", true },
        { "::1", "::2", false },
        { "::ffff:10.0.0.0/104", "10.0.0.1", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct cidr outer, inner;
        const char *why;

        NOTE(pairs[i].inner);
        CHECK_INT(cidr_parse(pairs[i].outer, &outer, &why), 0);
        CHECK_INT(cidr_parse(pairs[i].inner, &inner, &why), 0);
        CHECK_INT(cidr_contains(&outer, &inner), pairs[i].want);
    }
}

/* A short text over the characters that addresses are made of. */
static void invent(char out[128], unsigned *seed)
{
    static const char *const pieces[] = { "0",   "1",     "25",      "255",
                                          "256", "::",    ":",       ".",
                                          "f",   "ffff",  "1.2.3.4", "0:0",
                                          "a",   "1:2:3", "2.3.4" };
    size_t n = 1 + (*seed >> 16) % 9, used = 0;

    for (size_t i = 0; i < n; i++) {
        *seed = *seed * 1103515245u + 12345u;
        used += (size_t)snprintf(out + used, 128 - used, "%s",
                                 pieces[(*seed >> 16) % ARRAY_LEN(pieces)]);
    }
}

/* libc and we agree on what is an address and which one it is. */
TEST(addresses_as_inet_pton_reads_them)
{
    unsigned seed = 7, accepted = 0;

    for (int i = 0; i < 300000; i++) {
        unsigned char want[16] = { 0 };
        char text[128];
        struct cidr c;
        bool v4, v6;

        invent(text, &seed);
        NOTE(text);
        v4 = inet_pton(AF_INET, text, want) == 1;
        v6 = !v4 && inet_pton(AF_INET6, text, want) == 1;
        CHECK_INT(cidr_parse_address(text, &c), v4 || v6 ? 0 : -EINVAL);
        if (!v4 && !v6)
            continue;
        accepted++;
        CHECK_INT(c.family, v4 ? 4 : 6);
        CHECK(memcmp(c.addr, want, v4 ? 4 : 16) == 0);
    }
    CHECK(accepted > 1000);
}

/* RFC 5952 as libc writes it, for addresses that it does not dot. */
TEST(prints_as_inet_ntop)
{
    unsigned seed = 3;

    for (int i = 0; i < 20000; i++) {
        struct cidr c = { .family = 6, .bits = 128 };
        char want[INET6_ADDRSTRLEN], got[CIDR_TEXT_MAX];

        c.addr[0] = 0x20;
        for (int b = 1; b < 16; b++) {
            seed = seed * 1103515245u + 12345u;
            c.addr[b] = seed >> 16 & 3 ? 0 : (uint8_t)(seed >> 20);
        }
        CHECK(inet_ntop(AF_INET6, c.addr, want, sizeof(want)));
        cidr_print(&c, got);
        CHECK(strncmp(got, want, strlen(want)) == 0);
        CHECK_STR(got + strlen(want), "/128");
    }
}

T_MAIN()
