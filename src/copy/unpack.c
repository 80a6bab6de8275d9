/* unpack.c - from a tar stream on standard input to files.
 *
 * Outside of a sandbox the stream is the workload's word: tree.c holds to what
 * is below the target, and the walls hold if this does not. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "copy/copy.h"
#include "copy/tar.h"

/* What may follow the end of an archive: tar(1) fills its last block up. */
enum { ROOM = 64 * 1024, MOST_AFTER_END = 1 << 20 };

struct stream {
    struct tar_entry entry;
    char room[ROOM];
    size_t at, len;
    bool has_ended;
    char top[256]; /* the first name of all, where there may be one */
};

/* --- bytes -----------------------------------------------------------------
 */

/* Some bytes, at most `most`: how many, 0 at the end, -1. */
static ssize_t some(struct stream *s, const char **data, size_t most,
                    struct err *e)
{
    size_t n;

    while (s->at == s->len && !s->has_ended) {
        ssize_t got = read(STDIN_FILENO, s->room, sizeof(s->room));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(e, "read(2)", errno, "cannot read the archive");
        s->has_ended = got == 0;
        s->at = 0;
        s->len = (size_t)got;
    }
    n = s->len - s->at;
    if (n > most)
        n = most;
    *data = s->room + s->at;
    s->at += n;
    return (ssize_t)n;
}

static int too_soon(struct err *e)
{
    err_set(e, ERR_BACKEND_ERROR, "the archive ends too soon");
    /* Told apart by whoever knows why. */
    e->sys = ENODATA;
    return -1;
}

/* Exactly so many. */
static int take(struct stream *s, void *out, size_t len, struct err *e)
{
    char *to = out;

    while (len > 0) {
        const char *data;
        ssize_t n = some(s, &data, len, e);

        if (n <= 0)
            return n < 0 ? -1 : too_soon(e);
        memcpy(to, data, (size_t)n);
        to += n;
        len -= (size_t)n;
    }
    return 0;
}

static int skip(struct stream *s, int64_t len, struct err *e)
{
    while (len > 0) {
        const char *data;
        ssize_t n = some(s, &data, len < ROOM ? (size_t)len : ROOM, e);

        if (n <= 0)
            return n < 0 ? -1 : too_soon(e);
        len -= n;
    }
    return 0;
}

/* --- entries ---------------------------------------------------------------
 */

static int broken(const char *why, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION, "this is no tar archive: %s", why);
    return err_hint(e, "a plain one, not compressed, as `tar -cf -` makes it");
}

static int take_extra(struct stream *s, enum tar_kind kind, struct err *e)
{
    const size_t len = (size_t)s->entry.extra;
    char *text = malloc(len + 1);
    const char *why;
    int r;

    if (!text)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    r = take(s, text, len, e);
    if (r == 0) {
        why = tar_extra(&s->entry, kind, text, len);
        r = why ? broken(why, e)
                : skip(s, (int64_t)tar_padding((int64_t)len), e);
    }
    free(text);
    return r;
}

/* The next entry that is one, or the end. */
static int next(struct stream *s, struct err *e)
{
    unsigned char block[TAR_BLOCK];
    const char *why;

    tar_reset(&s->entry);
    for (;;) {
        if (take(s, block, sizeof(block), e) < 0)
            return -1;
        why = tar_decode(&s->entry, block);
        if (why)
            return broken(why, e);
        if (s->entry.kind == TAR_IGNORED) {
            if (skip(s, s->entry.extra + (int64_t)tar_padding(s->entry.extra),
                     e) < 0)
                return -1;
        } else if (s->entry.kind == TAR_PAX || s->entry.kind == TAR_LONG_NAME ||
                   s->entry.kind == TAR_LONG_LINK) {
            if (take_extra(s, s->entry.kind, e) < 0)
                return -1;
        } else {
            return 0;
        }
    }
}

static int several(const char *first, const char *other, struct err *e)
{
    return err_set(e, ERR_POLICY_VALIDATION,
                   "the archive has more than one thing: '%.100s', '%.100s'",
                   first, other);
}

