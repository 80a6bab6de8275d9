/* fs_guard.c - makes placements hold.
 *
 * What stands inside a mask cannot be mounted and need not be.  Inside a
 * writable grant the ancestors of a stricter place are pinned, so that
 * renaming cannot uncover it or bring another object to its name.  And the
 * host's names are watched, because a mount over a name goes away when the
 * host replaces that name (rename(2) on a mount point of another namespace
 * detaches it).
 *
 * A symlink on a restricted path is pinned as well: the workload would put
 * something of its own under the name that policy speaks of, for a program of
 * the host to find (CVE-2026-25725).  And so is whatever a grant for writing
 * names inside another: replaced by a symlink, it would be a grant of anything
 * the next time. */
#include <stdlib.h>
#include <string.h>

#include "policy/fs_place.h"

/* Every directory strictly between the grant's root and the covered path. */
static int add_pins(struct places *ps, struct arena *a, const char *root,
                    const char *path, const char *origin, struct err *e)
{
    size_t at = strlen(root[1] ? root : "");

    for (;;) {
        size_t next;
        const char *dir;

        if (path[at] == '\0')
            return 0;
        next = at + 1 + strcspn(path + at + 1, "/");
        if (path[next] == '\0')
            return 0;
        dir = arena_strndup(a, path, next);
        if (!dir)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
        if (!fs_place_at(ps, 1u << PLACE_PIN, dir) &&
            fs_place_add(ps, a,
                         (struct place){ .kind = PLACE_PIN,
                                         .target = dir,
                                         .is_dir = true,
                                         .origin = origin },
                         e) < 0)
            return -1;
        at = next;
    }
}

/* `name` is below the grant's root, as it reads in the view. */
static int guard_name(struct places *ps, struct arena *a, struct place grant,
                      const struct place *p, const char *name, struct err *e)
{
    const char *rest = name + strlen(grant.target[1] ? grant.target : "");

    if (grant.access == ACCESS_WRITE &&
        add_pins(ps, a, grant.target, name, p->origin, e) < 0)
        return -1;
    return fs_place_add(ps, a,
                        (struct place){ .kind = PLACE_WATCH,
                                        .source = grant.source,
                                        .rest = rest + 1,
                                        .dev = p->dev,
                                        .ino = p->ino,
                                        .origin = p->origin },
                        e);
}

/* Does the grant show at that name what the place is about?  If not, the name
 * leads through a symlink of the host: the object stands elsewhere in the
 * view, where the other rules on it hold. */
static bool is_at_home(const struct place *grant, const struct place *p)
{
    return fs_is_moved(p->target, grant->target, grant->source, p->source);
}

static int keep_mount(struct places *ps, struct arena *a, struct place p,
                      struct err *e)
{
    const struct place *c = fs_above(ps, FS_MOUNTS, p.target);
    struct place cover;

    if (c && (c->kind == PLACE_MASK || strcmp(c->target, p.target) == 0))
        return 0;
    if (c && c->kind == PLACE_GRANT && !is_at_home(c, &p))
        return 0;
    /* Shown by a grant around it that was placed later. */
    if (c && c->kind == PLACE_GRANT && p.kind == PLACE_GRANT &&
        c->access == p.access)
        return 0;
    p.own_space = !c || c->kind == PLACE_HOLLOW;
    if (!c || c->kind != PLACE_GRANT || c->access <= p.access)
        return fs_place_add(ps, a, p, e);
    cover = *c;
    if (fs_place_add(ps, a, p, e) < 0)
        return -1;
    return guard_name(ps, a, cover, &p, p.target, e);
}

/* The broker and the watch know a name by its bytes, and what the filesystem
 * takes for the same one is its own affair (its version of Unicode). */
static int refuse_folded(const struct place *p, struct err *e)
{
    const char *dir = p->source[1] ? p->source : "";

    err_set(e, ERR_POLICY_VALIDATION,
            "denied path '%s/%s' does not exist, and cannot be held: '%s' "
            "takes names in upper and lower case for the same",
            dir, p->rest, p->source);
    err_hint(e, "create it, or deny the directory, or use a directory of "
                "another filesystem");
    return err_where(e, "%s", p->origin);
}

/* Nothing to mount over: the broker refuses to create it, and the directories
 * that lead there, the last one included, stay where they are. */
static int keep_absent(struct places *ps, struct arena *a, struct place p,
                       struct err *e)
{
    const struct place *c = fs_above(ps, FS_MOUNTS, p.target);
    struct place grant;
    const char *name, *inside;
    int r = 0;

