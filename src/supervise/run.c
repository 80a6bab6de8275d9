/* run.c - one packed plan from start to result.
 *
 * Called by mxc, which has just made the plan, and by mxc-supervise, which
 * was given it: the same code supervises for the command and for libmxc. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/report.h"
#include "supervise/supervise.h"

static void print_result_json(int fd, const struct plan_view *plan,
                              const struct result *r)
{
    static const char *const names[] = { "failed", "not_started", "exited",
                                         "signaled", "timed_out", "stopped" };
    struct buf b = { .max = 8 << 20 };

    buf_printf(&b, "{\"outcome\":\"%s\",\"exitCode\":%d", names[r->outcome],
               r->exit_code);
    if (r->outcome == OUTCOME_SIGNALED)
        buf_printf(&b, ",\"signal\":%d", r->signal);
    buf_printf(&b, ",\"timedOut\":%s,\"durationMs\":%llu",
               r->outcome == OUTCOME_TIMED_OUT ? "true" : "false",
               (unsigned long long)r->duration_ms);
    if (r->err.msg[0]) {
        buf_puts(&b, ",\"error\":");
        report_json(&b, &r->err);
    }
    if (plan->head.receipt[0]) {
        buf_putc(&b, ',');
        buf_puts(&b, plan->head.receipt);
    }
    buf_puts(&b, "}\n");
    for (size_t at = 0; !b.failed && at < b.len;) {
        ssize_t n = write(fd, b.data + at, b.len - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    buf_drop(&b);
}

static void print_error(const struct err *e)
{
    struct buf b = { .max = 8192 };

    report_text(&b, e);
    if (!b.failed)
        (void)write(2, b.data, b.len);
    buf_drop(&b);
}

/* A workload that got the caller's terminal as its stdin may have changed its
 * modes; give it back as it was. */
static bool save_terminal(struct termios *t)
{
    return isatty(0) && tcgetattr(0, t) == 0;
}

static void run(const struct supervise_args *a, int parent,
                struct result *out)
{
    const struct plan_view *plan = a->plan;
    struct sandbox s;
    struct termios saved;
    bool is_saved = save_terminal(&saved);

    if (sandbox_spawn(plan, a->launcher, a->plan_fd, &s, &out->err) < 0)
        return;
    supervise(plan, &s, parent, out);
    if (is_saved)
        (void)tcsetattr(0, TCSANOW, &saved);
}

/* With --die-with-parent the sandbox does not outlive its caller.  A pidfd
 * and not PR_SET_PDEATHSIG, which would fire when the thread that started us
 * ends (prctl(2)), as threads of a pool do. */
static int follow_parent(pid_t parent, int *pidfd, struct err *e)
{
    *pidfd = -1;
    if (parent == 0)
        return 0;
    *pidfd = (int)syscall(__NR_pidfd_open, parent, 0);
    if (*pidfd < 0)
        return err_sys(e, "pidfd_open(2)", errno, "cannot follow the caller");
    if (getppid() != parent)
        return err_set(e, ERR_BACKEND_ERROR, "the caller has ended");
    return 0;
}

int supervise_plan(const struct supervise_args *a)
{
    struct result r = { .exit_code = EXIT_MXC };
    int parent;

    if (follow_parent(a->parent, &parent, &r.err) == 0)
        run(a, parent, &r);
    if (r.err.msg[0])
        print_error(&r.err);
    if (a->result_fd >= 0)
        print_result_json(a->result_fd, a->plan, &r);
    return r.exit_code;
}

