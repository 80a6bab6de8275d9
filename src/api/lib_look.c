/* lib_look.c - questions that run nothing of the caller's. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "api/explain.h"
#include "api/lib.h"
#include "base/json.h"

enum { TEXT_MAX = 64 << 20 };

/* Options and request of a question, into an arena to be dropped. */
static int look(struct arena *a, const char *request, size_t len,
                const struct mxc_options *options, bool plan_only,
                struct prepared *p, struct err *e)
{
    struct mxc_options o;

    if (lib_options(options, &o, e) < 0)
        return -1;
    return lib_prepare(a, request, len, &o, plan_only, p, e);
}

int mxc_validate(const char *request, size_t len,
                 const struct mxc_options *options, struct mxc_error *error)
{
    struct arena a = { 0 };
    struct prepared p;
    struct err e = { 0 };
    int r = look(&a, request, len, options, false, &p, &e);

    arena_drop(&a);
    return r < 0 ? lib_fail(error, &e) : 0;
}

/* Give the text away, or say that there is none. */
static int give(struct buf *b, char **to, struct mxc_error *error)
{
    struct err e = { 0 };

    if (b->failed || !b->data) {
        buf_drop(b);
        (void)lib_out_of_memory(&e);
        return lib_fail(error, &e);
    }
    *to = b->data;
    return 0;
}

int mxc_explain(const char *request, size_t len,
                const struct mxc_options *options, char **text,
                struct mxc_error *error)
{
    struct arena a = { 0 };
    struct prepared p;
    struct buf b = { .max = TEXT_MAX };
    struct err e = { 0 };
    int r = look(&a, request, len, options, true, &p, &e);

    if (r == 0)
        explain(&b, &p, false, false);
    arena_drop(&a);
    return r < 0 ? lib_fail(error, &e) : give(&b, text, error);
}

int mxc_receipt(const char *request, size_t len,
                const struct mxc_options *options, char **json,
                struct mxc_error *error)
{
    struct arena a = { 0 };
    struct prepared p;
    struct buf b = { .max = TEXT_MAX };
    struct err e = { 0 };
    int r = look(&a, request, len, options, true, &p, &e);

    if (r == 0) {
        buf_putc(&b, '{');
        buf_puts(&b, p.plan.receipt);
        buf_putc(&b, '}');
    }
    arena_drop(&a);
    return r < 0 ? lib_fail(error, &e) : give(&b, json, error);
}

/* --- the host ----------------------------------------------------------------
 */

static int read_all(int fd, struct buf *b, struct err *e)
{
    char piece[4096];
    ssize_t n;

    while ((n = read(fd, piece, sizeof(piece))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "read(2)", errno, "cannot hear mxc");
        buf_add(b, piece, (size_t)n);
    }
    return 0;
}

/* Probing forks and enters namespaces: not in a process that is the
 * caller's. */
static int probe(struct buf *b, struct err *e)
{
    static const char *const argv[] = { "mxc", "doctor", "--json", "1", NULL };
    char path[PATH_MAX];
    scoped(drop_fd) int ours = -1;
    scoped(drop_fd) int theirs = -1;
    scoped(drop_fd) int null = -1;
    scoped(drop_fd) int pidfd = -1;
    int pair[2], r;
    bool is_child;
    pid_t pid;

    if (lib_find(NULL, argv[0], path, sizeof(path), e) < 0)
        return -1;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return err_sys(e, "open(2)", errno, "cannot open /dev/null");
    if (pipe2(pair, O_CLOEXEC) < 0)
        return err_sys(e, "pipe2(2)", errno, "cannot ask mxc");
    ours = pair[0];
    theirs = pair[1];
    if (start_program(&(struct start){ .path = path,
                                       .argv = argv,
                                       .fd = (int[]){ null, theirs, null },
                                       .nfds = 3,
                                       .own_session = true },
                      &pidfd, &pid, &is_child, e) < 0)
        return -1;
    drop_fd(&theirs);
    r = read_all(ours, b, e);
    drop_fd(&ours);
    start_bury(pidfd);
    if (r == 0 && !b->len)
        r = err_set(e, ERR_BACKEND_ERROR, "'%s doctor' gave no answer", path);
    return r;
}

int mxc_probe(char **json, struct mxc_error *error)
{
    struct buf b = { .max = TEXT_MAX };
    struct err e = { 0 };

    if (probe(&b, &e) < 0) {
        buf_drop(&b);
        return lib_fail(error, &e);
    }
    return give(&b, json, error);
}
