/* fs_deny.c - wherever a grant makes a stricter object visible, cover it; and
 * where nothing shows of a denied path, its name. */
#include <stdlib.h>
#include <string.h>

#include "policy/fs_place.h"

/* One spot of the view where the object of rule r shows. */
static int cover_spot(struct places *ps, struct arena *a, size_t grant,
                      const struct fs_rule *r, struct err *e)
{
    const struct place *g = &ps->item[grant];
    const char *spot = fs_moved(a, r->at.real, g->source, g->target);
    struct place p = { .access = r->access,
                       .target = spot,
                       .source = r->at.real,
                       .is_dir = r->at.is_dir,
                       .dev = r->at.dev,
                       .ino = r->at.ino,
                       .origin = r->origin,
                       .named = r->named };

    if (!spot)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    /* A deeper grant decides here, or this very one stands here already. */
    if (fs_above(ps, FS_COVERS, spot) != g)
        return 0;
    if (!r->at.exists) {
        p.kind = PLACE_ABSENT;
        p.rest = r->at.rest;
        p.folds_case = r->at.folds_case;
        return fs_place_add(ps, a, p, e);
    }
    if (strcmp(spot, g->target) == 0)
        return 0;
    p.kind = r->access == ACCESS_DENY ? PLACE_MASK : PLACE_GRANT;
    if (fs_place_at(ps, 1u << p.kind, spot))
        return 0;
    return fs_place_add(ps, a, p, e);
}

static int cover_everywhere(struct places *ps, struct arena *a,
                            const struct fs_rule *r, struct err *e)
{
    struct fs_walk w = { 0 };
    const struct place *g;

    while ((g = fs_next_over(ps, r->at.real, &w)) != NULL)
        if (g->access > r->access &&
            cover_spot(ps, a, (size_t)(g - ps->item), r, e) < 0)
            return -1;
    return 0;
}

int fs_place_stricter(struct places *ps, struct arena *a,
                      const struct fs_rule *rule, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (rule[i].access != ACCESS_WRITE && !rule[i].base &&
            cover_everywhere(ps, a, &rule[i], e) < 0)
            return -1;
    return 0;
}

/* A denied path that no grant shows: its name stands in the private root, so
 * that asking for it says "denied" and not "no such file". */
struct name {
    const char *path;
    const struct fs_rule *rule;
};

static int by_name(const void *x, const void *y)
{
    const struct name *a = x, *b = y;

    return fs_path_order(a->path, b->path);
}

static int by_text(const void *x, const void *y)
{
    const char *const *a = x, *const *b = y;

    return fs_path_order(*a, *b);
}

/* Is there a target at or below the path among the sorted ones? */
static bool has_below(const char *const *target, size_t n, const char *path)
{
    size_t low = 0;

    while (low < n) {
        size_t mid = low + (n - low) / 2;

        if (fs_path_order(target[mid], path) < 0)
            low = mid + 1;
        else
            n = mid;
    }
    return target[low] && path_is_within(target[low], path);
}

static const char **list_targets(const struct places *ps, struct arena *a,
                                 size_t *n)
{
    const char **list = arena_array(a, ps->n + 1, sizeof(*list));
    size_t count = 0;

    for (size_t i = 0; list && i < ps->n; i++)
        if (ps->item[i].target)
            list[count++] = ps->item[i].target;
    if (list)
        qsort(list, count, sizeof(*list), by_text);
    *n = count;
    return list;
}

int fs_place_names(struct places *ps, struct arena *a,
                   const struct fs_rule *rule, size_t n, struct err *e)
{
    struct name *name = arena_array(a, n + 1, sizeof(*name));
    size_t count = 0, ntargets;
    const char **target = list_targets(ps, a, &ntargets);

    if (!name || !target)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    for (size_t i = 0; i < n; i++)
        if (rule[i].access == ACCESS_DENY && !rule[i].derived)
            name[count++] = (struct name){ rule[i].at.exists ? rule[i].at.real
                                                             : rule[i].path,
                                           &rule[i] };
    qsort(name, count, sizeof(*name), by_name);
    for (size_t i = 0; i < count; i++) {
        const struct fs_rule *r = name[i].rule;
        const char *path = name[i].path;

        if (path[1] == '\0' || fs_above(ps, FS_MOUNTS, path) ||
            fs_above(ps, FS_COVERS, r->path) ||
            has_below(target, ntargets, path))
            continue;
        if (fs_place_add(
                ps, a,
                (struct place){ .kind = PLACE_MASK,
                                .target = path,
                                .own_space = true,
                                .is_dir = !r->at.exists || r->at.is_dir,
                                .origin = r->origin,
                                .named = r->named },
                e) < 0)
            return -1;
    }
    return 0;
}
