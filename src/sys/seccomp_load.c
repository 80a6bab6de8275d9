/* seccomp_load.c - one call of seccomp(2).
 *
 * No allocation, no stdio, no static data: it runs between vfork and exec.
 * It does not build or judge the filter. */
#include "sys/seccomp_load.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static int load(const struct sock_filter *f, size_t n, unsigned long flags)
{
    /* The kernel only reads it; the type lacks the const. */
    struct sock_fprog prog = {
        .len = (unsigned short)n,
        .filter = (struct sock_filter *)(uintptr_t)f,
    };
    long r = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);

    return r < 0 ? -errno : (int)r;
}

int seccomp_enforce(const struct sock_filter *f, size_t n, bool want_listener,
                    int *listener)
{
    int r;

    if (n == 0 || n > BPF_MAXINSNS)
        return -EINVAL;
    if (!want_listener)
        return load(f, n, 0);
    /* A signal must not restart a call that the broker has already carried
     * out: Go preempts its threads with signals all the time. */
    r = load(f, n,
             SECCOMP_FILTER_FLAG_NEW_LISTENER |
                 SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    if (r == -EINVAL) /* before 5.19; the filter is the same */
        r = load(f, n, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (r < 0)
        return r;
    *listener = r;
    return 0;
}
