/* fuzz_policy.c - an invented host and rules from the input: the placements
 * must be what the rules say, whatever their order. */
#include "../tests/lib/fs_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t left;
};

/* Choices are small numbers: a byte each; 0 when the input has ended. */
static uint32_t next(void *state)
{
    struct input *in = state;

    if (in->left == 0)
        return 0;
    in->left--;
    return *in->data++;
}

static int by_place(const void *x, const void *y)
{
    const struct place *a = x, *b = y;
    int c = (int)a->kind - (int)b->kind;

    if (c == 0)
        c = strcmp(a->target ? a->target : a->source,
                   b->target ? b->target : b->source);
    if (c == 0 && a->rest)
        c = strcmp(a->rest, b->rest);
    return c;
}

static void check_same(struct places *a, struct places *b)
{
    if (a->n != b->n)
        abort();
    if (a->n == 0)
        return;
    qsort(a->item, a->n, sizeof(*a->item), by_place);
    qsort(b->item, b->n, sizeof(*b->item), by_place);
    for (size_t i = 0; i < a->n; i++)
        if (by_place(&a->item[i], &b->item[i]) != 0 ||
            a->item[i].access != b->item[i].access ||
            a->item[i].own_space != b->item[i].own_space)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    struct m_random r = { next, &in };
    struct arena a = { .limit = 8 << 20 };
    struct places one, two;
    struct err e = { 0 };
    struct m_policy p, asked;
    struct m_host h;
    const char *bad;
    size_t n;

    m_invent_host(&h, &r);
    m_invent_rules(&h, &r, &a, &p);
    m_add_parts(&h, &a, &p);
    asked = p;
    n = p.n;
    if (fs_decide(&a, p.rule, &n, &one, &e) < 0)
        abort();
    bad = fs_view_check(&h, &asked, &one);
    if (bad) {
        (void)fprintf(stderr, "%s\n", bad);
        abort();
    }
    /* Backwards. */
    for (size_t i = 0; i < asked.n; i++)
        p.rule[i] = asked.rule[asked.n - 1 - i];
    n = asked.n;
    if (fs_decide(&a, p.rule, &n, &two, &e) < 0)
        abort();
    check_same(&one, &two);
    arena_drop(&a);
    return 0;
}
