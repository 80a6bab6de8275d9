/* overlay.c - see overlay.h. */
#include "sys/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/scoped.h"
#include "sys/mounts.h"
#include "sys/userns.h"

enum { CHILD_STACK = 12 * 1024 };

struct attempt {
    int place;
    const char *lower;
    uint32_t uid, gid;
    int r;
};

/* By relative names, which hold none of what the options of an overlay would
 * take for an end. */
static int overlay_here(const char *lower, uint64_t attr)
{
    const char *const opts[] = { "lowerdir",  lower,     "upperdir",
                                 "up",        "workdir", "work",
                                 "userxattr", NULL,      NULL };

    return mount_new("overlay", opts, MXC_ATTR_NOSUID | MXC_ATTR_NODEV | attr);
}

static int overlay_at(int place, const char *lower, uint64_t attr)
{
    int mnt;

    if (fchdir(place) < 0)
        return -errno;
    mnt = overlay_here(lower, attr);
    if (chdir("/") == 0)
        return mnt;
    if (mnt >= 0)
        (void)close(mnt);
    return -errno;
}

int overlay_new(int place, const char *lower)
{
    return overlay_at(place, lower, 0);
}

/* On the root, where no path leads to it, and its descriptor does: an overlay
 * takes its parts from the mount namespace alone. */
int overlay_memory(uint64_t bytes, uint64_t inodes)
{
    char size[32], count[32];
    const char *const opts[] = { "size", size,   "nr_inodes", count,
                                 "mode", "0700", NULL,        NULL };
    scoped(drop_fd) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    scoped(drop_fd) int mnt = -1;
    int r;

    (void)snprintf(size, sizeof(size), "%" PRIu64, bytes);
    (void)snprintf(count, sizeof(count), "%" PRIu64, inodes);
    if (root < 0)
        return -errno;
    mnt = mount_new("tmpfs", opts, MXC_ATTR_NOSUID | MXC_ATTR_NODEV);
    if (mnt < 0)
        return mnt;
    r = mount_attach(mnt, root);
    return r < 0 ? r : take_fd(&mnt);
}

static int overlay_on(int place, int lower)
{
    scoped(drop_fd) int copy = mount_clone(lower, 1);
    scoped(drop_fd) int at = -1;
    struct statvfs fs;
    struct stat st;
    int r;

    if (copy < 0)
        return copy;
    /* An overlay is a new mount: what the host does not execute from there the
     * sandbox does not either. */
    if (fstatvfs(lower, &fs) < 0 || fstat(lower, &st) < 0 ||
        mkdirat(place, "low", 0700) < 0 ||
        mkdirat(place, "up", st.st_mode & 07777) < 0 ||
        mkdirat(place, "work", 0700) < 0)
        return -errno;
    at = openat(place, "low", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return -errno;
    r = mount_attach(copy, at);
    return r < 0 ? r
                 : overlay_at(place, "low",
                              fs.f_flag & ST_NOEXEC ? MXC_ATTR_NOEXEC : 0);
}

int overlay_in_memory(int memory, const char *name, int lower)
{
    scoped(drop_fd) int place = -1;

    if (mkdirat(memory, name, 0700) < 0)
        return -errno;
    place = openat(memory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return place < 0 ? -errno : overlay_on(place, lower);
}

/* The overlays hold what they need of it. */
int overlay_leave(int memory)
{
    return fchdir(memory) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0
               ? -errno
               : 0;
}

/* Shares the caller's memory and stops it meanwhile: only system calls.  It
 * stands in the place before the namespace is made, which takes it along: the
 * descriptor is of the caller's mounts, and those are none of the child's. */
static int attempt_main(void *arg)
{
    struct attempt *a = arg;
    const char *op;

    a->r = fchdir(a->place) < 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0
               ? -errno
               : userns_map(a->uid, a->uid, a->gid, a->gid, &op);
    if (a->r == 0)
        a->r = overlay_here(a->lower, 0);
    return 0;
}

int overlay_try(int place, const char *lower)
{
    char stack[CHILD_STACK] __attribute__((aligned(16)));
    struct attempt a = { place, lower, geteuid(), getegid(), -EIO };
    sigset_t all, old;
    pid_t pid;

    /* No handler of the caller's shall run in the child. */
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &old);
    /* Without a signal at its end: no other waitpid(2) gets it. */
    pid =
        clone(attempt_main, stack + sizeof(stack), CLONE_VM | CLONE_VFORK, &a);
    if (pid < 0)
        a.r = -errno;
    else
        while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
            continue;
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
    return a.r < 0 ? a.r : 0;
}
