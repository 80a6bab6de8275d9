/* probe.h - for small C programs that try something and say what came of it.
 *
 * The last line is 'done' (status 0) or 'refused ENAME' (status 9); tap.py
 * reads it.  Built statically against glibc, inside a sandbox or outside. */
#ifndef MXC_TESTS_PROBE_H
#define MXC_TESTS_PROBE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROBE_REFUSED = 9 };

/* _exit and write: a probe may run in a forked or half-torn process. */
static inline void probe_done(void)
{
    fflush(NULL);
    if (write(1, "done\n", 5) != 5)
        _exit(1);
    _exit(0);
}

static inline void probe_refused(int err, const char *what)
{
    const char *name = strerrorname_np(err);

    fflush(NULL);
    dprintf(2, "%s: %s\n", what, strerror(err));
    dprintf(1, "refused %s\n", name ? name : "?");
    _exit(PROBE_REFUSED);
}

#define DONE() probe_done()

/* Evaluates to the call's value; -1 ends the probe with errno's name. */
#define TRY(call)                                                              \
    ({                                                                         \
        __auto_type probe_r = (call);                                          \
        if ((intptr_t)probe_r == -1)                                           \
            probe_refused(errno, #call);                                       \
        probe_r;                                                               \
    })

#endif
