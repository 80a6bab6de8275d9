/* verify.c - see verify.h; here what a process is and may. */
#include "launch/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/compat.h"

int verify_held(struct verify *v, enum clause c)
{
    v->found.row[c].held++;
    return 0;
}

void verify_untried(struct verify *v, enum clause c, enum clause_reason why)
{
    if (v->found.row[c].reason == REASON_NONE)
        v->found.row[c].reason = why;
}

int verify_fell(struct verify *v, enum clause c, const char *what,
                const char *expected, const char *found)
{
    err_set(&v->err, ERR_BACKEND_ERROR,
            "a wall of the sandbox does not hold: %s (%s): %.160s: expected "
            "%.60s, found %.60s; nothing was run",
            clause_name(c), clause_by(c), what, expected, found);
    return err_hint(&v->err, "do not run anything with mxc on this host until "
                             "its cause is known; `mxc doctor` tells what the "
                             "kernel has");
}

int verify_refused(struct verify *v, enum clause c, const char *what,
                   long returned, int expected, int also)
{
    const int sys = returned < 0 ? errno : 0;

    if (sys && (sys == expected || sys == also))
        return verify_held(v, c);
    return verify_fell(v, c, what, err_errno_name(expected),
                       sys ? err_errno_name(sys) : "that it is let through");
}

enum clause verify_network_clause(const struct verify *v)
{
    return plan_count(v->plan, STEP_RULES) ? CLAUSE_GATEWAY : CLAUSE_NO_NETWORK;
}

static int try_namespaces(struct verify *v)
{
    static const struct {
        const char *path;
        enum clause clause;
    } rows[] = {
#define X(name, id) { "/proc/self/ns/" name, CLAUSE_##id },
        LAUNCH_NAMESPACES(X)
#undef X
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const enum clause c = rows[i].clause == CLAUSE_NO_NETWORK
                                  ? verify_network_clause(v)
                                  : rows[i].clause;
        struct stat st;

        if (!v->has_proc) {
            verify_untried(v, c, REASON_NO_PROC);
            continue;
        }
        if (stat(rows[i].path, &st) < 0)
            return verify_fell(v, c, rows[i].path, "an answer",
                               err_errno_name(errno));
        if (st.st_ino == v->host.ns[i])
            return verify_fell(v, c, rows[i].path, "a namespace of its own",
                               "the supervisor's");
        (void)verify_held(v, c);
    }
    return 0;
}

/* Refused by a limit of the namespace already, before a filter says a word.
 * One that is let through ends here. */
static int try_user_namespace(struct verify *v)
{
    return verify_refused(v, CLAUSE_PRIVILEGES, "unshare(CLONE_NEWUSER)",
                          unshare(CLONE_NEWUSER), ENOSPC, EPERM);
}

/* A device node takes a capability that is not there either (EPERM); Landlock
 * is asked first. */
static int try_node(struct verify *v, int dir, mode_t type)
{
    const char *const name = ".mxc-verify";
    int r = mknodat(dir, name, type | 0600, makedev(1, 3));

    if (r < 0 && errno == EROFS) {
        verify_untried(v, CLAUSE_OUTSIDE, REASON_READ_ONLY);
        return 0;
    }
    if (r == 0)
        (void)unlinkat(dir, name, 0);
    return verify_refused(v, CLAUSE_OUTSIDE, "mknod(2) of a device", r, EACCES,
                          EACCES);
}

/* Of the rights that no rule gives, these can be tried without effect. */
static int try_nodes(struct verify *v, const char *path)
{
    scoped(drop_fd) int dir =
        open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (dir < 0) {
        verify_untried(v, CLAUSE_OUTSIDE, REASON_NOT_SEEN);
        return 0;
    }
    return try_node(v, dir, S_IFCHR) < 0 ? -1 : try_node(v, dir, S_IFBLK);
}

