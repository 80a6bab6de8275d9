/* http_text.c - see http_text.h. */
#include "gateway/http_text.h"

#include <string.h>

#include "base/ascii.h"
#include "base/scoped.h"

enum { METHOD_MAX = 32 };

static struct span cut(struct span *s, size_t n)
{
    struct span r = { s->p, n };

    s->p += n;
    s->n -= n;
    return r;
}

/* A token's character, RFC 9110 5.6.2. */
static bool is_token_char(uint8_t c)
{
    return ascii_is_digit((char)c) || ascii_is_letter((char)c) ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_char(s.p[i]))
            return false;
    return s.n > 0;
}

enum http_end http_head_end(const uint8_t *bytes, size_t len, size_t *seen,
                            size_t *end)
{
    size_t i = *seen <= len ? *seen : 0;

    for (; i < len; i++) {
        uint8_t c = bytes[i];

        if (c == '\n' && (i < 2 || bytes[i - 1] != '\r'))
            return HTTP_END_BAD;
        if ((c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return HTTP_END_BAD;
        if (c == '\r') {
            if (i + 1 == len)
                break;
            if (bytes[i + 1] != '\n')
                return HTTP_END_BAD;
        }
        if (c == '\n' && i >= 3 && bytes[i - 2] == '\n') {
            *end = i + 1;
            return HTTP_END_FOUND;
        }
    }
    *seen = i;
    return HTTP_END_MORE;
}

/* Up to CR LF, which is dropped from *line and kept in *whole. */
static bool next_line(struct span *head, struct span *line, struct span *whole)
{
    const uint8_t *lf = head->n > 0 ? memchr(head->p, '\n', head->n) : NULL;

    if (!lf || lf == head->p || lf[-1] != '\r')
        return false;
    *whole = cut(head, (size_t)(lf - head->p) + 1);
    *line = (struct span){ whole->p, whole->n - 2 };
    return true;
}

bool http_read_line(struct span *head, struct http_line *out)
{
    struct span line, whole;
    const uint8_t *sp;

    if (!next_line(head, &line, &whole))
        return false;
    sp = memchr(line.p, ' ', line.n);
    if (!sp)
        return false;
    out->method = cut(&line, (size_t)(sp - line.p));
    cut(&line, 1);
    sp = line.n > 0 ? memchr(line.p, ' ', line.n) : NULL;
    if (!sp)
        return false;
    out->target = cut(&line, (size_t)(sp - line.p));
    cut(&line, 1);
    if (line.n != 8 || memcmp(line.p, "HTTP/1.", 7) != 0 ||
        (line.p[7] != '0' && line.p[7] != '1'))
        return false;
    out->is_1_0 = line.p[7] == '0';
    for (size_t i = 0; i < out->target.n; i++)
        if (out->target.p[i] <= ' ' || out->target.p[i] > '~' ||
            out->target.p[i] == '#')
            return false;
    return is_token(out->method) && out->method.n <= METHOD_MAX &&
           out->target.n > 0;
}

/* The names that mean something here.  With '_' for '-' they are the same to
 * a server that makes variables of them (RFC 3875 4.1.18), and nobody's
 * honest spelling. */
static enum http_field field_kind(struct span name)
{
    static const struct {
        const char *name;
        enum http_field kind;
    } known[] = {
        { "host", HTTP_FIELD_HOST },
        { "content-length", HTTP_FIELD_LENGTH },
        { "transfer-encoding", HTTP_FIELD_CODING },
        { "connection", HTTP_FIELD_CONNECTION },
        { "upgrade", HTTP_FIELD_UPGRADE },
        { "http2-settings", HTTP_FIELD_H2_SETTINGS },
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        const char *k = known[i].name;
        bool same = true, disguised = false;

        if (name.n != strlen(k))
            continue;
        for (size_t j = 0; j < name.n && same; j++) {
            bool odd = k[j] == '-' && name.p[j] == '_';

            disguised |= odd;
            same = odd || ascii_lower((char)name.p[j]) == k[j];
        }
        if (same)
            return disguised ? HTTP_FIELD_BAD : known[i].kind;
    }
    return http_starts(name, "proxy-") ? HTTP_FIELD_PROXY : HTTP_FIELD_OTHER;
}

static bool is_value(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
            return false;
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct span trim(struct span s)
{
    while (s.n > 0 && is_blank(s.p[0]))
        cut(&s, 1);
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

enum http_field http_next_field(struct span *head, struct http_pair *out)
{
    struct span line;
    const uint8_t *colon;

    if (!next_line(head, &line, &out->line))
        return HTTP_FIELD_BAD;
    if (line.n == 0)
        return head->n == 0 ? HTTP_FIELD_END : HTTP_FIELD_BAD;
    colon = memchr(line.p, ':', line.n);
    if (!colon)
        return HTTP_FIELD_BAD;
    out->name = cut(&line, (size_t)(colon - line.p));
    cut(&line, 1);
    out->value = trim(line);
    if (!is_token(out->name) || !is_value(out->value))
        return HTTP_FIELD_BAD;
    return field_kind(out->name);
}

bool http_starts(struct span s, const char *text)
{
    size_t n = strlen(text);

    if (s.n < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (ascii_lower((char)s.p[i]) != ascii_lower(text[i]))
            return false;
    return true;
}

bool http_is(struct span s, const char *text)
{
    return s.n == strlen(text) && http_starts(s, text);
}

bool http_list_has(struct span value, const char *text)
{
    while (value.n > 0) {
        const uint8_t *comma = memchr(value.p, ',', value.n);
        size_t n = comma ? (size_t)(comma - value.p) : value.n;

        if (http_is(trim(cut(&value, n)), text))
            return true;
        if (comma)
            cut(&value, 1);
    }
    return false;
}

bool http_read_port(struct span s, uint16_t *out)
{
    unsigned v = 0;

    if (s.n == 0 || s.n > 5 || s.p[0] == '0')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_digit((char)s.p[i]))
            return false;
        v = v * 10 + (unsigned)(s.p[i] - '0');
    }
    if (v > UINT16_MAX)
        return false;
    *out = (uint16_t)v;
    return true;
}

bool http_split_authority(struct span a, struct span *host, struct span *port)
{
    size_t n = 0;

    if (a.n > 0 && a.p[0] == '[') {
        const uint8_t *close = memchr(a.p, ']', a.n);

        if (!close)
            return false;
        n = (size_t)(close - a.p) + 1;
    } else {
        while (n < a.n && a.p[n] != ':')
            n++;
    }
    *host = cut(&a, n);
    *port = a;
    if (a.n == 0)
        return host->n > 0;
    if (a.p[0] != ':')
        return false;
    cut(port, 1);
    return host->n > 0 && port->n > 0;
}

bool http_is_host(struct span authority, const char *host, uint16_t port)
{
    struct span h, p;
    uint16_t number;

    if (!http_split_authority(authority, &h, &p))
        return false;
    /* A name that is written from the root is the same name; of an address it
     * is none at all. */
    if (h.n > 1 && h.p[h.n - 1] == '.' && !ascii_is_digit(host[0]))
        h.n--;
    if (!http_is(h, host))
        return false;
    return p.n == 0 || (http_read_port(p, &number) && number == port);
}

bool http_split_absolute(struct span target, struct span *authority,
                         struct span *path)
{
    size_t n = 0;

    if (!http_starts(target, "http://"))
        return false;
    cut(&target, strlen("http://"));
    while (n < target.n && target.p[n] != '/' && target.p[n] != '?')
        n++;
    *authority = cut(&target, n);
    *path = target;
    return true;
}

void http_show(struct span s, char out[NET_NAME_MAX + 1])
{
    size_t n = s.n < NET_NAME_MAX ? s.n : NET_NAME_MAX;

    for (size_t i = 0; i < n; i++)
        out[i] = s.p[i] > ' ' && s.p[i] <= '~' ? (char)s.p[i] : '?';
    out[n] = '\0';
}
