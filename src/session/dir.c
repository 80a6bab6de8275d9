/* dir.c - see dir.h. */
#include "session/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/num.h"
#include "base/read_all.h"
#include "session/layer.h"

enum { RECORD_MAX = 4096, NAME_ROOM = 64 };

uint64_t session_wall_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void session_boot(char out[SESSION_BOOT_MAX])
{
    scoped(drop_fd) int fd =
        open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, SESSION_BOOT_MAX - 1);

    out[n > 0 ? n : 0] = '\0';
    out[strspn(out, "0123456789abcdef-")] = '\0';
}

uint64_t session_start_of(pid_t pid)
{
    char path[64], text[1024];
    scoped(drop_fd) int fd = -1;
    uint64_t start = 0;
    char *at;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    at = strrchr(text, ')');
    /* From field 3 on. */
    for (int i = 2; at && i < 22; i++)
        at = strchr(at + 1, ' ');
    if (!at)
        return 0;
    at[1 + strcspn(at + 1, " ")] = '\0';
    return num_u64(at + 1, UINT64_MAX, &start) == 0 ? start : 0;
}

/* --- the root --------------------------------------------------------------
 */

static bool is_mine(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
           st.st_uid == geteuid();
}

int session_root_path(const char *runtime, char *out, size_t size,
                      struct err *e)
{
    const unsigned uid = geteuid();
    int n;

    /* Another user's, which sudo(8) may leave in root's environment. */
    if (runtime && (runtime[0] != '/' || (uid == 0 && !is_mine(runtime))))
        runtime = NULL;
    if (runtime)
        n = snprintf(out, size, "%s/mxc", runtime);
    else if (uid == 0)
        n = snprintf(out, size, "/run/mxc");
    else
        n = snprintf(out, size, "/run/user/%u/mxc", uid);
    if (n < 0 || (size_t)n >= size)
        return err_set(e, ERR_BACKEND_UNAVAILABLE,
                       "the path of the runtime directory is too long");
    return 0;
}

/* Nobody else can have put anything there, or could. */
static int check_owner(int fd, const char *path, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(e, "fstat(2)", errno, "cannot look at '%s'", path);
    if (st.st_uid == geteuid() && !(st.st_mode & 077))
        return 0;
    err_set(e, ERR_BACKEND_UNAVAILABLE,
            "'%s' is no place for sessions: others own it, or may enter it",
            path);
    return err_hint(e, "it must be yours, with mode 0700");
}

static int no_place(const char *path, int why, struct err *e)
{
    err_sys(e, "mkdir(2)", why, "there is no place for sessions: '%s'", path);
    e->code = ERR_BACKEND_UNAVAILABLE;
    return err_hint(e, "a login has a runtime directory; else make one that is "
                       "yours, mode 0700, and name it in XDG_RUNTIME_DIR");
}

/* Who may write to the directory above can take ours away, and put another
 * in its place; but where it is sticky. */
static int check_above(int fd, const char *path, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(e, "fstat(2)", errno, "cannot look at '%s'", path);
    if ((st.st_uid == geteuid() || st.st_uid == 0) &&
        (!(st.st_mode & 022) || st.st_mode & S_ISVTX))
        return 0;
    err_set(e, ERR_BACKEND_UNAVAILABLE,
            "'%s' is no place for sessions: others own the directory above, or "
            "may write to it",
            path);
    return err_hint(e, "the runtime directory must be yours, with mode 0700");
}

static int open_root(const char *path, bool create, int *out, struct err *e)
{
    const char *name = strrchr(path, '/') + 1;
    char above[PATH_MAX];
    scoped(drop_fd) int fd = -1;

    (void)snprintf(above, sizeof(above), "%.*s", (int)(name - path), path);
    fd = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && !create)
        return 0;
    if (fd < 0)
        return no_place(path, errno, e);
    if (check_above(fd, path, e) < 0)
        return -1;
    if (create && session_mkdir(fd, name, 0700) < 0 && errno != EEXIST)
        return no_place(path, errno, e);
    *out = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*out < 0 && errno == ENOENT && !create)
        return 0;
    return *out < 0 ? err_sys(e, "open(2)", errno, "cannot open '%s'", path)
                    : 0;
}

int session_root(const char *runtime, bool create, int *out, struct err *e)
{
    char path[PATH_MAX];
    scoped(drop_fd) int fd = -1;

    *out = -1;
    if (session_root_path(runtime, path, sizeof(path), e) < 0 ||
        open_root(path, create, &fd, e) < 0)
        return -1;
    if (fd >= 0 && check_owner(fd, path, e) < 0)
        return -1;
    *out = take_fd(&fd);
    return 0;
}

