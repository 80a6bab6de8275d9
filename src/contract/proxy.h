/* proxy.h - the address of a forward proxy, from its URL. */
#ifndef MXC_CONTRACT_PROXY_H
#define MXC_CONTRACT_PROXY_H

#include <stdbool.h>
#include <stdint.h>

struct proxy_url {
    bool tls;          /* https */
    bool has_userinfo; /* credentials, or only their '@' */
    uint16_t port;     /* never 0 */
    /* The host in lower case, without the brackets of an IPv6 address. */
    char host[256];
};

/* -EINVAL, and *why says what is wrong.  One spelling per address: what
 * browsers repair (tabs, backslashes, %6c, 0x7f.1) is refused. */
int proxy_parse(const char *url, struct proxy_url *out, const char **why);

/* localhost, 127.0.0.1 or ::1: what a request may name, whatever a resolver
 * would make of other names. */
bool proxy_is_loopback(const struct proxy_url *p);

#endif
