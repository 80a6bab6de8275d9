/* hostlinks.c - which symlinks a path leads through.
 *
 * By names and not by descriptors: what is found is only kept where it is, not
 * trusted.  The object behind the path is looked at on its own. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/hostpath.h"

enum { MOST_LINKS = 40, LONGEST = 4096 };

struct trail {
    char done[LONGEST]; /* canonical so far, "" is the root */
    char rest[LONGEST]; /* what is still to be walked */
    struct hostlink link[MOST_LINKS];
    size_t n;
};

/* Cut the first component off the rest; false at its end. */
static bool next_part(struct trail *t, char part[LONGEST])
{
    const char *at = t->rest + strspn(t->rest, "/");
    size_t n = strcspn(at, "/");

    memcpy(part, at, n);
    part[n] = '\0';
    at += n;
    memmove(t->rest, at, strlen(at) + 1);
    return n > 0;
}

static void step_up(struct trail *t)
{
    char *slash = strrchr(t->done, '/');

    if (slash)
        *slash = '\0';
}

/* Go where the link at the end of `done` points. */
static int follow(struct trail *t, struct arena *a, const struct stat *st,
                  const char *text)
{
    const char *path = arena_strdup(a, t->done);
    const char *rest = arena_printf(a, "%s/%s", text, t->rest);

    if (!path || !rest || strlen(rest) >= LONGEST || t->n == MOST_LINKS)
        return -1;
    t->link[t->n++] =
        (struct hostlink){ path, (uint64_t)st->st_dev, (uint64_t)st->st_ino };
    memcpy(t->rest, rest, strlen(rest) + 1);
    if (text[0] == '/')
        t->done[0] = '\0';
    else
        step_up(t);
    return 0;
}

/* 1: go on; 0: nothing more can be seen there; -1: it cannot be said. */
static int step_down(struct trail *t, struct arena *a, const char *part)
{
    size_t len = strlen(t->done), n = strlen(part);
    char text[LONGEST];
    struct stat st;
    ssize_t got;

    if (len + n + 2 > LONGEST)
        return -1;
    t->done[len] = '/';
    memcpy(t->done + len + 1, part, n + 1);
    if (lstat(t->done, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -1;
    if (!S_ISLNK(st.st_mode))
        return 1;
    got = readlink(t->done, text, sizeof(text) - 1);
    if (got <= 0)
        return -1;
    text[got] = '\0';
    return follow(t, a, &st, text) < 0 ? -1 : 1;
}

int hostpath_links(struct arena *a, const char *path, struct hostlink **out,
                   size_t *n, struct err *e)
{
    struct trail *t = arena_alloc(a, sizeof(*t));
    char part[LONGEST];
    int r = strlen(path) < LONGEST ? 1 : -1;

    if (!t)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    t->n = 0;
    t->done[0] = t->rest[0] = '\0';
    if (r > 0)
        memcpy(t->rest, path, strlen(path) + 1);
    while (r > 0 && next_part(t, part)) {
        if (strcmp(part, "..") == 0)
            step_up(t);
        else if (strcmp(part, ".") != 0)
            r = step_down(t, a, part);
    }
    if (r < 0)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "cannot follow the symlinks of '%s'", path);
    *out = t->link;
    *n = t->n;
    return 0;
}
