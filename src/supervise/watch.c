/* watch.c - a mask stands on a name; when the host gives that name to another
 * object, the mask is gone (rename(2) and unlink(2) on a name that is a mount
 * point elsewhere detach the mount).  So the names are watched, and the run
 * is stopped when one of them changes: fail closed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervise/supervise.h"

struct watched {
    int root; /* O_PATH */
    const char *root_path;
    const char *rest;
    uint64_t dev, ino; /* ino 0: must not exist */
    bool is_touched;   /* something was done to a name on its way */
};

struct watch {
    int fd;
    size_t n;
    struct watched item[];
};

#define EVENTS                                                                 \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |    \
     IN_MOVE_SELF | IN_ONLYDIR)

static int cannot_watch(const struct watched *it, const char *dir, int why,
                        struct err *e)
{
    err_sys(e, "inotify_add_watch(2)", why, "cannot watch '%s%s%s'",
            it->root_path, *dir ? "/" : "", dir);
    return err_hint(e, why == EACCES
                           ? "make the directory readable: what the policy "
                             "restricts below it has to be watched"
                           : "raise fs.inotify.max_user_watches");
}

/* Watch the directory of every component that exists. */
static int watch_dirs(const struct watch *w, const struct watched *it,
                      struct err *e)
{
    size_t at = 0;

    for (;;) {
        char dir[4096], link[64];
        scoped(drop_fd) int fd = -1;

        if (at >= sizeof(dir))
            return err_set(e, ERR_BACKEND_ERROR, "path too long to watch");
        memcpy(dir, it->rest, at);
        dir[at] = '\0';
        fd = openat(it->root, at ? dir : ".",
                    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
            return 0;
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (fd < 0 || inotify_add_watch(w->fd, link, EVENTS) < 0)
            return cannot_watch(it, dir, errno, e);
        if (it->rest[at] == '/')
            at++;
        at += strcspn(it->rest + at, "/");
        if (it->rest[at] == '\0')
            return 0;
    }
}

static int changed(const struct watched *it, const char *how, struct err *e)
{
    err_set(e, ERR_BACKEND_ERROR,
            "'%s/%s' was %s on the host while the sandbox ran",
            strcmp(it->root_path, "/") == 0 ? "" : it->root_path, it->rest,
            how);
    return err_hint(e, "the policy restricts this path and could no longer "
                       "be held, so the run was stopped; a session or a pool "
                       "is of what was there when it was made: undo the "
                       "change, or make it anew");
}

static int check_item(const struct watched *it, struct err *e)
{
    struct stat st;

    if (fstatat(it->root, it->rest, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (it->ino == 0 && (errno == ENOENT || errno == ENOTDIR))
            return 0;
        /* A directory on the way that was closed; the object is there, but
         * not if its name was touched: who closes it at that moment, the
         * workload too, must not keep us from seeing it. */
        if (errno == EACCES && !it->is_touched)
            return 0;
        /* Its name is free: the workload could make it. */
        return changed(it, errno == EACCES ? "changed" : "removed", e);
    }
    if (it->ino == 0)
        return changed(it, "created", e);
    if ((uint64_t)st.st_ino != it->ino || (uint64_t)st.st_dev != it->dev)
        return changed(it, "replaced", e);
    return 0;
}

static bool has_component(const char *path, const char *name)
{
    size_t len = strlen(name);

    while (*path) {
        size_t n = strcspn(path, "/");

        if (n == len && memcmp(path, name, n) == 0)
            return true;
        path += n + (path[n] == '/');
    }
    return false;
}

/* By the name alone, whatever the directory: it may be too much. */
static void note(struct watch *w, const struct inotify_event *event)
{
    for (size_t i = 0; i < w->n; i++) {
        struct watched *it = &w->item[i];

        /* Without a name: a directory moved or gone, or events were lost. */
        if (event->len == 0 || has_component(it->rest, event->name))
            it->is_touched = true;
    }
}

/* What happened is looked up afterwards; from here only where it was.  So many
 * at once: the workload may make them faster than we read, and our caller has
 * other work.  What is left is there the next time. */
static void read_events(struct watch *w)
{
    enum { READS = 16 };
    char events[8192] __attribute__((aligned(8)));
    ssize_t n = 0;

    for (int i = 0; i < READS; i++) {
        n = read(w->fd, events, sizeof(events));
        if (n <= 0)
            return;
        for (const char *at = events; at < events + n;) {
            const struct inotify_event *event = (const void *)at;

            note(w, event);
            at += sizeof(*event) + event->len;
        }
    }
    /* Any of them may be among those. */
    for (size_t i = 0; i < w->n; i++)
        w->item[i].is_touched = true;
}

int watch_check(struct watch *w, struct err *e)
{
    read_events(w);
    for (size_t i = 0; i < w->n; i++) {
        /* New directories on the way to a missing name first, so that
         * nothing happens unseen between the two looks. */
        if (w->item[i].ino == 0 && watch_dirs(w, &w->item[i], e) < 0)
            return -1;
        if (check_item(&w->item[i], e) < 0)
            return -1;
        w->item[i].is_touched = false;
    }
    return 0;
}

static int open_item(struct watch *w, const struct step *s, struct err *e)
{
    struct watched *it = &w->item[w->n];

    *it = (struct watched){ .root_path = s->path,
                            .rest = s->text,
                            .dev = s->num[0],
                            .ino = s->num[1] };
    it->root = open(s->path, O_PATH | O_CLOEXEC);
    if (it->root < 0)
        return err_sys(e, "open(2)", errno, "cannot watch '%s'", s->path);
    w->n++;
    return watch_dirs(w, it, e);
}

int watch_create(const struct plan_view *plan, struct watch **out,
                 struct err *e)
{
    size_t count = plan_count(plan, STEP_WATCH);
    struct watch *w;

    *out = NULL;
    if (count == 0)
        return 0;
    w = calloc(1, sizeof(*w) + count * sizeof(w->item[0]));
    if (!w)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->fd < 0) {
        err_sys(e, "inotify_init1(2)", errno, "cannot watch denied paths");
        free(w);
        return err_hint(e, "raise fs.inotify.max_user_instances");
    }
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (s.kind == STEP_WATCH && open_item(w, &s, e) < 0) {
            watch_destroy(w);
            return -1;
        }
    }
    /* What changed between the plan and the watches is seen here. */
    if (watch_check(w, e) < 0) {
        watch_destroy(w);
        return -1;
    }
    *out = w;
    return 0;
}

int watch_fd(const struct watch *w)
{
    return w ? w->fd : -1;
}

void watch_destroy(struct watch *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n; i++)
        (void)close(w->item[i].root);
    (void)close(w->fd);
    free(w);
}
