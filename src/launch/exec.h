/* exec.h - starting the workload from the sandbox's init. */
#ifndef MXC_LAUNCH_EXEC_H
#define MXC_LAUNCH_EXEC_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "plan/plan.h"

/* Arguments plus variables of one workload. */
#define EXEC_MAX_STRINGS 16384

struct verify;

struct exec_args {
    char *const *argv;
    char *const *envp;
    const char *path; /* value of PATH among envp, or a default */
    const char *cwd;
    const struct sock_filter *filter;
    size_t filter_len; /* instructions */
    bool is_inherited; /* init stands behind it, and so does what it starts */
    bool want_listener;
    bool is_watched; /* it asks about each execve(2) (watched.h) */
    int tty;         /* slave side, or -1 */
    int program;     /* the executable, or -1: argv[0] names it */
    /* In a session, what it has less than the session. */
    int ruleset;                    /* of Landlock, or -1 */
    const struct plan_view *limits; /* its RLIMIT steps; NULL: none */
    /* The sandbox's plan: how many descriptors it may have. */
    const struct plan_view *sandbox;
    bool has_no_sockets;
    char *ran; /* [PATH_MAX] that gets the program's path; NULL: not wanted */
    /* Its walls are tried first; NULL: they are not. */
    struct verify *verify;
};

/* Start it behind its filter.  On failure *status is 127 (no such command) or
 * 126 (not executable) as shells have it, or 0 when set-up itself failed. */
int exec_workload(const struct exec_args *a, pid_t *pid, int *listener,
                  int *status, struct err *e);

#endif
