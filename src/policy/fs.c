/* fs.c - tightening the rules and placing what they grant.
 *
 * Order of thought: (1) equal paths, (2) equal objects, (3) grants that reach
 * a denied object through a symlink, (4) grants placed shallow to deep,
 * (5) everything stricter placed wherever the grants make it visible
 * (fs_deny.c). */
#include <stdlib.h>
#include <string.h>

#include "policy/fs_place.h"

const char *fs_moved(struct arena *a, const char *path, const char *from,
                     const char *to)
{
    const char *rest = path + (from[1] ? strlen(from) : 0);

    if (rest[0] == '\0' || (rest[0] == '/' && rest[1] == '\0'))
        return to;
    return arena_printf(a, "%s%s", to[1] ? to : "", rest);
}

static int by_path(const void *x, const void *y)
{
    const struct fs_rule *a = x, *b = y;
    size_t da = path_depth(a->path), db = path_depth(b->path);
    int c;

    if (da != db)
        return da < db ? -1 : 1;
    c = strcmp(a->path, b->path);
    if (c)
        return c;
    /* The policy's own word on a path replaces the base's. */
    if (a->base != b->base)
        return a->base ? 1 : -1;
    return (int)a->access - (int)b->access;
}

/* After sorting, the first of equal paths is the one that counts. */
static size_t drop_equal_paths(struct fs_rule *rule, size_t n)
{
    size_t w = 0;

    for (size_t i = 0; i < n; i++)
        if (w == 0 || strcmp(rule[w - 1].path, rule[i].path) != 0)
            rule[w++] = rule[i];
    return w;
}

static int by_object(const void *x, const void *y)
{
    const struct fs_rule *a = *(struct fs_rule *const *)x;
    const struct fs_rule *b = *(struct fs_rule *const *)y;

    if (a->at.dev != b->at.dev)
        return a->at.dev < b->at.dev ? -1 : 1;
    if (a->at.ino != b->at.ino)
        return a->at.ino < b->at.ino ? -1 : 1;
    return (int)a->access - (int)b->access;
}

static bool same_object(const struct fs_rule *a, const struct fs_rule *b)
{
    return a->at.exists && b->at.exists && a->at.dev == b->at.dev &&
           a->at.ino == b->at.ino;
}

/* Names of one object all get the strictest access that the policy gives to
 * one of them.  The base has no word against the policy, but obeys it. */
static void tighten_group(struct fs_rule **group, size_t n)
{
    const struct fs_rule *strictest = NULL;

    for (size_t i = 0; i < n && !strictest; i++)
        if (!group[i]->base)
            strictest = group[i];       /* sorted by access */
    for (size_t i = 0; strictest && i < n; i++)
        group[i]->access = strictest->access;
}

static int tighten_objects(struct arena *a, struct fs_rule *rule, size_t n,
                           struct err *e)
{
    struct fs_rule **order = arena_array(a, n + 1, sizeof(struct fs_rule *));
    size_t first = 0;

    if (!order)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    for (size_t i = 0; i < n; i++)
        order[i] = &rule[i];
    qsort(order, n, sizeof(struct fs_rule *), by_object);
    for (size_t i = 1; i <= n; i++) {
        if (i < n && same_object(order[first], order[i]))
            continue;
        if (i - first > 1)
            tighten_group(order + first, i - first);
        first = i;
    }
    return 0;
}

/* A grant whose name leads through a symlink to something below a denied
 * path: the caller named the link, not the secret, and the link may have been
 * planted by an earlier run.  Named directly, it would be a deliberate grant
 * inside a denied directory. */
static void tighten_links(struct fs_rule *rule, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct fs_rule *g = &rule[i];

        if (g->access == ACCESS_DENY || !g->at.exists ||
            strcmp(g->path, g->at.real) == 0)
            continue;
        for (size_t j = 0; j < n; j++)
            if (rule[j].access == ACCESS_DENY && rule[j].at.exists &&
                path_is_within(g->at.real, rule[j].at.real))
                g->access = ACCESS_DENY;
    }
}

static int check_rule(const struct fs_rule *r, struct err *e)
{
    if (r->access != ACCESS_DENY && !r->at.exists) {
        err_set(e, ERR_POLICY_VALIDATION, "path '%s' does not exist", r->path);
        err_hint(e, "create it, or leave it out of the policy");
        return err_where(e, "%s", r->origin);
    }
    if (r->access == ACCESS_DENY && r->at.exists && r->at.is_file &&
        r->at.nlink > 1) {
        err_set(e, ERR_POLICY_VALIDATION,
                "denied file '%s' has %llu hard links: its other names "
                "cannot be known", r->path,
                (unsigned long long)r->at.nlink);
        err_hint(e, "break the links (copy the file over itself), or deny "
                    "the directories that hold them");
        return err_where(e, "%s", r->origin);
    }
    return 0;
}

/* Where in the view a rule's object stands.  Its own name, unless a symlink
 * on the way leads elsewhere: then where that leads. */
