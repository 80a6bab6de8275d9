/* copy.c - see copy.h: two ends of a pipe, one of them in the session. */
#include "session/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compat.h"
#include "session/program.h"
#include "supervise/supervise.h"

#define MOST_ENTRIES "1000000"

/* Exit codes of mxc-copy (copy/main.c). */
enum { COPY_TOO_SOON = 3, COPY_NO_READER = 4 };

/* What one of the two says on its standard error. */
struct words {
    int fd;
    size_t len;
    char text[2048];
};

struct copying {
    const struct copy_job *job;
    struct copy_place place;
    int conn, program;
    int data[2]; /* from one end to the other */
    struct words inner, outer;
    int report; /* of who receives */
    size_t reported;
    pid_t child; /* the end on the host, or 0 */
    bool has_ended;
    struct say end; /* how the one inside ended */
    struct copy_result *out;
    struct err *e;
};

/* --- the end on the host ---------------------------------------------------
 */

/* Descriptors for 0 to 3; -1: none. */
static void run_child(const struct copying *c, const int fd[4],
                      const char *const *argv)
{
    static char *const envp[] = { NULL };
    sigset_t none;
    int up[4];

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 0; i < 4; i++)
        up[i] = fd[i] < 0 ? -1 : fcntl(fd[i], F_DUPFD_CLOEXEC, 10);
    for (int i = 0; i < 4; i++)
        if (up[i] < 0 ? close(i) < 0 && errno != EBADF : dup2(up[i], i) < 0)
            _exit(126);
    /* What our caller left open is not for who reads the workload's bytes. */
    if (syscall(__NR_close_range, 4u, ~0u, 0) < 0)
        _exit(126);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0)
        (void)execve(c->job->program, (char *const *)(uintptr_t)argv, envp);
    _exit(127);
}

static int start_child(struct copying *c, const int fd[4],
                       const char *const *argv)
{
    c->child = fork();
    if (c->child < 0)
        return err_sys(c->e, "fork(2)", errno, "cannot start mxc-copy");
    if (c->child == 0)
        run_child(c, fd, argv);
    return 0;
}

static int make_pipe(int out[2], struct err *e)
{
    return pipe2(out, O_CLOEXEC) < 0
               ? err_sys(e, "pipe2(2)", errno, "cannot copy")
               : 0;
}

/* Where nothing is to be read, or nobody reads. */
static int open_nothing(struct err *e)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return err_sys(e, "open(2)", errno, "cannot open '/dev/null'");
    return fd;
}

static int start_packer(struct copying *c)
{
    char own[256];
    const char *const argv[] = { "mxc-copy", "take", c->job->outside, own,
                                 NULL };
    scoped(drop_fd) int nothing = open_nothing(c->e);
    int words[2], r;

    if (nothing < 0 || make_pipe(words, c->e) < 0)
        return -1;
    copy_last(c->job->outside, own);
    if (!own[0])
        (void)snprintf(own, sizeof(own), ".");
    c->outer.fd = words[0];
    r = start_child(c, (int[]){ nothing, c->data[1], words[1], -1 }, argv);
    (void)close(words[1]);
    drop_fd(&c->data[1]);
    return r;
}

static int start_receiver(struct copying *c)
{
    char bytes[24];
    const char *const argv[] = { "mxc-copy", "receive",    c->place.own,
                                 bytes,      MOST_ENTRIES, NULL };
    scoped(drop_fd) int nothing = open_nothing(c->e);
    int report[2], r;

    if (nothing < 0 || make_pipe(report, c->e) < 0)
        return -1;
    (void)snprintf(bytes, sizeof(bytes), "%llu",
                   (unsigned long long)c->job->max_bytes);
    c->report = report[0];
    r = start_child(
        c, (int[]){ c->data[0], report[1], nothing, c->place.target }, argv);
    (void)close(report[1]);
    drop_fd(&c->data[0]);
    return r;
}

static int start_outer(struct copying *c)
{
    if (!c->job->outside)
        return 0;
    if (c->job->is_out &&
        copy_place_open(c->job->outside, c->job->inside, &c->place, c->e) < 0)
        return -1;
    if (make_pipe(c->data, c->e) < 0)
        return -1;
    return c->job->is_out ? start_receiver(c) : start_packer(c);
}

/* --- the end in the session ------------------------------------------------
 */

static int send_command(struct copying *c, const struct plan_view *plan,
                        const struct session_command *command,
                        const int streams[3])
{
    scoped(arena_drop) struct arena a = { .limit = SESSION_COMMAND_MAX };
    void *bytes;
    size_t len;

    if (session_command_plan(&a, plan, command, &bytes, &len, c->e) < 0)
        return -1;
    return session_command_send(c->conn, command, bytes, len, streams, c->e);
}

