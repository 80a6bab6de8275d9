/* stream.c - reading, writing, and closing from another thread.
 *
 * A read waits in poll(2) for its pipe and for an event descriptor, which a
 * closer makes readable for good: so no read is missed, whenever it begins. */
#include "ffi/stream.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/scoped.h"

/* More than a pipe holds, and no more than one call may move. */
enum { PIECE = 1 << 30 };

struct stopper {
    atomic_uint uses;
    int event;
};

struct MxcReadStream {
    int fd;
    struct stopper *stop;
};

struct MxcWriteStream {
    int fd;
};

struct MxcStreamCloser {
    struct stopper *stop;
};

struct stopper *stopper_create(void)
{
    struct stopper *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->event < 0) {
        free(s);
        return NULL;
    }
    atomic_init(&s->uses, 1);
    return s;
}

struct stopper *stopper_share(struct stopper *s)
{
    atomic_fetch_add(&s->uses, 1);
    return s;
}

void stopper_drop(struct stopper *s)
{
    if (!s || atomic_fetch_sub(&s->uses, 1) != 1)
        return;
    drop_fd(&s->event);
    free(s);
}

MxcReadStream *read_stream_create(int fd, struct stopper *s)
{
    MxcReadStream *r = calloc(1, sizeof(*r));

    if (r)
        *r = (MxcReadStream){ .fd = fd, .stop = stopper_share(s) };
    return r;
}

MxcWriteStream *write_stream_create(int fd)
{
    MxcWriteStream *w = calloc(1, sizeof(*w));

    if (w)
        w->fd = fd;
    return w;
}

MxcStreamCloser *closer_create(struct stopper *s)
{
    MxcStreamCloser *c = calloc(1, sizeof(*c));

    if (c)
        c->stop = stopper_share(s);
    return c;
}

static size_t at_most(size_t n)
{
    return n < PIECE ? n : PIECE;
}

/* 1: there is something, or the end of it; 0: closed. */
static int wait_readable(const MxcReadStream *s)
{
    struct pollfd p[] = { { .fd = s->stop->event, .events = POLLIN },
                          { .fd = s->fd, .events = POLLIN } };

    while (poll(p, ARRAY_LEN(p), -1) < 0)
        if (errno != EINTR)
            return -1;
    return p[0].revents ? 0 : 1;
}

MXC_FFI_API int32_t mxc_stream_read(MxcReadStream *stream, uint8_t *buffer,
                                    size_t capacity, size_t *read_len)
{
    if (!stream || !buffer || !read_len)
        return MXC_FFI_NULL_POINTER;
    *read_len = 0;
    while (capacity) {
        const int ready = wait_readable(stream);
        ssize_t n =
            ready > 0 ? read(stream->fd, buffer, at_most(capacity)) : ready;

        if (n >= 0) {
            *read_len = (size_t)n;
            break;
        }
        if (ready < 0 || (errno != EINTR && errno != EAGAIN))
            return MXC_FFI_BACKEND_ERROR;
    }
    return MXC_FFI_OK;
}

/* write(2) without the SIGPIPE that would end the caller's process: the signal
 * goes to this thread, where it is blocked and then taken away. */
static ssize_t write_quietly(int fd, const void *data, size_t len)
{
    const struct timespec now = { 0 };
    sigset_t pipe_only, before, pending;
    ssize_t n;
    int error;

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if (sigpending(&pending) < 0 ||
        pthread_sigmask(SIG_BLOCK, &pipe_only, &before) != 0)
        return -1;
    n = write(fd, data, len);
    error = errno;
    /* One that was pending before is somebody else's. */
    if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&pipe_only, NULL, &now) < 0 && errno == EINTR)
            ;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return n;
}

MXC_FFI_API int32_t mxc_stream_write(MxcWriteStream *stream,
                                     const uint8_t *data, size_t length,
                                     size_t *written)
{
    if (!stream || !data || !written)
        return MXC_FFI_NULL_POINTER;
    *written = 0;
    while (length) {
        struct pollfd p = { .fd = stream->fd, .events = POLLOUT };
        ssize_t n = write_quietly(stream->fd, data, at_most(length));

        if (n >= 0) {
            *written = (size_t)n;
            break;
        }
        if (errno == EAGAIN)
            (void)poll(&p, 1, -1);
        else if (errno != EINTR)
            return MXC_FFI_BACKEND_ERROR;
    }
    return MXC_FFI_OK;
}

/* Nothing is kept back here. */
MXC_FFI_API int32_t mxc_stream_flush(MxcWriteStream *stream)
{
    return stream ? MXC_FFI_OK : MXC_FFI_NULL_POINTER;
}

MXC_FFI_API void mxc_read_stream_free(MxcReadStream *stream)
{
    if (!stream)
        return;
    drop_fd(&stream->fd);
    stopper_drop(stream->stop);
    free(stream);
}

MXC_FFI_API void mxc_write_stream_free(MxcWriteStream *stream)
{
    if (!stream)
        return;
    drop_fd(&stream->fd);
    free(stream);
}

MXC_FFI_API int32_t mxc_stream_closer_close(MxcStreamCloser *closer)
{
    if (!closer)
        return MXC_FFI_NULL_POINTER;
    /* EAGAIN: it is as high as it goes, and so readable already. */
    if (eventfd_write(closer->stop->event, 1) < 0 && errno != EAGAIN)
        return MXC_FFI_BACKEND_ERROR;
    return MXC_FFI_OK;
}

MXC_FFI_API void mxc_stream_closer_free(MxcStreamCloser *closer)
{
    if (!closer)
        return;
    stopper_drop(closer->stop);
    free(closer);
}
