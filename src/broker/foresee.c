/* foresee.c - what the kernel will say to a path of a call that it has yet to
 * carry out, and what the path leads to.
 *
 * Asked as the caller would: in the same view, as the same user, in the same
 * Landlock domain, by faccessat2(2) and O_PATH, which open nothing. */
#include "broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/compat.h"

/* "" is the descriptor itself. */
static int look(int base, const char *path, int mode, int flags)
{
    if (!path[0])
        flags |= AT_EMPTY_PATH;
    return syscall(__NR_faccessat2, base, path, mode, AT_EACCESS | flags) < 0
               ? errno
               : 0;
}

/* Where the last component of a path begins, and its length without slashes
 * behind it; 0 for "/". */
static size_t last_of(const char *path, size_t *len)
{
    size_t end = strlen(path), at;

    while (end > 0 && path[end - 1] == '/')
        end--;
    at = end;
    while (at > 0 && path[at - 1] != '/')
        at--;
    *len = end - at;
    return at;
}

/* The directory above a path, as a path. */
static void above_of(const char *path, char out[PATH_MAX])
{
    size_t len, n = last_of(path, &len);

    if (n == 0 && path[0] != '/') {
        memcpy(out, ".", 2);
        return;
    }
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n == 0)
        n = 1; /* "/" */
    memcpy(out, path, n);
    out[n] = '\0';
}

/* Whether a name can be made, or taken away, in the directory above it. */
static int look_above(int base, const char *path)
{
    char above[PATH_MAX];

    above_of(path, above);
    return look(base, above, W_OK | X_OK, 0);
}

static int look_open(int base, const char *path, int flags, enum watch_op *op)
{
    const int how = flags & O_ACCMODE;
    int mode = how == O_RDONLY ? R_OK : how == O_WRONLY ? W_OK : R_OK | W_OK;
    int sys;

    if (flags & O_PATH)
        return look(base, path, F_OK,
                    flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0);
    if (flags & O_TRUNC)
        mode |= W_OK;
    *op = mode & W_OK ? WATCH_WRITE : WATCH_READ;
    sys = look(base, path, mode, 0);
    if (sys == 0 && flags & O_CREAT && flags & O_EXCL)
        return EEXIST;
    if (sys != ENOENT || !(flags & O_CREAT))
        return sys;
    *op = WATCH_CREATE;
    return look_above(base, path);
}

static int look_make(int base, const char *path)
{
    const int sys = look(base, path, F_OK, AT_SYMLINK_NOFOLLOW);

    return sys == ENOENT ? look_above(base, path) : sys ? sys : EEXIST;
}

/* Where something is mounted nobody renames, replaces or removes it.  Before
 * Linux 5.8 it is not told. */
static bool is_mount(int base, const char *path)
{
    enum { AT_ATTRIBUTES = 1, MOUNT_ROOT = 0x2000 };
    uint64_t st[32] = { 0 }; /* struct statx: a mask, a block size, this */

    return syscall(SYS_statx, base, path, AT_SYMLINK_NOFOLLOW, 0, st) == 0 &&
           st[AT_ATTRIBUTES] & MOUNT_ROOT;
}

static int look_put(int base, const char *path)
{
    const int sys = look_above(base, path);

    return sys == 0 && is_mount(base, path) ? EBUSY : sys;
}

static int look_remove(int base, const char *path)
{
    const int sys = look(base, path, F_OK, AT_SYMLINK_NOFOLLOW);

    return sys ? sys : look_put(base, path);
}

/* Its mount, and not whether one may write to it: its owner may set its mode,
 * and of a pipe faccessat(2) says nothing. */
static bool is_read_only(int base, const char *path, int flags)
{
    scoped(drop_fd) int fd =
        path[0] ? sight_hold(base, path,
                             flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0)
                : -1;
    struct statvfs s;

    return fstatvfs(path[0] ? fd : base, &s) == 0 && s.f_flag & ST_RDONLY;
}

/* Of what a link itself has nothing is told: who hears of it would look at
 * where it leads. */
static int look_attribute(int base, const char *path, int flags)
{
    const int sys = look(base, path, F_OK, flags);
    struct stat st;

    if (flags & AT_SYMLINK_NOFOLLOW && fstatat(base, path, &st, flags) == 0 &&
        S_ISLNK(st.st_mode))
        return sys;
    return sys == 0 && is_read_only(base, path, flags) ? EROFS : sys;
}

