/* cmd_pool.c - mxc pool: warm sandboxes of one policy, one command in each. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/claim.h"
#include "base/report.h"
#include "cli/exec.h"
#include "supervise/supervise.h"
#include "sys/seal.h"

enum { USUAL_SIZE = 4, USUAL_GRACE_MS = 2000, LOG_ROOM = 256 * 1024 };

/* --- start -----------------------------------------------------------------
 */

static void warn(const struct cli *c, const struct policy *p)
{
    for (size_t i = 0; i < p->nwarnings && !c->json; i++)
        (void)fprintf(stderr, "mxc: warning: %s\n", p->warning[i]);
}

static int tell_started(const struct cli *c, const char *name, struct err *e)
{
    char member[128];

    (void)snprintf(member, sizeof(member), "\"pool\":\"%s\"", name);
    if (cli_answer(c, member, e) < 0)
        return -1;
    return cli_prints_text(c) && (puts(name) < 0 || fflush(stdout) != 0)
               ? err_sys(e, "write(2)", errno, "cannot tell the pool's name")
               : 0;
}

/* One that nobody knows of would stay for ever. */
static void undo(const struct cli *c, const char *name)
{
    struct pool_dir d = POOL_DIR_NONE;
    struct err ignored;

    if (pool_open(c->flags.runtime, name, &d, &ignored) == 0)
        (void)pool_stop(&d, 0, &ignored);
    pool_close(&d);
}

static int do_start(struct cli *c, struct err *e)
{
    struct pool_start s = { .runtime = c->flags.runtime,
                            .name = c->name,
                            .facts = { .idle_ms = c->idle_ms,
                                       .age_ms = c->age_ms,
                                       .size =
                                           c->size ? c->size : USUAL_SIZE } };
    char launcher[PATH_MAX], name[POOL_NAME_MAX + 1];
    scoped(drop_fd) int word = -1;
    struct prepared p;

    c->flags.want_receipt = true;
    s.launcher = launcher;
    if ((c->name && pool_check_name(c->name, e) < 0) ||
        supervise_find_launcher(launcher, e) < 0 ||
        cli_read_request(c, e) < 0 ||
        claim_make_pool(&c->arena, c->text, c->text_len, &c->flags, &s, &p, e) <
            0)
        return -1;
    warn(c, &p.policy);
    if (pool_start(&s, name, &word, e) < 0)
        return -1;
    if (tell_started(c, name, e) == 0) {
        pool_told(&word);
        return 0;
    }
    undo(c, name);
    return -1;
}

/* --- stop, logs, ls --------------------------------------------------------
 */

static int do_stop(struct cli *c, struct err *e)
{
    struct pool_dir d = POOL_DIR_NONE;
    int r;

    if (pool_open(c->flags.runtime, c->id, &d, e) < 0)
        return -1;
    r = pool_stop(&d, c->has_grace ? c->grace_ms : USUAL_GRACE_MS, e);
    pool_close(&d);
    return r < 0 ? -1 : cli_answer(c, "", e);
}

static int do_logs(struct cli *c, struct err *e)
{
    struct pool_dir d = POOL_DIR_NONE;
    const char *text;
    size_t len;
    int r;

    if (pool_open(c->flags.runtime, c->id, &d, e) < 0)
        return -1;
    r = pool_read(&d, &c->arena, "log", LOG_ROOM, &text, &len, e);
    pool_close(&d);
    if (r == 0 && text)
        (void)fwrite(text, 1, len, stdout);
    return r;
}

struct listing {
    const struct cli *cli;
    struct buf *b;
};

static void list_one(void *context, const char *name)
{
    const struct listing *l = context;
    struct pool_dir d = POOL_DIR_NONE;
    struct pool_look look;
    struct err other;
    enum pool_seen seen;

    /* It may be ending while we look. */
    if (pool_open(l->cli->flags.runtime, name, &d, &other) < 0)
        return;
    buf_puts(l->b, l->b->len > 1 ? "," : "");
    seen = pool_members(&d, &look, l->b);
    buf_putc(l->b, '}');
    pool_close(&d);
    if (!l->cli->json)
        (void)printf("%-16s  %-7s  %5u  %5u  %5u%s\n", name,
                     seen == POOL_GONE ? "stale" : "started", look.size,
                     look.ready, look.busy,
                     seen == POOL_SILENT ? "  does not answer" : "");
}

static int do_ls(struct cli *c, struct err *e)
{
    scoped(drop_fd) int root = -1;
    scoped(buf_drop) struct buf b = { .max = 1 << 20 };
    struct listing l = { c, &b };
    int fd;

    if (session_root(c->flags.runtime, false, &root, e) < 0)
        return -1;
    buf_putc(&b, '[');
    if (!c->json)
        (void)printf("%-16s  %-7s  %5s  %5s  %5s\n", "NAME", "STATE", "SIZE",
                     "READY", "BUSY");
    if (root >= 0 && pool_each(root, list_one, &l, e) < 0)
        return -1;
    buf_puts(&b, "]\n");
    if (cli_open_json(c, &fd, e) < 0)
        return -1;
    return fd < 0 ? 0 : report_write(fd, &b, e);
}

