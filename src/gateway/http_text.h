/* http_text.h - the text of an HTTP/1.x head, strictly (RFC 9112).
 *
 * What any two readers might take apart differently is no head here: line
 * ends other than CR LF, folded lines, space before a colon, control
 * characters.  Pure; everything points into the caller's bytes. */
#ifndef MXC_GATEWAY_HTTP_TEXT_H
#define MXC_GATEWAY_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/net.h"

enum { HTTP_HEAD_MAX = 32768 };

struct span {
    const uint8_t *p;
    size_t n;
};

enum http_end { HTTP_END_BAD = 0, HTTP_END_MORE, HTTP_END_FOUND };

/* Look for the empty line.  *seen (0 at first) remembers how far an earlier
 * call came with the same bytes; *end is the length with the empty line. */
enum http_end http_head_end(const uint8_t *bytes, size_t len, size_t *seen,
                            size_t *end);

struct http_line {
    struct span method; /* a token */
    struct span target; /* visible ASCII, not empty, without '#' */
    bool is_1_0;        /* else HTTP/1.1 */
};

/* Cut the request line off the head. */
bool http_read_line(struct span *head, struct http_line *out);

enum http_field {
    HTTP_FIELD_BAD = 0,
    HTTP_FIELD_END, /* the empty line, and nothing behind it */
    HTTP_FIELD_OTHER,
    HTTP_FIELD_HOST,
    HTTP_FIELD_LENGTH,
    HTTP_FIELD_CODING,
    HTTP_FIELD_CONNECTION,
    HTTP_FIELD_UPGRADE,
    HTTP_FIELD_H2_SETTINGS,
    HTTP_FIELD_PROXY /* Proxy-... */
};

struct http_pair {
    struct span name, value; /* the value without space around it */
    struct span line;        /* all of it, with CR LF */
};

/* Cut the next line off. */
enum http_field http_next_field(struct span *head, struct http_pair *out);

/* Without case. */
bool http_is(struct span s, const char *text);
bool http_starts(struct span s, const char *text);

/* Is `text` one of the members of a comma-separated value? */
bool http_list_has(struct span value, const char *text);

/* Digits only, without leading zeros, 1 to 65535. */
bool http_read_port(struct span s, uint16_t *out);

/* "host", "host:port", "[v6]:port"; *port is empty when it is absent.  The
 * host is only checked to be one piece. */
bool http_split_authority(struct span a, struct span *host, struct span *port);

/* Does an authority mean this host, in lower case, and this port (or none)? */
bool http_is_host(struct span authority, const char *host, uint16_t port);

/* "http://authority/path?query"; the path may be empty. */
bool http_split_absolute(struct span target, struct span *authority,
                         struct span *path);

/* For a report: what is not visible ASCII becomes '?', the rest is cut. */
void http_show(struct span s, char out[NET_NAME_MAX + 1]);

#endif
