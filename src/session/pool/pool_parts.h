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
    WORD_CLAIMED,
    WORD_ENDED,  /* err, where the sandbox ended by itself: unclaimed */
    WORD_FAILED, /* err: no sandbox could be made */
    /* to it */
    WORD_AGAIN, /* make another */
    WORD_STOP   /* grace_ms */
};

struct pool_record {
    uint32_t word;
    uint32_t zero;
    uint64_t grace_ms;
    struct err err;
};

int keeper_main(const char *launcher, const char *temp, const char *name);
int slot_main(const char *launcher);

/* What both do (main.c). */
uint64_t pool_now_ms(void);
bool pool_is_owner(int fd);
int pool_rest_streams(struct err *e);

#endif
