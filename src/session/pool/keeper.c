/* keeper.c - counts the sandboxes of a pool, and sees to it that enough are
 * ready.
 *
 * It runs nothing and maps no policy: its slots do.  They are its children,
 * killed by the kernel when it is, and theirs are the sandboxes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/report.h"
#include "session/pool/pool_parts.h"
#include "sys/signals.h"
#include "sys/start.h"

enum {
    FIXED = 4, /* descriptors of poll(2) that are no peer's and no slot's */
    PEERS = 16,
    BACKLOG = 4096, /* the kernel's own limit is lower (listen(2)) */
    LOG_MAX = 64 * 1024,
    USUAL_GRACE_MS = 2000,
    FIRST_PAUSE_MS = 100, /* after a failure, doubled each time */
    LONGEST_PAUSE_MS = 10000,
    DEATHS = 3,    /* in a row, to be more than somebody who kills */
    LAST_MS = 8000 /* for what is stuck in the kernel to end */
};

enum slot_state { SLOT_NONE = 0, SLOT_MAKING, SLOT_READY, SLOT_BUSY };

struct slot {
    enum slot_state state;
    int pidfd, word;
    unsigned turn; /* the keeper's, when this one was begun */
};

struct keeper {
    const char *launcher, *temp, *name;
    char program[32];
    struct pool_facts facts;
    int dir, plan, starter, root, log;
    size_t logged;
    int signals, control, door;
    bool is_up, is_stopping, is_over;
    bool is_abandoned; /* nobody was told its name */
    uint64_t started_ms, idle_since_ms, stop_ms, grace_ms;
    uint64_t claims, failures;
    uint64_t pause_ms, next_ms; /* after a failure */
    unsigned deaths;            /* of such as were made, in a row, */
    unsigned turns;             /* and ever */
    struct slot slot[POOL_SLOTS];
    struct peer {
        int fd;
        bool waits;
    } peer[PEERS];
    struct pollfd poll[FIXED + PEERS + POOL_SLOTS];
    struct err err; /* why the last sandbox could not be made */
};

/* --- its log ---------------------------------------------------------------
 */

static void log_text(struct keeper *k, struct buf *b)
{
    if (!b->failed && k->log >= 0 && k->logged + b->len <= LOG_MAX &&
        write(k->log, b->data, b->len) == (ssize_t)b->len)
        k->logged += b->len;
    buf_drop(b);
}