static int try_landlock(struct verify *v)
{
    if (v->plan->head.flags & PLAN_NO_LANDLOCK) {
        verify_untried(v, CLAUSE_OUTSIDE, REASON_ACCEPTED);
        return 0;
    }
    return try_nodes(v, "/") < 0 ? -1 : verify_scopes(v);
}

/* A caller's keyring that could not be left for want of room is told apart
 * from one that nobody tried to leave. */
static int try_keyring(struct verify *v)
{
    enum { GET_ID = 0, JOIN = 1, SESSION = -3 };
    const long id = syscall(SYS_keyctl, GET_ID, SESSION, 0);

    if (id < 0) {
        if (errno != ENOKEY && errno != ENOSYS)
            verify_untried(v, CLAUSE_INHERITED, REASON_NOT_SEEN);
        return 0;
    }
    if (id != v->host.keyring)
        return verify_held(v, CLAUSE_INHERITED);
    if (syscall(SYS_keyctl, JOIN, NULL) < 0 && errno == EDQUOT) {
        verify_untried(v, CLAUSE_INHERITED, REASON_QUOTA);
        return 0;
    }
    return verify_fell(v, CLAUSE_INHERITED, "session keyring", "its own",
                       "the caller's");
}

static int try_supplementary(struct verify *v)
{
    if (getgroups(0, NULL) == 0)
        return verify_held(v, CLAUSE_GROUPS);
    if (v->host.drops_groups)
        return verify_fell(v, CLAUSE_GROUPS, "getgroups(2)", "none", "some");
    verify_untried(v, CLAUSE_GROUPS, REASON_GROUPS_STAY);
    return 0;
}

/* What the execve(2) is given is what was planned, and no more. */
static int try_environment(struct verify *v)
{
    size_t n = 0;

    for (size_t i = 0; i < v->plan->head.nsteps; i++) {
        const struct step s = plan_step(v->plan, i);

        if (s.kind != STEP_ENV)
            continue;
        if (!v->envp[n] || strcmp(v->envp[n], s.text) != 0)
            return verify_fell(v, CLAUSE_INHERITED, "environment",
                               "that of the plan", "another one");
        n++;
    }
    return v->envp[n] ? verify_fell(v, CLAUSE_INHERITED, "environment",
                                    "that of the plan", "more")
                      : verify_held(v, CLAUSE_INHERITED);
}

/* Init is not dumpable: its root, environment and descriptors are closed.  Its
 * memory is this process's too, until the execve(2), and says nothing. */
static int try_init(struct verify *v)
{
    char to[16];
    ssize_t n;

    if (getppid() != 1)
        return verify_fell(v, CLAUSE_PROCESSES, "its parent",
                           "init of a pid namespace", "another process");
    (void)verify_held(v, CLAUSE_PROCESSES);
    if (!v->has_proc) {
        verify_untried(v, CLAUSE_PROCESSES, REASON_NO_PROC);
        return 0;
    }
    n = readlink("/proc/1/root", to, sizeof(to));
    return verify_refused(v, CLAUSE_PROCESSES, "/proc/1/root", n, EACCES,
                          EPERM);
}

static int try_privileges(struct verify *v)
{
    struct __user_cap_header_struct head = { .version =
                                                 _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { 0 };
    uint32_t any = 0;

    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return verify_fell(v, CLAUSE_PRIVILEGES, "no_new_privs", "1", "0");
    (void)verify_held(v, CLAUSE_PRIVILEGES);
    if (syscall(SYS_capget, &head, data) < 0)
        return verify_fell(v, CLAUSE_PRIVILEGES, "capget(2)", "an answer",
                           err_errno_name(errno));
    for (int i = 0; i < 2; i++)
        any |= data[i].effective | data[i].permitted | data[i].inheritable;
    for (unsigned long cap = 0; !any && cap < 64; cap++) {
        const int r = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

        if (r < 0)
            break;
        any |= (uint32_t)r;
    }
    if (any)
        return verify_fell(v, CLAUSE_PRIVILEGES, "capabilities", "none",
                           "some");
    if (geteuid() != v->plan->head.uid || getegid() != v->plan->head.gid)
        return verify_fell(v, CLAUSE_PRIVILEGES, "user and group",
                           "those of the plan", "others");
    return verify_held(v, CLAUSE_PRIVILEGES);
}

/* How many there may be, where nobody has counted: as many numbers as there
 * are, or what can be looked at without a long wait. */
static int most_descriptors(struct verify *v)
{
    enum { LOOKED_AT = 1 << 16 };
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_max <= LOOKED_AT)
        return (int)r.rlim_max;
    verify_untried(v, CLAUSE_INHERITED, REASON_NOT_SEEN);
    return LOOKED_AT;
}

