/* pool_claim.c - from a command to a claim at a pool's door: see pool.h. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "session/pool.h"
#include "sys/seal.h"

static int add_text(struct plan *p, struct arena *a, enum step_kind kind,
                    const char *text, struct err *e)
{
    return plan_add(p, a, (struct step){ .kind = kind, .text = text }, e);
}

static bool is_variable(const char *entry)
{
    const char *sign = strchr(entry, '=');

    return sign && sign != entry;
}

/* Only what the command has besides: init knows the rest. */
static int add_env(struct arena *a, const struct session_command *c,
                   struct plan *p, struct err *e)
{
    const char *pwd = c->cwd ? arena_printf(a, "PWD=%s", c->cwd) : "";

    if (!pwd)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    for (size_t i = 0; i < c->nenv; i++) {
        if (!is_variable(c->env[i])) {
            err_set(e, ERR_MALFORMED_REQUEST, "--env '%.80s': not KEY=VALUE",
                    c->env[i]);
            return -1;
        }
        if (add_text(p, a, STEP_ENV, c->env[i], e) < 0)
            return -1;
    }
    return pwd[0] ? add_text(p, a, STEP_ENV, pwd, e) : 0;
}

static int fill(struct arena *a, const struct session_command *c,
                const struct pool_extra *extra, struct plan *p, struct err *e)
{
    if (c->cwd &&
        plan_add(p, a, (struct step){ .kind = STEP_CWD, .path = c->cwd }, e) <
            0)
        return -1;
    if (add_env(a, c, p, e) < 0)
        return -1;
    if (session_command_limits(c, a, p, e) < 0)
        return -1;
    for (size_t i = 0; extra && i < extra->n; i++)
        if (plan_add(p, a, extra->step[i], e) < 0)
            return -1;
    for (size_t i = 0; i < c->nargs; i++)
        if (add_text(p, a, STEP_ARG, c->arg[i], e) < 0)
            return -1;
    return 0;
}

int pool_claim_plan(struct arena *a, const struct session_command *c,
                    const struct pool_extra *extra, void **bytes, size_t *len,
                    struct err *e)
{
    struct plan p = { .flags = PLAN_CLAIM | (extra ? extra->flags : 0) };
    struct plan_view v;

    if (c->tty)
        p.flags |= PLAN_TTY;
    if (c->no_network)
        p.flags |= PLAN_EXEC_NO_SOCKETS;
    if (c->only_env)
        p.flags |= PLAN_CLAIM_ONLY_ENV;
    if (fill(a, c, extra, &p, e) < 0 || plan_pack(&p, a, bytes, len, e) < 0)
        return -1;
    /* What init would refuse is told here, before anything is claimed. */
    return plan_check_claim(*bytes, *len, &v, e);
}

/* --- at the door -----------------------------------------------------------
 */

static int is_gone(const struct pool_dir *d, int why, struct err *e)
{
    if (why != ECONNREFUSED && why != ENOENT)
        return err_sys(e, "connect(2)", why, "cannot talk to the pool");
    err_set(e, ERR_STALE_ID,
            "pool '%s' is gone: it was stopped, or its keeper was killed, and "
            "its sandboxes with it",
            d->name);
    return err_hint(e, "start it anew; `mxc gc` removes what is left");
}

/* A full queue at the door is waited for by connect(2), as long as the socket
 * may wait to send (socket(7), SO_SNDTIMEO). */
