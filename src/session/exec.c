/* exec.c - one command of a session: its plan, and words about it. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/outcome.h"
#include "session/client.h"
#include "sys/seal.h"

const char *session_limit_names(void)
{
    return "cpu (seconds), files, processes, file-size or memory (bytes)";
}

static size_t name_len(const char *entry)
{
    return strcspn(entry, "=");
}

static bool same_name(const char *a, const char *b)
{
    return name_len(a) == name_len(b) && memcmp(a, b, name_len(a)) == 0;
}

static int add_text(struct plan *p, struct arena *a, enum step_kind kind,
                    const char *text, struct err *e)
{
    /* An empty string has a length of none (plan_add). */
    return plan_add(p, a, (struct step){ .kind = kind, .text = text }, e);
}

/* Where it is, is nothing that one can do without (PWD). */
static bool is_wanted(const struct session_command *c, const char *entry)
{
    return !c->only_env || same_name("PWD=", entry);
}

/* Set by the command itself, or later in its list again. */
static bool is_overridden(const struct session_command *c, size_t from,
                          const char *entry)
{
    for (size_t i = from; i < c->nenv; i++)
        if (same_name(c->env[i], entry))
            return true;
    return c->cwd && same_name("PWD=", entry);
}

static int add_env(const struct plan_view *session,
                   const struct session_command *c, struct arena *a,
                   struct plan *p, struct err *e)
{
    const char *pwd = c->cwd ? arena_printf(a, "PWD=%s", c->cwd) : "";

    for (size_t i = 0; i < session->head.nsteps; i++) {
        struct step s = plan_step(session, i);

        if (s.kind == STEP_ENV && is_wanted(c, s.text) &&
            !is_overridden(c, 0, s.text) &&
            add_text(p, a, STEP_ENV, s.text, e) < 0)
            return -1;
    }
    for (size_t i = 0; i < c->nenv; i++) {
        if (name_len(c->env[i]) == 0 || !c->env[i][name_len(c->env[i])]) {
            err_set(e, ERR_MALFORMED_REQUEST, "--env '%.80s': not KEY=VALUE",
                    c->env[i]);
            return -1;
        }
        if (!is_overridden(c, i + 1, c->env[i]) &&
            add_text(p, a, STEP_ENV, c->env[i], e) < 0)
            return -1;
    }
    if (!pwd)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    return pwd[0] ? add_text(p, a, STEP_ENV, pwd, e) : 0;
}

static int add_cwd(const struct plan_view *session, const char *cwd,
                   struct arena *a, struct plan *p, struct err *e)
{
    for (size_t i = 0; !cwd && i < session->head.nsteps; i++) {
        struct step s = plan_step(session, i);

        if (s.kind == STEP_CWD)
            cwd = s.path;
    }
    return plan_add(p, a, (struct step){ .kind = STEP_CWD, .path = cwd }, e);
}

/* Init makes new names for the commands of such a session, and would in a
 * domain that is wider than the narrowed one's. */
static int need_no_names(const struct plan_view *session, struct err *e)
{
    for (size_t i = 0; i < session->head.nsteps; i++) {
        struct step s = plan_step(session, i);

        if (s.kind != STEP_ABSENT)
            continue;
        err_set(e, ERR_POLICY_VALIDATION,
                "this session denies '%s/%s', which does not exist yet, and so "
                "cannot narrow what a command reaches",
                s.path, s.text);
        return err_hint(e, "provision a session with the smaller policy");
    }
    return 0;
}

static int need_landlock(const struct plan_view *session, struct err *e)
{
    if (!(session->head.flags & PLAN_NO_LANDLOCK) &&
        session->head.landlock_abi >= 6)
        return 0;
    err_set(e, ERR_POLICY_VALIDATION,
            "this session cannot narrow what a command reaches: Landlock ABI "
            "6 is needed, it has %u",
            session->head.landlock_abi);
    return err_hint(e, "boot Linux 6.12 or later, or provision a session with "
                       "the smaller policy");
}

int session_command_limits(const struct session_command *c, struct arena *a,
                           struct plan *p, struct err *e)
{
    for (size_t i = 0; i < c->nlimits; i++) {
        const struct session_limit *l = &c->limit[i];

        if (l->resource == RLIMIT_NPROC && geteuid() == 0) {
            err_set(e, ERR_POLICY_VALIDATION,
                    "the limit 'processes' of a command cannot be held: the "
                    "kernel does not count root's (RLIMIT_NPROC of "
                    "setrlimit(2))");
            return err_hint(e, "limit the whole sandbox (mxc provision, pool "
                               "start: --limit processes=N), or be another "
                               "user");
        }
        if (plan_add(
                p, a,
                (struct step){ .kind = STEP_RLIMIT,
                               .num = { (uint64_t)l->resource, l->value } },
                e) < 0)
            return -1;
    }
    return 0;
}

