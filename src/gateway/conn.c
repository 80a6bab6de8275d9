/* conn.c - the life of a connection: first packet, decision, dialling,
 * accepting; relay.c does the rest. */
#include "gateway/conn.h"
#include "gateway/quota.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

/* Descriptors that a connection needs at most, and those that are for flows,
 * questions and listeners: half of them where there are few. */
enum { FDS_EACH = 6, FDS_ELSEWHERE = 4096 };
/* Of a server that goes on talking: enough for what its window let come. */
enum { DISCARD_AT_ONCE = 1 << 20, DISCARDS = 64 };

int conns_create(struct gw *g)
{
    struct rlimit r, more;
    size_t elsewhere;
    struct conns *all = calloc(1, sizeof(*all));

    g->conns = all;
    if (!all || getrlimit(RLIMIT_NOFILE, &r) < 0)
        return -1;
    more = (struct rlimit){ r.rlim_max, r.rlim_max };
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        r = more;
    elsewhere = r.rlim_cur / 2 < FDS_ELSEWHERE ? r.rlim_cur / 2 : FDS_ELSEWHERE;
    all->max = (r.rlim_cur - elsewhere) / FDS_EACH;
    if (all->max > MAX_CONNS)
        all->max = MAX_CONNS;
    g->max_flows = elsewhere < FDS_ELSEWHERE ? elsewhere / 4 : MAX_FLOWS;
    g->max_serves = elsewhere < FDS_ELSEWHERE ? elsewhere / 16 : MAX_SERVES;
    g->max_guests = elsewhere < FDS_ELSEWHERE ? elsewhere / 8 : MAX_GUESTS;
    all->all.all_next = all->all.all_prev = &all->all;
    return 0;
}

/* --- the table of those that wait for their client -------------------- */

static uint32_t mix(uint32_t h, uint32_t v)
{
    /* The workload chooses some of it: a chain is as long as it has
     * descriptors, and its own connections wait. */
    return (h ^ v) * 0x9e3779b1u;
}

static struct conn **bucket_of(struct gw *g, const struct flow *f)
{
    uint32_t h = mix(f->from_port, f->to_port), word;

    for (size_t i = 0; i < 16; i += 4) {
        memcpy(&word, f->to.b + i, 4);
        h = mix(h, word);
    }
    return &g->conns->bucket[(h >> 16) % CONN_BUCKETS];
}

static bool same_flow(const struct flow *a, const struct flow *b)
{
    return a->from_port == b->from_port && a->to_port == b->to_port &&
           memcmp(&a->from, &b->from, sizeof(a->from)) == 0 &&
           memcmp(&a->to, &b->to, sizeof(a->to)) == 0;
}

static struct conn **find(struct gw *g, const struct flow *f)
{
    struct conn **c = bucket_of(g, f);

    while (*c && !same_flow(&(*c)->first.flow, f))
        c = &(*c)->bucket_next;
    return c;
}

static void leave_table(struct gw *g, struct conn *c)
{
    struct conn **at;

    if (!c->is_gated)
        return;
    c->is_gated = false;
    at = find(g, &c->first.flow);
    if (*at == c)
        *at = c->bucket_next;
}

/* --- making and ending ------------------------------------------------- */

/* A question is the resolver's, and lasts until it is let in; stub.c has a
 * bound of its own for what follows. */
static bool is_counted(enum gateway_what what)
{
    return what != GATEWAY_QUERY;
}

struct conn *conn_create(struct gw *g, enum gateway_what what, size_t size)
{
    struct conns *all = g->conns;
    struct conn *c;

    if (is_counted(what) && !quota_open(g))
        return NULL;
    c = all->n < all->max ? calloc(1, size) : NULL;
    if (!c) {
        if (is_counted(what))
            quota_close(g);
        if (!all->told_full)
            tell_limit(g, "connections at once");
        all->told_full = true;
        return NULL;
    }
    all->n++;
    c->what = what;
    c->since_ms = g->now_ms;
    c->id = ++g->next_id;
    for (int d = 0; d < 2; d++) {
        c->end[d].source = (struct source){ .fd = -1, .on = relay_on_end };
        c->way[d] = (struct way){ .pipe = { -1, -1 }, .credit = UINT64_MAX };
    }
    c->all_next = &all->all;
    c->all_prev = all->all.all_prev;
    c->all_prev->all_next = c;
    all->all.all_prev = c;
    return c;
}

