/* start.h - a program of ours, started from a process that is not. */
#ifndef MXC_SYS_START_H
#define MXC_SYS_START_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

enum { START_FDS = 8 };

struct start {
    const char *path;
    const char *const *argv;
    const int *fd; /* become 0, 1, 2, ...; -1: that number stays closed */
    size_t nfds;   /* at most START_FDS */
    bool own_session;
    bool is_orphan; /* somebody else's child in any case */
    bool is_bound;  /* ours in any case, and killed when we end (prctl(2),
                     * PR_SET_PDEATHSIG: when the calling thread does) */
};

/* Start it: *pidfd and *pid.  *is_child: our caller is its parent. */
int start_program(const struct start *s, int *pidfd, pid_t *pid, bool *is_child,
                  struct err *e);

/* It has ended: forget it, if it is ours to bury. */
void start_bury(int pidfd);

#endif
