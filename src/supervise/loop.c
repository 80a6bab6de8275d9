/* loop.c - one poll(2) over everything that can end or steer a run. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gateway/proto.h"
#include "launch/proto.h"
#include "supervise/kept.h"
#include "supervise/net_report.h"
#include "supervise/supervise.h"

struct loop {
    const struct supervise_args *args;
    const struct plan_view *plan;
    struct sandbox *sandbox;
    struct gateway *gateway;
    struct kept_run *kept;
    struct net_report *report;
    struct result *result;
    struct watch *watch;
    struct tty *tty;
    struct control control;
    uint64_t waiting; /* signals to be passed on: 1 << number - 1 */
    uint16_t rows, columns;
    int signals;
    int parent;            /* pidfd, or -1 */
    uint64_t begun_ms;     /* the set-up, where a runtime has a part in it */
    uint64_t started_ms;   /* 0: the workload does not run yet */
    bool is_ready;         /* the launcher */
    bool is_gateway_ready; /* or there is none */
    bool has_said_go;
    bool is_stopping;
    bool ends_on_signal;
    bool ended;
};

/* A runtime whose child is killed at a bad moment may wait for a word from it
 * for ever (liblxc 5.0 does), and holds the socket whose end would tell us. */
enum { SETUP_SECONDS = 60 };

static uint64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void end(struct loop *l, enum outcome outcome, int exit_code)
{
    l->result->outcome = outcome;
    l->result->exit_code = exit_code;
    l->ended = true;
}

static int tell_launcher(const struct loop *l, uint32_t msg, int32_t status)
{
    struct launch_record rec = { .msg = msg, .status = status };

    if (send(l->sandbox->status, &rec, sizeof(rec),
             MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(rec))
        return -1;
    return 0;
}

/* A word that was not heard would leave both sides waiting for ever.  Where
 * there is nobody left to hear it, the last word from there tells why.  When
 * nothing else can be in the way, the container that is kept becomes so. */
static void say_go(struct loop *l)
{
    if (kept_begin(l->kept, &l->result->err) < 0) {
        end(l, OUTCOME_FAILED, EXIT_MXC);
        return;
    }
    if (tell_launcher(l, MSG_GO, 0) == 0 || errno == EPIPE ||
        errno == ECONNRESET) {
        l->has_said_go = true;
        return;
    }
    err_sys(&l->result->err, "send(2)", errno, "cannot start the workload");
    end(l, OUTCOME_FAILED, EXIT_MXC);
}

/* The launcher is inside the sandbox: its record is copied field by field,
 * text cut where it must end, numbers held to their range. */
static void take_err(struct err *out, const struct err *in)
{
    *out = *in;
    out->op[sizeof(out->op) - 1] = '\0';
    out->where[sizeof(out->where) - 1] = '\0';
    out->hint[sizeof(out->hint) - 1] = '\0';
    out->msg[sizeof(out->msg) - 1] = '\0';
}

/* The one descriptor that belongs to a record, or -1.  There is room for two
 * where one is asked for (cmsg(3)), and what is sent is the other end's
 * to say. */
static int take_fd_of(struct msghdr *m)
{
    int kept = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            if (kept < 0)
                kept = fd;
            else
                (void)close(fd);
        }
    }
    return kept;
}

/* Receives one record, and the terminal's master with MSG_READY. */
static ssize_t receive(const struct loop *l, struct launch_record *rec, int *fd)
{
    struct iovec iov = { .iov_base = rec, .iov_len = sizeof(*rec) };
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.room,
                        .msg_controllen = sizeof(control.room) };
    ssize_t n = recvmsg(l->sandbox->status, &m, MSG_CMSG_CLOEXEC);

    /* It ended with a word of ours unheard, which is told once, before the
     * last word of its own that lies in the queue (unix(7), ECONNRESET). */
    if (n < 0 && errno == ECONNRESET)
        n = recvmsg(l->sandbox->status, &m, MSG_CMSG_CLOEXEC);
    *fd = n > 0 ? take_fd_of(&m) : -1;
    return n;
}

/* Takes the descriptor away where it is one. */
static int open_tty(struct loop *l, int *master, struct err *e)
{
    if (!(l->plan->head.flags & PLAN_TTY))
        return 0;
    /* Dropped by the kernel where we have no descriptor left (unix(7)). */
    if (*master < 0)
        return err_set(e, ERR_BACKEND_ERROR,
                       "the sandbox's terminal did not arrive");
    if (tty_create(*master, l->rows, l->columns, &l->tty, e) < 0)
        return -1;
    *master = -1;
    return 0;
}