struct target conn_target(struct gw *g, const struct conn *c)
{
    struct name *n = c->name ? name_at(g, c->name) : NULL;

    return (struct target){ .addr = n ? c->dial.reached : c->addr,
                            .port = c->port,
                            .name = n ? name_text(n) : NULL };
}

static void tell_closed(struct gw *g, const struct conn *c)
{
    struct gateway_record r;
    struct target t = conn_target(g, c);

    if (!g->tells_all || c->state != CONN_RELAYING)
        return;
    tell_begin(&r, GATEWAY_CLOSED, c->what, &t);
    r.id = c->id;
    r.sent = c->way[INSIDE].total;
    r.received = c->way[OUTSIDE].total;
    r.duration_ms = g->now_ms - c->since_ms;
    tell(g, &r);
}

/* With a reset, so that the peer sees that it was not the end of the data
 * (socket(7), SO_LINGER with no time). */
static void close_end(struct gw *g, struct end *e, bool is_clean)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };

    if (e->source.fd >= 0 && !is_clean)
        (void)setsockopt(e->source.fd, SOL_SOCKET, SO_LINGER, &now,
                         sizeof(now));
    gw_close(g, &e->source);
}

void conn_end(struct gw *g, struct conn *c, bool is_clean)
{
    if (c->is_dead)
        return;
    c->is_dead = true;
    tell_closed(g, c);
    leave_table(g, c);
    dial_cancel(g, &c->dial);
    gw_stop(&c->timer);
    check_end(&c->check);
    free(c->extra);
    c->extra = NULL;
    relay_forget(g, c);
    for (int d = 0; d < 2; d++) {
        close_end(g, &c->end[d], is_clean);
        relay_release(g, &c->way[d]);
    }
    c->all_prev->all_next = c->all_next;
    c->all_next->all_prev = c->all_prev;
    if (is_counted(c->what))
        quota_close(g);
    /* Told once for each time that it fills up, not for each that comes and
     * goes at the brim. */
    if (--g->conns->n <= g->conns->max / 2)
        g->conns->told_full = false;
    /* One that is to be pumped is buried when it would be, in this turn or
     * the next one. */
    if (!c->is_queued)
        gw_bury(g, &c->grave, c);
}

void conns_end(struct gw *g)
{
    struct conn *all = &g->conns->all;

    while (all->all_next != all)
        conn_end(g, all->all_next, false);
}

/* An answer that nobody reads any more would turn the close into a reset,
 * which takes along what is still to be sent (RFC 9293, 3.6). */
static void discard_answer(struct end *e)
{
    for (int i = 0; i < DISCARDS; i++)
        if (recv(e->source.fd, NULL, DISCARD_AT_ONCE,
                 MSG_TRUNC | MSG_DONTWAIT) <= 0)
            break;
}

bool conns_drain(struct gw *g)
{
    struct conn *c = g->conns->all.all_next, *next;
    bool is_drained = true;

    for (; c != &g->conns->all; c = next) {
        next = c->all_next;
        if (c->state != CONN_RELAYING)
            continue; /* its client is gone, or comes in this turn */
        if (!c->end[INSIDE].is_at_end || c->way[INSIDE].held) {
            is_drained = false;
            continue;
        }
        discard_answer(&c->end[OUTSIDE]);
        conn_end(g, c, true);
    }
    return is_drained;
}

/* --- first packets ------------------------------------------------------ */

static void let_in(struct gw *g, struct conn *c)
{
    c->state = CONN_ACCEPTING;
    gw_start(g, &c->timer, TIMER_ACCEPT);
    send_inside(g, &c->first.flow.to, packet_first(&c->first, g->room));
    g->nlet_in[!net_addr_is_v4(&c->first.flow.to)]++;
}

/* The client gave up while it was dialled for. */
static void on_not_accepted(struct gw *g, struct timer *t)
{
    struct conn *c = (void *)((char *)t - offsetof(struct conn, timer));

    conn_end(g, c, false);
}

