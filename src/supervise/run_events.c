/* run_events.c - see run_events.h. */
#include "supervise/run_events.h"

#include <string.h>

#include "base/json.h"

enum { ARENA_MAX = 4 << 20 };

/* The receipt is made of members, without the object around them. */
static const struct json *read_receipt(struct arena *a,
                                       const struct plan_view *plan)
{
    const char *text = arena_printf(a, "{%s}", plan->head.receipt);
    struct json *doc;
    struct err e;

    if (!text || json_parse(a, text, strlen(text), &doc, &e) < 0)
        return NULL;
    return doc;
}

static const struct json *member(const struct json *doc, const char *name)
{
    return doc ? json_get(doc, name) : NULL;
}

static const char *text_of(struct arena *a, const struct json *doc,
                           const char *name)
{
    const struct json *v = name ? member(doc, name) : doc;

    return v && v->type == JSON_STRING ? arena_strndup(a, v->text, v->len)
                                       : NULL;
}

void run_events_open(struct events *ev, int fd, const struct plan_view *plan)
{
    struct arena a = { .limit = ARENA_MAX };
    const struct json *doc = fd >= 0 ? read_receipt(&a, plan) : NULL;
    const struct json *list = member(doc, "warnings");

    events_open(ev, fd, text_of(&a, doc, "correlationId"));
    for (const struct json *w = list ? list->first : NULL; w; w = w->next) {
        const char *text = text_of(&a, w, NULL);

        if (!text)
            continue;
        event_put_text(events_begin(ev, EVENT_WARNING), EVENT_MESSAGE, text);
        events_end(ev);
    }
    arena_drop(&a);
}

static const char *first_word(const struct plan_view *plan)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (s.kind == STEP_ARG)
            return s.text;
    }
    return NULL;
}

void run_events_started(struct events *ev, const struct plan_view *plan)
{
    static const struct {
        enum event_field field;
        const char *name;
    } rows[] = { { EVENT_BACKEND, "backend" },
                 { EVENT_TIER, "tier" },
                 { EVENT_CONTAINER, "containerId" } };
    struct arena a = { .limit = ARENA_MAX };
    const struct json *doc;
    struct buf *out;

    if (ev->fd < 0)
        return;
    doc = read_receipt(&a, plan);
    out = events_begin(ev, EVENT_STARTED);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        event_put_some(out, rows[i].field, text_of(&a, doc, rows[i].name));
    event_put_some(out, EVENT_COMMAND, first_word(plan));
    events_end(ev);
    arena_drop(&a);
}

/* A wall that was tried, or why it was not: one row. */
struct wall {
    const char *clause, *by, *reason;
    uint32_t held;
};

/* All-zero: nothing of it was planned. */
static bool is_planned(const struct clause_found *f)
{
    return f->held || f->reason;
}

static bool has_tried(const struct verified *walls)
{
    for (int c = 0; c < CLAUSE_COUNT; c++)
        if (is_planned(&walls->row[c]))
            return true;
    return false;
}

static struct wall wall_of(const struct verified *walls, int c)
{
    const struct clause_found *f = &walls->row[c];

    return (
        struct wall){ clause_name((enum clause)c), clause_by((enum clause)c),
                      clause_reason((enum clause_reason)f->reason), f->held };
}

static bool has_row(const struct verified *walls, const char *clause)
{
    for (int c = 0; c < CLAUSE_COUNT; c++)
        if (is_planned(&walls->row[c]) &&
            strcmp(clause_name((enum clause)c), clause) == 0)
            return true;
    return false;
}

