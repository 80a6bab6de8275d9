/* cgroup.c - see cgroup.h. */
#include "sys/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"

/* Says nothing: who is inside can read it.  Not the prefix of a session's
 * group, which is empty until the session is paused. */
#define PREFIX "mxc.run-"

/* A group is empty when its last process was reaped, and can be removed a
 * moment later. */
enum { TRIES = 50, PAUSE_NS = 2000000, NAMES = 4, PERIOD_US = 100000 };

const struct cgroup cgroup_none = { .parent = { -1, -1, -1, -1, -1 },
                                    .dir = { -1, -1, -1, -1, -1 },
                                    .enter = { -1, -1, -1, -1, -1 } };

/* --- making ----------------------------------------------------------------
 */

static int put(int dir, const char *file, uint64_t value, struct err *e)
{
    scoped(drop_fd) int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);
    char text[64];
    int n;

    /* cpu.max has the period beside it. */
    n = strcmp(file, "cpu.max") == 0
            ? snprintf(text, sizeof(text), "%" PRIu64 " %d", value, PERIOD_US)
            : snprintf(text, sizeof(text), "%" PRIu64, value);
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        return err_sys(e, fd < 0 ? "openat(2)" : "write(2)", errno,
                       "cannot set '%s' of a control group", file);
    return 0;
}

/* Swap is counted on its own by version 2, and together with memory by
 * version 1; a machine that has none need not count it. */
static int put_memory(const struct cgroup *g, uint32_t wanted,
                      const uint64_t *value, bool is_v2, struct err *e)
{
    const int dir = g->dir[is_v2 ? CGROUP_V2 : CGROUP_V1_MEMORY];
    const char *swap =
        is_v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
    const uint64_t memory = value[LIMIT_MEMORY];
    uint64_t most = value[LIMIT_SWAP];

    if (put(dir, is_v2 ? "memory.max" : "memory.limit_in_bytes", memory, e) < 0)
        return -1;
    if (!(wanted & LIMIT_BIT(LIMIT_SWAP)) ||
        (faccessat(dir, swap, F_OK, 0) < 0 && cgroup_has_no_swap()))
        return 0;
    if (!is_v2)
        most = most > INT64_MAX - memory ? INT64_MAX : memory + most;
    return put(dir, swap, most, e);
}

static int put_share(const struct cgroup *g, const uint64_t *value, bool is_v2,
                     struct err *e)
{
    const uint64_t quota = value[LIMIT_CPU_SHARE] * (PERIOD_US / 100);

    if (is_v2)
        return put(g->dir[CGROUP_V2], "cpu.max", quota, e);
    if (put(g->dir[CGROUP_V1_CPU], "cpu.cfs_period_us", PERIOD_US, e) < 0)
        return -1;
    return put(g->dir[CGROUP_V1_CPU], "cpu.cfs_quota_us", quota, e);
}

/* `part` alone, of what it is to hold. */
static int put_values(const struct cgroup *g, enum cgroup_part part,
                      uint32_t mine, const uint64_t *value, struct err *e)
{
    const bool is_v2 = part == CGROUP_V2;

    if (mine & LIMIT_BIT(LIMIT_MEMORY) &&
        put_memory(g, mine, value, is_v2, e) < 0)
        return -1;
    if (mine & LIMIT_BIT(LIMIT_PIDS) &&
        put(g->dir[part], "pids.max", value[LIMIT_PIDS], e) < 0)
        return -1;
    if (mine & LIMIT_BIT(LIMIT_CPU_SHARE))
        return put_share(g, value, is_v2, e);
    return 0;
}

