/* paths.c - what the host says about the policy's paths. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/prepare.h"
#include "backends/native/base.h"
#include "sys/hostpath.h"

enum { MAX_DANGLING = 8 };

static int refuse(struct err *e, const struct fs_rule *r, const char *what,
                  const char *hint)
{
    err_set(e, ERR_POLICY_VALIDATION, "path '%s' %s", r->path, what);
    err_hint(e, "%s", hint);
    return err_where(e, "%s", r->origin);
}

/* The kernel's own trees are the sandbox's own, never the host's. */
static int check_special(const struct fs_rule *r, struct err *e)
{
    static const char *const own[] = { "/proc", "/dev" };

    bool is_root = r->at.exists && strcmp(r->at.real, "/") == 0;

    if (r->access == ACCESS_DENY)
        return is_root ? refuse(e, r, "cannot be denied: nothing could run",
                                "deny the directories that matter")
                       : 0;
    /* By its own name it was expanded; behind a link it would bring the
     * host's /proc and /dev along. */
    if (is_root)
        return refuse(e, r, "leads to the root of the host",
                      "write '/', or the directories that matter");
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (path_is_within(r->path, own[i]) ||
            (r->at.real && path_is_within(r->at.real, own[i])))
            return refuse(e, r,
                          "belongs to the sandbox itself and cannot "
                          "be granted from the host",
                          "leave it out; the "
                          "sandbox has a /dev and a /proc of its own");
    if (r->access == ACCESS_WRITE && r->at.real &&
        path_is_within(r->at.real, "/sys"))
        return refuse(e, r, "cannot be granted for writing",
                      "grant it read-only");
    return 0;
}

static int check_delegation(const struct fs_rule *r, struct err *e)
{
    bool write = r->access == ACCESS_WRITE;

    if (r->access == ACCESS_DENY || !r->at.exists ||
        (write ? r->at.is_writable : r->at.is_readable))
        return 0;
    err_set(e, ERR_POLICY_VALIDATION,
            "path '%s' cannot be granted: the invoking user does not have "
            "%s access to it",
            r->path, write ? "read and write" : "read");
    err_hint(e, "a sandbox never gets more than its caller has");
    return err_where(e, "%s", r->origin);
}

/* The workload must not change what a name of the policy means. */
static int look_at_links(struct arena *a, const struct fs_rule *r,
                         struct fs_object *at, struct err *e)
{
    struct hostlink *found;
    size_t n;

    if (hostpath_links(a, r->path, &found, &n, e) < 0)
        return err_where(e, "%s", r->origin);
    at->link = arena_array(a, n + 1, sizeof(*at->link));
    if (!at->link)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    for (size_t i = 0; i < n; i++)
        at->link[i] =
            (struct fs_link){ found[i].path, found[i].dev, found[i].ino };
    at->nlinks = n;
    return 0;
}

/* A denied dangling symlink denies the path that it leads to.  The link stays
 * what it is, so nothing can take its own name. */
static int look(struct arena *a, struct policy *p, size_t i, unsigned depth,
                struct err *e)
{
    struct hostpath h;
    struct fs_rule *r = &p->rule[i];
    struct fs_link *link = r->at.link;
    size_t nlinks = r->at.nlinks;

    if (hostpath_look(a, r->path, &h, e) < 0)
        return -1;
    r->at = (struct fs_object){
        .exists = h.exists,
        .is_dir = h.is_dir,
        .is_file = h.is_file,
        .dev = h.exists ? h.dev : 0,
        .ino = h.exists ? h.ino : 0,
        .nlink = h.nlink,
        .is_readable = h.is_readable,
        .is_writable = h.is_writable,
        .real = h.real,
        .rest = h.rest,
        .folds_case = h.folds_case,
        .link = link,
        .nlinks = nlinks,
    };
    if (depth == 0 && (!h.exists || strcmp(r->path, h.real) != 0) &&
        look_at_links(a, r, &r->at, e) < 0)
        return -1;
    if (path_has_dotdot(r->path)) {
        /* What ".." means depends on the symlinks before it: only the kernel
         * can tell, and only for what exists. */
        if (!h.exists)
            return refuse(e, r, "has '..' and does not exist",
                          "write the path without '..'");
        r->path = h.real;
    }
    if (r->access != ACCESS_DENY || !h.dangling)
        return 0;
    if (depth == MAX_DANGLING || h.dangling[0] != '/')
        return refuse(e, r, "is a symlink that leads nowhere",
                      "remove the link");
    if (!r->named)
        r->named = r->path;
    r->path = path_clean(a, h.dangling);
    if (!r->path)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "path is longer than 4095 bytes");
    return look(a, p, i, depth + 1, e);
}

