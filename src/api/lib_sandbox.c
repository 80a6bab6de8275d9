/* lib_sandbox.c - a sandbox that runs: its streams, its end, orders to it.
 *
 * The pidfd of the supervisor tells the end; how it ended lies in a memfd.
 * Nothing here blocks but lib_wait and mxc_sandbox_destroy. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "api/lib.h"

/* How long a supervisor may take to end what it supervises: it waits 5 s for
 * a process that is stuck in the kernel, and tells. */
enum { PATIENCE_MS = 15000, LAST_MS = 2000 };

uint64_t lib_now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

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
    return sandbox->pidfd;
}

/* --- the end
 * -------------------------------------------------------------------- */

/* 1: it ended; 0: the time is up; -1 with errno. */
static int poll_end(int pidfd, int timeout_ms)
{
    const uint64_t start = lib_now_ms();
    struct pollfd p = { .fd = pidfd, .events = POLLIN };
    int left = timeout_ms, r;

    while ((r = poll(&p, 1, left)) < 0 && errno == EINTR) {
        uint64_t spent = lib_now_ms() - start;

        if (timeout_ms < 0)
            continue;
        left = spent < (uint64_t)timeout_ms ? timeout_ms - (int)spent : 0;
    }
    return r;
}

int lib_wait(struct mxc_sandbox *s, int timeout_ms, bool *ended, struct err *e)
{
    int r = poll_end(s->pidfd, timeout_ms);

    if (r < 0)
        return err_sys(e, "poll(2)", errno, "cannot wait");
    *ended = r > 0;
    if (r == 0)
        return 0;
    (void)pthread_mutex_lock(&s->lock);
    r = s->has_ended ? 0 : lib_read_result(s, e);
    if (r == 0 && !s->has_ended) {
        start_bury(s->pidfd);
        s->has_ended = true;
    }
    (void)pthread_mutex_unlock(&s->lock);
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

int lib_say(struct mxc_sandbox *s, const char *line, bool *gone, struct err *e)
{
    const ssize_t len = (ssize_t)strlen(line);
    ssize_t n;

    *gone = false;
    do
        n = send(s->control, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n == len)
        return 0;
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
        *gone = true;
        return 0;
    }
    return err_sys(e, "send(2)", n < 0 ? errno : EAGAIN,
                   "the supervisor does not listen");
}

/* An order that has no meaning for what has ended.  Looked at before: the
 * order itself may end it. */
static int order(struct mxc_sandbox *s, const char *line,
                 struct mxc_error *error)
{
    struct err e = { 0 };
    bool gone = poll_end(s->pidfd, 0) > 0;

    if (!gone && lib_say(s, line, &gone, &e) < 0)
        return lib_fail(error, &e);
    if (!gone)
        return 0;
    err_set(&e, ERR_ALREADY_STOPPED, "the sandbox has ended");
    return lib_fail(error, &e);
}

int mxc_sandbox_signal(struct mxc_sandbox *sandbox, int signal,
                       struct mxc_error *error)
{
    struct err e = { 0 };
    char line[32];

    if (signal < 1 || signal > 64) {
        err_set(&e, ERR_MALFORMED_REQUEST, "no such signal: %d", signal);
        return lib_fail(error, &e);
    }
    (void)snprintf(line, sizeof(line), "signal %d\n", signal);
    return order(sandbox, line, error);
}

int mxc_sandbox_resize(struct mxc_sandbox *sandbox, uint16_t rows,
                       uint16_t columns, struct mxc_error *error)
{
    struct err e = { 0 };
    char line[32];

    if (!sandbox->has_terminal)
        err_set(&e, ERR_MALFORMED_REQUEST, "the sandbox has no terminal");
    else if (!rows || !columns || rows > 32767 || columns > 32767)
        err_set(&e, ERR_MALFORMED_REQUEST, "no such size: %u by %u", rows,
                columns);
    if (e.code)
        return lib_fail(error, &e);
    (void)snprintf(line, sizeof(line), "resize %u %u\n", rows, columns);
    return order(sandbox, line, error);
}

int mxc_sandbox_kill(struct mxc_sandbox *sandbox, struct mxc_error *error)
{
    struct err e = { 0 };
    bool gone;

    if (lib_say(sandbox, "kill\n", &gone, &e) == 0) {
        /* One that was stopped, as by ^Z of a shared terminal, goes on. */
        (void)syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGCONT, NULL, 0);
        return 0;
    }
    /* One that does not read any more: its sandbox ends with it. */
    if (syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGKILL, NULL, 0) == 0 ||
        errno == ESRCH)
        return 0;
    return lib_fail(error, &e);
}

/* --- the object
 * --------------------------------------------------------------------- */

static void drop_streams(struct mxc_sandbox *s)
{
    for (int i = 0; i < 3; i++)
        drop_fd(&s->stream[i]);
}

void lib_sandbox_free(struct mxc_sandbox *s)
{
    drop_fd(&s->pidfd);
    drop_fd(&s->control);
    drop_fd(&s->result);
    drop_fd(&s->events);
    drop_streams(s);
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
            (void)syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGKILL, NULL,
                          0);
            (void)lib_wait(sandbox, LAST_MS, &ended, &e);
        }
    }
    (void)pthread_mutex_destroy(&sandbox->lock);
    lib_sandbox_free(sandbox);
}
