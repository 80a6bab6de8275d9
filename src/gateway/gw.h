/* gw.h - what the files of the gateway share; not for others.
 *
 * One process, one thread, one epoll loop.  Everything that can happen is a
 * descriptor (struct source) or a time (struct timer) with a function; nothing
 * blocks.  What ends during a turn of the loop is freed at the turn's end, so
 * that an event that was already fetched finds it still there, dead. */
#ifndef MXC_GATEWAY_GW_H
#define MXC_GATEWAY_GW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/scoped.h"
#include "gateway/packet.h"
#include "gateway/proto.h"
#include "gateway/tell.h"
#include "policy/net.h"
#include "sys/netgate.h"

struct gw;

struct source {
    int fd; /* -1: closed */
    void (*on)(struct gw *g, struct source *s, uint32_t events);
};

/* Each kind has one duration, so that its list is sorted by itself. */
enum timer_kind {
    TIMER_NOW = 0, /* in this turn, but not from within a call */
    TIMER_STAGGER, /* next attempt beside the running one (RFC 8305, 5) */
    TIMER_REFUSE,  /* a refusal is said again */
    TIMER_ACCEPT,  /* the client has to take what was dialled for it */
    TIMER_HEAD,    /* first bytes that are checked have to be complete */
    TIMER_FLOW,    /* a datagram flow without traffic */
    TIMER_END,     /* what was sent before the end has to arrive */
    TIMER_QUERY,   /* an upstream resolver has to answer */
    TIMER_KINDS
};

struct timer {
    struct timer *next, *prev; /* NULL: not running */
    uint64_t due_ms;
    void (*on)(struct gw *g, struct timer *t);
};

/* What is freed at the end of a turn. */
struct grave {
    struct grave *next;
    void *what;
};

enum { MAX_LISTENERS = 128, MAX_PIPES = 1024, SPARE_PIPES = 64 };
/* Where there are descriptors enough. */
enum { MAX_FLOWS = 1024, MAX_SERVES = 128, MAX_GUESTS = 1024 };

struct conns;
struct flows;
struct names;
struct resolver;
struct forwards;
struct refusals;

struct gw {
    struct net_view rules;
    int ep;
    int route;   /* rtnetlink, for route_type() */
    int reserve; /* a descriptor to close where there is no other left */
    uint64_t now_ms;
    struct timer timers[TIMER_KINDS]; /* heads of rings */
    uint32_t timer_ms[TIMER_KINDS];
    struct source inside[NETGATE_SOCKETS];
    struct source status;        /* the supervisor's end of file is ours */
    struct source lender;        /* init, who makes sockets */
    int listener[MAX_LISTENERS]; /* on the sandbox's loopback */
    size_t nlisteners;
    int pipe[SPARE_PIPES][2]; /* empty ones */
    size_t nspare, npipes;
    struct conns *conns;
    struct flows *flows;
    struct names *names;
    struct resolver *resolver;
    struct forwards *forwards;
    struct grave *graves;
    size_t nopen, most_open; /* connections and flows; quota.c */
    uint64_t bytes_left;     /* UINT64_MAX: any number */
    bool told_open, told_bytes;
    bool tells_all;
    bool is_ending; /* the sandbox is gone; what it sent goes on */
    bool has_ended;
    struct timer end;
    struct refusals *refusals;
    unsigned nlet_in[2]; /* in this turn, by IPv4 and IPv6 */
    uint32_t next_id;
    size_t nasks; /* questions that wait in stub.c */
    size_t max_flows, max_serves, max_guests; /* set by conns_create */
    size_t nserves;                           /* clients of stub.c by TCP */
    bool told_serves;
    size_t nguests; /* clients of the proxy that have not asked yet */
    struct net_addr scratch[16]; /* DIAL_MAX */
    uint64_t lost;         /* records that the supervisor had no room for */
    uint64_t lost_denials; /* of these */
    uint32_t owed_limits;  /* LIMIT_BITs: to be told when there is room */
    uint8_t *room;         /* PACKET_ROOM, for packets and datagrams */
    uint8_t *peek;         /* PEEK_ROOM, for first bytes */
};

enum { PEEK_ROOM = 64 * 1024 };

/* --- loop.c ---------------------------------------------------------- */

int gw_watch(struct gw *g, struct source *s, uint32_t events);
/* One that is watched already, perhaps as another source. */
int gw_watch_again(struct gw *g, struct source *s, uint32_t events);
void gw_close(struct gw *g, struct source *s);
/* accept4(2), without blocking.  Where no descriptor is left the connection is
 * closed: one that waits in the queue would be told of for ever. */
int gw_accept(struct gw *g, const struct source *s,
              struct sockaddr_storage *from);
void gw_start(struct gw *g, struct timer *t, enum timer_kind kind);
void gw_stop(struct timer *t);
/* Free it when this turn is over. */
void gw_bury(struct gw *g, struct grave *grave, void *what);
void gw_run(struct gw *g);

/* --- addr.c: between net_addr and the kernel's forms ------------------ */

socklen_t sockaddr_of(const struct net_addr *a, uint16_t port,
                      struct sockaddr_storage *out);
bool sockaddr_read(const struct sockaddr_storage *s, struct net_addr *a,
                   uint16_t *port);
/* Send a packet that packet.h wrote to the sandbox; a full queue loses it, as
 * a network would. */
void send_inside(struct gw *g, const struct net_addr *to, size_t len);
/* Is it an address of this host (or a broadcast address)? */
bool is_own_address(struct gw *g, const struct net_addr *a);

/* Loopback and the sandbox's own address, where its own sockets answer. */
bool is_sandboxs_own(const struct net_addr *a);

/* --- decide.c: rules, and what is said of them ------------------------ */

