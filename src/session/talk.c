/* talk.c - see talk.h. */
#include "session/talk.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sys/message.h"

int talk_send(int fd, const void *data, size_t len, const int *fds, size_t n,
              int flags)
{
    /* It is only read. */
    const struct iovec iov = { .iov_base = (void *)(uintptr_t)data,
                               .iov_len = len };

    return message_send(fd, &iov, 1, fds, n, flags);
}

ssize_t talk_receive(int fd, void *data, size_t len, int *fds, size_t room,
                     size_t *n, int flags)
{
    struct iovec iov = { .iov_base = data, .iov_len = len };

    return message_receive(fd, &iov, 1, fds, room, n, flags);
}

unsigned talk_address(int dir, const char *name, struct sockaddr_un *out)
{
    int n;

    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    n = snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s",
                 dir, name);
    return (unsigned)(offsetof(struct sockaddr_un, sun_path) + (size_t)n + 1);
}
