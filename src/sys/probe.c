/* probe.c - the attempts of probe_try.c in children, and why they failed.
 *
 * It does not decide what a lack means for a run: the rows say it. */
#include "sys/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/scoped.h"

/* What forbids namespaces on hosts as they are sold, and what undoes it. */
static const struct {
    const char *path;
    const char *bad;
    const char *cause;
    const char *remedy;
} switches[] = {
    { "/proc/sys/kernel/unprivileged_userns_clone", "0",
      "kernel.unprivileged_userns_clone is 0: no user namespaces for ordinary "
      "users",
      "sysctl -w kernel.unprivileged_userns_clone=1 (as root; to keep it: a "
      "file in /etc/sysctl.d)" },
    { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
      "AppArmor keeps user namespaces from programs without a profile",
      "give mxc an AppArmor profile with 'userns,', or sysctl -w "
      "kernel.apparmor_restrict_unprivileged_userns=0" },
    { "/proc/sys/user/max_user_namespaces", "0",
      "user.max_user_namespaces is 0 (also so inside a sandbox of mxc)",
      "sysctl -w user.max_user_namespaces=15000 (as root, on the host)" },
    { "/proc/sys/user/max_mnt_namespaces", "0", "user.max_mnt_namespaces is 0",
      "sysctl -w user.max_mnt_namespaces=15000 (as root)" },
    { "/proc/sys/user/max_pid_namespaces", "0", "user.max_pid_namespaces is 0",
      "sysctl -w user.max_pid_namespaces=15000 (as root)" },
    { "/proc/sys/user/max_net_namespaces", "0", "user.max_net_namespaces is 0",
      "sysctl -w user.max_net_namespaces=15000 (as root)" },
};

const char *probe_line(const char *path, char *out, size_t size)
{
    scoped(drop_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return out;
}

static void put(char *out, size_t size, const char *word)
{
    size_t n = strlen(out);

    (void)snprintf(out + n, size - n, "%s%s", n ? ", " : "", word);
}

static bool has_filter(void)
{
    char text[4096];
    scoped(drop_fd) int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    return strstr(text, "\nSeccomp:\t2") != NULL;
}

void probe_surroundings(char *out, size_t size)
{
    char line[96], word[160];

    out[0] = '\0';
    if (access("/.dockerenv", F_OK) == 0)
        put(out, size, "a container (/.dockerenv)");
    if (access("/run/.containerenv", F_OK) == 0)
        put(out, size, "a container (/run/.containerenv)");
    if (has_filter())
        put(out, size, "a seccomp filter on the caller");
    (void)probe_line("/proc/self/attr/current", line, sizeof(line));
    if (line[0] && strncmp(line, "unconfined", 10) != 0 &&
        strstr(line, "unconfined_t") == NULL && strcmp(line, "kernel") != 0) {
        (void)snprintf(word, sizeof(word), "a security profile (%s)", line);
        put(out, size, word);
    }
}

/* Run the attempt: 0, -errno, or -1000 minus the signal that ended it. */
static int attempt(int (*try)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        int r = try();

        _exit(r < 0 && r > -255 ? -r : r != 0 ? 254 : 0);
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    if (WIFSIGNALED(status))
        return -1000 - WTERMSIG(status);
    return -WEXITSTATUS(status);
}

static bool blame_switch(struct probe_result *r)
{
    char value[32];

    for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
        (void)probe_line(switches[i].path, value, sizeof(value));
        if (strcmp(value, switches[i].bad) != 0)
            continue;
        /* Root needs no switch of those that bind ordinary users. */
        if (i < 2 && geteuid() == 0)
            continue;
        (void)snprintf(r->cause, sizeof(r->cause), "%s", switches[i].cause);
        (void)snprintf(r->remedy, sizeof(r->remedy), "%s", switches[i].remedy);
        return true;
    }
    return false;
}

static void blame(struct probe_result *r, int result)
{
    const char *why = NULL, *remedy = NULL;
    char around[200];

    if (r->probe->explain && result > -1000)
        why = r->probe->explain(-result);
    if (r->probe->advise && result > -1000)
        remedy = r->probe->advise(-result);
    (void)snprintf(r->remedy, sizeof(r->remedy), "%s",
                   remedy ? remedy : r->probe->remedy);
    probe_surroundings(around, sizeof(around));
    if (why)
        (void)snprintf(r->cause, sizeof(r->cause), "%s", why);
    else if (result <= -1000)
        (void)snprintf(r->cause, sizeof(r->cause),
                       "the attempt was killed by signal %d: a seccomp filter "
                       "around this process",
                       -1000 - result);
    else if (r->probe->in_userns && result != -ENOSYS && blame_switch(r))
        return;
    else if (result == -ENOSPC || result == -EUSERS)
        (void)snprintf(r->cause, sizeof(r->cause),
                       "a limit is reached (/proc/sys/user/max_*, fs.inotify)");
    else if (result == -ENOSYS)
        (void)snprintf(r->cause, sizeof(r->cause),
                       "this kernel does not have it%s%s",
                       around[0] ? ", or it is hidden by: " : "", around);
    else if (around[0])
        (void)snprintf(r->cause, sizeof(r->cause),
                       "most likely forbidden by: %s", around);
    else
        (void)snprintf(r->cause, sizeof(r->cause), "the kernel refused it");
}

static void probe_one(const struct probe *p, struct probe_result *r)
{
    int result = attempt(p->try);

    *r = (struct probe_result){ .probe = p, .is_there = result == 0 };
    if (p->describe)
        p->describe(r->detail, sizeof(r->detail));
    if (result < 0 && result > -1000)
        put(r->detail, sizeof(r->detail), err_errno_name(-result));
    if (result < 0)
        blame(r, result);
}

size_t probe_host(struct probe_result out[PROBE_MAX])
{
    size_t n = 0;

    for (const struct probe *p = probes; p->name && n < PROBE_MAX; p++) {
        if (n && p->in_userns && !out[0].is_there)
            out[n] = (struct probe_result){ .probe = p,
                                            .is_untried = true,
                                            .cause = "needs a user namespace" };
        else
            probe_one(p, &out[n]);
        n++;
    }
    return n;
}

bool probe_is_lack(const struct probe_result *r)
{
    if (r->is_there || r->probe->kind == PROBE_EXTRA ||
        r->probe->kind == PROBE_POLICY)
        return false;
    return strcmp(r->probe->name, "pid-limit") != 0 || geteuid() == 0;
}

/* The line "0::PATH" of /proc/self/cgroup is the unified hierarchy's
 * (cgroups(7)); without one there is version 1 only. */
void probe_cgroup(char *out, size_t size)
{
    char text[4096], path[4200];
    scoped(drop_fd) int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    const char *at, *version = "version 2";

    text[n > 0 ? n : 0] = '\0';
    at = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    if (!at || access("/sys/fs/cgroup", F_OK) < 0) {
        (void)snprintf(out, size, "%s", text[0] ? "version 1" : "none");
        return;
    }
    at = strstr(at, "0::") + 3;
    if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) < 0)
        version = "versions 1 and 2";
    (void)snprintf(path, sizeof(path), "/sys/fs/cgroup%.*s/cgroup.procs",
                   (int)strcspn(at, "\n"), at);
    (void)snprintf(out, size, "%s, %s", version,
                   access(path, W_OK) == 0 ? "delegated to the caller"
                                           : "not delegated to the caller");
}
