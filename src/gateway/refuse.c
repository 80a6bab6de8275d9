/* refuse.c - the answer to a first packet that leads nowhere.
 *
 * An ICMP error names the reason and ends connect(2) at once.  The kernel
 * loses it while the client still holds its socket (tcp_v4_err), as it does in
 * the moment after it sent the first packet, and the client sends that again
 * only a second later.  So the error is repeated, and a reset follows, which
 * is not lost but says ECONNREFUSED.  Neither does harm where an earlier one
 * arrived: they carry the sequence number of this attempt, and a later one
 * from the same port has another (RFC 5927, 4.1; RFC 9293, 3.10.7.3). */
#include <stdlib.h>

#include "gateway/gw.h"

enum { ROUNDS = 3, AT_ONCE = 64 };

/* A first packet that was refused, while the refusal is repeated. */
struct refused {
    struct timer timer;
    struct first first;
    enum refusal how;
    unsigned left; /* times; 0: unused */
};

struct refusals {
    struct refused ring[AT_ONCE];
    size_t next;
};

int refusals_create(struct gw *g)
{
    g->refusals = calloc(1, sizeof(*g->refusals));
    return g->refusals ? 0 : -1;
}

static void say(struct gw *g, const struct refused *r, bool is_last)
{
    const struct first *f = &r->first;

    if (r->how != REFUSE_PORT)
        send_inside(g, &f->flow.from, packet_error_first(f, r->how, g->room));
    if (is_last)
        send_inside(g, &f->flow.from, packet_reset(f, g->room));
}

static void on_again(struct gw *g, struct timer *t)
{
    struct refused *r = (void *)((char *)t - offsetof(struct refused, timer));

    r->left--;
    say(g, r, r->left == 0);
    if (r->left)
        gw_start(g, t, TIMER_REFUSE);
}

void first_refuse(struct gw *g, const struct first *f, enum refusal how)
{
    struct refusals *all = g->refusals;
    struct refused *r = &all->ring[all->next];

    /* The place of the oldest; where they are many, its repeats end early. */
    all->next = (all->next + 1) % AT_ONCE;
    if (r->left) {
        gw_stop(&r->timer);
        say(g, r, true);
    }
    *r = (struct refused){ .timer.on = on_again, .first = *f, .how = how };
    r->left = how == REFUSE_PORT ? 0 : ROUNDS;
    say(g, r, r->left == 0);
    if (r->left)
        gw_start(g, &r->timer, TIMER_REFUSE);
}