static void log_time(struct buf *b)
{
    char text[40];
    time_t now = time(NULL);
    struct tm t;

    if (gmtime_r(&now, &t) &&
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ ", &t))
        buf_puts(b, text);
}

static void note(struct keeper *k, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void note(struct keeper *k, const char *fmt, ...)
{
    struct buf b = { .max = 4096 };
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_time(&b);
    buf_shown(&b, text);
    buf_putc(&b, '\n');
    log_text(k, &b);
}

static void note_err(struct keeper *k, const struct err *e)
{
    struct buf b = { .max = 8192 };

    log_time(&b);
    report_lines(&b, e);
    log_text(k, &b);
}

/* --- becoming one ----------------------------------------------------------
 */

static int take_fds(struct keeper *k, struct err *e)
{
    k->dir = fcntl(0, F_DUPFD_CLOEXEC, 10);
    k->plan = fcntl(1, F_DUPFD_CLOEXEC, 10);
    k->starter = fcntl(2, F_DUPFD_CLOEXEC, 10);
    k->root = fcntl(3, F_DUPFD_CLOEXEC, 10);
    (void)close(3);
    if (k->dir < 0 || k->plan < 0 || k->starter < 0 || k->root < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot take what was given");
    k->log =
        openat(k->dir, "log",
               O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    return pool_rest_streams(e);
}

static int take_signals(struct keeper *k, struct err *e)
{
    k->signals = signals_take_ends();
    return k->signals < 0
               ? err_sys(e, "signalfd(2)", -k->signals, "cannot keep the pool")
               : 0;
}

static int listen_at(const struct keeper *k, const char *name, int *out,
                     struct err *e)
{
    struct sockaddr_un at;
    unsigned len = talk_address(k->dir, name, &at);
    scoped(drop_fd) int fd =
        socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) < 0 ||
        fchmodat(k->dir, name, 0600, 0) < 0 || listen(fd, BACKLOG) < 0)
        return err_sys(e, "bind(2)", errno, "cannot listen for claims");
    *out = take_fd(&fd);
    return 0;
}

static int tell_starter(struct keeper *k, const struct err *e)
{
    struct say s = { .version = TALK_VERSION,
                     .what = e ? SAY_FAILED : SAY_DONE };

    if (e)
        s.err = *e;
    return talk_send(k->starter, &s, sizeof(s), NULL, 0, 0);
}

/* Who starts a pool and ends before it has told the pool's name can tell nobody
 * of it: it would stay, and be used by none. */
static void on_abandoned(struct keeper *k)
{
    err_set(&k->err, ERR_BACKEND_ERROR, "whoever started the pool has ended");
    k->is_abandoned = k->is_over = true;
}

/* One word, pool_told: somebody knows the name.  Or the starter's end. */
static void hear_starter(struct keeper *k)
{
    char word;

    if (recv(k->starter, &word, 1, MSG_DONTWAIT) == 1 && k->is_up)
        drop_fd(&k->starter);
    else
        on_abandoned(k);
}

/* All are ready: from now on it has a name, unless somebody took it. */
static int go_up(struct keeper *k, struct err *e)
{
    char entry[POOL_NAME_MAX + 8];

    (void)snprintf(entry, sizeof(entry), "pool.%s", k->name);
    if (syscall(SYS_renameat2, k->root, k->temp, k->root, entry,
                1 /* RENAME_NOREPLACE */) < 0) {
        if (errno != EEXIST)
            return err_sys(e, "rename(2)", errno, "cannot make a pool");
        return err_set(e, ERR_ALREADY_STARTED, "there is a pool '%s'", k->name);
    }
    k->is_up = true;
    k->started_ms = k->idle_since_ms = now_ms();
    note(k, "started, process %d", (int)getpid());
    if (tell_starter(k, NULL) < 0)
        on_abandoned(k);
    return 0;
}

/* --- slots -----------------------------------------------------------------
 */

static size_t count(const struct keeper *k, enum slot_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < POOL_SLOTS; i++)
        n += k->slot[i].state == state;
    return n;
}

/* What becomes of sandboxes that nobody has claimed is no work. */
static void set_state(struct keeper *k, struct slot *s, enum slot_state state)
{
    if (s->state == SLOT_BUSY && state != SLOT_BUSY)
        k->idle_since_ms = now_ms();
    if (state == SLOT_MAKING)
        s->turn = k->turns;
    s->state = state;
}

static int start_slot(struct keeper *k, struct slot *s, struct err *e)
{
    const char *argv[] = { "mxc-pool", "slot", k->launcher, k->facts.mounts,
                           NULL };
    scoped(drop_fd) int ours = -1;
    scoped(drop_fd) int theirs = -1;
    int pair[2];
    bool is_child;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "socketpair(2)", errno, "cannot make a sandbox");
    ours = pair[0];
    theirs = pair[1];
    if (start_program(
            &(struct start){ .path = k->program,
                             .argv = argv,
                             .fd = (int[SLOT_FDS]){ k->plan, k->door, theirs },
                             .nfds = SLOT_FDS,
                             .is_bound = true },
            &s->pidfd, &pid, &is_child, e) < 0)
        return -1;
    s->word = take_fd(&ours);
    set_state(k, s, SLOT_MAKING);
    return 0;
}

