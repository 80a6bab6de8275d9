/* talk.h - what a client and the holder of a session say to each other.
 *
 * A SOCK_SEQPACKET connection for each request, one record a message.  Both
 * ends are the same user's, but may be of two versions: every record begins
 * with its own.  A connection that ends takes the command with it that was
 * asked for on it. */
#ifndef MXC_SESSION_TALK_H
#define MXC_SESSION_TALK_H

#include <stdint.h>

#include "base/err.h"

enum {
    TALK_VERSION = 2,
    TALK_STREAMS = 3,
    TALK_FDS = TALK_STREAMS + 2, /* with ASK_EXEC: a plan that is too long to
                                  * come along, the streams, and a program
                                  * where the plan says so */
    TALK_INLINE = 8 * 1024,      /* bytes of a plan behind ASK_EXEC */
    TALK_COMMANDS = 256
};

enum ask_what {
    ASK_NONE = 0,
    ASK_EXEC,   /* number: the size of a terminal, which comes back, as rows *
                 * 65536 + columns; 0 for none; timeout_ms */
    ASK_SIGNAL, /* number; to the command of this connection */
    ASK_STOP,   /* timeout_ms: how long it may take by itself */
    ASK_PAUSE,
    ASK_RESUME,
    ASK_LOOK,
    ASK_KILL /* the command of this connection, and its session (setsid(2)) */
};

/* With ASK_EXEC: SAY_HALTED is not wanted; nor is SAY_STARTED, but where it
 * carries a terminal. */
enum { ASK_NO_HALTS = 1, ASK_NO_START = 2 };

struct ask {
    uint32_t version;
    uint32_t what;
    int32_t number;
    uint32_t flags;
    uint64_t timeout_ms;
};

enum say_what {
    SAY_NONE = 0,
    SAY_DONE,    /* it was done */
    SAY_FAILED,  /* err; nothing was done */
    SAY_STARTED, /* number: the command's pid inside; carries the terminal */
    SAY_HALTED,  /* the command was stopped by a signal */
    SAY_ENDED,   /* how it ended: outcome, and number as waitpid(2) has it,
                  * or of what was timed out its time in ms */
    SAY_LOOK     /* struct look */
};

struct say {
    uint32_t version;
    uint32_t what;
    int32_t number;
    uint32_t outcome; /* enum outcome */
    uint64_t duration_ms;
    struct err err;
};

enum look_paused {
    LOOK_RUNS = 0,
    LOOK_STOPPED, /* by signals */
    LOOK_FROZEN   /* by a control group */
};

struct look {
    uint32_t version;
    uint32_t what;
    int32_t init;    /* pid of its first process, on the host */
    uint32_t paused; /* enum look_paused */
    uint64_t age_ms;
    uint64_t idle_ms; /* 0: it is at work */
    uint32_t ncommands;
    uint32_t zero;
    struct look_command {
        int32_t pid; /* inside */
        uint32_t zero;
        uint64_t age_ms;
    } command[TALK_COMMANDS];
};

/* They are told apart by their size. */
_Static_assert(sizeof(struct say) < sizeof(struct look), "sizes of their own");

/* As many as a number of `struct say` can tell. */
static inline int32_t talk_ms(uint64_t ms)
{
    return ms < INT32_MAX ? (int32_t)ms : INT32_MAX;
}

/* One message with descriptors.  0, or -errno. */
int talk_send(int fd, const void *data, size_t len, const int *fds, size_t n,
              int flags);

/* Its length, 0 at the end, or -errno.  At most `room` descriptors arrive,
 * close-on-exec; *n of them. */
ssize_t talk_receive(int fd, void *data, size_t len, int *fds, size_t room,
                     size_t *n, int flags);

/* The holder's socket; under the second name as long as it makes the sandbox,
 * when nothing that is sent there is heard. */
#define TALK_CONTROL  "control"
#define TALK_STARTING ".control.new"

/* The address of the socket `name` in the directory `dir`, by a path that is
 * short whatever the directory is called. */
struct sockaddr_un;
unsigned talk_address(int dir, const char *name, struct sockaddr_un *out);

#endif
