/* mxc.h - run code that nobody should trust, under a policy.
 *
 * This header is the specification of libmxc; what is not here is not part of
 * it.  A request is the JSON text of the contract (mxc.json(5)): what to run
 * and what it may touch.  The library reads it, decides, makes a plan, and
 * hands the plan to a supervisor, a process of its own for each sandbox, found
 * beside the library (../libexec/mxc) or where the options say.
 *
 * What the library does to its process: nothing.  No global state, no signal
 * handler, no SIGCHLD or SIGPIPE, no child that wait(2) would show, no change
 * of working directory, locale, environment or signal mask.  It makes no
 * thread, and calls no fork(2).  (A supervisor belongs to init or the nearest
 * subreaper.  Only where pid 1 buries nobody, as `sleep` in a container, it is
 * a child of this process, so that the dead do not pile up.)
 *
 * Threads: calls on different objects are independent.  Calls on one
 * mxc_sandbox may come from several threads at once; only mxc_sandbox_destroy
 * must be the last.  A sandbox does not end with the thread that spawned it,
 * but with this process: when it exits or crashes, and when it executes another
 * program, unless a child of its fork(2) still holds a copy of the handle.
 *
 * Fork: a child of fork(2) may use nothing but mxc_sandbox_forget on objects
 * of its parent.  Descriptors are close-on-exec.
 *
 * Text is UTF-8 and ends with NUL.  A `char *` that a call gives away is the
 * caller's, to be given to mxc_free.  Every call that can fail returns 0 or
 * -1, and fills *error when it is not NULL; outputs are then untouched, unless
 * its text says otherwise.  Outputs and handles are never NULL, but where it
 * is said.
 *
 * Structures begin with their size, so that they can grow at their end.  Set
 * it, best by the _INIT macros; a structure that a call fills must have at
 * least the size that it has here. */
#ifndef MXC_MXC_H
#define MXC_MXC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MXC_API __attribute__((visibility("default")))
#else
#define MXC_API
#endif

/* "0.1.0": of the library that runs; static. */
MXC_API const char *mxc_library_version(void);

MXC_API void mxc_free(void *p); /* NULL is fine */

/* --- errors ------------------------------------------------------------ */

/* Stable: MXC's status numbers. */
enum {
    MXC_OK = 0,
    MXC_MALFORMED_REQUEST = 1,
    MXC_UNSUPPORTED_CONTAINMENT = 2,
    MXC_UNSUPPORTED_PHASE = 3,
    MXC_BACKEND_UNAVAILABLE = 4,
    MXC_MALFORMED_ID = 5,
    MXC_STALE_ID = 6,
    MXC_NOT_PROVISIONED = 7,
    MXC_NOT_STARTED = 8,
    MXC_ALREADY_STARTED = 9,
    MXC_ALREADY_STOPPED = 10,
    MXC_POLICY_VALIDATION = 11,
    MXC_BACKEND_ERROR = 12
};

/* A value: it owns nothing.  A library that knows more or less fields fills
 * those that both know; with a size of 0 it fills none. */
struct mxc_error {
    size_t size;
    int32_t code;       /* one of the above */
    int32_t system;     /* errno of the call that failed, or 0 */
    uint32_t line;      /* place in the request, from 1; 0: unknown */
    uint32_t column;    /* in bytes */
    char operation[32]; /* the call that failed, as "mount(2)", or "" */
    char where[160];    /* JSON path, as "process.env[3]", or "" */
    char hint[256];     /* what would mend it, or "" */
    char message[512];  /* what happened */
};

#define MXC_ERROR_INIT                                                         \
    {                                                                          \
        sizeof(struct mxc_error), 0, 0, 0, 0, "", "", "", ""                   \
    }

/* "policy_validation" for 11, ...; static; "backend_error" for others. */
MXC_API const char *mxc_error_name(int32_t code);

/* The error object of the contract, {"code":...,"message":...}; NULL without
 * memory. */
MXC_API char *mxc_error_json(const struct mxc_error *error);

/* --- options ------------------------------------------------------------ */

