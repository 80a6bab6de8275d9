/* join.c - init of a session: runs what its holder hands in, until the holder
 * is gone.
 *
 * Each command is a session of its own (setsid(2)) with the caller's streams
 * or a terminal of its own, and stands in a Landlock domain of its own, below
 * the sandbox's.  What it leaves running goes on until the session ends. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/num.h"
#include "broker/broker.h"
#include "launch/exec.h"
#include "launch/inside.h"
#include "launch/launch.h"
#include "launch/proto.h"
#include "sys/landlock.h"

/* A filter lives as long as a process that it judges, so there may be more
 * listeners than commands. */
enum { MAX_LISTENERS = 512 };

struct command {
    uint32_t id; /* 0: free */
    pid_t pid;
};

struct session {
    const struct plan_view *plan;
    struct broker *broker;
    int signals;
    int inside;
    int idle; /* what stands in for the streams between two commands */
    int root;
    int proc; /* "/proc", or -1 where policy denies it */
    struct listener {
        int fd;
        bool is_narrowed;
    } listener[MAX_LISTENERS];
    size_t nlisteners;
    struct command command[MAX_EXECS];
};

/* What came with MSG_EXEC. */
struct order {
    uint32_t id;
    int32_t size;     /* of its terminal */
    int fd[EXEC_FDS]; /* -1: none */
    size_t nfds;
    int tty, master, ruleset;
    const void *bytes;
    size_t len;
    struct plan_view plan;
};

static struct command *find(struct session *s, uint32_t id)
{
    for (size_t i = 0; i < MAX_EXECS; i++)
        if (s->command[i].id == id)
            return &s->command[i];
    return NULL;
}

/* --- its streams -----------------------------------------------------------
 */

static int put_streams(const int *fd, struct err *e)
{
    for (int i = 0; i < 3; i++)
        if (dup2(fd[i], i) < 0)
            return err_sys(e, "dup2(2)", errno, "cannot pass the streams");
    return 0;
}

/* Numbers 0 to 2 are never free: the broker would open something there. */
static void rest_streams(const struct session *s)
{
    for (int i = 0; i < 3; i++)
        (void)dup2(s->idle, i);
}

/* Its size before it is looked at. */
static int open_terminal(struct order *o, struct err *e)
{
    const struct winsize w = { .ws_row = (unsigned short)(o->size >> 16),
                               .ws_col = (unsigned short)o->size };

    if (launch_open_terminal(&o->tty, &o->master, e) < 0)
        return -1;
    (void)ioctl(o->master, TIOCSWINSZ, &w);
    return 0;
}

/* Its executable is not in the sandbox. */
static bool has_program(const struct order *o)
{
    return o->plan.head.flags & PLAN_EXEC_PROGRAM;
}

static int open_streams(struct order *o, struct err *e)
{
    if (o->plan.head.flags & PLAN_TTY) {
        if (o->nfds != 1)
            return err_set(e, ERR_BACKEND_ERROR,
                           "a terminal was asked for, and streams given");
        return open_terminal(o, e);
    }
    if (o->nfds != EXEC_STREAMS + 1u + has_program(o))
        return err_set(e, ERR_BACKEND_ERROR, "the streams did not arrive");
    if (put_streams(o->fd + 1, e) < 0)
        return -1;
    return launch_check_stdio(e);
}

/* --- starting --------------------------------------------------------------
 */

static int open_order(struct order *o, struct err *e)
{
    if (o->nfds < 1)
        return err_set(e, ERR_BACKEND_ERROR, "the plan did not arrive");
    o->bytes = launch_map_plan(o->fd[0], &o->len, e);
    return o->bytes ? plan_check_exec(o->bytes, o->len, &o->plan, e) : -1;
}

/* Every command gets a domain, so that none reads another's environment; one
 * that is narrowed can signal nobody outside of it either. */
static int make_domain(const struct session *s, struct order *o, struct err *e)
{
    const unsigned abi = s->plan->head.landlock_abi;
    const bool is_narrowed = o->plan.head.flags & PLAN_EXEC_NARROWED;

    if (is_narrowed && (s->plan->head.flags & PLAN_NO_LANDLOCK || abi < 6)) {
        err_set(e, ERR_POLICY_VALIDATION,
                "this session cannot narrow what a command reaches: Landlock "
                "ABI 6 is needed, it has %u",
                abi);
        return err_hint(e, "boot Linux 6.12 or later, or provision a session "
                           "with the smaller policy");
    }
    /* It would make them in init's domain, not in the command's. */
    if (is_narrowed && s->plan->head.flags & PLAN_BROKER_CREATES)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "this session denies names that do not exist yet, and "
                       "so cannot narrow what a command reaches");
    if (is_narrowed && launch_check_binds(s->plan, e) < 0)
        return -1;
    if (is_narrowed)
        return launch_make_ruleset(&o->plan, abi, true, &o->ruleset, e);
    if (s->plan->head.flags & PLAN_NO_LANDLOCK)
        return 0;
    o->ruleset = landlock_fence(abi, s->root);
    return o->ruleset < 0 ? err_sys(e, "landlock_create_ruleset(2)",
                                    -o->ruleset, "cannot make a domain")
                          : 0;
}

