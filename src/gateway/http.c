/* http.c - see http.h.  RFC 9112 sections 3, 6 and 7; where the RFC lets a
 * server choose, the request is refused, for the server behind us might choose
 * otherwise (RFC 9112 11.2). */
#include "gateway/http.h"

#include <string.h>

#include "base/ascii.h"

enum {
    CHUNK_LINE_MAX = 64,
    CHUNK_DIGITS = 15,
    LENGTH_DIGITS = 18,
    TRAILERS_MAX = 8192
};

/* What the fields of one head say. */
struct head {
    struct http_line line;
    struct span host;
    unsigned hosts, lengths, codings, upgrades;
    uint64_t length;
    bool connection_upgrade;
    bool websocket;
};

void http_init(struct http *h, const char *name, uint16_t port)
{
    memset(h, 0, sizeof(*h));
    h->name = name;
    h->port = port;
}

static enum http_verdict refuse(struct http *h, enum http_why why)
{
    h->why = why;
    return HTTP_REFUSED;
}

static enum http_verdict mismatch(struct http *h, struct span said)
{
    http_show(said, h->other);
    return refuse(h, HTTP_MISMATCH);
}

static bool read_length(struct span s, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n == 0 || s.n > LENGTH_DIGITS)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_digit((char)s.p[i]))
            return false;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    *out = v;
    return true;
}

/* Connection names fields that the next hop drops (RFC 9110 7.6.1): not those
 * that were checked here. */
static bool connection_is_sane(struct span value)
{
    return !http_list_has(value, "host") &&
           !http_list_has(value, "content-length") &&
           !http_list_has(value, "transfer-encoding");
}

static bool read_field(enum http_field kind, const struct http_pair *f,
                       struct head *out)
{
    switch (kind) {
    case HTTP_FIELD_HOST:
        out->host = f->value;
        return ++out->hosts == 1;
    case HTTP_FIELD_LENGTH:
        return ++out->lengths == 1 && read_length(f->value, &out->length);
    case HTTP_FIELD_CODING:
        return ++out->codings == 1 && http_is(f->value, "chunked");
    case HTTP_FIELD_CONNECTION:
        if (http_list_has(f->value, "upgrade"))
            out->connection_upgrade = true;
        return connection_is_sane(f->value);
    case HTTP_FIELD_UPGRADE:
        return ++out->upgrades == 1 && http_is(f->value, "websocket");
    case HTTP_FIELD_PROXY:
    case HTTP_FIELD_OTHER:
        return true;
    case HTTP_FIELD_H2_SETTINGS:
    case HTTP_FIELD_BAD:
    case HTTP_FIELD_END:
        break;
    }
    return false;
}

/* Everything that is a matter of form. */
static bool read_head(struct span bytes, struct head *out)
{
    struct http_pair f;
    enum http_field kind;

    memset(out, 0, sizeof(*out));
    if (!http_read_line(&bytes, &out->line))
        return false;
    while ((kind = http_next_field(&bytes, &f)) != HTTP_FIELD_END)
        if (!read_field(kind, &f, out))
            return false;
    /* RFC 9112 6.1: both, or a coding in HTTP/1.0, is an attack or a fault. */
    return out->codings == 0 || (out->lengths == 0 && !out->line.is_1_0);
}

/* The target: origin-form, absolute-form of our host, or "*". */
static enum http_verdict check_target(struct http *h, const struct head *d,
                                      bool *is_absolute)
{
    struct span authority, path;

    *is_absolute = false;
    if (http_is(d->line.method, "connect") || http_is(d->line.method, "pri"))
        return refuse(h, HTTP_PROTOCOL);
    if (d->line.target.p[0] == '/')
        return HTTP_PASS;
    if (http_is(d->line.target, "*"))
        return http_is(d->line.method, "options") ? HTTP_PASS
                                                  : refuse(h, HTTP_PROTOCOL);
    if (!http_split_absolute(d->line.target, &authority, &path))
        return refuse(h, HTTP_PROTOCOL);
    *is_absolute = true;
    return http_is_host(authority, h->name, h->port) ? HTTP_PASS
                                                     : mismatch(h, authority);
}

