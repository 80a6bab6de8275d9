/* events.c - see events.h. */
#include "supervise/events.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scoped.h"

/* A terminal or a pipe can be opened a second time, without waiting; the
 * caller's own descriptor is shared with whoever else has it, and a flag on it
 * would be theirs too.  A file would begin again at its first byte, and a
 * socket cannot be opened, nor need it be (send(2), MSG_DONTWAIT). */
static void open_anew(struct events *ev)
{
    struct stat st;
    char path[40];

    if (fstat(ev->fd, &st) < 0)
        return;
    ev->is_socket = S_ISSOCK(st.st_mode);
    if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        return;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", ev->fd);
    ev->own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    /* A pipe of another user.  The workload may have it too, and then no
     * poll(2) promises room for a write(2).  Without a way there is no
     * stream: the first write says EBADF. */
    ev->is_pipe = ev->own < 0 && S_ISFIFO(st.st_mode);
    if (ev->is_pipe && pipe2(ev->way, O_CLOEXEC | O_NONBLOCK) < 0)
        ev->way[0] = ev->way[1] = -1;
}

void events_open(struct events *ev, int fd, const char *id)
{
    *ev = (struct events){
        .fd = fd, .own = -1, .way = { -1, -1 }, .max = EVENTS_MAX
    };
    (void)snprintf(ev->id, sizeof(ev->id), "%s", id ? id : "");
    ev->queue.max = EVENTS_QUEUE + EVENTS_LINE;
    if (fd >= 0)
        open_anew(ev);
}

/* --- writing ---------------------------------------------------------------
 */

static bool has_room(const struct events *ev)
{
    struct pollfd p = { .fd = ev->fd, .events = POLLOUT };

    return ev->own >= 0 || ev->is_socket || poll(&p, 1, 0) > 0;
}

/* From one pipe into another the kernel moves what there is room for, and need
 * not wait for more (splice(2)).  RWF_NOWAIT would be one call less, and is
 * not for pipes with a name, nor for any before Linux 6.4. */
static ssize_t put_by_way(struct events *ev, const char *from, size_t n)
{
    ssize_t moved;

    if (ev->in_way == 0) {
        const ssize_t taken = write(ev->way[1], from, n);

        if (taken < 0)
            return taken;
        ev->in_way = (size_t)taken;
    }
    moved =
        splice(ev->way[0], NULL, ev->fd, NULL, ev->in_way, SPLICE_F_NONBLOCK);
    if (moved > 0)
        ev->in_way -= (size_t)moved;
    else if (moved == 0)
        errno = EAGAIN;
    return moved > 0 ? moved : -1;
}

