/* learn_round.c - one round of `mxc learn`: `mxc run` of the command under the
 * policy so far, in a process of its own, and what it was refused. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/read_all.h"
#include "cli/learning.h"

enum { RESULT_MOST = 16 << 20, EVENTS_MOST = 80 << 20, WORDS = 24 };

/* What the run writes for us, in memory. */
struct learn_run {
    int policy, result, events;
    char policy_name[32], result_name[16], events_name[16];
    char timeout[32], parent_number[16];
};

static int in_memory(const char *name, int *out, struct err *e)
{
    const int fd = memfd_create(name, MFD_CLOEXEC);

    if (fd < 0)
        return err_sys(e, "memfd_create(2)", errno, "cannot learn");
    /* Above the standard streams, which the command has. */
    *out = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    (void)close(fd);
    return *out < 0 ? err_sys(e, "fcntl(2)", errno, "cannot learn") : 0;
}

static bool is_open(const struct learning *x, const char *path)
{
    for (size_t i = 0; i < x->nopen; i++)
        if (path_is_within(path, x->open[i]))
            return true;
    return false;
}

/* What is granted in a round: not what is open anyway, and no peer that was
 * learnt: what the command was given to read it could send there.  A file
 * cannot be copied on write. */
static int of_round(const struct learning *x, struct learnt *out)
{
    struct learnt l = { .arena = x->l.arena };

    for (size_t i = 0; i < x->l.n; i++) {
        struct learn_entry e = x->l.entry[i];

        if (!learn_is_granted(&e) || e.kind == LEARN_CWD ||
            (!x->c->learn.reaches &&
             (e.kind == LEARN_HOST || e.kind == LEARN_NET)) ||
            (e.kind <= LEARN_GUARD && is_open(x, e.what)))
            continue;
        if (x->mode == LEARN_OBSERVE && e.kind == LEARN_WRITE && !e.is_dir)
            e.kind = LEARN_READ;
        if (!learn_add(&l, &e))
            return -1;
    }
    *out = l;
    return 0;
}

static int write_policy(struct learning *x, int fd, struct err *e)
{
    struct learnt l = { 0 };
    const char *base = x->wide ? x->wide : x->base;
    size_t done = 0;

    if (of_round(x, &l) < 0)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    buf_drop(&x->policy);
    x->policy = (struct buf){ .max = 64 << 20 };
    if (learn_document(&x->c->arena, base, strlen(base), &x->vars, false, &l,
                       &x->policy, e) < 0)
        return -1;
    while (done < x->policy.len) {
        const ssize_t n =
            write(fd, x->policy.data + done, x->policy.len - done);

        if (n < 0)
            return err_sys(e, "write(2)", errno, "cannot learn");
        done += (size_t)n;
    }
    return 0;
}

static int open_run(struct learning *x, struct learn_run *r, struct err *e)
{
    if (in_memory("mxc-policy", &r->policy, e) < 0 ||
        in_memory("mxc-result", &r->result, e) < 0 ||
        in_memory("mxc-events", &r->events, e) < 0 ||
        write_policy(x, r->policy, e) < 0)
        return -1;
    (void)snprintf(r->policy_name, sizeof(r->policy_name), "/dev/fd/%d",
                   r->policy);
    (void)snprintf(r->parent_number, sizeof(r->parent_number), "%d", getpid());
    (void)snprintf(r->result_name, sizeof(r->result_name), "%d", r->result);
    (void)snprintf(r->events_name, sizeof(r->events_name), "%d", r->events);
    return 0;
}

static void drop_run(struct learn_run *r)
{
    drop_fd(&r->policy);
    drop_fd(&r->result);
    drop_fd(&r->events);
}

/* --- the process -----------------------------------------------------------
 */

static const char **words_of(struct learning *x, struct learn_run *r)
{
    const struct run_flags *f = &x->c->flags;
    const char **words =
        arena_array(&x->c->arena, WORDS + f->nargs, sizeof(*words));
    size_t n = 0;

    if (!words)
        return NULL;
    words[n++] = "mxc";
    words[n++] = "run";
    words[n++] = "--accesses";
    words[n++] = "--parent";
    words[n++] = r->parent_number;
    words[n++] = "--json";
    words[n++] = r->result_name;
    words[n++] = "--events";
    words[n++] = r->events_name;
    if (x->mode == LEARN_OBSERVE)
        words[n++] = "--discard-writes";
    if (f->tty)
        words[n++] = "--tty";
    if (x->deadline) {
        const uint64_t now = now_ms();

        (void)snprintf(
            r->timeout, sizeof(r->timeout), "%llums",
            (unsigned long long)(now < x->deadline ? x->deadline - now : 1));
        words[n++] = "--timeout";
        words[n++] = r->timeout;
    }
    words[n++] = "--policy";
    words[n++] = r->policy_name;
    if (f->nargs)
        words[n++] = "--";
    for (size_t i = 0; i < f->nargs; i++)
        words[n++] = f->arg[i];
    return words;
}

