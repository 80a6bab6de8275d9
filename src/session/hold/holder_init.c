/* holder_init.c - the holder and the sandbox's first process.
 *
 * Init is in the sandbox: nothing of what it says is believed beyond what it
 * is said about.  It is never waited for: what it has no room for waits here,
 * so that the two cannot wait for each other. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "launch/proto.h"
#include "session/hold/holder.h"

/* 0; -EAGAIN: no room now; others: it is gone, as its socket tells too. */
static int tell(const struct holder *h, uint32_t msg, uint32_t exec,
                int32_t status)
{
    const struct launch_record rec = { .msg = msg,
                                       .status = status,
                                       .exec = exec };

    return talk_send(h->sandbox.status, &rec, sizeof(rec), NULL, 0,
                     MSG_DONTWAIT);
}

_Static_assert((int)TALK_INLINE == (int)EXEC_INLINE,
               "a plan fits into both or into neither");

/* Its plan comes along, or is the first descriptor. */
static int tell_exec(const struct holder *h, const struct peer *p)
{
    struct {
        struct launch_record rec;
        char plan[TALK_INLINE];
    } m;

    m.rec = (struct launch_record){ .msg = MSG_EXEC,
                                    .status = p->size,
                                    .exec = p->id };
    memcpy(m.plan, h->plans[p - h->peer], p->len);
    return talk_send(h->sandbox.status, &m, sizeof(m.rec) + p->len, p->fds,
                     p->nfds, MSG_DONTWAIT);
}

/* It has left meanwhile: perhaps it waited too long for us. */
static bool has_left(const struct peer *p)
{
    struct pollfd client = { .fd = p->fd };

    return p->fd < 0 || (poll(&client, 1, 0) > 0 && client.revents);
}

static bool push_exec(struct holder *h, struct peer *p)
{
    struct err e;
    int r;

    if (!p->wants_exec)
        return true;
    if (has_left(p) || h->is_stopping || h->wants_pause) {
        explicit_bzero(h->plans[p - h->peer], p->len);
        if (!holder_refuses(h, p))
            holder_drop(p);
        return true;
    }
    r = tell_exec(h, p);
    if (r == -EAGAIN)
        return false;
    p->wants_exec = false;
    /* Its words and variables are nobody's any more. */
    explicit_bzero(h->plans[p - h->peer], p->len);
    for (size_t i = 0; i < p->nfds; i++)
        drop_fd(&p->fds[i]);
    p->nfds = 0;
    if (r < 0) {
        err_sys(&e, "sendmsg(2)", -r, "cannot hand the command on");
        holder_say_end(p, OUTCOME_FAILED, 0, &e);
    }
    return true;
}

/* Its word will come when it has done all that it was told before. */
static bool ask_init(struct holder *h)
{
    if (!h->asks_init)
        return true;
    if (tell(h, MSG_SIGNAL, 0, 0) == -EAGAIN)
        return false;
    h->asks_init = false;
    h->ntold++;
    return true;
}

/* Each number once, as with signals that are blocked. */
static bool push_signals(struct holder *h, uint32_t id, uint64_t *waiting)
{
    for (int i = 1; *waiting && i <= CONTROL_SIGNAL_MAX; i++) {
        const uint64_t bit = 1ull << (i - 1);

        if (!(*waiting & bit))
            continue;
        if (tell(h, MSG_SIGNAL, id, i) == -EAGAIN)
            return false;
        *waiting &= ~bit;
        if (!id)
            h->ntold++;
    }
    return true;
}

void holder_push(struct holder *h)
{
    if (!h->is_up || !ask_init(h) || !push_signals(h, 0, &h->everybody))
        return;
    for (size_t i = 0; i < h->npeers; i++) {
        struct peer *p = &h->peer[i];

        if (!p->id)
            continue;
        if (!push_exec(h, p) || !push_signals(h, p->id, &p->signals))
            return;
        if (p->wants_kill && tell(h, MSG_KILL, p->id, 0) == -EAGAIN)
            return;
        p->wants_kill = false;
    }
}

bool holder_has_pending(const struct holder *h)
{
    if (h->everybody || h->asks_init)
        return true;
    for (size_t i = 0; i < h->npeers; i++) {
        const struct peer *p = &h->peer[i];

        if (p->id && (p->wants_exec || p->wants_kill || p->signals))
            return true;
    }
    return false;
}

