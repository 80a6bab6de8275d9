/* main.c - mxc-supervise PLAN_FD RESULT_FD PARENT_PID
 *
 * Started by libmxc with a sealed plan; of no use by hand.  The result goes
 * to RESULT_FD as one JSON object (-1: nowhere), what went wrong to standard
 * error as text; PARENT_PID 0 lets the sandbox outlive its caller. */
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

int main(int argc, char **argv)
{
    char launcher[PATH_MAX];
    struct plan_view plan;
    struct err e = { 0 };
    uint64_t plan_fd, parent;
    int64_t result_fd;

    /* A reader that is gone must not look like the workload's own end. */
    supervise_ignore_signals();
    if (argc != 4 || num_u64(argv[1], INT_MAX, &plan_fd) < 0 ||
        num_i64(argv[2], -1, INT_MAX, &result_fd) < 0 ||
        num_u64(argv[3], INT_MAX, &parent) < 0) {
        err_set(&e, ERR_MALFORMED_REQUEST,
                "mxc-supervise is a part of mxc; run `mxc`");
        return refuse(&e);
    }
    (void)fcntl((int)plan_fd, F_SETFD, FD_CLOEXEC);
    if (result_fd >= 0)
        (void)fcntl((int)result_fd, F_SETFD, FD_CLOEXEC);
    if (map_plan((int)plan_fd, &plan, &e) < 0 ||
        find_launcher(launcher, &e) < 0)
        return refuse(&e);
    return supervise_plan(&(struct supervise_args){ .plan = &plan,
                                                    .plan_fd = (int)plan_fd,
                                                    .launcher = launcher,
                                                    .result_fd = (int)result_fd,
                                                    .parent = (pid_t)parent });
}
