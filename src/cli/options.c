/* options.c - one table of options; parsing by getopt_long(3). */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/cli.h"

/* clang-format off */
const struct option_row option_rows[] = {
    { "policy",  'p', "FILE", "start from the request in FILE ('-': standard "
      "input); the other options add to it", OPT_POLICY, ID_POLICY },
    { "ro",      'r', "PATH", "grant PATH, and all below it, for reading",
      OPT_POLICY, ID_RO },
    { "rw",      'w', "PATH", "grant PATH, and all below it, for reading and "
      "writing", OPT_POLICY, ID_RW },
    { "deny",    'd', "PATH", "refuse PATH inside a granted directory",
      OPT_POLICY, ID_DENY },
    { "tools",   't', NULL, "grant the programs on your PATH, and what lies "
      "beside them, for reading; give your PATH", OPT_POLICY, ID_TOOLS },
    { "env",     'e', "KEY=VALUE", "set an environment variable", OPT_POLICY,
      ID_ENV },
    { "cwd",     'C', "PATH", "start in PATH (default: the current directory "
      "if it is granted, else a private home)", OPT_POLICY, ID_CWD },
    { "timeout", 'T', "TIME", "kill it after TIME: 30s (or 30), 500ms, "
      "5m, 1h",      OPT_POLICY, ID_TIMEOUT },
    { "backend", 'b', "NAME", "containment to use (default: process, which "
      "is 'native' on Linux)", OPT_POLICY, ID_BACKEND },
    { "accept-missing", 0, "WALL", "run although this host lacks WALL (`mxc "
      "doctor` tells); the receipt says so", OPT_POLICY, ID_ACCEPT },
    { "tty",     'i', NULL, "give it a terminal of its own, for interactive "
      "programs", OPT_RUN, ID_TTY },
    { "die-with-parent", 0, NULL, "end it when the calling process ends",
      OPT_RUN, ID_DIE },
    { "json",    'j', "FILE|FD", "write the result or the error, as one JSON "
      "object, to a file or an open descriptor", OPT_JSON, ID_JSON },
    { "all",     'a', NULL, "list the base system path by path", OPT_SHOW,
      ID_ALL },
    { "plan",    0, NULL, "show every step of the plan", OPT_SHOW, ID_PLAN },
    { "version", 'V', "V", "contract version: 0.9.0-alpha, 1.0.0, "
      "1.1.0-alpha or 1.1.0+c1 (default)", OPT_VERSION, ID_VERSION },
    { "help",    'h', NULL, "show this help", ~0u, ID_HELP },
    { 0 }
};
/* clang-format on */

enum { MAX_OPTIONS = 32, MAX_LIST = 16384 };

bool takes_option(const struct command *cmd, const struct option_row *o)
{
    return o->id == ID_HELP || o->groups & cmd->groups;
}

static void make_getopt(const struct command *cmd, struct option *longs,
                        char *shorts)
{
    size_t n = 0, s = 0;

    shorts[s++] = '+';
    shorts[s++] = ':';
    for (const struct option_row *o = option_rows; o->name; o++) {
        if (!takes_option(cmd, o))
            continue;
        longs[n++] = (struct option){ o->name, o->arg != NULL, NULL, o->id };
        if (o->letter) {
            shorts[s++] = o->letter;
            if (o->arg)
                shorts[s++] = ':';
        }
    }
    shorts[s] = '\0';
    longs[n] = (struct option){ 0 };
}

/* A wrong command line of `run` must not look like the workload's exit. */
static int usage(const struct cli *c, const struct command *cmd,
                 const char *what, const char *subject, const char *hint)
{
    struct err e;

    err_set(&e, ERR_MALFORMED_REQUEST, "%s%s%s%s", what, subject ? " '" : "",
            subject ? subject : "", subject ? "'" : "");
    if (hint)
        err_hint(&e, "%s", hint);
    else
        err_hint(&e, "mxc %s --help", cmd->name);
    return cli_fail(c, &e, cmd->groups & OPT_RUN ? CLI_FAILED : CLI_USAGE);
}

static int unknown_option(const struct cli *c, const struct command *cmd,
                          const char *typed)
{
    const char *near = near_option(cmd, typed);
    char hint[128];

    if (!near)
        return usage(c, cmd, "unknown option", typed, NULL);
    (void)snprintf(hint, sizeof(hint), "--%s, or mxc %s --help", near,
                   cmd->name);
    return usage(c, cmd, "unknown option", typed, hint);
}

static int add_path(struct cli *c, enum access access, const char *path)
{
    struct run_flags *f = &c->flags;

    if (!f->path)
        f->path = arena_array(&c->arena, MAX_LIST, sizeof(*f->path));
    if (!f->path || f->npaths == MAX_LIST)
        return -1;
    f->path[f->npaths++] = (struct path_flag){ access, path };
    return 0;
}

static int add_env(struct cli *c, const char *entry)
{
    struct run_flags *f = &c->flags;

    if (!f->env)
        f->env = arena_array(&c->arena, MAX_LIST, sizeof(*f->env));
    if (!f->env || f->nenv == MAX_LIST)
        return -1;
    f->env[f->nenv++] = entry;
    return 0;
}

