/* options.c - one table of options; parsing by getopt_long(3). */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/num.h"
#include "cli/cli.h"

/* clang-format off */
const struct option_row option_rows[] = {
    { "policy",  'p', "FILE", "request or policy to start from ('-': standard "
      "input)", OPT_POLICY, ID_POLICY },
    { "ro",      'r', "PATH", "let it be read", OPT_POLICY, ID_RO },
    { "rw",      'w', "PATH", "let it be read and written", OPT_POLICY, ID_RW },
    { "deny",    'd', "PATH", "refuse it, also inside a granted directory",
      OPT_POLICY, ID_DENY },
    { "tools",   't', NULL, "let the toolchains on your PATH be read",
      OPT_POLICY, ID_TOOLS },
    { "env",     'e', "KEY=VALUE", "set a variable", OPT_POLICY, ID_ENV },
    { "cwd",     'C', "PATH", "start there (default: your directory where it "
      "is granted, else a private home)", OPT_POLICY, ID_CWD },
    { "timeout", 'T', "TIME", "kill it after TIME: 30s, 500ms, 5m",
      OPT_POLICY, ID_TIMEOUT },
    { "backend", 'b', "NAME", "containment to use (default: process)",
      OPT_POLICY, ID_BACKEND },
    { "accept-missing", 0, "WALL", "run although this host lacks WALL (see "
      "mxc doctor); stands in the receipt", OPT_POLICY, ID_ACCEPT },
    { "tty",     'i', NULL, "give it a terminal of its own", OPT_RUN, ID_TTY },
    { "die-with-parent", 0, NULL, "end it when the calling process ends",
      OPT_RUN, ID_DIE },
    { "json",    'j', "FILE|FD", "write the result (or the error) there, as "
      "one JSON object", OPT_JSON, ID_JSON },
    { "plan",    0, NULL, "show every step of the plan", OPT_SHOW, ID_PLAN },
    { "version", 'V', "V", "contract version, e.g. 1.0.0 (default: 1.1.0+c1)",
      OPT_VERSION, ID_VERSION },
    { "help",    'h', NULL, "show this help", ~0u, ID_HELP },
    { 0 }
};
/* clang-format on */

enum { MAX_OPTIONS = 32, MAX_LIST = 16384 };

static void make_getopt(const struct command *cmd, struct option *longs,
                        char *shorts)
{
    size_t n = 0, s = 0;

    shorts[s++] = '+';
    shorts[s++] = ':';
    for (const struct option_row *o = option_rows; o->name; o++) {
        if (!(o->groups & (cmd->groups | (o->id == ID_HELP ? ~0u : 0))))
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

static int usage(const struct command *cmd, const char *what,
                 const char *subject)
{
    struct buf b = { .max = 4096 };

    buf_printf(&b, "mxc %s: %s", cmd->name, what);
    if (subject) {
        buf_puts(&b, " '");
        buf_shown(&b, subject);
        buf_puts(&b, "'");
    }
    buf_printf(&b, "\n  try: mxc %s --help\n", cmd->name);
    cli_print(stderr, &b);
    buf_drop(&b);
    return CLI_USAGE;
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
            return usage(cmd, "a second policy", arg);
        c->policy_file = arg;
        return -1;
    case ID_RO:
        return add_path(c, ACCESS_READ, arg) < 0
                   ? usage(cmd, "too many paths", NULL) : -1;
    case ID_RW:
        return add_path(c, ACCESS_WRITE, arg) < 0
                   ? usage(cmd, "too many paths", NULL) : -1;
    case ID_DENY:
        return add_path(c, ACCESS_DENY, arg) < 0
                   ? usage(cmd, "too many paths", NULL) : -1;
    case ID_ENV:
        return add_env(c, arg) < 0
                   ? usage(cmd, "too many variables", NULL) : -1;
    case ID_TIMEOUT:
        if (num_duration_ms(arg, &c->flags.timeout_ms) < 0 ||
            c->flags.timeout_ms == 0)
            return usage(cmd, "not a duration (30s, 500ms, 5m, 1h)", arg);
        c->flags.has_timeout = true;
        return -1;
    case ID_ACCEPT:
        if (wall_find(arg) == WALL_NONE)
            return usage(cmd, "no wall of that name (landlock, pid-limit)",
                         arg);
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

/* "-- COMMAND..." or one FILE, or both with the file first. */
static int take_operands(struct cli *c, const struct command *cmd, int argc,
                         char **argv, int at)
{
    bool is_command = at > 0 && strcmp(argv[at - 1], "--") == 0;

    if (!is_command && at < argc) {
        if (c->policy_file)
            return usage(cmd, "a second policy (write a command after '--')",
                         argv[at]);
        c->policy_file = argv[at++];
        if (at < argc && strcmp(argv[at], "--") == 0) {
            is_command = true;
            at++;
        } else if (at < argc) {
            return usage(cmd, "one operand too many (write a command after "
                         "'--')", argv[at]);
        }
    }
    if (is_command && at == argc)
        return usage(cmd, "no command after '--'", NULL);
    if (at < argc) {
        c->flags.arg = arena_array(&c->arena, (size_t)(argc - at),
                                   sizeof(*c->flags.arg));
        if (!c->flags.arg)
            return usage(cmd, "out of memory", NULL);
        for (; at < argc; at++)
            c->flags.arg[c->flags.nargs++] = argv[at];
    }
    return -1;
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
            return usage(cmd, "unknown option", argv[optind - 1]);
        if (got == ':')
            return usage(cmd, "this option needs a value:",
                         argv[optind - 1]);
        r = take(c, cmd, long_id(got), optarg);
        if (r >= 0)
            return r;
    }
    if (!(cmd->groups & OPT_POLICY))
        return optind < argc ? usage(cmd, "unexpected", argv[optind]) : -1;
    return take_operands(c, cmd, argc, argv, optind);
}

void cli_free(struct cli *c)
{
    arena_drop(&c->arena);
}
