/* dir.h - where sessions are kept: one directory for each, below a root that
 * is the caller's alone: "mxc" in the runtime directory, which is
 * $XDG_RUNTIME_DIR or, NULL here, the usual one.
 *
 *     session    what it is, JSON
 *     plan       the packed plan
 *     request    the request, where there was one
 *     clauses    where its places come from (api/clauses.h)
 *     running    who holds it, JSON; there while it is started
 *     control    the holder's socket
 *     log        what the holder had to say
 *     events     the same for programs, in lines (docs/events.md)
 *     layer      what it keeps of its workload's files (layer.h)
 *     freezer    the control group of what was paused (hold/freezer.h)
 *
 * A directory appears and goes by rename(2), whole.  Who changes a session
 * locks its directory (flock(2)). */
#ifndef MXC_SESSION_DIR_H
#define MXC_SESSION_DIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "plan/plan.h"
#include "session/id.h"

#define SESSION_FREEZER "freezer"

enum { SESSION_VERSION = 1, SESSION_BOOT_MAX = 40 };

struct session_dir {
    int root;
    int fd;
    char name[SESSION_NAME_MAX];
};

#define SESSION_DIR_NONE                                                       \
    {                                                                          \
        .root = -1, .fd = -1                                                   \
    }

/* What was said at its provision. */
struct session_facts {
    uint64_t created_ms; /* of the wall clock */
    uint64_t idle_ms;    /* 0: it may be idle for ever */
    uint64_t age_ms;     /* 0: it may get as old as it likes */
    char layer[16];      /* what it keeps, or "" */
    bool is_throwaway;   /* nobody comes back to it: gc takes it */
    /* Of one that is not made yet; "": any of the native backend's. */
    char name[SESSION_NAME_MAX];
    const struct buf *clauses;
};

/* Who holds it. */
struct session_holder {
    pid_t pid;
    uint64_t start; /* field 22 of /proc/PID/stat */
    uint64_t since_ms;
    char boot[SESSION_BOOT_MAX];
};

/* The path of the root: 0, or -1 and why there is none. */
int session_root_path(const char *runtime, char *out, size_t size,
                      struct err *e);

/* Open it.  Without `create`, *out is -1 where there is none. */
int session_root(const char *runtime, bool create, int *out, struct err *e);

/* A new name, so that a plan can speak of the place. */
int session_new_hex(char out[SESSION_HEX + 1], struct err *e);

/* Make one, locked.  Its plan is checked by whoever reads it. */
int session_dir_new(const char *runtime, const struct session_facts *f,
                    const void *plan, size_t len, const char *request,
                    size_t request_len, struct session_dir *out, struct err *e);

/* The files of its clauses, and of its events: no more than so many bytes, but
 * for the last lines. */
#define SESSION_CLAUSES "clauses"
#define SESSION_EVENTS  "events"
enum { SESSION_EVENTS_ROOM = 4 << 20 };

/* Open one by its id: ERR_STALE_ID where there is none.  With `lock`, wait for
 * whoever changes it. */
int session_dir_open(const char *runtime, const char *id, bool lock,
                     struct session_dir *out, struct err *e);
void session_dir_close(struct session_dir *d);

/* Is its name still that of what was opened? */
bool session_dir_is_there(const struct session_dir *d);

/* ERR_STALE_ID: there is none of that id. */
int session_dir_stale(const char *id, struct err *e);

/* Remove the control group that SESSION_FREEZER names: a holder that was killed
 * could not. */
void session_freezer_remove(const struct session_dir *d);

/* Remove it, locked before. */
int session_dir_remove(struct session_dir *d, struct err *e);

/* A directory of files; what is being made or removed has such a name. */
#define SESSION_NEW  ".new-"
#define SESSION_GONE ".gone-"
int session_remove_tree(int root, const char *name);

/* Remove what never became a session, or is none any more: how many. */
int session_sweep(int root);

/* Read what a file of it holds; ENOENT is *text NULL. */
int session_read(const struct session_dir *d, struct arena *a, const char *name,
                 size_t max, const char **text, size_t *len, struct err *e);
int session_facts(const struct session_dir *d, struct session_facts *out,
                  struct err *e);

/* False when there is no such record. */
int session_holder(const struct session_dir *d, bool *has_one,
                   struct session_holder *out, struct err *e);
int session_holder_write(int dir, const struct session_holder *h,
                         struct err *e);

/* mkdirat(2) with this mode, whatever the caller's umask is. */
int session_mkdir(int at, const char *name, unsigned mode);

/* A file of a session, written whole or not at all. */
int session_write(int dir, const char *name, const void *data, size_t len,
                  struct err *e);

/* Map the plan of that kind (PLAN_*) in a directory for reading: 1 when it
 * cannot be understood. */
int session_map_plan(int dir, uint32_t kind, struct plan_view *out,
                     struct err *e);

/* Map its plan for reading, until it is dropped. */
int session_plan(const struct session_dir *d, struct plan_view *out,
                 struct err *e);
void session_plan_drop(struct plan_view *v);

void session_boot(char out[SESSION_BOOT_MAX]);
uint64_t session_wall_ms(void);

/* Field 22 of /proc/PID/stat: 0 when there is no such process. */
uint64_t session_start_of(pid_t pid);

#endif
