/* conn.h - one TCP connection through the gateway; not for others.
 *
 *   DIALING    a first packet came (or a listener accepted), outside is
 *              being dialled
 *   ACCEPTING  outside is connected, the first packet was sent once more and
 *              the listener has not accepted yet
 *   RELAYING   both ends are there
 *
 * Bytes go from one socket through a pipe to the other (splice(2)) and are
 * never copied into this process.  A pipe belongs to a direction only while it
 * holds something. */
#ifndef MXC_GATEWAY_CONN_H
#define MXC_GATEWAY_CONN_H

#include "gateway/check.h"
#include "gateway/gw.h"

enum conn_state { CONN_DIALING = 0, CONN_ACCEPTING, CONN_RELAYING };

enum { INSIDE = 0, OUTSIDE = 1 };

struct end {
    struct source source;
    bool is_outside;
    bool can_read, can_write; /* until the kernel says EAGAIN */
    bool has_said_end;        /* its last byte has come, perhaps unread */
    bool is_at_end;           /* ... and was read */
    bool is_shut;             /* we will send it no more */
};

/* From end[d] to end[!d]. */
struct way {
    int pipe[2];     /* -1: none */
    size_t held;     /* bytes in it */
    uint64_t credit; /* bytes that may pass; UINT64_MAX: all of them */
    uint64_t total;
};

struct conn {
    struct grave grave;
    enum conn_state state;
    enum gateway_what what;
    bool is_dead;
    bool is_queued;   /* in conns->busy */
    bool is_starving; /* for a pipe */
    bool is_gated;    /* by a first packet: in the table */
    struct conn *bucket_next;
    struct conn *queue_next, *queue_prev; /* the latter of the starving */
    struct conn *all_next, *all_prev;
    struct first first;
    struct end end[2];
    struct way way[2];
    struct dial dial;
    struct timer timer;
    struct check check;
    uint8_t *extra; /* freed with it */
    uint32_t name;  /* number of the name that it is for, 0: an address */
    struct net_addr addr;
    uint16_t port;
    uint32_t id;
    uint64_t since_ms;
};

enum { MAX_CONNS = 8192, CONN_BUCKETS = 4096 };

struct conns {
    struct conn *bucket[CONN_BUCKETS];
    struct conn *busy, *busy_last;         /* to be pumped again */
    struct conn *starving, *starving_last; /* until a pipe is free */
    struct conn all;                       /* head of the ring */
    size_t n;
    size_t max;
    bool told_full;
};

/* `size` bytes that begin with it; NULL when there are too many. */
struct conn *conn_create(struct gw *g, enum gateway_what what, size_t size);
/* What it is for, as it is told. */
struct target conn_target(struct gw *g, const struct conn *c);
/* Close both ends with a reset, or (is_clean) as they are. */
void conn_end(struct gw *g, struct conn *c, bool is_clean);
/* Both ends are there: begin. */
void conn_relay(struct gw *g, struct conn *c);
/* Something may have changed: move what can be moved. */
void conn_pump(struct gw *g, struct conn *c);
void conn_queue(struct gw *g, struct conn *c);

/* relay.c */
void relay_on_end(struct gw *g, struct source *s, uint32_t events);
void relay_release(struct gw *g, struct way *w);
/* It waits for a pipe no longer. */
void relay_forget(struct gw *g, struct conn *c);

#endif
