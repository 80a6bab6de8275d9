/* tree.c - see tree.h.
 *
 * No recursion, and three descriptors for any depth: the directories of a
 * directory are moved up to the top, where their turn comes. */
#include "sys/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/scoped.h"

struct removal {
    int top;
    uint64_t number; /* the name of the next one that is moved up */
    bool has_moved;
};

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* What is no directory goes.  1: it is one. */
static int remove_file(int dir, const char *name)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    return errno == EISDIR || errno == EPERM ? 1 : -errno;
}

/* Whoever owns it may do everything with it: by descriptor, as its name could
 * be a link's by now. */
static int open_whole(int dir, const char *name)
{
    scoped(drop_fd) int at =
        openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char path[32];
    struct stat st;
    int fd;

    if (at < 0 || fstat(at, &st) < 0)
        return -errno;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", at);
    if ((st.st_mode & S_IRWXU) != S_IRWXU && chmod(path, S_IRWXU) < 0)
        return -errno;
    fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Under a number that is free in the top: an empty directory of that name is
 * replaced, everything else is in the way (rename(2)). */
static int move_up(struct removal *r, int dir, const char *name)
{
    /* Moving it writes its "..". */
    scoped(drop_fd) int fd = open_whole(dir, name);
    char to[24];
    int e;

    if (fd < 0)
        return fd;
    do {
        (void)snprintf(to, sizeof(to), "%llu", (unsigned long long)r->number++);
        e = renameat(dir, name, r->top, to) < 0 ? -errno : 0;
    } while (e == -EEXIST || e == -ENOTEMPTY || e == -ENOTDIR);
    r->has_moved = true;
    return e;
}

/* Calls `each` for all entries.  Takes the descriptor. */
static int walk(struct removal *r, int fd,
                int (*each)(struct removal *r, int dir, const char *name))
{
    DIR *d = fdopendir(fd);
    const struct dirent *entry;
    int e = 0;

    if (!d) {
        e = -errno;
        (void)close(fd);
        return e;
    }
    while (e == 0 && (entry = readdir(d)))
        if (!is_dots(entry->d_name))
            e = each(r, dirfd(d), entry->d_name);
    (void)closedir(d);
    return e;
}

static int lift(struct removal *r, int dir, const char *name)
{
    int e = remove_file(dir, name);

    return e > 0 ? move_up(r, dir, name) : e;
}

static int flatten(struct removal *r, int dir, const char *name)
{
    int e = remove_file(dir, name), fd;

    if (e <= 0)
        return e;
    fd = open_whole(dir, name);
    e = fd < 0 ? fd : walk(r, fd, lift);
    if (e < 0)
        return e;
    return unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno
                                                                    : 0;
}

int tree_empty(int fd)
{
    scoped(drop_fd) int top = fd;
    struct removal r = { .top = top };
    int e = 0;

    do {
        int again = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        r.has_moved = false;
        e = again < 0 ? -errno : walk(&r, again, flatten);
    } while (e == 0 && r.has_moved);
    return e;
}

int tree_remove(int dir, const char *name)
{
    int e = remove_file(dir, name), fd;

    if (e <= 0)
        return e;
    fd = open_whole(dir, name);
    e = fd < 0 ? fd : tree_empty(fd);
    if (e < 0)
        return e;
    return unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno
                                                                    : 0;
}
