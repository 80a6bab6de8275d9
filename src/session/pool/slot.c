/* slot.c - one warm sandbox after the other.
 *
 * It is made, waits at the door, is claimed once, and is gone when its command
 * has ended.  A claim that fails burns it: nothing that a caller has touched
 * is offered to another. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/proto.h"
#include "launch/proto.h"
#include "session/pool/pool_parts.h"
#include "supervise/net_report.h"
#include "sys/seal.h"

_Static_assert((int)POOL_INLINE == (int)CLAIM_INLINE,
               "a plan goes on as it came");

enum source {
    FROM_WATCH, /* first: a policy that cannot be held comes before all else */
    FROM_MORE,
    FROM_MOUNTS, /* before the door: who is out of date takes no claim */
    FROM_GATEWAY,
    FROM_INIT,
    FROM_KEEPER,
    FROM_CLIENT,
    FROM_DOOR,
    SOURCES
};

enum state { MAKING = 0, READY, TAKEN, RUNNING, OVER };

struct slot {
    const struct plan_view *plan;
    const char *launcher;
    const char *mounts_then; /* of the host, when the policy was decided */
    int plan_fd, door, keeper;
    /* --- of one sandbox */
    enum state state;
    bool is_ready, is_gateway_ready;
    bool could_be_made, is_known_busy; /* as the keeper knows */
    bool was_killed;                   /* a part of it, from outside */
    struct sandbox sandbox;
    struct gateway gateway;
    struct net_report report;
    struct watch *watch, *more; /* of the pool's policy, and of the claim's */
    int epoll, client;
    int mounts;          /* the host's, as they were when it was made, */
    bool has_old_mounts; /* and are no more */
    int host; /* the tree that its grants come from: init's to close at once */
    uint32_t flags;   /* of the claim */
    bool wants_halt;  /* it was told to stop, by a signal */
    uint64_t signals; /* that init had no room for */
    uint64_t taken_ms, started_ms, limit_ms, stop_ms; /* 0: none */
    bool is_stopping;
    bool has_answered;
    enum outcome outcome;
    int status;     /* as waitpid(2) has it, or 126 and 127 */
    struct err err; /* why it is over, where something failed */
    union {
        struct {
            struct pool_ask head;
            uint64_t plan[POOL_INLINE / sizeof(uint64_t)];
        } ask;
        struct ask order;
    } in;
    struct {
        struct launch_record rec;
        char plan[POOL_INLINE];
    } out;
};

static void tell_keeper(const struct slot *s, enum pool_word word,
                        const struct err *e)
{
    struct pool_record rec = { .word = word, .was_claimed = s->taken_ms != 0 };

    if (e)
        rec.err = *e;
    (void)talk_send(s->keeper, &rec, sizeof(rec), NULL, 0, 0);
}

static void end(struct slot *s, enum outcome outcome, int status)
{
    s->outcome = outcome;
    s->status = status;
    s->state = OVER;
}

/* --- words to the client ---------------------------------------------------
 */

static void say(const struct slot *s, struct say *w, int fd)
{
    w->version = TALK_VERSION;
    if (s->client >= 0)
        (void)talk_send(s->client, w, sizeof(*w), &fd, fd >= 0, MSG_DONTWAIT);
}

/* The claim is refused, and nothing has run. */
static void refuse(struct slot *s)
{
    struct say w = { .what = SAY_FAILED, .err = s->err };

    say(s, &w, -1);
    s->has_answered = true;
    end(s, OUTCOME_FAILED, 0);
}

static void say_report(const struct slot *s)
{
    struct say w = { .what = POOL_SAY_REPORT };
    struct buf b = { .max = 1 << 20 };
    struct err ignored;
    scoped(drop_fd) int fd = -1;

    net_report_json(&s->report, &b);
    if (b.len) {
        buf_putc(&b, '\0');
        net_report_text(&s->report, &b);
    }
    if (!b.failed && b.len && plan_seal(b.data, b.len, &fd, &ignored) == 0) {
        w.number = (int32_t)b.len;
        say(s, &w, fd);
    }
    buf_drop(&b);
}

