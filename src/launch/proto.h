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

enum launch_msg {
    MSG_NONE = 0,
    /* launcher to supervisor */
    MSG_READY,       /* every wall stands; carries the PTY master */
    MSG_FAILED,      /* err: set-up failed, nothing has run */
    MSG_NOT_STARTED, /* err, status 126 or 127: its exec failed */
    MSG_STOPPED,     /* by a signal; it can be continued */
    MSG_EXITED,      /* status: as from waitpid(2) */
    /* supervisor to launcher */
    MSG_GO,    /* run it; end of file means: never */
    MSG_SIGNAL /* status: deliver this to the workload */
};

struct launch_record {
    uint32_t msg;
    int32_t status;
    struct err err;
};

#endif
