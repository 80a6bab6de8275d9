/* tls.h - whom a client's first bytes name, if they are TLS.
 *
 * Pure: the caller passes everything seen so far, from the first byte on, and
 * asks again with more. */
#ifndef MXC_GATEWAY_TLS_H
#define MXC_GATEWAY_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/net.h"

enum {
    TLS_HELLO_MAX = 16384,               /* bytes of a ClientHello */
    TLS_PEEK_MAX = TLS_HELLO_MAX + 2048, /* with the heads of its records */
    TLS_ALPN_MAX = 256
};

enum tls_verdict {
    TLS_BAD = 0,   /* TLS, and nothing that an honest client sends */
    TLS_NEED_MORE, /* never for TLS_PEEK_MAX bytes or more */
    TLS_OK,
    TLS_NOT_TLS /* no TLS server takes this for a beginning */
};

struct tls_hello {
    char name[NET_NAME_MAX + 1]; /* clean; "" without a server name */
    bool ech;                    /* or something that looks like it (GREASE) */
    uint8_t alpn[TLS_ALPN_MAX]; /* names as they came, each behind its length */
    size_t alpn_len;            /* 0: none */
};

/* *out is filled with TLS_OK, zeroed otherwise. */
enum tls_verdict tls_hello(const uint8_t *bytes, size_t len,
                           struct tls_hello *out);

#endif