/* The next clause of the receipt that has no try: from *at on. */
static bool next_untried(const struct verified *walls, struct arena *a,
                         const struct json **at, struct wall *out)
{
    static const char later[] =
        "nothing in the sandbox can try it before its command runs";

    while (*at) {
        const struct json *row = *at;
        const char *clause = text_of(a, row, "clause");
        const char *state = text_of(a, row, "state");
        const bool is_held = state && strcmp(state, "enforced") == 0;

        *at = row->next;
        *out = (struct wall){ .clause = clause,
                              .by = text_of(a, row, "by"),
                              .reason = !state || is_held ? later : state };
        if (clause && out->by && !has_row(walls, clause))
            return true;
    }
    return false;
}

/* Those of the list, then the rest of the receipt; false: no more. */
struct wall_list {
    const struct verified *walls;
    struct arena arena;
    const struct json *rest;
    int c;
};

static void begin_walls(struct wall_list *l, const struct verified *walls,
                        const struct plan_view *plan)
{
    const struct json *rows;

    *l = (struct wall_list){ .walls = walls, .arena = { .limit = ARENA_MAX } };
    rows = member(read_receipt(&l->arena, plan), "receipt");
    l->rest = rows ? rows->first : NULL;
}

static bool next_wall(struct wall_list *l, struct wall *out)
{
    while (l->c < CLAUSE_COUNT) {
        const int c = l->c++;

        if (is_planned(&l->walls->row[c])) {
            *out = wall_of(l->walls, c);
            return true;
        }
    }
    return next_untried(l->walls, &l->arena, &l->rest, out);
}

static const char *state_of(const struct wall *w)
{
    return w->reason[0] ? "not tried" : "held";
}

void run_events_verified(struct events *ev, const struct verified *walls,
                         const struct plan_view *plan)
{
    struct wall_list l;
    struct wall w;

    if (ev->fd < 0)
        return;
    begin_walls(&l, walls, plan);
    while (next_wall(&l, &w)) {
        struct buf *out = events_begin(ev, EVENT_VERIFIED);

        event_put_text(out, EVENT_CLAUSE, w.clause);
        event_put_text(out, EVENT_MECHANISM, w.by);
        event_put_text(out, EVENT_STATE, state_of(&w));
        if (w.held)
            event_put_number(out, EVENT_COUNT, w.held);
        event_put_some(out, EVENT_MESSAGE, w.reason);
        events_end(ev);
    }
    arena_drop(&l.arena);
}

void run_verified_json(const struct verified *walls,
                       const struct plan_view *plan, struct buf *out)
{
    const char *before = ",\"verified\":[";
    struct wall_list l;
    struct wall w;

    if (!has_tried(walls))
        return;
    begin_walls(&l, walls, plan);
    while (next_wall(&l, &w)) {
        buf_printf(out, "%s{\"clause\":", before);
        buf_json(out, w.clause);
        buf_puts(out, ",\"mechanism\":");
        buf_json(out, w.by);
        buf_printf(out, ",\"result\":\"%s\"", state_of(&w));
        if (w.held)
            buf_printf(out, ",\"tries\":%u", (unsigned)w.held);
        if (w.reason[0]) {
            buf_puts(out, ",\"reason\":");
            buf_json(out, w.reason);
        }
        buf_putc(out, '}');
        before = ",";
    }
    buf_putc(out, ']');
    arena_drop(&l.arena);
}

void run_events_exited(struct events *ev, const struct result *r,
                       uint64_t denials)
{
    struct buf *out;

    if (ev->fd < 0)
        return;
    /* What waits goes first, so that there is room for it. */
    events_settle(ev);
    out = events_begin(ev, EVENT_EXITED);
    event_put_text(out, EVENT_OUTCOME, outcome_name(r->outcome));
    event_put_integer(out, EVENT_EXIT_CODE, r->exit_code);
    if (r->outcome == OUTCOME_SIGNALED)
        event_put_number(out, EVENT_SIGNAL, (uint64_t)r->signal);
    event_put_number(out, EVENT_DURATION, r->duration_ms);
    event_put_number(out, EVENT_DENIALS, denials);
    event_put_some(out, EVENT_MESSAGE, r->err.msg);
    events_end(ev);
}