static int start_inner(struct copying *c, const struct plan_view *plan)
{
    const struct copy_job *j = c->job;
    char own[256];
    const char *argv[] = { "mxc-copy", j->is_out ? "pack" : "unpack", j->inside,
                           own };
    const struct session_command command = { .arg = argv,
                                             .nargs = j->is_out || j->outside
                                                          ? 4
                                                          : 3,
                                             .has_program = true,
                                             .program = c->program };
    scoped(drop_fd) int nothing = open_nothing(c->e);
    int words[2], r;
    int archive = !j->outside ? j->stream : c->data[j->is_out ? 1 : 0];

    if (nothing < 0 || make_pipe(words, c->e) < 0)
        return -1;
    copy_last(j->is_out || !j->outside ? j->inside : j->outside, own);
    if (j->is_out && !own[0])
        (void)snprintf(own, sizeof(own), ".");
    c->inner.fd = words[0];
    r = send_command(c, plan, &command,
                     j->is_out ? (int[]){ nothing, archive, words[1] }
                               : (int[]){ archive, words[1], words[1] });
    (void)close(words[1]);
    /* The ends that others have now. */
    drop_fd(&c->data[0]);
    drop_fd(&c->data[1]);
    return r;
}

/* --- while they run --------------------------------------------------------
 */

/* What there is no room for is read, and forgotten. */
static void hear_words(struct words *w)
{
    char rest[256];
    size_t room = sizeof(w->text) - 1 - w->len;
    ssize_t n = room ? read(w->fd, w->text + w->len, room)
                     : read(w->fd, rest, sizeof(rest));

    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0)
        drop_fd(&w->fd);
    else if (room)
        w->len += (size_t)n;
}

static void hear_report(struct copying *c)
{
    char *to = (char *)&c->out->told;
    ssize_t n =
        read(c->report, to + c->reported, sizeof(c->out->told) - c->reported);

    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0)
        drop_fd(&c->report);
    else
        c->reported += (size_t)n;
}

static int hear_session(struct copying *c)
{
    int master = -1;
    struct say s;

    if (session_command_hear(c->conn, &s, &master, c->e) < 0)
        return -1;
    drop_fd(&master);
    if (s.what == SAY_FAILED) {
        *c->e = s.err;
        return -1;
    }
    if (s.what != SAY_ENDED)
        return 0;
    c->end = s;
    c->has_ended = true;
    return 0;
}

