/* proxy_head.c - see proxy_head.h.  RFC 9110 9.3.6 for CONNECT, RFC 9112 3.2
 * for the forms of a target. */
#include "gateway/proxy_head.h"

#include <string.h>

#include "base/ascii.h"
#include "contract/cidr.h"

enum { PORT_HTTP = 80 };

enum proxy_protocol proxy_sort(uint8_t first)
{
    if (first == 5)
        return PROXY_SOCKS5;
    return ascii_is_letter((char)first) ? PROXY_HTTP : PROXY_NEITHER;
}

static bool read_address(const char *text, uint8_t family,
                         struct proxy_target *to)
{
    struct cidr c;

    if (cidr_parse_address(text, &c) < 0 || c.family != family)
        return false;
    memset(&to->addr, 0, sizeof(to->addr));
    if (family == 4) {
        to->addr.b[10] = to->addr.b[11] = 0xff;
        memcpy(to->addr.b + 12, c.addr, 4);
    } else {
        memcpy(to->addr.b, c.addr, 16);
    }
    to->is_addr = true;
    return true;
}

/* With brackets; outside of URLs also without. */
static bool read_v6(const char *text, size_t n, bool in_url,
                    struct proxy_target *to)
{
    char inner[CIDR_TEXT_MAX];

    if (text[0] == '[') {
        if (n < 2 || text[n - 1] != ']')
            return false;
        text++;
        n -= 2;
    } else if (in_url) {
        return false;
    }
    if (n >= sizeof(inner))
        return false;
    memcpy(inner, text, n);
    inner[n] = '\0';
    if (!read_address(inner, 6, to))
        return false;
    memset(to->host, 0, sizeof(to->host));
    to->host[0] = '[';
    memcpy(to->host + 1, inner, n);
    to->host[n + 1] = ']';
    return true;
}

bool proxy_read_host(struct span text, bool in_url, struct proxy_target *to)
{
    char lower[NET_NAME_MAX + 2], name[NET_NAME_MAX + 1];

    memset(to, 0, sizeof(*to));
    http_show(text, to->host);
    if (text.n == 0 || text.n >= sizeof(lower))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return false;
        lower[i] = ascii_lower((char)text.p[i]);
    }
    lower[text.n] = '\0';
    if (read_v6(lower, text.n, in_url, to) || read_address(lower, 4, to))
        return true;
    if ((in_url && lower[text.n - 1] == '.') ||
        !net_name_clean(lower, text.n, name))
        return false;
    /* As long as the text, or shorter by its dot: the rest is zeros. */
    memset(to->host, 0, sizeof(to->host));
    memcpy(to->host, name, strlen(name));
    return true;
}

/* The host and port of a request line. */
static enum proxy_verdict read_target(const struct http_line *line,
                                      struct span *path,
                                      struct proxy_target *to)
{
    struct span authority = line->target, host, port;
    bool is_tunnel = http_is(line->method, "connect");
    uint16_t number = PORT_HTTP;

    *path = (struct span){ line->target.p, 0 };
    /* Methods have a case, RFC 9110 9.1. */
    if (is_tunnel && memcmp(line->method.p, "CONNECT", 7) != 0)
        return PROXY_BAD;
    if (!is_tunnel && !http_split_absolute(line->target, &authority, path))
        return PROXY_BAD;
    if (!http_split_authority(authority, &host, &port))
        return PROXY_BAD;
    if ((is_tunnel || port.n > 0) && !http_read_port(port, &number))
        return PROXY_BAD;
    if (memchr(host.p, '@', host.n))
        return PROXY_BAD;
    if (!proxy_read_host(host, true, to))
        return PROXY_NO_HOST;
    to->port = number;
    return is_tunnel ? PROXY_TUNNEL : PROXY_PLAIN;
}

/* A tunnel has no body: who gives it a length means something else. */
static bool is_zero(struct span s)
{
    return s.n == 1 && s.p[0] == '0';
}

static enum proxy_verdict
check_fields(struct span rest, enum proxy_verdict kind, struct proxy_head *out)
{
    enum proxy_verdict v = kind;
    enum http_field field;
    struct http_pair f;
    unsigned hosts = 0, n = 0;

    while ((field = http_next_field(&rest, &f)) != HTTP_FIELD_END) {
        if (field == HTTP_FIELD_BAD || ++n > PROXY_FIELDS_MAX)
            return PROXY_BAD;
        if (kind == PROXY_TUNNEL &&
            (field == HTTP_FIELD_CODING ||
             (field == HTTP_FIELD_LENGTH && !is_zero(f.value))))
            return PROXY_BAD;
        if (field != HTTP_FIELD_HOST)
            continue;
        if (++hosts > 1)
            return PROXY_BAD;
        if (kind != PROXY_NO_HOST &&
            !http_is_host(f.value, out->to.host, out->to.port)) {
            http_show(f.value, out->other);
            v = PROXY_MISMATCH;
        }
    }
    return v;
}

