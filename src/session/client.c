/* client.c - see client.h. */
#include "session/client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/compat.h"
#include "session/layer.h"
#include "sys/seal.h"
#include "sys/start.h"

/* How long a holder may take for what takes no time; beyond what it was given
 * to stop; and for what waits in the kernel (sandbox_kill). */
enum { PATIENCE_MS = 10000 };

/* 0 with *conn, or -errno. */
static int try_connect(const struct session_dir *d, const char *name, int *conn)
{
    struct sockaddr_un at;
    const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 },
                         none = { 0 };
    unsigned len = talk_address(d->fd, name, &at);
    scoped(drop_fd) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    /* Who accepts nobody has a full queue some day (connect(2)). */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    while (connect(fd, (struct sockaddr *)&at, len) < 0)
        if (errno != EINTR)
            return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
    *conn = take_fd(&fd);
    return 0;
}

static void does_not_answer(struct err *e)
{
    err_set(e, ERR_BACKEND_ERROR, "the session's holder does not answer");
    err_hint(e,
             "somebody may have stopped it (state T in ps(1)): it may still do "
             "what it was told when it goes on; `mxc deprovision` ends it");
}

/* Whether somebody holds it, by the socket alone, whatever is written. */
enum reached {
    REACH_FAILED = -1, /* nobody knows, and *e says why */
    REACH_DONE,        /* *conn */
    REACH_HANGS,       /* it takes no connection, and *e */
    REACH_NOBODY
};

static enum reached reach(const struct session_dir *d, int *conn, struct err *e)
{
    const int r = try_connect(d, TALK_CONTROL, conn);

    if (r == 0)
        return REACH_DONE;
    if (r == -ENOENT || r == -ECONNREFUSED)
        return REACH_NOBODY;
    if (r == -EAGAIN) {
        does_not_answer(e);
        return REACH_HANGS;
    }
    err_sys(e, "connect(2)", -r, "cannot talk to the session's holder");
    return REACH_FAILED;
}

int session_look_up(const struct session_dir *d, enum session_state *state,
                    int *conn, struct err *e)
{
    struct session_holder h;
    bool has_holder = false;

    *conn = -1;
    /* Twice: it may have been started between the two looks. */
    for (int i = 0; i < 2; i++) {
        const enum reached r = reach(d, conn, e);

        if (r == REACH_FAILED)
            return -1;
        if (r != REACH_NOBODY) {
            *state = SESSION_STARTED;
            return r == REACH_HANGS;
        }
        if (session_holder(d, &has_holder, &h, e) < 0)
            return -1;
        *state = has_holder ? SESSION_STALE : SESSION_PROVISIONED;
        if (!has_holder)
            return 0;
    }
    return 0;
}

/* What it keeps is of use yet: such a session can be started again. */
static bool has_layer(const struct session_dir *d)
{
    struct session_facts f;
    struct err other;

    return session_facts(d, &f, &other) == 0 && f.layer[0];
}

static int stale(const struct session_dir *d, struct err *e)
{
    char id[SESSION_ID_MAX], boot[SESSION_BOOT_MAX];
    struct session_holder h;
    struct err other;
    bool has_one = false;

    session_id_print(d->name, id);
    session_boot(boot);
    (void)session_holder(d, &has_one, &h, &other);
    err_set(e, ERR_STALE_ID, "session '%s' is gone: %s", id,
            has_one && strcmp(boot, h.boot) != 0
                ? "the machine was started anew"
                : "its holder was killed, and its sandbox with it");
    if (has_layer(d))
        return err_hint(e,
                        "mxc start %s starts it again with what its layer "
                        "kept; mxc deprovision removes it",
                        id);
    return err_hint(e, "mxc deprovision %s removes what is left", id);
}

int session_connect(const struct session_dir *d, int *conn, struct err *e)
{
    enum session_state state;
    char id[SESSION_ID_MAX];

    if (session_look_up(d, &state, conn, e) != 0)
        return -1;
    if (state == SESSION_STARTED)
        return 0;
    if (state == SESSION_STALE)
        return stale(d, e);
    session_id_print(d->name, id);
    if (!session_dir_is_there(d))
        return session_dir_stale(id, e);
    err_set(e, ERR_NOT_STARTED, "session '%s' is not started", id);
    return err_hint(e, "mxc start %s", id);
}

static void is_another_version(struct err *e)
{
    err_set(e, ERR_BACKEND_ERROR,
            "the session was started by another version of mxc");
    err_hint(e, "deprovision it, or use that version");
}

