/* exec_follow.c - see exec.h. */
#include "cli/exec.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "supervise/supervise.h"
#include "sys/signals.h"

/* How often who has signals for the command looks whether it is taken. */
enum { HELD_MS = 20 };

struct follow {
    struct exec *x;
    const struct exec_way *way;
    int signals;
    struct tty *tty;
    struct control control;
    bool is_stopping, has_ended;
    uint64_t started_ms;
    uint64_t begun_ms; /* when it was handed over */
    uint64_t sent_ms;  /* what was sent then may not be taken yet; 0: it is */
    bool has_taken;    /* the holder, the command */
    bool has_probed;
    uint16_t rows, columns; /* asked for before there was a terminal, or 0 */
    uint64_t held;          /* signals for it, until then: 1 << number - 1 */
    int unheard;  /* an order that found the command ended: a signal or -1 */
    bool is_told; /* that the holder does not answer */
    bool is_cut;  /* the wait for the reader of its last output has ended */
    struct err *e;
};

/* What we sent lies there still: somebody may have stopped who shall take it.
 */
static bool is_unheard(struct follow *f)
{
    int left = 0;
    const bool is_left = ioctl(f->x->conn, SIOCOUTQ, &left) == 0 && left > 0;

    f->has_taken = f->has_taken || !is_left;
    return is_left;
}

static void tell(struct follow *f, enum ask_what what, int number)
{
    const struct ask a = { .version = TALK_VERSION,
                           .what = what,
                           .number = number };
    int r;

    if (!is_unheard(f)) {
        f->sent_ms = now_ms();
        f->is_told = false;
    }
    r = talk_send(f->x->conn, &a, sizeof(a), NULL, 0, 0);
    if (r == -EPIPE || r == -ECONNRESET)
        f->unheard = what == ASK_KILL ? -1 : number;
}

static void pass_on_held(struct follow *f)
{
    const uint64_t held = f->held;

    if (!held || (!f->has_taken && is_unheard(f)))
        return;
    f->held = 0;
    for (int i = 1; i <= CONTROL_SIGNAL_MAX; i++)
        if (held >> (i - 1) & 1)
            tell(f, ASK_SIGNAL, i);
}

/* Until the command is taken they are kept here, each number once, as with
 * signals that are blocked: who waits for long shall not fill the queue. */
static void pass_on(struct follow *f, int number)
{
    const uint64_t bit = 1ull << (number - 1),
                   halt = 1ull << (SIGSTOP - 1) | 1ull << (SIGCONT - 1);

    /* The later of stop and go on is meant. */
    if (bit & halt)
        f->held &= ~halt;
    f->held |= bit;
    pass_on_held(f);
}

static void end_wait(struct follow *f, enum outcome outcome, int exit_code)
{
    f->x->result.outcome = outcome;
    f->x->result.exit_code = exit_code;
    f->is_cut = true;
}

/* The command is gone: what asks for an end is that of the wait. */
static void on_late_signal(struct follow *f, int number)
{
    struct result *r = &f->x->result;

    if (!signals_is_end(number))
        return;
    err_set(&r->err, ERR_BACKEND_ERROR, "ended by signal %d", number);
    r->signal = number;
    end_wait(f, OUTCOME_STOPPED, 128 + number);
}

/* It was for the command, whose end was on its way to us. */
static void on_late_order(struct follow *f)
{
    if (f->unheard < 0)
        end_wait(f, OUTCOME_KILLED, EXIT_KILLED);
    else
        on_late_signal(f, f->unheard);
}

/* --- a holder that does not answer -----------------------------------------
 */

/* When to look at that; UINT64_MAX: not before something else happens.  After
 * its timeout, which a holder keeps that goes on, it is asked for something. */
