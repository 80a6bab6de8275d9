/* access.c - see access.h. */
#include "supervise/access.h"

#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "supervise/place.h"
#include "sys/watched.h"

static void put_members(const struct launch_seen *rec, bool is_lost,
                        struct buf *out)
{
    event_put_text(out, EVENT_WHAT, rec->op == WATCH_EXEC ? "exec" : "file");
    event_put_text(out, EVENT_OPERATION, watch_op_name((enum watch_op)rec->op));
    event_put_text(out, EVENT_PATH, rec->named);
    event_put_text(out, EVENT_RESOLVED, rec->path);
    event_put_some(out, EVENT_CALL, rec->call);
    event_put_some(out, EVENT_PROCESS, rec->process);
    if (rec->pid > 0)
        event_put_number(out, EVENT_PID, (uint64_t)rec->pid);
    if (is_lost)
        event_put_truth(out, EVENT_LOST, true);
}

static bool grow(struct accesses *a)
{
    const size_t room = a->room ? 2 * a->room : 256;
    struct access_row *list;

    if (a->n < a->room)
        return true;
    list = realloc(a->list, room * sizeof(*list));
    if (!list)
        return false;
    a->list = list;
    a->room = room;
    return true;
}

/* Its place in the list, or KEY_UNLISTED. */
static int32_t keep(struct accesses *a, const struct launch_seen *rec,
                    bool is_lost)
{
    struct buf members = { .max = EVENTS_LINE };

    put_members(rec, is_lost, &members);
    if (members.failed || a->n == ACCESSES_LISTED ||
        a->bytes + members.len > ACCESSES_BYTES || !grow(a)) {
        buf_drop(&members);
        a->more += rec->count;
        return KEY_UNLISTED;
    }
    a->bytes += members.len;
    a->list[a->n] =
        (struct access_row){ .count = rec->count, .members = members.data };
    return (int32_t)a->n++;
}

static int32_t take_new(struct accesses *a, const struct launch_seen *rec)
{
    const bool is_granted = place_is_granted(a->plan, rec->path);
    const bool is_lost = !is_granted && rec->op == WATCH_CREATE &&
                         place_is_on_the_way(a->plan, rec->path);

    if (!is_granted && !is_lost)
        return KEY_IS_NOTHING;
    if (a->events) {
        put_members(rec, is_lost, events_begin(a->events, EVENT_ACCESS));
        events_end(a->events);
    }
    /* One that was cut is another's name. */
    if (strlen(rec->path) == sizeof(rec->path) - 1) {
        a->more += rec->count;
        return KEY_UNLISTED;
    }
    return keep(a, rec, is_lost);
}

void accesses_take(struct accesses *a, const struct launch_seen *rec)
{
    const int32_t at = keys_find(&a->keys, rec->key);

    if (!rec->key) {
        a->more += rec->count;
        if (a->events)
            events_lost(a->events, rec->count, "broker");
    } else if (at >= 0) {
        a->list[at].count += rec->count;
    } else if (at == KEY_UNLISTED) {
        a->more += rec->count;
    } else if (at == KEY_UNKNOWN && rec->op) {
        keys_put(&a->keys, rec->key, take_new(a, rec));
    }
}

void accesses_json(const struct accesses *a, struct buf *out)
{
    buf_puts(out, ",\"accesses\":[");
    for (size_t i = 0; i < a->n; i++) {
        buf_puts(out, i ? ",{" : "{");
        event_put_kind(out, EVENT_ACCESS);
        buf_puts(out, a->list[i].members);
        event_put_number(out, EVENT_COUNT, a->list[i].count);
        buf_putc(out, '}');
    }
    buf_printf(out, "],\"accessesNotListed\":%llu",
               (unsigned long long)a->more);
}

void accesses_text(const struct accesses *a, struct buf *out)
{
    buf_printf(out,
               "mxc: of what the policy grants %zu things were used; --json "
               "FILE or --events FILE lists them\n",
               a->n);
}

void accesses_drop(struct accesses *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->list[i].members);
    free(a->list);
    keys_drop(&a->keys);
    *a = (struct accesses){ 0 };
}
