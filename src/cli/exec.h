/* exec.h - a command of a session, while it runs (exec_follow.c). */
#ifndef MXC_CLI_EXEC_H
#define MXC_CLI_EXEC_H

#include "base/outcome.h"
#include "cli/session.h"

struct exec {
    const struct cli *cli;
    int conn;    /* to the session's holder: it is the command */
    int json;    /* where the result goes, or -1 */
    int control; /* orders of the caller, or -1 */
    int caller;  /* pidfd of a process that it shall not outlive, or -1 */
    struct session_dir dir;
    bool is_started;
    struct result result;
};

/* Hand it over, and follow it to its end: x->result.  Our signals go on to it,
 * and the terminal is given back as it was. */
int exec_follow(struct exec *x, int plan_fd, const struct session_command *c,
                struct err *e);

#endif
