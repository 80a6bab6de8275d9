/* walls.c - what mxc-unpack gives up before it reads a byte of the archive.
 *
 * Afterwards it can read its source, make files below its target, and nothing
 * else: no other file, no socket, no process, no signal, no owner, no
 * capability but, for root's copy of a directory, that of reading it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/compat.h"
#include "sys/caps.h"
#include "sys/landlock.h"
#include "sys/own_filter.h"
#include "unpack/unpack.h"

enum { MOST_MEMORY = 1 << 30, MOST_SECONDS = 3600 };

/* Where Landlock does not look (modes, times), only calls on descriptors are
 * here: what cannot be opened cannot be changed. */
static const unsigned allowed[] = {
    __NR_read,       __NR_write,        __NR_pwrite64,
    __NR_openat,     __NR_close,        __NR_lseek,
    __NR_fstat,      __NR_newfstatat,   __NR_mkdirat,
    __NR_symlinkat,  __NR_linkat,       __NR_unlinkat,
    __NR_readlinkat, __NR_fchmod,       __NR_ftruncate,
    __NR_flistxattr, __NR_getdents64,   __NR_munmap,
    __NR_mremap,     __NR_madvise,      __NR_brk,
    __NR_getrandom,  __NR_futex,        __NR_clock_gettime,
    __NR_exit_group, __NR_rt_sigreturn, __NR_restart_syscall,
};

/* futimens(3): a path of NULL. */
static uint32_t no_path(struct own_filter *f)
{
    uint32_t high = bpf_load(&f->b, own_filter_arg(1, 1),
                             bpf_if_eq(&f->b, 0, f->yes, f->no));

    return bpf_load(&f->b, own_filter_arg(1, 0),
                    bpf_if_eq(&f->b, 0, high, f->no));
}

/* fcntl(2) of fdopendir(3): its flags, and close-on-exec. */
static uint32_t own_flags(struct own_filter *f)
{
    uint32_t set = bpf_if_eq(&f->b, F_SETFD, f->yes, f->no);

    return bpf_load(&f->b, own_filter_arg(1, 0),
                    bpf_if_eq(&f->b, F_GETFL, f->yes, set));
}

static int load_filter(void)
{
    struct own_filter f;

    own_filter_begin(&f);
    own_filter_judge(&f, __NR_mmap, own_filter_no_code(&f));
    own_filter_judge(&f, __NR_mprotect, own_filter_no_code(&f));
    own_filter_judge(&f, __NR_utimensat, no_path(&f));
    own_filter_judge(&f, __NR_fcntl, own_flags(&f));
    own_filter_allow(&f, allowed, ARRAY_LEN(allowed));
    return own_filter_enforce(&f);
}

static int leave_files(bool from_directory, struct err *e)
{
    const uint64_t fill = MXC_LL_WRITE_FILE | MXC_LL_READ_DIR |
                          MXC_LL_REMOVE_FILE | MXC_LL_MAKE_DIR |
                          MXC_LL_MAKE_REG | MXC_LL_MAKE_SYM | MXC_LL_REFER |
                          MXC_LL_TRUNCATE;
    unsigned abi = landlock_abi();
    scoped(drop_fd) int ruleset = abi ? landlock_create(abi) : -ENOSYS;
    int r = ruleset;

    if (!abi) {
        err_set(e, ERR_BACKEND_UNAVAILABLE,
                "this kernel has no Landlock, which keeps an archive from "
                "writing outside its target");
        return err_hint(e, "a kernel from 5.13 on with lsm=landlock,...");
    }
    if (r >= 0)
        r = landlock_allow(ruleset, abi, UNPACK_TARGET_FD, fill);
    if (r >= 0 && from_directory)
        r = landlock_allow(ruleset, abi, UNPACK_SOURCE_FD,
                           MXC_LL_READ_FILE | MXC_LL_READ_DIR);
    if (r >= 0)
        r = landlock_enforce(ruleset);
    if (r < 0)
        return err_sys(e, "landlock_restrict_self(2)", -r,
                       "cannot enforce Landlock");
    return 0;
}

/* A bomb of an archive ends here, not at the end of the machine. */
static int lower_limits(void)
{
    const struct rlimit none = { 0, 0 }, files = { 256, 256 };
    const struct rlimit time = { MOST_SECONDS, MOST_SECONDS };

#if !defined(__SANITIZE_ADDRESS__) /* which maps terabytes */
    const struct rlimit memory = { MOST_MEMORY, MOST_MEMORY };

    if (setrlimit(RLIMIT_AS, &memory) < 0)
        return -errno;
#endif
    if (setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_CPU, &time) < 0 ||
        setrlimit(RLIMIT_NOFILE, &files) < 0)
        return -errno;
    return 0;
}

static int drop_caps(bool from_directory)
{
    if (from_directory && caps_has(CAP_DAC_READ_SEARCH))
        return caps_keep(1ull << CAP_DAC_READ_SEARCH);
    return caps_clear();
}

int unpack_walls(bool from_directory, struct err *e)
{
    int r = lower_limits();

    if (r < 0)
        return err_sys(e, "setrlimit(2)", -r, "cannot lower limits");
    /* Landlock and seccomp demand it of who has no CAP_SYS_ADMIN. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(e, "prctl(2)", errno, "cannot set no_new_privs");
    r = drop_caps(from_directory);
    if (r < 0)
        return err_sys(e, "capset(2)", -r, "cannot drop capabilities");
    if (leave_files(from_directory, e) < 0)
        return -1;
    r = load_filter();
    if (r < 0)
        return err_sys(e, "seccomp(2)", -r, "cannot load the filter");
    return 0;
}
