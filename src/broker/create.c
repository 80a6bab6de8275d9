/* create.c - the calls that make a name and return no descriptor.
 *
 * Each is split into resolved directories and last components; the rule of
 * absent.c decides on the new names, the kernel on everything else when the
 * call is performed here.  A name that is only removed (the source of a
 * rename) is nobody's business: what it uncovers is an absence. */
#include "broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>

static int place_of(struct caller *c, int dirfd, const char *path,
                    struct place *out)
{
    scoped(drop_fd) int base = -1;

    if (path[0] == '\0')
        return -ENOENT;
    base = caller_base(c, dirfd, path);
    return base < 0 ? base : walk_parent(c, base, path, out);
}

static int read_place(struct caller *c, uint64_t dirfd, uint64_t addr,
                      struct place *out)
{
    char path[PATH_MAX];
    int r = caller_path(c, addr, path);

    return r < 0 ? r : place_of(c, (int)dirfd, path, out);
}

/* Where a new name goes, if it may go there. */
static int new_place(struct caller *c, uint64_t dirfd, uint64_t addr,
                     bool is_mkdir, struct place *out)
{
    enum verdict v;
    int r = read_place(c, dirfd, addr, out);

    if (r < 0)
        return r;
    if (out->object >= 0)
        return -EEXIST;
    v = absent_verdict(c->b, out->parent, out->name);
    if (v == DENIED || (v == ON_THE_WAY && !is_mkdir))
        return -EACCES;
    return 0;
}

int do_mkdir(struct caller *c, const uint64_t a[])
{
    scoped(place_drop) struct place p = PLACE_NONE;
    mode_t mask = 0, old;
    int r = new_place(c, a[0], a[1], true, &p);

    if (r == 0)
        r = caller_umask(c, &mask);
    if (r < 0)
        return r;
    if (!caller_waits(c))
        return -ESRCH;
    old = umask(mask);
    r = mkdirat(p.parent, p.arg, (mode_t)a[2]) < 0 ? -errno : 0;
    (void)umask(old);
    return r;
}

int do_mknod(struct caller *c, const uint64_t a[])
{
    scoped(place_drop) struct place p = PLACE_NONE;
    mode_t mask = 0, old;
    int r = new_place(c, a[0], a[1], false, &p);

    if (r == 0)
        r = caller_umask(c, &mask);
    if (r < 0)
        return r;
    if (!caller_waits(c))
        return -ESRCH;
    old = umask(mask);
    /* Not the library's: its device number has another width. */
    r = syscall(SYS_mknodat, p.parent, p.arg, (mode_t)a[2], (unsigned)a[3]) < 0
            ? -errno
            : 0;
    (void)umask(old);
    return r;
}

int do_symlink(struct caller *c, const uint64_t a[])
{
    scoped(place_drop) struct place p = PLACE_NONE;
    char text[PATH_MAX];
    int r = caller_path(c, a[0], text);

    if (r == 0)
        r = new_place(c, a[1], a[2], false, &p);
    if (r < 0)
        return r;
    if (!caller_waits(c))
        return -ESRCH;
    return symlinkat(text, p.parent, p.arg) < 0 ? -errno : 0;
}

/* Link the thing that a descriptor stands for.  AT_EMPTY_PATH would need a
 * capability; the link in /proc is the documented other way (linkat(2)). */
static int link_object(const struct caller *c, int object,
                       const struct place *to)
{
    char self[32];

    if (!caller_waits(c))
        return -ESRCH;
    proc_self_fd(object, self);
    return linkat(AT_FDCWD, self, to->parent, to->arg, AT_SYMLINK_FOLLOW) < 0
               ? -errno
               : 0;
}

static int link_name(const struct caller *c, const struct place *from,
                     const struct place *to)
{
    if (from->object >= 0)
        return -EXDEV;
    if (!caller_waits(c))
        return -ESRCH;
    return linkat(from->parent, from->arg, to->parent, to->arg, 0) < 0 ? -errno
                                                                       : 0;
}

int do_link(struct caller *c, const uint64_t a[])
{
    scoped(place_drop) struct place from = PLACE_NONE, to = PLACE_NONE;
    scoped(drop_fd) int base = -1, object = -1;
    int flags = (int)a[4];
    char path[PATH_MAX];
    int r;

    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    r = caller_path(c, a[1], path);
    if (r < 0)
        return r;
    if (path[0] == '\0' && !(flags & AT_EMPTY_PATH))
        return -ENOENT;
    base = caller_base(c, (int)a[0], path);
    if (base < 0)
        return base;
    r = new_place(c, a[2], a[3], false, &to);
    if (r < 0)
        return r;
    if (path[0] == '\0')
        return link_object(c, base, &to);
    if (flags & AT_SYMLINK_FOLLOW) {
        object = walk_object(c, base, path, true);
        return object < 0 ? object : link_object(c, object, &to);
    }
    r = walk_parent(c, base, path, &from);
    return r < 0 ? r : link_name(c, &from, &to);
}

int do_rename(struct caller *c, const uint64_t a[])
{
    scoped(place_drop) struct place from = PLACE_NONE, to = PLACE_NONE;
    unsigned flags = (unsigned)a[4];
    int r = read_place(c, a[0], a[1], &from);

    if (r == 0)
        r = read_place(c, a[2], a[3], &to);
    if (r < 0)
        return r;
    if (from.object >= 0 || to.object >= 0)
        return -EXDEV;
    if (absent_verdict(c->b, to.parent, to.name) != FREE)
        return -EACCES;
    /* Both of these put something at the source as well (rename(2)). */
    if (flags & (RENAME_EXCHANGE | RENAME_WHITEOUT) &&
        absent_verdict(c->b, from.parent, from.name) != FREE)
        return -EACCES;
    if (!caller_waits(c))
        return -ESRCH;
    return syscall(SYS_renameat2, from.parent, from.arg, to.parent, to.arg,
                   flags) < 0
               ? -errno
               : 0;
}
