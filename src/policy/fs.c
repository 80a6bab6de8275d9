/* fs.c - tightening the rules.
 *
 * Order of thought: (1) equal paths, (2) further names of restricted objects
 * become rules, (3) equal objects, (4) grants that reach a denied object
 * through a symlink, (5) grants placed shallow to deep (fs_grant.c), (6) all
 * that is stricter placed wherever the grants make it visible (fs_deny.c),
 * (7) pins and watches (fs_guard.c). */
#include <stdlib.h>
#include <string.h>

#include "policy/fs_place.h"

/* What is left of a path below one of its ancestors: "" or "/x/y". */
static const char *rest_of(const char *path, const char *from)
{
    const char *rest = path + (from[1] ? strlen(from) : 0);

    return rest[0] == '/' && rest[1] == '\0' ? rest + 1 : rest;
}

const char *fs_moved(struct arena *a, const char *path, const char *from,
                     const char *to)
{
    const char *rest = rest_of(path, from);

    return *rest ? arena_printf(a, "%s%s", to[1] ? to : "", rest) : to;
}

bool fs_is_moved(const char *path, const char *from, const char *to,
                 const char *want)
{
    return path_is_within(want, to) &&
           strcmp(rest_of(path, from), rest_of(want, to)) == 0;
}

int fs_path_order(const char *x, const char *y)
{
    size_t i = 0;

    while (x[i] && x[i] == y[i])
        i++;
    if (x[i] == y[i])
        return 0;
    if (!x[i] || !y[i])
        return x[i] ? 1 : -1;
    if (x[i] == '/' || y[i] == '/')
        return x[i] == '/' ? -1 : 1;
    return (unsigned char)x[i] < (unsigned char)y[i] ? -1 : 1;
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
    if (a->derived != b->derived)
        return a->derived ? 1 : -1;
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
            strictest = group[i]; /* sorted by access */
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

/* No symlink between the denied path and the grant inside: it was meant. */
static bool is_meant(const struct fs_rule *deny, const struct fs_rule *grant)
{
    return path_is_within(grant->path, deny->path) &&
           fs_is_moved(grant->path, deny->path, deny->at.real, grant->at.real);
}

static bool is_link(const struct fs_rule *r)
{
    return r->access != ACCESS_DENY && strcmp(r->path, r->at.real) != 0;
}

static int by_real(const void *x, const void *y)
{
    const struct fs_rule *a = *(struct fs_rule *const *)x;
    const struct fs_rule *b = *(struct fs_rule *const *)y;
    int c = fs_path_order(a->at.real, b->at.real);

    return c ? c : (int)is_link(a) - (int)is_link(b);
}

/* Do all rules on the nearest object leave the grant what it says? */
static bool is_open(struct fs_rule *const *around, size_t depth,
                    const struct fs_rule *grant)
{
    for (size_t i = depth; i-- > 0;) {
        if (strcmp(around[i]->at.real, around[depth - 1]->at.real) != 0)
            break;
        if (around[i]->access == ACCESS_DENY && !is_meant(around[i], grant))
            return false;
    }
    return true;
}

/* A grant whose name leads through a symlink to something below a denied
 * path: the caller named the link, not the secret, and the link may have been
 * planted by an earlier run.  Named directly, it would be a deliberate grant
 * inside a denied directory.
 *
 * In the order of canonical paths the rules around a place are a stack. */
static int tighten_links(struct arena *a, struct fs_rule *rule, size_t n,
                         struct err *e)
{
    struct fs_rule **order = arena_array(a, n + 1, sizeof(struct fs_rule *));
    struct fs_rule **around = arena_array(a, n + 1, sizeof(struct fs_rule *));
    size_t count = 0, depth = 0;

    if (!order || !around)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    for (size_t i = 0; i < n; i++)
        if (rule[i].at.exists)
            order[count++] = &rule[i];
    qsort(order, count, sizeof(struct fs_rule *), by_real);
    for (size_t i = 0; i < count; i++) {
        struct fs_rule *r = order[i];

        while (depth && !path_is_within(r->at.real, around[depth - 1]->at.real))
            depth--;
        if (r->derived && r->access != ACCESS_DENY)
            continue; /* of a link, perhaps */
        if (!is_link(r))
            around[depth++] = r;
        else if (!is_open(around, depth, r))
            r->access = ACCESS_DENY;
    }
    return 0;
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
                "cannot be known",
                r->path, (unsigned long long)r->at.nlink);
        err_hint(e, "break the links (copy it to a new file and rename that "
                    "over it), or deny the directories that hold them");
        return err_where(e, "%s", r->origin);
    }
    return 0;
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

