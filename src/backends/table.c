/* table.c - which backends there are, and what they may be asked for. */
#include "backends/backend.h"

#include <stdio.h>
#include <string.h>

const struct backend *const backends[] = { &backend_native, &backend_bubblewrap,
                                           &backend_gvisor, &backend_lxc,
                                           NULL };

const struct backend *backend_row(const struct backend *const *table,
                                  enum containment c)
{
    const char *name =
        containment_name(c == CONTAIN_PROCESS ? CONTAIN_NATIVE : c);

    for (; *table; table++)
        if (strcmp((*table)->name, name) == 0)
            return *table;
    return NULL;
}

static const struct backend *next_of_tier(const struct backend *const **at,
                                          enum tier least)
{
    while (**at) {
        const struct backend *b = *(*at)++;

        if (b->tier >= least)
            return b;
    }
    return NULL;
}

static int not_in_build(enum containment c, struct err *e)
{
    err_set(e, ERR_UNSUPPORTED_CONTAINMENT,
            "containment '%s' is not available in this build",
            containment_name(c));
    err_hint(e, "use 'process' (this host's native backend); another "
                "backend is never put in its place silently");
    return err_where(e, "containment");
}

static int no_such_tier(const struct policy *p, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "no backend of this build is of tier '%s' or stronger",
            tier_name(p->tier));
    err_hint(e, "ask for a weaker tier, if that will do; nothing was run");
    return err_where(e, "%s", p->tier_origin);
}

static int too_weak(const struct backend *const *table, const struct backend *b,
                    const struct policy *p, struct err *e)
{
    const struct backend *other = next_of_tier(&table, p->tier);

    err_set(e, ERR_POLICY_VALIDATION,
            "backend '%s' is of tier '%s', which is weaker than '%s'", b->name,
            tier_name(b->tier), tier_name(p->tier));
    if (other)
        err_hint(e, "containment '%s' is of tier '%s'", other->name,
                 tier_name(other->tier));
    else
        err_hint(e,
                 "this build has no backend of tier '%s' or stronger; ask "
                 "for a weaker one, if that will do",
                 tier_name(p->tier));
    return err_where(e, "%s", p->tier_origin);
}

/* The hint is the first candidate's own, as it is the one to be preferred. */
static int choose_usable(const struct backend *const *table,
                         const struct policy *p, const struct host *h,
                         const struct backend **out, struct err *e)
{
    struct err refusal = { 0 };
    char why[sizeof(e->msg)] = "";
    const struct backend *b;
    size_t n = 0;

    while ((b = next_of_tier(&table, p->tier))) {
        struct err now = { 0 };

        if (b->probe(h, p, &now) == 0) {
            *out = b;
            return 0;
        }
        if (n < sizeof(why))
            n += (size_t)snprintf(why + n, sizeof(why) - n, "%s%s: %s",
                                  n ? "; " : "", b->name, now.msg);
        if (!refusal.code)
            refusal = now;
    }
    if (!refusal.code)
        return no_such_tier(p, e);
    err_set(e, ERR_BACKEND_UNAVAILABLE,
            "no backend of tier '%s' or stronger is usable here: %s",
            tier_name(p->tier), why);
    err_hint(e, "%s", refusal.hint);
    return err_where(e, "%s", p->tier_origin);
}

int backend_choose(const struct backend *const *table, const struct policy *p,
                   const struct host *h, const struct backend **out,
                   struct err *e)
{
    const struct backend *b;

    if (p->containment == CONTAIN_PROCESS && p->tier != TIER_ANY)
        return choose_usable(table, p, h, out, e);
    b = backend_row(table, p->containment);
    if (!b)
        return not_in_build(p->containment, e);
    if (b->tier < p->tier)
        return too_weak(table, b, p, e);
    *out = b;
    return 0;
}

int backend_find(const struct policy *p, const struct host *h,
                 const struct backend **out, struct err *e)
{
    return backend_choose(backends, p, h, out, e);
}

/* What to say instead, where there is something better than nothing. */
static const char *remedy(enum feature f)
{
    if (f == FEAT_NET_LOOPBACK)
        return "which ports? contract 1.1.0+c1 names them: "
               "network.ingress.ports and network.ingress.hostServices";
    if (f == FEAT_NET_INGRESS)
        return "publish single ports on the host's loopback instead: "
               "network.ingress.ports of contract 1.1.0+c1, or --publish";
    return "remove the clause, or choose a backend that has it; nothing was "
           "run";
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
        err_hint(e, "%s", remedy(n->feature));
        return err_where(e, "%s", n->where);
    }
    return 0;
}
