/* lib_supervised.c - a sandbox at whose other end is a supervisor.
 *
 * The pidfd of the supervisor tells the end; how it ended lies in a memfd.
 * Orders are lines of text (supervise/control.c). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/lib.h"

static int say(const struct mxc_sandbox *s, const char *line, bool *gone,
               struct err *e)
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

static int collect(struct mxc_sandbox *s, bool *ended, struct err *e)
{
    if (lib_read_result(s, e) < 0)
        return -1;
    start_bury(s->wait_fd);
    *ended = true;
    return 0;
}

static int send_signal(struct mxc_sandbox *s, int signal, bool *gone,
                       struct err *e)
{
    char line[32];

    (void)snprintf(line, sizeof(line), "signal %d\n", signal);
    return say(s, line, gone, e);
}

static int resize(struct mxc_sandbox *s, uint16_t rows, uint16_t columns,
                  bool *gone, struct err *e)
{
    char line[32];

    (void)snprintf(line, sizeof(line), "resize %u %u\n", rows, columns);
    return say(s, line, gone, e);
}

static int kill_all(struct mxc_sandbox *s, struct err *e)
{
    bool gone;

    if (say(s, "kill\n", &gone, e) == 0) {
        /* One that was stopped, as by ^Z of a shared terminal, goes on. */
        (void)syscall(SYS_pidfd_send_signal, s->wait_fd, SIGCONT, NULL, 0);
        return 0;
    }
    /* One that does not read any more: its sandbox ends with it. */
    if (syscall(SYS_pidfd_send_signal, s->wait_fd, SIGKILL, NULL, 0) == 0 ||
        errno == ESRCH)
        return 0;
    return -1;
}

static void force(struct mxc_sandbox *s)
{
    (void)syscall(SYS_pidfd_send_signal, s->wait_fd, SIGKILL, NULL, 0);
}

const struct sandbox_kind lib_supervised = {
    .collect = collect,
    .signal = send_signal,
    .resize = resize,
    .kill = kill_all,
    .force = force,
};
