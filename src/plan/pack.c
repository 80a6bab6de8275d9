/* pack.c - the packed form: header, fixed-size records, one string pool.
 *
 * Native byte order and sizes: the two ends are programs of one build on one
 * machine, and the version number is that of this layout. */
#include "plan/pack.h"

#include <string.h>

struct pool {
    unsigned char *data;
    size_t used;
};

static uint32_t put(struct pool *p, const char *s, size_t len)
{
    uint32_t at = (uint32_t)p->used;

    if (len)
        memcpy(p->data + p->used, s, len);
    p->data[p->used + len] = '\0';
    p->used += len + 1;
    return at;
}

static size_t pool_size(const struct plan *p)
{
    size_t n = strlen(p->receipt ? p->receipt : "") + 1;

    for (size_t i = 0; i < p->nsteps; i++) {
        const struct step *s = &p->step[i];

        n += s->path ? strlen(s->path) + 1 : 0;
        n += s->text ? s->text_len + 1 : 0;
    }
    return n;
}

static void pack_step(const struct step *s, struct pool *pool,
                      struct packed_step *out)
{
    out->kind = s->kind;
    out->flags = s->flags;
    out->num[0] = s->num[0];
    out->num[1] = s->num[1];
    out->path = s->path ? put(pool, s->path, strlen(s->path)) : PACKED_NONE;
    out->text = s->text ? put(pool, s->text, s->text_len) : PACKED_NONE;
    out->text_len = s->text ? (uint32_t)s->text_len : 0;
}

int plan_pack(const struct plan *p, struct arena *a, void **bytes, size_t *len,
              struct err *e)
{
    size_t head =
        sizeof(struct packed_plan) + p->nsteps * sizeof(struct packed_step);
    size_t total = head + pool_size(p);
    struct packed_plan *out;
    struct packed_step *steps;
    struct pool pool;

    if (total > PLAN_MAX_BYTES)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "the plan would take %zu bytes, the limit is %u", total,
                       PLAN_MAX_BYTES);
    out = arena_alloc(a, total);
    if (!out)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for the plan");
    steps = (struct packed_step *)(out + 1);
    pool = (struct pool){ .data = (unsigned char *)out + head };
    memcpy(out->magic, PACKED_MAGIC, sizeof(out->magic));
    out->version = PACKED_VERSION;
    out->nsteps = (uint32_t)p->nsteps;
    out->total = (uint32_t)total;
    out->flags = p->flags;
    out->landlock_abi = p->landlock_abi;
    out->uid = p->uid;
    out->gid = p->gid;
    out->timeout_ms = p->timeout_ms;
    out->receipt = put(&pool, p->receipt ? p->receipt : "",
                       strlen(p->receipt ? p->receipt : ""));
    for (size_t i = 0; i < p->nsteps; i++)
        pack_step(&p->step[i], &pool, &steps[i]);
    *bytes = out;
    *len = total;
    return 0;
}
