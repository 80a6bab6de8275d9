/* cgroup_look.c - where the caller may make control groups.
 *
 * By /proc/self/mountinfo (which hierarchies are mounted where) and
 * /proc/self/cgroup (our own group in each). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "sys/cgroup.h"

#define BIT(name) LIMIT_BIT(LIMIT_##name)

/* What each part can hold.  The time that is used up is told by every group of
 * version 2, also where no controller is enabled. */
static const struct {
    const char *controller; /* of version 1 */
    const char *needs;      /* a file of a group that has it */
    uint32_t can;
} parts[CGROUP_PARTS] = {
    [CGROUP_V2] = { NULL, "cgroup.procs", BIT(CPU_TIME) },
    [CGROUP_V1_MEMORY] = { "memory", "memory.limit_in_bytes", BIT(MEMORY) },
    /* The root of the hierarchy has no pids.max. */
    [CGROUP_V1_PIDS] = { "pids", "cgroup.procs", BIT(PIDS) },
    [CGROUP_V1_CPU] = { "cpu", "cpu.cfs_quota_us", BIT(CPU_SHARE) },
    [CGROUP_V1_CPUACCT] = { "cpuacct", "cpuacct.usage", BIT(CPU_TIME) },
};

static const struct {
    const char *controller;
    uint32_t can;
} v2_controllers[] = {
    { "memory", BIT(MEMORY) | BIT(SWAP) },
    { "pids", BIT(PIDS) },
    { "cpu", BIT(CPU_SHARE) },
};

/* Is `word` one of the list? */
static bool has_word(const char *list, const char *word, const char *between)
{
    const size_t n = strlen(word);

    while (*list) {
        const size_t len = strcspn(list, between);

        if (len == n && memcmp(list, word, n) == 0)
            return true;
        list += len;
        list += strspn(list, between);
    }
    return false;
}

/* --- our own groups --------------------------------------------------------
 */

/* The path of "N:CONTROLLERS:PATH" with this controller; NULL for version 2,
 * whose line is "0::PATH". */
