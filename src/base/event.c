/* event.c - see event.h. */
#include "base/event.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"

enum type { WORD, TEXT, COUNT, INTEGER, TRUTH };

struct event_member {
    const char *name;
    enum type type;
    const char *doc;
};

static const struct event_member fields[] = {
#define X(id, name, type, doc) { name, type, doc },
    EVENT_FIELDS(X)
#undef X
};

#define F(id) (1ull << EVENT_##id)

/* In every line. */
#define HEAD (F(EVENT) | F(SEQ) | F(TIME) | F(MONOTONIC))
#define PEER                                                                   \
    (F(PROTOCOL) | F(NAME) | F(ADDRESS) | F(PORT) | F(QUERY_TYPE) | F(ASKED))
#define DECISION (PEER | F(RULE) | F(ERRNO) | F(HINT))

static const struct event_row {
    const char *name;
    const char *doc;
    uint64_t must, may;
} kinds[EVENT_NKINDS] = {
    [EVENT_VERIFIED] = { "verified", "The sandbox tried a wall of its own.",
                         F(CLAUSE) | F(MECHANISM) | F(STATE),
                         F(COUNT) | F(MESSAGE) },
    [EVENT_STARTED] = { "started", "The workload runs.", 0,
                        F(BACKEND) | F(TIER) | F(CONTAINER) | F(COMMAND) },
    [EVENT_DENIED] = { "denied", "Something was refused.",
                       F(WHAT) | F(REASON) | F(MESSAGE),
                       DECISION | F(PATH) | F(RESOLVED) | F(OPERATION) |
                           F(CALL) | F(MECHANISM) | F(PROCESS) | F(PID) |
                           F(ALLOWABLE) | F(CLAUSE) | F(SECRET) },
    [EVENT_ACCESS] = { "access", "Something that the policy grants was used.",
                       F(WHAT) | F(OPERATION) | F(PATH) | F(RESOLVED),
                       F(CALL) | F(PROCESS) | F(PID) | F(LOST) },
    [EVENT_LIMITED] = { "limit", "A limit was reached.", F(OF),
                        F(MESSAGE) | F(COUNT) },
    [EVENT_WARNING] = { "warning", "What the caller should know.", F(MESSAGE),
                        0 },
    [EVENT_CONNECTION] = { "connection", "What the network was used for.",
                           F(STATE) | F(WHAT),
                           DECISION | F(ID) | F(REASON) | F(MESSAGE) | F(SENT) |
                               F(RECEIVED) | F(DURATION) },
    [EVENT_IS_PUBLISHED] = { "published", "A port of the host is taken.",
                             F(GUEST) | F(HOST), 0 },
    [EVENT_GAP] = { "gap", "Events are missing.", F(COUNT) | F(REASON), 0 },
    [EVENT_EXITED] = { "exited",
                       "The end; the last line, where nothing is missing.",
                       F(OUTCOME) | F(EXIT_CODE) | F(DURATION) | F(DENIALS),
                       F(SIGNAL) | F(MESSAGE) },
};

const char *event_kind_name(enum event_kind kind)
{
    return kinds[kind].name;
}

bool event_id_is_fine(const char *id)
{
    const size_t len = strlen(id);
    uint32_t cp;

    for (size_t at = 0, n; at < len; at += n) {
        n = utf8_decode(id + at, len - at, &cp);
        if (n == 0 || utf8_is_hidden(cp))
            return false;
    }
    return len > 0 && len <= EVENT_ID_MAX;
}

bool event_must(enum event_kind kind, enum event_field field)
{
    return (HEAD | kinds[kind].must) >> field & 1;
}

bool event_may(enum event_kind kind, enum event_field field)
{
    return event_must(kind, field) ||
           (F(CORRELATION) | kinds[kind].may) >> field & 1;
}

/* --- members ---------------------------------------------------------------
 */

static void name(struct buf *out, enum event_field field)
{
    buf_printf(out, ",\"%s\":", fields[field].name);
}

void event_put_kind(struct buf *out, enum event_kind kind)
{
    buf_puts(out, "\"event\":");
    buf_json(out, kinds[kind].name);
}

