/* exec_follow.c - see exec.h. */
#include "cli/exec.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "supervise/supervise.h"

struct follow {
    struct exec *x;
    const struct exec_way *way;
    int signals;
    struct tty *tty;
    struct control control;
    bool is_stopping, has_ended;
    struct err *e;
};

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

static void tell(const struct follow *f, enum ask_what what, int number)
{
    const struct ask a = { .version = TALK_VERSION,
                           .what = what,
                           .number = number };

    (void)talk_send(f->x->conn, &a, sizeof(a), NULL, 0, 0);
}

static void on_signal(struct follow *f)
{
    struct signalfd_siginfo si;

    if (read(f->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
        return;
    if (si.ssi_signo == SIGWINCH && f->tty) {
        tty_follow(f->tty);
        return;
    }
    f->is_stopping = si.ssi_signo == SIGTSTP;
    tell(f, ASK_SIGNAL, f->is_stopping ? SIGSTOP : (int)si.ssi_signo);
}

/* First the command, then we: the shell reads its terminal again when nobody
 * else does. */
static void on_halted(struct follow *f)
{
    if (!f->is_stopping)
        return;
    f->is_stopping = false;
    (void)raise(SIGSTOP);
    tell(f, ASK_SIGNAL, SIGCONT);
}

/* What a caller left open stops here: it may wait for the end of what it gave
 * us to read, and nobody shall hold a file of his for as long as this runs. */
static int close_strangers(struct follow *f, int master)
{
    struct session_dir *dir = &f->x->dir;
    int kept[] = { f->x->conn, f->x->json, f->x->control, f->x->caller,
                   f->signals, master,     dir->root,     dir->fd };

    return supervise_close_strangers(kept, ARRAY_LEN(kept), f->e);
}

static int on_started(struct follow *f, int master)
{
    const struct cli *c = f->x->cli;

    if (close_strangers(f, master) < 0)
        return -1;
    f->control.fd = f->x->control;
    return master < 0 ? 0
                      : tty_create(master, c->rows, c->columns, &f->tty, f->e);
}

static int on_message(struct follow *f)
{
    struct say s;
    int master = -1;

    if (f->way->hear(f->x->conn, &s, &master, f->e) < 0)
        return -1;
    f->x->is_started = true;
    if (s.what == SAY_STARTED)
        return on_started(f, master);
    if (s.what == POOL_SAY_REPORT && f->x->report < 0)
        f->x->report = take_fd(&master);
    drop_fd(&master);
    if (s.what == SAY_HALTED)
        on_halted(f);
    if (s.what == SAY_ENDED) {
        session_command_result(&s, &f->x->result);
        f->has_ended = true;
    }
    if (s.what != SAY_FAILED)
        return 0;
    *f->e = s.err;
    return -1;
}

static int obey(struct follow *f)
{
    struct control_order o;

    control_read(&f->control);
    do {
        if (control_next(&f->control, &o, f->e) < 0)
            return -1;
        if (o.word == CONTROL_SIGNAL)
            tell(f, ASK_SIGNAL, o.signal);
        else if (o.word == CONTROL_KILL)
            tell(f, ASK_KILL, 0);
        else if (o.word == CONTROL_RESIZE && f->tty)
            tty_resize(f->tty, o.rows, o.columns);
    } while (o.word != CONTROL_NONE);
    return 0;
}

static int turn(struct follow *f)
{
    enum { FIXED = 4 };
    struct pollfd p[FIXED + 4] = {
        { .fd = f->x->conn, .events = POLLIN },
        { .fd = f->signals, .events = POLLIN },
        { .fd = f->control.fd, .events = POLLIN },
        { .fd = f->x->caller, .events = POLLIN },
    };
    size_t n = FIXED + (f->tty ? tty_poll(f->tty, p + FIXED) : 0);

    if (poll(p, n, -1) < 0 && errno != EINTR)
        return err_sys(f->e, "poll(2)", errno, "cannot wait");
    if (f->tty && n > FIXED)
        tty_serve(f->tty, p + FIXED, n - FIXED);
    if (p[1].revents)
        on_signal(f);
    if (p[2].revents && obey(f) < 0)
        return -1;
    /* Our end is the command's. */
    if (p[3].revents)
        return err_set(f->e, ERR_BACKEND_ERROR, "the calling process ended");
    return p[0].revents ? on_message(f) : 0;
}

int exec_follow(struct exec *x, const struct exec_way *way, struct err *e)
{
    struct follow f = { .x = x, .way = way, .control = { .fd = -1 }, .e = e };
    struct terminal terminal;
    int r;

    f.signals = take_signals();
    if (f.signals < 0)
        return err_sys(e, "signalfd(2)", errno, "cannot follow the command");
    terminal_save(&terminal);
    r = way->send(x, way, e);
    if (r == 0 && way->is_silent)
        r = on_started(&f, -1);
    while (r == 0 && !f.has_ended)
        r = turn(&f);
    if (f.tty)
        tty_drain(f.tty);
    tty_destroy(f.tty);
    terminal_give_back(&terminal);
    return r;
}
