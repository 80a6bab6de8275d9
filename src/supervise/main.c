/* main.c - mxc-supervise PLAN_FD RESULT_FD PARENT_PID
 *
 * Started by mxc (or libmxc) with a sealed plan; of no use by hand.  The
 * result goes to RESULT_FD as one JSON object (-1: nowhere), what went wrong
 * to standard error as text. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <termios.h>
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
    if (plan && plan->head.receipt[0]) {
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

static void run(int plan_fd, struct plan_view *plan, bool *have_plan,
                struct result *out)
{
    char launcher[PATH_MAX];
    struct sandbox s;
    struct termios saved;
    bool is_saved = save_terminal(&saved);

    *have_plan = map_plan(plan_fd, plan, &out->err) == 0;
    if (!*have_plan || find_launcher(launcher, &out->err) < 0)
        return;
    if (sandbox_spawn(plan, launcher, plan_fd, &s, &out->err) < 0)
        return;
    supervise(plan, &s, out);
    if (is_saved)
        (void)tcsetattr(0, TCSANOW, &saved);
}

int main(int argc, char **argv)
{
    struct result r = { .exit_code = EXIT_MXC };
    struct plan_view plan;
    bool have_plan = false;
    uint64_t plan_fd, parent;
    int64_t result_fd;

    if (argc != 4 || num_u64(argv[1], INT_MAX, &plan_fd) < 0 ||
        num_i64(argv[2], -1, INT_MAX, &result_fd) < 0 ||
        num_u64(argv[3], INT_MAX, &parent) < 0) {
        static const char text[] = "mxc-supervise: part of mxc; run `mxc`\n";

        (void)write(2, text, sizeof(text) - 1);
        return EXIT_MXC;
    }
    /* A named parent means: do not outlive it (--die-with-parent). */
    if (parent && (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
                   (uint64_t)getppid() != parent))
        return EXIT_MXC;
    (void)fcntl((int)plan_fd, F_SETFD, FD_CLOEXEC);
    if (result_fd >= 0)
        (void)fcntl((int)result_fd, F_SETFD, FD_CLOEXEC);
    run((int)plan_fd, &plan, &have_plan, &r);
    if (r.err.msg[0])
        print_error(&r.err);
    if (result_fd >= 0)
        print_result_json((int)result_fd, have_plan ? &plan : NULL, &r);
    return r.exit_code;
}