/* --- files -----------------------------------------------------------------
 */

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENOSPC;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

int session_mkdir(int at, const char *name, unsigned mode)
{
    if (mkdirat(at, name, mode) < 0)
        return -1;
    return fchmodat(at, name, mode, 0);
}

int session_write(int dir, const char *name, const void *data, size_t len,
                  struct err *e)
{
    char temp[NAME_ROOM];
    scoped(drop_fd) int fd = -1;
    int r;

    (void)snprintf(temp, sizeof(temp), ".%s.new", name);
    (void)unlinkat(dir, temp, 0);
    fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    r = fd < 0 || fchmod(fd, 0600) < 0 ? -errno : write_all(fd, data, len);
    if (r == 0 && renameat(dir, temp, dir, name) < 0)
        r = -errno;
    if (r == 0)
        return 0;
    (void)unlinkat(dir, temp, 0);
    err_sys(e, "write(2)", -r, "cannot keep the session's '%s'", name);
    return r == -ENOSPC || r == -EDQUOT
               ? err_hint(e, "the runtime directory is full: `mxc gc` and "
                             "`mxc deprovision` make room")
               : -1;
}

int session_read(const struct session_dir *d, struct arena *a, const char *name,
                 size_t max, const char **text, size_t *len, struct err *e)
{
    scoped(drop_fd) int fd =
        openat(d->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int r = fd < 0 ? -errno : read_all(a, fd, max, text, len);

    if (r == 0)
        return 0;
    *text = NULL;
    *len = 0;
    if (r == -ENOENT)
        return 0;
    return err_sys(e, "read(2)", -r, "cannot read the session's '%s'", name);
}

static int broken(const char *name, struct err *e)
{
    err_set(e, ERR_STALE_ID, "the session's '%s' cannot be understood", name);
    return err_hint(e, "another version of mxc may have made it: deprovision "
                       "it");
}

/* A record of ours, of this version. */
static int read_record(const struct session_dir *d, struct arena *a,
                       const char *name, struct json **out, struct err *e)
{
    const char *text = NULL;
    uint64_t version = 0;
    size_t len = 0;

    *out = NULL;
    if (session_read(d, a, name, RECORD_MAX, &text, &len, e) < 0)
        return -1;
    if (!text)
        return 0;
    if (json_parse(a, text, len, out, e) < 0 ||
        json_u64(json_get(*out, "version"), &version) < 0 ||
        version != SESSION_VERSION)
        return broken(name, e);
    return 0;
}

static uint64_t number(const struct json *v, const char *key)
{
    const struct json *member = json_get(v, key);
    uint64_t n = 0;

    return member && json_u64(member, &n) == 0 ? n : 0;
}

/* One that does not fit stays empty. */
static void take_text(const struct json *v, const char *key, char *out,
                      size_t size)
{
    const struct json *member = json_get(v, key);

    if (member && member->type == JSON_STRING && member->len < size)
        memcpy(out, member->text, member->len);
}

int session_facts(const struct session_dir *d, struct session_facts *out,
                  struct err *e)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct json *v;

    if (read_record(d, &a, "session", &v, e) < 0)
        return -1;
    if (!v)
        return broken("session", e);
    *out = (struct session_facts){ .created_ms = number(v, "created"),
                                   .idle_ms = number(v, "idleTimeoutMs"),
                                   .age_ms = number(v, "maxAgeMs") };
    take_text(v, "layer", out->layer, sizeof(out->layer));
    out->is_throwaway = json_is(json_get(v, "use"), "once");
    return 0;
}

int session_holder(const struct session_dir *d, bool *has_one,
                   struct session_holder *out, struct err *e)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct json *v;

    *has_one = false;
    if (read_record(d, &a, "running", &v, e) < 0)
        return -1;
    if (!v)
        return 0;
    *out = (struct session_holder){ .pid = (pid_t)number(v, "pid"),
                                    .start = number(v, "start"),
                                    .since_ms = number(v, "since") };
    take_text(v, "boot", out->boot, sizeof(out->boot));
    *has_one = true;
    return 0;
}

