/* events.h - the writer of a run's events: lines of JSON on the caller's
 * descriptor (docs/events.md).
 *
 * It never waits, but at the end of a run for a moment: what the descriptor has
 * no room for is queued, what the queue has no room for is counted, and the
 * count is told as a "gap" when there is room again.  A reader that went away,
 * or a full disk, ends the stream and not the run. */
#ifndef MXC_SUPERVISE_EVENTS_H
#define MXC_SUPERVISE_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/event.h"

enum {
    EVENTS_QUEUE = 256 << 10, /* bytes that wait for room */
    EVENTS_MAX = 64 << 20,    /* bytes of a stream, but for its last lines */
    EVENTS_LINE = 16 << 10,
    EVENTS_WHYS = 4 /* why events are missed */
};

/* All-zero with fd -1 writes nothing. */
struct events {
    int fd;
    int own; /* the same opened anew, without waiting; or -1 */
    bool is_socket;
    bool is_pipe;  /* that could not be opened anew, so that all goes ... */
    int way[2];    /* ... through a pipe that is nobody else's, ... */
    size_t in_way; /* ... where so many bytes of the queue are by now */
    char id[EVENT_ID_MAX + 1]; /* the caller's word for the run, or "" */
    uint64_t seq;              /* of the last event that was told */
    struct {
        uint64_t count;  /* were not told, nor was that */
        const char *why; /* "reader", "size", "gateway" */
    } missed[EVENTS_WHYS];
    uint64_t written;
    uint64_t max;    /* of that, but for the last lines; EVENTS_MAX */
    struct buf line; /* under way between begin and end */
    struct buf queue;
    size_t sent;       /* bytes of the queue */
    uint64_t until_ms; /* of the wait at the end; 0: that has not begun */
};

/* `fd` stays the caller's; -1: nobody listens.  `id` is the caller's word for
 * the run, or NULL. */
void events_open(struct events *ev, int fd, const char *id);

/* A line: begin it, put its fields (event_put_*), end it.  Where nobody
 * listens, or there is no memory, the fields go nowhere. */
struct buf *events_begin(struct events *ev, enum event_kind kind);
void events_end(struct events *ev);

/* So many events were lost before they came here. */
void events_lost(struct events *ev, uint64_t count, const char *why);

/* What poll(2) is to wait for: -1 where nothing waits to be written. */
int events_poll_fd(const struct events *ev);

/* Write what there is room for. */
void events_flush(struct events *ev);

/* Write what waits, as long as the reader takes it: at most two seconds from
 * the first call on, and much less where it takes nothing. */
void events_settle(struct events *ev);

/* The same once more, and free everything. */
void events_close(struct events *ev);

#endif
