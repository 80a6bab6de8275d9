/* lib_command.c - a command of a session, or in a pool: who is at the other end
 * is the session's holder, or the sandbox's supervisor.
 *
 * One connection is the command's: what is said on it is about it, and its end
 * is the command's.  The holder is given our descriptors and hands them on; no
 * program is started here, and no byte of the command's comes through. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "api/lib_session.h"
#include "session/pool.h"
#include "sys/seal.h"

/* How long a holder may take to start a command: it is never busy for long. */
enum { PATIENCE_MS = 10000, REPORT_MAX = 1 << 20 };

/* --- the end ---------------------------------------------------------------
 */

static uint32_t how_of(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_EXITED:
        return MXC_EXITED;
    case OUTCOME_SIGNALED:
        return MXC_SIGNALED;
    case OUTCOME_TIMED_OUT:
        return MXC_TIMED_OUT;
    case OUTCOME_KILLED:
        return MXC_KILLED;
    case OUTCOME_STOPPED:
        return MXC_STOPPED;
    case OUTCOME_NOT_STARTED:
        return MXC_NEVER_BEGAN;
    case OUTCOME_LIMITED:
        return MXC_LIMITED;
    case OUTCOME_FAILED:
        break;
    }
    return MXC_FAILED;
}

/* Its last word, or that there will be none.  Neither is said twice. */
static void take_word(struct mxc_sandbox *s, ssize_t got, const struct say *say)
{
    struct result *r = &s->said;

    if (got == (ssize_t)sizeof(*say) && say->version == TALK_VERSION) {
        if (say->what != SAY_ENDED && say->what != SAY_FAILED)
            return;
        session_command_result(say, r);
        if (say->what == SAY_FAILED)
            *r = (struct result){ .exit_code = EXIT_MXC, .err = say->err };
    } else {
        *r = (struct result){ .exit_code = EXIT_MXC };
        err_set(&r->err, ERR_BACKEND_ERROR,
                "the %s was killed, and the command with it", s->holder);
    }
    s->was_told = true;
    /* Stays readable, for whoever polls from now on. */
    (void)shutdown(s->wait_fd, SHUT_RDWR);
}

/* What the network refused, where that was told: members, and a NUL. */
static void add_report(const struct mxc_sandbox *s, struct buf *b)
{
    const void *bytes;
    struct err ignored;
    size_t len;

    if (s->result < 0 ||
        plan_unseal(s->result, REPORT_MAX, &bytes, &len, &ignored) < 0)
        return;
    buf_add(b, bytes, strnlen(bytes, len));
    (void)munmap((void *)(uintptr_t)bytes, len);
}

static int take_end(struct mxc_sandbox *s, bool *ended, struct err *e)
{
    struct buf b = { .max = 64 * 1024 + REPORT_MAX };
    const struct result *r = &s->said;

    result_members(r, &b);
    add_report(s, &b);
    buf_puts(&b, "}\n");
    if (b.failed) {
        buf_drop(&b);
        return lib_out_of_memory(e);
    }
    /* Its last output is in the caller's terminal before its end is told; a
     * pipe is the caller's to read. */
    if (s->is_shown)
        lib_relay_end(s);
    drop_fd(&s->orders);
    s->json = b.data;
    s->err = r->err;
    s->status = (struct mxc_status){ .size = sizeof(s->status),
                                     .how = how_of(r->outcome),
                                     .exit_code = r->exit_code,
                                     .signal = r->signal,
                                     .duration_ms = r->duration_ms };
    *ended = true;
    return 0;
}

static int collect(struct mxc_sandbox *s, bool *ended, struct err *e)
{
    int stray = -1;
    struct say say;
    size_t n;
    ssize_t got;

    if (!s->was_told) {
        got =
            session_command_receive(s->wait_fd, &say, &stray, &n, MSG_DONTWAIT);
        if (got == (ssize_t)sizeof(say) && say.what == POOL_SAY_REPORT &&
            s->result < 0)
            s->result = take_fd(&stray);
        drop_fd(&stray);
        if (got != -EAGAIN)
            take_word(s, got, &say);
    }
    return s->was_told ? take_end(s, ended, e) : 0;
}

/* --- orders ----------------------------------------------------------------
 */

