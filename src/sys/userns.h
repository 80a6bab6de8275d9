/* userns.h - user namespaces (user_namespaces(7)). */
#ifndef MXC_SYS_USERNS_H
#define MXC_SYS_USERNS_H

#include <stdint.h>

#include "base/err.h"

/* Map one user and one group, `in` on the inside to `out`, the caller's own,
 * on the outside, for the calling process, which must be the first in a new
 * user namespace.  0 or -errno; *op names the call.  Only system calls: runs
 * in a vfork child. */
int userns_map(uint32_t in_uid, uint32_t out_uid, uint32_t in_gid,
               uint32_t out_gid, const char **op);

/* Why this host does not let us make namespaces, and what would help: fills
 * *e from the errno of clone(2) and what /proc/sys says.  Returns -1. */
int userns_explain(int sys, struct err *e);

#endif
