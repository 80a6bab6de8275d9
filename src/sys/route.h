/* route.h - what the host's routing says of an address (rtnetlink(7)). */
#ifndef MXC_SYS_ROUTE_H
#define MXC_SYS_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

/* A socket for the question: fd or -errno. */
int route_open(void);

/* Would a packet to this address (4 or 16 bytes) end on this host, or go to
 * many: an address of an interface, a broadcast or multicast address?  Yes,
 * too, when the kernel does not answer. */
bool route_is_own(int fd, const uint8_t *addr, bool is_v4);

#endif
