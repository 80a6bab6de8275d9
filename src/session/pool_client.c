/* pool_client.c - a pool's beginning and end: see pool.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/report.h"
#include "session/pool.h"
#include "sys/seal.h"
#include "sys/start.h"

/* How long a keeper may take for what takes no time. */
enum { PATIENCE_MS = 10000, TEMP_ROOM = 32 };

/* --- the keeper ------------------------------------------------------------
 */

static int silent(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR, "the pool's keeper does not answer");
}

static int gone(const struct pool_dir *d, struct err *e)
{
    err_set(e, ERR_STALE_ID,
            "pool '%s' is gone: it was stopped, or its keeper was killed, and "
            "its sandboxes with it",
            d->name);
    return err_hint(e, "`mxc gc` removes what is left");
}

static int reach(const struct pool_dir *d, int *conn, struct err *e)
{
    struct sockaddr_un at;
    const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 },
                         none = { 0 };
    unsigned len = talk_address(d->fd, "control", &at);
    scoped(drop_fd) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_sys(e, "socket(2)", errno, "cannot talk to the pool");
    /* As with a session's holder (client.c). */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    while (connect(fd, (struct sockaddr *)&at, len) < 0) {
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN)
            return silent(e);
        if (errno != ECONNREFUSED && errno != ENOENT)
            return err_sys(e, "connect(2)", errno, "cannot talk to the pool");
        return gone(d, e);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
    *conn = take_fd(&fd);
    return 0;
}

static int ask(int conn, enum ask_what what, uint64_t timeout_ms, struct err *e)
{
    const struct ask a = { .version = TALK_VERSION,
                           .what = what,
                           .timeout_ms = timeout_ms };
    int r = talk_send(conn, &a, sizeof(a), NULL, 0, 0);

    return r < 0 ? err_sys(e, "send(2)", -r, "cannot talk to the pool") : 0;
}

static bool has_word(int conn, int timeout_ms)
{
    struct pollfd p = { .fd = conn, .events = POLLIN };
    int r;

    do
        r = poll(&p, 1, timeout_ms);
    while (r < 0 && errno == EINTR);
    return r > 0;
}

int pool_look(const struct pool_dir *d, struct pool_look *out, pid_t *keeper,
              struct err *e)
{
    scoped(drop_fd) int conn = -1;
    struct ucred who;
    socklen_t len = sizeof(who);
    ssize_t n;
    size_t none;

    if (reach(d, &conn, e) < 0 || ask(conn, ASK_LOOK, 0, e) < 0)
        return -1;
    if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 ||
        !has_word(conn, PATIENCE_MS))
        return silent(e);
    n = talk_receive(conn, out, sizeof(*out), NULL, 0, &none, 0);
    /* It ended while it was asked. */
    if (n == 0 || n == -ECONNRESET)
        return gone(d, e);
    if (n != (ssize_t)sizeof(*out) || out->version != TALK_VERSION ||
        out->what != SAY_LOOK)
        return silent(e);
    *keeper = who.pid;
    return 0;
}

enum pool_seen pool_members(const struct pool_dir *d, struct pool_look *look,
                            struct buf *b)
{
    struct pool_facts f = { 0 };
    struct err other;
    enum pool_seen seen = POOL_UP;
    pid_t keeper = 0;