/* The filter is the session's. */
static void take_filter(const struct session *s, struct exec_args *a)
{
    for (size_t i = 0; i < s->plan->head.nsteps; i++) {
        struct step p = plan_step(s->plan, i);

        if (p.kind != STEP_FILTER)
            continue;
        a->filter = (const void *)p.text;
        a->filter_len = p.text_len / sizeof(struct sock_filter);
    }
}

static int start(struct session *s, struct order *o, int *status, struct err *e)
{
    struct exec_args a = { .path = LAUNCH_PATH,
                           .tty = -1,
                           .program = -1,
                           .limits = &o->plan,
                           .want_listener = s->broker != NULL };
    struct command *c = find(s, 0);
    int listener = -1;
    pid_t pid = 0;

    if (!c || s->nlisteners == MAX_LISTENERS)
        return err_set(e, ERR_BACKEND_ERROR,
                       "too many commands run in this session");
    if (open_order(o, e) < 0 || open_streams(o, e) < 0 ||
        make_domain(s, o, e) < 0 || launch_fill_args(&o->plan, &a, e) < 0)
        return -1;
    take_filter(s, &a);
    a.tty = o->tty;
    a.program = has_program(o) ? o->fd[EXEC_FDS - 1] : -1;
    a.ruleset = o->ruleset;
    a.has_no_sockets = o->plan.head.flags & PLAN_EXEC_NO_SOCKETS;
    if (exec_workload(&a, &pid, &listener, status, e) < 0)
        return -1;
    *c = (struct command){ .id = o->id, .pid = pid };
    if (listener >= 0) {
        /* The workload's own copy went with its exec. */
        (void)fcntl(listener, F_SETFD, FD_CLOEXEC);
        s->listener[s->nlisteners++] =
            (struct listener){ listener,
                               o->plan.head.flags & PLAN_EXEC_NARROWED };
    }
    return pid;
}

static void order_drop(struct order *o)
{
    for (size_t i = 0; i < o->nfds; i++)
        drop_fd(&o->fd[i]);
    drop_fd(&o->tty);
    drop_fd(&o->master);
    drop_fd(&o->ruleset);
    if (o->bytes)
        /* The mapping is ours; only its bytes are constant. */
        (void)munmap((void *)(uintptr_t)o->bytes, o->len);
}

static bool run(struct session *s, struct order *o)
{
    struct err e = { 0 };
    int status = 0, pid = start(s, o, &status, &e);
    int r;

    rest_streams(s);
    if (pid > 0)
        r = launch_tell_of(MSG_STARTED, o->id, pid, NULL, o->master);
    else
        r = launch_tell_of(status ? MSG_NOT_STARTED : MSG_FAILED, o->id, status,
                           &e, -1);
    order_drop(o);
    return r == 0;
}

/* --- ending ----------------------------------------------------------------
 */

/* Field 6 of /proc/PID/stat, behind the name in parentheses
 * (proc_pid_stat(5)). */
static pid_t session_of(const struct session *s, const char *pid)
{
    char path[64], text[512];
    scoped(drop_fd) int fd = -1;
    int64_t sid = -1;
    char *at;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "%.20s/stat", pid);
    fd = openat(s->proc, path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    at = strrchr(text, ')');
    for (int i = 2; at && i < 6; i++)
        at = strchr(at + 1, ' ');
    if (!at)
        return -1;
    at[1 + strcspn(at + 1, " ")] = '\0';
    return num_i64(at + 1, 0, INT_MAX, &sid) == 0 ? (pid_t)sid : -1;
}

/* Its groups too, that job control made.  More than once: it may be making
 * more while we look. */
static void kill_session(const struct session *s, pid_t sid)
{
    enum { PASSES = 8 };

    (void)kill(-sid, SIGKILL);
    (void)kill(sid, SIGKILL);
    for (int pass = 0; pass < PASSES && s->proc >= 0; pass++) {
        int fd = openat(s->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);
        bool found = false;

        if (!d) {
            drop_fd(&fd);
            return;
        }
        for (struct dirent *i = readdir(d); i; i = readdir(d)) {
            int64_t pid;

            if (num_i64(i->d_name, 1, INT_MAX, &pid) < 0 ||
                session_of(s, i->d_name) != sid)
                continue;
            (void)kill((pid_t)pid, SIGKILL);
            found = true;
        }
        (void)closedir(d);
        if (!found)
            return;
    }
}

static void end_command(struct session *s, uint32_t id)
{
    const struct command *c = id ? find(s, id) : NULL;

    if (c)
        kill_session(s, c->pid);
}