int paths_look_at(struct arena *a, struct policy *p, size_t i, struct err *e)
{
    return look(a, p, i, 0, e);
}

/* "/" as a grant: every directory of the root but those that the sandbox has
 * of its own.  One level, so that the sandbox's /proc, /dev, /tmp and /run
 * stand beside what is granted. */
static int expand_root(struct arena *a, struct policy *p, size_t i,
                       struct err *e)
{
    static const char *const own[] = { ".",   "..",  "proc", "dev",
                                       "sys", "tmp", "run",  "lost+found" };
    const struct fs_rule root = p->rule[i];
    const struct dirent *d;
    DIR *dir = opendir("/");
    int r = 0;

    if (!dir)
        return err_sys(e, "opendir(3)", errno, "cannot list '/'");
    p->rule[i] = p->rule[--p->nrules];
    while (r == 0 && (d = readdir(dir)) != NULL) {
        bool skip = d->d_type == DT_LNK;

        for (size_t k = 0; k < ARRAY_LEN(own) && !skip; k++)
            skip = strcmp(d->d_name, own[k]) == 0;
        if (!skip) {
            const char *path = arena_printf(a, "/%s", d->d_name);

            r = path ? policy_add_path(p, a, root.access, path, root.origin, e)
                     : err_set(e, ERR_BACKEND_ERROR, "out of memory");
            /* What the caller may not see is not part of "everything". */
            if (r == 0 && faccessat(AT_FDCWD, path, R_OK, 0) < 0)
                p->nrules--;
        }
    }
    (void)closedir(dir);
    return r;
}

/* How much of the name is the rule's object, by any of its names; 0: none. */
static size_t held_by(const struct fs_rule *r, const char *name)
{
    size_t best = 0;

    if (!r->at.exists || r->base)
        return 0;
    if (path_is_within(name, r->at.real))
        best = strlen(r->at.real);
    for (size_t i = 0; i < r->at.naliases; i++)
        if (path_is_within(name, r->at.alias[i]) &&
            strlen(r->at.alias[i]) > best)
            best = strlen(r->at.alias[i]);
    return best;
}

/* The rule on the nearest object above a host name, or at it; of equals the
 * strictest.  Grants through symlinks beyond `links` do not count: what they
 * lead to is not theirs to decide. */
static const struct fs_rule *nearest(const struct policy *p, size_t nrules,
                                     const char *name, enum access links,
                                     size_t *len)
{
    const struct fs_rule *best = NULL;

    *len = 0;
    for (size_t i = 0; i < nrules; i++) {
        const struct fs_rule *r = &p->rule[i];
        size_t n = held_by(r, name);

        if (n == 0 || n < *len ||
            (r->access > links && strcmp(r->path, r->at.real) != 0) ||
            (best && n == *len && r->access >= best->access))
            continue;
        *len = n;
        best = r;
    }
    return best;
}

const struct fs_rule *paths_nearest(const struct policy *p, size_t nrules,
                                    const char *name, size_t *len)
{
    return nearest(p, nrules, name, ACCESS_WRITE, len);
}

/* A mount shows a part of a restricted tree elsewhere: restricted there too,
 * unless a rule speaks of that very part. */
