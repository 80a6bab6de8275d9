/* layer.c - see layer.h. */
#include "session/layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compat.h"
#include "session/dir.h"
#include "sys/overlay.h"

#define LAYER "layer"

enum { NAME_ROOM = 32, MOST_AGAIN = 1000, MOST_SHARED_PASSES = 10000 };

static bool is_layer(const struct step *s)
{
    return s->kind == STEP_OVERLAY ||
           (s->kind == STEP_BIND && s->flags & STEP_LAYER);
}

bool layer_is_kept(const struct plan_view *plan)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (is_layer(&s))
            return true;
    }
    return false;
}

static const char *name_of(const struct step *s)
{
    return strrchr(s->text, '/') + 1;
}

/* That of the directory that it stands for, which the plan has made. */
static mode_t mode_of(const struct plan_view *plan, const struct step *of)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (s.kind == STEP_DIR && strcmp(s.path, of->path) == 0)
            return (mode_t)s.num[0];
    }
    return 0755;
}

/* --- making ----------------------------------------------------------------
 */

static int cannot(const char *op, struct err *e)
{
    const int why = errno;

    err_sys(e, op, why, "cannot make the session's layer");
    return why == ENOSPC || why == EDQUOT
               ? err_hint(e, "the runtime directory is full: `mxc gc` and "
                             "`mxc deprovision` make room")
               : -1;
}

static int make_overlay(int at, const char *name, struct err *e)
{
    scoped(drop_fd) int dir =
        openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (dir < 0 || session_mkdir(dir, "up", 0755) < 0 ||
        session_mkdir(dir, "work", 0700) < 0)
        return cannot("mkdir(2)", e);
    return 0;
}

