/* hold.c - a container in the hand of a run, and its end. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/compat.h"
#include "container/parts.h"
#include "sys/tree.h"

static void drop(struct container_hold *h)
{
    drop_fd(&h->dir);
    drop_fd(&h->store);
}

static int in_use(struct err *e)
{
    err_set(e, ERR_BACKEND_ERROR, "another run has this container");
    err_hint(e, "wait for its end; runs at the same time need names of their "
                "own");
    return err_where(e, "containerId");
}

static int changed(struct err *e)
{
    err_set(e, ERR_BACKEND_ERROR,
            "the container was changed or removed while the run was being set "
            "up");
    err_hint(e, "nothing was run; try again");
    return err_where(e, "containerId");
}

/* --- taking --------------------------------------------------------------- */

static int split(const char *path, char store[PATH_MAX], char key[SHA256_HEX],
                 struct err *e)
{
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path || strlen(slash + 1) != SHA256_HEX - 1 ||
        slash - path >= PATH_MAX)
        return err_set(e, ERR_BACKEND_ERROR, "'%s' is no container", path);
    memcpy(store, path, (size_t)(slash - path));
    store[slash - path] = '\0';
    memcpy(key, slash + 1, SHA256_HEX);
    return 0;
}

static int take_old(const struct container_want *w, struct container_hold *h,
                    struct err *e)
{
    scoped(arena_drop) struct arena a = { .limit = 4 * CONTAINER_RECORD_MAX };
    const char *record;
    struct stat st;
    int r;

    h->dir = container_open(h->store, h->key);
    if (h->dir < 0)
        return changed(e);
    r = container_lock(h->dir);
    if (r > 0)
        return in_use(e);
    if (r < 0)
        return err_sys(e, "flock(2)", -r, "cannot lock the container");
    if (!container_is_current(h->store, h->key, h->dir) ||
        fstat(h->dir, &st) < 0 || (uint64_t)st.st_dev != w->dev ||
        (uint64_t)st.st_ino != w->ino ||
        container_read(&a, h->dir, &record) < 0 ||
        strcmp(record, w->found) != 0)
        return changed(e);
    return 0;
}

static int take_new(struct container_hold *h, struct err *e)
{
    char label[CONTAINER_LABEL];
    int r;

    container_label(h->key, CONTAINER_NEW, label);
    if (mkdirat(h->store, label, 0700) < 0)
        return errno == EEXIST
                   ? in_use(e)
                   : err_sys(e, "mkdir(2)", errno, "cannot make a container");
    h->is_new = true;
    h->dir = container_open(h->store, label);
    r = h->dir < 0 ? h->dir : container_lock(h->dir);
    if (r != 0)
        return err_sys(e, "flock(2)", r < 0 ? -r : EBUSY,
                       "cannot lock the container");
    /* The root's mode is that of its upper part. */
    if (mkdirat(h->dir, "upper", 0755) < 0 || mkdirat(h->dir, "work", 0700) < 0)
        return err_sys(e, "mkdir(2)", errno, "cannot make a container");
    return 0;
}

static int open_store(const char *path, struct container_hold *h, bool is_new,
                      struct err *e)
{
    char at[PATH_MAX];
    int r = is_new ? store_make(path, at) : 0;

    if (r < 0)
        return err_sys(e, "mkdir(2)", -r, "cannot make '%s'", at);
    if (container_store(path, &h->store, e) < 0)
        return -1;
    return h->store < 0 ? changed(e) : 0;
}

/* What is new is made and locked in one, as seen by those who clean. */
static int take(const struct container_want *w, struct container_hold *h,
                struct err *e)
{
    struct err other;
    int r = container_clean(h->store);

    if (r < 0)
        return err_sys(e, "flock(2)", -r, "cannot lock the containers");
    r = w->found[0] ? take_old(w, h, e) : take_new(h, e);
    if (r < 0 && h->is_new)
        (void)container_release(h, &other);
    else
        (void)flock(h->store, LOCK_UN);
    return r;
}

int container_hold(const struct container_want *w, struct container_hold *out,
                   struct err *e)
{
    struct container_hold h = CONTAINER_HOLD_NONE;
    char store[PATH_MAX];

    h.ends = w->ends;
    if (split(w->path, store, h.key, e) < 0 ||
        open_store(store, &h, !w->found[0], e) < 0 || take(w, &h, e) < 0) {
        drop(&h);
        return -1;
    }
    *out = h;
    return 0;
}

