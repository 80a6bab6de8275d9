/* net_build.h - what the parts of net_compile share: net_lower.c takes rules
 * and net_ports.c ports apart, net_set.c unites what several say of one
 * destination, net_compile.c puts the object together. */
#ifndef MXC_POLICY_NET_BUILD_H
#define MXC_POLICY_NET_BUILD_H

#include "policy/net_pack.h"

/* One destination of one rule.  Of a name, hi and lo are its first sixteen
 * bytes, so that one order serves both. */
struct net_item {
    uint64_t hi, lo;
    const char *name; /* as packed; NULL: a block of addresses */
    uint64_t tail;    /* bits, reach, rank, intranet: see net_tail */
};

enum { NET_TAIL_BITS = 40 };
#define NET_TAIL_RULE ((UINT64_C(1) << NET_TAIL_BITS) - 1)

static inline uint64_t net_tail(unsigned bits, unsigned reach, uint32_t rank,
                                bool intranet)
{
    return (uint64_t)(bits << 8 | reach) << NET_TAIL_BITS |
           (uint64_t)rank << 1 | intranet;
}

/* Bits and reach, which are one half of what tells two blocks apart. */
static inline unsigned net_item_size(const struct net_item *x)
{
    return (unsigned)(x->tail >> NET_TAIL_BITS);
}

static inline uint32_t net_item_rank(const struct net_item *x)
{
    return (uint32_t)((x->tail & NET_TAIL_RULE) >> 1);
}

struct net_items {
    struct net_item *item;
    size_t n, cap;
};

struct net_range {
    uint16_t lo, hi;
};

/* The ports of one rule: by protocol, in order and apart from each other. */
struct net_lowered {
    const struct net_source *source;
    uint32_t first; /* range */
    uint32_t n[NET_PROTOS];
};

/* A range of ports on its way into a set. */
struct net_paint {
    uint32_t lo, end; /* end: the first that is not in it */
    uint32_t rank;
};

/* A set under way, and the group of items that it was made for. */
struct net_group {
    const struct net_item *item;
    uint32_t n;
    uint32_t next; /* group + 1 of the same hash */
};

struct net_build {
    struct arena scratch;
    const struct net_policy *p;
    bool allows_everything;   /* by default, or by a rule without `to` */
    struct net_lowered *rule; /* by rank: in the order of origins */
    struct net_range *range;
    size_t nranges, range_cap;
    struct net_items block, name;

    struct packed_set *set;
    struct net_group *group;
    size_t nsets, set_cap;
    uint32_t *bucket;
    uint32_t mask; /* of the number of a bucket */
    struct packed_span *span;
    size_t nspans, span_cap;
    struct net_paint *paint;
    size_t npaints, paint_cap;
    uint32_t *edge, *owner, *skip;
    size_t nedges, edge_cap;
    size_t work;
};

enum { NET_MAX_ITEMS = 65536 };

/* Room for one more in an array of the scratch arena: the array, perhaps in a
 * new place, or NULL. */
void *net_grow(struct net_build *b, void *old, size_t n, size_t *cap,
               size_t size, struct err *e);

/* Fill rule, range, block and name from p; refuse what cannot be enforced. */
int net_lower(struct net_build *b, struct err *e);

/* Fill range and the counts of one rule from its `ports`. */
int net_lower_ports(struct net_build *b, uint32_t rank, struct err *e);

/* The index of the set for the rules of these n items, which are sorted. */
int net_set_for(struct net_build *b, const struct net_item *item, size_t n,
                uint32_t *set, struct err *e);

#endif