static int fill(const struct plan_view *session,
                const struct session_command *c, struct arena *a,
                struct plan *p, struct err *e)
{
    if (add_cwd(session, c->cwd, a, p, e) < 0 ||
        add_env(session, c, a, p, e) < 0)
        return -1;
    if (session_command_limits(c, a, p, e) < 0)
        return -1;
    for (size_t i = 0; i < c->nargs; i++)
        if (add_text(p, a, STEP_ARG, c->arg[i], e) < 0)
            return -1;
    if (!c->npaths)
        return 0;
    p->flags |= PLAN_EXEC_NARROWED;
    if (need_landlock(session, e) < 0 || need_no_names(session, e) < 0)
        return -1;
    return narrow_add(a, session, c->path, c->npaths, p, e) < 0
               ? -1
               : narrow_check_aliases(a, session, c->path, c->npaths, e);
}

int session_command_plan(struct arena *a, const struct plan_view *session,
                         const struct session_command *c, void **bytes,
                         size_t *len, struct err *e)
{
    struct plan p = { .flags = PLAN_EXEC,
                      .landlock_abi = session->head.landlock_abi };
    struct plan_view v;

    if (c->tty)
        p.flags |= PLAN_TTY;
    if (c->has_program)
        p.flags |= PLAN_EXEC_PROGRAM;
    if (c->no_network)
        p.flags |= PLAN_EXEC_NO_SOCKETS;
    if (fill(session, c, a, &p, e) < 0 || plan_pack(&p, a, bytes, len, e) < 0)
        return -1;
    /* What init would refuse is told here, before anything is asked. */
    return plan_check_exec(*bytes, *len, &v, e);
}

int session_command_send(int conn, const struct session_command *c,
                         const void *bytes, size_t len, const int streams[3],
                         struct err *e)
{
    struct {
        struct ask ask;
        char plan[TALK_INLINE];
    } m;
    scoped(drop_fd) int sealed = -1;
    size_t along = len <= TALK_INLINE ? len : 0, n = 0;
    int fds[TALK_FDS], r;

    m.ask = (struct ask){ .version = TALK_VERSION,
                          .what = ASK_EXEC,
                          .number = c->tty ? c->rows << 16 | c->columns : 0,
                          .flags = (c->no_halts ? ASK_NO_HALTS : 0) |
                                   (c->no_start ? ASK_NO_START : 0),
                          .timeout_ms = c->timeout_ms };
    if (along)
        memcpy(m.plan, bytes, len);
    else if (plan_seal(bytes, len, &sealed, e) < 0)
        return -1;
    else
        fds[n++] = sealed;
    for (int i = 0; i < TALK_STREAMS && !c->tty; i++)
        fds[n++] = streams[i];
    if (c->has_program)
        fds[n++] = c->program;
    r = talk_send(conn, &m, sizeof(m.ask) + along, fds, n, 0);
    return r < 0 ? err_sys(e, "send(2)", -r,
                           "cannot hand the command to the session")
                 : 0;
}

ssize_t session_command_receive(int conn, struct say *out, int *fd, size_t *n,
                                int flags)
{
    ssize_t got = talk_receive(conn, out, sizeof(*out), fd, 1, n, flags);

    /* An order of ours that came too late to be read is told once, before the
     * last word. */
    return got == -ECONNRESET
               ? talk_receive(conn, out, sizeof(*out), fd, 1, n, flags)
               : got;
}

int session_command_hear(int conn, struct say *out, int *master, struct err *e)
{
    size_t n;
    ssize_t got = session_command_receive(conn, out, master, &n, 0);

    if (n == 0)
        *master = -1;
    if (got == (ssize_t)sizeof(*out) && out->version == TALK_VERSION)
        return 0;
    if (n)
        drop_fd(master);
    err_set(e, ERR_BACKEND_ERROR,
            got > 0 ? "the session was started by another version of mxc"
                    : "the session's holder was killed, and the command with "
                      "it");
    return -1;
}

static int exit_code_of(const struct say *s)
{
    switch ((enum outcome)s->outcome) {
    case OUTCOME_EXITED:
        return WEXITSTATUS(s->number);
    case OUTCOME_SIGNALED:
        return 128 + WTERMSIG(s->number);
    case OUTCOME_NOT_STARTED:
        return s->number;
    case OUTCOME_TIMED_OUT:
        return EXIT_TIMED_OUT;
    case OUTCOME_KILLED:
        return EXIT_KILLED;
    case OUTCOME_LIMITED:
        return EXIT_LIMITED;
    case OUTCOME_FAILED:
    case OUTCOME_STOPPED:
        break;
    }
    return EXIT_MXC;
}

void session_command_result(const struct say *s, struct result *out)
{
    *out = (struct result){ .outcome = (enum outcome)s->outcome,
                            .exit_code = exit_code_of(s),
                            .duration_ms = s->duration_ms,
                            .err = s->err };
    if (out->outcome == OUTCOME_SIGNALED)
        out->signal = WTERMSIG(s->number);
    if (out->outcome == OUTCOME_TIMED_OUT)
        err_set(&out->err, ERR_BACKEND_ERROR,
                "the command was killed after its timeout of %d ms", s->number);
}

void session_command_explain(const struct session_dir *d, struct err *e)
{
    scoped(drop_fd) int conn = -1;
    struct err now;

    if (session_connect(d, &conn, &now) < 0)
        *e = now;
}