static void on_dialled(struct gw *g, struct dial *d, int fd)
{
    struct conn *c = (void *)((char *)d - offsetof(struct conn, dial));
    struct target t = conn_target(g, c);

    if (fd >= 0) {
        c->end[OUTSIDE].source.fd = fd;
        let_in(g, c);
        return;
    }
    tell_refused(g, c->what, d->why, &t, d->sys, NULL);
    first_refuse(g, &c->first,
                 d->why == GATEWAY_BY_UPSTREAM ? refusal_of(d->sys)
                                               : REFUSE_PROHIBITED);
    conn_end(g, c, false);
}

static struct conn *gate(struct gw *g, enum gateway_what what,
                         const struct first *f)
{
    struct conn *c = conn_create(g, what, sizeof(*c));
    struct conn **at = bucket_of(g, &f->flow);

    if (!c)
        return NULL;
    c->first = *f;
    c->is_gated = true;
    c->bucket_next = *at;
    *at = c;
    c->timer.on = on_not_accepted;
    c->dial.done = on_dialled;
    c->port = f->flow.to_port;
    c->addr = f->flow.to;
    return c;
}

static void refuse_more(struct gw *g, const struct first *f,
                        const struct target *t)
{
    tell_refused(g, GATEWAY_CONNECT, GATEWAY_BY_BUDGET, t, 0, NULL);
    first_refuse(g, f, REFUSE_PROHIBITED);
}

static void to_target(struct gw *g, const struct first *f, uint32_t number,
                      const struct net_verdict *v, const struct target *t)
{
    struct conn *c = gate(g, GATEWAY_CONNECT, f);

    if (!c) {
        refuse_more(g, f, t);
        return;
    }
    tell_verdict(g, GATEWAY_CONNECT, NET_TCP, t, v, c->id);
    if (number) {
        c->name = number;
        check_begin(&c->check, t->name, t->port);
        c->way[INSIDE].credit = 0;
        dial_name(g, &c->dial, name_at(g, number), t->port, v->intranet);
        return;
    }
    dial_address(g, &c->dial, &f->flow.to, t->port);
}

/* The sandbox's own pools: the resolver, or a name; else nobody. */
static bool to_resolver(struct gw *g, const struct first *f, uint32_t number,
                        const struct target *t)
{
    struct conn *c;

    if (number != NET_OWN_DNS || f->flow.to_port != 53)
        return false;
    c = gate(g, GATEWAY_QUERY, f);
    if (c)
        let_in(g, c);
    else
        refuse_more(g, f, t);
    return true;
}

/* Sent again: while it is dialled for nothing is to be done, while it is let
 * in the answer was lost.  With another number it is the client's next
 * connection from this port, and nobody waits for the last one any more. */
static bool is_known(struct gw *g, const struct first *f)
{
    struct conn *c = *find(g, &f->flow);

    if (!c)
        return false;
    if (c->first.seq != f->seq) {
        conn_end(g, c, false);
        return false;
    }
    if (c->state == CONN_ACCEPTING)
        send_inside(g, &f->flow.to, packet_first(f, g->room));
    return true;
}

void conn_first(struct gw *g, const struct first *f)
{
    struct target t = { .addr = f->flow.to, .port = f->flow.to_port };
    struct net_verdict v;
    struct name *n = NULL;
    uint32_t number = 0;

    if (is_known(g, f))
        return;
    if (net_own_number(&t.addr, &number)) {
        if (to_resolver(g, f, number, &t))
            return;
        n = name_at(g, number);
    }
    if (n) {
        t.name = name_text(n);
        memset(&t.addr, 0, sizeof(t.addr));
    }
    decide(g, &t, NET_TCP, &v);
    if (v.is_allowed) {
        to_target(g, f, n ? number : 0, &v, &t);
        return;
    }
    tell_verdict(g, GATEWAY_CONNECT, NET_TCP, &t, &v, 0);
    first_refuse(g, f, REFUSE_PROHIBITED);
}

void conn_accepted(struct gw *g, int fd, const struct flow *f)
{
    struct conn *c = *find(g, f);

    /* The client took its time, or nobody let it in. */
    if (!c || c->state != CONN_ACCEPTING) {
        struct end e = { .source.fd = fd };

        close_end(g, &e, false);
        return;
    }
    if (c->what == GATEWAY_QUERY) {
        conn_end(g, c, true);
        stub_serve(g, fd);
        return;
    }
    leave_table(g, c);
    gw_stop(&c->timer);
    c->end[INSIDE].source.fd = fd;
    conn_relay(g, c);
}