static pid_t start(struct learning *x, struct learn_run *r, struct err *e)
{
    const char **words = words_of(x, r);
    const int kept[] = { r->policy, r->result, r->events };
    sigset_t none;
    pid_t pid;

    if (!words) {
        err_set(e, ERR_BACKEND_ERROR, "out of memory");
        return -1;
    }
    (void)fflush(NULL);
    pid = fork();
    if (pid < 0)
        err_sys(e, "fork(2)", errno, "cannot learn");
    if (pid != 0)
        return pid;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        (void)fcntl(kept[i], F_SETFD, 0);
    (void)execv("/proc/self/exe", (char *const *)(uintptr_t)words);
    _exit(CLI_FAILED);
}

/* A terminal has told the run as well; 0: there is none. */
static void hear(struct learning *x, pid_t pid)
{
    struct signalfd_siginfo s;

    while (read(x->signals, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
        x->is_interrupted = true;
        x->signal = (int)s.ssi_signo;
        if (pid > 0 && s.ssi_code != SI_KERNEL)
            (void)kill(pid, (int)s.ssi_signo);
    }
}

bool learn_must_end(struct learning *x)
{
    if (x->signals >= 0)
        hear(x, 0);
    x->is_late = x->is_late || (x->deadline && now_ms() >= x->deadline);
    return x->is_interrupted || x->is_late;
}

static int await(struct learning *x, pid_t pid, int *status, struct err *e)
{
    scoped(drop_fd) int end = (int)syscall(__NR_pidfd_open, pid, 0);
    struct pollfd p[] = { { .fd = end, .events = POLLIN },
                          { .fd = x->signals, .events = POLLIN } };

    if (end < 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, status, 0);
        return err_sys(e, "pidfd_open(2)", errno, "cannot learn");
    }
    do {
        if (poll(p, ARRAY_LEN(p), -1) > 0 && p[1].revents)
            hear(x, pid);
    } while (!p[0].revents);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        continue;
    return 0;
}

/* --- what came of it -------------------------------------------------------
 */

static const char *read_back(struct arena *a, int fd, size_t most, size_t *len)
{
    const char *text;

    return lseek(fd, 0, SEEK_SET) == 0 && read_all(a, fd, most, &text, len) == 0
               ? text
               : NULL;
}

static void take_result(struct learning *x, const struct json *result)
{
    const struct json *list = json_get(result, "denials"),
                      *code = json_get(result, "exitCode"),
                      *outcome = json_get(result, "outcome");
    uint64_t n;

    if (code && json_u64(code, &n) == 0)
        x->code = (int)n;
    x->outcome[0] = '\0';
    if (outcome && outcome->type == JSON_STRING)
        (void)snprintf(x->outcome, sizeof(x->outcome), "%.*s",
                       (int)outcome->len, outcome->text);
    for (const struct json *v = list ? list->first : NULL; v; v = v->next)
        learn_take(x, v, true);
    list = json_get(result, "accesses");
    for (const struct json *v = list ? list->first : NULL; v; v = v->next) {
        learn_take_lost(x, v);
        if (x->wide)
            learn_take_access(x, v);
    }
    if (json_get(result, "accessesNotListed") &&
        json_u64(json_get(result, "accessesNotListed"), &n) == 0)
        x->unlisted += x->wide ? n : 0;
    if (json_get(result, "denialsLost") &&
        json_u64(json_get(result, "denialsLost"), &n) == 0)
        x->unknown = n;
}

/* What the broker lost, the result has counted: most of it is nowhere. */
static bool is_of_broker(const struct json *gap)
{
    const struct json *reason = json_get(gap, "reason");

    return reason && json_is(reason, "broker");
}

static void take_event(struct learning *x, const char *line, size_t len)
{
    struct arena a = { .limit = 1 << 20 };
    struct json *v;
    struct err ignored;
    uint64_t n;

    if (json_parse(&a, line, len, &v, &ignored) == 0) {
        if (json_is(json_get(v, "event"), "denied"))
            learn_take(x, v, false);
        else if (x->mode == LEARN_PERMISSIVE &&
                 json_is(json_get(v, "event"), "connection"))
            learn_take_connection(x, v);
        else if (json_is(json_get(v, "event"), "gap") && !is_of_broker(v) &&
                 json_u64(json_get(v, "count"), &n) == 0)
            x->unlisted += n;
    }
    arena_drop(&a);
}

