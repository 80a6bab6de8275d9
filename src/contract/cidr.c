/* cidr.c - see cidr.h.
 *
 * Own code instead of inet_pton(3): the answer must not depend on the libc
 * (glibc and musl differ at the edges), and a pure module reads no header of
 * the operating system.  It knows no host names. */
#include "contract/cidr.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"

/* "0" to "255" without leading zeros: some readers take those for octal. */
static const char *read_octet(const char *p, uint8_t *out)
{
    unsigned n = 0;
    const char *from = p;

    while (ascii_is_digit(*p) && p - from < 3)
        n = n * 10 + (unsigned)(*p++ - '0');
    if (p == from || n > 255 || (*from == '0' && p - from > 1))
        return NULL;
    *out = (uint8_t)n;
    return p;
}

static const char *read_v4(const char *p, uint8_t addr[4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0 && *p++ != '.')
            return NULL;
        p = read_octet(p, &addr[i]);
        if (!p)
            return NULL;
    }
    return p;
}

/* One group of at most four hexadecimal digits. */
static const char *read_group(const char *p, uint8_t out[2])
{
    unsigned n = 0;
    const char *from = p;

    while (ascii_hex(*p) >= 0 && p - from < 4)
        n = n << 4 | (unsigned)ascii_hex(*p++);
    if (p == from)
        return NULL;
    out[0] = (uint8_t)(n >> 8);
    out[1] = (uint8_t)n;
    return p;
}

/* Groups, the last two perhaps as an IPv4 address, until "::", '/' or the
 * end.  *used counts bytes. */
static const char *read_groups(const char *p, uint8_t addr[16], size_t max,
                               size_t *used)
{
    size_t n = 0;

    for (;;) {
        const char *v4 = n + 4 <= max ? read_v4(p, addr + n) : NULL;

        /* Dotted form is the last thing in an address. */
        if (v4 && (!*v4 || *v4 == '/')) {
            *used = n + 4;
            return v4;
        }
        if (n + 2 > max)
            return NULL;
        p = read_group(p, addr + n);
        if (!p)
            return NULL;
        n += 2;
        if (*p != ':' || p[1] == ':')
            break;
        p++;
    }
    *used = n;
    return p;
}

static const char *read_v6(const char *p, uint8_t addr[16])
{
    uint8_t tail[16] = { 0 };
    size_t head = 0, rest = 0;

    if (*p != ':') {
        p = read_groups(p, addr, 16, &head);
        if (!p || head == 16)
            return p;
    }
    if (p[0] != ':' || p[1] != ':')
        return NULL;
    p += 2;
    /* "::" stands for one group at least, hence the 14. */
    if (*p && *p != '/') {
        if (head > 14)
            return NULL;
        p = read_groups(p, tail, 14 - head, &rest);
        if (!p)
            return NULL;
    }
    memset(addr + head, 0, 16 - head);
    memcpy(addr + 16 - rest, tail, rest);
    return p;
}

static const char *read_address(const char *text, struct cidr *c)
{
    const char *p;

    memset(c, 0, sizeof(*c));
    p = read_v4(text, c->addr);
    if (p && *p != ':') {
        c->family = 4;
        c->bits = 32;
        return p;
    }
    memset(c->addr, 0, sizeof(c->addr));
    c->family = 6;
    c->bits = 128;
    return read_v6(text, c->addr);
}

static bool host_bits_are_zero(const struct cidr *c)
{
    unsigned max = c->family == 4 ? 32 : 128;

    for (unsigned bit = c->bits; bit < max; bit++)
        if (c->addr[bit / 8] & 0x80u >> bit % 8)
            return false;
    return true;
}

int cidr_parse_address(const char *text, struct cidr *out)
{
    struct cidr c;
    const char *p = read_address(text, &c);

    if (!p || *p)
        return -EINVAL;
    *out = c;
    return 0;
}

int cidr_parse(const char *text, struct cidr *out, const char **why)
{
    struct cidr c;
    uint8_t bits;
    const char *p = read_address(text, &c);

    *why = "expected an IPv4 or IPv6 address, alone or with '/' and a "
           "prefix length";
    if (!p || (*p && *p != '/'))
        return -EINVAL;
    if (*p) {
        p = read_octet(p + 1, &bits);
        *why = c.family == 4 ? "expected a prefix length from 0 to 32"
                             : "expected a prefix length from 0 to 128";
        if (!p || *p || bits > c.bits)
            return -EINVAL;
        c.bits = bits;
    }
    *why = "has bits set behind the prefix length";
    if (!host_bits_are_zero(&c))
        return -EINVAL;
    *out = c;
    return 0;
}

bool cidr_contains(const struct cidr *outer, const struct cidr *inner)
{
    unsigned whole = outer->bits / 8, rest = outer->bits % 8;
    unsigned mask = 0xff00u >> rest & 0xffu;

    if (outer->family != inner->family || outer->bits > inner->bits)
        return false;
    if (memcmp(outer->addr, inner->addr, whole) != 0)
        return false;
    return rest == 0 || ((outer->addr[whole] ^ inner->addr[whole]) & mask) == 0;
}

static unsigned group(const struct cidr *c, int i)
{
    return (unsigned)c->addr[2 * i] << 8 | c->addr[2 * i + 1];
}

/* The first longest run of zero groups, two at least (RFC 5952 4.2). */
static int longest_zero_run(const struct cidr *c, int *length)
{
    int best = -1;

    *length = 1;
    for (int i = 0; i < 8; i++) {
        int n = 0;

        while (i + n < 8 && group(c, i + n) == 0)
            n++;
        if (n > *length) {
            best = i;
            *length = n;
        }
        i += n;
    }
    return best;
}

void cidr_print(const struct cidr *c, char out[CIDR_TEXT_MAX])
{
    int zeros, from, n = 0;

    if (c->family == 4) {
        (void)snprintf(out, CIDR_TEXT_MAX, "%u.%u.%u.%u/%u", c->addr[0],
                       c->addr[1], c->addr[2], c->addr[3], c->bits);
        return;
    }
    from = longest_zero_run(c, &zeros);
    for (int i = 0; i < 8; i++) {
        if (i == from) {
            n += snprintf(out + n, CIDR_TEXT_MAX - (size_t)n, "::");
            i += zeros - 1;
            continue;
        }
        n += snprintf(out + n, CIDR_TEXT_MAX - (size_t)n, "%s%x",
                      i > 0 && i != from + zeros ? ":" : "", group(c, i));
    }
    (void)snprintf(out + n, CIDR_TEXT_MAX - (size_t)n, "/%u", c->bits);
}
