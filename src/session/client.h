/* client.h - what a caller does with a session.
 *
 * The state of a session is asked for where it is: a holder that listens, or
 * none.  Nothing that lies in its directory is believed to run. */
#ifndef MXC_SESSION_CLIENT_H
#define MXC_SESSION_CLIENT_H

#include "session/dir.h"
#include "session/narrow.h"
#include "session/talk.h"

enum session_state {
    SESSION_PROVISIONED = 0,
    SESSION_STARTED,
    SESSION_STALE /* its holder is gone, and did not say so */
};

/* The state, and a connection to the holder of a started one.  1, and why: it
 * is started, but takes no connection. */
int session_look_up(const struct session_dir *d, enum session_state *state,
                    int *conn, struct err *e);

/* A connection to a started session: else ERR_NOT_STARTED or ERR_STALE_ID. */
int session_connect(const struct session_dir *d, int *conn, struct err *e);

/* Start a locked one.  `launcher` is the path of mxc-launch, beside which the
 * holder lies. */
int session_start(const struct session_dir *d, const char *launcher,
                  struct err *e);

/* Stop a locked one that is started: ERR_ALREADY_STOPPED, ERR_STALE_ID. */
int session_stop(const struct session_dir *d, uint64_t grace_ms, struct err *e);

/* Has somebody else locked it for as long as this? */
enum { SESSION_BUSY_MS = 2000 };
bool session_is_busy(const struct session_dir *d);

/* End a start that goes on, which has it locked: 1; 0 where there is none. */
int session_end_start(const struct session_dir *d, struct err *e);

/* From every state to none; locked. */
int session_deprovision(struct session_dir *d, uint64_t grace_ms,
                        struct err *e);

/* ASK_PAUSE, ASK_RESUME. */
int session_order(const struct session_dir *d, enum ask_what what,
                  struct err *e);

/* What its holder knows; with `conn` from session_look_up.  *holder is the
 * holder's pid.  -1: it has ended meanwhile; 1: it has not, and does not
 * answer, or as another version does. */
int session_inspect(int conn, struct look *out, pid_t *holder, struct err *e);

/* --- commands (exec.c) -----------------------------------------------------
 */

struct session_limit {
    int resource;
    uint64_t value;
};

struct session_command {
    const char *const *arg;
    size_t nargs;
    const char *const *env; /* KEY=VALUE, over the session's */
    size_t nenv;
    const char *cwd; /* absolute and clean, inside; NULL: the session's */
    const struct narrow_path *path;
    size_t npaths;
    const struct session_limit *limit;
    size_t nlimits;
    uint64_t timeout_ms;
    bool no_network;
    bool only_env; /* nothing of the session's environment */
    bool no_halts; /* SAY_HALTED is not wanted */
    bool no_start; /* nor is SAY_STARTED, without a terminal */
    bool tty;
    uint16_t rows, columns; /* of it */
    bool has_program;       /* which is this, and not what arg[0] names */
    int program;
};

/* "cpu, files, ..." */
const char *session_limit_names(void);

/* What an arena for that may take, and the least that it does: little, so that
 * the heap of who calls often neither grows nor is given back each time. */
enum { SESSION_COMMAND_MAX = 64 << 20, SESSION_COMMAND_BLOCK = 16384 };

/* Its limits, into its plan.  One that this user's processes escape is
 * refused. */
struct plan;
int session_command_limits(const struct session_command *c, struct arena *a,
                           struct plan *p, struct err *e);

/* The command's own plan, packed, in the arena. */
int session_command_plan(struct arena *a, const struct plan_view *session,
                         const struct session_command *c, void **bytes,
                         size_t *len, struct err *e);

/* Hand it to the holder, with three streams (unless it has a terminal). */
int session_command_send(int conn, const struct session_command *c,
                         const void *bytes, size_t len, const int streams[3],
                         struct err *e);

/* The next word about it.  *master is the terminal, or -1.  Its end without a
 * last word is an error. */
int session_command_hear(int conn, struct say *out, int *master, struct err *e);

/* The same as talk_receive has it; *fd is taken where *n is 1. */
ssize_t session_command_receive(int conn, struct say *out, int *fd, size_t *n,
                                int flags);

/* How it ended, of SAY_ENDED. */
struct result;
void session_command_result(const struct say *s, struct result *out);

/* Nothing has run, for a reason that is in *e: a better one, where the session
 * is not started (any more), or gone. */
void session_command_explain(const struct session_dir *d, struct err *e);

#endif
