/* net_pack.h - the compiled form of network rules, as it lies in memory.
 *
 * One object without pointers: a header, then the arrays in the order of
 * struct net_parts, without gaps.  Native byte order: the two ends are programs
 * of one build on one machine.
 *
 * Addresses are one space of 128 bits, IPv4 as ::ffff:a.b.c.d.  A block knows
 * the longest other block around it, so whatever holds an address is the chain
 * that begins with the longest.  What a block or a name says about ports is a
 * set: for each list and protocol, spans in order that do not overlap.  Equal
 * sets are stored once. */
#ifndef MXC_POLICY_NET_PACK_H
#define MXC_POLICY_NET_PACK_H

#include "policy/net.h"

#define NET_MAGIC "mxc-net"
enum { NET_VERSION = 1 };

enum {
    NET_F_DEFAULT_ALLOW = 1 << 0,
    NET_F_PROXY = 1 << 1,
    NET_F_ICMP = 1 << 2,
    NET_F_EGRESS = 1 << 3,
    NET_F_NAMES = 1 << 4,
    NET_F_ALL = (1 << 5) - 1
};

/* The lists of a set: the two actions, and what may lead to private addresses
 * among what is allowed. */
enum { NET_L_DENY = NET_DENY, NET_L_ALLOW = NET_ALLOW, NET_L_INTRANET, NET_LS };

#define NET_NONE UINT32_MAX

struct packed_net {
    char magic[8];
    uint32_t version;
    uint32_t flags;
    uint32_t total; /* bytes */
    uint32_t nblocks;
    uint32_t nsets;
    uint32_t nspans;
    uint32_t nnames;
    uint32_t npublish;
    uint32_t nservices;
    uint32_t ntext; /* bytes */
};

/* In order of hi, lo, bits, reach; no two the same.  `reach` is the length of
 * the block that was written: with exceptions, what is left of it comes in
 * pieces, and a piece that happens to fill a special block grants it no more
 * than the whole did. */
struct packed_block {
    uint64_t hi, lo;
    uint32_t bits;
    uint32_t reach;  /* at most bits */
    uint32_t parent; /* index, or NET_NONE */
    uint32_t set;
};

/* Spans of list l and protocol p: n[l][p] of them, after those of the lists
 * before; `first` is the index of the first of all. */
struct packed_set {
    uint32_t first;
    uint32_t n[NET_LS][NET_PROTOS];
};

struct packed_span {
    uint16_t lo, hi; /* ports; ICMP has the one span of all */
    uint32_t list, index;
};

/* In order of strcmp(3).  "*.example.com" stands as ".example.com", so that
 * it is found by a suffix of the name that is looked up. */
struct packed_name {
    uint32_t text;
    uint32_t set;
};

struct packed_forward {
    uint16_t guest, host;
    uint32_t is_v6;
};

struct net_parts {
    const struct packed_net *head;
    const struct packed_block *block;
    const struct packed_set *set;
    const struct packed_span *span;
    const struct packed_name *name;
    const struct packed_forward *forward; /* publish, then services */
    const char *text;
};

/* Where the parts are; of a view of zeros, the parts of a policy of zeros. */
struct net_parts net_parts(const struct net_view *v);

/* Bytes of an object with the counts of this header. */
uint64_t net_size(const struct packed_net *head);

/* --- addresses as numbers -------------------------------------------- */

struct net_key {
    uint64_t hi, lo;
};

static inline uint64_t net_load64(const uint8_t b[8])
{
    uint64_t n = 0;

    for (int i = 0; i < 8; i++)
        n = n << 8 | b[i];
    return n;
}

static inline struct net_key net_key_of(const struct net_addr *a)
{
    return (struct net_key){ net_load64(a->b), net_load64(a->b + 8) };
}

static inline struct net_key net_key_v4(uint32_t v4)
{
    return (struct net_key){ 0, UINT64_C(0xffff) << 32 | v4 };
}

/* The upper `bits` of 64 set; of more than 64, all. */
static inline uint64_t net_mask64(unsigned bits)
{
    if (bits >= 64)
        return UINT64_MAX;
    return bits ? UINT64_MAX << (64 - bits) : 0;
}

static inline struct net_key net_key_mask(unsigned bits)
{
    return (struct net_key){ net_mask64(bits),
                             bits > 64 ? net_mask64(bits - 64) : 0 };
}

/* Is k in the block of that length which begins at `at`? */
static inline bool net_key_in(struct net_key k, struct net_key at,
                              unsigned bits)
{
    struct net_key m = net_key_mask(bits);

    return ((k.hi ^ at.hi) & m.hi) == 0 && ((k.lo ^ at.lo) & m.lo) == 0;
}

/* The class of an address in this form; see net_classify. */
enum net_class net_key_class(struct net_key k, unsigned *bits);

/* Does this IPv6 address stand for an IPv4 one, which begins at bit *at?  Then
 * a packet to it may end there. */
bool net_key_embedded(struct net_key k, struct net_key *v4, unsigned *at);

/* The longest block around block i, when the blocks before it have theirs.
 * Linear over all blocks: a block that is left is not met again. */
static inline uint32_t net_parent(const struct packed_block *block, uint32_t i)
{
    struct net_key k = { block[i].hi, block[i].lo };
    uint32_t p = i ? i - 1 : NET_NONE;

    while (p != NET_NONE &&
           !net_key_in(k, (struct net_key){ block[p].hi, block[p].lo },
                       block[p].bits))
        p = block[p].parent;
    return p;
}

/* Is this a name as it stands in the compiled form? */
bool net_name_is_packed(const char *text);

#endif