/* What was made below it for a while, of those who are in it. */
static void remove_children(int group)
{
    int fd = openat(group, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (!d) {
        drop_fd(&fd);
        return;
    }
    for (struct dirent *i = readdir(d); i; i = readdir(d))
        if (i->d_type == DT_DIR && i->d_name[0] != '.')
            (void)unlinkat(group, i->d_name, AT_REMOVEDIR);
    (void)closedir(d);
}

/* What a maker left that was killed: nobody holds its lock, and nobody is in
 * it, or it cannot be removed. */
static void sweep(int parent)
{
    int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (!d) {
        drop_fd(&fd);
        return;
    }
    for (struct dirent *i = readdir(d); i; i = readdir(d)) {
        scoped(drop_fd) int group = -1;

        if (strncmp(i->d_name, PREFIX, sizeof(PREFIX) - 1) != 0)
            continue;
        group = openat(parent, i->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (group < 0 || flock(group, LOCK_EX | LOCK_NB) < 0)
            continue;
        remove_children(group);
        (void)unlinkat(parent, i->d_name, AT_REMOVEDIR);
    }
    (void)closedir(d);
}

/* Between making and locking, another maker may take it for a rest: then it
 * cannot be opened, or has lost its files. */
static int make_group(struct cgroup *g, enum cgroup_part part)
{
    char *name = g->name[part];
    uint64_t random;

    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return -EIO;
    (void)snprintf(name, CGROUP_NAME, PREFIX "%016" PRIx64, random);
    if (mkdirat(g->parent[part], name, 0700) < 0) {
        const int sys = errno;

        name[0] = '\0';
        return -sys;
    }
    g->dir[part] =
        openat(g->parent[part], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Nobody else has a reason to hold it: another name, then. */
    if (g->dir[part] < 0 || flock(g->dir[part], LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -ENOENT : -errno;
    g->enter[part] = openat(g->dir[part], "cgroup.procs", O_WRONLY | O_CLOEXEC);
    return g->enter[part] < 0 ? -errno : 0;
}

static void remove_group(struct cgroup *g, enum cgroup_part part)
{
    static const struct timespec pause = { .tv_nsec = PAUSE_NS };

    if (g->dir[part] >= 0)
        remove_children(g->dir[part]);
    drop_fd(&g->enter[part]);
    drop_fd(&g->dir[part]);
    for (int n = 0; g->name[part][0] && n < TRIES; n++) {
        if (unlinkat(g->parent[part], g->name[part], AT_REMOVEDIR) == 0 ||
            errno != EBUSY)
            break;
        (void)nanosleep(&pause, NULL);
    }
    g->name[part][0] = '\0';
}

static bool is_cgroups(int fd)
{
    struct statfs s;

    return fstatfs(fd, &s) == 0 &&
           ((unsigned long)s.f_type == CGROUP_SUPER_MAGIC ||
            (unsigned long)s.f_type == CGROUP2_SUPER_MAGIC);
}

/* Controllers that are mounted together have one hierarchy: a process that
 * enters a second group of it leaves the first. */
static bool share_part(const struct cgroup_places *places, struct cgroup *g,
                       enum cgroup_part part)
{
    for (int i = CGROUP_V1_MEMORY; i < (int)part; i++) {
        if (g->dir[i] < 0 || strcmp(places->dir[i], places->dir[part]) != 0)
            continue;
        g->dir[part] = fcntl(g->dir[i], F_DUPFD_CLOEXEC, 0);
        return g->dir[part] >= 0;
    }
    return false;
}

static int make_part(const char *parent, struct cgroup *g,
                     enum cgroup_part part, struct err *e)
{
    int r = -ENOENT;

    g->parent[part] = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (g->parent[part] < 0)
        return err_sys(e, "open(2)", errno, "cannot open '%s'", parent);
    if (!is_cgroups(g->parent[part]))
        return err_set(e, ERR_BACKEND_UNAVAILABLE,
                       "'%s' is no place of control groups: something else is "
                       "mounted there",
                       parent);
    sweep(g->parent[part]);
    for (int i = 0; i < NAMES && (r == -ENOENT || r == -ENODEV); i++) {
        r = make_group(g, part);
        if (r == 0)
            return 0;
        remove_group(g, part);
    }
    return err_sys(e, "mkdir(2)", -r, "cannot make a control group in '%s'",
                   parent);
}

/* Version 2 first: a process is cloned into it, where version 1 moves it. */
static int make_all(const struct cgroup_places *places, uint32_t wanted,
                    const uint64_t *value, struct cgroup *g, struct err *e)
{
    for (int i = 0; i < CGROUP_PARTS && wanted; i++) {
        const uint32_t mine = places->can[i] & wanted;

        if (!mine)
            continue;
        if ((!share_part(places, g, (enum cgroup_part)i) &&
             make_part(places->dir[i], g, (enum cgroup_part)i, e) < 0) ||
            put_values(g, (enum cgroup_part)i, mine, value, e) < 0)
            return -1;
        wanted &= ~mine;
    }
    if (!wanted)
        return 0;
    err_set(e, ERR_BACKEND_UNAVAILABLE,
            "no control group can be made that holds the limits");
    return err_hint(e, "`mxc doctor` tells which can be held here");
}

int cgroup_make(uint32_t wanted, const uint64_t value[LIMIT_COUNT],
                struct cgroup *out, struct err *e)
{
    scoped(drop_mem) struct cgroup_places *places = calloc(1, sizeof(*places));

    *out = cgroup_none;
    if (!places)
        return err_sys(e, "malloc(3)", ENOMEM, "cannot hold the limits");
    cgroup_look(wanted, places);
    if (make_all(places, wanted, value, out, e) == 0)
        return 0;
    cgroup_remove(out);
    return -1;
}

int cgroup_enter(const struct cgroup *g)
{
    for (int i = g->moves ? CGROUP_V2 : CGROUP_V1_MEMORY; i < CGROUP_PARTS; i++)
        if (g->enter[i] >= 0 && write(g->enter[i], "0", 1) != 1)
            return -errno;
    return 0;
}

/* --- what became of it -----------------------------------------------------
 */

/* The number behind "KEY " at a line's start; all of a file without a key. */
static bool find_number(int dir, const char *file, const char *key,
                        uint64_t *out)
{
    scoped(drop_fd) int fd =
        dir < 0 ? -1 : openat(dir, file, O_RDONLY | O_CLOEXEC);
    char text[4096], *line, *at = text;
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    while ((line = strsep(&at, "\n"))) {
        const size_t len = strlen(key);

        if (strncmp(line, key, len) == 0 && (!len || line[len] == ' ') &&
            num_u64(line + len + (len ? 1 : 0), UINT64_MAX, out) == 0)
            return true;
    }
    return false;
}

static uint64_t number(int dir, const char *file, const char *key)
{
    uint64_t n = 0;

    return find_number(dir, file, key, &n) ? n : 0;
}

/* Version 1 has counted what it refused (memory.failcnt), and not every kernel
 * still does. */
static bool was_full(int dir, const char *used, const char *limit)
{
    enum { ROOM = 64 << 10 }; /* less than may be asked for at once */
    const uint64_t most = number(dir, limit, "");

    return most && number(dir, used, "") + ROOM > most;
}

/* The kernel counts what it kills in a group, whoever ran out: the machine, a
 * group above, or this one, which then had something refused. */
static uint64_t memory_kills(int v2, int v1)
{
    if (number(v2, "memory.events", "oom"))
        return number(v2, "memory.events", "oom_kill");
    if (was_full(v1, "memory.max_usage_in_bytes", "memory.limit_in_bytes") ||
        was_full(v1, "memory.memsw.max_usage_in_bytes",
                 "memory.memsw.limit_in_bytes"))
        return number(v1, "memory.oom_control", "oom_kill");
    return 0;
}

int cgroup_cpu_us(const struct cgroup *g, uint64_t *out)
{
    const int acct = g->dir[CGROUP_V1_CPUACCT];

    if (acct < 0)
        return find_number(g->dir[CGROUP_V2], "cpu.stat", "usage_usec", out)
                   ? 0
                   : -EIO;
    if (!find_number(acct, "cpuacct.usage", "", out))
        return -EIO;
    *out /= 1000;
    return 0;
}

void cgroup_read(const struct cgroup *g, struct cgroup_counts *out)
{
    const int v2 = g->dir[CGROUP_V2], memory = g->dir[CGROUP_V1_MEMORY],
              pids = g->dir[CGROUP_V1_PIDS], cpu = g->dir[CGROUP_V1_CPU];

    *out = (struct cgroup_counts){
        .memory_kills = memory_kills(v2, memory),
        .pids_refused = number(v2, "pids.events", "max") +
                        number(pids, "pids.events", "max"),
        .cpu_throttled = number(v2, "cpu.stat", "nr_throttled") +
                         number(cpu, "cpu.stat", "nr_throttled"),
    };
}

void cgroup_remove(struct cgroup *g)
{
    for (int i = 0; i < CGROUP_PARTS; i++) {
        /* One that shares another's has no name. */
        if (g->name[i][0])
            remove_group(g, (enum cgroup_part)i);
        drop_fd(&g->dir[i]);
        drop_fd(&g->parent[i]);
    }
}
