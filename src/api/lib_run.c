/* lib_run.c - mxc_run: start it, feed it, keep what it says, wait.
 *
 * One poll(2) over the three streams, the end and the caller's cancel_fd.
 * Input goes through a pipe and not a socket, which a program could not open
 * again as /dev/stdin; lib_guard.c keeps SIGPIPE away. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "api/lib.h"

enum { PIECE = 64 * 1024, OUTPUT_MAX = 64 << 20 };

/* What mxc_result had at first. */
#define RESULT_LEAST offsetof(struct mxc_result, out_truncated)

/* One stream of output: its first half, and of what does not fit any more the
 * last half, which goes round in a ring. */
struct sink {
    int fd; /* -1: ended */
    char *data;
    size_t len, cap, max;
    size_t at; /* in the ring, where the oldest byte of a full one is */
    uint64_t lost;
};

static size_t head_of(const struct sink *k)
{
    return k->max - k->max / 2;
}

struct run {
    struct mxc_sandbox *s;
    struct sink out, err;
    int in; /* -1: all was written, or nobody reads */
    const char *input;
    size_t left;
    int cancel; /* -1: none, or it was heard */
    bool has_ended;
};

/* Room for some more bytes and a NUL, if it may grow. */
static int make_room(struct sink *k, struct err *e)
{
    size_t cap = k->cap ? k->cap : 4096;
    char *data;

    if (k->len < k->cap || k->len == k->max)
        return 0;
    if (k->cap)
        cap = k->cap > k->max / 2 ? k->max : k->cap * 2;
    if (cap > k->max)
        cap = k->max;
    data = realloc(k->data, cap + 1);
    if (!data)
        return lib_out_of_memory(e);
    k->data = data;
    k->cap = cap;
    return 0;
}

/* Into the ring, in place of its oldest bytes. */
static void keep_last(struct sink *k, const char *text, size_t n)
{
    const size_t ring = k->max / 2;
    char *const to = k->data + head_of(k);

    k->lost += n;
    if (n >= ring) {
        if (ring)
            memcpy(to, text + (n - ring), ring);
        k->at = 0;
        return;
    }
    while (n) {
        const size_t room = ring - k->at, some = n < room ? n : room;

        memcpy(to + k->at, text, some);
        k->at = (k->at + some) % ring;
        text += some;
        n -= some;
    }
}

/* One read: more than there is room for takes the place of the oldest bytes of
 * the last half.  By way of a spare room, since that may be of a few bytes,
 * and a read for each would keep the command waiting. */
static ssize_t take(struct sink *k)
{
    const size_t room = k->cap - k->len;
    char spare[8192];
    ssize_t n;

    if (room) {
        n = read(k->fd, k->data + k->len, room < PIECE ? room : PIECE);
        if (n > 0)
            k->len += (size_t)n;
        return n;
    }
    n = read(k->fd, spare, sizeof(spare));
    if (n > 0)
        keep_last(k, spare, (size_t)n);
    return n;
}

/* 1 for more to come, 0 for none now or ever. */
static int drain(struct sink *k, struct err *e)
{
    ssize_t n;

    if (make_room(k, e) < 0)
        return -1;
    n = take(k);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return errno == EINTR;
    if (n < 0)
        return err_sys(e, "read(2)", errno, "cannot read the output");
    if (n == 0) {
        k->fd = -1;
        return 0;
    }
    return 1;
}

static void close_input(struct run *r)
{
    int fd = mxc_sandbox_take_stdin(r->s);

    drop_fd(&fd);
    r->in = -1;
}

static int feed(struct run *r, struct err *e)
{
    struct guard g;
    ssize_t n;

    guard_begin(&g);
    n = write(r->in, r->input, r->left < PIECE ? r->left : PIECE);
    guard_end(&g);
    if (n > 0) {
        r->input += n;
        r->left -= (size_t)n;
    }
    if (n < 0 && errno != EAGAIN && errno != EINTR && errno != EPIPE)
        return err_sys(e, "write(2)", errno, "cannot write the input");
    if (!r->left || (n < 0 && errno == EPIPE))
        close_input(r);
    return 0;
}

static int turn(struct run *r, struct err *e)
{
    struct pollfd p[] = {
        { .fd = r->out.fd, .events = POLLIN },
        { .fd = r->err.fd, .events = POLLIN },
        { .fd = r->in, .events = POLLOUT },
        { .fd = r->cancel, .events = POLLIN },
        { .fd = mxc_sandbox_wait_fd(r->s), .events = POLLIN },
    };

    if (poll(p, ARRAY_LEN(p), -1) < 0)
        return errno == EINTR ? 0 : err_sys(e, "poll(2)", errno, "cannot wait");
    if (p[0].revents && drain(&r->out, e) < 0)
        return -1;
    if (p[1].revents && drain(&r->err, e) < 0)
        return -1;
    if (p[2].revents && feed(r, e) < 0)
        return -1;
    if (p[3].revents) {
        r->cancel = -1;
        (void)mxc_sandbox_kill(r->s, NULL);
    }
    r->has_ended = p[4].revents != 0;
    return 0;
}

/* What lay in a pipe at the end.  What comes later is not the command's: in a
 * session, others may go on writing. */
static int drain_rest(struct sink *k, struct err *e)
{
    const uint64_t before = k->len + k->lost;
    int left = 0, n = 1;

    if (k->fd >= 0 && ioctl(k->fd, FIONREAD, &left) < 0)
        return err_sys(e, "ioctl(2)", errno, "cannot read the output");
    while (k->fd >= 0 && n > 0 && k->len + k->lost - before < (uint64_t)left)
        n = drain(k, e);
    return n < 0 ? -1 : 0;
}

static int no_blocking(int fd, struct err *e)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot use the streams");
    return 0;
}

