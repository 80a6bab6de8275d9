/* names.c - see names.h.  Nothing here decides what is accepted. */
#include "contract/names.h"

#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/utf8.h"

const char *shown(char out[SHOWN_MAX], const char *text, size_t len)
{
    size_t used = 0;

    while (len > 0) {
        char piece[16];
        uint32_t cp = 0;
        size_t n = utf8_decode(text, len, &cp), m;

        if (n == 0 || utf8_is_hidden(cp))
            m = (size_t)snprintf(piece, sizeof(piece), "\\u{%x}",
                                 n ? cp : (unsigned char)*text);
        else
            memcpy(piece, text, m = n);
        n = n ? n : 1;
        if (used + m + (len > n ? 3 : 0) >= SHOWN_MAX) {
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        memcpy(out + used, piece, m);
        used += m;
        text += n;
        len -= n;
    }
    out[used] = '\0';
    return out;
}

static size_t list_name(char out[LISTED_MAX], size_t used, const char *name)
{
    int n = snprintf(out + used, LISTED_MAX - used, "%s'%s'", used ? ", " : "",
                     name);

    return n < 0 || (size_t)n >= LISTED_MAX - used ? used : used + (size_t)n;
}

const char *listed_fields(char out[LISTED_MAX], const struct field *f,
                          enum contract c)
{
    size_t used = 0;

    for (out[0] = '\0'; f->name; f++)
        if (f->in & IN(c))
            used = list_name(out, used, f->name);
    out[used] = '\0';
    return out;
}

const char *listed_choices(char out[LISTED_MAX], const struct choice *list,
                           enum contract c)
{
    size_t used = 0;

    for (out[0] = '\0'; list->name; list++)
        if (!list->in || list->in & IN(c))
            used = list_name(out, used, list->name);
    out[used] = '\0';
    return out;
}

/* Edits between two names, letter case ignored; 99 when it is not worth
 * counting. */
static unsigned distance(const char *a, size_t alen, const char *b)
{
    enum { LONGEST = 32 };
    unsigned row[LONGEST + 1];
    size_t blen = strlen(b);

    if (alen > LONGEST || blen > LONGEST)
        return 99;
    for (unsigned j = 0; j <= blen; j++)
        row[j] = j;
    for (unsigned i = 1; i <= alen; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= blen; j++) {
            bool differ = ascii_lower(a[i - 1]) != ascii_lower(b[j - 1]);
            unsigned best = diagonal + differ;

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[blen];
}

struct guess {
    const char *name;
    unsigned edits;
};

static void consider(struct guess *g, const char *candidate, const char *name,
                     size_t len)
{
    unsigned edits = distance(name, len, candidate);
    unsigned most = len < 5 ? 1 : 2;

    if (edits > most || edits >= g->edits)
        return;
    g->name = candidate;
    g->edits = edits;
}

const char *meant_field(const struct field *f, enum contract c,
                        const char *name, size_t len)
{
    struct guess g = { .edits = 99 };

    for (; f->name; f++)
        if (f->in & IN(c))
            consider(&g, f->name, name, len);
    return g.name;
}

const char *meant_choice(const struct choice *list, enum contract c,
                         const char *name, size_t len)
{
    struct guess g = { .edits = 99 };

    for (; list->name; list++)
        if (!list->in || list->in & IN(c))
            consider(&g, list->name, name, len);
    return g.name;
}
