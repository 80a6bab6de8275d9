/* manifest.c - one line of each entry of a tree, in an order that depends on
 * names alone.
 *
 *   d MODE PATH
 *   f MODE SIZE SHA256 PATH
 *   l PATH TARGET
 *
 * Bytes of names that are not printable, '%' and space are %XX.  Owner and
 * times are no part of it: the same archive has one digest everywhere. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "image/parts.h"

/* Nothing that we import is as deep (unpack/tree.h). */
enum { BLOCK = 8 * 1024, DEPTH = 110, LINE = 64 * 1024 };

static int walk_dir(struct manifest *m, int dir, const char *path,
                    unsigned depth, struct err *e);

static void put_name(struct buf *b, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c <= ' ' || c == '%' || c >= 0x7f)
            buf_printf(b, "%%%02X", c);
        else
            buf_putc(b, *s);
    }
}

static void compare(struct manifest *m, const struct buf *line,
                    const char *path)
{
    char *known = NULL;
    size_t cap = 0;
    ssize_t n;

    if (!m->match || m->odd[0])
        return;
    n = getline(&known, &cap, m->match);
    if (n != (ssize_t)line->len || memcmp(known, line->data, line->len) != 0)
        (void)snprintf(m->odd, sizeof(m->odd), "%s", path);
    free(known);
}

static int put_line(struct manifest *m, const struct buf *line,
                    const char *path, struct err *e)
{
    if (line->failed)
        return err_set(e, ERR_BACKEND_ERROR, "the entry '%.200s' is too long",
                       path);
    m->entries++;
    sha256_add(&m->sha, line->data, line->len);
    compare(m, line, path);
    if (m->write && fwrite(line->data, 1, line->len, m->write) != line->len)
        return err_sys(e, "write(2)", errno, "cannot write the manifest");
    return 0;
}

static int hash_file(struct manifest *m, int dir, const char *name,
                     const char *path, char out[SHA256_HEX], uint64_t *size,
                     struct err *e)
{
    scoped(drop_fd) int fd =
        openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char block[BLOCK];
    struct sha256 sha;
    ssize_t n;

    if (fd < 0)
        return err_sys(e, "openat(2)", errno, "cannot read '%.200s'", path);
    sha256_begin(&sha);
    while ((n = read(fd, block, BLOCK)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "read(2)", errno, "cannot read '%.200s'", path);
        sha256_add(&sha, block, (size_t)n);
    }
    *size = sha.len;
    m->bytes += sha.len;
    sha256_end(&sha, out);
    return 0;
}

static int file_line(struct manifest *m, int dir, const char *name,
                     const struct stat *st, const char *path, struct buf *line,
                     struct err *e)
{
    char digest[SHA256_HEX];
    uint64_t size;

    if (hash_file(m, dir, name, path, digest, &size, e) < 0)
        return -1;
    buf_printf(line, "f %04o %llu %s ", (unsigned)st->st_mode & 07777,
               (unsigned long long)size, digest);
    put_name(line, path);
    return 0;
}

static int link_line(int dir, const char *name, const char *path,
                     struct buf *line, struct err *e)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

    if (n < 0)
        return err_sys(e, "readlinkat(2)", errno, "cannot read '%.200s'", path);
    target[n] = '\0';
    buf_puts(line, "l ");
    put_name(line, path);
    buf_putc(line, ' ');
    put_name(line, target);
    return 0;
}

static int walk_entry(struct manifest *m, int dir, const char *name,
                      const char *path, unsigned depth, struct err *e)
{
    scoped(buf_drop) struct buf line = { .max = LINE };
    struct stat st;
    int fd;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, "fstatat(2)", errno, "cannot read '%.200s'", path);
    if (S_ISDIR(st.st_mode)) {
        buf_printf(&line, "d %04o ", (unsigned)st.st_mode & 07777);
        put_name(&line, path);
    } else if (S_ISREG(st.st_mode)) {
        if (file_line(m, dir, name, &st, path, &line, e) < 0)
            return -1;
    } else if (S_ISLNK(st.st_mode)) {
        if (link_line(dir, name, path, &line, e) < 0)
            return -1;
    } else {
        return err_set(e, ERR_POLICY_VALIDATION,
                       "'%.200s' is neither file, directory nor link", path);
    }
    buf_putc(&line, '\n');
    if (put_line(m, &line, path, e) < 0)
        return -1;
    if (!S_ISDIR(st.st_mode))
        return 0;
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "openat(2)", errno, "cannot read '%.200s'", path);
    return walk_dir(m, fd, path, depth + 1, e);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int read_names(DIR *d, struct arena *a, const char ***out, size_t *n)
{
    const struct dirent *entry;
    const char **list = NULL;
    size_t cap = 0;

    while ((errno = 0, entry = readdir(d)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (*n == cap) {
            const char **grown = arena_array(a, cap * 2 + 64, sizeof(*grown));

            if (!grown)
                return -ENOMEM;
            if (cap)
                memcpy(grown, list, cap * sizeof(*grown));
            list = grown;
            cap = cap * 2 + 64;
        }
        list[*n] = arena_strdup(a, entry->d_name);
        if (!list[(*n)++])
            return -ENOMEM;
    }
    *out = list;
    return -errno;
}

static int walk_names(struct manifest *m, DIR *d, const char *path,
                      unsigned depth, struct err *e)
{
    scoped(arena_drop) struct arena names = { .limit = 256 << 20 };
    const char **list = NULL;
    size_t n = 0;
    int r = read_names(d, &names, &list, &n);

    if (r < 0)
        return err_sys(e, "readdir(3)", -r, "cannot read '%.200s'", path);
    if (n)
        qsort(list, n, sizeof(*list), by_bytes);
    for (size_t i = 0; i < n; i++) {
        scoped(drop_mem) char *below = NULL;

        if (asprintf(&below, "%s/%s", strcmp(path, "/") == 0 ? "" : path,
                     list[i]) < 0)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory");
        if (walk_entry(m, dirfd(d), list[i], below, depth, e) < 0)
            return -1;
    }
    return 0;
}

/* Takes the descriptor. */
static int walk_dir(struct manifest *m, int dir, const char *path,
                    unsigned depth, struct err *e)
{
    DIR *d = fdopendir(dir);
    int r;

    if (!d) {
        (void)close(dir);
        return err_sys(e, "fdopendir(3)", errno, "cannot read '%.200s'", path);
    }
    if (depth > DEPTH)
        r = err_set(e, ERR_POLICY_VALIDATION, "'%.200s' is too deep", path);
    else
        r = walk_names(m, d, path, depth, e);
    (void)closedir(d);
    return r;
}

int manifest_walk(int root, struct manifest *m, char digest[SHA256_HEX],
                  struct err *e)
{
    sha256_begin(&m->sha);
    if (walk_entry(m, root, ".", "/", 0, e) < 0)
        return -1;
    sha256_end(&m->sha, digest);
    return 0;
}
