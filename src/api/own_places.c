/* own_places.c - what mxc itself keeps on this host no sandbox may change. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/prepare.h"
#include "session/dir.h"

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

/* Plans of sessions lie there, and what a workload could write there would be
 * the next one's policy. */
static int guard_root(struct arena *a, struct policy *p, const char *runtime,
                      struct err *e)
{
    char path[PATH_MAX];
    struct err none;
    const char *real;
    enum access covered = ACCESS_DENY;
    bool exists;

    if (session_root_path(runtime, path, sizeof(path), &none) < 0)
        return 0;
    real = real_root(a, path, &exists);
    if (!real)
        return 0;
    for (size_t i = 0; i < p->nrules; i++) {
        const struct fs_rule *r = &p->rule[i];

        if (r->access == ACCESS_DENY || !r->at.exists)
            continue;
        if (exists && path_is_within(r->at.real, real)) {
            err_set(e, ERR_POLICY_VALIDATION,
                    "'%s' is where mxc keeps its sessions", r->path);
            err_hint(e, "grant something else: no sandbox may see it");
            return err_where(e, "%s", r->origin);
        }
        if (path_is_within(real, r->at.real) && r->access > covered)
            covered = r->access;
    }
    /* What is not there cannot be read, but it could be made. */
    if (covered == ACCESS_DENY || (!exists && covered == ACCESS_READ))
        return 0;
    if (policy_add_path(p, a, ACCESS_DENY, real, "mxc's sessions", e) < 0)
        return -1;
    return paths_look_at(a, p, p->nrules - 1, e);
}

static int guard_sessions(struct arena *a, struct policy *p, struct err *e)
{
    if (p->runtime && guard_root(a, p, p->runtime, e) < 0)
        return -1;
    return guard_root(a, p, NULL, e);
}

static int refuse_writing(const struct policy *p, size_t n, const char *store,
                          struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        const struct fs_rule *r = &p->rule[i];

        if (r->access != ACCESS_WRITE || !r->at.exists ||
            !path_is_within(r->at.real, store))
            continue;
        err_set(e, ERR_POLICY_VALIDATION, "'%s' is where mxc keeps its images",
                r->path);
        err_hint(e, "grant it with --ro, or something else: what is written "
                    "there would be the root of other sandboxes");
        return err_where(e, "%s", r->origin);
    }
    return 0;
}

/* A workload that could write there would choose the programs of the next
 * container, whatever that one is granted.  By the name that the caller's
 * environment gives, so that no link on the way can be exchanged.  Reading
 * does no harm. */
static int guard_images(struct arena *a, struct policy *p, struct err *e)
{
    const size_t n = p->nrules;
    const struct fs_rule *near;
    const char *store;
    size_t len;

    if (!p->images)
        return 0;
    if (policy_add_path(p, a, ACCESS_READ, p->images, "mxc's images", e) < 0 ||
        paths_look_at(a, p, n, e) < 0)
        return -1;
    /* A rule of ours only where it takes something away. */
    p->nrules = n;
    if (!p->rule[n].at.exists)
        return 0;
    store = p->rule[n].at.real;
    near = paths_nearest(p, n, store, &len);
    if (near && near->access == ACCESS_WRITE)
        p->nrules++;
    return refuse_writing(p, n, store, e);
}

/* What one container wrote is not another sandbox's to read, and what could be
 * written there would be a later container's programs. */
static int guard_containers(struct arena *a, struct policy *p, struct err *e)
{
    const size_t n = p->nrules;
    bool is_covered = false;
    const char *real;

    if (!p->containers)
        return 0;
    if (policy_add_path(p, a, ACCESS_DENY, p->containers, "mxc's containers",
                        e) < 0 ||
        paths_look_at(a, p, n, e) < 0)
        return -1;
    p->nrules = n;
    if (!p->rule[n].at.exists)
        return 0;
    real = p->rule[n].at.real;
    for (size_t i = 0; i < n; i++) {
        const struct fs_rule *r = &p->rule[i];

        if (r->access == ACCESS_DENY || !r->at.exists)
            continue;
        if (path_is_within(r->at.real, real)) {
            err_set(e, ERR_POLICY_VALIDATION,
                    "'%s' is where mxc keeps its containers", r->path);
            err_hint(e, "grant something else: no sandbox may see it");
            return err_where(e, "%s", r->origin);
        }
        is_covered = is_covered || path_is_within(real, r->at.real);
    }
    p->nrules += is_covered;
    return 0;
}

int paths_guard(struct arena *a, struct policy *p, struct err *e)
{
    if (guard_sessions(a, p, e) < 0 || guard_containers(a, p, e) < 0)
        return -1;
    return guard_images(a, p, e);
}