static enum http_verdict check_name(struct http *h, const struct head *d)
{
    bool is_absolute;
    enum http_verdict v = check_target(h, d, &is_absolute);

    if (v != HTTP_PASS)
        return v;
    if (d->hosts == 0) {
        /* What the proxy makes of it has the field. */
        if (h->once && is_absolute && d->line.is_1_0)
            return HTTP_PASS;
        return refuse(h, HTTP_NO_NAME);
    }
    return http_is_host(d->host, h->name, h->port) ? HTTP_PASS
                                                   : mismatch(h, d->host);
}

/* RFC 6455 4.1.  Only first on its connection: then the first response that
 * comes is the answer to it. */
static bool upgrade_is_sane(const struct http *h, const struct head *d)
{
    return d->connection_upgrade && d->lengths == 0 && d->codings == 0 &&
           !d->line.is_1_0 && http_is(d->line.method, "get") &&
           h->requests == 0 && !h->once;
}

/* The request is complete. */
static void end_request(struct http *h)
{
    h->state = HTTP_IN_HEAD;
    h->seen = 0;
    h->is_done = h->once;
}

static enum http_verdict in_head(struct http *h, const uint8_t *p, size_t len,
                                 size_t *n)
{
    struct head d;
    enum http_verdict v;
    enum http_end end;

    if (len > HTTP_HEAD_MAX)
        len = HTTP_HEAD_MAX;
    end = http_head_end(p, len, &h->seen, n);
    if (end == HTTP_END_MORE)
        return len < HTTP_HEAD_MAX ? HTTP_NEED_MORE : refuse(h, HTTP_PROTOCOL);
    if (end == HTTP_END_BAD || !read_head((struct span){ p, *n }, &d))
        return refuse(h, HTTP_PROTOCOL);
    v = check_name(h, &d);
    if (v != HTTP_PASS)
        return v;
    if (d.upgrades > 0 && !upgrade_is_sane(h, &d))
        return refuse(h, HTTP_PROTOCOL);
    /* Some servers leave a body of these unread, and take it for the next
     * request (RFC 9110, 9.3.1: it has no meaning). */
    if ((d.length > 0 || d.codings > 0) &&
        (http_is(d.line.method, "get") || http_is(d.line.method, "head")))
        return refuse(h, HTTP_PROTOCOL);
    h->requests++;
    h->left = d.length;
    if (d.upgrades > 0)
        h->state = HTTP_WAIT_101;
    else if (d.codings > 0)
        h->state = HTTP_CHUNK_SIZE;
    else if (d.length > 0)
        h->state = HTTP_IN_BODY;
    else
        end_request(h);
    return HTTP_PASS;
}

/* "1f;name=value" CR LF. */
static enum http_verdict chunk_size(struct http *h, const uint8_t *p,
                                    size_t len, size_t *n)
{
    uint64_t size = 0;
    size_t i = 0;

    while (i < len && ascii_hex((char)p[i]) >= 0) {
        if (i == CHUNK_DIGITS)
            return refuse(h, HTTP_PROTOCOL);
        size = size << 4 | (uint64_t)ascii_hex((char)p[i++]);
    }
    if (i < len && (i == 0 || (p[i] != ';' && p[i] != '\r')))
        return refuse(h, HTTP_PROTOCOL);
    while (i < len && p[i] != '\r') {
        if (i == CHUNK_LINE_MAX - 2 || p[i] > '~' ||
            (p[i] < ' ' && p[i] != '\t'))
            return refuse(h, HTTP_PROTOCOL);
        i++;
    }
    if (len - i < 2)
        return HTTP_NEED_MORE;
    if (p[i + 1] != '\n')
        return refuse(h, HTTP_PROTOCOL);
    *n = i + 2;
    h->left = size;
    h->seen = 0;
    h->state = size > 0 ? HTTP_CHUNK_DATA : HTTP_TRAILERS;
    return HTTP_PASS;
}