    if (!c || c->kind != PLACE_GRANT || !is_at_home(c, &p))
        return 0;
    if (p.folds_case)
        return refuse_folded(&p, e);
    grant = *c;
    name = arena_printf(a, "%s/%s", p.target[1] ? p.target : "", p.rest);
    inside = arena_printf(a, "%s/x", p.target[1] ? p.target : "");
    if (!name || !inside)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    if (grant.access == ACCESS_WRITE) {
        r = fs_place_add(ps, a, p, e);
        if (r == 0)
            r = add_pins(ps, a, grant.target, inside, p.origin, e);
    }
    /* What is missing cannot be pinned: only watched. */
    grant.access = ACCESS_READ;
    return r < 0 ? r : guard_name(ps, a, grant, &p, name, e);
}

int fs_by_target(const void *x, const void *y)
{
    const struct place *a = x, *b = y;
    size_t da = a->target ? path_depth(a->target) : SIZE_MAX;
    size_t db = b->target ? path_depth(b->target) : SIZE_MAX;
    int c;

    if (da != db)
        return da < db ? -1 : 1;
    if (a->kind != b->kind)
        return (int)a->kind - (int)b->kind;
    c = strcmp(a->target ? a->target : a->source,
               b->target ? b->target : b->source);
    return c == 0 && a->rest && b->rest ? strcmp(a->rest, b->rest) : c;
}

int fs_guard(const struct places *in, struct arena *a, struct places *out,
             struct err *e)
{
    struct places kept = { 0 };

    if (in->n)
        qsort(in->item, in->n, sizeof(*in->item), fs_by_target);
    for (size_t i = 0; i < in->n; i++)
        if (in->item[i].kind != PLACE_ABSENT &&
            keep_mount(&kept, a, in->item[i], e) < 0)
            return -1;
    for (size_t i = 0; i < in->n; i++)
        if (in->item[i].kind == PLACE_ABSENT &&
            keep_absent(&kept, a, in->item[i], e) < 0)
            return -1;
    *out = kept;
    return 0;
}

/* Pinned where the workload may write; and watched, if it is restricted. */
static int keep_name(struct places *ps, struct arena *a,
                     const struct fs_link *l, const struct fs_rule *r,
                     struct err *e)
{
    struct fs_walk w = { 0 };
    const struct place *g;

    while ((g = fs_next_over(ps, l->path, &w)) != NULL) {
        const struct place grant = *g;
        const char *spot = fs_moved(a, l->path, grant.source, grant.target);
        struct place pin = { .kind = PLACE_PIN,
                             .target = spot,
                             .dev = l->dev,
                             .ino = l->ino,
                             .origin = r->origin };
        bool is_ours = grant.access == ACCESS_WRITE;

        if (!spot)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
        /* Another place decides there; or it is this one's own root. */
        if (fs_above(ps, FS_MOUNTS, spot) != g ||
            strcmp(spot, grant.target) == 0 ||
            fs_place_at(ps, 1u << PLACE_PIN, spot))
            continue;
        if (is_ours && fs_place_add(ps, a, pin, e) < 0)
            return -1;
        if (r->access != ACCESS_WRITE) {
            if (guard_name(ps, a, grant, &pin, spot, e) < 0)
                return -1;
        } else if (is_ours &&
                   add_pins(ps, a, grant.target, spot, r->origin, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int keep_names(struct places *ps, struct arena *a,
                      const struct fs_rule *r, struct err *e)
{
    const struct fs_link self = { r->at.real, r->at.dev, r->at.ino };

    for (size_t k = 0; k < r->at.nlinks; k++)
        if (keep_name(ps, a, &r->at.link[k], r, e) < 0)
            return -1;
    /* Restricted objects are mounts of their own. */
    return r->access == ACCESS_WRITE ? keep_name(ps, a, &self, r, e) : 0;
}

/* The restricted ones first: a name that is pinned already is passed over, and
 * theirs are to be watched as well. */
int fs_keep_names(struct places *ps, struct arena *a,
                  const struct fs_rule *rule, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (rule[i].access != ACCESS_WRITE && !rule[i].base &&
            keep_names(ps, a, &rule[i], e) < 0)
            return -1;
    for (size_t i = 0; i < n; i++)
        if (rule[i].access == ACCESS_WRITE &&
            keep_names(ps, a, &rule[i], e) < 0)
            return -1;
    return 0;
}
