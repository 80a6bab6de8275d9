/* init.c - pid 1 of the sandbox: waits for the word, runs the workload,
 * reaps, forwards signals, serves the broker, reports the end.
 *
 * When it ends, the kernel kills and reaps everything else in the namespace
 * (pid_namespaces(7)), so it ends when the workload does, when the supervisor
 * goes away, and never before telling. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "broker/broker.h"
#include "launch/crowd.h"
#include "launch/exec.h"
#include "launch/inside.h"
#include "launch/launch.h"
#include "launch/proto.h"
#include "launch/runsc.h"
#include "launch/verify.h"
#include "sys/message.h"

enum { EARLY_MS = 10, STUCK_MS = 5000, SETTLE_MS = 500 };

/* Until what happened since it was told last is told: when the workload is
 * quiet, and when it is not. */
enum { QUIET_MS = 100, BUSY_MS = 1000 };

struct init {
    struct broker *broker;
    int listener;
    int signals;
    int inside; /* requests of the gateway, or -1 */
    pid_t workload;
    bool is_runsc;  /* it is gVisor around the workload */
    bool ends_all;  /* what the workload leaves, before its end is told */
    bool is_alone;  /* there is nothing that it has left */
    uint64_t early; /* signals that nobody could take yet */
    int64_t stale; /* since when there is something to tell; 0: there is none */
    struct streams streams;
    struct crowd crowd;
};

int launch_tell_of(uint32_t msg, uint32_t exec, int32_t status,
                   const struct err *e, int fd)
{
    struct launch_record rec = { .msg = msg, .status = status, .exec = exec };
    const struct iovec iov = { .iov_base = &rec, .iov_len = sizeof(rec) };

    if (e)
        rec.err = *e;
    return message_send(LAUNCH_STATUS_FD, &iov, 1, &fd, fd >= 0, 0);
}

int launch_tell(uint32_t msg, int32_t status, const struct err *e, int fd)
{
    return launch_tell_of(msg, 0, status, e, fd);
}

/* Only an explicit word starts the workload; anything else ends the sandbox. */
bool launch_hear_go(void)
{
    struct launch_record rec;
    ssize_t n;

    do
        n = recv(LAUNCH_STATUS_FD, &rec, sizeof(rec), 0);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(rec) && rec.msg == MSG_GO;
}

/* The same, with what the walls are compared with. */
static bool hear_go(struct verify *v)
{
    ssize_t n;

    if (!v)
        return launch_hear_go();
    do
        n = recv(LAUNCH_STATUS_FD, &v->host, sizeof(v->host), 0);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(v->host) && v->host.msg == MSG_GO;
}

static void send_signal(struct init *in, int number)
{
    crowd_signal(&in->crowd, number);
    if (in->is_runsc && (number == SIGSTOP || number == SIGCONT))
        runsc_halt(number == SIGSTOP);
    else if (number == SIGSTOP || number == SIGCONT)
        (void)kill(-1, number);
    else if (!in->is_runsc)
        (void)kill(-in->workload, number);
    else if (!runsc_signal(number))
        in->early |= 1ull << (number - 1);
}

/* What came before the workload's kernel was there. */
static void send_early(struct init *in)
{
    uint64_t early = in->early;

    in->early = 0;
    for (int number = 1; number <= 64; number++)
        if (early >> (number - 1) & 1)
            send_signal(in, number);
}

/* Signals of the caller go to the workload's process group, as a terminal
 * would send them.  Being stopped is for all: who went off into a session of
 * its own could go on and read the terminal that is the shell's again. */
static bool hear_supervisor(struct init *in)
{
    struct launch_record rec;
    ssize_t n = recv(LAUNCH_STATUS_FD, &rec, sizeof(rec), MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n != (ssize_t)sizeof(rec))
        return false;
    if (rec.msg == MSG_SIGNAL && rec.status > 0 && rec.status < NSIG)
        send_signal(in, rec.status);
    return true;
}

/* It is blocked, so that it is kept for our descriptor even of init
 * (signal(7)). */
void launch_reap_again(void)
{
    (void)raise(SIGCHLD);
}

/* Returns true, and the status, when the workload itself has ended.  That it
 * was stopped is passed on: the caller's shell must not read the terminal
 * again before.  Whoever lost its parent became our child. */
