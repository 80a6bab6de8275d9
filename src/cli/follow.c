/* follow.c - a command in a sandbox that somebody else holds: what was asked
 * for, what goes to and fro while it runs, how it ended.  Of `mxc exec` and
 * `mxc pool run`. */
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

/* --- what was asked for ----------------------------------------------------
 */

const char *cli_full_path(struct cli *c, const char *path, const char *what,
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

int cli_take_command(struct cli *c, struct session_command *out, struct err *e)
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
    if (f->tty)
        find_size(c, out);
    if (f->nargs == 0) {
        err_set(e, ERR_MALFORMED_REQUEST, "no command to run");
        return err_hint(e, "write it after '--', as in: mxc exec ID -- ls");
    }
    if (!f->cwd)
        return 0;
    out->cwd = cli_full_path(c, f->cwd, "--cwd", e);
    return out->cwd ? 0 : -1;
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

static void pass_on(const struct follow *x, int signal)
{
    const struct ask a = { .version = TALK_VERSION,
                           .what = ASK_SIGNAL,
                           .number = signal };

    (void)talk_send(x->conn, &a, sizeof(a), NULL, 0, 0);
}

static void on_signal(struct follow *x)
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
static void on_halted(struct follow *x)
{
    if (!x->is_stopping)
        return;
    x->is_stopping = false;
    (void)raise(SIGSTOP);
    pass_on(x, SIGCONT);
}

static int on_message(struct follow *x, struct err *e)
{
    struct say s;
    int fd = -1;

    if (x->hear(x->conn, &s, &fd, e) < 0)
        return -1;
    x->is_started = true;
    if (s.what == SAY_STARTED && fd >= 0)
        return tty_create(fd, x->rows, x->columns, &x->tty, e);
    if (s.what == POOL_SAY_REPORT && fd >= 0) {
        drop_fd(&x->report);
        x->report = take_fd(&fd);
    }
    drop_fd(&fd);
    if (s.what == SAY_HALTED)
        on_halted(x);
    if (s.what == SAY_ENDED) {
        session_command_result(&s, &x->result);
        x->has_ended = true;
    }
    if (s.what != SAY_FAILED)
        return 0;
    *e = s.err;
    return -1;
}

static int turn(struct follow *x, struct err *e)
{
    enum { FIXED = 2 };
    struct pollfd p[FIXED + 4] = {
        { .fd = x->conn, .events = POLLIN },
        { .fd = x->signals, .events = POLLIN },
    };
    size_t n = FIXED + (x->tty ? tty_poll(x->tty, p + FIXED) : 0);

    if (poll(p, n, -1) < 0 && errno != EINTR)
        return err_sys(e, "poll(2)", errno, "cannot wait");
    if (x->tty && n > FIXED)
        tty_serve(x->tty, p + FIXED, n - FIXED);
    if (p[1].revents)
        on_signal(x);
    return p[0].revents ? on_message(x, e) : 0;
}

int follow_begin(struct follow *x, struct err *e)
{
    x->signals = take_signals();
    if (x->signals < 0)
        return err_sys(e, "signalfd(2)", errno, "cannot follow the command");
    terminal_save(&x->terminal);
    return 0;
}

int follow_on(struct follow *x, struct err *e)
{
    int r = 0;

    while (r == 0 && !x->has_ended)
        r = turn(x, e);
    if (x->tty)
        tty_drain(x->tty);
    tty_destroy(x->tty);
    terminal_give_back(&x->terminal);
    return r;
}

/* --- how it ended ----------------------------------------------------------
 */

static void print_error(const struct err *e)
{
    struct buf b = { .max = 8192 };

    report_text(&b, e);
    cli_print(stderr, &b);
    buf_drop(&b);
}

static int print_json(const struct cli *c, const struct result *r,
                      const char *more, struct err *e)
{
    struct buf b = { .max = 8 << 20 };
    int fd, written;

    if (cli_open_json(c, &fd, e) < 0)
        return -1;
    if (fd < 0)
        return 0;
    result_members(r, &b);
    buf_puts(&b, more);
    buf_puts(&b, "}\n");
    written = report_write(fd, &b, e);
    buf_drop(&b);
    return written;
}

int cli_tell_result(const struct cli *c, const struct result *r,
                    const char *more)
{
    struct err e;

    if (r->err.msg[0])
        print_error(&r->err);
    if (print_json(c, r, more, &e) == 0)
        return r->exit_code;
    print_error(&e);
    return CLI_FAILED;
}
