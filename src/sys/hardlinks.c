/* hardlinks.c - does a writable tree share a file with the outside?
 *
 * The one tree walk of the product, and only for those who ask for it
 * (filesystem.hardLinks: "refuse"). */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sys/hostpath.h"

enum { MAX_DEPTH = 512 };

struct seen {
    uint64_t dev;
    uint64_t ino;
    uint64_t nlink;
    const char *path;
};

struct seen_list {
    struct seen *item;
    size_t n;
    size_t cap;
    const struct link_search *search;
};

static int remember(struct seen_list *l, const char *path,
                    const struct stat *st, struct err *e)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 256;
        struct seen *grown = realloc(l->item, cap * sizeof(*grown));

        if (!grown)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory for links");
        l->item = grown;
        l->cap = cap;
    }
    l->item[l->n++] = (struct seen){ (uint64_t)st->st_dev, (uint64_t)st->st_ino,
                                     (uint64_t)st->st_nlink, path };
    return 0;
}

static int by_inode(const void *x, const void *y)
{
    const struct seen *a = x, *b = y;

    if (a->dev != b->dev)
        return a->dev < b->dev ? -1 : 1;
    if (a->ino != b->ino)
        return a->ino < b->ino ? -1 : 1;
    return strcmp(a->path, b->path);
}

static int walk(struct seen_list *l, struct arena *a, int parent,
                const char *name, const char *shown, unsigned depth,
                struct err *e);

/* Policy has another word on this path: names from here on are not among
 * those that the workload may write to. */
static bool is_excluded(const struct link_search *s, const char *path)
{
    for (size_t i = 0; i < s->nexcluded; i++)
        if (strcmp(s->excluded[i], path) == 0)
            return true;
    return false;
}

static int visit(struct seen_list *l, struct arena *a, int dir,
                 const char *shown, const char *name, unsigned depth,
                 struct err *e)
{
    struct stat st;
    const char *path;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT
                   ? 0
                   : err_sys(e, "fstatat(2)", errno,
                             "cannot look for hard links at '%s/%s'", shown,
                             name);
    if (!S_ISDIR(st.st_mode) && !(S_ISREG(st.st_mode) && st.st_nlink > 1))
        return 0;
    path = arena_printf(a, "%s/%s", shown, name);
    if (!path)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for links");
    if (is_excluded(l->search, path))
        return 0;
    return S_ISDIR(st.st_mode) ? walk(l, a, dir, name, path, depth + 1, e)
                               : remember(l, path, &st, e);
}

static int walk(struct seen_list *l, struct arena *a, int parent,
                const char *name, const char *shown, unsigned depth,
                struct err *e)
{
    int fd =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const struct dirent *d;
    DIR *dir;
    int r = 0;

    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP) && depth == 0)
        return 0; /* the grant is a single file */
    if (fd < 0)
        return err_sys(e, "open(2)", errno,
                       "cannot look for hard links in '%s'", shown);
    dir = depth < MAX_DEPTH ? fdopendir(fd) : NULL;
    if (!dir) {
        (void)close(fd);
        return err_set(e, ERR_POLICY_VALIDATION,
                       "'%s' is too deep to look for hard links", shown);
    }
    while (r == 0 && (d = readdir(dir)) != NULL)
        r = visit(l, a, fd, shown, d->d_name, depth, e);
    (void)closedir(dir);
    return r;
}

int hostpath_outside_link(struct arena *a, const struct link_search *s,
                          const char **found, struct err *e)
{
    struct seen_list l = { .search = s };
    const char *outside = NULL;
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->ndirs; i++)
        r = walk(&l, a, AT_FDCWD, s->dirs[i], s->dirs[i], 0, e);
    if (l.n)
        qsort(l.item, l.n, sizeof(*l.item), by_inode);
    for (size_t i = 0, names; r == 0 && !outside && i < l.n; i += names) {
        uint64_t distinct = 1;

        for (names = 1;
             i + names < l.n && l.item[i].dev == l.item[i + names].dev &&
             l.item[i].ino == l.item[i + names].ino;
             names++)
            /* Overlapping grants show one name twice. */
            distinct +=
                strcmp(l.item[i + names].path, l.item[i + names - 1].path) != 0;
        if (distinct < l.item[i].nlink)
            outside = l.item[i].path;
    }
    free(l.item);
    if (r == 0)
        *found = outside;
    return r;
}
