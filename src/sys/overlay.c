/* overlay.c - see overlay.h. */
#include "sys/overlay.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
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
static int overlay_here(const char *lower)
{
    const char *const opts[] = { "lowerdir",  lower,     "upperdir",
                                 "up",        "workdir", "work",
                                 "userxattr", NULL,      NULL };

    return mount_new("overlay", opts, MXC_ATTR_NOSUID | MXC_ATTR_NODEV);
}

int overlay_new(int place, const char *lower)
{
    int mnt;

    if (fchdir(place) < 0)
        return -errno;
    mnt = overlay_here(lower);
    if (chdir("/") == 0)
        return mnt;
    if (mnt >= 0)
        (void)close(mnt);
    return -errno;
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
        a->r = overlay_here(a->lower);
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
