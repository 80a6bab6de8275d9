/* fs_model.h - a small invented host, a plain reading of what rules mean on
 * it, and a comparison of the placements with that reading.
 *
 * The host is a tree of directories, files and symlinks in which some
 * subtrees show a second time, as bind mounts make them.  The view is what
 * mounting the placements one after the other gives.  The reference walks
 * names upwards and knows nothing of placements. */
#ifndef MXC_TESTS_FS_MODEL_H
#define MXC_TESTS_FS_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/fs.h"

enum { M_NODES = 40, M_BINDS = 3, M_RULES = 16, M_NAMES = 8, M_PATH = 512 };
enum m_kind { M_DIR, M_FILE, M_LINK };

struct m_host {
    struct {
        enum m_kind kind;
        int parent;
        char name[4];
        char to[M_PATH];
    } node[M_NODES];
    int n;
    struct {
        char point[M_PATH];
        int node;
    } bind[M_BINDS];
    int nbinds;
};

struct m_where {
    bool exists;
    int node; /* of the deepest that exists */
    char real[M_PATH];
    char rest[M_PATH];
    bool linked; /* a symlink was followed */
};

struct m_random {
    uint32_t (*next)(void *state);
    void *state;
};

static inline int m_pick(struct m_random *r, int n)
{
    return (int)(r->next(r->state) % (uint32_t)n);
}

static inline int m_child(const struct m_host *h, int dir, const char *name,
                          size_t len)
{
    for (int i = 1; i < h->n; i++)
        if (h->node[i].parent == dir && strlen(h->node[i].name) == len &&
            memcmp(h->node[i].name, name, len) == 0)
            return i;
    return -1;
}

static inline void m_join(char *out, const char *dir, const char *rest)
{
    char text[2 * M_PATH];

    (void)snprintf(text, sizeof(text), "%.500s%s%.500s", dir[1] ? dir : "",
                   *rest && *rest != '/' ? "/" : "", rest);
    (void)snprintf(out, M_PATH, "%.*s", M_PATH - 1, *text ? text : "/");
}

/* The parent's name; false for "/". */
static inline bool m_up(char *path)
{
    char *slash = strrchr(path, '/');

    if (!path[1])
        return false;
    slash[slash == path] = '\0';
    return true;
}

static inline struct m_where m_resolve(const struct m_host *h, const char *path)
{
    struct m_where w = { .exists = true, .real = "/" };
    char todo[M_PATH], text[M_PATH];
    int links = 0;

    (void)snprintf(todo, sizeof(todo), "%s", path);
    for (char *at = todo;;) {
        size_t len;
        int c;

        at += strspn(at, "/");
        len = strcspn(at, "/");
        if (!len)
            return w;
        c = h->node[w.node].kind == M_DIR ? m_child(h, w.node, at, len) : -1;
        /* Below a file there is nothing, but could be: see hostpath.c. */
        if (c < 0 || (h->node[c].kind == M_FILE && at[len])) {
            w.exists = false;
            (void)snprintf(w.rest, sizeof(w.rest), "%.500s", at);
            return w;
        }
        if (h->node[c].kind == M_LINK && links++ < 20) {
            m_join(text, h->node[c].to, at + len);
            memcpy(todo, text, sizeof(todo));
            at = todo;
            w = (struct m_where){ .exists = true, .real = "/", .linked = true };
            continue;
        }
        (void)snprintf(text, sizeof(text), "%.*s", (int)len, at);
        m_join(w.real, w.real, text);
        w.node = c;
        for (int i = 0; i < h->nbinds; i++)
            if (strcmp(h->bind[i].point, w.real) == 0)
                w.node = h->bind[i].node;
        at += len;
    }
}

/* The name of a node in the tree without mounts. */
static inline void m_name(const struct m_host *h, int node, char *out)
{
    char rest[M_PATH], text[M_PATH];

    memcpy(out, "/", 2);
    rest[0] = '\0';
    for (; node; node = h->node[node].parent) {
        (void)snprintf(text, sizeof(text), "%.300s%.150s", h->node[node].name,
                       rest);
        (void)snprintf(rest, sizeof(rest), "/%.500s", text);
    }
    if (rest[0])
        memcpy(out, rest, sizeof(rest));
}

