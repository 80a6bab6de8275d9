/* fs_view.h - what mounting placements one after the other gives, on the
 * invented hosts of fs_model.h, and what must be true of it.
 *
 * fs_view_check returns NULL, or what is wrong. */
#ifndef MXC_TESTS_FS_VIEW_H
#define MXC_TESTS_FS_VIEW_H

#include "fs_model.h"

struct v_spot {
    const struct place *by; /* the mount that shows it; NULL: own root */
    bool shown;             /* something of the host */
    struct m_where at;
};

static inline bool v_is_mount(const struct place *p)
{
    return p->kind == PLACE_GRANT || p->kind == PLACE_MASK ||
           p->kind == PLACE_HOLLOW;
}

/* The last mount whose target holds the path hides all that came before. */
static inline struct v_spot v_look(const struct m_host *h,
                                   const struct places *ps, size_t upto,
                                   const char *path)
{
    struct v_spot s = { 0 };
    char host[M_PATH];

    for (size_t i = 0; i < upto; i++)
        if (v_is_mount(&ps->item[i]) &&
            path_is_within(path, ps->item[i].target))
            s.by = &ps->item[i];
    if (!s.by || s.by->kind != PLACE_GRANT)
        return s;
    m_join(host, s.by->source,
           path + (s.by->target[1] ? strlen(s.by->target) : 0));
    s.at = m_resolve(h, host);
    s.shown = s.at.exists && strcmp(s.at.real, host) == 0;
    return s;
}

static inline const struct place *v_at(const struct places *ps,
                                       const char *target)
{
    for (size_t i = 0; i < ps->n; i++)
        if (ps->item[i].target && ps->item[i].kind != PLACE_ABSENT &&
            strcmp(ps->item[i].target, target) == 0)
            return &ps->item[i];
    return NULL;
}

/* Could the launcher carry it out: is the source what was looked at, and the
 * target there without a symlink, or ours to make? */
static inline const char *v_can_mount(const struct m_host *h,
                                      const struct places *ps, size_t i)
{
    const struct place *p = &ps->item[i];
    struct v_spot s;

    if (p->kind == PLACE_GRANT) {
        struct m_where w = m_resolve(h, p->source);

        if (!w.exists || strcmp(w.real, p->source) != 0 ||
            p->ino != (uint64_t)w.node + 1)
            return "the source of a grant is not its object";
    }
    if (!p->target)
        return NULL;
    s = v_look(h, ps, i, p->target);
    if (p->own_space)
        return s.by && s.by->kind != PLACE_HOLLOW ? "own space inside a mount"
                                                  : NULL;
    if (!s.shown)
        return "the target is not there, or behind a symlink";
    if (p->kind == PLACE_ABSENT && h->node[s.at.node].kind != M_DIR)
        return "an absent name in what is no directory";
    if (p->kind == PLACE_PIN && p->ino && p->ino != (uint64_t)s.at.node + 1)
        return "a pin on another object";
    if (p->kind == PLACE_GRANT &&
        (h->node[s.at.node].kind == M_DIR) != p->is_dir)
        return "a directory on a file, or the other way round";
    return NULL;
}

static inline bool v_is_watched(const struct places *ps, const char *host,
                                uint64_t ino)
{
    char name[M_PATH];

    for (size_t i = 0; i < ps->n; i++) {
        const struct place *p = &ps->item[i];

        if (p->kind != PLACE_WATCH)
            continue;
        m_join(name, p->source, p->rest);
        if (strcmp(name, host) == 0 && p->ino == ino)
            return true;
    }
    return false;
}

/* No directory above may be renamed away from over what is covered. */
static inline bool v_is_pinned(const struct m_host *h, const struct places *ps,
                               const char *target)
{
    char up[M_PATH];

    memset(up, 0, sizeof(up));
    (void)snprintf(up, sizeof(up), "%s", target);
    while (m_up(up)) {
        struct v_spot s = v_look(h, ps, ps->n, up);

        if (s.by && s.by->kind == PLACE_GRANT && s.by->access == ACCESS_WRITE &&
            !v_at(ps, up))
            return false;
    }
    return true;
}

/* Something stricter inside a grant. */
static inline const char *v_check_strict(const struct m_host *h,
                                         const struct places *ps, size_t i)
{
    const struct place *p = &ps->item[i];
    char up[M_PATH], host[M_PATH];
    struct v_spot s;

    if (!v_is_mount(p) || !p->target[1])
        return NULL;
    memset(up, 0, sizeof(up));
    (void)snprintf(up, sizeof(up), "%s", p->target);
    (void)m_up(up);
    s = v_look(h, ps, ps->n, up);
    if (!s.shown || s.by->access <= p->access)
        return NULL;
    if (!v_is_pinned(h, ps, p->target))
        return "a strict place whose ancestors can be renamed";
    m_join(host, s.at.real, strrchr(p->target, '/'));
    if (!v_is_watched(ps, host, p->ino))
        return "a strict place that nobody watches";
    return NULL;
}