static int add_part(struct arena *a, struct policy *p, size_t i, size_t asked,
                    const struct hostpart *part, struct err *e)
{
    const struct fs_rule r = p->rule[i];
    size_t nin, nout;
    const struct fs_rule *in = nearest(p, asked, part->inside, r.access, &nin);
    const struct fs_rule *out =
        nearest(p, asked, part->outside, ACCESS_WRITE, &nout);

    if (!in || in->access != r.access || !out || out->access <= r.access ||
        nin == strlen(part->inside) || nout == strlen(part->outside))
        return 0;
    if (policy_add_path(p, a, r.access, part->outside, r.origin, e) < 0)
        return -1;
    p->rule[p->nrules - 1].derived = true;
    return look(a, p, p->nrules - 1, 0, e);
}

static int add_parts(struct arena *a, struct policy *p, size_t i, size_t asked,
                     const struct mountinfo *m, const char *name, struct err *e)
{
    struct hostpart *part;
    size_t n;

    if (mountinfo_parts(a, m, name, &part, &n, e) < 0)
        return -1;
    for (size_t k = 0; k < n; k++)
        if (add_part(a, p, i, asked, &part[k], e) < 0)
            return -1;
    return 0;
}

static bool is_restricted(const struct fs_rule *r)
{
    return r->access != ACCESS_WRITE && !r->base;
}

static int look_for_names(struct arena *a, struct fs_rule *r,
                          const struct mountinfo *m, struct err *e)
{
    return is_restricted(r) ? mountinfo_aliases(a, m, r->at.real, &r->at.alias,
                                                &r->at.naliases, e)
                            : 0;
}

static int look_for_parts(struct arena *a, struct policy *p, size_t i,
                          size_t asked, const struct mountinfo *m,
                          struct err *e)
{
    const struct fs_object at = p->rule[i].at;

    if (!is_restricted(&p->rule[i]) || !at.exists || !at.is_dir)
        return 0;
    for (size_t k = 0; k < at.naliases; k++)
        if (add_parts(a, p, i, asked, m, at.alias[k], e) < 0)
            return -1;
    return add_parts(a, p, i, asked, m, at.real, e);
}

static int look_for_aliases(struct arena *a, struct policy *p,
                            const struct mountinfo *m, struct err *e)
{
    bool has[ACCESS_WRITE + 1] = { false };
    size_t asked = p->nrules;

    for (size_t i = 0; i < p->nrules; i++)
        has[p->rule[i].access] = true;
    /* Another name matters where it could give more than this one does. */
    if (!has[ACCESS_DENY] && !(has[ACCESS_READ] && has[ACCESS_WRITE]))
        return 0;
    for (size_t i = 0; i < asked; i++)
        if (look_for_names(a, &p->rule[i], m, e) < 0)
            return -1;
    for (size_t i = 0; i < asked; i++)
        if (look_for_parts(a, p, i, asked, m, e) < 0)
            return -1;
    for (size_t i = asked; i < p->nrules; i++)
        if (look_for_names(a, &p->rule[i], m, e) < 0)
            return -1;
    return 0;
}

/* The host's /proc under another name, as a chroot has it, is the host's: what
 * a root caller's workload writes to its /proc/sys holds for everybody. */
static int check_kernel_trees(const struct policy *p, size_t i,
                              const struct mountinfo *m, struct err *e)
{
    const struct fs_rule *r = &p->rule[i], *near;
    const char *tree;
    size_t from = 0, len;

    if (r->access == ACCESS_DENY || r->derived || !r->at.exists ||
        (r->access == ACCESS_READ && path_is_within(r->at.real, "/sys")))
        return 0;
    while ((tree = mountinfo_kernel_tree(m, r->at.real, &from)) != NULL) {
        bool is_inside =
            strcmp(tree, r->at.real) != 0 && path_is_within(tree, r->at.real);

        near = nearest(p, p->nrules, tree, ACCESS_WRITE, &len);
        if (is_inside && near && near->access == ACCESS_DENY)
            continue;
        err_set(e, ERR_POLICY_VALIDATION,
                "path '%s' cannot be granted: the host's kernel shows itself "
                "at '%s'",
                r->path, tree);
        if (is_inside)
            err_hint(e, "deny '%s' as well", tree);
        else
            err_hint(e, "leave it out; the sandbox has a /dev and a /proc of "
                        "its own");
        return err_where(e, "%s", r->origin);
    }
    return 0;
}

