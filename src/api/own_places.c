/* own_places.c - what mxc itself keeps on this host no sandbox may change. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/prepare.h"
#include "session/dir.h"
#include "sys/hostpath.h"

/* A place under every canonical name that the host's mounts give it. */
struct own_place {
    const char **name;
    size_t n;
};

static int find_names(struct arena *a, const struct mountinfo *m,
                      const char *real, struct own_place *out, struct err *e)
{
    const char **alias;
    size_t n;

    if (mountinfo_aliases(a, m, real, &alias, &n, e) < 0)
        return -1;
    out->name = arena_array(a, n + 1, sizeof(*out->name));
    if (!out->name)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for mounts");
    out->name[0] = real;
    if (n)
        memcpy(out->name + 1, alias, n * sizeof(*alias));
    out->n = n + 1;
    return 0;
}

static bool is_inside(const char *path, const struct own_place *at)
{
    for (size_t i = 0; i < at->n; i++)
        if (path_is_within(path, at->name[i]))
            return true;
    return false;
}

static bool is_around(const char *path, const struct own_place *at)
{
    for (size_t i = 0; i < at->n; i++)
        if (path_is_within(at->name[i], path))
            return true;
    return false;
}

/* The root of sessions under its canonical name, also where only the directory
 * above exists.  NULL: neither does. */
static const char *real_root(struct arena *a, char *path, bool *exists)
{
    char real[PATH_MAX];
    char *slash = strrchr(path, '/');

    *exists = realpath(path, real) != NULL;
    if (*exists)
        return arena_strdup(a, real);
    *slash = '\0';
    return realpath(path, real)
               ? arena_printf(a, "%s%s%s", real, real[1] ? "/" : "", slash + 1)
               : NULL;
}

/* The place that is called 'real' now is kept from every sandbox: under 'path',
 * refused where a grant lies inside. */
static int hide_place(struct arena *a, struct policy *p,
                      const struct mountinfo *m, const char *path,
                      const char *real, bool exists, const char *what,
                      struct err *e)
{
    struct own_place at;
    enum access covered = ACCESS_DENY;

    if (find_names(a, m, real, &at, e) < 0)
        return -1;
    for (size_t i = 0; i < p->nrules; i++) {
        const struct fs_rule *r = &p->rule[i];

        if (r->access == ACCESS_DENY || !r->at.exists)
            continue;
        if (exists && is_inside(r->at.real, &at)) {
            err_set(e, ERR_POLICY_VALIDATION, "'%s' is where mxc keeps its %s",
                    r->path, what);
            err_hint(e, "grant something else: no sandbox may see it");
            return err_where(e, "%s", r->origin);
        }
        if (is_around(r->at.real, &at) && r->access > covered)
            covered = r->access;
    }
    /* What is not there cannot be read, but it could be made. */
    if (covered == ACCESS_DENY || (!exists && covered == ACCESS_READ))
        return 0;
    what = arena_printf(a, "mxc's %s", what);
    if (!what)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for policy");
    if (policy_add_path(p, a, ACCESS_DENY, path, what, e) < 0)
        return -1;
    return paths_look_at(a, p, p->nrules - 1, e);
}

/* Plans of sessions lie there, and what a workload could write there would be
 * the next one's policy. */
static int guard_root(struct arena *a, struct policy *p, const char *runtime,
                      const struct mountinfo *m, struct err *e)
{
    char path[PATH_MAX];
    struct err none;
    const char *real;
    bool exists;

    if (session_root_path(runtime, path, sizeof(path), &none) < 0)
        return 0;
    real = real_root(a, path, &exists);
    return real ? hide_place(a, p, m, real, real, exists, "sessions", e) : 0;
}

static int guard_sessions(struct arena *a, struct policy *p,
                          const struct mountinfo *m, struct err *e)
{
    if (p->runtime && guard_root(a, p, p->runtime, m, e) < 0)
        return -1;
    return guard_root(a, p, NULL, m, e);
}

static int refuse_writing(const struct policy *p, size_t n,
                          const struct own_place *store, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        const struct fs_rule *r = &p->rule[i];

        if (r->access != ACCESS_WRITE || !r->at.exists ||
            !is_inside(r->at.real, store))
            continue;
        err_set(e, ERR_POLICY_VALIDATION, "'%s' is where mxc keeps its images",
                r->path);
        err_hint(e, "grant it with --ro, or something else: what is written "
                    "there would be the root of other sandboxes");
        return err_where(e, "%s", r->origin);
    }
    return 0;
}

static bool may_write(const struct policy *p, size_t n,
                      const struct own_place *at)
{
    for (size_t i = 0; i < at->n; i++) {
        size_t len;
        const struct fs_rule *near = paths_nearest(p, n, at->name[i], &len);

        if (near && near->access == ACCESS_WRITE)
            return true;
    }
    return false;
}

/* A workload that could write there would choose the programs of the next
 * container, whatever that one is granted.  By the name that the caller's
 * environment gives, so that no link on the way can be exchanged.  Reading
 * does no harm. */
static int guard_images(struct arena *a, struct policy *p,
                        const struct mountinfo *m, struct err *e)
{
    const size_t n = p->nrules;
    struct own_place store;

    if (!p->images)
        return 0;
    if (policy_add_path(p, a, ACCESS_READ, p->images, "mxc's images", e) < 0 ||
        paths_look_at(a, p, n, e) < 0)
        return -1;
    /* A rule of ours only where it takes something away. */
    p->nrules = n;
    if (!p->rule[n].at.exists)
        return 0;
    if (find_names(a, m, p->rule[n].at.real, &store, e) < 0)
        return -1;
    if (may_write(p, n, &store))
        p->nrules++;
    return refuse_writing(p, n, &store, e);
}

/* What one container wrote is not another sandbox's to read, and what could be
 * written there would be a later container's programs. */
static int guard_containers(struct arena *a, struct policy *p,
                            const struct mountinfo *m, struct err *e)
{
    char real[PATH_MAX];

    if (!p->containers || !realpath(p->containers, real))
        return 0;
    return hide_place(a, p, m, p->containers, real, true, "containers", e);
}

int paths_guard(struct arena *a, struct policy *p, const struct mountinfo *m,
                struct err *e)
{
    if (guard_sessions(a, p, m, e) < 0 || guard_containers(a, p, m, e) < 0)
        return -1;
    return guard_images(a, p, m, e);
}
