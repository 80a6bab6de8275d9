/* tell.c - records to the supervisor.
 *
 * The socket never blocks the gateway: what does not fit is counted, and the
 * count is told when there is room again; a limit of the policy's is kept, and
 * told then itself. */
#include "gateway/tell.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/gw.h"

struct gateway_record *tell_begin(struct gateway_record *r,
                                  enum gateway_kind kind,
                                  enum gateway_what what,
                                  const struct target *t)
{
    /* Not the error behind it, which these records end before. */
    memset(r, 0, GATEWAY_RECORD_SHORT);
    r->kind = kind;
    r->what = what;
    if (!t)
        return r;
    r->addr = t->addr;
    r->port = t->port;
    r->proto = t->proto;
    if (t->name)
        (void)snprintf(r->name, sizeof(r->name), "%s", t->name);
    return r;
}

static bool send_record(const struct gateway_record *r, size_t len)
{
    return send(GATEWAY_STATUS_FD, r, len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
           (ssize_t)len;
}

bool tell_is_owing(const struct gw *g)
{
    return g->lost || g->owed_limits;
}

static void tell_lost(struct gw *g)
{
    struct gateway_record r;

    if (!g->lost)
        return;
    tell_begin(&r, GATEWAY_LOST, 0, NULL)->lost = g->lost;
    r.lost_denials = g->lost_denials;
    if (send_record(&r, GATEWAY_RECORD_SHORT))
        g->lost = g->lost_denials = 0;
}

/* The supervisor acts on these: a number would not do. */
static void tell_limits(struct gw *g)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        struct gateway_record r;

        if (!(g->owed_limits & LIMIT_BIT(i)))
            continue;
        tell_begin(&r, GATEWAY_LIMIT, 0, NULL);
        r.limit = 1 + (uint32_t)i;
        (void)snprintf(r.other, sizeof(r.other), "%s", limit_rows[i].name);
        if (!send_record(&r, GATEWAY_RECORD_SHORT))
            return;
        g->owed_limits &= ~LIMIT_BIT(i);
    }
}

void tell_owed(struct gw *g)
{
    tell_lost(g);
    if (!g->lost && g->owed_limits)
        tell_limits(g);
}

void tell(struct gw *g, const struct gateway_record *r)
{
    tell_owed(g);
    if (!tell_is_owing(g) && send_record(r, GATEWAY_RECORD_SHORT))
        return;
    g->lost++;
    g->lost_denials += gateway_is_denial(r);
}

void tell_reached(struct gw *g, enum limit which)
{
    g->owed_limits |= LIMIT_BIT(which);
    tell_owed(g);
}

void tell_verdict(struct gw *g, enum gateway_what what, enum net_proto proto,
                  const struct target *t, const struct net_verdict *v,
                  uint32_t id)
{
    struct gateway_record r;

    if (v->is_allowed && !g->tells_all)
        return;
    tell_begin(&r, GATEWAY_DECIDED, what, t);
    r.is_allowed = v->is_allowed;
    r.verdict_why = v->why;
    r.origin = v->origin;
    r.proto = proto;
    r.id = v->is_allowed ? id : 0;
    tell(g, &r);
}

void tell_refused(struct gw *g, enum gateway_what what, enum gateway_why why,
                  const struct target *t, int sys, const char *other)
{
    struct gateway_record r;

    /* That a peer does not answer is the network's news, not a denial. */
    if (why == GATEWAY_BY_UPSTREAM && !g->tells_all)
        return;
    tell_begin(&r, GATEWAY_DECIDED, what, t);
    r.why = why;
    r.sys = sys;
    if (other)
        (void)snprintf(r.other, sizeof(r.other), "%s", other);
    tell(g, &r);
}

void tell_limit(struct gw *g, const char *what)
{
    struct gateway_record r;

    tell_begin(&r, GATEWAY_LIMIT, 0, NULL);
    (void)snprintf(r.other, sizeof(r.other), "%s", what);
    tell(g, &r);
}

void tell_failed(const struct err *e)
{
    struct gateway_record r = { .kind = GATEWAY_FAILED, .err = *e };

    (void)send_record(&r, sizeof(r));
}
