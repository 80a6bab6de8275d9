/* runtime.c - a sandbox that another program makes: bwrap(1).
 *
 * It is started with the launcher's descriptors, which it passes on to the
 * launcher, its first process inside.  The workload's streams go around it, and
 * what it says on its standard error is kept for the case that it fails. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compat.h"
#include "launch/inside.h"
#include "launch/proto.h"
#include "supervise/clone.h"
#include "supervise/supervise.h"
#include "sys/userns.h"

/* Above every number that the child's descriptors get. */
enum { HIGH = 32, CHILD_STACK = 64 * 1024 };
enum { MAX_WORDS = 128, CHILD_FDS = RUNTIME_KEPT_FD + 1 };

/* Its own pid namespace: when it ends, or we do, the kernel kills all that it
 * has started, at whatever moment, and its end is told when they are gone. */
#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS)

struct child {
    const char *program;
    uint32_t uid, gid;
    char *argv[MAX_WORDS + 2];
    int fd[CHILD_FDS]; /* by the number that the child has it by; -1: none */
    struct cgroup *group;
    const char *op;
    int sys;
};

static int child_fail(struct child *c, const char *op)
{
    c->op = op;
    c->sys = errno;
    return 1;
}

/* The /proc of its own pid namespace, where it looks itself up. */
static int mount_proc(void)
{
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -1;
    return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                 NULL);
}

/* Shares the supervisor's memory and stops it until the exec: only system
 * calls from here on. */
static int child_main(void *arg)
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    static char *const envp[] = { path, NULL };
    struct child *c = arg;
    sigset_t none;

    const char *op = "cgroup.procs";
    int r = cgroup_enter(c->group);

    if (r == 0)
        r = userns_map(c->uid, c->uid, c->gid, c->gid, &op);
    if (r < 0) {
        errno = -r;
        return child_fail(c, op);
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return child_fail(c, "prctl(2)");
    if (mount_proc() < 0)
        return child_fail(c, "mount(2)");
    /* What a terminal says to the supervisor's group is not for it. */
    if (setsid() < 0)
        return child_fail(c, "setsid(2)");
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 0; i < CHILD_FDS; i++)
        if (c->fd[i] >= 0 && dup2(c->fd[i], i) < 0)
            return child_fail(c, "dup2(2)");
    (void)execve(c->program, c->argv, envp);
    return child_fail(c, "execve(2)");
}

/* Its own copy, out of the way of the numbers that the child has. */
static int lift(int fd, int *out)
{
    *out = fcntl(fd, F_DUPFD_CLOEXEC, HIGH);
    return *out < 0 ? -errno : 0;
}

static int open_null(int *out)
{
    scoped(drop_fd) int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    return fd < 0 ? -errno : lift(fd, out);
}

static int open_memory(const char *name, int *out)
{
    scoped(drop_fd) int fd = memfd_create(name, MFD_CLOEXEC);

    return fd < 0 ? -errno : lift(fd, out);
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The words of its command line, and those that it reads, each with its NUL. */
static int fill_args(const struct plan_view *plan, struct child *c,
                     struct err *e)
{
    size_t n = 1;
    int r = 0;

    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (s.kind == STEP_RUNTIME) {
            c->program = s.path;
            c->argv[0] = (char *)(uintptr_t)s.path;
        } else if (s.kind == STEP_RUNTIME_ARG && s.flags & STEP_BY_FD) {
            r = write_all(c->fd[RUNTIME_ARGS_FD], s.text, s.text_len + 1);
        } else if (s.kind == STEP_RUNTIME_ARG) {
            if (n > MAX_WORDS)
                return err_set(e, ERR_BACKEND_ERROR,
                               "the runtime's command line is too long");
            /* execve(2) does not write to them. */
            c->argv[n++] = (char *)(uintptr_t)s.text;
        }
        if (r < 0)
            return err_sys(e, "write(2)", -r,
                           "cannot keep the runtime's arguments");
    }
    if (lseek(c->fd[RUNTIME_ARGS_FD], 0, SEEK_SET) < 0)
        return err_sys(e, "lseek(2)", errno,
                       "cannot keep the runtime's arguments");
    return 0;
}

/* What it is given, each -1 where there is none. */
struct gifts {
    int plan, status, inside, kept;
    const struct output *output; /* NULL: the caller's own */
};

