/* cmd_exec.c - mxc exec: one command in a started session.
 *
 * The command has this process's own streams, or a terminal whose other side
 * this process holds.  Signals go on to it; when this process ends, the
 * session's holder ends the command. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/report.h"
#include "cli/session.h"
#include "supervise/supervise.h"

struct exec {
    struct cli *cli;
    int conn, signals;
    struct tty *tty;
    bool is_started, is_stopping, has_ended;
    struct result result;
    struct err *e;
};

/* --- what was asked for ----------------------------------------------------
 */

static const char *full_path(struct cli *c, const char *path, const char *what,
                             struct err *e)
{
    char here[PATH_MAX];
    const char *full = path;

    if (path[0] != '/' && !getcwd(here, sizeof(here)))
        (void)err_sys(e, "getcwd(2)", errno, "%s '%s'", what, path);
    else if (path[0] != '/')
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
    struct narrow_path *p = arena_array(&c->arena, f->npaths + 1, sizeof(*p));

    if (!p)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    for (size_t i = 0; i < f->npaths; i++) {
        p[i].access = access_of[f->path[i].access];
        p[i].path = full_path(c, f->path[i].path, "path", e);
        if (!p[i].path)
            return -1;
    }
    out->path = p;
    out->npaths = f->npaths;
    return 0;
}

/* What --pty says, or as the caller's terminal. */
static void find_size(const struct cli *c, struct session_command *out)
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

static int take_command(struct cli *c, struct session_command *out,
                        struct err *e)
{
    const struct run_flags *f = &c->flags;

    *out = (struct session_command){ .arg = f->arg,
                                     .nargs = f->nargs,
                                     .env = f->env,
                                     .nenv = f->nenv,
                                     .limit = c->limit,
                                     .nlimits = c->nlimits,
                                     .timeout_ms = f->timeout_ms,
                                     .no_network = c->no_network,
                                     .tty = f->tty };
    find_size(c, out);
    if (f->nargs == 0) {
        err_set(e, ERR_MALFORMED_REQUEST, "no command to run");
        return err_hint(e, "write it after '--', as in: mxc exec ID -- ls");
    }
    if (f->cwd) {
        out->cwd = full_path(c, f->cwd, "--cwd", e);
        if (!out->cwd)
            return -1;
    }
    return take_paths(c, out, e);
}

/* --- while it runs ---------------------------------------------------------
 */

