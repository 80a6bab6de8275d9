/* walk.c - from the caller's path to descriptors.
 *
 * A path is split into the directory that holds its last component and that
 * component's name.  Without a symlink on the way one openat2(2) does it;
 * otherwise links are read and followed here, one by one.  The broker stands
 * in the same root as the workload, so that "/" and ".." mean the same.
 *
 * /proc is different: "self" there would be the broker, and the broker may
 * open its own memory.  So nothing is looked up on a procfs but the caller's
 * own directory, and of that only where its links lead (/proc/self/fd/1,
 * where /dev/stdout points). */
#include "broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/compat.h"

struct walk {
    int base; /* borrowed; where a relative rest starts */
    int cur;  /* owned, replaces base once it is set */
    char rest[PATH_MAX];
};

void place_drop(struct place *p)
{
    drop_fd(&p->parent);
    drop_fd(&p->object);
}

void proc_self_fd(int fd, char out[32])
{
    (void)snprintf(out, 32, "/proc/self/fd/%d", fd);
}

static bool on_proc(int fd)
{
    struct statfs s;

    /* What cannot be asked is treated as the dangerous one. */
    return fstatfs(fd, &s) < 0 || s.f_type == PROC_SUPER_MAGIC;
}

static bool is_link(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISLNK(st.st_mode);
}

/* An O_PATH descriptor of one component. */
static int look(int dir, const char *name, int flags)
{
    int fd = openat(dir, name, O_PATH | O_CLOEXEC | flags);

    return fd < 0 ? -errno : fd;
}

static int here(const struct walk *w)
{
    return w->cur >= 0 ? w->cur : w->base;
}

static void step_to(struct walk *w, int fd)
{
    drop_fd(&w->cur);
    w->cur = fd;
}

/* Split a path into the directory part and the last component; "/" is the
 * component "." of itself. */
static int split(const char *path, char dir[PATH_MAX], struct place *p)
{
    size_t end = strlen(path), start;

    while (end > 0 && path[end - 1] == '/')
        end--;
    p->slash = path[end] == '/';
    start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    if (end - start > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(dir, path, start);
    dir[start] = '\0';
    memcpy(p->name, path + start, end - start);
    p->name[end - start] = '\0';
    if (end == start) {
        memcpy(p->name, ".", 2);
        memcpy(dir, "/", 2);
    }
    (void)snprintf(p->arg, sizeof(p->arg), "%s%s", p->name,
                   p->slash ? "/" : "");
    return 0;
}

/* Open the directory part of the rest at once.  -ELOOP: there is a symlink
 * on the way. */
static int try_rest(const struct walk *w, struct place *p)
{
    struct mxc_open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = MXC_RESOLVE_NO_SYMLINKS,
    };
    char dir[PATH_MAX];
    int r = split(w->rest, dir, p);

    if (r < 0)
        return r;
    if (dir[0])
        p->parent = (int)syscall(__NR_openat2, here(w), dir, &how, sizeof(how));
    else
        p->parent = fcntl(here(w), F_DUPFD_CLOEXEC, 0);
    return p->parent < 0 ? -errno : 0;
}

/* Put the text of a link before what remains of the path. */
static int prepend(struct caller *c, struct walk *w, const char *text)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s%s%s", text, w->rest[0] ? "/" : "",
                     w->rest);

    if (++c->links > MAX_LINKS)
        return -ELOOP;
    if (text[0] == '\0')
        return -ENOENT;
    if (n < 0 || (size_t)n >= sizeof(path))
        return -ENAMETOOLONG;
    memcpy(w->rest, path, (size_t)n + 1);
    return 0;
}

static int read_link(int link, char out[PATH_MAX])
{
    ssize_t n = readlinkat(link, "", out, PATH_MAX);

    if (n < 0)
        return -errno;
    if (n >= PATH_MAX)
        return -ENAMETOOLONG;
    out[n] = '\0';
    return 0;
}