static void drop_slot(struct keeper *k, struct slot *s)
{
    drop_fd(&s->word);
    /* It holds no sandbox any more, or it shall not: nobody waits for it. */
    (void)syscall(SYS_pidfd_send_signal, s->pidfd, SIGKILL, NULL, 0);
    start_bury(s->pidfd);
    drop_fd(&s->pidfd);
    set_state(k, s, SLOT_NONE);
}

static void on_failure(struct keeper *k, const struct err *e)
{
    k->failures++;
    k->err = *e;
    k->pause_ms = k->pause_ms ? k->pause_ms * 2 : FIRST_PAUSE_MS;
    if (k->pause_ms > LONGEST_PAUSE_MS)
        k->pause_ms = LONGEST_PAUSE_MS;
    k->next_ms = now_ms() + k->pause_ms;
    note_err(k, e);
    if (!k->is_up)
        k->is_over = true;
}

/* One that was killed while it was made says nothing of the policy: it is made
 * again, and who waits goes on waiting.  Several in a row have a cause that
 * stays; those that were made side by side are no row. */
static void on_death(struct keeper *k, struct slot *s, const struct err *e)
{
    const bool is_next = s->turn == k->turns;

    drop_slot(k, s);
    if (k->is_stopping)
        return;
    k->turns += is_next;
    k->deaths += is_next;
    if (k->deaths >= DEATHS)
        on_failure(k, e);
    else
        note_err(k, e);
}

static bool is_short_of(const struct keeper *k, uint64_t now)
{
    return !k->is_stopping && now >= k->next_ms &&
           count(k, SLOT_READY) + count(k, SLOT_MAKING) < k->facts.size;
}

/* Only as many as are missing; and of those that are at work there may be no
 * more than there are places. */
static void fill_up(struct keeper *k)
{
    struct err e = { 0 };

    for (size_t i = 0; i < POOL_SLOTS; i++) {
        if (k->slot[i].state != SLOT_NONE)
            continue;
        if (!is_short_of(k, now_ms()))
            return;
        if (start_slot(k, &k->slot[i], &e) < 0) {
            on_failure(k, &e);
            return;
        }
    }
}

/* It makes the next one itself, if one is missing. */
static void on_ended(struct keeper *k, struct slot *s,
                     const struct pool_record *rec)
{
    const struct pool_record again = { .word = WORD_AGAIN };
    const uint64_t now = now_ms();

    set_state(k, s, SLOT_NONE);
    if (rec->was_claimed) {
        k->claims++;
        k->idle_since_ms = now;
    } else if (!k->is_stopping) {
        /* Whatever ends them may end the next as well. */
        if (k->next_ms < now + FIRST_PAUSE_MS)
            k->next_ms = now + FIRST_PAUSE_MS;
        if (rec->err.msg[0])
            note_err(k, &rec->err);
    }
    if (is_short_of(k, now) &&
        talk_send(s->word, &again, sizeof(again), NULL, 0, MSG_DONTWAIT) == 0)
        set_state(k, s, SLOT_MAKING);
    else
        drop_slot(k, s);
}

static void on_killed(struct keeper *k, struct slot *s)
{
    struct err e;

    if (s->state == SLOT_MAKING) {
        err_set(&e, ERR_BACKEND_ERROR,
                "a sandbox's supervisor was killed before it was ready");
        on_death(k, s, &e);
        return;
    }
    drop_slot(k, s);
    if (k->is_stopping)
        return;
    err_set(&e, ERR_BACKEND_ERROR, "a sandbox's supervisor was killed");
    note_err(k, &e);
}

static void hear_slot(struct keeper *k, struct slot *s)
{
    struct pool_record rec;
    ssize_t n = recv(s->word, &rec, sizeof(rec), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != (ssize_t)sizeof(rec)) {
        on_killed(k, s);
    } else if (rec.word == WORD_READY) {
        k->pause_ms = k->next_ms = k->deaths = 0;
        k->err.msg[0] = '\0';
        set_state(k, s, SLOT_READY);
    } else if (rec.word == WORD_BUSY) {
        set_state(k, s, SLOT_BUSY);
    } else if (rec.word == WORD_ENDED) {
        on_ended(k, s, &rec);
    } else if (rec.word == WORD_FAILED) {
        drop_slot(k, s);
        if (!k->is_stopping)
            on_failure(k, &rec.err);
    } else if (rec.word == WORD_KILLED) {
        on_death(k, s, &rec.err);
    }
}

