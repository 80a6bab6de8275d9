/* fs_index.c - the list of places, with a hash index by target, so that a
 * thousand rules cost a thousand look-ups and not a million comparisons. */
#include <string.h>

#include "policy/fs_place.h"

enum { BUCKETS = 4096 };

#define FNV_START 2166136261u

static uint32_t fnv(uint32_t h, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 16777619u;
    return h;
}

static int grow(struct places *ps, struct arena *a)
{
    size_t cap = ps->cap ? ps->cap * 2 : 64;
    struct place *grown = arena_array(a, cap, sizeof(*grown));

    if (!ps->bucket)
        ps->bucket = arena_array(a, 2 * (size_t)BUCKETS, sizeof(*ps->bucket));
    if (!grown || !ps->bucket)
        return -1;
    if (ps->n)
        memcpy(grown, ps->item, ps->n * sizeof(*grown));
    ps->item = grown;
    ps->cap = cap;
    return 0;
}

static uint32_t *bucket_of(const struct places *ps, const char *path,
                           bool by_source)
{
    return &ps->bucket[fnv(FNV_START, path, strlen(path)) % BUCKETS +
                       (by_source ? BUCKETS : 0)];
}

int fs_place_add(struct places *ps, struct arena *a, struct place p,
                 struct err *e)
{
    uint32_t number = (uint32_t)ps->n + 1;

    if ((ps->n == ps->cap || !ps->bucket) && grow(ps, a) < 0)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    if (p.target) {
        uint32_t *b = bucket_of(ps, p.target, false);

        p.next = *b;
        *b = number;
    }
    if (p.kind == PLACE_GRANT) {
        uint32_t *b = bucket_of(ps, p.source, true);

        p.next_source = *b;
        *b = number;
    }
    ps->item[ps->n++] = p;
    return 0;
}

static bool is_text(const char *s, const char *path, size_t len)
{
    return strncmp(s, path, len) == 0 && s[len] == '\0';
}

static const struct place *find(const struct places *ps, uint32_t hash,
                                const char *path, size_t len, unsigned kinds)
{
    for (uint32_t i = ps->bucket[hash % BUCKETS]; i; i = ps->item[i - 1].next) {
        const struct place *p = &ps->item[i - 1];

        if (kinds & 1u << p->kind && is_text(p->target, path, len))
            return p;
    }
    return NULL;
}

const struct place *fs_place_at(const struct places *ps, unsigned kinds,
                                const char *target)
{
    size_t len = strlen(target);

    if (!ps->bucket)
        return NULL;
    return find(ps, fnv(FNV_START, target, len), target, len, kinds);
}

const struct place *fs_above(const struct places *ps, unsigned kinds,
                             const char *path)
{
    const struct place *best = NULL, *p;
    uint32_t h = FNV_START;
    size_t at = 0;

    if (!ps->bucket)
        return NULL;
    while (path[at]) {
        size_t n = 1 + strcspn(path + at + 1, "/");

        h = fnv(h, path + at, n);
        at += n;
        p = find(ps, h, path, at, kinds);
        if (p)
            best = p;
    }
    return best;
}

const struct place *fs_next_over(const struct places *ps, const char *path,
                                 struct fs_walk *w)
{
    if (!ps->bucket)
        return NULL;
    for (;;) {
        while (w->next) {
            const struct place *p = &ps->item[w->next - 1];

            w->next = p->next_source;
            if (is_text(p->source, path, w->len))
                return p;
        }
        if (path[w->len] == '\0')
            return NULL;
        w->len += 1 + strcspn(path + w->len + 1, "/");
        w->next = ps->bucket[BUCKETS + fnv(FNV_START, path, w->len) % BUCKETS];
    }
}
