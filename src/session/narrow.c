/* narrow.c - see narrow.h. */
#include "session/narrow.h"

#include <limits.h>
#include <string.h>

#include "base/compat.h"

#define READ_RIGHTS (MXC_LL_EXECUTE | MXC_LL_READ_FILE | MXC_LL_READ_DIR)
#define ALL_RIGHTS  ((MXC_LL_IOCTL_DEV << 1) - 1)

struct narrowing {
    struct arena *a;
    const struct plan_view *session;
    const struct narrow_path *path;
    size_t n;
    struct plan *out;
};

static const char *const option_of[] = { "--deny", "--ro", "--rw" };

/* Is `path` at `top`, or below it? */
static bool is_within(const char *path, const char *top)
{
    size_t n = strlen(top);

    if (n == 1)
        return true;
    return strncmp(path, top, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool is_below(const char *path, const char *top)
{
    return is_within(path, top) && strcmp(path, top) != 0;
}

static bool is_place(const struct step *s)
{
    switch ((int)s->kind) {
    case STEP_DIR:
    case STEP_FILE:
    case STEP_BIND:
    case STEP_DEVICE:
    case STEP_DEVPTS:
    case STEP_PROC:
    case STEP_MASK:
    case STEP_HOLLOW:
    case STEP_OVERLAY:
        return true;
    default:
        return false;
    }
}

/* The place that a path lies in: the deepest, of equal ones the last, which
 * covers the others.  False: the private root itself. */
static bool find_place(const struct plan_view *session, const char *path,
                       struct step *out)
{
    bool found = false;

    for (size_t i = 0; i < session->head.nsteps; i++) {
        struct step s = plan_step(session, i);

        if (!is_place(&s) || !is_within(path, s.path) ||
            (found && strlen(s.path) < strlen(out->path)))
            continue;
        *out = s;
        found = true;
    }
    return found;
}

enum narrow_access narrow_session_access(const struct plan_view *session,
                                         const char *path)
{
    struct step s;

    if (!find_place(session, path, &s))
        return NARROW_WRITE;
    if (s.kind == STEP_MASK || s.kind == STEP_HOLLOW)
        return NARROW_DENY;
    if (s.kind == STEP_FILE || s.kind == STEP_PROC ||
        (s.kind == STEP_BIND && s.flags & STEP_READONLY))
        return NARROW_READ;
    return NARROW_WRITE;
}

enum narrow_access narrow_wanted(const struct narrow_path *path, size_t n,
                                 const char *name)
{
    enum narrow_access access = NARROW_WRITE;
    size_t best = 0;

    for (size_t i = 0; i < n; i++)
        if (is_within(name, path[i].path) && strlen(path[i].path) >= best) {
            if (strlen(path[i].path) == best && best && path[i].access > access)
                continue;
            access = path[i].access;
            best = strlen(path[i].path);
        }
    return access;
}

const char *narrow_source(const struct step *s)
{
    if (s->kind == STEP_OVERLAY)
        return s->path;
    return s->kind == STEP_BIND ? s->text : NULL;
}

const char *narrow_host(struct arena *a, const struct plan_view *session,
                        const char *path)
{
    struct step s;

    if (!find_place(session, path, &s) || !narrow_source(&s))
        return NULL;
    return arena_printf(a, "%s%s", narrow_source(&s),
                        path + (s.path[1] ? strlen(s.path) : 0));
}

static int add_rule(const struct narrowing *w, const char *path,
                    enum narrow_access access, struct err *e)
{
    if (access == NARROW_DENY)
        return 0;
    return plan_add(
        w->out, w->a,
        (struct step){
            .kind = STEP_LANDLOCK,
            .num = { access == NARROW_READ ? READ_RIGHTS : ALL_RIGHTS },
            .path = path },
        e);
}

/* Something below that shall have less than `access`; NULL: nothing. */
static const struct narrow_path *reduction(const struct narrowing *w,
                                           const char *path,
                                           enum narrow_access access)
{
    for (size_t i = 0; i < w->n; i++)
        if (is_below(w->path[i].path, path) && w->path[i].access < access)
            return &w->path[i];
    return NULL;
}

/* Directories of the sandbox's own, made for what the plan puts below. */
static bool can_split(const struct narrowing *w, const char *path)
{
    struct step s;

    if (!find_place(w->session, path, &s))
        return true;
    if (s.kind != STEP_DIR && !(s.flags & STEP_LAYER))
        return false;
    for (size_t i = 0; i < w->session->head.nsteps; i++) {
        struct step below = plan_step(w->session, i);

        if (is_place(&below) && is_below(below.path, path))
            return true;
    }
    return false;
}

static int cannot(const struct narrow_path *p, const char *top, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "%s '%s': it lies inside of '%s', which a command can have less "
            "of as a whole only",
            option_of[p->access], p->path, top);
    return err_hint(e,
                    "take '%s' away (--deny, --ro) and give parts back "
                    "(--ro, --rw), or provision a session that denies it",
                    top);
}

/* The next component below `top` on the way to `path`; "" when it is not
 * below. */
static const char *child_on_way(const struct narrowing *w, const char *top,
                                const char *path)
{
    size_t n = strlen(top) == 1 ? 0 : strlen(top);

    if (!is_below(path, top))
        return "";
    return arena_strndup(w->a, path, n + 1 + strcspn(path + n + 1, "/"));
}

struct children {
    const char **name;
    size_t n, cap;
};

static int add_child(const struct narrowing *w, struct children *c,
                     const char *name, struct err *e)
{
    if (!name)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->name[i], name) == 0)
            return 0;
    if (!name[0])
        return 0;
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 32;
        const char **grown = arena_array(w->a, cap, sizeof(*grown));

        if (!grown)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory");
        if (c->n)
            memcpy(grown, c->name, c->n * sizeof(*grown));
        c->name = grown;
        c->cap = cap;
    }
    c->name[c->n++] = name;
    return 0;
}

