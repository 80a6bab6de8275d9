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
#include "launch/crowd.h"
#include "launch/exec.h"
#include "launch/inside.h"
#include "launch/launch.h"
#include "launch/proto.h"
#include "sys/landlock.h"
#include "sys/message.h"
#include "sys/seccomp_load.h"

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
    int idle;  /* what stands in for the streams between two commands */
    int fence; /* of a command that is not narrowed; -1: no Landlock */
    int proc;  /* "/proc", or -1 where policy denies it */
    const struct launch_place *noted; /* without Landlock: NULL */
    const struct sock_filter *filter; /* the session's, for every command */
    size_t filter_len;
    bool is_filtered; /* init itself, too */
    struct listener {
        int fd;
        bool is_narrowed;
        bool is_over; /* nobody is left whom it judges */
    } listener[MAX_LISTENERS];
    size_t nlisteners;
    struct command command[MAX_EXECS];
    struct crowd crowd;
    bool is_empty; /* there is no process but init */
};

/* What came with MSG_EXEC. */
struct order {
    uint32_t id;
    int32_t size;     /* of its terminal */
    int fd[EXEC_FDS]; /* -1: none */
    size_t nfds;
    int tty, master, ruleset;
    bool is_mapped; /* its plan, which came as the first descriptor */
    const void *bytes;
    size_t len;
    struct plan_view plan;
};

/* Its first descriptors that are no streams. */
static size_t plans(const struct order *o)
{
    return o->is_mapped ? 1 : 0;
}

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
        if (o->nfds != plans(o))
            return err_set(e, ERR_BACKEND_ERROR,
                           "a terminal was asked for, and streams given");
        return open_terminal(o, e);
    }
    if (o->nfds != plans(o) + EXEC_STREAMS + has_program(o))
        return err_set(e, ERR_BACKEND_ERROR, "the streams did not arrive");
    if (put_streams(o->fd + plans(o), e) < 0)
        return -1;
    return launch_check_stdio(e);
}

/* --- starting --------------------------------------------------------------
 */

static int open_order(struct order *o, struct err *e)
{
    if (!o->bytes && o->nfds < 1)
        return err_set(e, ERR_BACKEND_ERROR, "the plan did not arrive");
    if (!o->bytes) {
        o->bytes = launch_map_plan(o->fd[0], &o->len, e);
        o->is_mapped = o->bytes;
    }
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
    if (is_narrowed && launch_check_places(s->plan, s->noted, e) < 0)
        return -1;
    if (is_narrowed)
        return launch_make_ruleset(&o->plan, abi, true, &o->ruleset, e);
    return 0;
}

