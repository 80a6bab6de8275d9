/* mounts.c - see mounts.h. */
#include "sys/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/scoped.h"

int mount_new(const char *fstype, const char *const *opts, uint64_t attr)
{
    scoped(drop_fd) int fs =
        (int)syscall(__NR_fsopen, fstype, MXC_FSOPEN_CLOEXEC);
    int mnt;

    if (fs < 0)
        return -errno;
    for (; opts && opts[0]; opts += 2)
        if (syscall(__NR_fsconfig, fs,
                    opts[1] ? MXC_FSCONFIG_SET_STRING : MXC_FSCONFIG_SET_FLAG,
                    opts[0], opts[1], 0) < 0)
            return -errno;
    if (syscall(__NR_fsconfig, fs, MXC_FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    mnt = (int)syscall(__NR_fsmount, fs, MXC_FSMOUNT_CLOEXEC, (unsigned)attr);
    return mnt < 0 ? -errno : mnt;
}

int mount_clone(int fd, int recursive)
{
    int mnt =
        (int)syscall(__NR_open_tree, fd, "",
                     MXC_OPEN_TREE_CLONE | (unsigned)O_CLOEXEC | AT_EMPTY_PATH |
                         (recursive ? MXC_AT_RECURSIVE : 0u));

    return mnt < 0 ? -errno : mnt;
}

int mount_clone_path(const char *path)
{
    int mnt = (int)syscall(__NR_open_tree, AT_FDCWD, path,
                           MXC_OPEN_TREE_CLONE | (unsigned)O_CLOEXEC |
                               AT_SYMLINK_NOFOLLOW | MXC_AT_RECURSIVE);

    return mnt < 0 ? -errno : mnt;
}

int mount_set(int fd, uint64_t attr, int recursive)
{
    const struct mxc_mount_attr m = { .attr_set = attr,
                                      .propagation = MS_PRIVATE };

    if (syscall(__NR_mount_setattr, fd, "",
                AT_EMPTY_PATH | (recursive ? MXC_AT_RECURSIVE : 0u), &m,
                sizeof(m)) < 0)
        return -errno;
    return 0;
}

int mount_attach(int mnt, int target)
{
    if (syscall(__NR_move_mount, mnt, "", target, "",
                MXC_MOVE_MOUNT_F_EMPTY_PATH | MXC_MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return -errno;
    return 0;
}

int mount_attach_at(int mnt, int dir, const char *path)
{
    if (syscall(__NR_move_mount, mnt, "", dir, path,
                MXC_MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return -errno;
    return 0;
}

int mount_limit(int fd, uint64_t bytes, uint64_t inodes)
{
    scoped(drop_fd) int fs = (int)syscall(
        __NR_fspick, fd, "", MXC_FSPICK_CLOEXEC | MXC_FSPICK_EMPTY_PATH);
    char size[24], count[24];

    (void)snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
    (void)snprintf(count, sizeof(count), "%llu", (unsigned long long)inodes);
    if (fs < 0 ||
        syscall(__NR_fsconfig, fs, MXC_FSCONFIG_SET_STRING, "size", size, 0) <
            0 ||
        syscall(__NR_fsconfig, fs, MXC_FSCONFIG_SET_STRING, "nr_inodes", count,
                0) < 0 ||
        syscall(__NR_fsconfig, fs, MXC_FSCONFIG_CMD_RECONFIGURE, NULL, NULL,
                0) < 0)
        return -errno;
    return 0;
}

int mount_enter(int root)
{
    /* With both arguments "." the old root ends up stacked on the new one
     * (pivot_root(2), NOTES). */
    if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
        return -errno;
    return 0;
}

int mount_leave_old(int root)
{
    if (fchdir(root) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return -errno;
    return 0;
}

int mount_pivot(int root)
{
    int r = mount_enter(root);

    return r < 0 ? r : mount_leave_old(root);
}
