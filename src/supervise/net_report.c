/* net_report.c - see net_report.h. */
#include "supervise/net_report.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/report.h"

enum { EVENTS_MAX = 64 << 20 }; /* bytes of a run's events */
enum { SHOWN = 8 };             /* refusals in the text for people */

static void member(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    buf_json(out, value);
}

static void number(struct buf *out, const char *name, uint64_t value)
{
    buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

static const char *event_name(const struct gateway_record *r)
{
    switch (r->kind) {
    case GATEWAY_PUBLISHED:
        return "published";
    case GATEWAY_CLOSED:
        return "closed";
    case GATEWAY_LIMIT:
        return "limit";
    case GATEWAY_LOST:
        return "lost";
    default:
        if (r->is_allowed)
            return "allowed";
        return r->why == GATEWAY_BY_UPSTREAM ? "failed" : "denied";
    }
}

static const char *what_name(uint32_t what)
{
    static const char *const names[] = { "connect", "datagram", "query",
                                         "tls",     "http",     "proxy",
                                         "service", "publish" };

    return what < ARRAY_LEN(names) ? names[what] : "?";
}

/* Stable words, for programs. */
static const char *reason_name(const struct gateway_record *r)
{
    static const char *const verdicts[] = { "rule",  "default",   "class",
                                            "never", "name_only", "quic" };
    static const char *const others[] = { "",           "network",  "address",
                                          "no_address", "mismatch", "no_name",
                                          "protocol",   "budget" };

    if (r->why == GATEWAY_BY_POLICY)
        return r->verdict_why < ARRAY_LEN(verdicts) ? verdicts[r->verdict_why]
                                                    : "?";
    return r->why < ARRAY_LEN(others) ? others[r->why] : "?";
}

static void put_peer(const struct gateway_record *r, struct buf *out)
{
    static const char *const protos[] = { "tcp", "udp", "icmp" };
    static const struct net_addr none;
    char addr[48];

    member(out, "what", what_name(r->what));
    if (r->what == GATEWAY_CONNECT || r->what == GATEWAY_FLOW)
        member(out, "protocol",
               r->proto < ARRAY_LEN(protos) ? protos[r->proto] : "?");
    if (r->name[0])
        member(out, "name", r->name);
    if (memcmp(&r->addr, &none, sizeof(none)) != 0) {
        net_addr_print(&r->addr, addr);
        member(out, "address", addr);
    }
    if (r->port && r->what != GATEWAY_QUERY)
        number(out, "port", r->port);
    if (r->what == GATEWAY_QUERY && r->qtype)
        number(out, "queryType", r->qtype);
    if (r->other[0])
        member(out, "asked", r->other);
}

static void put_text(const struct gateway_record *r, const char *name,
                     void (*write)(const struct gateway_record *, struct buf *),
                     struct buf *out)
{
    struct buf text = { .max = 4096 };

    write(r, &text);
    if (text.len && !text.failed)
        member(out, name, text.data);
    buf_drop(&text);
}

static void put_decision(const struct gateway_record *r, struct buf *out)
{
    char origin[64];

    put_peer(r, out);
    if (r->is_allowed &&
        (r->what == GATEWAY_SERVICE || r->what == GATEWAY_PUBLISH))
        return;
    member(out, "reason", reason_name(r));
    if (r->why == GATEWAY_BY_POLICY) {
        net_origin_print(r->origin, origin);
        member(out, "rule", origin);
    }
    if (r->sys)
        member(out, "errno", err_errno_name(r->sys));
    if (r->is_allowed)
        return;
    put_text(r, "message", net_report_sentence, out);
    put_text(r, "hint", net_report_hint, out);
}

void net_report_members(const struct gateway_record *r, struct buf *out)
{
    buf_puts(out, "\"event\":");
    buf_json(out, event_name(r));
    if (r->id)
        number(out, "id", r->id);
    switch (r->kind) {
    case GATEWAY_DECIDED:
        put_decision(r, out);
        break;
    case GATEWAY_CLOSED:
        put_peer(r, out);
        number(out, "sent", r->sent);
        number(out, "received", r->received);
        number(out, "durationMs", r->duration_ms);
        break;
    case GATEWAY_PUBLISHED:
        number(out, "guest", r->forward.guest);
        number(out, "host", r->forward.host);
        break;
    case GATEWAY_LIMIT:
        member(out, "of", r->other);
        break;
    case GATEWAY_LOST:
        number(out, "count", r->lost);
        break;
    default:
        break;
    }
}

/* A reader that does not read must not hold the run, its timeout and its end:
 * what a pipe has no room for is counted.  Any line fits where poll(2) says
 * that there is room (pipe(7), PIPE_BUF). */
static bool has_room(struct net_report *r)
{
    enum { PATIENCE_MS = 200 };
    struct pollfd p = { .fd = r->events_fd, .events = POLLOUT };

    r->is_stuck = poll(&p, 1, r->is_stuck ? 0 : PATIENCE_MS) <= 0;
    return !r->is_stuck;
}

static void write_line(struct net_report *r, const struct gateway_record *rec)
{
    struct buf line = { .max = PIPE_BUF };
    struct timespec t;
    struct err e;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    buf_printf(&line, "{\"timeMs\":%llu,",
               (unsigned long long)t.tv_sec * 1000 +
                   (unsigned long long)t.tv_nsec / 1000000);
    net_report_members(rec, &line);
    buf_puts(&line, "}\n");
    /* A reader that went away, or a full disk, does not end the run. */
    if (line.failed)
        r->unwritten++;
    else if (report_write(r->events_fd, &line, &e) < 0)
        r->events_fd = -1;
    r->written += line.len;
    buf_drop(&line);
}

static void write_event(struct net_report *r, const struct gateway_record *rec)
{
    struct gateway_record lost = { .kind = GATEWAY_LOST, .lost = r->unwritten };

    /* The workload makes as many as it likes. */
    if (!has_room(r) || r->written >= EVENTS_MAX) {
        r->unwritten++;
        return;
    }
    r->unwritten = 0;
    if (lost.lost) {
        write_line(r, &lost);
        if (r->events_fd < 0 || !has_room(r)) {
            r->unwritten = 1;
            return;
        }
    }
    write_line(r, rec);
}

static bool is_denial(const struct gateway_record *r)
{
    return r->kind == GATEWAY_DECIDED && !r->is_allowed &&
           r->why != GATEWAY_BY_UPSTREAM;
}

static bool is_same(const struct gateway_record *a,
                    const struct gateway_record *b)
{
    return a->what == b->what && a->why == b->why && a->proto == b->proto &&
           a->verdict_why == b->verdict_why && a->port == b->port &&
           memcmp(&a->addr, &b->addr, sizeof(a->addr)) == 0 &&
           strcmp(a->name, b->name) == 0 && strcmp(a->other, b->other) == 0;
}

static void keep(struct net_report *r, const struct gateway_record *rec)
{
    for (size_t i = 0; i < r->ndenials; i++)
        if (is_same(&r->denial[i].record, rec)) {
            r->denial[i].count++;
            return;
        }
    if (r->ndenials == NET_REPORT_DENIALS) {
        r->more++;
        return;
    }
    r->denial[r->ndenials++] =
        (struct net_denial){ .record = *rec, .count = 1 };
}

static void keep_published(struct net_report *r,
                           const struct gateway_record *rec)
{
    struct buf line = { .max = 256 };

    if (r->npublished == NET_REPORT_PUBLISHED)
        return;
    r->published[r->npublished++] = rec->forward;
    if (r->is_quiet)
        return;
    buf_printf(&line, "mxc: port %u of the sandbox is 127.0.0.1:%u\n",
               rec->forward.guest, rec->forward.host);
    if (!line.failed)
        (void)!write(2, line.data, line.len);
    buf_drop(&line);
}

void net_report_take(struct net_report *r, const struct gateway_record *rec)
{
    if (is_denial(rec))
        keep(r, rec);
    if (rec->kind == GATEWAY_PUBLISHED)
        keep_published(r, rec);
    if (rec->kind == GATEWAY_LOST)
        r->lost += rec->lost;
    if (r->events_fd >= 0)
        write_event(r, rec);
}

void net_report_json(const struct net_report *r, struct buf *out)
{
    if (r->npublished) {
        buf_puts(out, ",\"published\":[");
        for (size_t i = 0; i < r->npublished; i++)
            buf_printf(out, "%s{\"guest\":%u,\"host\":%u}", i ? "," : "",
                       r->published[i].guest, r->published[i].host);
        buf_putc(out, ']');
    }
    if (r->ndenials) {
        buf_puts(out, ",\"denials\":[");
        for (size_t i = 0; i < r->ndenials; i++) {
            buf_puts(out, i ? ",{" : "{");
            net_report_members(&r->denial[i].record, out);
            number(out, "count", r->denial[i].count);
            buf_putc(out, '}');
        }
        buf_putc(out, ']');
    }
    if (r->more + r->lost)
        number(out, "denialsNotListed", r->more + r->lost);
}

static void put_denial(const struct net_denial *d, struct buf *out)
{
    struct buf hint = { .max = 1024 };

    buf_puts(out, "  ");
    net_report_sentence(&d->record, out);
    if (d->count > 1)
        buf_printf(out, " (%llu times)", (unsigned long long)d->count);
    net_report_hint(&d->record, &hint);
    if (hint.len && !hint.failed)
        buf_printf(out, "\n    to allow it: %s", hint.data);
    buf_putc(out, '\n');
    buf_drop(&hint);
}

void net_report_text(const struct net_report *r, struct buf *out)
{
    uint64_t left = r->more + r->lost;

    if (!r->ndenials)
        return;
    buf_puts(out, "mxc: the network policy refused:\n");
    for (size_t i = 0; i < r->ndenials; i++) {
        if (i < SHOWN)
            put_denial(&r->denial[i], out);
        else
            left += r->denial[i].count;
    }
    if (left)
        buf_printf(out, "  and %llu more; --events FILE tells all\n",
                   (unsigned long long)left);
}
