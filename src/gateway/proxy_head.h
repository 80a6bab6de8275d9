/* proxy_head.h - what a client asks of the built-in HTTP proxy.
 *
 * Pure and incremental: the caller passes everything seen so far.  A request
 * in absolute form goes on with another head, which proxy_head_rewrite makes;
 * its body, and that nothing follows it, is for the tracker of http.h (with
 * `once`, fed with the bytes as the client sent them). */
#ifndef MXC_GATEWAY_PROXY_HEAD_H
#define MXC_GATEWAY_PROXY_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/http_text.h"
#include "policy/net.h"

enum proxy_protocol {
    PROXY_NEITHER = 0, /* SOCKS 4 among them: close */
    PROXY_HTTP,
    PROXY_SOCKS5
};

/* By the first byte of a connection. */
enum proxy_protocol proxy_sort(uint8_t first);

struct proxy_target {
    /* A clean name, or an address as URLs write it ("[::1]"), in lower case.
     * When it is neither: printable, for a report. */
    char host[NET_NAME_MAX + 1];
    bool is_addr;
    struct net_addr addr;
    uint16_t port;
};

enum proxy_verdict {
    PROXY_BAD = 0, /* answer 400 */
    PROXY_NEED_MORE,
    PROXY_NO_HOST,  /* well formed, but no rule ever allows to.host */
    PROXY_MISMATCH, /* the Host field says `other` */
    PROXY_TUNNEL,   /* CONNECT; what follows the head is the client's */
    PROXY_PLAIN     /* an absolute-form of http: */
};

/* Not kept together with the bytes: all places are offsets. */
struct proxy_head {
    struct proxy_target to;
    size_t len; /* with the empty line */
    size_t method_len;
    size_t path_at, path_len; /* "?query" or nothing stand for "/" before it */
    size_t fields_at;
    bool is_1_0;
    char other[NET_NAME_MAX + 1]; /* printable */
};

/* More fields than this is bad. */
enum { PROXY_FIELDS_MAX = 256 };

/* *seen is 0 at first and remembers how far an earlier call came. */
enum proxy_verdict proxy_head_parse(const uint8_t *bytes, size_t len,
                                    size_t *seen, struct proxy_head *out);

enum { PROXY_REWRITTEN_MAX = HTTP_HEAD_MAX + 512 };

/* The head for the server of a PROXY_PLAIN: origin-form, our Host and
 * Connection: close, and without what is meant for a proxy or for this
 * connection alone (RFC 9110 7.6.1).  Its length, or 0 if it does not fit. */
size_t proxy_head_rewrite(const uint8_t *bytes, const struct proxy_head *h,
                          uint8_t *out, size_t cap);

/* Reads a host into to->host, to->is_addr and to->addr.  In a URL an IPv6
 * address has brackets and a name no trailing dot. */
bool proxy_read_host(struct span text, bool in_url, struct proxy_target *to);

#endif