static void limit_wait(int fd, int64_t wait_ms)
{
    /* Nought would be for ever; of weeks nobody knows the difference. */
    const int64_t most = INT_MAX,
                  us = wait_ms > 0 ? (wait_ms < most ? wait_ms : most) * 1000
                                   : 1;
    const struct timeval t = { .tv_sec = us / 1000000,
                               .tv_usec = us % 1000000 };

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

/* Nothing more will be said on a connection whose other end is gone. */
int pool_hear(int conn, struct say *out, int *fd, struct err *e)
{
    size_t n;
    ssize_t got = talk_receive(conn, out, sizeof(*out), fd, 1, &n, 0);

    /* A word of ours that was not heard is told once, before what was said
     * (unix(7)). */
    if (got == -ECONNRESET)
        got = talk_receive(conn, out, sizeof(*out), fd, 1, &n, 0);
    if (n == 0)
        *fd = -1;
    if (got == (ssize_t)sizeof(*out) && out->version == TALK_VERSION)
        return 0;
    if (n)
        drop_fd(fd);
    if (got > 0)
        return err_set(e, ERR_BACKEND_ERROR,
                       "the pool was started by another version of mxc");
    return err_set(e, ERR_BACKEND_ERROR,
                   "the sandbox's supervisor was killed, or its pool's "
                   "keeper, and the command with it");
}

/* How long a sandbox that is ready may need to say so, for who does not want to
 * wait for one that is not. */
enum { ANSWER_MS = 20 };

/* Somebody answers once the sandbox is ours: 1; 0 when nobody did. */
static int hear_taken(int conn, int64_t wait_ms, int cancel, struct err *e)
{
    const struct pool_ask take = { .version = POOL_VERSION, .want = POOL_TAKE };
    struct pollfd p[] = { { .fd = conn, .events = POLLIN },
                          { .fd = cancel, .events = POLLIN } };
    struct say s;
    int none;

    if (wait_ms < ANSWER_MS)
        wait_ms = ANSWER_MS;
    /* Who has hung up has said why. */
    (void)talk_send(conn, &take, sizeof(take), NULL, 0, 0);
    if (poll(p, 2, wait_ms > INT_MAX ? INT_MAX : (int)wait_ms) <= 0)
        return 0;
    if (!p[0].revents) {
        (void)shutdown(conn, SHUT_RDWR);
        return 1;
    }
    if (pool_hear(conn, &s, &none, e) < 0)
        return -1;
    drop_fd(&none);
    if (s.what == SAY_DONE)
        return 1;
    *e = s.err;
    return -1;
}

int pool_connect(const struct pool_dir *d, int64_t wait_ms, int cancel,
                 int *conn, struct err *e)
{
    struct sockaddr_un at;
    unsigned len = talk_address(d->fd, "door", &at);
    scoped(drop_fd) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int r = 1;

    *conn = -1;
    if (fd < 0)
        return err_sys(e, "socket(2)", errno, "cannot talk to the pool");
    if (wait_ms >= 0)
        limit_wait(fd, wait_ms);
    while (connect(fd, (struct sockaddr *)&at, len) < 0) {
        if (errno == EAGAIN)
            return 0;
        if (errno != EINTR)
            return is_gone(d, errno, e);
    }
    if (wait_ms >= 0)
        r = hear_taken(fd, wait_ms, cancel, e);
    if (r > 0)
        *conn = take_fd(&fd);
    return r < 0 ? -1 : 0;
}

int pool_claim_send(int conn, const struct session_command *c,
                    const void *bytes, size_t len, uint32_t flags,
                    const int streams[3], struct err *e)
{
    struct {
        struct pool_ask ask;
        char plan[POOL_INLINE];
    } m;
    scoped(drop_fd) int sealed = -1;
    int fds[TALK_FDS];
    size_t n = 0;
    int r;

    m.ask =
        (struct pool_ask){ .version = POOL_VERSION,
                           .want = POOL_RUN,
                           .size = c->tty ? c->rows << 16 | c->columns : 0,
                           .len = len <= POOL_INLINE ? (uint32_t)len : 0,
                           .flags = flags | (c->no_halts ? POOL_NO_HALTS : 0),
                           .timeout_ms = c->timeout_ms };
    if (m.ask.len)
        memcpy(m.plan, bytes, len);
    else if (plan_seal(bytes, len, &sealed, e) < 0)
        return -1;
    else
        fds[n++] = sealed;
    for (int i = 0; i < 3 && !c->tty; i++)
        fds[n++] = streams[i];
    r = talk_send(conn, &m, sizeof(m.ask) + m.ask.len, fds, n, 0);
    /* Refused by who did not wait for it, and has said why. */
    if (r == -EPIPE || r == -ECONNRESET)
        return 0;
    return r < 0 ? err_sys(e, "send(2)", -r,
                           "cannot hand the command to the pool")
                 : 0;
}
