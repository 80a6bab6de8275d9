/* copy_place.c - where a copy out of a session ends up: see copy.h.
 *
 * Where nothing of its name is there, or a file, it is made in a directory
 * beside, and gets its name when it is whole. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/copy.h"
#include "session/layer.h"

/* What is made of the things in a directory, until it has its name. */
#define CONTENT "content"

void copy_last(const char *path, char out[256])
{
    size_t end = strlen(path), from;

    while (end > 0 && path[end - 1] == '/')
        end--;
    from = end;
    while (from > 0 && path[from - 1] != '/')
        from--;
    (void)snprintf(out, 256, "%.*s", (int)(end - from), path + from);
    if (strcmp(out, ".") == 0 || strcmp(out, "..") == 0)
        out[0] = '\0';
}

static int open_dir(int at, const char *path)
{
    return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* One that was made just now. */
static int open_new(int at, const char *name)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int cannot(const char *path, struct err *e)
{
    const int why = errno;

    err_sys(e, "open(2)", why, "cannot copy to '%.200s'", path);
    if (why == ENOENT || why == ENOTDIR)
        e->code = ERR_MALFORMED_REQUEST;
    return -1;
}

/* A device, a pipe or a socket, which a file would be put in the place of. */
static int no_file(const char *path, struct err *e)
{
    err_set(e, ERR_MALFORMED_REQUEST,
            "cannot copy to '%.200s': it is neither a file nor a directory",
            path);
    return err_hint(e, "'-' gives a tar stream: mxc cp ID:SRC - | tar -xOf -");
}

/* The directory above, and a name in it that may be new. */
static int open_above(const char *outside, struct copy_place *p, struct err *e)
{
    char above[PATH_MAX];
    size_t len = strlen(outside), n;

    copy_last(outside, p->name);
    if (!p->name[0] || len >= sizeof(above) || outside[len - 1] == '/')
        return err_set(e, ERR_MALFORMED_REQUEST,
                       "there is no directory '%.200s'", outside);
    n = len - strlen(p->name);
    (void)snprintf(above, sizeof(above), "%.*s", (int)n, outside);
    p->dir = open_dir(AT_FDCWD, n ? above : ".");
    return p->dir < 0 ? cannot(outside, e) : 0;
}

/* Who may write to `dir` too, as the session may where it was granted, can put
 * a link in the place of every name of ours: after this they are of no use. */
static int make_stage(struct copy_place *p, bool is_content, struct err *e)
{
    uint64_t random;

    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return err_sys(e, "getrandom(2)", errno, "cannot make a name");
    (void)snprintf(p->stage, sizeof(p->stage), ".mxc-cp-%016llx",
                   (unsigned long long)random);
    if (mkdirat(p->dir, p->stage, 0700) < 0) {
        err_sys(e, "mkdir(2)", errno, "cannot copy to '%.200s'", p->name);
        p->stage[0] = '\0';
        return -1;
    }
    p->made = open_new(p->dir, p->stage);
    if (p->made < 0 || (is_content && mkdirat(p->made, CONTENT, 0755) < 0))
        return cannot(p->name, e);
    p->target = is_content ? open_new(p->made, CONTENT)
                           : fcntl(p->made, F_DUPFD_CLOEXEC, 3);
    return p->target < 0 ? cannot(p->name, e) : 0;
}

static int open_it(const char *outside, const char *inside,
                   struct copy_place *p, struct err *e)
{
    struct stat st;
    char last[256];
    bool is_there, is_dir, is_content;

    copy_last(inside, last);
    is_content = !last[0];
    is_there = stat(outside, &st) == 0;
    is_dir = is_there && S_ISDIR(st.st_mode);
    if (is_there && !is_dir && !S_ISREG(st.st_mode))
        return no_file(outside, e);
    if (!is_dir && open_above(outside, p, e) < 0)
        return -1;
    if (is_dir) {
        p->dir = open_dir(AT_FDCWD, outside);
        if (p->dir < 0)
            return cannot(outside, e);
        (void)snprintf(p->name, sizeof(p->name), "%s", last);
    }
    (void)snprintf(p->own, sizeof(p->own), "%s", is_content ? "." : last);
    is_there = is_dir && !is_content &&
               fstatat(p->dir, last, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there && !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) &&
        !S_ISLNK(st.st_mode))
        return no_file(last, e);
    /* Into a directory that is there: what comes is added to it. */
    if (is_dir && (is_content || (is_there && S_ISDIR(st.st_mode)))) {
        p->target = fcntl(p->dir, F_DUPFD_CLOEXEC, 3);
        return p->target < 0 ? cannot(outside, e) : 0;
    }
    return make_stage(p, is_content, e);
}

int copy_place_open(const char *outside, const char *inside,
                    struct copy_place *out, struct err *e)
{
    struct copy_place p = COPY_PLACE_NONE;

    if (open_it(outside, inside, &p, e) < 0) {
        copy_place_close(&p);
        return -1;
    }
    *out = p;
    return 0;
}

int copy_place_keep(struct copy_place *p, struct err *e)
{
    const char *from = strcmp(p->own, ".") == 0 ? CONTENT : p->own;

    if (!p->stage[0])
        return 0;
    if (renameat(p->made, from, p->dir, p->name) == 0)
        return 0;
    if (errno == ENOENT)
        return err_set(e, ERR_BACKEND_ERROR, "nothing came that can be kept");
    return err_sys(e, "rename(2)", errno, "cannot copy to '%.200s'", p->name);
}

/* The session may write in the stage too, and put another directory in its
 * place: it is emptied by its descriptor, and by its name only what is empty
 * goes. */
void copy_place_close(struct copy_place *p)
{
    if (p->stage[0] && p->made >= 0)
        (void)layer_empty_shared(p->made);
    if (p->stage[0])
        (void)unlinkat(p->dir, p->stage, AT_REMOVEDIR);
    drop_fd(&p->target);
    drop_fd(&p->made);
    drop_fd(&p->dir);
    p->stage[0] = '\0';
}
