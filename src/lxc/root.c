/* root.c - the container's root: an overlay of the image, and in it what the
 * plan mounts.
 *
 * Built before it is attached anywhere, in the mount namespace where the
 * host's paths are still seen; then put below a /run of our own, so that
 * whatever liblxc writes is written to memory. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/compat.h"
#include "container/container.h"
#include "launch/launch.h"
#include "launch/proto.h"
#include "lxc/lxc.h"
#include "sys/mounts.h"

#define UPPER "/run/upper"
#define WORK  "/run/work"
#define DEV   "/run/dev"

/* The image that was looked at, and still in the store: who removes it asks
 * for the lock that is taken here. */
static int hold_image(const struct step *s, int *root, struct err *e)
{
    scoped(drop_fd) int tree =
        open(s->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int seal =
        tree < 0 ? -1 : openat(tree, "seal", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat held, now;

    /* The seal stays open, and locked, until we end. */
    if (seal < 0 || flock(seal, LOCK_SH | LOCK_NB) < 0 ||
        fstat(tree, &held) < 0 || lstat(s->path, &now) < 0)
        return err_sys(e, "open(2)", errno, "cannot hold the image");
    if ((uint64_t)held.st_dev != s->num[0] ||
        (uint64_t)held.st_ino != s->num[1] || now.st_ino != held.st_ino ||
        now.st_dev != held.st_dev) {
        err_set(e, ERR_BACKEND_ERROR,
                "the image was replaced while the container was being set up");
        return err_hint(e, "nothing was run; try again");
    }
    *root = openat(tree, "root", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *root < 0 ? err_sys(e, "openat(2)", errno, "cannot open the image")
                     : 0;
}

/* Where what is written of the root goes. */
struct upper {
    int upper, work; /* of a container that is kept; -1: into memory */
};

static void drop_upper(struct upper *u)
{
    drop_fd(&u->upper);
    drop_fd(&u->work);
}

/* The directory that the supervisor holds, by its path: overlayfs takes none of
 * another mount namespace. */
static int open_kept(const struct step *s, struct upper *out, struct err *e)
{
    char path[PATH_MAX];
    struct upper u = { .upper = -1, .work = -1 };
    scoped(drop_fd) int dir = -1;
    struct stat held, here;

    (void)snprintf(path, sizeof(path), "%s%s", s->path,
                   s->text_len ? "" : CONTAINER_NEW);
    dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 || fcntl(RUNTIME_KEPT_FD, F_SETFD, FD_CLOEXEC) < 0 ||
        fstat(RUNTIME_KEPT_FD, &held) < 0 || fstat(dir, &here) < 0)
        return err_sys(e, "open(2)", errno, "cannot open the container");
    if (held.st_dev != here.st_dev || held.st_ino != here.st_ino)
        return err_set(e, ERR_BACKEND_ERROR,
                       "the container was replaced while it was being set up");
    u.upper =
        openat(dir, "upper", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    u.work = openat(dir, "work", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (u.upper < 0 || u.work < 0) {
        err_sys(e, "openat(2)", errno, "the container is damaged");
        drop_upper(&u);
        return -1;
    }
    *out = u;
    return 0;
}

/* A place for the mount, and for what may be written where that is in memory:
 * it goes with its last mount. */
static int mount_upper(const struct step *root, struct err *e)
{
    char options[96];

    (void)snprintf(
        options, sizeof(options), "mode=0755,size=%llu,nr_inodes=%llu",
        (unsigned long long)root->num[0], (unsigned long long)root->num[1]);
    if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, options) < 0 ||
        mkdir(UPPER, 0755) < 0 || mkdir(WORK, 0755) < 0 ||
        mkdir(DEV, 0755) < 0 || mkdir(LXC_ROOT, 0755) < 0)
        return err_sys(e, "mount(2)", errno, "cannot make room for the root");
    return 0;
}

static int no_overlay(const struct upper *u, int sys, struct err *e)
{
    if (u->upper >= 0) {
        err_sys(e, "mount(2)", sys,
                "cannot make a copy-on-write root with what is kept of the "
                "container");
        return err_hint(e, "the filesystem that it is on must be fit for "
                           "overlayfs: ext4, xfs, btrfs; not NFS, not another "
                           "overlay");
    }
    err_sys(e, "mount(2)", sys, "cannot make a copy-on-write root");
    return err_hint(e, "overlayfs in a user namespace needs Linux 5.11 or "
                       "later; the backend 'native' needs none");
}

/* Detached mounts of the whole and of what becomes /dev, which is in memory,
 * that of the root where it is there too: one ceiling for all that is written.
 * /run is the host's again. */
static int mount_overlay(const struct step *top, int image,
                         const struct upper *u, int *out, int *dev,
                         struct err *e)
{
    char options[160];
    int r;

    if (mount_upper(top, e) < 0)
        return -1;
    if (u->upper >= 0)
        (void)snprintf(options, sizeof(options),
                       "lowerdir=/proc/self/fd/%d,upperdir=/proc/self/fd/%d,"
                       "workdir=/proc/self/fd/%d,userxattr",
                       image, u->upper, u->work);
    else
        (void)snprintf(options, sizeof(options),
                       "lowerdir=/proc/self/fd/%d,upperdir=" UPPER
                       ",workdir=" WORK ",userxattr",
                       image);
    if (mount("overlay", LXC_ROOT, "overlay", MS_NOSUID | MS_NODEV, options) <
        0)
        return no_overlay(u, errno, e);
    r = mount_clone_path(LXC_ROOT);
    if (r < 0)
        return err_sys(e, "open_tree(2)", -r, "cannot take the root");
    *out = r;
    r = mount_clone_path(DEV);
    if (r < 0)
        return err_sys(e, "open_tree(2)", -r, "cannot take /dev");
    *dev = r;
    if (umount2("/run", MNT_DETACH) < 0)
        return err_sys(e, "umount2(2)", errno, "cannot leave /run");
    return 0;
}

/* A directory of the image, not a way out of it. */
static int check_dir(const struct view *v, const char *path, struct err *e)
{
    scoped(drop_fd) int fd = view_open(v, path, O_PATH | O_DIRECTORY);

    if (fd >= 0)
        return 0;
    err_sys(e, "openat2(2)", -fd, "'%s' of the image is no directory", path);
    e->code = ERR_POLICY_VALIDATION;
    return err_hint(e, "an image needs none there, or a real one");
}

/* Over the image's, so that nothing of that is in it. */
static int make_dev(struct view *v, int dev, struct err *e)
{
    scoped(drop_fd) int at = view_open(v, "/dev", O_PATH | O_DIRECTORY);
    int r = mount_set(dev, MXC_ATTR_NOSUID | MXC_ATTR_NOEXEC, 0);

    if (r == 0)
        r = at < 0 ? at : view_attach(v, dev, at);
    return r < 0 ? err_sys(e, "move_mount(2)", -r, "cannot make /dev") : 0;
}

static int make_dir(struct view *v, const struct step *s, int dev,
                    struct err *e)
{
    bool is_dev = strcmp(s->path, "/dev") == 0;

    if (view_apply(v, s, e) < 0)
        return -1;
    if (!is_dev && strcmp(s->path, "/proc") != 0)
        return 0;
    if (check_dir(v, s->path, e) < 0)
        return -1;
    return is_dev ? make_dev(v, dev, e) : 0;
}

/* Who the machine is, is not the image's to say; who its users are, is. */
static int make_file(struct view *v, const struct step *s, struct err *e)
{
    static const char *const ours[] = { "/etc/hostname", "/etc/hosts",
                                        "/etc/resolv.conf", "/etc/machine-id" };
    scoped(drop_fd) int etc = -1;

    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        if (strcmp(s->path, ours[i]) != 0)
            continue;
        etc = view_open(v, "/etc", O_PATH | O_DIRECTORY);
        if (etc >= 0 && unlinkat(etc, ours[i] + 5, 0) < 0 && errno != ENOENT)
            return err_sys(e, "unlinkat(2)", errno, "cannot replace '%s'",
                           s->path);
        return view_apply(v, s, e);
    }
    return 0;
}

static int make_step(struct view *v, const struct step *s, int dev,
                     struct err *e)
{
    switch ((int)s->kind) {
    case STEP_DIR:
        return make_dir(v, s, dev, e);
    case STEP_FILE:
        return make_file(v, s, e);
    case STEP_SYMLINK:
        /* By path, which is safe in the /dev that is ours. */
        return strncmp(s->path, "/dev/", 5) == 0 ? view_apply(v, s, e) : 0;
    case STEP_BIND:
    case STEP_DEVICE:
    case STEP_HOLLOW:
        return view_apply(v, s, e);
    default:
        return 0; /* the launcher's business, or LXC's */
    }
}

static int attach(const struct view *v, struct err *e)
{
    static const char *const dirs[] = { LXC_ROOT, LXC_STATE, LXC_MOUNT };
    int r;

    if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "mode=0755,size=4m,nr_inodes=256") < 0)
        return err_sys(e, "mount(2)", errno, "cannot make a /run of our own");
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        if (mkdir(dirs[i], 0755) < 0)
            return err_sys(e, "mkdir(2)", errno, "cannot make '%s'", dirs[i]);
    r = mount_attach_at(v->root, AT_FDCWD, LXC_ROOT);
    return r < 0 ? err_sys(e, "move_mount(2)", -r, "cannot attach the root")
                 : 0;
}

