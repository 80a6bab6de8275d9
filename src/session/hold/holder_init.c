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

#include "launch/proto.h"
#include "session/hold/holder.h"

/* 0; -EAGAIN: no room now; others: it is gone, as its socket tells too. */
static int tell(const struct holder *h, uint32_t msg, uint32_t exec,
                int32_t status, const int *fds, size_t n)
{
    const struct launch_record rec = { .msg = msg,
                                       .status = status,
                                       .exec = exec };

    return talk_send(h->sandbox.status, &rec, sizeof(rec), fds, n,
                     MSG_DONTWAIT);
}

static bool push_exec(struct holder *h, struct peer *p)
{
    if (!p->wants_exec)
        return true;
    if (tell(h, MSG_EXEC, p->id, p->size, p->fds, p->nfds) == -EAGAIN)
        return false;
    p->wants_exec = false;
    for (size_t i = 0; i < p->nfds; i++)
        drop_fd(&p->fds[i]);
    p->nfds = 0;
    return true;
}

/* Each number once, as with signals that are blocked. */
static bool push_signals(struct holder *h, uint32_t id, uint64_t *waiting)
{
    for (int i = 1; *waiting && i <= CONTROL_SIGNAL_MAX; i++) {
        const uint64_t bit = 1ull << (i - 1);

        if (!(*waiting & bit))
            continue;
        if (tell(h, MSG_SIGNAL, id, i, NULL, 0) == -EAGAIN)
            return false;
        *waiting &= ~bit;
    }
    return true;
}

void holder_push(struct holder *h)
{
    if (!h->is_up || !push_signals(h, 0, &h->everybody))
        return;
    for (size_t i = 0; i < HOLDER_PEERS; i++) {
        struct peer *p = &h->peer[i];

        if (!p->id)
            continue;
        if (!push_exec(h, p) || !push_signals(h, p->id, &p->signals))
            return;
        if (p->wants_kill && tell(h, MSG_KILL, p->id, 0, NULL, 0) == -EAGAIN)
            return;
        p->wants_kill = false;
    }
}

bool holder_has_pending(const struct holder *h)
{
    if (h->everybody)
        return true;
    for (size_t i = 0; i < HOLDER_PEERS; i++) {
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

/* As of everything from inside: text that ends where it must. */
static void take_err(struct err *e)
{
    e->op[sizeof(e->op) - 1] = '\0';
    e->where[sizeof(e->where) - 1] = '\0';
    e->hint[sizeof(e->hint) - 1] = '\0';
    e->msg[sizeof(e->msg) - 1] = '\0';
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
    p->started_ms = holder_now_ms();
    if (master >= 0 || !p->no_start)
        holder_say(p, SAY_STARTED, pid, NULL, master);
}

static void about_command(struct holder *h, struct peer *p,
                          struct launch_record *rec, int fd)
{
    const bool by_signal = WIFSIGNALED(rec->status);
    /* One that ended by itself just before did so. */
    const bool is_killed =
        p->is_killed && by_signal && WTERMSIG(rec->status) == SIGKILL;
    const enum outcome why = p->is_timed_out ? OUTCOME_TIMED_OUT
                             : is_killed     ? OUTCOME_KILLED
                             : by_signal     ? OUTCOME_SIGNALED
                                             : OUTCOME_EXITED;

    switch (rec->msg) {
    case MSG_STARTED:
        h->is_empty = false;
        on_started(p, rec->status, fd);
        break;
    case MSG_STOPPED:
        if (!p->no_halts)
            holder_say(p, SAY_HALTED, rec->status, NULL, -1);
        break;
    case MSG_NOT_STARTED:
        holder_say_end(p, OUTCOME_NOT_STARTED, rec->status == 127 ? 127 : 126,
                       &rec->err);
        break;
    case MSG_FAILED:
        holder_say_end(p, OUTCOME_FAILED, 0, &rec->err);
        break;
    case MSG_EXITED:
        holder_say_end(p, why, rec->status, NULL);
        break;
    default:
        break;
    }
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

void holder_hear_init(struct holder *h)
{
    struct launch_record rec;
    struct peer *p;
    size_t nfds;
    int fd = -1;
    ssize_t n = talk_receive(h->sandbox.status, &rec, sizeof(rec), &fd, 1,
                             &nfds, MSG_DONTWAIT);

    if (n == -EAGAIN)
        return;
    /* A word of ours that it did not hear is told once, before its last. */
    if (n == -ECONNRESET)
        n = talk_receive(h->sandbox.status, &rec, sizeof(rec), &fd, 1, &nfds,
                         MSG_DONTWAIT);
    if (n != (ssize_t)sizeof(rec)) {
        drop_fd(&fd);
        on_gone(h);
        return;
    }
    take_err(&rec.err);
    p = rec.exec ? holder_find(h, rec.exec) : NULL;
    if (p)
        about_command(h, p, &rec, fd);
    else if (rec.exec == 0 && rec.msg == MSG_READY)
        on_ready(h);
    else if (rec.exec == 0 && rec.msg == MSG_FAILED)
        on_failed(h, &rec);
    else if (rec.exec == 0 && rec.msg == MSG_EMPTY)
        h->is_empty = true;
    drop_fd(&fd);
}