int session_holder_write(int dir, const struct session_holder *h, struct err *e)
{
    char text[256];
    int n = snprintf(text, sizeof(text),
                     "{\"version\":%d,\"pid\":%d,\"start\":%llu,\"since\":%llu,"
                     "\"boot\":\"%s\"}\n",
                     SESSION_VERSION, (int)h->pid, (unsigned long long)h->start,
                     (unsigned long long)h->since_ms, h->boot);

    return session_write(dir, "running", text, (size_t)n, e);
}

static int write_facts(const struct session_dir *d,
                       const struct session_facts *f, struct err *e)
{
    char text[256];
    int n = snprintf(
        text, sizeof(text),
        "{\"version\":%d,\"backend\":\"%s\",\"created\":%llu,"
        "\"idleTimeoutMs\":%llu,\"maxAgeMs\":%llu,\"layer\":\"%s\","
        "\"use\":\"%s\"}\n",
        SESSION_VERSION, session_backend(d->name),
        (unsigned long long)f->created_ms, (unsigned long long)f->idle_ms,
        (unsigned long long)f->age_ms, f->layer, f->is_throwaway ? "once" : "");

    return session_write(d->fd, "session", text, (size_t)n, e);
}

int session_map_plan(int dir, uint32_t kind, struct plan_view *out,
                     struct err *e)
{
    scoped(drop_fd) int fd =
        openat(dir, "plan", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    void *bytes;

    *out = (struct plan_view){ 0 };
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, "open(2)", errno, "cannot read the plan");
    if (st.st_size <= 0 || st.st_size > (off_t)PLAN_MAX_BYTES)
        return 1;
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return err_sys(e, "mmap(2)", errno, "cannot map the plan");
    if (plan_check(bytes, (size_t)st.st_size, out, e) == 0 &&
        out->head.flags & kind)
        return 0;
    (void)munmap(bytes, (size_t)st.st_size);
    *out = (struct plan_view){ 0 };
    return 1;
}

int session_plan(const struct session_dir *d, struct plan_view *out,
                 struct err *e)
{
    int r = session_map_plan(d->fd, PLAN_SESSION, out, e);

    return r > 0 ? broken("plan", e) : r;
}

void session_plan_drop(struct plan_view *v)
{
    /* It was mapped for reading, and by us. */
    if (v->bytes)
        (void)munmap((void *)(uintptr_t)v->bytes, v->len);
    *v = (struct plan_view){ 0 };
}

/* --- directories -----------------------------------------------------------
 */

