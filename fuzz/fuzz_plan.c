/* fuzz_plan.c - any bytes as a packed plan: refused with words, or every step
 * is in bounds and packing what was read gives a plan that reads the same.
 *
 * The header's fixed parts are put in place, so that what is tried are the
 * records and the strings. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "plan/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static bool is_inside(const struct plan_view *v, const char *s, size_t len)
{
    const char *start = (const char *)v->bytes, *end = start + v->len;

    return s >= start && s < end && len < (size_t)(end - s) && s[len] == '\0';
}

/* Plans of the other kinds: what is checked can be read. */
static void read_other(const void *bytes, size_t size)
{
    int (*const checks[])(const void *, size_t, struct plan_view *,
                          struct err *) = { plan_check_exec, plan_check_claim };

    for (size_t k = 0; k < ARRAY_LEN(checks); k++) {
        struct plan_view v = { .len = 77 };
        struct err e = { 0 };

        if (checks[k](bytes, size, &v, &e) < 0) {
            must(v.len == 77 && e.code == ERR_BACKEND_ERROR);
            continue;
        }
        for (size_t i = 0; i < v.head.nsteps; i++) {
            struct step s = plan_step(&v, i);

            must(!s.path || is_inside(&v, s.path, strlen(s.path)));
            must(!s.text || is_inside(&v, s.text, s.text_len));
        }
    }
}

static void check_same(const struct plan_view *v, const struct plan_view *w)
{
    must(v->head.nsteps == w->head.nsteps);
    must(v->head.flags == w->head.flags);
    must(strcmp(v->head.receipt, w->head.receipt) == 0);
    for (size_t i = 0; i < v->head.nsteps; i++) {
        struct step s = plan_step(v, i), t = plan_step(w, i);

        must(s.kind == t.kind && s.flags == t.flags);
        must(s.num[0] == t.num[0] && s.num[1] == t.num[1]);
        must(s.text_len == t.text_len && !s.path == !t.path);
        must(!s.path || strcmp(s.path, t.path) == 0);
        must(!s.text || memcmp(s.text, t.text, s.text_len) == 0);
    }
}

static void read_back(const struct plan_view *v)
{
    struct arena a = { .limit = 64 << 20 };
    struct buf text = { .max = 1 << 20 };
    struct plan p = v->head;
    struct plan_view again;
    struct err e = { 0 };
    void *bytes;
    size_t len;

    p.nsteps = 0;
    for (size_t i = 0; i < v->head.nsteps; i++) {
        struct step s = plan_step(v, i);

        must(s.kind > STEP_NONE && s.kind < STEP_END);
        must(!s.path || is_inside(v, s.path, strlen(s.path)));
        must(!s.text || is_inside(v, s.text, s.text_len));
        must(plan_add(&p, &a, s, &e) == 0);
    }
    plan_print(&p, &text);
    /* One string may stand for many in the input, not in what we pack. */
    if (plan_pack(&p, &a, &bytes, &len, &e) == 0) {
        must(plan_check(bytes, len, &again, &e) == 0);
        check_same(v, &again);
    }
    buf_drop(&text);
    arena_drop(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plan_view v = { .len = 77 };
    struct packed_plan *h;
    struct err e = { 0 };

    if (size < sizeof(*h) || size > 1 << 16)
        return 0;
    h = malloc(size);
    must(h != NULL);
    memcpy(h, data, size);
    memcpy(h->magic, PACKED_MAGIC, sizeof(h->magic));
    h->version = PACKED_VERSION;
    h->total = (uint32_t)size;
    if (plan_check(h, size, &v, &e) < 0) {
        must(v.len == 77);
        must(e.code == ERR_BACKEND_ERROR);
        must(strncmp(e.msg, "plan refused: ", 14) == 0);
    } else {
        must(e.code == ERR_NONE);
        read_back(&v);
    }
    read_other(h, size);
    free(h);
    return 0;
}
