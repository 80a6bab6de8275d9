/* resolv.h - the host's resolver configuration, as text (resolv.conf(5),
 * hosts(5)). */
#ifndef MXC_GATEWAY_RESOLV_H
#define MXC_GATEWAY_RESOLV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/net.h"

enum { RESOLV_SERVERS = 3, RESOLV_ADDRS = 16 };

struct resolv_conf {
    struct net_addr server[RESOLV_SERVERS];
    size_t nservers;    /* 0: none is named; the caller's choice what then */
    unsigned timeout_s; /* 1 to 30 */
    unsigned attempts;  /* 1 to 5 */
    bool rotate;
    bool use_vc; /* by TCP only */
};

/* Any text: what is not understood is passed over, as every resolver does.
 * A server with a zone ("fe80::1%eth0") is none that can be kept here. */
void resolv_parse(const char *text, size_t len, struct resolv_conf *out);

/* The addresses of a name (without case) in the text of a hosts file, each
 * once; returns how many. */
size_t resolv_hosts(const char *text, size_t len, const char *name,
                    struct net_addr out[RESOLV_ADDRS]);

#endif
