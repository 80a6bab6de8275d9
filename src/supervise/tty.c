/* tty.c - PTY mode: bytes between the caller's streams and the sandbox's
 * terminal.
 *
 * The caller's terminal is put into raw mode and given back as it was; a
 * caller without one says the size, and its pipes or sockets take its place.
 * The caller's descriptors stay blocking (their flags are shared with the
 * caller): a write happens only after poll(2) said so, in small pieces, and
 * to a terminal, where that is no promise, by a descriptor of our own. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "supervise/supervise.h"

enum { ROOM = 64 * 1024, PIECE = 4096 };

struct lane {
    int from, to; /* -1: ended */
    size_t start, end;
    char room[ROOM];
};

struct tty {
    int master;
    bool is_sized; /* by the caller's word, not by a terminal of its own */
    bool is_raw;
    bool said_eof;
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

/* poll(2) says that a terminal takes some bytes, not how many: a blocking
 * write to one that nobody reads would stop the timeout too. */
static int open_output(void)
{
    int fd = isatty(1) ? open("/proc/self/fd/1",
                              O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
                       : -1;

    return fd < 0 ? 1 : fd;
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
    t->out.to = open_output();
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
    (void)ioctl(t->master, TIOCSWINSZ, &w);
}

size_t tty_poll(const struct tty *t, void *pollfds)
{
    struct pollfd *p = pollfds;
    const struct lane *lanes[] = { &t->in, &t->out };
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(lanes); i++) {
        const struct lane *l = lanes[i];

        p[n++] = (struct pollfd){ .fd = l->end < ROOM ? l->from : -1,
                                  .events = POLLIN };
        p[n++] = (struct pollfd){ .fd = l->start < l->end ? l->to : -1,
                                  .events = POLLOUT };
    }
    return n;
}

static void fill(struct lane *l)
{
    ssize_t n = read(l->from, l->room + l->end, ROOM - l->end);

    if (n > 0)
        l->end += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        l->from = -1; /* EIO: the last slave was closed */
}

/* -1: nobody will read it any more. */
static int empty(struct lane *l)
{
    size_t want = l->end - l->start;
    ssize_t n = write(l->to, l->room + l->start, want < PIECE ? want : PIECE);

    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return -1;
    if (n > 0)
        l->start += (size_t)n;
    if (l->start == l->end)
        l->start = l->end = 0;
    return 0;
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
    struct lane *lanes[] = { &t->in, &t->out };

    for (size_t i = 0; i < ARRAY_LEN(lanes) && 2 * i + 1 < n; i++) {
        if (p[2 * i].fd >= 0 && p[2 * i].revents)
            fill(lanes[i]);
        if (p[2 * i + 1].fd >= 0 && p[2 * i + 1].revents &&
            empty(lanes[i]) < 0) {
            hang_up(t);
            return;
        }
    }
    say_eof(t);
}

bool tty_is_over(const struct tty *t)
{
    return t->out.from < 0 && t->out.start == t->out.end;
}

/* After the end: what the workload wrote before it is still in the PTY.  In a
 * session others may go on writing there: not more is taken than it holds. */
void tty_drain(struct tty *t)
{
    /* A terminal's buffer is 640 KiB at most (drivers/tty/tty_buffer.c). */
    enum { PATIENCE_MS = 2000, REST = 1024 * 1024 };
    size_t rest = REST;

    for (;;) {
        struct pollfd p = { .fd = t->out.to, .events = POLLOUT };

        if (t->out.from >= 0 && t->out.end < ROOM) {
            const size_t before = t->out.end;
            size_t got;

            fill(&t->out);
            got = t->out.end - before;
            rest -= got < rest ? got : rest;
            if (got == 0 || rest == 0)
                t->out.from = -1;
        }
        if (t->out.start == t->out.end) {
            if (t->out.from < 0)
                return;
            continue;
        }
        /* A reader that stopped reading must not keep us for ever. */
        if (poll(&p, 1, PATIENCE_MS) <= 0 || empty(&t->out) < 0)
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
