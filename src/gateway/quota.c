/* quota.c - the policy's limits on connections and bytes.
 *
 * What passes is counted, both ways and whatever it is: bytes of connections
 * and datagrams, heads that the proxy writes anew, questions to a resolver and
 * its answers.  The supervisor ends a run that would have more; until it does,
 * nothing more passes. */
#include "gateway/quota.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/num.h"
#include "gateway/gw.h"

int quota_set(struct gw *g, const char *connections, const char *bytes)
{
    uint64_t n = 0;

    g->most_open = SIZE_MAX;
    g->bytes_left = UINT64_MAX;
    if (connections && num_u64(connections, UINT32_MAX, &n) < 0)
        return -EINVAL;
    if (n)
        g->most_open = (size_t)n;
    n = 0;
    if (bytes && num_u64(bytes, UINT64_MAX - 1, &n) < 0)
        return -EINVAL;
    if (n)
        g->bytes_left = n;
    return 0;
}

static void tell_once(struct gw *g, enum limit which, bool *told)
{
    /* Whether or not there is room for it now: there may be no next attempt. */
    if (!*told)
        tell_reached(g, which);
    *told = true;
}

bool quota_open(struct gw *g)
{
    if (g->nopen < g->most_open) {
        g->nopen++;
        return true;
    }
    tell_once(g, LIMIT_CONNECTIONS, &g->told_open);
    return false;
}

void quota_close(struct gw *g)
{
    /* Told once for each time that it fills up. */
    if (--g->nopen <= g->most_open / 2)
        g->told_open = false;
}

bool quota_take(struct gw *g, uint64_t n)
{
    if (g->bytes_left == UINT64_MAX)
        return true;
    if (n <= g->bytes_left) {
        g->bytes_left -= n;
        return true;
    }
    tell_once(g, LIMIT_NETWORK, &g->told_bytes);
    return false;
}

/* An end without bytes before it is no attempt. */
ssize_t quota_look(struct gw *g, int fd)
{
    char byte;
    const ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n > 0)
        (void)quota_take(g, 1);
    return n;
}
