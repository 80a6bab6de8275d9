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

static int open_beneath(int dir, const char *path, int flags, uint64_t resolve)
{
    const struct mxc_open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .resolve = resolve | MXC_RESOLVE_NO_SYMLINKS |
                   MXC_RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(__NR_openat2, dir, path, &how, sizeof(how));

    return fd < 0 ? -errno : fd;
}

int view_open(const struct view *v, const char *path, int flags)
{
    return open_beneath(v->root, path, flags, MXC_RESOLVE_IN_ROOT);
}

/* The directory that holds the last component, made where it is missing (only
 * ever inside the private root: on a granted tree mkdirat(2) would be an
 * effect on the host, and the plan never asks for it). */
static int open_parent(const struct view *v, const char *path,
                       const char **name)
{
    char dir[4096];
    size_t len = strlen(path), n = len;
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
    for (size_t i = 1; dir[i - 1]; i++) {
        char keep = dir[i];

        if (keep != '/' && keep != '\0')
            continue;
        dir[i] = '\0';
        if (mkdirat(v->root, dir + 1, 0755) < 0 && errno != EEXIST)
            return -errno;
        dir[i] = keep;
    }
    return view_open(v, dir, O_PATH | O_DIRECTORY);
}

int view_fail(struct err *e, const char *op, int r, const struct step *s)
{
    return err_sys(e, op, -r, "cannot set up %s '%s'", step_name(s->kind),
                   s->path ? s->path : "/");
}

static int make_dir(const struct view *v, const struct step *s, mode_t mode)
{
    const char *name;
    scoped(drop_fd) int dir = open_parent(v, s->path, &name);

    if (dir < 0)
        return dir;
    if (mkdirat(dir, name, mode) < 0 && errno != EEXIST)
        return -errno;
    /* The umask is 0 while the view is built, so the mode is as given. */
    return 0;
}

int view_make_file(const struct view *v, const char *path, mode_t mode,
                   const char *text, size_t len)
{
    const char *name;
    scoped(drop_fd) int dir = open_parent(v, path, &name);
    scoped(drop_fd) int fd = -1;

    if (dir < 0)
        return dir;
    fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
                O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    if (len && write(fd, text, len) != (ssize_t)len)
        return -EIO;
    return 0;
}

/* The object to mount on; made first in the private root where the plan says
 * so. */
int view_open_target(const struct view *v, const struct step *s, bool is_dir)
{
    int r = 0;

    if (s->flags & STEP_CREATE)
        r = is_dir ? make_dir(v, s, 0755)
                   : view_make_file(v, s->path, 0644, NULL, 0);
    if (r < 0 && r != -EEXIST)
        return r;
    return view_open(v, s->path, O_PATH);
}

/* The host's object, which must still be the one that was looked at. */
static int open_source(const struct step *s, struct err *e)
{
    struct stat st;
    int fd = open_beneath(AT_FDCWD, s->text, O_PATH, 0);

    if (fd < 0) {
        err_sys(e, "openat2(2)", -fd, "cannot open '%s'", s->text);
        if (fd == -ELOOP)
            err_hint(e, "a directory on this path was replaced by a symlink "
                        "while the sandbox was being set up");
        return -1;
    }
    if (s->num[1] == 0)
        return fd;
    if (fstat(fd, &st) < 0 || (uint64_t)st.st_dev != s->num[0] ||
        (uint64_t)st.st_ino != s->num[1]) {
        (void)close(fd);
        err_set(e, ERR_BACKEND_ERROR,
                "'%s' was replaced while the sandbox was being set up",
                s->text);
        return err_hint(e, "nothing was run; try again");
    }
    return fd;
}

int view_attach(int mnt, int target, uint64_t attr, int recursive)
{
    int r = mount_set(mnt, attr, recursive);

    return r < 0 ? r : mount_attach(mnt, target);
}

static int do_bind(const struct view *v, const struct step *s, struct err *e)
{
    scoped(drop_fd) int source = open_source(s, e);
    scoped(drop_fd) int target = -1;
    scoped(drop_fd) int mnt = -1;
    uint64_t attr = MXC_ATTR_NOSUID | MXC_ATTR_NODEV;
    int r;

    if (source < 0)
        return -1;
    if (s->flags & STEP_READONLY)
        attr |= MXC_ATTR_RDONLY;
    if (s->flags & STEP_NOEXEC)
        attr |= MXC_ATTR_NOEXEC;
    target = view_open_target(v, s, s->flags & STEP_IS_DIR);
    if (target < 0)
        return view_fail(e, "openat2(2)", target, s);
    /* Recursive: a part of the host's tree that is hidden under another mount
     * must stay hidden (mount_namespaces(7), "locked mounts"). */
    mnt = mount_clone(source, 1);
    if (mnt < 0)
        return view_fail(e, "open_tree(2)", mnt, s);
    r = view_attach(mnt, target, attr, 1);
    return r < 0 ? view_fail(e, "move_mount(2)", r, s) : 0;
}