/* How the workload's three streams are made. */
enum {
    MXC_STDIO_NULL = 0,  /* empty input, discarded output */
    MXC_STDIO_PIPE,      /* mxc_sandbox_stdin and so on */
    MXC_STDIO_FDS,       /* stdin_fd and so on; -1: as with _NULL.  Signals
                          * of a terminal's keys reach it, as any child */
    MXC_STDIO_PTY,       /* a terminal; input and output by mxc_sandbox_stdin
                          * and mxc_sandbox_stdout */
    MXC_STDIO_PTY_PIPES, /* the same by pipes; mxc_spawn has no other kind */
    MXC_STDIO_TERMINAL   /* mxc_session_exec: a terminal, and the caller's,
                          * stdin_fd and stdout_fd, in raw mode is its other
                          * side until the command ends */
};

/* NULL, or zeros behind the size: the defaults.  A caller with a shorter or
 * longer structure is served as by the kernel's extensible structures: what is
 * missing is zero, what is unknown must be zero.  What is for mxc_run alone is
 * refused by mxc_spawn, and the other way round; the questions below take
 * both. */
struct mxc_options {
    size_t size;
    const char *libexec;   /* folder of mxc-supervise, from /; NULL: found
                            * relative to this library */
    const char *backend;   /* containment, instead of the request's; or NULL */
    const char *directory; /* from /; stands for the caller's working
                            * directory.  NULL: that is asked for */
    uint32_t stdio;        /* MXC_STDIO_* ; mxc_run captures always */
    int32_t stdin_fd, stdout_fd, stderr_fd; /* borrowed, MXC_STDIO_FDS */
    uint16_t rows, columns;                 /* of a PTY; 0: 24 and 80 */
    uint32_t events;   /* not 0: mxc_sandbox_events gives something */
    uint32_t detached; /* not 0: the sandbox may outlive this process */
    int32_t cancel_fd; /* mxc_run: borrowed; readable, or its other end
                        * closed, means stop now.  0, -1: none */
    size_t output_max; /* mxc_run: bytes of each stream; 0: 64 MiB.  Of more
                        * the first and the last half are kept, and mxc_result
                        * tells how much is left out between them */
    const char *input; /* mxc_run: standard input; NULL: empty */
    size_t input_len;
    const char *runtime;      /* from /; sessions are kept in its "mxc".  NULL:
                               * $XDG_RUNTIME_DIR, else the usual directory */
    uint64_t idle_timeout_ms; /* of a session or pool: stop it when idle for */
    uint64_t max_age_ms;      /* so long, or when so old; 0: never */
    const char *data_home;    /* from /; in mxc/images and mxc/containers below
                               * it is what the backend lxc uses.  NULL: as with
                               * the command, $XDG_DATA_HOME, else
                               * $HOME/.local/share.  Root's is in /var/lib in
                               * any case */
    /* From here on for mxc_run and mxc_spawn alone: sessions, pools and
     * lifecycle requests refuse them. */
    const char *correlation_id; /* your word for this run, at most 128 bytes,
                                 * in every event and in the result; or NULL */
    uint32_t denials;  /* not 0: of files, programs and system calls too the
                        * result tells what was refused (docs/denials.md) */
    uint32_t accesses; /* not 0: that, and what was used of what is granted
                        * (docs/denials.md#what-was-used) */
    uint32_t verify;   /* not 0: the sandbox tries its walls from inside, before
                        * its command starts (docs/verify.md) */
};

#define MXC_OPTIONS_INIT                                                       \
    {                                                                          \
        sizeof(struct mxc_options), NULL, NULL, NULL, MXC_STDIO_NULL, -1, -1,  \
            -1, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, 0, 0, NULL, NULL, 0, 0, 0     \
    }

/* --- looking ------------------------------------------------------------- */

/* Would this request run here?  Reads the host, changes nothing. */
MXC_API int mxc_validate(const char *request, size_t len,
                         const struct mxc_options *options,
                         struct mxc_error *error);

/* What would be enforced, by what: text for people, as `mxc explain` has it. */
MXC_API int mxc_explain(const char *request, size_t len,
                        const struct mxc_options *options, char **text,
                        struct mxc_error *error);

/* The receipt of a run that did not happen: JSON object with "backend",
 * "tier", "warnings" and "receipt" (docs/errors.md). */
