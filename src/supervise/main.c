/* main.c - mxc-supervise PLAN RESULT EVENTS CONTROL CALLER [ROWSxCOLUMNS]
 *
 * Started by libmxc with a sealed plan; of no use by hand.  The words are
 * numbers of descriptors, -1 for none: the plan, where the result goes as one
 * JSON object, where events of the network go as lines of JSON, where orders
 * come from (control.c), and a pidfd of the caller: with that, the sandbox
 * ends when the caller does, or when CONTROL has no writer any more.  What
 * went wrong is told in the result, or without one to standard error as
 * text. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "base/report.h"
#include "supervise/supervise.h"

static int map_plan(int fd, struct plan_view *out, struct err *e)
{
    struct stat st;
    void *bytes;

    if (fstat(fd, &st) < 0 || st.st_size <= 0 ||
        st.st_size > (off_t)PLAN_MAX_BYTES)
        return err_set(e, ERR_BACKEND_ERROR, "the plan has no usable size");
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return err_sys(e, "mmap(2)", errno, "cannot map the plan");
    return plan_check(bytes, (size_t)st.st_size, out, e);
}

/* The launcher stands beside this program, wherever that was moved to. */
static int find_launcher(char out[PATH_MAX], struct err *e)
{
    static const char name[] = "mxc-launch";
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    char *slash;

    if (n < 0)
        return err_sys(e, "readlink(2)", errno, "cannot find '%s'", name);
    out[n] = '\0';
    slash = strrchr(out, '/');
    if (!slash || (size_t)(slash - out) + sizeof(name) + 1 > PATH_MAX)
        return err_set(e, ERR_BACKEND_ERROR, "cannot find '%s'", name);
    memcpy(slash + 1, name, sizeof(name));
    return 0;
}

static int refuse(const struct err *e)
{
    struct buf b = { .max = 8192 };

    report_text(&b, e);
    if (!b.failed)
        (void)!write(2, b.data, b.len);
    buf_drop(&b);
    return EXIT_MXC;
}

/* Descriptor numbers of the command line; they stop here. */
static int take_fds(char **argv, int *fd, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int64_t number;

        if (num_i64(argv[i], -1, INT_MAX, &number) < 0)
            return -1;
        fd[i] = (int)number;
        if (fd[i] >= 0)
            (void)fcntl(fd[i], F_SETFD, FD_CLOEXEC);
    }
    return 0;
}

int main(int argc, char **argv)
{
    enum { PLAN = 0, RESULT, EVENTS, CONTROL, CALLER, FDS };
    char launcher[PATH_MAX];
    struct plan_view plan;
    struct supervise_args args = { .plan = &plan, .launcher = launcher };
    struct err e = { 0 };
    int fd[FDS];

    /* A reader that is gone must not look like the workload's own end. */
    supervise_ignore_signals();
    if (argc < FDS + 1 || argc > FDS + 2 || take_fds(argv + 1, fd, FDS) < 0 ||
        (argc > FDS + 1 &&
         !tty_size_parse(argv[FDS + 1], &args.rows, &args.columns))) {
        err_set(&e, ERR_MALFORMED_REQUEST,
                "mxc-supervise is a part of mxc; run `mxc`");
        return refuse(&e);
    }
    if (map_plan(fd[PLAN], &plan, &e) < 0 || find_launcher(launcher, &e) < 0)
        return refuse(&e);
    args.plan_fd = fd[PLAN];
    args.result_fd = fd[RESULT];
    args.events_fd = fd[EVENTS];
    args.control_fd = fd[CONTROL];
    args.parent_fd = fd[CALLER];
    args.is_lifeline = fd[CALLER] >= 0;
    args.is_quiet = fd[RESULT] >= 0;
    return supervise_plan(&args);
}
