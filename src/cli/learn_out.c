/* learn_out.c - where the policy goes.
 *
 * The command may write to the directory that the file is in, so a file is
 * made under a name that was not there, and then moved: no link is followed,
 * and nobody sees a half. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/read_all.h"
#include "base/report.h"
#include "cli/learning.h"

static const char usual[] = "mxc-policy.json";

static int check_merge(struct learning *x, struct err *e)
{
    const struct learn_flags *f = &x->c->learn;

    if (f->changes_file && !f->merge) {
        err_set(e, ERR_MALFORMED_REQUEST, "learn: --write without --merge");
        return err_hint(e, "--merge POLICY --write changes POLICY");
    }
    if (!f->merge)
        return 0;
    if (x->c->policy_file) {
        err_set(e, ERR_MALFORMED_REQUEST,
                "learn: a policy, and another one to merge with");
        return err_hint(e, "--merge POLICY begins with it already");
    }
    if (strcmp(f->merge, "-") == 0) {
        err_set(e, ERR_MALFORMED_REQUEST, "learn: --merge names a file");
        return err_hint(e, "--policy - begins with one of standard input");
    }
    if (f->changes_file && f->out) {
        err_set(e, ERR_MALFORMED_REQUEST, "learn: both --write and --out");
        return err_hint(e, "--write changes the policy that is merged with");
    }
    x->c->policy_file = f->merge;
    return 0;
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* What may be a value of the environment is for its owner. */
static mode_t mode_of(const struct learning *x)
{
    return memmem(x->policy.data, x->policy.len, "\"env\": [", 8) ? 0600 : 0666;
}

/* Before the command runs: it shall not have run for nothing, and what it puts
 * into the way of the name is not followed. */
