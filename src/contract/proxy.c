/* proxy.c - see proxy.h.
 *
 * A small part of RFC 3986, on purpose: two readers that disagree about the
 * host of a URL are how filters are passed, so there is nothing to repair and
 * nothing to decode here.  Nothing is resolved either. */
#include "contract/proxy.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/ascii.h"
#include "contract/cidr.h"

/* The part of text behind a prefix, letter case ignored, or NULL. */
static const char *behind(const char *text, const char *prefix)
{
    for (; *prefix; text++, prefix++)
        if (ascii_lower(*text) != *prefix)
            return NULL;
    return text;
}

static bool is_plain(const char *url)
{
    for (; *url; url++)
        if (*url <= 0x20 || *url >= 0x7f || *url == '\\')
            return false;
    return true;
}

/* Where the host begins; sets has_userinfo. */
static const char *skip_userinfo(const char *p, const char *end,
                                 struct proxy_url *out)
{
    const char *at = memrchr(p, '@', (size_t)(end - p));

    out->has_userinfo = at != NULL;
    return at ? at + 1 : p;
}

static bool host_is_name(const char *host, size_t len)
{
    size_t label = 0;

    for (size_t i = 0; i < len; i++) {
        char c = host[i];

        if (!ascii_is_letter(c) && !ascii_is_digit(c) && !strchr("-._", c))
            return false;
        if (c == '.' && i + 1 < len)
            label = i + 1;
    }
    /* A name whose last label begins with a digit is a number to many
     * readers (127.1, 0x7f.1): such a host must be a whole address. */
    return len > 0 && !ascii_is_digit(host[label]);
}

static bool take_host(const char *host, size_t len, struct proxy_url *out)
{
    struct cidr addr;
    bool bracket = len > 2 && host[0] == '[' && host[len - 1] == ']';

    if (bracket) {
        host++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(out->host))
        return false;
    for (size_t i = 0; i < len; i++)
        out->host[i] = ascii_lower(host[i]);
    out->host[len] = '\0';
    if (cidr_parse_address(out->host, &addr) == 0)
        return bracket == (addr.family == 6);
    return !bracket && host_is_name(out->host, len);
}

static bool take_port(const char *p, const char *end, struct proxy_url *out)
{
    unsigned n = 0;

    if (p == end)
        return false;
    for (; p < end; p++) {
        if (!ascii_is_digit(*p))
            return false;
        n = n * 10 + (unsigned)(*p - '0');
        if (n > UINT16_MAX)
            return false;
    }
    out->port = (uint16_t)n;
    return n > 0;
}

/* The colon before the port, or NULL; those inside brackets are not it. */
static const char *find_colon(const char *p, const char *end)
{
    const char *bracket = memchr(p, ']', (size_t)(end - p));

    if (bracket)
        p = bracket;
    return memchr(p, ':', (size_t)(end - p));
}

int proxy_parse(const char *url, struct proxy_url *out, const char **why)
{
    struct proxy_url u = { 0 };
    const char *p = behind(url, "http://"), *end, *colon;

    *why = "expected a URL that begins with 'http://' or 'https://'";
    if (!p) {
        p = behind(url, "https://");
        u.tls = true;
    }
    if (!p)
        return -EINVAL;
    *why = "a URL holds no space, control character, backslash or character "
           "outside ASCII";
    if (!is_plain(url))
        return -EINVAL;
    end = p + strcspn(p, "/?#");
    p = skip_userinfo(p, end, &u);
    colon = find_colon(p, end);
    *why = "expected a host name, an IPv4 address or '[IPv6]'";
    if (!take_host(p, (size_t)((colon ? colon : end) - p), &u))
        return -EINVAL;
    *why = "expected a port, as in 'http://localhost:8080'";
    if (!colon)
        return -EINVAL;
    *why = "expected a port from 1 to 65535";
    if (!take_port(colon + 1, end, &u))
        return -EINVAL;
    *out = u;
    return 0;
}

bool proxy_is_loopback(const struct proxy_url *p)
{
    static const struct cidr one = { .family = 6,
                                     .bits = 128,
                                     .addr = { [15] = 1 } };
    struct cidr addr;

    if (strcmp(p->host, "localhost") == 0 || strcmp(p->host, "127.0.0.1") == 0)
        return true;
    return cidr_parse_address(p->host, &addr) == 0 &&
           cidr_contains(&one, &addr);
}