/* The later of stop and go on is meant. */
void holder_everybody(struct holder *h, int signal)
{
    if (signal == SIGSTOP)
        h->everybody &= ~(1ull << (SIGCONT - 1));
    if (signal == SIGCONT)
        h->everybody &= ~(1ull << (SIGSTOP - 1));
    h->everybody |= 1ull << (signal - 1);
    holder_push(h);
}

static void on_ready(struct holder *h)
{
    if (h->is_ready)
        return;
    if (watch_create(h->plan, &h->watch, &h->err) < 0)
        h->is_over = true;
    h->is_ready = true;
}

static void on_failed(struct holder *h, struct launch_record *rec)
{
    h->err = rec->err;
    h->is_over = true;
}

static void on_started(struct peer *p, int32_t pid, int master)
{
    p->pid = pid;
    p->started_ms = now_ms();
    if (master >= 0 || !p->no_start)
        holder_say(p, SAY_STARTED, pid, NULL, master);
}

static void about_command(struct holder *h, struct peer *p,
                          struct launch_record *rec, int fd)
{
    const bool by_signal = WIFSIGNALED(rec->status);
    /* One that ended by itself just before did so. */
    const bool by_us = by_signal && WTERMSIG(rec->status) == SIGKILL;
    const enum outcome why = by_us && p->is_timed_out ? OUTCOME_TIMED_OUT
                             : by_us && p->is_killed  ? OUTCOME_KILLED
                             : by_signal              ? OUTCOME_SIGNALED
                                                      : OUTCOME_EXITED;

    switch (rec->msg) {
    case MSG_STARTED:
        h->is_empty = false;
        on_started(p, rec->status, fd);
        break;
    case MSG_STOPPED:
        /* A command that stops over and over shall not fill what its client
         * has not read yet: its end has to have room. */
        if (p->wants_halt && !p->no_halts)
            holder_say(p, SAY_HALTED, rec->status, NULL, -1);
        p->wants_halt = false;
        break;
    case MSG_NOT_STARTED:
        holder_say_end(p, OUTCOME_NOT_STARTED, rec->status == 127 ? 127 : 126,
                       &rec->err);
        break;
    case MSG_FAILED:
        holder_say_end(p, OUTCOME_FAILED, 0, &rec->err);
        break;
    case MSG_LAST_EXITED:
    case MSG_EXITED:
        holder_say_end(p, why, rec->status, NULL);
        break;
    default:
        break;
    }
}

static void on_delivered(struct holder *h)
{
    h->ntold -= h->ntold > 0;
    holder_settle_pause(h);
}

static void on_gone(struct holder *h)
{
    err_set(&h->err, ERR_BACKEND_ERROR,
            h->is_up ? "the sandbox was killed from outside"
                     : "the sandbox's set-up died; nothing was run");
    err_hint(&h->err, "look for an out-of-memory kill in the kernel's log");
    if (!h->is_up)
        runtime_explain(&h->sandbox, &h->err);
    h->is_over = true;
}

/* False: there is none, or it was the last. */
static bool hear_one(struct holder *h)
{
    struct launch_record rec;
    struct peer *p;
    size_t nfds;
    int fd = -1;
    ssize_t n = talk_receive(h->sandbox.status, &rec, sizeof(rec), &fd, 1,
                             &nfds, MSG_DONTWAIT);

    if (n == -EAGAIN)
        return false;
    /* A word of ours that it did not hear is told once, before its last. */
    if (n == -ECONNRESET)
        n = talk_receive(h->sandbox.status, &rec, sizeof(rec), &fd, 1, &nfds,
                         MSG_DONTWAIT);
    if (n != (ssize_t)sizeof(rec)) {
        drop_fd(&fd);
        on_gone(h);
        return false;
    }
    err_end_texts(&rec.err);
    if (rec.msg == MSG_LAST_EXITED)
        h->is_empty = true;
    p = rec.exec ? holder_find(h, rec.exec) : NULL;
    if (p)
        about_command(h, p, &rec, fd);
    else if (rec.exec == 0 && rec.msg == MSG_READY)
        on_ready(h);
    else if (rec.exec == 0 && rec.msg == MSG_FAILED)
        on_failed(h, &rec);
    else if (rec.exec == 0 && rec.msg == MSG_EMPTY)
        h->is_empty = true;
    else if (rec.exec == 0 && rec.msg == MSG_DELIVERED)
        on_delivered(h);
    drop_fd(&fd);
    return !h->is_over;
}

/* All that is there, before the time is looked at: who ended in time did so,
 * however late that is heard.  But everybody else gets a turn. */
void holder_hear_init(struct holder *h)
{
    for (int i = 0; i < TALK_COMMANDS && hear_one(h); i++)
        continue;
}
