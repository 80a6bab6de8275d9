/* runsc_start.c - runsc in the place of the workload: see runsc.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compat.h"
#include "launch/runsc.h"
#include "sys/seccomp_load.h"

/* What runsc wants of its own user namespace: views, chroot and ids for its
 * parts, what its gofer serves files with, and ptrace for the sentry. */
#define RUNSC_CAPS                                                             \
    (1ull << CAP_SYS_ADMIN | 1ull << CAP_SYS_CHROOT | 1ull << CAP_SETUID |     \
     1ull << CAP_SETGID | 1ull << CAP_SETPCAP | 1ull << CAP_SYS_PTRACE |       \
     1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE |                            \
     1ull << CAP_DAC_READ_SEARCH | 1ull << CAP_FOWNER | 1ull << CAP_FSETID |   \
     1ull << CAP_SETFCAP)

#define STATE "/state"
#define LOG   STATE "/log"
#define PID   STATE "/pid"
#define PANIC STATE "/panic"

/* The first is the status with which it says that it failed itself. */
enum { FAILED_STATUS = 128, WORKLOAD_NOT_FOUND = 127, NOT_EXECUTABLE = 126 };

enum { WORDS_MAX = 256 << 10 };

struct failure {
    const char *op;
    int sys;
};

struct work {
    const struct sock_filter *filter;
    size_t filter_len;
    const char *cwd;
    const char *name; /* argv[0] */
    const char *path; /* PATH of its environment */
    bool has_network;
};

static struct work describe(const struct plan_view *plan)
{
    struct work w = { .cwd = "/",
                      .name = "",
                      .path = "",
                      .has_network = plan_count(plan, STEP_RULES) > 0 };
    bool has_name = false;

    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (s.kind == STEP_FILTER) {
            w.filter = (const void *)s.text;
            w.filter_len = s.text_len / sizeof(*w.filter);
        }
        if (s.kind == STEP_CWD)
            w.cwd = s.path;
        if (s.kind == STEP_ARG && !has_name) {
            w.name = s.text;
            has_name = true;
        }
        if (s.kind == STEP_ENV && strncmp(s.text, "PATH=", 5) == 0)
            w.path = s.text + 5;
    }
    return w;
}

/* In the view as the workload will see it: a link's root is the view's. */
static int open_inside(int dir, const char *path, uint64_t flags)
{
    const struct mxc_open_how how = { .flags = flags | O_CLOEXEC,
                                      .resolve = MXC_RESOLVE_IN_ROOT |
                                                 MXC_RESOLVE_NO_MAGICLINKS };
    int fd = (int)syscall(__NR_openat2, dir, path, &how, sizeof(how));

    return fd < 0 ? -errno : fd;
}

/* Why it cannot be executed, or 0.  A script without "#!" only a shell can
 * take, and runsc asks none. */
