/* exec.c - from the sandbox's init to the workload.
 *
 * The child shares init's memory until it execs (CLONE_VM | CLONE_VFORK: no
 * page tables to copy, and the errno of a failed exec is simply there).  With
 * a broker it shares the descriptor table too, so that the filter's listener
 * appears in init's, and where it tries the walls, so that what it closes is
 * closed; the exec gives it a table of its own (execve(2)). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "launch/exec.h"

#include "base/limit.h"
#include "base/scoped.h"
#include "broker/broker.h"
#include "launch/verify.h"
#include "sys/landlock.h"
#include "sys/seccomp_filter.h"
#include "sys/seccomp_load.h"

enum { CHILD_STACK = 256 * 1024 };

/* In place of a call that failed. */
#define SELF_TEST "self-test"

struct child {
    const struct exec_args *args;
    const struct sock_filter *filter;
    uint64_t mark; /* of its execve(2), where the filter asks about each */
    int listener;
    const char *op; /* the call that failed, NULL: none */
    int sys;
    uint64_t limit; /* the resource that setrlimit(2) failed with */
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

/* Marked: init waits for it, and could not be asked (watched.h). */
static void own_exec(const struct child *c, const char *path, char *const *argv)
{
    (void)syscall(SYS_execve, path, argv, c->args->envp, 0, 0, c->mark);
}

/* A file that is no program the kernel knows: a script without "#!", as
 * execvp(3) has it. */
static void exec_script(const struct child *c, const char *path)
{
    static const char *argv[EXEC_MAX_STRINGS + 2];
    const struct exec_args *a = c->args;
    size_t n = 0;

    argv[n++] = "/bin/sh";
    argv[n++] = path;
    for (size_t i = 1; a->argv[i] && n < ARRAY_LEN(argv) - 1; i++)
        argv[n++] = a->argv[i];
    argv[n] = NULL;
    own_exec(c, "/bin/sh", (char *const *)(const void *)argv);
}

static int exec_at(const struct child *c, const char *path)
{
    const struct exec_args *a = c->args;

    /* It is init's memory too, and what fails is written over. */
    if (a->ran && strlen(path) < PATH_MAX)
        memcpy(a->ran, path, strlen(path) + 1);
    own_exec(c, path, a->argv);
    if (errno == ENOEXEC)
        exec_script(c, path);
    return errno;
}

/* Look the program up in the sandbox's own PATH.  Returns why it failed. */
static int exec_search(const struct child *c)
{
    const struct exec_args *a = c->args;
    const char *name = a->argv[0], *dir = a->path;
    int why = ENOENT;

    if (a->program >= 0) {
        (void)syscall(__NR_execveat, a->program, "", a->argv, a->envp,
                      AT_EMPTY_PATH);
        return errno;
    }
    if (strchr(name, '/'))
        return exec_at(c, name);
    while (dir) {
        size_t n = strcspn(dir, ":");
        char full[PATH_MAX];

        if (n > 0 && n + strlen(name) + 2 <= sizeof(full)) {
            int sys;

            memcpy(full, dir, n);
            full[n] = '/';
            memcpy(full + n + 1, name, strlen(name) + 1);
            sys = exec_at(c, full);
            if (sys != ENOENT && sys != ENOTDIR)
                why = sys;
        }
        dir = dir[n] ? dir + n + 1 : NULL;
    }
    return why;
}

/* Init has all others of the plan itself, and what it inherited beyond them is
 * the caller's ceiling, here too (launch_set_up_process). */
static int lower_files(struct child *c)
{
    const struct plan_view *v = c->args->sandbox;

    c->limit = RLIMIT_NOFILE;
    for (size_t i = 0; i < v->head.nsteps; i++) {
        struct step s = plan_step(v, i);
        struct rlimit r;

        if (s.kind != STEP_RLIMIT || s.num[0] != RLIMIT_NOFILE)
            continue;
        if (getrlimit(RLIMIT_NOFILE, &r) < 0)
            return -errno;
        if (s.num[1] < r.rlim_max)
            r.rlim_max = s.num[1];
        r.rlim_cur = r.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &r) < 0)
            return -errno;
    }
    return 0;
}