static int take(struct cli *c, const struct command *cmd, int id,
                const char *arg)
{
    switch (id) {
    case ID_POLICY:
        if (c->policy_file)
            return usage(c, cmd, "a second policy", arg,
                         "one request per run; options add to it");
        c->policy_file = arg;
        return -1;
    case ID_RO:
        return add_path(c, ACCESS_READ, arg) < 0
                   ? usage(c, cmd, "too many paths", NULL, NULL)
                   : -1;
    case ID_RW:
        return add_path(c, ACCESS_WRITE, arg) < 0
                   ? usage(c, cmd, "too many paths", NULL, NULL)
                   : -1;
    case ID_DENY:
        return add_path(c, ACCESS_DENY, arg) < 0
                   ? usage(c, cmd, "too many paths", NULL, NULL)
                   : -1;
    case ID_ENV:
        return add_env(c, arg) < 0
                   ? usage(c, cmd, "too many variables", NULL, NULL)
                   : -1;
    case ID_TIMEOUT:
        if (num_duration_ms(arg, &c->flags.timeout_ms) < 0 ||
            c->flags.timeout_ms == 0)
            return usage(c, cmd, "not a duration:", arg,
                         "30s, 500ms, 5m or 1h, and more than 0");
        c->flags.has_timeout = true;
        return -1;
    case ID_ACCEPT:
        if (wall_find(arg) == WALL_NONE)
            return usage(c, cmd, "no wall of that name:", arg,
                         "landlock or pid-limit, if `mxc doctor` says that it "
                         "is missing");
        c->flags.accept_missing |= wall_find(arg);
        return -1;
    case ID_TOOLS:
        c->flags.tools = true;
        return -1;
    case ID_CWD:
        c->flags.cwd = arg;
        return -1;
    case ID_BACKEND:
        c->flags.backend = arg;
        return -1;
    case ID_TTY:
        c->flags.tty = true;
        return -1;
    case ID_DIE:
        c->flags.die_with_parent = true;
        return -1;
    case ID_JSON:
        c->json = arg;
        return -1;
    case ID_PLAN:
        c->plan = true;
        return -1;
    case ID_ALL:
        c->all = true;
        return -1;
    case ID_VERSION:
        c->version = arg;
        return -1;
    default:
        help_command(stdout, cmd);
        return CLI_OK;
    }
}

static int long_id(int got)
{
    for (const struct option_row *o = option_rows; o->name; o++)
        if (o->id == got || (o->letter && o->letter == got))
            return o->id;
    return ID_HELP;
}

/* What the caller most likely meant by words without "--". */
static int missing_dashes(const struct cli *c, const struct command *cmd,
                          const char *file, const char *word)
{
    char hint[200];

    if (cli_names_request(word))
        return usage(c, cmd, "a second policy", word,
                     "one request per run; options add to it");
    if (cli_names_request(file))
        file = word;
    (void)snprintf(hint, sizeof(hint),
                   "to run '%.60s', write '--' before it: mxc %s ... -- %.60s "
                   "...",
                   file, cmd->name, file);
    return usage(c, cmd, "unexpected", word, hint);
}

static int take_command(struct cli *c, const struct command *cmd, int argc,
                        char **argv, int at)
{
    if (at == argc)
        return usage(c, cmd, "no command after '--'", NULL, NULL);
    c->flags.arg =
        arena_array(&c->arena, (size_t)(argc - at), sizeof(*c->flags.arg));
    if (!c->flags.arg)
        return usage(c, cmd, "out of memory", NULL, NULL);
    for (; at < argc; at++)
        c->flags.arg[c->flags.nargs++] = argv[at];
    return -1;
}

/* "-- COMMAND..." or one FILE, or both with the file first. */
static int take_operands(struct cli *c, const struct command *cmd, int argc,
                         char **argv, int at)
{
    if (at > 0 && strcmp(argv[at - 1], "--") == 0)
        return take_command(c, cmd, argc, argv, at);
    if (at == argc)
        return -1;
    if (c->policy_file)
        return missing_dashes(c, cmd, argv[at], argv[at]);
    c->policy_file = argv[at++];
    if (at == argc)
        return -1;
    if (strcmp(argv[at], "--") == 0)
        return take_command(c, cmd, argc, argv, at + 1);
    if (argv[at][0] == '-' && access(argv[at - 1], F_OK) == 0)
        return usage(c, cmd, "an option after the file:", argv[at],
                     "options come before the file");
    return missing_dashes(c, cmd, argv[at - 1], argv[at]);
}

int cli_parse(struct cli *c, const struct command *cmd, int argc, char **argv)
{
    struct option longs[MAX_OPTIONS];
    char shorts[2 * MAX_OPTIONS];
    int got, r;

    c->arena.limit = 64 << 20;
    make_getopt(cmd, longs, shorts);
    opterr = 0;
    optind = 1;
    while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (got == '?')
            return unknown_option(c, cmd, argv[optind - 1]);
        /* "--rw -- ls" would take the dashes for a path. */
        if (got == ':' || (optarg && strcmp(optarg, "--") == 0))
            return usage(c, cmd, "this option needs a value:",
                         argv[optind - (got == ':' ? 1 : 2)], NULL);
        r = take(c, cmd, long_id(got), optarg);
        if (r >= 0)
            return r;
    }
    if (!(cmd->groups & OPT_POLICY))
        return optind < argc ? usage(c, cmd, "unexpected", argv[optind], NULL)
                             : -1;
    return take_operands(c, cmd, argc, argv, optind);
}

void cli_free(struct cli *c)
{
    arena_drop(&c->arena);
}