static bool reap(struct init *in, int *status)
{
    bool ended = false;
    pid_t pid = 0;
    int st;

    for (int i = 0; i < LAUNCH_REAPS; i++) {
        pid = waitpid(-1, &st, WNOHANG | WUNTRACED);
        if (pid <= 0)
            break;
        if (WIFSTOPPED(st)) {
            if (pid == in->workload && !crowd_halts(&in->crowd, pid))
                (void)launch_tell(MSG_STOPPED, st, NULL, -1);
        } else if (pid == in->workload) {
            *status = st;
            ended = true;
        }
    }
    in->is_alone = pid < 0 && errno == ECHILD;
    if (pid > 0)
        launch_reap_again();
    return ended;
}

static void serve_broker(struct init *in)
{
    if (broker_serve(in->broker, in->listener) < 0) {
        (void)close(in->listener);
        in->listener = -1;
    }
}

/* Nothing new appears: a process with SIGKILL pending forks no more.  One that
 * waits in the kernel (state D) shall not keep the answer for ever; it ends
 * with the namespace, as does everything. */
static void end_rest(const struct init *in)
{
    struct pollfd p = { .fd = in->signals, .events = POLLIN };
    struct signalfd_siginfo si;
    pid_t pid;

    (void)kill(-1, SIGKILL);
    do {
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            continue;
        if (pid < 0 && errno == ECHILD)
            return;
    } while (poll(&p, 1, STUCK_MS) > 0 &&
             (read(in->signals, &si, sizeof(si)) > 0 || errno == EAGAIN));
}

static void tell_end(struct init *in, int status)
{
    struct err e = { 0 };

    if (in->broker)
        broker_settle(in->broker, SETTLE_MS);
    if (in->ends_all && !in->is_alone)
        end_rest(in);
    if (in->is_runsc) {
        streams_finish(&in->streams);
        if (runsc_has_failed(status, &e)) {
            (void)launch_tell(MSG_FAILED, 0, &e, -1);
            return;
        }
    }
    (void)launch_tell(MSG_EXITED, status, NULL, -1);
}

/* To be ended, and not to end: what that takes would come before the answer,
 * where there is but one processor. */
static void wait_for_end(void)
{
    struct launch_record rec;
    ssize_t n;

    do
        n = recv(LAUNCH_STATUS_FD, &rec, sizeof(rec), 0);
    while (n > 0 || (n < 0 && errno == EINTR));
}

static int patience(const struct init *in)
{
    if (in->early)
        return EARLY_MS;
    return in->broker && broker_is_stale(in->broker)
               ? QUIET_MS
               : crowd_patience(&in->crowd);
}

/* Who is ended from outside has no time to tell. */
static void tell_in_time(struct init *in, bool is_quiet)
{
    int64_t now;

    if (!in->broker || !broker_is_stale(in->broker)) {
        in->stale = 0;
        return;
    }
    now = (int64_t)now_ms();
    if (!in->stale)
        in->stale = now;
    if (!is_quiet && now - in->stale < BUSY_MS)
        return;
    broker_refresh(in->broker);
    in->stale = 0;
}

static int run_loop(struct init *in)
{
    for (;;) {
        struct pollfd p[] = {
            { .fd = LAUNCH_STATUS_FD, .events = POLLIN },
            { .fd = in->signals, .events = POLLIN },
            { .fd = in->listener, .events = POLLIN },
            { .fd = in->inside, .events = POLLIN },
        };
        const int ready = poll(p, ARRAY_LEN(p), patience(in));
        struct signalfd_siginfo si;
        int status;

        if (ready < 0 && errno != EINTR)
            return 1;
        tell_in_time(in, ready == 0);
        crowd_tend(&in->crowd);
        if (in->early)
            send_early(in);
        if (p[2].revents & POLLIN)
            broker_serve_one(in->broker, in->listener);
        else if (p[2].revents)
            serve_broker(in);
        if (p[3].revents)
            (void)launch_lend_socket(&in->inside);
        if (p[1].revents) {
            /* How many children ended, waitpid(2) tells. */
            if (read(in->signals, &si, sizeof(si)) < 0 && errno != EAGAIN)
                return 1;
            if (reap(in, &status)) {
                tell_end(in, status);
                if (in->ends_all)
                    wait_for_end();
                return 0;
            }
            /* It may have been a helper of the broker's that the workload
             * killed, whose caller still waits for the answer. */
            if (in->listener >= 0)
                serve_broker(in);
        }
        if (p[0].revents && !hear_supervisor(in))
            return 1;
    }
}