/* --- requests --------------------------------------------------------------
 */

static void stop(struct keeper *k, uint64_t grace_ms)
{
    const struct pool_record rec = { .word = WORD_STOP, .grace_ms = grace_ms };
    const uint64_t stop_ms = later_ms(now_ms(), later_ms(grace_ms, LAST_MS));

    if (k->is_stopping && stop_ms >= k->stop_ms)
        return;
    k->is_stopping = true;
    k->stop_ms = stop_ms;
    for (size_t i = 0; i < POOL_SLOTS; i++)
        if (k->slot[i].state != SLOT_NONE)
            (void)talk_send(k->slot[i].word, &rec, sizeof(rec), NULL, 0,
                            MSG_DONTWAIT);
}

static void answer_look(const struct keeper *k, int fd)
{
    const uint64_t now = now_ms();
    struct pool_look l = { .version = TALK_VERSION,
                           .what = SAY_LOOK,
                           .size = k->facts.size,
                           .ready = (uint32_t)count(k, SLOT_READY),
                           .making = (uint32_t)count(k, SLOT_MAKING),
                           .busy = (uint32_t)count(k, SLOT_BUSY),
                           .age_ms = now - k->started_ms,
                           .claims = k->claims,
                           .failures = k->failures,
                           .err = k->err };

    if (!l.busy)
        l.idle_ms = now - k->idle_since_ms + 1;
    (void)talk_send(fd, &l, sizeof(l), NULL, 0, MSG_DONTWAIT);
}

static void hear_peer(struct keeper *k, struct peer *p)
{
    struct ask a;
    ssize_t n = recv(p->fd, &a, sizeof(a), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n == (ssize_t)sizeof(a) && a.version == TALK_VERSION &&
        a.what == ASK_STOP) {
        note(k, "it was told to stop");
        p->waits = true;
        stop(k, a.timeout_ms);
        return;
    }
    if (n == (ssize_t)sizeof(a) && a.version == TALK_VERSION &&
        a.what == ASK_LOOK)
        answer_look(k, p->fd);
    drop_fd(&p->fd);
    p->waits = false;
}

