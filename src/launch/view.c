/* view.c - what the workload will see, step by step.
 *
 * Every path is resolved without following symlinks: the plan holds canonical
 * ones, so a symlink on the way means that somebody changed the tree since it
 * was looked at, and the run is refused (CVE-2021-30465, CVE-2026-34078). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/compat.h"
#include "launch/launch.h"
#include "sys/mounts.h"
#include "sys/overlay.h"

static int open_beneath(int dir, const char *path, int flags, uint64_t resolve)
{
    const struct mxc_open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .resolve =
            resolve | MXC_RESOLVE_NO_SYMLINKS | MXC_RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(__NR_openat2, dir, path, &how, sizeof(how));

    return fd < 0 ? -errno : fd;
}

int view_open(const struct view *v, const char *path, int flags)
{
    return open_beneath(v->root, path, flags, MXC_RESOLVE_IN_ROOT);
}

/* The directory `name` of `dir`, made where it is missing. */
static int open_or_make(int dir, const char *name)
{
    const int flags = O_PATH | O_DIRECTORY;
    int fd = open_beneath(dir, name, flags, MXC_RESOLVE_IN_ROOT);

    if (fd != -ENOENT)
        return fd;
    if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
        return -errno;
    return open_beneath(dir, name, flags, MXC_RESOLVE_IN_ROOT);
}

/* The directory that holds the last component, made where it is missing, each
 * by the descriptor of the one above: what is missing is missing in the
 * private root (the plan never asks for more), but below a hollow the way
 * there leads through a granted tree, whose directories may be symlinks by
 * now, and mkdirat(2) by path would be an effect on the host. */
static int open_parent(const struct view *v, const char *path,
                       const char **name)
{
    char dir[4096];
    size_t n = strlen(path);
    int fd;

    while (n > 0 && path[n - 1] != '/')
        n--;
    *name = path + n;
    if (n == 0 || n > sizeof(dir))
        return -EINVAL;
    memcpy(dir, path, n);
    dir[n > 1 ? n - 1 : n] = '\0';
    fd = view_open(v, dir, O_PATH | O_DIRECTORY);
    if (fd != -ENOENT)
        return fd;
    fd = view_open(v, "/", O_PATH | O_DIRECTORY);
    for (char *at = dir + 1, *next; fd >= 0 && at; at = next) {
        scoped(drop_fd) int above = fd;

        next = strchr(at, '/');
        if (next)
            *next++ = '\0';
        fd = open_or_make(above, at);
    }
    return fd;
}

int view_fail(struct err *e, const char *op, int r, const struct step *s)
{
    return err_sys(e, op, -r, "cannot set up %s '%s'", step_name(s->kind),
                   s->path ? s->path : "/");
}

/* The fast way first: the parent is there, one call does it.  Only the private
 * root is written to, where the only symlinks are the plan's own; with a
 * hollow in it, that is no longer said of every way there. */
static int make_dir(const struct view *v, const char *path, mode_t mode)
{
    const char *name;
    scoped(drop_fd) int dir = -1;

    /* The umask is 0 while the view is built, so the mode is as given. */
    if (!v->has_hollow) {
        if (mkdirat(v->root, path + 1, mode) == 0 || errno == EEXIST)
            return 0;
        if (errno != ENOENT)
            return -errno;
    }
    dir = open_parent(v, path, &name);
    if (dir < 0)
        return dir;
    return mkdirat(dir, name, mode) < 0 && errno != EEXIST ? -errno : 0;
}

int view_make_file(const struct view *v, const char *path, mode_t mode,
                   const char *text, size_t len)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    scoped(drop_fd) int fd =
        v->has_hollow ? -1 : openat(v->root, path + 1, flags, mode);

    if (fd < 0 && (v->has_hollow || errno == ENOENT)) {
        const char *name;
        scoped(drop_fd) int dir = open_parent(v, path, &name);

        if (dir < 0)
            return dir;
        fd = openat(dir, name, flags, mode);
    }
    if (fd < 0)
        return -errno;
    if (len && write(fd, text, len) != (ssize_t)len)
        return -EIO;
    return 0;
}

