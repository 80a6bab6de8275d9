/* spawn.c - the launcher, in new namespaces, by one clone(2) and one exec. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compat.h"
#include "launch/inside.h"
#include "launch/proto.h"
#include "supervise/clone.h"
#include "supervise/supervise.h"
#include "sys/caps.h"
#include "sys/userns.h"

enum { KILL_PATIENCE_MS = 5000 };

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define NAMESPACES                                                             \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |               \
     CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP)

/* What the launcher needs inside its namespaces, until its walls stand:
 * mounts and names, network, its own limits of namespaces, and dropping the
 * bounding set. */
#define LAUNCHER_CAPS                                                          \
    (1ull << CAP_SYS_ADMIN | 1ull << CAP_NET_ADMIN |                           \
     1ull << CAP_SYS_RESOURCE | 1ull << CAP_SETPCAP)

/* With a gateway also raw sockets, and listeners below port 1024. */
#define NETWORK_CAPS (1ull << CAP_NET_RAW | 1ull << CAP_NET_BIND_SERVICE)

/* With a user-space kernel also to map the caller, who may be root, in the
 * user namespace of its own. */
#define RUNSC_CAPS (1ull << CAP_SETFCAP)

/* With an overlay also to work in its "work", where the kernel makes a
 * directory that not even its owner may enter.  Over files of others than the
 * caller it has no power (user_namespaces(7)). */
#define OVERLAY_CAPS (1ull << CAP_DAC_OVERRIDE)

struct child {
    const char *launcher;
    uint64_t caps;
    uint32_t uid, gid;
    int plan_fd;
    int status_fd;
    int inside_fd; /* to the gateway, or -1 */
    struct cgroup *group;
    int output[2]; /* instead of the caller's own, or -1 */
    int input;     /* the same */
    const char *op;
    int sys;
};

static int child_fail(struct child *c, const char *op, int sys)
{
    c->op = op;
    c->sys = sys;
    return 1;
}

/* Shares the supervisor's memory and stops it until the exec: only system
 * calls from here on. */
static int child_main(void *arg)
{
    /* What the sandbox's /proc/1/cmdline shows. */
    static char name[] = "mxc-init";
    static char *const argv[] = { name, NULL };
    static char *const envp[] = { NULL };
    struct child *c = arg;
    const char *op;
    int r = cgroup_enter(c->group);

    if (r < 0)
        return child_fail(c, "cgroup.procs", -r);
    r = userns_map(c->uid, c->uid, c->gid, c->gid, &op);
    if (r < 0)
        return child_fail(c, op, -r);
    r = caps_keep(c->caps);
    if (r < 0)
        return child_fail(c, "capset(2)", -r);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return child_fail(c, "prctl(2)", errno);
    /* The descriptors were moved out of the way of 3 to 5 before. */
    if (dup2(c->plan_fd, LAUNCH_PLAN_FD) < 0 ||
        dup2(c->status_fd, LAUNCH_STATUS_FD) < 0 ||
        (c->inside_fd >= 0 && dup2(c->inside_fd, LAUNCH_INSIDE_FD) < 0) ||
        (c->input >= 0 && dup2(c->input, 0) < 0) ||
        (c->output[0] >= 0 && dup2(c->output[0], 1) < 0) ||
        (c->output[1] >= 0 && dup2(c->output[1], 2) < 0))
        return child_fail(c, "dup2(2)", errno);
    (void)execve(c->launcher, argv, envp);
    return child_fail(c, "execve(2)", errno);
}

int sandbox_move_up(int *fd)
{
    int up = fcntl(*fd, F_DUPFD_CLOEXEC, 10);

    if (up < 0)
        return -errno;
    (void)close(*fd);
    *fd = up;
    return 0;
}

/* A root caller's supplementary groups would go on working inside; others
 * cannot drop theirs (user_namespaces(7)), and keep them for granted paths
 * only.  Nor can every root: the receipt tells. */
static void drop_groups(void)
{
    if (geteuid() == 0)
        (void)setgroups(0, NULL);
}

static int explain(const struct child *c, struct err *e)
{
    if (strcmp(c->op, "cgroup.procs") == 0)
        return err_sys(e, "write(2)", c->sys, "cannot enter a control group");
    if (strcmp(c->op, "execve(2)") == 0)
        return err_sys(e, c->op, c->sys, "cannot execute '%s'", c->launcher);
    err_sys(e, "write(2)", c->sys, "cannot enter the user namespace (%s)",
            c->op);
    e->code = ERR_BACKEND_UNAVAILABLE;
    /* Mapping root needs CAP_SETFCAP too (user_namespaces(7)). */
    if (c->sys == EPERM && c->uid == 0)
        return err_hint(e, "give root its capabilities (SETFCAP), or run as "
                           "an ordinary user");
    return err_hint(e, "a security module may forbid it; `mxc doctor` tells "
                       "more");
}

