/* net_compile.c - rules into the flat form of net_pack.h: taken apart
 * (net_lower.c), sorted, what is said of one destination united (net_set.c),
 * packed. */
#include "policy/net_build.h"

#include <string.h>

/* More than the largest policy takes that is not refused. */
enum { SCRATCH_BYTES = 256 << 20 };

static int order(const struct net_item *x, const struct net_item *y)
{
    if (x->hi != y->hi)
        return x->hi < y->hi ? -1 : 1;
    if (x->lo != y->lo)
        return x->lo < y->lo ? -1 : 1;
    if (x->name && y->name) {
        int c = strcmp(x->name, y->name);

        if (c)
            return c;
    }
    return x->tail < y->tail ? -1 : x->tail > y->tail;
}

/* By merging, not qsort(3): musl's takes several times as long, and what is
 * in order already costs one pass. */
static void sort(struct net_item *x, struct net_item *spare, size_t n)
{
    size_t half = n / 2, i = 0, j = half, w = 0;

    if (n < 2)
        return;
    sort(x, spare, half);
    sort(x + half, spare, n - half);
    if (order(&x[half - 1], &x[half]) <= 0)
        return;
    memcpy(spare, x, half * sizeof(*x));
    while (i < half && j < n)
        x[w++] = order(&spare[i], &x[j]) <= 0 ? spare[i++] : x[j++];
    memcpy(x + w, spare + i, (half - i) * sizeof(*x));
}

static bool is_same_place(const struct net_item *x, const struct net_item *y)
{
    return x->hi == y->hi && x->lo == y->lo &&
           net_item_size(x) == net_item_size(y) &&
           (!x->name || strcmp(x->name, y->name) == 0);
}

/* Items of one destination become one, whose tail is the number of the set. */
static int unite(struct net_build *b, struct net_items *list,
                 struct net_item **out, size_t *nout, struct err *e)
{
    struct net_item *to = arena_array(&b->scratch, list->n + 1, sizeof(*to));
    size_t first = 0, w = 0;

    if (!to)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for network rules");
    sort(list->item, to, list->n);
    for (size_t i = 1; i <= list->n; i++) {
        uint32_t set;

        if (i < list->n && is_same_place(&list->item[first], &list->item[i]))
            continue;
        if (net_set_for(b, list->item + first, i - first, &set, e) < 0)
            return -1;
        to[w] = list->item[first];
        to[w].tail &= ~NET_TAIL_RULE;
        to[w++].tail |= net_tail(0, 0, set, false);
        first = i;
    }
    *out = to;
    *nout = w;
    return 0;
}

static int make_tables(struct net_build *b, struct err *e)
{
    size_t n = b->block.n + b->name.n;
    size_t buckets = 64;

    while (buckets < n)
        buckets *= 2;
    b->mask = (uint32_t)buckets - 1;
    b->bucket = arena_array(&b->scratch, buckets, sizeof(*b->bucket));
    b->set = arena_array(&b->scratch, n + 1, sizeof(*b->set));
    b->group = arena_array(&b->scratch, n + 1, sizeof(*b->group));
    if (!b->bucket || !b->set || !b->group)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for network rules");
    return 0;
}

static uint32_t flags_of(const struct net_policy *p)
{
    return (p->egress_default == NET_ALLOW ? NET_F_DEFAULT_ALLOW : 0) |
           (p->filtering_proxy ? NET_F_PROXY : 0) |
           (net_has_icmp(p) ? NET_F_ICMP : 0) |
           (net_has_egress(p) ? NET_F_EGRESS : 0);
}

static uint32_t text_bytes(const struct net_item *name, size_t n)
{
    size_t bytes = 0;

    for (size_t i = 0; i < n; i++)
        bytes += strlen(name[i].name) + 1;
    return (uint32_t)bytes;
}

static void pack_blocks(struct packed_block *out, const struct net_item *x,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (struct packed_block){ .hi = x[i].hi,
                                        .lo = x[i].lo,
                                        .bits = net_item_size(&x[i]) >> 8,
                                        .reach = net_item_size(&x[i]) & 255,
                                        .set = net_item_rank(&x[i]) };
        out[i].parent = net_parent(out, (uint32_t)i);
    }
}