/* The user namespace of a sandbox has one user and one group; -1 is neither. */
static int look_owner(struct sight *s, int flags)
{
    const uint32_t own[2] = { geteuid(), getegid() };
    const int sys = look_attribute(s->base, s->path, flags);
    bool is_own = true;

    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        is_own = is_own && (s->owner[i] == own[i] || s->owner[i] == UINT32_MAX);
    if (sys || is_own)
        return sys;
    s->op = WATCH_OWNER;
    return EINVAL;
}

/* Of a device: Landlock refuses it, where the mount does not before. */
static int look_node(struct sight *s)
{
    const mode_t type = (mode_t)s->flags & S_IFMT;
    const int sys = look_make(s->base, s->path);

    if (sys || (type != S_IFCHR && type != S_IFBLK))
        return sys;
    s->op = WATCH_NODE;
    return EACCES;
}

static int look_access(int base, const char *path, int mode, enum watch_op *op)
{
    const int sys = look(base, path, mode & (R_OK | W_OK | X_OK), 0);

    /* It asks, and does nothing; but what it is told of is the writing. */
    if (sys && mode & W_OK)
        *op = WATCH_WRITE;
    return sys;
}

/* 0: it is not known (Linux 5.8). */
static uint64_t mount_of(int base, const char *path)
{
    enum { MNT_ID = 0x1000, AT_MNT_ID = 18 };
    uint64_t st[32] = { 0 }; /* as above */

    return syscall(SYS_statx, base, path, AT_SYMLINK_NOFOLLOW, MNT_ID, st) == 0
               ? st[AT_MNT_ID]
               : 0;
}

bool sights_are_apart(const struct sight *old, const struct sight *made)
{
    char above[PATH_MAX];
    uint64_t from, to;

    above_of(made->path, above);
    to = mount_of(made->base, above);
    /* What is linked need not be renamed: it may be a mount itself. */
    if (old->how == HOW_LINK) {
        from = mount_of(old->base, old->path);
    } else {
        above_of(old->path, above);
        from = mount_of(old->base, above);
    }
    return from != to && from && to;
}

int foresee(struct sight *s)
{
    static const enum watch_op ops[] = {
        [HOW_CREAT] = WATCH_WRITE,     [HOW_WRITE] = WATCH_WRITE,
        [HOW_MAKE] = WATCH_CREATE,     [HOW_PUT] = WATCH_CREATE,
        [HOW_REMOVE] = WATCH_DELETE,   [HOW_EXEC] = WATCH_EXEC,
        [HOW_ATTRIBUTE] = WATCH_WRITE, [HOW_LINK_ATTRIBUTE] = WATCH_WRITE,
        [HOW_OWNER] = WATCH_WRITE,     [HOW_LINK_OWNER] = WATCH_WRITE,
        [HOW_NODE] = WATCH_CREATE,     [HOW_BIND] = WATCH_CREATE,
        [HOW_CONNECT] = WATCH_CONNECT,
    };

    s->op = (size_t)s->how < ARRAY_LEN(ops) && ops[s->how] ? ops[s->how]
                                                           : WATCH_LOOK;
    switch (s->how) {
    case HOW_LINK:
        return look(s->base, s->path, F_OK, AT_SYMLINK_NOFOLLOW);
    case HOW_STAT:
        return look(s->base, s->path, F_OK, s->flags & AT_SYMLINK_NOFOLLOW);
    case HOW_ACCESS:
        return look_access(s->base, s->path, s->flags, &s->op);
    case HOW_OPEN:
        return look_open(s->base, s->path, s->flags, &s->op);
    case HOW_CREAT:
        return look_open(s->base, s->path, O_CREAT | O_WRONLY | O_TRUNC,
                         &s->op);
    case HOW_WRITE:
    case HOW_CONNECT:
        return look(s->base, s->path, W_OK, 0);
    case HOW_MAKE:
    case HOW_BIND:
        return look_make(s->base, s->path);
    case HOW_NODE:
        return look_node(s);
    case HOW_PUT:
        return look_put(s->base, s->path);
    case HOW_REMOVE:
        return look_remove(s->base, s->path);
    case HOW_ATTRIBUTE:
        return look_attribute(s->base, s->path, s->flags & AT_SYMLINK_NOFOLLOW);
    case HOW_LINK_ATTRIBUTE:
        return look_attribute(s->base, s->path, AT_SYMLINK_NOFOLLOW);
    case HOW_OWNER:
        return look_owner(s, s->flags & AT_SYMLINK_NOFOLLOW);
    case HOW_LINK_OWNER:
        return look_owner(s, AT_SYMLINK_NOFOLLOW);
    case HOW_EXEC:
    case HOW_ENTER:
        return look(s->base, s->path, X_OK, 0);
    case HOW_LOOK:
    default:
        return look(s->base, s->path, F_OK, 0);
    }
}