/* The absent paths of a plan, behind those that there are. */
static int add_absent(const struct plan_view *plan, struct broker_absent *list,
                      size_t *n, struct err *e)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (s.kind != STEP_ABSENT)
            continue;
        if (*n == LAUNCH_ABSENT)
            return err_set(e, ERR_POLICY_VALIDATION,
                           "more than %d denied paths do not exist yet",
                           LAUNCH_ABSENT);
        list[(*n)++] = (struct broker_absent){ s.path, s.text };
    }
    return 0;
}

/* What is longer fills all of the room, and ends in dots: not in the middle of
 * a character. */
static void copy(char *out, size_t size, const char *text)
{
    size_t n = size - sizeof("...");

    if (snprintf(out, size, "%s", text) < (int)size)
        return;
    for (int i = 0; i < 3 && ((unsigned char)out[n] & 0xc0) == 0x80; i++)
        n--;
    memset(out + n, '.', size - 1 - n);
}

static bool send_seen(const struct launch_seen *s)
{
    return send(LAUNCH_STATUS_FD, s, sizeof(*s), MSG_DONTWAIT | MSG_NOSIGNAL) ==
           (ssize_t)sizeof(*s);
}

static bool tell_seen(const struct broker_seen *r, int wait_ms)
{
    struct pollfd p = { .fd = LAUNCH_STATUS_FD, .events = POLLOUT };
    struct launch_seen s = { .msg = r->is_allowed ? MSG_ACCESS : MSG_DENIAL,
                             .sys = r->sys,
                             .op = (uint32_t)r->op,
                             .pid = r->tid,
                             .key = r->key,
                             .count = r->count };

    copy(s.call, sizeof(s.call), r->call);
    copy(s.process, sizeof(s.process), r->process);
    copy(s.why, sizeof(s.why), r->why);
    copy(s.named, sizeof(s.named), r->named);
    copy(s.path, sizeof(s.path), r->path);
    return send_seen(&s) || (wait_ms > 0 && errno == EAGAIN &&
                             poll(&p, 1, wait_ms) > 0 && send_seen(&s));
}

int launch_open_broker(const struct plan_view *plan,
                       const struct plan_view *claim, struct broker **out,
                       struct err *e)
{
    static struct broker_absent absent[LAUNCH_ABSENT];
    const uint32_t flags = plan->head.flags | (claim ? claim->head.flags : 0);
    struct broker_config c = {
        .creates = flags & PLAN_BROKER_CREATES,
        .unix_sockets = flags & PLAN_BROKER_UNIX,
        .ping = flags & PLAN_NET_ICMP,
        .tell = flags & PLAN_DENIALS ? tell_seen : NULL,
        .tells_uses = flags & PLAN_ACCESSES,
        .absent = absent,
    };

    *out = NULL;
    if (!c.creates && !c.unix_sockets && !c.tell)
        return 0;
    if (add_absent(plan, absent, &c.nabsent, e) < 0 ||
        (claim && add_absent(claim, absent, &c.nabsent, e) < 0))
        return -1;
    return broker_create(&c, out, e);
}

/* Points into the plan; the arrays are static because nothing is allocated
 * after the plan was checked. */
int launch_fill_args(const struct plan_view *plan, struct exec_args *a,
                     struct err *e)
{
    static char *strings[EXEC_MAX_STRINGS];
    size_t n = 0;

    if (plan_count(plan, STEP_ARG) + plan_count(plan, STEP_ENV) + 2 >
        EXEC_MAX_STRINGS)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "more than %d arguments and variables",
                       EXEC_MAX_STRINGS - 2);
    a->argv = strings;
    for (int pass = 0; pass < 2; pass++) {
        enum step_kind want = pass == 0 ? STEP_ARG : STEP_ENV;

        for (size_t i = 0; i < plan->head.nsteps; i++) {
            struct step s = plan_step(plan, i);

            if (s.kind == want)
                /* execve(2) does not write to them. */
                strings[n++] = (char *)(uintptr_t)s.text;
            if (s.kind == STEP_ENV && strncmp(s.text, "PATH=", 5) == 0)
                a->path = s.text + 5;
            if (s.kind == STEP_CWD)
                a->cwd = s.path;
            if (s.kind == STEP_FILTER) {
                a->filter = (const void *)s.text;
                a->filter_len = s.text_len / sizeof(struct sock_filter);
            }
        }
        strings[n++] = NULL;
        if (pass == 0)
            a->envp = strings + n;
    }
    return 0;
}