/* Of a session, or of a run whose grants are copied on write. */
static bool has_overlay(const struct plan_view *plan)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        const struct step s = plan_step(plan, i);

        if (s.kind == STEP_OVERLAY || s.flags & STEP_COPY)
            return true;
    }
    return false;
}

static uint64_t caps_for(const struct plan_view *plan, bool has_gateway)
{
    return LAUNCHER_CAPS | (has_gateway ? NETWORK_CAPS : 0) |
           (plan_count(plan, STEP_RUNSC) ? RUNSC_CAPS : 0) |
           (has_overlay(plan) ? OVERLAY_CAPS : 0);
}

static int native_spawn(const struct plan_view *plan, const char *launcher,
                        int plan_fd, int inside_fd, struct sandbox *out,
                        struct err *e)
{
    struct child c = { .launcher = launcher,
                       .caps = caps_for(plan, inside_fd >= 0),
                       .uid = plan->head.uid,
                       .gid = plan->head.gid,
                       .inside_fd = inside_fd,
                       .group = &out->group,
                       .input = output_end(out->output, 0),
                       .output = { output_end(out->output, 1),
                                   output_end(out->output, 2) } };
    scoped(drop_fd) int plan_copy = fcntl(plan_fd, F_DUPFD_CLOEXEC, 10);
    scoped(drop_fd) int ours = -1;
    scoped(drop_fd) int theirs = -1;
    int pair[2], pidfd = -1;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "socketpair(2)", errno, "cannot start");
    ours = pair[0];
    theirs = pair[1];
    if (plan_copy < 0 || sandbox_move_up(&theirs) < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot start");
    c.plan_fd = plan_copy;
    c.status_fd = theirs;
    drop_groups();
    pid = supervise_clone(child_main, &c, sizeof(c), NAMESPACES, &out->group,
                          &pidfd);
    if (pid < 0)
        return userns_explain(errno, e);
    if (c.op) {
        (void)waitpid(pid, NULL, __WALL);
        (void)close(pidfd);
        return explain(&c, e);
    }
    out->pidfd = pidfd;
    out->status = take_fd(&ours);
    return 0;
}

int sandbox_spawn(const struct plan_view *plan, const char *launcher,
                  int plan_fd, int inside_fd, int kept_fd, struct sandbox *out,
                  struct err *e)
{
    int r;

    *out = (struct sandbox){
        .pidfd = -1, .status = -1, .words = -1, .group = cgroup_none
    };
    r = limits_output(plan, &out->output, e);
    if (r == 0)
        r = limits_group(plan, &out->group, e);
    if (r == 0 && plan_count(plan, STEP_RUNTIME))
        r = runtime_spawn(plan, launcher, plan_fd, inside_fd, kept_fd, out, e);
    else if (r == 0)
        r = native_spawn(plan, launcher, plan_fd, inside_fd, out, e);
    output_given(out->output);
    if (r == 0)
        return 0;
    cgroup_remove(&out->group);
    output_destroy(out->output);
    out->output = NULL;
    return -1;
}

bool sandbox_end(struct sandbox *s)
{
    struct pollfd p = { .fd = s->pidfd, .events = POLLIN };
    siginfo_t info;
    int r;

    if (s->pidfd < 0)
        return true;
    (void)syscall(SYS_pidfd_send_signal, s->pidfd, SIGKILL, NULL, 0);
    /* Its end is told only when the kernel has reaped every process of the
     * namespace (pid_namespaces(7)).  One that waits in the kernel for a
     * server or a disk without an answer can keep it, and must not keep us:
     * no code of its own will run again. */
    do
        r = poll(&p, 1, KILL_PATIENCE_MS);
    while (r < 0 && errno == EINTR);
    if (r != 0)
        while (waitid(P_PIDFD, (id_t)s->pidfd, &info, WEXITED) < 0 &&
               errno == EINTR)
            continue;
    (void)close(s->pidfd);
    drop_fd(&s->words);
    s->pidfd = -1;
    cgroup_read(&s->group, &s->counts);
    cgroup_remove(&s->group);
    return r != 0;
}

bool sandbox_kill(struct sandbox *s)
{
    const bool is_gone = sandbox_end(s);

    drop_fd(&s->status);
    return is_gone;
}
