/* proto.h - what supervisor and launcher say to each other.
 *
 * One SOCK_SEQPACKET pair; a message is one fixed-size record.  Both ends are
 * ours, but the launcher is in the sandbox: the supervisor takes no length,
 * descriptor or text on trust. */
#ifndef MXC_LAUNCH_PROTO_H
#define MXC_LAUNCH_PROTO_H

#include <stdint.h>

#include "base/err.h"

/* Descriptors that the launcher is started with, besides stdio. */
enum { LAUNCH_PLAN_FD = 3, LAUNCH_STATUS_FD = 4 };

/* And where a runtime starts it: the workload's streams, since the runtime has
 * some of its own.  Its arguments and this program are the runtime's. */
enum {
    LAUNCH_STDIO_FD = 6, /* to 8 */
    RUNTIME_ARGS_FD = 9,
    RUNTIME_LAUNCHER_FD = 10,
    RUNTIME_KEPT_FD = 11 /* the locked directory of a STEP_KEPT */
};

/* Before a remedy, in a line of its own, which is the last that a runtime of
 * ours says. */
#define RUNTIME_HINT "try: "

enum launch_msg {
    MSG_NONE = 0,
    /* launcher to supervisor */
    MSG_READY,       /* every wall stands; carries the PTY master */
    MSG_FAILED,      /* err: set-up failed, nothing has run */
    MSG_NOT_STARTED, /* err, status 126 or 127: its exec failed */
    MSG_STOPPED,     /* by a signal; it can be continued */
    MSG_EXITED,      /* status: as from waitpid(2) */
    /* supervisor to launcher */
    MSG_GO,     /* run it; end of file means: never */
    MSG_SIGNAL, /* status: deliver this to the workload */
    /* In a session `exec` says which command is meant.  From its holder: */
    MSG_EXEC, /* run it: its plan, and its streams where it has no terminal;
               * status: that one's size, rows * 65536 + columns */
    MSG_KILL, /* everything of it */
    /* and to it, besides NOT_STARTED, FAILED, STOPPED and EXITED: */
    MSG_STARTED, /* status: its pid inside; carries the PTY master */
    MSG_EMPTY,   /* no process is left, but init */
    /* To a warm sandbox, once: run it.  status as with MSG_EXEC; exec: how
     * many bytes of its plan follow the record, 0: it comes as a descriptor */
    MSG_CLAIM
};

/* A plan that is not longer needs no descriptor of its own. */
enum { CLAIM_INLINE = 8 * 1024 };

/* Descriptors that come with MSG_EXEC: a plan, three streams, and a program
 * where the plan says so. */
enum { EXEC_STREAMS = 3, EXEC_FDS = EXEC_STREAMS + 2, MAX_EXECS = 256 };

struct launch_record {
    uint32_t msg;
    int32_t status;
    uint32_t exec; /* in a session: the command; 0: all */
    struct err err;
};

#endif
