/* main.c - the mxc command: a table of commands. */
#include <stdbool.h>
#include <string.h>

#include "cli/cli.h"
#include "supervise/supervise.h"

const struct command commands[] = {
    { "run", "[OPTION...] [FILE] [-- COMMAND [ARG...]]",
      "run a command, or what a request FILE says, in a sandbox",
      "Without any option the command gets the system's programs, read-only, "
      "a\nprivate empty home and /tmp, and nothing else: no file of yours, no "
      "network.\n"
      "Options come before FILE and '--'; what stands after '--' is the "
      "command.\n\n"
      "Exit code: the command's own; 128+N if signal N killed it; 123 after a\n"
      "limit that ends a run; 124 after the timeout; 126 or 127 if it could "
      "not\nbe executed or was not found; 125 if mxc itself refused or failed; "
      "137\nafter a 'kill' by --control. --json tells them apart for sure.\n",
      OPT_POLICY | OPT_LIMITS | OPT_RUN | OPT_JSON, cmd_run },
    { "check", "[OPTION...] [FILE] [-- COMMAND [ARG...]]",
      "validate a request and its paths as a run would, and run nothing",
      "The command may be left out, and is not looked for.\n"
      "Exit code: 0 if a run would start, 1 if it would be refused.\n",
      OPT_POLICY | OPT_LIMITS | OPT_JSON, cmd_check },
    { "explain", "[OPTION...] [FILE] [-- COMMAND [ARG...]]",
      "show the effective policy and what enforces each part of it",
      "Looks at the host as a run would, and runs nothing. Each line ends "
      "with where\nit comes from: an option, a place in the request, the base, "
      "a default.\nExit code: 0, or 1 if a run would be refused.\n",
      OPT_POLICY | OPT_LIMITS | OPT_SHOW, cmd_explain },
    { "why", "[OPTION...] [FILE]",
      "say whether a policy allows something, by which clause, and how",
      "Each question is decided by the policy, and tried in a sandbox of it "
      "that is\nthrown away: nothing is read, written or executed; a "
      "connection that is allowed\nis made, and closed. Where the two "
      "differ, what was tried counts, and that is\nsaid.\n"
      "Exit code: 0 if all of it is allowed, 1 if something is refused, 2 for "
      "a wrong\ncommand line, 125 if there is no answer.\n",
      OPT_POLICY | OPT_JSON | OPT_TRY | OPT_ASK, cmd_why },
    { "test", "[OPTION...] [POLICY] TESTS",
      "check a policy against what it shall allow and refuse",
      "TESTS is JSON: {\"version\": 1, \"tests\": [{\"read\": "
      "\"/etc/passwd\",\n\"expect\": \"deny\"}, ...]} with \"read\", "
      "\"write\", \"exec\" or \"connect\"; a\n\"name\" is shown. Each "
      "is tried, as with `mxc why`.\n"
      "Exit code: 0 if all hold, 1 if one does not, 2 for a wrong command "
      "line,\n125 if they could not be tried.\n",
      OPT_WORDS | OPT_POLICY | OPT_JSON | OPT_TRY, cmd_test },
    { "learn", "[OPTION...] [FILE] -- COMMAND [ARG...]",
      "run a command, and write the smallest policy that lets it work",
      "The command runs again and again, each time with what it was refused "
      "before,\nuntil it is refused nothing more. This directory is granted "
      "for reading from the\nstart. Secrets (keys, credentials, .env), private "
      "addresses and directories that\nhold everything are not granted, but "
      "told. Read the policy before you use it:\n"
      "mxc run --policy mxc-policy.json -- COMMAND\n"
      "--publish, --host-service and --proxy are not learnt: a request of "
      "--policy may\nhave them. Neither are --image and --accept-missing.\n"
      "Exit code: 0 if a policy was written and the last round passed; else "
      "the command's\nown, as of `mxc run`; 2 for a wrong command line; 125 "
      "if it could not be learnt.\n",
      OPT_POLICY | OPT_JSON | OPT_LEARN, cmd_learn },
    { "provision", "[OPTION...] [FILE]",
      "make a session: a sandbox for many commands; print its ID",
      "The policy is fixed here, and can only be narrowed later. Nothing runs "
      "yet.\n"
      "Exit code: 0, or 1 if the policy is refused.\n",
      OPT_POLICY | OPT_LIMITS | OPT_KEEP | OPT_JSON, cmd_provision },
    { "start", "ID [OPTION...]", "start a session",
      "It goes on when the caller ends, until it is stopped.\n",
      OPT_ID | OPT_JSON, cmd_start },
    { "exec", "ID [OPTION...] -- COMMAND [ARG...]",
      "run a command in a started session",
      "The options can only take away from what the session may do. What the "
      "command\nleaves running goes on until the session ends.\n"
      "Exit code: as of `mxc run`.\n",
      OPT_ID | OPT_EXEC | OPT_REQUEST | OPT_JSON, cmd_exec },
    { "cp", "SRC ID:DST | ID:SRC DST [OPTION...]",
      "copy files into a started session, or out of it",
      "Inside, the copy reads and writes as a command of the session. SRC and "
      "DST are as\nof cp -r: into a directory that is there, else under the "
      "new name; 'DIR/.' is what\nis in DIR. '-' on this side is a tar stream "
      "on "
      "standard input or output. Modes are\nkept, owners are not; symbolic "
      "links that lead out of a tree stay in the session.\n"
      "Exit code: 0, 1 if it is refused or fails, 2 for a wrong command "
      "line.\n",
      OPT_WORDS | OPT_COPY | OPT_JSON, cmd_cp },
    { "stop", "ID [OPTION...]", "end what runs in a session; keep its policy",
      "It can be started again. Exit code: 0, or 1 if it is not started.\n",
      OPT_ID | OPT_END | OPT_JSON, cmd_stop },
    { "deprovision", "ID [OPTION...]", "end a session and remove it",
      "Whatever its state: one that hangs is killed, and a start that takes "
      "longer\nthan two seconds is ended. Exit code: 0, or 1 if it is not "
      "gone.\n",
      OPT_ID | OPT_END | OPT_JSON, cmd_deprovision },
    { "ps", "[ID] [OPTION...]", "list the sessions, or the processes of one",
      NULL, OPT_SOME_ID | OPT_JSON, cmd_ps },
    { "inspect", "ID [OPTION...]", "show all about a session, as JSON", NULL,
      OPT_ID | OPT_JSON, cmd_inspect },
    { "logs", "ID [OPTION...]", "show what a session's holder had to say", NULL,
      OPT_ID, cmd_logs },
    { "pause", "ID [OPTION...]", "stop the clock of all that runs in a session",
      NULL, OPT_ID | OPT_JSON, cmd_pause },
    { "resume", "ID [OPTION...]", "let a paused session go on", NULL,
      OPT_ID | OPT_JSON, cmd_resume },
    { "gc", "[OPTION...]", "remove sessions and pools whose holder is gone",
      "Prints their IDs and names. What is provisioned or started stays, and "
      "so does\nwhat another version of mxc made, which is told.\n",
      0, cmd_gc },
    { "pool", "VERB [NAME] [OPTION...] [-- COMMAND [ARG...]]",
      "keep sandboxes of one policy ready, each for one command",
      "start [FILE]              make a pool of that policy; print its name\n"
      "run NAME -- COMMAND       run a command in one of its sandboxes, which "
      "is gone\n                          afterwards, and replaced\n"
      "ls                        the pools\n"
      "logs NAME                 what its keeper had to say\n"
      "stop NAME                 end it\n\n"
      "`mxc pool VERB --help` tells which options are for which. With run, "
      "--ro, --rw\nand --deny grant, for this command, what the pool's policy "
      "does not.\n"
      "Exit code of run: as of `mxc run`.\n",
      OPT_WORDS | OPT_POLICY | OPT_POOL | OPT_EXEC | OPT_CLAIM | OPT_END |
          OPT_JSON,
      cmd_pool, pool_verbs },
    { "doctor", "[OPTION...]",
      "try what this host can enforce; say what is missing and why",
      "Every mechanism is tried in a short-lived child; nothing is changed.\n"
      "Exit code: 0 if a default run has all its walls, else 1.\n",
      OPT_JSON, cmd_doctor },
    { "image", "VERB [NAME [TARBALL|DIR]] [OPTION...]",
      "keep the roots that containers of the lxc backend start from",
      "import NAME TARBALL|DIR   take a tar archive (plain, gzip, bzip2, xz, "
      "zstd; '-':\n                          standard input) or a directory\n"
      "download NAME             the archive that the distribution's server "
      "of images has\n                          of "
      "DISTRIBUTION/RELEASE[/VARIANT],"
      " by lxc-download(1)\n                          of this host\n"
      "list                      the images\n"
      "show NAME                 one image\n"
      "verify NAME               read all of it again: is it what was "
      "imported?\n"
      "rm NAME                   forget it\n\n"
      "A request's lxc.distribution and lxc.release name the image "
      "DISTRIBUTION/RELEASE.\nRoot's images are in /var/lib/mxc/images, "
      "others' in\n${XDG_DATA_HOME:-~/.local/share}/mxc/images.\n"
      "Exit code: 0, 1 if it is refused or fails, 2 for a wrong command "
      "line.\n",
      OPT_WORDS | OPT_IMAGE | OPT_JSON, cmd_image, image_verbs },
    { "container", "VERB [NAME] [OPTION...]",
      "list and remove the containers of the lxc backend that are kept",
      "list        those that are kept\n"
      "show NAME   one of them\n"
      "rm NAME     remove it and all that it wrote\n\n"
      "A container is kept when a request says \"lifecycle\": "
      "{\"destroyOnExit\": false}:\nwhat its run wrote is there for the next "
      "one with the same containerId. Root's\nare in "
      "/var/lib/mxc/containers, others' in\n"
      "${XDG_DATA_HOME:-~/.local/share}/mxc/containers.\n"
      "Exit code: 0, 1 if it is refused or fails, 2 for a wrong command "
      "line.\n",
      OPT_WORDS | OPT_JSON, cmd_container, container_verbs },
    { "tail", "[OPTION...] FILE|ID", "show a stream of events, for people",
      "FILE is what `mxc run --events FILE` writes, '-' is standard input; ID "
      "a\nsession. Goes on as the file does, until the run has ended; what "
      "would do something\nto the terminal is shown and not sent.\n"
      "Exit code: 0, 1 if it cannot be read or is no such stream.\n",
      OPT_TAIL, cmd_tail },
    { "migrate", "[OPTION...] FILE",
      "rewrite a request of a former contract in a later one",
      "The new request goes to standard output. Standard error tells what "
      "changes its\nform, and what no later contract can say and is dropped: "
      "then less is allowed\nthan before, never more.\n"
      "Exit code: 0 if all of it was carried over, 1 if something was dropped "
      "or it\ncannot be rewritten, 2 for a wrong command line.\n",
      OPT_FILE | OPT_JSON, cmd_migrate },
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

    supervise_hold_stdio();
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
