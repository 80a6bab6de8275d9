/* mask.c - unreadable things that stand over what policy or prudence hides. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/compat.h"
#include "launch/launch.h"
#include "sys/mounts.h"
#include "sys/userns.h"

enum { CHILD_STACK = 16 * 1024 };

#define MASK_ATTR (MXC_ATTR_NOSUID | MXC_ATTR_NODEV | MXC_ATTR_NOEXEC)

struct stranger {
    uid_t uid;
    gid_t gid;
    int fd;
};

/* Any id but our own, on the inside: ours then has no name there. */
static int stranger_child(void *arg)
{
    struct stranger *s = arg;
    const char *op;

    s->fd = userns_map(s->uid ? 0 : 1, s->uid, s->gid ? 0 : 1, s->gid, &op);
    if (s->fd == 0)
        s->fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
    return 0;
}

int view_open_strangers(void)
{
    static char stack[CHILD_STACK] __attribute__((aligned(16)));
    /* Asked for here: inside the new namespace we are nobody yet. */
    struct stranger s = { geteuid(), getegid(), -EPERM };
    int status = 0;
    pid_t pid = clone(
        stranger_child, stack + sizeof(stack),
        CLONE_NEWUSER | CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &s);

    if (pid < 0)
        return -errno;
    (void)waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? -EOWNERDEAD : s.fd;
}

/* Mode 0, and not the workload's to change: the mount maps its owner to
 * nobody (mount_setattr(2), MOUNT_ATTR_IDMAP), so that every open of it, for
 * reading or writing, is EACCES and chmod(2) fails.  Where the kernel
 * cannot (tmpfs before Linux 6.3), a read-only mount holds as well, only that
 * opening to truncate says EROFS. */
static int disown(const struct view *v, int mnt)
{
    struct mxc_mount_attr m = { .attr_set = MASK_ATTR | MXC_ATTR_IDMAP,
                                .propagation = MS_PRIVATE };

    if (v->strangers >= 0) {
        m.userns_fd = (uint64_t)v->strangers;
        if (syscall(__NR_mount_setattr, mnt, "", AT_EMPTY_PATH, &m,
                    sizeof(m)) == 0)
            return 0;
    }
    return mount_set(mnt, MASK_ATTR | MXC_ATTR_RDONLY, 0);
}

static int make_mask(const struct view *v, bool is_dir, bool is_policy,
                     int *out)
{
    scoped(drop_fd) int mnt =
        mount_clone(is_dir ? v->void_dir : v->void_file, 0);
    int r = mnt;

    if (mnt >= 0)
        r = is_policy ? disown(v, mnt)
                      : mount_set(mnt, MASK_ATTR | MXC_ATTR_RDONLY, 0);
    if (r >= 0)
        *out = take_fd(&mnt);
    return r < 0 ? r : 0;
}

/* What is hidden of /proc, where this kernel has it.  Looked for first: to
 * throw a detached mount away costs an RCU grace period. */
