/* verify_filter.c - the sandbox tries what the filter refuses: see verify.h.
 *
 * Each call has arguments with which it does nothing where it is let through,
 * and for which no kernel has the filter's errno, but for one that lacks the
 * call.  What has no row in the table is refused as a kernel without such a
 * call would: so these tell nothing, but that nothing else becomes of them. */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/compat.h"
#include "launch/verify.h"

struct refusal {
    const char *name;
    long nr, arg[6];
    int errnum;
};

/* From all over the table.  Where refusals are told, the broker is asked about
 * those with EPERM, and cannot answer before the execve(2). */
static const struct refusal refusals[] = {
    { "openat2(2)", __NR_openat2, { -1 }, ENOSYS },
    { "clone3(2)", __NR_clone3, { 0 }, ENOSYS },
    { "mincore(2)", SYS_mincore, { 1 }, ENOSYS },
    { "io_setup(2)", SYS_io_setup, { 0 }, ENOSYS },
    { "io_destroy(2)", SYS_io_destroy, { 0 }, ENOSYS },
    { "io_getevents(2)", SYS_io_getevents, { 0 }, ENOSYS },
    { "memfd_secret(2)", 447, { -1 }, ENOSYS },
    { "cachestat(2)", 451, { -1 }, ENOSYS },
    { "futex_wake(2)", 454, { 0, 0, 0, -1 }, ENOSYS },
    { "statmount(2)", 457, { 0 }, ENOSYS },
    { "listmount(2)", 458, { 0 }, ENOSYS },
    { "lsm_get_self_attr(2)", 459, { 0 }, ENOSYS },
    { "listns(2)", 470, { 0 }, ENOSYS },
    { "call 511", 511, { 0 }, ENOSYS },
    { "call 600", 600, { 0 }, ENOSYS },
    { "ptrace(2)", SYS_ptrace, { 9999, -1 }, EPERM },
    { "mount(2)", SYS_mount, { 0 }, EPERM },
    { "umount2(2)", SYS_umount2, { 0, -1 }, EPERM },
    { "chroot(2)", SYS_chroot, { 0 }, EPERM },
    { "adjtimex(2)", SYS_adjtimex, { 0 }, EPERM },
    { "mbind(2)", SYS_mbind, { 0, 0, 0, 0, 0, -1 }, EPERM },
    { "set_mempolicy(2)", SYS_set_mempolicy, { 9999 }, EPERM },
    { "add_key(2)", SYS_add_key, { 0 }, EPERM },
    { "request_key(2)", SYS_request_key, { 0 }, EPERM },
    { "keyctl(2)", SYS_keyctl, { 9999 }, EPERM },
    { "move_pages(2)", SYS_move_pages, { 0, 0, 0, 0, 0, -1 }, EPERM },
    { "perf_event_open(2)", SYS_perf_event_open, { 0, 0, 0, -1, -1 }, EPERM },
    { "name_to_handle_at(2)",
      SYS_name_to_handle_at,
      { -1, 0, 0, 0, -1 },
      EPERM },
    { "setns(2)", SYS_setns, { -1 }, EPERM },
    { "process_vm_readv(2)",
      SYS_process_vm_readv,
      { -1, 0, 0, 0, 0, 1 },
      EPERM },
    { "process_vm_writev(2)",
      SYS_process_vm_writev,
      { -1, 0, 0, 0, 0, 1 },
      EPERM },
    { "kcmp(2)", SYS_kcmp, { -1, -1 }, EPERM },
    { "io_uring_setup(2)", 425, { 0 }, EPERM },
    { "io_uring_enter(2)", 426, { -1 }, EPERM },
    { "io_uring_register(2)", 427, { -1, -1 }, EPERM },
    { "open_tree(2)", 428, { -1, 0, -1 }, EPERM },
    { "pidfd_getfd(2)", 438, { -1, -1, 1 }, EPERM },
    { "mount_setattr(2)", 442, { -1, 0, -1 }, EPERM },
    { "process_mrelease(2)", 448, { -1, 1 }, EPERM },
};

static int try_calls(struct verify *v)
{
    const bool is_watched = v->plan->head.flags & PLAN_DENIALS;

    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal *r = &refusals[i];
        const long *a = r->arg;

        if (r->errnum != ENOSYS && is_watched)
            continue;
        if (verify_refused(v, CLAUSE_KERNEL, r->name,
                           syscall(r->nr, a[0], a[1], a[2], a[3], a[4], a[5]),
                           r->errnum, r->errnum) < 0)
            return -1;
    }
    return 0;
}

/* Of a type that there is not, which the kernel finds out (EINVAL) before it
 * looks for, or loads, the family. */
static int try_families(struct verify *v)
{
    enum { NO_SUCH_TYPE = 15 };
    static const struct {
        const char *what;
        int family;
        bool is_network;
    } rows[] = {
        { "socket(2) of AF_VSOCK", AF_VSOCK, true },
        { "socket(2) of AF_PACKET", AF_PACKET, true },
        { "socket(2) of AF_ALG", AF_ALG, false },
    };
    const int want =
        v->plan->head.flags & PLAN_EXEC_NO_SOCKETS ? EACCES : EAFNOSUPPORT;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const enum clause c =
            rows[i].is_network ? verify_network_clause(v) : CLAUSE_KERNEL;
        scoped(drop_fd) int fd = socket(rows[i].family, NO_SUCH_TYPE, 0);

        if (verify_refused(v, c, rows[i].what, fd, want, want) < 0)
            return -1;
    }
    return 0;
}

int verify_filter(struct verify *v)
{
    enum { FILTERED = 2 };

    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != FILTERED)
        return verify_fell(v, CLAUSE_KERNEL, "mode of seccomp", "2",
                           "another one");
    if (try_calls(v) < 0)
        return -1;
    return v->plan->head.flags & PLAN_DENIALS ? 0 : try_families(v);
}