static int try_overlay(int at, const struct step *s, struct err *e)
{
    scoped(drop_fd) int dir =
        openat(at, name_of(s), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = dir < 0 ? -errno : overlay_try(dir, s->path);

    if (r == 0)
        return 0;
    err_sys(e, "fsconfig(2)", -r,
            "the layer 'system' needs an overlay over '%s' in a user "
            "namespace, which cannot be made here",
            s->path);
    e->code = ERR_BACKEND_UNAVAILABLE;
    return err_hint(e, "boot Linux 5.11 or later (6.6 where the place for "
                       "sessions is a tmpfs), or ask for the layer 'private'");
}

int layer_make(int dir, const struct plan_view *plan, struct err *e)
{
    scoped(drop_fd) int at = -1;

    if (!layer_is_kept(plan))
        return 0;
    if (session_mkdir(dir, LAYER, 0700) < 0)
        return cannot("mkdir(2)", e);
    at = openat(dir, LAYER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (at < 0)
        return cannot("open(2)", e);
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (!is_layer(&s))
            continue;
        if (session_mkdir(at, name_of(&s), 0700) < 0)
            return cannot("mkdir(2)", e);
        if (s.kind != STEP_OVERLAY)
            continue;
        /* Of each: what lies below may be one that has no overlay over it, or
         * no other one. */
        if (make_overlay(at, name_of(&s), e) < 0 || try_overlay(at, &s, e) < 0)
            return -1;
    }
    return 0;
}

/* Their own names are not the workload's to change. */
int layer_ready(int dir, const struct plan_view *plan, struct err *e)
{
    scoped(drop_fd) int at = -1;
    int r = 0;

    if (!layer_is_kept(plan))
        return 0;
    at = openat(dir, LAYER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (at < 0)
        r = -errno;
    for (size_t i = 0; r == 0 && i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        char name[NAME_MAX + 1];

        if (!is_layer(&s))
            continue;
        (void)snprintf(name, sizeof(name), "%s%s", name_of(&s),
                       s.kind == STEP_OVERLAY ? "/up" : "");
        if (fchmodat(at, name, mode_of(plan, &s), 0) < 0)
            r = -errno;
    }
    return r < 0 ? err_sys(e, "fchmodat(2)", -r,
                           "cannot make the session's layer ready")
                 : 0;
}

/* --- removing --------------------------------------------------------------
 */

struct removal {
    int top;
    uint64_t n;     /* names given at the top */
    unsigned again; /* how often something was there that had not been read */
    bool is_shared; /* layer_empty_shared */
};

static int check_own(int dir)
{
    struct stat st;

    if (fstat(dir, &st) < 0)
        return -errno;
    return st.st_uid == geteuid() ? 0 : -EPERM;
}

/* A directory that its owner can empty: without following what it may have
 * become, chmod(2) takes it by the name of a descriptor. */
static int open_dir(const struct removal *r, int at, const char *name)
{
    const struct mxc_open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
        .resolve = r->is_shared ? MXC_RESOLVE_NO_XDEV : 0
    };
    scoped(drop_fd) int path =
        (int)syscall(__NR_openat2, at, name, &how, sizeof(how));
    char self[NAME_ROOM];
    int fd;

    if (path < 0)
        return -errno;
    fd = r->is_shared ? check_own(path) : 0;
    if (fd < 0)
        return fd;
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", path);
    if (fchmodat(AT_FDCWD, self, 0700, 0) < 0)
        return -errno;
    fd = openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Some names may be there of a removal that did not come to its end. */
static int move_up(struct removal *r, int at, const char *name)
{
    char up[NAME_ROOM];

    do {
        (void)snprintf(up, sizeof(up), "=%llu", (unsigned long long)r->n++);
        if (renameat(at, name, r->top, up) == 0)
            return 0;
    } while (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR);
    return -errno;
}

/* One name of a directory.  A directory below it that is not empty moves to
 * the top, where its turn comes: so depth costs nothing. */
static int drop_entry(struct removal *r, int at, const char *name)
{
    int fd;

    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return -errno;
    if (unlinkat(at, name, AT_REMOVEDIR) == 0)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return -errno;
    /* To be moved it must be writable: its ".." changes (rename(2)). */
    fd = open_dir(r, at, name);
    if (fd < 0)
        return fd;
    (void)close(fd);
    return move_up(r, at, name);
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Takes the descriptor. */
static int drain(struct removal *r, int fd)
{
    DIR *d = fdopendir(fd);
    int failed = 0;

    if (!d) {
        failed = -errno;
        (void)close(fd);
        return failed;
    }
    for (struct dirent *i = readdir(d); i && failed == 0; i = readdir(d))
        if (!is_dots(i->d_name))
            failed = drop_entry(r, dirfd(d), i->d_name);
    (void)closedir(d);
    return failed;
}

/* One of the top's, which is drained first. */
static int drop_top(struct removal *r, const char *name)
{
    int failed, fd = open_dir(r, r->top, name);

    if (fd == -ENOTDIR || fd == -ELOOP)
        return unlinkat(r->top, name, 0) < 0 ? -errno : 0;
    failed = fd < 0 ? fd : drain(r, fd);
    if (failed < 0 || unlinkat(r->top, name, AT_REMOVEDIR) == 0)
        return failed;
    return errno == ENOTEMPTY && r->again++ < MOST_AGAIN ? 0 : -errno;
}

/* One look at the top: how many names it had, or -errno. */
static int pass(struct removal *r)
{
    int fd = openat(r->top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    int found = 0, failed = 0;

    if (!d) {
        failed = -errno;
        drop_fd(&fd);
        return failed;
    }
    for (struct dirent *i = readdir(d); i && failed == 0; i = readdir(d)) {
        if (is_dots(i->d_name))
            continue;
        failed = drop_top(r, i->d_name);
        found = 1;
    }
    (void)closedir(d);
    return failed < 0 ? failed : found;
}

int layer_remove(int dir, const char *name)
{
    struct removal r = { 0 };
    int found = 1;

    r.top = open_dir(&r, dir, name);
    if (r.top < 0)
        return r.top == -ENOENT ? 0 : r.top;
    while (found > 0)
        found = pass(&r);
    (void)close(r.top);
    if (found == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0)
        found = -errno;
    return found;
}

int layer_empty_shared(int dir)
{
    struct removal r = { .top = dir, .is_shared = true };
    int found = 1;

    for (int i = 0; i < MOST_SHARED_PASSES && found > 0; i++)
        found = pass(&r);
    return found > 0 ? -EBUSY : found;
}
