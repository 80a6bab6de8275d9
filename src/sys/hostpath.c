/* hostpath.c - see hostpath.h. */
#include "sys/hostpath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/compat.h"
#include "sys/casefold.h"

static const char *link_text(struct arena *a, int dirfd, const char *name)
{
    char text[4096];
    ssize_t n = readlinkat(dirfd, name, text, sizeof(text) - 1);

    if (n <= 0 || (size_t)n == sizeof(text) - 1)
        return NULL;
    return arena_strndup(a, text, (size_t)n);
}

/* The kernel's own name of an open object (proc_pid_fd(5)). */
static const char *name_of(struct arena *a, int fd)
{
    char link[64];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return link_text(a, AT_FDCWD, link);
}

/* faccessat(2) on the object itself, with the real ids; a kernel before 5.8
 * does not know AT_EMPTY_PATH there and answers by name. */
static bool may(int fd, const char *path, int mode)
{
    if (syscall(__NR_faccessat2, fd, "", mode, AT_EMPTY_PATH) == 0)
        return true;
    return errno == ENOSYS && faccessat(AT_FDCWD, path, mode, 0) == 0;
}

/* Without a symlink on the way, the path is its own canonical name. */
static int open_plain(const char *path, bool *is_plain)
{
    const struct mxc_open_how how = { .flags = O_PATH | O_CLOEXEC,
                                      .resolve = MXC_RESOLVE_NO_SYMLINKS };
    int fd = (int)syscall(__NR_openat2, AT_FDCWD, path, &how, sizeof(how));

    *is_plain = fd >= 0 && !strstr(path, "/..");
    if (fd < 0 && (errno == ELOOP || errno == ENOSYS))
        fd = openat(AT_FDCWD, path, O_PATH | O_CLOEXEC);
    return fd;
}

static int look_at(struct arena *a, int fd, const char *path, bool is_plain,
                   struct hostpath *out, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(e, "fstat(2)", errno, "cannot inspect '%s'", path);
    errno = ENOMEM; /* unless readlink(2) says why */
    out->real = is_plain ? arena_strdup(a, path) : name_of(a, fd);
    if (!out->real)
        return err_sys(e, "readlink(2)", errno,
                       "cannot find the canonical name of '%s' (is /proc "
                       "mounted?)",
                       path);
    out->is_dir = S_ISDIR(st.st_mode);
    out->is_file = S_ISREG(st.st_mode);
    out->dev = (uint64_t)st.st_dev;
    out->ino = (uint64_t)st.st_ino;
    out->nlink = (uint64_t)st.st_nlink;
    out->is_readable = may(fd, path, R_OK);
    out->is_writable = out->is_readable && may(fd, path, W_OK);
    return 0;
}

/* A relative link's text, from the canonical directory that holds the link:
 * a leading ".." is there simply the directory above. */
static const char *beside(struct arena *a, const char *dir, const char *text)
{
    size_t up = strlen(dir);

    while (strncmp(text, "../", 3) == 0) {
        text += 3;
        text += strspn(text, "/");
        while (up > 0 && dir[--up] != '/')
            continue;
    }
    return arena_printf(a, "%.*s/%s", (int)up, dir, text);
}

/* `rest` is missing below the directory `dir`.  When its first component is
 * there, it is a symlink that leads nowhere: the path is then also another
 * one. */
static int look_dangling(struct arena *a, const char *dir, const char *rest,
                         struct hostpath *out, struct err *e)
{
    size_t n = strcspn(rest, "/");
    const char *base = dir[1] ? dir : "";
    const char *name = arena_printf(a, "%s/%.*s", base, (int)n, rest);
    const char *text;
    struct stat st;

    if (!name)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (fstatat(AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISLNK(st.st_mode))
        return 0;
    text = link_text(a, AT_FDCWD, name);
    if (text && text[0] != '/')
        text = beside(a, base, text);
    out->dangling = text ? arena_printf(a, "%s%s", text, rest + n) : NULL;
    return out->dangling ? 0
                         : err_sys(e, "readlink(2)", ENAMETOOLONG,
                                   "cannot follow '%s'", name);
}

/* The path is not there: look at the deepest directory above it that is.  A
 * file on the way could become a directory, so it is taken to be missing. */
static int look_above(struct arena *a, const char *path, int why,
                      struct hostpath *out, struct err *e)
{
    char *up = arena_strdup(a, path);

    for (size_t n = up ? strlen(up) : 0; n > 0;) {
        scoped(drop_fd) int fd = -1;

        while (n > 0 && up[n] != '/')
            n--;
        up[n] = '\0';
        fd = openat(AT_FDCWD, n ? up : "/", O_PATH | O_CLOEXEC);
        if (fd < 0 && (errno == ENOENT || errno == EACCES || errno == ENOTDIR))
            continue;
        if (fd < 0)
            return err_sys(e, "open(2)", errno, "cannot open '%s'", up);
        if (look_at(a, fd, n ? up : "/", false, out, e) < 0)
            return -1;
        if (why == EACCES) {
            /* Nobody of this uid gets past it, so it is the thing itself. */
            out->exists = true;
            return 0;
        }
        if (!out->is_dir && n > 0)
            continue;
        out->folds_case = casefold_of(fd, out->real);
        out->rest = arena_strdup(a, path + n + 1);
        return out->rest ? look_dangling(a, out->real, out->rest, out, e)
                         : err_set(e, ERR_BACKEND_ERROR, "out of memory");
    }
    return err_set(e, ERR_BACKEND_ERROR,
                   up ? "cannot find '%s' or above" : "out of memory for '%s'",
                   path);
}

int hostpath_look(struct arena *a, const char *path, struct hostpath *out,
                  struct err *e)
{
    bool is_plain;
    scoped(drop_fd) int fd = open_plain(path, &is_plain);
    struct hostpath h = { 0 };

    if (fd >= 0) {
        h.exists = true;
        if (look_at(a, fd, path, is_plain, &h, e) < 0)
            return -1;
    } else if (errno == ENOENT || errno == ENOTDIR || errno == EACCES) {
        if (look_above(a, path, errno, &h, e) < 0)
            return -1;
    } else {
        return err_sys(e, "open(2)", errno, "cannot open '%s'", path);
    }
    *out = h;
    return 0;
}