/* --- names -----------------------------------------------------------------
 */

/* Of an O_PATH descriptor, from the root. */
static bool name_of(int fd, char out[PATH_MAX])
{
    char self[32];
    ssize_t n;

    proc_self_fd(fd, self);
    n = readlink(self, out, PATH_MAX - 1);
    if (n < 0)
        return false;
    if (n == 0 || out[0] != '/') {
        errno = EINVAL; /* a pipe, or the like: it has none */
        return false;
    }
    out[n] = '\0';
    return true;
}

static bool is_dots(const char *at, size_t part)
{
    return part == 2 && at[0] == '.' && at[1] == '.';
}

/* By its text, without "//", "." and "..", from the root or `base`. */
static bool name_in(int base, const char *path, size_t n, char out[PATH_MAX])
{
    char text[2 * PATH_MAX];
    size_t head = 0, len = 0;

    if (base >= 0) {
        if (!name_of(base, text))
            return false;
        head = strlen(text);
        text[head++] = '/';
    }
    memcpy(text + head, path, n);
    text[head + n] = '\0';
    for (const char *at = text; *at;) {
        const size_t part = strcspn(at, "/");

        if (is_dots(at, part)) {
            while (len > 0 && out[--len] != '/')
                continue;
        } else if (part > 0 && !(part == 1 && at[0] == '.')) {
            if (len + part + 2 > PATH_MAX)
                return false;
            out[len++] = '/';
            memcpy(out + len, at, part);
            len += part;
        }
        at += part;
        while (*at == '/')
            at++;
    }
    if (len == 0)
        out[len++] = '/';
    out[len] = '\0';
    return true;
}

/* Not behind a link of /proc: there it would be ours. */
int sight_hold(int base, const char *path, int flags)
{
    struct mxc_open_how how = {
        .flags = (uint64_t)(O_PATH | O_CLOEXEC | flags),
        .resolve = MXC_RESOLVE_NO_MAGICLINKS,
    };

    return (int)syscall(__NR_openat2, base, path, &how, sizeof(how));
}

/* What stands behind the last ".." of a path; NULL: it has none. */
static const char *behind_dots(const char *path)
{
    const char *found = NULL;

    for (const char *at = path; *at; at += strspn(at, "/")) {
        const size_t part = strcspn(at, "/");

        if (is_dots(at, part))
            found = at + part;
        at += part;
    }
    return found;
}

/* What comes before the first "..". */
static size_t before_dots(const char *path)
{
    size_t n = 0;

    while (path[n] && !is_dots(path + n, strcspn(path + n, "/"))) {
        n += strcspn(path + n, "/");
        n += strspn(path + n, "/");
    }
    return n;
}

/* The directory that one has by that name; -1. */
static int step(int dir, const char *at, size_t part)
{
    char name[NAME_MAX + 1];

    if (part > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, at, part);
    name[part] = '\0';
    return sight_hold(dir, name, O_DIRECTORY);
}

/* ".." is of the directory that a link before it leads to, which the text does
 * not tell.  Where the way ends before it, what is refused is the directory
 * that it would be of. */
