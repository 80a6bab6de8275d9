/* cmd_exec.c - mxc exec: one command in a started session.
 *
 * The command has this process's own streams, or a terminal whose other side
 * this process holds.  Signals go on to it; when this process ends, the
 * session's holder ends the command. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "api/lifecycle.h"
#include "api/prepare.h"
#include "base/compat.h"
#include "base/report.h"
#include "cli/exec.h"
#include "supervise/supervise.h"

/* --- what was asked for ----------------------------------------------------
 */

const char *exec_full_path(struct cli *c, const char *path, const char *what,
                           struct err *e)
{
    char room[PATH_MAX];
    const char *here = path[0] == '/' ? NULL : getcwd(room, sizeof(room));
    const char *full = path;

    if (here && here[0] != '/')
        here = NULL;
    if (path[0] && prepare_from_here(what, path, here, e) < 0)
        return NULL;
    if (here)
        full = arena_printf(&c->arena, "%s/%s", here, path);
    full = path[0] == '\0' || !full || full[0] != '/'
               ? NULL
               : path_clean(&c->arena, full);
    if (full && !path_has_dotdot(full))
        return full;
    (void)err_set(e, ERR_MALFORMED_REQUEST,
                  "%s '%s': empty, too long, or with '..'", what, path);
    return NULL;
}

static int take_paths(struct cli *c, struct session_command *out, struct err *e)
{
    static const enum narrow_access access_of[] = {
        [ACCESS_DENY] = NARROW_DENY,
        [ACCESS_READ] = NARROW_READ,
        [ACCESS_WRITE] = NARROW_WRITE,
    };
    const struct run_flags *f = &c->flags;
    struct narrow_path *p =
        arena_array(&c->arena, out->npaths + f->npaths + 1, sizeof(*p));

    if (!p)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    for (size_t i = 0; i < out->npaths; i++)
        p[i] = out->path[i];
    for (size_t i = 0; i < f->npaths; i++) {
        struct narrow_path *to = &p[out->npaths++];

        to->access = access_of[f->path[i].access];
        to->path = exec_full_path(c, f->path[i].path, "path", e);
        if (!to->path)
            return -1;
    }
    out->path = p;
    return 0;
}

void exec_find_size(const struct cli *c, struct session_command *out)
{
    struct winsize w = { .ws_row = 24, .ws_col = 80 };

    for (int fd = 0; fd < 3 && !c->rows; fd++)
        if (ioctl(fd, TIOCGWINSZ, &w) == 0)
            break;
    out->rows = c->rows ? c->rows : w.ws_row;
    out->columns = c->rows ? c->columns : w.ws_col;
    /* Of a terminal that has none. */
    if (!out->rows || !out->columns || out->rows > INT16_MAX) {
        out->rows = 24;
        out->columns = 80;
    }
}

/* The command of the request, with everything that it says itself. */
static int take_request(struct cli *c, struct session_command *out,
                        struct err *e)
{
    struct request *r = NULL;
    struct session_command asked;
    char asked_for[SESSION_NAME_MAX], named[SESSION_NAME_MAX];

    if (lifecycle_parse(&c->arena, c->text, c->text_len, PHASE_EXEC, &r, e) < 0)
        return -1;
    if (session_id_parse(c->id, named, e) < 0 ||
        session_id_parse(r->sandbox_id, asked_for, e) < 0)
        return -1;
    if (strcmp(named, asked_for) != 0) {
        err_set(e, ERR_MALFORMED_REQUEST,
                "the request is for another session than '%.80s'", c->id);
        return err_where(e, "sandboxId");
    }
    if (lifecycle_command(&c->arena, r, &asked, e) < 0)
        return -1;
    asked.tty = out->tty;
    /* As with a policy: a command of one's own stands for the request's. */
    if (out->nargs) {
        asked.arg = out->arg;
        asked.nargs = out->nargs;
    }
    *out = asked;
    return 0;
}

static int add_env(struct cli *c, struct session_command *out, struct err *e)
{
    const struct run_flags *f = &c->flags;
    const char **env =
        arena_array(&c->arena, out->nenv + f->nenv + 1, sizeof(*env));

    if (!env)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    for (size_t i = 0; i < out->nenv; i++)
        env[i] = out->env[i];
    for (size_t i = 0; i < f->nenv; i++)
        env[out->nenv++] = f->env[i];
    out->env = env;
    return 0;
}

/* What options say goes over the request, or takes away more. */
static int add_options(struct cli *c, struct session_command *out,
                       struct err *e)
{
    const struct run_flags *f = &c->flags;

    out->limit = c->limit;
    out->nlimits = c->nlimits;
    out->no_network = out->no_network || c->no_network;
    if (f->timeout_ms && (!out->timeout_ms || f->timeout_ms < out->timeout_ms))
        out->timeout_ms = f->timeout_ms;
    if (f->cwd) {
        out->cwd = exec_full_path(c, f->cwd, "--cwd", e);
        if (!out->cwd)
            return -1;
    }
    if (f->nenv && add_env(c, out, e) < 0)
        return -1;
    return take_paths(c, out, e);
}

