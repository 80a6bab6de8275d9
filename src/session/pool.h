/* pool.h - warm sandboxes of one policy: where a pool is kept, what is said to
 * it, and what a caller does with one.
 *
 * A pool is a directory "pool.NAME" beside the sessions, mode 0700, and a
 * process, mxc-pool, that keeps it:
 *
 *     pool       what it is, JSON
 *     plan       the packed plan of its sandboxes (PLAN_WARM)
 *     rules      the paths that it was made with, JSON (api/claim.h)
 *     control    the keeper's socket
 *     door       the socket at which its sandboxes are claimed
 *     log        what the keeper had to say
 *
 * Its keeper has it locked (flock(2)) for as long as it lives.  Each sandbox
 * has a small process of its own, which waits at the door with the others: the
 * kernel gives a connection to one of them, and that is the claim. */
#ifndef MXC_SESSION_POOL_H
#define MXC_SESSION_POOL_H

#include "base/sha256.h"
#include "session/client.h"

enum {
    POOL_VERSION = 1,
    POOL_NAME_MAX = 64, /* bytes */
    POOL_SIZE_MAX = 64, /* ready ones */
    POOL_SLOTS = 256,   /* with those at work */
    POOL_INLINE = 8 * 1024
};

struct pool_facts {
    uint64_t created_ms; /* of the wall clock */
    uint64_t idle_ms;    /* 0: it may be idle for ever */
    uint64_t age_ms;     /* 0: it may get as old as it likes */
    uint32_t size;
    char mounts[SHA256_HEX]; /* pool_mounts, when it was decided */
};

struct pool_dir {
    int root;
    int fd;
    char name[POOL_NAME_MAX + 1];
};

#define POOL_DIR_NONE                                                          \
    {                                                                          \
        .root = -1, .fd = -1                                                   \
    }

/* --- what is said ----------------------------------------------------------
 *
 * To the keeper: struct ask, ASK_STOP and ASK_LOOK; the answers are struct say
 * and pool_look.  To a sandbox: this, once, with three descriptors unless it
 * gets a terminal, and one before them if the plan is too long to come along;
 * then struct ask, ASK_SIGNAL and ASK_KILL.  Its answers are those of a
 * session's holder to a command. */

enum pool_want {
    POOL_NOTHING = 0,
    POOL_TAKE, /* it is ours now, and the rest follows: SAY_DONE */
    POOL_RUN
};

struct pool_ask {
    uint32_t version;
    uint32_t want;
    int32_t size; /* of a terminal: rows * 65536 + columns; 0: none */
    uint32_t len; /* of the plan behind this; 0: it is a descriptor */
    uint32_t flags;
    uint32_t zero;
    uint64_t timeout_ms;
};

enum {
    POOL_NO_HALTS = 1,   /* SAY_HALTED is not wanted */
    POOL_TELL_START = 2, /* SAY_STARTED is, without a terminal too */
    POOL_ALL_FLAGS = POOL_NO_HALTS | POOL_TELL_START
};

/* Before SAY_ENDED, where there is something to tell: number is its size, the
 * descriptor what the network refused, members of the result and, behind a
 * NUL, text for people. */
enum { POOL_SAY_REPORT = 100 };

struct pool_look {
    uint32_t version;
    uint32_t what; /* SAY_LOOK */
    uint32_t size, ready, making, busy;
    uint64_t age_ms;
    uint64_t idle_ms; /* 0: it is at work */
    uint64_t claims;  /* so far */
    uint64_t failures;
    struct err
        err; /* why the last sandbox could not be made, if it could not */
};

/* --- directories (pool.c) --------------------------------------------------
 */

/* Is it a name?  Letters, digits, and inside of it "." "-" "_". */
int pool_check_name(const char *name, struct err *e);

/* Call it with the name of each pool that has a directory here. */
int pool_each(int root, void (*each)(void *context, const char *name),
              void *context, struct err *e);

/* ERR_STALE_ID where there is none. */
int pool_open(const char *runtime, const char *name, struct pool_dir *out,
              struct err *e);
void pool_close(struct pool_dir *d);
int pool_facts(const struct pool_dir *d, struct pool_facts *out, struct err *e);
int pool_plan(const struct pool_dir *d, struct plan_view *out, struct err *e);

/* What the host has mounted at and below the paths that the plan grants: the
 * decision about them was one about that, too. */
int pool_mounts(const struct plan_view *plan, char out[SHA256_HEX],
                struct err *e);
int pool_check_mounts(const struct plan_view *plan, const char *then,
                      struct err *e);

/* A file of it; ENOENT is *text NULL. */
int pool_read(const struct pool_dir *d, struct arena *a, const char *name,
              size_t max, const char **text, size_t *len, struct err *e);

/* Remove what its keeper, that is gone, has left.  False: it is kept. */
bool pool_sweep(int root, const char *name);

/* --- its life (pool_client.c) ----------------------------------------------
 */

struct pool_start {
    const char *runtime;  /* as of session_root */
    const char *name;     /* NULL: one is made up */
    const char *launcher; /* path of mxc-launch, beside which mxc-pool lies */
    struct pool_facts facts;
    const void *plan;
    size_t plan_len;
    const char *rules;
};

/* Returns when all of it is ready; *name is what it is called.  The pool stays
 * once pool_told says that its user knows that name; its keeper gives it up if
 * *word is closed, or this process ends, without that. */
int pool_start(const struct pool_start *s, char name[POOL_NAME_MAX + 1],
               int *word, struct err *e);
void pool_told(int *word);
int pool_look(const struct pool_dir *d, struct pool_look *out, pid_t *keeper,
              struct err *e);
int pool_stop(const struct pool_dir *d, uint64_t grace_ms, struct err *e);

/* What there is to see of it as JSON, an object's members without its end, and
 * as numbers, where its keeper answers. */
enum pool_seen { POOL_UP, POOL_SILENT, POOL_GONE };
enum pool_seen pool_members(const struct pool_dir *d, struct pool_look *look,
                            struct buf *out);

/* --- a claim (pool_claim.c) ------------------------------------------------
 */

/* `c`, without paths, and steps that were made for it: packed, in the arena. */
struct pool_extra {
    const struct step *step;
    size_t n;
    uint32_t flags;
};
int pool_claim_plan(struct arena *a, const struct session_command *c,
                    const struct pool_extra *extra, void **bytes, size_t *len,
                    struct err *e);

/* A connection to the door; it may have to wait there for a sandbox.  With
 * wait_ms >= 0 at most so long, and *conn is -1 when there was none.  When
 * `cancel` (or -1) is readable before, it is given up: nothing comes of it. */
int pool_connect(const struct pool_dir *d, int64_t wait_ms, int cancel,
                 int *conn, struct err *e);

/* Hand it over, with three streams (unless it has a terminal).  flags:
 * POOL_TELL_START. */
int pool_claim_send(int conn, const struct session_command *c,
                    const void *bytes, size_t len, uint32_t flags,
                    const int streams[3], struct err *e);

/* The next word about it, and a descriptor that comes along or -1. */
int pool_hear(int conn, struct say *out, int *fd, struct err *e);

#endif