enum proxy_verdict proxy_head_parse(const uint8_t *bytes, size_t len,
                                    size_t *seen, struct proxy_head *out)
{
    struct span rest, path;
    struct http_line line;
    enum proxy_verdict v;
    enum http_end end;

    memset(out, 0, sizeof(*out));
    if (len > HTTP_HEAD_MAX)
        len = HTTP_HEAD_MAX;
    end = http_head_end(bytes, len, seen, &out->len);
    if (end == HTTP_END_MORE)
        return len < HTTP_HEAD_MAX ? PROXY_NEED_MORE : PROXY_BAD;
    rest = (struct span){ bytes, out->len };
    if (end == HTTP_END_BAD || !http_read_line(&rest, &line))
        return PROXY_BAD;
    v = read_target(&line, &path, &out->to);
    out->method_len = line.method.n;
    out->path_at = (size_t)(path.p - bytes);
    out->path_len = path.n;
    out->fields_at = (size_t)(rest.p - bytes);
    out->is_1_0 = line.is_1_0;
    return v == PROXY_BAD ? v : check_fields(rest, v, out);
}

/* --- the head for the server ----------------------------------------- */

struct sink {
    uint8_t *p;
    size_t n, cap;
    bool failed;
};

static void put(struct sink *s, const void *bytes, size_t n)
{
    if (s->failed || n > s->cap - s->n) {
        s->failed = true;
        return;
    }
    memcpy(s->p + s->n, bytes, n);
    s->n += n;
}

static void put_text(struct sink *s, const char *text)
{
    put(s, text, strlen(text));
}

static void put_port(struct sink *s, uint16_t port)
{
    char text[5];
    size_t at = sizeof(text);

    do {
        text[--at] = (char)('0' + port % 10);
        port /= 10;
    } while (port > 0);
    put_text(s, ":");
    put(s, text + at, sizeof(text) - at);
}

/* Does a Connection field of the head name this one? */
static bool is_listed(struct span head, struct span name)
{
    char text[64];
    enum http_field field;
    struct http_pair f;

    if (name.n >= sizeof(text))
        return false;
    memcpy(text, name.p, name.n);
    text[name.n] = '\0';
    while ((field = http_next_field(&head, &f)) > HTTP_FIELD_END)
        if (field == HTTP_FIELD_CONNECTION && http_list_has(f.value, text))
            return true;
    return false;
}

static bool goes_on(enum http_field field, struct span head, struct span name)
{
    switch (field) {
    case HTTP_FIELD_LENGTH:
    case HTTP_FIELD_CODING:
        /* How the body is framed: it goes on as it comes. */
        return true;
    case HTTP_FIELD_OTHER:
        return !http_is(name, "keep-alive") && !http_is(name, "te") &&
               !is_listed(head, name);
    case HTTP_FIELD_HOST:
    case HTTP_FIELD_CONNECTION:
    case HTTP_FIELD_UPGRADE:
    case HTTP_FIELD_H2_SETTINGS:
    case HTTP_FIELD_PROXY:
    case HTTP_FIELD_BAD:
    case HTTP_FIELD_END:
        break;
    }
    return false;
}

static void put_line(struct sink *s, const uint8_t *bytes,
                     const struct proxy_head *h)
{
    struct span method = { bytes, h->method_len };
    bool has_slash = h->path_len > 0 && bytes[h->path_at] == '/';

    put(s, method.p, method.n);
    put_text(s, " ");
    /* RFC 9112 3.2.4: an OPTIONS without a path is for the server as such. */
    if (h->path_len == 0 && http_is(method, "options"))
        put_text(s, "*");
    else if (!has_slash)
        put_text(s, "/");
    put(s, bytes + h->path_at, h->path_len);
    put_text(s, h->is_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
}

size_t proxy_head_rewrite(const uint8_t *bytes, const struct proxy_head *h,
                          uint8_t *out, size_t cap)
{
    struct span fields = { bytes + h->fields_at, h->len - h->fields_at };
    struct span rest = fields;
    struct sink s = { .p = out, .cap = cap };
    enum http_field field;
    struct http_pair f;

    put_line(&s, bytes, h);
    put_text(&s, "Host: ");
    put_text(&s, h->to.host);
    if (h->to.port != PORT_HTTP)
        put_port(&s, h->to.port);
    put_text(&s, "\r\nConnection: close\r\n");
    while ((field = http_next_field(&rest, &f)) > HTTP_FIELD_END)
        if (goes_on(field, fields, f.name))
            put(&s, f.line.p, f.line.n);
    put_text(&s, "\r\n");
    return s.failed || field != HTTP_FIELD_END ? 0 : s.n;
}
