/* walls.c - what mxc-unpack gives up before it reads a byte of the archive.
 *
 * Afterwards it can read its source, make files below its target, and nothing
 * else: no other file, no socket, no process, no signal, no owner, no
 * capability but, for root's copy of a directory, that of reading it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/compat.h"
#include "sys/bpf.h"
#include "sys/caps.h"
#include "sys/landlock.h"
#include "sys/seccomp_load.h"
#include "unpack/unpack.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "mxc-unpack does not know this architecture"
#endif

enum { FILTER_MAX = 128, MOST_MEMORY = 1 << 30, MOST_SECONDS = 3600 };

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

static uint32_t arg_at(unsigned n, unsigned half)
{
    return (uint32_t)(offsetof(struct seccomp_data, args) +
                      sizeof(uint64_t) * n + 4 * half);
}

static uint32_t not_executable(struct bpf *b, uint32_t yes, uint32_t no)
{
    return bpf_load(b, arg_at(2, 0),
                    bpf_and(b, PROT_EXEC, bpf_if_eq(b, 0, yes, no)));
}

/* futimens(3): a path of NULL. */
static uint32_t no_path(struct bpf *b, uint32_t yes, uint32_t no)
{
    uint32_t high = bpf_load(b, arg_at(1, 1), bpf_if_eq(b, 0, yes, no));

    return bpf_load(b, arg_at(1, 0), bpf_if_eq(b, 0, high, no));
}

/* fcntl(2) of fdopendir(3): its flags, and close-on-exec. */
static uint32_t own_flags(struct bpf *b, uint32_t yes, uint32_t no)
{
    return bpf_load(b, arg_at(1, 0),
                    bpf_if_eq(b, F_GETFL, yes, bpf_if_eq(b, F_SETFD, yes, no)));
}

static size_t build(struct sock_filter *f)
{
    struct bpf b;
    uint32_t yes, no, at;

    bpf_init(&b, f, FILTER_MAX);
    no = bpf_ret(&b, SECCOMP_RET_KILL_PROCESS);
    yes = bpf_ret(&b, SECCOMP_RET_ALLOW);
    at = bpf_if_eq(&b, __NR_mmap, not_executable(&b, yes, no), no);
    at = bpf_if_eq(&b, __NR_mprotect, not_executable(&b, yes, no), at);
    at = bpf_if_eq(&b, __NR_utimensat, no_path(&b, yes, no), at);
    at = bpf_if_eq(&b, __NR_fcntl, own_flags(&b, yes, no), at);
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

#if !defined(__SANITIZE_ADDRESS__) /* whose own calls are not ours */
    int none;

    if (r == 0)
        r = seccomp_enforce(f, n, false, &none);
#endif
    return r;
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
                "writing outside the image");
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