MXC_API int mxc_receipt(const char *request, size_t len,
                        const struct mxc_options *options, char **json,
                        struct mxc_error *error);

/* What this host can enforce, as JSON: what `mxc doctor --json` gives, which
 * is asked (../bin/mxc, beside this library). */
MXC_API int mxc_probe(char **json, struct mxc_error *error);

/* --- running -------------------------------------------------------------- */

/* How a workload ended. */
enum {
    MXC_EXITED = 1,  /* by itself: exit_code */
    MXC_SIGNALED,    /* by a signal: exit_code is 128 + signal */
    MXC_TIMED_OUT,   /* the request's timeout; exit_code 124 */
    MXC_KILLED,      /* mxc_sandbox_kill or cancel_fd; exit_code 137 */
    MXC_STOPPED,     /* its policy could not be held any more: 125; or a signal
                      * came while its output waited for a reader: 128+N */
    MXC_NEVER_BEGAN, /* the program could not be executed: 126 or 127 */
    MXC_FAILED,      /* set-up or supervision failed, see the error: 125 */
    MXC_LIMITED      /* a limit ended it, the result's json says which: 123 */
};

struct mxc_status {
    size_t size;
    uint32_t how; /* one of the above; 0: it runs */
    int32_t exit_code;
    int32_t signal;
    uint64_t duration_ms;
};

/* Everything that a run left; mxc_result_clear frees it. */
struct mxc_result {
    size_t size;
    struct mxc_status status;
    char *out; /* bytes, and a NUL behind them */
    size_t out_len;
    char *err;
    size_t err_len;
    uint64_t out_lost; /* bytes that were left out, for output_max */
    uint64_t err_lost;
    char *json; /* the result with receipt and denials (docs/errors.md) */
    uint32_t out_truncated; /* 1: some were */
    uint32_t err_truncated;
    size_t out_gap;     /* then so many bytes of `out` come before those that */
    size_t err_gap;     /* are not there, and the rest after them */
    uint64_t out_total; /* bytes that it wrote: what is here and what is not */
    uint64_t err_total;
};

#define MXC_RESULT_INIT                                                        \
    {                                                                          \
        sizeof(struct mxc_result), { sizeof(struct mxc_status), 0, 0, 0, 0 },  \
            NULL, 0, NULL, 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0                     \
    }

/* Run to the end, capture the output.  That the workload failed is no error of
 * this call; MXC_FAILED is, with *result filled all the same.  (Of
 * MXC_NEVER_BEGAN and MXC_STOPPED result->json has the error.)  What *result
 * held before is not freed.  Blocks; `cancel_fd` ends it early. */
MXC_API int mxc_run(const char *request, size_t len,
                    const struct mxc_options *options,
                    struct mxc_result *result, struct mxc_error *error);

MXC_API void mxc_result_clear(struct mxc_result *result);

struct mxc_sandbox;

/* Start it.  Returns when the supervisor runs; that set-up or exec failed shows
 * in mxc_sandbox_wait.  What can be refused before there is a process is
 * refused here. */
MXC_API int mxc_spawn(const char *request, size_t len,
                      const struct mxc_options *options,
                      struct mxc_sandbox **sandbox, struct mxc_error *error);

/* Our ends of the streams (MXC_STDIO_PIPE, _PTY, _PTY_PIPES), blocking.  They
 * stay the sandbox's; mxc_sandbox_take_* gives them away: the caller closes
 * them. -1 when there is none, or it is gone. */
MXC_API int mxc_sandbox_stdin(struct mxc_sandbox *sandbox);
MXC_API int mxc_sandbox_stdout(struct mxc_sandbox *sandbox);
MXC_API int mxc_sandbox_stderr(struct mxc_sandbox *sandbox);
MXC_API int mxc_sandbox_take_stdin(struct mxc_sandbox *sandbox);
MXC_API int mxc_sandbox_take_stdout(struct mxc_sandbox *sandbox);
MXC_API int mxc_sandbox_take_stderr(struct mxc_sandbox *sandbox);

/* Lines of JSON about what happens (options.events; docs/events.md), or -1.
 * The sandbox's; who reads too slowly holds nothing up, and is told by a line
 * how many are missing. */