static int tell(const struct mxc_sandbox *s, enum ask_what what, int number,
                bool *gone, struct err *e)
{
    const struct ask a = { .version = TALK_VERSION,
                           .what = what,
                           .number = number };
    int r = talk_send(s->wait_fd, &a, sizeof(a), NULL, 0, MSG_DONTWAIT);

    *gone = r == -EPIPE || r == -ECONNRESET;
    if (r == 0 || *gone)
        return 0;
    return err_sys(e, "send(2)", -r, "the %s does not listen", s->holder);
}

static int send_signal(struct mxc_sandbox *s, int signal, bool *gone,
                       struct err *e)
{
    return tell(s, ASK_SIGNAL, signal, gone, e);
}

/* The kernel tells the terminal's foreground group (SIGWINCH). */
static int resize_terminal(const struct mxc_sandbox *s, uint16_t rows,
                           uint16_t columns, bool *gone, struct err *e)
{
    const struct winsize w = { .ws_row = rows, .ws_col = columns };

    *gone = s->orders < 0 && s->terminal < 0;
    if (*gone)
        return 0;
    if (s->orders >= 0)
        return lib_relay_resize(s, rows, columns, e);
    if (ioctl(s->terminal, TIOCSWINSZ, &w) == 0)
        return 0;
    return err_sys(e, "ioctl(2)", errno, "cannot resize the terminal");
}

/* With the lock: another thread may just hear of its end. */
static int resize(struct mxc_sandbox *s, uint16_t rows, uint16_t columns,
                  bool *gone, struct err *e)
{
    int r;

    (void)pthread_mutex_lock(&s->lock);
    r = resize_terminal(s, rows, columns, gone, e);
    (void)pthread_mutex_unlock(&s->lock);
    return r;
}

/* Without a connection there is no command either. */
static void force(struct mxc_sandbox *s)
{
    (void)shutdown(s->wait_fd, SHUT_RDWR);
}

static int kill_all(struct mxc_sandbox *s, struct err *e)
{
    struct err ignored;
    bool gone;

    (void)e;
    if (tell(s, ASK_KILL, 0, &gone, &ignored) < 0)
        force(s);
    return 0;
}

static const struct sandbox_kind command = {
    .collect = collect,
    .signal = send_signal,
    .resize = resize,
    .kill = kill_all,
    .force = force,
};

/* --- the start -------------------------------------------------------------
 */

static pid_t holder_of(int conn)
{
    struct ucred who;
    socklen_t len = sizeof(who);

    return getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 ? who.pid
                                                                      : 0;
}

/* Both directions of a terminal are one descriptor; either may be taken and
 * closed without the other. */
