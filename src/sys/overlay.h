/* overlay.h - overlayfs in a user namespace
 * (Documentation/filesystems/overlayfs.rst, "User xattr"). */
#ifndef MXC_SYS_OVERLAY_H
#define MXC_SYS_OVERLAY_H

/* A new overlay that is not attached yet: over the directory `lower`, with the
 * upper part "up" and its "work" in the directory `place`, which was opened in
 * this mount namespace.  Leaves the process in "/".  A descriptor, or -errno.
 * Needs CAP_SYS_ADMIN over the mount namespace's user namespace. */
int overlay_new(int place, const char *lower);

/* Could overlay_new do that, in namespaces of its own?  They are a child's,
 * which nobody but us can wait for; nothing is left of it.  0, or -errno. */
int overlay_try(int place, const char *lower);

#endif
