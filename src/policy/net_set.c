/* net_set.c - what several rules say about the ports of one destination.
 *
 * Ranges are painted in the order of rules onto the pieces between their
 * edges; a piece that has a colour keeps it, and is skipped from then on.  So
 * ten thousand rules about one block take the time of sorting them. */
#include "policy/net_build.h"

#include <string.h>

/* Bounds the time for policies in which long lists of ports meet in many
 * combinations. */
enum { MAX_WORK = 1 << 22 };

enum { FEW = 32, EDGES = UINT16_MAX + 2 };

static int too_many(struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "the port ranges of the network rules meet in too many ways");
    return err_hint(e, "use fewer ranges, or blocks that do not overlap");
}

static int add_paint(struct net_build *b, struct net_range r, uint32_t rank,
                     struct err *e)
{
    b->paint =
        net_grow(b, b->paint, b->npaints, &b->paint_cap, sizeof(*b->paint), e);
    if (!b->paint)
        return -1;
    b->paint[b->npaints++] =
        (struct net_paint){ r.lo, (uint32_t)r.hi + 1, rank };
    return 0;
}

static bool is_in_list(const struct net_item *x, const struct net_source *s,
                       unsigned list)
{
    if (list == NET_L_INTRANET)
        return s->action == NET_ALLOW && x->tail & 1;
    return (unsigned)s->action == list;
}

/* All ranges of one list and protocol. */
static int gather(struct net_build *b, const struct net_item *item, size_t n,
                  unsigned list, unsigned proto, struct err *e)
{
    b->npaints = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t rank = net_item_rank(&item[i]);
        const struct net_lowered *r = &b->rule[rank];
        uint32_t at = r->first;

        if (!is_in_list(&item[i], r->source, list))
            continue;
        b->work += r->n[proto];
        if (b->work > MAX_WORK)
            return too_many(e);
        for (unsigned p = 0; p < proto; p++)
            at += r->n[p];
        for (uint32_t k = 0; k < r->n[proto]; k++)
            if (add_paint(b, b->range[at + k], rank, e) < 0)
                return -1;
    }
    return 0;
}

/* `end` is the first port behind it. */
static int add_span(struct net_build *b, size_t from, uint32_t lo, uint32_t end,
                    uint32_t rank, struct err *e)
{
    struct net_origin o = b->rule[rank].source->origin;

    if (b->nspans > from) {
        struct packed_span *last = &b->span[b->nspans - 1];

        if (last->hi + 1U == lo && last->list == o.list &&
            last->index == o.index) {
            last->hi = (uint16_t)(end - 1);
            return 0;
        }
    }
    if (b->nspans >= NET_MAX_BYTES / sizeof(*b->span))
        return too_many(e);
    b->span =
        net_grow(b, b->span, b->nspans, &b->span_cap, sizeof(*b->span), e);
    if (!b->span)
        return -1;
    b->span[b->nspans++] =
        (struct packed_span){ (uint16_t)lo, (uint16_t)(end - 1), o.list,
                              o.index };
    return 0;
}

/* Sort a few by insertion. */
static size_t sort_few(uint32_t *x, size_t n)
{
    size_t w = 0;

    for (size_t i = 1; i < n; i++) {
        uint32_t v = x[i];
        size_t k = i;

        for (; k > 0 && x[k - 1] > v; k--)
            x[k] = x[k - 1];
        x[k] = v;
    }
    for (size_t i = 0; i < n; i++)
        if (w == 0 || x[w - 1] != x[i])
            x[w++] = x[i];
    return w;
}

/* Sort many by marking: there are not more values than EDGES. */
static size_t sort_many(uint32_t *x, size_t n)
{
    uint64_t seen[(EDGES + 63) / 64] = { 0 };
    size_t w = 0;

    for (size_t i = 0; i < n; i++)
        seen[x[i] / 64] |= UINT64_C(1) << x[i] % 64;
    for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
        for (uint64_t rest = seen[i]; rest; rest &= rest - 1)
            x[w++] = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(rest);
    return w;
}