/* Without an entry; a denial, or what stays for reading, is not dropped: the
 * grants that it is in are.  True: something was. */
static bool leave_out_entry(struct learning *x, const struct learn_entry *e)
{
    const bool is_inside = e->kind == LEARN_DENY || e->kind == LEARN_GUARD;
    const char *what = e->what;
    bool is_any = false;

    for (size_t i = 0; i < x->l.n; i++) {
        struct learn_entry *by = &x->l.entry[i];

        if (!learn_is_granted(by) || by->kind > LEARN_WRITE ||
            !(is_inside ? path_is_within(what, by->what) : by == e))
            continue;
        by->left_out = "a run with it is refused, as said above";
        is_any = true;
    }
    return is_any;
}

/* Where the policy of the round is refused for one of our entries, it goes on
 * without that one. */
static bool leave_out_refused(struct learning *x, const struct json *result)
{
    const struct json *code = json_at(result, "error.code"),
                      *where = json_at(result, "error.details.where"), *v;
    const char *path;
    struct json *root;
    struct err ignored;

    if (!code || !json_is(code, "policy_validation") || !where ||
        where->type != JSON_STRING)
        return false;
    path = arena_strndup(x->l.arena, where->text, where->len);
    if (!path || strncmp(path, "filesystem.", 11) != 0 ||
        json_parse(x->l.arena, x->policy.data, x->policy.len, &root, &ignored) <
            0)
        return false;
    v = json_at(root, path);
    for (size_t i = 0; v && i < x->l.n; i++)
        if (learn_is_granted(&x->l.entry[i]) &&
            x->l.entry[i].kind <= LEARN_GUARD &&
            json_is(v, x->l.entry[i].what) &&
            leave_out_entry(x, &x->l.entry[i]))
            return true;
    return false;
}

/* In a scratch of its own: the stream may be long. */
static int take_all(struct learning *x, const struct learn_run *r,
                    struct err *e)
{
    struct arena a = { .limit = (size_t)RESULT_MOST * 16 + EVENTS_MOST };
    struct json *result = NULL;
    size_t len = 0;
    const char *text = read_back(&a, r->result, RESULT_MOST, &len);
    struct err ignored;

    if (!text || json_parse(&a, text, len, &result, &ignored) < 0) {
        arena_drop(&a);
        /* A signal may come before the run can tell of it. */
        if (x->is_interrupted) {
            (void)snprintf(x->outcome, sizeof(x->outcome), "signaled");
            return 0;
        }
        return err_set(e, ERR_BACKEND_ERROR,
                       "the run of a round ended without a result");
    }
    x->is_again = leave_out_refused(x, result);
    if (!x->is_again)
        take_result(x, result);
    text = read_back(&a, r->events, EVENTS_MOST, &len);
    while (text && len > 0 && !x->is_again) {
        const char *end = memchr(text, '\n', len);
        const size_t n = end ? (size_t)(end - text) : len;

        take_event(x, text, n);
        text += n + (end != NULL);
        len -= n + (end != NULL);
    }
    arena_drop(&a);
    return 0;
}

/* Every round reads the same, and only the last one's output is kept, where
 * the streams are files. */
static void rewind_files(const struct learning *x)
{
    if (x->round < 2)
        return;
    if (x->input >= 0)
        (void)lseek(STDIN_FILENO, x->input, SEEK_SET);
    if (x->output >= 0 && ftruncate(STDOUT_FILENO, x->output) == 0)
        (void)lseek(STDOUT_FILENO, x->output, SEEK_SET);
}

static int run_once(struct learning *x, struct err *e)
{
    scoped(drop_run) struct learn_run r = { -1, -1, -1, "", "", "", "" };
    int status = 0;
    pid_t pid;

    x->is_new = false;
    x->is_again = false;
    x->unknown = 0;
    x->code = CLI_FAILED;
    x->outcome[0] = '\0';
    learn_check_again(x);
    if (open_run(x, &r, e) < 0)
        return -1;
    rewind_files(x);
    pid = start(x, &r, e);
    if (pid < 0 || await(x, pid, &status, e) < 0 || take_all(x, &r, e) < 0)
        return -1;
    if (WIFSIGNALED(status))
        x->code = 128 + WTERMSIG(status);
    return 0;
}

int learn_round(struct learning *x, struct err *e)
{
    x->round++;
    do
        if (run_once(x, e) < 0)
            return -1;
    while (x->is_again && !learn_must_end(x));
    x->is_late =
        x->is_late || (x->deadline && (strcmp(x->outcome, "timed_out") == 0 ||
                                       now_ms() >= x->deadline));
    if (strcmp(x->outcome, "failed") == 0 && !x->is_interrupted)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "round %u could not be run, as said above", x->round);
    return 0;
}