/* Nothing is granted, nothing is to be found. */
static int look_at_mounts(struct arena *a, struct policy *p, struct err *e)
{
    struct mountinfo *m;

    if (p->nrules == 0)
        return 0;
    if (mountinfo_read(a, &m, e) < 0 || paths_guard(a, p, m, e) < 0 ||
        look_for_aliases(a, p, m, e) < 0)
        return -1;
    for (size_t i = 0; i < p->nrules; i++)
        if (check_kernel_trees(p, i, m, e) < 0)
            return -1;
    return 0;
}

static int check_links(struct arena *a, const struct policy *p, struct err *e)
{
    struct link_search s = {
        .dirs = arena_array(a, p->nrules + 1, sizeof(*s.dirs)),
        .excluded = arena_array(a, p->nrules + 1, sizeof(*s.excluded)),
    };
    const char *found = NULL;

    if (p->hard_links != LINKS_REFUSE)
        return 0;
    if (!s.dirs || !s.excluded)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    for (size_t i = 0; i < p->nrules; i++) {
        const struct fs_rule *r = &p->rule[i];

        if (r->at.exists && r->access == ACCESS_WRITE)
            s.dirs[s.ndirs++] = r->at.real;
        else if (r->at.exists)
            s.excluded[s.nexcluded++] = r->at.real;
    }
    if (hostpath_outside_link(a, &s, &found, e) < 0)
        return -1;
    if (!found)
        return 0;
    err_set(e, ERR_POLICY_VALIDATION,
            "file '%s' has hard links outside of the writable paths", found);
    err_hint(e, "break the link (copy it to a new file and rename that over "
                "it): writing here would change the other file too");
    return err_where(e, "filesystem.hardLinks");
}

int paths_look(struct arena *a, struct policy *p, struct err *e)
{
    for (size_t i = 0; i < p->nrules; i++)
        if (p->rule[i].access != ACCESS_DENY && p->rule[i].path[1] == '\0') {
            if (expand_root(a, p, i, e) < 0)
                return -1;
            i--;
        }
    for (size_t i = 0, n = p->nrules; i < n; i++) {
        if (look(a, p, i, 0, e) < 0 || check_special(&p->rule[i], e) < 0 ||
            check_delegation(&p->rule[i], e) < 0)
            return -1;
    }
    if (look_at_mounts(a, p, e) < 0)
        return -1;
    return check_links(a, p, e);
}

/* The base is ours and simple: an lstat(2) each instead of a full look.  It
 * has no word against the policy: "--deny /usr" is not for /usr less what the
 * base has there. */
int paths_add_base(struct arena *a, struct policy *p, struct err *e)
{
    const size_t asked = p->nrules;

    for (const char *const *b = native_base; *b; b++) {
        const struct fs_rule *above;
        struct stat st;
        struct fs_rule *r;
        size_t len;

        if (lstat(*b, &st) < 0 || S_ISLNK(st.st_mode))
            continue;
        above = nearest(p, asked, *b, ACCESS_WRITE, &len);
        if (above && above->access == ACCESS_DENY)
            continue;
        if (policy_add_path(p, a, ACCESS_READ, *b, "base", e) < 0)
            return -1;
        r = &p->rule[p->nrules - 1];
        r->base = true;
        r->at = (struct fs_object){
            .exists = true,
            .is_dir = S_ISDIR(st.st_mode),
            .is_file = S_ISREG(st.st_mode),
            .dev = (uint64_t)st.st_dev,
            .ino = (uint64_t)st.st_ino,
            .nlink = (uint64_t)st.st_nlink,
            .real = r->path,
        };
    }
    return 0;
}
