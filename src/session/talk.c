/* talk.c - see talk.h. */
#include "session/talk.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int talk_send(int fd, const void *data, size_t len, const int *fds, size_t n,
              int flags)
{
    /* It is only read. */
    struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(TALK_FDS * sizeof(int))];
    } control = { 0 };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t sent;

    if (n > TALK_FDS)
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

ssize_t talk_receive(int fd, void *data, size_t len, int *fds, size_t room,
                     size_t *n, int flags)
{
    struct iovec iov = { .iov_base = data, .iov_len = len };
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(TALK_FDS * sizeof(int))];
    } control;
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
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

unsigned talk_address(int dir, const char *name, struct sockaddr_un *out)
{
    int n;

    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    n = snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s",
                 dir, name);
    return (unsigned)(offsetof(struct sockaddr_un, sun_path) + (size_t)n + 1);
}
