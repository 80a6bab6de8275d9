/* resolv.c - see resolv.h.
 *
 * search and domain are left out on purpose: a name is looked up as the
 * policy allowed it, never with something appended. */
#include "gateway/resolv.h"

#include <string.h>

#include "base/ascii.h"
#include "contract/cidr.h"

/* A piece of the text; not NUL-terminated. */
struct piece {
    const char *p;
    size_t n;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Cut the next line off, without its end. */
static bool next_line(struct piece *text, struct piece *line)
{
    const char *end;

    if (text->n == 0)
        return false;
    end = memchr(text->p, '\n', text->n);
    line->p = text->p;
    line->n = end ? (size_t)(end - text->p) : text->n;
    text->p += line->n + (end ? 1 : 0);
    text->n -= line->n + (end ? 1 : 0);
    return true;
}

static bool next_word(struct piece *line, struct piece *word)
{
    while (line->n > 0 && is_space(*line->p)) {
        line->p++;
        line->n--;
    }
    word->p = line->p;
    word->n = 0;
    while (word->n < line->n && !is_space(word->p[word->n]))
        word->n++;
    line->p += word->n;
    line->n -= word->n;
    return word->n > 0;
}

static bool is_word(const struct piece *w, const char *text)
{
    return w->n == strlen(text) && memcmp(w->p, text, w->n) == 0;
}

static bool read_address(const struct piece *w, struct net_addr *out)
{
    char text[CIDR_TEXT_MAX];
    struct cidr c;

    if (w->n >= sizeof(text) || memchr(w->p, '\0', w->n))
        return false;
    memcpy(text, w->p, w->n);
    text[w->n] = '\0';
    if (cidr_parse_address(text, &c) < 0)
        return false;
    memset(out, 0, sizeof(*out));
    if (c.family == 4) {
        out->b[10] = out->b[11] = 0xff;
        memcpy(out->b + 12, c.addr, 4);
    } else {
        memcpy(out->b, c.addr, 16);
    }
    return true;
}

/* "timeout:5": the number of an option of this name, at most `max`, or 0. */
static unsigned option_number(const struct piece *w, const char *name,
                              unsigned max)
{
    size_t len = strlen(name);
    unsigned v = 0;

    if (w->n <= len || memcmp(w->p, name, len) != 0)
        return 0;
    for (size_t i = len; i < w->n; i++) {
        if (!ascii_is_digit(w->p[i]))
            return 0;
        v = v * 10 + (unsigned)(w->p[i] - '0');
        if (v > max)
            v = max;
    }
    return v;
}

static void read_options(struct piece line, struct resolv_conf *out)
{
    struct piece w;

    while (next_word(&line, &w)) {
        unsigned timeout = option_number(&w, "timeout:", 30);
        unsigned attempts = option_number(&w, "attempts:", 5);

        if (timeout > 0)
            out->timeout_s = timeout;
        if (attempts > 0)
            out->attempts = attempts;
        if (is_word(&w, "rotate"))
            out->rotate = true;
        if (is_word(&w, "use-vc"))
            out->use_vc = true;
    }
}

void resolv_parse(const char *text, size_t len, struct resolv_conf *out)
{
    struct piece rest = { text, len }, line, w;

    memset(out, 0, sizeof(*out));
    out->timeout_s = 5;
    out->attempts = 2;
    while (next_line(&rest, &line)) {
        /* The keyword stands at the start of the line, resolv.conf(5). */
        if (line.n == 0 || is_space(*line.p) || !next_word(&line, &w))
            continue;
        if (is_word(&w, "options"))
            read_options(line, out);
        else if (is_word(&w, "nameserver") && out->nservers < RESOLV_SERVERS &&
                 next_word(&line, &w) &&
                 read_address(&w, &out->server[out->nservers]))
            out->nservers++;
    }
}

static bool is_host(const struct piece *w, const char *name, size_t len)
{
    if (w->n != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (ascii_lower(w->p[i]) != ascii_lower(name[i]))
            return false;
    return true;
}

/* Does the rest of a line, without its comment, name the host? */
static bool names_host(struct piece line, const char *name, size_t len)
{
    struct piece w;

    while (next_word(&line, &w))
        if (is_host(&w, name, len))
            return true;
    return false;
}

size_t resolv_hosts(const char *text, size_t len, const char *name,
                    struct net_addr out[RESOLV_ADDRS])
{
    struct piece rest = { text, len }, line, w;
    size_t n = 0, name_len = strnlen(name, NET_NAME_MAX + 1);

    while (n < RESOLV_ADDRS && next_line(&rest, &line)) {
        const char *comment = memchr(line.p, '#', line.n);
        size_t i = 0;

        if (comment)
            line.n = (size_t)(comment - line.p);
        if (!next_word(&line, &w) || !names_host(line, name, name_len) ||
            !read_address(&w, &out[n]))
            continue;
        while (memcmp(&out[i], &out[n], sizeof(out[i])) != 0)
            i++;
        /* A second time the same address is not kept. */
        if (i == n)
            n++;
    }
    return n;
}
