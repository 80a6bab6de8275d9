/* json.h - strict JSON text (RFC 8259) to a tree in an arena.
 *
 * Every node knows the byte where it began, so that whoever judges the
 * document can point at the fault.  Numbers keep their text: 1.0, 1e0 and a
 * 400-digit integer stay what they are until someone asks for an integer.
 * Strings may hold NUL; keys may repeat: both are for the caller to judge. */
#ifndef MXC_BASE_JSON_H
#define MXC_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum json_type {
    JSON_NULL = 0,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* Arrays and objects inside each other, the outermost counted. */
#define JSON_MAX_DEPTH 127

struct json {
    struct json *next; /* sibling, in the order of the text */
    union {
        struct json *first; /* array, object */
        const char *text;   /* string, number; not NUL-terminated */
    };
    const char *key; /* member of an object; not NUL-terminated */
    uint32_t len;    /* bytes of text, or number of children */
    uint32_t key_len;
    uint32_t pos;     /* byte offset of the value */
    uint32_t key_pos; /* byte offset of the key, else of the value */
    enum json_type type;
    bool truth; /* the value of a boolean */
};

/* Nodes live in the arena and borrow from the text.  On failure *e has line
 * and column. */
int json_parse(struct arena *a, const char *text, size_t len, struct json **out,
               struct err *e);

/* The first member of that name, or NULL (also for what is no object). */
const struct json *json_get(const struct json *v, const char *key);

/* Follow a path such as "a.b[0].c"; NULL when it leads nowhere. */
const struct json *json_at(const struct json *root, const char *path);

/* Whether the value is exactly this string. */
bool json_is(const struct json *v, const char *s);

/* -EINVAL for what is not written as an integer (1.0, 1e3, -0, "1"), -ERANGE
 * for one below 0 or above 2^64-1. */
int json_u64(const struct json *v, uint64_t *out);

/* "null", "a string", ...: for messages. */
const char *json_type_name(enum json_type type);

/* The tree as text, two spaces deeper at each level, a newline at the end.
 * Numbers stand as they were written. */
void json_print(struct buf *b, const struct json *v);

/* Line and column, both from 1 and in bytes, of a byte offset. */
void json_place(const char *text, size_t len, size_t pos, unsigned *line,
                unsigned *column);

#endif
