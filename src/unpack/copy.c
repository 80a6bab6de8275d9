/* copy.c - from a directory into a tree, on one filesystem. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/arena.h"
#include "unpack/unpack.h"

enum { BLOCK = 64 * 1024, MOST_LINKS = 4096 };

/* Files with several names, so that they stay one. */
struct twin {
    ino_t ino;
    const char *path;
};

struct copy {
    struct tree *tree;
    struct arena arena;
    struct twin *twin;
    size_t ntwins;
    dev_t dev;      /* the filesystem that is copied */
    struct stat to; /* the target */
    char block[BLOCK];
};

static int copy_dir(struct copy *c, int fd, const char *path, unsigned depth,
                    struct err *e);

static bool is_zero(const char *p, size_t len)
{
    return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

static int copy_bytes(struct copy *c, int from, int to, struct entry *n,
                      struct err *e)
{
    int64_t at = 0;
    ssize_t got;

    while (at < n->size && (got = read(from, c->block, BLOCK)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(e, "read(2)", errno, "cannot read '%.200s'",
                           n->path);
        /* What grows meanwhile is not ours. */
        if (got > n->size - at)
            got = n->size - at;
        if (!is_zero(c->block, (size_t)got) &&
            tree_write(to, n, c->block, (size_t)got, at, e) < 0)
            return -1;
        at += got;
    }
    n->size = at;
    return 0;
}

static int copy_file(struct copy *c, int dir, const char *name, struct entry *n,
                     struct err *e)
{
    scoped(drop_fd) int from =
        openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    scoped(drop_fd) int to = -1;

    if (from < 0)
        return err_sys(e, "openat(2)", errno, "cannot read '%.200s'", n->path);
    if (flistxattr(from, NULL, 0) > 0)
        tree_note(c->tree, NOTE_XATTR, n->path);
    if (tree_file(c->tree, n->path, &to, e) < 0 ||
        copy_bytes(c, from, to, n, e) < 0)
        return -1;
    return tree_finish(c->tree, n, &to, e);
}

static const char *find_twin(struct copy *c, const struct stat *st)
{
    for (size_t i = 0; st->st_nlink > 1 && i < c->ntwins; i++)
        if (c->twin[i].ino == st->st_ino)
            return c->twin[i].path;
    return NULL;
}

static void keep_twin(struct copy *c, const struct stat *st, const char *path)
{
    const char *copy;

    if (st->st_nlink < 2 || c->ntwins == MOST_LINKS)
        return;
    copy = arena_strdup(&c->arena, path);
    if (copy)
        c->twin[c->ntwins++] = (struct twin){ st->st_ino, copy };
}

static int copy_regular(struct copy *c, int dir, const char *name,
                        const struct stat *st, struct entry *n, struct err *e)
{
    const char *twin = find_twin(c, st);

    if (twin)
        return tree_link(c->tree, n->path, twin, e);
    if (copy_file(c, dir, name, n, e) < 0)
        return -1;
    keep_twin(c, st, n->path);
    return 0;
}

static int copy_symlink(struct copy *c, int dir, const char *name,
                        const char *path, struct err *e)
{
    char target[TREE_PATH];
    ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

    if (n < 0)
        return err_sys(e, "readlinkat(2)", errno, "cannot read '%.200s'", path);
    target[n] = '\0';
    return tree_symlink(c->tree, path, target, e);
}

static int copy_below(struct copy *c, int dir, const char *name,
                      const struct stat *st, const char *path, unsigned depth,
                      struct err *e)
{
    int fd;

    if (st->st_dev != c->dev) {
        tree_note(c->tree, NOTE_MOUNT, path);
        return 0;
    }
    if (st->st_ino == c->to.st_ino && st->st_dev == c->to.st_dev)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "the directory holds the image store itself");
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "openat(2)", errno, "cannot read '%.200s'", path);
    return copy_dir(c, fd, path, depth + 1, e);
}

static int copy_entry(struct copy *c, int dir, const char *name,
                      const char *path, unsigned depth, struct err *e)
{
    struct stat st;
    struct entry n = { .path = path };

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, "fstatat(2)", errno, "cannot read '%.200s'", path);
    n.mode = st.st_mode & 07777;
    n.mtime = st.st_mtim;
    n.size = S_ISREG(st.st_mode) && !find_twin(c, &st) ? st.st_size : 0;
    if (tree_count(c->tree, &n, e) < 0)
        return -1;
    switch (st.st_mode & S_IFMT) {
    case S_IFREG:
        return copy_regular(c, dir, name, &st, &n, e);
    case S_IFLNK:
        return copy_symlink(c, dir, name, path, e);
    case S_IFDIR:
        if (tree_dir(c->tree, &n, e) < 0)
            return -1;
        return copy_below(c, dir, name, &st, path, depth, e);
    default:
        tree_note(c->tree, NOTE_DEVICE, path);
        return 0;
    }
}

/* Takes the descriptor. */
static int copy_dir(struct copy *c, int fd, const char *path, unsigned depth,
                    struct err *e)
{
    DIR *d = fdopendir(fd);
    const struct dirent *entry;
    char *below;
    int r = 0;

    if (!d) {
        (void)close(fd);
        return err_sys(e, "fdopendir(3)", errno, "cannot read '%.200s'", path);
    }
    if (depth > TREE_DEPTH)
        r = err_set(e, ERR_POLICY_VALIDATION, "the entry '%.200s' is too deep",
                    path);
    while (r == 0 && (errno = 0, entry = readdir(d)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        below = NULL;
        if (asprintf(&below, "%s%s%s", path, *path ? "/" : "", entry->d_name) <
            0)
            r = err_set(e, ERR_BACKEND_ERROR, "out of memory");
        else if (strlen(below) >= TREE_PATH)
            r = err_set(e, ERR_POLICY_VALIDATION,
                        "the entry '%.200s' is too long", below);
        else
            r = copy_entry(c, dirfd(d), entry->d_name, below, depth, e);
        free(below);
    }
    if (r == 0 && errno)
        r = err_sys(e, "readdir(3)", errno, "cannot read '%.200s'", path);
    (void)closedir(d);
    return r;
}

static int begin(struct copy *c, struct err *e)
{
    struct entry top = { .path = "" };
    struct stat st;

    c->arena.limit = 64 << 20;
    c->twin = arena_array(&c->arena, MOST_LINKS, sizeof(*c->twin));
    if (!c->twin)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (fstat(UNPACK_SOURCE_FD, &st) < 0 || fstat(c->tree->root, &c->to) < 0)
        return err_sys(e, "fstat(2)", errno, "cannot read the directory");
    c->dev = st.st_dev;
    top.mode = st.st_mode & 07777;
    return tree_dir(c->tree, &top, e);
}

int unpack_directory(struct tree *t, struct err *e)
{
    struct copy *c = calloc(1, sizeof(*c));
    int r;

    if (!c)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    c->tree = t;
    r = begin(c, e);
    if (r == 0)
        r = copy_dir(c, UNPACK_SOURCE_FD, "", 0, e);
    arena_drop(&c->arena);
    free(c);
    return r;
}
