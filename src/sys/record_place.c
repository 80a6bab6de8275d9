/* record_place.c - see record_place.h. */
#include "sys/record_place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/compat.h"
#include "sys/hostpath.h"

enum { PATH_ROOM = 4096 };

static int open_dir(const char *path, size_t len, char dir[PATH_ROOM])
{
    const struct mxc_open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = MXC_RESOLVE_NO_SYMLINKS,
    };
    int fd;

    if (len >= PATH_ROOM)
        return -ENAMETOOLONG;
    memcpy(dir, path, len);
    dir[len] = '\0';
    fd = (int)syscall(__NR_openat2, AT_FDCWD, dir, &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

static bool add(struct record_place *p, const struct stat *st)
{
    if (p->n == RECORD_DEPTH)
        return false;
    p->at[p->n].dev = st->st_dev;
    p->at[p->n++].ino = st->st_ino;
    return true;
}

/* 0 or -errno: what the path goes through, from below. */
static int list_above(struct record_place *p)
{
    scoped(drop_fd) int fd = fcntl(p->dir, F_DUPFD_CLOEXEC, 0);
    struct stat st;

    if (fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        (void)add(p, &st);
    for (;;) {
        const size_t n = p->n;
        int up;

        if (fd < 0 || fstat(fd, &st) < 0)
            return -errno;
        if (n > 1 && p->at[n - 1].dev == st.st_dev &&
            p->at[n - 1].ino == st.st_ino)
            return 0; /* the root is its own parent */
        if (!add(p, &st))
            return -ENAMETOOLONG;
        up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        (void)close(fd);
        fd = up;
    }
}

static int too_deep(const char *name, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "the directory of the record lies too deep to look for what a "
            "workload may write to: '%.300s' is one of its names",
            name);
    return err_hint(e, "name one that is less deep");
}

/* The same by a name of the directory's: all that it lies in by that. */
static int list_by(struct record_place *p, const char *name, struct err *e)
{
    char at[PATH_ROOM];
    size_t len = strlen(name);
    struct stat st;

    if (len >= sizeof(at))
        return too_deep(name, e);
    memcpy(at, name, len + 1);
    while (len > 0) {
        if (lstat(at, &st) == 0 &&
            !record_place_is_in(p, st.st_dev, st.st_ino) && !add(p, &st))
            return too_deep(name, e);
        while (at[--len] != '/')
            continue;
        at[len] = '\0';
    }
    return 0;
}

/* Whoever goes up leaves by the mount that he came by; others may show the
 * directory too (mount(8), --bind), below what a workload may write to. */
static int list_aliases(struct record_place *p, const char *dir, struct err *e)
{
    struct arena a = { .limit = 64 << 20 };
    struct mountinfo *mounts;
    const char **name;
    size_t n = 0;
    int r = mountinfo_read(&a, &mounts, e);

    if (r == 0)
        r = mountinfo_aliases(&a, mounts, dir, &name, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = list_by(p, name[i], e);
    arena_drop(&a);
    return r;
}

int record_place_check(int dir, const char *name, const char *path,
                       struct err *e)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        S_ISREG(st.st_mode) || S_ISLNK(st.st_mode))
        return 0;
    err_set(e, ERR_POLICY_VALIDATION, "'%.300s' is %s", path,
            S_ISDIR(st.st_mode) ? "a directory" : "no file, but has the name");
    return err_hint(e, "name a file, or what is not there yet");
}

static const char *hint_of(int r)
{
    if (r == -ELOOP)
        return "name it without a symbolic link on its way, which somebody "
               "may lead elsewhere";
    return r == -ENAMETOOLONG ? "name one that is less deep"
                              : "the directory must exist";
}

int record_place_open(const char *path, struct record_place *out, struct err *e)
{
    char dir[PATH_ROOM];
    size_t len;
    int r;

    *out = (struct record_place){ .dir = -1, .name = strrchr(path, '/') + 1 };
    len = (size_t)(out->name - path);
    r = open_dir(path, len, dir);
    if (r >= 0) {
        out->dir = r;
        r = list_above(out);
    }
    if (r < 0) {
        drop_fd(&out->dir);
        err_sys(e, "openat2(2)", -r,
                "cannot open the directory of the record '%.300s'", path);
        e->code = ERR_POLICY_VALIDATION;
        return err_hint(e, "%s", hint_of(r));
    }
    /* As the list of mounts has it. */
    if (len > 1)
        dir[len - 1] = '\0';
    if (list_aliases(out, dir, e) == 0 &&
        record_place_check(out->dir, out->name, path, e) == 0)
        return 0;
    drop_fd(&out->dir);
    return -1;
}

bool record_place_is_in(const struct record_place *p, uint64_t dev,
                        uint64_t ino)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->at[i].dev == dev && p->at[i].ino == ino)
            return true;
    return false;
}

int record_place_is_open(const char *grant, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "the record would lie in '%.300s', where the workload may write, "
            "and could put another in its place",
            grant);
    return err_hint(e, "name a file outside of what it may write to");
}