/* Make the mount point, where the plan says that it is ours to make. */
static int make_target(const struct view *v, const struct step *s, bool is_dir)
{
    int r;

    if (!(s->flags & STEP_CREATE))
        return 0;
    r = is_dir ? make_dir(v, s->path, 0755)
               : view_make_file(v, s->path, 0644, NULL, 0);
    return r == -EEXIST ? 0 : r;
}

int view_open_target(const struct view *v, const struct step *s, bool is_dir)
{
    int r = make_target(v, s, is_dir);

    return r < 0 ? r : view_open(v, s->path, O_PATH);
}

/* Mounts are stacked on the root while it is still free of any namespace,
 * which spares every one of them the work of propagation; kernels before 6.15
 * say EINVAL to the first and get an attached root. */
static bool must_attach(struct view *v, int r)
{
    return r == -EINVAL && !v->is_attached && view_attach_root(v) == 0;
}

int view_attach(struct view *v, int mnt, int target)
{
    int r = mount_attach(mnt, target);

    return must_attach(v, r) ? mount_attach(mnt, target) : r;
}

int view_attach_at(struct view *v, int mnt, const char *path)
{
    int r = mount_attach_at(mnt, v->root, path + 1);

    return must_attach(v, r) ? mount_attach_at(mnt, v->root, path + 1) : r;
}

/* On a granted tree, or beyond one, by a descriptor that was reached without a
 * symlink; in the private root, which nobody else can change, by path. */
static int attach_step(struct view *v, const struct step *s, int mnt,
                       bool is_dir)
{
    int r = make_target(v, s, is_dir);

    if (r < 0)
        return r;
    if (!(s->flags & STEP_CREATE) || v->has_hollow) {
        scoped(drop_fd) int target = view_open(v, s->path, O_PATH);

        return target < 0 ? target : view_attach(v, mnt, target);
    }
    return view_attach_at(v, mnt, s->path);
}

/* The host's object, which must still be the one that was looked at. */
static int open_source(const struct view *v, const struct step *s,
                       struct err *e)
{
    struct stat st;
    int fd = v->host
                 ? open_beneath(v->host, s->text, O_PATH, MXC_RESOLVE_IN_ROOT)
                 : open_beneath(AT_FDCWD, s->text, O_PATH, 0);

    if (fd < 0) {
        err_sys(e, "openat2(2)", -fd, "cannot open '%s'", s->text);
        if (fd == -ELOOP)
            err_hint(e, "a directory on this path was replaced by a symlink "
                        "while the sandbox was being set up, or since the "
                        "session or the pool was made");
        if (fd == -ENOENT)
            err_hint(e, "it was there when the policy was read; a session and "
                        "a pool are of what was there when they were made: "
                        "make it anew");
        return -1;
    }
    if (fstat(fd, &st) < 0 || (uint64_t)st.st_dev != s->num[0] ||
        (uint64_t)st.st_ino != s->num[1]) {
        (void)close(fd);
        err_set(e, ERR_BACKEND_ERROR,
                "'%s' is not what it was when the policy was read: it was "
                "replaced",
                s->text);
        return err_hint(e, "nothing was run; try again; a session and a pool "
                           "are of what was there when they were made: make "
                           "it anew");
    }
    return fd;
}

/* A session's own directory, which no sandbox sees: the caller's, as whoever
 * made it was, or -errno. */
static int open_layer(const struct step *s)
{
    scoped(drop_fd) int fd =
        open_beneath(AT_FDCWD, s->text, O_PATH | O_DIRECTORY, 0);
    struct stat st;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    return st.st_uid == geteuid() ? take_fd(&fd) : -EPERM;
}

static int layer_fail(const char *op, int r, const struct step *s,
                      struct err *e)
{
    if (r != -EPERM)
        return view_fail(e, op, r, s);
    err_set(e, ERR_BACKEND_ERROR,
            "'%s', which the session keeps, is not its owner's any more",
            s->text);
    return err_hint(e, "somebody else has been there: deprovision it");
}

