/* landlock.h - the second wall, on objects
 * (Documentation/userspace-api/landlock.rst).  No privileges needed beyond
 * no_new_privs.  All return a descriptor (or 0), or -errno. */
#ifndef MXC_SYS_LANDLOCK_H
#define MXC_SYS_LANDLOCK_H

#include <stdint.h>

/* The kernel's ABI version; 0 when there is no Landlock. */
unsigned landlock_abi(void);

/* A ruleset that denies every filesystem right (and, from ABI 6 on, reaching
 * abstract sockets and signalling outside) that this ABI knows. */
int landlock_create(unsigned abi);

/* A ruleset that denies nothing that a process would miss.  Who enforces it
 * stands in a domain of its own: others, but for those that it came from,
 * cannot trace it or read its environment or memory.  `root` is the root. */
int landlock_fence(unsigned abi, int root);

/* Allow rights (MXC_LL_*, cut to what the ABI knows) below `fd` (O_PATH). */
int landlock_allow(int ruleset, unsigned abi, int fd, uint64_t rights);

/* From here on, for this process and all it starts.  Irreversible. */
int landlock_enforce(int ruleset);

#endif