static ssize_t put(struct events *ev, const char *from, size_t n)
{
    /* For a terminal of another user. */
    enum { CERTAIN = 4096 };

    if (ev->is_socket)
        return send(ev->fd, from, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (ev->own >= 0)
        return write(ev->own, from, n);
    if (ev->is_pipe)
        return put_by_way(ev, from, n);
    return write(ev->fd, from, n < CERTAIN ? n : CERTAIN);
}

static void give_up(struct events *ev)
{
    ev->fd = -1;
    ev->queue.len = ev->sent = 0;
}

void events_flush(struct events *ev)
{
    while (ev->fd >= 0 && ev->sent < ev->queue.len && has_room(ev)) {
        ssize_t n =
            put(ev, ev->queue.data + ev->sent, ev->queue.len - ev->sent);

        if (n >= 0)
            ev->sent += (size_t)n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            give_up(ev);
    }
    if (ev->sent == ev->queue.len)
        ev->queue.len = ev->sent = 0;
}

int events_poll_fd(const struct events *ev)
{
    if (ev->sent == ev->queue.len)
        return -1;
    return ev->own >= 0 ? ev->own : ev->fd;
}

/* --- lines -----------------------------------------------------------------
 */

static void put_head(struct events *ev, enum event_kind kind)
{
    struct timespec wall, mono;

    (void)clock_gettime(CLOCK_REALTIME, &wall);
    (void)clock_gettime(CLOCK_MONOTONIC, &mono);
    ev->line = (struct buf){ .max = EVENTS_LINE };
    buf_putc(&ev->line, '{');
    event_put_kind(&ev->line, kind);
    event_put_number(&ev->line, EVENT_SEQ, ++ev->seq);
    event_put_number(&ev->line, EVENT_TIME,
                     (uint64_t)wall.tv_sec * 1000 +
                         (uint64_t)wall.tv_nsec / 1000000);
    event_put_number(&ev->line, EVENT_MONOTONIC,
                     (uint64_t)mono.tv_sec * 1000000 +
                         (uint64_t)mono.tv_nsec / 1000);
    event_put_some(&ev->line, EVENT_CORRELATION, ev->id);
}

/* Room in the queue, once what can be written is. */
static bool fits(struct events *ev, size_t len)
{
    const size_t waiting = ev->queue.len - ev->sent;

    if (ev->sent && waiting + len <= EVENTS_QUEUE) {
        memmove(ev->queue.data, ev->queue.data + ev->sent, waiting);
        ev->queue.len = waiting;
        ev->sent = 0;
    }
    return ev->queue.len + len <= EVENTS_QUEUE;
}

static bool add_line(struct events *ev)
{
    bool is_kept;

    buf_puts(&ev->line, "}\n");
    is_kept = !ev->line.failed && fits(ev, ev->line.len);
    if (is_kept) {
        buf_add(&ev->queue, ev->line.data, ev->line.len);
        ev->written += ev->line.len;
        is_kept = !ev->queue.failed;
        /* For want of memory alone; the next one may have it. */
        ev->queue.failed = false;
    }
    buf_drop(&ev->line);
    return is_kept;
}

static void miss(struct events *ev, uint64_t count, const char *why)
{
    size_t i = 0;

    /* What has no place of its own joins the last one. */
    while (i < EVENTS_WHYS - 1 && ev->missed[i].count &&
           strcmp(ev->missed[i].why, why) != 0)
        i++;
    ev->missed[i].count += count;
    ev->missed[i].why = why;
}

/* What is missing is told before anything else is; false where there is no room
 * for that.  A gap takes the numbers of what is missing, and its own. */
static bool tell_gaps(struct events *ev)
{
    for (size_t i = 0; i < EVENTS_WHYS; i++) {
        const uint64_t seq = ev->seq;

        if (!ev->missed[i].count)
            continue;
        ev->seq += ev->missed[i].count;
        put_head(ev, EVENT_GAP);
        event_put_number(&ev->line, EVENT_COUNT, ev->missed[i].count);
        event_put_text(&ev->line, EVENT_REASON, ev->missed[i].why);
        if (!add_line(ev)) {
            ev->seq = seq;
            return false;
        }
        ev->missed[i].count = 0;
    }
    return true;
}

struct buf *events_begin(struct events *ev, enum event_kind kind)
{
    bool is_told = ev->fd >= 0;

    if (is_told)
        events_flush(ev);
    /* The workload makes as many as it likes; the end is told in any case. */
    if (is_told && ev->written >= ev->max && kind != EVENT_EXITED)
        is_told = false;
    if (is_told && tell_gaps(ev))
        put_head(ev, kind);
    else
        /* There is no room for fields. */
        ev->line = (struct buf){ .failed = true };
    return &ev->line;
}

void events_end(struct events *ev)
{
    const bool is_begun = ev->line.len > 0;

    if (ev->fd < 0) {
        buf_drop(&ev->line);
        return;
    }
    if (is_begun && add_line(ev)) {
        events_flush(ev);
        return;
    }
    /* One that was begun has taken its number: the gap takes it now. */
    if (is_begun)
        ev->seq--;
    miss(ev, 1, ev->written >= ev->max ? "size" : "reader");
}

void events_lost(struct events *ev, uint64_t count, const char *why)
{
    if (ev->fd < 0 || !count)
        return;
    miss(ev, count, why);
    if (ev->written < ev->max)
        (void)tell_gaps(ev);
    events_flush(ev);
}

/* --- the end ---------------------------------------------------------------
 */

void events_settle(struct events *ev)
{
    /* For a reader that takes nothing, and for one that takes little. */
    enum { IDLE_MS = 200, MOST_MS = 2000 };

    if (!ev->until_ms)
        ev->until_ms = now_ms() + MOST_MS;
    for (;;) {
        struct pollfd p = { .events = POLLOUT };

        events_flush(ev);
        p.fd = events_poll_fd(ev);
        if (p.fd < 0 || now_ms() >= ev->until_ms || poll(&p, 1, IDLE_MS) <= 0)
            break;
    }
}

void events_close(struct events *ev)
{
    events_settle(ev);
    buf_drop(&ev->queue);
    drop_fd(&ev->own);
    drop_fd(&ev->way[0]);
    drop_fd(&ev->way[1]);
    ev->fd = -1;
    ev->queue.len = ev->sent = 0;
}
