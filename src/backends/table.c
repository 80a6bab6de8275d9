/* table.c - which backends there are, and what they may be asked for. */
#include "backends/backend.h"

const struct backend *const backends[] = { &backend_native, NULL };

int backend_find(enum containment c, const struct backend **out, struct err *e)
{
    if (c == CONTAIN_PROCESS || c == CONTAIN_NATIVE) {
        *out = &backend_native;
        return 0;
    }
    err_set(e, ERR_UNSUPPORTED_CONTAINMENT,
            "containment '%s' is not available in this build",
            containment_name(c));
    err_hint(e, "use 'process' (this host's native backend); another "
                "backend is never put in its place silently");
    return err_where(e, "containment");
}

int backend_check(const struct backend *b, const struct policy *p,
                  struct err *e)
{
    for (size_t i = 0; i < p->nneeds; i++) {
        const struct need *n = &p->need[i];

        if (b->features & n->feature)
            continue;
        err_set(e, ERR_POLICY_VALIDATION, "backend '%s' cannot enforce %s (%s)",
                b->name, n->what, n->where);
        err_hint(e, "remove the clause, or choose a backend that has it; "
                    "nothing was run");
        return err_where(e, "%s", n->where);
    }
    return 0;
}
