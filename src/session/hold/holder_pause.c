/* holder_pause.c - all of a session stands still, and goes on.
 *
 * Signals can be seen by those who get them, and by their parents; a freezer
 * cannot, but not everybody has one.  Init is asked for a word before: what it
 * was told to start is started then, and from the request on nothing more is
 * given to it.  Whoever asked hears of it when it is so. */
#include <signal.h>

#include "base/clock.h"
#include "session/hold/holder.h"

void holder_end_pauses(struct holder *h, const struct err *e)
{
    for (size_t i = 0; i < h->npeers; i++) {
        struct peer *p = &h->peer[i];

        if (!p->pause_ms)
            continue;
        holder_say(p, e ? SAY_FAILED : SAY_DONE, 0, e, -1);
        holder_drop(p);
    }
}

static bool has_waiting(const struct holder *h)
{
    for (size_t i = 0; i < h->npeers; i++)
        if (h->peer[i].pause_ms)
            return true;
    return false;
}

static void stop_by_signal(struct holder *h)
{
    h->paused = LOOK_STOPPED;
    /* A client that lets its command go on comes too early now: all go on
     * later. */
    for (size_t i = 0; i < h->npeers; i++)
        h->peer[i].signals &= ~(1ull << (SIGCONT - 1));
    holder_everybody(h, SIGSTOP);
}

static void begin(struct holder *h)
{
    h->freezer.within = h->sandbox.group.dir[CGROUP_V2];
    if (freezer_freeze(&h->freezer, h->dir, session_init(getpid(), h->process)))
        h->paused = LOOK_FROZEN;
    else
        stop_by_signal(h);
}

static bool is_told(const struct holder *h)
{
    return !h->ntold && !h->everybody && !h->asks_init;
}

void holder_settle_pause(struct holder *h)
{
    if (!is_told(h))
        return;
    if (h->wants_pause && !h->paused)
        begin(h);
    if (is_told(h) && has_waiting(h) &&
        (h->paused != LOOK_FROZEN || freezer_is_frozen(&h->freezer)))
        holder_end_pauses(h, NULL);
}

static void go_on(struct holder *h)
{
    h->wants_pause = h->asks_init = false;
    if (h->paused == LOOK_FROZEN)
        freezer_thaw(&h->freezer);
    if (h->paused == LOOK_STOPPED)
        holder_everybody(h, SIGCONT);
    h->paused = LOOK_RUNS;
}

void holder_pause(struct holder *h, struct peer *p, bool pause)
{
    struct err e;

    if (h->wants_pause != pause) {
        err_set(&e, ERR_BACKEND_ERROR, "the session was %s again meanwhile",
                pause ? "paused" : "resumed");
        holder_end_pauses(h, &e);
        if (!pause)
            go_on(h);
        h->wants_pause = h->asks_init = pause;
        holder_push(h);
    }
    p->pause_ms = now_ms();
    holder_settle_pause(h);
}

void holder_end_pause(struct holder *h)
{
    struct err e;

    err_set(&e, ERR_NOT_STARTED, "the session was stopped meanwhile");
    holder_end_pauses(h, &e);
    go_on(h);
}

/* Nothing was done, then. */
static void give_up(struct holder *h)
{
    static const char what_helps[] =
        "a command has stopped it, or it waits in the kernel (state D in "
        "ps(1)); mxc stop ID ends the session";
    struct err e;

    if (!h->wants_pause) {
        err_set(&e, ERR_BACKEND_ERROR,
                "the session's first process does not answer; all go on as "
                "soon as it does");
        err_hint(&e, what_helps);
    } else if (h->paused == LOOK_FROZEN) {
        err_set(&e, ERR_BACKEND_ERROR,
                "not every process of the session stood still; all go on");
        err_hint(&e, "one waits in the kernel (state D in ps(1)): look at what "
                     "serves the granted directories");
    } else {
        err_set(&e, ERR_BACKEND_ERROR,
                "the session's first process does not answer; nothing was "
                "paused");
        err_hint(&e, what_helps);
    }
    if (h->wants_pause)
        go_on(h);
    holder_end_pauses(h, &e);
}

/* When to look again; UINT64_MAX: not before somebody asks. */
uint64_t holder_pause_due(const struct holder *h)
{
    enum { LOOK_MS = 20 };

    for (size_t i = 0; i < h->npeers; i++)
        if (h->peer[i].pause_ms)
            return h->paused == LOOK_FROZEN
                       ? now_ms() + LOOK_MS
                       : h->peer[i].pause_ms + HOLDER_PAUSE_MS;
    return UINT64_MAX;
}

void holder_pause_tend(struct holder *h, uint64_t now)
{
    holder_settle_pause(h);
    for (size_t i = 0; i < h->npeers; i++)
        if (h->peer[i].pause_ms && now >= h->peer[i].pause_ms + HOLDER_PAUSE_MS)
            give_up(h);
}
