/* net_name.c - what is a host name: in a policy, and asked for by a client.
 *
 * Stricter than DNS, which takes any bytes: what one reader takes for a name
 * and another for an address, or for the machine itself, is no name here. */
#include "policy/net.h"

#include <string.h>

#include "base/ascii.h"
#include "contract/cidr.h"
#include "policy/net_pack.h"

#define EXPECTED                                                               \
    "expected a host name, as in 'api.example.com' or '*.example.com'"

#define WHOLE                                                                  \
    "a whole top-level domain cannot be granted, nor every name: two labels "  \
    "at least follow '*.'"

enum { LABEL_MAX = 63 };

/* Who asks decides about the underscore: names of services have it. */
enum reader { POLICY, CLIENT };

static bool is_ldh(char c)
{
    return ascii_is_letter(c) || ascii_is_digit(c) || c == '-';
}

static const char *label_wrong(const char *s, size_t len, enum reader who)
{
    if (len == 0)
        return "expected a label on both sides of each dot";
    if (len > LABEL_MAX)
        return "a label of a host name has at most 63 characters";
    if (s[0] == '-' || s[len - 1] == '-')
        return "a label of a host name neither begins nor ends with a hyphen";
    for (size_t i = 0; i < len; i++) {
        if (is_ldh(s[i]))
            continue;
        if (who == CLIENT && s[i] == '_' && i == 0 && len > 1)
            continue;
        if (s[i] == '*')
            return "'*' stands for the whole first label or not at all";
        return "a host name has letters, digits, hyphens and dots only";
    }
    return NULL;
}

/* "1", "0x7f", "0x": a URL that ends so is an IPv4 address to browsers, and
 * inet_aton(3) takes some of them too. */
static bool is_number(const char *s, size_t len)
{
    size_t i = 0;

    if (len >= 2 && s[0] == '0' && ascii_lower(s[1]) == 'x') {
        for (i = 2; i < len && ascii_hex(s[i]) >= 0; i++)
            ;
        return i == len;
    }
    while (i < len && ascii_is_digit(s[i]))
        i++;
    return i == len;
}

static bool is_localhost(const char *s, size_t len)
{
    static const char word[] = "localhost";

    if (len != sizeof(word) - 1)
        return false;
    for (size_t i = 0; i < len; i++)
        if (ascii_lower(s[i]) != word[i])
            return false;
    return true;
}

/* A name without wildcard; *labels counts them. */
static const char *name_wrong(const char *s, size_t len, enum reader who,
                              unsigned *labels)
{
    size_t last = 0;

    if (len > NET_NAME_MAX)
        return "a host name has at most 253 characters";
    *labels = 0;
    for (size_t at = 0; at <= len;) {
        const char *dot = memchr(s + at, '.', len - at);
        size_t n = (dot ? (size_t)(dot - s) : len) - at;
        const char *why = label_wrong(s + at, n, who);

        if (why)
            return why;
        last = at;
        at += n + 1;
        ++*labels;
    }
    if (is_number(s + last, len - last))
        return "the last label is a number, which some programs take for an "
               "address";
    /* RFC 6761 6.3: never asked of a server. */
    if (is_localhost(s + last, len - last))
        return "localhost is the sandbox itself; the host's loopback is "
               "reached by network.ingress.hostServices";
    return NULL;
}

/* What people write by mistake gets a word of its own. */
static const char *text_wrong(const char *text, size_t len)
{
    struct cidr block;
    const char *why;

    if (len == 0)
        return EXPECTED;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x80)
            return "a host name is ASCII: write its A-label, which begins "
                   "with 'xn--'";
    if (cidr_parse(text, &block, &why) == 0 || text[0] == '[')
        return "expected a host name: an address belongs in 'cidr'";
    if (strpbrk(text, ":/@"))
        return "expected a host name alone, without scheme, port or path";
    if (text[len - 1] == '.')
        return "a host name has no dot at its end";
    return NULL;
}

const char *net_host_wrong(const char *text)
{
    size_t len = strlen(text);
    const char *why = text_wrong(text, len);
    bool wild = text[0] == '*' && (text[1] == '.' || !text[1]);
    unsigned labels;

    if (why)
        return why;
    if (len > NET_NAME_MAX)
        return "a host name has at most 253 characters";
    if (wild && len == 1)
        return WHOLE;
    why = name_wrong(text + (wild ? 2 : 0), len - (wild ? 2 : 0), POLICY,
                     &labels);
    if (!why && wild && labels < 2)
        return WHOLE;
    return why;
}

bool net_name_clean(const char *text, size_t len, char *out)
{
    unsigned labels;

    if (len && text[len - 1] == '.')
        len--;
    if (len == 0 || name_wrong(text, len, CLIENT, &labels))
        return false;
    for (size_t i = 0; i < len; i++)
        out[i] = ascii_lower(text[i]);
    out[len] = '\0';
    return true;
}

bool net_name_is_packed(const char *text)
{
    bool wild = text[0] == '.';
    size_t len = strlen(text);
    unsigned labels;

    for (size_t i = 0; i < len; i++)
        if (text[i] != ascii_lower(text[i]))
            return false;
    if (len > NET_NAME_MAX ||
        name_wrong(text + wild, len - wild, POLICY, &labels))
        return false;
    return !wild || labels > 1;
}
