/* seccomp_load.h - put a filter on the calling thread, for good. */
#ifndef MXC_SYS_SECCOMP_LOAD_H
#define MXC_SYS_SECCOMP_LOAD_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

/* The caller has set PR_SET_NO_NEW_PRIVS.  With want_listener, *listener is
 * the descriptor (CLOEXEC) that notifications arrive on.  Returns 0 or
 * -errno; may be called in a child that shares its parent's memory. */
int seccomp_enforce(const struct sock_filter *f, size_t n, bool want_listener,
                    int *listener);

#endif
