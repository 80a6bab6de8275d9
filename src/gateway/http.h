/* http.h - may these bytes of a client go on to the server of this name?
 *
 * Follows the requests of one connection of plain HTTP/1.x, from the client to
 * the server, and copies nothing: the caller looks at what has come (without
 * taking it), asks, and then moves as many bytes as it was told.  A head goes
 * on only when all of it has come and it names the host that the connection
 * was made to; what lies between the heads goes on because the head said how
 * long it is, in the one way that every server reads the same. */
#ifndef MXC_GATEWAY_HTTP_H
#define MXC_GATEWAY_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/http_text.h"
#include "policy/net.h"

enum http_verdict {
    HTTP_REFUSED = 0, /* `why`; close the connection */
    HTTP_NEED_MORE,
    HTTP_PASS,
    HTTP_WAIT, /* for http_on_response_status; nothing passes until then */
    HTTP_DONE  /* `once`: its request is complete, nothing else may pass */
};

enum http_why {
    HTTP_NOT_REFUSED = 0,
    HTTP_MISMATCH, /* `other` is the host it named */
    HTTP_NO_NAME,
    HTTP_PROTOCOL /* malformed, ambiguous, or a way around the check */
};

enum http_state {
    HTTP_IN_HEAD = 0,
    HTTP_IN_BODY,
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK_DATA,
    HTTP_CHUNK_END,
    HTTP_TRAILERS,
    HTTP_WAIT_101,
    HTTP_OPAQUE
};

/* For the caller to read; only `once` is for it to set. */
struct http {
    const char *name; /* borrowed; lower case */
    uint16_t port;
    bool once;
    bool is_done;
    enum http_state state;
    enum http_why why;
    uint64_t requests;
    uint64_t left;                /* of the body or of the chunk */
    size_t seen;                  /* of a head that is not complete */
    char other[NET_NAME_MAX + 1]; /* printable */
};

/* `name`: a clean name, or an address as a client writes it in a URL.  With
 * `once` (set it after this) one request passes, without an upgrade, and none
 * after it: for a request that the proxy makes on the client's behalf. */
void http_init(struct http *h, const char *name, uint16_t port);

/* `bytes` begin where the last call's *pass ended.  With HTTP_PASS, *pass of
 * them (at least one, at most len) must go on, and the tracker has gone past
 * them.  With any other verdict *pass is 0 and nothing may go on. */
enum http_verdict http_look(struct http *h, const uint8_t *bytes, size_t len,
                            size_t *pass);

/* How many bytes may go on without having been looked at (a body, or an
 * upgraded connection: UINT64_MAX)?  Tell with http_passed how many did. */
uint64_t http_unseen(const struct http *h);
void http_passed(struct http *h, uint64_t n);

/* After HTTP_WAIT: what the server answered. */
void http_on_response_status(struct http *h, int status);

enum http_sniff {
    HTTP_SNIFF_YES = 0, /* some server takes it for a request: track it */
    HTTP_SNIFF_MORE,
    HTTP_SNIFF_NO
};

/* Could a connection that begins so be HTTP?  MORE is no NO: the bytes are to
 * be held back however long the next one takes.  It is never the answer to
 * HTTP_SNIFF_MAX bytes. */
enum { HTTP_SNIFF_MAX = 4096 };
enum http_sniff http_sniff(const uint8_t *bytes, size_t len);

/* The status from the beginning of a response: 100 to 999, 0 for more bytes,
 * -1 for no HTTP/1.x. */
enum { HTTP_STATUS_BYTES = 13 };
int http_status(const uint8_t *bytes, size_t len);

#endif