/* Who is asked for: an address, or a name (then addr is zero). */
struct target {
    struct net_addr addr;
    uint16_t port;
    const char *name; /* NULL: an address */
    enum net_proto proto;
};

/* The rules' word on a target, own addresses included. */
void decide(struct gw *g, const struct target *t, enum net_proto proto,
            struct net_verdict *out);

/* May a name lead to this address, on this port?  Not to the host itself, nor
 * into a network that is not meant, nor where a rule denies it. */
bool may_lead_to(struct gw *g, const struct net_addr *a, enum net_proto proto,
                 uint16_t port, bool intranet);

/* --- dial.c: from a target to a connected socket ---------------------- */

enum { DIAL_MAX = 16, DIAL_PARALLEL = 4 };

struct name;

/* Somebody who waits for a name's addresses. */
struct wait {
    struct wait *next, *prev;
    void (*on)(struct gw *g, struct wait *w);
};

struct dial;

struct attempt {
    struct source source;
    struct dial *dial;
    uint8_t which; /* of dial->addr */
};

struct dial {
    struct net_addr addr[DIAL_MAX];
    uint8_t n, next;
    bool is_running;
    bool is_watched; /* what was handed over: once, and that was told */
    bool intranet;
    bool by_address; /* a name that the rules do not know: they judge each of
                      * its addresses */
    uint16_t port;
    int sys;              /* of the last attempt that failed */
    enum gateway_why why; /* GATEWAY_BY_UPSTREAM, _ADDRESS or _NO_ADDRESS */
    struct net_addr reached;
    struct attempt attempt[DIAL_PARALLEL];
    struct attempt *connected; /* at once; it is told a moment later */
    struct timer stagger;
    struct wait wait;
    struct name *name;
    /* fd >= 0: connected, yours.  Else sys and why say what failed.  Not from
     * within dial_start. */
    void (*done)(struct gw *g, struct dial *d, int fd);
};

/* The address was decided on before; a name's addresses are judged here. */
void dial_address(struct gw *g, struct dial *d, const struct net_addr *a,
                  uint16_t port);
void dial_name(struct gw *g, struct dial *d, struct name *name, uint16_t port,
               bool intranet);
void dial_cancel(struct gw *g, struct dial *d);
enum refusal refusal_of(int sys);

/* --- names.c, resolver.c ---------------------------------------------- */

struct names *names_create(void);
/* The entry of a name that the rules know; NULL: too many of them. */
struct name *name_take(struct gw *g, const char *text, enum net_known known);
struct name *name_at(struct gw *g, uint32_t number);
uint32_t name_number(const struct name *n);
const char *name_text(const struct name *n);
/* True: its addresses are known now.  Else w->on is called when they are. */
bool name_resolve(struct gw *g, struct name *n, struct wait *w);
void wait_cancel(struct wait *w);
size_t name_addresses(const struct name *n, struct net_addr out[DIAL_MAX]);
/* After it was resolved: the DNS response code, and for how long (s). */
unsigned name_rcode(const struct name *n);
unsigned name_ttl(struct gw *g, const struct name *n);

/* Lowers *patience_ms to what the host's configuration says. */
int resolver_create(struct resolver **out, uint32_t *patience_ms,
                    struct err *e);
/* Ask for A and AAAA; name_answered is called for each. */
void resolver_ask(struct gw *g, struct name *n);
void name_answered(struct gw *g, struct name *n, bool is_aaaa, unsigned rcode,
                   const struct net_addr *addr, size_t naddr, uint32_t ttl);
/* Its first server, for questions that are passed on as they are. */
bool resolver_server(const struct gw *g, struct net_addr *out);

/* stub.c: the resolver inside.  A question that came by UDP, or by the
 * connection `to`; and its end. */
struct conn;
/* False: the question is one for the host's resolver. */
bool stub_datagram(struct gw *g, const struct flow *f, const uint8_t *bytes,
                   size_t len);
void stub_serve(struct gw *g, int fd);

/* --- conn.c and relay.c: connections ----------------------------------- */

int conns_create(struct gw *g);
/* End all, and tell of it. */
void conns_end(struct gw *g);
/* The sandbox is gone: end those that have passed on all that it sent.  Are
 * there none left? */
bool conns_drain(struct gw *g);
/* Is there nothing to do before the next event?  And do it. */
bool conns_idle(const struct gw *g);
void conns_go_on(struct gw *g);
/* A first packet was read. */
void conn_first(struct gw *g, const struct first *f);
void conn_accepted(struct gw *g, int fd, const struct flow *f);

/* refuse.c */
int refusals_create(struct gw *g);
void first_refuse(struct gw *g, const struct first *f, enum refusal how);

/* gate.c */
void gate_first4(struct gw *g, struct source *s, uint32_t events);
void gate_first6(struct gw *g, struct source *s, uint32_t events);
void gate_accept(struct gw *g, struct source *s, uint32_t events);
/* Accept what was let in during this turn, without waiting for the word. */
void gate_accept_now(struct gw *g);

/* --- flow.c: datagrams and echoes --------------------------------------- */

int flows_create(struct gw *g);
/* Does no datagram wait for a name any more? */
bool flows_drain(const struct gw *g);
void flows_end(struct gw *g);
void flow_udp_ready(struct gw *g, struct source *s, uint32_t events);
void flow_echo_ready(struct gw *g, struct source *s, uint32_t events);

/* --- forward.c: services of the host, published ports, the proxy --------- */

int forwards_create(struct gw *g, struct err *e);
int forwards_start(struct gw *g, struct err *e);

/* proxy.c: a client of the built-in proxy. */
void proxy_serve(struct gw *g, int fd);

/* --- walls.c ------------------------------------------------------------- */

int walls_raise(struct err *e);

#endif
