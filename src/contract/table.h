/* table.h - the wire contract as data: one row per field, one table per
 * object, one root per kind of request.
 *
 * Parser, JSON Schema and fuzz dictionary read the same rows, so that they
 * cannot drift apart.  A row says in which contracts it exists; what a row
 * does not say is a check across fields and stands in check.c. */
#ifndef MXC_CONTRACT_TABLE_H
#define MXC_CONTRACT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "contract/request.h"

/* Sets of contracts. */
#define IN(c)    (1u << (c))
#define IN_06    IN(CONTRACT_0_6_0_ALPHA)
#define IN_07    IN(CONTRACT_0_7_0_ALPHA)
#define IN_08    IN(CONTRACT_0_8_0_ALPHA)
#define IN_09    IN(CONTRACT_0_9_0_ALPHA)
#define IN_010   IN(CONTRACT_0_10_0_ALPHA)
#define IN_10    IN(CONTRACT_1_0_0)
#define IN_11    IN(CONTRACT_1_1_0_ALPHA)
#define IN_C1    IN(CONTRACT_1_1_0_C1)
#define SINCE_11 (IN_11 | IN_C1)
#define SINCE_09 (IN_09 | IN_010 | IN_10 | SINCE_11)
#define SINCE_08 (IN_08 | SINCE_09)
#define SINCE_07 (IN_07 | SINCE_08)
#define IN_ALL   (IN_06 | SINCE_07)
/* What a development contract has and the published one beside it lacks. */
#define IN_DEV (IN_010 | SINCE_11)
/* Host lists and a proxy below `network`. */
#define IN_LEGACY (IN_06 | IN_07 | IN_08)
/* Second names of backends and their sections. */
#define IN_ALIAS (IN_LEGACY | IN_09 | IN_010)

enum kind {
    K_ANY = 0, /* any JSON, not looked at */
    K_VERSION, /* judged before the walk; constant in a schema */
    K_PHASE,   /* the same */
    K_BACKEND, /* `containment` of a provision request: the same */
    K_BOOL,
    K_NOT,  /* boolean, stored negated so that zero is strict */
    K_STR,  /* arg: struct format, or NULL */
    K_STRS, /* array of those */
    K_ENUM, /* arg: struct choice[] */
    K_U32,
    K_U64,
    K_PORT, /* 1-65535 */
    K_OBJ,  /* arg: struct object; same target struct */
    K_OBJS  /* array; arg: struct object with a size */
};

enum {
    F_REQUIRED = 1 << 0,
    F_FILLED = 1 << 1,          /* array: at least one element */
    F_EMPTY_IS_ABSENT = 1 << 2, /* string: "" is stored as NULL */
    F_POSITIVE = 1 << 3,        /* number: at least 1 */
    F_PORT = 1 << 4,            /* number: at most 65535 */
    F_TRUE = 1 << 5             /* boolean: never false */
};

/* Offset of what is checked and not kept. */
#define NOWHERE UINT16_MAX

struct choice {
    const char *name; /* NULL ends the list */
    int value;
    unsigned in; /* 0: wherever the field is */
};

/* A rule for the text of a string. */
struct format {
    const char *pattern; /* for the schema, or NULL */
    unsigned min_length; /* for the schema */
    /* NULL when it holds, else what is wrong. */
    const char *(*wrong)(const char *text);
};

struct field {
    const char *name; /* NULL ends the table */
    enum kind kind;
    unsigned in;
    unsigned flags;
    uint16_t off; /* where the value goes; K_OBJ: presence */
    const void *arg;
    const char *doc; /* one sentence: the schema's description */
    uint16_t count;  /* K_OBJS: where the length goes */
    uint16_t seen;   /* where presence goes as well, or 0 */
};

/* A field of former contracts, and what says the same thing now. */
struct moved {
    const char *name; /* NULL ends the list */
    const char *now;
};

struct object {
    const char *name; /* key in the schema's $defs */
    const struct field *fields;
    size_t size; /* of an element, when in a list */
    const struct moved *moved;
};

struct root {
    unsigned in;
    enum phase phase;
    enum containment containment; /* PHASE_PROVISION only */
    const struct object *object;
};

/* The root for a request, or NULL. */
const struct root *root_find(enum contract c, enum phase p, enum containment k);
/* All of them, ended by one with no object. */
extern const struct root roots[];

/* The value that a name has in a list, for this contract; -1: none. */
int choice_find(const struct choice *list, enum contract c, const char *name,
                size_t len);

extern const struct choice contract_names[];
extern const struct choice phase_names[];
extern const struct choice containment_names[];
extern const struct choice tier_names[];
extern const struct choice layer_names[];

#endif