static void say_end(struct slot *s)
{
    struct say w = { .what = SAY_ENDED,
                     .outcome = s->outcome,
                     .number = s->outcome == OUTCOME_TIMED_OUT
                                   ? talk_ms(s->limit_ms)
                                   : s->status,
                     .err = s->err };

    if (s->has_answered || s->client < 0)
        return;
    if (s->started_ms)
        w.duration_ms = now_ms() - s->started_ms;
    if (s->gateway.status >= 0)
        say_report(s);
    say(s, &w, -1);
    s->has_answered = true;
}

/* --- making one ------------------------------------------------------------
 */

static int follow(const struct slot *s, int fd, enum source from,
                  uint32_t events, struct err *e)
{
    struct epoll_event ev = { .events = events, .data.u32 = from };

    if (fd < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) == 0)
        return 0;
    return err_sys(e, "epoll_ctl(2)", errno, "cannot hold a sandbox");
}

static int spawn(struct slot *s, struct err *e)
{
    scoped(drop_fd) int inside = -1;

    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0)
        return err_sys(e, "epoll_create1(2)", errno, "cannot hold a sandbox");
    if (gateway_spawn(s->plan, s->launcher, false, &s->gateway, &inside, e) < 0)
        return -1;
    s->is_gateway_ready = s->gateway.status < 0;
    /* Before the sandbox has a copy of them: a change is told once, to the
     * first who asks (proc(5), mountinfo), be that this call. */
    s->mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    if (s->mounts < 0)
        return err_sys(e, "open(2)", errno, "cannot watch the host's mounts");
    if (follow(s, s->mounts, FROM_MOUNTS, EPOLLPRI, e) < 0 ||
        pool_check_mounts(s->plan, s->mounts_then, e) < 0 ||
        sandbox_spawn(s->plan, s->launcher, s->plan_fd, inside, -1, &s->sandbox,
                      e) < 0 ||
        follow(s, s->gateway.status, FROM_GATEWAY, EPOLLIN, e) < 0 ||
        follow(s, s->sandbox.status, FROM_INIT, EPOLLIN, e) < 0)
        return -1;
    return follow(s, s->keeper, FROM_KEEPER, EPOLLIN, e);
}

/* Of those who wait at the door, one is woken (epoll_ctl(2),
 * EPOLLEXCLUSIVE). */
static int offer(struct slot *s, struct err *e)
{
    if (watch_create(s->plan, &s->watch, e) < 0 ||
        follow(s, watch_fd(s->watch), FROM_WATCH, EPOLLIN, e) < 0 ||
        follow(s, s->door, FROM_DOOR, EPOLLIN | EPOLLEXCLUSIVE, e) < 0)
        return -1;
    s->state = READY;
    s->could_be_made = true;
    tell_keeper(s, WORD_READY, NULL);
    return 0;
}

/* It is made anew, which is nobody's fault.  What has a command goes on, as a
 * run does. */
static void on_mounts(struct slot *s)
{
    s->has_old_mounts = true;
    if (s->state == READY)
        end(s, OUTCOME_FAILED, 0);
}

static void maybe_offer(struct slot *s)
{
    if (s->state != MAKING || !s->is_ready || !s->is_gateway_ready)
        return;
    if (s->has_old_mounts) {
        s->could_be_made = true;
        end(s, OUTCOME_FAILED, 0);
    } else if (offer(s, &s->err) < 0) {
        end(s, OUTCOME_FAILED, 0);
    }
}

/* --- the claim -------------------------------------------------------------
 */

