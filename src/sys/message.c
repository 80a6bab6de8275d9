/* message.c - see message.h. */
#include "sys/message.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
};

int message_send(int fd, const struct iovec *iov, size_t niov, const int *fds,
                 size_t n, int flags)
{
    union control control = { 0 };
    /* They are only read.  Their number is an int in one libc, a size_t in
     * another. */
    struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov,
                        .msg_iovlen = (int)niov };
    size_t len = 0;
    ssize_t sent;

    for (size_t i = 0; i < niov; i++)
        len += iov[i].iov_len;
    if (n > MESSAGE_FDS)
        return -EINVAL;
    if (n) {
        m.msg_control = control.room;
        /* 32 bits in one libc, 64 in another. */
        m.msg_controllen = (socklen_t)CMSG_SPACE(n * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = (socklen_t)CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(&control.head), fds, n * sizeof(int));
    }
    do
        sent = sendmsg(fd, &m, MSG_NOSIGNAL | flags);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    return sent == (ssize_t)len ? 0 : -EMSGSIZE;
}

static void take(struct msghdr *m, int *fds, size_t room, size_t *n)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            if (*n < room)
                fds[(*n)++] = fd;
            else
                (void)close(fd);
        }
    }
}

ssize_t message_receive(int fd, struct iovec *iov, size_t niov, int *fds,
                        size_t room, size_t *n, int flags)
{
    union control control;
    struct msghdr m = { .msg_iov = iov,
                        .msg_iovlen = (int)niov,
                        .msg_control = control.room,
                        .msg_controllen = sizeof(control.room) };
    ssize_t got;

    *n = 0;
    do
        got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | flags);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    take(&m, fds, room, n);
    return got;
}
