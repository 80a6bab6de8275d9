/* message.h - one message with descriptors on a socket (unix(7), cmsg(3)). */
#ifndef MXC_SYS_MESSAGE_H
#define MXC_SYS_MESSAGE_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/* More go with no message of ours. */
enum { MESSAGE_FDS = 8 };

/* Send the parts of `iov` and `n` descriptors as one message of a
 * SOCK_SEQPACKET socket; `flags` as send(2) has them.  0, or -errno. */
int message_send(int fd, const struct iovec *iov, size_t niov, const int *fds,
                 size_t n, int flags);

/* Receive one into the parts of `iov`.  Its length, 0 at the end, or -errno.
 * At most `room` descriptors arrive, close-on-exec, and *n of them did; the
 * caller owns them.  What is more is closed. */
ssize_t message_receive(int fd, struct iovec *iov, size_t niov, int *fds,
                        size_t room, size_t *n, int flags);

#endif