/* The plan, wherever it is: *bytes in `in` or mapped. */
static int open_plan(const struct slot *s, const int *fds, size_t n,
                     const void **bytes, size_t *len, struct err *e)
{
    const struct pool_ask *a = &s->in.ask.head;

    const size_t streams = a->size ? 0 : 3;

    *bytes = s->in.ask.plan;
    *len = a->len;
    if (n != streams + !a->len)
        /* Dropped by the kernel where there is no room for them (unix(7)). */
        return err_set(e, ERR_BACKEND_ERROR,
                       "the command's streams did not arrive");
    return a->len ? 0 : plan_unseal(fds[0], PLAN_MAX_BYTES, bytes, len, e);
}

/* A claim's grants are decided by what the host has mounted now, and mounted
 * with what it had below them when the sandbox was made: the same, or none. */
static int check_mounts(const struct slot *s, struct err *e)
{
    struct pollfd p = { .fd = s->mounts, .events = POLLPRI };

    if (!s->has_old_mounts && poll(&p, 1, 0) == 0)
        return 0;
    err_set(e, ERR_BACKEND_ERROR,
            "the host's mounts changed while the command was handed over");
    return err_hint(e, "nothing was run; try again");
}

/* Watched before it is looked at once more and mounted. */
static int look_at(struct slot *s, const void *bytes, size_t len, struct err *e)
{
    struct plan_view v;

    if (plan_check_claim(bytes, len, &v, e) < 0)
        return -1;
    if (check_mounts(s, e) < 0)
        return -1;
    if (!!(v.head.flags & PLAN_TTY) != (s->in.ask.head.size != 0))
        return err_set(e, ERR_BACKEND_ERROR,
                       "the claim and its plan disagree about a terminal");
    if (watch_create(&v, &s->more, e) < 0)
        return -1;
    return follow(s, watch_fd(s->more), FROM_MORE, EPOLLIN, e);
}

static int hand_over(struct slot *s, const int *fds, size_t n, struct err *e)
{
    const struct pool_ask *a = &s->in.ask.head;
    int r;

    s->out.rec = (struct launch_record){ .msg = MSG_CLAIM,
                                         .status = a->size,
                                         .exec = a->len };
    memcpy(s->out.plan, s->in.ask.plan, a->len);
    r = talk_send(s->sandbox.status, &s->out, sizeof(s->out.rec) + a->len, fds,
                  n, MSG_DONTWAIT);
    return r < 0 ? err_sys(e, "send(2)", -r, "cannot start the command") : 0;
}

static int begin(struct slot *s, const int *fds, size_t n, struct err *e)
{
    const uint64_t most = s->plan->head.timeout_ms;
    struct say started = { .what = SAY_STARTED };
    const void *bytes;
    size_t len;
    int r;

    if (open_plan(s, fds, n, &bytes, &len, e) < 0)
        return -1;
    r = look_at(s, bytes, len, e);
    if (!s->in.ask.head.len)
        (void)munmap((void *)(uintptr_t)bytes, len);
    if (r < 0 || hand_over(s, fds, n, e) < 0)
        return -1;
    s->limit_ms = s->in.ask.head.timeout_ms;
    if (most && (!s->limit_ms || most < s->limit_ms))
        s->limit_ms = most;
    s->flags = s->in.ask.head.flags;
    s->started_ms = now_ms();
    s->state = RUNNING;
    if (s->flags & POOL_TELL_START && !s->in.ask.head.size)
        say(s, &started, -1);
    return 0;
}

/* Who waited no longer for this: it costs nobody a sandbox. */
static bool has_left(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 0) > 0 && p.revents & POLLHUP;
}

static void on_ask(struct slot *s, ssize_t got, int *fds, size_t n)
{
    const struct pool_ask *a = &s->in.ask.head;
    struct say taken = { .what = SAY_DONE };

    if (got < (ssize_t)sizeof(*a) || a->version != POOL_VERSION ||
        (a->want != POOL_TAKE && a->want != POOL_RUN) || a->zero ||
        a->flags & ~(uint32_t)POOL_ALL_FLAGS || a->len > POOL_INLINE ||
        (size_t)got != sizeof(*a) + a->len) {
        err_set(&s->err, ERR_BACKEND_ERROR,
                "the pool was started by another version of mxc");
        err_hint(&s->err, "stop it with that version");
        refuse(s);
    } else if (a->want == POOL_TAKE) {
        say(s, &taken, -1);
    } else if (has_left(s->client)) {
        /* It was given up while it lay there (cli/exec_follow.c). */
        end(s, OUTCOME_KILLED, 0);
    } else if (begin(s, fds, n, &s->err) < 0) {
        refuse(s);
    }
}