/* What the launcher has no room for yet waits, each number once, as with
 * signals that are blocked. */
static void flush_signals(struct loop *l)
{
    for (int i = 1; l->waiting && i <= CONTROL_SIGNAL_MAX; i++) {
        const uint64_t bit = 1ull << (i - 1);

        if (l->waiting & bit &&
            (tell_launcher(l, MSG_SIGNAL, i) == 0 || errno != EAGAIN))
            l->waiting &= ~bit;
    }
}

/* Until it starts, they wait. */
static void pass_on(struct loop *l, unsigned number)
{
    l->waiting |= 1ull << (number - 1);
    if (l->started_ms)
        flush_signals(l);
}

/* Where there is nothing to prepare on this side, the word is given in
 * advance: the launcher hears it when its walls stand, without a round trip.
 * Until then it is only a record in a socket that dies with either end. */
static bool may_go_early(const struct loop *l)
{
    return !(l->plan->head.flags & PLAN_TTY) &&
           !plan_count(l->plan, STEP_WATCH) && !l->kept->want.path;
}

/* The word, once, when both are ready: a workload without a gateway would see
 * a network that answers nothing. */
static void maybe_go(struct loop *l)
{
    if (!l->is_gateway_ready)
        return;
    if (!l->has_said_go && (l->is_ready || may_go_early(l)))
        say_go(l);
    if (!l->is_ready || !l->has_said_go || l->started_ms)
        return;
    l->started_ms = now_ms();
    flush_signals(l);
}

/* Every wall stands; now the watches and the terminal, then the word. */
static void on_ready(struct loop *l, int *master)
{
    struct err *e = &l->result->err;

    if (l->is_ready)
        return;
    if (watch_create(l->plan, &l->watch, e) < 0 || open_tty(l, master, e) < 0) {
        end(l, OUTCOME_FAILED, EXIT_MXC);
        return;
    }
    l->is_ready = true;
    maybe_go(l);
}

static void on_exited(struct loop *l, int status)
{
    l->result->duration_ms = now_ms() - l->started_ms;
    if (WIFSIGNALED(status)) {
        l->result->signal = WTERMSIG(status);
        end(l, OUTCOME_SIGNALED, 128 + WTERMSIG(status));
    } else {
        end(l, OUTCOME_EXITED, WEXITSTATUS(status));
    }
}

static void on_gone(struct loop *l)
{
    err_set(&l->result->err, ERR_BACKEND_ERROR,
            l->started_ms ? "the sandbox was killed from outside before its "
                            "workload ended"
                          : "the sandbox's set-up died; nothing was run");
    err_hint(&l->result->err, "look for an out-of-memory kill in the "
                              "kernel's log");
    if (!l->started_ms)
        runtime_explain(l->sandbox, &l->result->err);
    end(l, OUTCOME_FAILED, EXIT_MXC);
}

/* First the workload, then we: the shell sees us stopped when nothing reads
 * its terminal any more, and its `fg` wakes both. */
static void on_stopped(struct loop *l)
{
    if (!l->is_stopping)
        return;
    l->is_stopping = false;
    (void)raise(SIGSTOP);
    pass_on(l, SIGCONT);
}

static void on_message(struct loop *l)
{
    struct launch_record rec;
    scoped(drop_fd) int fd = -1;
    ssize_t n = receive(l, &rec, &fd);

    if (n != (ssize_t)sizeof(rec)) {
        on_gone(l);
        return;
    }
    switch (rec.msg) {
    case MSG_READY:
        on_ready(l, &fd);
        break;
    case MSG_FAILED:
        take_err(&l->result->err, &rec.err);
        end(l, OUTCOME_FAILED, EXIT_MXC);
        break;
    case MSG_NOT_STARTED:
        take_err(&l->result->err, &rec.err);
        end(l, OUTCOME_NOT_STARTED, rec.status == 127 ? 127 : 126);
        break;
    case MSG_STOPPED:
        on_stopped(l);
        break;
    case MSG_EXITED:
        on_exited(l, rec.status);
        break;
    default:
        break;
    }
}

/* For callers who know that a signal to us is the end of it, whatever the
 * workload thinks of signals. */
static void end_by_signal(struct loop *l, unsigned number)
{
    if (l->started_ms)
        l->result->duration_ms = now_ms() - l->started_ms;
    err_set(&l->result->err, ERR_BACKEND_ERROR, "ended by signal %u", number);
    l->result->signal = (int)number;
    end(l, OUTCOME_STOPPED, 128 + (int)number);
}

