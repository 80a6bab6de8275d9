/* quota.h - the policy's own limits of the network: how many connections at
 * once, and how many bytes. */
#ifndef MXC_GATEWAY_QUOTA_H
#define MXC_GATEWAY_QUOTA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct gw;

/* The values are numbers as text; NULL, or "0": none. */
int quota_set(struct gw *g, const char *connections, const char *bytes);
/* One more connection or flow, and its end. */
bool quota_open(struct gw *g);
void quota_close(struct gw *g);
/* So many bytes more: false, and the supervisor knows, where they are too
 * many. */
bool quota_take(struct gw *g, uint64_t n);
/* The next byte would be too many, if there is one: as from recv(2). */
ssize_t quota_look(struct gw *g, int fd);

#endif
