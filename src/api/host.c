/* host.c - the facts about machine and caller that planning uses. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "api/prepare.h"
#include "base/num.h"
#include "base/scoped.h"
#include "sys/caps.h"
#include "sys/cgroup.h"
#include "sys/landlock.h"

static int random_hex(struct arena *a, char out[33], struct err *e)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char raw[16];

    (void)a;
    if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
        return err_sys(e, "getrandom(2)", errno, "cannot make an id");
    for (size_t i = 0; i < sizeof(raw); i++) {
        out[2 * i] = hex[raw[i] >> 4];
        out[2 * i + 1] = hex[raw[i] & 15];
    }
    out[32] = '\0';
    return 0;
}

static int make_ids(struct arena *a, struct host *h, struct err *e)
{
    char id[33];

    if (random_hex(a, id, e) < 0)
        return -1;
    h->machine_id = arena_strdup(a, id);
    if (random_hex(a, id, e) < 0)
        return -1;
    h->boot_id = arena_printf(a, "%.8s-%.4s-4%.3s-8%.3s-%.12s\n", id, id + 8,
                              id + 13, id + 17, id + 20);
    if (!h->machine_id || !h->boot_id)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    return 0;
}

/* Steps over the digits; a kernel's numbers are small. */
static unsigned leading_number(const char **s)
{
    unsigned n = 0;

    while (**s >= '0' && **s <= '9' && n < 100000)
        n = n * 10 + (unsigned)(*(*s)++ - '0');
    return n;
}

/* pid_max became a property of the pid namespace in Linux 6.14. */
static bool kernel_is_at_least(unsigned major, unsigned minor)
{
    struct utsname u;
    const char *s = u.release;
    unsigned first;

    if (uname(&u) < 0)
        return false;
    first = leading_number(&s);
    if (first != major || *s++ != '.')
        return first > major;
    return leading_number(&s) >= minor;
}

static uint64_t hard_limit(int resource)
{
    struct rlimit r;

    return getrlimit(resource, &r) < 0 ? 0 : (uint64_t)r.rlim_max;
}

/* What is not known is no ceiling of 0: a workload that can open nothing does
 * not do what it was to do, and looks as if it had been run. */
static int read_ceilings(struct host *h, struct err *e)
{
    struct rlimit files, processes;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 ||
        getrlimit(RLIMIT_NPROC, &processes) < 0)
        return err_sys(e, "getrlimit(2)", errno,
                       "cannot read the caller's limits");
    h->nofile_hard = (uint64_t)files.rlim_max;
    h->nproc_hard = (uint64_t)processes.rlim_max;
    return 0;
}

/* The first byte of a small file; `missing` when it cannot be read. */
static char first_byte(const char *path, char missing)
{
    scoped(drop_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    char c;

    return fd >= 0 && read(fd, &c, 1) == 1 ? c : missing;
}

/* Only a limit of exactly 1 keeps the kernel from running a core_pattern that
 * is a program (core(5)), and nobody can raise a hard limit of 0. */
static bool crash_runs_program(void)
{
    return hard_limit(RLIMIT_CORE) == 0 &&
           first_byte("/proc/sys/kernel/core_pattern", '|') == '|';
}

/* In a container root may lack the right, or the namespace allow it to nobody
 * (user_namespaces(7), /proc/pid/setgroups). */
static bool root_keeps_groups(void)
{
    return geteuid() == 0 && getgroups(0, NULL) > 0 &&
           (!caps_has(CAP_SETGID) ||
            first_byte("/proc/self/setgroups", 'a') != 'a');
}

/* Fixed places: PATH may lead through a directory that a workload of this
 * caller's can write. */
static void look_for_bwrap(struct host *h)
{
    static const char *const places[] = { "/usr/bin/bwrap",
                                          "/usr/local/bin/bwrap",
                                          "/bin/bwrap" };
    struct stat st;

    for (size_t i = 0; i < ARRAY_LEN(places) && !h->bwrap; i++) {
        if (stat(places[i], &st) < 0 || !S_ISREG(st.st_mode) ||
            !(st.st_mode & 0111))
            continue;
        h->bwrap = places[i];
        h->bwrap_is_setuid = st.st_mode & S_ISUID;
    }
}

/* Where packages put it.  Not along PATH: it is given the sandbox to build,
 * and a directory of the caller's may be a workload's to write. */
static void look_for_runsc(struct host *h)
{
    static const char *const places[] = { "/usr/bin/runsc",
                                          "/usr/local/bin/runsc" };
    struct stat st;

    for (size_t i = 0; i < ARRAY_LEN(places) && !h->runsc; i++) {
        if (lstat(places[i], &st) < 0 || !S_ISREG(st.st_mode) ||
            faccessat(AT_FDCWD, places[i], X_OK, 0) < 0)
            continue;
        h->runsc = places[i];
        h->runsc_dev = (uint64_t)st.st_dev;
        h->runsc_ino = (uint64_t)st.st_ino;
    }
}

int limits_look(struct arena *a, uint32_t limits, struct host *h, struct err *e)
{
    const uint32_t wanted = limits & CGROUP_LIMITS;
    struct cgroup_places *places;

    if (!wanted)
        return 0;
    places = arena_alloc(a, sizeof(*places));
    if (!places)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    cgroup_look(wanted, places);
    h->group_limits = cgroup_can(places);
    h->group_v2 = places->can[CGROUP_V2];
    return 0;
}

int host_look(struct arena *a, struct host *out, struct err *e)
{
    struct host h = {
        .landlock_abi = landlock_abi(),
        .has_pid_limit = kernel_is_at_least(6, 14),
        .uid = geteuid(),
        .gid = getegid(),
        .keeps_groups = root_keeps_groups(),
        .crash_runs_program = crash_runs_program(),
    };

    if (read_ceilings(&h, e) < 0)
        return -1;
    /* Only asked where something is missing: in a sandbox of ours that is. */
    if (h.landlock_abi == 0)
        h.is_sandbox =
            first_byte("/proc/sys/user/max_user_namespaces", '0') == '0';
    look_for_bwrap(&h);
    look_for_runsc(&h);
    if (make_ids(a, &h, e) < 0 || driver_look(a, &h, e) < 0)
        return -1;
    *out = h;
    return 0;
}
