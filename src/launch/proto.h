/* proto.h - what supervisor and launcher say to each other.
 *
 * One SOCK_SEQPACKET pair; a message is one fixed-size record.  Both ends are
 * ours, but the launcher is in the sandbox: the supervisor takes no length,
 * descriptor or text on trust. */
#ifndef MXC_LAUNCH_PROTO_H
#define MXC_LAUNCH_PROTO_H

#include <stdint.h>

#include "base/err.h"
#include "plan/clause.h"
#include "sys/cgroup.h"

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
    MSG_EXEC, /* run it: its plan, behind the record or as a descriptor, and
               * its streams where it has no terminal; status: that one's size,
               * rows * 65536 + columns */
    MSG_KILL, /* everything of it */
    /* and to it, besides NOT_STARTED, FAILED, STOPPED and EXITED: */
    MSG_STARTED, /* status: its pid inside; carries the PTY master */
    MSG_EMPTY,   /* no process is left, but init */
    /* To a warm sandbox, once: run it.  status as with MSG_EXEC; exec: how
     * many bytes of its plan follow the record, 0: it comes as a descriptor */
    MSG_CLAIM,
    /* In a session, to its holder: MSG_EXITED and MSG_EMPTY */
    MSG_LAST_EXITED,
    MSG_DELIVERED, /* a signal for all has been sent; status: its number.  0
                    * is none, and asks for this word alone */
    /* Of a single run, to its supervisor: a struct launch_seen.  Something was
     * refused, or used */
    MSG_DENIAL,
    MSG_ACCESS,
    MSG_VERIFIED /* a struct launch_verified: its walls hold */
};

/* A plan that is not longer needs no descriptor of its own. */
enum { CLAIM_INLINE = 8 * 1024, EXEC_INLINE = CLAIM_INLINE };

/* Descriptors that come with MSG_EXEC: a plan that is longer, three streams,
 * and a program where the plan says so. */
enum { EXEC_STREAMS = 3, EXEC_FDS = EXEC_STREAMS + 2, MAX_EXECS = 256 };

struct launch_record {
    uint32_t msg;
    int32_t status;
    uint32_t exec; /* in a session: the command; 0: all */
    struct err err;
};

/* struct broker_seen, as a record.  What is longer is cut, and then ends in
 * "..." and fills its room.  With `op` 0 the texts are empty. */
struct launch_seen {
    uint32_t msg;
    int32_t sys;
    uint32_t op; /* enum watch_op */
    int32_t pid; /* in the sandbox */
    uint64_t key;
    uint64_t count; /* since it was told last */
    char call[24];
    char process[16];
    char why[128];
    char named[256];
    char path[1024];
};

/* What the sandbox tried, with each wall holding; its workload starts now. */
struct launch_verified {
    uint32_t msg;
    struct verified found;
};

/* Namespaces, each by its name in /proc/PID/ns. */
#define LAUNCH_NAMESPACES(X)                                                   \
    X("user", PRIVILEGES)                                                      \
    X("mnt", VIEW)                                                             \
    X("pid", PROCESSES)                                                        \
    X("ipc", PROCESSES)                                                        \
    X("uts", PROCESSES)                                                        \
    X("cgroup", PROCESSES)                                                     \
    X("net", NO_NETWORK)

enum { LAUNCH_NS_COUNT = 7 };

/* MSG_GO where the walls are tried first: what is not to be found inside, and
 * the control groups that are. */
struct launch_go {
    uint32_t msg;
    uint64_t ns[LAUNCH_NS_COUNT]; /* numbers of the supervisor's own */
    uint64_t root_dev, root_ino;
    int32_t keyring;       /* the session's; 0: none */
    uint32_t drops_groups; /* it could, and so did */
    char group[CGROUP_PARTS][CGROUP_NAME];
};

/* They are told apart by their size. */
_Static_assert(sizeof(struct launch_seen) > sizeof(struct launch_record),
               "a record of its own size");
_Static_assert(sizeof(struct launch_verified) < sizeof(struct launch_record) &&
                   sizeof(struct launch_go) < sizeof(struct launch_record),
               "records of their own sizes");

#endif
