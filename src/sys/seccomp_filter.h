/* seccomp_filter.h - the system-call filter of the workload, as BPF.
 *
 * An allow-list: calls that are not in the table return ENOSYS (as on a
 * kernel that lacks them, so that libc falls back), calls that are refused on
 * purpose return EPERM or the errno that the caller expects.  Pure: the
 * builder makes bytes, loading them is seccomp_enforce's business. */
#ifndef MXC_SYS_SECCOMP_FILTER_H
#define MXC_SYS_SECCOMP_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "sys/syscall_table.h"

/* The kernel's own ceiling is 4096 (BPF_MAXINSNS). */
#define SECCOMP_FILTER_MAX 2048

struct seccomp_options {
    /* Trap the calls that make a new name (open with O_CREAT, creat, mkdir,
     * mknod, link, symlink, rename and their *at forms) and bind(2) to the
     * broker.  openat2 is ENOSYS with and without: its flags are in memory. */
    bool broker_creates;
    /* Trap connect(2) and bind(2) to the broker, and refuse AF_UNIX datagram
     * sockets, whose every send may name another peer. */
    bool broker_unix;
    /* Allow sockets for ICMP echo (icmp(7), "ping" sockets). */
    bool ping;
    /* For a user-space kernel instead of the workload: what it makes its own
     * namespaces and views with, and how it runs the workload (ptrace). */
    bool sentry;
    /* Hand to the broker, for a report, what names a path (watched.h) and what
     * is refused on purpose.  What they come to is seccomp_judge's. */
    bool watched;
};

/* The row of a call on the architecture this was compiled for, or NULL. */
const struct syscall_row *seccomp_row(int nr);

/* What the filter of these options, but for `watched`, answers to the call of
 * a row. */
uint32_t seccomp_judge(const struct seccomp_options *o,
                       const struct syscall_row *row, const uint64_t args[6]);

/* Build the filter for the architecture this was compiled for.  *n is the
 * number of instructions written to out[SECCOMP_FILTER_MAX]. */
int seccomp_filter_build(const struct seccomp_options *o,
                         struct sock_filter *out, size_t *n, struct err *e);

/* Put the mark of init's own execve(2) into a copy of a `watched` filter, in
 * the place of WATCH_OWN_EXEC (watched.h).  False: it is no such filter, and
 * may have been changed. */
bool seccomp_filter_mark(struct sock_filter *f, size_t n, uint64_t mark);

/* The same for any table and architecture. */
struct seccomp_table {
    const struct syscall_row *rows;
    size_t nrows;
    enum syscall_arch arch;
};

int seccomp_filter_compile(const struct seccomp_table *t,
                           const struct seccomp_options *o,
                           struct sock_filter *out, size_t *n, struct err *e);

#endif