static void deliver(struct session *s, const struct launch_record *rec)
{
    const struct command *c;

    if (rec->status <= 0 || rec->status >= NSIG)
        return;
    if (rec->exec == 0) {
        (void)kill(-1, rec->status);
        return;
    }
    c = find(s, rec->exec);
    if (c)
        (void)kill(-c->pid, rec->status);
}

static void tell_end(struct session *s, pid_t pid, int status)
{
    for (size_t i = 0; i < MAX_EXECS; i++) {
        struct command *c = &s->command[i];

        if (!c->id || c->pid != pid)
            continue;
        (void)launch_tell_of(WIFSTOPPED(status) ? MSG_STOPPED : MSG_EXITED,
                             c->id, status, NULL, -1);
        if (!WIFSTOPPED(status))
            c->id = 0;
    }
}

static void reap(struct session *s)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0)
        tell_end(s, pid, status);
    /* Whoever lost its parent became ours, so without a child there is no
     * process at all. */
    if (pid < 0 && errno == ECHILD)
        (void)launch_tell_of(MSG_EMPTY, 0, 0, NULL, -1);
}

/* --- the loop --------------------------------------------------------------
 */

static void take_fds(struct msghdr *m, struct order *o)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            if (o->nfds < EXEC_FDS)
                o->fd[o->nfds++] = fd;
            else
                (void)close(fd);
        }
    }
}

/* False: the holder is gone, and so is the session. */
static bool hear_holder(struct session *s)
{
    struct launch_record rec = { .msg = MSG_NONE };
    struct iovec iov = { .iov_base = &rec, .iov_len = sizeof(rec) };
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(EXEC_FDS * sizeof(int))];
    } control;
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.room,
                        .msg_controllen = sizeof(control.room) };
    struct order o = { .tty = -1, .master = -1, .ruleset = -1 };
    ssize_t n = recvmsg(LAUNCH_STATUS_FD, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    take_fds(&m, &o);
    o.id = rec.exec;
    o.size = rec.status;
    if (n == (ssize_t)sizeof(rec) && rec.msg == MSG_EXEC && rec.exec)
        return run(s, &o);
    order_drop(&o);
    if (n != (ssize_t)sizeof(rec))
        return false;
    if (rec.msg == MSG_SIGNAL)
        deliver(s, &rec);
    if (rec.msg == MSG_KILL)
        end_command(s, rec.exec);
    return true;
}

static void serve(struct session *s, size_t i)
{
    const struct listener *l = &s->listener[i];

    broker_narrow(s->broker, l->is_narrowed);
    if (broker_serve(s->broker, l->fd) == 0)
        return;
    broker_forget(s->broker, l->fd);
    (void)close(l->fd);
    s->listener[i] = s->listener[--s->nlisteners];
}

static bool turn(struct session *s)
{
    enum { FIXED = 3 };
    static struct pollfd p[FIXED + MAX_LISTENERS];
    const size_t n = s->nlisteners;
    struct signalfd_siginfo si;
    bool had_child;

    p[0] = (struct pollfd){ .fd = LAUNCH_STATUS_FD, .events = POLLIN };
    p[1] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
    p[2] = (struct pollfd){ .fd = s->inside, .events = POLLIN };
    for (size_t i = 0; i < n; i++)
        p[FIXED + i] =
            (struct pollfd){ .fd = s->listener[i].fd, .events = POLLIN };
    if (poll(p, FIXED + n, -1) < 0)
        return errno == EINTR;
    had_child = p[1].revents;
    if (had_child) {
        if (read(s->signals, &si, sizeof(si)) < 0 && errno != EAGAIN)
            return false;
        reap(s);
    }
    /* From the end: one that is gone gives its place to the last.  After a
     * child's end all of them: it may have been a helper of the broker's. */
    for (size_t i = n; i-- > 0;)
        if (p[FIXED + i].revents || had_child)
            serve(s, i);
    if (p[2].revents)
        (void)launch_lend_socket(&s->inside);
    return !p[0].revents || hear_holder(s);
}

int launch_session(const struct plan_view *plan)
{
    static struct session s = { .inside = -1 };
    struct err e = { 0 };

    s.plan = plan;
    s.idle = fcntl(0, F_DUPFD_CLOEXEC, LAUNCH_INSIDE_FD + 1);
    s.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    s.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (s.idle < 0 || s.root < 0)
        err_sys(&e, "fcntl(2)", errno, "cannot keep the streams");
    if (s.idle < 0 || s.root < 0 || launch_watch_children(&s.signals, &e) < 0 ||
        launch_open_broker(plan, NULL, &s.broker, &e) < 0) {
        (void)launch_tell(MSG_FAILED, 0, &e, -1);
        return 1;
    }
    if (plan->head.flags & PLAN_NET_DIAL)
        s.inside = LAUNCH_INSIDE_FD;
    if (launch_tell(MSG_READY, 0, NULL, -1) < 0 || !launch_hear_go())
        return 1;
    while (turn(&s))
        continue;
    return 1;
}
