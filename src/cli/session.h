/* session.h - what the commands about sessions share. */
#ifndef MXC_CLI_SESSION_H
#define MXC_CLI_SESSION_H

#include "cli/cli.h"
#include "session/client.h"
#include "session/pool.h"
#include "supervise/supervise.h"

/* {"result":{...}} with these members, or {"error":...}, to --json. */
int cli_answer(const struct cli *c, const char *members, struct err *e);
int cli_fail_phase(const struct cli *c, const struct err *e, int code);

/* --- a command in a sandbox that somebody holds (follow.c) -----------------
 */

/* What the options say of it, but for paths. */
int cli_take_command(struct cli *c, struct session_command *out, struct err *e);

/* A path as the caller's shell means it: absolute and clean; NULL, and *e. */
const char *cli_full_path(struct cli *c, const char *path, const char *what,
                          struct err *e);

struct follow {
    int conn;
    int (*hear)(int conn, struct say *out, int *fd, struct err *e);
    uint16_t rows, columns; /* --pty; 0: as the caller's terminal */
    bool is_started;        /* something was heard of it */
    struct result result;   /* how it ended */
    int report;             /* POOL_SAY_REPORT's, or -1 */
    /* --- its own */
    int signals;
    struct tty *tty;
    struct terminal terminal;
    bool is_stopping, has_ended;
};

#define FOLLOW_NONE                                                            \
    {                                                                          \
        .conn = -1, .report = -1, .signals = -1                                \
    }

/* Before the command is handed over, so that no signal is lost. */
int follow_begin(struct follow *x, struct err *e);

/* Until it has ended. */
int follow_on(struct follow *x, struct err *e);

/* To people and to --json, with `more` members: the exit code. */
int cli_tell_result(const struct cli *c, const struct result *r,
                    const char *more);

#endif