MXC_API int mxc_sandbox_events(struct mxc_sandbox *sandbox);

/* Process id of the supervisor, for a command of a session of who holds that,
 * in a pool of its keeper.  For people: it may be reused when the sandbox has
 * ended. */
MXC_API int32_t mxc_sandbox_pid(const struct mxc_sandbox *sandbox);

/* Readable from the moment that mxc_sandbox_wait would not block; for poll(2),
 * nothing else.  Stays the sandbox's. */
MXC_API int mxc_sandbox_wait_fd(const struct mxc_sandbox *sandbox);

/* Wait for the end: at most timeout_ms, -1 for ever, 0 to look.  `status` may
 * be NULL; status->how is 0 when it still runs.  May be called again, with the
 * same answer.  Fails with the sandbox's own error when it is MXC_FAILED,
 * MXC_NEVER_BEGAN or MXC_STOPPED, with *status filled all the same. */
MXC_API int mxc_sandbox_wait(struct mxc_sandbox *sandbox, int timeout_ms,
                             struct mxc_status *status,
                             struct mxc_error *error);

/* After the end: the result as JSON, else NULL.  The sandbox's. */
MXC_API const char *mxc_sandbox_result_json(struct mxc_sandbox *sandbox);

/* Send a signal, 1 to 64, to the workload's process group; before it has
 * started, it waits.  MXC_ALREADY_STOPPED when the sandbox has ended. */
MXC_API int mxc_sandbox_signal(struct mxc_sandbox *sandbox, int signal,
                               struct mxc_error *error);

/* Kill everything in it.  Returns at once; 0 also when it has ended. */
MXC_API int mxc_sandbox_kill(struct mxc_sandbox *sandbox,
                             struct mxc_error *error);

/* With a PTY: 1 to 32767 each.  MXC_ALREADY_STOPPED when the sandbox has
 * ended. */
MXC_API int mxc_sandbox_resize(struct mxc_sandbox *sandbox, uint16_t rows,
                               uint16_t columns, struct mxc_error *error);

/* Kill it if it runs, `detached` too, wait for the end, free everything.  NULL
 * is fine. */
MXC_API void mxc_sandbox_destroy(struct mxc_sandbox *sandbox);

/* In a child of fork(2): close and free, touch no process.  Also: let a
 * `detached` one go on without us.  (A command of a session ends when nobody
 * holds its handle.) */
MXC_API void mxc_sandbox_forget(struct mxc_sandbox *sandbox);

/* --- sessions ------------------------------------------------------------- */

/* One sandbox for many commands (docs/sessions.md): provisioned, started,
 * stopped, started again, deprovisioned.  It is not this process's but the
 * user's, and outlives it: what `mxc provision` made is opened here, and
 * `mxc ps` lists what was made here.  A handle is no more than a name for it.
 * Calls on one may come from several threads; only mxc_session_close must be
 * the last.  A child of fork(2) may close it, and nothing else. */
struct mxc_session;

/* A request without a command: a policy, or one whose phase is provision.
 * NULL: nothing beyond a sandbox's base.  The policy is fixed from here on.
 * The handle is to be closed with mxc_session_close. */
MXC_API int mxc_session_provision(const char *request, size_t len,
                                  const struct mxc_options *options,
                                  struct mxc_session **session,
                                  struct mxc_error *error);

/* One that is there, by its id: MXC_STALE_ID when it is not. */
MXC_API int mxc_session_open(const char *id, const struct mxc_options *options,
                             struct mxc_session **session,
                             struct mxc_error *error);

/* Close the handle; the session goes on.  NULL is fine. */
MXC_API void mxc_session_close(struct mxc_session *session);

/* The session's, as long as the handle is open. */
MXC_API const char *mxc_session_id(const struct mxc_session *session);

/* What mxc_session_provision warned of: an array of JSON, of the handle. */
MXC_API const char *mxc_session_warnings(const struct mxc_session *session);

/* MXC_ALREADY_STARTED, MXC_STALE_ID.  Returns when it can take commands. */
MXC_API int mxc_session_start(struct mxc_session *session,
                              struct mxc_error *error);