static uint64_t next_look(const struct follow *f)
{
    const uint64_t over = f->way->timeout_ms
                              ? later_ms(f->begun_ms, f->way->timeout_ms)
                              : UINT64_MAX;

    if (!f->way->is_prompt)
        return UINT64_MAX;
    if (f->is_told)
        return over;
    if (f->sent_ms)
        return f->sent_ms + SESSION_BUSY_MS;
    return f->has_probed ? UINT64_MAX : later_ms(over, SESSION_BUSY_MS);
}

static void end_unheard(struct follow *f)
{
    struct err *e = &f->x->result.err;

    err_set(e, ERR_BACKEND_ERROR,
            f->has_taken
                ? "the command's timeout of %" PRIu64
                  " ms is over, and the session's holder does not answer"
                : "the session's holder has not taken the command within its "
                  "timeout of %" PRIu64 " ms; nothing was run",
            f->way->timeout_ms);
    err_hint(e, "mxc deprovision %s ends the session", f->x->cli->id);
    end_wait(f, OUTCOME_TIMED_OUT, EXIT_TIMED_OUT);
}

static void look_at_holder(struct follow *f)
{
    if (!f->sent_ms) {
        f->has_probed = true;
        tell(f, ASK_NONE, 0);
    } else if (!is_unheard(f)) {
        f->sent_ms = 0;
        f->is_told = false;
    } else if (f->is_told) {
        end_unheard(f);
    } else {
        f->is_told = true;
        (void)fprintf(
            stderr,
            "mxc: note: the session's holder does not answer; waiting "
            "for it (mxc deprovision %s ends it)\n",
            f->x->cli->id);
    }
}

/* Whether the wait may be ended since nobody hears of it: by who was told that
 * the holder does not answer; and by who waits for one to take the command, as
 * at a pool's door.  Then it is: who takes it from now on finds it given up, so
 * that what lies there still is not begun. */
static bool gives_up(struct follow *f)
{
    if (!(f->way->is_prompt ? f->is_told : !f->has_taken) || !is_unheard(f))
        return false;
    (void)shutdown(f->x->conn, SHUT_RDWR);
    (void)is_unheard(f);
    return true;
}

static bool ends_unheard(struct follow *f, int number)
{
    struct result *r = &f->x->result;

    if (!signals_is_end(number) || !gives_up(f))
        return false;
    err_set(&r->err, ERR_BACKEND_ERROR,
            f->has_taken ? "ended by signal %d"
                         : "interrupted by signal %d; nothing was run",
            number);
    r->signal = number;
    end_wait(f, f->has_taken ? OUTCOME_STOPPED : OUTCOME_FAILED, 128 + number);
    return true;
}

/* --- signals ---------------------------------------------------------------
 */

/* First the command, then we: the shell reads its terminal again when nobody
 * else does. */
static void on_halted(struct follow *f)
{
    if (!f->is_stopping)
        return;
    f->is_stopping = false;
    (void)raise(SIGSTOP);
    pass_on(f, SIGCONT);
}

