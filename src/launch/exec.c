/* exec.c - from the sandbox's init to the workload.
 *
 * The child shares init's memory until it execs (CLONE_VM | CLONE_VFORK: no
 * page tables to copy, and the errno of a failed exec is simply there).  With
 * a broker it shares the descriptor table too, so that the filter's listener
 * appears in init's; the exec gives it a table of its own (execve(2)). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "launch/exec.h"
#include "sys/landlock.h"
#include "sys/seccomp_load.h"

enum { CHILD_STACK = 256 * 1024 };

struct child {
    const struct exec_args *args;
    int listener;
    const char *op; /* the call that failed, NULL: none */
    int sys;
};

static int child_fail(struct child *c, const char *op, int sys)
{
    c->op = op;
    c->sys = sys;
    return 1;
}

static int take_terminal(int tty)
{
    if (tty < 0)
        return 0;
    if (ioctl(tty, TIOCSCTTY, 0) < 0 || dup2(tty, 0) < 0 || dup2(tty, 1) < 0 ||
        dup2(tty, 2) < 0)
        return -errno;
    return 0;
}

/* A file that is no program the kernel knows: a script without "#!", as
 * execvp(3) has it. */
static void exec_script(const char *path, const struct exec_args *a)
{
    static const char *argv[EXEC_MAX_STRINGS + 2];
    size_t n = 0;

    argv[n++] = "/bin/sh";
    argv[n++] = path;
    for (size_t i = 1; a->argv[i] && n < ARRAY_LEN(argv) - 1; i++)
        argv[n++] = a->argv[i];
    argv[n] = NULL;
    (void)execve("/bin/sh", (char *const *)(const void *)argv, a->envp);
}

static int exec_at(const char *path, const struct exec_args *a)
{
    (void)execve(path, a->argv, a->envp);
    if (errno == ENOEXEC)
        exec_script(path, a);
    return errno;
}

/* Look the program up in the sandbox's own PATH.  Returns why it failed. */
static int exec_search(const struct exec_args *a)
{
    const char *name = a->argv[0], *dir = a->path;
    int why = ENOENT;

    if (a->program >= 0) {
        (void)syscall(__NR_execveat, a->program, "", a->argv, a->envp,
                      AT_EMPTY_PATH);
        return errno;
    }
    if (strchr(name, '/'))
        return exec_at(name, a);
    while (dir) {
        size_t n = strcspn(dir, ":");
        char full[PATH_MAX];

        if (n > 0 && n + strlen(name) + 2 <= sizeof(full)) {
            int sys;

            memcpy(full, dir, n);
            full[n] = '/';
            memcpy(full + n + 1, name, strlen(name) + 1);
            sys = exec_at(full, a);
            if (sys != ENOENT && sys != ENOTDIR)
                why = sys;
        }
        dir = dir[n] ? dir + n + 1 : NULL;
    }
    return why;
}

/* Lower than init's own, which are the session's, or not at all. */
static int lower_limits(const struct plan_view *v)
{
    for (size_t i = 0; v && i < v->head.nsteps; i++) {
        struct step s = plan_step(v, i);
        struct rlimit r;

        if (s.kind != STEP_RLIMIT)
            continue;
        if (getrlimit((int)s.num[0], &r) < 0)
            return -errno;
        if (s.num[1] > r.rlim_max)
            return -EPERM;
        r.rlim_cur = r.rlim_max = s.num[1];
        if (setrlimit((int)s.num[0], &r) < 0)
            return -errno;
    }
    return 0;
}

/* Before the whole filter, which would not let another one be loaded.  The
 * whole one looks at the architecture; of two verdicts the stricter counts
 * (seccomp(2)). */
static int refuse_sockets(void)
{
    static const struct sock_filter no_sockets[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    return seccomp_enforce(no_sockets, ARRAY_LEN(no_sockets), false, NULL);
}

static int narrow(struct child *c)
{
    const struct exec_args *a = c->args;
    int r = a->ruleset < 0 ? 0 : landlock_enforce(a->ruleset);
    if (r < 0)
        return child_fail(c, "landlock_restrict_self(2)", -r);
    r = a->has_no_sockets ? refuse_sockets() : 0;
    return r < 0 ? child_fail(c, "seccomp(2)", -r) : 0;
}

static int child_main(void *arg)
{
    struct child *c = arg;
    const struct exec_args *a = c->args;
    sigset_t none;
    int r;

    /* A session of its own: no controlling terminal of the caller's. */
    if (setsid() < 0)
        return child_fail(c, "setsid(2)", errno);
    r = take_terminal(a->tty);
    if (r < 0)
        return child_fail(c, "ioctl(2)", -r);
    if (chdir(a->cwd) < 0)
        return child_fail(c, "chdir(2)", errno);
    (void)umask(022);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (narrow(c) != 0)
        return 1;
    /* Last: from here on only what the filter lets through. */
    r = seccomp_enforce(a->filter, a->filter_len, a->want_listener,
                        &c->listener);
    if (r < 0)
        return child_fail(c, "seccomp(2)", -r);
    /* After it: the filter's listener got a number in init's table, which has
     * more of them than a command may want. */
    r = lower_limits(a->limits);
    if (r < 0)
        return child_fail(c, "setrlimit(2)", -r);
    return child_fail(c, "execve(2)", exec_search(a));
}

static int explain(const struct exec_args *a, const struct child *c,
                   int *status, struct err *e)
{
    const char *name = a->argv[0];

    *status = 126;
    if (strcmp(c->op, "chdir(2)") == 0) {
        *status = 0;
        err_sys(e, c->op, c->sys, "cannot start in '%s'", a->cwd);
        return err_hint(e, "the directory must exist inside the sandbox: "
                           "grant it, or choose another with --cwd");
    }
    if (strcmp(c->op, "setrlimit(2)") == 0) {
        *status = 0;
        err_sys(e, c->op, c->sys, "a limit is higher than the session's");
        e->code = ERR_POLICY_VALIDATION;
        return err_hint(e, "a command may have less than its session, not "
                           "more");
    }
    if (strcmp(c->op, "execve(2)") != 0) {
        *status = 0;
        return err_sys(e, c->op, c->sys, "cannot prepare '%s'", name);
    }
    if (c->sys == ENOENT) {
        *status = 127;
        err_sys(e, c->op, c->sys, "command '%s' not found in the sandbox",
                name);
        return err_hint(e, "it may exist outside: grant its directory "
                           "(--ro DIR), or all of PATH (--tools)");
    }
    return err_sys(e, c->op, c->sys, "cannot execute '%s'", name);
}

int exec_workload(const struct exec_args *a, pid_t *pid, int *listener,
                  int *status, struct err *e)
{
    static char stack[CHILD_STACK] __attribute__((aligned(16)));
    struct child c = { .args = a, .listener = -1 };
    int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
    pid_t p;

    if (a->want_listener)
        flags |= CLONE_FILES;
    p = clone(child_main, stack + sizeof(stack), flags, &c);
    if (p < 0) {
        *status = 0;
        return err_sys(e, "clone(2)", errno, "cannot start the workload");
    }
    if (c.op) {
        if (c.listener >= 0)
            (void)close(c.listener);
        return explain(a, &c, status, e);
    }
    *pid = p;
    *listener = c.listener;
    return 0;
}