/* A detached copy of the source.  Recursive: a part of the host's tree that
 * is hidden under another mount must stay hidden (mount_namespaces(7), "locked
 * mounts"). */
static int clone_source(const struct view *v, const struct step *s,
                        struct err *e)
{
    scoped(drop_fd) int source = -1;
    int mnt;

    if (s->flags & STEP_LAYER) {
        source = open_layer(s);
        if (source < 0)
            return layer_fail("openat2(2)", source, s, e);
        mnt = mount_clone(source, 0);
        return mnt < 0 ? view_fail(e, "open_tree(2)", mnt, s) : mnt;
    }
    /* No identity: one of the base's own paths, fixed when this was built. */
    if (s->num[1] == 0) {
        mnt = mount_clone_path(s->text);
    } else {
        source = open_source(v, s, e);
        if (source < 0)
            return -1;
        mnt = mount_clone(source, 1);
    }
    return mnt < 0 ? view_fail(e, "open_tree(2)", mnt, s) : mnt;
}

static int copy_source(const struct view *v, const struct step *s, int memory,
                       struct err *e)
{
    scoped(drop_fd) int source = open_source(v, s, e);
    char name[24];
    int mnt;

    if (source < 0)
        return -1;
    (void)snprintf(name, sizeof(name), "%zu", v->ncopies);
    mnt = overlay_in_memory(memory, name, source);
    if (mnt >= 0)
        return mnt;
    err_sys(e, "fsconfig(2)", -mnt, "cannot lay a copy over '%s'", s->text);
    return err_hint(e, mnt == -EINVAL
                           ? "an overlay in memory needs Linux 6.6, and a "
                             "directory on which nothing else is mounted"
                           : "an overlay in a user namespace needs Linux 6.6");
}

static int copy_all(struct view *v, const struct plan_view *plan, int memory,
                    struct err *e)
{
    for (size_t i = 1; i < plan->head.nsteps; i++) {
        const struct step s = plan_step(plan, i);

        if (s.kind != STEP_BIND || !(s.flags & STEP_COPY))
            continue;
        if (v->ncopies == LAUNCH_COPIES) {
            err_set(e, ERR_POLICY_VALIDATION,
                    "--discard-writes: more than %d directories are granted "
                    "for writing",
                    LAUNCH_COPIES);
            return err_hint(e, "grant a directory that holds them");
        }
        v->copy[v->ncopies] = copy_source(v, &s, memory, e);
        if (v->copy[v->ncopies] < 0)
            return -1;
        v->ncopies++;
    }
    return 0;
}

int view_copy_grants(struct view *v, const struct plan_view *plan,
                     struct err *e)
{
    const struct step root = plan_step(plan, 0);
    scoped(drop_fd) int memory = -1;
    bool is_any = false;
    int r;

    for (size_t i = 1; i < plan->head.nsteps; i++)
        is_any = is_any || plan_step(plan, i).flags & STEP_COPY;
    if (!is_any)
        return 0;
    memory = overlay_memory(root.num[0], root.num[1]);
    if (memory < 0)
        return err_sys(e, "fsmount(2)", -memory,
                       "cannot make the memory for copies");
    r = copy_all(v, plan, memory, e);
    if (overlay_leave(memory) < 0 && r == 0)
        r = err_sys(e, "umount2(2)", errno, "cannot leave the copies' memory");
    return r;
}

void view_drop_copies(struct view *v)
{
    while (v->used < v->ncopies)
        drop_fd(&v->copy[v->used++]);
}

/* They were made in the order of the steps. */
static int take_copy(struct view *v, const struct step *s, struct err *e)
{
    if (v->used < v->ncopies)
        return take_fd(&v->copy[v->used++]);
    err_set(e, ERR_BACKEND_ERROR, "no copy of '%s' was made", s->text);
    return -1;
}

