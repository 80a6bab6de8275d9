/* freezer.c - see freezer.h. */
#include "session/hold/freezer.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/num.h"
#include "session/dir.h"

/* Who forks while we look is found the next time; and how long the holder waits
 * for them to stand still before it does something else. */
enum { PASSES = 50, PATIENCE_MS = 10 };

static bool put(int dir, const char *name, const char *text)
{
    scoped(drop_fd) int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* --- the group -------------------------------------------------------------
 */

/* The holder's own, by the line "0::PATH" (cgroups(7)). */
static bool find_own(char *out, size_t size)
{
    static const char *const roots[] = { "/sys/fs/cgroup",
                                         "/sys/fs/cgroup/unified" };
    char text[4096];
    scoped(drop_fd) int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    char *at;

    text[n > 0 ? n : 0] = '\0';
    at = strncmp(text, "0::/", 4) == 0 ? text : strstr(text, "\n0::/");
    if (!at)
        return false;
    at = strchr(at, '/');
    at[strcspn(at, "\n")] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        struct statfs fs;
        int len = snprintf(out, size, "%s%s", roots[i], at[1] ? at : "");

        if (len > 0 && (size_t)len < size && !strstr(at, "..") &&
            statfs(out, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
            return true;
    }
    return false;
}

static bool find_within(int group, char *out, size_t size)
{
    char link[32];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", group);
    n = readlink(link, out, size);
    if (n <= 0 || (size_t)n >= size)
        return false;
    out[n] = '\0';
    return true;
}

/* Under a name that says nothing: those who are in it can read it. */
static bool make_group(struct freezer *f, int dir)
{
    const struct session_dir d = { .root = -1, .fd = dir };
    char own[PATH_MAX - 32];
    uint64_t random;
    struct err none;

    if (f->group >= 0)
        return true;
    /* Of a holder before us, of which nobody would know any more. */
    session_freezer_remove(&d);
    if (!(f->within >= 0 ? find_within(f->within, own, sizeof(own))
                         : find_own(own, sizeof(own))) ||
        getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return false;
    (void)snprintf(f->path, sizeof(f->path), "%s/mxc-%016llx", own,
                   (unsigned long long)random);
    if (session_write(dir, SESSION_FREEZER, f->path, strlen(f->path), &none) ==
            0 &&
        mkdir(f->path, 0755) == 0)
        f->group = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->group >= 0)
        return true;
    freezer_remove(f, dir);
    return false;
}

/* --- who is to be in it ----------------------------------------------------
 */

/* Who has ended may have threads that go on: its field 20, behind the state,
 * which is its third (proc_pid_stat(5)). */
static bool has_threads(const char *state)
{
    enum { STATE = 3, THREADS = 20 };
    char number[24];
    int64_t n;

    for (int i = STATE; state && i < THREADS; i++) {
        state = strchr(state, ' ');
        state += state ? 1 : 0;
    }
    if (!state)
        return false;
    (void)snprintf(number, sizeof(number), "%.*s", (int)strcspn(state, " "),
                   state);
    return num_i64(number, 0, INT_MAX, &n) == 0 && n > 1;
}

/* "PID (NAME) STATE PARENT": false for one that has ended, or is none. */
static bool read_parent(int proc, const char *pid, pid_t *parent)
{
    char path[64], text[512];
    scoped(drop_fd) int fd = -1;
    int64_t number;
    char *at;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "%.20s/stat", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    at = strrchr(text, ')');
    if (!at || strlen(at) < 5 ||
        ((at[2] == 'Z' || at[2] == 'X') && !has_threads(at + 2)))
        return false;
    at += 4;
    at[strcspn(at, " ")] = '\0';
    if (num_i64(at, 0, INT_MAX, &number) < 0)
        return false;
    *parent = (pid_t)number;
    return true;
}

/* In the order of their numbers, as proc(5) lists them. */
static bool read_processes(struct freezer *f)
{
    DIR *d = opendir("/proc");
    bool fits = true;

    f->npids = 0;
    if (!d)
        return false;
    for (struct dirent *i = readdir(d); i && fits; i = readdir(d)) {
        int64_t pid;

        if (!isdigit((unsigned char)i->d_name[0]) ||
            num_i64(i->d_name, 1, INT_MAX, &pid) < 0 ||
            !read_parent(dirfd(d), i->d_name, &f->parent[f->npids]))
            continue;
        f->pid[f->npids++] = (pid_t)pid;
        fits = f->npids < FREEZER_MOST;
    }
    (void)closedir(d);
    return fits;
}

static pid_t parent_of(const struct freezer *f, pid_t pid)
{
    size_t low = 0, high = f->npids;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (f->pid[mid] < pid)
            low = mid + 1;
        else
            high = mid;
    }
    return low < f->npids && f->pid[low] == pid ? f->parent[low] : 0;
}

static bool is_below(const struct freezer *f, pid_t pid, pid_t init)
{
    for (size_t i = 0; i < FREEZER_MOST && pid > 1; i++) {
        pid = parent_of(f, pid);
        if (pid == init)
            return true;
    }
    return false;
}

static bool read_group(struct freezer *f)
{
    int fd = openat(f->group, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    char line[32];

    f->nin = 0;
    if (!file) {
        drop_fd(&fd);
        return false;
    }
    while (f->nin < FREEZER_MOST && fgets(line, sizeof(line), file)) {
        int64_t pid;

        line[strcspn(line, "\n")] = '\0';
        if (num_i64(line, 1, INT_MAX, &pid) == 0)
            f->in[f->nin++] = (pid_t)pid;
    }
    (void)fclose(file);
    return f->nin < FREEZER_MOST;
}

static bool is_in(const struct freezer *f, pid_t pid)
{
    for (size_t i = 0; i < f->nin; i++)
        if (f->in[i] == pid)
            return true;
    return false;
}

/* Move all that are not there: how many, or -1. */
static int pass(struct freezer *f, pid_t init)
{
    int moved = 0;

    if (!read_processes(f) || !read_group(f))
        return -1;
    for (size_t i = 0; i < f->npids; i++) {
        char text[16];

        if (!is_below(f, f->pid[i], init) || is_in(f, f->pid[i]))
            continue;
        (void)snprintf(text, sizeof(text), "%d", (int)f->pid[i]);
        if (!put(f->group, "cgroup.procs", text) && errno != ESRCH)
            return -1;
        moved++;
    }
    return moved;
}

/* --- freezing --------------------------------------------------------------
 */

/* "frozen 1" among its events, which poll(2) tells (cgroups(7)). */
bool freezer_is_frozen(const struct freezer *f)
{
    scoped(drop_fd) int fd =
        openat(f->group, "cgroup.events", O_RDONLY | O_CLOEXEC);
    struct pollfd p = { .fd = fd, .events = POLLPRI };
    char text[256];

    for (;;) {
        ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

        text[n > 0 ? n : 0] = '\0';
        if (strstr(text, "frozen 1"))
            return true;
        if (n <= 0 || poll(&p, 1, PATIENCE_MS) <= 0)
            return false;
    }
}

bool freezer_freeze(struct freezer *f, int dir, pid_t init)
{
    int moved = 1;

    /* Frozen first: who comes stands still, and makes no more of its kind. */
    if (init <= 0 || !make_group(f, dir))
        return false;
    if (!put(f->group, "cgroup.freeze", "1")) {
        freezer_remove(f, dir);
        return false;
    }
    for (int i = 0; i < PASSES && moved > 0; i++)
        moved = pass(f, init);
    if (moved != 0) {
        freezer_thaw(f);
        return false;
    }
    return true;
}

void freezer_thaw(struct freezer *f)
{
    if (f->group >= 0)
        (void)put(f->group, "cgroup.freeze", "0");
}

void freezer_remove(struct freezer *f, int dir)
{
    drop_fd(&f->group);
    /* What cannot be removed yet is known to whoever removes the session. */
    if (f->path[0] && rmdir(f->path) < 0 && errno == EBUSY)
        return;
    (void)unlinkat(dir, SESSION_FREEZER, 0);
    f->path[0] = '\0';
}
