/* gateway.c - starts the gateway and listens to it.
 *
 * It runs outside of the sandbox, as the caller, with the compiled rules and
 * two sockets, and nothing else of this process: no stream, no environment. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "gateway/proto.h"
#include "supervise/net_report.h"
#include "supervise/supervise.h"

enum { CHILD_STACK = 64 * 1024 };

struct child {
    const char *program;
    bool tells_all;
    char connections[24], bytes[24]; /* the limits; "0": none */
    int rules_fd, status_fd, inside_fd, null_fd;
    const char *op;
    int sys;
};

static int child_fail(struct child *c, const char *op)
{
    c->op = op;
    c->sys = errno;
    return 1;
}

/* Shares the supervisor's memory and stops it until the exec. */
static int child_main(void *arg)
{
    static char name[] = "mxc-gateway", all[] = "all", some[] = "some";
    struct child *c = arg;
    char *const argv[] = { name, c->tells_all ? all : some, c->connections,
                           c->bytes, NULL };
    static char *const envp[] = { NULL };

    /* Signals of the caller's terminal are not for it. */
    if (setsid() < 0)
        return child_fail(c, "setsid(2)");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return child_fail(c, "prctl(2)");
    for (int fd = 0; fd < 3; fd++)
        if (dup2(c->null_fd, fd) < 0)
            return child_fail(c, "dup2(2)");
    /* The descriptors were moved out of the way of 3 to 5 before. */
    if (dup2(c->rules_fd, GATEWAY_RULES_FD) < 0 ||
        dup2(c->status_fd, GATEWAY_STATUS_FD) < 0 ||
        dup2(c->inside_fd, GATEWAY_INSIDE_FD) < 0)
        return child_fail(c, "dup2(2)");
    (void)execve(c->program, argv, envp);
    return child_fail(c, "execve(2)");
}

/* mxc-gateway stands beside mxc-launch. */
static int find_program(const char *launcher, char out[PATH_MAX], struct err *e)
{
    static const char name[] = "mxc-gateway";
    static const char *const tails[] = { "", "/../gateway" };
    const char *slash = strrchr(launcher, '/');

    for (size_t i = 0; slash && i < ARRAY_LEN(tails); i++) {
        int n = snprintf(out, PATH_MAX, "%.*s%s/%s", (int)(slash - launcher),
                         launcher, tails[i], name);

        if (n > 0 && n < PATH_MAX && faccessat(AT_FDCWD, out, X_OK, 0) == 0)
            return 0;
    }
    err_set(e, ERR_BACKEND_UNAVAILABLE, "mxc-gateway is not installed");
    return err_hint(e, "keep bin/ and libexec/ together when moving mxc");
}

