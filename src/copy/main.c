/* main.c - mxc-copy: one side of `mxc cp`; of no use by hand.
 *
 *     mxc-copy pack PATH NAME
 *         PATH to a tar stream on standard output, whose first name is NAME
 *     mxc-copy take PATH NAME
 *         the same, but what is a symbolic link is packed as one: it may be the
 *         workload's, and we read more than the workload may
 *     mxc-copy unpack DST [NAME]
 *         from standard input into the directory DST; with NAME as of cp(1),
 *         NAME being the source's, or "" for what was in it
 *     mxc-copy receive NAME BYTES ENTRIES
 *         the same with the descriptors of unpack/proto.h, from a stream that
 *         is not trusted; NAME "." for what is in it
 *
 * pack and unpack run in a sandbox, as a command like every other: what they
 * may read and write there is what the policy lets any command.  They and take
 * tell what failed on standard error, and end with 3 when the stream ended too
 * soon, with 4 when nobody read it, with 1 for everything else. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "base/sanitizer.h"
#include "base/buf.h"
#include "copy/copy.h"
#include "unpack/unpack.h"

SANITIZER_NO_LEAKS

/* Two lines at most, whatever is in the names that they tell. */
static int fail(const struct err *e)
{
    scoped(buf_drop) struct buf b = { .max = 8192 };

    buf_shown(&b, e->msg);
    buf_puts(&b, e->hint[0] ? "\n" : "");
    buf_shown(&b, e->hint);
    buf_putc(&b, '\n');
    (void)dprintf(STDERR_FILENO, "%s", b.failed ? e->msg : b.data);
    if (e->sys == ENODATA)
        return 3;
    return e->sys == EPIPE ? 4 : 1;
}

/* --- unpack ----------------------------------------------------------------
 */

static int no_directory(const char *dst, struct err *e)
{
    return err_set(e, ERR_POLICY_VALIDATION, "there is no directory '%.200s'",
                   dst);
}

static int open_dir(const char *path, int *out, struct err *e)
{
    *out = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *out < 0 ? err_sys(e, "open(2)", errno, "cannot open '%.200s'", path)
                    : 0;
}

/* DST is no directory: the one above it, and its own name. */
static int open_above(const char *dst, char name[NAME_MAX + 1], int *out,
                      struct err *e)
{
    const char *slash = strrchr(dst, '/');
    const char *own = slash ? slash + 1 : dst;
    char above[PATH_MAX];

    if (!own[0] || strlen(own) > NAME_MAX || strlen(dst) >= sizeof(above))
        return no_directory(dst, e);
    (void)snprintf(name, NAME_MAX + 1, "%s", own);
    (void)snprintf(above, sizeof(above), "%.*s", (int)(own - dst), dst);
    return open_dir(own == dst ? "." : above, out, e);
}

/* Into a directory, under its own name; or as DST. */
static int open_place(const char *dst, const char *own, char name[NAME_MAX + 1],
                      int *out, struct err *e)
{
    struct stat st;
    bool is_there = stat(dst, &st) == 0;

    (void)snprintf(name, NAME_MAX + 1, "%s", own ? own : "");
    if (!is_there && own && !own[0])
        is_there = mkdir(dst, 0755) == 0 && stat(dst, &st) == 0;
    if (is_there && S_ISDIR(st.st_mode))
        return open_dir(dst, out, e);
    return own && own[0] ? open_above(dst, name, out, e) : no_directory(dst, e);
}

static int unpack(const char *dst, const char *own, struct err *e)
{
    static struct unpack_report report;
    static struct tree tree = { .report = &report,
                                .what = "copy",
                                .max_bytes = INT64_MAX,
                                .max_entries = INT64_MAX,
                                .keeps_dirs = true,
                                .dir = -1 };
    char name[NAME_MAX + 1];

    if (open_place(dst, own, name, &tree.root, e) < 0 ||
        copy_unpack(&tree, name[0] ? name : NULL, e) < 0)
        return -1;
    copy_tell_left_out(report.note[NOTE_DEVICE].count,
                       report.note[NOTE_DEVICE].first);
    return 0;
}

/* --- receive ---------------------------------------------------------------
 */

static int receive(char **argv)
{
    static struct unpack_report report;
    static struct tree tree = { .root = UNPACK_TARGET_FD,
                                .report = &report,
                                .what = "copy",
                                .more = "--max-size raises it",
                                .keeps_dirs = true,
                                .keeps_inside = true,
                                .dir = -1 };
    const char *name = strcmp(argv[0], ".") == 0 ? NULL : argv[0];
    struct stat st;

    if (num_u64(argv[1], INT64_MAX, &tree.max_bytes) < 0 ||
        num_u64(argv[2], INT64_MAX, &tree.max_entries) < 0 ||
        fstat(UNPACK_TARGET_FD, &st) < 0 || !S_ISDIR(st.st_mode))
        return 2;
    tree.depth = name ? 1 : 0;
    if (unpack_walls(false, &report.err) < 0 ||
        copy_unpack(&tree, name, &report.err) < 0)
        report.failed = 1;
    return write(UNPACK_REPORT_FD, &report, sizeof(report)) !=
           (ssize_t)sizeof(report);
}

int main(int argc, char **argv)
{
    const struct sigaction ignore = { .sa_handler = SIG_IGN };
    const char *what = argc > 1 ? argv[1] : "";
    const bool is_pack = strcmp(what, "pack") == 0;
    struct err e = { 0 };

    /* A reader that is gone is told by errno. */
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)umask(0);
    if ((is_pack || strcmp(what, "take") == 0) && argc == 4)
        return copy_pack(argv[2], argv[3], is_pack, &e) < 0 ? fail(&e) : 0;
    if (strcmp(what, "unpack") == 0 && (argc == 3 || argc == 4))
        return unpack(argv[2], argc == 4 ? argv[3] : NULL, &e) < 0 ? fail(&e)
                                                                   : 0;
    if (strcmp(what, "receive") == 0 && argc == 5)
        return receive(argv + 2);
    return 2;
}