int launch_watch_children(int *fd, struct err *e)
{
    sigset_t chld;

    (void)sigemptyset(&chld);
    (void)sigaddset(&chld, SIGCHLD);
    if (sigprocmask(SIG_SETMASK, &chld, NULL) < 0)
        return err_sys(e, "sigprocmask(2)", errno, "cannot block signals");
    *fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
    if (*fd < 0)
        return err_sys(e, "signalfd(2)", errno, "cannot watch children");
    return 0;
}

/* Only the workload holds its streams: its readers see the end of file when it
 * closes them. */
static int see_to_its_end(struct init *in, int tty)
{
    if (tty >= 0)
        (void)close(tty);
    /* gVisor's processes are threads of one program, and the workload's. */
    in->crowd.proc = -1;
    if (!in->is_runsc)
        crowd_begin(&in->crowd);
    (void)close(0);
    (void)close(1);
    (void)close(2);
    return run_loop(in);
}

static int tell_failure(int status, const struct err *e)
{
    (void)launch_tell(status ? MSG_NOT_STARTED : MSG_FAILED, status, e, -1);
    return 1;
}

int launch_follow(struct broker *b, int signals, const struct exec_args *a,
                  int master)
{
    struct init in = { .broker = b,
                       .listener = -1,
                       .signals = signals,
                       .inside = -1,
                       .ends_all = true };
    struct err e = { 0 };
    int status = 0;

    if (exec_workload(a, &in.workload, &in.listener, &status, &e) < 0)
        return tell_failure(status, &e);
    if (master >= 0) {
        if (launch_tell(MSG_STARTED, in.workload, NULL, master) < 0)
            return 1;
        (void)close(master);
    }
    return see_to_its_end(&in, a->tty);
}

int launch_init(const struct plan_view *plan, int tty, int master, int userns,
                int outside)
{
    static char ran[PATH_MAX];
    struct exec_args a = { .path = LAUNCH_PATH,
                           .tty = tty,
                           .program = -1,
                           .ruleset = -1,
                           .sandbox = plan };
    struct init in = { .listener = -1,
                       .inside = -1,
                       .is_runsc = plan_count(plan, STEP_RUNSC) > 0 };
    struct verify v = { .plan = plan, .outside = outside };
    struct err e = { 0 };
    int status = 0, r;

    if (plan->head.flags & PLAN_SESSION)
        return launch_session(plan);
    if (launch_watch_children(&in.signals, &e) < 0 ||
        launch_open_broker(plan, NULL, &in.broker, &e) < 0 ||
        launch_fill_args(plan, &a, &e) < 0)
        return tell_failure(0, &e);
    a.want_listener = in.broker != NULL;
    a.is_watched = plan->head.flags & PLAN_DENIALS;
    a.ran = plan->head.flags & PLAN_ACCESSES ? ran : NULL;
    a.has_no_sockets = plan->head.flags & PLAN_EXEC_NO_SOCKETS;
    if (plan->head.flags & PLAN_VERIFY)
        a.verify = &v;
    v.envp = a.envp;
    if (plan->head.flags & PLAN_NET_DIAL)
        in.inside = LAUNCH_INSIDE_FD;
    if (launch_tell(MSG_READY, 0, NULL, master) < 0)
        return 1;
    if (master >= 0)
        (void)close(master);
    if (!hear_go(a.verify))
        return 1;
    r = in.is_runsc
            ? runsc_start(plan, userns, &in.streams, &in.workload, &status, &e)
            : exec_workload(&a, &in.workload, &in.listener, &status, &e);
    if (r < 0 && status && in.broker && a.argv[0] && strchr(a.argv[0], '/'))
        broker_not_begun(in.broker, a.cwd, a.argv[0]);
    if (r < 0)
        return tell_failure(status, &e);
    if (in.broker && ran[0])
        broker_began(in.broker, in.workload, a.cwd, ran);
    return see_to_its_end(&in, tty);
}