/* Where the ranges begin and end, in order. */
static int find_edges(struct net_build *b, struct err *e)
{
    size_t n = 2 * b->npaints;

    if (n > b->edge_cap) {
        b->edge = arena_array(&b->scratch, 2 * n, sizeof(*b->edge));
        b->owner = arena_array(&b->scratch, 2 * n, sizeof(*b->owner));
        b->skip = arena_array(&b->scratch, 2 * n, sizeof(*b->skip));
        b->edge_cap = 2 * n;
        if (!b->edge || !b->owner || !b->skip)
            return err_set(e, ERR_BACKEND_ERROR,
                           "out of memory for network rules");
    }
    for (size_t i = 0; i < b->npaints; i++) {
        b->edge[2 * i] = b->paint[i].lo;
        b->edge[2 * i + 1] = b->paint[i].end;
    }
    n = n <= FEW ? sort_few(b->edge, n) : sort_many(b->edge, n);
    for (size_t i = 0; i < n; i++) {
        b->owner[i] = NET_NONE;
        b->skip[i] = (uint32_t)i;
    }
    b->nedges = n;
    return 0;
}

static uint32_t edge_at(const struct net_build *b, uint32_t port)
{
    size_t lo = 0, end = b->nedges;

    while (lo < end) {
        size_t mid = lo + (end - lo) / 2;

        if (b->edge[mid] < port)
            lo = mid + 1;
        else
            end = mid;
    }
    return (uint32_t)lo;
}

/* The first piece from i on that has no colour. */
static uint32_t uncovered(const struct net_build *b, uint32_t i)
{
    while (b->skip[i] != i) {
        b->skip[i] = b->skip[b->skip[i]];
        i = b->skip[i];
    }
    return i;
}

static int paint_pieces(struct net_build *b, size_t from, struct err *e)
{
    if (find_edges(b, e) < 0)
        return -1;
    for (size_t i = 0; i < b->npaints; i++) {
        const struct net_paint *p = &b->paint[i];
        uint32_t end = edge_at(b, p->end);
        uint32_t at = uncovered(b, edge_at(b, p->lo));

        while (at < end) {
            b->owner[at] = p->rank;
            b->skip[at] = at + 1;
            at = uncovered(b, at);
        }
    }
    for (size_t i = 0; i + 1 < b->nedges; i++)
        if (b->owner[i] != NET_NONE &&
            add_span(b, from, b->edge[i], b->edge[i + 1], b->owner[i], e) < 0)
            return -1;
    return 0;
}

static int add_list(struct net_build *b, uint32_t *count, struct err *e)
{
    size_t from = b->nspans;
    bool in_order = true;

    for (size_t i = 1; i < b->npaints; i++)
        in_order &= b->paint[i].lo >= b->paint[i - 1].end;
    if (!in_order && paint_pieces(b, from, e) < 0)
        return -1;
    for (size_t i = 0; in_order && i < b->npaints; i++)
        if (add_span(b, from, b->paint[i].lo, b->paint[i].end, b->paint[i].rank,
                     e) < 0)
            return -1;
    *count = (uint32_t)(b->nspans - from);
    return 0;
}

static int make_set(struct net_build *b, const struct net_item *item, size_t n,
                    struct packed_set *out, struct err *e)
{
    out->first = (uint32_t)b->nspans;
    for (unsigned list = 0; list < NET_LS; list++)
        for (unsigned proto = 0; proto < NET_PROTOS; proto++)
            if (gather(b, item, n, list, proto, e) < 0 ||
                add_list(b, &out->n[list][proto], e) < 0)
                return -1;
    return 0;
}

static bool is_same_group(const struct net_group *g,
                          const struct net_item *item, size_t n)
{
    if (g->n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((g->item[i].tail ^ item[i].tail) & NET_TAIL_RULE)
            return false;
    return true;
}

static uint32_t *bucket_of(const struct net_build *b,
                           const struct net_item *item, size_t n)
{
    uint64_t h = 0;

    for (size_t i = 0; i < n; i++) {
        h = (h ^ (item[i].tail & NET_TAIL_RULE)) * 0x9e3779b97f4a7c15U;
        h ^= h >> 32;
    }
    return &b->bucket[h & b->mask];
}

/* A rule about a thousand blocks has one set, not a thousand. */
int net_set_for(struct net_build *b, const struct net_item *item, size_t n,
                uint32_t *set, struct err *e)
{
    uint32_t *bucket = bucket_of(b, item, n);

    for (uint32_t g = *bucket; g; g = b->group[g - 1].next)
        if (is_same_group(&b->group[g - 1], item, n)) {
            *set = g - 1;
            return 0;
        }
    b->group[b->nsets] = (struct net_group){ item, (uint32_t)n, *bucket };
    if (make_set(b, item, n, &b->set[b->nsets], e) < 0)
        return -1;
    *set = (uint32_t)b->nsets++;
    *bucket = *set + 1;
    return 0;
}
