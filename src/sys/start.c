/* start.c - a program of ours, started from a process that is not.
 *
 * clone(2) and not fork(2): nothing of the caller's memory is copied, no
 * handler of pthread_atfork(3) runs, and the child takes only the descriptors
 * that it is given.
 *
 * Nor does it show as a child.  execve(2) makes every child send SIGCHLD at
 * its end, whatever clone(2) said, so the program is the child of a child that
 * is gone when start_program returns, and init or a subreaper buries it.  Where
 * init is a program that buries nobody (`sleep` in a container) the dead would
 * pile up: there, it is the caller's child after all. */
#include "sys/start.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/sanitizer.h"

enum { STACK = 64 * 1024 };

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* Its memory is the caller's, whose thread waits until the exec. */
struct child {
    const struct start *start;
    char *stack;
    int pidfd;
    pid_t pid;
    const char *op; /* what failed */
    int sys;
};

static int child_fail(struct child *c, const char *op)
{
    c->op = op;
    c->sys = errno;
    return 1;
}

/* A handler of the caller's must not run here; an ignored signal would stay
 * ignored behind the exec. */
static void reset_signals(void)
{
    const struct sigaction usual = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int i = 1; i < NSIG; i++) {
        struct sigaction is;

        if (sigaction(i, NULL, &is) == 0 && is.sa_handler != SIG_DFL)
            (void)sigaction(i, &usual, NULL);
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Only 0, 1, 2, ... stay.  In two steps: a source may lie where a target
 * is. */
static const char *place_fds(const struct start *s)
{
    int up[START_FDS];

    for (size_t i = 0; i < s->nfds; i++) {
        up[i] =
            s->fd[i] < 0 ? -1 : fcntl(s->fd[i], F_DUPFD_CLOEXEC, (int)s->nfds);
        if (s->fd[i] >= 0 && up[i] < 0)
            return "fcntl(2)";
    }
    for (size_t i = 0; i < s->nfds; i++) {
        if (up[i] < 0)
            (void)close((int)i);
        else if (dup2(up[i], (int)i) < 0)
            return "dup2(2)";
    }
    return syscall(__NR_close_range, (unsigned)s->nfds, ~0u, 0) < 0
               ? "close_range(2)"
               : NULL;
}

static int child_main(void *arg)
{
    static char *const envp[] = { NULL };
    struct child *c = arg;
    const char *op;

    reset_signals();
    if (c->start->own_session && setsid() < 0)
        return child_fail(c, "setsid(2)");
    if (c->start->is_bound && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return child_fail(c, "prctl(2)");
    op = place_fds(c->start);
    if (op)
        return child_fail(c, op);
    /* It does not write to them. */
    (void)execve(c->start->path, (char *const *)(uintptr_t)c->start->argv,
                 envp);
    return child_fail(c, "execve(2)");
}

/* Its child's pidfd is the caller's: they share descriptors.  SIGCHLD of its
 * own it has none, and what it had to say lies in *c. */
static int middle_main(void *arg)
{
    struct child *c = arg;

    c->pid =
        clone(child_main, c->stack + STACK,
              CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, c, &c->pidfd);
    if (c->pid < 0)
        return child_fail(c, "clone(2)");
    if (c->op) /* nobody else shall see it die */
        while (waitpid(c->pid, NULL, __WALL) < 0 && errno == EINTR)
            continue;
    return 0;
}

/* A bit of "SigCgt:\t0000000180010000" and the like. */
static bool has_bit(const char *status, const char *name, unsigned bit)
{
    const char *at = strstr(status, name);
    unsigned digit;

    if (!at)
        return true; /* cannot tell: as an init should be */
    at += strlen(name);
    if (strspn(at, "0123456789abcdef") != 16)
        return true;
    at += 15 - bit / 4;
    digit = (unsigned)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
    return digit >> bit % 4 & 1;
}

/* Does pid 1 do anything about SIGCHLD: catch it, wait for it blocked, or
 * ignore it, which buries as well (wait(2), NOTES)?  One with threads may have
 * one that waits. */
static bool init_buries(void)
{
    scoped(drop_fd) int fd = open("/proc/1/status", O_RDONLY | O_CLOEXEC);
    char status[4096];
    ssize_t n = fd >= 0 ? read(fd, status, sizeof(status) - 1) : 0;

    if (n <= 0)
        return true;
    status[n] = '\0';
    return !strstr(status, "\nThreads:\t1\n") ||
           has_bit(status, "\nSigCgt:\t", SIGCHLD - 1) ||
           has_bit(status, "\nSigBlk:\t", SIGCHLD - 1) ||
           has_bit(status, "\nSigIgn:\t", SIGCHLD - 1);
}

static void start_orphan(struct child *c)
{
    pid_t middle = clone(middle_main, c->stack + 2 * (ptrdiff_t)STACK,
                         CLONE_VM | CLONE_VFORK | CLONE_FILES, c);

    if (middle < 0) {
        (void)child_fail(c, "clone(2)");
        return;
    }
    while (waitpid(middle, NULL, __WALL) < 0 && errno == EINTR)
        continue;
}

static void start_child(struct child *c)
{
    c->pid =
        clone(child_main, c->stack + STACK,
              CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, c, &c->pidfd);
    if (c->pid < 0)
        (void)child_fail(c, "clone(2)");
    else if (c->op)
        while (waitpid(c->pid, NULL, __WALL) < 0 && errno == EINTR)
            continue;
}

int start_program(const struct start *s, int *pidfd, pid_t *pid, bool *is_child,
                  struct err *e)
{
    struct child c = { .start = s, .pidfd = -1 };
    const bool direct = s->is_bound || (!s->is_orphan && !init_buries());
    sigset_t all, before;

    c.stack =
        mmap(NULL, 2 * (size_t)STACK, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (c.stack == MAP_FAILED)
        return err_sys(e, "mmap(2)", errno, "cannot start '%s'", s->path);
    sanitizer_forget(c.stack, 2 * (size_t)STACK);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    if (direct)
        start_child(&c);
    else
        start_orphan(&c);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)munmap(c.stack, 2 * (size_t)STACK);
    if (c.op) {
        drop_fd(&c.pidfd);
        return err_sys(e, c.op, c.sys, "cannot start '%s'", s->path);
    }
    *pidfd = c.pidfd;
    *pid = c.pid;
    *is_child = direct;
    return 0;
}

void start_bury(int pidfd)
{
    siginfo_t info;

    /* Of a child: always.  Of an orphan: when the caller is init or a
     * subreaper itself; else there is nothing to wait for, and no end to wait
     * for either (ECHILD). */
    while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | __WALL) < 0 &&
           errno == EINTR)
        continue;
}