/* Not in the middle of a character. */
static void cut(struct buf *text)
{
    static const char more[] = "...";
    size_t n = EVENT_TEXT_MAX - (sizeof(more) - 1);

    if (text->len <= EVENT_TEXT_MAX)
        return;
    while (n > 0 && ((unsigned char)text->data[n] & 0xc0) == 0x80)
        n--;
    text->len = n;
    buf_puts(text, more);
}

void event_put_text(struct buf *out, enum event_field field, const char *value)
{
    /* What is shown of a byte is at most "\u{e0001}". */
    struct buf text = { .max = 64 * 1024 };

    buf_shown(&text, value);
    cut(&text);
    name(out, field);
    buf_json(out, text.failed || !text.len ? "" : text.data);
    buf_drop(&text);
}

void event_put_some(struct buf *out, enum event_field field, const char *value)
{
    if (value && value[0])
        event_put_text(out, field, value);
}

void event_put_number(struct buf *out, enum event_field field, uint64_t value)
{
    name(out, field);
    buf_printf(out, "%" PRIu64, value);
}

void event_put_integer(struct buf *out, enum event_field field, int64_t value)
{
    name(out, field);
    buf_printf(out, "%" PRId64, value);
}

void event_put_truth(struct buf *out, enum event_field field, bool value)
{
    name(out, field);
    buf_puts(out, value ? "true" : "false");
}

/* --- the schema ------------------------------------------------------------
 */

static void put_field(struct buf *out, enum event_kind kind,
                      enum event_field field)
{
    static const char *const types[] = {
        [WORD] = "\"type\": \"string\"",
        [TEXT] = "\"type\": \"string\"",
        [COUNT] = "\"type\": \"integer\", \"minimum\": 0",
        [INTEGER] = "\"type\": \"integer\"",
        [TRUTH] = "\"type\": \"boolean\"",
    };
    const struct event_member *f = &fields[field];

    buf_printf(out, "        \"%s\": { ", f->name);
    if (field == EVENT_EVENT)
        buf_printf(out, "\"const\": \"%s\"", kinds[kind].name);
    else
        buf_puts(out, types[f->type]);
    buf_puts(out, ", \"description\": ");
    buf_json(out, f->doc);
    buf_puts(out, " }");
}

static void put_kind(struct buf *out, enum event_kind kind)
{
    const char *before = "";

    buf_printf(out,
               "    \"%s\": {\n      \"description\": \"%s\",\n"
               "      \"type\": \"object\",\n      \"required\": [",
               kinds[kind].name, kinds[kind].doc);
    for (int f = 0; f < EVENT_NFIELDS; f++) {
        if (!event_must(kind, (enum event_field)f))
            continue;
        buf_printf(out, "%s\"%s\"", before, fields[f].name);
        before = ", ";
    }
    buf_puts(out, "],\n      \"additionalProperties\": false,\n"
                  "      \"properties\": {\n");
    before = "";
    for (int f = 0; f < EVENT_NFIELDS; f++) {
        if (!event_may(kind, (enum event_field)f))
            continue;
        buf_puts(out, before);
        put_field(out, kind, (enum event_field)f);
        before = ",\n";
    }
    buf_puts(out, "\n      }\n    }");
}

void event_schema(struct buf *out)
{
    buf_puts(out, "{\n  \"$schema\": "
                  "\"https://json-schema.org/draft/2020-12/schema\",\n"
                  "  \"title\": \"A line of a stream of events of mxc\",\n"
                  "  \"oneOf\": [\n");
    for (int k = 0; k < EVENT_NKINDS; k++)
        buf_printf(out, "    { \"$ref\": \"#/$defs/%s\" }%s\n", kinds[k].name,
                   k + 1 < EVENT_NKINDS ? "," : "");
    buf_puts(out, "  ],\n  \"$defs\": {\n");
    for (int k = 0; k < EVENT_NKINDS; k++) {
        put_kind(out, (enum event_kind)k);
        buf_puts(out, k + 1 < EVENT_NKINDS ? ",\n" : "\n");
    }
    buf_puts(out, "  }\n}\n");
}
