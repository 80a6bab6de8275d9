/* learn_host.c - what the host has of a path that may be granted.
 *
 * The names are the workload's choice.  What is looked at is taken hold of
 * first (O_PATH), and only what is a regular file is opened, without waiting
 * and for reading. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/learning.h"

enum {
    HEAD_BYTES = 8 * 1024,
    WALK_MOST = 500000, /* entries of one directory, and of all */
    WALK_ALL = 4 * WALK_MOST,
    WALK_DEPTH = 64,
    WALK_LOOK = 256 /* how often somebody looks up */
};

bool learn_is_dir(const char *path)
{
    struct stat st;

    return fstatat(AT_FDCWD, path, &st,
                   AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0 &&
           S_ISDIR(st.st_mode);
}

/* As the run will ask: of a policy nobody gets more than he has. */
bool learn_is_able(const char *path, enum learn_kind kind, bool is_dir)
{
    const int mode =
        R_OK | (kind == LEARN_WRITE ? W_OK : 0) | (is_dir ? X_OK : 0);

    return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0;
}

/* Why the file is a secret by what it holds, or NULL.  Its owner may open what
 * we may not. */
static const char *secret_inside(int dir, const char *name)
{
    scoped(drop_fd) int fd =
        openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    scoped(drop_fd) int in = -1;
    char self[32], text[HEAD_BYTES];
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return NULL;
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    in = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (in < 0)
        return "it cannot be looked into";
    n = read(in, text, sizeof(text));
    return n > 0 ? learn_secret_text(text, (size_t)n) : NULL;
}

static bool has(int dir, const char *name, struct stat *st)
{
    return fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0;
}

/* Is it a directory of git's, by whatever name?  `dir` is held.  What lies
 * elsewhere a file `commondir` says (gitrepository-layout(5)). */
static bool is_git(int dir, const char *path)
{
    const size_t n = strlen(path);
    struct stat st;

    return (n > 4 && strcmp(path + n - 5, "/.git") == 0) ||
           (has(dir, "HEAD", &st) &&
            (has(dir, "commondir", &st) ||
             (has(dir, "objects", &st) && has(dir, "refs", &st))));
}

/* Why git would do what is written there, or NULL: of what lies in a directory
 * of its own, and of the file that says where that is. */
static const char *git_does(const char *path, bool is_dir)
{
    char above[PATH_MAX];

    for (const char *at = path; at; at = strchr(at + 1, '/')) {
        scoped(drop_fd) int dir = -1;

        if (!is_dir && strcmp(at, "/.git") == 0)
            return "git goes where it says";
        if (snprintf(above, sizeof(above), "/%.*s", (int)(at - path), path) >=
            (int)sizeof(above))
            return "its name is too long";
        dir = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0 || !is_git(dir, above))
            continue;
        for (size_t i = 0; learn_git_runs[i]; i++)
            if (path_is_within(at + 1, learn_git_runs[i]))
                return "git does what it says";
    }
    return NULL;
}

/* Why writing there would be a way out. */
static const char *why_run(const struct learning *x, const char *path,
                           bool is_dir)
{
    const char *why = learn_is_run(path, &x->at);

    return why ? why : git_does(path, is_dir);
}

/* The caller has said that it may be. */
static bool is_excepted(const struct learning *x, const char *path)
{
    for (size_t i = 0; i < x->c->learn.nsecrets; i++)
        if (path_is_within(path, x->c->learn.secret[i]))
            return true;
    return false;
}

/* --- inside of a directory -------------------------------------------------
 */

struct learn_walk {
    struct learning *x;
    struct learnt *into; /* what is found */
    size_t seen;
    bool writes;   /* it is to be granted for writing */
    bool is_dry;   /* nothing is to be in it but what is not there yet */
    bool has_more; /* too much to be looked through */
    bool has_secret;
    bool has_guard;
    bool cannot; /* there is one that cannot be denied */
    dev_t dev;
};