static void push_signals(struct slot *s)
{
    for (int i = 1; s->signals && i <= CONTROL_SIGNAL_MAX; i++) {
        const uint64_t bit = 1ull << (i - 1);
        const struct launch_record rec = { .msg = MSG_SIGNAL, .status = i };

        if (s->signals & bit && talk_send(s->sandbox.status, &rec, sizeof(rec),
                                          NULL, 0, MSG_DONTWAIT) != -EAGAIN)
            s->signals &= ~bit;
    }
}

static void signal_it(struct slot *s, int number)
{
    s->signals |= 1ull << (number - 1);
    push_signals(s);
}

static void on_order(struct slot *s, const struct ask *a)
{
    if (a->what == ASK_KILL)
        end(s, OUTCOME_KILLED, 0);
    if (a->what == ASK_SIGNAL && a->number > 0 &&
        a->number <= CONTROL_SIGNAL_MAX) {
        s->wants_halt |= a->number == SIGSTOP;
        signal_it(s, a->number);
    }
}

/* Who claimed it may end before anything was asked, too. */
static void on_client(struct slot *s)
{
    int fds[TALK_FDS];
    size_t n;
    ssize_t got = talk_receive(s->client, &s->in, sizeof(s->in), fds, TALK_FDS,
                               &n, MSG_DONTWAIT);

    if (got == -EAGAIN)
        return;
    if (got <= 0)
        end(s, OUTCOME_KILLED, 0);
    else if (s->state == TAKEN)
        on_ask(s, got, fds, n);
    else if (got == (ssize_t)sizeof(s->in.order))
        on_order(s, &s->in.order);
    for (size_t i = 0; i < n; i++)
        drop_fd(&fds[i]);
}

static void accept_one(struct slot *s)
{
    int fd = accept4(s->door, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) /* another was faster */
        return;
    if (!pool_is_owner(fd) || has_left(fd)) {
        (void)close(fd);
        return;
    }
    s->client = fd;
    s->state = TAKEN;
    s->taken_ms = now_ms();
    (void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->door, NULL);
    if (follow(s, fd, FROM_CLIENT, EPOLLIN, &s->err) < 0)
        refuse(s);
    else
        /* It has asked, most likely. */
        on_client(s);
}

/* --- init ------------------------------------------------------------------
 */

static void on_gone(struct slot *s)
{
    err_set(&s->err, ERR_BACKEND_ERROR,
            s->state == RUNNING ? "the sandbox was killed from outside before "
                                  "its command ended"
                                : "the sandbox died before it was of use");
    err_hint(&s->err, "look for an out-of-memory kill in the kernel's log");
    s->was_killed = true;
    end(s, OUTCOME_FAILED, 0);
}

static void on_started(struct slot *s, int32_t pid, int master)
{
    struct say w = { .what = SAY_STARTED, .number = pid };

    say(s, &w, master);
}

