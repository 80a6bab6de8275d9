/* net_view.c - the compiled form read in place, hostile until net_open has
 * been through it: then every index is in range, every order holds, every
 * text ends.  What it says may still be anything. */
#include "policy/net_pack.h"

#include <stdalign.h>
#include <string.h>

static int refuse(struct err *e, const char *what)
{
    return err_set(e, ERR_BACKEND_ERROR, "network rules refused: %s", what);
}

uint64_t net_size(const struct packed_net *h)
{
    return sizeof(*h) + (uint64_t)h->nblocks * sizeof(struct packed_block) +
           (uint64_t)h->nsets * sizeof(struct packed_set) +
           (uint64_t)h->nspans * sizeof(struct packed_span) +
           (uint64_t)h->nnames * sizeof(struct packed_name) +
           ((uint64_t)h->npublish + h->nservices) *
               sizeof(struct packed_forward) +
           h->ntext;
}

struct net_parts net_parts(const struct net_view *v)
{
    static const struct packed_net none;
    struct net_parts p = { .head = v->bytes ? (const void *)v->bytes : &none };

    p.block = (const void *)(p.head + 1);
    p.set = (const void *)(p.block + p.head->nblocks);
    p.span = (const void *)(p.set + p.head->nsets);
    p.name = (const void *)(p.span + p.head->nspans);
    p.forward = (const void *)(p.name + p.head->nnames);
    p.text = (const void *)(p.forward + p.head->npublish + p.head->nservices);
    return p;
}

static const char *head_wrong(const void *bytes, size_t len)
{
    const struct packed_net *h = bytes;

    if (!bytes || len < sizeof(*h) || len > NET_MAX_BYTES)
        return "its size is out of range";
    if ((uintptr_t)bytes % alignof(uint64_t))
        return "it is not aligned";
    if (memcmp(h->magic, NET_MAGIC, sizeof(h->magic)) != 0 ||
        h->version != NET_VERSION)
        return "it is of another version";
    if (h->flags & ~(uint32_t)NET_F_ALL)
        return "it has unknown flags";
    if (h->total != len || net_size(h) != len)
        return "its parts do not add up to its size";
    return NULL;
}

static bool is_after(const struct packed_block *b, const struct packed_block *a)
{
    if (a->hi != b->hi)
        return b->hi > a->hi;
    if (a->lo != b->lo)
        return b->lo > a->lo;
    if (a->bits != b->bits)
        return b->bits > a->bits;
    return b->reach > a->reach;
}

static const char *blocks_wrong(const struct net_parts *p)
{
    for (uint32_t i = 0; i < p->head->nblocks; i++) {
        const struct packed_block *b = &p->block[i];
        struct net_key mask = net_key_mask(b->bits);

        if (b->bits > 128 || b->hi & ~mask.hi || b->lo & ~mask.lo ||
            b->reach > b->bits)
            return "a block is none";
        if (i > 0 && !is_after(b, b - 1))
            return "its blocks are out of order";
        if (b->parent != net_parent(p->block, i))
            return "a block has the wrong parent";
        if (b->set >= p->head->nsets)
            return "a block has no ports";
    }
    return NULL;
}

static const char *spans_wrong(const struct packed_span *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (s[i].lo > s[i].hi || (i > 0 && s[i].lo <= s[i - 1].hi))
            return "its ports are out of order";
        if (s[i].list == NET_FROM_DEFAULT || s[i].list >= NET_FROM_END)
            return "a rule comes from nowhere";
    }
    return NULL;
}

static const char *sets_wrong(const struct net_parts *p)
{
    const uint32_t all = p->head->nspans;
    uint32_t at = 0;

    for (uint32_t i = 0; i < p->head->nsets; i++) {
        if (p->set[i].first != at)
            return "its lists of ports are out of order";
        for (unsigned k = 0; k < NET_LS * NET_PROTOS; k++) {
            uint32_t n = p->set[i].n[k / NET_PROTOS][k % NET_PROTOS];
            const char *why;

            if (n > all - at)
                return "a list of ports is too long";
            why = spans_wrong(p->span + at, n);
            if (why)
                return why;
            at += n;
        }
    }
    return at == all ? NULL : "ports are left over";
}

