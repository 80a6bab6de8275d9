/* holder_peer.c - requests of the session's owner. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "session/hold/holder.h"

enum { ACCEPT_PAUSE_MS = 20 };

void holder_drop(struct peer *p)
{
    for (size_t i = 0; i < p->nfds; i++)
        drop_fd(&p->fds[i]);
    drop_fd(&p->fd);
    *p = (struct peer){ .fd = -1 };
}

/* The command, and whatever is in its session. */
void holder_kill(struct holder *h, struct peer *p)
{
    p->wants_kill = true;
    if (!p->killed_ms)
        p->killed_ms = now_ms();
    holder_push(h);
}

/* Init is in the sandbox, and its commands can keep it from its work: who stops
 * another's process before its execve(2) stops init, which waits for that
 * (vfork(2)).  Time limits must not depend on it. */
void holder_end_with_the_stuck(struct holder *h, uint64_t now)
{
    for (size_t i = 0; i < h->npeers; i++) {
        const struct peer *p = &h->peer[i];

        if (!p->id || !p->killed_ms || now < p->killed_ms + HOLDER_KILL_MS)
            continue;
        err_set(&h->err, ERR_BACKEND_ERROR,
                "a command was to be killed and did not end; the session was "
                "ended instead");
        err_hint(&h->err, "another command has stopped the sandbox's first "
                          "process, or a process waits in the kernel (state D "
                          "in ps(1))");
        h->is_over = true;
    }
}

struct peer *holder_find(struct holder *h, uint32_t id)
{
    for (size_t i = 0; i < h->npeers; i++)
        if (h->peer[i].id == id)
            return &h->peer[i];
    return NULL;
}

bool holder_is_busy(const struct holder *h)
{
    if (!h->is_empty)
        return true;
    for (size_t i = 0; i < h->npeers; i++)
        if (h->peer[i].id)
            return true;
    return false;
}

/* Nobody reads too little: each request has few answers. */
void holder_say(struct peer *p, enum say_what what, int32_t number,
                const struct err *e, int fd)
{
    struct say s = { .version = TALK_VERSION, .what = what, .number = number };

    if (e)
        s.err = *e;
    if (p->fd >= 0)
        (void)talk_send(p->fd, &s, sizeof(s), &fd, fd >= 0, MSG_DONTWAIT);
}

void holder_say_end(struct peer *p, enum outcome outcome, int status,
                    const struct err *e)
{
    struct say s = { .version = TALK_VERSION,
                     .what = SAY_ENDED,
                     .outcome = outcome,
                     .number = outcome == OUTCOME_TIMED_OUT
                                   ? talk_ms(p->limit_ms)
                                   : status };

    if (p->started_ms)
        s.duration_ms = now_ms() - p->started_ms;
    if (e)
        s.err = *e;
    if (p->fd >= 0)
        (void)talk_send(p->fd, &s, sizeof(s), NULL, 0, MSG_DONTWAIT);
    holder_drop(p);
}

static void refuse(struct peer *p, const struct err *e)
{
    holder_say(p, SAY_FAILED, 0, e, -1);
    holder_drop(p);
}

/* The directory keeps others out; this is the second lock on the door. */
static bool is_owner(int fd)
{
    struct ucred who;
    socklen_t len = sizeof(who);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
           who.uid == geteuid();
}

static void too_many(struct err *e)
{
    err_set(e, ERR_BACKEND_ERROR, "too many commands run in this session");
    err_hint(e, "at most %d at once", TALK_COMMANDS);
}

void holder_accept(struct holder *h)
{
    int fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct peer extra = { .fd = fd };
    struct err e;

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE)
            h->accept_ms = now_ms() + ACCEPT_PAUSE_MS;
        return;
    }
    if (!is_owner(fd)) {
        (void)close(fd);
        return;
    }
    for (size_t i = 0; i < HOLDER_PEERS; i++) {
        if (h->peer[i].is_used)
            continue;
        h->peer[i] = (struct peer){ .is_used = true, .fd = fd };
        if (h->npeers <= i)
            h->npeers = i + 1;
        /* Who knows what it wants has said it already. */
        holder_hear(h, &h->peer[i]);
        return;
    }
    too_many(&e);
    refuse(&extra, &e);
}

/* --- requests --------------------------------------------------------------
 */

static size_t count_commands(const struct holder *h)
{
    size_t n = 0;

    for (size_t i = 0; i < h->npeers; i++)
        n += h->peer[i].id != 0;
    return n;
}

/* From then on nothing is begun. */
bool holder_refuses(const struct holder *h, struct peer *p)
{
    struct err e;

    if (h->is_stopping) {
        err_set(&e, ERR_NOT_STARTED, "the session is being stopped");
        err_hint(&e, "start it again then");
    } else if (h->wants_pause) {
        err_set(&e, ERR_BACKEND_ERROR, "the session is paused");
        err_hint(&e, "mxc resume ID");
    } else {
        return false;
    }
    refuse(p, &e);
    return true;
}

