/* holder.h - what the files of mxc-hold share. */
#ifndef MXC_SESSION_HOLDER_H
#define MXC_SESSION_HOLDER_H

#include <poll.h>

#include "session/dir.h"
#include "session/hold/freezer.h"
#include "session/look.h"
#include "session/talk.h"
#include "supervise/net_report.h"
#include "supervise/run_events.h"
#include "supervise/supervise.h"

enum {
    HOLDER_PEERS = TALK_COMMANDS + 16,
    HOLDER_GRACE_MS = 2000,
    HOLDER_KILL_MS = 10000, /* for init, to see a command to its end */
    HOLDER_PAUSE_MS = 5000, /* for init, to stop all or let them go on */
    HOLDER_FIXED = 5,
    HOLDER_OTHERS = 64 /* descriptors that are no poll(2)'s */
};

/* Who is connected, and the command that it asked for.  A command outlives
 * its connection until init says that it is gone. */
struct peer {
    bool is_used;
    bool waits_for_stop;
    uint64_t pause_ms; /* since when it waits for a pause or its end; 0: not */
    int fd;            /* -1: gone */
    /* --- the command; id 0: there is none */
    uint32_t id;
    int32_t size;      /* of its terminal, or 0 */
    int fds[TALK_FDS]; /* what init was not given yet */
    size_t nfds;
    size_t len; /* of what is in struct holder.plans, the same */
    bool wants_exec, wants_kill;
    uint64_t killed_ms; /* when that was decided; 0: not yet */
    uint64_t signals;
    bool is_timed_out, is_killed, no_halts, no_start;
    bool wants_halt;               /* it was told to stop, by a signal */
    pid_t pid;                     /* inside; 0: not started yet */
    uint64_t asked_ms, started_ms; /* of the monotonic clock */
    uint64_t limit_ms;             /* 0: none */
};

/* What is asked for: bytes of a plan may follow it. */
struct asked {
    struct ask ask;
    char plan[TALK_INLINE];
};

struct holder {
    const struct plan_view *plan;
    struct session_facts facts;
    int dir, plan_fd, starter, log;
    int lock; /* the starter's, while it starts; or -1 */
    size_t logged;
    struct sandbox sandbox;
    struct gateway gateway;
    struct events events;
    struct net_report report;
    struct watch *watch;
    int signals, listener;
    bool is_ready, is_gateway_ready, is_up;
    bool is_empty; /* no process but init */
    enum look_paused paused;
    bool wants_pause; /* it was asked for, and may be on its way yet */
    bool asks_init;   /* for a word, not asked yet */
    struct freezer freezer;
    struct session_process process[SESSION_PROCESSES]; /* room to find init */
    bool is_over;
    bool is_stopping;
    uint64_t accept_ms; /* not before: there was no descriptor for one more */
    uint64_t stop_ms;   /* when it will not wait any longer */
    uint64_t started_ms, idle_since_ms;
    uint64_t everybody; /* signals for all, not told yet */
    unsigned ntold;     /* of those, and of words asked for: no answer yet */
    uint32_t last_id;
    struct peer peer[HOLDER_PEERS];
    char plans[HOLDER_PEERS][TALK_INLINE];
    struct asked heard; /* the last */
    size_t npeers;      /* of them, from the first, none beyond is in use */
    struct look look;   /* the answer to one who asks */
    struct pollfd poll[HOLDER_FIXED + HOLDER_PEERS];
    struct err err; /* why it ends, where it failed */
};

void holder_log(struct holder *h, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void holder_log_err(struct holder *h, const struct err *e);

/* holder_peer.c: requests, and words to whoever asked. */
void holder_accept(struct holder *h);
void holder_hear(struct holder *h, struct peer *p);
void holder_drop(struct peer *p);
void holder_say(struct peer *p, enum say_what what, int32_t number,
                const struct err *e, int fd);
void holder_say_end(struct peer *p, enum outcome outcome, int status,
                    const struct err *e);
void holder_kill(struct holder *h, struct peer *p);
void holder_end_with_the_stuck(struct holder *h, uint64_t now);
struct peer *holder_find(struct holder *h, uint32_t id);
bool holder_is_busy(const struct holder *h);
void holder_stop(struct holder *h, uint64_t grace_ms);
bool holder_refuses(const struct holder *h, struct peer *p);

/* holder_pause.c */
void holder_pause(struct holder *h, struct peer *p, bool pause);
void holder_settle_pause(struct holder *h);
void holder_end_pause(struct holder *h); /* the session stops */
void holder_end_pauses(struct holder *h, const struct err *e);
uint64_t holder_pause_due(const struct holder *h);
void holder_pause_tend(struct holder *h, uint64_t now);

/* holder_init.c: words to and from init.  Pending ones wait for room. */
void holder_push(struct holder *h);
bool holder_has_pending(const struct holder *h);
void holder_everybody(struct holder *h, int signal);
void holder_hear_init(struct holder *h);

#endif