static int do_bind(struct view *v, const struct step *s, struct err *e)
{
    scoped(drop_fd) int mnt =
        s->flags & STEP_COPY ? take_copy(v, s, e) : clone_source(v, s, e);
    uint64_t attr = MXC_ATTR_NOSUID | MXC_ATTR_NODEV;
    int r;

    if (mnt < 0)
        return -1;
    if (s->flags & STEP_READONLY)
        attr |= MXC_ATTR_RDONLY;
    if (s->flags & STEP_NOEXEC)
        attr |= MXC_ATTR_NOEXEC;
    r = mount_set(mnt, attr, 1);
    if (r == 0)
        r = attach_step(v, s, mnt, s->flags & STEP_IS_DIR);
    if (r == 0 && s->flags & STEP_LAYER)
        v->has_hollow = v->has_layer = true;
    return r < 0 ? view_fail(e, "move_mount(2)", r, s) : 0;
}

/* The lower part by its name on the host, which is one of the base's own; the
 * upper by its place.  Whatever the kernel does there it does as who mounts it:
 * what the caller may not read of the lower part, nobody reads through it. */
static int do_overlay(struct view *v, const struct step *s, struct err *e)
{
    scoped(drop_fd) int place = open_layer(s);
    scoped(drop_fd) int mnt = -1;
    int r;

    if (place < 0)
        return layer_fail("openat2(2)", place, s, e);
    mnt = overlay_new(place, s->path);
    if (mnt < 0) {
        view_fail(e, "fsconfig(2)", mnt, s);
        return err_hint(e, "an overlay in a user namespace needs Linux 5.11, "
                           "and a place for sessions whose filesystem can be "
                           "its upper part (tmpfs: Linux 6.6)");
    }
    r = attach_step(v, s, mnt, true);
    v->has_hollow = v->has_layer = true;
    return r < 0 ? view_fail(e, "move_mount(2)", r, s) : 0;
}

/* The mount must not have nodev, or the device would not open.  Read-only is
 * for the file, not for the device behind it (path_resolution(7), mount(2)):
 * without it the workload of a root caller, who owns the host's node, could
 * change the mode of everybody's /dev/null. */
static int do_device(struct view *v, const struct step *s, struct err *e)
{
    scoped(drop_fd) int mnt = mount_clone_path(s->text);
    struct stat st;
    int r;

    if (mnt == -ENOENT && s->flags & STEP_OPTIONAL)
        return 0;
    if (mnt < 0)
        return view_fail(e, "open_tree(2)", mnt, s);
    if (fstat(mnt, &st) < 0 || !S_ISCHR(st.st_mode))
        return view_fail(e, "fstat(2)", -ENODEV, s);
    r = mount_set(mnt, MXC_ATTR_RDONLY | MXC_ATTR_NOSUID | MXC_ATTR_NOEXEC, 0);
    if (r == 0)
        r = view_make_file(v, s->path, 0666, NULL, 0);
    if (r == 0)
        r = view_attach_at(v, mnt, s->path);
    return r < 0 ? view_fail(e, "move_mount(2)", r, s) : 0;
}

static int mount_fs(struct view *v, const struct step *s, const char *type,
                    const char *const *opts, uint64_t attr, struct err *e)
{
    scoped(drop_fd) int mnt = mount_new(type, opts, attr);
    int r;

    if (mnt < 0)
        return view_fail(e, "fsmount(2)", mnt, s);
    r = attach_step(v, s, mnt, true);
    return r < 0 ? view_fail(e, "move_mount(2)", r, s) : 0;
}

static int do_proc(struct view *v, const struct step *s, struct err *e)
{
    if (mount_fs(v, s, "proc", NULL,
                 MXC_ATTR_NOSUID | MXC_ATTR_NODEV | MXC_ATTR_NOEXEC, e) == 0)
        return 0;
    if (e->sys == EPERM)
        err_hint(e, "the host hides parts of its own /proc (as containers "
                    "do), and then the kernel forbids a new one; run mxc "
                    "with an unmasked /proc");
    return -1;
}

static int do_devpts(struct view *v, const struct step *s, struct err *e)
{
    static const char *const opts[] = { "ptmxmode", "0666", "mode", "0600",
                                        NULL };

    return mount_fs(v, s, "devpts", opts, MXC_ATTR_NOSUID | MXC_ATTR_NOEXEC, e);
}

