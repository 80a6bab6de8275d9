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
        ps->bucket = arena_array(a, BUCKETS, sizeof(*ps->bucket));
    if (!grown || !ps->bucket)
        return -1;
    if (ps->n)
        memcpy(grown, ps->item, ps->n * sizeof(*grown));
    ps->item = grown;
    ps->cap = cap;
    return 0;
}

int fs_place_add(struct places *ps, struct arena *a, struct place p,
                 struct err *e)
{
    if ((ps->n == ps->cap || !ps->bucket) && grow(ps, a) < 0)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    if (p.target) {
        uint32_t *b = &ps->bucket[fnv(FNV_START, p.target, strlen(p.target)) %
                                  BUCKETS];

        p.next = *b;
        *b = (uint32_t)ps->n + 1;
    }
    ps->item[ps->n++] = p;
    return 0;
}

static const struct place *find(const struct places *ps, uint32_t hash,
                                const char *path, size_t len, unsigned kinds)
{
    for (uint32_t i = ps->bucket[hash % BUCKETS]; i;
         i = ps->item[i - 1].next) {
        const struct place *p = &ps->item[i - 1];

        if (kinds & 1u << p->kind && strncmp(p->target, path, len) == 0 &&
            p->target[len] == '\0')
            return p;
    }
    return NULL;
}

const struct place *fs_place_at(const struct places *ps, enum place_kind kind,
                                const char *target)
{
    size_t len = strlen(target);

    if (!ps->bucket)
        return NULL;
    return find(ps, fnv(FNV_START, target, len), target, len, 1u << kind);
}

const struct place *fs_cover(const struct places *ps, const char *path)
{
    const unsigned kinds = 1u << PLACE_GRANT | 1u << PLACE_HOLLOW;
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
