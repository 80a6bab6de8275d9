/* tty.c - PTY mode: bytes between the caller's streams and the sandbox's
 * terminal.
 *
 * The caller's terminal is put into raw mode and given back as it was; a
 * caller without one says the size, and its pipes or sockets take its place.
 * What goes out to a terminal goes by a descriptor of our own. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "supervise/lane.h"
#include "supervise/supervise.h"

struct tty {
    int master;
    bool is_sized; /* by the caller's word, not by a terminal of its own */
    bool is_raw;
    bool said_eof;
    bool is_rest; /* nobody is left at the other side */
    size_t left;  /* of what it wrote, at most */
    struct termios saved;
    struct lane in, out;
};

static void make_raw(struct tty *t)
{
    struct termios raw;

    if (!isatty(0) || tcgetattr(0, &t->saved) < 0)
        return;
    raw = t->saved;
    cfmakeraw(&raw);
    t->is_raw = tcsetattr(0, TCSANOW, &raw) == 0;
}

int tty_create(int master, uint16_t rows, uint16_t columns, struct tty **out,
               struct err *e)
{
    struct tty *t = calloc(1, sizeof(*t));

    if (!t)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
        free(t);
        return err_sys(e, "fcntl(2)", errno, "cannot use the terminal");
    }
    t->master = master;
    t->in.from = 0;
    t->in.to = master;
    t->out.from = master;
    t->out.to = lane_open_output(1);
    t->is_sized = rows > 0;
    if (t->is_sized) {
        tty_resize(t, rows, columns);
    } else {
        tty_follow(t);
        make_raw(t);
    }
    *out = t;
    return 0;
}

/* The kernel tells the foreground group (SIGWINCH). */
void tty_resize(struct tty *t, uint16_t rows, uint16_t columns)
{
    const struct winsize w = { .ws_row = rows, .ws_col = columns };

    (void)ioctl(t->master, TIOCSWINSZ, &w);
}

void tty_follow(struct tty *t)
{
    struct winsize w = { .ws_row = 24, .ws_col = 80 };

    if (t->is_sized)
        return;
    for (int fd = 0; fd < 3; fd++)
        if (ioctl(fd, TIOCGWINSZ, &w) == 0)
            break;
    /* Of a terminal that has none, as a serial line. */
    if (w.ws_row && w.ws_col)
        tty_resize(t, w.ws_row, w.ws_col);
    else
        tty_resize(t, 24, 80);
}

size_t tty_poll(const struct tty *t, void *pollfds)
{
    struct pollfd *p = pollfds;
    const size_t n = lane_poll(&t->in, p);

    return n + lane_poll(&t->out, p + n);
}

/* As when a terminal's window is closed: SIGHUP to the workload's session,
 * and no terminal to read or write (pty(7)). */
static void hang_up(struct tty *t)
{
    (void)close(t->master);
    t->master = t->in.from = t->out.from = -1;
    t->in.start = t->in.end = t->out.start = t->out.end = 0;
    t->said_eof = true;
}

/* The end of a piped input is what ^D at a line's start is to a terminal. */
static void say_eof(struct tty *t)
{
    static const char eot = 4;

    if (t->in.from >= 0 || t->in.start < t->in.end || t->said_eof)
        return;
    if (write(t->master, &eot, 1) == 1 || errno != EAGAIN)
        t->said_eof = true;
}

void tty_serve(struct tty *t, const void *pollfds, size_t n)
{
    const struct pollfd *p = pollfds;

    if (n >= 4 &&
        (lane_serve(&t->in, p) < 0 || lane_serve(&t->out, p + 2) < 0)) {
        hang_up(t);
        return;
    }
    say_eof(t);
}

bool tty_is_over(const struct tty *t)
{
    return lane_is_over(&t->out);
}

void tty_limit(struct tty *t, uint64_t most)
{
    t->out.most = most;
    t->out.is_limited = most != 0;
}

uint64_t tty_taken(const struct tty *t)
{
    return t->out.taken;
}

bool tty_is_waiting(const struct tty *t)
{
    return t->out.start < t->out.end;
}

bool tty_is_full(const struct tty *t)
{
    return t->out.is_full;
}

int tty_sys(const struct tty *t)
{
    return t->out.sys;
}

/* A terminal's buffer is 640 KiB at most (drivers/tty/tty_buffer.c); in a
 * session others may go on writing there. */
enum { LEFT_BYTES = 1024 * 1024 };

/* Nothing is typed at the workload any more.  Who waits for a terminal that
 * takes nothing can interrupt that, but not stop us in raw mode. */
static void give_keys_back(const struct tty *t)
{
    struct termios raw = t->saved;

    if (!t->is_raw)
        return;
    cfmakeraw(&raw);
    raw.c_lflag |= ISIG;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;
    (void)tcsetattr(0, TCSANOW, &raw);
}

bool tty_rest(struct tty *t)
{
    if (!t->is_rest) {
        t->is_rest = t->said_eof = true;
        t->left = LEFT_BYTES;
        t->in.from = -1;
        t->in.start = t->in.end = 0;
        give_keys_back(t);
    }
    return lane_rest(&t->out, &t->left);
}

void tty_drain(struct tty *t, int patience_ms)
{
    while (tty_rest(t)) {
        struct pollfd p = { .fd = t->out.to, .events = POLLOUT };

        if (poll(&p, 1, patience_ms) <= 0 || lane_empty(&t->out) < 0)
            return;
    }
}

void tty_destroy(struct tty *t)
{
    if (!t)
        return;
    /* TCSAFLUSH: replies of the terminal to what the workload printed must
     * not reach the caller's shell as if typed. */
    if (t->is_raw)
        (void)tcsetattr(0, TCSAFLUSH, &t->saved);
    if (t->master >= 0)
        (void)close(t->master);
    if (t->out.to != 1)
        (void)close(t->out.to);
    free(t);
}
