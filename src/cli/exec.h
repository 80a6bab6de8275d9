/* exec.h - a command in a sandbox that somebody else holds, while it runs
 * (exec_follow.c). */
#ifndef MXC_CLI_EXEC_H
#define MXC_CLI_EXEC_H

#include "base/outcome.h"
#include "cli/session.h"
#include "session/pool.h"

struct exec {
    const struct cli *cli;
    int conn;    /* to the session's holder: it is the command */
    int json;    /* where the result goes, or -1 */
    int control; /* orders of the caller, or -1 */
    int caller;  /* pidfd of a process that it shall not outlive, or -1 */
    struct session_dir dir;
    bool is_started;
    struct result result;
    int report; /* what the network refused (session/pool.h), or -1 */
};

#define EXEC_NONE                                                              \
    {                                                                          \
        .conn = -1, .json = -1, .control = -1, .caller = -1, .report = -1,     \
        .dir = SESSION_DIR_NONE                                                \
    }

/* Who holds it, and what is handed over. */
struct exec_way {
    int (*send)(const struct exec *x, const struct exec_way *way,
                struct err *e);
    int (*hear)(int conn, struct say *out, int *fd, struct err *e);
    bool is_silent;      /* nothing is said of its start */
    bool is_prompt;      /* who holds it takes at once what it is sent */
    uint64_t timeout_ms; /* its own, which who holds it keeps; 0: none */
    const struct session_command *command;
    const void *plan; /* packed */
    size_t len;
};

/* Hand it over, and follow it to its end: x->result.  Our signals go on to it,
 * and the terminal is given back as it was.  Where the holder does not take
 * what it is sent, that is told, and the wait ends by the timeout, or by a
 * signal that asks for an end; and where that is no wonder, as at a pool's
 * door, by that signal at once. */
int exec_follow(struct exec *x, const struct exec_way *way, struct err *e);

/* --- of the command line (cmd_exec.c) --------------------------------------
 */

/* As the caller's shell means it: absolute and clean; NULL, and *e. */
const char *exec_full_path(struct cli *c, const char *path, const char *what,
                           struct err *e);

/* What --pty says, or as the caller's terminal. */
void exec_find_size(const struct cli *c, struct session_command *out);

/* --die-with-parent. */
int exec_follow_caller(struct exec *x, struct err *e);

/* How it ended, to people and, with `more` members, to --json: the exit
 * code. */
int exec_tell(const struct exec *x, const char *more);

#endif
