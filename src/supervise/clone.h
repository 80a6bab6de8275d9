/* clone.h - a child that makes system calls alone until its exec. */
#ifndef MXC_SUPERVISE_CLONE_H
#define MXC_SUPERVISE_CLONE_H

#include <stddef.h>
#include <sys/types.h>

#include "sys/cgroup.h"

/* The parent waits until it has called exec or has ended; what `fn` wrote to
 * its argument (of `size` bytes) is there then.  The child begins in the group
 * of version 2, or is told by group->moves that cgroup_enter does it.  As
 * clone(2). */
pid_t supervise_clone(int (*fn)(void *), void *arg, size_t size, int flags,
                      struct cgroup *group, int *pidfd);

#endif