/* Descriptors are counted in /proc, since Linux 6.2. */
static int try_descriptors(struct verify *v)
{
    int left = -1, most = 0;
    struct stat st;

    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        left = (int)st.st_size;
    else
        most = most_descriptors(v);
    for (int fd = 0; left < 0 ? fd < most : left > 0; fd++) {
        const int flags = fcntl(fd, F_GETFD);
        char what[32];

        if (flags < 0)
            continue;
        if (left > 0)
            left--;
        if (fd < 3 || flags & FD_CLOEXEC)
            continue;
        (void)snprintf(what, sizeof(what), "descriptor %d", fd);
        return verify_fell(v, CLAUSE_INHERITED, what, "none but stdio",
                           "one that the workload would have");
    }
    if (getsid(0) != getpid())
        return verify_fell(v, CLAUSE_INHERITED, "session (setsid(2))",
                           "its own", "another one");
    return verify_held(v, CLAUSE_INHERITED);
}

/* RLIMIT_NPROC holds no root, whom but pid_max holds. */
static enum clause clause_of_limit(const struct step *s)
{
    const char *const pid_max = "/proc/sys/kernel/pid_max";

    return (s->kind == STEP_RLIMIT && s->num[0] == RLIMIT_NPROC) ||
                   (s->kind == STEP_SYSCTL && strcmp(s->path, pid_max) == 0)
               ? CLAUSE_PIDS
               : CLAUSE_CEILINGS;
}

/* The caller's own ceilings may be lower. */
static int try_rlimits(struct verify *v)
{
    for (size_t i = 0; i < v->plan->head.nsteps; i++) {
        const struct step s = plan_step(v->plan, i);
        struct rlimit r;
        char what[32];

        if (s.kind != STEP_RLIMIT)
            continue;
        if (getrlimit((int)s.num[0], &r) == 0 && r.rlim_cur <= s.num[1] &&
            (s.flags & STEP_SOFT || r.rlim_max <= s.num[1])) {
            (void)verify_held(v, clause_of_limit(&s));
            continue;
        }
        (void)snprintf(what, sizeof(what), "resource limit %u",
                       (unsigned)s.num[0]);
        return verify_fell(v, clause_of_limit(&s), what, "that of the plan",
                           "a higher one");
    }
    return 0;
}