static const char *names_wrong(const struct net_parts *p)
{
    uint32_t at = 0, left = p->head->ntext;

    for (uint32_t i = 0; i < p->head->nnames; i++) {
        const char *text = p->text + at;
        const char *end = left ? memchr(text, '\0', left) : NULL;

        if (p->name[i].text != at || !end)
            return "a name is out of bounds";
        if (!net_name_is_packed(text))
            return "a name is none";
        if (i > 0 && strcmp(p->text + p->name[i - 1].text, text) >= 0)
            return "its names are out of order";
        if (p->name[i].set >= p->head->nsets)
            return "a name has no ports";
        at += (uint32_t)(end - text) + 1;
        left = p->head->ntext - at;
    }
    return left ? "text is left over" : NULL;
}

static bool has_any(const struct packed_set *s, unsigned list)
{
    return s->n[list][NET_TCP] || s->n[list][NET_UDP] || s->n[list][NET_ICMP];
}

/* What the flags must say at least: who reads only them must not miss
 * anything. */
static uint32_t flags_due(const struct net_parts *p)
{
    uint32_t f = 0;

    if (p->head->flags & NET_F_DEFAULT_ALLOW)
        f |= NET_F_ICMP | NET_F_EGRESS;
    for (uint32_t i = 0; i < p->head->nsets; i++) {
        f |= has_any(&p->set[i], NET_L_ALLOW) ? NET_F_EGRESS : 0;
        f |= p->set[i].n[NET_L_ALLOW][NET_ICMP] ? NET_F_ICMP : 0;
    }
    for (uint32_t i = 0; i < p->head->nnames; i++)
        f |= has_any(&p->set[p->name[i].set], NET_L_ALLOW) ? NET_F_NAMES : 0;
    return f;
}

static const char *rest_wrong(const struct net_parts *p)
{
    for (uint64_t i = 0; i < (uint64_t)p->head->npublish + p->head->nservices;
         i++)
        if (p->forward[i].is_v6 > (i >= p->head->npublish))
            return "a forwarded port is none";
    if (flags_due(p) & ~p->head->flags)
        return "its flags leave something out";
    return NULL;
}

int net_open(const void *bytes, size_t len, struct net_view *out, struct err *e)
{
    struct net_view v = { bytes, len };
    const char *why = head_wrong(bytes, len);
    struct net_parts p;

    if (why)
        return refuse(e, why);
    p = net_parts(&v);
    why = blocks_wrong(&p);
    if (!why)
        why = sets_wrong(&p);
    if (!why)
        why = names_wrong(&p);
    if (!why)
        why = rest_wrong(&p);
    if (why)
        return refuse(e, why);
    *out = v;
    return 0;
}

static bool has_flag(const struct net_view *v, uint32_t flag)
{
    return net_parts(v).head->flags & flag;
}

bool net_default_allows(const struct net_view *v)
{
    return has_flag(v, NET_F_DEFAULT_ALLOW);
}

bool net_filtering_proxy(const struct net_view *v)
{
    return has_flag(v, NET_F_PROXY);
}

bool net_icmp(const struct net_view *v)
{
    return has_flag(v, NET_F_ICMP);
}

bool net_egress(const struct net_view *v)
{
    return has_flag(v, NET_F_EGRESS);
}

bool net_names(const struct net_view *v)
{
    return has_flag(v, NET_F_NAMES);
}

static struct net_forward forward_at(const struct net_parts *p, size_t i)
{
    const struct packed_forward *f = &p->forward[i];

    return (struct net_forward){ f->guest, f->host, f->is_v6 != 0 };
}

size_t net_publish_count(const struct net_view *v)
{
    return net_parts(v).head->npublish;
}

struct net_forward net_publish_at(const struct net_view *v, size_t i)
{
    struct net_parts p = net_parts(v);

    return forward_at(&p, i);
}

size_t net_service_count(const struct net_view *v)
{
    return net_parts(v).head->nservices;
}

struct net_forward net_service_at(const struct net_view *v, size_t i)
{
    struct net_parts p = net_parts(v);

    return forward_at(&p, p.head->npublish + i);
}
