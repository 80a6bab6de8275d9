/* tree.c - see tree.h. */
#include "unpack/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DIR_FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

void tree_note(struct tree *t, enum unpack_note_kind kind, const char *path)
{
    struct unpack_note *n = &t->report->note[kind];

    if (n->count++ == 0)
        (void)snprintf(n->first, sizeof(n->first), "%s", path);
}

/* One component onto out[at]; its new length, or 0 for why. */
static size_t add_component(char *out, size_t at, const char *from, size_t len,
                            const char **why)
{
    if (len == 2 && from[0] == '.' && from[1] == '.')
        *why = "leads out of the "; /* of what it is */
    else if (len > 255 || at + len + 2 > TREE_PATH)
        *why = "is too long";
    if (*why)
        return 0;
    if (at)
        out[at++] = '/';
    memcpy(out + at, from, len);
    out[at + len] = '\0';
    return at + len;
}

int tree_name(const struct tree *t, const char *raw, char out[TREE_PATH],
              struct err *e)
{
    const char *why = raw[0] == '/' ? "begins with '/'" : NULL;
    size_t at = 0, depth = 0;

    out[0] = '\0';
    for (const char *p = raw; *p && !why;) {
        size_t len = strcspn(p, "/");

        if (len > 0 && !(len == 1 && p[0] == '.')) {
            at = add_component(out, at, p, len, &why);
            if (++depth > TREE_DEPTH)
                why = "is too deep";
        }
        p += len + (p[len] == '/');
    }
    if (!why)
        return 0;
    err_set(e, ERR_POLICY_VALIDATION, "the entry '%.200s' %s%s", raw, why,
            why[strlen(why) - 1] == ' ' ? t->what : "");
    return t->hint ? err_hint(e, "%s", t->hint) : -1;
}

static int too_much(const struct tree *t, const char *of, uint64_t most,
                    struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION, "the %s has more than %llu %s", t->what,
            (unsigned long long)most, of);
    return t->more ? err_hint(e, "%s", t->more) : -1;
}

static int count_entry(struct tree *t, struct err *e)
{
    if (t->report->entries >= t->max_entries)
        return too_much(t, "entries", t->max_entries, e);
    t->report->entries++;
    return 0;
}

int tree_count(struct tree *t, const struct entry *n, struct err *e)
{
    struct unpack_report *r = t->report;
    uint64_t size = n->size > 0 ? (uint64_t)n->size : 0;

    /* A hole counts as what it would be when it is read. */
    if (size > t->max_bytes || r->bytes > t->max_bytes - size)
        return too_much(t, "bytes", t->max_bytes, e);
    r->bytes += size;
    return count_entry(t, e);
}

static int step_failed(const struct tree *t, const char *path, struct err *e)
{
    if (errno != ENOTDIR && errno != ELOOP)
        return err_sys(e, "openat(2)", errno,
                       "cannot enter the directory of "
                       "'%.200s'",
                       path);
    return err_set(e, ERR_POLICY_VALIDATION,
                   "the entry '%.200s' goes through what is no directory of "
                   "the %s",
                   path, t->what);
}

/* One that no entry has named, but counts as one: a name may lead through a
 * hundred. */
static int make_way(struct tree *t, int at, const char *name, const char *path,
                    struct err *e)
{
    if (count_entry(t, e) < 0)
        return -1;
    return mkdirat(at, name, 0755) < 0
               ? err_sys(e, "mkdirat(2)", errno,
                         "cannot make a directory for '%.200s'", path)
               : 0;
}

/* The directory `len` bytes of path deep, as a descriptor of its own; what is
 * missing on the way is made. */