static void accept_peer(struct keeper *k)
{
    int fd = accept4(k->control, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    for (size_t i = 0; fd >= 0 && pool_is_owner(fd) && i < PEERS; i++)
        if (k->peer[i].fd < 0) {
            k->peer[i] = (struct peer){ .fd = take_fd(&fd) };
            return;
        }
    drop_fd(&fd);
}

/* None is ready, and none can be made, or shall be: who waits is told why. */
static bool must_refuse(const struct keeper *k)
{
    if (k->is_stopping)
        return true;
    return k->is_up && k->pause_ms && !count(k, SLOT_READY) &&
           !count(k, SLOT_MAKING);
}

/* False: there is none. */
static bool refuse_claim(const struct keeper *k)
{
    struct say s = { .version = TALK_VERSION,
                     .what = SAY_FAILED,
                     .err = k->err };
    scoped(drop_fd) int fd =
        accept4(k->door, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0 || !pool_is_owner(fd))
        return fd >= 0;
    if (k->is_stopping)
        err_set(&s.err, ERR_STALE_ID, "pool '%s' is gone: it was stopped",
                k->name);
    else
        err_ctx(&s.err, "the pool has no sandbox");
    (void)talk_send(fd, &s, sizeof(s), NULL, 0, MSG_DONTWAIT);
    return true;
}

static void on_signal(struct keeper *k)
{
    struct signalfd_siginfo si;

    if (read(k->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
        return;
    note(k, "ended by signal %u", si.ssi_signo);
    stop(k, USUAL_GRACE_MS);
}

/* --- the loop --------------------------------------------------------------
 */

static void nearer(uint64_t *at, uint64_t when)
{
    if (when < *at)
        *at = when;
}

static uint64_t next_due(const struct keeper *k, uint64_t now)
{
    uint64_t at = UINT64_MAX;

    if (k->is_stopping)
        return k->stop_ms;
    if (k->next_ms > now)
        nearer(&at, k->next_ms);
    if (k->is_up && k->facts.age_ms)
        nearer(&at, later_ms(k->started_ms, k->facts.age_ms));
    if (k->is_up && k->facts.idle_ms && !count(k, SLOT_BUSY))
        nearer(&at, later_ms(k->idle_since_ms, k->facts.idle_ms));
    return at;
}

static int wait_ms(const struct keeper *k)
{
    const uint64_t now = now_ms(), at = next_due(k, now);

    if (at == UINT64_MAX)
        return -1;
    if (at <= now)
        return 0;
    return at - now > 1000000 ? 1000000 : (int)(at - now);
}

static void on_time(struct keeper *k)
{
    const uint64_t now = now_ms();

    if (k->is_stopping || !k->is_up)
        return;
    if (k->facts.age_ms && now >= later_ms(k->started_ms, k->facts.age_ms)) {
        note(k, "it has reached its maximum age");
        stop(k, USUAL_GRACE_MS);
    } else if (k->facts.idle_ms && !count(k, SLOT_BUSY) &&
               now >= later_ms(k->idle_since_ms, k->facts.idle_ms)) {
        note(k, "it was idle for too long");
        stop(k, 0);
    }
}

static nfds_t fill_poll(struct keeper *k)
{
    struct pollfd *p = k->poll;

    p[0] = (struct pollfd){ .fd = k->signals, .events = POLLIN };
    p[1] = (struct pollfd){ .fd = k->control, .events = POLLIN };
    p[2] = (struct pollfd){ .fd = must_refuse(k) ? k->door : -1,
                            .events = POLLIN };
    p[3] = (struct pollfd){ .fd = k->starter, .events = POLLIN };
    p += FIXED;
    for (size_t i = 0; i < PEERS; i++)
        *p++ = (struct pollfd){ .fd = k->peer[i].fd, .events = POLLIN };
    for (size_t i = 0; i < POOL_SLOTS; i++)
        *p++ = (struct pollfd){ .fd = k->slot[i].word, .events = POLLIN };
    return (nfds_t)(p - k->poll);
}

static void turn(struct keeper *k)
{
    const struct pollfd *p = k->poll;

    if (poll(k->poll, fill_poll(k), wait_ms(k)) < 0 && errno != EINTR) {
        k->is_over = true;
        return;
    }
    for (size_t i = 0; i < POOL_SLOTS; i++)
        if (p[FIXED + PEERS + i].revents)
            hear_slot(k, &k->slot[i]);
    if (p[0].revents)
        on_signal(k);
    if (p[3].revents)
        hear_starter(k);
    for (size_t i = 0; i < PEERS; i++)
        if (p[FIXED + i].revents)
            hear_peer(k, &k->peer[i]);
    if (p[1].revents)
        accept_peer(k);
    if (p[2].revents && must_refuse(k))
        (void)refuse_claim(k);
    on_time(k);
    fill_up(k);
    if (!k->is_up && !k->is_over && !k->is_stopping &&
        count(k, SLOT_READY) == k->facts.size && go_up(k, &k->err) < 0)
        k->is_over = true;
    if (k->is_stopping &&
        (count(k, SLOT_NONE) == POOL_SLOTS || now_ms() >= k->stop_ms))
        k->is_over = true;
}

/* --- the end ---------------------------------------------------------------
 */

static void remove_dir(const struct keeper *k)
{
    char entry[POOL_NAME_MAX + 8], gone[POOL_NAME_MAX + 16];

    (void)snprintf(entry, sizeof(entry), "pool.%s", k->name);
    (void)snprintf(gone, sizeof(gone), SESSION_GONE "%s", entry);
    if (renameat(k->root, entry, k->root, gone) == 0)
        (void)session_remove_tree(k->root, gone);
}

/* Their sandboxes are killed when they are, and they are when we end; but
 * whoever waits is told when it has happened. */
static void kill_slots(struct keeper *k)
{
    for (size_t i = 0; i < POOL_SLOTS; i++)
        if (k->slot[i].state != SLOT_NONE)
            (void)syscall(SYS_pidfd_send_signal, k->slot[i].pidfd, SIGKILL,
                          NULL, 0);
    for (size_t i = 0; i < POOL_SLOTS; i++)
        if (k->slot[i].state != SLOT_NONE)
            drop_slot(k, &k->slot[i]);
}

static void finish(struct keeper *k)
{
    struct say s = { .version = TALK_VERSION, .what = SAY_DONE };

    kill_slots(k);
    if (k->is_up)
        remove_dir(k);
    while (k->is_stopping && refuse_claim(k))
        continue;
    for (size_t i = 0; i < PEERS; i++)
        if (k->peer[i].waits)
            (void)talk_send(k->peer[i].fd, &s, sizeof(s), NULL, 0,
                            MSG_DONTWAIT);
    if (k->is_up)
        return;
    if (k->is_abandoned)
        (void)session_remove_tree(k->root, k->temp);
    if (!k->err.msg[0])
        err_set(&k->err, ERR_BACKEND_ERROR, "the start was interrupted");
    (void)tell_starter(k, &k->err);
}

/* As a session's holder (holder.c): two for each slot, and a few of its own. */
static int allow_descriptors(struct err *e)
{
    enum { NEEDED = 2 * POOL_SLOTS + PEERS + 48 };
    struct rlimit lim;

    if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
        return err_sys(e, "getrlimit(2)", errno, "cannot keep the pool");
    if (lim.rlim_max < NEEDED) {
        err_set(e, ERR_BACKEND_UNAVAILABLE,
                "a pool may need %d descriptors, and %llu are allowed", NEEDED,
                (unsigned long long)lim.rlim_max);
        return err_hint(e, "raise the hard limit of open files (ulimit -Hn)");
    }
    if (lim.rlim_cur >= NEEDED)
        return 0;
    lim.rlim_cur = NEEDED;
    return setrlimit(RLIMIT_NOFILE, &lim) < 0
               ? err_sys(e, "setrlimit(2)", errno, "cannot keep the pool")
               : 0;
}

static int begin(struct keeper *k, struct err *e)
{
    const struct pool_dir d = { .root = k->root, .fd = k->dir };

    (void)snprintf(k->program, sizeof(k->program), "/proc/self/exe");
    if (allow_descriptors(e) < 0 || pool_facts(&d, &k->facts, e) < 0 ||
        take_signals(k, e) < 0 || listen_at(k, "control", &k->control, e) < 0)
        return -1;
    return listen_at(k, "door", &k->door, e);
}

int keeper_main(const char *launcher, const char *temp, const char *name)
{
    struct keeper *k = calloc(1, sizeof(*k));

    if (!k)
        return EXIT_MXC;
    k->launcher = launcher;
    k->temp = temp;
    k->name = name;
    k->signals = k->control = k->door = -1;
    for (size_t i = 0; i < POOL_SLOTS; i++)
        k->slot[i].pidfd = k->slot[i].word = -1;
    for (size_t i = 0; i < PEERS; i++)
        k->peer[i].fd = -1;
    if (take_fds(k, &k->err) < 0)
        return EXIT_MXC;
    if (begin(k, &k->err) < 0)
        k->is_over = true;
    else
        fill_up(k);
    while (!k->is_over)
        turn(k);
    finish(k);
    return 0;
}