static int do_hollow(struct view *v, const struct step *s, struct err *e)
{
    static const char *const opts[] = { "mode",      "0700", "size", "64k",
                                        "nr_inodes", "8192", NULL };

    v->has_hollow = true;
    return mount_fs(v, s, "tmpfs", opts,
                    MXC_ATTR_NOSUID | MXC_ATTR_NODEV | MXC_ATTR_NOEXEC, e);
}

/* A directory mounted on itself cannot be renamed or removed (EBUSY), so what
 * is covered below it stays covered.  The same holds for a symlink. */
static int do_pin(struct view *v, const struct step *s, struct err *e)
{
    scoped(drop_fd) int target = view_open(v, s->path, O_PATH | O_NOFOLLOW);
    scoped(drop_fd) int mnt = -1;
    int r;

    if (target < 0)
        return view_fail(e, "openat2(2)", target, s);
    mnt = mount_clone(target, 1);
    if (mnt < 0)
        return view_fail(e, "open_tree(2)", mnt, s);
    r = view_attach(v, mnt, target);
    return r < 0 ? view_fail(e, "move_mount(2)", r, s) : 0;
}

static int do_file(struct view *v, const struct step *s, struct err *e)
{
    int r;

    if (strncmp(s->path, "/proc/", 6) == 0)
        return view_cover_file(v, s, e);
    r = view_make_file(v, s->path, (mode_t)s->num[0], s->text, s->text_len);
    return r < 0 && r != -EEXIST ? view_fail(e, "open(2)", r, s) : 0;
}

static int do_symlink(const struct view *v, const struct step *s, struct err *e)
{
    if (symlinkat(s->text, v->root, s->path + 1) < 0 && errno != EEXIST)
        return view_fail(e, "symlinkat(2)", -errno, s);
    return 0;
}

static int do_sysctl(const struct view *v, const struct step *s, struct err *e)
{
    scoped(drop_fd) int fd = view_open(v, s->path, O_WRONLY);

    if (fd < 0)
        return view_fail(e, "open(2)", fd, s);
    if (write(fd, s->text, s->text_len) != (ssize_t)s->text_len)
        return view_fail(e, "write(2)", -errno, s);
    return 0;
}

int view_apply(struct view *v, const struct step *s, struct err *e)
{
    int r;

    switch (s->kind) {
    case STEP_DIR:
        r = make_dir(v, s->path, (mode_t)s->num[0]);
        return r < 0 ? view_fail(e, "mkdirat(2)", r, s) : 0;
    case STEP_FILE:
        return do_file(v, s, e);
    case STEP_SYMLINK:
        return do_symlink(v, s, e);
    case STEP_BIND:
        return do_bind(v, s, e);
    case STEP_DEVICE:
        return do_device(v, s, e);
    case STEP_DEVPTS:
        return do_devpts(v, s, e);
    case STEP_PROC:
        return do_proc(v, s, e);
    case STEP_MASK:
        return view_mask(v, s, e);
    case STEP_HOLLOW:
        return do_hollow(v, s, e);
    case STEP_PIN:
        return do_pin(v, s, e);
    case STEP_OVERLAY:
        return do_overlay(v, s, e);
    case STEP_SYSCTL:
        return do_sysctl(v, s, e);
    case STEP_NONE:
    case STEP_ROOT:
    case STEP_LANDLOCK:
    case STEP_HOSTNAME:
    case STEP_RLIMIT:
    case STEP_ABSENT:
    case STEP_WATCH:
    case STEP_FILTER:
    case STEP_CWD:
    case STEP_ENV:
    case STEP_ARG:
    case STEP_RULES:
    case STEP_LISTEN:
    case STEP_RUNTIME:
    case STEP_RUNTIME_ARG:
    case STEP_RUNSC:
    case STEP_IMAGE:
    case STEP_KEPT:
    case STEP_RECORD:
    case STEP_CAPTURE:
    case STEP_LIMIT:
    case STEP_SHOWN:
    case STEP_NAMED:
    case STEP_END:
        break; /* other stages' business */
    }
    return 0;
}
