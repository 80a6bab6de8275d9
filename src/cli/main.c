/* main.c - the mxc command: a table of commands. */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

const struct command commands[] = {
    { "run", "[OPTION...] [FILE] [-- COMMAND [ARG...]]",
      "run a command, or what a request FILE says, in a sandbox",
      "Without any option the command gets the system's programs, read-only, "
      "a\nprivate empty home and /tmp, and nothing else: no file of yours, no "
      "network.\n"
      "Options come before FILE and '--'; what stands after '--' is the "
      "command.\n\n"
      "Exit code: the command's own; 128+N if signal N killed it; 124 after\n"
      "the timeout; 126 or 127 if it could not be executed or was not found;\n"
      "125 if mxc itself refused or failed. --json tells them apart for "
      "sure.\n",
      OPT_POLICY | OPT_RUN | OPT_JSON, cmd_run },
    { "check", "[OPTION...] [FILE] [-- COMMAND [ARG...]]",
      "validate a request and its paths as a run would, and run nothing",
      "The command may be left out, and is not looked for.\n"
      "Exit code: 0 if a run would start, 1 if it would be refused.\n",
      OPT_POLICY | OPT_JSON, cmd_check },
    { "explain", "[OPTION...] [FILE] [-- COMMAND [ARG...]]",
      "show the effective policy and what enforces each part of it",
      "Looks at the host as a run would, and runs nothing. Each line ends "
      "with where\nit comes from: an option, a place in the request, the base, "
      "a default.\nExit code: 0, or 1 if a run would be refused.\n",
      OPT_POLICY | OPT_SHOW, cmd_explain },
    { "doctor", "[OPTION...]",
      "try what this host can enforce; say what is missing and why",
      "Every mechanism is tried in a short-lived child; nothing is changed.\n"
      "Exit code: 0 if a default run has all its walls, else 1.\n",
      OPT_JSON, cmd_doctor },
    { "schema", "[OPTION...]", "print the JSON Schema of a contract version",
      NULL, OPT_VERSION, cmd_schema },
    { "tables", "", "print the tables that documents are made from", NULL,
      OPT_HIDDEN, cmd_tables },
    { 0 }
};

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

/* A caller may have closed them; then what we open next would take their
 * numbers, and a message would land in somebody's file. */
static void ensure_stdio(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", O_RDWR);
}

static int no_such_command(const char *typed)
{
    const char *near = near_command(typed);
    bool is_option = typed[0] == '-';
    struct err e;
    struct cli none = { 0 };

    if (is_option) {
        err_set(&e, ERR_MALFORMED_REQUEST,
                "option '%s' stands before a command", typed);
        err_hint(&e, "mxc run %s ..., or mxc --help", typed);
    } else {
        err_set(&e, ERR_MALFORMED_REQUEST, "no such command '%s'", typed);
        if (near)
            err_hint(&e, "mxc %s; or, to run '%s' in a sandbox: mxc run -- %s",
                     near, typed, typed);
        else
            err_hint(&e, "to run '%s' in a sandbox: mxc run -- %s", typed,
                     typed);
    }
    return cli_fail(&none, &e, CLI_USAGE);
}

static int help(const char *about)
{
    const struct command *c = about ? command_find(about) : NULL;

    if (about && !c)
        return no_such_command(about);
    if (c)
        help_command(stdout, c);
    else
        help_main(stdout);
    return CLI_OK;
}

static int dispatch(int argc, char **argv)
{
    const struct command *c;

    if (argc < 2) {
        help_main(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        (void)puts("mxc " MXC_VERSION);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0)
        return help(argv[2]);
    c = command_find(argv[1]);
    return c ? c->run(argc - 1, argv + 1) : no_such_command(argv[1]);
}

int main(int argc, char **argv)
{
    int status;

    ensure_stdio();
    status = dispatch(argc, argv);
    /* An answer that nobody could read is none. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        const struct cli none = { 0 };
        struct err e;

        err_set(&e, ERR_BACKEND_ERROR, "cannot write to standard output");
        return cli_fail(&none, &e, CLI_FAILED);
    }
    return status;
}
