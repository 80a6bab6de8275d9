/* open.c - open(2) with O_CREAT.
 *
 * The broker looks first (O_PATH, no side effect) and then either makes the
 * file with O_EXCL, or reopens exactly what it looked at, or follows a link
 * and looks again.  So a name is only ever made where the rule of absent.c
 * was asked, also through a dangling symlink.
 *
 * Nothing is opened that could block here: reopening uses O_NONBLOCK, and
 * what would wait is handed to a helper. */
#include "broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#ifndef PIPEFS_MAGIC
#define PIPEFS_MAGIC 0x50495045
#endif

/* The thing at the name is a link: look where it leads. */
enum { FOLLOW = 2 };

struct want {
    int flags;
    mode_t mode;
};

static int check_flags(int flags)
{
    if (!(flags & O_CREAT))
        return -ENOSYS;
    /* The kernel refuses the latter two since 6.4; before, openat(2) dropped
     * O_CREAT from the first as openat2(2) never did. */
    if (flags & (O_PATH | O_DIRECTORY))
        return -EINVAL;
    if ((flags & O_TMPFILE) & ~O_DIRECTORY)
        return -EINVAL;
    return 0;
}

static int give(const struct caller *c, int *fd, const struct want *w)
{
    return answer_fd(c, fd, w->flags & O_CLOEXEC);
}

static int create_at(struct caller *c, const struct place *p,
                     const struct want *w)
{
    scoped(drop_fd) int fd = -1;
    mode_t mask = 0, old;
    int r = caller_umask(c, &mask);

    if (r < 0)
        return r;
    if (!caller_waits(c))
        return -ESRCH;
    old = umask(mask);
    fd = openat(p->parent, p->name,
                w->flags | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, w->mode);
    r = fd < 0 ? -errno : 0;
    (void)umask(old);
    return r < 0 ? r : give(c, &fd, w);
}

/* A named pipe; an anonymous one never makes an opener wait (fifo(7)). */
static bool is_fifo(int fd, mode_t mode)
{
    struct statfs s;

    return S_ISFIFO(mode) && fstatfs(fd, &s) == 0 && s.f_type != PIPEFS_MAGIC;
}

static int open_later(struct caller *c, int object, const struct want *w)
{
    struct job j = { .kind = JOB_OPEN, .fd = object, .flags = w->flags };

    return helper_start(c, &j);
}

static int reopen_now(struct caller *c, int object, const struct want *w)
{
    const int settable = O_APPEND | O_DIRECT | O_NOATIME;
    int flags = w->flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW);
    scoped(drop_fd) int fd = -1;
    char self[32];

    proc_self_fd(object, self);
    fd = open(self, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags & settable) < 0)
        return -errno;
    return give(c, &fd, w);
}

static int reopen(struct caller *c, int object, const struct stat *st,
                  const struct want *w)
{
    bool fifo = is_fifo(object, st->st_mode);
    bool waits = !(w->flags & O_NONBLOCK);
    int r;

    if (w->flags & O_EXCL)
        return -EEXIST;
    if (S_ISDIR(st->st_mode))
        return -EISDIR;
    if (!caller_waits(c))
        return -ESRCH;
    /* A reader's O_NONBLOCK open succeeds without a writer, and would wake
     * one that waits, only to leave it alone. */
    if (fifo && waits && (w->flags & O_ACCMODE) == O_RDONLY)
        return open_later(c, object, w);
    r = reopen_now(c, object, w);
    /* EAGAIN: another process holds a lease (fcntl(2), F_SETLEASE). */
    if (waits && (r == -EAGAIN || (fifo && r == -ENXIO)))
        return open_later(c, object, w);
    return r;
}

static int open_object(struct caller *c, int object, const struct want *w)
{
    scoped(drop_fd) int tty = -1;
    struct stat st;

    if (fstat(object, &st) < 0)
        return -errno;
    /* /dev/tty is whoever opens it; here that would be the broker (tty(4)) */
    if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(5, 0)) {
        tty = caller_tty(c);
        return tty < 0 ? tty : reopen(c, tty, &st, w);
    }
    return reopen(c, object, &st, w);
}

static int make(struct caller *c, const struct place *p, const struct want *w)
{
    /* A directory on the way to a denied path is only made by mkdir(2). */
    return absent_verdict(c->b, p->parent, p->name) != FREE
               ? -EACCES
               : create_at(c, p, w);
}

static int open_link(struct caller *c, struct place *p, int link,
                     const struct want *w)
{
    int r;

    if (w->flags & O_EXCL)
        return -EEXIST;
    if (w->flags & O_NOFOLLOW)
        return -ELOOP;
    r = walk_link(c, p, link);
    return r < 0 ? r : FOLLOW;
}

static int open_name(struct caller *c, struct place *p, const struct want *w)
{
    scoped(drop_fd) int object = -1;
    struct stat st;

    if (p->slash || strcmp(p->name, ".") == 0 || strcmp(p->name, "..") == 0)
        return -EISDIR;
    if (absent_verdict(c->b, p->parent, p->name) == DENIED)
        return -EACCES;
    object = openat(p->parent, p->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (object < 0)
        return errno == ENOENT ? make(c, p, w) : -errno;
    if (fstat(object, &st) < 0)
        return -errno;
    return S_ISLNK(st.st_mode) ? open_link(c, p, object, w)
                               : open_object(c, object, w);
}

static int open_place(struct caller *c, struct place *p, const struct want *w)
{
    if (p->object < 0)
        return open_name(c, p, w);
    if (w->flags & O_NOFOLLOW)
        return -ELOOP;
    return open_object(c, p->object, w);
}

int do_open(struct caller *c, const uint64_t a[])
{
    /* Another thread or the host may remove and make the name as often as it
     * likes; a caller that loses that often is told that the file is there. */
    enum { TRIES = 64 };
    struct want w = { .flags = (int)a[2], .mode = (mode_t)a[3] };
    scoped(place_drop) struct place p = PLACE_NONE;
    scoped(drop_fd) int base = -1;
    char path[PATH_MAX];
    int tries = 0, r = check_flags(w.flags);

    if (r == 0)
        r = caller_path(c, a[1], path);
    if (r < 0)
        return r;
    if (path[0] == '\0')
        return -ENOENT;
    base = caller_base(c, (int)a[0], path);
    if (base < 0)
        return base;
    r = walk_parent(c, base, path, &p);
    if (r < 0)
        return r;
    do {
        r = open_place(c, &p, &w);
    } while (r == FOLLOW ||
             (r == -EEXIST && !(w.flags & O_EXCL) && ++tries < TRIES));
    return r;
}