static int take_signals(void)
{
    static const int list[] = { SIGHUP,  SIGINT,   SIGQUIT, SIGTERM, SIGUSR1,
                                SIGUSR2, SIGWINCH, SIGTSTP, SIGALRM };
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        (void)sigaddset(&set, list[i]);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void pass_on(const struct exec *x, int signal)
{
    const struct ask a = { .version = TALK_VERSION,
                           .what = ASK_SIGNAL,
                           .number = signal };

    (void)talk_send(x->conn, &a, sizeof(a), NULL, 0, 0);
}

static void on_signal(struct exec *x)
{
    struct signalfd_siginfo si;

    if (read(x->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
        return;
    if (si.ssi_signo == SIGWINCH && x->tty) {
        tty_follow(x->tty);
        return;
    }
    x->is_stopping = si.ssi_signo == SIGTSTP;
    pass_on(x, x->is_stopping ? SIGSTOP : (int)si.ssi_signo);
}

/* First the command, then we: the shell reads its terminal again when nobody
 * else does. */
static void on_halted(struct exec *x)
{
    if (!x->is_stopping)
        return;
    x->is_stopping = false;
    (void)raise(SIGSTOP);
    pass_on(x, SIGCONT);
}

static int on_message(struct exec *x)
{
    struct say s;
    int master = -1;

    if (session_command_hear(x->conn, &s, &master, x->e) < 0)
        return -1;
    x->is_started = true;
    if (s.what == SAY_STARTED && master >= 0)
        return tty_create(master, x->cli->rows, x->cli->columns, &x->tty, x->e);
    drop_fd(&master);
    if (s.what == SAY_HALTED)
        on_halted(x);
    if (s.what == SAY_ENDED) {
        session_command_result(&s, &x->result);
        x->has_ended = true;
    }
    if (s.what != SAY_FAILED)
        return 0;
    *x->e = s.err;
    return -1;
}

static int turn(struct exec *x)
{
    enum { FIXED = 2 };
    struct pollfd p[FIXED + 4] = {
        { .fd = x->conn, .events = POLLIN },
        { .fd = x->signals, .events = POLLIN },
    };
    size_t n = FIXED + (x->tty ? tty_poll(x->tty, p + FIXED) : 0);

    if (poll(p, n, -1) < 0 && errno != EINTR)
        return err_sys(x->e, "poll(2)", errno, "cannot wait");
    if (x->tty && n > FIXED)
        tty_serve(x->tty, p + FIXED, n - FIXED);
    if (p[1].revents)
        on_signal(x);
    return p[0].revents ? on_message(x) : 0;
}

static int follow(struct exec *x)
{
    int r = 0;

    while (r == 0 && !x->has_ended)
        r = turn(x);
    if (x->tty)
        tty_drain(x->tty);
    tty_destroy(x->tty);
    return r;
}

/* --- the command -----------------------------------------------------------
 */

static int print_json(const struct cli *c, const struct result *r,
                      struct err *e)
{
    struct buf b = { .max = 64 * 1024 };
    int fd, written;

    if (cli_open_json(c, &fd, e) < 0)
        return -1;
    result_members(r, &b);
    buf_puts(&b, "}\n");
    written = fd < 0 ? 0 : report_write(fd, &b, e);
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

static int hand_over(struct exec *x, int plan_fd,
                     const struct session_command *command)
{
    struct terminal terminal;
    int r;

    x->signals = take_signals();
    if (x->signals < 0)
        return err_sys(x->e, "signalfd(2)", errno, "cannot follow the command");
    terminal_save(&terminal);
    r = session_command_send(x->conn, plan_fd, command, (int[]){ 0, 1, 2 },
                             x->e);
    if (r == 0)
        r = follow(x);
    terminal_give_back(&terminal);
    return r;
}

static int run(struct exec *x)
{
    struct session_dir d = SESSION_DIR_NONE;
    scoped(drop_fd) int plan_fd = -1;
    struct session_command command;
    struct plan_view plan;
    int r;

    if (take_command(x->cli, &command, x->e) < 0 ||
        session_dir_open(x->cli->flags.runtime, x->cli->id, false, &d, x->e) <
            0)
        return -1;
    /* First of all whether it is started: nothing else is of use then. */
    r = session_connect(&d, &x->conn, x->e);
    if (r == 0)
        r = session_plan(&d, &plan, x->e);
    if (r == 0)
        r = session_command_plan(&plan, &command, &plan_fd, x->e);
    if (r == 0)
        r = hand_over(x, plan_fd, &command);
    if (r < 0 && x->conn >= 0 && !x->is_started)
        session_command_explain(&d, x->e);
    session_dir_close(&d);
    return r;
}

int cmd_exec(int argc, char **argv)
{
    struct cli c = { 0 };
    struct err e = { 0 };
    struct exec x = { .cli = &c, .conn = -1, .signals = -1, .e = &e };
    int r;

    supervise_ignore_signals();
    r = cli_parse(&c, command_find("exec"), argc, argv);
    if (r >= 0)
        return r;
    if (run(&x) < 0)
        return cli_fail(&c, &e, CLI_FAILED);
    if (x.result.err.msg[0])
        print_error(&x.result.err);
    if (print_json(&c, &x.result, &e) < 0) {
        print_error(&e);
        return CLI_FAILED;
    }
    return x.result.exit_code;
}