static const char *target_of(const struct places *ps, const struct fs_rule *r,
                             struct arena *a)
{
    const struct place *c = fs_cover(ps, r->path);
    const char *plain;

    if (!r->at.exists || strcmp(r->path, r->at.real) == 0)
        return r->path;
    if (!c) {
        /* "/lib/x" on a merged-usr host: /lib is a link in the view too. */
        c = fs_cover(ps, r->at.real);
        return c && c->base ? r->at.real : r->path;
    }
    if (!c->source || strcmp(r->path, c->target) == 0)
        return r->path;
    plain = fs_moved(a, r->path, c->target, c->source);
    return plain && strcmp(plain, r->at.real) == 0 ? r->path : r->at.real;
}

static bool is_shown(const struct place *c, const struct fs_rule *r,
                     const char *target, struct arena *a)
{
    const char *spot;

    if (!c || c->kind != PLACE_GRANT || c->access != r->access ||
        !path_is_within(r->at.real, c->source))
        return false;
    spot = fs_moved(a, r->at.real, c->source, c->target);
    return spot && strcmp(spot, target) == 0;
}

static int place_rule(struct places *ps, struct arena *a, enum place_kind kind,
                      const struct fs_rule *r, struct err *e)
{
    const char *target = target_of(ps, r, a);
    const struct place *c = fs_cover(ps, target);
    struct place cover = { 0 };

    /* Already visible there, with the same access: nothing to mount. */
    if (kind == PLACE_GRANT && is_shown(c, r, target, a))
        return 0;
    if (c)
        cover = *c;
    if (fs_place_add(ps, a, (struct place){
            .kind = kind, .access = r->access, .target = target,
            .source = kind == PLACE_GRANT ? r->at.real : NULL,
            .is_dir = r->at.is_dir || kind == PLACE_HOLLOW,
            .own_space = !c || cover.kind == PLACE_HOLLOW, .base = r->base,
            .dev = r->at.dev, .ino = r->at.ino, .origin = r->origin }, e) < 0)
        return -1;
    if (!c || cover.kind != PLACE_GRANT || cover.access <= r->access ||
        strcmp(target, cover.target) == 0)
        return 0;
    return fs_guard(ps, a, cover, target, r->at.real, r, e);
}

/* Does a denied directory hold a grant, to which it must let the path? */
static bool has_grant_inside(const struct fs_rule *rule, size_t n, size_t i)
{
    for (size_t j = i + 1; j < n; j++)
        if (rule[j].access != ACCESS_DENY &&
            path_is_within(rule[j].path, rule[i].path))
            return true;
    return false;
}

static int place_one(struct places *ps, struct arena *a,
                     const struct fs_rule *rule, size_t n, size_t i,
                     struct err *e)
{
    if (rule[i].access != ACCESS_DENY)
        return place_rule(ps, a, PLACE_GRANT, &rule[i], e);
    if (rule[i].at.exists && rule[i].at.is_dir && has_grant_inside(rule, n, i))
        return place_rule(ps, a, PLACE_HOLLOW, &rule[i], e);
    return 0;
}

static int by_target_depth(const void *x, const void *y)
{
    const struct place *a = x, *b = y;
    size_t da = a->target ? path_depth(a->target) : SIZE_MAX;
    size_t db = b->target ? path_depth(b->target) : SIZE_MAX;

    if (da != db)
        return da < db ? -1 : 1;
    if (a->kind != b->kind)
        return (int)a->kind - (int)b->kind;
    return a->target && b->target ? strcmp(a->target, b->target) : 0;
}

enum access fs_access(const struct fs_rule *rule, size_t nrules,
                      const char *path)
{
    size_t depth = 0;
    enum access got = ACCESS_DENY;
    bool found = false;

    for (size_t i = 0; i < nrules; i++) {
        size_t d = path_depth(rule[i].path);

        if (!path_is_within(path, rule[i].path))
            continue;
        if (found && (d < depth || (d == depth && rule[i].access >= got)))
            continue;
        depth = d;
        got = rule[i].access;
        found = true;
    }
    return got;
}

int fs_decide(struct arena *a, struct fs_rule *rule, size_t *nrules,
              struct places *out, struct err *e)
{
    size_t n = *nrules;
    struct places ps = { 0 };

    qsort(rule, n, sizeof(*rule), by_path);
    n = drop_equal_paths(rule, n);
    for (size_t i = 0; i < n; i++)
        if (check_rule(&rule[i], e) < 0)
            return -1;
    if (tighten_objects(a, rule, n, e) < 0)
        return -1;
    tighten_links(rule, n);
    for (size_t i = 0; i < n; i++)
        if (place_one(&ps, a, rule, n, i, e) < 0)
            return -1;
    if (fs_place_stricter(&ps, a, rule, n, e) < 0)
        return -1;
    /* Mounting goes shallow to deep; the index is of no use from here on. */
    qsort(ps.item, ps.n, sizeof(*ps.item), by_target_depth);
    ps.bucket = NULL;
    *nrules = n;
    *out = ps;
    return 0;
}
