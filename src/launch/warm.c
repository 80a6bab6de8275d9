/* warm.c - a sandbox that was made before it was known what for.
 *
 * Everything that does not depend on the command is done ahead: namespaces,
 * network, the view.  Then it waits, with nothing in it but this program.  A
 * claim brings the command, its streams and what more it may see; that is
 * mounted by the code that built the view, and only then the walls go up and
 * the command runs, once.  It is never given back. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launch/exec.h"
#include "launch/launch.h"
#include "launch/proto.h"
#include "sys/message.h"
#include "sys/seccomp_load.h"

struct claim {
    int32_t size;     /* of its terminal */
    int fd[EXEC_FDS]; /* a plan, if it did not come along; three streams */
    size_t nfds;
    int tty, master;
    const void *bytes;
    size_t len; /* 0: it is a descriptor */
    struct plan_view plan;
};

/* --- hearing it ------------------------------------------------------------
 */

/* False: there will be none.  The plan's bytes are our own copy, which nobody
 * else can change. */
static bool hear(struct claim *c)
{
    static uint64_t room[CLAIM_INLINE / sizeof(uint64_t)];
    struct launch_record rec = { .msg = MSG_NONE };
    struct iovec iov[] = { { &rec, sizeof(rec) }, { room, sizeof(room) } };
    ssize_t n = message_receive(LAUNCH_STATUS_FD, iov, ARRAY_LEN(iov), c->fd,
                                EXEC_FDS, &c->nfds, 0);

    if (n < (ssize_t)sizeof(rec))
        return false;
    if (rec.msg != MSG_CLAIM || rec.exec > CLAIM_INLINE ||
        (size_t)n != sizeof(rec) + rec.exec)
        return false;
    c->size = rec.status;
    c->bytes = room;
    c->len = rec.exec;
    return true;
}

/* --- taking it up ----------------------------------------------------------
 */

static int open_plan(const struct plan_view *plan, struct claim *c,
                     struct err *e)
{
    const uint32_t brokers = PLAN_BROKER_CREATES | PLAN_BROKER_UNIX;
    const bool is_sealed = c->len == 0;

    if (is_sealed && c->nfds == 0)
        return err_set(e, ERR_BACKEND_ERROR, "the plan did not arrive");
    if (is_sealed) {
        c->bytes = launch_map_plan(c->fd[0], &c->len, e);
        if (!c->bytes)
            return -1;
        (void)close(c->fd[0]);
        memmove(c->fd, c->fd + 1, --c->nfds * sizeof(c->fd[0]));
    }
    if (plan_check_claim(c->bytes, c->len, &c->plan, e) < 0)
        return -1;
    /* Its filter asks nobody that the sandbox's own would. */
    if (plan_count(&c->plan, STEP_FILTER) &&
        plan->head.flags & brokers & ~c->plan.head.flags)
        return err_set(e, ERR_BACKEND_ERROR,
                       "the claim's filter is weaker than the sandbox's");
    return 0;
}

static int open_terminal(struct claim *c, struct err *e)
{
    const struct winsize w = { .ws_row = (unsigned short)(c->size >> 16),
                               .ws_col = (unsigned short)c->size };

    if (c->nfds != 0)
        return err_set(e, ERR_BACKEND_ERROR,
                       "a terminal was asked for, and streams given");
    if (launch_open_terminal(&c->tty, &c->master, e) < 0)
        return -1;
    (void)ioctl(c->master, TIOCSWINSZ, &w);
    return 0;
}

/* What waited in their place had nothing to read, and nobody who reads. */
static int open_streams(struct claim *c, struct err *e)
{
    if (c->plan.head.flags & PLAN_TTY)
        return open_terminal(c, e);
    if (c->nfds != 3)
        return err_set(e, ERR_BACKEND_ERROR, "the streams did not arrive");
    for (int i = 0; i < 3; i++) {
        if (dup2(c->fd[i], i) < 0)
            return err_sys(e, "dup2(2)", errno, "cannot pass the streams");
        (void)close(c->fd[i]);
    }
    return launch_check_stdio(e);
}

/* --- what runs -------------------------------------------------------------
 */

static size_t name_len(const char *entry)
{
    return strcspn(entry, "=");
}

/* Is the variable among the claim's steps from `at` on? */
static bool is_set(const struct plan_view *claim, size_t at, const char *entry)
{
    const size_t n = name_len(entry);

    for (; at < claim->head.nsteps; at++) {
        struct step s = plan_step(claim, at);

        if (s.kind == STEP_ENV && name_len(s.text) == n &&
            memcmp(s.text, entry, n) == 0)
            return true;
    }
    return false;
}

static void add_string(struct exec_args *a, char **at, const char *text)
{
    /* execve(2) does not write to them. */
    *at = (char *)(uintptr_t)text;
    if (strncmp(text, "PATH=", 5) == 0)
        a->path = text + 5;
}

/* Where it is, is nothing that one can do without. */
static bool is_wanted(const struct plan_view *claim, const char *entry)
{
    return !(claim->head.flags & PLAN_CLAIM_ONLY_ENV) ||
           strncmp(entry, "PWD=", 4) == 0;
}