static int mask_proc(struct view *v, const struct step *s)
{
    scoped(drop_fd) int mnt = -1;
    int r;

    if (faccessat(v->root, s->path + 1, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    r = make_mask(v, s->flags & STEP_IS_DIR, false, &mnt);
    return r < 0 ? r : view_attach_at(v, mnt, s->path);
}

/* Is it covered already, by another of its names? */
static bool is_mask(const struct view *v, const struct stat *st)
{
    struct stat own;

    return fstat(S_ISDIR(st->st_mode) ? v->void_dir : v->void_file, &own) ==
               0 &&
           own.st_dev == st->st_dev && own.st_ino == st->st_ino;
}

/* By the symlinks that are there, which lead to other places than the host's
 * do. */
static int open_inside(const struct view *v, const char *path)
{
    const struct mxc_open_how how = {
        .flags = O_PATH | O_CLOEXEC,
        .resolve = MXC_RESOLVE_IN_ROOT | MXC_RESOLVE_NO_MAGICLINKS,
    };

    return (int)syscall(__NR_openat2, v->root, path, &how, sizeof(how));
}

/* Is it a mask of something above that keeps us from looking?  Nobody inside
 * comes through either, whatever links are on the way. */
static bool is_below_mask(const struct view *v, const char *path)
{
    size_t len = strlen(path);
    char above[PATH_MAX];
    struct stat st;

    if (len >= sizeof(above))
        return false;
    memcpy(above, path, len + 1);
    for (char *end; (end = strrchr(above, '/')) && end > above;) {
        scoped(drop_fd) int fd = -1;

        *end = '\0';
        fd = open_inside(v, above);
        if (fd >= 0)
            return fstat(fd, &st) == 0 && is_mask(v, &st);
    }
    return false;
}

/* What an image has at a denied path, if it has something. */
static int mask_image(struct view *v, const struct step *s)
{
    scoped(drop_fd) int target = open_inside(v, s->path);
    int r = target < 0 ? -errno : 0;
    scoped(drop_fd) int mnt = -1;
    struct stat st;

    if (r == -ENOENT || r == -ENOTDIR ||
        (r == -EACCES && is_below_mask(v, s->path)))
        return 0;
    if (r < 0)
        return r;
    if (fstat(target, &st) < 0)
        return -errno;
    if (is_mask(v, &st))
        return 0;
    r = make_mask(v, S_ISDIR(st.st_mode), true, &mnt);
    return r < 0 ? r : view_attach(v, mnt, target);
}

static int mask_policy(struct view *v, const struct step *s)
{
    scoped(drop_fd) int target = view_open_target(v, s, s->flags & STEP_IS_DIR);
    scoped(drop_fd) int mnt = -1;
    struct stat st;
    int r;

    /* Not below a grant, where it means that somebody changes the tree. */
    if (target == -ELOOP && v->has_image && s->flags & STEP_CREATE)
        return mask_image(v, s);
    if (target < 0)
        return target;
    if (fstat(target, &st) < 0)
        return -errno;
    r = make_mask(v, S_ISDIR(st.st_mode), true, &mnt);
    return r < 0 ? r : view_attach(v, mnt, target);
}

static int mask_optional(struct view *v, const struct step *s)
{
    return strncmp(s->path, "/proc/", 6) == 0 ? mask_proc(v, s)
                                              : mask_image(v, s);
}

int view_mask(struct view *v, const struct step *s, struct err *e)
{
    int r = s->flags & STEP_OPTIONAL ? mask_optional(v, s) : mask_policy(v, s);

    return r < 0 ? view_fail(e, "move_mount(2)", r, s) : 0;
}

/* /proc has no place for a file of ours: it is made in the private root,
 * mounted over the kernel's, and its name removed. */
int view_cover_file(struct view *v, const struct step *s, struct err *e)
{
    const char *temp = v->has_image ? "/dev/.cover" : "/.cover";
    scoped(drop_fd) int target = view_open(v, s->path, O_PATH);
    scoped(drop_fd) int source = -1;
    scoped(drop_fd) int mnt = -1;
    int r;

    if (target == -ENOENT)
        return 0;
    r = view_make_file(v, temp, 0444, s->text, s->text_len);
    if (target < 0 || r < 0)
        return view_fail(e, "open(2)", target < 0 ? target : r, s);
    source = view_open(v, temp, O_PATH);
    mnt = source < 0 ? source : mount_clone(source, 0);
    if (mnt < 0)
        return view_fail(e, "open_tree(2)", mnt, s);
    r = mount_set(mnt, MASK_ATTR | MXC_ATTR_RDONLY, 0);
    if (r == 0)
        r = view_attach(v, mnt, target);
    /* Only now: what has no name any more cannot be attached. */
    (void)unlinkat(v->root, temp + 1, 0);
    return r < 0 ? view_fail(e, "move_mount(2)", r, s) : 0;
}
