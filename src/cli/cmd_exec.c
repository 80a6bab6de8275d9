/* cmd_exec.c - mxc exec: one command in a started session.
 *
 * The command has this process's own streams, or a terminal whose other side
 * this process holds.  Signals go on to it; when this process ends, the
 * session's holder ends the command. */
#include "cli/session.h"

static int take_paths(struct cli *c, struct session_command *out, struct err *e)
{
    static const enum narrow_access access_of[] = {
        [ACCESS_DENY] = NARROW_DENY,
        [ACCESS_READ] = NARROW_READ,
        [ACCESS_WRITE] = NARROW_WRITE,
    };
    const struct run_flags *f = &c->flags;
    struct narrow_path *p = arena_array(&c->arena, f->npaths + 1, sizeof(*p));

    if (!p)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    for (size_t i = 0; i < f->npaths; i++) {
        p[i].access = access_of[f->path[i].access];
        p[i].path = cli_full_path(c, f->path[i].path, "path", e);
        if (!p[i].path)
            return -1;
    }
    out->path = p;
    out->npaths = f->npaths;
    return 0;
}

static int hand_over(struct follow *x, int plan_fd,
                     const struct session_command *command, struct err *e)
{
    if (follow_begin(x, e) < 0 ||
        session_command_send(x->conn, plan_fd, command, (int[]){ 0, 1, 2 }, e) <
            0)
        return -1;
    return follow_on(x, e);
}

static int run(struct cli *c, struct follow *x, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    scoped(drop_fd) int plan_fd = -1;
    struct session_command command;
    struct plan_view plan;
    int r;

    if (cli_take_command(c, &command, e) < 0 ||
        take_paths(c, &command, e) < 0 ||
        session_dir_open(c->flags.runtime, c->id, false, &d, e) < 0)
        return -1;
    /* First of all whether it is started: nothing else is of use then. */
    r = session_connect(&d, &x->conn, e);
    if (r == 0)
        r = session_plan(&d, &plan, e);
    if (r == 0)
        r = session_command_plan(&plan, &command, &plan_fd, e);
    if (r == 0)
        r = hand_over(x, plan_fd, &command, e);
    if (r < 0 && x->conn >= 0 && !x->is_started)
        session_command_explain(&d, e);
    session_dir_close(&d);
    return r;
}

int cmd_exec(int argc, char **argv)
{
    struct cli c = { 0 };
    struct err e = { 0 };
    struct follow x = FOLLOW_NONE;
    int r;

    supervise_ignore_signals();
    r = cli_parse(&c, command_find("exec"), argc, argv);
    if (r >= 0)
        return r;
    x.hear = session_command_hear;
    x.rows = c.rows;
    x.columns = c.columns;
    if (run(&c, &x, &e) < 0)
        return cli_fail(&c, &e, CLI_FAILED);
    return cli_tell_result(&c, &x.result, "");
}