/* The sandbox's variables, where the claim has no others. */
static size_t add_env(const struct plan_view *plan,
                      const struct plan_view *claim, struct exec_args *a,
                      char **strings)
{
    size_t n = 0;

    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (s.kind == STEP_ENV && is_wanted(claim, s.text) &&
            !is_set(claim, 0, s.text))
            add_string(a, &strings[n++], s.text);
    }
    for (size_t i = 0; i < claim->head.nsteps; i++) {
        struct step s = plan_step(claim, i);

        if (s.kind == STEP_ENV && !is_set(claim, i + 1, s.text))
            add_string(a, &strings[n++], s.text);
    }
    return n;
}

/* The later of two counts: the claim's. */
static void take_rest(const struct plan_view *plan, struct exec_args *a)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (s.kind == STEP_CWD)
            a->cwd = s.path;
        if (s.kind != STEP_FILTER)
            continue;
        a->filter = (const void *)s.text;
        a->filter_len = s.text_len / sizeof(struct sock_filter);
    }
}

static int fill_args(const struct plan_view *plan, const struct claim *c,
                     struct exec_args *a, struct err *e)
{
    static char *strings[EXEC_MAX_STRINGS];
    const struct plan_view *claim = &c->plan;
    size_t n = 0;

    if (plan_count(claim, STEP_ARG) + plan_count(claim, STEP_ENV) +
            plan_count(plan, STEP_ENV) + 2 >
        EXEC_MAX_STRINGS)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "more than %d arguments and variables",
                       EXEC_MAX_STRINGS - 2);
    for (size_t i = 0; i < claim->head.nsteps; i++) {
        struct step s = plan_step(claim, i);

        if (s.kind == STEP_ARG)
            strings[n++] = (char *)(uintptr_t)s.text;
    }
    strings[n++] = NULL;
    a->argv = strings;
    a->envp = strings + n;
    n += add_env(plan, claim, a, strings + n);
    strings[n] = NULL;
    take_rest(plan, a);
    take_rest(claim, a);
    a->tty = c->tty;
    a->limits = claim;
    a->sandbox = plan;
    a->has_no_sockets = claim->head.flags & PLAN_EXEC_NO_SOCKETS;
    return 0;
}

/* --- the whole -------------------------------------------------------------
 */

struct warm {
    const struct plan_view *plan;
    struct spare spare;
    int signals, ruleset;
    struct broker *broker;
};

/* Everything that takes time, and does not depend on the claim. */
static int prepare(struct warm *w, struct err *e)
{
    struct signalfd_siginfo si;

    if (launch_watch_children(&w->signals, e) < 0 ||
        launch_build_open_view(w->plan, &w->spare, e) < 0 ||
        launch_prepare_walls(w->plan, &w->ruleset, e) < 0)
        return -1;
    /* Of children that helped to build. */
    while (read(w->signals, &si, sizeof(si)) > 0)
        continue;
    return 0;
}

/* By init, where it answers no call itself: then the end of the command is not
 * that of the filter too, which the kernel would clear away before it tells. */
static int raise_filter(struct exec_args *a, struct err *e)
{
    int r = seccomp_enforce(a->filter, a->filter_len, false, NULL);

    a->is_inherited = r == 0;
    return r < 0 ? err_sys(e, "seccomp(2)", -r, "cannot filter system calls")
                 : 0;
}

/* In the order of a run: the view, the streams, the walls, the broker. */
static int take_up(struct warm *w, struct claim *c, struct exec_args *a,
                   struct err *e)
{
    if (open_plan(w->plan, c, e) < 0 ||
        launch_add_to_view(&c->plan, &w->spare, e) < 0 ||
        launch_close_view(&w->spare, e) < 0 || open_streams(c, e) < 0 ||
        launch_raise_walls(w->plan, &w->ruleset, e) < 0 ||
        launch_open_broker(w->plan, &c->plan, &w->broker, e) < 0 ||
        fill_args(w->plan, c, a, e) < 0)
        return -1;
    a->want_listener = w->broker != NULL;
    return w->broker ? 0 : raise_filter(a, e);
}

static int fail(const struct err *e)
{
    (void)launch_tell(MSG_FAILED, 0, e, -1);
    return 1;
}

int launch_warm(const struct plan_view *plan)
{
    struct exec_args a = { .path = LAUNCH_PATH, .program = -1, .ruleset = -1 };
    struct claim c = { .tty = -1, .master = -1 };
    struct warm w = { .plan = plan };
    struct err e = { 0 };

    if (prepare(&w, &e) < 0)
        return fail(&e);
    /* The host's tree along: whoever supervises holds on to it, so that it is
     * not taken down while the command waits to be started. */
    if (launch_tell(MSG_READY, 0, NULL, w.spare.host) < 0 || !hear(&c))
        return 1;
    if (take_up(&w, &c, &a, &e) < 0)
        return fail(&e);
    return launch_follow(w.broker, w.signals, &a, c.master);
}
