/* store.c - the directory of the containers that are kept, and who may be
 * trusted there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/read_all.h"
#include "container/parts.h"
#include "sys/tree.h"

void container_label(const char *key, const char *suffix,
                     char out[CONTAINER_LABEL])
{
    (void)snprintf(out, CONTAINER_LABEL, "%.*s%s", SHA256_HEX - 1, key, suffix);
}

/* Nobody else put anything there, or may look: what a workload has written
 * can be set-user-ID. */
static int check_mine(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    return st.st_uid == geteuid() && !(st.st_mode & (S_IRWXG | S_IRWXO))
               ? 0
               : -EPERM;
}

int container_open(int store, const char *label)
{
    scoped(drop_fd) int fd =
        openat(store, label, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = fd < 0 ? -errno : check_mine(fd);

    return r < 0 ? r : take_fd(&fd);
}

int container_store(const char *path, int *out, struct err *e)
{
    int fd = container_open(AT_FDCWD, path);

    *out = -1;
    if (fd == -ENOENT)
        return 0;
    if (fd == -EPERM) {
        err_set(e, ERR_POLICY_VALIDATION,
                "'%s' is no place for containers: others own it, or may enter "
                "it",
                path);
        return err_hint(e, "it must be yours, with mode 0700");
    }
    if (fd < 0)
        return err_sys(e, "open(2)", -fd, "cannot open '%s'", path);
    *out = fd;
    return 0;
}

int container_make_store(const struct store_place *at, struct err *e)
{
    char path[PATH_MAX], made[PATH_MAX];
    int r = store_path(at, "containers", path);

    if (r < 0)
        return err_sys(e, "mkdir(2)", -r, "there is no place for containers");
    r = store_make(path, made);
    return r < 0 ? err_sys(e, "mkdir(2)", -r, "cannot make '%s'", made) : 0;
}

int container_lock(int dir)
{
    if (flock(dir, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return errno == EWOULDBLOCK ? 1 : -errno;
}

bool container_is_current(int store, const char *label, int dir)
{
    struct stat here, there;

    return fstat(dir, &here) == 0 &&
           fstatat(store, label, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

int container_read(struct arena *a, int dir, const char **text)
{
    scoped(drop_fd) int fd =
        openat(dir, "record", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const char *bytes = NULL;
    size_t len = 0;
    int r =
        fd < 0 ? -errno : read_all(a, fd, CONTAINER_RECORD_MAX, &bytes, &len);

    if (r < 0)
        return r;
    *text =
        !len || memchr(bytes, '\0', len) ? NULL : arena_strndup(a, bytes, len);
    return *text ? 0 : -EINVAL;
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);

    return n == SHA256_HEX - 1 + m && strcmp(name + n - m, suffix) == 0;
}

/* What nobody has locked, nobody will come back for. */
static void sweep(int store)
{
    int fd = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (!d) {
        drop_fd(&fd);
        return;
    }
    for (struct dirent *i = readdir(d); i; i = readdir(d)) {
        scoped(drop_fd) int one = -1;

        if (!has_suffix(i->d_name, CONTAINER_NEW) &&
            !has_suffix(i->d_name, CONTAINER_GONE))
            continue;
        one = openat(store, i->d_name,
                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (one >= 0 && container_lock(one) == 0 &&
            container_is_current(store, i->d_name, one))
            (void)tree_remove(store, i->d_name);
    }
    (void)closedir(d);
}

int container_clean(int store)
{
    while (flock(store, LOCK_EX) < 0)
        if (errno != EINTR)
            return -errno;
    sweep(store);
    return 0;
}
