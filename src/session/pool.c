/* pool.c - where pools are kept: see pool.h. */
#include "session/pool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "sys/hostpath.h"

#define PREFIX "pool."

enum { ENTRY_ROOM = POOL_NAME_MAX + 32 };

int pool_check_name(const char *name, struct err *e)
{
    static const char ends[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    char inside[sizeof(ends) + 3];
    const size_t n = name ? strlen(name) : 0;

    if (!name)
        return err_set(e, ERR_MALFORMED_ID, "no name of a pool");
    (void)snprintf(inside, sizeof(inside), "%s._-", ends);
    if (n > 0 && n <= POOL_NAME_MAX && strchr(ends, name[0]) &&
        strspn(name, inside) == n)
        return 0;
    err_set(e, ERR_MALFORMED_ID, "'%.80s' is no name of a pool", name);
    return err_hint(e,
                    "letters and digits, and between them '.', '-', '_'; at "
                    "most %d",
                    POOL_NAME_MAX);
}

/* NULL if it is no pool's. */
static const char *name_of(const char *entry)
{
    struct err ignored;

    if (strncmp(entry, PREFIX, strlen(PREFIX)) != 0)
        return NULL;
    entry += strlen(PREFIX);
    return pool_check_name(entry, &ignored) == 0 ? entry : NULL;
}

int pool_each(int root, void (*each)(void *context, const char *name),
              void *context, struct err *e)
{
    int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);

    if (!list) {
        const int why = errno;

        drop_fd(&fd);
        return err_sys(e, "opendir(3)", why, "cannot list the pools");
    }
    for (struct dirent *i = readdir(list); i; i = readdir(list))
        if (name_of(i->d_name))
            each(context, name_of(i->d_name));
    (void)closedir(list);
    return 0;
}

static int no_pool(const char *name, struct err *e)
{
    err_set(e, ERR_STALE_ID, "there is no pool '%s'", name);
    return err_hint(e, "it was stopped, belongs to another user, or lies where "
                       "another XDG_RUNTIME_DIR says; `mxc pool "
                       "ls` lists yours");
}

int pool_open(const char *runtime, const char *name, struct pool_dir *out,
              struct err *e)
{
    struct pool_dir d = POOL_DIR_NONE;
    char entry[ENTRY_ROOM];

    if (pool_check_name(name, e) < 0 ||
        session_root(runtime, false, &d.root, e) < 0)
        return -1;
    if (d.root < 0)
        return no_pool(name, e);
    (void)snprintf(d.name, sizeof(d.name), "%s", name);
    (void)snprintf(entry, sizeof(entry), PREFIX "%s", name);
    d.fd =
        openat(d.root, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (d.fd < 0) {
        const int why = errno;

        pool_close(&d);
        return why == ENOENT
                   ? no_pool(name, e)
                   : err_sys(e, "open(2)", why, "cannot open the pool");
    }
    *out = d;
    return 0;
}

void pool_close(struct pool_dir *d)
{
    drop_fd(&d->fd);
    drop_fd(&d->root);
}

int pool_read(const struct pool_dir *d, struct arena *a, const char *name,
              size_t max, const char **text, size_t *len, struct err *e)
{
    const struct session_dir like = { .root = d->root, .fd = d->fd };

    return session_read(&like, a, name, max, text, len, e);
}

static int broken(const char *name, struct err *e)
{
    err_set(e, ERR_STALE_ID, "the pool's '%s' cannot be understood", name);
    return err_hint(e, "another version of mxc may have made it: stop it and "
                       "start it anew");
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

int pool_facts(const struct pool_dir *d, struct pool_facts *out, struct err *e)
{
    enum { RECORD_MAX = 4096 };

    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    const char *text;
    struct json *v;
    size_t len;

    if (pool_read(d, &a, "pool", RECORD_MAX, &text, &len, e) < 0)
        return -1;
    if (!text || json_parse(&a, text, len, &v, e) < 0 ||
        number(v, "version") != POOL_VERSION)
        return broken("pool", e);
    *out = (struct pool_facts){ .created_ms = number(v, "created"),
                                .idle_ms = number(v, "idleTimeoutMs"),
                                .age_ms = number(v, "maxAgeMs"),
                                .size = (uint32_t)number(v, "size") };
    take_text(v, "mounts", out->mounts, sizeof(out->mounts));
    return out->size >= 1 && out->size <= POOL_SIZE_MAX ? 0 : broken("pool", e);
}

int pool_plan(const struct pool_dir *d, struct plan_view *out, struct err *e)
{
    int r = session_map_plan(d->fd, PLAN_WARM, out, e);

    return r > 0 ? broken("plan", e) : r;
}

/* The base's own paths are the same for every policy, and nobody looks there
 * for what is mounted. */
static bool is_grant(const struct step *s)
{
    return s->kind == STEP_BIND && s->num[1] != 0;
}

int pool_mounts(const struct plan_view *plan, char out[SHA256_HEX],
                struct err *e)
{
    enum { MOUNTS_MAX = 64 << 20 };

    scoped(arena_drop) struct arena a = { .limit = MOUNTS_MAX };
    struct mountinfo *m = NULL;
    struct sha256 sum;

    sha256_begin(&sum);
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        const struct step s = plan_step(plan, i);

        if (!is_grant(&s))
            continue;
        if (!m && mountinfo_read(&a, &m, e) < 0)
            return -1;
        mountinfo_add_below(m, s.text, &sum);
    }
    sha256_end(&sum, out);
    return 0;
}

/* A mount that has come meanwhile may show below a granted path what the policy
 * denies elsewhere, or the host's kernel: nobody has looked at it. */
int pool_check_mounts(const struct plan_view *plan, const char *then,
                      struct err *e)
{
    char now[SHA256_HEX];

    if (pool_mounts(plan, now, e) < 0)
        return -1;
    if (strcmp(now, then) == 0)
        return 0;
    err_set(e, ERR_BACKEND_ERROR,
            "what the host has mounted below the pool's paths is not what it "
            "had when the pool was started");
    return err_hint(e, "start the pool anew");
}

/* Who holds the lock is the keeper, or is removing it; and the name may be
 * another pool's by now. */
bool pool_sweep(int root, const char *name)
{
    char entry[ENTRY_ROOM], gone[ENTRY_ROOM];
    scoped(drop_fd) int fd = -1;
    struct stat here, there;

    (void)snprintf(entry, sizeof(entry), PREFIX "%s", name);
    (void)snprintf(gone, sizeof(gone), SESSION_GONE PREFIX "%s", name);
    fd = openat(root, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return true;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return false;
    if (fstat(fd, &here) < 0 ||
        fstatat(root, entry, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
        here.st_ino != there.st_ino || here.st_dev != there.st_dev)
        return true;
    if (renameat(root, entry, root, gone) < 0)
        return false;
    return session_remove_tree(root, gone) == 0;
}