static void on_signal(struct loop *l)
{
    struct signalfd_siginfo si;

    if (read(l->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
        return;
    if (si.ssi_signo == SIGWINCH && (l->tty || !l->started_ms)) {
        if (l->tty)
            tty_follow(l->tty);
        return;
    }
    if (l->ends_on_signal && si.ssi_signo != SIGWINCH &&
        si.ssi_signo != SIGTSTP) {
        end_by_signal(l, si.ssi_signo);
        return;
    }
    if (!l->started_ms) {
        /* Nothing runs yet: end as a program without a handler would. */
        err_set(&l->result->err, ERR_BACKEND_ERROR,
                "interrupted by signal %u before the workload started",
                si.ssi_signo);
        end(l, OUTCOME_FAILED, 128 + (int)si.ssi_signo);
        return;
    }
    if (si.ssi_signo == SIGTSTP) {
        pass_on(l, SIGSTOP);
        l->is_stopping = true;
        return;
    }
    pass_on(l, si.ssi_signo);
}

static void on_timeout(struct loop *l)
{
    if (!l->started_ms) {
        err_set(&l->result->err, ERR_BACKEND_ERROR,
                "the runtime did not make the sandbox within %d s; nothing was "
                "run",
                SETUP_SECONDS);
        err_hint(&l->result->err, "try again; the backend 'native' needs no "
                                  "other program");
        end(l, OUTCOME_FAILED, EXIT_MXC);
        return;
    }
    l->result->duration_ms = now_ms() - l->started_ms;
    err_set(&l->result->err, ERR_BACKEND_ERROR,
            "the workload was killed after its timeout of %llu ms",
            (unsigned long long)l->plan->head.timeout_ms);
    end(l, OUTCOME_TIMED_OUT, EXIT_TIMED_OUT);
}

/* How long poll(2) may wait: -1 for ever, 0 when the time is up. */
static int wait_ms(const struct loop *l)
{
    const uint64_t since = l->started_ms ? l->started_ms : l->begun_ms;
    const uint64_t limit =
        l->started_ms ? l->plan->head.timeout_ms : SETUP_SECONDS * 1000;
    uint64_t spent;

    if (!limit || !since || (!l->started_ms && l->is_ready))
        return -1;
    spent = now_ms() - since;
    if (spent >= limit)
        return 0;
    return limit - spent > 1000000 ? 1000000 : (int)(limit - spent);
}

static void stop(struct loop *l)
{
    if (l->started_ms)
        l->result->duration_ms = now_ms() - l->started_ms;
    end(l, l->started_ms ? OUTCOME_STOPPED : OUTCOME_FAILED, EXIT_MXC);
}

static void on_watch(struct loop *l)
{
    if (watch_check(l->watch, &l->result->err) < 0)
        stop(l);
}

/* Its end is the network's; a workload that goes on without would see a
 * network that fails for no reason that anybody could tell. */
static void on_gateway_gone(struct loop *l)
{
    err_set(&l->result->err, ERR_BACKEND_ERROR,
            l->started_ms ? "the gateway ended before the workload did"
                          : "the gateway ended during set-up; nothing was run");
    err_hint(&l->result->err, "look for an out-of-memory or seccomp kill in "
                              "the kernel's log");
    stop(l);
}

static void on_gateway(struct loop *l)
{
    struct gateway_record rec;

    if (!gateway_hear(l->gateway, &rec)) {
        on_gateway_gone(l);
        return;
    }
    if (rec.kind == GATEWAY_READY) {
        l->is_gateway_ready = true;
        maybe_go(l);
    } else if (rec.kind == GATEWAY_FAILED) {
        take_err(&l->result->err, &rec.err);
        end(l, OUTCOME_FAILED, EXIT_MXC);
    } else if (rec.kind != GATEWAY_NONE) {
        net_report_take(l->report, &rec);
    }
}

static void on_orphaned(struct loop *l)
{
    err_set(&l->result->err, ERR_BACKEND_ERROR, "the caller has ended");
    end(l, OUTCOME_STOPPED, EXIT_MXC);
}

static void resize(struct loop *l, const struct control_order *o)
{
    if (!(l->plan->head.flags & PLAN_TTY)) {
        err_set(&l->result->err, ERR_MALFORMED_REQUEST,
                "the control channel would resize a terminal, and there is "
                "none");
        err_hint(&l->result->err, "mxc run --pty ROWSxCOLUMNS gives it one");
        stop(l);
        return;
    }
    l->rows = o->rows;
    l->columns = o->columns;
    if (l->tty)
        tty_resize(l->tty, o->rows, o->columns);
}

static void obey(struct loop *l, const struct control_order *o)
{
    if (o->word == CONTROL_RESIZE) {
        resize(l, o);
    } else if (o->word == CONTROL_KILL) {
        if (l->started_ms)
            l->result->duration_ms = now_ms() - l->started_ms;
        end(l, OUTCOME_KILLED, EXIT_KILLED);
    } else {
        pass_on(l, (unsigned)o->signal);
    }
}

static void on_control(struct loop *l)
{
    struct control_order o;

    control_read(&l->control);
    while (!l->ended) {
        if (control_next(&l->control, &o, &l->result->err) < 0) {
            stop(l);
            return;
        }
        if (o.word == CONTROL_NONE)
            break;
        obey(l, &o);
    }
    if (!l->ended && l->control.fd < 0 && l->args->is_lifeline)
        on_orphaned(l);
}

static void turn(struct loop *l)
{
    enum { FIXED = 6 };
    struct pollfd p[FIXED + 4] = {
        { .fd = l->sandbox->status,
          .events = POLLIN | (l->started_ms && l->waiting ? POLLOUT : 0) },
        { .fd = l->signals, .events = POLLIN },
        { .fd = watch_fd(l->watch), .events = POLLIN },
        { .fd = l->parent, .events = POLLIN },
        { .fd = l->gateway->status, .events = POLLIN },
        { .fd = l->control.fd, .events = POLLIN },
    };
    size_t n = FIXED + (l->tty ? tty_poll(l->tty, p + FIXED) : 0);
    int wait = wait_ms(l);

    if (poll(p, n, wait) < 0 && errno != EINTR) {
        err_sys(&l->result->err, "poll(2)", errno, "cannot supervise");
        end(l, OUTCOME_FAILED, EXIT_MXC);
        return;
    }
    if (p[0].revents & POLLOUT)
        flush_signals(l);
    p[0].revents &= ~POLLOUT;
    /* A policy that can no longer be held comes before everything else. */
    if (p[2].revents)
        on_watch(l);
    /* A gateway ends when the launcher fails, which has said why before. */
    if (!l->ended && p[4].revents && (l->started_ms || !p[0].revents))
        on_gateway(l);
    if (!l->ended && p[0].revents)
        on_message(l);
    if (!l->ended && wait_ms(l) == 0)
        on_timeout(l);
    if (!l->ended && p[1].revents)
        on_signal(l);
    if (!l->ended && p[5].revents)
        on_control(l);
    if (!l->ended && p[3].revents)
        on_orphaned(l);
    if (l->tty && n > FIXED)
        tty_serve(l->tty, p + FIXED, n - FIXED);
}

/* Taken before the sandbox is spawned, so that none is lost. */
static int take_signals(void)
{
    static const int list[] = { SIGHUP,  SIGINT,   SIGQUIT, SIGTERM, SIGUSR1,
                                SIGUSR2, SIGWINCH, SIGTSTP, SIGALRM };
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        (void)sigaddset(&set, list[i]);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void tell_of_the_stuck(struct err *e)
{
    if (!e->msg[0])
        err_set(e, ERR_BACKEND_ERROR,
                "the sandbox was killed, but has not ended yet");
    err_hint(e, "a process of it waits in the kernel (state D in ps(1)) and "
                "ends when that does: look at what serves the granted "
                "directories");
}

void supervise(const struct supervise_args *a, struct sandbox *s,
               struct gateway *g, struct kept_run *kept, int parent,
               struct net_report *report, struct result *out)
{
    struct loop l = { .args = a,
                      .plan = a->plan,
                      .control = { .fd = a->control_fd },
                      .rows = a->rows,
                      .columns = a->columns,
                      .sandbox = s,
                      .gateway = g,
                      .kept = kept,
                      .report = report,
                      .is_gateway_ready = g->status < 0,
                      .result = out,
                      .signals = take_signals(),
                      .parent = parent,
                      .ends_on_signal = a->ends_on_signal };

    *out = (struct result){ .exit_code = EXIT_MXC };
    if (l.signals < 0) {
        err_sys(&out->err, "signalfd(2)", errno, "cannot supervise");
        l.ended = true;
    }
    if (plan_count(a->plan, STEP_RUNTIME))
        l.begun_ms = now_ms();
    maybe_go(&l);
    while (!l.ended)
        turn(&l);
    /* Whatever the reason: gone first, told afterwards. */
    if (!sandbox_kill(s))
        tell_of_the_stuck(&out->err);
    gateway_finish(
        g, out->outcome == OUTCOME_EXITED || out->outcome == OUTCOME_SIGNALED,
        report);
    if (l.tty)
        tty_drain(l.tty);
    tty_destroy(l.tty);
    watch_destroy(l.watch);
}
