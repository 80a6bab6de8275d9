/* fuzz_http.c - any bytes as requests of a client.
 *
 * Checked besides what the sanitizers see: the tracker never passes more than
 * there is; what it passes and how it judges does not depend on how the bytes
 * come; a head that passes has one Host and it is ours, told by a reader of
 * another making; what passes sniffs as HTTP. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME "a.example"

static void must(bool ok)
{
    if (!ok)
        abort();
}

struct outcome {
    enum http_verdict verdict;
    enum http_why why;
    size_t passed;
    char other[NET_NAME_MAX + 1];
};

/* Count the lines of a head that begin with "host:", naively. */
static unsigned count_hosts(const char *head, size_t n, bool *ours)
{
    unsigned hosts = 0;

    *ours = true;
    for (size_t i = 0; i + 7 < n; i++) {
        const char *v = head + i + 6;

        if (head[i] != '\n' || strncasecmp(head + i + 1, "host:", 5) != 0)
            continue;
        hosts++;
        while (*v == ' ' || *v == '\t')
            v++;
        *ours = *ours && strncasecmp(v, NAME, strlen(NAME)) == 0;
        /* The same name, absolute, may end with a dot (RFC 3986 3.2.2). */
        if (*ours) {
            v += strlen(NAME);
            *ours = strchr(" \t\r:", v[*v == '.' ? 1 : 0]) != NULL;
        }
    }
    return hosts;
}

static void check_head(const uint8_t *bytes, size_t n)
{
    const char *end = memmem(bytes, n, "\r\n\r\n", 4);
    char *head;
    bool ours;
    size_t len;

    must(end != NULL);
    len = (size_t)(end - (const char *)bytes) + 4;
    head = malloc(len + 1);
    must(head != NULL);
    memcpy(head, bytes, len);
    head[len] = '\0';
    must(strlen(head) == len);
    must(count_hosts(head, len, &ours) == 1 && ours);
    must(http_sniff(bytes, n) == HTTP_SNIFF_YES);
    free(head);
}

/* `step`: how much comes at a time; with `skip`, bodies go unseen. */
static void feed(const uint8_t *data, size_t size, size_t step, bool once,
                 bool skip, struct outcome *out)
{
    size_t have = step < size ? step : size, at = 0, pass;
    struct http h;

    http_init(&h, NAME, 80);
    h.once = once;
    for (;;) {
        size_t n = have - at;
        uint64_t unseen = http_unseen(&h);
        bool is_head = h.state == HTTP_IN_HEAD && !h.is_done;
        uint8_t *peeked;

        if (skip && unseen > 0 && n > 0) {
            pass = unseen < n ? (size_t)unseen : n;
            http_passed(&h, pass);
            at += pass;
            continue;
        }
        peeked = malloc(n ? n : 1);
        must(peeked != NULL);
        if (n > 0)
            memcpy(peeked, data + at, n);
        out->verdict = http_look(&h, peeked, n, &pass);
        must(pass <= n && (pass > 0) == (out->verdict == HTTP_PASS));
        if (is_head && pass > 0 && !once)
            check_head(peeked, pass);
        free(peeked);
        at += pass;
        if (out->verdict == HTTP_PASS)
            continue;
        if (out->verdict != HTTP_NEED_MORE || have == size)
            break;
        have = size - have < step ? size : have + step;
    }
    out->passed = at;
    out->why = h.why;
    memcpy(out->other, h.other, sizeof(out->other));
    must((out->verdict == HTTP_REFUSED) == (h.why != HTTP_NOT_REFUSED));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome a, b;
    bool once;
    size_t cut;
    enum http_sniff early, late;

    if (size < 2)
        return 0;
    once = data[0] & 1;
    cut = 1 + data[1];
    data += 2;
    size -= 2;
    feed(data, size, size ? size : 1, once, false, &a);
    feed(data, size, cut, once, true, &b);
    must(a.verdict == b.verdict && a.why == b.why && a.passed == b.passed);
    must(strcmp(a.other, b.other) == 0);
    feed(data, size, 1, once, false, &b);
    must(a.verdict == b.verdict && a.why == b.why && a.passed == b.passed);
    late = http_sniff(data, size);
    early = http_sniff(data, cut < size ? cut : size);
    must(early == HTTP_SNIFF_MORE || early == late);
    return 0;
}