/* 1, for who has asked something. */
static int has_ended(struct err *e)
{
    err_set(e, ERR_BACKEND_ERROR, "the session's holder has ended");
    return 1;
}

/* One answer, awaited at most so long.  1: it has ended, and there is none. */
static int hear(int conn, struct say *out, int timeout_ms, struct err *e)
{
    struct pollfd p = { .fd = conn, .events = POLLIN };
    size_t none;
    ssize_t n;
    int r;

    do
        r = poll(&p, 1, timeout_ms);
    while (r < 0 && errno == EINTR);
    if (r == 0) {
        does_not_answer(e);
        return -1;
    }
    n = talk_receive(conn, out, sizeof(*out), NULL, 0, &none, 0);
    if (n == (ssize_t)sizeof(*out) && out->version == TALK_VERSION)
        return 0;
    if (n > 0) {
        is_another_version(e);
        return -1;
    }
    return has_ended(e);
}

/* --- start -----------------------------------------------------------------
 */

/* mxc-hold lies beside mxc-launch, or in a build tree's next folder. */
static int find_holder(const char *launcher, char out[PATH_MAX], struct err *e)
{
    static const char *const tails[] = { "mxc-hold", "../session/mxc-hold" };
    const char *slash = strrchr(launcher, '/');

    for (size_t i = 0; slash && i < ARRAY_LEN(tails); i++) {
        int n = snprintf(out, PATH_MAX, "%.*s/%s", (int)(slash - launcher),
                         launcher, tails[i]);

        if (n > 0 && n < PATH_MAX && faccessat(AT_FDCWD, out, X_OK, 0) == 0)
            return 0;
    }
    err_set(e, ERR_BACKEND_UNAVAILABLE, "mxc-hold is not installed");
    return err_hint(e, "keep bin/ and libexec/ together when moving mxc");
}

static int seal_plan(const struct session_dir *d, int *out, struct err *e)
{
    struct plan_view v;
    int r = session_plan(d, &v, e);

    if (r == 0)
        r = layer_ready(d->fd, &v, e);
    if (r == 0)
        r = plan_seal(v.bytes, v.len, out, e);
    session_plan_drop(&v);
    return r;
}

static int launch(const struct session_dir *d, const char *launcher, int *ours,
                  struct err *e)
{
    char program[PATH_MAX];
    const char *argv[] = { "mxc-hold", launcher, NULL };
    scoped(drop_fd) int dir = -1;
    scoped(drop_fd) int plan = -1;
    scoped(drop_fd) int theirs = -1;
    scoped(drop_fd) int pidfd = -1;
    int pair[2];
    bool is_child;
    pid_t pid;

    if (find_holder(launcher, program, e) < 0 || seal_plan(d, &plan, e) < 0)
        return -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "socketpair(2)", errno, "cannot start the session");
    *ours = pair[0];
    theirs = pair[1];
    /* Opened anew; the one that we have it locked by (flock(2)) it gets too,
     * and keeps until the session is started: should we end before. */
    dir = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_sys(e, "open(2)", errno, "cannot start the session");
    return start_program(
        &(struct start){ .path = program,
                         .argv = argv,
                         .fd = (int[]){ dir, plan, theirs, d->fd },
                         .nfds = 4,
                         .own_session = true,
                         .is_orphan = true },
        &pidfd, &pid, &is_child, e);
}

int session_start(const struct session_dir *d, const char *launcher,
                  struct err *e)
{
    scoped(drop_fd) int conn = -1;
    scoped(drop_fd) int ours = -1;
    enum session_state state;
    char id[SESSION_ID_MAX];
    struct say s;

    if (session_look_up(d, &state, &conn, e) < 0)
        return -1;
    if (state == SESSION_STALE && !has_layer(d))
        return stale(d, e);
    if (state == SESSION_STARTED) {
        session_id_print(d->name, id);
        return err_set(e, ERR_ALREADY_STARTED,
                       "session '%s' is started already", id);
    }
    if (launch(d, launcher, &ours, e) < 0 || hear(ours, &s, -1, e) != 0)
        return -1;
    if (s.what == SAY_DONE)
        return 0;
    *e = s.err;
    return -1;
}

/* --- stop ------------------------------------------------------------------
 */

static int ask(int conn, enum ask_what what, uint64_t timeout_ms, struct err *e)
{
    const struct ask a = { .version = TALK_VERSION,
                           .what = what,
                           .timeout_ms = timeout_ms };
    int r = talk_send(conn, &a, sizeof(a), NULL, 0, 0);

    if (r == -EPIPE || r == -ECONNRESET)
        return has_ended(e);
    return r < 0 ? err_sys(e, "send(2)", -r,
                           "cannot talk to the session's holder")
                 : 0;
}

