/* check.h - a connection to a name says that name, where it says any.
 *
 * The first bytes of the client are looked at in the kernel's buffer: a TLS
 * ClientHello has to carry the name as its server name, every request of plain
 * HTTP as its host.  Other protocols name nobody and pass.  Nothing is
 * decrypted, and what is not looked at is not copied.
 *
 * A client may wait for an answer to a word that could be the beginning of a
 * request.  So the beginning of a first line goes on at once, and is kept: a
 * request that it turns out to be is judged as a whole before its end goes. */
#ifndef MXC_GATEWAY_CHECK_H
#define MXC_GATEWAY_CHECK_H

#include "gateway/gw.h"
#include "gateway/http.h"

enum check_state {
    CHECK_NOTHING = 0, /* passes as it is */
    CHECK_FIRST,       /* what does it speak? */
    CHECK_REQUESTS     /* HTTP */
};

struct check {
    enum check_state state;
    const char *name; /* borrowed */
    uint64_t granted; /* of a body, not yet told to the tracker */
    /* Bytes that went on before it was known what they begin: too few for
     * anybody to act on, and looked at again with those behind them. */
    uint8_t *early;
    size_t nearly;
    struct http http;
};

void check_begin(struct check *c, const char *name, uint16_t port);
/* A request that the proxy makes for a client: one, and none behind it. */
void check_begin_once(struct check *c, const char *host, uint16_t port);

void check_end(struct check *c);

struct conn;
/* The credit of a direction is used up: may more pass?  False: not now, or the
 * connection was ended for it. */
bool check_more(struct gw *g, struct conn *c, int d);

#endif