/* Lower than the sandbox's, or not at all. */
static int lower_limits(struct child *c)
{
    const struct plan_view *v = c->args->limits;

    for (size_t i = 0; v && i < v->head.nsteps; i++) {
        struct step s = plan_step(v, i);
        struct rlimit r;

        if (s.kind != STEP_RLIMIT)
            continue;
        c->limit = s.num[0];
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

/* The whole filter looks at the architecture; of two verdicts the stricter
 * counts, whichever was loaded first (seccomp(2)). */
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
    if (a->verify && verify_before(a->verify) < 0)
        return child_fail(c, SELF_TEST, 0);
    /* Last: from here on only what the filter lets through. */
    r = a->is_inherited ? 0
                        : seccomp_enforce(c->filter, a->filter_len,
                                          a->want_listener, &c->listener);
    if (r < 0)
        return child_fail(c, "seccomp(2)", -r);
    if (a->verify && verify_behind(a->verify) < 0)
        return child_fail(c, SELF_TEST, 0);
    /* After it, and after what the tries open: these get numbers in init's
     * table, which has more of them than a command may want. */
    r = lower_files(c);
    if (r == 0)
        r = lower_limits(c);
    if (r < 0)
        return child_fail(c, "setrlimit(2)", -r);
    if (a->verify && verify_limits(a->verify) < 0)
        return child_fail(c, SELF_TEST, 0);
    return child_fail(c, "execve(2)", exec_search(c));
}

/* It is there, and what executes it is not: the kernel says so of the file
 * (execve(2)). */
static bool lacks_interpreter(const struct exec_args *a, char out[PATH_MAX])
{
    scoped(drop_fd) int dir = open(a->cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return dir >= 0 && strchr(a->argv[0], '/') &&
           broker_interpreter(dir, a->argv[0], out) &&
           faccessat(dir, out, F_OK, 0) < 0;
}

/* Apart, for the size of its frame. */
static __attribute__((noinline)) int
explain_missing(const struct exec_args *a, const struct child *c, struct err *e)
{
    const char *name = a->argv[0];
    char interpreter[PATH_MAX];

    if (lacks_interpreter(a, interpreter)) {
        err_sys(e, c->op, c->sys,
                "command '%s' is there, and what executes it is not: '%.512s'",
                name, interpreter);
        return err_hint(e, "grant that too (--ro), or all of PATH (--tools)");
    }
    err_sys(e, c->op, c->sys, "command '%s' not found in the sandbox", name);
    return err_hint(e, "it may exist outside: grant its directory "
                       "(--ro DIR), or all of PATH (--tools)");
}

static int explain(const struct exec_args *a, const struct child *c,
                   int *status, struct err *e)
{
    const char *name = a->argv[0], *word = limit_word(c->limit);

    *status = 126;
    if (a->verify && strcmp(c->op, SELF_TEST) == 0) {
        *status = 0;
        *e = a->verify->err;
        return -1;
    }
    if (strcmp(c->op, "chdir(2)") == 0) {
        *status = 0;
        err_sys(e, c->op, c->sys, "cannot start in '%s'", a->cwd);
        return err_hint(e, "the directory must exist inside the sandbox: "
                           "grant it, or choose another with --cwd");
    }
    if (strcmp(c->op, "setrlimit(2)") == 0) {
        *status = 0;
        err_sys(e, c->op, c->sys, "limit '%s' is higher than the sandbox's",
                word ? word : "");
        e->code = ERR_POLICY_VALIDATION;
        return err_hint(e, "a command may have less than its sandbox, not "
                           "more");
    }
    if (strcmp(c->op, "execve(2)") != 0) {
        *status = 0;
        return err_sys(e, c->op, c->sys, "cannot prepare '%s'", name);
    }
    if (c->sys == ENOENT) {
        *status = 127;
        return explain_missing(a, c, e);
    }
    return err_sys(e, c->op, c->sys, "cannot execute '%s'", name);
}

/* The filter with a mark that nobody else knows: init cannot be read, and the
 * execve(2) clears the registers. */
static int mark_filter(struct child *c, struct err *e)
{
    static struct sock_filter own[SECCOMP_FILTER_MAX];
    const struct exec_args *a = c->args;

    if (getrandom(&c->mark, sizeof(c->mark), 0) != (ssize_t)sizeof(c->mark))
        return err_sys(e, "getrandom(2)", errno, "cannot report refusals");
    if (a->filter_len > ARRAY_LEN(own))
        return err_set(e, ERR_BACKEND_ERROR, "the filter is too long");
    memcpy(own, a->filter, a->filter_len * sizeof(own[0]));
    if (!seccomp_filter_mark(own, a->filter_len, c->mark))
        return err_set(e, ERR_BACKEND_ERROR,
                       "the filter does not ask about execve(2)");
    c->filter = own;
    return 0;
}

int exec_workload(const struct exec_args *a, pid_t *pid, int *listener,
                  int *status, struct err *e)
{
    static char stack[CHILD_STACK] __attribute__((aligned(16)));
    struct child c = { .args = a, .filter = a->filter, .listener = -1 };
    int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
    pid_t p;

    *status = 0;
    if (a->is_watched && mark_filter(&c, e) < 0)
        return -1;
    if (a->want_listener || a->verify)
        flags |= CLONE_FILES;
    p = clone(child_main, stack + sizeof(stack), flags, &c);
    if (p < 0)
        return err_sys(e, "clone(2)", errno, "cannot start the workload");
    if (c.op) {
        if (c.listener >= 0)
            (void)close(c.listener);
        return explain(a, &c, status, e);
    }
    *pid = p;
    *listener = c.listener;
    return 0;
}