int verify_read(const char *path, char *text, size_t size)
{
    scoped(drop_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

    if (n < 0)
        return -errno;
    text[n] = '\0';
    return 0;
}

/* A line, with blanks where the kernel puts tabs. */
static void flatten(char *text)
{
    text[strcspn(text, "\n")] = '\0';
    for (; *text; text++)
        if (*text == '\t')
            *text = ' ';
}

static int try_sysctls(struct verify *v)
{
    bool has_pid_max = false;

    for (size_t i = 0; i < v->plan->head.nsteps; i++) {
        const struct step s = plan_step(v->plan, i);
        char text[64];
        int r;

        has_pid_max |=
            s.kind == STEP_SYSCTL && clause_of_limit(&s) == CLAUSE_PIDS;
        if (s.kind != STEP_SYSCTL)
            continue;
        r = v->has_proc ? verify_read(s.path, text, sizeof(text)) : -EACCES;
        if (r == -ENOENT && s.flags & STEP_OPTIONAL)
            continue;
        if (r < 0) {
            verify_untried(v, clause_of_limit(&s), REASON_NO_PROC);
            continue;
        }
        flatten(text);
        if (strcmp(text, s.text) != 0)
            return verify_fell(v, clause_of_limit(&s), s.path, s.text, text);
        (void)verify_held(v, clause_of_limit(&s));
    }
    if (!has_pid_max && v->plan->head.uid == 0)
        verify_untried(v, CLAUSE_PIDS, REASON_ACCEPTED);
    return 0;
}

/* Does a line end with that name? */
static bool has_group(const char *lines, const char *name)
{
    const size_t n = strlen(name);

    for (const char *at = lines; (at = strstr(at, name)); at++)
        if (at > lines && at[-1] == '/' && (at[n] == '\n' || at[n] == '\0'))
            return true;
    return false;
}

static int try_groups(struct verify *v)
{
    char text[8192];
    bool is_read = false;

    for (int i = 0; i < CGROUP_PARTS; i++) {
        const char *name = v->host.group[i];

        if (!name[0])
            continue;
        if (!is_read &&
            verify_read("/proc/self/cgroup", text, sizeof(text)) < 0) {
            verify_untried(v, CLAUSE_GROUP, REASON_NO_PROC);
            return 0;
        }
        is_read = true;
        /* A runtime's namespace is made when it is in the group already. */
        if (plan_count(v->plan, STEP_RUNTIME)) {
            verify_untried(v, CLAUSE_GROUP, REASON_OWN_GROUP);
            continue;
        }
        if (!has_group(text, name))
            return verify_fell(v, CLAUSE_GROUP, "/proc/self/cgroup", name,
                               "others");
        (void)verify_held(v, CLAUSE_GROUP);
    }
    return 0;
}

static int try_paths(struct verify *v)
{
    return verify_proc(v) < 0 || try_namespaces(v) < 0 || try_init(v) < 0 ||
                   try_sysctls(v) < 0 || try_groups(v) < 0 ||
                   try_descriptors(v) < 0 || verify_view(v) < 0 ||
                   verify_mounts(v) < 0
               ? -1
               : 0;
}

int verify_before(struct verify *v)
{
    if (v->plan->head.flags & (PLAN_BROKER_CREATES | PLAN_BROKER_UNIX)) {
        if (v->plan->head.flags & PLAN_BROKER_UNIX)
            verify_untried(v, CLAUSE_DAEMONS, REASON_BROKER);
        if (plan_count(v->plan, STEP_ABSENT))
            verify_untried(v, CLAUSE_ABSENT, REASON_BROKER);
    }
    if (try_landlock(v) < 0 || try_keyring(v) < 0 ||
        try_user_namespace(v) < 0 || verify_network(v) < 0)
        return -1;
    return v->plan->head.flags & PLAN_DENIALS ? try_paths(v) : 0;
}

/* Nothing of the workload's is told before it. */
static int tell(struct verify *v)
{
    const struct launch_verified m = { .msg = MSG_VERIFIED, .found = v->found };

    if (send(LAUNCH_STATUS_FD, &m, sizeof(m), MSG_NOSIGNAL) ==
        (ssize_t)sizeof(m))
        return 0;
    return err_sys(&v->err, "send(2)", errno,
                   "cannot tell that the walls of the sandbox hold; nothing "
                   "was run");
}

int verify_behind(struct verify *v)
{
    if (verify_filter(v) < 0 || try_privileges(v) < 0 ||
        try_supplementary(v) < 0 || try_environment(v) < 0)
        return -1;
    return v->plan->head.flags & PLAN_DENIALS ? 0 : try_paths(v);
}

int verify_limits(struct verify *v)
{
    struct clause_found *writable = &v->found.row[CLAUSE_WRITABLE];

    if (try_rlimits(v) < 0)
        return -1;
    /* What the caller may not do is no wall. */
    if (writable->held && writable->reason == REASON_NOT_OURS)
        writable->reason = REASON_NONE;
    return tell(v);
}