static int take_terminal(struct mxc_sandbox *s, const struct mxc_options *o,
                         const char *libexec, struct err *e)
{
    if (o->stdio != MXC_STDIO_PTY)
        return lib_relay_start(s, o, libexec, e);
    s->stream[0] = fcntl(s->terminal, F_DUPFD_CLOEXEC, 3);
    s->stream[1] = fcntl(s->terminal, F_DUPFD_CLOEXEC, 3);
    if (s->stream[0] < 0 || s->stream[1] < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot use the terminal");
    return 0;
}

/* Nobody has taken it, and who does finds it given up. */
static void cancel_start(struct mxc_sandbox *s)
{
    s->said =
        (struct result){ .outcome = OUTCOME_KILLED, .exit_code = EXIT_KILLED };
    s->was_told = true;
    (void)shutdown(s->wait_fd, SHUT_RDWR);
}

/* Until it has started, or never will.  That it could not be executed is the
 * command's end, and no error here: as with mxc_spawn. */
static int await_start(struct mxc_sandbox *s, const struct lib_way *way,
                       struct err *e)
{
    struct pollfd p[] = { { .fd = s->wait_fd, .events = POLLIN },
                          { .fd = way->cancel, .events = POLLIN } };
    struct say say;
    int r;

    do
        r = poll(p, 2, way->waits ? -1 : PATIENCE_MS);
    while (r < 0 && errno == EINTR);
    if (r <= 0)
        return err_set(e, ERR_BACKEND_ERROR, "the %s does not answer",
                       s->holder);
    if (p[1].revents && (!p[0].revents || p[0].revents & POLLHUP)) {
        cancel_start(s);
        return 0;
    }
    if (way->hear(s->wait_fd, &say, &s->terminal, e) < 0)
        return -1;
    if (say.what == SAY_FAILED) {
        *e = say.err;
        return -1;
    }
    if (say.what != SAY_STARTED)
        take_word(s, sizeof(say), &say);
    return 0;
}

static int hand_over(struct mxc_sandbox *s, const struct session_command *c,
                     const struct mxc_options *o, const struct lib_way *way,
                     struct err *e)
{
    int theirs[3] = { -1, -1, -1 };
    bool is_borrowed[3] = { false };
    int r = 0;

    for (int i = 0; r == 0 && !c->tty && i < 3; i++)
        r = lib_open_stream(s, i, o, &theirs[i], &is_borrowed[i], e);
    if (r == 0)
        r = way->send(way, s->wait_fd, c, theirs, e);
    for (int i = 0; i < 3; i++)
        if (!is_borrowed[i])
            drop_fd(&theirs[i]);
    return r;
}

int lib_command_start(struct mxc_sandbox *s, const struct session_command *c,
                      const struct mxc_options *o, const struct lib_way *way,
                      struct err *e)
{
    s->pid = holder_of(s->wait_fd);
    if (hand_over(s, c, o, way, e) < 0 || await_start(s, way, e) < 0)
        return -1;
    return s->terminal < 0 ? 0 : take_terminal(s, o, way->libexec, e);
}

static int send_to_holder(const struct lib_way *way, int conn,
                          const struct session_command *c, const int streams[3],
                          struct err *e)
{
    return session_command_send(conn, c, way->plan, way->len, streams, e);
}

/* Everything is at hand before there is a connection: the holder is woken
 * once. */
static int ask(struct mxc_session *session, struct mxc_sandbox *s,
               const struct session_command *c, const struct mxc_options *o,
               struct err *e)
{
    scoped(arena_drop) struct arena a = { .limit = SESSION_COMMAND_MAX,
                                          .block = SESSION_COMMAND_BLOCK };
    struct lib_way way = { .send = send_to_holder,
                           .hear = session_command_hear,
                           .cancel = -1,
                           .libexec = session->libexec };
    const struct plan_view *plan;
    void *bytes;

    if (lib_session_plan(session, &plan, e) < 0 ||
        session_command_plan(&a, plan, c, &bytes, &way.len, e) < 0 ||
        session_connect(&session->dir, &s->wait_fd, e) < 0)
        return -1;
    way.plan = bytes;
    return lib_command_start(s, c, o, &way, e);
}

/* First of all whether it is started: nothing else is of use to know then. */
static int start(struct mxc_session *session, struct mxc_sandbox *s,
                 const struct session_command *c, const struct mxc_options *o,
                 struct err *e)
{
    struct guard g;
    int r;

    guard_begin(&g);
    r = ask(session, s, c, o, e);
    guard_end(&g);
    if (r < 0)
        session_command_explain(&session->dir, e);
    return r;
}

/* As large as the caller's, where that is of a size. */
static int take_size(struct mxc_options *o, struct err *e)
{
    struct winsize w;

    if (!isatty(o->stdin_fd) || ioctl(o->stdout_fd, TIOCGWINSZ, &w) < 0) {
        err_set(e, ERR_MALFORMED_REQUEST,
                "options: MXC_STDIO_TERMINAL without a terminal");
        return err_hint(e, "stdin_fd and stdout_fd are to be one");
    }
    if (!w.ws_row || !w.ws_col || w.ws_row > INT16_MAX || w.ws_col > INT16_MAX)
        return 0;
    o->rows = w.ws_row;
    o->columns = w.ws_col;
    return 0;
}

int lib_command_make(struct session_command *c, struct mxc_options *o,
                     const char *holder, struct mxc_sandbox **out,
                     struct err *e)
{
    struct mxc_sandbox *s;

    if (o->stdio == MXC_STDIO_TERMINAL && take_size(o, e) < 0)
        return -1;
    s = lib_sandbox_make(&command, o);
    if (!s) {
        (void)lib_out_of_memory(e);
        return -1;
    }
    s->holder = holder;
    s->is_shown = o->stdio == MXC_STDIO_TERMINAL;
    c->no_halts = true;
    c->tty = lib_has_terminal(o);
    c->rows = o->rows;
    c->columns = o->columns;
    *out = s;
    return 0;
}

int lib_exec(struct mxc_session *session, const struct session_command *c,
             const struct mxc_options *o, struct mxc_sandbox **out,
             struct err *e)
{
    struct session_command mine = *c;
    struct mxc_options how = *o;
    struct mxc_sandbox *s;

    if (lib_command_make(&mine, &how, "session's holder", &s, e) < 0)
        return -1;
    if (start(session, s, &mine, &how, e) < 0) {
        lib_sandbox_free(s);
        return -1;
    }
    *out = s;
    return 0;
}