    *look = (struct pool_look){ 0 };
    (void)pool_facts(d, &f, &other);
    if (pool_look(d, look, &keeper, &other) < 0) {
        *look = (struct pool_look){ .size = f.size };
        seen = other.code == ERR_STALE_ID ? POOL_GONE : POOL_SILENT;
    }
    buf_puts(b, "{\"pool\":");
    buf_json(b, d->name);
    buf_printf(b, ",\"state\":\"%s\",\"createdMs\":%" PRIu64 ",\"size\":%u",
               seen == POOL_GONE ? "stale" : "started", f.created_ms, f.size);
    if (f.idle_ms)
        buf_printf(b, ",\"idleTimeoutMs\":%" PRIu64, f.idle_ms);
    if (f.age_ms)
        buf_printf(b, ",\"maxAgeMs\":%" PRIu64, f.age_ms);
    if (seen != POOL_UP)
        return seen;
    buf_printf(b,
               ",\"pid\":%d,\"ready\":%u,\"making\":%u,\"busy\":%u,"
               "\"ageMs\":%" PRIu64 ",\"idleMs\":%" PRIu64
               ",\"claims\":%" PRIu64 ",\"failures\":%" PRIu64,
               (int)keeper, look->ready, look->making, look->busy, look->age_ms,
               look->idle_ms, look->claims, look->failures);
    if (look->err.msg[0]) {
        buf_puts(b, ",\"error\":");
        report_json(b, &look->err);
    }
    return seen;
}

/* Of one that is gone, what is left.  One that was killed a moment ago holds on
 * to it until the kernel has taken it apart. */
static int remove_left(const struct pool_dir *d, struct err *e)
{
    enum { TRIES = 100, PAUSE_MS = 10 };

    for (int i = 0; i < TRIES; i++) {
        if (pool_sweep(d->root, d->name))
            return 0;
        (void)poll(NULL, 0, PAUSE_MS);
    }
    return err_set(e, ERR_BACKEND_ERROR,
                   "the pool's keeper has ended, and what it left cannot be "
                   "removed");
}

int pool_stop(const struct pool_dir *d, uint64_t grace_ms, struct err *e)
{
    scoped(drop_fd) int conn = -1;
    const uint64_t most = INT_MAX - PATIENCE_MS;
    struct say s;
    ssize_t got;
    size_t none;

    if (grace_ms > most)
        grace_ms = most;
    if (reach(d, &conn, e) < 0)
        return e->code == ERR_STALE_ID ? remove_left(d, e) : -1;
    /* Where nobody hears it, nobody answers. */
    (void)ask(conn, ASK_STOP, grace_ms, e);
    if (!has_word(conn, (int)grace_ms + PATIENCE_MS))
        return silent(e);
    got = talk_receive(conn, &s, sizeof(s), NULL, 0, &none, 0);
    if (got <= 0)
        return remove_left(d, e);
    if (got != (ssize_t)sizeof(s))
        return silent(e);
    if (s.what != SAY_DONE) {
        *e = s.err;
        return -1;
    }
    return 0;
}

/* --- start -----------------------------------------------------------------
 */

/* mxc-pool lies beside mxc-launch, or in a build tree's next folder. */
static int find_keeper(const char *launcher, char out[PATH_MAX], struct err *e)
{
    static const char *const tails[] = { "mxc-pool", "../session/pool/mxc-pool",
                                         "../src/session/pool/mxc-pool" };
    const char *slash = strrchr(launcher, '/');

    for (size_t i = 0; slash && i < ARRAY_LEN(tails); i++) {
        int n = snprintf(out, PATH_MAX, "%.*s/%s", (int)(slash - launcher),
                         launcher, tails[i]);

        if (n > 0 && n < PATH_MAX && faccessat(AT_FDCWD, out, X_OK, 0) == 0)
            return 0;
    }
    err_set(e, ERR_BACKEND_UNAVAILABLE, "mxc-pool is not installed");
    return err_hint(e, "keep bin/ and libexec/ together when moving mxc");
}

static int write_facts(int dir, const struct pool_facts *f, struct err *e)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "{\"version\":%d,\"created\":%llu,\"size\":%u,"
                     "\"idleTimeoutMs\":%llu,\"maxAgeMs\":%llu,"
                     "\"mounts\":\"%s\"}\n",
                     POOL_VERSION, (unsigned long long)f->created_ms, f->size,
                     (unsigned long long)f->idle_ms,
                     (unsigned long long)f->age_ms, f->mounts);

    return session_write(dir, "pool", text, (size_t)n, e);
}

