/* event.h - what a stream of events can say: one table of kinds and fields.
 *
 * A line of the stream is one JSON object.  The writer (supervise/events.c)
 * puts its fields by these names, the schema is printed from the same table.
 * Values of the kind "text" may come from the sandbox: they are made
 * harmless and cut here, wherever they are put. */
#ifndef MXC_BASE_EVENT_H
#define MXC_BASE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Bytes of one text as it is written, quotes and JSON's escapes left out. */
enum { EVENT_TEXT_MAX = 1024 };

/* Bytes of a caller's own word for a run. */
enum { EVENT_ID_MAX = 128 };

/* X(id, "name", type, doc): type is TEXT, WORD (one of ours), COUNT (an
 * integer from 0 on), INTEGER or TRUTH. */
#define EVENT_FIELDS(X)                                                        \
    X(EVENT, "event", WORD, "The kind of this event.")                         \
    X(SEQ, "seq", COUNT,                                                       \
      "Number of the event in its stream, from 1; a gap takes the numbers "    \
      "of what is missing.")                                                   \
    X(TIME, "timeMs", COUNT, "Milliseconds since 1970.")                       \
    X(MONOTONIC, "monotonicUs", COUNT,                                         \
      "Microseconds of CLOCK_MONOTONIC, which is never set back.")             \
    X(CORRELATION, "correlationId", TEXT, "The caller's word for the run.")    \
    X(BACKEND, "backend", WORD, "What contains the workload.")                 \
    X(TIER, "tier", WORD, "How strong that is.")                               \
    X(CONTAINER, "containerId", TEXT, "The request's name of the sandbox.")    \
    X(COMMAND, "command", TEXT, "The program that is run.")                    \
    X(ID, "id", COUNT, "Number of a connection or flow.")                      \
    X(STATE, "state", WORD,                                                    \
      "Of a connection: allowed (it may begin), failed (the peer or the "      \
      "network did), closed.  Of a wall: held, not tried.")                    \
    X(WHAT, "what", WORD, "What was tried.")                                   \
    X(PROTOCOL, "protocol", WORD, "tcp, udp or icmp.")                         \
    X(NAME, "name", TEXT, "The host name that was asked for.")                 \
    X(ADDRESS, "address", TEXT, "The address of the peer.")                    \
    X(PORT, "port", COUNT, "The port of the peer.")                            \
    X(QUERY_TYPE, "queryType", COUNT, "Number of the DNS type.")               \
    X(ASKED, "asked", TEXT, "What TLS or HTTP named instead.")                 \
    X(PATH, "path", TEXT, "The path, as the program named it.")                \
    X(RESOLVED, "resolved", TEXT, "Where the path leads.")                     \
    X(OPERATION, "operation", WORD, "What was to be done with it.")            \
    X(CALL, "call", WORD, "The system call.")                                  \
    X(MECHANISM, "mechanism", WORD, "What refused it, or holds the clause.")   \
    X(PROCESS, "process", TEXT, "Name of the process.")                        \
    X(PID, "pid", COUNT, "Its number inside of the sandbox.")                  \
    X(REASON, "reason", WORD, "Why, as a word for programs.")                  \
    X(RULE, "rule", TEXT, "The clause of the policy that decided.")            \
    X(ERRNO, "errno", WORD, "What the program was told.")                      \
    X(ALLOWABLE, "allowable", TRUTH, "Whether a policy can allow it.")         \
    X(CLAUSE, "clause", TEXT,                                                  \
      "Of a refusal the smallest clause that would allow it; of a wall the "   \
      "clause of the receipt.")                                                \
    X(LOST, "lost", TRUTH, "It is in the sandbox's memory, and gone with it.") \
    X(SECRET, "secret", TRUTH, "That would show what may be a secret.")        \
    X(MESSAGE, "message", TEXT, "A sentence, for people and models.")          \
    X(HINT, "hint", TEXT, "The option of mxc that would allow it.")            \
    X(SENT, "sent", COUNT, "Bytes of the workload's.")                         \
    X(RECEIVED, "received", COUNT, "Bytes to the workload.")                   \
    X(DURATION, "durationMs", COUNT, "Milliseconds that it took.")             \
    X(GUEST, "guest", COUNT, "The workload's port.")                           \
    X(HOST, "host", COUNT, "The port of this host's 127.0.0.1.")               \
    X(OF, "of", WORD, "Which limit.")                                          \
    X(COUNT, "count", COUNT, "How many.")                                      \
    X(OUTCOME, "outcome", WORD, "How it ended.")                               \
    X(EXIT_CODE, "exitCode", INTEGER, "The exit code.")                        \
    X(SIGNAL, "signal", COUNT, "The signal that ended it.")                    \
    X(DENIALS, "denials", COUNT, "How often something was refused.")

enum event_field {
#define X(id, name, type, doc) EVENT_##id,
    EVENT_FIELDS(X)
#undef X
        EVENT_NFIELDS
};

enum event_kind {
    EVENT_VERIFIED = 0,
    EVENT_STARTED,
    EVENT_DENIED,
    EVENT_ACCESS,
    EVENT_LIMITED,
    EVENT_WARNING,
    EVENT_CONNECTION,
    EVENT_IS_PUBLISHED,
    EVENT_GAP,
    EVENT_EXITED,
    EVENT_NKINDS
};

const char *event_kind_name(enum event_kind kind);

/* Can it be a caller's word for a run: 1 to EVENT_ID_MAX bytes of UTF-8 that
 * can all be seen. */
bool event_id_is_fine(const char *id);

/* Whether a line of a kind has a field, and whether always. */
bool event_may(enum event_kind kind, enum event_field field);
bool event_must(enum event_kind kind, enum event_field field);

/* "event":"denied" - without a comma before it: an object's first member. */
void event_put_kind(struct buf *out, enum event_kind kind);

/* ,"name":value */
void event_put_text(struct buf *out, enum event_field field, const char *value);
void event_put_number(struct buf *out, enum event_field field, uint64_t value);
void event_put_integer(struct buf *out, enum event_field field, int64_t value);
void event_put_truth(struct buf *out, enum event_field field, bool value);

/* ,"name":value where there is one: not for NULL and "". */
void event_put_some(struct buf *out, enum event_field field, const char *value);

/* JSON Schema (draft 2020-12) of one line, with a newline at the end. */
void event_schema(struct buf *out);

#endif
