/* denial.c - refusals of files and calls: kept, told, listed. */
#include "supervise/denial.h"

#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "sys/watched.h"

enum { SHOWN = 8 }; /* in the text for people */

static void put_text(const struct denial *d, enum event_field field,
                     void (*write)(const struct denial *, struct buf *),
                     struct buf *out)
{
    struct buf text = { .max = 8192 };

    write(d, &text);
    if (text.len && !text.failed)
        event_put_text(out, field, text.data);
    buf_drop(&text);
}

static const char *what_of(const struct denial *d)
{
    return d->op == WATCH_CALL      ? "syscall"
           : d->op == WATCH_CONNECT ? "socket"
           : d->op == WATCH_EXEC    ? "exec"
                                    : "file";
}

static void put_members(const struct denial *d, struct buf *out)
{
    const bool is_path = d->op != WATCH_CALL;

    event_put_text(out, EVENT_WHAT, what_of(d));
    if (is_path) {
        event_put_text(out, EVENT_OPERATION,
                       watch_op_name((enum watch_op)d->op));
        event_put_some(out, EVENT_PATH, d->named);
        event_put_some(out, EVENT_RESOLVED, d->path);
    }
    event_put_some(out, EVENT_CALL, d->call);
    event_put_some(out, EVENT_PROCESS, d->process);
    if (d->pid > 0)
        event_put_number(out, EVENT_PID, (uint64_t)d->pid);
    event_put_text(out, EVENT_REASON, d->reason);
    event_put_some(out, EVENT_MECHANISM, d->mechanism);
    event_put_some(out, EVENT_RULE, d->rule);
    event_put_text(out, EVENT_ERRNO, err_errno_name(d->sys));
    event_put_truth(out, EVENT_ALLOWABLE, d->is_allowable);
    if (d->is_allowable) {
        event_put_some(out, EVENT_CLAUSE, d->clause);
        event_put_some(out, EVENT_HINT, d->hint);
        if (d->is_secret)
            event_put_truth(out, EVENT_SECRET, true);
    }
    put_text(d, EVENT_MESSAGE, denial_sentence, out);
}

static void copy(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text);
}

static void fill(struct denial *d, const struct denials *all,
                 const struct launch_seen *rec)
{
    *d = (struct denial){ .key = rec->key,
                          .count = rec->count,
                          .sys = rec->sys,
                          .op = rec->op,
                          .pid = rec->pid,
                          .home = all->home };
    copy(d->call, sizeof(d->call), rec->call);
    copy(d->process, sizeof(d->process), rec->process);
    copy(d->path, sizeof(d->path), rec->path);
    copy(d->named, sizeof(d->named),
         d->op == WATCH_CALL ? rec->why : rec->named);
}

/* The same by another name: a link, or one beside a "..". */
static int32_t find_same(const struct denials *all, const struct denial *d)
{
    for (size_t i = 0; i < all->n && d->op != WATCH_CALL; i++) {
        const struct denial *old = &all->list[i];

        if (old->op == d->op && old->sys == d->sys &&
            strcmp(old->reason, d->reason) == 0 &&
            strcmp(old->path, d->path) == 0)
            return (int32_t)i;
    }
    return KEY_UNKNOWN;
}

/* The first is told at once, the rest in larger numbers. */
static void tell_lost(struct denials *all)
{
    if (all->events)
        events_lost(all->events, all->untold, "broker");
    all->untold = 0;
}

/* Names that init could not tell, by their number, or that nobody looks at any
 * more.  Most names that fail are nowhere: these are no refusals. */
static void take_lost(struct denials *all, uint64_t count)
{
    all->lost += count;
    all->untold += count;
    all->losses++;
    if ((all->losses & (all->losses - 1)) == 0)
        tell_lost(all);
}

/* Of a key that is unknown: what it is of the list. */
static int32_t take_new(struct denials *all, const struct launch_seen *rec)
{
    struct denial d;
    int32_t same;

    fill(&d, all, rec);
    switch (denial_explain(all, &d)) {
    case DENIAL_NONE:
        return KEY_IS_NOTHING;
    case DENIAL_UNKNOWN:
        take_lost(all, d.count);
        return KEY_IS_LOST;
    case DENIAL_FOUND:
    default:
        break;
    }
    same = find_same(all, &d);
    if (same >= 0) {
        all->list[same].count += d.count;
        return same;
    }
    if (d.op == WATCH_CALL)
        d.named[0] = '\0';
    if (all->events) {
        put_members(&d, events_begin(all->events, EVENT_DENIED));
        events_end(all->events);
    }
    if (all->n == DENIALS_LISTED) {
        all->more += d.count;
        return KEY_UNLISTED;
    }
    all->list[all->n] = d;
    return (int32_t)all->n++;
}

void denials_take(struct denials *all, const struct launch_seen *rec)
{
    const int32_t at = keys_find(&all->keys, rec->key);

    if (!rec->key || at == KEY_IS_LOST)
        take_lost(all, rec->count);
    else if (at >= 0)
        all->list[at].count += rec->count;
    else if (at == KEY_UNLISTED)
        all->more += rec->count;
    else if (at == KEY_UNKNOWN && rec->op)
        /* Without its name it was forgotten, as most are that are nothing. */
        keys_put(&all->keys, rec->key, take_new(all, rec));
}

void denials_settle(struct denials *all)
{
    if (all->untold)
        tell_lost(all);
}

void denials_drop(struct denials *all)
{
    keys_drop(&all->keys);
}

uint64_t denials_count(const struct denials *all)
{
    uint64_t n = all->more;

    for (size_t i = 0; i < all->n; i++)
        n += all->list[i].count;
    return n;
}

void denials_json(const struct denials *all, struct buf *out)
{
    for (size_t i = 0; i < all->n; i++) {
        buf_puts(out, ",{");
        event_put_kind(out, EVENT_DENIED);
        put_members(&all->list[i], out);
        event_put_number(out, EVENT_COUNT, all->list[i].count);
        buf_putc(out, '}');
    }
}

void denials_lost_json(const struct denials *all, struct buf *out)
{
    if (all->lost)
        buf_printf(out, ",\"denialsLost\":%llu", (unsigned long long)all->lost);
}

static void put_line(const struct denial *d, struct buf *out)
{
    buf_puts(out, "  ");
    denial_sentence(d, out);
    if (d->count > 1)
        buf_printf(out, " (%llu times)", (unsigned long long)d->count);
    if (d->is_allowable) {
        buf_puts(out, "\n    to allow it: ");
        buf_shown(out, d->hint);
    }
    buf_putc(out, '\n');
}

static void put_list(const struct denials *all, struct buf *out)
{
    uint64_t left = all->more;

    buf_puts(out, "mxc: the policy refused:\n");
    for (size_t i = 0; i < all->n; i++) {
        if (i < SHOWN)
            put_line(&all->list[i], out);
        else
            left += all->list[i].count;
    }
    if (left)
        buf_printf(out, "  and %llu more; --events FILE tells all\n",
                   (unsigned long long)left);
}

void denials_text(const struct denials *all, struct buf *out)
{
    if (all->n)
        put_list(all, out);
    if (all->lost)
        buf_printf(out,
                   "mxc: of %llu calls that failed it is not known whether "
                   "the policy refused them\n",
                   (unsigned long long)all->lost);
}
