/* cli.h - what the commands of mxc share. */
#ifndef MXC_CLI_CLI_H
#define MXC_CLI_CLI_H

#include <stdio.h>
#include <sys/types.h>

#include "api/prepare.h"
#include "cli/why.h"
#include "session/client.h"

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
    const char *const *verbs; /* OPT_WORDS: ended by NULL */
};

extern const struct command commands[];
const struct command *command_find(const char *name);

enum {
    OPT_POLICY = 1 << 0, /* what shapes a policy */
    OPT_RUN = 1 << 1,    /* what steers a run */
    OPT_JSON = 1 << 2,
    OPT_SHOW = 1 << 3,
    OPT_VERSION = 1 << 4,
    OPT_HIDDEN = 1 << 5,   /* a command for our own tools, not in help */
    OPT_FILE = 1 << 6,     /* one request FILE, and no policy of options */
    OPT_WORDS = 1 << 7,    /* a verb and its operands, options anywhere */
    OPT_KEEP = 1 << 8,     /* how long a session may live */
    OPT_ID = 1 << 9,       /* the ID of a session comes first */
    OPT_SOME_ID = 1 << 10, /* the same, and it may be left out */
    OPT_EXEC = 1 << 11,    /* a command in a session */
    OPT_END = 1 << 12,     /* how a session ends */
    OPT_COPY = 1 << 13,    /* into a session, or out of it */
    OPT_IMAGE = 1 << 14,
    OPT_POOL = 1 << 15,    /* what makes a pool */
    OPT_CLAIM = 1 << 16,   /* a command in a pool */
    OPT_REQUEST = 1 << 17, /* the request of a command in a session */
    OPT_TRY = 1 << 18,     /* what is asked of a policy, and tried */
    OPT_ASK = 1 << 19,     /* the questions */
    OPT_TAIL = 1 << 20,    /* reading a stream of events */
    OPT_LIMITS = 1 << 21,  /* what a sandbox may use */
    OPT_LEARN = 1 << 22    /* how a policy is learnt */
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
    ID_IMAGE,
    ID_TIER,
    ID_RO,
    ID_RW,
    ID_DENY,
    ID_ALLOW_HOST,
    ID_ALLOW_INTRANET,
    ID_ALLOW_NET,
    ID_DENY_NET,
    ID_PUBLISH,
    ID_SERVICE,
    ID_PROXY,
    ID_TOOLS,
    ID_ENV,
    ID_CWD,
    ID_TIMEOUT,
    ID_JSON,
    ID_EVENTS,
    ID_CORRELATION,
    ID_ONCE,
    ID_DENIALS,
    ID_DISCARD,
    ID_ACCESSES,
    ID_VERIFY,
    ID_REQUEST,
    ID_CONTROL,
    ID_TTY,
    ID_PTY,
    ID_ACCEPT,
    ID_DIE,
    ID_PARENT,
    ID_PLAN,
    ID_ALL,
    ID_VERSION,
    ID_TO,
    ID_IDLE,
    ID_AGE,
    ID_GRACE,
    ID_LAYER,
    ID_MAX_SIZE,
    ID_LIMIT,
    ID_MOST,
    ID_NO_NETWORK,
    ID_TEMPLATE,
    ID_SIZE,
    ID_NAME,
    ID_WAIT,
    ID_COLD,
    ID_READ,
    ID_WRITE,
    ID_EXEC,
    ID_CONNECT,
    ID_SESSION,
    ID_NO_TRY,
    ID_MODE,
    ID_ROUNDS,
    ID_OUT,
    ID_FORCE,
    ID_MERGE,
    ID_CHANGE,
    ID_REACH,
    ID_SECRET,
    ID_EVERYTHING,
    ID_HELP
};

struct ask_flag {
    enum why_kind kind;
    const char *operand;
};

/* mxc learn */
struct learn_flags {
    const char *mode, *out, *merge;
    const char **secret; /* that may be granted */
    size_t nsecrets;
    uint64_t rounds; /* 0: the usual */
    bool is_forced, changes_file, allows_everything, reaches;
};

