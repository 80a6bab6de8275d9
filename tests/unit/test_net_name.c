/* test_net_name.c - what is a host name, in a policy and from a client. */
#include "policy/net.h"

#include "t.h"

#define EXPECTED                                                               \
    "expected a host name, as in 'api.example.com' or '*.example.com'"
#define WHOLE                                                                  \
    "a whole top-level domain cannot be granted, nor every name: two labels "  \
    "at least follow '*.'"
#define CHARS  "a host name has letters, digits, hyphens and dots only"
#define STAR   "'*' stands for the whole first label or not at all"
#define EMPTY  "expected a label on both sides of each dot"
#define HYPHEN "a label of a host name neither begins nor ends with a hyphen"
#define NUMBER                                                                 \
    "the last label is a number, which some programs take for an address"
#define ADDRESS "expected a host name: an address belongs in 'cidr'"
#define ALONE   "expected a host name alone, without scheme, port or path"
#define DOT     "a host name has no dot at its end"
#define ASCII                                                                  \
    "a host name is ASCII: write its A-label, which begins with 'xn--'"
#define LOCAL                                                                  \
    "localhost is the sandbox itself; the host's loopback is reached by "      \
    "network.ingress.hostServices"

#define L10  "abcdefghij"
#define L63  L10 L10 L10 L10 L10 L10 "abc"
#define L250 L63 "." L63 "." L63 "." L10 L10 L10 L10 L10 "abcdefgh"

/* clang-format off */
static const struct {
    const char *text, *want; /* NULL: a pattern */
} rows[] = {
    { "example.com", NULL },
    { "EXAMPLE.Com", NULL },
    { "api-2.example.com", NULL },
    { "intranet", NULL },
    { "a", NULL },
    { "3com.com", NULL },
    { "1.2.3.4.example", NULL },
    { "xn--bcher-kva.example", NULL },
    { "a--b.example", NULL },
    { "*.example.com", NULL },
    { "*.co.uk", NULL },
    { "0xfoo", NULL },
    { "a.0xg", NULL },
    { "localhost.example", NULL },
    { "mylocalhost", NULL },
    { L63 ".example", NULL },
    { L250 ".ab", NULL },
    { "*." L250 "b", NULL },

    { "", EXPECTED },
    { "*", WHOLE },
    { "*.com", WHOLE },
    { "*.xn--p1ai", WHOLE },
    { "*.", DOT },
    { "example.com.", DOT },
    { ".", DOT },
    { ".example.com", EMPTY },
    { "a..b", EMPTY },
    { "*..b", EMPTY },
    { "a.*.com", STAR },
    { "*.*.com", STAR },
    { "www*.example.com", STAR },
    { "**.example.com", STAR },
    { "*example.com", STAR },
    { "_dmarc.example.com", CHARS },
    { "a_b.example.com", CHARS },
    { "exa mple.com", CHARS },
    { " example.com", CHARS },
    { "example.com\n", CHARS },
    { "example\x01.com", CHARS },
    { "example,com", CHARS },
    { "-a.example", HYPHEN },
    { "a-.example", HYPHEN },
    { "-", HYPHEN },
    { "b\xc3\xbc" "cher.example", ASCII },
    { "example\xe3\x80\x82" "com", ASCII },
    { "example.com\xff", ASCII },
    { "10.0.0.1", ADDRESS },
    { "10.0.0.0/8", ADDRESS },
    { "::1", ADDRESS },
    { "[::1]", ADDRESS },
    { "127.1", NUMBER },
    { "2130706433", NUMBER },
    { "0x7f000001", NUMBER },
    { "0X7F.1", NUMBER },
    { "1.2.3.0x", NUMBER },
    { "010.0.0.1", NUMBER },
    { "example.123", NUMBER },
    { "*.example.1", NUMBER },
    { "https://example.com", ALONE },
    { "example.com:443", ALONE },
    { "example.com/x", ALONE },
    { "user@example.com", ALONE },
    { "fe80::1%eth0", ALONE },
    { "localhost", LOCAL },
    { "LocalHost", LOCAL },
    { "*.localhost", LOCAL },
    { "a.localhost", LOCAL },
    { "*.a.localhost", LOCAL },
    { L63 "d.example", "a label of a host name has at most 63 characters" },
    { L250 ".abc", "a host name has at most 253 characters" },
    { "*." L250 "bc", "a host name has at most 253 characters" },
};
/* clang-format on */

TEST(host_patterns)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = net_host_wrong(rows[i].text);

        NOTE(rows[i].text);
        if (rows[i].want)
            CHECK_STR(got, rows[i].want);
        else if (got)
            T_FAIL("refused: %s", got);
    }
}

/* clang-format off */
static const struct {
    const char *text, *want; /* NULL: no name */
} asked[] = {
    { "example.com", "example.com" },
    { "WWW.Example.COM.", "www.example.com" },
    { "_dns._udp.example.com", "_dns._udp.example.com" },
    { "intranet", "intranet" },
    { L250 ".ab.", L250 ".ab" },
    { "", NULL },
    { ".", NULL },
    { "example.com..", NULL },
    { ".example.com", NULL },
    { "a..b", NULL },
    { "_.example.com", NULL },
    { "a_.example.com", NULL },
    { "a_b.example.com", NULL },
    { "*.example.com", NULL },
    { "*", NULL },
    { "-a.example", NULL },
    { "b\xc3\xbc" "cher.example", NULL },
    { "localhost", NULL },
    { "localhost.", NULL },
    { "x.LOCALHOST", NULL },
    { "10.0.0.1", NULL },
    { "10.0.0.1.", NULL },
    { "0x7f.1", NULL },
    { "::1", NULL },
    { "example.com:80", NULL },
    { L250 ".abc", NULL },
    { L63 "d.example", NULL },
};
/* clang-format on */

TEST(names_asked_for)
{
    char out[NET_NAME_MAX + 1];

    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        const char *text = asked[i].text;
        bool is_name = net_name_clean(text, strlen(text), out);

        NOTE(text);
        CHECK_INT(is_name, asked[i].want != NULL);
        if (is_name)
            CHECK_STR(out, asked[i].want);
    }
    CHECK(!net_name_clean("a\0b", 3, out));
    CHECK(!net_name_clean("example.com\0", 12, out));
    CHECK(net_name_clean("example.community", 11, out));
    CHECK_STR(out, "example.com");
}

T_MAIN()
