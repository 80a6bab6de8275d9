/* cmd_run.c - mxc run: make the plan, then supervise it.
 *
 * The process that the caller started is the supervisor: one pid to signal
 * and to wait for.  The launcher is a fresh program that gets the packed plan
 * and nothing else of this process. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compat.h"
#include "cli/cli.h"
#include "supervise/supervise.h"

static int sealed_memfd(const void *bytes, size_t len, int *out, struct err *e)
{
    scoped(drop_fd) int fd =
        memfd_create("mxc-plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t at = 0;

    if (fd < 0)
        return err_sys(e, "memfd_create(2)", errno, "cannot pass the plan");
    while (at < len) {
        ssize_t n = write(fd, (const char *)bytes + at, len - at);

        if (n < 0)
            return err_sys(e, "write(2)", errno, "cannot pass the plan");
        at += (size_t)n;
    }
    if (fcntl(fd, F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot seal the plan");
    *out = take_fd(&fd);
    return 0;
}

/* Beside mxc in a build tree, in ../libexec/mxc when installed: both relative
 * to where this program is, so that a tree can be moved. */
static int find_launcher(char out[PATH_MAX], struct err *e)
{
    static const char *const tails[] = { "/../libexec/mxc/mxc-launch",
                                         "/../launch/mxc-launch" };
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (n < 0)
        return err_sys(e, "readlink(2)", errno, "cannot find my own place");
    self[n] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        if ((size_t)snprintf(out, PATH_MAX, "%s%s", self, tails[i]) <
                PATH_MAX &&
            faccessat(AT_FDCWD, out, X_OK, 0) == 0)
            return 0;
    }
    err_set(e, ERR_BACKEND_UNAVAILABLE,
            "mxc-launch is not installed (looked in '%s/../libexec/mxc')",
            self);
    return err_hint(e, "keep bin/ and libexec/ together when moving mxc");
}

/* Whatever else the caller left open stops here: neither the sandbox nor a
 * supervisor that lives for hours shall hold it. */
static int close_strangers(int keep, struct err *e)
{
    int r = 0;

    if (keep < 3)
        r = (int)syscall(__NR_close_range, 3, ~0u, 0);
    else if (keep > 3)
        r = (int)syscall(__NR_close_range, 3, (unsigned)keep - 1, 0);
    if (r == 0 && keep >= 3)
        r = (int)syscall(__NR_close_range, (unsigned)keep + 1, ~0u, 0);
    if (r < 0)
        return err_sys(e, "close_range(2)", errno,
                       "cannot close inherited descriptors");
    if (keep >= 3 && fcntl(keep, F_SETFD, FD_CLOEXEC) < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot keep descriptor %d", keep);
    return 0;
}

static int run(struct cli *c, pid_t caller, int *exit_code, struct err *e)
{
    struct prepared p;
    struct plan_view view;
    char launcher[PATH_MAX];
    void *bytes;
    size_t len;
    int json, plan_fd;

    c->flags.want_receipt = c->json != NULL;
    if (cli_read_request(c, e) < 0 ||
        prepare(&c->arena, c->text, c->text_len, &c->flags, false, &p, e) < 0 ||
        plan_pack(&p.plan, &c->arena, &bytes, &len, e) < 0 ||
        plan_check(bytes, len, &view, e) < 0 ||
        find_launcher(launcher, e) < 0 || cli_open_json(c, &json, e) < 0 ||
        close_strangers(json, e) < 0 ||
        sealed_memfd(bytes, len, &plan_fd, e) < 0)
        return -1;
    for (size_t i = 0; i < p.policy.nwarnings; i++)
        (void)fprintf(stderr, "mxc: warning: %s\n", p.policy.warning[i]);
    *exit_code = supervise_plan(&(struct supervise_args){
        .plan = &view,
        .plan_fd = plan_fd,
        .launcher = launcher,
        .result_fd = json,
        .parent = c->flags.die_with_parent ? caller : 0 });
    return 0;
}

int cmd_run(int argc, char **argv)
{
    /* Before anything that takes time: an orphan has another parent. */
    const pid_t caller = getppid();
    struct cli c = { 0 };
    struct err e = { 0 };
    int r;

    /* A reader that is gone, or a limit on file sizes, is an error: as an end
     * by a signal it would look like the workload's own. */
    supervise_ignore_signals();
    r = cli_parse(&c, command_find("run"), argc, argv);
    if (r < 0) {
        c.flags.term = getenv("TERM");
        c.flags.home = getenv("HOME");
        c.flags.search_path = getenv("PATH");
        if (run(&c, caller, &r, &e) < 0)
            r = cli_fail(&c, &e, CLI_FAILED);
    }
    /* The process ends here: its memory goes with it. */
    return r;
}
