/* loop.c - one poll(2) over everything that can end or steer a run. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/proto.h"
#include "launch/proto.h"
#include "supervise/kept.h"
#include "supervise/launcher.h"
#include "supervise/net_report.h"
#include "supervise/run_events.h"
#include "supervise/supervise.h"
#include "supervise/walls.h"
#include "sys/signals.h"

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
    struct run_limits limits;
    uint64_t cpu_look_ms;     /* when the time used is looked at again */
    uint64_t heard, heard_ms; /* bytes of output, and when the last came */
    uint64_t waiting;         /* signals to be passed on: 1 << number - 1 */
    uint16_t rows, columns;
    int signals;
    int parent;            /* pidfd, or -1 */
    uint64_t begun_ms;     /* the set-up, where a runtime has a part in it */
    uint64_t started_ms;   /* 0: the workload does not run yet */
    bool is_ready;         /* the launcher */
    bool is_gateway_ready; /* or there is none */
    bool has_said_go;
    bool has_failed;         /* what starts the workload: it never did */
    bool is_verified;        /* by the sandbox itself */
    uint64_t tries_since_ms; /* 0: it does not try its walls yet */
    bool is_stopping;
    bool is_draining; /* it is gone, its output is not */
    bool ends_on_signal;
    bool ended;
};

/* A runtime whose child is killed at a bad moment may wait for a word from it
 * for ever (liblxc 5.0 does), and holds the socket whose end would tell us. */
enum { SETUP_SECONDS = 60 };

/* A look at a path may wait for a server that does not answer. */
enum { TRIES_SECONDS = 20 };

static void end(struct loop *l, enum outcome outcome, int exit_code)
{
    l->result->outcome = outcome;
    l->result->exit_code = exit_code;
    l->ended = true;
}

static bool wants_tries(const struct loop *l)
{
    return l->plan->head.flags & PLAN_VERIFY;
}

/* A word that was not heard would leave both sides waiting for ever.  Where
 * there is nobody left to hear it, the last word from there tells why.  When
 * nothing else can be in the way, the container that is kept becomes so. */
static void say_go(struct loop *l)
{
    struct launch_go go; /* what its walls are compared with */
    int r;

    if (kept_begin(l->kept, &l->result->err) < 0 ||
        (wants_tries(l) &&
         walls_outside(&l->sandbox->group, &go, &l->result->err) < 0)) {
        end(l, OUTCOME_FAILED, EXIT_MXC);
        return;
    }
    r = wants_tries(l) ? launcher_tell_go(l->sandbox->status, &go)
                       : launcher_tell(l->sandbox->status, MSG_GO, 0);
    if (r == 0 || r == -EPIPE || r == -ECONNRESET) {
        l->has_said_go = true;
        return;
    }
    err_sys(&l->result->err, "send(2)", -r, "cannot start the workload");
    end(l, OUTCOME_FAILED, EXIT_MXC);
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
    tty_limit(l->tty, l->limits.value[LIMIT_OUTPUT]);
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
            launcher_tell(l->sandbox->status, MSG_SIGNAL, i) != -EAGAIN)
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