static int pass_rules(const struct plan_view *plan, int *out, struct err *e)
{
    scoped(drop_fd) int fd =
        memfd_create("mxc-rules", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return err_sys(e, "memfd_create(2)", errno, "cannot pass the rules");
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (s.kind == STEP_RULES &&
            write(fd, s.text, s.text_len) != (ssize_t)s.text_len)
            return err_sys(e, "write(2)", errno, "cannot pass the rules");
    }
    if (fcntl(fd, F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot seal the rules");
    *out = take_fd(&fd);
    return 0;
}

static int pair(int *ours, int *theirs, struct err *e)
{
    int fd[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
        return err_sys(e, "socketpair(2)", errno, "cannot start the gateway");
    *ours = fd[0];
    *theirs = fd[1];
    return 0;
}

static int start(struct child *c, struct gateway *out, struct err *e)
{
    static char stack[CHILD_STACK] __attribute__((aligned(16)));
    int pidfd = -1;
    pid_t pid =
        clone(child_main, stack + sizeof(stack),
              CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, c, &pidfd);

    if (pid < 0)
        return err_sys(e, "clone(2)", errno, "cannot start the gateway");
    out->pidfd = pidfd;
    if (!c->op)
        return 0;
    gateway_stop(out);
    return err_sys(e, c->op, c->sys, "cannot start the gateway '%s'",
                   c->program);
}

int gateway_spawn(const struct plan_view *plan, const char *launcher,
                  bool tells_all, struct gateway *out, int *inside,
                  struct err *e)
{
    char program[PATH_MAX];
    struct child c = { .program = program, .tells_all = tells_all };
    scoped(drop_fd) int rules = -1;
    scoped(drop_fd) int theirs = -1;
    scoped(drop_fd) int its_inside = -1;
    scoped(drop_fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct gateway g = { .pidfd = -1, .status = -1 };
    struct run_limits limits;

    *inside = -1;
    *out = g;
    if (!plan_count(plan, STEP_RULES))
        return 0;
    if (null < 0)
        return err_sys(e, "open(2)", errno, "cannot open /dev/null");
    limits_take(plan, &limits);
    (void)snprintf(c.connections, sizeof(c.connections), "%llu",
                   (unsigned long long)limits.value[LIMIT_CONNECTIONS]);
    (void)snprintf(c.bytes, sizeof(c.bytes), "%llu",
                   (unsigned long long)limits.value[LIMIT_NETWORK]);
    if (find_program(launcher, program, e) < 0 ||
        pass_rules(plan, &rules, e) < 0 || pair(&g.status, &theirs, e) < 0 ||
        pair(inside, &its_inside, e) < 0)
        return -1;
    if (sandbox_move_up(&rules) < 0 || sandbox_move_up(&theirs) < 0 ||
        sandbox_move_up(&its_inside) < 0 || sandbox_move_up(inside) < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot start the gateway");
    c.rules_fd = rules;
    c.status_fd = theirs;
    c.inside_fd = its_inside;
    c.null_fd = null;
    if (start(&c, &g, e) < 0)
        return -1;
    *out = g;
    return 0;
}

void gateway_stop(struct gateway *g)
{
    enum { BY_PIDFD = 3 }; /* P_PIDFD */
    siginfo_t info;

    /* First: an end of file ends it, too. */
    drop_fd(&g->status);
    if (g->pidfd >= 0) {
        (void)syscall(SYS_pidfd_send_signal, g->pidfd, SIGKILL, NULL, 0);
        while (waitid((idtype_t)BY_PIDFD, (id_t)g->pidfd, &info, WEXITED) < 0 &&
               errno == EINTR)
            continue;
    }
    drop_fd(&g->pidfd);
}

bool gateway_hear(struct gateway *g, struct gateway_record *out)
{
    ssize_t n = recv(g->status, out, sizeof(*out), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        out->kind = GATEWAY_NONE;
        return true;
    }
    if (n < (ssize_t)GATEWAY_RECORD_SHORT || n > (ssize_t)sizeof(*out))
        return false;
    if (n < (ssize_t)sizeof(*out))
        memset((char *)out + n, 0, sizeof(*out) - (size_t)n);
    /* It is one exploit away from the workload. */
    out->name[NET_NAME_MAX] = '\0';
    out->other[NET_NAME_MAX] = '\0';
    err_end_texts(&out->err);
    return true;
}

static int left_ms(uint64_t until_ms)
{
    const uint64_t now = now_ms();

    return now < until_ms ? (int)(until_ms - now) : 0;
}

/* Everything that is there and comes in `wait_ms`; but not for as long as one
 * that was taken over goes on talking, however slowly. */
static void drain(struct gateway *g, struct net_report *report, int wait_ms)
{
    enum { MOST = 1 << 16 }; /* it has fewer connections and flows */
    const uint64_t until_ms = now_ms() + (uint64_t)wait_ms;
    struct pollfd p = { .fd = g->status, .events = POLLIN };
    struct gateway_record rec;

    for (int i = 0; i < MOST; i++) {
        if (poll(&p, 1, left_ms(until_ms)) <= 0 || !gateway_hear(g, &rec))
            return;
        if (rec.kind != GATEWAY_NONE)
            net_report_take(report, &rec);
    }
}

void gateway_finish(struct gateway *g, bool is_orderly,
                    struct net_report *report)
{
    /* A little more than it takes itself (its END_MS). */
    enum { PATIENCE_MS = 3500, SHORT_MS = 500 };

    if (g->status < 0)
        return;
    drain(g, report, 0);
    if (!is_orderly && !report->events)
        return;
    /* An end of file, to which it answers with what is left, and its own. */
    (void)shutdown(g->status, SHUT_WR);
    drain(g, report, is_orderly ? PATIENCE_MS : SHORT_MS);
}
