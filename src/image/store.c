/* store.c - where the image store is, who may be trusted there, and names:
 * see image.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ascii.h"
#include "container/container.h"
#include "image/parts.h"

enum { MOST_WORDS = 3 };

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

int image_check_name(const char *name, struct err *e)
{
    size_t words = 0, len = strlen(name);
    bool is_good = len > 0 && len <= IMAGE_NAME_MAX;

    for (const char *p = name; is_good;) {
        size_t n = 0;

        while (is_name_byte(p[n]))
            n++;
        is_good = n > 0 && p[0] != '.' && p[0] != '-' &&
                  ++words <= MOST_WORDS && (p[n] == '\0' || p[n] == '/');
        if (p[n] == '\0')
            break;
        p += n + 1;
    }
    if (is_good)
        return 0;
    err_set(e, ERR_MALFORMED_REQUEST, "'%.200s' is no name of an image", name);
    return err_hint(e, "such as debian/12: words of letters, digits and ._- "
                       "with '/' between them");
}

/* '+' is no byte of a name. */
void image_label(const char *name, char label[LABEL_MAX])
{
    (void)snprintf(label, LABEL_MAX, "%s", name);
    for (char *p = label; *p; p++)
        if (*p == '/')
            *p = '+';
}

void image_unlabel(const char *label, char name[LABEL_MAX])
{
    (void)snprintf(name, LABEL_MAX, "%s", label);
    for (char *p = name; *p; p++)
        if (*p == '+')
            *p = '/';
}

static int find_place(const struct store_place *at, char out[PATH_MAX],
                      struct err *e)
{
    int r = store_path(at, "images", out);

    if (r == -ENAMETOOLONG)
        return err_set(e, ERR_BACKEND_ERROR,
                       "the path of the image store is "
                       "too long");
    if (r == 0)
        return 0;
    err_set(e, ERR_BACKEND_ERROR, "there is no place for images");
    return err_hint(e, "HOME or XDG_DATA_HOME, an absolute path without '..'");
}

/* Whoever else can write there could put another root under a sealed name. */
static int check_owned(int fd, const char *what, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(e, "fstat(2)", errno, "cannot look at '%s'", what);
    if (st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)))
        return 0;
    err_set(e, ERR_POLICY_VALIDATION,
            "the image store cannot be trusted: '%s' belongs to user %u and "
            "has mode %04o",
            what, (unsigned)st.st_uid, (unsigned)st.st_mode & 07777);
    return err_hint(e, "it must be yours, and writable by nobody else");
}

static int open_dir(int at, const char *name, struct err *e)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) {
        err_sys(e, "openat(2)", errno, "cannot open '%s' of the image store",
                name);
        return -1;
    }
    if (check_owned(fd, name, e) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int open_parts(struct image_store *s, struct err *e)
{
    if (check_owned(s->root, s->path, e) < 0)
        return -1;
    s->names = open_dir(s->root, "names", e);
    if (s->names < 0)
        return -1;
    s->trees = open_dir(s->root, "trees", e);
    if (s->trees < 0)
        return -1;
    s->tmp = open_dir(s->root, "tmp", e);
    return s->tmp < 0 ? -1 : 0;
}

static int open_root(struct image_store *s, const struct store_place *at,
                     struct err *e)
{
    *s = (struct image_store){ .root = -1,
                               .names = -1,
                               .trees = -1,
                               .tmp = -1,
                               .lock = -1,
                               .place = *at };
    if (find_place(at, s->path, e) < 0)
        return -1;
    s->root = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->root < 0 && errno != ENOENT)
        return err_sys(e, "open(2)", errno, "cannot open the image store '%s'",
                       s->path);
    return s->root < 0;
}

/* Half of a store is made whole by the next one who changes it. */
static bool is_begun_only(const struct image_store *s)
{
    return faccessat(s->root, "tmp", F_OK, 0) < 0 && errno == ENOENT;
}

int image_open(struct image_store *s, const struct store_place *at,
               struct err *e)
{
    int r = open_root(s, at, e);

    if (r == 0 && is_begun_only(s))
        r = 1;
    if (r == 0)
        r = open_parts(s, e);
    if (r != 0)
        image_close(s);
    return r;
}

/* That of containers too, before a workload can make one of its own. */
static int make_store(struct image_store *s, struct err *e)
{
    static const char *const parts[] = { "names", "trees", "tmp" };
    char at[PATH_MAX];
    int r = store_make(s->path, at);

    if (r < 0)
        return err_sys(e, "mkdir(2)", -r, "cannot make '%s'", at);
    if (s->root < 0)
        s->root = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->root < 0)
        return err_sys(e, "open(2)", errno, "cannot open the image store '%s'",
                       s->path);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (mkdirat(s->root, parts[i], 0700) < 0 && errno != EEXIST)
            return err_sys(e, "mkdirat(2)", errno,
                           "cannot make '%s' of the image store", parts[i]);
    return container_make_store(&s->place, e);
}

static int take_lock(struct image_store *s, struct err *e)
{
    int r;

    s->lock = openat(s->root, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                     0600);
    if (s->lock < 0)
        return err_sys(e, "openat(2)", errno, "cannot lock the image store");
    do
        r = flock(s->lock, LOCK_EX);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return err_sys(e, "flock(2)", errno, "cannot lock the image store");
    return 0;
}

int image_open_locked(struct image_store *s, const struct store_place *at,
                      struct err *e)
{
    if (open_root(s, at, e) < 0 || make_store(s, e) < 0 ||
        open_parts(s, e) < 0 || take_lock(s, e) < 0 || image_sweep(s, e) < 0) {
        image_close(s);
        return -1;
    }
    return 0;
}

void image_close(struct image_store *s)
{
    drop_fd(&s->names);
    drop_fd(&s->trees);
    drop_fd(&s->tmp);
    drop_fd(&s->lock);
    drop_fd(&s->root);
}

int image_open_tree(const struct image_store *s, const char *digest,
                    struct err *e)
{
    return open_dir(s->trees, digest, e);
}
