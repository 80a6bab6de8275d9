/* runsc.h - a user-space kernel (gVisor) around the workload.
 *
 * The view is built as ever, then put below a root of its own that holds
 * besides it what runsc needs: itself, its configuration, a place for its
 * state and a /proc.  That is all that runsc, its gofer and its sentry ever
 * see.  They run without a capability over the sandbox's namespaces, in a user
 * namespace below. */
#ifndef MXC_LAUNCH_RUNSC_H
#define MXC_LAUNCH_RUNSC_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "plan/plan.h"

/* Where it keeps what it says, in the root around the view. */
#define RUNSC_STATE "/state"
#define RUNSC_LOG   RUNSC_STATE "/log"
#define RUNSC_PID   RUNSC_STATE "/pid"
#define RUNSC_PANIC RUNSC_STATE "/panic"

/* What is made while the host is in sight and capabilities are there: mounts
 * that are free of any namespace, and the user namespace that runsc gets. */
struct runsc {
    int userns;
    int program;
    int null;
    int proc;         /* of the sandbox's processes */
    int visible_proc; /* the same, nothing covered and read-only */
};

/* All -1 and nothing done for a plan without runsc. */
int runsc_open(const struct plan_view *plan, struct runsc *out, struct err *e);

/* In the view's root, before the walls: enter the root around it. */
int runsc_enter(const struct plan_view *plan, struct runsc *r, struct err *e);

/* Its three streams: what it gets instead of ours, and who carries the bytes
 * between the two. */
struct streams {
    int fd[3];
    pid_t carrier[3]; /* 0: none */
};

/* What runsc is given it makes non-blocking for everybody who has it open, and
 * in a file it writes from the start: so pipes, and no other's.  On failure
 * nothing is left open. */
int streams_open(struct streams *s, struct err *e);

/* Our copies, once it runs. */
void streams_close(struct streams *s);

/* What it wrote is written on. */
void streams_finish(struct streams *s);

/* Start it behind the plan's filter, in the place of the workload, with
 * streams of its own.  On failure *status is as from exec_workload. */
int runsc_start(const struct plan_view *plan, int userns, struct streams *s,
                pid_t *pid, int *status, struct err *e);

/* To the workload, by its kernel: false when there is none yet. */
bool runsc_signal(int number);

/* It has ended with this status (waitpid(2)): did it fail to do its work?
 * Then *e says what it said. */
bool runsc_has_failed(int status, struct err *e);

/* All of it stands still, or goes on, as by SIGSTOP and SIGCONT. */
void runsc_halt(bool halt);

#endif