/* --- its life ------------------------------------------------------------- */

static int write_record(int dir, const char *text, struct err *e)
{
    static const char temp[] = ".record.new";
    const size_t len = strlen(text);
    scoped(drop_fd) int fd = -1;
    ssize_t n;

    (void)unlinkat(dir, temp, 0);
    fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    n = fd < 0 ? -1 : write(fd, text, len);
    if (n == (ssize_t)len && renameat(dir, temp, dir, "record") == 0)
        return 0;
    err_sys(e, "write(2)", n >= 0 && n < (ssize_t)len ? ENOSPC : errno,
            "cannot write the container's record");
    (void)unlinkat(dir, temp, 0);
    return -1;
}

static int move(int store, const char *from, const char *to, struct err *e)
{
    enum { NO_REPLACE = 1 }; /* RENAME_NOREPLACE, which musl has not */

    if (syscall(SYS_renameat2, store, from, store, to, NO_REPLACE) == 0)
        return 0;
    if (errno == EEXIST)
        return in_use(e);
    return err_sys(e, "renameat2(2)", errno, "cannot keep the container");
}

int container_begin(const struct container_want *w, struct container_hold *h,
                    struct err *e)
{
    char label[CONTAINER_LABEL];

    if (w->record && write_record(h->dir, w->record, e) < 0)
        return -1;
    container_label(h->key, h->is_new ? CONTAINER_NEW : CONTAINER_GONE, label);
    if (h->is_new && move(h->store, label, h->key, e) < 0)
        return -1;
    if (!h->is_new && h->ends && move(h->store, h->key, label, e) < 0)
        return -1;
    h->has_begun = true;
    return 0;
}

int container_release(struct container_hold *h, struct err *e)
{
    char label[CONTAINER_LABEL];
    int r = 0;

    if (h->dir >= 0 && (h->has_begun ? h->ends : h->is_new)) {
        container_label(h->key, h->has_begun ? CONTAINER_GONE : CONTAINER_NEW,
                        label);
        r = tree_remove(h->store, label);
    }
    drop(h);
    return r < 0 ? err_sys(e, "unlinkat(2)", -r, "cannot remove the container")
                 : 0;
}

/* The damaged too.  1: there is none, 2: it is no directory. */
static int take_to_remove(struct container_hold *h, struct err *e)
{
    int r;

    h->dir = openat(h->store, h->key,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (h->dir < 0 && (errno == ENOTDIR || errno == ELOOP))
        return 2;
    if (h->dir < 0)
        return errno == ENOENT
                   ? 1
                   : err_sys(e, "open(2)", errno, "cannot open the container");
    r = container_lock(h->dir);
    if (r > 0)
        return in_use(e);
    if (r < 0)
        return err_sys(e, "flock(2)", -r, "cannot lock the container");
    return container_is_current(h->store, h->key, h->dir) ? 0 : 1;
}

/* What stands in the place of one, and nothing that it leads to. */
static int remove_link(const struct container_hold *h, struct err *e)
{
    return unlinkat(h->store, h->key, 0) < 0
               ? err_sys(e, "unlinkat(2)", errno, "cannot remove the container")
               : 0;
}

/* However large it is, others need not wait. */
static int move_and_remove(struct container_hold *h, struct err *e)
{
    const struct container_want want = { .ends = true };

    if (container_begin(&want, h, e) < 0)
        return -1;
    (void)flock(h->store, LOCK_UN);
    return container_release(h, e);
}

int container_remove(const struct store_place *at, const char *name,
                     struct err *e)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 16 };
    struct container_hold h = CONTAINER_HOLD_NONE;
    char store[PATH_MAX];
    const char *path;
    int r;

    if (container_path(&a, at, name, &path, e) < 0 ||
        split(path, store, h.key, e) < 0 ||
        container_store(store, &h.store, e) < 0)
        return -1;
    if (h.store < 0)
        return 1;
    h.ends = true;
    r = container_clean(h.store);
    r = r < 0 ? err_sys(e, "flock(2)", -r, "cannot lock the containers")
              : take_to_remove(&h, e);
    if (r == 2)
        r = remove_link(&h, e);
    else if (r == 0)
        r = move_and_remove(&h, e);
    drop(&h);
    return r;
}
