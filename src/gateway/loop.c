/* loop.c - descriptors, times, and what has ended. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "gateway/gw.h"
#include "gateway/tell.h"

enum { BATCH = 128 };

static int watch(struct gw *g, int op, struct source *s, uint32_t events)
{
    struct epoll_event e = { .events = events, .data.ptr = s };

    return epoll_ctl(g->ep, op, s->fd, &e) < 0 ? -errno : 0;
}

int gw_watch(struct gw *g, struct source *s, uint32_t events)
{
    return watch(g, EPOLL_CTL_ADD, s, events);
}

int gw_watch_again(struct gw *g, struct source *s, uint32_t events)
{
    return watch(g, EPOLL_CTL_MOD, s, events);
}

/* Closing takes a file out of the epoll only when nobody else holds it
 * (epoll(7)).  The sandbox's init may still hold a socket that it has just
 * sent: its end would be told later, by a pointer to what is freed. */
void gw_close(struct gw *g, struct source *s)
{
    if (s->fd >= 0)
        (void)epoll_ctl(g->ep, EPOLL_CTL_DEL, s->fd, NULL);
    drop_fd(&s->fd);
}

int gw_accept(struct gw *g, const struct source *s,
              struct sockaddr_storage *from)
{
    const int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    socklen_t len = sizeof(*from);
    int fd = accept4(s->fd, (void *)from, &len, flags);

    if (fd >= 0 || (errno != EMFILE && errno != ENFILE))
        return fd;
    drop_fd(&g->reserve);
    fd = accept4(s->fd, (void *)from, &len, flags);
    drop_fd(&fd);
    g->reserve = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return -1;
}

void gw_start(struct gw *g, struct timer *t, enum timer_kind kind)
{
    struct timer *head = &g->timers[kind];

    gw_stop(t);
    t->due_ms = g->now_ms + g->timer_ms[kind];
    t->prev = head->prev;
    t->next = head;
    head->prev->next = t;
    head->prev = t;
}

void gw_stop(struct timer *t)
{
    if (!t->next)
        return;
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->next = t->prev = NULL;
}

void gw_bury(struct gw *g, struct grave *grave, void *what)
{
    grave->what = what;
    grave->next = g->graves;
    g->graves = grave;
}

static void empty_graves(struct gw *g)
{
    while (g->graves) {
        struct grave *grave = g->graves;

        g->graves = grave->next;
        free(grave->what);
    }
}

static void look_at_clock(struct gw *g)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    g->now_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int wait_ms(const struct gw *g)
{
    uint64_t due = UINT64_MAX;

    for (size_t k = 0; k < TIMER_KINDS; k++) {
        const struct timer *first = g->timers[k].next;

        if (first != &g->timers[k] && first->due_ms < due)
            due = first->due_ms;
    }
    if (due == UINT64_MAX)
        return -1;
    /* Durations are minutes at most. */
    return due <= g->now_ms ? 0 : (int)(due - g->now_ms);
}

/* For as long as the supervisor is owed a word it is tried often: nothing says
 * when there is room, and nothing else need happen. */
static int wait_owing_ms(const struct gw *g)
{
    enum { OWING_MS = 20 };
    const int ms = wait_ms(g);

    return tell_is_owing(g) && (ms < 0 || ms > OWING_MS) ? OWING_MS : ms;
}

static void run_timers(struct gw *g)
{
    for (size_t k = 0; k < TIMER_KINDS; k++) {
        struct timer *head = &g->timers[k];

        while (head->next != head && head->next->due_ms <= g->now_ms) {
            struct timer *t = head->next;

            gw_stop(t);
            t->on(g, t);
        }
    }
}

static void turn(struct gw *g)
{
    struct epoll_event e[BATCH];
    bool is_done = g->is_ending && conns_drain(g) && flows_drain(g);
    int n;

    tell_owed(g);
    is_done = is_done && !tell_is_owing(g);
    n = epoll_wait(g->ep, e, BATCH,
                   is_done || !conns_idle(g) ? 0 : wait_owing_ms(g));
    if ((n < 0 && errno != EINTR) || (n == 0 && is_done)) {
        g->has_ended = true;
        return;
    }
    look_at_clock(g);
    for (int i = 0; i < n; i++) {
        struct source *s = e[i].data.ptr;

        if (s->fd >= 0)
            s->on(g, s, e[i].events);
    }
    run_timers(g);
    gate_accept_now(g);
    conns_go_on(g);
    empty_graves(g);
}

void gw_run(struct gw *g)
{
    look_at_clock(g);
    while (!g->has_ended)
        turn(g);
}
