/* relay.c - bytes from one end to the other.
 *
 * Both sockets are watched edge-triggered (epoll(7)): what the kernel told is
 * remembered until it says EAGAIN.  What one end does to its connection is
 * done to the other: the end of its data, a reset. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/conn.h"
#include "gateway/quota.h"

/* Moved at once, and in one turn, before others are served. */
enum { CHUNK = 1 << 18, FAIR = 1 << 21 };

/* --- pipes ---------------------------------------------------------------- */

static bool take_pipe(struct gw *g, struct way *w)
{
    if (w->pipe[0] >= 0)
        return true;
    if (g->nspare) {
        memcpy(w->pipe, g->pipe[--g->nspare], sizeof(w->pipe));
        return true;
    }
    if (g->npipes == MAX_PIPES || pipe2(w->pipe, O_NONBLOCK | O_CLOEXEC) < 0) {
        w->pipe[0] = w->pipe[1] = -1;
        return false;
    }
    (void)fcntl(w->pipe[1], F_SETPIPE_SZ, CHUNK);
    g->npipes++;
    return true;
}

void relay_forget(struct gw *g, struct conn *c)
{
    struct conns *all = g->conns;

    if (!c->is_starving)
        return;
    c->is_starving = false;
    if (c->queue_prev)
        c->queue_prev->queue_next = c->queue_next;
    else
        all->starving = c->queue_next;
    if (c->queue_next)
        c->queue_next->queue_prev = c->queue_prev;
    else
        all->starving_last = c->queue_prev;
}

static void feed_starving(struct gw *g)
{
    struct conn *c = g->conns->starving;

    if (!c)
        return;
    relay_forget(g, c);
    conn_queue(g, c);
}

void relay_release(struct gw *g, struct way *w)
{
    if (w->pipe[0] < 0)
        return;
    if (w->held == 0 && g->nspare < SPARE_PIPES) {
        memcpy(g->pipe[g->nspare++], w->pipe, sizeof(w->pipe));
    } else {
        (void)close(w->pipe[0]);
        (void)close(w->pipe[1]);
        g->npipes--;
    }
    w->pipe[0] = w->pipe[1] = -1;
    w->held = 0;
    feed_starving(g);
}

/* --- queues ----------------------------------------------------------------
 */

void conn_queue(struct gw *g, struct conn *c)
{
    struct conns *all = g->conns;

    if (c->is_queued || c->is_starving)
        return;
    c->is_queued = true;
    c->queue_next = NULL;
    if (all->busy)
        all->busy_last->queue_next = c;
    else
        all->busy = c;
    all->busy_last = c;
}

static void starve(struct gw *g, struct conn *c)
{
    struct conns *all = g->conns;

    if (c->is_queued || c->is_starving)
        return;
    c->is_starving = true;
    c->queue_next = NULL;
    c->queue_prev = all->starving_last;
    if (all->starving)
        all->starving_last->queue_next = c;
    else
        all->starving = c;
    all->starving_last = c;
}

bool conns_idle(const struct gw *g)
{
    return g->conns->busy == NULL;
}

void conns_go_on(struct gw *g)
{
    struct conn *c, *next;

    /* Who was woken for a pipe may have had no use for it any more. */
    if (g->nspare || g->npipes < MAX_PIPES)
        feed_starving(g);
    /* Those that are queued meanwhile have their turn in the next one. */
    c = g->conns->busy;
    g->conns->busy = NULL;
    for (; c; c = next) {
        next = c->queue_next;
        c->is_queued = false;
        if (c->is_dead)
            gw_bury(g, &c->grave, c);
        else
            conn_pump(g, c);
    }
}

/* --- moving ----------------------------------------------------------------
 */

enum pumped { PUMPED_ALL = 0, PUMPED_SOME, PUMPED_ERROR };

static enum pumped empty_pipe(struct conn *c, int d)
{
    struct way *w = &c->way[d];
    struct end *to = &c->end[!d];

    while (w->held) {
        ssize_t n;

        if (!to->can_write)
            return PUMPED_SOME;
        n = splice(w->pipe[0], NULL, to->source.fd, NULL, w->held,
                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0 && errno == EAGAIN)
            to->can_write = false;
        else if (n <= 0)
            return PUMPED_ERROR;
        else
            w->held -= (size_t)n;
    }
    return PUMPED_ALL;
}