/* From here on it is the workload's time. */
static void on_started(struct loop *l)
{
    l->started_ms = now_ms();
    if (l->report->events)
        run_events_started(l->report->events, l->plan);
    flush_signals(l);
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
    if (!wants_tries(l))
        on_started(l);
    else if (!l->tries_since_ms)
        l->tries_since_ms = now_ms();
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
    if (wants_tries(l) && !l->is_verified) {
        err_set(&l->result->err, ERR_BACKEND_ERROR,
                "the sandbox did not say that its walls hold");
        end(l, OUTCOME_FAILED, EXIT_MXC);
        return;
    }
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
    l->result->is_gone = l->started_ms != 0;
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

static void on_record(struct loop *l, const struct launch_record *rec, int *fd)
{
    switch (rec->msg) {
    case MSG_READY:
        on_ready(l, fd);
        break;
    case MSG_FAILED:
        l->has_failed = true;
        l->result->err = rec->err;
        end(l, OUTCOME_FAILED, EXIT_MXC);
        break;
    case MSG_NOT_STARTED:
        l->result->err = rec->err;
        end(l, OUTCOME_NOT_STARTED, rec->status == 127 ? 127 : 126);
        break;
    case MSG_STOPPED:
        on_stopped(l);
        break;
    case MSG_EXITED:
        on_exited(l, rec->status);
        break;
    default:
        break;
    }
}

static void on_seen(const struct loop *l, const struct launch_seen *seen)
{
    if (seen->msg == MSG_DENIAL && l->report->others)
        denials_take(l->report->others, seen);
    else if (seen->msg == MSG_ACCESS && l->report->accesses)
        accesses_take(l->report->accesses, seen);
}

/* From the sandbox, but before anything of the workload's ran there. */
static void on_verified(struct loop *l, const struct verified *walls)
{
    if (!l->tries_since_ms || l->is_verified)
        return;
    l->is_verified = true;
    l->report->walls = *walls;
    if (l->report->events)
        run_events_verified(l->report->events, &l->report->walls, l->plan);
    on_started(l);
}

static void on_message(struct loop *l)
{
    /* They come in crowds; everybody else gets a turn too. */
    enum { AT_ONCE = 64 };

    for (int i = 0; i < AT_ONCE && !l->ended; i++) {
        scoped(drop_fd) int fd = -1;
        union launcher_word m;
        const ssize_t n = launcher_hear(l->sandbox->status, &m, &fd);

        if (n == -EAGAIN)
            return;
        if (n == (ssize_t)sizeof(m.seen)) {
            on_seen(l, &m.seen);
            continue;
        }
        if (n == (ssize_t)sizeof(m.verified) && m.rec.msg == MSG_VERIFIED) {
            on_verified(l, &m.verified.found);
            continue;
        }
        if (n != (ssize_t)sizeof(m.rec)) {
            on_gone(l);
            return;
        }
        on_record(l, &m.rec, &fd);
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

/* Who would have heard it is gone: what asks for an end is that of the wait for
 * its reader. */
static void on_late_signal(struct loop *l, unsigned number)
{
    if (signals_is_end((int)number))
        end_by_signal(l, number);
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
    if (l->is_draining) {
        if (si.ssi_signo == SIGTSTP)
            (void)raise(SIGSTOP);
        on_late_signal(l, si.ssi_signo);
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
    if (l->tries_since_ms && !l->started_ms) {
        err_set(&l->result->err, ERR_BACKEND_ERROR,
                "the sandbox had not tried its walls after %d s; nothing was "
                "run",
                TRIES_SECONDS);
        err_hint(&l->result->err, "look at what serves the granted "
                                  "directories, or run without --verify");
        end(l, OUTCOME_FAILED, EXIT_MXC);
        return;
    }
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
            l->is_draining
                ? "the workload had ended, but its timeout of %llu ms is over"
                : "the workload was killed after its timeout of %llu ms",
            (unsigned long long)l->plan->head.timeout_ms);
    end(l, OUTCOME_TIMED_OUT, EXIT_TIMED_OUT);
}

/* The supervisor ends it; what else was reached is judged at the end. */
static void end_by_limit(struct loop *l, enum limit which)
{
    l->result->duration_ms = now_ms() - l->started_ms;
    limits_end(&l->limits, which, l->result);
    l->ended = true;
}

/* As rarely as the rest of the time allows, however many processors use it. */
static void look_at_cpu(struct loop *l)
{
    uint64_t left;
    int r;

    if (now_ms() < l->cpu_look_ms)
        return;
    r = limits_cpu_left(&l->limits, &l->sandbox->group, &left);
    l->cpu_look_ms = now_ms() + left;
    if (r < 0) {
        /* What nobody counts is not limited. */
        err_sys(&l->result->err, "read(2)", -r,
                "the processor time that was used can no longer be told");
        end(l, OUTCOME_FAILED, EXIT_MXC);
    } else if (!left) {
        end_by_limit(l, LIMIT_CPU_TIME);
    }
}

/* How long poll(2) may wait: -1 for ever, 0 when the time is up. */
static int timeout_ms(const struct loop *l)
{
    const uint64_t since = l->started_ms       ? l->started_ms
                           : l->tries_since_ms ? l->tries_since_ms
                                               : l->begun_ms;
    const uint64_t limit = l->started_ms       ? l->plan->head.timeout_ms
                           : l->tries_since_ms ? TRIES_SECONDS * 1000
                                               : SETUP_SECONDS * 1000;
    uint64_t spent;

    if (!limit || !since ||
        (!l->started_ms && l->is_ready && !l->tries_since_ms))
        return -1;
    spent = now_ms() - since;
    if (spent >= limit)
        return 0;
    return limit - spent > 1000000 ? 1000000 : (int)(limit - spent);
}

static bool is_set(const struct loop *l, enum limit which)
{
    return l->started_ms && l->limits.set & LIMIT_BIT(which);
}

static void look_at_output(struct loop *l)
{
    const struct output *o = l->sandbox->output;
    const uint64_t now = now_ms();
    uint64_t taken = 0;
    bool is_full = false;

    if (o) {
        taken = output_taken(o);
        is_full = output_is_full(o);
    } else if (l->tty) {
        taken = tty_taken(l->tty);
        is_full = tty_is_full(l->tty);
    }
    /* Who has no room to say something is not silent. */
    if (taken != l->heard || !l->heard_ms || (o && output_is_waiting(o)) ||
        (l->tty && tty_is_waiting(l->tty))) {
        l->heard = taken;
        l->heard_ms = now;
    }
    if (is_full)
        end_by_limit(l, LIMIT_OUTPUT);
    else if (is_set(l, LIMIT_SILENCE) &&
             now >= later_ms(l->heard_ms, l->limits.value[LIMIT_SILENCE]))
        end_by_limit(l, LIMIT_SILENCE);
}

static void look_at_limits(struct loop *l)
{
    if (is_set(l, LIMIT_CPU_TIME))
        look_at_cpu(l);
    if (!l->ended && (is_set(l, LIMIT_OUTPUT) || is_set(l, LIMIT_SILENCE)))
        look_at_output(l);
}

static int sooner(int wait, uint64_t now, uint64_t due)
{
    const uint64_t left = due > now ? due - now : 0;

    return wait >= 0 && (uint64_t)wait <= left ? wait
           : left > 1000000                    ? 1000000
                                               : (int)left;
}

static int wait_ms(const struct loop *l)
{
    const uint64_t now = now_ms();
    int wait = timeout_ms(l);

    if (is_set(l, LIMIT_CPU_TIME))
        wait = sooner(wait, now, l->cpu_look_ms);
    if (is_set(l, LIMIT_SILENCE))
        wait = sooner(wait, now,
                      later_ms(l->heard_ms, l->limits.value[LIMIT_SILENCE]));
    return wait;
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

static void take_record(struct loop *l, const struct gateway_record *rec)
{
    if (rec->kind == GATEWAY_READY) {
        l->is_gateway_ready = true;
        maybe_go(l);
    } else if (rec->kind == GATEWAY_FAILED) {
        l->result->err = rec->err;
        end(l, OUTCOME_FAILED, EXIT_MXC);
    } else {
        net_report_take(l->report, rec);
        /* A connection too many is refused, a byte too many is the end. */
        if (l->report->reached[LIMIT_NETWORK] && is_set(l, LIMIT_NETWORK))
            end_by_limit(l, LIMIT_NETWORK);
    }
}

/* As many as are there, so that a busy gateway need not count them as lost;
 * but everybody else gets a turn. */
static void on_gateway(struct loop *l)
{
    enum { AT_ONCE = 64 };
    struct gateway_record rec;

    for (int i = 0; i < AT_ONCE && !l->ended; i++) {
        if (!gateway_hear(l->gateway, &rec)) {
            on_gateway_gone(l);
            return;
        }
        if (rec.kind == GATEWAY_NONE)
            return;
        take_record(l, &rec);
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
    } else if (l->is_draining) {
        on_late_signal(l, (unsigned)o->signal);
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
    enum { FIXED = 7 };
    struct events *events = l->report->events;
    struct output *output = l->sandbox->output;
    struct pollfd p[FIXED + 4] = {
        { .fd = l->sandbox->status,
          .events = POLLIN | (l->started_ms && l->waiting ? POLLOUT : 0) },
        { .fd = l->signals, .events = POLLIN },
        { .fd = watch_fd(l->watch), .events = POLLIN },
        { .fd = l->parent, .events = POLLIN },
        { .fd = l->gateway->status, .events = POLLIN },
        { .fd = l->control.fd, .events = POLLIN },
        { .fd = events ? events_poll_fd(events) : -1, .events = POLLOUT },
    };
    int wait = wait_ms(l);
    size_t n = FIXED;

    if (l->tty)
        n += tty_poll(l->tty, p + n);
    else if (output)
        n += output_poll(output, p + n);
    if (poll(p, n, wait) < 0 && errno != EINTR) {
        err_sys(&l->result->err, "poll(2)", errno, "cannot supervise");
        end(l, OUTCOME_FAILED, EXIT_MXC);
        return;
    }
    if (p[0].revents & POLLOUT)
        flush_signals(l);
    p[0].revents &= ~POLLOUT;
    if (output && n > FIXED)
        output_serve(output, p + FIXED, n - FIXED);
    /* A policy that can no longer be held comes before everything else. */
    if (p[2].revents)
        on_watch(l);
    /* What the gateway tells of the workload comes after the sandbox's word on
     * its walls, which is there by then. */
    if (!l->ended && p[4].revents && l->tries_since_ms && !l->is_verified) {
        on_message(l);
        p[0].revents = 0;
    }
    /* A gateway ends when the launcher fails, which has said why before. */
    if (!l->ended && p[4].revents && (l->started_ms || !p[0].revents))
        on_gateway(l);
    if (!l->ended && p[0].revents)
        on_message(l);
    if (!l->ended && timeout_ms(l) == 0)
        on_timeout(l);
    if (!l->ended && p[1].revents)
        on_signal(l);
    if (!l->ended && p[5].revents)
        on_control(l);
    if (!l->ended && p[3].revents)
        on_orphaned(l);
    if (p[6].revents)
        events_flush(events);
    if (l->tty && n > FIXED)
        tty_serve(l->tty, p + FIXED, n - FIXED);
    /* Last: what is full is not polled any more. */
    if (!l->ended)
        look_at_limits(l);
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

static bool has_rest(const struct loop *l)
{
    return l->tty               ? tty_rest(l->tty)
           : l->sandbox->output ? output_rest(l->sandbox->output)
                                : false;
}

/* What ends a run ends the wait for its reader; unless it has ended it. */
static void drain_turn(struct loop *l, int wait)
{
    enum { FIXED = 3 };
    struct output *output = l->sandbox->output;
    struct pollfd p[FIXED + 4] = {
        { .fd = l->ended ? -1 : l->signals, .events = POLLIN },
        { .fd = l->ended ? -1 : l->control.fd, .events = POLLIN },
        { .fd = l->ended ? -1 : l->parent, .events = POLLIN },
    };
    const size_t n = FIXED + (l->tty ? tty_poll(l->tty, p + FIXED)
                                     : output_poll(output, p + FIXED));

    if (poll(p, n, wait) < 0 && errno != EINTR) {
        err_sys(&l->result->err, "poll(2)", errno, "cannot supervise");
        end(l, OUTCOME_FAILED, EXIT_MXC);
        return;
    }
    if (l->tty)
        tty_serve(l->tty, p + FIXED, n - FIXED);
    else
        output_serve(output, p + FIXED, n - FIXED);
    if (l->ended || !has_rest(l))
        return;
    if (timeout_ms(l) == 0)
        on_timeout(l);
    if (!l->ended && p[0].revents)
        on_signal(l);
    if (!l->ended && p[1].revents)
        on_control(l);
    if (!l->ended && p[2].revents)
        on_orphaned(l);
}

/* After an end of its own everything arrives, whoever reads slowly.  What it
 * wrote before its end may be the one byte too many. */
static void finish_output(struct loop *l)
{
    const uint64_t due = now_ms() + DRAIN_MS;
    const bool ended = !result_is_orderly(l->result);
    struct output *o = l->sandbox->output;
    int sys = 0;

    l->ended = ended;
    l->is_draining = true;
    while (has_rest(l) && (ended ? now_ms() < due : !l->ended))
        drain_turn(l, ended ? sooner(-1, now_ms(), due) : timeout_ms(l));
    if (l->tty ? tty_is_full(l->tty) : o && output_is_full(o)) {
        if (result_is_orderly(l->result))
            limits_end(&l->limits, LIMIT_OUTPUT, l->result);
        else if (!l->result->reached[LIMIT_OUTPUT].count)
            limits_reach(&l->limits, LIMIT_OUTPUT, 1, l->result);
    }
    if (l->tty || o)
        sys = l->tty ? tty_sys(l->tty) : output_sys(o);
    if (sys || has_rest(l))
        result_cut(l->result, sys);
    output_destroy(o);
    l->sandbox->output = NULL;
}

/* What it sent before its end may be the one byte too many. */
static void finish_network(struct loop *l)
{
    const uint64_t *reached = l->report->reached;
    const bool was_orderly = result_is_orderly(l->result);

    gateway_finish(l->gateway, was_orderly, l->report);
    limits_reach(&l->limits, LIMIT_CONNECTIONS, reached[LIMIT_CONNECTIONS],
                 l->result);
    if (!reached[LIMIT_NETWORK] || !is_set(l, LIMIT_NETWORK))
        return;
    if (was_orderly)
        limits_end(&l->limits, LIMIT_NETWORK, l->result);
    else if (!l->result->reached[LIMIT_NETWORK].count)
        limits_reach(&l->limits, LIMIT_NETWORK, 1, l->result);
}

/* However it ended: what init has told before is heard. */
static void hear_last(struct loop *l)
{
    enum { MOST = 4096 };
    union launcher_word m;

    for (int i = 0; i < MOST; i++) {
        scoped(drop_fd) int fd = -1;
        const ssize_t n = launcher_hear(l->sandbox->status, &m, &fd);

        if (n <= 0)
            break;
        if (n == (ssize_t)sizeof(m.seen))
            on_seen(l, &m.seen);
    }
    drop_fd(&l->sandbox->status);
}

void supervise(const struct supervise_args *a, struct sandbox *s,
               struct gateway *g, struct kept_run *kept, int parent,
               struct net_report *report, struct result *out)
{
    /* Signals are taken before anything is told to run: none is lost. */
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
                      .signals = signals_take_passed(),
                      .parent = parent,
                      .ends_on_signal = a->ends_on_signal };

    *out = (struct result){ .exit_code = EXIT_MXC };
    if (l.signals < 0) {
        err_sys(&out->err, "signalfd(2)", -l.signals, "cannot supervise");
        l.ended = true;
    }
    limits_take(a->plan, &l.limits);
    if (plan_count(a->plan, STEP_RUNTIME))
        l.begun_ms = now_ms();
    maybe_go(&l);
    while (!l.ended)
        turn(&l);
    out->has_run =
        l.started_ms && !l.has_failed && out->outcome != OUTCOME_NOT_STARTED;
    /* Whatever the reason: gone first, told afterwards. */
    if (!sandbox_end(s))
        tell_of_the_stuck(&out->err);
    hear_last(&l);
    finish_output(&l);
    limits_judge(&l.limits, &s->counts, out);
    finish_network(&l);
    tty_destroy(l.tty);
    watch_destroy(l.watch);
}