/* --- run -------------------------------------------------------------------
 */

struct claim {
    struct cli *cli;
    struct pool_dir dir;
    struct session_command command;
    struct pool_extra extra;
    struct exec exec;
    const char *receipt; /* the pool's, where it is asked for */
    int code;            /* of a run that was made cold */
};

static int take_command(struct claim *k, struct err *e)
{
    struct cli *c = k->cli;
    const struct run_flags *f = &c->flags;

    k->command = (struct session_command){ .arg = f->arg,
                                           .nargs = f->nargs,
                                           .env = f->env,
                                           .nenv = f->nenv,
                                           .limit = c->limit,
                                           .nlimits = c->nlimits,
                                           .timeout_ms = f->timeout_ms,
                                           .no_network = c->no_network,
                                           .tty = f->tty };
    if (f->nargs == 0) {
        err_set(e, ERR_MALFORMED_REQUEST, "no command to run");
        return err_hint(e, "write it after '--', as in: mxc pool run NAME -- "
                           "ls");
    }
    if (f->tty)
        exec_find_size(c, &k->command);
    if (!f->cwd)
        return 0;
    k->command.cwd = exec_full_path(c, f->cwd, "--cwd", e);
    return k->command.cwd ? 0 : -1;
}

static int run_cold(struct claim *k, struct err *e)
{
    const struct cli *c = k->cli;
    struct exec *x = &k->exec;
    char launcher[PATH_MAX];
    struct plan_view view;
    void *bytes;
    size_t len;
    int plan_fd;

    if (claim_cold_plan(&k->cli->arena, &k->dir, &k->command, &k->extra, &bytes,
                        &len, e) < 0 ||
        plan_check(bytes, len, &view, e) < 0 ||
        supervise_find_launcher(launcher, e) < 0 ||
        supervise_close_strangers((int[]){ x->json, x->control, x->caller }, 3,
                                  e) < 0 ||
        plan_seal(bytes, len, &plan_fd, e) < 0)
        return -1;
    k->code =
        supervise_plan(&(struct supervise_args){ .plan = &view,
                                                 .plan_fd = plan_fd,
                                                 .launcher = launcher,
                                                 .result_fd = x->json,
                                                 .events_fd = -1,
                                                 .control_fd = x->control,
                                                 .rows = c->rows,
                                                 .columns = c->columns,
                                                 .parent_fd = x->caller });
    return 0;
}

static int send_claim(const struct exec *x, const struct exec_way *way,
                      struct err *e)
{
    return pool_claim_send(x->conn, way->command, way->plan, way->len, 0,
                           (int[]){ 0, 1, 2 }, e);
}

/* Everything is at hand before there is a connection: whoever takes it finds
 * the claim there.  1: nobody did. */
static int run_warm(struct claim *k, int64_t wait_ms, struct err *e)
{
    struct exec_way way = { .send = send_claim,
                            .hear = pool_hear,
                            .is_silent = !k->command.tty,
                            .timeout_ms = k->command.timeout_ms,
                            .command = &k->command };
    struct plan_view pool;
    void *bytes;

    if (pool_claim_plan(&k->cli->arena, &k->command, &k->extra, &bytes,
                        &way.len, e) < 0 ||
        (k->exec.json >= 0 && pool_plan(&k->dir, &pool, e) < 0) ||
        pool_connect(&k->dir, wait_ms, -1, &k->exec.conn, e) < 0)
        return -1;
    if (k->exec.conn < 0)
        return 1;
    if (k->exec.json >= 0)
        k->receipt = pool.head.receipt;
    way.plan = bytes;
    return exec_follow(&k->exec, &way, e);
}

static int none_ready(const struct cli *c, struct err *e)
{
    err_set(e, ERR_BACKEND_UNAVAILABLE,
            "no sandbox of pool '%s' was ready within %" PRIu64 " ms", c->id,
            c->wait_ms);
    return err_hint(e, "wait longer (--wait), make one for this command "
                       "(--cold), or start the pool with a larger --size");
}

