/* walls.c - what the gateway gives up before it reads a byte of anybody.
 *
 * Afterwards it can make and use sockets of IP, pipes and memory; no file, no
 * process, no signal, no capability. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "gateway/gw.h"
#include "sys/bpf.h"
#include "sys/caps.h"
#include "sys/landlock.h"
#include "sys/seccomp_load.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "the gateway does not know this architecture"
#endif

enum { FILTER_MAX = 256 };

/* In ascending order is not needed: the filter compares one by one, and the
 * kernel caches what does not look at arguments. */
static const unsigned allowed[] = {
#ifdef __NR_epoll_wait
    __NR_epoll_wait,
#endif
    __NR_epoll_pwait,  __NR_epoll_ctl,       __NR_splice,     __NR_recvfrom,
    __NR_recvmsg,      __NR_sendto,          __NR_sendmsg,    __NR_accept4,
    __NR_connect,      __NR_close,           __NR_getsockopt, __NR_setsockopt,
    __NR_getsockname,  __NR_shutdown,        __NR_pipe2,      __NR_read,
    __NR_munmap,       __NR_mremap,          __NR_madvise,    __NR_brk,
    __NR_getrandom,    __NR_clock_gettime,   __NR_exit_group, __NR_exit,
    __NR_rt_sigreturn, __NR_restart_syscall,
};

static uint32_t arg_low(unsigned n)
{
    return (uint32_t)(offsetof(struct seccomp_data, args) +
                      sizeof(uint64_t) * n);
}

/* Sockets of IP alone: no unix socket leads to a daemon of the host. */
static uint32_t only_ip(struct bpf *b, uint32_t yes, uint32_t no)
{
    return bpf_load(
        b, arg_low(0),
        bpf_if_eq(b, AF_INET, yes, bpf_if_eq(b, AF_INET6, yes, no)));
}

/* The size of a pipe alone.  F_SETOWN and F_SETSIG would send any signal to
 * any process of the caller's. */
static uint32_t only_pipe_size(struct bpf *b, uint32_t yes, uint32_t no)
{
    return bpf_load(b, arg_low(1), bpf_if_eq(b, F_SETPIPE_SZ, yes, no));
}

static uint32_t not_executable(struct bpf *b, uint32_t yes, uint32_t no)
{
    return bpf_load(b, arg_low(2),
                    bpf_and(b, PROT_EXEC, bpf_if_eq(b, 0, yes, no)));
}

static size_t build(struct sock_filter *f)
{
    struct bpf b;
    uint32_t yes, no, at;

    bpf_init(&b, f, FILTER_MAX);
    no = bpf_ret(&b, SECCOMP_RET_KILL_PROCESS);
    yes = bpf_ret(&b, SECCOMP_RET_ALLOW);
    at = bpf_if_eq(&b, __NR_fcntl, only_pipe_size(&b, yes, no), no);
    at = bpf_if_eq(&b, __NR_mprotect, not_executable(&b, yes, no), at);
    at = bpf_if_eq(&b, __NR_mmap, not_executable(&b, yes, no), at);
    at = bpf_if_eq(&b, __NR_socket, only_ip(&b, yes, no), at);
    for (size_t i = ARRAY_LEN(allowed); i > 0; i--)
        at = bpf_if_eq(&b, allowed[i - 1], yes, at);
    at = bpf_load(&b, offsetof(struct seccomp_data, nr), at);
    at = bpf_if_eq(&b, NATIVE_ARCH, at, no);
    return bpf_finish(&b,
                      bpf_load(&b, offsetof(struct seccomp_data, arch), at));
}

static int load_filter(void)
{
    struct sock_filter f[FILTER_MAX];
    size_t n = build(f);
    int r = n ? 0 : -EINVAL;

#if !defined(__SANITIZE_ADDRESS__) /* whose own calls are not the gateway's */
    int none;

    if (r == 0)
        r = seccomp_enforce(f, n, false, &none);
#endif
    return r;
}

/* A kernel without it (landlock_create_ruleset(2): not built in, or not
 * enabled) is one that the caller accepted: the backend refuses it otherwise.
 * Anything else that keeps us from asking is no such word. */
static int leave_files(void)
{
    unsigned abi = landlock_abi();
    scoped(drop_fd) int ruleset = -1;

    if (!abi)
        return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
    ruleset = landlock_create(abi);
    return ruleset < 0 ? ruleset : landlock_enforce(ruleset);
}

int walls_raise(struct err *e)
{
    int r;

    /* Landlock and seccomp demand it of who has no CAP_SYS_ADMIN. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(e, "prctl(2)", errno, "cannot set no_new_privs");
    r = caps_clear();
    if (r < 0)
        return err_sys(e, "capset(2)", -r, "cannot drop capabilities");
    r = leave_files();
    if (r < 0)
        return err_sys(e, "landlock_restrict_self(2)", -r,
                       "cannot enforce Landlock");
    /* Other processes of the user's do not look into it. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_sys(e, "prctl(2)", errno, "cannot become undumpable");
    r = load_filter();
    if (r < 0)
        return err_sys(e, "seccomp(2)", -r, "cannot load the filter");
    return 0;
}