static int descend(struct tree *t, const char *path, size_t len, struct err *e)
{
    scoped(drop_fd) int at = openat(t->root, ".", DIR_FLAGS);

    for (const char *p = path; p < path + len && at >= 0;) {
        char name[256];
        size_t n = strcspn(p, "/");
        int next;

        (void)snprintf(name, sizeof(name), "%.*s", (int)n, p);
        next = openat(at, name, DIR_FLAGS);
        if (next < 0 && errno == ENOENT) {
            if (make_way(t, at, name, path, e) < 0)
                return -1;
            next = openat(at, name, DIR_FLAGS);
        }
        if (next < 0)
            return step_failed(t, path, e);
        (void)close(at);
        at = next;
        p += n + 1;
    }
    if (at < 0)
        return step_failed(t, path, e);
    return take_fd(&at);
}

/* Where the last component begins. */
static const char *last_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Make t->dir the directory of this entry: most are in the same as the one
 * before. */
static int hold_parent(struct tree *t, const char *path, struct err *e)
{
    size_t len = (size_t)(last_of(path) - path);

    if (len)
        len--; /* the slash */
    if (t->dir >= 0 && strncmp(t->dir_path, path, len) == 0 &&
        t->dir_path[len] == '\0')
        return 0;
    drop_fd(&t->dir);
    t->dir = descend(t, path, len, e);
    if (t->dir < 0)
        return -1;
    (void)snprintf(t->dir_path, sizeof(t->dir_path), "%.*s", (int)len, path);
    return 0;
}

/* A device, a pipe or a socket. */
static bool is_special(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode);
}

/* A later entry of the same name takes the place of the earlier one. */
static int make_room(struct tree *t, const char *path, struct err *e)
{
    if (!*path)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "the %s's root is no directory", t->what);
    if (hold_parent(t, path, e) < 0)
        return -1;
    if (t->keeps_dirs && is_special(t->dir, last_of(path)))
        return err_set(e, ERR_POLICY_VALIDATION,
                       "'%.200s' is there, and is no file", path);
    if (unlinkat(t->dir, last_of(path), 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return err_sys(e, "unlinkat(2)", errno, "cannot make '%.200s'", path);
    return err_set(e, ERR_POLICY_VALIDATION,
                   "the entry '%.200s' is a directory and something else too",
                   path);
}

/* What its owner may not do, root of a container could do by capability; ours
 * has none, and the store must be able to read and to remove all. */
static mode_t kept_mode(struct tree *t, const struct entry *n, mode_t least)
{
    if (n->mode & (S_ISUID | S_ISGID))
        tree_note(t, NOTE_SETUID, n->path);
    return (n->mode & 01777) | least;
}

/* What is there may be somebody's, and is not the archive's to remove for what
 * is no newer one of it (cp(1)). */
static int make_room_for_dir(struct tree *t, const char *path, struct err *e)
{
    if (!t->keeps_dirs)
        return make_room(t, path, e);
    return err_set(e, ERR_POLICY_VALIDATION,
                   "'%.200s' is there, and is no directory", path);
}

int tree_dir(struct tree *t, const struct entry *n, struct err *e)
{
    scoped(drop_fd) int fd = -1;
    struct stat st;
    const char *name = *n->path ? last_of(n->path) : ".";
    bool is_there = !*n->path;
    int at = t->root;

    if (*n->path) {
        if (hold_parent(t, n->path, e) < 0)
            return -1;
        at = t->dir;
        if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            !S_ISDIR(st.st_mode) && make_room_for_dir(t, n->path, e) < 0)
            return -1;
        is_there = mkdirat(at, name, 0700) < 0;
        if (is_there && errno != EEXIST)
            return err_sys(e, "mkdirat(2)", errno, "cannot make '%.200s'",
                           n->path);
    }
    if (is_there && t->keeps_dirs)
        return 0;
    fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return step_failed(t, n->path, e);
    if (fchmod(fd, kept_mode(t, n, 0700)) < 0)
        return err_sys(e, "fchmod(2)", errno, "cannot set the mode of '%.200s'",
                       n->path);
    return 0;
}

static size_t components(const char *path)
{
    size_t n = *path != '\0';

    for (; *path; path++)
        n += *path == '/';
    return n;
}

