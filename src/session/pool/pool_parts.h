/* pool_parts.h - what the files of mxc-pool share.
 *
 * The keeper counts, and starts a slot for every sandbox that is missing.  A
 * slot holds one sandbox at a time, is claimed, sees the command to its end,
 * and makes the next one, if it is told to. */
#ifndef MXC_SESSION_POOL_PARTS_H
#define MXC_SESSION_POOL_PARTS_H

#include "session/pool.h"
#include "supervise/supervise.h"

/* Descriptors that a slot is started with. */
enum { SLOT_PLAN = 0, SLOT_DOOR, SLOT_KEEPER, SLOT_FDS };

enum pool_word {
    WORD_NONE = 0,
    /* from a slot */
    WORD_READY,
    WORD_BUSY,   /* it was claimed, and will be for some time */
    WORD_ENDED,  /* was_claimed; else err: the sandbox ended by itself */
    WORD_FAILED, /* err: no sandbox could be made */
    WORD_KILLED, /* err: a part of it was killed while it was made */
    /* to it */
    WORD_AGAIN, /* make another */
    WORD_STOP   /* grace_ms */
};

struct pool_record {
    uint32_t word;
    uint32_t was_claimed;
    uint64_t grace_ms;
    struct err err;
};

/* A command that takes longer leaves its place to another sandbox; until then
 * the keeper sleeps, and making one would be in the command's way. */
enum { SLOT_SHORT_MS = 10 };

int keeper_main(const char *launcher, const char *temp, const char *name);
int slot_main(const char *launcher, const char *mounts);

/* What both do (main.c). */
bool pool_is_owner(int fd);
int pool_rest_streams(struct err *e);

#endif