static int hear_signal(struct copying *c)
{
    struct signalfd_siginfo si;

    if (read(c->job->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
        return 0;
    c->out->signal = (int)si.ssi_signo;
    return err_set(c->e, ERR_BACKEND_ERROR, "interrupted by signal %u",
                   si.ssi_signo);
}

static int follow(struct copying *c)
{
    while (!c->has_ended || c->report >= 0 || c->outer.fd >= 0 ||
           c->inner.fd >= 0) {
        struct pollfd p[] = {
            { .fd = c->has_ended ? -1 : c->conn, .events = POLLIN },
            { .fd = c->inner.fd, .events = POLLIN },
            { .fd = c->outer.fd, .events = POLLIN },
            { .fd = c->report, .events = POLLIN },
            { .fd = c->job->signals, .events = POLLIN },
        };

        if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
            return err_sys(c->e, "poll(2)", errno, "cannot wait");
        if (p[1].revents)
            hear_words(&c->inner);
        if (p[2].revents)
            hear_words(&c->outer);
        if (p[3].revents)
            hear_report(c);
        if ((p[4].revents && hear_signal(c) < 0) ||
            (p[0].revents && hear_session(c) < 0))
            return -1;
    }
    return 0;
}

/* --- how it went -----------------------------------------------------------
 */

/* The last lines: what failed, and what helps.  Notes come before. */
static void take_words(struct words *w, struct err *e, char note[512])
{
    char *line = w->text, *hint;

    w->text[w->len] = '\0';
    while (strncmp(line, "note: ", 6) == 0) {
        size_t n = strcspn(line, "\n");

        (void)snprintf(note, 512, "%.*s", (int)(n < 511 ? n - 6 : 505),
                       line + 6);
        line += n + (line[n] != '\0');
    }
    hint = strchr(line, '\n');
    if (hint)
        *hint++ = '\0';
    if (!line[0])
        return;
    err_set(e, ERR_BACKEND_ERROR, "%s", line);
    if (hint && hint[0])
        err_hint(e, "%.*s", (int)strcspn(hint, "\n"), hint);
}

/* 0, or the code of mxc-copy; *e says why. */
static int judge_inner(struct copying *c, struct err *e)
{
    const struct say *s = &c->end;

    err_set(e, ERR_BACKEND_ERROR,
            "what copies in the session ended without a word");
    take_words(&c->inner, e, c->out->note);
    if (s->outcome == OUTCOME_EXITED)
        return WEXITSTATUS(s->number);
    if (s->outcome == OUTCOME_SIGNALED)
        err_set(e, ERR_BACKEND_ERROR,
                "what copies in the session was killed by signal %d",
                WTERMSIG(s->number));
    else if (s->outcome == OUTCOME_TIMED_OUT)
        err_set(e, ERR_BACKEND_ERROR,
                "the copy was ended after the policy's timeout");
    else if (s->err.msg[0])
        *e = s->err;
    return 1;
}

static int judge_packer(struct copying *c, int status, struct err *e)
{
    err_set(e, ERR_BACKEND_ERROR, "mxc-copy ended with status %d", status);
    take_words(&c->outer, e, c->out->note);
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return 1;
}

/* Its record is of one size, and its text is cut. */
static int judge_receiver(struct copying *c, int status, struct err *e)
{
    struct unpack_report *r = &c->out->told;

    if (c->reported != sizeof(*r)) {
        memset(r, 0, sizeof(*r));
        err_set(e, ERR_BACKEND_ERROR,
                "what receives was ended by signal %d: the session sent more "
                "than it may",
                WIFSIGNALED(status) ? WTERMSIG(status) : 0);
        return 1;
    }
    for (size_t i = 0; i < NOTE_KINDS; i++)
        r->note[i].first[sizeof(r->note[i].first) - 1] = '\0';
    *e = r->err;
    err_end_texts(e);
    if (!r->failed)
        return 0;
    return e->sys == ENODATA ? COPY_TOO_SOON : 1;
}

/* Of two that failed, the one that did not fail for the other. */
static int judge(struct copying *c, int status)
{
    struct err inner = { 0 }, outer = { 0 };
    int in = judge_inner(c, &inner), out = 0;

    if (c->job->outside)
        out = c->job->is_out ? judge_receiver(c, status, &outer)
                             : judge_packer(c, status, &outer);
    if (in && out && (in == COPY_TOO_SOON || in == COPY_NO_READER))
        in = 0;
    if (in) {
        *c->e = inner;
        return err_ctx(c->e, "in the session");
    }
    if (out)
        *c->e = outer;
    return out ? -1 : 0;
}

static void end_child(struct copying *c, bool is_over, int *status)
{
    if (c->child <= 0)
        return;
    if (!is_over)
        (void)kill(c->child, SIGKILL);
    while (waitpid(c->child, status, 0) < 0 && errno == EINTR)
        continue;
    c->child = 0;
}

static int run(struct copying *c, const struct session_dir *d)
{
    scoped(session_plan_drop) struct plan_view plan = { 0 };
    int status = 0, r;

    /* First of all whether it is started: nothing else is of use then. */
    if (session_connect(d, &c->conn, c->e) < 0 ||
        session_plan(d, &plan, c->e) < 0 ||
        session_program_load(c->job->program, &c->program, c->e) < 0 ||
        start_outer(c) < 0 || start_inner(c, &plan) < 0)
        return -1;
    r = follow(c);
    end_child(c, r == 0, &status);
    if (r == 0)
        r = judge(c, status);
    if (r == 0 && c->job->is_out && c->job->outside)
        r = copy_place_keep(&c->place, c->e);
    return r;
}

int session_copy(const struct session_dir *d, const struct copy_job *j,
                 struct copy_result *out, struct err *e)
{
    struct copying c = { .job = j,
                         .place = COPY_PLACE_NONE,
                         .conn = -1,
                         .program = -1,
                         .data = { -1, -1 },
                         .inner = { .fd = -1 },
                         .outer = { .fd = -1 },
                         .report = -1,
                         .out = out,
                         .e = e };
    int status = 0, r = run(&c, d);

    /* Its end is that of the command inside, too. */
    drop_fd(&c.conn);
    drop_fd(&c.data[0]);
    drop_fd(&c.data[1]);
    end_child(&c, false, &status);
    copy_place_close(&c.place);
    drop_fd(&c.program);
    drop_fd(&c.inner.fd);
    drop_fd(&c.outer.fd);
    drop_fd(&c.report);
    return r;
}
