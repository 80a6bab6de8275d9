/* look.h - what there is to see of sessions: state, commands, processes. */
#ifndef MXC_SESSION_LOOK_H
#define MXC_SESSION_LOOK_H

#include "base/buf.h"
#include "session/client.h"

/* One session, as far as it can be told. */
struct session_seen {
    char id[SESSION_ID_MAX];
    const char *backend;
    const char *state; /* provisioned, started, paused, stale */
    struct session_facts facts;
    struct look look; /* of a started one */
    pid_t holder;     /* 0: none */
};

/* -1 also where its holder does not answer, or in words of another version's:
 * *out then says that it is started, and by whom it is held. */
int session_see(const struct session_dir *d, struct session_seen *out,
                struct err *e);

static inline bool session_has_answered(const struct session_seen *s)
{
    return s->look.version != 0;
}

/* As JSON: the object's first members, without its end. */
void session_seen_members(const struct session_seen *s, struct buf *out);

/* ,"provisioned":{...}: what its policy came to. */
void session_policy_member(const struct session_dir *d, struct buf *out);

/* Each of the caller's, opened (and, with `lock`, locked); stops at the first
 * that fails.  One that goes meanwhile, or that another has locked, is passed
 * over. */
int session_each(const char *runtime, bool lock,
                 int (*each)(void *context, struct session_dir *d,
                             struct err *e),
                 void *context, struct err *e);

/* --- processes (processes.c) ---------------------------------------------- */

struct session_process {
    pid_t pid, parent; /* on the host */
    pid_t inside;
    char state; /* as in proc(5) */
    bool is_ours;
    char name[32];
};

/* Of the host, not of one session. */
enum { SESSION_PROCESSES = 32768 };

/* Those of the sandbox that this holder holds, first init's children: how
 * many of `p`, which has room for SESSION_PROCESSES. */
size_t session_processes(pid_t holder, struct session_process *p);

/* The number of that init, or 0; `p` as before. */
pid_t session_init(pid_t holder, struct session_process *p);

/* ,"processes":[...] */
void session_processes_member(const struct session_process *p, size_t n,
                              struct buf *out);

#endif