/* 1: it was made cold. */
static int run(struct claim *k, struct err *e)
{
    struct cli *c = k->cli;
    const int64_t wait_ms =
        c->has_wait || c->is_cold ? (int64_t)(c->wait_ms & INT64_MAX) : -1;
    int r;

    if (take_command(k, e) < 0 || cli_open_json(c, &k->exec.json, e) < 0 ||
        cli_open_control(c, &k->exec.control, e) < 0 ||
        exec_follow_caller(&k->exec, e) < 0 ||
        pool_open(c->flags.runtime, c->id, &k->dir, e) < 0 ||
        claim_grants(&c->arena, &k->dir, &c->flags, &k->command, &k->extra, e) <
            0)
        return -1;
    r = run_warm(k, wait_ms, e);
    if (r <= 0)
        return r;
    if (!c->is_cold)
        return none_ready(c, e);
    return run_cold(k, e) < 0 ? -1 : 1;
}

/* What the network refused: members of the result, and text for people. */
static const char *take_report(const struct claim *k)
{
    const void *bytes;
    const char *text;
    struct err ignored;
    size_t len;

    if (k->exec.report < 0 ||
        plan_unseal(k->exec.report, 1 << 20, &bytes, &len, &ignored) < 0)
        return "";
    text = bytes;
    if (!memchr(text, '\0', len))
        return "";
    if (k->exec.json < 0)
        (void)fwrite(text + strlen(text) + 1, 1, len - strlen(text) - 1,
                     stderr);
    return text;
}

static int tell(struct claim *k)
{
    const char *report = take_report(k), *more = "";

    if (k->receipt)
        more = arena_printf(&k->cli->arena, "%s%s%s", report,
                            k->receipt[0] ? "," : "", k->receipt);
    return exec_tell(&k->exec, more ? more : "");
}

static int run_claim(struct cli *c)
{
    struct claim k = { .cli = c, .dir = POOL_DIR_NONE, .exec = EXEC_NONE };
    struct err e = { 0 };
    int r;

    k.exec.cli = c;
    r = run(&k, &e);
    if (r < 0)
        return cli_fail(c, &e, CLI_FAILED);
    return r == 1 ? k.code : tell(&k);
}

/* --- the verbs -------------------------------------------------------------
 */

const char *const pool_verbs[] = { "start", "run", "ls", "logs", "stop", NULL };

/* Each is a command of its own, in the order of the words. */
static const struct command verbs[] = {
    { "pool start", "[OPTION...] [FILE]",
      "make a pool of a policy; print its name",
      "The sandboxes are made here and now, and replaced as they are used.\n"
      "Exit code: 0, or 1 if the policy is refused.\n",
      OPT_POLICY | OPT_POOL | OPT_JSON, NULL, NULL },
    { "pool run", "NAME [OPTION...] -- COMMAND [ARG...]",
      "run a command in a sandbox of a pool",
      "--ro, --rw and --deny are for this command, and add to the pool's "
      "policy.\n"
      "Exit code: as of `mxc run`.\n",
      OPT_ID | OPT_EXEC | OPT_CLAIM | OPT_JSON, NULL, NULL },
    { "pool ls", "[OPTION...]", "list the pools", NULL, OPT_JSON, NULL, NULL },
    { "pool logs", "NAME [OPTION...]", "show what a pool's keeper had to say",
      NULL, OPT_ID, NULL, NULL },
    { "pool stop", "NAME [OPTION...]", "end a pool, and what runs in it", NULL,
      OPT_ID | OPT_END | OPT_JSON, NULL, NULL },
};

static int (*const acts[])(struct cli *, struct err *) = { do_start, NULL,
                                                           do_ls, do_logs,
                                                           do_stop };

static int no_verb(const char *word)
{
    struct cli none = { 0 };
    struct err e;

    err_set(&e, ERR_MALFORMED_REQUEST,
            word ? "pool: no such verb '%s'" : "pool: no verb%s",
            word ? word : "");
    err_hint(&e, "start, run, ls, logs or stop; mxc pool --help");
    return cli_fail(&none, &e, CLI_USAGE);
}

static int act_on(size_t v, int argc, char **argv)
{
    /* Before anything that takes time: an orphan has another parent. */
    struct cli c = { .caller = getppid() };
    struct err e = { 0 };
    int r;

    supervise_ignore_signals();
    r = cli_parse(&c, &verbs[v], argc, argv);
    if (r >= 0)
        return r;
    c.flags.term = getenv("TERM");
    c.flags.home = getenv("HOME");
    c.flags.data_home = getenv("XDG_DATA_HOME");
    c.flags.search_path = getenv("PATH");
    if (!acts[v])
        return run_claim(&c);
    r = acts[v](&c, &e) < 0 ? cli_fail_phase(&c, &e, CLI_REFUSED) : CLI_OK;
    cli_free(&c);
    return r;
}

int cmd_pool(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;

    if (word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
        help_command(stdout, command_find("pool"));
        return CLI_OK;
    }
    for (size_t v = 0; word && pool_verbs[v]; v++)
        if (strcmp(word, pool_verbs[v]) == 0)
            return act_on(v, argc - 1, argv + 1);
    return no_verb(word);
}
