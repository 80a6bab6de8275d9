/* absent.c - denied paths that did not exist when the sandbox started.
 *
 * A name that is about to be made is known by its directory's identity and
 * its last component.  It is refused when that is a denied path; and when it
 * is a missing directory on the way to one, only mkdir(2) may make it: a
 * directory that is renamed, linked or symlinked there could bring the denied
 * path along.
 *
 * The chain of missing directories is walked anew for each decision, from the
 * directory that existed: all calls that could change it inside the sandbox
 * pass through this broker, one after the other. */
#include "broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

static size_t count_parts(const char *rest)
{
    size_t n = 1;

    for (; *rest; rest++)
        n += *rest == '/';
    return n;
}

static bool is_component(const char *s)
{
    return *s && strlen(s) <= NAME_MAX && strcmp(s, ".") != 0 &&
           strcmp(s, "..") != 0;
}

/* Cut the copy of `rest` at *text into components; advances *text. */
static int cut(struct absent *a, const char *rest, char **text, struct err *e)
{
    char *at = *text;
    size_t len = strlen(rest);

    memcpy(at, rest, len + 1);
    *text += len + 1;
    for (size_t i = 0; i < a->nparts; i++) {
        char *slash = strchr(at, '/');

        if (slash)
            *slash = '\0';
        if (!is_component(at))
            return err_set(e, ERR_BACKEND_ERROR,
                           "missing denied path '%s' is not made of plain "
                           "components",
                           rest);
        a->part[i] = at;
        at += strlen(at) + 1;
    }
    return 0;
}

/* Many denied paths stand below few directories: one descriptor for each. */
static int open_dir(const struct broker *b, const struct broker_config *c,
                    size_t i, struct err *e)
{
    const char *dir = c->absent[i].dir;
    int fd;

    for (size_t j = 0; j < i; j++)
        if (strcmp(c->absent[j].dir, dir) == 0)
            return b->absent[j].dir;
    fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "open(2)", errno,
                       "cannot open '%s', above a denied path", dir);
    return fd;
}

static int allocate(struct broker *b, const struct broker_config *c,
                    struct err *e)
{
    size_t bytes = 0, names = 0;

    for (size_t i = 0; i < c->nabsent; i++) {
        bytes += strlen(c->absent[i].rest) + 1;
        names += count_parts(c->absent[i].rest);
    }
    b->absent = calloc(c->nabsent + 1, sizeof(*b->absent));
    /* Twice: by path, and all of them sorted. */
    b->name = calloc(2 * names + 1, sizeof(*b->name));
    b->text = malloc(bytes + 1);
    b->nnames = names;
    if (b->absent && b->name && b->text)
        return 0;
    err_sys(e, "malloc(3)", ENOMEM, "cannot keep the missing denied paths");
    return -1;
}

int absent_init(struct broker *b, const struct broker_config *c, struct err *e)
{
    const char **parts;
    char *text;

    if (allocate(b, c, e) < 0)
        return -1;
    parts = b->name + b->nnames;
    text = b->text;
    for (size_t i = 0; i < c->nabsent; i++) {
        struct absent *a = &b->absent[i];

        a->part = parts;
        a->nparts = count_parts(c->absent[i].rest);
        a->dir = open_dir(b, c, i, e);
        if (a->dir < 0)
            return -1;
        b->nabsent = i + 1;
        parts += a->nparts;
        if (cut(a, c->absent[i].rest, &text, e) < 0)
            return -1;
    }
    for (size_t i = 0; i < b->nnames; i++)
        b->name[i] = b->name[b->nnames + i];
    if (b->nnames)
        qsort(b->name, b->nnames, sizeof(*b->name), by_text);
    return 0;
}

void absent_fini(struct broker *b)
{
    for (size_t i = 0; i < b->nabsent; i++) {
        int fd = b->absent[i].dir;

        for (size_t j = i; j < b->nabsent; j++)
            if (b->absent[j].dir == fd)
                b->absent[j].dir = -1;
        drop_fd(&fd);
    }
    free(b->absent);
    free(b->name);
    free(b->text);
}

bool absent_has_name(const struct broker *b, const char *name)
{
    return b->nnames &&
           bsearch(&name, b->name, b->nnames, sizeof(*b->name), by_text);
}

static bool has_part(const struct absent *a, const char *name)
{
    for (size_t i = 0; i < a->nparts; i++)
        if (strcmp(a->part[i], name) == 0)
            return true;
    return false;
}

static bool is_same(int fd, const struct stat *want)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_dev == want->st_dev &&
           st.st_ino == want->st_ino;
}

/* Where along one denied path the name stands, if anywhere. */
static enum verdict verdict_of(const struct absent *a,
                               const struct stat *parent, const char *name)
{
    scoped(drop_fd) int cur = fcntl(a->dir, F_DUPFD_CLOEXEC, 0);

    for (size_t i = 0; i < a->nparts && cur >= 0; i++) {
        bool is_last = i + 1 == a->nparts;
        int next;

        if (strcmp(a->part[i], name) == 0 && is_same(cur, parent))
            return is_last ? DENIED : ON_THE_WAY;
        if (is_last)
            return FREE;
        next = openat(cur, a->part[i],
                      O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
        if (next < 0 && (errno == ENOENT || errno == ENOTDIR))
            return FREE;
        drop_fd(&cur);
        cur = next;
    }
    /* The chain could not be read to its end (no descriptor left, or a
     * directory on it made unsearchable): it may lead to the parent. */
    return DENIED;
}

enum verdict absent_verdict(const struct broker *b, int parent,
                            const char *name)
{
    enum verdict worst = FREE;
    struct stat st;

    if (!absent_has_name(b, name))
        return FREE;
    if (fstat(parent, &st) < 0)
        return DENIED;
    for (size_t i = 0; i < b->nabsent && worst != DENIED; i++) {
        enum verdict v = FREE;

        if (has_part(&b->absent[i], name))
            v = verdict_of(&b->absent[i], &st, name);
        if (v > worst)
            worst = v;
    }
    return worst;
}