/* Something to be done, in that time and what it takes to say so.  1: it has
 * ended, and nobody has heard of it. */
static int order(int conn, enum ask_what what, int timeout_ms, struct err *e)
{
    struct say s;
    int r = ask(conn, what, (uint64_t)timeout_ms, e);

    if (r == 0)
        r = hear(conn, &s, timeout_ms + PATIENCE_MS, e);
    if (r != 0)
        return r;
    if (s.what == SAY_DONE)
        return 0;
    *e = s.err;
    return -1;
}

/* The process at the other end, or -errno; -ESRCH: it has ended.  By the
 * socket, so that it can be no other: it holds its end still, so the number was
 * its own. */
static int holder_of(int conn, pid_t *pid)
{
    struct ucred who;
    socklen_t len = sizeof(who);
    scoped(drop_fd) int pidfd = -1;
    struct pollfd p = { .fd = conn };

    if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
        return -errno;
    pidfd = (int)syscall(__NR_pidfd_open, who.pid, 0);
    if (pidfd < 0)
        return -errno;
    if (poll(&p, 1, 0) != 0)
        return -ESRCH;
    *pid = who.pid;
    return take_fd(&pidfd);
}

/* Whether it has ended then. */
static bool signal_holder(int pidfd, int number)
{
    struct pollfd p = { .fd = pidfd, .events = POLLIN };

    (void)syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
    return poll(&p, 1, PATIENCE_MS) > 0;
}

/* The same where it takes no connection: by what was written of it; -ENOENT:
 * nothing that we know. */
static int recorded_holder(const struct session_dir *d, pid_t *pid)
{
    char boot[SESSION_BOOT_MAX];
    scoped(drop_fd) int pidfd = -1;
    struct session_holder h;
    bool has_one = false;
    struct err none;

    session_boot(boot);
    if (session_holder(d, &has_one, &h, &none) < 0 || !has_one || !h.start ||
        strcmp(boot, h.boot) != 0)
        return -ENOENT;
    pidfd = (int)syscall(__NR_pidfd_open, h.pid, 0);
    if (pidfd < 0)
        return -errno;
    /* The number may be another's by now, but not since it was opened. */
    if (session_start_of(h.pid) != h.start)
        return -ESRCH;
    *pid = h.pid;
    return take_fd(&pidfd);
}

static int not_ended(const char *what, pid_t pid, struct err *e)
{
    err_set(e, ERR_BACKEND_ERROR,
            "%s, process %d, was killed, but has not ended yet", what,
            (int)pid);
    return err_hint(e,
                    "it waits in the kernel (state D in ps(1)): look at what "
                    "serves the granted directories, then try again");
}

/* One that does not answer, as when somebody stopped it: its sandbox ends with
 * it.  0 once it has ended. */
static int kill_holder(const struct session_dir *d, int conn, struct err *e)
{
    pid_t pid = 0;
    scoped(drop_fd) int pidfd =
        conn >= 0 ? holder_of(conn, &pid) : recorded_holder(d, &pid);

    if (pidfd == -ESRCH)
        return 0;
    if (pidfd == -ENOENT) {
        err_set(e, ERR_BACKEND_ERROR,
                "the session's holder does not answer, and no record tells "
                "which process it is");
        return err_hint(e, "kill it (mxc-hold in ps(1)), then try again");
    }
    if (pidfd < 0)
        return err_sys(e, "pidfd_open(2)", -pidfd,
                       "cannot end the session's holder");
    return signal_holder(pidfd, SIGKILL)
               ? 0
               : not_ended("the session's holder", pid, e);
}

/* Until the other end is closed: the holder has ended. */
static void await_end(int conn)
{
    struct pollfd p = { .fd = conn, .events = POLLIN };
    struct say s;
    size_t none;

    while (poll(&p, 1, PATIENCE_MS) > 0 &&
           talk_receive(conn, &s, sizeof(s), NULL, 0, &none, 0) > 0)
        continue;
}

static int stop_started(int conn, uint64_t grace_ms, struct err *e)
{
    const uint64_t most = INT_MAX - PATIENCE_MS;
    const int r =
        order(conn, ASK_STOP, (int)(grace_ms < most ? grace_ms : most), e);

    if (r == 0)
        await_end(conn);
    return r;
}