static void meet_secret(struct learn_walk *w, const char *path, const char *why,
                        const struct stat *st)
{
    const struct learn_entry e = { .kind = LEARN_DENY,
                                   .what = path,
                                   .message = why,
                                   .is_dir = S_ISDIR(st->st_mode) };

    w->has_secret = true;
    /* Whoever denies one of several names denies nothing. */
    if (!learn_is_path(path) || (!S_ISDIR(st->st_mode) && st->st_nlink > 1) ||
        (!w->is_dry && !learn_add(w->into, &e)))
        w->cannot = true;
}

/* Of a link what it leads to is denied, and so is putting another there. */
static void meet_run(struct learn_walk *w, const char *path, const char *why,
                     const struct stat *st)
{
    const struct learn_entry e = {
        .kind = S_ISLNK(st->st_mode) ? LEARN_DENY : LEARN_GUARD,
        .what = path,
        .message = why,
        .is_dir = S_ISDIR(st->st_mode),
    };

    w->has_guard = true;
    if (!learn_is_path(path) || (S_ISREG(st->st_mode) && st->st_nlink > 1) ||
        (!w->is_dry && !learn_add(w->into, &e)))
        w->cannot = true;
}

/* True: it is settled, and there is nothing to look for in it. */
static bool meet(struct learn_walk *w, int dir, const char *name,
                 const char *path, const struct stat *st)
{
    const bool is_dir = S_ISDIR(st->st_mode), is_link = S_ISLNK(st->st_mode);
    const char *why = is_link ? NULL : learn_secret(path, is_dir, &w->x->at);

    if (learn_forbidden(&w->x->rules, LEARN_READ, path))
        return true;
    if (is_excepted(w->x, path))
        return false;
    if (!why && !is_dir && !is_link && learn_may_be_secret(path))
        why = secret_inside(dir, name);
    if (why) {
        meet_secret(w, path, why, st);
        return true;
    }
    if (!w->writes)
        return false;
    why = learn_is_run(path, &w->x->at);
    if (!why && !is_dir && strcmp(name, ".git") == 0)
        why = "git goes where it says";
    if (why)
        meet_run(w, path, why, st);
    return why != NULL;
}

/* What is not there yet, and would be executed. */
static void meet_absent(struct learn_walk *w, const char *path, const char *why)
{
    const struct learn_entry e = { .kind = LEARN_DENY,
                                   .what = path,
                                   .message = why };

    if (!is_excepted(w->x, path) && !learn_add(w->into, &e))
        w->cannot = true;
}

/* Names in a directory: those that are not there; and those that are, where
 * `why` says why they must stay as they are. */
static void meet_names(struct learn_walk *w, int dir, char path[PATH_MAX],
                       const char *const *names, const char *absent,
                       const char *why)
{
    const size_t len = strlen(path);
    struct stat st;

    for (size_t i = 0; names[i]; i++) {
        if (snprintf(path + len, PATH_MAX - len, "/%s", names[i]) >=
            (int)(PATH_MAX - len))
            w->cannot = true;
        else if (!has(dir, names[i], &st))
            meet_absent(w, path, absent);
        else if (why && !is_excepted(w->x, path))
            meet_run(w, path, why, &st);
        path[len] = '\0';
    }
}

/* A directory of git's, by whatever name; or the top of what is granted, which
 * must not become one, or an editor's, unseen.  Without a HEAD there is none;
 * where one is, the rest would make it one (git-config(1),
 * safe.bareRepository: all of them are obeyed). */
static void meet_git(struct learn_walk *w, int dir, char path[PATH_MAX],
                     bool is_top)
{
    static const char *const head[] = { "HEAD", NULL };
    static const char *const rest[] = { "config", "objects", "refs",
                                        "commondir", NULL };
    static const char *const makes[] = { ".git",    ".envrc",    ".vscode",
                                         ".husky",  ".idea",     ".claude",
                                         ".cursor", ".mcp.json", NULL };
    static const char runs[] = "whoever works there would execute it",
                      is_one[] = "git would take the directory for its own";
    struct stat st;

    if (is_git(dir, path)) {
        meet_names(w, dir, path, learn_git_runs, runs, "git does what it says");
        return;
    }
    if (!is_top)
        return;
    meet_names(w, dir, path, makes, runs, NULL);
    meet_names(w, dir, path, has(dir, "HEAD", &st) ? rest : head, is_one, NULL);
}