static int capture(struct run *r, struct err *e)
{
    bool ended;

    r->out.fd = mxc_sandbox_stdout(r->s);
    r->err.fd = mxc_sandbox_stderr(r->s);
    r->in = mxc_sandbox_stdin(r->s);
    if (no_blocking(r->out.fd, e) < 0 || no_blocking(r->err.fd, e) < 0 ||
        no_blocking(r->in, e) < 0)
        return -1;
    if (!r->left)
        close_input(r);
    while (!r->has_ended)
        if (turn(r, e) < 0)
            return -1;
    if (drain_rest(&r->out, e) < 0 || drain_rest(&r->err, e) < 0 ||
        make_room(&r->out, e) < 0 || make_room(&r->err, e) < 0)
        return -1;
    return lib_wait(r->s, -1, &ended, e);
}

static void reverse(char *at, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        const char c = at[i];

        at[i] = at[n - 1 - i];
        at[n - 1 - i] = c;
    }
}

/* The ring, from its oldest byte on. */
static void straighten(struct sink *k)
{
    const size_t ring = k->max / 2;
    char *at;

    if (!k->data || !k->at)
        return;
    at = k->data + head_of(k);
    reverse(at, k->at);
    reverse(at + k->at, ring - k->at);
    reverse(at, ring);
    k->at = 0;
}

/* An empty stream is text of no length, not NULL. */
static char *take_text(struct sink *k)
{
    char *data = k->data ? k->data : calloc(1, 1);

    straighten(k);
    if (data)
        data[k->len] = '\0';
    k->data = NULL;
    return data;
}

/* What the caller's structure and ours have in common. */
static size_t known(const struct mxc_result *r)
{
    return r->size < sizeof(*r) ? r->size : sizeof(*r);
}

static int give(struct run *r, struct mxc_result *to, struct err *e)
{
    const size_t head = offsetof(struct mxc_result, status);
    struct mxc_result all = { .out_len = r->out.len,
                              .err_len = r->err.len,
                              .out_lost = r->out.lost,
                              .err_lost = r->err.lost,
                              .out_gap = r->out.lost ? head_of(&r->out) : 0,
                              .err_gap = r->err.lost ? head_of(&r->err) : 0,
                              .out_truncated = r->out.lost > 0,
                              .err_truncated = r->err.lost > 0,
                              .out_total = r->out.len + r->out.lost,
                              .err_total = r->err.len + r->err.lost };

    all.out = take_text(&r->out);
    all.err = take_text(&r->err);
    if (!all.out || !all.err || !r->s->json) {
        free(all.out);
        free(all.err);
        return lib_out_of_memory(e);
    }
    all.status = r->s->status;
    all.json = r->s->json;
    r->s->json = NULL;
    memcpy((char *)to + head, (char *)&all + head, known(to) - head);
    if (all.status.how != MXC_FAILED)
        return 0;
    *e = r->s->err;
    return -1;
}

int lib_check_run(const struct mxc_options *o, const struct mxc_result *result,
                  struct err *e)
{
    if (!result)
        return err_set(e, ERR_MALFORMED_REQUEST, "no result to fill");
    if (lib_check_size(result->size, RESULT_LEAST, "mxc_result", e) < 0)
        return -1;
    if (o->cancel_fd > 0 && fcntl(o->cancel_fd, F_GETFD) < 0) {
        err_set(e, ERR_MALFORMED_REQUEST, "options: cancel_fd %d is not open",
                o->cancel_fd);
        return err_hint(e, "0 or -1: nothing cancels it");
    }
    if (!o->events && !o->detached && o->stdio <= MXC_STDIO_PIPE)
        return 0;
    err_set(e, ERR_MALFORMED_REQUEST,
            "options: events, detached and a stdio are for mxc_spawn");
    return err_hint(e, "the result has the output and the denials");
}

int lib_capture(struct mxc_sandbox *s, const struct mxc_options *o,
                struct mxc_result *result, struct err *e)
{
    const size_t most = o->output_max ? o->output_max : OUTPUT_MAX;
    struct run r = { .s = s,
                     .out = { .max = most },
                     .err = { .max = most },
                     .in = -1,
                     .input = o->input,
                     .left = o->input_len,
                     .cancel = o->cancel_fd > 0 ? o->cancel_fd : -1 };
    int ret = capture(&r, e);

    if (ret == 0)
        ret = give(&r, result, e);
    mxc_sandbox_destroy(s);
    free(r.out.data);
    free(r.err.data);
    return ret;
}

int lib_options_of_run(const struct mxc_options *options,
                       const struct mxc_result *result, struct mxc_options *o,
                       struct err *e)
{
    if (lib_options(options, o, e) < 0 || lib_check_run(o, result, e) < 0 ||
        lib_check_one_shot(o, e) < 0)
        return -1;
    o->stdio = MXC_STDIO_PIPE;
    return 0;
}

int mxc_run(const char *request, size_t len, const struct mxc_options *options,
            struct mxc_result *result, struct mxc_error *error)
{
    struct mxc_sandbox *s = NULL;
    struct mxc_options o;
    struct err e = { 0 };
    int r = lib_options_of_run(options, result, &o, &e);

    if (r == 0)
        r = lib_spawn(request, len, &o, &s, &e);
    if (r == 0)
        r = lib_capture(s, &o, result, &e);
    return r < 0 ? lib_fail(error, &e) : 0;
}

void mxc_result_clear(struct mxc_result *result)
{
    const size_t head = offsetof(struct mxc_result, status);

    if (!result || result->size < RESULT_LEAST)
        return;
    free(result->out);
    free(result->err);
    free(result->json);
    memset((char *)result + head, 0, known(result) - head);
    result->status.size = sizeof(result->status);
}
