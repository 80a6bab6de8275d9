/* remove.c - what leaves the image store: trees without a name, and what a
 * killed import left. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "container/container.h"
#include "image/parts.h"
#include "sys/tree.h"

int image_delete(int dir, const char *name, struct err *e)
{
    int r = tree_remove(dir, name);

    return r < 0 ? err_sys(e, "unlinkat(2)", -r, "cannot remove '%.200s'", name)
                 : 0;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int image_sweep(const struct image_store *s, struct err *e)
{
    int fd = openat(s->tmp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : tree_empty(fd);

    return r < 0 ? err_sys(e, "unlinkat(2)", -r, "cannot clean the image store")
                 : 0;
}

static bool is_named(const struct image_store *s, const char *const *name,
                     size_t n, const char *digest)
{
    for (size_t i = 0; i < n; i++) {
        struct image image;
        struct err none;

        /* A damaged one too leads there. */
        (void)image_find(s, name[i], &image, &none);
        if (strcmp(image.digest, digest) == 0)
            return true;
    }
    return false;
}

bool image_claim(const struct image_store *s, const char *digest, int *lock)
{
    char path[SHA256_HEX + 8];
    scoped(drop_fd) int fd = -1;

    *lock = -1;
    (void)snprintf(path, sizeof(path), "%s/seal", digest);
    fd = openat(s->trees, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return false;
    *lock = take_fd(&fd);
    return true;
}

static bool is_used(const struct image_store *s, const char *digest)
{
    scoped(drop_fd) int lock = -1;

    return !image_claim(s, digest, &lock);
}

/* 1: the container *name is kept on it.  -1: that cannot be known. */
static int kept_on(struct arena *a, const struct image_store *s,
                   const char *digest, const char **name, struct err *e)
{
    struct container *list;
    size_t n, damaged;

    if (container_list(a, &s->place, &list, &n, &damaged, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].digest, digest) == 0) {
            *name = list[i].name;
            return 1;
        }
    return 0;
}

static bool is_kept_on(const struct image_store *s, const char *digest)
{
    scoped(arena_drop) struct arena a = { .limit = 64 << 20 };
    const char *name;
    struct err none;

    return kept_on(&a, s, digest, &name, &none) != 0;
}

static int check_unused(const struct image_store *s, const struct image *image,
                        struct err *e)
{
    scoped(arena_drop) struct arena a = { .limit = 64 << 20 };
    const char *kept;
    int r;

    if (is_used(s, image->digest)) {
        err_set(e, ERR_BACKEND_ERROR, "a container runs on the image '%s'",
                image->name);
        return err_hint(e, "end it first");
    }
    r = kept_on(&a, s, image->digest, &kept, e);
    if (r <= 0)
        return r;
    err_set(e, ERR_BACKEND_ERROR,
            "the container '%.120s' is kept on the image '%s'", kept,
            image->name);
    return err_hint(e, "`mxc container rm` removes it");
}

/* Out of trees/ in one step: half of a tree must not keep its seal.  One that
 * a container runs on, begins to, or is kept on, stays.  Claimed first: as long
 * as that holds, no run can begin that would keep one. */
static int drop_tree(const struct image_store *s, const char *digest,
                     struct err *e)
{
    scoped(drop_fd) int lock = -1;

    if (!image_claim(s, digest, &lock) || is_kept_on(s, digest))
        return 0;
    if (renameat(s->trees, digest, s->tmp, digest) < 0)
        return err_sys(e, "renameat(2)", errno, "cannot remove '%s'", digest);
    return image_delete(s->tmp, digest, e);
}

int image_collect(const struct image_store *s, struct err *e)
{
    scoped(arena_drop) struct arena a = { .limit = 64 << 20 };
    int fd = openat(s->trees, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const char *const *name;
    const struct dirent *entry;
    size_t n;
    int r;

    if (!d)
        return err_sys(e, "openat(2)", errno, "cannot clean the image store");
    r = image_names(s, &a, &name, &n, e);
    while (r == 0 && (entry = readdir(d)))
        if (!is_dots(entry->d_name) && !is_named(s, name, n, entry->d_name))
            r = drop_tree(s, entry->d_name, e);
    (void)closedir(d);
    return r;
}

int image_remove(const struct image_store *s, const char *name, struct err *e)
{
    char label[LABEL_MAX];
    struct image image;
    struct err damage;
    int r;

    if (image_check_name(name, e) < 0)
        return -1;
    /* A damaged one can go as well. */
    r = image_find(s, name, &image, &damage);
    if (r == 1)
        return 1;
    if (r == 0 && check_unused(s, &image, e) < 0)
        return -1;
    image_label(name, label);
    if (unlinkat(s->names, label, 0) < 0)
        return err_sys(e, "unlinkat(2)", errno, "cannot remove '%s'", name);
    return image_collect(s, e);
}
