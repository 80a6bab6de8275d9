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

int paths_guard(struct arena *a, struct policy *p, struct err *e)
{
    if (p->runtime && guard_root(a, p, p->runtime, e) < 0)
        return -1;
    return guard_root(a, p, NULL, e);
}