static bool name_by_steps(const struct sight *s, const char *rest,
                          char out[PATH_MAX], bool *is_on_way)
{
    const char *at = s->path + strspn(s->path, "/"), *last = at;
    scoped(drop_fd) int before = -1;
    scoped(drop_fd) int dir = s->path[0] == '/'
                                  ? sight_hold(-1, "/", O_DIRECTORY)
                                  : fcntl(s->base, F_DUPFD_CLOEXEC, 0);

    while (dir >= 0 && at < rest) {
        const size_t part = strcspn(at, "/");
        const int next = step(dir, at, part);

        if (next < 0) {
            *is_on_way = errno == ENOENT || errno == EACCES;
            /* One that may not be searched may have no name that is its own. */
            return *is_on_way &&
                   (is_dots(at, part) && before >= 0
                        ? name_in(before, last, strcspn(last, "/"), out)
                        : name_in(dir, at, before_dots(at), out));
        }
        drop_fd(&before);
        before = take_fd(&dir);
        dir = next;
        last = at;
        at += part;
        at += strspn(at, "/");
    }
    return dir >= 0 && name_in(dir, rest, strlen(rest), out);
}

bool sight_name(const struct sight *s, char out[PATH_MAX], bool *is_on_way)
{
    const char *rest = behind_dots(s->path);

    *is_on_way = false;
    return rest ? name_by_steps(s, rest, out, is_on_way)
                : name_in(s->path[0] == '/' ? -1 : s->base, s->path,
                          strlen(s->path), out);
}

/* The name in the directory that it is in; *link is the text of the link that
 * is there, or "".  -1 and errno. */
static int hold_above(int base, const char *path, char out[PATH_MAX],
                      char link[PATH_MAX])
{
    scoped(drop_fd) int dir = -1;
    char last[NAME_MAX + 1];
    ssize_t linked;
    size_t len, n, at = last_of(path, &len);

    errno = EINVAL;
    if (len == 0 || len > NAME_MAX)
        return -1;
    memcpy(last, path + at, len);
    last[len] = '\0';
    if (strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
        return -1;
    above_of(path, out);
    dir = sight_hold(base, out, O_DIRECTORY);
    if (dir < 0 || !name_of(dir, out))
        return -1;
    n = strlen(out);
    if (n + 1 + len >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (n > 1)
        out[n++] = '/';
    memcpy(out + n, last, len + 1);
    linked = readlinkat(dir, last, link, PATH_MAX - 1);
    link[linked > 0 ? linked : 0] = '\0';
    return take_fd(&dir);
}

/* A file that is made where a link leads that leads to none yet. */
static bool resolve_new(const struct sight *s, char out[PATH_MAX])
{
    const bool follows = s->how == HOW_OPEN || s->how == HOW_CREAT;
    scoped(drop_fd) int dir = -1;
    char path[PATH_MAX], link[PATH_MAX];

    memcpy(path, s->path, strlen(s->path) + 1);
    for (int i = 0; i < MAX_LINKS; i++) {
        int next = hold_above(dir >= 0 ? dir : s->base, path, out, link);

        if (next < 0)
            return false;
        drop_fd(&dir);
        dir = next;
        if (!follows || !link[0])
            return true;
        memcpy(path, link, strlen(link) + 1);
    }
    errno = ELOOP;
    return false;
}

bool sight_resolve(const struct sight *s, char out[PATH_MAX])
{
    scoped(drop_fd) int fd = -1;
    bool is_link_refused = false;
    struct stat st;
    int flags = 0;

    if (s->op == WATCH_CREATE || s->op == WATCH_DELETE)
        return resolve_new(s, out);
    if (!s->path[0])
        return name_of(s->base, out);
    if (s->how == HOW_LINK || s->how == HOW_LINK_ATTRIBUTE ||
        s->how == HOW_LINK_OWNER ||
        ((s->how == HOW_STAT || s->how == HOW_ATTRIBUTE ||
          s->how == HOW_OWNER) &&
         s->flags & AT_SYMLINK_NOFOLLOW))
        flags = O_NOFOLLOW;
    if (s->how == HOW_OPEN) {
        flags = s->flags & (O_NOFOLLOW | O_DIRECTORY);
        is_link_refused = flags & O_NOFOLLOW && !(s->flags & O_PATH);
    }
    fd = sight_hold(s->base, s->path, flags);
    if (fd < 0)
        return false;
    if (is_link_refused && (fstat(fd, &st) < 0 || S_ISLNK(st.st_mode))) {
        errno = EINVAL;
        return false;
    }
    return name_of(fd, out);
}
