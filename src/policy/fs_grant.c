/* fs_grant.c - where the granted objects stand in the view, and where denied
 * directories let the path through to grants inside. */
#include <stdlib.h>
#include <string.h>

#include "policy/fs_place.h"

/* Where in the view a rule's object stands.  Its own name, unless a symlink
 * on the way leads elsewhere: then where that leads. */
static const char *target_of(const struct places *ps, const struct fs_rule *r)
{
    const struct place *c = fs_above(ps, FS_COVERS, r->path);

    if (!r->at.exists || strcmp(r->path, r->at.real) == 0)
        return r->path;
    if (!c) {
        /* "/lib/x" on a merged-usr host: /lib is a link in the view too. */
        c = fs_above(ps, FS_COVERS, r->at.real);
        return c && c->base ? r->at.real : r->path;
    }
    if (c->kind == PLACE_HOLLOW || strcmp(r->path, c->target) == 0 ||
        fs_is_moved(r->path, c->target, c->source, r->at.real))
        return r->path;
    return r->at.real;
}

/* Does the mount show this very object at the target already? */
static bool is_shown(const struct place *c, const struct fs_rule *r,
                     const char *target)
{
    return c && c->kind == PLACE_GRANT && c->access == r->access &&
           fs_is_moved(target, c->target, c->source, r->at.real);
}

static int place_rule(struct places *ps, struct arena *a, enum place_kind kind,
                      const struct fs_rule *r, struct err *e)
{
    const char *target = target_of(ps, r);
    const struct place *c = fs_above(ps, FS_COVERS, target);

    /* Already visible there, with the same access: nothing to mount. */
    if (kind == PLACE_GRANT && is_shown(c, r, target))
        return 0;
    /* A further name of something is no reason to show it. */
    if (r->derived && (!c || c->kind != PLACE_GRANT || c->access <= r->access))
        return 0;
    return fs_place_add(
        ps, a,
        (struct place){ .kind = kind,
                        .access = r->access,
                        .target = target,
                        .source = r->at.real,
                        .is_dir = r->at.is_dir || kind == PLACE_HOLLOW,
                        .base = r->base,
                        .dev = r->at.dev,
                        .ino = r->at.ino,
                        .origin = r->origin,
                        .named = r->named },
        e);
}

static int by_path_order(const void *x, const void *y)
{
    const struct fs_rule *const *a = x, *const *b = y;

    return fs_path_order((*a)->path, (*b)->path);
}

/* Which denied directories hold a grant, to which they must let the path: in
 * the order of paths it is the next grant, if any. */
static int find_hollows(struct arena *a, const struct fs_rule *rule, size_t n,
                        bool *is_hollow, struct err *e)
{
    const struct fs_rule **order = arena_array(a, n + 1, sizeof(*order));
    const struct fs_rule *grant = NULL;

    if (!order)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    for (size_t i = 0; i < n; i++)
        order[i] = &rule[i];
    qsort(order, n, sizeof(*order), by_path_order);
    for (size_t i = n; i-- > 0;) {
        if (order[i]->access != ACCESS_DENY)
            grant = order[i];
        else
            is_hollow[order[i] - rule] =
                grant && order[i]->at.exists && order[i]->at.is_dir &&
                path_is_within(grant->path, order[i]->path);
    }
    return 0;
}

int fs_place_grants(struct places *ps, struct arena *a,
                    const struct fs_rule *rule, size_t n, struct err *e)
{
    bool *is_hollow = arena_array(a, n + 1, sizeof(*is_hollow));

    if (!is_hollow)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    if (find_hollows(a, rule, n, is_hollow, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (rule[i].access == ACCESS_DENY && !is_hollow[i])
            continue;
        if (place_rule(ps, a, is_hollow[i] ? PLACE_HOLLOW : PLACE_GRANT,
                       &rule[i], e) < 0)
            return -1;
    }
    return 0;
}