static int start(struct session *s, struct order *o, int *status, struct err *e)
{
    struct exec_args a = { .path = LAUNCH_PATH,
                           .tty = -1,
                           .program = -1,
                           .limits = &o->plan,
                           .sandbox = s->plan,
                           .is_inherited = s->is_filtered,
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
    a.filter = s->filter;
    a.filter_len = s->filter_len;
    a.tty = o->tty;
    a.program = has_program(o) ? o->fd[o->nfds - 1] : -1;
    a.ruleset = o->ruleset >= 0 ? o->ruleset : s->fence;
    a.has_no_sockets = o->plan.head.flags & PLAN_EXEC_NO_SOCKETS;
    if (exec_workload(&a, &pid, &listener, status, e) < 0)
        return -1;
    *c = (struct command){ .id = o->id, .pid = pid };
    s->is_empty = false;
    if (listener >= 0) {
        /* The workload's own copy went with its exec. */
        (void)fcntl(listener, F_SETFD, FD_CLOEXEC);
        s->listener[s->nlisteners++] =
            (struct listener){ .fd = listener,
                               .is_narrowed =
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
    if (o->is_mapped)
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

    if (rec->status < 0 || rec->status >= NSIG)
        return;
    crowd_signal(&s->crowd, rec->exec == 0 ? rec->status : 0);
    if (rec->exec == 0) {
        (void)kill(-1, rec->status);
        (void)launch_tell(MSG_DELIVERED, rec->status, NULL, -1);
        return;
    }
    c = find(s, rec->exec);
    if (c)
        (void)kill(-c->pid, rec->status);
}

/* `is_last`: there is nobody any more. */
static void tell_end(struct session *s, pid_t pid, int status, bool is_last)
{
    const uint32_t ended = is_last ? MSG_LAST_EXITED : MSG_EXITED;

    for (size_t i = 0; i < MAX_EXECS; i++) {
        struct command *c = &s->command[i];

        if (!c->id || c->pid != pid)
            continue;
        if (WIFSTOPPED(status) && crowd_halts(&s->crowd, pid))
            return;
        (void)launch_tell_of(WIFSTOPPED(status) ? MSG_STOPPED : ended, c->id,
                             status, NULL, -1);
        if (!WIFSTOPPED(status))
            c->id = 0;
        return;
    }
    if (is_last)
        (void)launch_tell_of(MSG_EMPTY, 0, 0, NULL, -1);
}

/* Whoever lost its parent became ours, so without a child there is no process
 * at all. */
static pid_t next_end(int *status, bool *is_empty)
{
    const pid_t pid = waitpid(-1, status, WNOHANG | WUNTRACED);

    *is_empty = pid < 0 && errno == ECHILD;
    return pid;
}

/* One look ahead: the last one's end is told as such, in one word. */
static void reap(struct session *s)
{
    int status = 0, then = 0;
    bool is_empty;
    pid_t pid = next_end(&status, &is_empty);

    if (is_empty)
        (void)launch_tell_of(MSG_EMPTY, 0, 0, NULL, -1);
    for (int i = 0; pid > 0 && i < LAUNCH_REAPS; i++) {
        const pid_t next = next_end(&then, &is_empty);

        tell_end(s, pid, status, is_empty);
        pid = next;
        status = then;
    }
    if (pid > 0) {
        tell_end(s, pid, status, false);
        launch_reap_again();
    }
    s->is_empty = is_empty;
}

/* --- the loop --------------------------------------------------------------
 */

/* False: the holder is gone, and so is the session. */
static bool hear_holder(struct session *s)
{
    /* Our own copy, which nobody else can change. */
    static uint64_t room[EXEC_INLINE / sizeof(uint64_t)];
    struct launch_record rec = { .msg = MSG_NONE };
    struct iovec iov[] = { { &rec, sizeof(rec) }, { room, sizeof(room) } };
    struct order o = { .tty = -1, .master = -1, .ruleset = -1 };
    ssize_t n = message_receive(LAUNCH_STATUS_FD, iov, ARRAY_LEN(iov), o.fd,
                                EXEC_FDS, &o.nfds, MSG_DONTWAIT);

    if (n < 0)
        return n == -EAGAIN;
    o.id = rec.exec;
    o.size = rec.status;
    if (n > (ssize_t)sizeof(rec)) {
        o.bytes = room;
        o.len = (size_t)n - sizeof(rec);
    }
    if (n >= (ssize_t)sizeof(rec) && rec.msg == MSG_EXEC && rec.exec) {
        const bool goes_on = run(s, &o);

        explicit_bzero(room, (size_t)n - sizeof(rec));
        return goes_on;
    }
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

/* A command's end comes as two events, and its filter goes first.  What that
 * takes to clear away would come before its end is told, so it waits for the
 * next event, whichever that is. */
static void serve_all(struct session *s, const struct pollfd *p, size_t n,
                      bool had_child)
{
    /* From the end: one that is gone gives its place to the last.  After a
     * child's end all of them: it may have been a helper of the broker's. */
    for (size_t i = n; i-- > 0;)
        if (p[i].revents & POLLIN || had_child || s->listener[i].is_over)
            serve(s, i);
        else if (p[i].revents)
            s->listener[i].is_over = true;
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
            (struct pollfd){ .fd = s->listener[i].is_over ? -1
                                                          : s->listener[i].fd,
                             .events = POLLIN };
    if (poll(p, FIXED + n, s->is_empty ? -1 : crowd_patience(&s->crowd)) < 0)
        return errno == EINTR;
    crowd_tend(&s->crowd);
    had_child = p[1].revents;
    if (had_child) {
        if (read(s->signals, &si, sizeof(si)) < 0 && errno != EAGAIN)
            return false;
        reap(s);
    }
    serve_all(s, p + FIXED, n, had_child);
    if (p[2].revents)
        (void)launch_lend_socket(&s->inside);
    return !p[0].revents || hear_holder(s);
}

static void find_filter(struct session *s)
{
    for (size_t i = 0; i < s->plan->head.nsteps; i++) {
        struct step p = plan_step(s->plan, i);

        if (p.kind != STEP_FILTER)
            continue;
        s->filter = (const void *)p.text;
        s->filter_len = p.text_len / sizeof(struct sock_filter);
    }
}

/* Once for all commands: to load it takes the kernel longer than to make a
 * process.  A broker reads whom it answers, which the filter lets nobody do:
 * there each command loads it, with a listener. */
static int raise_filter(struct session *s, struct err *e)
{
    int r;

    find_filter(s);
    if (s->broker)
        return 0;
    r = seccomp_enforce(s->filter, s->filter_len, false, NULL);
    s->is_filtered = r == 0;
    return r < 0 ? err_sys(e, "seccomp(2)", -r, "cannot filter system calls")
                 : 0;
}

static int prepare(struct session *s, struct err *e)
{
    const unsigned abi = s->plan->head.landlock_abi;
    scoped(drop_fd) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    s->idle = fcntl(0, F_DUPFD_CLOEXEC, LAUNCH_INSIDE_FD + 1);
    if (s->idle < 0 || root < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot keep the streams");
    s->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    crowd_begin(&s->crowd);
    s->fence = -1;
    if (!(s->plan->head.flags & PLAN_NO_LANDLOCK)) {
        s->fence = landlock_fence(abi, root);
        if (s->fence < 0)
            return err_sys(e, "landlock_create_ruleset(2)", -s->fence,
                           "cannot make a domain");
        if (launch_note_places(s->plan, &s->noted, e) < 0)
            return -1;
    }
    if (launch_watch_children(&s->signals, e) < 0)
        return -1;
    if (launch_open_broker(s->plan, NULL, &s->broker, e) < 0)
        return -1;
    return raise_filter(s, e);
}

int launch_session(const struct plan_view *plan)
{
    static struct session s = { .inside = -1, .is_empty = true };
    struct err e = { 0 };

    s.plan = plan;
    if (prepare(&s, &e) < 0) {
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