/* Is the node in the tree of the other one, mounts aside? */
static inline bool m_inside(const struct m_host *h, int node, int top)
{
    while (node && node != top)
        node = h->node[node].parent;
    return node == top;
}

/* All canonical names at which the node shows. */
static inline int m_names(const struct m_host *h, int node,
                          char out[M_NAMES][M_PATH])
{
    char own[M_PATH], name[M_PATH], top[M_PATH];
    int n = 0;

    m_name(h, node, own);
    for (int i = -1; i < h->nbinds; i++) {
        struct m_where w;
        bool known = false;

        memcpy(name, own, sizeof(name));
        if (i >= 0) {
            if (!m_inside(h, node, h->bind[i].node))
                continue;
            m_name(h, h->bind[i].node, top);
            m_join(name, h->bind[i].point, own + (top[1] ? strlen(top) : 0));
        }
        w = m_resolve(h, name);
        if (!w.exists || w.node != node || strcmp(w.real, name) != 0)
            continue;
        for (int k = 0; k < n; k++)
            known = known || strcmp(out[k], name) == 0;
        if (!known && n < M_NAMES)
            memcpy(out[n++], name, M_PATH);
    }
    return n;
}

/* ---- inventing ---- */

static inline int m_add(struct m_host *h, enum m_kind kind, int parent,
                        char name)
{
    int i = h->n;

    if (i == M_NODES || h->node[parent].kind != M_DIR ||
        m_child(h, parent, &name, 1) >= 0)
        return -1;
    memset(&h->node[i], 0, sizeof(h->node[i]));
    h->node[i].kind = kind;
    h->node[i].parent = parent;
    h->node[i].name[0] = name;
    h->n++;
    return i;
}

static inline void m_invent_host(struct m_host *h, struct m_random *r)
{
    int want = 6 + m_pick(r, 20), links = m_pick(r, 2) ? m_pick(r, 4) : 0;
    char name[M_PATH];

    memset(h, 0, sizeof(*h));
    h->n = 1;
    for (int i = 0; i < want; i++) {
        enum m_kind kind = m_pick(r, 4) ? M_DIR : M_FILE;
        int parent = m_pick(r, h->n);

        (void)m_add(h, kind, parent, (char)('a' + m_pick(r, 4)));
    }
    for (int i = m_pick(r, M_BINDS + 1); i > 0; i--) {
        int at = m_pick(r, h->n), from = m_pick(r, h->n);
        struct m_where w;

        m_name(h, at, name);
        w = m_resolve(h, name);
        if (at == 0 || from == 0 || !w.exists || at == from ||
            h->node[w.node].kind != h->node[from].kind)
            continue;
        memcpy(h->bind[h->nbinds].point, w.real, M_PATH);
        h->bind[h->nbinds++].node = from;
    }
    for (int i = 0; i < links; i++) {
        int to = m_pick(r, h->n), l;
        struct m_where w;

        m_name(h, to, name);
        w = m_resolve(h, name);
        if (to == 0 || !w.exists || w.linked)
            continue;
        l = m_pick(r, h->n);
        l = m_add(h, M_LINK, l, (char)('w' + m_pick(r, 3)));
        if (l > 0)
            memcpy(h->node[l].to, w.real, M_PATH);
    }
}

/* What looking at the path on this host would say. */
static inline struct fs_object m_facts(const struct m_host *h, struct arena *a,
                                       const char *path)
{
    struct m_where w = m_resolve(h, path);
    char names[M_NAMES][M_PATH];
    int n = m_names(h, w.node, names);
    struct fs_object o = {
        .exists = w.exists,
        .is_dir = h->node[w.node].kind == M_DIR,
        .is_file = h->node[w.node].kind == M_FILE,
        .dev = w.exists,
        .ino = w.exists ? (uint64_t)w.node + 1 : 0,
        .nlink = 1,
        .is_readable = true,
        .is_writable = true,
        .real = arena_strdup(a, w.real),
        .rest = w.exists ? NULL : arena_strdup(a, w.rest),
    };

    o.alias = arena_array(a, M_NAMES, sizeof(*o.alias));
    for (int i = 0; o.alias && i < n; i++)
        if (strcmp(names[i], w.real) != 0)
            o.alias[o.naliases++] = arena_strdup(a, names[i]);
    return o;
}

