/* lib_sandbox.c - a sandbox that runs: its streams, its end, orders to it.
 *
 * Nothing here blocks but lib_wait and mxc_sandbox_destroy. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "api/lib.h"
#include "base/clock.h"

/* How long a supervisor may take to end what it supervises: it waits 5 s for
 * a process that is stuck in the kernel, and tells. */
enum { PATIENCE_MS = 15000, LAST_MS = 2000 };

/* --- streams -----------------------------------------------------------------
 */

static int stream(struct mxc_sandbox *s, int i, bool take)
{
    int fd;

    (void)pthread_mutex_lock(&s->lock);
    fd = s->stream[i];
    if (take)
        s->stream[i] = -1;
    (void)pthread_mutex_unlock(&s->lock);
    return fd;
}

int mxc_sandbox_stdin(struct mxc_sandbox *sandbox)
{
    return stream(sandbox, 0, false);
}

int mxc_sandbox_stdout(struct mxc_sandbox *sandbox)
{
    return stream(sandbox, 1, false);
}

int mxc_sandbox_stderr(struct mxc_sandbox *sandbox)
{
    return stream(sandbox, 2, false);
}

int mxc_sandbox_take_stdin(struct mxc_sandbox *sandbox)
{
    return stream(sandbox, 0, true);
}

int mxc_sandbox_take_stdout(struct mxc_sandbox *sandbox)
{
    return stream(sandbox, 1, true);
}

int mxc_sandbox_take_stderr(struct mxc_sandbox *sandbox)
{
    return stream(sandbox, 2, true);
}

int mxc_sandbox_events(struct mxc_sandbox *sandbox)
{
    return sandbox->events;
}

int32_t mxc_sandbox_pid(const struct mxc_sandbox *sandbox)
{
    return sandbox->pid;
}

int mxc_sandbox_wait_fd(const struct mxc_sandbox *sandbox)
{
    return sandbox->wait_fd;
}

/* --- the end
 * -------------------------------------------------------------------- */

/* 1: there is something; 0: the time is up; -1 with errno. */
static int poll_end(int fd, int timeout_ms, uint64_t start)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int left = timeout_ms, r;

    do {
        const uint64_t spent = now_ms() - start;

        if (timeout_ms >= 0)
            left = spent < (uint64_t)timeout_ms ? timeout_ms - (int)spent : 0;
        r = poll(&p, 1, left);
    } while (r < 0 && errno == EINTR);
    return r;
}

int lib_wait(struct mxc_sandbox *s, int timeout_ms, bool *ended, struct err *e)
{
    const uint64_t start = now_ms();
    int r;

    *ended = false;
    do {
        r = poll_end(s->wait_fd, timeout_ms, start);
        if (r < 0)
            return err_sys(e, "poll(2)", errno, "cannot wait");
        if (r == 0)
            return 0;
        (void)pthread_mutex_lock(&s->lock);
        r = s->has_ended ? 0 : s->kind->collect(s, &s->has_ended, e);
        *ended = s->has_ended;
        (void)pthread_mutex_unlock(&s->lock);
    } while (r == 0 && !*ended);
    return r;
}

int mxc_sandbox_wait(struct mxc_sandbox *sandbox, int timeout_ms,
                     struct mxc_status *status, struct mxc_error *error)
{
    const struct mxc_status runs = { .size = sizeof(runs) };
    struct err e = { 0 };
    bool ended;

    if (status &&
        lib_check_size(status->size, sizeof(*status), "mxc_status", &e) < 0)
        return lib_fail(error, &e);
    if (lib_wait(sandbox, timeout_ms, &ended, &e) < 0)
        return lib_fail(error, &e);
    if (status)
        lib_give_status(status, ended ? &sandbox->status : &runs);
    if (!ended || (sandbox->status.how != MXC_FAILED &&
                   sandbox->status.how != MXC_NEVER_BEGAN &&
                   sandbox->status.how != MXC_STOPPED))
        return 0;
    return lib_fail(error, &sandbox->err);
}

const char *mxc_sandbox_result_json(struct mxc_sandbox *sandbox)
{
    struct err e;
    bool ended;

    if (lib_wait(sandbox, 0, &ended, &e) < 0 || !ended)
        return NULL;
    return sandbox->json;
}

/* --- orders
 * ---------------------------------------------------------------------- */

