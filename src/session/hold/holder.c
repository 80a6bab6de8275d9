/* holder.c - mxc-hold LAUNCHER: holds a started session.
 *
 * Started by `mxc start` and by libmxc, detached from whoever called, with the
 * session's directory, its sealed plan, a socket to the starter and the lock of
 * the directory as 0 to 3; of no use by hand.  It makes the sandbox as
 * mxc-supervise does, hands commands to its init, keeps the time, and ends when
 * it is told to, when the time is up, or when the sandbox's policy cannot be
 * held.  Its own end is the sandbox's: the kernel kills what it started
 * (prctl(2), PR_SET_PDEATHSIG). */
#include "session/hold/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/report.h"
#include "gateway/proto.h"
#include "launch/proto.h"
#include "sys/signals.h"

/* More is of no use to a person, and the runtime directory is memory. */
enum { LOG_MAX = 64 * 1024, BACKLOG = 128 };

/* --- its log ---------------------------------------------------------------
 */

static void log_text(struct holder *h, const char *text, size_t len)
{
    if (h->log < 0 || h->logged + len > LOG_MAX)
        return;
    if (write(h->log, text, len) == (ssize_t)len)
        h->logged += len;
}

static void log_time(struct holder *h)
{
    char text[40];
    time_t now = time(NULL);
    struct tm t;

    if (!gmtime_r(&now, &t))
        return;
    log_text(h, text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ ", &t));
}

void holder_log(struct holder *h, const char *fmt, ...)
{
    struct buf b = { .max = 4096 };
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buf_shown(&b, text);
    buf_putc(&b, '\n');
    log_time(h);
    if (!b.failed)
        log_text(h, b.data, b.len);
    buf_drop(&b);
}

void holder_log_err(struct holder *h, const struct err *e)
{
    struct buf b = { .max = 8192 };

    report_lines(&b, e);
    log_time(h);
    if (!b.failed)
        log_text(h, b.data, b.len);
    buf_drop(&b);
}

static void log_denials(struct holder *h)
{
    struct buf b = { .max = LOG_MAX / 2 };

    net_report_text(&h->report, &b);
    if (!b.failed && b.len)
        log_text(h, b.data, b.len);
    buf_drop(&b);
}

/* --- becoming one ----------------------------------------------------------
 */

/* The streams of the sandbox's first processes: nothing to read, and nobody
 * who reads.  Not /dev/null, which policy may deny. */
static int take_streams(struct holder *h, struct err *e)
{
    int pair[2];

    h->dir = fcntl(0, F_DUPFD_CLOEXEC, 10);
    h->plan_fd = fcntl(1, F_DUPFD_CLOEXEC, 10);
    h->starter = fcntl(2, F_DUPFD_CLOEXEC, 10);
    h->lock = fcntl(3, F_DUPFD_CLOEXEC, 10);
    (void)close(3);
    if (h->dir < 0 || h->plan_fd < 0 || h->starter < 0 || h->lock < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot take what was given");
    if (pipe2(pair, O_CLOEXEC) < 0 || dup2(pair[0], 0) < 0 ||
        dup2(pair[0], 1) < 0 || dup2(pair[0], 2) < 0)
        return err_sys(e, "pipe2(2)", errno, "cannot make the streams");
    (void)close(pair[1]);
    if (pair[0] > 2)
        (void)close(pair[0]);
    /* It shall keep no filesystem of the caller's busy. */
    if (chdir("/") < 0)
        return err_sys(e, "chdir(2)", errno, "cannot leave the directory");
    h->log =
        openat(h->dir, "log",
               O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    return 0;
}

/* What `mxc tail` reads.  It lies in the user's memory, so it is short; one
 * that cannot be written is none. */
static void open_events(struct holder *h)
{
    int fd =
        openat(h->dir, SESSION_EVENTS,
               O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    run_events_open(&h->events, fd, h->plan);
    h->events.max = SESSION_EVENTS_ROOM;
    if (fd >= 0)
        h->report.events = &h->events;
}

static int map_plan(struct holder *h, struct plan_view *out, struct err *e)
{
    struct stat st;
    void *bytes;

    if (fstat(h->plan_fd, &st) < 0 || st.st_size <= 0 ||
        st.st_size > (off_t)PLAN_MAX_BYTES)
        return err_set(e, ERR_BACKEND_ERROR, "the plan has no usable size");
    bytes =
        mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, h->plan_fd, 0);
    if (bytes == MAP_FAILED)
        return err_sys(e, "mmap(2)", errno, "cannot map the plan");
    if (plan_check(bytes, (size_t)st.st_size, out, e) < 0)
        return -1;
    h->plan = out;
    open_events(h);
    return out->head.flags & PLAN_SESSION
               ? 0
               : err_set(e, ERR_BACKEND_ERROR, "the plan is not a session's");
}

static int take_signals(struct holder *h, struct err *e)
{
    h->signals = signals_take_ends();
    return h->signals < 0 ? err_sys(e, "signalfd(2)", -h->signals,
                                    "cannot hold the session")
                          : 0;
}

static int spawn(struct holder *h, const char *launcher, struct err *e)
{
    scoped(drop_fd) int inside = -1;

    if (gateway_spawn(h->plan, launcher, false, &h->gateway, &inside, e) < 0)
        return -1;
    h->is_gateway_ready = h->gateway.status < 0;
    return sandbox_spawn(h->plan, launcher, h->plan_fd, inside, -1, &h->sandbox,
                         e);
}

/* Before anything that takes time: who would end the start finds us by it, and
 * nobody else until it has its name. */
static int open_control(struct holder *h, struct err *e)
{
    struct sockaddr_un at;
    unsigned len = talk_address(h->dir, TALK_STARTING, &at);

    h->listener =
        socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlinkat(h->dir, TALK_STARTING, 0);
    if (h->listener < 0 || bind(h->listener, (struct sockaddr *)&at, len) < 0 ||
        fchmodat(h->dir, TALK_STARTING, 0600, 0) < 0 ||
        listen(h->listener, BACKLOG) < 0)
        return err_sys(e, "bind(2)", errno, "cannot listen for commands");
    return 0;
}

static int write_record(struct holder *h, struct err *e)
{
    struct session_holder me = { .pid = getpid(),
                                 .start = session_start_of(getpid()),
                                 .since_ms = session_wall_ms() };

    session_boot(me.boot);
    return session_holder_write(h->dir, &me, e);
}

static void tell_starter(struct holder *h, const struct err *e)
{
    struct say s = { .version = TALK_VERSION,
                     .what = e ? SAY_FAILED : SAY_DONE };

    if (e)
        s.err = *e;
    /* Not unlocked: the starter has it still, and holds on to it for as long as
     * it has something to do. */
    drop_fd(&h->lock);
    if (h->starter >= 0)
        (void)talk_send(h->starter, &s, sizeof(s), NULL, 0, 0);
    drop_fd(&h->starter);
}

/* Both are ready, and the policy can be held: from now on it is started. */
static int go_up(struct holder *h, struct err *e)
{
    const struct launch_record go = { .msg = MSG_GO };
    int r = talk_send(h->sandbox.status, &go, sizeof(go), NULL, 0, 0);

    if (r < 0)
        return err_sys(e, "send(2)", -r, "cannot start the session");
    if (renameat(h->dir, TALK_STARTING, h->dir, TALK_CONTROL) < 0)
        return err_sys(e, "rename(2)", errno, "cannot listen for commands");
    if (write_record(h, e) < 0)
        return -1;
    h->is_up = h->is_empty = true;
    h->started_ms = h->idle_since_ms = now_ms();
    holder_log(h, "started, process %d", (int)getpid());
    run_events_started(&h->events, h->plan);
    tell_starter(h, NULL);
    return 0;
}

/* --- the loop --------------------------------------------------------------
 */

static void nearer(uint64_t *at, uint64_t when)
{
    if (when < *at)
        *at = when;
}

/* When its time is up.  That of one that init does not get to start, since
 * others keep it from that, counts from when it was asked for. */
static uint64_t ends_ms(const struct peer *p)
{
    return later_ms(p->pid ? p->started_ms : p->asked_ms, p->limit_ms);
}

/* When something is due next; UINT64_MAX: never. */
static uint64_t next_due(const struct holder *h)
{
    uint64_t at = UINT64_MAX;

    if (h->is_stopping)
        nearer(&at, h->stop_ms);
    if (h->is_up && h->facts.age_ms && !h->is_stopping)
        nearer(&at, later_ms(h->started_ms, h->facts.age_ms));
    if (h->is_up && h->facts.idle_ms && !h->is_stopping && !holder_is_busy(h))
        nearer(&at, later_ms(h->idle_since_ms, h->facts.idle_ms));
    if (h->accept_ms)
        nearer(&at, h->accept_ms);
    nearer(&at, holder_pause_due(h));
    for (size_t i = 0; i < h->npeers; i++) {
        const struct peer *p = &h->peer[i];

        if (p->id && p->limit_ms && !p->is_timed_out)
            nearer(&at, ends_ms(p));
        if (p->id && p->killed_ms)
            nearer(&at, p->killed_ms + HOLDER_KILL_MS);
    }
    return at;
}

static int wait_ms(const struct holder *h)
{
    const uint64_t at = next_due(h), now = now_ms();

    if (at == UINT64_MAX)
        return -1;
    if (at <= now)
        return 0;
    return at - now > 1000000 ? 1000000 : (int)(at - now);
}

static void end_late_commands(struct holder *h, uint64_t now)
{
    for (size_t i = 0; i < h->npeers; i++) {
        struct peer *p = &h->peer[i];

        if (!p->id || !p->limit_ms || p->is_timed_out || now < ends_ms(p))
            continue;
        p->is_timed_out = true;
        holder_kill(h, p);
    }
}

static void on_time(struct holder *h)
{
    const uint64_t now = now_ms();

    if (now >= h->accept_ms)
        h->accept_ms = 0;
    end_late_commands(h, now);
    holder_end_with_the_stuck(h, now);
    holder_pause_tend(h, now);
    if (h->is_stopping) {
        /* Everybody has left, or was asked long enough. */
        if (!holder_is_busy(h) || now >= h->stop_ms)
            h->is_over = true;
        return;
    }
    if (!h->is_up)
        return;
    if (h->facts.age_ms && now >= later_ms(h->started_ms, h->facts.age_ms)) {
        holder_log(h, "it has reached its maximum age");
        holder_stop(h, HOLDER_GRACE_MS);
    } else if (h->facts.idle_ms && !holder_is_busy(h) &&
               now >= later_ms(h->idle_since_ms, h->facts.idle_ms)) {
        holder_log(h, "it was idle for too long");
        holder_stop(h, 0);
    }
}

static void on_signal(struct holder *h)
{
    struct signalfd_siginfo si;

    if (read(h->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
        return;
    holder_log(h, "ended by signal %u", si.ssi_signo);
    if (h->is_up) {
        holder_stop(h, HOLDER_GRACE_MS);
        return;
    }
    err_set(&h->err, ERR_BACKEND_ERROR, "interrupted by signal %u",
            si.ssi_signo);
    h->is_over = true;
}

static void on_watch(struct holder *h)
{
    if (watch_check(h->watch, &h->err) < 0)
        h->is_over = true;
}

static void take_record(struct holder *h, const struct gateway_record *rec)
{
    if (rec->kind == GATEWAY_READY) {
        h->is_gateway_ready = true;
    } else if (rec->kind == GATEWAY_FAILED) {
        h->err = rec->err;
        h->is_over = true;
    } else {
        net_report_take(&h->report, rec);
        if (rec->kind == GATEWAY_PUBLISHED)
            holder_log(h, "its port %u is port %u of this host's loopback",
                       rec->forward.guest, rec->forward.host);
    }
}

/* All that is there: what it refused a command is told before its end.  A
 * socket holds less than this. */
static void on_gateway(struct holder *h)
{
    enum { AT_ONCE = 1024 };
    struct gateway_record rec;

    for (int i = 0; i < AT_ONCE && !h->is_over; i++) {
        if (!gateway_hear(&h->gateway, &rec)) {
            err_set(&h->err, ERR_BACKEND_ERROR,
                    "the gateway ended before the session did");
            err_hint(&h->err, "look for an out-of-memory or seccomp kill in "
                              "the kernel's log");
            h->is_over = true;
            return;
        }
        if (rec.kind == GATEWAY_NONE)
            return;
        take_record(h, &rec);
    }
}

static size_t fill_poll(struct holder *h, struct pollfd *p)
{
    p[0] = (struct pollfd){ .fd = h->sandbox.status, .events = POLLIN };
    if (holder_has_pending(h))
        p[0].events |= POLLOUT;
    p[1] = (struct pollfd){ .fd = h->signals, .events = POLLIN };
    p[2] = (struct pollfd){ .fd = watch_fd(h->watch), .events = POLLIN };
    p[3] = (struct pollfd){ .fd = h->gateway.status, .events = POLLIN };
    p[4] = (struct pollfd){ .fd = h->is_up && !h->accept_ms ? h->listener : -1,
                            .events = POLLIN };
    while (h->npeers && !h->peer[h->npeers - 1].is_used)
        h->npeers--;
    for (size_t i = 0; i < h->npeers; i++)
        p[HOLDER_FIXED + i] =
            (struct pollfd){ .fd = h->peer[i].is_used ? h->peer[i].fd : -1,
                             .events = POLLIN };
    return HOLDER_FIXED + h->npeers;
}

static void turn(struct holder *h)
{
    struct pollfd *p = h->poll;
    const size_t n = fill_poll(h, p);
    const bool was_busy = holder_is_busy(h);

    if (poll(p, n, wait_ms(h)) < 0 && errno != EINTR) {
        err_sys(&h->err, "poll(2)", errno, "cannot hold the session");
        h->is_over = true;
        return;
    }
    /* A policy that can no longer be held comes before everything else. */
    if (p[2].revents)
        on_watch(h);
    if (!h->is_over && p[3].revents && (h->is_up || !p[0].revents))
        on_gateway(h);
    if (!h->is_over && p[0].revents & POLLOUT)
        holder_push(h);
    if (!h->is_over && p[0].revents & ~POLLOUT)
        holder_hear_init(h);
    if (!h->is_over && p[1].revents)
        on_signal(h);
    for (size_t i = 0; !h->is_over && HOLDER_FIXED + i < n; i++)
        /* It may have been answered for good meanwhile. */
        if (p[HOLDER_FIXED + i].revents &&
            h->peer[i].fd == p[HOLDER_FIXED + i].fd)
            holder_hear(h, &h->peer[i]);
    if (!h->is_over && p[4].revents)
        holder_accept(h);
    if (was_busy && !holder_is_busy(h))
        h->idle_since_ms = now_ms();
    if (!h->is_over)
        on_time(h);
    if (!h->is_over && !h->is_up && h->is_ready && h->is_gateway_ready &&
        go_up(h, &h->err) < 0)
        h->is_over = true;
}

/* --- the end ---------------------------------------------------------------
 */

static void tell_commands(struct holder *h)
{
    struct err e = h->err;

    if (!e.msg[0])
        err_set(&e, ERR_BACKEND_ERROR,
                "the session was stopped while the command ran");
    for (size_t i = 0; i < h->npeers; i++)
        if (h->peer[i].id)
            holder_say_end(&h->peer[i],
                           h->peer[i].is_timed_out ? OUTCOME_TIMED_OUT
                                                   : OUTCOME_STOPPED,
                           0, &e);
}

static void end_events(struct holder *h, bool was_up)
{
    struct result r = { .outcome = was_up && !h->err.msg[0] ? OUTCOME_STOPPED
                                                            : OUTCOME_FAILED,
                        .err = h->err };

    if (was_up)
        r.duration_ms = now_ms() - h->started_ms;
    run_events_exited(&h->events, &r, net_report_count(&h->report));
    events_close(&h->events);
}

static void tell_stoppers(struct holder *h, const struct err *e)
{
    for (size_t i = 0; i < h->npeers; i++)
        if (h->peer[i].waits_for_stop)
            holder_say(&h->peer[i], e ? SAY_FAILED : SAY_DONE, 0, e, -1);
}

static void end_pauses(struct holder *h)
{
    struct err e;

    err_set(&e, ERR_NOT_STARTED, "the session has ended meanwhile");
    holder_end_pauses(h, &e);
}

/* Gone first, told afterwards. */
static void finish(struct holder *h)
{
    const bool was_up = h->is_up;
    bool is_gone = sandbox_kill(&h->sandbox);
    struct err e;

    if (!is_gone) {
        err_set(&e, ERR_BACKEND_ERROR,
                "the session was killed, but has not ended yet");
        err_hint(&e, "a process of it waits in the kernel (state D in ps(1)): "
                     "look at what serves the granted directories");
        holder_log_err(h, &e);
    }
    gateway_finish(&h->gateway, !h->err.msg[0], &h->report);
    gateway_stop(&h->gateway);
    freezer_remove(&h->freezer, h->dir);
    if (h->err.msg[0])
        holder_log_err(h, &h->err);
    log_denials(h);
    if (was_up)
        holder_log(h, "stopped");
    if (h->report.events)
        end_events(h, was_up);
    (void)unlinkat(h->dir, "running", 0);
    (void)unlinkat(h->dir, TALK_CONTROL, 0);
    (void)unlinkat(h->dir, TALK_STARTING, 0);
    tell_commands(h);
    tell_stoppers(h, is_gone ? NULL : &e);
    end_pauses(h);
    if (!was_up)
        tell_starter(h, &h->err);
    watch_destroy(h->watch);
}

/* The starter's shell may allow a few descriptors; a holder has one for each
 * command's client, and poll(2) takes no more than are allowed. */
static int allow_descriptors(struct err *e)
{
    enum { NEEDED = HOLDER_FIXED + HOLDER_PEERS + HOLDER_OTHERS };
    struct rlimit lim;

    if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
        return err_sys(e, "getrlimit(2)", errno, "cannot hold the session");
    if (lim.rlim_max < NEEDED) {
        err_set(e, ERR_BACKEND_UNAVAILABLE,
                "a session may need %d descriptors, and %llu are allowed",
                NEEDED, (unsigned long long)lim.rlim_max);
        return err_hint(e, "raise the hard limit of open files (ulimit -Hn)");
    }
    if (lim.rlim_cur >= NEEDED)
        return 0;
    lim.rlim_cur = NEEDED;
    return setrlimit(RLIMIT_NOFILE, &lim) < 0
               ? err_sys(e, "setrlimit(2)", errno, "cannot hold the session")
               : 0;
}

static int begin(struct holder *h, const char *launcher, struct plan_view *plan)
{
    struct session_dir d = { .root = -1, .fd = h->dir };

    if (map_plan(h, plan, &h->err) < 0 ||
        session_facts(&d, &h->facts, &h->err) < 0 ||
        allow_descriptors(&h->err) < 0 || take_signals(h, &h->err) < 0 ||
        open_control(h, &h->err) < 0)
        return -1;
    return spawn(h, launcher, &h->err);
}

static struct holder *make_holder(void)
{
    struct holder *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->sandbox = (struct sandbox){ .pidfd = -1, .status = -1, .words = -1 };
    h->gateway = (struct gateway){ .pidfd = -1, .status = -1 };
    h->freezer.group = h->freezer.within = -1;
    h->starter = h->lock = h->signals = h->listener = -1;
    for (size_t i = 0; i < HOLDER_PEERS; i++)
        h->peer[i].fd = -1;
    return h;
}

int main(int argc, char **argv)
{
    struct holder *h = make_holder();
    struct plan_view plan;

    (void)umask(077);
    supervise_ignore_signals();
    if (!h || argc != 2 || take_streams(h, &h->err) < 0)
        return EXIT_MXC;
    h->is_over = begin(h, argv[1], &plan) < 0;
    while (!h->is_over)
        turn(h);
    finish(h);
    /* Its memory goes with it. */
    return h->err.msg[0] ? EXIT_MXC : 0;
}
