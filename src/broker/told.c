/* told.c - what was told, and how often it has happened since.
 *
 * Each thing is told when it happens for the first time, and then at powers
 * of two of its count, and when there is a moment (told_refresh); a record has
 * how often it was since the last one.  What waits is forgotten only when a
 * record has really gone out.  What cannot be told any more by name is told by
 * number.
 *
 * Things are known by a hash: whoever finds two with the same one has hidden
 * his own from the report. */
#include "broker/parts.h"

#include <string.h>
#include <time.h>

struct told_row {
    uint64_t key;     /* 0: free */
    uint64_t count;   /* so often */
    uint64_t waiting; /* of these are to be told */
    bool is_allowed;
    bool is_known; /* who is told has its name */
};

struct told {
    broker_tell *tell;
    bool is_patient; /* waits a moment where there is no room */
    bool has_room;   /* there was when that was tried last */
    bool is_stale;   /* something waits since the last told_refresh */
    size_t size, used;
    uint64_t lost[2]; /* that have no name: refused, allowed */
    struct told_row row[];
};

/* For room, each time that there was some before. */
enum { MOMENT_MS = 50 };

struct told *told_create(broker_tell *tell, size_t keys, bool is_patient)
{
    struct told *t = calloc(1, sizeof(*t) + 2 * keys * sizeof(t->row[0]));

    if (t) {
        t->tell = tell;
        t->is_patient = t->has_room = is_patient;
        t->size = 2 * keys;
    }
    return t;
}

void told_destroy(struct told *t)
{
    free(t);
}

static bool tell(struct told *t, const struct broker_seen *r)
{
    const bool is_told = t->tell(r, t->has_room ? MOMENT_MS : 0);

    t->has_room = is_told && t->is_patient;
    return is_told;
}

static struct told_row *find(struct told *t, uint64_t key)
{
    size_t at = key % t->size;

    while (t->row[at].key && t->row[at].key != key)
        at = (at + 1) % t->size;
    return &t->row[at];
}

static struct broker_seen nameless(uint64_t key, bool is_allowed,
                                   uint64_t count)
{
    return (struct broker_seen){ .key = key,
                                 .is_allowed = is_allowed,
                                 .count = count,
                                 .call = "",
                                 .why = "",
                                 .process = "",
                                 .named = "",
                                 .path = "" };
}

static void tell_lost(struct told *t, int wait_ms)
{
    for (int i = 0; i < 2; i++) {
        const struct broker_seen r = nameless(0, i, t->lost[i]);

        if (t->lost[i] && t->tell(&r, wait_ms))
            t->lost[i] = 0;
    }
}

static int left_ms(const struct timespec *begun, int most_ms)
{
    struct timespec now;
    int64_t ms;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    ms = (now.tv_sec - begun->tv_sec) * 1000 +
         (now.tv_nsec - begun->tv_nsec) / 1000000;
    return ms >= most_ms ? 0 : most_ms - (int)ms;
}

void told_settle(struct told *t, int most_ms)
{
    struct timespec begun;

    (void)clock_gettime(CLOCK_MONOTONIC, &begun);
    for (size_t i = 0; i < t->size; i++) {
        struct told_row *row = &t->row[i];
        const struct broker_seen r =
            nameless(row->key, row->is_allowed, row->waiting);

        if (!row->waiting)
            continue;
        if (!row->is_known || !t->tell(&r, left_ms(&begun, most_ms)))
            t->lost[row->is_allowed] += row->waiting;
        row->waiting = 0;
    }
    tell_lost(t, left_ms(&begun, most_ms));
    t->is_stale = t->lost[0] || t->lost[1];
}

static bool refresh(struct told *t, struct told_row *row)
{
    const struct broker_seen r =
        nameless(row->key, row->is_allowed, row->waiting);

    if (row->is_known && !t->tell(&r, 0))
        return false;
    /* It gets its name when it happens again. */
    if (!row->is_known)
        t->lost[row->is_allowed] += row->waiting;
    row->waiting = 0;
    return true;
}

void told_refresh(struct told *t)
{
    bool has_room = true;

    for (size_t i = 0; i < t->size && has_room; i++)
        if (t->row[i].waiting)
            has_room = refresh(t, &t->row[i]);
    if (has_room)
        tell_lost(t, 0);
    t->is_stale = !has_room || t->lost[0] || t->lost[1];
}

bool told_is_stale(const struct told *t)
{
    return t->is_stale;
}

/* Full: all is told, and begins anew. */
static void clear(struct told *t)
{
    told_settle(t, t->is_patient ? MOMENT_MS : 0);
    memset(t->row, 0, t->size * sizeof(t->row[0]));
    t->used = 0;
}

bool told_count(struct told *t, uint64_t key, bool is_allowed)
{
    struct told_row *row = find(t, key);

    if (!row->key && t->used == t->size / 2) {
        clear(t);
        row = find(t, key);
    }
    if (!row->key) {
        *row = (struct told_row){ .key = key, .is_allowed = is_allowed };
        t->used++;
    }
    row->count++;
    row->waiting++;
    if (row->is_known && (row->count & (row->count - 1)) != 0) {
        t->is_stale = true;
        return false;
    }
    return true;
}

void told_lose(struct told *t, bool is_allowed)
{
    t->lost[is_allowed]++;
    t->is_stale = true;
}

void told_tell(struct told *t, struct broker_seen *r)
{
    struct told_row *row = find(t, r->key);

    if (t->lost[0] || t->lost[1])
        tell_lost(t, 0);
    r->count = row->waiting;
    if (!tell(t, r)) {
        t->is_stale = true;
        return;
    }
    row->is_known = true;
    row->waiting = 0;
}
