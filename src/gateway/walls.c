/* walls.c - what the gateway gives up before it reads a byte of anybody.
 *
 * Afterwards it can make and use sockets of IP, pipes and memory; no file, no
 * process, no signal, no capability. */
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "gateway/gw.h"
#include "sys/caps.h"
#include "sys/landlock.h"
#include "sys/own_filter.h"

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

/* Sockets of IP alone: no unix socket leads to a daemon of the host. */
static uint32_t only_ip(struct own_filter *f)
{
    uint32_t six = bpf_if_eq(&f->b, AF_INET6, f->yes, f->no);

    return bpf_load(&f->b, own_filter_arg(0, 0),
                    bpf_if_eq(&f->b, AF_INET, f->yes, six));
}

/* The size of a pipe alone.  F_SETOWN and F_SETSIG would send any signal to
 * any process of the caller's. */
static uint32_t only_pipe_size(struct own_filter *f)
{
    return bpf_load(&f->b, own_filter_arg(1, 0),
                    bpf_if_eq(&f->b, F_SETPIPE_SZ, f->yes, f->no));
}

static int load_filter(void)
{
    struct own_filter f;

    own_filter_begin(&f);
    own_filter_judge(&f, __NR_fcntl, only_pipe_size(&f));
    own_filter_judge(&f, __NR_mprotect, own_filter_no_code(&f));
    own_filter_judge(&f, __NR_mmap, own_filter_no_code(&f));
    own_filter_judge(&f, __NR_socket, only_ip(&f));
    own_filter_allow(&f, allowed, ARRAY_LEN(allowed));
    return own_filter_enforce(&f);
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