/* Take the first component off the rest; a leading slash goes to the root. */
static int take_component(const struct caller *c, struct walk *w,
                          char comp[NAME_MAX + 1])
{
    char *at = w->rest;
    size_t n;

    if (*at == '/') {
        int root = fcntl(c->b->root, F_DUPFD_CLOEXEC, 0);

        if (root < 0)
            return -errno;
        step_to(w, root);
    }
    at += strspn(at, "/");
    n = strcspn(at, "/");
    if (n > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(comp, at, n);
    comp[n] = '\0';
    at += n;
    at += strspn(at, "/");
    memmove(w->rest, at, strlen(at) + 1);
    return 0;
}

static bool is_number(const char *s, size_t len, pid_t n)
{
    char text[16];
    int want = snprintf(text, sizeof(text), "%d", (int)n);

    return n > 0 && want > 0 && (size_t)want == len &&
           memcmp(s, text, len) == 0;
}

/* Whether this is the caller's number in /proc, as process or as thread. */
static bool is_caller(struct caller *c, const char *s, size_t len)
{
    return is_number(s, len, c->tid) || is_number(s, len, caller_tgid(c));
}

enum proc_dir { PROC_OTHER = 0, PROC_ROOT, PROC_CALLER };

static enum proc_dir proc_kind(struct caller *c, int dir)
{
    static const char top[] = "/proc/";
    char self[32], path[PATH_MAX];
    ssize_t n;

    proc_self_fd(dir, self);
    n = readlink(self, path, sizeof(path) - 1);
    if (n < 0)
        return PROC_OTHER;
    path[n] = '\0';
    if (strcmp(path, "/proc") == 0)
        return PROC_ROOT;
    if (strncmp(path, top, sizeof(top) - 1) != 0)
        return PROC_OTHER;
    n = sizeof(top) - 1;
    return is_caller(c, path + n, strcspn(path + n, "/")) ? PROC_CALLER
                                                          : PROC_OTHER;
}

/* One component below the root of a procfs. */
static int step_proc_root(struct caller *c, struct walk *w, const char *comp)
{
    char text[64];
    int fd;

    if (strcmp(comp, "self") == 0) {
        (void)snprintf(text, sizeof(text), "%d", (int)caller_tgid(c));
        return prepend(c, w, text);
    }
    if (strcmp(comp, "thread-self") == 0) {
        (void)snprintf(text, sizeof(text), "%d/task/%d", (int)caller_tgid(c),
                       (int)c->tid);
        return prepend(c, w, text);
    }
    if (strcmp(comp, "..") != 0 && !is_caller(c, comp, strlen(comp)))
        return -EACCES;
    fd = look(w->cur, comp, O_NOFOLLOW);
    if (fd < 0)
        return fd;
    step_to(w, fd);
    return 0;
}

static int step_proc(struct caller *c, struct walk *w, const char *comp)
{
    int fd;

    c->via_proc = true;
    switch (proc_kind(c, w->cur)) {
    case PROC_ROOT:
        return step_proc_root(c, w, comp);
    case PROC_CALLER:
        break;
    case PROC_OTHER:
        return -EACCES;
    }
    /* Follow: the links of the caller's own directory lead to what the
     * caller already has (proc_pid_fd(5)). */
    fd = look(w->cur, comp, 0);
    if (fd < 0)
        return fd;
    step_to(w, fd);
    return 0;
}

static int step_plain(struct caller *c, struct walk *w, const char *comp)
{
    char text[PATH_MAX];
    scoped(drop_fd) int fd = look(w->cur, comp, O_NOFOLLOW);
    int r;

    if (fd < 0)
        return fd;
    if (!is_link(fd)) {
        step_to(w, take_fd(&fd));
        return 0;
    }
    r = read_link(fd, text);
    return r < 0 ? r : prepend(c, w, text);
}

static int step(struct caller *c, struct walk *w)
{
    char comp[NAME_MAX + 1];
    int r = take_component(c, w, comp);

    if (r < 0)
        return r;
    if (w->cur < 0) {
        w->cur = fcntl(w->base, F_DUPFD_CLOEXEC, 0);
        if (w->cur < 0)
            return -errno;
    }
    return on_proc(w->cur) ? step_proc(c, w, comp) : step_plain(c, w, comp);
}

/* The last component stands on a procfs: only a link of the caller's own
 * directory is followed, nothing is opened or made there. */
static int finish_on_proc(struct caller *c, struct place *p)
{
    scoped(drop_fd) int link = -1;

    c->via_proc = true;
    if (proc_kind(c, p->parent) != PROC_CALLER)
        return -EACCES;
    link = look(p->parent, p->name, O_NOFOLLOW);
    if (link < 0)
        return link;
    if (!is_link(link))
        return -EACCES;
    p->object = look(p->parent, p->name, 0);
    return p->object < 0 ? p->object : 0;
}

static int walk_on(struct caller *c, struct walk *w, struct place *p)
{
    int r;

    while ((r = try_rest(w, p)) == -ELOOP) {
        r = step(c, w);
        if (r < 0)
            return r;
    }
    if (r == 0 && on_proc(p->parent))
        r = finish_on_proc(c, p);
    return r;
}

int walk_parent(struct caller *c, int base, const char *path, struct place *out)
{
    struct walk w = { .base = base, .cur = -1 };
    struct place p = PLACE_NONE;
    int r;

    if (path[0] == '\0')
        return -ENOENT;
    memcpy(w.rest, path, strlen(path) + 1);
    r = walk_on(c, &w, &p);
    drop_fd(&w.cur);
    if (r < 0) {
        place_drop(&p);
        return r;
    }
    *out = p;
    return 0;
}

/* The kernel's guard for shared directories, which does not see us: the last
 * link of a path is not followed in a sticky, world-writable directory unless
 * it is ours or the directory's owner's (proc_sys_fs(5), protected_symlinks).
 */
static bool may_follow(int parent, int link)
{
    struct stat dir, st;

    if (fstat(parent, &dir) < 0 || fstat(link, &st) < 0)
        return false;
    return st.st_uid == geteuid() || st.st_uid == dir.st_uid ||
           (dir.st_mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH);
}

int walk_link(struct caller *c, struct place *p, int link)
{
    struct place next = PLACE_NONE;
    char text[PATH_MAX];
    size_t n;
    int r = read_link(link, text);

    if (r < 0)
        return r;
    if (++c->links > MAX_LINKS)
        return -ELOOP;
    if (!may_follow(p->parent, link))
        return -EACCES;
    n = strlen(text);
    if (p->slash && n + 1 < sizeof(text))
        memcpy(text + n, "/", 2);
    r = walk_parent(c, p->parent, text, &next);
    if (r < 0)
        return r;
    place_drop(p);
    *p = next;
    return 0;
}

int walk_object(struct caller *c, int base, const char *path, bool follow)
{
    scoped(place_drop) struct place p = PLACE_NONE;
    int r = walk_parent(c, base, path, &p);

    while (r == 0) {
        scoped(drop_fd) int fd = -1;

        if (p.object >= 0)
            return take_fd(&p.object);
        fd = look(p.parent, p.name, O_NOFOLLOW);
        if (fd < 0)
            return fd;
        if (!is_link(fd) || !(follow || p.slash))
            return p.slash ? look(fd, ".", O_DIRECTORY) : take_fd(&fd);
        r = walk_link(c, &p, fd);
    }
    return r;
}
