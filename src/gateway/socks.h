/* socks.h - what a client asks of the built-in SOCKS 5 proxy (RFC 1928).
 *
 * Pure and incremental: the caller passes everything seen so far of the one
 * message. */
#ifndef MXC_GATEWAY_SOCKS_H
#define MXC_GATEWAY_SOCKS_H

#include "gateway/proxy_head.h"

enum socks_verdict {
    SOCKS_BAD = 0, /* close without a word */
    SOCKS_NEED_MORE,
    SOCKS_REFUSED, /* answer, then close */
    SOCKS_OK
};

enum socks_code {
    SOCKS_DONE = 0,
    SOCKS_FAILURE = 1,
    SOCKS_NOT_ALLOWED = 2,
    SOCKS_NET_UNREACHABLE = 3,
    SOCKS_HOST_UNREACHABLE = 4,
    SOCKS_CONN_REFUSED = 5,
    SOCKS_TTL_EXPIRED = 6,
    SOCKS_NO_COMMAND = 7,
    SOCKS_NO_ADDRESS_TYPE = 8
};

/* *used is the length of the message, when it is SOCKS_OK: the next one may
 * follow at once.  The only method is "no authentication"; without it
 * SOCKS_REFUSED. */
enum socks_verdict socks_greeting(const uint8_t *bytes, size_t len,
                                  size_t *used);
void socks_greeting_reply(bool is_ok, uint8_t out[2]);

/* With SOCKS_REFUSED, *code says why; for a host that no rule ever allows
 * (SOCKS_NOT_ALLOWED) to->host is printable, for a report. */
enum socks_verdict socks_request(const uint8_t *bytes, size_t len,
                                 struct proxy_target *to, size_t *used,
                                 enum socks_code *code);

enum { SOCKS_REPLY = 10 };
void socks_reply(enum socks_code code, uint8_t out[SOCKS_REPLY]);

#endif