static bool find_own(const char *controller, char *out, size_t size)
{
    FILE *f = fopen("/proc/self/cgroup", "re");
    bool found = false;
    char *line = NULL;
    size_t cap = 0;

    while (f && !found && getline(&line, &cap, f) > 0) {
        char *list = strchr(line, ':'), *path;

        path = list ? strchr(list + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        if (controller ? has_word(list + 1, controller, ",") : !list[1])
            found = snprintf(out, size, "%s", path) < (int)size &&
                    path[0] == '/' && !strstr(path, "/..");
    }
    free(line);
    if (f)
        (void)fclose(f);
    return found;
}

struct mount {
    char *root, *point;
    const char *type, *options;
};

/* "ID PARENT DEV ROOT POINT OPTIONS [FIELDS] - TYPE SOURCE SUPER", with octal
 * escapes in the paths; one of those has no place in these. */
static bool split(char *line, struct mount *m)
{
    char *rest = strstr(line, " - "), *at = line, *word[6] = { NULL };

    line[strcspn(line, "\n")] = '\0';
    if (!rest)
        return false;
    *rest = '\0';
    for (size_t i = 0; i < ARRAY_LEN(word); i++)
        if (!(word[i] = strsep(&at, " ")))
            return false;
    rest += 3;
    m->root = word[3];
    m->point = word[4];
    m->type = strsep(&rest, " ");
    (void)strsep(&rest, " ");
    m->options = rest ? rest : "";
    return !strchr(m->root, '\\') && !strchr(m->point, '\\');
}

/* Where our own group's directory is; the mount may show a part of the
 * hierarchy, of which we need not be. */
static bool locate(const struct mount *m, const char *own, char *out)
{
    const size_t n = m->root[1] ? strlen(m->root) : 0;

    if (strncmp(own, m->root, n) != 0 || (own[n] != '/' && own[n] != '\0'))
        return false;
    own += n;
    return snprintf(out, PATH_MAX, "%s%s", m->point,
                    own[0] && own[1] ? own : "") < PATH_MAX;
}

static bool may_use(const char *dir, const char *file)
{
    char path[PATH_MAX];
    struct stat st;

    /* Root may write to what is another's, who could take it away again. */
    return stat(dir, &st) == 0 && (geteuid() != 0 || st.st_uid == 0) &&
           faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0 &&
           snprintf(path, sizeof(path), "%s/%s", dir, file) < PATH_MAX &&
           faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

static bool has_file(const char *dir, const char *file)
{
    char path[PATH_MAX];

    return snprintf(path, sizeof(path), "%s/%s", dir, file) < PATH_MAX &&
           faccessat(AT_FDCWD, path, F_OK, 0) == 0;
}

/* --- version 1 -------------------------------------------------------------
 */

bool cgroup_has_no_swap(void)
{
    struct sysinfo s;

    return sysinfo(&s) == 0 && s.totalswap == 0;
}

static void look_v1(enum cgroup_part part, const struct mount *m,
                    struct cgroup_places *out)
{
    char own[PATH_MAX], dir[PATH_MAX];

    if (!has_word(m->options, parts[part].controller, ",") ||
        !find_own(parts[part].controller, own, sizeof(own)) ||
        !locate(m, own, dir) || !may_use(dir, "cgroup.procs") ||
        !has_file(dir, parts[part].needs))
        return;
    (void)snprintf(out->dir[part], PATH_MAX, "%s", dir);
    out->can[part] = parts[part].can;
    if (part == CGROUP_V1_MEMORY &&
        (cgroup_has_no_swap() || has_file(dir, "memory.memsw.limit_in_bytes")))
        out->can[part] |= BIT(SWAP);
}

/* --- version 2 -------------------------------------------------------------
 */

/* What the children of a group can be bound by.  Its paths are large. */
static __attribute__((noinline)) uint32_t enabled_in(const char *dir)
{
    char path[PATH_MAX], text[1024];
    scoped(drop_fd) int fd = -1;
    uint32_t can = parts[CGROUP_V2].can;
    ssize_t n;

    if (snprintf(path, sizeof(path), "%s/cgroup.subtree_control", dir) >=
        PATH_MAX)
        return can;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(v2_controllers); i++)
        if (has_word(text, v2_controllers[i].controller, " \n"))
            can |= v2_controllers[i].can;
    /* A kernel without accounting of swap has no file for it; the root of the
     * hierarchy has neither. */
    if (has_file(dir, "memory.max") && !has_file(dir, "memory.swap.max") &&
        !cgroup_has_no_swap())
        can &= ~BIT(SWAP);
    return can;
}

static int count(uint32_t bits)
{
    return __builtin_popcount(bits);
}

/* Has somebody set a limit here?  Of a service's memory, say. */
static bool is_bound(const char *dir)
{
    static const char *const files[] = { "memory.max",      "memory.high",
                                         "memory.swap.max", "memory.swap.high",
                                         "pids.max",        "cpu.max",
                                         "cpuset.cpus",     "cpuset.mems",
                                         "io.max" };
    char path[PATH_MAX], text[64];

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        scoped(drop_fd) int fd = -1;
        ssize_t n;

        if (snprintf(path, sizeof(path), "%s/%s", dir, files[i]) >= PATH_MAX)
            return true;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? 0 : read(fd, text, sizeof(text));
        /* "max", "max 100000", and nothing at all are none. */
        if (n < 0 || (n > 1 && strncmp(text, "max", 3) != 0))
            return true;
    }
    return false;
}

/* Ours and those above it: who may write to the cgroup.procs of a common
 * ancestor may move between its children (cgroups(7), delegation). */
static void look_v2(uint32_t wanted, const struct mount *m,
                    struct cgroup_places *out)
{
    const size_t top = strlen(m->point);
    char own[PATH_MAX], dir[PATH_MAX];
    int best = -1;

    if (!find_own(NULL, own, sizeof(own)) || !locate(m, own, dir))
        return;
    for (;;) {
        const uint32_t can = enabled_in(dir);

        if (may_use(dir, "cgroup.procs") && count(can & wanted) > best) {
            best = count(can & wanted);
            (void)snprintf(out->dir[CGROUP_V2], PATH_MAX, "%s", dir);
            out->can[CGROUP_V2] = can;
        }
        /* Who is moved further up leaves the bounds of this one. */
        if (strlen(dir) <= top || is_bound(dir))
            return;
        *strrchr(dir, '/') = '\0';
    }
}

/* --- both ------------------------------------------------------------------
 */

void cgroup_look(uint32_t wanted, struct cgroup_places *out)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    struct mount m;
    size_t cap = 0;

    memset(out, 0, sizeof(*out));
    while (f && getline(&line, &cap, f) > 0) {
        if (!split(line, &m))
            continue;
        if (strcmp(m.type, "cgroup2") == 0 && !out->dir[CGROUP_V2][0])
            look_v2(wanted, &m, out);
        if (strcmp(m.type, "cgroup") != 0)
            continue;
        for (int i = CGROUP_V1_MEMORY; i < CGROUP_PARTS; i++)
            if (!out->dir[i][0])
                look_v1((enum cgroup_part)i, &m, out);
    }
    free(line);
    if (f)
        (void)fclose(f);
}

uint32_t cgroup_can(const struct cgroup_places *p)
{
    uint32_t can = 0;

    for (size_t i = 0; i < CGROUP_PARTS; i++)
        can |= p->can[i];
    return can;
}