/* It ended by itself, as when its time is up, before it heard of us; or was
 * killed. */
static int stopped_meanwhile(const struct session_dir *d, struct err *e)
{
    scoped(drop_fd) int conn = -1;
    enum session_state state;
    struct err other;

    if (session_look_up(d, &state, &conn, &other) == 0) {
        if (state == SESSION_PROVISIONED)
            return 0;
        if (state == SESSION_STALE)
            return stale(d, e);
    }
    return -1;
}

int session_stop(const struct session_dir *d, uint64_t grace_ms, struct err *e)
{
    scoped(drop_fd) int conn = -1;
    enum session_state state;
    char id[SESSION_ID_MAX];
    int r;

    if (session_look_up(d, &state, &conn, e) != 0)
        return -1;
    if (state == SESSION_STALE)
        return stale(d, e);
    if (state == SESSION_PROVISIONED) {
        session_id_print(d->name, id);
        return err_set(e, ERR_ALREADY_STOPPED, "session '%s' is not started",
                       id);
    }
    r = stop_started(conn, grace_ms, e);
    return r > 0 ? stopped_meanwhile(d, e) : r;
}

static bool is_locked(const struct session_dir *d)
{
    if (flock(d->fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK;
    (void)flock(d->fd, LOCK_UN);
    return false;
}

bool session_is_busy(const struct session_dir *d)
{
    enum { PAUSE_MS = 50, TRIES = SESSION_BUSY_MS / PAUSE_MS };

    for (int i = 0; i < TRIES; i++) {
        if (!is_locked(d))
            return false;
        (void)poll(NULL, 0, PAUSE_MS);
    }
    return true;
}

int session_end_start(const struct session_dir *d, struct err *e)
{
    scoped(drop_fd) int conn = -1;
    scoped(drop_fd) int pidfd = -1;
    pid_t pid = 0;

    if (try_connect(d, TALK_STARTING, &conn) < 0)
        return 0;
    pidfd = holder_of(conn, &pid);
    /* It may hang in the same place as what it starts. */
    if (pidfd < 0 || signal_holder(pidfd, SIGTERM) ||
        signal_holder(pidfd, SIGKILL))
        return 1;
    return not_ended("a start of the session", pid, e);
}

int session_deprovision(struct session_dir *d, uint64_t grace_ms, struct err *e)
{
    scoped(drop_fd) int conn = -1;
    const enum reached r = reach(d, &conn, e);
    struct err ignored;

    /* What we cannot look at, for lack of a descriptor or so, may well run. */
    if (r == REACH_FAILED)
        return -1;
    if (r == REACH_HANGS ||
        (r == REACH_DONE && stop_started(conn, grace_ms, &ignored) != 0)) {
        if (kill_holder(d, conn, e) < 0)
            return -1;
    }
    return session_dir_remove(d, e);
}

/* --- the rest --------------------------------------------------------------
 */

int session_order(const struct session_dir *d, enum ask_what what,
                  struct err *e)
{
    scoped(drop_fd) int conn = -1;
    int r;

    if (session_connect(d, &conn, e) < 0)
        return -1;
    r = order(conn, what, 0, e);
    if (r > 0)
        session_command_explain(d, e);
    return r ? -1 : 0;
}

int session_inspect(int conn, struct look *out, pid_t *holder, struct err *e)
{
    struct pollfd p = { .fd = conn, .events = POLLIN };
    struct say other;
    struct ucred who;
    socklen_t len = sizeof(who);
    ssize_t got;
    size_t none;

    if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
        return err_sys(e, "getsockopt(2)", errno,
                       "cannot talk to the session's holder");
    if (ask(conn, ASK_LOOK, 0, e) != 0)
        return -1;
    *holder = who.pid;
    if (poll(&p, 1, PATIENCE_MS) <= 0) {
        does_not_answer(e);
        return 1;
    }
    got = talk_receive(conn, out, sizeof(*out), NULL, 0, &none, 0);
    if (got <= 0)
        return err_set(e, ERR_BACKEND_ERROR, "the session's holder has ended");
    /* It has no place for one more. */
    if (got == (ssize_t)sizeof(other)) {
        memcpy(&other, out, sizeof(other));
        if (other.version == TALK_VERSION && other.what == SAY_FAILED) {
            *e = other.err;
            return 1;
        }
    }
    if (got == (ssize_t)sizeof(*out) && out->version == TALK_VERSION &&
        out->what == SAY_LOOK && out->ncommands <= TALK_COMMANDS)
        return 0;
    is_another_version(e);
    return 1;
}
