/* compat.h - kernel interfaces newer than Debian 12's headers, and those that
 * musl's headers do not carry.  Numbers are the same on every architecture
 * since Linux 5.1 (the unified system-call table). */
#ifndef MXC_BASE_COMPAT_H
#define MXC_BASE_COMPAT_H

#include <stdint.h>
#include <sys/syscall.h>

#ifndef __NR_open_tree
#define __NR_open_tree  428
#define __NR_move_mount 429
#define __NR_fsopen     430
#define __NR_fsconfig   431
#define __NR_fsmount    432
#define __NR_fspick     433
#endif
#ifndef __NR_pidfd_open
#define __NR_pidfd_open 434
#endif
#ifndef __NR_clone3
#define __NR_clone3 435
#endif
#ifndef __NR_close_range
#define __NR_close_range 436
#endif
#ifndef __NR_openat2
#define __NR_openat2 437
#endif
#ifndef __NR_pidfd_getfd
#define __NR_pidfd_getfd 438
#endif
#ifndef __NR_faccessat2
#define __NR_faccessat2 439
#endif
#ifndef __NR_mount_setattr
#define __NR_mount_setattr 442
#endif
#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#define __NR_landlock_add_rule       445
#define __NR_landlock_restrict_self  446
#endif

/* memfd_create(2), Linux 6.3 */
#define MXC_MFD_EXEC 0x0010u

/* move_mount(2), open_tree(2), mount_setattr(2), fsopen(2) */
#define MXC_OPEN_TREE_CLONE          1u
#define MXC_AT_RECURSIVE             0x8000u
#define MXC_MOVE_MOUNT_F_EMPTY_PATH  0x04u
#define MXC_MOVE_MOUNT_T_EMPTY_PATH  0x40u
#define MXC_FSOPEN_CLOEXEC           1u
#define MXC_FSMOUNT_CLOEXEC          1u
#define MXC_FSPICK_CLOEXEC           1u
#define MXC_FSPICK_EMPTY_PATH        8u
#define MXC_FSCONFIG_SET_FLAG        0u
#define MXC_FSCONFIG_SET_STRING      1u
#define MXC_FSCONFIG_CMD_CREATE      6u
#define MXC_FSCONFIG_CMD_RECONFIGURE 7u
#define MXC_ATTR_RDONLY              0x01ull
#define MXC_ATTR_NOSUID              0x02ull
#define MXC_ATTR_NODEV               0x04ull
#define MXC_ATTR_NOEXEC              0x08ull
#define MXC_ATTR_IDMAP               0x100000ull

struct mxc_mount_attr {
    uint64_t attr_set;
    uint64_t attr_clr;
    uint64_t propagation;
    uint64_t userns_fd;
};

/* openat2(2) */
#define MXC_RESOLVE_NO_XDEV       0x01ull
#define MXC_RESOLVE_NO_MAGICLINKS 0x02ull
#define MXC_RESOLVE_NO_SYMLINKS   0x04ull
#define MXC_RESOLVE_BENEATH       0x08ull
#define MXC_RESOLVE_IN_ROOT       0x10ull

struct mxc_open_how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};

/* clone(2) */
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

/* Landlock up to ABI 7, Documentation/userspace-api/landlock.rst */
#define MXC_LL_EXECUTE        (1ull << 0)
#define MXC_LL_WRITE_FILE     (1ull << 1)
#define MXC_LL_READ_FILE      (1ull << 2)
#define MXC_LL_READ_DIR       (1ull << 3)
#define MXC_LL_REMOVE_DIR     (1ull << 4)
#define MXC_LL_REMOVE_FILE    (1ull << 5)
#define MXC_LL_MAKE_CHAR      (1ull << 6)
#define MXC_LL_MAKE_DIR       (1ull << 7)
#define MXC_LL_MAKE_REG       (1ull << 8)
#define MXC_LL_MAKE_SOCK      (1ull << 9)
#define MXC_LL_MAKE_FIFO      (1ull << 10)
#define MXC_LL_MAKE_BLOCK     (1ull << 11)
#define MXC_LL_MAKE_SYM       (1ull << 12)
#define MXC_LL_REFER          (1ull << 13) /* ABI 2 */
#define MXC_LL_TRUNCATE       (1ull << 14) /* ABI 3 */
#define MXC_LL_IOCTL_DEV      (1ull << 15) /* ABI 5 */
#define MXC_LL_SCOPE_ABSTRACT (1ull << 0)  /* ABI 6 */
#define MXC_LL_SCOPE_SIGNAL   (1ull << 1)  /* ABI 6 */

#endif
