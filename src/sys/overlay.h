/* overlay.h - overlayfs in a user namespace
 * (Documentation/filesystems/overlayfs.rst, "User xattr"). */
#ifndef MXC_SYS_OVERLAY_H
#define MXC_SYS_OVERLAY_H

#include <stdint.h>

/* A new overlay that is not attached yet: over the directory `lower`, with the
 * upper part "up" and its "work" in the directory `place`, which was opened in
 * this mount namespace.  Leaves the process in "/".  A descriptor, or -errno.
 * Needs CAP_SYS_ADMIN over the mount namespace's user namespace. */
int overlay_new(int place, const char *lower);

/* Memory for what is written to copies, all of them together: a descriptor, or
 * -errno.  It lies on the root until it is left.  Both of these need the same
 * as above, and leave the process in "/". */
int overlay_memory(uint64_t bytes, uint64_t inodes);
int overlay_leave(int memory);

/* A new overlay that is not attached, over the directory `lower` (O_PATH), on
 * which nothing is mounted further down; what is written goes into that memory,
 * under a name that no other has there.  Needs Linux 6.6. */
int overlay_in_memory(int memory, const char *name, int lower);

/* Could overlay_new do that, in namespaces of its own?  They are a child's,
 * which nobody but us can wait for; nothing is left of it.  0, or -errno. */
int overlay_try(int place, const char *lower);

#endif
