/* test_proxy_url.c - the URL of a proxy: one spelling, no repairs. */
#include "contract/proxy.h"

#include <errno.h>

#include "t.h"

#include "base/scoped.h"

#define SCHEME "expected a URL that begins with 'http://' or 'https://'"
#define PLAIN                                                                  \
    "a URL holds no space, control character, backslash or "                   \
    "character outside ASCII"
#define HOST    "expected a host name, an IPv4 address or '[IPv6]'"
#define NO_PORT "expected a port, as in 'http://localhost:8080'"
#define PORT    "expected a port from 1 to 65535"

/* clang-format off */
static const struct {
    const char *url, *host;
    unsigned port;
    bool tls, userinfo, loopback;
} accepted[] = {
    { "http://localhost:8080", "localhost", 8080, false, false, true },
    { "HTTPS://LocalHost:1", "localhost", 1, true, false, true },
    { "http://127.0.0.1:80", "127.0.0.1", 80, false, false, true },
    { "https://127.0.0.1:443/", "127.0.0.1", 443, true, false, true },
    { "http://[::1]:65535/a?b#c", "::1", 65535, false, false, true },
    { "http://[0:0:0:0:0:0:0:1]:1", "0:0:0:0:0:0:0:1", 1, false, false, true },
    { "http://u:p@localhost:1", "localhost", 1, false, true, true },
    { "http://localhost@proxy:1", "proxy", 1, false, true, false },
    { "http://x@y@localhost:1", "localhost", 1, false, true, true },
    { "http://localhost:1?@x", "localhost", 1, false, false, true },
    { "http://localhost:08080", "localhost", 8080, false, false, true },
    { "http://proxy.example:3128", "proxy.example", 3128, false, false,
      false },
    { "http://a_b.c-d:1", "a_b.c-d", 1, false, false, false },
    { "http://localhost.:1", "localhost.", 1, false, false, false },
    { "http://127.0.0.2:1", "127.0.0.2", 1, false, false, false },
    { "http://[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", 1, false, false,
      false },
    { "http://[fe80::1]:1", "fe80::1", 1, false, false, false },
};
/* clang-format on */

TEST(accepted_urls)
{
    for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
        struct proxy_url u;
        const char *why = "";

        NOTE(accepted[i].url);
        CHECK_INT(proxy_parse(accepted[i].url, &u, &why), 0);
        CHECK_STR(u.host, accepted[i].host);
        CHECK_INT(u.port, accepted[i].port);
        CHECK_INT(u.tls, accepted[i].tls);
        CHECK_INT(u.has_userinfo, accepted[i].userinfo);
        CHECK_INT(proxy_is_loopback(&u), accepted[i].loopback);
    }
}

/* clang-format off */
static const struct {
    const char *url, *why;
} refused[] = {
    { "", SCHEME },
    { "localhost:1", SCHEME },
    { "socks5://localhost:1", SCHEME },
    { "http:/localhost:1", SCHEME },
    { "http:\\\\localhost:1", SCHEME },
    { " http://localhost:1", SCHEME },
    { "http://localhost:1 ", PLAIN },
    { "http://loc\talhost:1", PLAIN },
    { "http://localhost\\@x:1", PLAIN },
    { "http://\xef\xbd\x8cocalhost:1", PLAIN },
    { "http://localhost:1/\x7f", PLAIN },
    { "http://", HOST },
    { "http://:1", HOST },
    { "http:///localhost:1", HOST },
    { "http://%6cocalhost:1", HOST },
    { "http://127.1:1", HOST },
    { "http://2130706433:1", HOST },
    { "http://0x7f.1:1", HOST },
    { "http://0177.0.0.1:1", HOST },
    { "http://127.0.0.1.:1", HOST },
    { "http://a.1:1", HOST },
    { "http://::1:1", HOST },
    { "http://[::1:1", HOST },
    { "http://[::1%25lo]:1", HOST },
    { "http://[127.0.0.1]:1", HOST },
    { "http://[localhost]:1", HOST },
    { "http://localhost", NO_PORT },
    { "http://localhost/:1", NO_PORT },
    { "http://[::1]", NO_PORT },
    { "http://localhost:", PORT },
    { "http://localhost:0", PORT },
    { "http://localhost:65536", PORT },
    { "http://localhost:99999999999999999999", PORT },
    { "http://localhost:+1", PORT },
    { "http://localhost:1a", PORT },
    { "http://localhost:1:2", PORT },
};
/* clang-format on */

TEST(refused_urls)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct proxy_url u = { .port = 7 };
        const char *why = "";

        NOTE(refused[i].url);
        CHECK_INT(proxy_parse(refused[i].url, &u, &why), -EINVAL);
        CHECK_STR(why, refused[i].why);
        CHECK_INT(u.port, 7);
    }
}

TEST(long_hosts)
{
    char url[600], *end = url + strlen("http://");
    struct proxy_url u;
    const char *why;

    memcpy(url, "http://", 7);
    memset(end, 'a', 300);
    memcpy(end + 255, ":1", 3);
    CHECK_INT(proxy_parse(url, &u, &why), 0);
    CHECK_INT(strlen(u.host), 255);
    memcpy(end + 255, "a:1", 4);
    CHECK_INT(proxy_parse(url, &u, &why), -EINVAL);
    CHECK_STR(why, HOST);
}

T_MAIN()