/* What a command line said. */
struct cli {
    struct arena arena;
    struct run_flags flags;
    const char *policy_file; /* NULL: none; "-": standard input */
    const char *json;        /* file or descriptor number */
    const char *events;      /* the same, or "-", for events */
    const char *control;     /* descriptor number */
    uint16_t rows, columns;  /* --pty; 0: none */
    pid_t caller;            /* our parent, when we began */
    pid_t parent;            /* who --parent says it is; 0: it was not said */
    const char *version;     /* schema --version */
    const char *to;          /* migrate --to */
    const char *template;    /* image --template */
    char **word;             /* OPT_WORDS: what is no option */
    int nwords;
    bool plan;
    bool all;
    const char *id; /* of a session */
    uint64_t idle_ms, age_ms, grace_ms;
    bool has_grace;
    uint64_t max_size; /* cp; 0: as usual */
    bool no_network;
    uint32_t size;    /* of a pool; 0: the usual */
    const char *name; /* of a new one */
    uint64_t wait_ms; /* for a sandbox */
    bool has_wait, is_cold, is_once;
    struct ask_flag *ask; /* why */
    size_t nasks;
    bool no_try;
    struct learn_flags learn;
    bool has_policy; /* an option that shapes one was given */
    struct session_limit limit[16];
    size_t nlimits;
    const char *text; /* the request, when policy_file was read */
    size_t text_len;
};

/* Parse options and operands of a command.  Returns -1 to go on, else the
 * code to exit with (help was printed, or usage was wrong). */
int cli_parse(struct cli *c, const struct command *cmd, int argc, char **argv);
void cli_free(struct cli *c);

/* An option of the network, into c->flags.net.  NULL, or why its value is
 * none, with an example in *hint. */
const char *net_option(struct cli *c, int id, const char *arg,
                       const char **hint);

/* Read the request into c->text; refuses more than REQUEST_MAX_BYTES. */
int cli_read_request(struct cli *c, struct err *e);

/* A request by its name: whoever wrote it did not forget the "--". */
bool cli_names_request(const char *name);

/* Whose end ends the command, where the options ask for that, or 0. */
int cli_find_caller(const struct cli *c, pid_t *out, struct err *e);

/* A run, from the flags on. */
int cli_run(struct cli *c, int *exit_code, struct err *e);

/* Everything that a run does before it runs. */
int cli_prepare_only(struct cli *c, struct prepared *p, struct err *e);

/* Tell an error to people and, when --json asks for it, to programs. */
int cli_fail(const struct cli *c, const struct err *e, int code);

/* The descriptor that --json names: -1 when there is no --json. */
int cli_open_json(const struct cli *c, int *out, struct err *e);

/* Standard output is not that one: what people read is for it. */
bool cli_prints_text(const struct cli *c);
/* The same for --events, which may be "-" too. */
int cli_open_events(const struct cli *c, int *out, struct err *e);

/* These two lead to two places. */
int cli_check_apart(const struct cli *c, int json, int events, struct err *e);

/* The one that --control names, for reading. */
int cli_open_control(const struct cli *c, int *out, struct err *e);

/* Signals that end a command, as something to read from then on: a
 * signalfd(2). */
int cli_take_signals(struct err *e);

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
int cmd_why(int argc, char **argv);
int cmd_test(int argc, char **argv);
int cmd_learn(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_image(int argc, char **argv);
extern const char *const image_verbs[];
int cmd_container(int argc, char **argv);
extern const char *const container_verbs[];
int cmd_migrate(int argc, char **argv);
int cmd_tail(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_tables(int argc, char **argv);
int cmd_provision(int argc, char **argv);
int cmd_start(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_cp(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_deprovision(int argc, char **argv);
int cmd_pause(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_logs(int argc, char **argv);
int cmd_gc(int argc, char **argv);
int cmd_pool(int argc, char **argv);
extern const char *const pool_verbs[];

#endif
