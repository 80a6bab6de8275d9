/* net_addr.c - addresses: their class, the sandbox's own pools, their text. */
#include "policy/net.h"

#include <stdio.h>
#include <string.h>

#include "contract/cidr.h"
#include "policy/net_pack.h"

#define IP(a, b, c, d)                                                         \
    ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (uint32_t)(d))

#define NAT64 UINT64_C(0x0064ff9b00000000)

/* A block as in net_classify, IPv4 by itself. */
struct special4 {
    uint32_t at;
    uint8_t bits;
    uint8_t class;
};

struct special6 {
    uint64_t hi, lo;
    uint8_t bits;
    uint8_t class;
};

/* IANA's registries of special-purpose addresses (RFC 6890), less what leads
 * nowhere: the blocks for documents (192.0.2.0/24, 198.51.100.0/24,
 * 203.0.113.0/24, 2001:db8::/32) stay public, for nothing answers there, and
 * examples and tests want addresses that behave like public ones.
 *
 * A metadata service hands out a cloud machine's credentials to whoever asks.
 * They stand in link-local, private and even public blocks, so each is an
 * entry of its own: AWS and most others (169.254.169.254), AWS's resolver
 * (.253), ECS and EKS (169.254.170.2, .23), Alibaba, Azure's host agent,
 * Oracle's older one, and the IPv6 forms of AWS and Google.
 *
 * The first that holds the address counts: the longer before the shorter. */
/* clang-format off */
static const struct special4 special4[] = {
    { IP(169, 254, 169, 254), 32, NET_METADATA },
    { IP(169, 254, 169, 253), 32, NET_METADATA },
    { IP(169, 254, 170, 2), 32, NET_METADATA },
    { IP(169, 254, 170, 23), 32, NET_METADATA },
    { IP(100, 100, 100, 200), 32, NET_METADATA },
    { IP(168, 63, 129, 16), 32, NET_METADATA },
    { IP(192, 0, 0, 192), 32, NET_METADATA },
    { IP(192, 0, 0, 0), 24, NET_RESERVED },  /* RFC 6890 2.1 */
    { IP(192, 88, 99, 0), 24, NET_RESERVED },  /* 6to4 relays, RFC 7526 */
    { IP(192, 168, 0, 0), 16, NET_PRIVATE },
    { IP(169, 254, 0, 0), 16, NET_LINK_LOCAL },
    { IP(198, 18, 0, 0), 15, NET_NEVER },  /* RFC 2544; our own pool */
    { IP(172, 16, 0, 0), 12, NET_PRIVATE },
    { IP(100, 64, 0, 0), 10, NET_PRIVATE },  /* RFC 6598 */
    { IP(10, 0, 0, 0), 8, NET_PRIVATE },
    { IP(0, 0, 0, 0), 8, NET_NEVER },  /* Linux: 0.0.0.0 is loopback */
    { IP(127, 0, 0, 0), 8, NET_NEVER },
    { IP(224, 0, 0, 0), 4, NET_NEVER },
    { IP(240, 0, 0, 0), 4, NET_NEVER },
};

static const struct special6 special6[] = {
    { 0, 0, 128, NET_NEVER },
    { 0, 1, 128, NET_NEVER },
    { 0xfd000ec200000000, 0x254, 128, NET_METADATA },
    { 0xfd2000ce00000000, 0x254, 128, NET_METADATA },
    { 0xfd6d78636e657400, 0, 64, NET_NEVER },  /* our own pool */
    { 0, 0xffff000000000000, 96, NET_RESERVED },  /* SIIT, RFC 7915 */
    { 0x0100000000000000, 0, 64, NET_RESERVED },  /* discard, RFC 6666 */
    { 0x0064ff9b00010000, 0, 48, NET_RESERVED },  /* local NAT64, RFC 8215 */
    { 0x2001000000000000, 0, 32, NET_RESERVED },  /* Teredo */
    { 0xfe80000000000000, 0, 10, NET_LINK_LOCAL },
    { 0xfec0000000000000, 0, 10, NET_PRIVATE },  /* site-local, RFC 3879 */
    { 0xff00000000000000, 0, 8, NET_NEVER },
    { 0xfc00000000000000, 0, 7, NET_PRIVATE },
};
/* clang-format on */

static const struct special4 *find4(uint32_t v4)
{
    for (size_t i = 0; i < sizeof(special4) / sizeof(special4[0]); i++)
        if ((v4 ^ special4[i].at) >> (32 - special4[i].bits) == 0)
            return &special4[i];
    return NULL;
}

static const struct special6 *find6(struct net_key k)
{
    for (size_t i = 0; i < sizeof(special6) / sizeof(special6[0]); i++) {
        const struct special6 *s = &special6[i];

        if (net_key_in(k, (struct net_key){ s->hi, s->lo }, s->bits))
            return s;
    }
    return NULL;
}

