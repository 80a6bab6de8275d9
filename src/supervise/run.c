/* run.c - one packed plan from start to result.
 *
 * Called by mxc, which has just made the plan, and by mxc-supervise, which
 * was given it: the same code supervises for the command and for libmxc. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/report.h"
#include "supervise/kept.h"
#include "supervise/net_report.h"
#include "supervise/run_events.h"
#include "supervise/supervise.h"

static int print_result_json(int fd, const struct plan_view *plan,
                             const struct result *r,
                             const struct net_report *net, struct err *e)
{
    struct buf b = { .max = 14 << 20 };
    int written;

    result_members(r, &b);
    buf_printf(&b, ",\"denialCount\":%llu",
               (unsigned long long)net_report_count(net));
    net_report_json(net, &b);
    if (net->others)
        denials_lost_json(net->others, &b);
    run_verified_json(&net->walls, plan, &b);
    capture_json(&net->capture, &b);
    if (plan->head.receipt[0]) {
        buf_putc(&b, ',');
        buf_puts(&b, plan->head.receipt);
    }
    buf_puts(&b, "}\n");
    written = report_write(fd, &b, e);
    buf_drop(&b);
    return written;
}

static void print(struct buf *b)
{
    if (!b->failed && b->len)
        (void)!write(2, b->data, b->len);
    buf_drop(b);
}

static void print_error(const struct err *e)
{
    struct buf b = { .max = 8192 };

    report_text(&b, e);
    /* Without memory for all of it, at least what went wrong. */
    if (b.failed)
        (void)dprintf(2, "mxc: %s\n", e->msg);
    print(&b);
}

/* Who reads the result as JSON has them there. */
static void print_denials(const struct net_report *r)
{
    struct buf b = { .max = 64 * 1024 };

    if (r->is_quiet)
        return;
    net_report_text(r, &b);
    print(&b);
}

/* Nor do they see these. */
static void print_limits(const struct net_report *net, const struct result *r)
{
    struct buf b = { .max = 4096 };

    if (!net->is_quiet)
        limits_text(r, &b);
    print(&b);
}

void terminal_save(struct terminal *t)
{
    t->fd = -1;
    for (int fd = 0; fd < 3 && t->fd < 0; fd++)
        if (isatty(fd) && tcgetattr(fd, &t->modes) == 0)
            t->fd = fd;
    if (t->fd < 0 || ioctl(t->fd, TIOCGEXCL, &t->is_exclusive) < 0)
        t->is_exclusive = 0;
}

/* What a workload did to it outlives the workload: modes, output stopped as
 * by ^S (tcflow(3)), or that nobody else may open it (ioctl_tty(2)).  In the
 * background it is by now another's, and touching it would stop us
 * (tcsetattr(3), SIGTTOU). */
void terminal_give_back(const struct terminal *t)
{
    pid_t group;

    if (t->fd < 0)
        return;
    group = tcgetpgrp(t->fd);
    if (group >= 0 && group != getpgrp())
        return;
    (void)tcsetattr(t->fd, TCSANOW, &t->modes);
    (void)tcflow(t->fd, TCOON);
    if (!t->is_exclusive)
        (void)ioctl(t->fd, TIOCNXCL);
}

static void spawn_and_supervise(const struct supervise_args *a, int parent,
                                struct kept_run *kept,
                                struct net_report *report, struct result *out)
{
    const struct plan_view *plan = a->plan;
    struct gateway g;
    scoped(drop_fd) int inside = -1;
    struct sandbox s;
    struct terminal terminal;

    terminal_save(&terminal);
    if (gateway_spawn(plan, a->launcher, a->events_fd >= 0, &g, &inside,
                      &out->err) < 0)
        return;
    if (sandbox_spawn(plan, a->launcher, a->plan_fd, inside, kept->hold.dir, &s,
                      &out->err) == 0) {
        /* Theirs alone: each shall notice the other's end. */
        drop_fd(&inside);
        supervise(a, &s, &g, kept, parent, report, out);
        terminal_give_back(&terminal);
    }
    gateway_stop(&g);
}

static void run(const struct supervise_args *a, int parent,
                struct net_report *report, struct result *out)
{
    struct kept_run kept;
    struct err e = { 0 };

    if (kept_take(a->plan, &kept, &out->err) < 0)
        return;
    spawn_and_supervise(a, parent, &kept, report, out);
    /* The workload's own end is told all the same. */
    if (kept_release(&kept, &e) < 0 && !out->err.msg[0])
        out->err = e;
}

/* With --die-with-parent the sandbox does not outlive its caller.  A pidfd
 * and not PR_SET_PDEATHSIG, which would fire when the thread that started us
 * ends (prctl(2)), as threads of a pool do. */
static int follow_parent(const struct supervise_args *a, int *pidfd,
                         struct err *e)
{
    *pidfd = a->parent_fd;
    if (a->parent == 0)
        return 0;
    *pidfd = (int)syscall(__NR_pidfd_open, a->parent, 0);
    if (*pidfd < 0)
        return err_sys(e, "pidfd_open(2)", errno, "cannot follow the caller");
    if (getppid() != a->parent)
        return err_set(e, ERR_BACKEND_ERROR, "the caller has ended");
    return 0;
}

void supervise_ignore_signals(void)
{
    const struct sigaction ignore = { .sa_handler = SIG_IGN };

    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGXFSZ, &ignore, NULL);
}

void supervise_run(const struct supervise_args *a, struct net_report *report,
                   struct result *out)
{
    struct events events;
    int parent;

    *out = (struct result){ .exit_code = EXIT_MXC };
    run_events_open(&events, a->events_fd, a->plan);
    report->events = a->events_fd >= 0 ? &events : NULL;
    if (report->others) {
        report->others->plan = a->plan;
        report->others->home = a->home;
        report->others->events = report->events;
    }
    if (report->accesses) {
        report->accesses->plan = a->plan;
        report->accesses->events = report->events;
    }
    if (capture_open(a->plan, &report->capture, &out->err) == 0 &&
        follow_parent(a, &parent, &out->err) == 0)
        run(a, parent, report, out);
    capture_write(&report->capture, out, report);
    if (report->others)
        denials_settle(report->others);
    report->events = NULL;
    limits_events(out, &events);
    run_events_exited(&events, out, net_report_count(report));
    events_close(&events);
}

int supervise_plan(const struct supervise_args *a)
{
    /* Large, and there is one run in a process. */
    static struct net_report report;
    static struct denials others;
    static struct accesses accesses;
    struct result r;
    struct err e;

    if (a->plan->head.flags & PLAN_DENIALS)
        report.others = &others;
    if (a->plan->head.flags & PLAN_ACCESSES)
        report.accesses = &accesses;
    report.is_quiet = a->result_fd >= 0;
    supervise_run(a, &report, &r);
    print_denials(&report);
    print_limits(&report, &r);
    if (r.err.msg[0] && !a->is_quiet)
        print_error(&r.err);
    if (report.capture.err.msg[0] && !a->is_quiet && !report.is_quiet)
        print_error(&report.capture.err);
    /* Who asked for a result and has none does not know how it ended. */
    if (a->result_fd >= 0 &&
        print_result_json(a->result_fd, a->plan, &r, &report, &e) < 0) {
        print_error(&e);
        r.exit_code = EXIT_MXC;
    }
    denials_drop(&others);
    accesses_drop(&accesses);
    return r.exit_code;
}