/* The path that rule r has under another canonical name. */
static const char *renamed(struct arena *a, const struct fs_rule *r,
                           const char *real)
{
    if (!r->at.rest)
        return real;
    return arena_printf(a, "%s/%s", real[1] ? real : "", r->at.rest);
}

static int add_name(struct arena *a, struct fs_rule *all, size_t *n,
                    const struct fs_rule *r, const char *real, struct err *e)
{
    struct fs_rule *new = &all[*n];

    *new = *r;
    new->path = renamed(a, r, real);
    new->at.real = real;
    new->derived = true;
    if (!new->path)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    *n += strcmp(new->path, r->path) != 0;
    return 0;
}

/* Further names by mounts, or the one that a symlink leads to. */
enum names { BY_MOUNT, BY_LINK };

/* Each further name of a restricted object, as a rule of its own: a grant may
 * show it there, and deeper rules may speak of what is below it. */
static int add_names(struct arena *a, enum names which, struct fs_rule **rule,
                     size_t *n, struct err *e)
{
    const struct fs_rule *old = *rule;
    struct fs_rule *all;
    size_t total = *n;
    size_t w = *n;

    for (size_t i = 0; i < *n; i++)
        total += which == BY_LINK ? 1 : old[i].at.naliases;
    all = arena_array(a, total + 1, sizeof(*all));
    if (!all)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    if (*n)
        memcpy(all, old, *n * sizeof(*all));
    for (size_t i = 0; i < *n; i++) {
        size_t count = which == BY_LINK ? 1 : old[i].at.naliases;

        if (old[i].access == ACCESS_WRITE || old[i].base)
            continue;
        for (size_t k = 0; k < count; k++)
            if (add_name(a, all, &w, &old[i],
                         which == BY_LINK ? old[i].at.real : old[i].at.alias[k],
                         e) < 0)
                return -1;
    }
    qsort(all, w, sizeof(*all), by_path);
    *n = drop_equal_paths(all, w);
    *rule = all;
    return 0;
}

int fs_decide(struct arena *a, struct fs_rule *rule, size_t *nrules,
              struct places *out, struct err *e)
{
    struct fs_rule *all = rule;
    struct places ps = { 0 };
    size_t n, kept = 0;

    if (*nrules)
        qsort(rule, *nrules, sizeof(*rule), by_path);
    n = drop_equal_paths(rule, *nrules);
    for (size_t i = 0; i < n; i++)
        rule[i].named = rule[i].named ? rule[i].named : rule[i].path;
    for (size_t i = 0; i < n; i++)
        if (check_rule(&rule[i], e) < 0)
            return -1;
    if (add_names(a, BY_MOUNT, &all, &n, e) < 0 ||
        tighten_objects(a, all, n, e) < 0 || tighten_links(a, all, n, e) < 0 ||
        add_names(a, BY_LINK, &all, &n, e) < 0 ||
        fs_place_grants(&ps, a, all, n, e) < 0 ||
        fs_place_stricter(&ps, a, all, n, e) < 0 ||
        fs_guard(&ps, a, &ps, e) < 0 || fs_keep_names(&ps, a, all, n, e) < 0 ||
        fs_place_names(&ps, a, all, n, e) < 0)
        return -1;
    /* Mounting goes shallow to deep; the index is of no use from here on. */
    if (ps.n)
        qsort(ps.item, ps.n, sizeof(*ps.item), fs_by_target);
    ps.bucket = NULL;
    /* The caller keeps its own rules, as tightened. */
    for (size_t i = 0; i < n; i++)
        if (!all[i].derived)
            rule[kept++] = all[i];
    *nrules = kept;
    *out = ps;
    return 0;
}