static int fill_fds(struct child *c, const char *launcher,
                    const struct gifts *g, struct err *e)
{
    scoped(drop_fd) int program = open(launcher, O_RDONLY | O_CLOEXEC);
    int *fd = c->fd, r = program < 0 ? -errno : 0;

    if (r == 0)
        r = open_null(&fd[0]);
    if (r == 0)
        r = lift(fd[0], &fd[1]);
    if (r == 0)
        r = open_memory("mxc-runtime-words", &fd[2]);
    if (r == 0)
        r = lift(g->plan, &fd[LAUNCH_PLAN_FD]);
    if (r == 0)
        r = lift(g->status, &fd[LAUNCH_STATUS_FD]);
    if (r == 0 && g->inside >= 0)
        r = lift(g->inside, &fd[LAUNCH_INSIDE_FD]);
    if (r == 0 && g->kept >= 0)
        r = lift(g->kept, &fd[RUNTIME_KEPT_FD]);
    for (int i = 0; r == 0 && i < 3; i++)
        r = lift(output_end(g->output, i) >= 0 ? output_end(g->output, i) : i,
                 &fd[LAUNCH_STDIO_FD + i]);
    if (r == 0)
        r = open_memory("mxc-runtime-args", &fd[RUNTIME_ARGS_FD]);
    if (r == 0)
        r = lift(program, &fd[RUNTIME_LAUNCHER_FD]);
    return r < 0 ? err_sys(e, "fcntl(2)", -r,
                           "cannot prepare the runtime's descriptors")
                 : 0;
}

static int start(struct child *c, int *pidfd, struct err *e)
{
    pid_t pid;

    if (geteuid() == 0)
        (void)setgroups(0, NULL);
    pid =
        supervise_clone(child_main, c, sizeof(*c), NAMESPACES, c->group, pidfd);
    if (pid < 0)
        return userns_explain(errno, e);
    if (!c->op)
        return 0;
    (void)waitpid(pid, NULL, __WALL);
    (void)close(*pidfd);
    err_sys(e, c->op, c->sys, "cannot start '%s'", c->program);
    e->code = ERR_BACKEND_UNAVAILABLE;
    return -1;
}

int runtime_spawn(const struct plan_view *plan, const char *launcher,
                  int plan_fd, int inside, int kept, struct sandbox *out,
                  struct err *e)
{
    struct child c = { .uid = plan->head.uid,
                       .gid = plan->head.gid,
                       .group = &out->group };
    scoped(drop_fd) int ours = -1;
    scoped(drop_fd) int theirs = -1;
    int pair[2], pidfd = -1, r = 0;

    for (size_t i = 0; i < ARRAY_LEN(c.fd); i++)
        c.fd[i] = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "socketpair(2)", errno, "cannot start");
    ours = pair[0];
    theirs = pair[1];
    if (fill_fds(&c, launcher,
                 &(struct gifts){ .plan = plan_fd,
                                  .status = theirs,
                                  .inside = inside,
                                  .kept = kept,
                                  .output = out->output },
                 e) < 0 ||
        fill_args(plan, &c, e) < 0 || start(&c, &pidfd, e) < 0) {
        r = -1;
    } else {
        out->pidfd = pidfd;
        out->words = take_fd(&c.fd[2]);
        out->status = take_fd(&ours);
    }
    for (size_t i = 0; i < ARRAY_LEN(c.fd); i++)
        drop_fd(&c.fd[i]);
    return r;
}

void runtime_explain(const struct sandbox *s, struct err *e)
{
    char text[sizeof(e->msg)], *hint;
    ssize_t n = pread(s->words, text, sizeof(text) - 1, 0);

    if (s->words < 0)
        return;
    while (n > 0 && text[n - 1] == '\n')
        n--;
    text[n > 0 ? n : 0] = '\0';
    hint = strstr(text, "\n" RUNTIME_HINT);
    if (hint)
        *hint = '\0';
    err_set(e, ERR_BACKEND_ERROR,
            "the runtime could not make the sandbox; nothing was run%s%s",
            n > 0 ? ": " : "", text);
    if (hint)
        err_hint(e, "%s", hint + sizeof("\n" RUNTIME_HINT) - 1);
    else
        err_hint(e, "`mxc doctor` tells whether the backend can be used here; "
                    "the backend 'native' needs no other program");
}
