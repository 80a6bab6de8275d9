/* clauses.c - see clauses.h.
 *
 * Four texts for each place, each with its 0 behind it: paths may be of any
 * bytes.  The first is one letter. */
#include "api/clauses.h"

#include <string.h>

enum { BYTES_MOST = 32 << 20, TEXTS = 4 };

static const char letters[] = {
    [PLACE_GRANT] = 'g',
    [PLACE_MASK] = 'm',
    [PLACE_HOLLOW] = 'h',
    [PLACE_ABSENT] = 'a',
};

static char letter_of(const struct place *p)
{
    return (size_t)p->kind < sizeof(letters) ? letters[p->kind] : '\0';
}

static void put(struct buf *out, const char *text)
{
    buf_add(out, text, strlen(text) + 1);
}

int clauses_print(const struct places *p, struct buf *out, struct err *e)
{
    out->max = BYTES_MOST;
    for (size_t i = 0; i < p->n; i++) {
        const struct place *at = &p->item[i];
        const char kind[] = { letter_of(at), '\0' };

        if (!kind[0] || !at->target || !at->origin)
            continue;
        put(out, kind);
        put(out, at->target);
        put(out, at->rest ? at->rest : "");
        put(out, at->origin);
    }
    return out->failed ? err_set(e, ERR_BACKEND_ERROR, "out of memory") : 0;
}

static bool take_kind(const char *text, struct place *out)
{
    for (size_t i = 0; i < sizeof(letters); i++)
        if (letters[i] && text[0] == letters[i] && !text[1]) {
            out->kind = (enum place_kind)i;
            return true;
        }
    return false;
}

/* The texts of one place, of which the last ends with the file or before. */
static const char *take(const char *at, const char *end, struct place *out)
{
    const char *text[TEXTS];

    for (size_t i = 0; i < TEXTS; i++) {
        const char *zero = memchr(at, '\0', (size_t)(end - at));

        if (!zero)
            return NULL;
        text[i] = at;
        at = zero + 1;
    }
    *out =
        (struct place){ .target = text[1], .rest = text[2], .origin = text[3] };
    return take_kind(text[0], out) ? at : NULL;
}

static size_t count_zeros(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += text[i] == '\0';
    return n;
}

int clauses_of(struct arena *a, const struct session_dir *d,
               const struct places **out, struct err *e)
{
    struct places *p = arena_alloc(a, sizeof(*p));
    const char *text = NULL, *at;
    size_t len = 0;

    *out = NULL;
    if (!p)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (session_read(d, a, SESSION_CLAUSES, BYTES_MOST, &text, &len, e) < 0)
        return -1;
    if (!text)
        return 0;
    *p = (struct places){ .cap = count_zeros(text, len) / TEXTS };
    p->item = arena_array(a, p->cap + 1, sizeof(*p->item));
    if (!p->item)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    for (at = text; at && p->n < p->cap; p->n++)
        at = take(at, text + len, &p->item[p->n]);
    if (at != text + len)
        return err_set(e, ERR_STALE_ID,
                       "the session's '" SESSION_CLAUSES
                       "' cannot be understood");
    *out = p;
    return 0;
}