/* The directory is the keeper's, under a name that is not a pool's until it is
 * ready to be one. */
static int make_dir(const struct pool_start *s, int root, const char *temp,
                    int *out, struct err *e)
{
    scoped(drop_fd) int fd = -1;

    if (session_mkdir(root, temp, 0700) < 0)
        return err_sys(e, "mkdir(2)", errno, "cannot make a pool");
    fd = openat(root, temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return err_sys(e, "flock(2)", errno, "cannot make a pool");
    if (session_write(fd, "plan", s->plan, s->plan_len, e) < 0 ||
        session_write(fd, "rules", s->rules, strlen(s->rules), e) < 0 ||
        write_facts(fd, &s->facts, e) < 0)
        return -1;
    *out = take_fd(&fd);
    return 0;
}

static int launch(const struct pool_start *s, int root, int dir,
                  const char *temp, const char *name, int *word, struct err *e)
{
    char program[PATH_MAX];
    const char *argv[] = { "mxc-pool", "keep", s->launcher, temp, name, NULL };
    scoped(drop_fd) int plan = -1;
    scoped(drop_fd) int ours = -1;
    scoped(drop_fd) int theirs = -1;
    scoped(drop_fd) int pidfd = -1;
    int pair[2], none;
    bool is_child;
    pid_t pid;
    struct say w;

    if (find_keeper(s->launcher, program, e) < 0 ||
        plan_seal(s->plan, s->plan_len, &plan, e) < 0)
        return -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "socketpair(2)", errno, "cannot start the pool");
    ours = pair[0];
    theirs = pair[1];
    if (start_program(&(struct start){ .path = program,
                                       .argv = argv,
                                       .fd = (int[]){ dir, plan, theirs, root },
                                       .nfds = 4,
                                       .own_session = true,
                                       .is_orphan = true },
                      &pidfd, &pid, &is_child, e) < 0)
        return -1;
    drop_fd(&theirs);
    if (pool_hear(ours, &w, &none, e) < 0)
        return err_set(e, ERR_BACKEND_ERROR, "the pool's keeper has ended");
    drop_fd(&none);
    if (w.what == SAY_DONE) {
        *word = take_fd(&ours);
        return 0;
    }
    *e = w.err;
    return -1;
}

void pool_told(int *word)
{
    (void)talk_send(*word, "", 1, NULL, 0, MSG_DONTWAIT);
    drop_fd(word);
}

/* A random one, behind `prefix`. */
static int make_name(const char *prefix, char *out, size_t size, struct err *e)
{
    unsigned char bytes[4];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return err_sys(e, "getrandom(2)", errno, "cannot make a name");
    (void)snprintf(out, size, "%s%02x%02x%02x%02x", prefix, bytes[0], bytes[1],
                   bytes[2], bytes[3]);
    return 0;
}

int pool_start(const struct pool_start *s, char name[POOL_NAME_MAX + 1],
               int *word, struct err *e)
{
    scoped(drop_fd) int root = -1;
    scoped(drop_fd) int dir = -1;
    char temp[TEMP_ROOM];
    int r;

    if (make_name(SESSION_NEW "pool", temp, sizeof(temp), e) < 0 ||
        (!s->name && make_name("p", name, POOL_NAME_MAX + 1, e) < 0))
        return -1;
    if (s->name) {
        if (pool_check_name(s->name, e) < 0)
            return -1;
        (void)snprintf(name, POOL_NAME_MAX + 1, "%s", s->name);
    }
    if (session_root(s->runtime, true, &root, e) < 0)
        return -1;
    if (!pool_sweep(root, name)) {
        err_set(e, ERR_ALREADY_STARTED, "there is a pool '%s'", name);
        return err_hint(e, "stop it first: mxc pool stop %s", name);
    }
    r = make_dir(s, root, temp, &dir, e);
    if (r == 0)
        r = launch(s, root, dir, temp, name, word, e);
    if (r < 0)
        (void)session_remove_tree(root, temp);
    return r;
}
