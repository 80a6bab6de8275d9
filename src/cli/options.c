/* options.c - one table of options; parsing by getopt_long(3). */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/event.h"
#include "base/limit.h"
#include "base/num.h"
#include "cli/cli.h"
#include "session/pool.h"
#include "supervise/supervise.h"

/* clang-format off */
const struct option_row option_rows[] = {
    { "policy",  'p', "FILE", "start from the request in FILE ('-': standard "
      "input); the other options add to it", OPT_POLICY, ID_POLICY },
    { "ro",      'r', "PATH", "grant PATH, and all below it, for reading",
      OPT_POLICY | OPT_CLAIM, ID_RO },
    { "ro",      'r', "PATH", "take away writing to PATH, which the session "
      "may write to; below a --deny: give it back for reading", OPT_REQUEST,
      ID_RO },
    { "rw",      'w', "PATH", "grant PATH, and all below it, for reading and "
      "writing", OPT_POLICY | OPT_CLAIM, ID_RW },
    { "rw",      'w', "PATH", "give PATH back, below a --ro or --deny, as the "
      "session has it", OPT_REQUEST, ID_RW },
    { "deny",    'd', "PATH", "refuse PATH inside a granted directory",
      OPT_POLICY | OPT_CLAIM, ID_DENY },
    { "deny",    'd', "PATH", "take away PATH, which the session grants",
      OPT_REQUEST, ID_DENY },
    { "tools",   't', NULL, "grant the programs on your PATH, and what lies "
      "beside them, for reading; give your PATH", OPT_POLICY, ID_TOOLS },
    { "allow-host", 0, "NAME[:PORT]", "let it talk to a host, or with '*.' in "
      "front to all below a name; PORT may be a range, 8000-8010",
      OPT_POLICY, ID_ALLOW_HOST },
    { "allow-intranet-host", 0, "NAME[:PORT]", "the same for a name that may "
      "lead to private addresses", OPT_POLICY, ID_ALLOW_INTRANET },
    { "allow-net", 0, "CIDR[:PORT]", "let it talk to addresses: "
      "192.0.2.0/24:443, [2001:db8::]/32:443, or 'internet' for all public "
      "ones", OPT_POLICY, ID_ALLOW_NET },
    { "deny-net", 0, "CIDR[:PORT]", "refuse addresses that other options or "
      "the request allow", OPT_POLICY, ID_DENY_NET },
    { "publish", 0, "GUEST[:HOST]", "make its port GUEST the port HOST of "
      "this host's loopback (default: a free one)", OPT_POLICY, ID_PUBLISH },
    { "host-service", 0, "HOST[:GUEST]", "give it the port HOST of this "
      "host's loopback, as its own port GUEST (default: the same)",
      OPT_POLICY, ID_SERVICE },
    { "proxy",   0, "URL|builtin", "let it talk to an HTTP proxy on this "
      "host's loopback and nothing else; or 'builtin': run a proxy inside "
      "that obeys the other options", OPT_POLICY, ID_PROXY },
    { "env",     'e', "KEY=VALUE", "set an environment variable",
      OPT_POLICY | OPT_EXEC, ID_ENV },
    { "cwd",     'C', "PATH", "start in PATH (default: the current directory "
      "if it is granted, else a private home)", OPT_POLICY, ID_CWD },
    { "cwd",     'C', "PATH", "start in PATH (default: where the policy says)",
      OPT_EXEC, ID_CWD },
    { "timeout", 'T', "TIME", "kill it after TIME: 30s (or 30), 500ms, "
      "5m, 1h", OPT_POLICY | OPT_EXEC, ID_TIMEOUT },
    { "limit",   'l', "NAME=MOST[,advisory]", "let it use no more: memory, "
      "swap, scratch, file-size, output, network (512M); processes, files, "
      "scratch-files, connections (64); cpu-share (50%); cpu-time, silence "
      "(30s); ',advisory': run also where it cannot be held", OPT_LIMITS,
      ID_MOST },
    { "backend", 'b', "NAME", "containment to use (default: process, which "
      "is 'native' on Linux)", OPT_POLICY, ID_BACKEND },
    { "image",   0, "IMAGE", "the root of a container of the backend lxc, as "
      "`mxc image list` names it", OPT_POLICY, ID_IMAGE },
    { "tier",    0, "TIER", "run it behind at least process, kernel or vm: the "
      "host's kernel with walls around, a kernel of its own, or a virtual "
      "machine", OPT_POLICY, ID_TIER },
    { "accept-missing", 0, "WALL", "run although this host lacks WALL (`mxc "
      "doctor` tells); the receipt says so", OPT_POLICY, ID_ACCEPT },
    { "tty",     'i', NULL, "give it a terminal of its own, for interactive "
      "programs", OPT_RUN | OPT_EXEC | OPT_LEARN, ID_TTY },
    { "pty",     0, "ROWSxCOLUMNS", "give it a terminal of that size, whose "
      "other side are standard input and output (pipes or sockets)",
      OPT_RUN | OPT_EXEC, ID_PTY },
    { "request", 0, "FILE", "run the command of the exec request in FILE ('-': "
      "standard input); the other options take away more", OPT_REQUEST,
      ID_REQUEST },
    { "die-with-parent", 0, NULL, "end it when the calling process ends",
      OPT_RUN | OPT_EXEC, ID_DIE },
    { "parent",  0, "PID", "the same, for a caller that says which it is: one "
      "that has ended already is noticed", OPT_RUN | OPT_EXEC, ID_PARENT },
    { "json",    'j', "FILE|FD|-", "write the result or the error, as one JSON "
      "object, to a file, an open descriptor or standard output", OPT_JSON,
      ID_JSON },
    { "events",  0, "FILE|FD|-", "write what happens, one JSON object in a "
      "line, to a file, an open descriptor or standard output", OPT_RUN,
      ID_EVENTS },
    { "correlation-id", 0, "ID", "your word for this run: in every event, and "
      "in the result", OPT_RUN, ID_CORRELATION },
    { "denials", 0, NULL, "tell what it was refused of files, programs and "
      "system calls too, each with what would allow it", OPT_RUN, ID_DENIALS },
    { "discard-writes", 0, NULL, "keep nothing of what it writes to granted "
      "directories: it sees it, and the host does not", OPT_RUN, ID_DISCARD },
    { "accesses", 0, NULL, "tell that, and each file and program that it used "
      "of what is granted", OPT_RUN, ID_ACCESSES },
    { "verify",  0, NULL, "let the sandbox try each of its walls from inside, "
      "before the command starts; one that does not hold ends the run",
      OPT_RUN, ID_VERIFY },
    { "once",    0, NULL, "show what is there, and do not wait for more",
      OPT_TAIL, ID_ONCE },
    { "control", 0, "FD", "obey lines from a descriptor: 'signal N', 'kill', "
      "'resize ROWS COLUMNS'", OPT_RUN | OPT_EXEC, ID_CONTROL },
    { "all",     'a', NULL, "list the base system path by path", OPT_SHOW,
      ID_ALL },
    { "plan",    0, NULL, "show every step of the plan", OPT_SHOW, ID_PLAN },
    { "version", 'V', "V", "contract version: 0.6.0-alpha to "
      "0.10.0-alpha, 1.0.0, 1.1.0-alpha or 1.1.0+c1 (default)", OPT_VERSION,
      ID_VERSION },
    { "to",      0, "VERSION", "contract to write: 1.0.0 or 1.1.0+c1 "
      "(default: the first, where nothing is lost)", OPT_FILE, ID_TO },
    { "name",    0, "POOL", "what to call the pool (default: a name is made "
      "up)", OPT_POOL, ID_NAME },
    { "size",    0, "N", "keep N sandboxes ready, 1 to 64 (default: 4)",
      OPT_POOL, ID_SIZE },
    { "wait",    0, "TIME", "wait at most TIME for a sandbox (default: until "
      "there is one)", OPT_CLAIM, ID_WAIT },
    { "cold",    0, NULL, "when none is ready, nor is within --wait, make one "
      "of the same policy for this command", OPT_CLAIM, ID_COLD },
    { "idle-timeout", 0, "TIME", "stop the session, or the pool, when nothing "
      "has run in it for TIME", OPT_KEEP | OPT_POOL, ID_IDLE },
    { "max-age", 0, "TIME", "stop the session, or the pool, TIME after its "
      "start, whatever runs", OPT_KEEP | OPT_POOL, ID_AGE },
    { "layer",   0, "WHAT", "keep what was written when it stops: private "
      "(home, /tmp, /var/tmp, /opt, /usr/local) or system (these, and what is "
      "written over the base system)", OPT_KEEP, ID_LAYER },
    { "max-size", 0, "SIZE", "of what comes out of a session, take at most "
      "SIZE bytes: 512, 20M, 8G (default: 4G)", OPT_COPY, ID_MAX_SIZE },
    { "grace",   0, "TIME", "wait TIME for what runs to end, after SIGTERM "
      "(default: 2s; 0: do not)", OPT_END, ID_GRACE },
    { "limit",   0, "NAME=N", "lower a limit of each process of this command: "
      "cpu (seconds), files, processes (not as root), file-size or memory "
      "(512M)", OPT_EXEC,
      ID_LIMIT },
    { "no-network", 0, NULL, "let it make no sockets", OPT_EXEC,
      ID_NO_NETWORK },
    { "template", 0, "FILE", "download: where LXC's program lxc-download is",
      OPT_IMAGE, ID_TEMPLATE },
    { "read",    0, "PATH", "ask: may it read PATH?", OPT_ASK, ID_READ },
    { "write",   0, "PATH", "ask: may it write to PATH, or make it?", OPT_ASK,
      ID_WRITE },
    { "exec",    0, "PATH", "ask: may it execute PATH?", OPT_ASK, ID_EXEC },
    { "connect", 0, "HOST:PORT", "ask: may it connect to HOST:PORT by TCP?",
      OPT_ASK, ID_CONNECT },
    { "session", 0, "ID", "ask a started session, instead of a policy",
      OPT_ASK, ID_SESSION },
    { "no-try",  0, NULL, "decide, and try nothing in a sandbox", OPT_TRY,
      ID_NO_TRY },
    { "mode",    0, "MODE", "deny (default): run it under the policy so far, "
      "add what it was refused, and run it again; observe: let it use a copy "
      "of this directory and your home, of which nothing is kept, and see what "
      "it uses; permissive: let it use these themselves, and the network",
      OPT_LEARN, ID_MODE },
    { "rounds",  0, "N", "run it at most N times (default: 16)", OPT_LEARN,
      ID_ROUNDS },
    { "out",     'o', "FILE|-", "write the policy to FILE, which must not be "
      "there yet, or to standard output (default: mxc-policy.json)", OPT_LEARN,
      ID_OUT },
    { "force",   'f', NULL, "replace the FILE of --out", OPT_LEARN, ID_FORCE },
    { "merge",   'm', "POLICY", "learn on top of a policy, and show what would "
      "change in it", OPT_LEARN, ID_MERGE },
    { "write",   0, NULL, "with --merge: change the policy's file", OPT_LEARN,
      ID_CHANGE },
    { "grant-secret", 0, "PATH", "what it asks for of PATH may be granted, "
      "although it is a secret, or a file that others execute", OPT_LEARN,
      ID_SECRET },
    { "reach",   0, NULL, "let it reach the hosts that it asks for while it is "
      "learnt: what it can read it can send there", OPT_LEARN, ID_REACH },
    { "allow-everything-while-learning", 0, NULL, "what --mode permissive "
      "needs: the command is not held back", OPT_LEARN, ID_EVERYTHING },
    { "help",    'h', NULL, "show this help", ~0u, ID_HELP },
    { 0 }
};
/* clang-format on */