static void walk(struct learn_walk *w, int at, char path[PATH_MAX],
                 unsigned depth);

static void walk_entry(struct learn_walk *w, DIR *d, const char *name,
                       char path[PATH_MAX], unsigned depth)
{
    const size_t len = strlen(path), n = strlen(name);
    struct stat st;
    int fd;

    if (len + n + 2 > PATH_MAX || ++w->seen > WALK_MOST ||
        ++w->x->seen > WALK_ALL || depth > WALK_DEPTH ||
        (w->x->seen % WALK_LOOK == 0 && learn_must_end(w->x))) {
        w->has_more = true;
        return;
    }
    if (!has(dirfd(d), name, &st)) {
        w->cannot = w->cannot || errno != ENOENT;
        return;
    }
    path[len] = '/';
    memcpy(path + len + 1, name, n + 1);
    if (!meet(w, dirfd(d), name, path, &st) && S_ISDIR(st.st_mode)) {
        /* Another file system may be one that does not answer. */
        const bool is_other = st.st_dev != w->dev;

        fd = is_other ? -1
                      : openat(dirfd(d), name,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (is_other)
            w->has_more = true;
        /* Whoever owns it may open it later. */
        else if (fd < 0)
            meet_secret(w, path, "it cannot be looked into", &st);
        else
            walk(w, fd, path, depth + 1);
    }
    path[len] = '\0';
}

/* Is there nothing more to know? */
static bool is_settled(const struct learn_walk *w)
{
    return w->has_more || w->cannot ||
           (w->is_dry && (w->has_secret || w->has_guard));
}

/* Takes the descriptor. */
static void walk(struct learn_walk *w, int at, char path[PATH_MAX],
                 unsigned depth)
{
    DIR *d = fdopendir(at);
    struct dirent *entry;

    if (!d) {
        drop_fd(&at);
        w->cannot = true;
        return;
    }
    if (w->writes)
        meet_git(w, at, path, depth == 0);
    errno = 0;
    while (!is_settled(w) && (entry = readdir(d))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            walk_entry(w, d, entry->d_name, path, depth);
        errno = 0;
    }
    w->cannot = w->cannot || errno;
    (void)closedir(d);
}

static void look_through(struct learn_walk *w, const char *dir)
{
    char path[PATH_MAX];
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        w->cannot = true;
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    w->dev = st.st_dev;
    (void)snprintf(path, sizeof(path), "%s", dir);
    walk(w, fd, path, 0);
}

int learn_find_secrets(struct learning *x, const char *dir, struct learnt *out)
{
    struct learn_walk w = { .x = x, .into = out };

    look_through(&w, dir);
    return w.has_more || w.cannot || out->more ? -1 : 0;
}

/* What was found in a directory that is granted, into the list. */
static bool take_found(struct learning *x)
{
    bool has_room = true;

    for (size_t i = 0; has_room && i < x->found.n; i++)
        has_room = learn_add(&x->l, &x->found.entry[i]);
    return has_room;
}

bool learn_may_widen(void *learning, const char *dir, enum learn_kind kind)
{
    struct learning *x = learning;
    struct learn_walk w = {
        .x = x, .into = &x->found, .is_dry = true, .writes = kind == LEARN_WRITE
    };
    const struct learn_entry no = { .kind = kind, .what = dir };
    const struct learn_entry *known =
        learn_find(&x->l, kind, dir, LEARN_ANY, 0);

    /* Once is enough: it would be asked in every round. */
    x->narrow.arena = x->found.arena = x->l.arena;
    x->found.n = 0;
    if ((known && known->left_out) ||
        learn_find(&x->narrow, kind, dir, LEARN_ANY, 0) || learn_must_end(x))
        return false;
    if (!learn_secret(dir, true, &x->at) &&
        learn_is_able(dir, kind, learn_is_dir(dir)) && learn_is_dir(dir) &&
        !(w.writes && why_run(x, dir, true)) &&
        !learn_forbidden(&x->rules, kind, dir)) {
        look_through(&w, dir);
        /* What is denied in it, as in one that was asked for by name. */
        if (!w.has_more && !w.has_secret && !w.has_guard && !w.cannot &&
            take_found(x))
            return true;
    }
    (void)learn_add(&x->narrow, &no);
    return false;
}

/* --- one path --------------------------------------------------------------
 */

/* As it would be typed into a shell. */
static const char *quoted(struct arena *a, const char *path)
{
    scoped(buf_drop) struct buf b = { .max = 64 * 1024 };

    buf_word(&b, path);
    return b.failed ? NULL : arena_strdup(a, b.data);
}

const char *learn_option(struct learning *x, const char *option,
                         const char *path)
{
    const char *word = learn_is_plain(path) ? quoted(x->l.arena, path) : NULL;

    return word ? arena_printf(x->l.arena, "%s %s", option, word) : option;
}

static void leave_out(struct learning *x, struct learn_entry *e,
                      const char *why, const char *option)
{
    e->left_out = why;
    e->option = learn_option(x, option, e->what);
}

static void judge_dir(struct learning *x, struct learn_entry *e,
                      const char *grant)
{
    struct learn_walk w = { .x = x,
                            .into = &x->found,
                            .writes = e->kind == LEARN_WRITE };
    const char *why = learn_wide(e->what, &x->at);

    x->found.arena = x->l.arena;
    x->found.n = 0;
    if (!why) {
        look_through(&w, e->what);
        w.cannot = w.cannot || (!w.has_more && !take_found(x));
        why = w.has_more && learn_must_end(x)
                  ? "there was no time to look through it for secrets"
              : w.has_more ? "it is too large to be looked through for secrets"
              : w.cannot   ? "it holds what cannot be denied apart, or looked "
                             "into"
                           : NULL;
    }
    if (why)
        leave_out(x, e, why, grant);
}

/* Why it is not granted apart: it is, or lies in, what a grant around it denies
 * or keeps for reading. */
static const char *held_back(const struct learning *x,
                             const struct learn_entry *e)
{
    for (size_t i = 0; i < x->l.n; i++) {
        const struct learn_entry *by = &x->l.entry[i];

        if ((by->kind == LEARN_DENY ||
             (by->kind == LEARN_GUARD && e->kind == LEARN_WRITE)) &&
            path_is_within(e->what, by->what))
            return by->message ? by->message : "a grant keeps it as it is";
    }
    return NULL;
}

void learn_judge(struct learning *x, struct learn_entry *e)
{
    const char *grant = e->kind == LEARN_WRITE ? "--rw" : "--ro";
    const char *why = learn_forbidden(&x->rules, e->kind, e->what);

    if (!why && !learn_is_able(e->what, e->kind, e->is_dir))
        why = "your user may not do that";
    if (why) {
        e->left_out = why;
        e->option = NULL;
        return;
    }
    if (!is_excepted(x, e->what)) {
        why = learn_secret(e->what, e->is_dir, &x->at);
        if (!why && !e->is_dir)
            why = secret_inside(AT_FDCWD, e->what);
        if (!why && e->kind == LEARN_WRITE)
            why = why_run(x, e->what, e->is_dir);
        if (!why)
            why = held_back(x, e);
        if (!why && e->is_secret && !learn_wide(e->what, &x->at))
            why = "it may show a secret";
        if (why) {
            leave_out(x, e, why, "--grant-secret");
            return;
        }
    }
    if (e->is_dir)
        judge_dir(x, e, grant);
}

void learn_check_again(struct learning *x)
{
    char real[PATH_MAX];

    for (size_t i = 0; i < x->l.n; i++) {
        struct learn_entry *e = &x->l.entry[i];

        if (!learn_is_granted(e) || e->kind > LEARN_GUARD ||
            e->kind == LEARN_DENY)
            continue;
        if (!realpath(e->what, real))
            e->left_out = "it is gone";
        else if (strcmp(real, e->what) != 0)
            e->left_out = "a link has come into its place";
    }
}