/* Ask everything in it to end, and kill what has not after grace_ms.  It stays
 * provisioned.  MXC_ALREADY_STOPPED, MXC_STALE_ID. */
MXC_API int mxc_session_stop(struct mxc_session *session, uint64_t grace_ms,
                             struct mxc_error *error);

/* Stop it if it runs, and remove it; from every state.  A start that takes
 * longer than two seconds is ended.  MXC_STALE_ID: there is none.  The handle
 * is still to be closed. */
MXC_API int mxc_session_deprovision(struct mxc_session *session,
                                    uint64_t grace_ms, struct mxc_error *error);

/* Hold everything in it, and let it go on.  MXC_NOT_STARTED, MXC_STALE_ID;
 * nothing to do is fine.  While it is paused no command starts
 * (MXC_BACKEND_ERROR); one that is killed, or whose time is up, ends all the
 * same. */
MXC_API int mxc_session_pause(struct mxc_session *session,
                              struct mxc_error *error);
MXC_API int mxc_session_resume(struct mxc_session *session,
                               struct mxc_error *error);

/* What it is and what runs in it, as JSON: `mxc inspect` with the processes of
 * `mxc ps ID`. */
MXC_API int mxc_session_inspect(struct mxc_session *session, char **json,
                                struct mxc_error *error);

/* What its holder had to say since the last start, in lines for people. */
MXC_API int mxc_session_log(struct mxc_session *session, char **text,
                            struct mxc_error *error);

/* All of the user's, as JSON: what `mxc ps --json` gives. */
MXC_API int mxc_session_list(const struct mxc_options *options, char **json,
                             struct mxc_error *error);

/* A command of a session.  It has what the session has, or less: the lists and
 * the numbers take away, and what would add is refused.  Paths take away what
 * Landlock holds: attributes of files (chmod(2), utimensat(2), setxattr(2)) are
 * not part of that (docs/sessions.md).  Lists end with NULL, and are NULL where
 * there is nothing to say. */
struct mxc_command {
    size_t size;
    const char *const *argv;      /* the program, found by PATH inside, and its
                                   * arguments; no shell */
    const char *const *env;       /* KEY=VALUE, over the session's */
    uint32_t only_env;            /* not 0: instead of the session's */
    uint32_t no_network;          /* not 0: no sockets */
    const char *cwd;              /* from /, inside; NULL: the session's */
    uint64_t timeout_ms;          /* 0: the policy's, which is the most */
    const char *const *readwrite; /* paths from /, inside: given back below */
    const char *const *readonly;  /* a path that is taken away */
    const char *const *denied;
    uint64_t cpu_seconds; /* of each process; these five: 0: as the session,
                           * and what is more than that fails (MXC_FAILED) */
    uint64_t files;       /* open ones, of each process */
    uint64_t processes;   /* of the user, inside */
    uint64_t file_size;   /* bytes */
    uint64_t memory;      /* bytes of addresses, of each process */
};

#define MXC_COMMAND_INIT                                                       \
    {                                                                          \
        sizeof(struct mxc_command), NULL, NULL, 0, 0, NULL, 0, NULL, NULL,     \
            NULL, 0, 0, 0, 0, 0                                                \
    }

/* Start it, as mxc_spawn does: every mxc_sandbox_* is for it too.  The sandbox
 * is the command and what it left in its session (setsid(2)); it ends with
 * this process, or when its handle goes.  Returns when it has started:
 * MXC_NOT_STARTED, MXC_STALE_ID.  Of the options stdio and what belongs to it
 * count.  With MXC_STDIO_FDS it has the caller's own descriptors.  With
 * MXC_STDIO_PTY mxc_sandbox_stdin and mxc_sandbox_stdout are the terminal
 * itself: a read fails with EIO at its end, and input ends with a ^D.  The two
 * other kinds of terminal have a small process in between. */
MXC_API int mxc_session_exec(struct mxc_session *session,
                             const struct mxc_command *command,
                             const struct mxc_options *options,
                             struct mxc_sandbox **sandbox,
                             struct mxc_error *error);