static void on_message(struct slot *s, const struct launch_record *rec, int *fd)
{
    struct say halted = { .what = SAY_HALTED, .number = rec->status };

    if (rec->msg == MSG_READY && s->state == MAKING && !s->is_ready) {
        s->is_ready = true;
        s->host = take_fd(fd);
        maybe_offer(s);
    } else if (rec->msg == MSG_FAILED) {
        s->err = rec->err;
        end(s, OUTCOME_FAILED, 0);
    } else if (s->state != RUNNING) {
        on_gone(s);
    } else if (rec->msg == MSG_STARTED) {
        on_started(s, rec->status, *fd);
    } else if (rec->msg == MSG_STOPPED) {
        /* Its client may not read, and its end has to have room. */
        if (s->wants_halt && !(s->flags & POOL_NO_HALTS))
            say(s, &halted, -1);
        s->wants_halt = false;
    } else if (rec->msg == MSG_NOT_STARTED) {
        s->err = rec->err;
        end(s, OUTCOME_NOT_STARTED, rec->status == 127 ? 127 : 126);
    } else if (rec->msg == MSG_EXITED) {
        end(s, WIFSIGNALED(rec->status) ? OUTCOME_SIGNALED : OUTCOME_EXITED,
            rec->status);
    }
}

/* False: there was none. */
static bool hear_init(struct slot *s)
{
    struct launch_record rec;
    size_t nfds;
    int fd = -1;
    ssize_t n = talk_receive(s->sandbox.status, &rec, sizeof(rec), &fd, 1,
                             &nfds, MSG_DONTWAIT);

    if (n == -EAGAIN)
        return false;
    /* A word of ours that it did not hear is told once, before its last. */
    if (n == -ECONNRESET)
        n = talk_receive(s->sandbox.status, &rec, sizeof(rec), &fd, 1, &nfds,
                         MSG_DONTWAIT);
    if (n == (ssize_t)sizeof(rec)) {
        err_end_texts(&rec.err);
        on_message(s, &rec, &fd);
    } else {
        on_gone(s);
    }
    drop_fd(&fd);
    return true;
}

/* All that is there, before the time is looked at: a command that ended in time
 * did so, however late that is heard.  But everybody else gets a turn. */
static void on_init(struct slot *s)
{
    enum { AT_ONCE = 64 };

    for (int i = 0; i < AT_ONCE && s->state != OVER && hear_init(s); i++)
        continue;
}

/* --- everybody else --------------------------------------------------------
 */

static void on_watch(struct slot *s, struct watch *w)
{
    if (watch_check(w, &s->err) < 0)
        end(s, s->state == RUNNING ? OUTCOME_STOPPED : OUTCOME_FAILED, 0);
}

static void on_gateway(struct slot *s)
{
    struct gateway_record rec;

    if (!gateway_hear(&s->gateway, &rec)) {
        err_set(&s->err, ERR_BACKEND_ERROR,
                "the gateway ended before the sandbox did");
        err_hint(&s->err, "look for an out-of-memory or seccomp kill in the "
                          "kernel's log");
        s->was_killed = true;
        end(s, s->state == RUNNING ? OUTCOME_STOPPED : OUTCOME_FAILED, 0);
    } else if (rec.kind == GATEWAY_READY) {
        s->is_gateway_ready = true;
        maybe_offer(s);
    } else if (rec.kind == GATEWAY_FAILED) {
        s->err = rec.err;
        end(s, OUTCOME_FAILED, 0);
    } else if (rec.kind != GATEWAY_NONE) {
        net_report_take(&s->report, &rec);
    }
}

static void end_stopped(struct slot *s)
{
    err_set(&s->err, ERR_BACKEND_ERROR,
            "the pool was stopped while the command ran");
    end(s, OUTCOME_STOPPED, 0);
}

/* The earliest end is meant. */
static void on_stop(struct slot *s, uint64_t grace_ms)
{
    const uint64_t stop_ms = later_ms(now_ms(), grace_ms);

    /* Nobody shall wait there: we take no other, however long this one may
     * take. */
    drop_fd(&s->door);
    if (s->is_stopping && stop_ms >= s->stop_ms)
        return;
    s->is_stopping = true;
    if (s->state != RUNNING) {
        end_stopped(s);
        return;
    }
    s->stop_ms = stop_ms;
    signal_it(s, SIGTERM);
}

