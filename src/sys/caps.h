/* caps.h - keeping a few capabilities over an exec, and dropping all
 * (capabilities(7)).  0 or -errno. */
#ifndef MXC_SYS_CAPS_H
#define MXC_SYS_CAPS_H

#include <stdbool.h>
#include <stdint.h>

/* Make the capabilities of the mask ambient, so that they survive the exec of
 * the launcher by a user who is not root.  Only of use inside a user
 * namespace of our own. */
int caps_keep(uint64_t mask);

/* What there is can still be used, but none be had, not by an exec of uid 0
 * either.  With caps_clear, none is left. */
int caps_bound(void);

/* No capability in any set of this process; of no use to who execs as uid 0
 * without no_new_privs. */
int caps_clear(void);

/* Is this one effective? */
bool caps_has(unsigned cap);

#endif