/* Orders have no meaning for what has ended: 1, or 0 to go on.  Looked at
 * before: the order itself may end it. */
static int is_over(struct mxc_sandbox *s, bool *gone, struct err *e)
{
    int r = lib_wait(s, 0, gone, e);

    return r < 0 ? -1 : *gone;
}

static int order_done(int r, bool gone, struct err *e, struct mxc_error *error)
{
    if (r < 0)
        return lib_fail(error, e);
    if (!gone)
        return 0;
    err_set(e, ERR_ALREADY_STOPPED, "the sandbox has ended");
    return lib_fail(error, e);
}

int mxc_sandbox_signal(struct mxc_sandbox *sandbox, int signal,
                       struct mxc_error *error)
{
    struct err e = { 0 };
    bool gone;
    int r;

    if (signal < 1 || signal > 64) {
        err_set(&e, ERR_MALFORMED_REQUEST, "no such signal: %d", signal);
        return lib_fail(error, &e);
    }
    r = is_over(sandbox, &gone, &e);
    if (r == 0)
        r = sandbox->kind->signal(sandbox, signal, &gone, &e);
    return order_done(r, gone, &e, error);
}

int mxc_sandbox_resize(struct mxc_sandbox *sandbox, uint16_t rows,
                       uint16_t columns, struct mxc_error *error)
{
    struct err e = { 0 };
    bool gone;
    int r;

    if (!sandbox->has_terminal)
        err_set(&e, ERR_MALFORMED_REQUEST, "the sandbox has no terminal");
    else if (!rows || !columns || rows > 32767 || columns > 32767)
        err_set(&e, ERR_MALFORMED_REQUEST, "no such size: %u by %u", rows,
                columns);
    if (e.code)
        return lib_fail(error, &e);
    r = is_over(sandbox, &gone, &e);
    if (r == 0)
        r = sandbox->kind->resize(sandbox, rows, columns, &gone, &e);
    return order_done(r, gone, &e, error);
}

int mxc_sandbox_kill(struct mxc_sandbox *sandbox, struct mxc_error *error)
{
    struct err e = { 0 };

    return sandbox->kind->kill(sandbox, &e) < 0 ? lib_fail(error, &e) : 0;
}

/* --- the object
 * --------------------------------------------------------------------- */

struct mxc_sandbox *lib_sandbox_make(const struct sandbox_kind *kind,
                                     const struct mxc_options *o)
{
    struct mxc_sandbox *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    (void)pthread_mutex_init(&s->lock, NULL);
    s->kind = kind;
    s->wait_fd = s->control = s->result = s->events = -1;
    s->terminal = s->orders = s->relay = -1;
    for (int i = 0; i < 3; i++)
        s->stream[i] = -1;
    s->has_terminal = lib_has_terminal(o);
    return s;
}

static void drop_streams(struct mxc_sandbox *s)
{
    for (int i = 0; i < 3; i++)
        drop_fd(&s->stream[i]);
}

void lib_sandbox_free(struct mxc_sandbox *s)
{
    drop_fd(&s->wait_fd);
    drop_fd(&s->control);
    drop_fd(&s->result);
    drop_fd(&s->terminal);
    drop_fd(&s->events);
    drop_streams(s);
    lib_relay_end(s);
    free(s->json);
    free(s);
}

void mxc_sandbox_forget(struct mxc_sandbox *sandbox)
{
    if (sandbox)
        lib_sandbox_free(sandbox);
}

void mxc_sandbox_destroy(struct mxc_sandbox *sandbox)
{
    struct err e;
    bool ended = false;

    if (!sandbox)
        return;
    if (!sandbox->has_ended &&
        (lib_wait(sandbox, 0, &ended, &e) < 0 || !ended)) {
        (void)mxc_sandbox_kill(sandbox, NULL);
        /* Nobody reads what a terminal shows any more: its supervisor would
         * have patience with a reader (tty_drain). */
        drop_streams(sandbox);
        if (lib_wait(sandbox, PATIENCE_MS, &ended, &e) < 0 || !ended) {
            sandbox->kind->force(sandbox);
            (void)lib_wait(sandbox, LAST_MS, &ended, &e);
        }
    }
    (void)pthread_mutex_destroy(&sandbox->lock);
    lib_sandbox_free(sandbox);
}
