/* diff.c - two texts as a unified diff, by their longest common subsequence
 * between the lines that both begin and end with. */
#include <stdlib.h>
#include <string.h>

#include "base/scoped.h"
#include "learn/learn.h"

enum { CONTEXT = 3, CELLS_MOST = 16 << 20 };

struct diff_side {
    const char **line; /* each ends at its '\n' or at the end of the text */
    size_t n;
};

/* What is done with a line, in the order of the output. */
struct diff_edit {
    char sign; /* ' ', '-', '+' */
    const char *line;
};

struct diff {
    struct diff_side old, new;
    struct diff_edit *edit;
    size_t n;
};

static size_t length(const char *line)
{
    return strcspn(line, "\n");
}

static bool same(const char *a, const char *b)
{
    return length(a) == length(b) && memcmp(a, b, length(a)) == 0;
}

static bool split(const char *text, struct diff_side *s)
{
    size_t n = 1;

    for (const char *at = text; *at; at++)
        n += *at == '\n';
    s->line = calloc(n, sizeof(*s->line));
    if (!s->line)
        return false;
    while (*text) {
        s->line[s->n++] = text;
        text += length(text);
        text += *text == '\n';
    }
    return true;
}

static void put(struct diff *d, char sign, const char *line)
{
    d->edit[d->n++] = (struct diff_edit){ sign, line };
}

/* Lengths of the common subsequences of the tails. */
static uint32_t *lengths(const struct diff *d, size_t from, size_t nold,
                         size_t nnew)
{
    const size_t width = nnew + 1;
    uint32_t *t;

    if ((nold + 1) > CELLS_MOST / width)
        return NULL;
    t = calloc((nold + 1) * width, sizeof(*t));
    for (size_t i = nold; t && i-- > 0;)
        for (size_t k = nnew; k-- > 0;) {
            const uint32_t down = t[(i + 1) * width + k],
                           right = t[i * width + k + 1];

            if (same(d->old.line[from + i], d->new.line[from + k]))
                t[i * width + k] = t[(i + 1) * width + k + 1] + 1;
            else
                t[i * width + k] = down > right ? down : right;
        }
    return t;
}

/* The part in which they differ; without room for the table, all of it. */
static void put_middle(struct diff *d, size_t from, size_t nold, size_t nnew)
{
    uint32_t *t = lengths(d, from, nold, nnew);
    const size_t width = nnew + 1;
    size_t i = 0, k = 0;

    while (i < nold || k < nnew) {
        const char *a = i < nold ? d->old.line[from + i] : NULL,
                   *b = k < nnew ? d->new.line[from + k] : NULL;

        if (a && b && t && same(a, b)) {
            put(d, ' ', a);
            i++;
            k++;
        } else if (a && (!b || !t ||
                         t[(i + 1) * width + k] >= t[i * width + k + 1])) {
            put(d, '-', a);
            i++;
        } else {
            put(d, '+', b);
            k++;
        }
    }
    free(t);
}

static void compare(struct diff *d)
{
    const size_t nold = d->old.n, nnew = d->new.n;
    size_t head = 0, tail = 0;

    while (head < nold && head < nnew &&
           same(d->old.line[head], d->new.line[head]))
        put(d, ' ', d->old.line[head++]);
    while (tail < nold - head && tail < nnew - head &&
           same(d->old.line[nold - 1 - tail], d->new.line[nnew - 1 - tail]))
        tail++;
    put_middle(d, head, nold - head - tail, nnew - head - tail);
    for (size_t i = nold - tail; i < nold; i++)
        put(d, ' ', d->old.line[i]);
}

static void put_line(struct buf *out, const struct diff_edit *e)
{
    scoped(buf_drop) struct buf line = { .max = out->max };

    buf_add(&line, e->line, length(e->line));
    buf_putc(out, e->sign);
    if (line.len)
        buf_shown(out, line.data);
    out->failed = out->failed || line.failed;
    buf_putc(out, '\n');
}

/* The end of a hunk that begins at `from`: behind the context of its last
 * change. */
static size_t hunk_end(const struct diff *d, size_t from)
{
    size_t quiet = 0, at = from;

    for (; at < d->n && quiet <= 2 * CONTEXT; at++)
        quiet = d->edit[at].sign == ' ' ? quiet + 1 : 0;
    return quiet > CONTEXT ? at - (quiet - CONTEXT) : at;
}

static void put_hunks(const struct diff *d, struct buf *out)
{
    size_t old_line = 1, new_line = 1, at = 0;

    while (at < d->n) {
        size_t first = at, from, to, nold = 0, nnew = 0;

        while (first < d->n && d->edit[first].sign == ' ')
            first++;
        if (first == d->n)
            return;
        from = first - at > CONTEXT ? first - CONTEXT : at;
        old_line += from - at;
        new_line += from - at;
        to = hunk_end(d, first);
        for (size_t i = from; i < to; i++) {
            nold += d->edit[i].sign != '+';
            nnew += d->edit[i].sign != '-';
        }
        buf_printf(out, "@@ -%zu,%zu +%zu,%zu @@\n", nold ? old_line : 0, nold,
                   nnew ? new_line : 0, nnew);
        for (size_t i = from; i < to; i++)
            put_line(out, &d->edit[i]);
        old_line += nold;
        new_line += nnew;
        at = to;
    }
}

void learn_diff(const char *old_name, const char *old_text,
                const char *new_name, const char *new_text, struct buf *out)
{
    struct diff d = { 0 };

    if (strcmp(old_text, new_text) == 0)
        return;
    if (split(old_text, &d.old) && split(new_text, &d.new))
        d.edit = calloc(d.old.n + d.new.n + 1, sizeof(*d.edit));
    if (d.edit) {
        compare(&d);
        buf_puts(out, "--- ");
        buf_shown(out, old_name);
        buf_puts(out, "\n+++ ");
        buf_shown(out, new_name);
        buf_putc(out, '\n');
        put_hunks(&d, out);
    } else {
        out->failed = true;
    }
    free(d.old.line);
    free(d.new.line);
    free(d.edit);
}
