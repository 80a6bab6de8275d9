/* main.c - the mxc command: a table of commands. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

const struct command commands[] = {
    { "run", "[OPTION...] [FILE] [-- COMMAND [ARG...]]",
      "run a command, or what a request FILE says, in a sandbox",
      "Without any option the command gets a read-only base system, a private\n"
      "empty home, no file of yours, no network and no terminal.\n\n"
      "Exit code: the command's own; 128+N if signal N killed it; 124 after\n"
      "the timeout; 126 or 127 if it could not be executed or was not found;\n"
      "125 if mxc itself refused or failed. --json tells them apart for "
      "sure.\n",
      OPT_POLICY | OPT_RUN | OPT_JSON, cmd_run },
    { "check", "[OPTION...] [FILE] [-- COMMAND [ARG...]]",
      "validate a request and its paths as a run would, and run nothing",
      "Exit code: 0 if a run would start, 1 if it would be refused.\n",
      OPT_POLICY | OPT_JSON, cmd_check },
    { "explain", "[OPTION...] [FILE] [-- COMMAND [ARG...]]",
      "show the effective policy and what enforces each part of it", NULL,
      OPT_POLICY | OPT_SHOW, cmd_explain },
    { "doctor", "[OPTION...]",
      "try what this host can enforce; say what is missing and why",
      "Every mechanism is tried in a short-lived child; nothing is changed.\n"
      "Exit code: 0 if a default run has all its walls, else 1.\n",
      OPT_JSON, cmd_doctor },
    { "schema", "[OPTION...]",
      "print the JSON Schema of a contract version", NULL, OPT_VERSION,
      cmd_schema },
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

int main(int argc, char **argv)
{
    const struct command *c;

    ensure_stdio();
    if (argc < 2) {
        help_main(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        (void)puts("mxc " MXC_VERSION);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        c = argc > 2 ? command_find(argv[2]) : NULL;
        if (c)
            help_command(stdout, c);
        else
            help_main(stdout);
        return CLI_OK;
    }
    c = command_find(argv[1]);
    if (!c) {
        (void)fprintf(stderr, "mxc: no such command; to run one in a "
                      "sandbox: mxc run -- COMMAND\n  try: mxc --help\n");
        return CLI_USAGE;
    }
    return c->run(argc - 1, argv + 1);
}
