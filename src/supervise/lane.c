/* lane.c - see lane.h. */
#include "supervise/lane.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { PIECE = 4096 };

size_t lane_poll(const struct lane *l, void *pollfds)
{
    struct pollfd *p = pollfds;

    p[0] =
        (struct pollfd){ .fd = l->end < LANE_ROOM && !l->is_full ? l->from : -1,
                         .events = POLLIN };
    p[1] = (struct pollfd){ .fd = l->start < l->end ? l->to : -1,
                            .events = POLLOUT };
    return 2;
}

/* One byte beyond the most shows that there are more. */
static size_t room_of(const struct lane *l)
{
    const size_t room = LANE_ROOM - l->end;

    if (l->is_full)
        return 0;
    return l->is_limited && l->most - l->taken < room
               ? (size_t)(l->most - l->taken) + 1
               : room;
}

void lane_fill(struct lane *l)
{
    const size_t room = room_of(l);
    ssize_t n;

    /* To read nothing would look like the end. */
    if (room == 0)
        return;
    n = read(l->from, l->room + l->end, room);
    if (n > 0) {
        l->end += (size_t)n;
        l->taken += (uint64_t)n;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        l->from = -1; /* EIO: the last slave was closed */
    }
    if (l->is_limited && l->taken > l->most) {
        l->end--;
        l->is_full = true;
    }
}

/* A terminal that was hung up says EIO (write(2)). */
static bool has_no_reader(int fd, int sys)
{
    return sys == EPIPE || sys == ECONNRESET || (sys == EIO && isatty(fd));
}

int lane_empty(struct lane *l)
{
    size_t want = l->end - l->start;
    ssize_t n = write(l->to, l->room + l->start, want < PIECE ? want : PIECE);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        const int sys = errno;

        l->sys = has_no_reader(l->to, sys) ? 0 : sys;
        return -1;
    }
    if (n > 0)
        l->start += (size_t)n;
    if (l->start == l->end)
        l->start = l->end = 0;
    return 0;
}

int lane_serve(struct lane *l, const void *pollfds)
{
    const struct pollfd *p = pollfds;

    if (p[0].fd >= 0 && p[0].revents)
        lane_fill(l);
    return p[1].fd >= 0 && p[1].revents ? lane_empty(l) : 0;
}

bool lane_is_over(const struct lane *l)
{
    return l->from < 0 && l->start == l->end;
}

bool lane_rest(struct lane *l, size_t *most)
{
    while (l->from >= 0 && l->end < LANE_ROOM) {
        const uint64_t before = l->taken;
        size_t got;

        lane_fill(l);
        got = (size_t)(l->taken - before);
        *most -= got < *most ? got : *most;
        if (got == 0 || *most == 0)
            l->from = -1;
    }
    return l->start < l->end;
}

int lane_open_output(int fd)
{
    char path[32];
    int own = -1;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (isatty(fd))
        own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return own < 0 ? fd : own;
}
