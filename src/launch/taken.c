/* taken.c - a sandbox whose namespaces and mounts a runtime has made.
 *
 * Nothing is taken on its word: that this is pid 1, and that every mount of the
 * plan stands where it belongs, with the object that was looked at and with
 * its flags, which are set once more.  The rest is done here as for a sandbox
 * of our own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/compat.h"
#include "launch/launch.h"
#include "launch/proto.h"
#include "sys/mounts.h"

/* What ps(1) inside would show is the runtime's word for this program. */
static void rename_self(char *argv0)
{
    static const char name[] = "mxc-init";
    size_t n = strlen(argv0);

    if (n >= sizeof(name))
        memset(argv0 + sizeof(name), 0, n - sizeof(name));
    memcpy(argv0, name, n < sizeof(name) ? n : sizeof(name));
}

int launch_arrive(char *argv0, struct err *e)
{
    if (getpid() != 1)
        return err_set(e, ERR_BACKEND_ERROR,
                       "the runtime did not make this the first process of a "
                       "namespace");
    for (int fd = 0; fd < 3; fd++)
        if (dup2(LAUNCH_STDIO_FD + fd, fd) < 0)
            return err_sys(e, "dup2(2)", errno, "cannot take the streams");
    if (chdir("/") < 0)
        return err_sys(e, "chdir(2)", errno, "cannot stand in the root");
    rename_self(argv0);
    return 0;
}

static int wrong(struct err *e, const struct step *s, const char *what)
{
    err_set(e, ERR_BACKEND_ERROR, "the runtime did not mount '%s': %s", s->path,
            what);
    return err_hint(e,
                    "nothing was run; when a path was replaced meanwhile, "
                    "try again; when it was since a session was made, make it "
                    "anew");
}

/* A writable grant below must stay so when a read-only one is sealed. */
static bool has_writable_below(const struct plan_view *plan, const char *path)
{
    size_t n = strlen(path);

    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (s.kind == STEP_BIND && !(s.flags & STEP_READONLY) &&
            strncmp(s.path, path, n) == 0 && s.path[n] == '/')
            return true;
    }
    return false;
}

/* The mount at fd, with what lies below where that is safe to say: what the
 * host has mounted inside a granted directory has come along. */
static int set_flags(const struct plan_view *plan, const struct step *s, int fd)
{
    uint64_t attr = MXC_ATTR_NOSUID | MXC_ATTR_NODEV;
    int r;

    if (s->flags & STEP_NOEXEC)
        attr |= MXC_ATTR_NOEXEC;
    r = mount_set(fd, attr, 1);
    if (r == 0 && s->flags & STEP_READONLY)
        r = mount_set(fd, MXC_ATTR_RDONLY, !has_writable_below(plan, s->path));
    return r;
}

static int check_bind(const struct view *v, const struct plan_view *plan,
                      const struct step *s, struct err *e)
{
    scoped(drop_fd) int fd = view_open(v, s->path, O_PATH);
    struct stat st;
    int r;

    if (fd < 0)
        return view_fail(e, "openat2(2)", fd, s);
    if (fstat(fd, &st) < 0)
        return view_fail(e, "fstat(2)", -errno, s);
    if (s->num[1] &&
        ((uint64_t)st.st_dev != s->num[0] || (uint64_t)st.st_ino != s->num[1]))
        return wrong(e, s, "it is another object than the one looked at");
    /* EINVAL: nothing is mounted there (mount_setattr(2)). */
    r = set_flags(plan, s, fd);
    if (r == -EINVAL)
        return wrong(e, s, "nothing is mounted there");
    return r < 0 ? view_fail(e, "mount_setattr(2)", r, s) : 0;
}

static int check_device(const struct view *v, const struct step *s,
                        struct err *e)
{
    scoped(drop_fd) int fd = view_open(v, s->path, O_PATH);
    struct stat st;
    int r;