int learn_open_target(struct learning *x, struct err *e)
{
    struct arena *a = &x->c->arena;
    char real[PATH_MAX];
    const char *slash, *dir;

    if (!x->target || strcmp(x->target, "-") == 0)
        return 0;
    if (x->c->learn.changes_file && realpath(x->target, real))
        x->target = arena_strdup(a, real);
    if (!x->target)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    slash = strrchr(x->target, '/');
    dir = !slash ? "."
          : slash == x->target
              ? "/"
              : arena_strndup(a, x->target, (size_t)(slash - x->target));
    x->dir = dir ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (x->dir < 0 || faccessat(x->dir, ".", W_OK | X_OK, AT_EACCESS) < 0)
        return err_sys(e, x->dir < 0 ? "open(2)" : "access(2)", errno,
                       "cannot write '%s'", x->target);
    if (!realpath(dir, real))
        return err_sys(e, "realpath(3)", errno, "cannot write '%s'", x->target);
    x->by[0] = dir;
    x->by[1] = arena_strdup(a, real);
    return x->by[1] ? 0 : err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

/* The command may have moved the directory, and put one of its own there: its
 * owner would be told the name of a policy that the command wrote. */
static int check_place(const struct learning *x, struct err *e)
{
    struct stat own, st;

    if (fstat(x->dir, &own) < 0)
        return err_sys(e, "fstat(2)", errno, "cannot write '%s'", x->target);
    for (size_t i = 0; i < ARRAY_LEN(x->by); i++)
        if (stat(x->by[i], &st) < 0 || st.st_dev != own.st_dev ||
            st.st_ino != own.st_ino) {
            err_set(e, ERR_POLICY_VALIDATION,
                    "the directory of '%s' is another one since the command "
                    "ran, and what is there now is not from mxc",
                    x->target);
            return err_hint(e, "learn again with --out FILE where the command "
                               "may not write");
        }
    return 0;
}

int learn_check_out(struct learning *x, struct err *e)
{
    const struct learn_flags *f = &x->c->learn;
    struct stat st;

    if (check_merge(x, e) < 0)
        return -1;
    x->target = f->changes_file ? f->merge : f->out ? f->out : usual;
    /* Merging alone shows, and writes nothing. */
    if (f->merge && !f->changes_file && !f->out)
        x->target = NULL;
    if (!x->target || strcmp(x->target, "-") == 0)
        return 0;
    if (f->changes_file || f->is_forced || lstat(x->target, &st) < 0)
        return 0;
    err_set(e, ERR_MALFORMED_REQUEST, "learn: '%s' is there already",
            x->target);
    return err_hint(e, "--force to replace it, --out FILE for another, "
                       "--merge POLICY to learn on top of it");
}

static int write_new(const struct learning *x, const char *name, mode_t mode,
                     struct err *e)
{
    scoped(drop_fd) int fd =
        openat(x->dir, name,
               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

    if (fd < 0)
        return err_sys(e, "open(2)", errno, "cannot write '%s'", x->target);
    /* A policy that is changed stays for whom it was. */
    if ((x->c->learn.changes_file && fchmod(fd, mode) < 0) ||
        report_write(fd, &x->policy, e) < 0 || fsync(fd) < 0) {
        if (e->code == ERR_NONE)
            err_sys(e, "fsync(2)", errno, "cannot write '%s'", x->target);
        (void)unlinkat(x->dir, name, 0);
        return -1;
    }
    return 0;
}

/* Of what was read at the beginning nothing may have changed. */
static int check_unchanged(const struct learning *x, mode_t *mode,
                           struct err *e)
{
    struct arena a = { .limit = 64 << 20 };
    scoped(drop_fd) int fd =
        open(x->target, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *text = NULL;
    size_t len = 0;
    struct stat st;
    bool is_same;

    is_same = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
              read_all(&a, fd, REQUEST_MAX_BYTES, &text, &len) == 0 &&
              len == x->c->text_len && memcmp(text, x->c->text, len) == 0;
    arena_drop(&a);
    if (is_same) {
        *mode = st.st_mode & 0777;
        return 0;
    }
    err_set(e, ERR_POLICY_VALIDATION,
            "'%s' has changed while the command ran, and is left as it is",
            x->target);
    return err_hint(e, "learn again; the command should not be able to write "
                       "its policy");
}

static int write_file(struct learning *x, struct err *e)
{
    const bool replaces = x->c->learn.is_forced || x->c->learn.changes_file;
    const char *last = last_name(x->target);
    char name[NAME_MAX + 1];
    mode_t mode = mode_of(x);
    uint64_t random;
    int r;

    if (check_place(x, e) < 0 ||
        (x->c->learn.changes_file && check_unchanged(x, &mode, e) < 0))
        return -1;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return err_sys(e, "getrandom(2)", errno, "cannot write the policy");
    (void)snprintf(name, sizeof(name), ".mxc-policy.%016llx",
                   (unsigned long long)random);
    if (write_new(x, name, mode, e) < 0)
        return -1;
    r = replaces ? renameat(x->dir, name, x->dir, last)
                 : linkat(x->dir, name, x->dir, last, 0);
    if (r < 0)
        err_sys(e, replaces ? "rename(2)" : "link(2)", errno,
                "cannot write '%s'", x->target);
    if (r < 0 || !replaces)
        (void)unlinkat(x->dir, name, 0);
    /* Whoever told the command to end need not have waited for it. */
    return r < 0 ? r : check_place(x, e);
}

static void show_diff(const struct learning *x)
{
    struct buf b = { .max = 64 << 20 };
    char *old = strndup(x->c->text, x->c->text_len);

    if (old)
        learn_diff(x->c->learn.merge, old, "learnt", x->policy.data, &b);
    cli_print(stdout, &b);
    buf_drop(&b);
    free(old);
}

int learn_write(struct learning *x, struct err *e)
{
    if (x->c->learn.merge && (!x->target || strcmp(x->target, "-") != 0))
        show_diff(x);
    if (!x->target)
        return 0;
    if (strcmp(x->target, "-") == 0)
        return report_write(STDOUT_FILENO, &x->policy, e);
    return write_file(x, e);
}