enum { MAX_OPTIONS = 64, MAX_LIST = 16384, LEARN_ROUNDS_MOST = 64 };

bool takes_option(const struct command *cmd, const struct option_row *o)
{
    return o->id == ID_HELP || o->groups & cmd->groups;
}

static void make_getopt(const struct command *cmd, struct option *longs,
                        char *shorts)
{
    size_t n = 0, s = 0;

    if (!(cmd->groups & OPT_WORDS))
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
    return cli_fail(
        c, &e, cmd->groups & (OPT_RUN | OPT_EXEC) ? CLI_FAILED : CLI_USAGE);
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

static int add_path(struct cli *c, int id, const char *path)
{
    struct run_flags *f = &c->flags;
    enum access access = id == ID_RO   ? ACCESS_READ
                         : id == ID_RW ? ACCESS_WRITE
                                       : ACCESS_DENY;

    if (!f->path)
        f->path = arena_array(&c->arena, MAX_LIST, sizeof(*f->path));
    if (!f->path || f->npaths == MAX_LIST)
        return -1;
    f->path[f->npaths++] = (struct path_flag){ access, path };
    return 0;
}

static const struct {
    int id;
    enum why_kind kind;
} questions[] = {
    { ID_READ, WHY_READ },
    { ID_WRITE, WHY_WRITE },
    { ID_EXEC, WHY_EXEC },
    { ID_CONNECT, WHY_CONNECT },
};

static bool is_question(int id, enum why_kind *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        *kind = questions[i].kind;
        if (questions[i].id == id)
            return true;
    }
    return false;
}