/* Bytes that may go now; 0 where the first ones have to be seen entire. */
static size_t may_pass(const struct way *w)
{
    return w->credit < CHUNK ? (size_t)w->credit : CHUNK;
}

/* No byte is left of the policy's: is there one that would pass? */
static void look_for_more(struct gw *g, struct end *from)
{
    const ssize_t n = quota_look(g, from->source.fd);

    from->is_at_end = from->is_at_end || n == 0;
    from->can_read = false;
}

static ssize_t fill_pipe(struct gw *g, struct conn *c, int d)
{
    struct way *w = &c->way[d];
    struct end *from = &c->end[d];
    const size_t most = may_pass(w);
    ssize_t n = splice(from->source.fd, NULL, w->pipe[1], NULL,
                       g->bytes_left < most ? (size_t)g->bytes_left : most,
                       SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    if (n > 0) {
        (void)quota_take(g, (uint64_t)n);
        w->held += (size_t)n;
        w->total += (size_t)n;
        if (w->credit != UINT64_MAX)
            w->credit -= (size_t)n;
    } else if (n == 0) {
        from->is_at_end = true;
    } else if (errno == EAGAIN) {
        from->can_read = false;
    } else {
        return -1;
    }
    return n < 0 ? 0 : n;
}

/* One direction.  False: the connection is broken. */
static bool move(struct gw *g, struct conn *c, int d)
{
    struct way *w = &c->way[d];
    struct end *from = &c->end[d], *to = &c->end[!d];
    size_t moved = 0;

    for (;;) {
        enum pumped m = empty_pipe(c, d);
        ssize_t n;

        if (m == PUMPED_ERROR)
            return false;
        if (m == PUMPED_SOME || !from->can_read || from->is_at_end ||
            to->is_shut)
            break;
        if (!may_pass(w) && !check_more(g, c, d))
            break;
        if (moved >= FAIR) {
            conn_queue(g, c);
            break;
        }
        if (!g->bytes_left) {
            look_for_more(g, from);
            break;
        }
        if (!take_pipe(g, w)) {
            starve(g, c);
            break;
        }
        n = fill_pipe(g, c, d);
        if (n < 0)
            return false;
        moved += (size_t)n;
    }
    if (c->is_dead)
        return true;
    if (!w->held)
        relay_release(g, w);
    if (from->is_at_end && !w->held && !to->is_shut) {
        to->is_shut = true;
        /* The second of the two is said by closing both. */
        if (!from->is_shut)
            (void)shutdown(to->source.fd, SHUT_WR);
    }
    return true;
}

void conn_pump(struct gw *g, struct conn *c)
{
    for (int d = 0; d < 2 && !c->is_dead; d++)
        if (!move(g, c, d)) {
            conn_end(g, c, false);
            return;
        }
    if (!c->is_dead && c->end[INSIDE].is_shut && c->end[OUTSIDE].is_shut)
        conn_end(g, c, true);
}

void relay_on_end(struct gw *g, struct source *s, uint32_t events)
{
    struct end *e = (void *)((char *)s - offsetof(struct end, source));
    struct conn *c;

    c = e->is_outside
            ? (void *)((char *)e - offsetof(struct conn, end[OUTSIDE]))
            : (void *)((char *)e - offsetof(struct conn, end[INSIDE]));
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        e->can_read = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        e->can_write = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        e->has_said_end = true;
    conn_pump(g, c);
    /* A reset is for both, whether or not anybody reads or writes now; what
     * was said before it has gone on, as far as the other end takes it. */
    if (events & EPOLLERR)
        conn_end(g, c, false);
}

void conn_relay(struct gw *g, struct conn *c)
{
    const uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

    c->state = CONN_RELAYING;
    c->end[OUTSIDE].is_outside = true;
    for (int d = 0; d < 2; d++) {
        int r = d == OUTSIDE && c->dial.is_watched
                    ? gw_watch_again(g, &c->end[d].source, events)
                    : gw_watch(g, &c->end[d].source, events);

        if (r < 0) {
            conn_end(g, c, false);
            return;
        }
    }
}
