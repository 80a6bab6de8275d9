/* handle.c - see handle.h.
 *
 * The lock guards what the handle knows and is never held while something
 * waits: so a kill reaches a sandbox that another thread waits for. */
#include "ffi/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "ffi/stream.h"

enum { IN, OUT, ERR, STREAMS };

/* How the caller wants it dead; the first word counts. */
enum word { WORD_NONE = 0, WORD_KILL, WORD_TIMEOUT };

/* How long a kill waits for what it did. */
enum { KILL_MS = 1000 };

struct MxcSandbox {
    pthread_mutex_t lock;
    struct engine *engine;
    bool has_terminal;
    /* The streams; -1: taken, transferred, drained or none. */
    int fd[STREAMS];
    struct stopper *stop[STREAMS]; /* IN has none */
    bool is_transferred;           /* or drained: nothing left to transfer */
    bool is_split;                 /* a single one was taken */
    enum word word;
    struct engine_end end; /* RUNS as long as nobody looked */
    int32_t end_status;
};

MxcSandbox *handle_create(struct engine *g, bool has_terminal)
{
    MxcSandbox *h = calloc(1, sizeof(*h));

    if (!h) {
        engine_destroy(g);
        return NULL;
    }
    (void)pthread_mutex_init(&h->lock, NULL);
    h->engine = g;
    h->has_terminal = has_terminal;
    for (int i = 0; i < STREAMS; i++) {
        h->fd[i] = engine_take(g, i);
        /* As MXC's pipes are.  A read polls first, so it cannot spin. */
        if (i != IN && h->fd[i] >= 0 && !has_terminal)
            (void)fcntl(h->fd[i], F_SETFL, O_NONBLOCK);
    }
    return h;
}

MXC_FFI_API void mxc_sandbox_free(MxcSandbox *sandbox)
{
    if (!sandbox)
        return;
    for (int i = 0; i < STREAMS; i++) {
        drop_fd(&sandbox->fd[i]);
        stopper_drop(sandbox->stop[i]);
    }
    engine_destroy(sandbox->engine);
    (void)pthread_mutex_destroy(&sandbox->lock);
    free(sandbox);
}

MXC_FFI_API uint32_t mxc_sandbox_id(const MxcSandbox *sandbox)
{
    return sandbox ? engine_pid(sandbox->engine) : 0;
}

/* --- streams ---------------------------------------------------------- */

MXC_FFI_API MxcWriteStream *mxc_sandbox_take_stdin(MxcSandbox *sandbox)
{
    MxcWriteStream *w = NULL;

    if (!sandbox)
        return NULL;
    pthread_mutex_lock(&sandbox->lock);
    if (sandbox->fd[IN] >= 0)
        w = write_stream_create(sandbox->fd[IN]);
    if (w) {
        sandbox->fd[IN] = -1;
        sandbox->is_split = true;
    }
    pthread_mutex_unlock(&sandbox->lock);
    return w;
}

/* With the lock: the stopper of that stream, made when first asked for. */
static struct stopper *stopper_of(MxcSandbox *h, int i)
{
    if (!h->stop[i])
        h->stop[i] = stopper_create();
    return h->stop[i];
}

static MxcReadStream *take_output(MxcSandbox *h, int i)
{
    MxcReadStream *r = NULL;

    if (!h)
        return NULL;
    pthread_mutex_lock(&h->lock);
    if (h->fd[i] >= 0 && stopper_of(h, i))
        r = read_stream_create(h->fd[i], h->stop[i]);
    if (r) {
        h->fd[i] = -1;
        h->is_split = true;
    }
    pthread_mutex_unlock(&h->lock);
    return r;
}

MXC_FFI_API MxcReadStream *mxc_sandbox_take_stdout(MxcSandbox *sandbox)
{
    return take_output(sandbox, OUT);
}

MXC_FFI_API MxcReadStream *mxc_sandbox_take_stderr(MxcSandbox *sandbox)
{
    return take_output(sandbox, ERR);
}

static MxcStreamCloser *closer_of(MxcSandbox *h, int i)
{
    MxcStreamCloser *c = NULL;

    if (!h || h->has_terminal)
        return NULL;
    pthread_mutex_lock(&h->lock);
    /* After wait nothing is left to transfer either, but a closer does no
     * harm; after a transfer there is no stream that it could close. */
    if ((!h->is_transferred || h->end.how != ENGINE_RUNS) && stopper_of(h, i))
        c = closer_create(h->stop[i]);
    pthread_mutex_unlock(&h->lock);
    return c;
}

