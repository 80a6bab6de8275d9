/* http_sniff.c - see http.h: what the beginnings of both directions are.
 *
 * A connection that is taken for something else than HTTP is relayed without
 * a look at its bytes.  So whatever some server might read as a request is
 * one here, however wrong: the tracker refuses it then.  On the other hand
 * there are protocols that begin with a word and a space (SSH's banner does,
 * SMTP's and IRC's commands do), and those are not HTTP. */
#include "gateway/http.h"

#include <string.h>

#include "base/ascii.h"

enum { BEFORE_MAX = 64 };

/* What one or another takes for the space in its line: those of ASCII, of
 * Latin-1, and the separators that Python's split() counts. */
static bool is_gap(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f) ||
           c == 0x85 || c == 0xa0;
}

/* Some servers take any word for a method.  XML and JSON are none: they may
 * come without a line's end, however long they are. */
static bool is_word(uint8_t c)
{
    return c > ' ' && c <= '~' && c != '<' && c != '{';
}

/* What a proxy says first to a server that believes it (HAProxy's PROXY
 * protocol, versions 1 and 2): TLS or a request stand behind it. */
static enum http_sniff look_for_proxy(struct span s)
{
    static const uint8_t second[12] = "\r\n\r\n\0\r\nQUIT\n";
    size_t n = s.n < sizeof(second) ? s.n : sizeof(second);

    if (http_starts(s, "PROXY "))
        return HTTP_SNIFF_YES;
    if (memcmp(s.p, second, n) != 0)
        return HTTP_SNIFF_NO;
    return n < sizeof(second) ? HTTP_SNIFF_MORE : HTTP_SNIFF_YES;
}

/* Does the line have a version of HTTP's?  A NUL is in no line: then it is a
 * protocol of numbers, whose next byte might wait for an answer. */
static enum http_sniff look_for_version(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (http_starts((struct span){ s.p + i, s.n - i }, "http/"))
            return HTTP_SNIFF_YES;
        if (s.p[i] == '\n' || s.p[i] == '\0')
            return HTTP_SNIFF_NO;
    }
    return HTTP_SNIFF_MORE;
}

enum http_sniff http_sniff(const uint8_t *bytes, size_t len)
{
    struct span s = { bytes, len < HTTP_SNIFF_MAX ? len : HTTP_SNIFF_MAX };
    size_t before = 0, word = 0;
    enum http_sniff v = look_for_proxy(s);

    if (v != HTTP_SNIFF_NO)
        return v;
    v = HTTP_SNIFF_MORE;
    /* What one server or another passes over before a request. */
    while (before < s.n && is_gap(s.p[before]) && before < BEFORE_MAX)
        before++;
    if (before == BEFORE_MAX)
        return HTTP_SNIFF_YES;
    s.p += before;
    s.n -= before;
    while (word < s.n && is_word(s.p[word]))
        word++;
    if (word < s.n) {
        /* In HTTP/0.9 this method is all there is. */
        if (word == 3 && memcmp(s.p, "GET", 3) == 0)
            return HTTP_SNIFF_YES;
        if (word == 0 || !is_gap(s.p[word]))
            return HTTP_SNIFF_NO;
        v = look_for_version((struct span){ s.p + word, s.n - word });
    }
    return v == HTTP_SNIFF_MORE && len >= HTTP_SNIFF_MAX ? HTTP_SNIFF_YES : v;
}

int http_status(const uint8_t *bytes, size_t len)
{
    static const char form[] = "HTTP/1.";
    int status = 0;

    for (size_t i = 0; i < len && i < HTTP_STATUS_BYTES; i++) {
        char c = (char)bytes[i];

        if (i < 7     ? c != form[i]
            : i == 8  ? c != ' '
            : i == 12 ? c != ' ' && c != '\r'
                      : !ascii_is_digit(c) || (i == 9 && c == '0'))
            return -1;
        if (i >= 9 && i < 12)
            status = status * 10 + (c - '0');
    }
    return len < HTTP_STATUS_BYTES ? 0 : status;
}