/* Without its keeper it is of no use to anybody, and its end the sandbox's. */
static void on_keeper(struct slot *s)
{
    struct pool_record rec;
    ssize_t n = recv(s->keeper, &rec, sizeof(rec), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != (ssize_t)sizeof(rec))
        _exit(EXIT_MXC);
    if (rec.word == WORD_STOP)
        on_stop(s, rec.grace_ms);
}

static bool is_at_work(const struct slot *s)
{
    return s->state == TAKEN || s->state == RUNNING;
}

static void on_time(struct slot *s)
{
    const uint64_t now = now_ms();

    if (is_at_work(s) && !s->is_known_busy &&
        now >= s->taken_ms + SLOT_SHORT_MS) {
        s->is_known_busy = true;
        tell_keeper(s, WORD_BUSY, NULL);
        /* Init has its own for as long as it needs one, and nobody waits now
         * for what the last close takes: no filesystem of the host's shall be
         * kept busy by what runs. */
        drop_fd(&s->host);
    }
    if (s->state != RUNNING)
        return;
    if (s->limit_ms && now >= later_ms(s->started_ms, s->limit_ms))
        end(s, OUTCOME_TIMED_OUT, 0);
    else if (s->is_stopping && now >= s->stop_ms)
        end_stopped(s);
}

static int wait_ms(const struct slot *s)
{
    enum { RETRY_MS = 10, LONGEST_MS = 1000000 };
    const uint64_t now = now_ms();
    uint64_t at = UINT64_MAX;

    if (!is_at_work(s))
        return -1;
    if (!s->is_known_busy)
        at = s->taken_ms + SLOT_SHORT_MS;
    if (s->limit_ms && later_ms(s->started_ms, s->limit_ms) < at)
        at = later_ms(s->started_ms, s->limit_ms);
    if (s->is_stopping && s->stop_ms < at)
        at = s->stop_ms;
    if (s->signals && now + RETRY_MS < at)
        at = now + RETRY_MS;
    if (at == UINT64_MAX)
        return -1;
    if (at <= now)
        return 0;
    return at - now > LONGEST_MS ? LONGEST_MS : (int)(at - now);
}

static void on_event(struct slot *s, enum source from)
{
    switch (from) {
    case FROM_WATCH:
        on_watch(s, s->watch);
        break;
    case FROM_MORE:
        on_watch(s, s->more);
        break;
    case FROM_MOUNTS:
        on_mounts(s);
        break;
    case FROM_GATEWAY:
        on_gateway(s);
        break;
    case FROM_INIT:
        on_init(s);
        break;
    case FROM_KEEPER:
        on_keeper(s);
        break;
    case FROM_CLIENT:
        on_client(s);
        break;
    case FROM_DOOR:
        accept_one(s);
        break;
    case SOURCES:
        break;
    }
}

static void turn(struct slot *s)
{
    struct epoll_event ev[SOURCES];
    bool is_due[SOURCES] = { false };
    int n = epoll_wait(s->epoll, ev, SOURCES, wait_ms(s));

    /* As when it was stopped, and goes on (signal(7)): what came meanwhile is
     * heard before the time is looked at. */
    if (n < 0 && errno == EINTR)
        return;
    if (n < 0) {
        err_sys(&s->err, "epoll_wait(2)", errno, "cannot hold a sandbox");
        end(s, OUTCOME_FAILED, 0);
    }
    for (int i = 0; i < n; i++)
        is_due[ev[i].data.u32] = true;
    for (int i = 0; i < SOURCES && s->state != OVER; i++)
        if (is_due[i])
            on_event(s, (enum source)i);
    if (s->state == RUNNING && s->signals)
        push_signals(s);
    on_time(s);
}

/* --- the end ---------------------------------------------------------------
 */

static bool is_orderly(const struct slot *s)
{
    return s->outcome == OUTCOME_EXITED || s->outcome == OUTCOME_SIGNALED;
}

/* Gone first, told afterwards; at an orderly end init has seen to it that
 * nothing is left, and only its own end is still to come. */