MXC_FFI_API MxcStreamCloser *mxc_sandbox_stdout_closer(MxcSandbox *sandbox)
{
    return closer_of(sandbox, OUT);
}

MXC_FFI_API MxcStreamCloser *mxc_sandbox_stderr_closer(MxcSandbox *sandbox)
{
    return closer_of(sandbox, ERR);
}

MXC_FFI_API int32_t mxc_sandbox_take_native_stdio(MxcSandbox *sandbox,
                                                  MxcNativeStdio *out)
{
    int32_t status = MXC_FFI_OK;

    if (!sandbox || !out)
        return MXC_FFI_NULL_POINTER;
    *out = (MxcNativeStdio){ -1, -1, -1 };
    pthread_mutex_lock(&sandbox->lock);
    if (sandbox->is_split) {
        status = MXC_FFI_BACKEND_ERROR;
    } else if (sandbox->is_transferred) {
        status = MXC_FFI_BACKEND_UNAVAILABLE;
    } else {
        out->stdin_handle = take_fd(&sandbox->fd[IN]);
        out->stdout_handle = take_fd(&sandbox->fd[OUT]);
        out->stderr_handle = take_fd(&sandbox->fd[ERR]);
        sandbox->is_transferred = true;
    }
    pthread_mutex_unlock(&sandbox->lock);
    return status;
}

MXC_FFI_API void mxc_native_pipe_close(intptr_t handle)
{
    int fd = handle >= 0 && handle <= INT32_MAX ? (int)handle : -1;

    drop_fd(&fd);
}

/* --- the end ---------------------------------------------------------- */

/* With the lock.  What failed after the start looks like a workload that
 * failed; why, says a warning. */
static void tell(const MxcSandbox *h, int32_t *exit_code, int32_t *timed_out)
{
    const bool late = h->end.how == ENGINE_TIMED_OUT ||
                      (h->end.how == ENGINE_KILLED && h->word == WORD_TIMEOUT);
    const bool by_itself =
        h->end.how == ENGINE_EXITED || h->end.how == ENGINE_NEVER_BEGAN;

    *exit_code = by_itself ? h->end.exit_code : -1;
    *timed_out = late;
}

/* Look, or wait; the answer is kept, since it does not change any more. */
static int32_t look(MxcSandbox *h, int timeout_ms)
{
    struct engine_end end = { 0 };
    struct err e = { 0 };
    bool known;

    pthread_mutex_lock(&h->lock);
    known = h->end.how != ENGINE_RUNS;
    pthread_mutex_unlock(&h->lock);
    if (known)
        return MXC_FFI_OK;
    if (engine_wait(h->engine, timeout_ms, &end, &e) < 0)
        return MXC_FFI_BACKEND_ERROR;
    pthread_mutex_lock(&h->lock);
    if (h->end.how == ENGINE_RUNS)
        h->end = end;
    pthread_mutex_unlock(&h->lock);
    return MXC_FFI_OK;
}

MXC_FFI_API int32_t mxc_sandbox_try_wait(MxcSandbox *sandbox,
                                         int32_t *exit_code, int32_t *running,
                                         int32_t *timed_out)
{
    int32_t status;

    if (!sandbox || !exit_code || !running || !timed_out)
        return MXC_FFI_NULL_POINTER;
    status = look(sandbox, 0);
    if (status)
        return status;
    pthread_mutex_lock(&sandbox->lock);
    *exit_code = 0;
    *timed_out = 0;
    *running = sandbox->end.how == ENGINE_RUNS;
    if (!*running)
        tell(sandbox, exit_code, timed_out);
    pthread_mutex_unlock(&sandbox->lock);
    return MXC_FFI_OK;
}

/* Throw away one piece; the end of it, or an error, ends the stream. */
static void discard(struct pollfd *p)
{
    char piece[8192];
    ssize_t n = read(p->fd, piece, sizeof(piece));

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        drop_fd(&p->fd);
}

/* Keep the pipes from filling up until the end. */
static void drain(const MxcSandbox *h, int out, int err)
{
    struct pollfd p[] = {
        { .fd = engine_wait_fd(h->engine), .events = POLLIN },
        { .fd = out, .events = POLLIN },
        { .fd = err, .events = POLLIN },
    };

    while (p[1].fd >= 0 || p[2].fd >= 0) {
        if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
            break;
        if (p[0].revents)
            break;
        for (size_t i = 1; i < ARRAY_LEN(p); i++)
            if (p[i].fd >= 0 && p[i].revents)
                discard(&p[i]);
    }
    drop_fd(&p[1].fd);
    drop_fd(&p[2].fd);
}

