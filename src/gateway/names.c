/* names.c - the names that the workload has asked for, each with a number that
 * makes its addresses inside, and with the addresses that it has outside.
 *
 * A number stays with its name as long as the gateway lives.  The workload can
 * invent names below a wildcard, so there is a bound on them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/dns.h"
#include "gateway/gw.h"

enum {
    MAX_NAMES = 4096,
    MAX_INVENTED = 512, /* below wildcards */
    MAX_FOREIGN = 2048, /* that no rule speaks of */
    BUCKETS = 1024,
    TTL_LEAST = 1, /* s */
    TTL_MOST = 300,
};

struct answers {
    struct net_addr addr[DIAL_MAX];
    uint8_t n;
    bool is_there;
    unsigned rcode;
};

struct name {
    struct name *bucket_next;
    uint32_t number;
    bool is_asking;
    uint64_t fresh_until_ms;
    struct answers of[2]; /* A, AAAA */
    struct wait waiting;  /* ring */
    char text[NET_NAME_MAX + 1];
};

struct names {
    struct name *at[MAX_NAMES];
    struct name *bucket[BUCKETS];
    size_t n;
    size_t invented, foreign;
    bool told_full;
};

struct names *names_create(void)
{
    return calloc(1, sizeof(struct names));
}

static struct name **bucket_of(struct names *all, const char *text)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return &all->bucket[h % BUCKETS];
}

static struct name *add(struct gw *g, const char *text)
{
    struct names *all = g->names;
    struct name **bucket = bucket_of(all, text);
    struct name *n = calloc(1, sizeof(*n));

    if (!n)
        return NULL;
    (void)snprintf(n->text, sizeof(n->text), "%s", text);
    n->number = (uint32_t)(NET_OWN_NAMES + all->n);
    n->waiting.next = n->waiting.prev = &n->waiting;
    n->bucket_next = *bucket;
    *bucket = n;
    all->at[all->n++] = n;
    return n;
}

struct name *name_take(struct gw *g, const char *text, enum net_known known)
{
    struct names *all = g->names;
    struct name *n = *bucket_of(all, text);

    while (n && strcmp(n->text, text) != 0)
        n = n->bucket_next;
    if (n)
        return n;
    if (all->n == MAX_NAMES ||
        (known == NET_WILDCARD && all->invented == MAX_INVENTED) ||
        (known == NET_UNKNOWN && all->foreign == MAX_FOREIGN)) {
        if (!all->told_full)
            tell_limit(g, "different names");
        all->told_full = true;
        return NULL;
    }
    all->invented += known == NET_WILDCARD;
    all->foreign += known == NET_UNKNOWN;
    return add(g, text);
}

struct name *name_at(struct gw *g, uint32_t number)
{
    if (number < NET_OWN_NAMES || number - NET_OWN_NAMES >= g->names->n)
        return NULL;
    return g->names->at[number - NET_OWN_NAMES];
}

uint32_t name_number(const struct name *n)
{
    return n->number;
}

const char *name_text(const struct name *n)
{
    return n->text;
}

void wait_cancel(struct wait *w)
{
    if (!w->next)
        return;
    w->prev->next = w->next;
    w->next->prev = w->prev;
    w->next = w->prev = NULL;
}

bool name_resolve(struct gw *g, struct name *n, struct wait *w)
{
    if (!n->is_asking && g->now_ms < n->fresh_until_ms)
        return true;
    w->prev = n->waiting.prev;
    w->next = &n->waiting;
    n->waiting.prev->next = w;
    n->waiting.prev = w;
    if (!n->is_asking) {
        n->is_asking = true;
        n->fresh_until_ms = UINT64_MAX;
        /* What is known stays until then: those that are told of it just now
         * (wake()) have not looked at it yet. */
        n->of[0].is_there = n->of[1].is_there = false;
        resolver_ask(g, n);
    }
    return false;
}

static void wake(struct gw *g, struct name *n)
{
    /* Who waits anew from within waits for the next answer; and any of them
     * may end another's waiting. */
    struct wait now = n->waiting;

    if (now.next == &n->waiting)
        return;
    now.next->prev = now.prev->next = &now;
    n->waiting.next = n->waiting.prev = &n->waiting;
    while (now.next != &now) {
        struct wait *w = now.next;

        wait_cancel(w);
        w->on(g, w);
    }
}

void name_answered(struct gw *g, struct name *n, bool is_aaaa, unsigned rcode,
                   const struct net_addr *addr, size_t naddr, uint32_t ttl)
{
    struct answers *of = &n->of[is_aaaa];
    uint64_t until;

    of->is_there = true;
    of->rcode = rcode;
    of->n = (uint8_t)(naddr < DIAL_MAX ? naddr : DIAL_MAX);
    if (of->n)
        memcpy(of->addr, addr, of->n * sizeof(*addr));
    if (ttl < TTL_LEAST)
        ttl = TTL_LEAST;
    until = g->now_ms + 1000ull * (ttl < TTL_MOST ? ttl : TTL_MOST);
    if (until < n->fresh_until_ms)
        n->fresh_until_ms = until;
    if (!n->of[0].is_there || !n->of[1].is_there)
        return;
    n->is_asking = false;
    wake(g, n);
}

size_t name_addresses(const struct name *n, struct net_addr out[DIAL_MAX])
{
    size_t count = 0;

    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < n->of[i].n && count < DIAL_MAX / (2u - i); k++)
            out[count++] = n->of[i].addr[k];
    return count;
}

/* An address of either kind makes the name one that exists. */
unsigned name_rcode(const struct name *n)
{
    if (n->of[0].n || n->of[1].n)
        return DNS_NOERROR;
    if (n->of[0].rcode == DNS_NXDOMAIN || n->of[1].rcode == DNS_NXDOMAIN)
        return DNS_NXDOMAIN;
    return n->of[0].rcode ? n->of[0].rcode : n->of[1].rcode;
}

unsigned name_ttl(struct gw *g, const struct name *n)
{
    return g->now_ms < n->fresh_until_ms
               ? (unsigned)((n->fresh_until_ms - g->now_ms + 999) / 1000)
               : TTL_LEAST;
}
