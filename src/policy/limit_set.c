/* limit_set.c - see limit_set.h. */
#include "policy/limit_set.h"

#include <string.h>

#include "policy/policy.h"

uint64_t limit_or(const struct policy_limits *l, enum limit which,
                  uint64_t usual)
{
    return l->set & LIMIT_BIT(which) ? l->value[which] : usual;
}

bool limit_is_held(const struct policy_limits *l, enum limit which,
                   enum limit_holder by)
{
    return l->set & LIMIT_BIT(which) && l->holder[which] == by;
}

void policy_limit(struct policy *p, enum limit which, uint64_t value,
                  bool is_advisory, const char *origin)
{
    struct policy_limits *l = &p->limits;
    const uint32_t bit = LIMIT_BIT(which);

    policy_need(p, FEAT_LIMITS, origin, "limits");
    /* What one of the two insists on is held. */
    if (!(l->set & bit))
        l->advisory |= is_advisory ? bit : 0;
    else if (!is_advisory)
        l->advisory &= ~bit;
    if (!(l->set & bit) || value < l->value[which]) {
        l->value[which] = value;
        l->origin[which] = origin;
    }
    l->set |= bit;
}

static bool is_advisory(const struct request *r, enum limit which)
{
    const struct strings *names = &r->limits.advisory;

    for (size_t i = 0; i < names->n; i++)
        if (limit_find(names->item[i], strlen(names->item[i])) == which)
            return true;
    return false;
}

/* None at all is a limit of swap, and what its name alone stands for where
 * memory is limited. */
static bool is_said(const struct request *r, enum limit which, uint64_t value)
{
    return value || (which == LIMIT_SWAP &&
                     (r->limits.swap_present || is_advisory(r, which)));
}

/* A name that nothing goes by would look like a permission that counts. */
static int check_advisory(const struct policy *p, const struct request *r,
                          struct err *e)
{
    const struct strings *names = &r->limits.advisory;

    for (size_t i = 0; i < names->n; i++) {
        const enum limit l = limit_find(names->item[i], strlen(names->item[i]));

        if (l < LIMIT_COUNT && p->limits.set & LIMIT_BIT(l))
            continue;
        err_set(e, ERR_POLICY_VALIDATION,
                "'%s' is advisory, and the request does not set it",
                names->item[i]);
        err_hint(e, "set limits.%s, or leave the name out", names->item[i]);
        return err_where(e, "limits.advisory[%zu]", i);
    }
    return 0;
}

int policy_from_limits(struct policy *p, struct arena *a,
                       const struct request *r, struct err *e)
{
    const struct limits *l = &r->limits;
    const uint64_t value[LIMIT_COUNT] = {
        [LIMIT_MEMORY] = l->memory_bytes,
        [LIMIT_SWAP] = l->swap_bytes,
        [LIMIT_PIDS] = l->pids,
        [LIMIT_CPU_SHARE] = l->cpu_percent,
        [LIMIT_CPU_TIME] = l->cpu_time_ms,
        [LIMIT_SILENCE] = l->idle_output_ms,
        [LIMIT_FILES] = l->open_files,
        [LIMIT_FILE_SIZE] = l->file_size_bytes,
        [LIMIT_SCRATCH] = l->scratch_bytes,
        [LIMIT_SCRATCH_FILES] = l->scratch_inodes,
        [LIMIT_WRITTEN] = l->written_bytes,
        [LIMIT_WRITTEN_FILES] = l->written_inodes,
        [LIMIT_OUTPUT] = l->output_bytes,
        [LIMIT_CONNECTIONS] = l->connections,
        [LIMIT_NETWORK] = l->network_bytes,
    };

    for (int i = 0; i < LIMIT_COUNT; i++) {
        const enum limit which = (enum limit)i;
        const char *origin;

        if (!is_said(r, which, value[i]))
            continue;
        origin = arena_printf(a, "limits.%s", limit_rows[i].name);
        if (!origin)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory");
        policy_limit(p, which, value[i], is_advisory(r, which), origin);
    }
    return check_advisory(p, r, e);
}

/* With less the sandbox itself would not come up, and say so in words that are
 * about something else. */
static int check_least(const struct policy_limits *l, struct err *e)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        const struct limit_row *row = &limit_rows[i];
        struct buf least = { .max = 64 };

        if (!(l->set & LIMIT_BIT(i)) || l->value[i] >= row->least)
            continue;
        limit_print((enum limit)i, row->least, &least);
        err_set(e, ERR_POLICY_VALIDATION,
                "limit '%s' is less than a sandbox needs for itself: %s",
                row->name, least.failed ? "?" : least.data);
        err_hint(e, "raise it to that or more");
        buf_drop(&least);
        return err_where(e, "%s", l->origin[i]);
    }
    return 0;
}

int policy_check_limits(struct policy *p, struct err *e)
{
    const struct policy_limits *l = &p->limits;
    const bool has_memory = l->set & LIMIT_BIT(LIMIT_MEMORY);

    if (check_least(l, e) < 0)
        return -1;

    if (l->set & LIMIT_BIT(LIMIT_SWAP) && !has_memory) {
        err_set(e, ERR_POLICY_VALIDATION,
                "swap is limited, and memory is not: there would be no end of "
                "what it may use");
        err_hint(e, "limit memory as well (limits.memoryBytes, --limit "
                    "memory=SIZE)");
        return err_where(e, "%s", l->origin[LIMIT_SWAP]);
    }
    if (has_memory && !(l->set & LIMIT_BIT(LIMIT_SWAP)))
        policy_limit(p, LIMIT_SWAP, 0, l->advisory & LIMIT_BIT(LIMIT_MEMORY),
                     l->origin[LIMIT_MEMORY]);
    return 0;
}
