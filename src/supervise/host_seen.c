/* host_seen.c - whether the host has a path that the workload has named.
 *
 * The name is the workload's, and so may be links on its way: a look must have
 * no effect, nor wait.  So from the root on one component after the other is
 * taken hold of, not opened (O_PATH), links are read here, and a mount is
 * entered only when its file system is one that the kernel answers for alone:
 * an automounter, FUSE or the network would ask somebody who need not answer,
 * and the supervisor has one thread. */
#include "supervise/denial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/scoped.h"
#include "sys/hostpath.h"

enum { LINKS_MOST = 40, PARTS_MOST = 128, MOUNTS_BYTES = 32 << 20 };
enum { MOUNTS_WORK = 32 }; /* to read their table */

struct host_walk {
    struct host_looks *looks;
    int at;              /* what `name` is, held with O_PATH */
    char name[PATH_MAX]; /* without links; "" is the root */
    char left[PATH_MAX]; /* to be walked from there */
    int links;
};

static bool is_local(struct host_looks *looks, const char *point)
{
    struct arena a = { .limit = MOUNTS_BYTES };
    struct err e;
    struct mountinfo *m = NULL;
    bool is;

    looks->work += MOUNTS_WORK;
    is = mountinfo_read(&a, &m, &e) == 0 && mountinfo_is_local(m, point);
    arena_drop(&a);
    return is;
}

/* What is mounted there stays. */
static bool is_root_local(struct host_looks *looks)
{
    if (looks->root == ROOT_UNSEEN)
        looks->root = is_local(looks, "/") ? ROOT_IS_LOCAL : ROOT_IS_NOT;
    return looks->root == ROOT_IS_LOCAL;
}

static int hold(int dir, const char *name, uint64_t resolve)
{
    const struct mxc_open_how how = {
        .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
        .resolve = MXC_RESOLVE_NO_MAGICLINKS | resolve,
    };

    return (int)syscall(__NR_openat2, dir, name, &how, sizeof(how));
}

static bool restart(struct host_walk *w)
{
    drop_fd(&w->at);
    w->name[0] = '\0';
    w->at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return w->at >= 0;
}

/* Put `len` bytes of a path in front of what is left. */
static bool put_in_front(struct host_walk *w, const char *path, size_t len)
{
    const size_t n = strlen(w->left);

    if (len + 1 + n >= sizeof(w->left))
        return false;
    memmove(w->left + len + 1, w->left, n + 1);
    memcpy(w->left, path, len);
    w->left[len] = '/';
    return true;
}

/* The directory above, by its name from the root: what ".." of a descriptor
 * is may have been moved meanwhile. */
static bool go_up(struct host_walk *w)
{
    char *slash = strrchr(w->name, '/');

    if (slash)
        *slash = '\0';
    return put_in_front(w, w->name, strlen(w->name)) && restart(w);
}

static __attribute__((noinline)) bool follow(struct host_walk *w, int link)
{
    char target[PATH_MAX];
    const ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);

    if (n <= 0 || ++w->links > LINKS_MOST ||
        !put_in_front(w, target, (size_t)n))
        return false;
    return target[0] != '/' || restart(w);
}

/* Into `part`; the name grows by it when it is no link. */
static enum host_seen enter(struct host_walk *w, const char *part)
{
    const size_t len = strlen(w->name), n = strlen(part);
    scoped(drop_fd) int fd = hold(w->at, part, MXC_RESOLVE_NO_XDEV);
    struct stat st;

    if (len + 1 + n >= sizeof(w->name))
        return HOST_UNKNOWN;
    w->name[len] = '/';
    memcpy(w->name + len + 1, part, n + 1);
    if (fd < 0 && errno == EXDEV) {
        if (!is_local(w->looks, w->name))
            return HOST_UNKNOWN;
        fd = hold(w->at, part, 0);
    }
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? HOST_MISSING
                                                   : HOST_UNKNOWN;
    if (fstat(fd, &st) < 0)
        return HOST_UNKNOWN;
    if (S_ISLNK(st.st_mode)) {
        w->name[len] = '\0';
        return follow(w, fd) ? HOST_THERE : HOST_UNKNOWN;
    }
    drop_fd(&w->at);
    w->at = take_fd(&fd);
    return HOST_THERE;
}

/* The next component of what is left; *is_last when there is none. */
static enum host_seen step(struct host_walk *w, bool *is_last)
{
    char part[NAME_MAX + 1];
    const size_t begin = strspn(w->left, "/");
    const size_t n = strcspn(w->left + begin, "/");

    *is_last = n == 0;
    if (n > NAME_MAX)
        return HOST_MISSING;
    memcpy(part, w->left + begin, n);
    part[n] = '\0';
    memmove(w->left, w->left + begin + n, strlen(w->left + begin + n) + 1);
    if (n == 0 || strcmp(part, ".") == 0)
        return HOST_THERE;
    if (strcmp(part, "..") == 0)
        return go_up(w) ? HOST_THERE : HOST_UNKNOWN;
    return enter(w, part);
}

static enum host_seen walk(struct host_walk *w)
{
    enum host_seen seen = HOST_THERE;
    bool is_last = false;

    if (!is_root_local(w->looks) || !restart(w))
        return HOST_UNKNOWN;
    for (int i = 0; i < PARTS_MOST && !is_last && seen == HOST_THERE; i++) {
        w->looks->work++;
        seen = step(w, &is_last);
    }
    return seen == HOST_THERE && !is_last ? HOST_UNKNOWN : seen;
}

static bool may(int fd, int mode)
{
    return syscall(__NR_faccessat2, fd, "", mode, AT_EMPTY_PATH | AT_EACCESS) ==
           0;
}

/* Of root inside is left that it owns what it owns. */
static bool may_inside(int fd, const struct stat *st, int mode)
{
    const unsigned bits = st->st_uid == 0   ? st->st_mode >> 6
                          : st->st_gid == 0 ? st->st_mode >> 3
                                            : st->st_mode;

    return may(fd, mode) &&
           (geteuid() != 0 || ((unsigned)mode & ~bits & 7) == 0);
}

static void ask_rights(int fd, struct host_found *out)
{
    struct stat st;
    const bool is = fstat(fd, &st) == 0;

    out->is_dir = is && S_ISDIR(st.st_mode);
    out->may_read = may(fd, R_OK);
    out->may_write = may(fd, W_OK);
    out->is_own = is && st.st_uid == geteuid();
    out->is_readable = is && may_inside(fd, &st, R_OK);
    out->is_writable = is && may_inside(fd, &st, W_OK);
    out->is_searched = is && may_inside(fd, &st, X_OK);
}

enum host_seen host_see(struct host_looks *looks, const char *path,
                        struct host_found *out)
{
    struct host_walk w = { .looks = looks, .at = -1 };
    enum host_seen seen;

    looks->met_link = false;
    if (path[0] != '/' || strlen(path) >= sizeof(w.left))
        return HOST_UNKNOWN;
    if (looks->work >= HOST_WORK)
        return HOST_UNASKED;
    memcpy(w.left, path, strlen(path) + 1);
    seen = walk(&w);
    looks->met_link = w.links > 0;
    if (seen == HOST_THERE) {
        memcpy(out->name, w.name[0] ? w.name : "/",
               w.name[0] ? strlen(w.name) + 1 : 2);
        ask_rights(w.at, out);
    }
    drop_fd(&w.at);
    return seen;
}