static int add_ask(struct cli *c, const struct command *cmd, enum why_kind kind,
                   const char *operand)
{
    if (!c->ask)
        c->ask = arena_array(&c->arena, MAX_LIST, sizeof(*c->ask));
    if (!c->ask || c->nasks == MAX_LIST)
        return usage(c, cmd, "too many questions", NULL, NULL);
    c->ask[c->nasks++] = (struct ask_flag){ kind, operand };
    return -1;
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

static int take_network(struct cli *c, const struct command *cmd, int id,
                        const char *arg)
{
    const char *hint = NULL, *why = net_option(c, id, arg, &hint);
    const struct option_row *o = option_rows;
    char what[200];

    if (!why)
        return -1;
    while (o->id != id)
        o++;
    (void)snprintf(what, sizeof(what), "--%s: %s:", o->name, why);
    return usage(c, cmd, what, arg, hint);
}

/* --tty without, --pty with a size. */
static int take_tty(struct cli *c, const struct command *cmd, const char *size)
{
    if (c->flags.tty && (size != NULL) != (c->rows != 0))
        return usage(c, cmd, "--tty and --pty exclude each other", NULL,
                     "--tty for a terminal of yours, --pty for a program");
    if (size && !tty_size_parse(size, &c->rows, &c->columns))
        return usage(c, cmd, "--pty: not a size:", size,
                     "24x80; 1 to 32767 each");
    c->flags.tty = true;
    return -1;
}

static int take_accept(struct cli *c, const struct command *cmd,
                       const char *name)
{
    if (wall_find(name) == WALL_NONE)
        return usage(c, cmd, "no wall of that name:", name,
                     "landlock or pid-limit, if `mxc doctor` says that it is "
                     "missing");
    c->flags.accept_missing |= wall_find(name);
    return -1;
}

/* Of several the strongest counts, as between this and the request. */
static int take_tier(struct cli *c, const struct command *cmd, const char *name)
{
    enum tier tier = tier_find(name);

    if (tier == TIER_ANY)
        return usage(c, cmd, "no tier of that name:", name,
                     "process, kernel or vm");
    if (tier > c->flags.tier)
        c->flags.tier = tier;
    return -1;
}

static int take_layer(struct cli *c, const struct command *cmd,
                      const char *name)
{
    c->flags.layer = layer_find(name);
    return c->flags.layer ? -1
                          : usage(c, cmd, "no layer of that name:", name,
                                  "private or system");
}

static int take_time(struct cli *c, const struct command *cmd, int id,
                     const char *arg)
{
    uint64_t *out = id == ID_IDLE   ? &c->idle_ms
                    : id == ID_AGE  ? &c->age_ms
                    : id == ID_WAIT ? &c->wait_ms
                                    : &c->grace_ms;
    const char *what = id == ID_IDLE   ? "--idle-timeout: not a duration:"
                       : id == ID_AGE  ? "--max-age: not a duration:"
                       : id == ID_WAIT ? "--wait: not a duration:"
                                       : "--grace: not a duration:";
    const bool may_be_none = id == ID_GRACE || id == ID_WAIT;

    c->has_grace = c->has_grace || id == ID_GRACE;
    c->has_wait = c->has_wait || id == ID_WAIT;
    /* No time at all to end, or to wait, is a time; to live is none. */
    if (num_duration_ms(arg, out) == 0 && (*out || may_be_none))
        return -1;
    return usage(c, cmd, what, arg,
                 may_be_none ? "30s, 500ms, 5m or 1h"
                             : "30s, 500ms, 5m or 1h, and more than 0");
}

static int take_timeout(struct cli *c, const struct command *cmd,
                        const char *arg)
{
    if (num_duration_ms(arg, &c->flags.timeout_ms) < 0 ||
        c->flags.timeout_ms == 0)
        return usage(c, cmd, "--timeout: not a duration:", arg,
                     "30s, 500ms, 5m or 1h, and more than 0");
    c->flags.has_timeout = true;
    return -1;
}

static int take_limit(struct cli *c, const struct command *cmd, const char *arg)
{
    const char *number = arg ? strchr(arg, '=') : NULL;
    struct session_limit l = { .resource = -1 };
    char name[32] = "";

    if (number && (size_t)(number - arg) < sizeof(name)) {
        memcpy(name, arg, (size_t)(number - arg));
        l.resource = limit_resource(name);
    }
    if (l.resource < 0)
        return usage(c, cmd, "a command has no limit of that name:", arg,
                     session_limit_names());
    if ((l.resource == RLIMIT_FSIZE || l.resource == RLIMIT_AS
             ? num_size(number + 1, &l.value)
             : num_u64(number + 1, UINT64_MAX / 2, &l.value)) < 0)
        return usage(c, cmd, "not a value of that limit:", arg,
                     "cpu=30 (seconds), files=64, processes=64, file-size=20M, "
                     "memory=512M");
    if (c->nlimits == ARRAY_LEN(c->limit))
        return usage(c, cmd, "too many limits", NULL, NULL);
    c->limit[c->nlimits++] = l;
    return -1;
}

static int take_correlation(struct cli *c, const struct command *cmd,
                            const char *arg)
{
    if (!event_id_is_fine(arg))
        return usage(c, cmd, "--correlation-id: not a word for a run:", arg,
                     "1 to 128 bytes of text that can be seen");
    c->flags.correlation = arg;
    return -1;
}

/* NAME=MOST, and whether it has to be held. */
static int take_most(struct cli *c, const struct command *cmd, const char *arg)
{
    static const char advisory[] = ",advisory";
    const char *given = arg ? arg : "";
    const size_t name = strcspn(given, "="), tail = sizeof(advisory) - 1;
    const enum limit which = limit_find(given, name);
    char *value = arena_strdup(&c->arena, given[name] ? given + name + 1 : "");
    struct limit_flag *f = &c->flags.limit[c->flags.nlimits];
    size_t n;

    if (!value || c->flags.nlimits == ARRAY_LEN(c->flags.limit))
        return usage(c, cmd, "too many limits", NULL, NULL);
    if (which == LIMIT_COUNT)
        return usage(c, cmd, "no limit of that name:", arg,
                     "--limit memory=512M; `mxc help run` lists them");
    n = strlen(value);
    f->is_advisory = n > tail && strcmp(value + n - tail, advisory) == 0;
    if (f->is_advisory)
        value[n - tail] = '\0';
    if (limit_value(which, value, &f->value) < 0)
        return usage(c, cmd, "not a value of that limit:", arg,
                     "memory=512M, processes=64, cpu-share=50%, cpu-time=30s");
    f->which = which;
    f->origin = arena_printf(&c->arena, "--limit %s", limit_rows[which].word);
    c->flags.nlimits++;
    return f->origin ? -1 : usage(c, cmd, "out of memory", NULL, NULL);
}

static int take_rounds(struct cli *c, const struct command *cmd,
                       const char *arg)
{
    if (num_u64(arg, LEARN_ROUNDS_MOST, &c->learn.rounds) < 0 ||
        c->learn.rounds == 0)
        return usage(c, cmd, "not a number of rounds:", arg, "1 to 64");
    return -1;
}

static int take_secret(struct cli *c, const struct command *cmd,
                       const char *path)
{
    struct learn_flags *f = &c->learn;

    if (!f->secret)
        f->secret = arena_array(&c->arena, MAX_LIST, sizeof(*f->secret));
    if (!f->secret || f->nsecrets == MAX_LIST)
        return usage(c, cmd, "too many secrets", NULL, NULL);
    f->secret[f->nsecrets++] = path;
    return -1;
}

static int take_parent(struct cli *c, const struct command *cmd,
                       const char *arg)
{
    uint64_t n = 0;

    if (num_u64(arg, INT_MAX, &n) < 0 || n == 0)
        return usage(c, cmd, "--parent: not the number of a process:", arg,
                     "your own: getpid(2)");
    c->parent = (pid_t)n;
    c->flags.die_with_parent = true;
    return -1;
}

static int take_size(struct cli *c, const struct command *cmd, const char *arg)
{
    uint64_t n = 0;

    if (num_u64(arg, POOL_SIZE_MAX, &n) < 0 || n == 0)
        return usage(c, cmd, "--size: not a size:", arg, "1 to 64");
    c->size = (uint32_t)n;
    return -1;
}

/* Options whose text is looked at later. */
static const char **text_of(struct cli *c, int id)
{
    switch (id) {
    case ID_CWD:
        return &c->flags.cwd;
    case ID_NAME:
        return &c->name;
    case ID_BACKEND:
        return &c->flags.backend;
    case ID_IMAGE:
        return &c->flags.image;
    case ID_JSON:
        return &c->json;
    case ID_EVENTS:
        return &c->events;
    case ID_CONTROL:
        return &c->control;
    case ID_VERSION:
        return &c->version;
    case ID_TO:
        return &c->to;
    case ID_SESSION:
        return &c->id;
    case ID_TEMPLATE:
        return &c->template;
    case ID_MODE:
        return &c->learn.mode;
    case ID_OUT:
        return &c->learn.out;
    case ID_MERGE:
        return &c->learn.merge;
    default:
        return NULL;
    }
}

/* Options without a value. */
static int take_word(struct cli *c, const struct command *cmd, int id)
{
    switch (id) {
    case ID_TOOLS:
        c->flags.tools = true;
        return -1;
    case ID_DIE:
        c->flags.die_with_parent = true;
        return -1;
    case ID_NO_NETWORK:
        c->no_network = true;
        return -1;
    case ID_COLD:
        c->is_cold = true;
        return -1;
    case ID_NO_TRY:
        c->no_try = true;
        return -1;
    case ID_DENIALS:
        c->flags.denials = true;
        return -1;
    case ID_DISCARD:
        c->flags.copies = true;
        return -1;
    case ID_ACCESSES:
        c->flags.accesses = true;
        return -1;
    case ID_VERIFY:
        c->flags.verify = true;
        return -1;
    case ID_ONCE:
        c->is_once = true;
        return -1;
    case ID_FORCE:
        c->learn.is_forced = true;
        return -1;
    case ID_CHANGE:
        c->learn.changes_file = true;
        return -1;
    case ID_EVERYTHING:
        c->learn.allows_everything = true;
        return -1;
    case ID_REACH:
        c->learn.reaches = true;
        return -1;
    case ID_PLAN:
        c->plan = true;
        return -1;
    case ID_ALL:
        c->all = true;
        return -1;
    default:
        help_command(stdout, cmd);
        return CLI_OK;
    }
}

static int take(struct cli *c, const struct command *cmd, int id,
                const char *arg)
{
    const char **text = text_of(c, id);
    enum why_kind kind;

    if (text) {
        *text = arg;
        return -1;
    }
    if (is_question(id, &kind))
        return add_ask(c, cmd, kind, arg);
    switch (id) {
    case ID_POLICY:
    case ID_REQUEST:
        if (c->policy_file)
            return usage(c, cmd, "a second policy", arg,
                         "one request per run; options add to it");
        c->policy_file = arg;
        return -1;
    case ID_RO:
    case ID_RW:
    case ID_DENY:
        return add_path(c, id, arg) < 0
                   ? usage(c, cmd, "too many paths", NULL, NULL)
                   : -1;
    case ID_ENV:
        return add_env(c, arg) < 0
                   ? usage(c, cmd, "too many variables", NULL, NULL)
                   : -1;
    case ID_TIMEOUT:
        return take_timeout(c, cmd, arg);
    case ID_IDLE:
    case ID_AGE:
    case ID_GRACE:
    case ID_WAIT:
        return take_time(c, cmd, id, arg);
    case ID_SIZE:
        return take_size(c, cmd, arg);
    case ID_PARENT:
        return take_parent(c, cmd, arg);
    case ID_ROUNDS:
        return take_rounds(c, cmd, arg);
    case ID_SECRET:
        return take_secret(c, cmd, arg);
    case ID_LIMIT:
        return take_limit(c, cmd, arg);
    case ID_CORRELATION:
        return take_correlation(c, cmd, arg);
    case ID_MOST:
        return take_most(c, cmd, arg);
    case ID_ACCEPT:
        return take_accept(c, cmd, arg);
    case ID_TIER:
        return take_tier(c, cmd, arg);
    case ID_LAYER:
        return take_layer(c, cmd, arg);
    case ID_MAX_SIZE:
        return num_size(arg, &c->max_size) == 0 && c->max_size
                   ? -1
                   : usage(c, cmd, "--max-size: not a size:", arg,
                           "512, 20M or 8G");
    case ID_ALLOW_HOST:
    case ID_ALLOW_INTRANET:
    case ID_ALLOW_NET:
    case ID_DENY_NET:
    case ID_PUBLISH:
    case ID_SERVICE:
    case ID_PROXY:
        return take_network(c, cmd, id, arg);
    case ID_TTY:
    case ID_PTY:
        return take_tty(c, cmd, arg);
    default:
        return take_word(c, cmd, id);
    }
}

static int long_id(int got)
{
    for (const struct option_row *o = option_rows; o->name; o++)
        if (o->id == got || (o->letter && o->letter == got))
            return o->id;
    return ID_HELP;
}

static bool shapes_policy(int id)
{
    for (const struct option_row *o = option_rows; o->name; o++)
        if (o->id == id && id != ID_HELP)
            return o->groups & OPT_POLICY;
    return false;
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

/* "ID", and for exec "-- COMMAND..." behind it. */
static int take_session(struct cli *c, const struct command *cmd, int argc,
                        char **argv, int at)
{
    bool after_dashes = at > 0 && strcmp(argv[at - 1], "--") == 0;

    if (!c->id && !after_dashes && at < argc)
        c->id = argv[at++];
    if (!c->id && cmd->groups & OPT_ID)
        return strncmp(cmd->name, "pool ", 5) == 0
                   ? usage(c, cmd, "no NAME of a pool", NULL,
                           "`mxc pool start` prints one, `mxc pool ls` lists "
                           "them")
                   : usage(c, cmd, "no ID of a session", NULL,
                           "`mxc provision` prints one, `mxc ps` lists them");
    if (at == argc && !after_dashes)
        return -1;
    if (!(cmd->groups & OPT_EXEC))
        return usage(c, cmd, "unexpected", at < argc ? argv[at] : "--", NULL);
    if (after_dashes)
        return take_command(c, cmd, argc, argv, at);
    if (strcmp(argv[at], "--") == 0)
        return take_command(c, cmd, argc, argv, at + 1);
    return usage(c, cmd, "unexpected", argv[at],
                 strcmp(cmd->name, "exec") == 0
                     ? "write '--' before the command: mxc exec ID -- COMMAND"
                     : "write '--' before the command: mxc pool run NAME -- "
                       "COMMAND");
}

/* What getopt_long(3) looks at next, or NULL. */
static const char *next_word(const struct command *cmd, int argc, char **argv)
{
    int at = optind;

    while (cmd->groups & OPT_WORDS && at < argc &&
           (argv[at][0] != '-' || !argv[at][1]))
        at++;
    return at < argc ? argv[at] : NULL;
}

/* "-rw" would be --ro with "w" for its path.  "-help" does what it says. */
static bool lacks_dash(const struct command *cmd, const char *word)
{
    const size_t n =
        word && word[0] == '-' && word[1] != '-' ? strcspn(word + 1, "=") : 0;

    for (const struct option_row *o = option_rows; n > 1 && o->name; o++)
        if (takes_option(cmd, o) && o->id != ID_HELP && strlen(o->name) == n &&
            memcmp(o->name, word + 1, n) == 0)
            return true;
    return false;
}

int cli_parse(struct cli *c, const struct command *cmd, int argc, char **argv)
{
    const bool has_id = cmd->groups & (OPT_ID | OPT_SOME_ID);

    struct option longs[MAX_OPTIONS];
    char shorts[2 * MAX_OPTIONS];
    const char *word;
    int got, r;

    c->arena.limit = 64 << 20;
    c->flags.runtime = getenv("XDG_RUNTIME_DIR");
    make_getopt(cmd, longs, shorts);
    /* Options may follow the ID. */
    if (has_id && argc > 1 && argv[1][0] != '-') {
        c->id = argv[1];
        argv[1] = argv[0];
        argc--;
        argv++;
    }
    opterr = 0;
    optind = 1;
    for (;;) {
        word = next_word(cmd, argc, argv);
        if (lacks_dash(cmd, word))
            return unknown_option(c, cmd, word);
        got = getopt_long(argc, argv, shorts, longs, NULL);
        if (got == -1)
            break;
        if (got == '?')
            return unknown_option(c, cmd, word);
        /* "--rw -- ls" would take the dashes for a path. */
        if (got == ':' || (optarg && strcmp(optarg, "--") == 0))
            return usage(c, cmd, "this option needs a value:",
                         argv[optind - (got == ':' ? 1 : 2)], NULL);
        c->has_policy = c->has_policy || shapes_policy(long_id(got));
        r = take(c, cmd, long_id(got), optarg);
        if (r >= 0)
            return r;
    }
    if (cmd->groups & OPT_WORDS) {
        c->word = argv + optind;
        c->nwords = argc - optind;
        return -1;
    }
    if (cmd->groups & (OPT_FILE | OPT_TAIL) && optind < argc)
        c->policy_file = argv[optind++];
    if (has_id)
        return take_session(c, cmd, argc, argv, optind);
    if (!(cmd->groups & OPT_POLICY))
        return optind < argc ? usage(c, cmd, "unexpected", argv[optind], NULL)
                             : -1;
    return take_operands(c, cmd, argc, argv, optind);
}

void cli_free(struct cli *c)
{
    arena_drop(&c->arena);
}