/* Grants through symlinks may be narrowed for caution's sake. */
static inline bool v_has_links(const struct m_policy *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->rule[i].access != ACCESS_DENY &&
            strcmp(p->rule[i].path, p->rule[i].at.real) != 0)
            return true;
    return false;
}

/* Every path that may show something: the host's names and the rules'. */
static inline const char *v_check_path(const struct m_host *h,
                                       const struct places *ps,
                                       const struct m_policy *p,
                                       const char *path)
{
    struct v_spot s = v_look(h, ps, ps->n, path);
    int got = s.shown ? (int)s.by->access : ACCESS_DENY;
    struct m_where w = m_resolve(h, path);
    bool is_link = h->node[s.at.node].kind == M_LINK;

    if (s.shown && !is_link && (!w.exists || w.node != s.at.node))
        return "a name shows another object than on the host";
    if (got > m_allowed(h, p, path, true))
        return "wider than the rules";
    if ((s.shown || !s.by) && !v_has_links(p) &&
        m_allowed(h, p, path, false) > got)
        return "narrower than the rules";
    return NULL;
}

/* A missing denied path: every writable spot of its directory refuses it. */
static inline const char *v_check_missing(const struct m_host *h,
                                          const struct places *ps,
                                          const struct fs_rule *r,
                                          const char *dir)
{
    struct v_spot s = v_look(h, ps, ps->n, dir);
    char inside[M_PATH], host[M_PATH];
    bool found = false;

    if (!s.shown || m_resolve(h, r->at.real).node != s.at.node)
        return NULL;
    m_join(inside, dir, "x");
    m_join(host, s.at.real, r->at.rest);
    if (!v_is_watched(ps, host, 0))
        return "a missing denied path that nobody watches";
    if (s.by->access != ACCESS_WRITE)
        return NULL;
    for (size_t i = 0; i < ps->n; i++)
        found = found || (ps->item[i].kind == PLACE_ABSENT &&
                          strcmp(ps->item[i].target, dir) == 0 &&
                          strcmp(ps->item[i].rest, r->at.rest) == 0);
    if (!found)
        return "a missing denied path that can be created";
    return v_is_pinned(h, ps, inside) ? NULL
                                      : "a missing path that can be moved to";
}

static inline bool v_reaches(const struct m_host *h, const struct places *ps,
                             const struct fs_rule *r)
{
    struct v_spot s = v_look(h, ps, ps->n, r->path);

    return s.shown && s.at.node == (int)r->at.ino - 1;
}

/* What was granted for writing inside of what can be written: replaced by a
 * symlink, it would be another grant the next time. */
static inline const char *v_check_stays(const struct m_host *h,
                                        const struct places *ps,
                                        const struct fs_rule *r)
{
    struct v_spot s;

    if (!r->at.exists || r->access != ACCESS_WRITE)
        return NULL;
    s = v_look(h, ps, ps->n, r->at.real);
    if (!s.shown || s.by->access != ACCESS_WRITE ||
        strcmp(s.by->target, r->at.real) == 0)
        return NULL;
    return v_at(ps, r->at.real) && v_is_pinned(h, ps, r->at.real)
               ? NULL
               : "a grant inside another that can be replaced";
}

static inline const char *v_check_names(const struct m_host *h,
                                        const struct places *ps,
                                        const struct m_policy *p,
                                        const char *path)
{
    const char *bad = v_check_path(h, ps, p, path);

    for (size_t i = 0; !bad && i < p->n; i++)
        if (!p->rule[i].at.exists)
            bad = v_check_missing(h, ps, &p->rule[i], path);
    return bad;
}

/* `p` is the policy as asked for, before fs_decide saw it. */
static inline const char *fs_view_check(const struct m_host *h,
                                        const struct m_policy *asked,
                                        const struct places *ps)
{
    struct m_policy p = *asked;
    char names[M_NAMES][M_PATH];
    const char *bad = NULL;

    /* What was added for other names must follow from the rest. */
    p.n = p.asked;
    m_tighten(h, &p);
    for (size_t i = 0; !bad && i < ps->n; i++) {
        bad = v_can_mount(h, ps, i);
        if (!bad)
            bad = v_check_strict(h, ps, i);
        if (!bad && ps->item[i].target)
            bad = v_check_names(h, ps, &p, ps->item[i].target);
    }
    for (int node = 1; !bad && node < h->n; node++) {
        int n = m_names(h, node, names);

        for (int k = 0; !bad && k < n; k++)
            bad = v_check_names(h, ps, &p, names[k]);
    }
    for (size_t i = 0; !bad && i < p.n; i++) {
        const struct fs_rule *r = &p.rule[i];
        bool given = r->at.exists && !v_has_links(&p) &&
                     m_allowed(h, &p, r->path, false) != ACCESS_DENY;

        bad = v_check_path(h, ps, &p, r->path);
        if (!bad && given && !v_reaches(h, ps, r))
            bad = "a grant that cannot be reached";
        if (!bad)
            bad = v_check_stays(h, ps, r);
    }
    return bad;
}

#endif