static int judge(int fd)
{
    char head[4] = "";
    char path[32];
    scoped(drop_fd) int again = -1;
    struct stat st;

    if (fstat(fd, &st) < 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return EACCES;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (faccessat(AT_FDCWD, path, X_OK, 0) < 0)
        return errno;
    again = open(path, O_RDONLY | O_CLOEXEC);
    if (again < 0 || read(again, head, sizeof(head)) < 2)
        return again < 0 ? 0 : ENOEXEC;
    return memcmp(head, "#!", 2) == 0 || memcmp(head, "\177ELF", 4) == 0
               ? 0
               : ENOEXEC;
}

static int judge_path(int view, const char *dir, size_t n, const char *name)
{
    char full[4096];
    scoped(drop_fd) int fd = -1;

    if ((size_t)snprintf(full, sizeof(full), "%.*s/%s", (int)n, dir, name) >=
        sizeof(full))
        return ENAMETOOLONG;
    fd = open_inside(view, full, O_PATH);
    return fd < 0 ? -fd : judge(fd);
}

/* The same search as gVisor's, for a better word than it has. */
static int search(int view, const struct work *w)
{
    int why = ENOENT;

    if (w->name[0] == '/')
        return judge_path(view, "", 0, w->name);
    if (strchr(w->name, '/'))
        return judge_path(view, w->cwd, strlen(w->cwd), w->name);
    for (const char *dir = w->path; dir;) {
        size_t n = strcspn(dir, ":");
        int sys = n ? judge_path(view, dir, n, w->name) : ENOENT;

        if (sys == 0)
            return 0;
        if (sys != ENOENT && sys != ENOTDIR)
            why = sys;
        dir = dir[n] ? dir + n + 1 : NULL;
    }
    return why;
}

/* gVisor makes a directory to start in that is not there, on the host too. */
static int check_start(const struct work *w, int *status, struct err *e)
{
    scoped(drop_fd) int view = open("/view", O_PATH | O_DIRECTORY | O_CLOEXEC);
    scoped(drop_fd) int cwd = open_inside(view, w->cwd, O_PATH | O_DIRECTORY);
    int sys;

    *status = 0;
    if (cwd < 0) {
        err_sys(e, "open(2)", -cwd, "cannot start in '%s'", w->cwd);
        return err_hint(e, "the directory must exist inside the sandbox: "
                           "grant it, or choose another with --cwd");
    }
    sys = search(view, w);
    if (sys == 0)
        return 0;
    *status = sys == ENOENT ? WORKLOAD_NOT_FOUND : NOT_EXECUTABLE;
    if (sys != ENOENT)
        return err_sys(e, "execve(2)", sys, "cannot execute '%s'", w->name);
    err_sys(e, "execve(2)", sys, "command '%s' not found in the sandbox",
            w->name);
    return err_hint(e, "it may exist outside: grant its directory "
                       "(--ro DIR), or all of PATH (--tools)");
}

/* What it may do it may do to its own namespaces alone: the network and the
 * processes are not below its user namespace. */
static int enter_userns(int userns, const char **op)
{
    *op = "setns(2)";
    if (setns(userns, CLONE_NEWUSER) < 0)
        return -errno;
    *op = "unshare(2)";
    if (unshare(CLONE_NEWNS) < 0)
        return -errno;
    *op = "prctl(2)";
    for (unsigned long cap = 0; cap < 64; cap++)
        if (!(RUNSC_CAPS >> cap & 1) &&
            prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
            return -errno;
    return 0;
}

static int exec_runsc(const struct work *w)
{
    static char none[] = "--network=none", own[] = "--network=host";
    static char flags[][24] = { "runsc",
                                "--rootless",
                                "--platform=ptrace",
                                "--ignore-cgroups",
                                "--file-access=shared",
                                "--overlay2=none",
                                "--root=" RUNSC_STATE,
                                "--log=" RUNSC_LOG,
                                "--panic-log=" RUNSC_PANIC },
                more[][24] = { "run", "--bundle=/bundle",
                               "--pid-file=" RUNSC_PID, "sandbox" };
    char *argv[ARRAY_LEN(flags) + ARRAY_LEN(more) + 2];
    char *const envp[] = { NULL };
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        argv[n++] = flags[i];
    argv[n++] = w->has_network ? own : none;
    for (size_t i = 0; i < ARRAY_LEN(more); i++)
        argv[n++] = more[i];
    argv[n] = NULL;
    (void)execve("/runsc", argv, envp);
    return -errno;
}

/* Until the sentry passes them on to the workload it would die of them; its
 * listening to one unblocks it (Go's os/signal). */
static void hold_signals(void)
{
    static const int held[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                SIGUSR1, SIGUSR2, SIGALRM, SIGTSTP };
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(held); i++)
        (void)sigaddset(&set, held[i]);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
}

static struct failure child(const struct work *w, int userns,
                            const struct streams *s)
{
    const char *op;
    int r, unused;

    if (setsid() < 0)
        return (struct failure){ "setsid(2)", errno };
    for (int i = 0; i < 3; i++)
        if (dup2(s->fd[i], i) < 0)
            return (struct failure){ "dup2(2)", errno };
    r = enter_userns(userns, &op);
    if (r < 0)
        return (struct failure){ op, -r };
    (void)umask(022);
    hold_signals();
    r = seccomp_enforce(w->filter, w->filter_len, false, &unused);
    if (r < 0)
        return (struct failure){ "seccomp(2)", -r };
    return (struct failure){ "execve(2)", -exec_runsc(w) };
}

static int cannot_start(struct err *e, const char *op, int sys)
{
    err_sys(e, op, sys, "cannot start gVisor");
    return err_hint(e, "`runsc do true` tells whether it works here; "
                       "containment 'native' needs no runsc");
}

/* A process of its own, not as the workload a guest in init's memory: who
 * shares it cannot enter a user namespace (setns(2)). */
static int spawn(const struct work *w, int userns, const struct streams *s,
                 pid_t *pid, struct err *e)
{
    struct failure f = { NULL, 0 };
    scoped(drop_fd) int said = -1;
    int pair[2];
    ssize_t n;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return cannot_start(e, "pipe2(2)", errno);
    said = pair[0];
    *pid = fork();
    if (*pid == 0) {
        f = child(w, userns, s);
        n = write(pair[1], &f, sizeof(f));
        _exit(n == (ssize_t)sizeof(f) ? 1 : 2);
    }
    (void)close(pair[1]);
    if (*pid < 0)
        return cannot_start(e, "fork(2)", errno);
    do
        n = read(said, &f, sizeof(f));
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return 0;
    (void)waitpid(*pid, NULL, 0);
    return cannot_start(e, f.op ? f.op : "read(2)", f.sys);
}

int runsc_start(const struct plan_view *plan, int userns, struct streams *s,
                pid_t *pid, int *status, struct err *e)
{
    struct work w = describe(plan);

    if (check_start(&w, status, e) < 0 || streams_open(s, e) < 0)
        return -1;
    if (spawn(&w, userns, s, pid, e) < 0) {
        streams_close(s);
        return -1;
    }
    streams_close(s);
    return 0;
}