/* May it lead out?  Each ".." at its beginning leaves a directory of the tree,
 * which is a real one; what follows without any stays below, through whatever
 * other links of the tree, since for these the same holds. */
static bool leads_out(const struct tree *t, const char *path,
                      const char *target)
{
    const size_t above = components(path);
    size_t up = t->depth + 1;
    bool is_down = false;

    if (target[0] == '/' || up > above)
        return true;
    for (const char *p = target; *p;) {
        size_t len = strcspn(p, "/");
        bool is_up = len == 2 && p[0] == '.' && p[1] == '.';

        if (is_up && (is_down || ++up > above))
            return true;
        is_down = is_down || (!is_up && len > 0 && !(len == 1 && p[0] == '.'));
        p += len + (p[len] == '/');
    }
    return false;
}

int tree_symlink(struct tree *t, const char *path, const char *target,
                 struct err *e)
{
    if (t->keeps_inside && leads_out(t, path, target)) {
        tree_note(t, NOTE_LINK, path);
        return 0;
    }
    if (make_room(t, path, e) < 0)
        return -1;
    if (symlinkat(target, t->dir, last_of(path)) < 0)
        return err_sys(e, "symlinkat(2)", errno, "cannot make '%.200s'", path);
    return 0;
}

int tree_link(struct tree *t, const char *path, const char *target,
              struct err *e)
{
    size_t len = (size_t)(last_of(target) - target);
    scoped(drop_fd) int from = -1;

    if (!*target || strcmp(path, target) == 0)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "the entry '%.200s' is a link to itself or to the root",
                       path);
    from = descend(t, target, len ? len - 1 : 0, e);
    if (from < 0 || make_room(t, path, e) < 0)
        return -1;
    if (linkat(from, last_of(target), t->dir, last_of(path), 0) == 0)
        return 0;
    if (errno == ENOENT || errno == EPERM)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "the entry '%.200s' links to '%.200s', which is no "
                       "file of the %s",
                       path, target, t->what);
    err_sys(e, "linkat(2)", errno, "cannot make '%.200s'", path);
    /* Landlock before its second version (Linux 5.19). */
    if (e->sys == EXDEV)
        return err_hint(e, "this kernel's Landlock refuses links between "
                           "directories; import a directory with copies");
    return -1;
}

int tree_file(struct tree *t, const char *path, int *fd, struct err *e)
{
    if (make_room(t, path, e) < 0)
        return -1;
    *fd = openat(t->dir, last_of(path),
                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (*fd < 0)
        return err_sys(e, "openat(2)", errno, "cannot make '%.200s'", path);
    return 0;
}

int tree_write(int fd, const struct entry *n, const void *data, size_t len,
               int64_t at, struct err *e)
{
    const char *p = data;

    if (at < 0 || n->size < at || (uint64_t)(n->size - at) < len)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "the entry '%.200s' is longer than it says", n->path);
    while (len) {
        ssize_t w = pwrite(fd, p, len, at);

        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return err_sys(e, "pwrite(2)", errno, "cannot write '%.200s'",
                           n->path);
        p += w;
        len -= (size_t)w;
        at += w;
    }
    return 0;
}

int tree_finish(struct tree *t, const struct entry *n, int *fd, struct err *e)
{
    const struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, n->mtime };

    /* A hole at the end was not written. */
    if (ftruncate(*fd, n->size) < 0)
        return err_sys(e, "ftruncate(2)", errno, "cannot write '%.200s'",
                       n->path);
    /* Programs compare times of files, as Python does with what it compiled.
     */
    if (futimens(*fd, times) < 0)
        return err_sys(e, "futimens(3)", errno,
                       "cannot set the time of "
                       "'%.200s'",
                       n->path);
    if (fchmod(*fd, kept_mode(t, n, 0400)) < 0)
        return err_sys(e, "fchmod(2)", errno, "cannot set the mode of '%.200s'",
                       n->path);
    drop_fd(fd);
    return 0;
}
