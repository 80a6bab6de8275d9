/* clone.c - see clone.h. */
#include "supervise/clone.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/compat.h"

enum { CHILD_STACK = 64 * 1024 };

/* clone(2) has no way to say the group, and with clone3(2) nobody but us would
 * give the child its stack where it shares our memory: it has a copy, and
 * `arg` alone is shared. */
static pid_t into_group(int (*fn)(void *), void *arg, size_t size,
                        uint64_t flags, int group, int *pidfd)
{
    struct clone_args c = { .flags = CLONE_VFORK | CLONE_PIDFD |
                                     CLONE_INTO_CGROUP | flags,
                            .pidfd = (uint64_t)(uintptr_t)pidfd,
                            .exit_signal = SIGCHLD,
                            .cgroup = (uint64_t)group };
    void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid;
    int sys;

    if (shared == MAP_FAILED)
        return -1;
    memcpy(shared, arg, size);
    pid = (pid_t)syscall(__NR_clone3, &c, sizeof(c));
    sys = errno;
    if (pid == 0)
        _exit(fn(shared));
    memcpy(arg, shared, size);
    (void)munmap(shared, size);
    errno = sys;
    return pid;
}

pid_t supervise_clone(int (*fn)(void *), void *arg, size_t size, int flags,
                      struct cgroup *group, int *pidfd)
{
    static char stack[CHILD_STACK] __attribute__((aligned(16)));
    const int dir = group->dir[CGROUP_V2];

    if (dir >= 0) {
        const pid_t pid =
            into_group(fn, arg, size, (uint32_t)flags, dir, pidfd);

        if (pid >= 0 || errno != ENOSYS)
            return pid;
        /* The filter of a container that we are in. */
        group->moves = true;
    }
    return clone(fn, stack + sizeof(stack),
                 CLONE_VM | CLONE_VFORK | CLONE_PIDFD | flags | SIGCHLD, arg,
                 pidfd);
}
