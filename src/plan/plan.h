/* plan.h - what is to be done, as a list of typed steps.
 *
 * A plan is built by pure code from policy and host facts, printed by `mxc
 * explain`, packed into a sealed memfd, and carried out by mxc-supervise and
 * mxc-launch, which read the packed form in place: no allocation, no parsing.
 * plan_check treats that form as hostile. */
#ifndef MXC_PLAN_PLAN_H
#define MXC_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* X(number, id, name, path, text): path and text say whether the step has
 * them: 'a' an absolute path inside the sandbox, 'h' a host path, 'r' what
 * follows one, 's' text, 'b' bytes, '-' none. */
#define STEP_KINDS(X)                                                          \
    X(1, ROOT, "root", '-', '-') /* num: bytes, inodes */                      \
    X(2, DIR, "dir", 'a', '-')   /* num: mode */                               \
    X(3, FILE, "file", 'a', 'b') /* num: mode */                               \
    X(4, SYMLINK, "symlink", 'a', 's')                                         \
    X(5, BIND, "bind", 'a', 'h')     /* num: dev, ino; flags */                \
    X(6, DEVICE, "device", 'a', 'h') /* a device node of the host */           \
    X(7, DEVPTS, "devpts", 'a', '-')                                           \
    X(8, PROC, "proc", 'a', '-')                                               \
    X(9, MASK, "mask", 'a', '-')          /* flags: STEP_IS_DIR */             \
    X(10, HOLLOW, "hollow", 'a', '-')     /* denied, with grants inside */     \
    X(11, PIN, "pin", 'a', '-')           /* cannot be renamed */              \
    X(12, LANDLOCK, "landlock", 'a', '-') /* num: rights */                    \
    X(13, HOSTNAME, "hostname", '-', 's')                                      \
    X(14, SYSCTL, "sysctl", 'a', 's') /* flags: STEP_OPTIONAL */               \
    X(15, RLIMIT, "rlimit", '-', '-') /* num: resource, value */               \
    X(16, ABSENT, "absent", 'a', 'r') /* directory, missing rest */            \
    X(17, WATCH, "watch", 'h', 'r')   /* num: dev, ino (0: absent) */          \
    X(18, FILTER, "filter", '-', 'b') /* seccomp program */                    \
    X(19, CWD, "cwd", 'a', '-')                                                \
    X(20, ENV, "env", '-', 's')                                                \
    X(21, ARG, "arg", '-', 's')                                                \
    X(22, RULES, "rules", '-', 'b')     /* compiled, for the gateway */        \
    X(23, LISTEN, "listen", '-', '-')   /* num: port of the loopback inside */ \
    X(24, RUNTIME, "runtime", 'h', '-') /* a program that makes the sandbox */ \
    X(25, RUNTIME_ARG, "runtime-arg", '-', 's') /* flags: STEP_BY_FD */        \
    X(26, RUNSC, "runsc", 'h', 's') /* num: dev, ino; its config.json */       \
    X(27, IMAGE, "image", 'h', '-') /* the root's; num: dev, ino */            \
    X(28, OVERLAY, "overlay", 'a',                                             \
      'h')                            /* over the host's directory of that     \
                                       * name; "up" and "work" lie in text */  \
    X(29, KEPT, "kept", 'h', 's')     /* the container; num: dev, ino; its     \
                                       * record, "": it is to be made */       \
    X(30, RECORD, "record", '-', 's') /* what that becomes */                  \
    X(31, LIMIT, "limit", '-', '-')   /* num: enum limit, value */             \
    X(32, SHOWN, "shown", 'a', '-')   /* granted, and the base shows it */     \
    X(33, CAPTURE, "capture", 'h', '-')                                        \
    X(34, NAMED, "named", 'a', 'h') /* by what name a clause has it */

enum step_kind {
    STEP_NONE = 0,
#define X(num, id, name, path, text) STEP_##id = (num),
    STEP_KINDS(X)
#undef X
        STEP_END
};

enum {
    STEP_READONLY = 1 << 0,
    STEP_NOEXEC = 1 << 1,
    STEP_OPTIONAL = 1 << 2, /* not there on this host: left out */
    STEP_IS_DIR = 1 << 3,
    STEP_CREATE = 1 << 4,   /* make the mount point (private space) */
    STEP_SOFT = 1 << 5,     /* the soft limit alone, up to the hard one */
    STEP_BY_FD = 1 << 6,    /* not in its command line */
    STEP_LAYER = 1 << 7,    /* a session's, which its workload has filled */
    STEP_LAST = 1 << 8,     /* it ends with this run */
    STEP_BY_GROUP = 1 << 9, /* a control group holds it */
    STEP_COPY = 1 << 10,    /* what is written there is gone afterwards */
    STEP_OURS = 1 << 11     /* denied by mxc, and not by the policy */
};

/* What stands in a runtime's arguments for descriptors that it is given: the
 * arguments by descriptor, and the launcher's executable. */