MXC_FFI_API int32_t mxc_sandbox_wait(MxcSandbox *sandbox, int32_t *exit_code,
                                     int32_t *timed_out)
{
    int fd[STREAMS];
    int32_t status;

    if (!sandbox || !exit_code || !timed_out)
        return MXC_FFI_NULL_POINTER;
    pthread_mutex_lock(&sandbox->lock);
    for (int i = 0; i < STREAMS; i++)
        fd[i] = take_fd(&sandbox->fd[i]);
    sandbox->is_transferred = true;
    pthread_mutex_unlock(&sandbox->lock);
    drop_fd(&fd[IN]);
    drain(sandbox, fd[OUT], fd[ERR]);
    status = look(sandbox, -1);
    if (status)
        return status;
    pthread_mutex_lock(&sandbox->lock);
    tell(sandbox, exit_code, timed_out);
    pthread_mutex_unlock(&sandbox->lock);
    return MXC_FFI_OK;
}

static int32_t end_it(MxcSandbox *h, enum word word)
{
    struct err e = { 0 };

    if (!h)
        return MXC_FFI_NULL_POINTER;
    /* Has it ended by itself meanwhile?  Then that is how it ended. */
    if (look(h, 0) != MXC_FFI_OK)
        return MXC_FFI_BACKEND_ERROR;
    pthread_mutex_lock(&h->lock);
    if (h->end.how == ENGINE_RUNS && h->word == WORD_NONE)
        h->word = word;
    pthread_mutex_unlock(&h->lock);
    if (engine_kill(h->engine, &e) < 0)
        return MXC_FFI_BACKEND_ERROR;
    return look(h, KILL_MS);
}

MXC_FFI_API int32_t mxc_sandbox_kill(MxcSandbox *sandbox)
{
    return end_it(sandbox, WORD_KILL);
}

MXC_FFI_API int32_t mxc_sandbox_kill_for_timeout(MxcSandbox *sandbox)
{
    return end_it(sandbox, WORD_TIMEOUT);
}

MXC_FFI_API int32_t mxc_sandbox_pty_resize(MxcSandbox *sandbox, uint16_t rows,
                                           uint16_t columns)
{
    struct err e = { 0 };
    int32_t status = size_check(rows, columns, NULL);

    if (!sandbox)
        return MXC_FFI_NULL_POINTER;
    if (status)
        return status;
    if (!sandbox->has_terminal)
        return MXC_FFI_BACKEND_ERROR;
    if (look(sandbox, 0) == MXC_FFI_OK &&
        engine_resize(sandbox->engine, rows, columns, &e) < 0) {
        /* It may have ended just now, which is fine. */
        int32_t code, running = 1, late;

        (void)mxc_sandbox_try_wait(sandbox, &code, &running, &late);
        return running ? MXC_FFI_BACKEND_ERROR : MXC_FFI_OK;
    }
    return MXC_FFI_OK;
}

/* --- what it left ----------------------------------------------------- */

/* From then on neither the end nor the result changes. */
static bool has_ended(MxcSandbox *sandbox)
{
    bool ended;

    pthread_mutex_lock(&sandbox->lock);
    ended = sandbox->end.how != ENGINE_RUNS;
    pthread_mutex_unlock(&sandbox->lock);
    return ended;
}

MXC_FFI_API int32_t mxc_sandbox_output_metadata_json(MxcSandbox *sandbox,
                                                     char **out)
{
    char *text = NULL;
    bool has_some;

    if (out)
        *out = NULL;
    if (!sandbox || !out)
        return MXC_FFI_NULL_POINTER;
    if (!has_ended(sandbox))
        return MXC_FFI_OK;
    if (!metadata_text(engine_result(sandbox->engine), &text))
        return MXC_FFI_INTERNAL;
    has_some = text != NULL;
    *out = text_give(text);
    return has_some && !*out ? MXC_FFI_INTERNAL : MXC_FFI_OK;
}

MXC_FFI_API int32_t mxc_sandbox_warnings_json(MxcSandbox *sandbox, char **out)
{
    char *text = NULL;
    bool has_some;

    if (out)
        *out = NULL;
    if (!sandbox || !out)
        return MXC_FFI_NULL_POINTER;
    if (!has_ended(sandbox))
        return MXC_FFI_OK;
    if (!warnings_text(engine_result(sandbox->engine), sandbox->end.why.msg,
                       &text))
        return MXC_FFI_INTERNAL;
    has_some = text != NULL;
    *out = text_give(text);
    return has_some && !*out ? MXC_FFI_INTERNAL : MXC_FFI_OK;
}
