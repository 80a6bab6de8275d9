/* net_report.c - see net_report.h. */
#include "supervise/net_report.h"

#include <string.h>
#include <unistd.h>

#include "base/scoped.h"

enum { SHOWN = 8 }; /* refusals in the text for people */

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
                                            "never", "name_only", "quic",
                                            "own" };
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

    event_put_text(out, EVENT_WHAT, what_name(r->what));
    if (r->what == GATEWAY_CONNECT || r->what == GATEWAY_FLOW)
        event_put_text(out, EVENT_PROTOCOL,
                       r->proto < ARRAY_LEN(protos) ? protos[r->proto] : "?");
    event_put_some(out, EVENT_NAME, r->name);
    if (memcmp(&r->addr, &none, sizeof(none)) != 0) {
        net_addr_print(&r->addr, addr);
        event_put_text(out, EVENT_ADDRESS, addr);
    }
    if (r->port && r->what != GATEWAY_QUERY)
        event_put_number(out, EVENT_PORT, r->port);
    if (r->what == GATEWAY_QUERY && r->qtype)
        event_put_number(out, EVENT_QUERY_TYPE, r->qtype);
    event_put_some(out, EVENT_ASKED, r->other);
}

static void put_text(const struct gateway_record *r, enum event_field field,
                     void (*write)(const struct gateway_record *, struct buf *),
                     struct buf *out)
{
    struct buf text = { .max = 4096 };

    write(r, &text);
    if (text.len && !text.failed)
        event_put_text(out, field, text.data);
    buf_drop(&text);
}

static void put_decision(const struct gateway_record *r, struct buf *out)
{
    char origin[64];

    put_peer(r, out);
    if (r->is_allowed &&
        (r->what == GATEWAY_SERVICE || r->what == GATEWAY_PUBLISH))
        return;
    event_put_text(out, EVENT_REASON, reason_name(r));
    if (r->why == GATEWAY_BY_POLICY) {
        net_origin_print(r->origin, origin);
        event_put_text(out, EVENT_RULE, origin);
    }
    if (r->sys)
        event_put_text(out, EVENT_ERRNO, err_errno_name(r->sys));
    if (r->is_allowed)
        return;
    put_text(r, EVENT_MESSAGE, net_report_sentence, out);
    put_text(r, EVENT_HINT, net_report_hint, out);
}

static void put_closed(const struct gateway_record *r, struct buf *out)
{
    put_peer(r, out);
    event_put_number(out, EVENT_SENT, r->sent);
    event_put_number(out, EVENT_RECEIVED, r->received);
    event_put_number(out, EVENT_DURATION, r->duration_ms);
}

static void tell_connection(struct events *ev, const struct gateway_record *r)
{
    const char *state = r->kind == GATEWAY_CLOSED ? "closed"
                        : r->is_allowed           ? "allowed"
                                                  : "failed";
    struct buf *out = events_begin(ev, EVENT_CONNECTION);

    event_put_text(out, EVENT_STATE, state);
    if (r->id)
        event_put_number(out, EVENT_ID, r->id);
    if (r->kind == GATEWAY_CLOSED)
        put_closed(r, out);
    else
        put_decision(r, out);
    events_end(ev);
}

static void tell(struct events *ev, const struct gateway_record *r)
{
    struct buf *out;

    if (r->kind == GATEWAY_LOST) {
        events_lost(ev, r->lost < UINT32_MAX ? r->lost : UINT32_MAX, "gateway");
    } else if (r->kind == GATEWAY_PUBLISHED) {
        out = events_begin(ev, EVENT_IS_PUBLISHED);
        event_put_number(out, EVENT_GUEST, r->forward.guest);
        event_put_number(out, EVENT_HOST, r->forward.host);
        events_end(ev);
    } else if (r->kind == GATEWAY_LIMIT) {
        out = events_begin(ev, EVENT_LIMITED);
        event_put_text(out, EVENT_OF, r->other);
        events_end(ev);
    } else if (gateway_is_denial(r)) {
        out = events_begin(ev, EVENT_DENIED);
        put_decision(r, out);
        events_end(ev);
    } else if (r->kind == GATEWAY_DECIDED || r->kind == GATEWAY_CLOSED) {
        tell_connection(ev, r);
    }
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
    if (gateway_is_denial(rec))
        keep(r, rec);
    if (rec->kind == GATEWAY_PUBLISHED)
        keep_published(r, rec);
    if (rec->kind == GATEWAY_LOST)
        r->lost +=
            rec->lost_denials < UINT32_MAX ? rec->lost_denials : UINT32_MAX;
    if (rec->kind == GATEWAY_LIMIT && rec->limit && rec->limit <= LIMIT_COUNT)
        r->reached[rec->limit - 1]++;
    if (r->events)
        tell(r->events, rec);
}

uint64_t net_report_count(const struct net_report *r)
{
    uint64_t n = r->more + r->lost + (r->others ? denials_count(r->others) : 0);

    for (size_t i = 0; i < r->ndenials; i++)
        n += r->denial[i].count;
    return n;
}

uint64_t net_report_left(const struct net_report *r)
{
    return r->more + r->lost + (r->others ? r->others->more : 0);
}

static bool has_others(const struct net_report *r)
{
    return r->others && r->others->n;
}

void net_report_list(const struct net_report *r, struct buf *out)
{
    struct buf rest = { .max = out->max };

    buf_putc(out, '[');
    for (size_t i = 0; i < r->ndenials; i++) {
        buf_puts(out, i ? ",{" : "{");
        event_put_kind(out, EVENT_DENIED);
        put_decision(&r->denial[i].record, out);
        event_put_number(out, EVENT_COUNT, r->denial[i].count);
        buf_putc(out, '}');
    }
    if (has_others(r))
        denials_json(r->others, &rest);
    /* A comma only between two. */
    if (rest.len)
        buf_puts(out, rest.data + !r->ndenials);
    buf_drop(&rest);
    buf_putc(out, ']');
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
    if (r->ndenials || has_others(r)) {
        buf_puts(out, ",\"denials\":");
        net_report_list(r, out);
    }
    if (net_report_left(r))
        buf_printf(out, ",\"denialsNotListed\":%llu",
                   (unsigned long long)net_report_left(r));
    if (r->accesses)
        accesses_json(r->accesses, out);
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

    if (r->others)
        denials_text(r->others, out);
    if (r->accesses)
        accesses_text(r->accesses, out);
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
