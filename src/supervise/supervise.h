/* supervise.h - one small process per sandbox: it starts the launcher, gives
 * the word, forwards signals, keeps the time, and tells how it ended.  It
 * never touches the workload's bytes, except in PTY mode. */
#ifndef MXC_SUPERVISE_SUPERVISE_H
#define MXC_SUPERVISE_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "plan/plan.h"

enum outcome {
    OUTCOME_FAILED = 0,  /* set-up or supervision failed */
    OUTCOME_NOT_STARTED, /* every wall stood, the exec failed */
    OUTCOME_EXITED,
    OUTCOME_SIGNALED,
    OUTCOME_TIMED_OUT,
    OUTCOME_STOPPED /* a denied path could not be held, or the
                     * caller ended */
};

/* Exit codes of `mxc run` that are not the workload's (docs/errors.md). */
enum { EXIT_TIMED_OUT = 124, EXIT_MXC = 125 };

struct sandbox {
    int pidfd; /* of the sandbox's init */
    pid_t pid;
    int status; /* socket to the launcher */
};

struct result {
    enum outcome outcome;
    int exit_code;        /* what the process shall exit with */
    int signal;           /* OUTCOME_SIGNALED */
    uint64_t duration_ms; /* workload time */
    struct err err;       /* FAILED, NOT_STARTED, STOPPED */
};

struct supervise_args {
    const struct plan_view *plan;
    int plan_fd;          /* the same plan, in a sealed memfd */
    const char *launcher; /* path of mxc-launch */
    int result_fd;        /* for the JSON result, or -1 */
    pid_t parent;         /* must not be outlived, or 0 */
};

/* Ignore SIGPIPE and SIGXFSZ: a write that fails says so by errno. */
void supervise_ignore_signals(void);

/* Run a plan to its end, tell the result, return the exit code. */
int supervise_plan(const struct supervise_args *a);

/* Start the launcher as pid 1 of new namespaces.  `launcher` is the path of
 * its executable, `plan_fd` a sealed memfd. */
int sandbox_spawn(const struct plan_view *plan, const char *launcher,
                  int plan_fd, struct sandbox *out, struct err *e);

/* Kill everything in it and wait until it is gone.  False: it is dying, but
 * still there after a few seconds. */
bool sandbox_kill(struct sandbox *s);

/* Run it to its end: always fills *out.  `parent` is a pidfd whose end is the
 * sandbox's too, or -1. */
void supervise(const struct plan_view *plan, struct sandbox *s, int parent,
               struct result *out);

/* Denied and read-only names inside grants, watched on the host. */
struct watch;
int watch_create(const struct plan_view *plan, struct watch **out,
                 struct err *e);
int watch_fd(const struct watch *w); /* -1 when there is nothing to watch */

/* After an event: do all names still mean what they meant?  Otherwise -1 and
 * *e says which changed. */
int watch_check(struct watch *w, struct err *e);
void watch_destroy(struct watch *w);

/* The caller's terminal, and the relay between it and the sandbox's. */
struct tty;
int tty_create(int master, struct tty **out, struct err *e);
void tty_resize(struct tty *t);
size_t tty_poll(const struct tty *t, void *pollfds); /* at most 4 */
void tty_serve(struct tty *t, const void *pollfds, size_t n);
void tty_drain(struct tty *t);
void tty_destroy(struct tty *t);

#endif
