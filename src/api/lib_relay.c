/* lib_relay.c - mxc-relay, for the terminal of a command in a session.
 *
 * A terminal has one descriptor for both directions, and some callers can only
 * use pipes; others have a terminal themselves.  Bytes must be moved then, and
 * this library has no thread to do it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/lib_session.h"

enum { IN, OUT, ERR, MASTER, ORDERS, ALL, PATIENCE_MS = 3000 };

static int open_pipes(struct mxc_sandbox *s, int fd[ALL], struct err *e)
{
    int typed[2], shown[2];

    if (pipe2(typed, O_CLOEXEC) < 0)
        return err_sys(e, "pipe2(2)", errno, "cannot make the streams");
    fd[IN] = typed[0];
    s->stream[0] = typed[1];
    if (pipe2(shown, O_CLOEXEC) < 0)
        return err_sys(e, "pipe2(2)", errno, "cannot make the streams");
    fd[OUT] = shown[1];
    s->stream[1] = shown[0];
    return 0;
}

/* The relay's orders, and the last of them: its end. */
static int open_orders(struct mxc_sandbox *s, int fd[ALL], struct err *e)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return err_sys(e, "pipe2(2)", errno, "cannot make the streams");
    fd[ORDERS] = pair[0];
    s->orders = pair[1];
    return 0;
}

static int open_all(struct mxc_sandbox *s, const struct mxc_options *o,
                    int fd[ALL], struct err *e)
{
    if (o->stdio == MXC_STDIO_PTY_PIPES && open_pipes(s, fd, e) < 0)
        return -1;
    /* The numbers of the caller's are not ours to close. */
    if (o->stdio == MXC_STDIO_TERMINAL) {
        fd[IN] = fcntl(o->stdin_fd, F_DUPFD_CLOEXEC, 3);
        fd[OUT] = fcntl(o->stdout_fd, F_DUPFD_CLOEXEC, 3);
        if (fd[IN] < 0 || fd[OUT] < 0)
            return err_sys(e, "fcntl(2)", errno, "cannot use the terminal");
    }
    fd[MASTER] = take_fd(&s->terminal);
    fd[ERR] = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd[ERR] < 0)
        return err_sys(e, "open(2)", errno, "cannot use the terminal");
    return open_orders(s, fd, e);
}

int lib_relay_start(struct mxc_sandbox *s, const struct mxc_options *o,
                    const char *libexec, struct err *e)
{
    const bool is_theirs = o->stdio == MXC_STDIO_TERMINAL;
    char path[PATH_MAX], size[16] = "-";
    const char *argv[] = { "mxc-relay", size, NULL };
    int fd[ALL] = { -1, -1, -1, -1, -1 };
    /* In the caller's group, where a terminal tells of its size, and lets its
     * modes be changed. */
    const struct start start = { .path = path,
                                 .argv = argv,
                                 .fd = fd,
                                 .nfds = ALL,
                                 .own_session = !is_theirs };
    bool is_child;
    pid_t pid;
    int r = lib_find(libexec, argv[0], path, sizeof(path), e);

    if (!is_theirs)
        (void)snprintf(size, sizeof(size), "%ux%u", o->rows, o->columns);
    if (r == 0)
        r = open_all(s, o, fd, e);
    if (r == 0)
        r = start_program(&start, &s->relay, &pid, &is_child, e);
    for (int i = 0; i < ALL; i++)
        drop_fd(&fd[i]);
    return r;
}

int lib_relay_resize(const struct mxc_sandbox *s, uint16_t rows,
                     uint16_t columns, struct err *e)
{
    const uint16_t size[] = { rows, columns };
    struct guard g;
    ssize_t n;

    guard_begin(&g);
    do
        n = write(s->orders, size, sizeof(size));
    while (n < 0 && errno == EINTR);
    guard_end(&g);
    /* One that has nothing to show any more has no size. */
    if (n == (ssize_t)sizeof(size) || errno == EPIPE)
        return 0;
    return err_sys(e, "write(2)", errno, "cannot resize the terminal");
}

void lib_relay_end(struct mxc_sandbox *s)
{
    struct pollfd p = { .fd = s->relay, .events = POLLIN };

    drop_fd(&s->orders);
    if (s->relay < 0)
        return;
    /* What it shows is over for who asked for it. */
    if (poll(&p, 1, PATIENCE_MS) <= 0)
        (void)syscall(SYS_pidfd_send_signal, s->relay, SIGKILL, NULL, 0);
    start_bury(s->relay);
    drop_fd(&s->relay);
}