static bool find_step(const struct plan_view *plan, enum step_kind kind,
                      struct step *out)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        *out = plan_step(plan, i);
        if (out->kind == kind)
            return true;
    }
    return false;
}

static int make_steps(const struct plan_view *plan, struct view *v, int dev,
                      struct err *e)
{
    for (size_t i = 1; i < plan->head.nsteps; i++) {
        const struct step s = plan_step(plan, i);

        if (make_step(v, &s, dev, e) < 0)
            return -1;
    }
    return 0;
}

/* Its workloads may have left anything where the view is made. */
static int in_the_way(struct err *e)
{
    if (!e->hint[0])
        err_hint(e, "what the container's own runs wrote may be in the way: "
                    "`mxc container rm` removes it with all of that");
    return -1;
}

int lxc_make_root(const struct plan_view *plan, struct err *e)
{
    struct view v = { .root = -1,
                      .void_dir = -1,
                      .void_file = -1,
                      .strangers = -1,
                      .has_image = true,
                      .has_hollow = true };
    const struct step top = plan_step(plan, 0);
    scoped(drop_upper) struct upper upper = { .upper = -1, .work = -1 };
    scoped(drop_fd) int image = -1;
    scoped(drop_fd) int dev = -1;
    struct step s;
    bool is_kept;

    if (!find_step(plan, STEP_IMAGE, &s))
        return err_set(e, ERR_BACKEND_ERROR, "the plan has no image");
    if (hold_image(&s, &image, e) < 0)
        return -1;
    is_kept = find_step(plan, STEP_KEPT, &s);
    if (is_kept && open_kept(&s, &upper, e) < 0)
        return -1;
    if (mount_overlay(&top, image, &upper, &v.root, &dev, e) < 0)
        return -1;
    if (make_steps(plan, &v, dev, e) < 0)
        return is_kept ? in_the_way(e) : -1;
    return attach(&v, e);
}