static void ask_exec(struct holder *h, struct peer *p, const struct asked *m,
                     size_t len, int *fds, size_t n)
{
    const uint64_t most = h->plan->head.timeout_ms;
    const size_t plans = len ? 0 : 1;
    const struct ask *a = &m->ask;
    struct err e;

    if (holder_refuses(h, p))
        return;
    if (count_commands(h) >= TALK_COMMANDS) {
        too_many(&e);
        refuse(p, &e);
        return;
    }
    if (a->number
            ? n != plans
            : n != plans + TALK_STREAMS && n != plans + TALK_STREAMS + 1) {
        /* Dropped by the kernel where there is no room for them (unix(7)). */
        err_set(&e, ERR_BACKEND_ERROR, "the command's streams did not arrive");
        refuse(p, &e);
        return;
    }
    memcpy(p->fds, fds, n * sizeof(*fds));
    for (size_t i = 0; i < n; i++)
        fds[i] = -1;
    p->nfds = n;
    p->len = len;
    memcpy(h->plans[p - h->peer], m->plan, len);
    p->size = a->number;
    p->id = ++h->last_id;
    p->asked_ms = now_ms();
    p->limit_ms = a->timeout_ms;
    p->no_halts = (a->flags & ASK_NO_HALTS) != 0;
    p->no_start = (a->flags & ASK_NO_START) != 0;
    if (most && (!p->limit_ms || most < p->limit_ms))
        p->limit_ms = most;
    p->wants_exec = true;
    holder_push(h);
}

void holder_stop(struct holder *h, uint64_t grace_ms)
{
    h->is_stopping = true;
    h->stop_ms = later_ms(now_ms(), grace_ms);
    holder_everybody(h, SIGTERM);
    holder_end_pause(h);
}

static void ask_pause(struct holder *h, struct peer *p, bool pause)
{
    struct err e;

    if (h->is_stopping) {
        err_set(&e, ERR_NOT_STARTED, "the session is being stopped");
        refuse(p, &e);
        return;
    }
    holder_pause(h, p, pause);
}

static void ask_look(struct holder *h, struct peer *p)
{
    struct look *l = &h->look;
    const uint64_t now = now_ms();

    *l = (struct look){ 0 };
    l->version = TALK_VERSION;
    l->what = SAY_LOOK;
    l->paused = h->paused;
    l->age_ms = now - h->started_ms;
    l->idle_ms = holder_is_busy(h) ? 0 : now - h->idle_since_ms + 1;
    for (size_t i = 0; i < h->npeers; i++) {
        const struct peer *c = &h->peer[i];

        if (c->id && c->pid && l->ncommands < TALK_COMMANDS)
            l->command[l->ncommands++] =
                (struct look_command){ .pid = c->pid,
                                       .age_ms = now - c->started_ms };
    }
    (void)talk_send(p->fd, l, sizeof(*l), NULL, 0, MSG_DONTWAIT);
    holder_drop(p);
}

static void obey(struct holder *h, struct peer *p, const struct asked *m,
                 size_t len, int *fds, size_t n)
{
    const struct ask *a = &m->ask;
    struct err e;

    if (a->what == ASK_SIGNAL && p->id && a->number > 0 &&
        a->number <= CONTROL_SIGNAL_MAX) {
        /* All go on later. */
        if (a->number == SIGCONT && h->paused == LOOK_STOPPED)
            return;
        p->signals |= 1ull << (a->number - 1);
        p->wants_halt |= a->number == SIGSTOP;
        holder_push(h);
        return;
    }
    if (a->what == ASK_KILL && p->id) {
        p->is_killed = true;
        holder_kill(h, p);
        return;
    }
    if (p->id || p->waits_for_stop || p->pause_ms || a->what == ASK_NONE ||
        a->what > ASK_LOOK || a->what == ASK_SIGNAL ||
        (len && a->what != ASK_EXEC)) {
        err_set(&e, ERR_BACKEND_ERROR,
                "the session's holder was asked for "
                "what it does not do");
        if (!p->id)
            refuse(p, &e);
        return;
    }
    if (a->what == ASK_EXEC) {
        ask_exec(h, p, m, len, fds, n);
    } else if (a->what == ASK_STOP) {
        p->waits_for_stop = true;
        holder_log(h, "it was told to stop");
        holder_stop(h, a->timeout_ms);
    } else if (a->what == ASK_LOOK) {
        ask_look(h, p);
    } else {
        ask_pause(h, p, a->what == ASK_PAUSE);
    }
}

/* Its client is gone: so is its command. */
static void on_gone(struct holder *h, struct peer *p)
{
    drop_fd(&p->fd);
    if (p->id)
        holder_kill(h, p);
    else
        holder_drop(p);
}

void holder_hear(struct holder *h, struct peer *p)
{
    struct asked *m = &h->heard;
    int fds[TALK_FDS];
    struct err e;
    size_t n;
    ssize_t got =
        talk_receive(p->fd, m, sizeof(*m), fds, TALK_FDS, &n, MSG_DONTWAIT);

    if (got == -EAGAIN)
        return;
    if (got >= (ssize_t)sizeof(m->ask) && m->ask.version == TALK_VERSION) {
        obey(h, p, m, (size_t)got - sizeof(m->ask), fds, n);
    } else if (got > 0 && !p->id) {
        err_set(&e, ERR_BACKEND_ERROR,
                "the session was started by another version of mxc");
        err_hint(&e, "stop it with that version, or deprovision it");
        refuse(p, &e);
    } else {
        on_gone(h, p);
    }
    if (got > (ssize_t)sizeof(m->ask))
        explicit_bzero(m->plan, (size_t)got - sizeof(m->ask));
    for (size_t i = 0; i < n; i++)
        drop_fd(&fds[i]);
}