static int find_children(const struct narrowing *w, const char *top,
                         struct children *out, struct err *e)
{
    for (size_t i = 0; i < w->session->head.nsteps; i++) {
        struct step s = plan_step(w->session, i);

        if (is_place(&s) &&
            add_child(w, out, child_on_way(w, top, s.path), e) < 0)
            return -1;
    }
    for (size_t i = 0; i < w->n; i++)
        if (add_child(w, out, child_on_way(w, top, w->path[i].path), e) < 0)
            return -1;
    return 0;
}

/* A rule for the whole of `path`, and for what has more below it.  A rule
 * holds for all that is below: what is taken away again there cannot be. */
static int rule_whole(const struct narrowing *w, const char *path,
                      enum narrow_access access, struct err *e)
{
    if (add_rule(w, path, access, e) < 0)
        return -1;
    for (size_t i = 0; i < w->n; i++) {
        const char *part = w->path[i].path;
        const struct narrow_path *less;
        enum narrow_access has;

        if (!is_below(part, path) || w->path[i].access <= access)
            continue;
        has = narrow_wanted(w->path, w->n, part);
        less = reduction(w, part, has);
        if (less)
            return cannot(less, part, e);
        if (has > access && add_rule(w, part, has, e) < 0)
            return -1;
    }
    return 0;
}

/* Depth-first over the few directories that lie above an option's path; each
 * level is one component of it. */
static int rule_tree(const struct narrowing *w, const char *path,
                     unsigned depth, struct err *e)
{
    const enum narrow_access access = narrow_wanted(w->path, w->n, path);
    const struct narrow_path *less = reduction(w, path, access);
    struct children c = { 0 };

    if (!less)
        return rule_whole(w, path, access, e);
    if (!can_split(w, path) || depth == PATH_MAX / 2)
        return cannot(less, path, e);
    /* Itself: what everything below has at least. */
    if (!reduction(w, path, NARROW_READ) && access >= NARROW_READ &&
        add_rule(w, path, NARROW_READ, e) < 0)
        return -1;
    if (find_children(w, path, &c, e) < 0)
        return -1;
    for (size_t i = 0; i < c.n; i++)
        if (rule_tree(w, c.name[i], depth + 1, e) < 0)
            return -1;
    return 0;
}

/* More than the session has cannot be had, and what is a link or nobody's
 * place cannot be taken away by its name. */
static int check(const struct narrowing *w, const struct narrow_path *p,
                 struct err *e)
{
    const enum narrow_access has = narrow_session_access(w->session, p->path);
    bool is_known = false;
    struct step in;

    if (p->access > has) {
        err_set(e, ERR_POLICY_VALIDATION,
                "%s '%s': the session %s; a command may have less, not more",
                option_of[p->access], p->path,
                has == NARROW_READ ? "may only read it" : "denies it");
        return err_hint(e, "provision a session that grants it");
    }
    for (size_t i = 0; i < w->session->head.nsteps; i++) {
        struct step s = plan_step(w->session, i);

        if (s.kind == STEP_SYMLINK && is_within(p->path, s.path)) {
            err_set(e, ERR_POLICY_VALIDATION, "%s '%s': '%s' is a link",
                    option_of[p->access], p->path, s.path);
            return err_hint(e, "name what it leads to: '%s'", s.text);
        }
        is_known = is_known || (is_place(&s) && strcmp(s.path, p->path) == 0);
    }
    if (is_known || strcmp(p->path, "/") == 0 ||
        (p->access == NARROW_WRITE && find_place(w->session, p->path, &in)))
        return 0;
    /* Inside of what was taken away: given back in parts. */
    for (size_t i = 0; i < w->n; i++)
        if (is_below(p->path, w->path[i].path) && w->path[i].access < p->access)
            return 0;
    err_set(e, ERR_POLICY_VALIDATION,
            "%s '%s': the session grants no such path by itself",
            option_of[p->access], p->path);
    return err_hint(e, "a command can have less of what the session's policy "
                       "names, as a whole; `mxc why --session ID --read PATH` "
                       "asks it");
}

int narrow_add(struct arena *a, const struct plan_view *session,
               const struct narrow_path *path, size_t n, struct plan *out,
               struct err *e)
{
    const struct narrowing w = { a, session, path, n, out };

    for (size_t i = 0; i < n; i++)
        if (check(&w, &path[i], e) < 0)
            return -1;
    return rule_tree(&w, "/", 0, e);
}