bool net_key_embedded(struct net_key k, struct net_key *v4, unsigned *at)
{
    /* IPv4-compatible, deprecated (RFC 4291 2.5.5.1), and NAT64, the way to
     * IPv4 of a network without it (RFC 6052). */
    if ((k.hi == 0 || k.hi == NAT64) && k.lo >> 32 == 0) {
        *v4 = net_key_v4((uint32_t)k.lo);
        *at = 96;
        return true;
    }
    /* 6to4 (RFC 7526). */
    if (k.hi >> 48 == 0x2002) {
        *v4 = net_key_v4((uint32_t)(k.hi >> 16));
        *at = 16;
        return true;
    }
    return false;
}

/* The class of what is or holds, from bit `at` on, an IPv4 address. */
static enum net_class class4(uint64_t v4, unsigned at, enum net_class if_public,
                             unsigned *bits)
{
    const struct special4 *s = find4((uint32_t)v4);

    if (s) {
        *bits = at + s->bits;
        return (enum net_class)s->class;
    }
    *bits = if_public == NET_PUBLIC ? 0 : at;
    return if_public;
}

enum net_class net_key_class(struct net_key k, unsigned *bits)
{
    const struct special6 *s;
    struct net_key v4;
    unsigned at;

    if (k.hi == 0 && k.lo >> 32 == 0xffff)
        return class4(k.lo, 96, NET_PUBLIC, bits);
    s = find6(k);
    if (s) {
        *bits = s->bits;
        return (enum net_class)s->class;
    }
    if (net_key_embedded(k, &v4, &at))
        return class4(v4.lo, at, k.hi == NAT64 ? NET_PUBLIC : NET_RESERVED,
                      bits);
    *bits = 0;
    return NET_PUBLIC;
}

enum net_class net_classify(const struct net_addr *a, unsigned *bits)
{
    return net_key_class(net_key_of(a), bits);
}

const char *net_class_name(enum net_class c)
{
    switch (c) {
    case NET_PUBLIC:
        return "public";
    case NET_PRIVATE:
        return "private";
    case NET_LINK_LOCAL:
        return "link-local";
    case NET_METADATA:
        return "metadata";
    case NET_RESERVED:
        return "reserved";
    case NET_NEVER:
    default:
        return "never";
    }
}

bool net_may_lead_to(const struct net_addr *a, bool intranet, bool is_own)
{
    unsigned bits;
    enum net_class c = net_classify(a, &bits);

    return !is_own && (c == NET_PUBLIC || (c == NET_PRIVATE && intranet));
}

bool net_addr_is_v4(const struct net_addr *a)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

void net_addr_v4(struct net_addr *out, const uint8_t v4[4])
{
    struct net_addr a = { .b = { [10] = 0xff, [11] = 0xff } };

    memcpy(a.b + 12, v4, 4);
    *out = a;
}

void net_addr_print(const struct net_addr *a, char out[48])
{
    struct cidr c = { .family = 6, .bits = 128 };

    if (net_addr_is_v4(a)) {
        (void)snprintf(out, 48, "%u.%u.%u.%u", a->b[12], a->b[13], a->b[14],
                       a->b[15]);
        return;
    }
    memcpy(c.addr, a->b, sizeof(c.addr));
    cidr_print(&c, out);
    out[strcspn(out, "/")] = '\0';
}

#define OWN_V4 IP(198, 18, 0, 0)
#define OWN_V6 UINT64_C(0xfd6d78636e657400)

/* As many as the IPv4 pool holds. */
_Static_assert(NET_OWN_END == 1 << (32 - 15), "198.18.0.0/15");

static void from_key(struct net_key k, struct net_addr *out)
{
    for (int i = 0; i < 8; i++) {
        out->b[i] = (uint8_t)(k.hi >> (56 - 8 * i));
        out->b[8 + i] = (uint8_t)(k.lo >> (56 - 8 * i));
    }
}

void net_own_v4(uint32_t number, struct net_addr *out)
{
    from_key(net_key_v4(OWN_V4 | (number & (NET_OWN_END - 1))), out);
}

void net_own_v6(uint32_t number, struct net_addr *out)
{
    from_key((struct net_key){ OWN_V6, number & (NET_OWN_END - 1) }, out);
}

bool net_own_number(const struct net_addr *a, uint32_t *number)
{
    struct net_key k = net_key_of(a);

    if (net_key_in(k, net_key_v4(OWN_V4), 96 + 15)) {
        *number = (uint32_t)k.lo - OWN_V4;
        return true;
    }
    if (k.hi != OWN_V6 || k.lo >= NET_OWN_END)
        return false;
    *number = (uint32_t)k.lo;
    return true;
}