static void finish(struct slot *s)
{
    bool is_gone = true;

    if (!is_orderly(s))
        is_gone = sandbox_kill(&s->sandbox);
    gateway_finish(&s->gateway, is_orderly(s), &s->report);
    if (!is_gone && s->err.msg[0])
        err_hint(&s->err, "a process of it waits in the kernel (state D in "
                          "ps(1)) and ends when that does");
    say_end(s);
    drop_fd(&s->client);
    if (is_orderly(s))
        (void)sandbox_kill(&s->sandbox);
    gateway_stop(&s->gateway);
    watch_destroy(s->watch);
    watch_destroy(s->more);
    drop_fd(&s->mounts);
    drop_fd(&s->host);
    drop_fd(&s->epoll);
}

static void one_sandbox(struct slot *s)
{
    s->state = MAKING;
    s->sandbox = (struct sandbox){ .pidfd = -1, .status = -1, .words = -1 };
    s->gateway = (struct gateway){ .pidfd = -1, .status = -1 };
    s->epoll = s->client = s->mounts = s->host = -1;
    if (spawn(s, &s->err) < 0)
        end(s, OUTCOME_FAILED, 0);
    while (s->state != OVER)
        turn(s);
    finish(s);
}

static bool is_wanted_again(const struct slot *s)
{
    struct pool_record rec;
    ssize_t n;

    do
        n = recv(s->keeper, &rec, sizeof(rec), 0);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(rec) && rec.word == WORD_AGAIN;
}

static int open_slot(struct slot *s, struct plan_view *plan, struct err *e)
{
    const void *bytes;
    size_t len;

    s->plan_fd = fcntl(SLOT_PLAN, F_DUPFD_CLOEXEC, 10);
    s->door = fcntl(SLOT_DOOR, F_DUPFD_CLOEXEC, 10);
    s->keeper = fcntl(SLOT_KEEPER, F_DUPFD_CLOEXEC, 10);
    if (s->plan_fd < 0 || s->door < 0 || s->keeper < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot take what was given");
    if (pool_rest_streams(e) < 0 ||
        plan_unseal(s->plan_fd, PLAN_MAX_BYTES, &bytes, &len, e) < 0 ||
        plan_check(bytes, len, plan, e) < 0)
        return -1;
    return plan->head.flags & PLAN_WARM
               ? 0
               : err_set(e, ERR_BACKEND_ERROR, "the plan is not a pool's");
}

static enum pool_word last_word(const struct slot *s)
{
    if (s->could_be_made)
        return WORD_ENDED;
    return s->was_killed ? WORD_KILLED : WORD_FAILED;
}

/* A slot knows nothing of the sandbox before. */
static bool serve_once(struct slot *like)
{
    scoped(drop_mem) struct slot *s = calloc(1, sizeof(*s));

    if (!s)
        return false;
    s->plan = like->plan;
    s->launcher = like->launcher;
    s->mounts_then = like->mounts_then;
    s->plan_fd = like->plan_fd;
    s->door = like->door;
    s->keeper = like->keeper;
    one_sandbox(s);
    tell_keeper(s, last_word(s), &s->err);
    like->door = s->door;
    return s->door >= 0 && is_wanted_again(s);
}

static void serve(struct slot *like, const char *launcher, const char *mounts,
                  const struct plan_view *plan)
{
    like->plan = plan;
    like->launcher = launcher;
    like->mounts_then = mounts;
    while (serve_once(like))
        continue;
}

int slot_main(const char *launcher, const char *mounts)
{
    struct slot *s = calloc(1, sizeof(*s));
    int code = EXIT_MXC;
    struct plan_view plan;
    struct err e;

    /* It was started as "exe". */
    (void)prctl(PR_SET_NAME, "mxc-slot", 0, 0, 0);
    if (s && open_slot(s, &plan, &e) == 0) {
        serve(s, launcher, mounts, &plan);
        code = 0;
    }
    free(s);
    return code;
}
