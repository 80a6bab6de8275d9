/* cli.h - what the commands of mxc share. */
#ifndef MXC_CLI_CLI_H
#define MXC_CLI_CLI_H

#include <stdio.h>

#include "api/prepare.h"

/* Exit codes that are mxc's own (docs/errors.md). */
enum { CLI_OK = 0, CLI_REFUSED = 1, CLI_USAGE = 2, CLI_FAILED = 125 };

/* One command: a row of the table in main.c. */
struct command {
    const char *name;
    const char *args;
    const char *summary;
    const char *help; /* paragraphs below the options; may be NULL */
    unsigned groups;  /* OPT_* groups of options it takes */
    int (*run)(int argc, char **argv);
};

extern const struct command commands[];
const struct command *command_find(const char *name);

enum {
    OPT_POLICY = 1 << 0, /* what shapes a policy */
    OPT_RUN = 1 << 1,    /* what steers a run */
    OPT_JSON = 1 << 2,
    OPT_SHOW = 1 << 3,
    OPT_VERSION = 1 << 4,
    OPT_HIDDEN = 1 << 5 /* a command for our own tools, not in help */
};

/* Options of all commands: the one table behind getopt, help and
 * completions. */
struct option_row {
    const char *name; /* without "--" */
    char letter;      /* short form, 0: none */
    const char *arg;  /* NULL: none */
    const char *doc;
    unsigned groups;
    int id;
};

extern const struct option_row option_rows[];

enum option_id {
    ID_POLICY = 256,
    ID_BACKEND,
    ID_RO,
    ID_RW,
    ID_DENY,
    ID_TOOLS,
    ID_ENV,
    ID_CWD,
    ID_TIMEOUT,
    ID_JSON,
    ID_TTY,
    ID_ACCEPT,
    ID_DIE,
    ID_PLAN,
    ID_ALL,
    ID_VERSION,
    ID_HELP
};

/* What a command line said. */
struct cli {
    struct arena arena;
    struct run_flags flags;
    const char *policy_file; /* NULL: none; "-": standard input */
    const char *json;        /* file or descriptor number */
    const char *version;     /* schema --version */
    bool plan;
    bool all;
    const char *text; /* the request, when policy_file was read */
    size_t text_len;
};

/* Parse options and operands of a command.  Returns -1 to go on, else the
 * code to exit with (help was printed, or usage was wrong). */
int cli_parse(struct cli *c, const struct command *cmd, int argc, char **argv);
void cli_free(struct cli *c);

/* Read the request into c->text; refuses more than REQUEST_MAX_BYTES. */
int cli_read_request(struct cli *c, struct err *e);

/* A request by its name: whoever wrote it did not forget the "--". */
bool cli_names_request(const char *name);

/* Everything that a run does before it runs. */
int cli_prepare_only(struct cli *c, struct prepared *p, struct err *e);

/* Tell an error to people and, when --json asks for it, to programs. */
int cli_fail(const struct cli *c, const struct err *e, int code);

/* The descriptor that --json names: -1 when there is no --json. */
int cli_open_json(const struct cli *c, int *out, struct err *e);

/* The name of the table nearest to a mistyped one, or NULL. */
const char *near_command(const char *typed);
const char *near_option(const struct command *cmd, const char *typed);

/* Does this command take the option? */
bool takes_option(const struct command *cmd, const struct option_row *o);

void cli_print(FILE *to, const struct buf *b);
void help_main(FILE *to);
void help_command(FILE *to, const struct command *cmd);

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_tables(int argc, char **argv);

#endif