/* Run it to its end and capture the output, as mxc_run does. */
MXC_API int mxc_session_run(struct mxc_session *session,
                            const struct mxc_command *command,
                            const struct mxc_options *options,
                            struct mxc_result *result, struct mxc_error *error);

/* --- pools ---------------------------------------------------------------- */

/* Sandboxes of one policy that are made ahead, one command in each
 * (docs/pool.md).  A pool is the user's, as a session is, and outlives this
 * process; a handle is no more than a name for it.  Calls on one may come from
 * several threads; only mxc_pool_close must be the last.  A child of fork(2)
 * may close it, and nothing else. */
struct mxc_pool;

/* A request without a command, or NULL, as for a session.  `name` is what to
 * call it, NULL: a name is made up; `size` how many are kept ready, at most 64,
 * 0: the usual 4.  Returns when they are.  MXC_ALREADY_STARTED: there is one of
 * that name. */
MXC_API int mxc_pool_start(const char *request, size_t len, const char *name,
                           uint32_t size, const struct mxc_options *options,
                           struct mxc_pool **pool, struct mxc_error *error);

/* One that is there: MXC_STALE_ID when it is not. */
MXC_API int mxc_pool_open(const char *name, const struct mxc_options *options,
                          struct mxc_pool **pool, struct mxc_error *error);

/* Close the handle; the pool goes on.  NULL is fine. */
MXC_API void mxc_pool_close(struct mxc_pool *pool);

/* The pool's, as long as the handle is open. */
MXC_API const char *mxc_pool_name(const struct mxc_pool *pool);

/* Ask what runs in it to end, and kill what has not after grace_ms.  It is gone
 * then, and a second time there is nothing to do; the handle is still to be
 * closed. */
MXC_API int mxc_pool_stop(struct mxc_pool *pool, uint64_t grace_ms,
                          struct mxc_error *error);

/* What there is to see of it, as JSON: one of `mxc pool ls --json`.  `state` is
 * "stale" when it has ended. */
MXC_API int mxc_pool_inspect(struct mxc_pool *pool, char **json,
                             struct mxc_error *error);

/* Start a command in a sandbox that nobody has used, as mxc_session_exec does
 * in a session.  Its lists are paths of the host, and grant or deny what the
 * pool's policy does not: what cannot be added to a sandbox that is made is
 * refused.  It waits for a sandbox: at most wait_ms (20 at the least), -1
 * for ever; MXC_BACKEND_UNAVAILABLE when there was none, MXC_STALE_ID when the
 * pool has ended. */
MXC_API int mxc_pool_exec(struct mxc_pool *pool,
                          const struct mxc_command *command, int64_t wait_ms,
                          const struct mxc_options *options,
                          struct mxc_sandbox **sandbox,
                          struct mxc_error *error);

/* Run it to its end and capture the output, as mxc_run does; `cancel_fd` ends
 * the wait for a sandbox, too. */
MXC_API int mxc_pool_run(struct mxc_pool *pool,
                         const struct mxc_command *command, int64_t wait_ms,
                         const struct mxc_options *options,
                         struct mxc_result *result, struct mxc_error *error);

/* --- lifecycle requests --------------------------------------------------- */

/* One request with a `phase`: provision, start, stop or deprovision, done.
 * *response is the contract's envelope, {"result":{...}}; what failed is told
 * by *error alone. */
MXC_API int mxc_lifecycle(const char *request, size_t len,
                          const struct mxc_options *options, char **response,
                          struct mxc_error *error);

/* Whether it would be, as far as can be told without doing it: its form, the
 * policy of a provision, that there is such a session.  For exec too. */
MXC_API int mxc_lifecycle_check(const char *request, size_t len,
                                const struct mxc_options *options,
                                char **response, struct mxc_error *error);

/* One with the phase exec, as mxc_session_exec does. */
MXC_API int mxc_lifecycle_exec(const char *request, size_t len,
                               const struct mxc_options *options,
                               struct mxc_sandbox **sandbox,
                               struct mxc_error *error);

/* The same to its end, as mxc_session_run does. */
MXC_API int mxc_lifecycle_run(const char *request, size_t len,
                              const struct mxc_options *options,
                              struct mxc_result *result,
                              struct mxc_error *error);

#ifdef __cplusplus
}
#endif

#endif
