/* test_fs_model.c - the filesystem decision against a plain reading of it, on
 * invented hosts with symlinks and bind mounts (attacks.md I2). */
#include "t.h"

#include "fs_view.h"

enum { HOSTS = 10000 };

static uint32_t xorshift(void *state)
{
    uint64_t *s = state;

    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return (uint32_t)(*s >> 16);
}

static const char *const accesses[] = { "deny", "ro", "rw" };
static const char *const kinds[] = { "grant", "mask",   "hollow",
                                     "pin",   "absent", "watch" };

static int by_text(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

/* The placements as sorted text, without the places in the request. */
static char *render(struct arena *a, const struct places *ps)
{
    char **line = arena_array(a, ps->n + 1, sizeof(*line));
    char *text = arena_strdup(a, "");

    for (size_t i = 0; i < ps->n; i++) {
        const struct place *p = &ps->item[i];

        line[i] = arena_printf(
            a, "#   %s %s %s <- %s %s%s %llu\n", kinds[p->kind],
            accesses[p->access], p->target ? p->target : "-",
            p->source ? p->source : "-", p->rest ? p->rest : "",
            p->own_space ? " own" : "", (unsigned long long)p->ino);
    }
    qsort(line, ps->n, sizeof(*line), by_text);
    for (size_t i = 0; i < ps->n; i++)
        if (i == 0 || strcmp(line[i], line[i - 1]) != 0)
            text = arena_printf(a, "%s%s", text, line[i]);
    return text;
}

static void show(struct arena *a, const struct m_host *h,
                 const struct m_policy *p, const struct places *ps)
{
    char name[M_PATH];

    for (int i = 1; i < h->n; i++) {
        m_name(h, i, name);
        printf("# node %d %s%s%s\n", i, name,
               h->node[i].kind == M_FILE ? " (file)" : "",
               h->node[i].kind == M_LINK ? " ->" : "");
        if (h->node[i].kind == M_LINK)
            printf("#     %s\n", h->node[i].to);
    }
    for (int i = 0; i < h->nbinds; i++)
        printf("# bind node %d at %s\n", h->bind[i].node, h->bind[i].point);
    for (size_t i = 0; i < p->n; i++)
        printf("# rule %s %s%s (%s)\n", accesses[p->rule[i].access],
               p->rule[i].path, i >= p->asked ? " derived" : "",
               p->rule[i].at.real);
    printf("%s", render(a, ps));
}

static void shuffle(struct m_policy *p, struct m_random *r)
{
    for (size_t i = p->n; i > 1; i--) {
        size_t k = (size_t)m_pick(r, (int)i);
        struct fs_rule t = p->rule[k];

        p->rule[k] = p->rule[i - 1];
        p->rule[i - 1] = t;
    }
}

static int decide(struct arena *a, const struct m_policy *asked,
                  struct places *out, struct err *e)
{
    struct m_policy p = *asked;
    size_t n = p.n;

    return fs_decide(a, p.rule, &n, out, e);
}

static void one_host(uint64_t seed)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15ull + 1;
    struct m_random r = { xorshift, &state };
    struct arena a = { .limit = 8 << 20 };
    struct places ps = { 0 }, again = { 0 };
    struct m_policy p, other;
    struct err e = { 0 };
    struct m_host h;
    const char *bad;
    char note[40];

    for (int i = 0; i < 8; i++)
        (void)xorshift(&state);
    (void)snprintf(note, sizeof(note), "host %llu", (unsigned long long)seed);
    NOTE(note);
    m_invent_host(&h, &r);
    m_invent_rules(&h, &r, &a, &p);
    m_add_parts(&h, &a, &p);
    CHECK_INT(decide(&a, &p, &ps, &e), 0);
    bad = fs_view_check(&h, &p, &ps);
    if (bad) {
        show(&a, &h, &p, &ps);
        T_FAIL("%s", bad);
    }
    other = p;
    shuffle(&other, &r);
    CHECK_INT(decide(&a, &other, &again, &e), 0);
    CHECK_STR(render(&a, &again), render(&a, &ps));
    arena_drop(&a);
}

TEST(view_is_what_the_rules_say)
{
    const char *first = getenv("MXC_FIRST_HOST");
    const char *count = getenv("MXC_HOSTS");
    uint64_t at = first ? strtoull(first, NULL, 10) : 1;
    uint64_t end = at + (count ? strtoull(count, NULL, 10) : HOSTS);

    for (uint64_t i = at; i < end; i++)
        one_host(i);
}

T_MAIN()
