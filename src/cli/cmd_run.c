/* cmd_run.c - mxc run: make the plan, become the supervisor.
 *
 * The process that the caller started turns into mxc-supervise by exec: a
 * fresh address space that has never seen the request, the caller's
 * environment gone, the same pid to signal and wait for. */
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

static int sealed_memfd(const void *bytes, size_t len, int *out,
                        struct err *e)
{
    scoped(drop_fd) int fd = memfd_create("mxc-plan", MFD_CLOEXEC |
                                          MFD_ALLOW_SEALING);
    size_t at = 0;

    if (fd < 0)
        return err_sys(e, "memfd_create(2)", errno, "cannot pass the plan");
    while (at < len) {
        ssize_t n = write(fd, (const char *)bytes + at, len - at);

        if (n < 0)
            return err_sys(e, "write(2)", errno, "cannot pass the plan");
        at += (size_t)n;
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
              F_SEAL_WRITE) < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot seal the plan");
    *out = take_fd(&fd);
    return 0;
}

/* Beside mxc in a build tree, in ../libexec/mxc when installed: both relative
 * to where this program is, so that a tree can be moved. */
static int find_supervisor(char out[PATH_MAX], struct err *e)
{
    static const char *const tails[] = { "/../libexec/mxc/mxc-supervise",
                                         "/mxc-supervise" };
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
        struct stat st;

        if ((size_t)snprintf(out, PATH_MAX, "%s%s", self, tails[i]) <
                PATH_MAX && stat(out, &st) == 0)
            return 0;
    }
    err_set(e, ERR_BACKEND_UNAVAILABLE, "mxc-supervise is not installed "
            "(looked in '%s/../libexec/mxc')", self);
    return err_hint(e, "keep bin/ and libexec/ together when moving mxc");
}

static int keep_open(int fd, struct err *e)
{
    if (fd >= 0 && fcntl(fd, F_SETFD, 0) < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot pass descriptor %d", fd);
    return 0;
}

/* Returns only on failure. */
static int become_supervisor(const struct prepared *p, int plan, int json,
                             struct err *e)
{
    static char *const envp[] = { NULL };
    enum { SET_CLOEXEC = 4 };           /* CLOSE_RANGE_CLOEXEC, Linux 5.11 */
    char path[PATH_MAX], plan_arg[16], json_arg[16], parent[16];
    char name[] = "mxc-supervise";
    char *argv[] = { name, plan_arg, json_arg, parent, NULL };

    if (find_supervisor(path, e) < 0)
        return -1;
    /* Whatever else the caller left open stops here. */
    if (syscall(__NR_close_range, 3, ~0u, SET_CLOEXEC) < 0)
        return err_sys(e, "close_range(2)", errno,
                       "cannot close inherited descriptors");
    if (keep_open(plan, e) < 0 || keep_open(json, e) < 0)
        return -1;
    (void)snprintf(plan_arg, sizeof(plan_arg), "%d", plan);
    (void)snprintf(json_arg, sizeof(json_arg), "%d", json);
    (void)snprintf(parent, sizeof(parent), "%d",
                   p->plan.flags & PLAN_DIE_WITH_PARENT ? (int)getppid() : 0);
    (void)execve(path, argv, envp);
    return err_sys(e, "execve(2)", errno, "cannot execute '%s'", path);
}

static int run(struct cli *c, struct err *e)
{
    scoped(drop_fd) int plan = -1;
    struct prepared p;
    void *bytes;
    size_t len;
    int json;

    if (cli_read_request(c, e) < 0 ||
        prepare(&c->arena, c->text, c->text_len, &c->flags, false, &p,
                e) < 0 ||
        plan_pack(&p.plan, &c->arena, &bytes, &len, e) < 0 ||
        cli_open_json(c, &json, e) < 0 ||
        sealed_memfd(bytes, len, &plan, e) < 0)
        return -1;
    for (size_t i = 0; i < p.policy.nwarnings; i++)
        (void)fprintf(stderr, "mxc: warning: %s\n", p.policy.warning[i]);
    return become_supervisor(&p, plan, json, e);
}

int cmd_run(int argc, char **argv)
{
    struct cli c = { 0 };
    struct err e = { 0 };
    int r = cli_parse(&c, command_find("run"), argc, argv);

    if (r < 0) {
        c.flags.term = getenv("TERM");
        c.flags.home = getenv("HOME");
        c.flags.search_path = getenv("PATH");
        (void)run(&c, &e);
        r = cli_fail(&c, &e, CLI_FAILED);
    }
    cli_free(&c);
    return r;
}