static int take_command(struct cli *c, struct session_command *out,
                        struct err *e)
{
    const struct run_flags *f = &c->flags;

    *out = (struct session_command){ .arg = f->arg,
                                     .nargs = f->nargs,
                                     .tty = f->tty };
    if (c->text && take_request(c, out, e) < 0) {
        if (e->where[0] && !e->line)
            request_locate(c->text, c->text_len, e->where, &e->line,
                           &e->column);
        return -1;
    }
    if (out->nargs == 0) {
        err_set(e, ERR_MALFORMED_REQUEST, "no command to run");
        return err_hint(e, "write it after '--', as in: mxc exec ID -- ls");
    }
    if (f->tty)
        exec_find_size(c, out);
    return add_options(c, out, e);
}

/* --- the command -----------------------------------------------------------
 */

static int print_json(const struct exec *x, const char *more, struct err *e)
{
    struct buf b = { .max = 8 << 20 };
    int written;

    if (x->json < 0)
        return 0;
    result_members(&x->result, &b);
    buf_puts(&b, more);
    buf_puts(&b, "}\n");
    written = report_write(x->json, &b, e);
    buf_drop(&b);
    return written;
}

static void print_error(const struct err *e)
{
    struct buf b = { .max = 8192 };

    report_text(&b, e);
    cli_print(stderr, &b);
    buf_drop(&b);
}

int exec_tell(const struct exec *x, const char *more)
{
    struct err e;

    if (x->result.err.msg[0])
        print_error(&x->result.err);
    if (print_json(x, more, &e) == 0)
        return x->result.exit_code;
    print_error(&e);
    return CLI_FAILED;
}

/* A pidfd of the caller follows the process, whichever thread of it started
 * us. */
int exec_follow_caller(struct exec *x, struct err *e)
{
    pid_t caller;

    if (cli_find_caller(x->cli, &caller, e) < 0)
        return -1;
    if (!caller)
        return 0;
    x->caller = (int)syscall(__NR_pidfd_open, caller, 0);
    if (x->caller >= 0 && getppid() == caller)
        return 0;
    return err_set(e, ERR_BACKEND_ERROR, "the caller has ended");
}

static int send_to_holder(const struct exec *x, const struct exec_way *way,
                          struct err *e)
{
    return session_command_send(x->conn, way->command, way->plan, way->len,
                                (int[]){ 0, 1, 2 }, e);
}

/* Everything is at hand before there is a connection: the holder is woken
 * once. */
static int ask(struct exec *x, struct cli *c, struct err *e)
{
    struct exec_way way = { .send = send_to_holder,
                            .hear = session_command_hear,
                            .is_prompt = true };
    struct session_command command;
    struct plan_view plan;
    void *bytes;

    if (take_command(c, &command, e) < 0 ||
        session_dir_open(c->flags.runtime, c->id, false, &x->dir, e) < 0 ||
        session_plan(&x->dir, &plan, e) < 0)
        return -1;
    command.no_start = !command.tty;
    way.timeout_ms = command.timeout_ms;
    if (plan.head.timeout_ms &&
        (!way.timeout_ms || plan.head.timeout_ms < way.timeout_ms))
        way.timeout_ms = plan.head.timeout_ms;
    if (session_command_plan(&c->arena, &plan, &command, &bytes, &way.len, e) <
            0 ||
        session_connect(&x->dir, &x->conn, e) < 0)
        return -1;
    way.is_silent = command.no_start;
    way.command = &command;
    way.plan = bytes;
    return exec_follow(x, &way, e);
}

/* First of all whether it is started: nothing else is of use to know then. */
static int run(struct exec *x, struct cli *c, struct err *e)
{
    int r = ask(x, c, e);

    if (r < 0 && x->dir.fd >= 0 && !x->is_started)
        session_command_explain(&x->dir, e);
    return r;
}

/* What the caller gave us to read is read before the session is looked at. */
static int begin(struct exec *x, struct cli *c, struct err *e)
{
    if (cli_open_json(c, &x->json, e) < 0 ||
        cli_open_control(c, &x->control, e) < 0 ||
        exec_follow_caller(x, e) < 0 || cli_read_request(c, e) < 0)
        return -1;
    return run(x, c, e);
}

int cmd_exec(int argc, char **argv)
{
    /* Before anything that takes time: an orphan has another parent. */
    struct cli c = { .caller = getppid() };
    struct err e = { 0 };
    struct exec x = EXEC_NONE;
    int r;

    supervise_ignore_signals();
    r = cli_parse(&c, command_find("exec"), argc, argv);
    if (r >= 0)
        return r;
    x.cli = &c;
    if (begin(&x, &c, &e) < 0)
        return cli_fail(&c, &e, CLI_FAILED);
    return exec_tell(&x, "");
}
