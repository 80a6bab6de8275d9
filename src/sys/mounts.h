/* mounts.h - the mount API of Linux 5.2 and 5.12, by descriptor.
 *
 * All return a descriptor (or 0), or -errno.  Need CAP_SYS_ADMIN over the
 * mount namespace's user namespace. */
#ifndef MXC_SYS_MOUNTS_H
#define MXC_SYS_MOUNTS_H

#include <stdint.h>

/* A new filesystem that is not attached yet.  `opts` is a list of key, value
 * pairs that ends with NULL; a value of NULL is a flag's.  attr: MXC_ATTR_*. */
int mount_new(const char *fstype, const char *const *opts, uint64_t attr);

/* A detached copy of what stands at the O_PATH descriptor `fd`. */
int mount_clone(int fd, int recursive);

/* The same for what a path names, without following a final symlink. */
int mount_clone_path(const char *path);

/* Set attributes on the mount (and all below it), and stop every propagation
 * between it and the host (mount_namespaces(7)). */
int mount_set(int fd, uint64_t attr, int recursive);

/* Attach a detached mount on the object that `target` (O_PATH) names. */
int mount_attach(int mnt, int target);

/* The same for a path below the directory `dir`; a final symlink is not
 * followed. */
int mount_attach_at(int mnt, int dir, const char *path);

/* Of the tmpfs at the O_PATH descriptor `fd`: how much it may hold. */
int mount_limit(int fd, uint64_t bytes, uint64_t inodes);

/* Make `root` the root directory.  The old one lies on it, where no path leads
 * to it and a descriptor does, until it is let go of. */
int mount_enter(int root);
int mount_leave_old(int root);

/* Both at once. */
int mount_pivot(int root);

#endif
