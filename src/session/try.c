/* try.c - see try.h. */
#include "session/try.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/num.h"
#include "base/outcome.h"
#include "session/client.h"
#include "session/program.h"
#include "try/proto.h"

/* A name that nobody answers for and a connection may take ten seconds each. */
enum { EACH_MS = 30000, LINE_LONGEST = 24 };

struct asking {
    int conn, answers, signals;
    struct try_answer *out;
    size_t n, got;
    char line[LINE_LONGEST];
    size_t len;
    bool has_ended;
    struct err *e;
};

static int no_answer(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR,
                   "what asks in the sandbox gave no answer");
}

static int take_number(const char *text, int64_t most, int *out)
{
    int64_t n;

    if (num_i64(text, 0, most, &n) < 0)
        return -1;
    *out = (int)n;
    return 0;
}

/* Our program's word, but it is spoken in the sandbox: two numbers. */
static int take_line(char *line, struct try_answer *out)
{
    static const char *const calls[] = {
#define X(id, name) [TRY_##id] = (name),
        TRY_CALLS(X)
#undef X
    };
    char *space = strchr(line, ' ');
    int call = 0;

    if (!space)
        return -1;
    *space = '\0';
    if (take_number(line, INT16_MAX, &out->error) < 0 ||
        take_number(space + 1, TRY_CALLS_END - 1, &call) < 0)
        return -1;
    out->call = calls[call];
    return 0;
}

/* 1: there may be more. */
static int take_bytes(struct asking *x)
{
    char bytes[512];
    ssize_t n = read(x->answers, bytes, sizeof(bytes));

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return errno == EINTR;
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] != '\n' && x->len + 1 < sizeof(x->line)) {
            x->line[x->len++] = bytes[i];
            continue;
        }
        x->line[x->len] = '\0';
        x->len = 0;
        if (bytes[i] != '\n' || x->got == x->n ||
            take_line(x->line, &x->out[x->got]) < 0)
            return no_answer(x->e);
        x->got++;
    }
    if (n <= 0)
        drop_fd(&x->answers);
    return n > 0;
}

static int take_word(struct asking *x)
{
    struct say s;
    int master;

    if (session_command_hear(x->conn, &s, &master, x->e) < 0)
        return -1;
    drop_fd(&master);
    if (s.what != SAY_ENDED && s.what != SAY_FAILED)
        return 0;
    x->has_ended = true;
    if (s.what == SAY_ENDED && s.outcome == OUTCOME_EXITED && s.number == 0)
        return 0;
    *x->e = s.err;
    return x->e->msg[0] ? -1 : no_answer(x->e);
}

static int take_signal(const struct asking *x)
{
    struct signalfd_siginfo si;

    if (read(x->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
        return 0;
    return err_set(x->e, ERR_BACKEND_ERROR, "interrupted by signal %u",
                   si.ssi_signo);
}

/* What it said is read while it says more; once it has ended, what is there is
 * all of it, whoever holds the pipe still. */
static int follow(struct asking *x)
{
    int more;

    while (!x->has_ended) {
        struct pollfd p[] = {
            { .fd = x->conn, .events = POLLIN },
            { .fd = x->answers, .events = POLLIN },
            { .fd = x->signals, .events = POLLIN },
        };

        if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
            return err_sys(x->e, "poll(2)", errno, "cannot wait");
        if ((p[2].revents && take_signal(x) < 0) ||
            (p[1].revents && take_bytes(x) < 0) ||
            (p[0].revents && take_word(x) < 0))
            return -1;
    }
    do
        more = x->answers < 0 ? 0 : take_bytes(x);
    while (more > 0);
    return more < 0 || x->got < x->n ? no_answer(x->e) : 0;
}

static const char **words(struct arena *a, const struct try_question *q,
                          size_t n)
{
    const char **w = arena_array(a, 2 * n + 1, sizeof(*w));

    if (!w)
        return NULL;
    w[0] = "mxc-try";
    for (size_t i = 0; i < n; i++) {
        w[1 + 2 * i] = q[i].kind;
        w[2 + 2 * i] = q[i].operand;
    }
    return w;
}

static int ask(const struct session_dir *d, struct session_command *c,
               int *answers, struct asking *x)
{
    scoped(arena_drop) struct arena a = { .limit = SESSION_COMMAND_MAX };
    scoped(session_plan_drop) struct plan_view plan = { 0 };
    scoped(drop_fd) int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    void *bytes;
    size_t len;

    if (nothing < 0)
        return err_sys(x->e, "open(2)", errno, "cannot open '/dev/null'");
    if (session_plan(d, &plan, x->e) < 0 ||
        session_command_plan(&a, &plan, c, &bytes, &len, x->e) < 0 ||
        session_connect(d, &x->conn, x->e) < 0 ||
        session_command_send(x->conn, c, bytes, len,
                             (int[]){ nothing, *answers, nothing }, x->e) < 0)
        return -1;
    drop_fd(answers);
    return follow(x);
}

int session_try(const struct session_dir *d, const char *program, int signals,
                const struct try_question *q, size_t n, struct try_answer *out,
                struct err *e)
{
    scoped(arena_drop) struct arena a = { .limit = SESSION_COMMAND_MAX };
    scoped(drop_fd) int exe = -1;
    scoped(drop_fd) int to = -1;
    struct asking x = { .conn = -1,
                        .answers = -1,
                        .signals = signals,
                        .out = out,
                        .n = n,
                        .e = e };
    struct session_command c = { .arg = words(&a, q, n),
                                 .nargs = 2 * n + 1,
                                 .timeout_ms = n * EACH_MS,
                                 .no_start = true,
                                 .has_program = true };
    int pair[2], r;

    if (!c.arg)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (session_program_load(program, &exe, e) < 0)
        return -1;
    c.program = exe;
    if (pipe2(pair, O_CLOEXEC) < 0)
        return err_sys(e, "pipe2(2)", errno, "cannot ask in the sandbox");
    x.answers = pair[0];
    to = pair[1];
    r = fcntl(x.answers, F_SETFL, O_NONBLOCK) < 0
            ? err_sys(e, "fcntl(2)", errno, "cannot ask in the sandbox")
            : ask(d, &c, &to, &x);
    drop_fd(&x.conn);
    drop_fd(&x.answers);
    return r;
}
