/* pack.c - from files to a tar stream on standard output.
 *
 * What is packed may change meanwhile, by somebody who wishes us ill: names
 * are opened one by one, below what was opened before, and what is no file or
 * directory when it is open is not read. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "copy/copy.h"
#include "copy/tar.h"

enum { ROOM = 64 * 1024 };

struct pack {
    struct tar_entry entry;
    unsigned char head[TAR_HEAD];
    unsigned char room[ROOM]; /* of a file; zeros between two */
    uint64_t nleft_out;       /* devices and their like */
    char left_out[200];
};

static int pack_dir(struct pack *p, int fd, const char *path, unsigned depth,
                    struct err *e);

/* --- writing ---------------------------------------------------------------
 */

static int put(const void *data, size_t len, struct err *e)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "write(2)", errno, "cannot write the archive");
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int put_zeros(struct pack *p, size_t len, struct err *e)
{
    memset(p->room, 0, len);
    return put(p->room, len, e);
}

static int put_head(struct pack *p, enum tar_kind kind, const struct stat *st,
                    const char *path, const char *link, struct err *e)
{
    struct tar_entry *n = &p->entry;

    tar_reset(n);
    n->kind = kind;
    n->mode = st->st_mode & 07777;
    n->size = kind == TAR_FILE ? st->st_size : 0;
    n->mtime = st->st_mtime;
    if (snprintf(n->name, sizeof(n->name), "%s%s", path,
                 kind == TAR_DIR ? "/" : "") >= (int)sizeof(n->name))
        return err_set(e, ERR_POLICY_VALIDATION,
                       "the name '%.200s' is too "
                       "long",
                       path);
    (void)snprintf(n->link, sizeof(n->link), "%s", link);
    return put(p->head, tar_encode(n, p->head), e);
}

/* --- one thing -------------------------------------------------------------
 */

/* As many bytes as were promised.  What grows meanwhile is cut. */
static int put_content(struct pack *p, int fd, int64_t size, const char *path,
                       struct err *e)
{
    for (int64_t left = size; left > 0;) {
        size_t most = left < ROOM ? (size_t)left : ROOM;
        ssize_t n = read(fd, p->room, most);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "read(2)", errno, "cannot read '%.200s'", path);
        if (n == 0)
            return err_set(e, ERR_BACKEND_ERROR,
                           "'%.200s' got shorter while it was read", path);
        if (put(p->room, (size_t)n, e) < 0)
            return -1;
        left -= n;
    }
    return put_zeros(p, tar_padding(size), e);
}

static void leave_out(struct pack *p, const char *path)
{
    if (p->nleft_out++ == 0)
        (void)snprintf(p->left_out, sizeof(p->left_out), "%.199s", path);
}

/* Takes the descriptor, which is open for reading. */
static int pack_open(struct pack *p, int fd, const char *path, unsigned depth,
                     struct err *e)
{
    scoped(drop_fd) int own = fd;
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(e, "fstat(2)", errno, "cannot look at '%.200s'", path);
    if (S_ISREG(st.st_mode))
        return put_head(p, TAR_FILE, &st, path, "", e) < 0
                   ? -1
                   : put_content(p, fd, st.st_size, path, e);
    if (!S_ISDIR(st.st_mode)) {
        leave_out(p, path);
        return 0;
    }
    if (depth > TREE_DEPTH)
        return err_set(e, ERR_POLICY_VALIDATION, "'%.200s' is too deep", path);
    if (put_head(p, TAR_DIR, &st, path, "", e) < 0)
        return -1;
    return pack_dir(p, take_fd(&own), path, depth, e);
}

static int pack_symlink(struct pack *p, int dir, const char *name,
                        const struct stat *st, const char *path, struct err *e)
{
    char target[TAR_NAME];
    ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

    if (n < 0)
        return err_sys(e, "readlinkat(2)", errno, "cannot read '%.200s'", path);
    target[n] = '\0';
    return put_head(p, TAR_SYMLINK, st, path, target, e);
}

static int pack_entry(struct pack *p, int dir, const char *name,
                      const char *path, unsigned depth, struct err *e)
{
    struct stat st;
    int fd;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        /* Removed since it was listed. */
        return errno == ENOENT ? 0
                               : err_sys(e, "fstatat(2)", errno,
                                         "cannot look at '%.200s'", path);
    if (S_ISLNK(st.st_mode))
        return pack_symlink(p, dir, name, &st, path, e);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        leave_out(p, path);
        return 0;
    }
    /* It may be a pipe by now, which would be waited for. */
    fd = openat(dir, name,
                O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "openat(2)", errno, "cannot read '%.200s'", path);
    return pack_open(p, fd, path, depth, e);
}

/* Takes the descriptor. */
static int pack_dir(struct pack *p, int fd, const char *path, unsigned depth,
                    struct err *e)
{
    DIR *d = fdopendir(fd);
    const struct dirent *i;
    int r = 0;

    if (!d) {
        (void)close(fd);
        return err_sys(e, "fdopendir(3)", errno, "cannot read '%.200s'", path);
    }
    while (r == 0 && (errno = 0, i = readdir(d)) != NULL) {
        char below[TAR_NAME];

        if (strcmp(i->d_name, ".") == 0 || strcmp(i->d_name, "..") == 0)
            continue;
        if (snprintf(below, sizeof(below), "%s/%s", path, i->d_name) >=
            (int)sizeof(below))
            r = err_set(e, ERR_POLICY_VALIDATION,
                        "the name '%.200s' is too "
                        "long",
                        below);
        else
            r = pack_entry(p, dirfd(d), i->d_name, below, depth + 1, e);
    }
    if (r == 0 && errno)
        r = err_sys(e, "readdir(3)", errno, "cannot read '%.200s'", path);
    (void)closedir(d);
    return r;
}

/* --- all of it -------------------------------------------------------------
 */

/* One line, whatever is in the name. */
void copy_tell_left_out(uint64_t count, const char *first)
{
    scoped(buf_drop) struct buf b = { .max = 4096 };

    if (!count)
        return;
    buf_printf(&b,
               "note: devices, pipes and sockets were left out: %" PRIu64
               ", such as ",
               count);
    buf_shown(&b, first);
    buf_putc(&b, '\n');
    if (!b.failed)
        (void)dprintf(STDERR_FILENO, "%s", b.data);
}

static int open_top(const char *path, int how, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | how);

    if (fd < 0)
        return err_sys(e, "open(2)", errno, "cannot read '%.200s'", path);
    if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
        return fd;
    (void)close(fd);
    return err_set(e, ERR_POLICY_VALIDATION,
                   "'%.200s' is neither a file nor a directory", path);
}

static int pack_top(struct pack *p, const char *path, const char *name,
                    bool follow, struct err *e)
{
    struct stat st;
    int fd;

    if (!follow && lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
        return pack_symlink(p, AT_FDCWD, path, &st, name, e);
    fd = open_top(path, follow ? 0 : O_NOFOLLOW, e);
    return fd < 0 ? -1 : pack_open(p, fd, name, 0, e);
}

int copy_pack(const char *path, const char *name, bool follow, struct err *e)
{
    struct pack *p = calloc(1, sizeof(*p));
    int r;

    if (!p)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    r = pack_top(p, path, name, follow, e);
    if (r == 0)
        r = put_zeros(p, (size_t)2 * TAR_BLOCK, e);
    if (r == 0)
        copy_tell_left_out(p->nleft_out, p->left_out);
    free(p);
    return r;
}