    if (fd == -ENOENT && s->flags & STEP_OPTIONAL)
        return 0;
    if (fd < 0)
        return view_fail(e, "openat2(2)", fd, s);
    if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode))
        return wrong(e, s, "it is no device");
    r = mount_set(fd, MXC_ATTR_RDONLY | MXC_ATTR_NOSUID | MXC_ATTR_NOEXEC, 0);
    return r < 0 ? view_fail(e, "mount_setattr(2)", r, s) : 0;
}

/* Some runtimes cover parts of a new /proc; what policy covers comes later, and
 * settings are to be made before. */
static int uncover_proc(const struct view *v, const struct step *s,
                        struct err *e)
{
    static const char *const parts[] = { "sys", "sysrq-trigger", "irq", "bus" };
    scoped(drop_fd) int fd = view_open(v, s->path, O_PATH | O_DIRECTORY);
    char self[4];

    if (fd < 0)
        return view_fail(e, "openat2(2)", fd, s);
    if (readlinkat(fd, "self", self, sizeof(self)) != 1 || self[0] != '1')
        return wrong(e, s, "it is not that of the sandbox's processes");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        char path[64];

        /* EINVAL: it is not covered; ENOENT: this kernel has none. */
        (void)snprintf(path, sizeof(path), "/proc/%s", parts[i]);
        if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 &&
            errno != EINVAL && errno != ENOENT)
            return view_fail(e, "umount2(2)", -errno, s);
    }
    return 0;
}

/* To be sealed with the rest; not, by mistake, a directory of the host's. */
static int check_hollow(struct view *v, const struct step *s, struct err *e)
{
    scoped(drop_fd) int fd = view_open(v, s->path, O_RDONLY | O_DIRECTORY);
    struct statfs fs;
    int r;

    v->has_hollow = true;
    if (fd < 0)
        return view_fail(e, "openat2(2)", fd, s);
    if (fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC)
        return wrong(e, s, "it is no private directory");
    r = mount_set(fd, MXC_ATTR_NOSUID | MXC_ATTR_NODEV | MXC_ATTR_NOEXEC, 0);
    return r < 0 ? view_fail(e, "mount_setattr(2)", r, s) : 0;
}

int launch_take_step(struct view *v, const struct plan_view *plan,
                     const struct step *s, struct err *e)
{
    switch ((int)s->kind) {
    case STEP_DIR:
        return 0;
    case STEP_BIND:
        return check_bind(v, plan, s, e);
    case STEP_DEVICE:
        return check_device(v, s, e);
    case STEP_PROC:
        return uncover_proc(v, s, e);
    case STEP_HOLLOW:
        return check_hollow(v, s, e);
    default:
        return view_apply(v, s, e);
    }
}

/* The copy-on-write root of an image; what it may hold was said where its
 * upper part was made.  Its symlinks are anybody's: nothing is made there by
 * a path that follows one, as beyond a hollow. */
static int take_image(struct view *v, struct err *e)
{
    struct statfs fs;
    int r;

    v->has_hollow = true;
    if (fstatfs(v->root, &fs) < 0 || fs.f_type != OVERLAYFS_SUPER_MAGIC)
        return err_set(e, ERR_BACKEND_ERROR,
                       "the runtime did not make the image's root");
    r = mount_set(v->root, MXC_ATTR_NOSUID | MXC_ATTR_NODEV, 0);
    return r < 0 ? err_sys(e, "mount_setattr(2)", -r, "cannot seal the root")
                 : 0;
}

int launch_take_root(struct view *v, const struct step *root, struct err *e)
{
    int r;

    v->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    v->is_attached = true;
    if (v->root < 0)
        return err_sys(e, "open(2)", errno, "cannot open the root");
    if (v->has_image)
        return take_image(v, e);
    r = mount_limit(v->root, root->num[0], root->num[1]);
    return r < 0
               ? err_sys(e, "fsconfig(2)", -r, "cannot limit the private root")
               : 0;
}
