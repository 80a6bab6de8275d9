/* relay.c - mxc-relay ROWSxCOLUMNS|-: stands between the terminal of a
 * session's command and its caller.
 *
 * Started by libmxc; of no use by hand.  It has the caller's side as standard
 * input and output, the terminal as 3, and as 4 a pipe for orders: rows and
 * columns, 16 bits each; its end means that the command has ended.  With "-"
 * the caller's side is a terminal as well: in raw mode meanwhile, and its size
 * counts.  It ends when there is nothing to pass on any more. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "supervise/supervise.h"

enum { MASTER = 3, ORDERS = 4, FIXED = 2 };

/* Signals of a terminal's group are the caller's to heed: when it ends, so do
 * the orders, and the terminal gets its modes back. */
static int take_signals(void)
{
    sigset_t all, size;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)sigemptyset(&size);
    (void)sigaddset(&size, SIGWINCH);
    return signalfd(-1, &size, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void on_signal(int signals, struct tty *t)
{
    struct signalfd_siginfo si;

    if (read(signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
        tty_follow(t);
}

/* False: that was the last. */
static bool on_order(struct tty *t)
{
    uint16_t size[2];
    const ssize_t n = read(ORDERS, size, sizeof(size));

    if (n == (ssize_t)sizeof(size))
        tty_resize(t, size[0], size[1]);
    return n > 0 || (n < 0 && errno == EINTR);
}

/* False: it is over. */
static bool turn(struct tty *t, int signals)
{
    struct pollfd p[FIXED + 4] = {
        { .fd = ORDERS, .events = POLLIN },
        { .fd = signals, .events = POLLIN },
    };
    const size_t n = tty_poll(t, p + FIXED);

    if (poll(p, FIXED + n, -1) < 0)
        return errno == EINTR;
    tty_serve(t, p + FIXED, n);
    if (p[1].revents)
        on_signal(signals, t);
    if (p[0].revents && !on_order(t))
        return false;
    return !tty_is_over(t);
}

int main(int argc, char **argv)
{
    uint16_t rows = 0, columns = 0;
    struct tty *t = NULL;
    struct err e;
    bool is_theirs;
    int signals;

    if (argc != 2)
        return EXIT_MXC;
    is_theirs = strcmp(argv[1], "-") == 0;
    if (!is_theirs && !tty_size_parse(argv[1], &rows, &columns))
        return EXIT_MXC;
    supervise_ignore_signals();
    signals = take_signals();
    if (signals < 0 || tty_create(MASTER, rows, columns, &t, &e) < 0)
        return EXIT_MXC;
    while (turn(t, signals))
        continue;
    /* A pipe is the caller's to read, whenever he likes; his own terminal may
     * have been stopped, and he waits for us. */
    tty_drain(t, is_theirs ? DRAIN_MS : -1);
    tty_destroy(t);
    return 0;
}
