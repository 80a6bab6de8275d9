/* launcher.h - what is said to the launcher and heard of it, on the socket of
 * launch/proto.h.
 *
 * It is in the sandbox: what comes is taken by its length alone, with text that
 * ends where it must and numbers held to their range. */
#ifndef MXC_SUPERVISE_LAUNCHER_H
#define MXC_SUPERVISE_LAUNCHER_H

#include <sys/types.h>

#include "launch/proto.h"

/* 0, or -errno: -EAGAIN where there is no room for it yet, -EPIPE or
 * -ECONNRESET where nobody is left to hear it. */
int launcher_tell(int fd, uint32_t msg, int32_t status);
int launcher_tell_go(int fd, const struct launch_go *go);

union launcher_word {
    struct launch_record rec;
    struct launch_verified verified;
    struct launch_seen seen;
};

/* The next word: its length, which tells what it is, 0 at the end, or -errno,
 * -EAGAIN while there is none.  *master is the descriptor that came with it,
 * for the caller to close, or -1. */
ssize_t launcher_hear(int fd, union launcher_word *out, int *master);

#endif
