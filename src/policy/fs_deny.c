/* fs_deny.c - wherever a grant makes a stricter object visible, cover it.
 *
 * An object has its canonical name and, through bind mounts of the host,
 * further ones.  Each may lie under each grant's source; each such spot of the
 * view gets the cover, its ancestors inside a writable grant are pinned so
 * that renaming cannot uncover it, and the host's names are watched, because
 * a mount over a name goes away when the host replaces that name
 * (rename(2) on a mount point of another namespace detaches it). */
#include <string.h>

#include "policy/fs_place.h"

/* Every directory strictly between the grant's root and the covered path. */
static int add_pins(struct places *ps, struct arena *a, const char *root,
                    const char *path, const char *origin, struct err *e)
{
    size_t at = strlen(root[1] ? root : "");

    for (;;) {
        size_t next = at + 1 + strcspn(path + at + 1, "/");
        const char *dir;

        if (path[at] == '\0' || path[next] == '\0')
            return 0;
        dir = arena_strndup(a, path, next);
        if (!dir)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
        if (!fs_place_at(ps, PLACE_PIN, dir) && fs_place_add(ps, a, (struct place){
                .kind = PLACE_PIN, .target = dir, .is_dir = true,
                .origin = origin }, e) < 0)
            return -1;
        at = next;
    }
}

static int add_watch(struct places *ps, struct arena *a,
                     const struct place *grant, const char *real,
                     const struct fs_rule *r, struct err *e)
{
    const char *rest = real + strlen(grant->source[1] ? grant->source : "");

    if (*rest == '/')
        rest++;
    if (r->at.rest)
        rest = *rest ? arena_printf(a, "%s/%s", rest, r->at.rest)
                     : r->at.rest;
    if (!rest)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    if (*rest == '\0')
        return 0;
    return fs_place_add(ps, a, (struct place){
        .kind = PLACE_WATCH, .source = grant->source, .rest = rest,
        .dev = r->at.dev, .ino = r->at.ino, .origin = r->origin }, e);
}

int fs_guard(struct places *ps, struct arena *a, struct place grant,
             const char *target, const char *real, const struct fs_rule *r,
             struct err *e)
{
    if (grant.access == ACCESS_WRITE &&
        add_pins(ps, a, grant.target, target, r->origin, e) < 0)
        return -1;
    return add_watch(ps, a, &grant, real, r, e);
}

/* Nothing to mount over: the broker refuses to create it, and the directories
 * that lead there, the last one included, stay where they are. */
static int cover_absent(struct places *ps, struct arena *a, struct place g,
                        struct place p, const char *real,
                        const struct fs_rule *r, struct err *e)
{
    const char *inside = arena_printf(a, "%s/x", p.target[1] ? p.target : "");

    if (!inside)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    p.kind = PLACE_ABSENT;
    p.rest = r->at.rest;
    if (g.access == ACCESS_WRITE && fs_place_add(ps, a, p, e) < 0)
        return -1;
    return fs_guard(ps, a, g, inside, real, r, e);
}

/* One spot of the view where the object of rule r shows. */
static int cover_spot(struct places *ps, struct arena *a, size_t grant,
                      const char *real, const struct fs_rule *r,
                      struct err *e)
{
    const struct place g = ps->item[grant];
    const char *spot = fs_moved(a, real, g.source, g.target);
    struct place p = { .access = r->access, .target = spot,
                       .is_dir = r->at.is_dir, .dev = r->at.dev,
                       .ino = r->at.ino, .origin = r->origin };

    if (!spot)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    /* A deeper grant decides here, or this very one stands here already. */
    if (fs_cover(ps, spot) != &ps->item[grant])
        return 0;
    if (!r->at.exists)
        return cover_absent(ps, a, g, p, real, r, e);
    if (strcmp(spot, g.target) == 0)
        return 0;
    p.kind = r->access == ACCESS_DENY ? PLACE_MASK : PLACE_GRANT;
    p.source = r->access == ACCESS_DENY ? NULL : real;
    if (fs_place_at(ps, p.kind, spot))
        return 0;
    if (fs_place_add(ps, a, p, e) < 0)
        return -1;
    return fs_guard(ps, a, g, spot, real, r, e);
}

/* `list` has the grants that may be less strict than the rule. */
static int cover_everywhere(struct places *ps, struct arena *a,
                            const size_t *list, size_t n,
                            const struct fs_rule *r, struct err *e)
{
    for (size_t k = 0; k < n; k++) {
        size_t g = list[k];
        const struct place *p = &ps->item[g];

        if (p->kind != PLACE_GRANT || p->access <= r->access)
            continue;
        if (path_is_within(r->at.real, p->source) &&
            cover_spot(ps, a, g, r->at.real, r, e) < 0)
            return -1;
        for (size_t i = 0; i < r->at.naliases; i++)
            if (path_is_within(r->at.alias[i], p->source) &&
                cover_spot(ps, a, g, r->at.alias[i], r, e) < 0)
                return -1;
    }
    return 0;
}

/* A denied path that no grant shows: its name stands in the private root, so
 * that asking for it says "denied" and not "no such file". */
static int place_denied_name(struct places *ps, struct arena *a,
                             const struct fs_rule *r, struct err *e)
{
    const char *name = r->path;

    if (r->at.exists && strcmp(r->path, r->at.real) != 0)
        name = r->at.real;
    if (name[1] == '\0' || fs_cover(ps, name) || fs_cover(ps, r->path) ||
        fs_place_at(ps, PLACE_MASK, name))
        return 0;
    for (size_t i = 0; i < ps->n; i++) {
        const struct place *p = &ps->item[i];

        if (p->kind == PLACE_MASK && path_is_within(name, p->target))
            return 0;
        /* Something else of the view already has this name as a parent. */
        if (p->target && path_is_within(p->target, name))
            return 0;
    }
    return fs_place_add(ps, a, (struct place){
        .kind = PLACE_MASK, .target = name, .own_space = true,
        .is_dir = r->at.exists ? r->at.is_dir : true,
        .origin = r->origin }, e);
}

/* Grants first come the writable ones, which is all that a read-only rule has
 * to look at: with a thousand read-only paths the rest would be a million. */
static size_t list_grants(const struct places *ps, size_t *list,
                          size_t *nwritable)
{
    size_t n = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < ps->n; i++)
            if (ps->item[i].kind == PLACE_GRANT &&
                (ps->item[i].access == ACCESS_WRITE) == (pass == 0))
                list[n++] = i;
        if (pass == 0)
            *nwritable = n;
    }
    return n;
}

int fs_place_stricter(struct places *ps, struct arena *a,
                      const struct fs_rule *rule, size_t n, struct err *e)
{
    size_t *list = arena_array(a, ps->n + 1, sizeof(*list));
    size_t nwritable, ngrants;

    if (!list)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    ngrants = list_grants(ps, list, &nwritable);
    for (size_t i = 0; i < n; i++)
        if (rule[i].access != ACCESS_WRITE && !rule[i].base &&
            cover_everywhere(ps, a, list, rule[i].access == ACCESS_DENY
                             ? ngrants : nwritable, &rule[i], e) < 0)
            return -1;
    for (size_t i = 0; i < n; i++)
        if (rule[i].access == ACCESS_DENY &&
            place_denied_name(ps, a, &rule[i], e) < 0)
            return -1;
    return 0;
}