#define RUNTIME_ARGS     "9"
#define RUNTIME_LAUNCHER "/proc/self/fd/10"

struct step {
    enum step_kind kind;
    uint32_t flags;
    uint64_t num[2];
    const char *path; /* NULL when the kind has none */
    const char *text; /* NUL-terminated, also where it is bytes */
    size_t text_len;
};

enum {
    PLAN_TTY = 1 << 0, /* give the workload its own PTY */
    PLAN_BROKER_CREATES = 1 << 1,
    PLAN_BROKER_UNIX = 1 << 2,
    PLAN_NO_LANDLOCK = 1 << 3, /* accepted as missing by the caller, or
                                * in the way of a STEP_RUNSC's mounts */
    PLAN_DIE_WITH_PARENT = 1 << 4,
    /* What the gateway is given; each needs STEP_RULES. */
    PLAN_NET_EGRESS = 1 << 5, /* routes of every destination lead to it */
    PLAN_NET_ICMP = 1 << 6,   /* echo requests too */
    PLAN_NET_DIAL = 1 << 7,   /* init makes sockets that reach the workload */
    PLAN_DENIALS = 1 << 8,    /* the broker tells what is refused, */
    PLAN_ACCESSES = 1 << 9,   /* and what is used */
    PLAN_VERIFY = 1 << 10,    /* the sandbox tries its walls first */
    /* A session's: set up, and nothing run yet. */
    PLAN_SESSION = 1 << 16,
    /* Set up but for what its one command brings along, and nothing run. */
    PLAN_WARM = 1 << 24,
    /* What is run in a session: a plan of its own kind, plan_check_exec. */
    PLAN_EXEC = 1 << 17,
    PLAN_EXEC_NARROWED = 1 << 18,   /* its Landlock steps are all it reaches */
    PLAN_EXEC_NO_SOCKETS = 1 << 19, /* of any plan that runs something */
    PLAN_EXEC_PROGRAM = 1 << 20,    /* it comes as a descriptor */
    PLAN_ALL_FLAGS =
        ((1 << 11) - 1) | PLAN_SESSION | PLAN_WARM | PLAN_EXEC_NO_SOCKETS,
    PLAN_EXEC_FLAGS = PLAN_EXEC | PLAN_TTY | PLAN_EXEC_NARROWED |
                      PLAN_EXEC_NO_SOCKETS | PLAN_EXEC_PROGRAM,
    /* What a warm one is claimed with: of its own kind too, plan_check_claim.
     * The filter goes with the broker's flags, which are those of both. */
    PLAN_CLAIM = 1 << 25,
    PLAN_CLAIM_ONLY_ENV = 1 << 26, /* nothing of the sandbox's environment */
    PLAN_CLAIM_FLAGS = PLAN_CLAIM | PLAN_CLAIM_ONLY_ENV | PLAN_TTY |
                       PLAN_BROKER_CREATES | PLAN_BROKER_UNIX |
                       PLAN_EXEC_NO_SOCKETS
};

struct plan {
    uint32_t flags;
    uint32_t landlock_abi; /* that the steps were made for */
    uint32_t uid;          /* of caller and workload */
    uint32_t gid;
    uint64_t timeout_ms; /* workload time; 0: none */
    const char *receipt; /* JSON array, passed through */
    struct step *step;
    size_t nsteps;
    size_t cap;
};

#define PLAN_MAX_STEPS 65536u
#define PLAN_MAX_BYTES (16u << 20)

/* Append a step; NULL fields as the kind has them.  The strings are borrowed.
 * Fails only for lack of memory or at PLAN_MAX_STEPS. */
int plan_add(struct plan *p, struct arena *a, struct step s, struct err *e);

/* One line per step, for people and golden tests. */
void plan_print(const struct plan *p, struct buf *out);

/* The packed form: one flat object without pointers. */
int plan_pack(const struct plan *p, struct arena *a, void **bytes, size_t *len,
              struct err *e);

/* A packed plan in place.  Valid after plan_check as long as the bytes are. */
struct plan_view {
    const unsigned char *bytes;
    size_t len;
    struct plan head; /* step is NULL: use plan_step */
};

/* Check every offset, string, flag and order rule.  `bytes` may be hostile. */
int plan_check(const void *bytes, size_t len, struct plan_view *out,
               struct err *e);

/* The same for what is run in a session: a command, its environment and
 * directory, and what narrows it. */
int plan_check_exec(const void *bytes, size_t len, struct plan_view *out,
                    struct err *e);

/* The same for what a warm sandbox is claimed with: the like, and what is
 * mounted now. */
int plan_check_claim(const void *bytes, size_t len, struct plan_view *out,
                     struct err *e);

/* Step i < head.nsteps, with pointers into the packed bytes. */
struct step plan_step(const struct plan_view *v, size_t i);

/* How many steps of a kind there are. */
size_t plan_count(const struct plan_view *v, enum step_kind kind);

const char *step_name(enum step_kind kind);

#endif