/* A path that is there, or nearly. */
static inline void m_invent_path(const struct m_host *h, struct m_random *r,
                                 char *out)
{
    memcpy(out, "/", 2);
    m_name(h, 1 + m_pick(r, h->n - 1), out);
    for (int i = m_pick(r, 8); i < 2; i++) {
        char more[2] = { (char)('a' + m_pick(r, 4)), '\0' };

        m_join(out, out, more);
    }
}

struct m_policy {
    struct fs_rule rule[M_RULES + M_RULES * M_BINDS];
    size_t n;
    size_t asked; /* without what m_add_parts added */
};

static inline void m_invent_rules(const struct m_host *h, struct m_random *r,
                                  struct arena *a, struct m_policy *p)
{
    static const enum access kinds[] = { ACCESS_DENY, ACCESS_DENY, ACCESS_READ,
                                         ACCESS_WRITE, ACCESS_WRITE };
    int want = 1 + m_pick(r, M_RULES - 1);
    char path[M_PATH];

    p->n = 0;
    for (int i = 0; i < want; i++) {
        struct fs_rule *rule = &p->rule[p->n];

        m_invent_path(h, r, path);
        *rule = (struct fs_rule){ .path = arena_strdup(a, path),
                                  .access = kinds[m_pick(r, 5)],
                                  .origin = "test",
                                  .at = m_facts(h, a, path) };
        if (!rule->at.exists)
            rule->access = ACCESS_DENY;
        /* The root itself is never a rule (see api/paths.c). */
        p->n += rule->at.exists && !rule->at.real[1] ? 0 : 1;
    }
    p->asked = p->n;
}

/* ---- the plain reading ---- */

static inline bool m_is(const struct fs_rule *r, int node)
{
    return r->at.exists && r->at.ino == (uint64_t)node + 1;
}

enum { M_NONE = ACCESS_WRITE + 1 };

/* The strictest rule on the nearest object above (or at) a canonical name;
 * rules through symlinks count up to an access. */
static inline int m_nearest(const struct m_host *h, const struct m_policy *p,
                            const char *name, int links,
                            const struct fs_rule **who)
{
    char at[M_PATH];

    memset(at, 0, sizeof(at));
    (void)snprintf(at, sizeof(at), "%.500s", name);
    do {
        int node = m_resolve(h, at).node, got = M_NONE;

        for (size_t i = 0; i < p->n; i++) {
            const struct fs_rule *r = &p->rule[i];

            if (!m_is(r, node) || (int)r->access >= got ||
                ((int)r->access > links && strcmp(r->path, r->at.real) != 0))
                continue;
            got = (int)r->access;
            if (who)
                *who = r;
        }
        if (got != M_NONE)
            return got;
    } while (m_up(at));
    return M_NONE;
}

/* No symlink between the denied path and the grant inside: it was meant. */
static inline bool m_is_meant(const struct fs_rule *deny,
                              const struct fs_rule *grant)
{
    return path_is_within(grant->path, deny->path) &&
           path_is_within(grant->at.real, deny->at.real) &&
           strcmp(grant->path + strlen(deny->path),
                  grant->at.real + strlen(deny->at.real)) == 0;
}

/* Was it meant with regard to every rule on the denied object d that names it
 * as the grant's own name does? */
static inline bool m_is_meant_by_all(const struct m_policy *p,
                                     const struct fs_rule *d,
                                     const struct fs_rule *grant)
{
    size_t longest = 0;
    bool meant = false;

    for (size_t i = 0; i < p->n; i++) {
        const struct fs_rule *r = &p->rule[i];
        size_t len = strlen(r->at.real);

        if (!m_is(r, (int)d->at.ino - 1) || len < longest ||
            !path_is_within(grant->at.real, r->at.real))
            continue;
        meant = (len > longest || meant) && m_is_meant(r, grant);
        longest = len;
    }
    return meant;
}