/* The name that an entry gets: below `name`, if there is one, without the
 * first of its own. */
static int name_entry(struct stream *s, const struct tree *t, const char *name,
                      const char *raw, char out[TREE_PATH], struct err *e)
{
    char own[TREE_PATH];
    size_t first;

    if (!name)
        return tree_name(t, raw, out, e);
    if (tree_name(t, raw, own, e) < 0)
        return -1;
    first = strcspn(own, "/");
    if (!s->top[0] && first < sizeof(s->top))
        memcpy(s->top, own, first);
    if (first == 0 || strlen(s->top) != first ||
        memcmp(s->top, own, first) != 0)
        return several(s->top, raw, e);
    if (strlen(name) + strlen(own + first) >= TREE_PATH)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "the entry '%.200s' is too "
                       "long",
                       raw);
    (void)stpcpy(stpcpy(out, name), own + first);
    return 0;
}

static int put_file(struct tree *t, struct stream *s, const struct entry *n,
                    struct err *e)
{
    scoped(drop_fd) int fd = -1;

    if (tree_file(t, n->path, &fd, e) < 0)
        return -1;
    for (int64_t at = 0; at < n->size;) {
        const char *data;
        int64_t left = n->size - at;
        ssize_t got = some(s, &data, left < ROOM ? (size_t)left : ROOM, e);

        if (got <= 0)
            return got < 0 ? -1 : too_soon(e);
        if (tree_write(fd, n, data, (size_t)got, at, e) < 0)
            return -1;
        at += got;
    }
    if (tree_finish(t, n, &fd, e) < 0)
        return -1;
    return skip(s, (int64_t)tar_padding(n->size), e);
}

static int put_link(struct tree *t, struct stream *s, const char *name,
                    const char *path, struct err *e)
{
    char target[TREE_PATH];

    /* Ours packs none, so it is somebody else's word. */
    if (t->keeps_inside)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "the entry '%.200s' is a second name of a file", path);
    if (name_entry(s, t, name, s->entry.link, target, e) < 0)
        return -1;
    return tree_link(t, path, target, e);
}

static int put_entry(struct tree *t, struct stream *s, const char *name,
                     struct err *e)
{
    char path[TREE_PATH];
    struct tar_entry *a = &s->entry;
    struct entry n = { .path = path,
                       .mode = (mode_t)a->mode,
                       .size = a->size,
                       .mtime = { .tv_sec = (time_t)a->mtime } };

    if (name_entry(s, t, name, a->name, path, e) < 0 ||
        tree_count(t, &n, e) < 0)
        return -1;
    switch ((int)a->kind) {
    case TAR_FILE:
        return put_file(t, s, &n, e);
    case TAR_DIR:
        return tree_dir(t, &n, e);
    case TAR_SYMLINK:
        return a->link[0]
                   ? tree_symlink(t, path, a->link, e)
                   : err_set(e, ERR_POLICY_VALIDATION,
                             "the entry '%.200s' is a link to nothing", path);
    case TAR_LINK:
        return put_link(t, s, name, path, e);
    default:
        tree_note(t, NOTE_DEVICE, path);
        return 0;
    }
}

/* Who writes shall see no broken pipe for what fills the last block up. */
static int drain(struct stream *s, struct err *e)
{
    size_t seen = 0;
    const char *data;
    ssize_t n;

    while ((n = some(s, &data, ROOM, e)) > 0 && seen < MOST_AFTER_END)
        seen += (size_t)n;
    return n < 0 ? -1 : 0;
}

static int unpack(struct tree *t, struct stream *s, const char *name,
                  struct err *e)
{
    int r;

    while ((r = next(s, e)) == 0 && s->entry.kind != TAR_END)
        if (put_entry(t, s, name, e) < 0)
            return -1;
    if (r < 0)
        return -1;
    if (!t->report->entries)
        return err_set(e, ERR_POLICY_VALIDATION, "the archive is empty");
    return drain(s, e);
}

int copy_unpack(struct tree *t, const char *name, struct err *e)
{
    struct stream *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    r = unpack(t, s, name, e);
    free(s);
    return r;
}