/* True when one of them is allowed anything. */
static bool pack_names(struct packed_name *out, char *text,
                       const struct net_item *x, size_t n,
                       const struct packed_set *set)
{
    uint32_t at = 0;
    bool allowed = false;

    for (size_t i = 0; i < n; i++) {
        uint32_t len = (uint32_t)strlen(x[i].name) + 1;
        const uint32_t *allow = set[net_item_rank(&x[i])].n[NET_L_ALLOW];

        memcpy(text + at, x[i].name, len);
        out[i] = (struct packed_name){ at, net_item_rank(&x[i]) };
        at += len;
        for (int proto = 0; proto < NET_PROTOS; proto++)
            allowed |= allow[proto] > 0;
    }
    return allowed;
}

static void pack_forwards(struct packed_forward *out,
                          const struct net_forward *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (struct packed_forward){ x[i].guest, x[i].host, x[i].is_v6 };
}

/* Copy an array that may be empty. */
static unsigned char *put(unsigned char *to, const void *from, size_t n)
{
    if (n)
        memcpy(to, from, n);
    return to + n;
}

static void fill(const struct net_build *b, struct packed_net *head,
                 const struct net_item *block, const struct net_item *name)
{
    const struct net_policy *p = b->p;
    unsigned char *at = (unsigned char *)(head + 1);
    struct packed_name *names;
    char *text;

    pack_blocks((struct packed_block *)(void *)at, block, head->nblocks);
    at += head->nblocks * sizeof(struct packed_block);
    at = put(at, b->set, b->nsets * sizeof(*b->set));
    at = put(at, b->span, b->nspans * sizeof(*b->span));
    names = (struct packed_name *)(void *)at;
    at += head->nnames * sizeof(struct packed_name);
    pack_forwards((struct packed_forward *)(void *)at, p->publish, p->npublish);
    at += p->npublish * sizeof(struct packed_forward);
    pack_forwards((struct packed_forward *)(void *)at, p->service,
                  p->nservices);
    text = (char *)at + p->nservices * sizeof(struct packed_forward);
    if (pack_names(names, text, name, head->nnames, b->set))
        head->flags |= NET_F_NAMES;
}

static struct packed_net *pack(const struct net_build *b,
                               struct packed_net head,
                               const struct net_item *block,
                               const struct net_item *name, struct arena *a,
                               struct err *e)
{
    uint64_t total = net_size(&head);
    struct packed_net *out;

    if (total > NET_MAX_BYTES) {
        err_set(e, ERR_POLICY_VALIDATION,
                "the network rules would take %llu bytes, the limit is %u",
                (unsigned long long)total, NET_MAX_BYTES);
        err_hint(e, "use fewer rules, or wider blocks");
        return NULL;
    }
    out = arena_alloc(a, (size_t)total);
    if (!out) {
        err_set(e, ERR_BACKEND_ERROR, "out of memory for network rules");
        return NULL;
    }
    head.total = (uint32_t)total;
    *out = head;
    fill(b, out, block, name);
    return out;
}

static struct packed_net *build(struct net_build *b, struct arena *a,
                                struct err *e)
{
    struct packed_net head = { .magic = NET_MAGIC,
                               .version = NET_VERSION,
                               .flags = flags_of(b->p) };
    struct net_item *block, *name;
    size_t nblocks, nnames;

    if (b->p->npublish > UINT16_MAX || b->p->nservices > UINT16_MAX) {
        err_set(e, ERR_POLICY_VALIDATION, "too many forwarded ports");
        return NULL;
    }
    if (net_lower(b, e) < 0 || make_tables(b, e) < 0 ||
        unite(b, &b->block, &block, &nblocks, e) < 0 ||
        unite(b, &b->name, &name, &nnames, e) < 0)
        return NULL;
    head.nblocks = (uint32_t)nblocks;
    head.nsets = (uint32_t)b->nsets;
    head.nspans = (uint32_t)b->nspans;
    head.nnames = (uint32_t)nnames;
    head.npublish = (uint32_t)b->p->npublish;
    head.nservices = (uint32_t)b->p->nservices;
    head.ntext = text_bytes(name, nnames);
    return pack(b, head, block, name, a, e);
}

int net_compile(struct arena *a, const struct net_policy *p, void **bytes,
                size_t *len, struct err *e)
{
    struct net_build b = { .scratch = { .limit = SCRATCH_BYTES }, .p = p };
    struct packed_net *out = build(&b, a, e);

    arena_drop(&b.scratch);
    if (!out)
        return -1;
    *bytes = out;
    *len = out->total;
    return 0;
}