/* A grant that leads through a symlink into a denied place is denied. */
static inline void m_tighten(const struct m_host *h, struct m_policy *p)
{
    struct m_policy before = *p;
    char names[M_NAMES][M_PATH];

    for (size_t i = 0; i < p->n; i++) {
        struct fs_rule *r = &p->rule[i];
        int n;

        if (r->access == ACCESS_DENY || strcmp(r->path, r->at.real) == 0)
            continue;
        n = m_names(h, (int)r->at.ino - 1, names);
        for (int k = 0; k < n; k++) {
            const struct fs_rule *d = NULL;

            if (m_nearest(h, &before, names[k], ACCESS_DENY, &d) ==
                    ACCESS_DENY &&
                !m_is_meant_by_all(&before, d, r))
                r->access = ACCESS_DENY;
        }
        /* The link says nothing of the object where it was meant. */
        if (r->access == ACCESS_DENY)
            r->at.ino = 0;
    }
}

static inline int m_least(int a, int b)
{
    return a < b ? a : b;
}

/* What a path may allow.  `loose` also takes the canonical name of a rule for
 * its name. */
static inline int m_allowed(const struct m_host *h, const struct m_policy *p,
                            const char *path, bool loose)
{
    char names[M_NAMES][M_PATH], up[M_PATH];
    int own = M_NONE, object = M_NONE, above = ACCESS_DENY, n;
    struct m_where w = m_resolve(h, path);

    for (size_t i = 0; i < p->n; i++) {
        const struct fs_rule *r = &p->rule[i];

        if (!r->at.exists)
            continue;
        if (strcmp(r->path, path) == 0 ||
            (loose && strcmp(r->at.real, path) == 0))
            own = m_least(own, (int)r->access);
        if (w.exists && m_is(r, w.node))
            object = m_least(object, (int)r->access);
    }
    if (own != M_NONE)
        return m_least(own, object);
    memset(up, 0, sizeof(up));
    (void)snprintf(up, sizeof(up), "%.500s", path);
    if (m_up(up))
        above = m_allowed(h, p, up, loose);
    n = object == M_NONE && w.exists ? m_names(h, w.node, names) : 0;
    for (int k = 0; k < n; k++)
        object = m_least(object, m_nearest(h, p, names[k], ACCESS_WRITE, NULL));
    return m_least(above, object);
}

/* A part of a restricted tree that shows elsewhere through a mount is
 * restricted there too, unless a rule speaks of that part itself: what
 * api/paths.c adds before deciding. */
static inline void m_add_part(const struct m_host *h, struct arena *a,
                              struct m_policy *p, const struct fs_rule *r,
                              const char *inside, const char *outside)
{
    struct m_where in = m_resolve(h, inside), out = m_resolve(h, outside);
    const struct fs_rule *who = NULL;
    struct m_policy asked = *p;

    asked.n = p->asked;
    if (!in.exists || strcmp(in.real, inside) != 0 || !out.exists ||
        strcmp(out.real, outside) != 0 || in.node != out.node ||
        m_nearest(h, &asked, outside, ACCESS_WRITE, NULL) <= (int)r->access ||
        m_nearest(h, &asked, inside, (int)r->access, &who) != (int)r->access ||
        m_is(who, in.node))
        return;
    p->rule[p->n++] = (struct fs_rule){ .path = arena_strdup(a, outside),
                                        .access = r->access,
                                        .origin = r->origin,
                                        .derived = true,
                                        .at = m_facts(h, a, outside) };
}

/* Is the path below one of the object's names? */
static inline bool m_holds(const struct fs_rule *r, const char *path)
{
    bool holds = path_is_within(path, r->at.real);

    for (size_t i = 0; i < r->at.naliases; i++)
        holds = holds || path_is_within(path, r->at.alias[i]);
    return holds;
}

static inline void m_add_parts(const struct m_host *h, struct arena *a,
                               struct m_policy *p)
{
    for (size_t i = 0; i < p->asked; i++) {
        const struct fs_rule r = p->rule[i];
        char inside[M_NAMES][M_PATH];

        if (!r.at.exists || r.access == ACCESS_WRITE)
            continue;
        for (int b = 0; b < h->nbinds; b++) {
            int n = m_names(h, h->bind[b].node, inside);

            for (int x = 0; x < n; x++)
                for (int y = 0; y < n; y++)
                    if (x != y && m_holds(&r, inside[x]) &&
                        p->n < sizeof(p->rule) / sizeof(p->rule[0]))
                        m_add_part(h, a, p, &r, inside[x], inside[y]);
        }
    }
}

#endif