static int do_device(const struct view *v, const struct step *s,
                     struct err *e)
{
    scoped(drop_fd) int source = open_beneath(AT_FDCWD, s->text, O_PATH, 0);
    scoped(drop_fd) int target = -1;
    scoped(drop_fd) int mnt = -1;
    struct stat st;
    int r;

    if (source < 0)
        return view_fail(e, "openat2(2)", source, s);
    if (fstat(source, &st) < 0 || !S_ISCHR(st.st_mode))
        return view_fail(e, "fstat(2)", -ENODEV, s);
    r = view_make_file(v, s->path, 0666, NULL, 0);
    if (r < 0)
        return view_fail(e, "open(2)", r, s);
    target = view_open(v, s->path, O_PATH);
    mnt = mount_clone(source, 0);
    if (target < 0 || mnt < 0)
        return view_fail(e, "open_tree(2)", target < 0 ? target : mnt, s);
    r = view_attach(mnt, target, MXC_ATTR_NOSUID | MXC_ATTR_NOEXEC, 0);
    return r < 0 ? view_fail(e, "move_mount(2)", r, s) : 0;
}

static int mount_fs(const struct view *v, const struct step *s,
                    const char *type, const char *const *opts, uint64_t attr,
                    struct err *e)
{
    scoped(drop_fd) int target = view_open_target(v, s, true);
    scoped(drop_fd) int mnt = -1;
    int r;

    if (target < 0)
        return view_fail(e, "openat2(2)", target, s);
    mnt = mount_new(type, opts, attr);
    if (mnt < 0)
        return view_fail(e, "fsmount(2)", mnt, s);
    r = mount_attach(mnt, target);
    return r < 0 ? view_fail(e, "move_mount(2)", r, s) : 0;
}

static int do_proc(const struct view *v, const struct step *s, struct err *e)
{
    if (mount_fs(v, s, "proc", NULL, MXC_ATTR_NOSUID | MXC_ATTR_NODEV |
                 MXC_ATTR_NOEXEC, e) == 0)
        return 0;
    if (e->sys == EPERM)
        err_hint(e, "the host hides parts of its own /proc (as containers "
                    "do), and then the kernel forbids a new one; run mxc "
                    "with an unmasked /proc");
    return -1;
}

static int do_devpts(const struct view *v, const struct step *s,
                     struct err *e)
{
    static const char *const opts[] = { "ptmxmode", "0666", "mode", "0600",
                                        NULL };

    return mount_fs(v, s, "devpts", opts, MXC_ATTR_NOSUID | MXC_ATTR_NOEXEC,
                    e);
}

static int do_hollow(const struct view *v, const struct step *s,
                     struct err *e)
{
    static const char *const opts[] = { "mode", "0700", "size", "64k",
                                        "nr_inodes", "8192", NULL };

    return mount_fs(v, s, "tmpfs", opts, MXC_ATTR_NOSUID | MXC_ATTR_NODEV |
                    MXC_ATTR_NOEXEC, e);
}

/* A directory mounted on itself cannot be renamed or removed (EBUSY), so what
 * is covered below it stays covered. */
static int do_pin(const struct view *v, const struct step *s, struct err *e)
{
    scoped(drop_fd) int target = view_open(v, s->path, O_PATH | O_DIRECTORY);
    scoped(drop_fd) int mnt = -1;
    int r;

    if (target < 0)
        return view_fail(e, "openat2(2)", target, s);
    mnt = mount_clone(target, 1);
    if (mnt < 0)
        return view_fail(e, "open_tree(2)", mnt, s);
    r = mount_attach(mnt, target);
    return r < 0 ? view_fail(e, "move_mount(2)", r, s) : 0;
}

static int do_file(const struct view *v, const struct step *s, struct err *e)
{
    int r;

    if (strncmp(s->path, "/proc/", 6) == 0)
        return view_cover_file(v, s, e);
    r = view_make_file(v, s->path, (mode_t)s->num[0], s->text, s->text_len);
    return r < 0 && r != -EEXIST ? view_fail(e, "open(2)", r, s) : 0;
}

static int do_symlink(const struct view *v, const struct step *s,
                      struct err *e)
{
    const char *name;
    scoped(drop_fd) int dir = open_parent(v, s->path, &name);

    if (dir < 0)
        return view_fail(e, "openat2(2)", dir, s);
    if (symlinkat(s->text, dir, name) < 0 && errno != EEXIST)
        return view_fail(e, "symlinkat(2)", -errno, s);
    return 0;
}

static int do_sysctl(const struct view *v, const struct step *s,
                     struct err *e)
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
        r = make_dir(v, s, (mode_t)s->num[0]);
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
    case STEP_END:
        break;                          /* other stages' business */
    }
    return 0;
}