/* A directory of files, and of one directory. */
int session_remove_tree(int root, const char *name)
{
    int fd =
        openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    int r = 0;

    if (!d) {
        int why = errno;

        drop_fd(&fd);
        return why == ENOENT ? 0 : -why;
    }
    for (struct dirent *i = readdir(d); i; i = readdir(d))
        if (strcmp(i->d_name, ".") != 0 && strcmp(i->d_name, "..") != 0 &&
            unlinkat(dirfd(d), i->d_name, 0) < 0 && errno == EISDIR)
            r = layer_remove(dirfd(d), i->d_name);
    (void)closedir(d);
    if (r < 0)
        return r;
    return unlinkat(root, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno
                                                                     : 0;
}

void session_dir_close(struct session_dir *d)
{
    drop_fd(&d->fd);
    drop_fd(&d->root);
}

static int fill(struct session_dir *d, const struct session_facts *f,
                const void *plan, size_t len, const char *request,
                size_t request_len, struct err *e)
{
    struct plan_view v;

    if (session_write(d->fd, "plan", plan, len, e) < 0 ||
        (request &&
         session_write(d->fd, "request", request, request_len, e) < 0) ||
        (f->clauses && session_write(d->fd, SESSION_CLAUSES, f->clauses->data,
                                     f->clauses->len, e) < 0) ||
        plan_check(plan, len, &v, e) < 0 || layer_make(d->fd, &v, e) < 0)
        return -1;
    return write_facts(d, f, e);
}

static int make(struct session_dir *d, const char *temp, struct err *e)
{
    if (session_mkdir(d->root, temp, 0700) < 0) {
        int why = errno;

        err_sys(e, "mkdir(2)", why, "cannot make a session");
        return why == ENOSPC ? err_hint(e, "the runtime directory is full: "
                                           "`mxc gc` and `mxc deprovision` "
                                           "make room")
                             : -1;
    }
    d->fd =
        openat(d->root, temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* Who sweeps passes over what is locked. */
    if (d->fd < 0 || flock(d->fd, LOCK_EX | LOCK_NB) < 0)
        return err_sys(e, "flock(2)", errno, "cannot make a session");
    return 0;
}

int session_new_hex(char out[SESSION_HEX + 1], struct err *e)
{
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return err_sys(e, "getrandom(2)", errno, "cannot make an id");
    session_hex(bytes, out);
    return 0;
}

int session_dir_new(const char *runtime, const struct session_facts *f,
                    const void *plan, size_t len, const char *request,
                    size_t request_len, struct session_dir *out, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    char temp[NAME_ROOM];

    memcpy(d.name, f->name, sizeof(d.name));
    if (!d.name[0] && session_new_hex(d.name, e) < 0)
        return -1;
    (void)snprintf(temp, sizeof(temp), SESSION_NEW "%s", d.name);
    if (session_root(runtime, true, &d.root, e) < 0)
        return -1;
    if (make(&d, temp, e) < 0 ||
        fill(&d, f, plan, len, request, request_len, e) < 0) {
        (void)session_remove_tree(d.root, temp);
        session_dir_close(&d);
        return -1;
    }
    if (renameat(d.root, temp, d.root, d.name) < 0) {
        err_sys(e, "rename(2)", errno, "cannot make a session");
        (void)session_remove_tree(d.root, temp);
        session_dir_close(&d);
        return -1;
    }
    *out = d;
    return 0;
}

int session_dir_stale(const char *id, struct err *e)
{
    err_set(e, ERR_STALE_ID, "there is no session '%.80s'", id);
    return err_hint(e, "it was deprovisioned, belongs to another user, or lies "
                       "where another XDG_RUNTIME_DIR says; `mxc ps` lists "
                       "those that are here");
}

bool session_dir_is_there(const struct session_dir *d)
{
    struct stat here, there;

    return fstat(d->fd, &here) == 0 &&
           fstatat(d->root, d->name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

int session_dir_open(const char *runtime, const char *id, bool lock,
                     struct session_dir *out, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;

    if (session_id_parse(id, d.name, e) < 0 ||
        session_root(runtime, false, &d.root, e) < 0)
        return -1;
    if (d.root < 0)
        return session_dir_stale(id, e);
    d.fd =
        openat(d.root, d.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (d.fd < 0 && errno != ENOENT) {
        err_sys(e, "open(2)", errno, "cannot open the session");
        session_dir_close(&d);
        return -1;
    }
    if (d.fd >= 0 && lock)
        while (flock(d.fd, LOCK_EX) < 0 && errno == EINTR)
            continue;
    /* It may have been removed while we waited for the lock. */
    if (d.fd < 0 || !session_dir_is_there(&d)) {
        session_dir_close(&d);
        return session_dir_stale(id, e);
    }
    *out = d;
    return 0;
}

/* A holder that was killed could not: what was in it went with it. */
void session_freezer_remove(const struct session_dir *d)
{
    scoped(arena_drop) struct arena a = { .limit = 64 * 1024 };
    const char *path = NULL;
    char text[PATH_MAX];
    struct err none;
    size_t len = 0;

    if (session_read(d, &a, SESSION_FREEZER, sizeof(text) - 1, &path, &len,
                     &none) < 0 ||
        !path)
        return;
    memcpy(text, path, len);
    text[len] = '\0';
    /* An empty directory of the caller's is all that this removes. */
    (void)rmdir(text);
}

int session_dir_remove(struct session_dir *d, struct err *e)
{
    char gone[NAME_ROOM];
    int r;

    session_freezer_remove(d);
    (void)snprintf(gone, sizeof(gone), SESSION_GONE "%s", d->name);
    if (renameat(d->root, d->name, d->root, gone) < 0)
        return err_sys(e, "rename(2)", errno, "cannot remove the session");
    r = session_remove_tree(d->root, gone);
    return r < 0 ? err_sys(e, "unlink(2)", -r, "cannot remove the session") : 0;
}

int session_sweep(int root)
{
    int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    int n = 0;

    if (!d) {
        drop_fd(&fd);
        return 0;
    }
    for (struct dirent *i = readdir(d); i; i = readdir(d)) {
        scoped(drop_fd) int one = -1;

        if (strncmp(i->d_name, SESSION_NEW, strlen(SESSION_NEW)) != 0 &&
            strncmp(i->d_name, SESSION_GONE, strlen(SESSION_GONE)) != 0)
            continue;
        one = openat(root, i->d_name,
                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (one >= 0 && flock(one, LOCK_EX | LOCK_NB) == 0 &&
            session_remove_tree(root, i->d_name) == 0)
            n++;
    }
    (void)closedir(d);
    return n;
}