static void on_signal(struct follow *f)
{
    struct signalfd_siginfo si;

    if (read(f->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
        return;
    if (si.ssi_signo == SIGWINCH && f->tty) {
        tty_follow(f->tty);
        return;
    }
    if (f->has_ended) {
        if (si.ssi_signo == SIGTSTP)
            (void)raise(SIGSTOP);
        on_late_signal(f, (int)si.ssi_signo);
        return;
    }
    if (ends_unheard(f, (int)si.ssi_signo))
        return;
    /* Asked twice: the command stands still already, and says nothing more. */
    if (si.ssi_signo == SIGTSTP && f->is_stopping) {
        on_halted(f);
        return;
    }
    f->is_stopping = si.ssi_signo == SIGTSTP;
    pass_on(f, f->is_stopping ? SIGSTOP : (int)si.ssi_signo);
}

/* What a caller left open stops here: it may wait for the end of what it gave
 * us to read, and nobody shall hold a file of his for as long as this runs. */
static int close_strangers(struct follow *f, int master)
{
    struct session_dir *dir = &f->x->dir;
    int kept[] = { f->x->conn, f->x->json, f->x->control, f->x->caller,
                   f->signals, master,     dir->root,     dir->fd };

    return supervise_close_strangers(kept, ARRAY_LEN(kept), f->e);
}

static int on_started(struct follow *f, int master)
{
    const struct cli *c = f->x->cli;

    if (close_strangers(f, master) < 0)
        return -1;
    if (master >= 0 &&
        tty_create(master, c->rows, c->columns, &f->tty, f->e) < 0)
        return -1;
    if (f->tty && f->rows)
        tty_resize(f->tty, f->rows, f->columns);
    return 0;
}

static int on_message(struct follow *f)
{
    struct say s;
    int master = -1;

    if (f->way->hear(f->x->conn, &s, &master, f->e) < 0)
        return -1;
    if (!f->x->is_started)
        f->started_ms = now_ms();
    f->x->is_started = f->has_taken = true;
    if (s.what == SAY_STARTED)
        return on_started(f, master);
    if (s.what == POOL_SAY_REPORT && f->x->report < 0)
        f->x->report = take_fd(&master);
    drop_fd(&master);
    if (s.what == SAY_HALTED)
        on_halted(f);
    if (s.what == SAY_ENDED) {
        session_command_result(&s, &f->x->result);
        f->has_ended = true;
    }
    if (s.what != SAY_FAILED)
        return 0;
    *f->e = s.err;
    return -1;
}

static void resize(struct follow *f, uint16_t rows, uint16_t columns)
{
    f->rows = rows;
    f->columns = columns;
    if (f->tty)
        tty_resize(f->tty, rows, columns);
}

static int obey(struct follow *f)
{
    struct control_order o;

    control_read(&f->control);
    do {
        if (control_next(&f->control, &o, f->e) < 0)
            return -1;
        if (o.word == CONTROL_SIGNAL && f->has_ended)
            on_late_signal(f, o.signal);
        else if (o.word == CONTROL_SIGNAL && ends_unheard(f, o.signal))
            break;
        else if (o.word == CONTROL_SIGNAL)
            pass_on(f, o.signal);
        else if (o.word == CONTROL_KILL && (f->has_ended || gives_up(f)))
            end_wait(f, OUTCOME_KILLED, EXIT_KILLED);
        else if (o.word == CONTROL_KILL)
            tell(f, ASK_KILL, 0);
        else if (o.word == CONTROL_RESIZE)
            resize(f, o.rows, o.columns);
    } while (o.word != CONTROL_NONE && !f->is_cut);
    return 0;
}

static int wait_ms(uint64_t due)
{
    const uint64_t now = now_ms();

    if (due == UINT64_MAX)
        return -1;
    return due <= now ? 0 : due - now < INT_MAX ? (int)(due - now) : INT_MAX;
}

static int turn(struct follow *f)
{
    enum { FIXED = 4 };
    struct pollfd p[FIXED + 4] = {
        { .fd = f->x->conn, .events = POLLIN },
        { .fd = f->signals, .events = POLLIN },
        { .fd = f->control.fd, .events = POLLIN },
        { .fd = f->x->caller, .events = POLLIN },
    };
    size_t n = FIXED + (f->tty ? tty_poll(f->tty, p + FIXED) : 0);
    const uint64_t look = next_look(f);
    const uint64_t wake = f->held ? now_ms() + HELD_MS : look;

    if (poll(p, n, wait_ms(wake < look ? wake : look)) < 0 && errno != EINTR)
        return err_sys(f->e, "poll(2)", errno, "cannot wait");
    /* Its end first: what comes with it was for the wait, not for it. */
    if (p[0].revents && on_message(f) < 0)
        return -1;
    if (f->has_ended)
        return 0;
    if (!p[0].revents && now_ms() >= look)
        look_at_holder(f);
    pass_on_held(f);
    if (f->tty && n > FIXED)
        tty_serve(f->tty, p + FIXED, n - FIXED);
    if (p[1].revents)
        on_signal(f);
    if (p[2].revents && obey(f) < 0)
        return -1;
    /* Our end is the command's. */
    if (p[3].revents)
        return err_set(f->e, ERR_BACKEND_ERROR, "the caller has ended");
    return 0;
}

/* When the wait ends by itself; UINT64_MAX: not before its reader. */
static uint64_t wait_ends(const struct follow *f)
{
    if (!f->has_ended || !result_is_orderly(&f->x->result))
        return now_ms() + DRAIN_MS;
    return f->way->timeout_ms ? later_ms(f->started_ms, f->way->timeout_ms)
                              : UINT64_MAX;
}

static void on_due(struct follow *f)
{
    if (f->has_ended && result_is_orderly(&f->x->result)) {
        err_set(&f->x->result.err, ERR_BACKEND_ERROR,
                "the command had ended, but its timeout of %" PRIu64
                " ms is over",
                f->way->timeout_ms);
        end_wait(f, OUTCOME_TIMED_OUT, EXIT_TIMED_OUT);
    }
    f->is_cut = true;
}

static int drain_turn(struct follow *f, uint64_t due)
{
    enum { FIXED = 3 };
    /* Of a command that had no end of its own nothing more is asked. */
    const bool is_open = f->has_ended && result_is_orderly(&f->x->result);
    struct pollfd p[FIXED + 4] = {
        { .fd = is_open ? f->signals : -1, .events = POLLIN },
        { .fd = is_open ? f->control.fd : -1, .events = POLLIN },
        { .fd = is_open ? f->x->caller : -1, .events = POLLIN },
    };
    const size_t n = FIXED + tty_poll(f->tty, p + FIXED);

    if (now_ms() >= due) {
        on_due(f);
        return 0;
    }
    if (poll(p, n, wait_ms(due)) < 0 && errno != EINTR)
        return err_sys(f->e, "poll(2)", errno, "cannot wait");
    tty_serve(f->tty, p + FIXED, n - FIXED);
    if (p[0].revents)
        on_signal(f);
    if (p[1].revents && !f->is_cut && obey(f) < 0)
        return -1;
    if (p[2].revents && !f->is_cut) {
        err_set(&f->x->result.err, ERR_BACKEND_ERROR, "the caller has ended");
        end_wait(f, OUTCOME_STOPPED, EXIT_MXC);
    }
    return 0;
}

/* What it showed last arrives, whoever reads slowly: as that of a run
 * (supervise/loop.c). */
static int finish_tty(struct follow *f)
{
    const uint64_t due = wait_ends(f);
    bool has_rest;
    int r = 0;

    if (f->has_ended && f->unheard && tty_rest(f->tty))
        on_late_order(f);
    while (r == 0 && (has_rest = tty_rest(f->tty)) && !f->is_cut)
        r = drain_turn(f, due);
    if (f->has_ended && (has_rest || tty_sys(f->tty)))
        result_cut(&f->x->result, tty_sys(f->tty));
    return r;
}

int exec_follow(struct exec *x, const struct exec_way *way, struct err *e)
{
    struct follow f = {
        .x = x, .way = way, .control = { .fd = x->control }, .e = e
    };
    struct terminal terminal;
    int r;

    f.signals = signals_take_passed();
    if (f.signals < 0)
        return err_sys(e, "signalfd(2)", -f.signals,
                       "cannot follow the command");
    terminal_save(&terminal);
    f.begun_ms = f.sent_ms = now_ms();
    r = way->send(x, way, e);
    if (r == 0 && way->is_silent)
        r = on_started(&f, -1);
    while (r == 0 && !f.has_ended && !f.is_cut)
        r = turn(&f);
    if (f.tty && finish_tty(&f) < 0)
        r = -1;
    tty_destroy(f.tty);
    terminal_give_back(&terminal);
    return r;
}