static enum http_verdict chunk_end(struct http *h, const uint8_t *p, size_t len,
                                   size_t *n)
{
    if ((len >= 1 && p[0] != '\r') || (len >= 2 && p[1] != '\n'))
        return refuse(h, HTTP_PROTOCOL);
    if (len < 2)
        return HTTP_NEED_MORE;
    *n = 2;
    h->state = HTTP_CHUNK_SIZE;
    return HTTP_PASS;
}

/* Nothing in them may speak of what the head has settled (RFC 9110 6.5.1). */
static enum http_verdict trailers(struct http *h, const uint8_t *p, size_t len,
                                  size_t *n)
{
    struct span rest;
    struct http_pair f;
    enum http_field kind;
    enum http_end end;

    if (len > TRAILERS_MAX)
        len = TRAILERS_MAX;
    *n = 2;
    if (len < 2 || p[0] != '\r' || p[1] != '\n') {
        end = http_head_end(p, len, &h->seen, n);
        if (end == HTTP_END_MORE && len < TRAILERS_MAX)
            return HTTP_NEED_MORE;
        if (end != HTTP_END_FOUND)
            return refuse(h, HTTP_PROTOCOL);
    }
    rest = (struct span){ p, *n };
    while ((kind = http_next_field(&rest, &f)) != HTTP_FIELD_END)
        if (kind != HTTP_FIELD_OTHER)
            return refuse(h, HTTP_PROTOCOL);
    end_request(h);
    return HTTP_PASS;
}

uint64_t http_unseen(const struct http *h)
{
    if (h->state == HTTP_OPAQUE)
        return UINT64_MAX;
    return h->state == HTTP_IN_BODY || h->state == HTTP_CHUNK_DATA ? h->left
                                                                   : 0;
}

void http_passed(struct http *h, uint64_t n)
{
    if (h->state == HTTP_OPAQUE)
        return;
    h->left -= n < h->left ? n : h->left;
    if (h->left > 0)
        return;
    if (h->state == HTTP_IN_BODY)
        end_request(h);
    else if (h->state == HTTP_CHUNK_DATA)
        h->state = HTTP_CHUNK_END;
}

/* One thing more of what has come. */
static enum http_verdict step(struct http *h, const uint8_t *p, size_t len,
                              size_t *n)
{
    uint64_t unseen = http_unseen(h);

    *n = 0;
    if (h->is_done)
        return HTTP_DONE;
    switch (h->state) {
    case HTTP_IN_HEAD:
        return in_head(h, p, len, n);
    case HTTP_CHUNK_SIZE:
        return chunk_size(h, p, len, n);
    case HTTP_CHUNK_END:
        return chunk_end(h, p, len, n);
    case HTTP_TRAILERS:
        return trailers(h, p, len, n);
    case HTTP_WAIT_101:
        return HTTP_WAIT;
    case HTTP_IN_BODY:
    case HTTP_CHUNK_DATA:
    case HTTP_OPAQUE:
        *n = unseen < len ? (size_t)unseen : len;
        http_passed(h, *n);
        return *n > 0 ? HTTP_PASS : HTTP_NEED_MORE;
    }
    return refuse(h, HTTP_PROTOCOL);
}

enum http_verdict http_look(struct http *h, const uint8_t *bytes, size_t len,
                            size_t *pass)
{
    size_t at = 0, n;
    enum http_verdict v;

    *pass = 0;
    if (!h->name || h->why != HTTP_NOT_REFUSED)
        return HTTP_REFUSED;
    do {
        v = step(h, bytes + at, len - at, &n);
        if (v == HTTP_PASS)
            at += n;
    } while (v == HTTP_PASS && at < len);
    if (at == 0)
        return v;
    /* What was in order before a fault goes on; the fault is still there. */
    h->why = HTTP_NOT_REFUSED;
    *pass = at;
    return HTTP_PASS;
}

void http_on_response_status(struct http *h, int status)
{
    if (h->state == HTTP_WAIT_101)
        h->state = status == 101 ? HTTP_OPAQUE : HTTP_IN_HEAD;
}
