/* provision.c - see provision.h. */
#include "api/provision.h"

#include <string.h>

/* A session runs what comes later. */
static int check_command(const struct policy *p, struct err *e)
{
    if (!p->arg_origin)
        return 0;
    err_set(e, ERR_MALFORMED_REQUEST,
            "a session is provisioned without a command");
    err_hint(e, "leave it out here; mxc exec ID -- COMMAND runs it, as often "
                "as you like");
    return err_where(e, "%s", p->arg_origin);
}

static int check_backend(const struct prepared *p, struct err *e)
{
    if (p->backend == &backend_native)
        return 0;
    err_set(e, ERR_UNSUPPORTED_PHASE, "backend '%s' keeps no sessions",
            p->backend->name);
    err_hint(e, "use 'native', or run single commands: mxc run");
    return err_where(e, "containment");
}

/* What stands for a command while there is none. */
static void make_session(struct plan *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->nsteps; i++)
        if (p->step[i].kind != STEP_ARG)
            p->step[n++] = p->step[i];
    p->nsteps = n;
    p->flags |= PLAN_SESSION;
}

int provision_check(struct arena *a, const char *text, size_t len,
                    const struct run_flags *f, struct prepared *out,
                    struct err *e)
{
    struct run_flags flags = *f;

    flags.is_session = true;
    if (prepare(a, text, len, &flags, true, out, e) < 0 ||
        check_command(&out->policy, e) < 0 || check_backend(out, e) < 0)
        return -1;
    make_session(&out->plan);
    return 0;
}

/* As with a timeout, the shorter of two counts. */
static uint64_t shorter(uint64_t a, uint64_t b)
{
    return a && (!b || a < b) ? a : b;
}

int provision(struct arena *a, const char *text, size_t len,
              const struct run_flags *f, struct session_facts *facts,
              struct prepared *out, char id[SESSION_ID_MAX], struct err *e)
{
    scoped(drop_fd) int root = -1;
    struct session_dir d;
    struct plan_view v;
    void *bytes;
    size_t size;

    /* The root first: the policy keeps it from the sandbox. */
    if (session_root(f->runtime, true, &root, e) < 0 ||
        provision_check(a, text, len, f, out, e) < 0 ||
        plan_pack(&out->plan, a, &bytes, &size, e) < 0 ||
        plan_check(bytes, size, &v, e) < 0)
        return -1;
    facts->created_ms = session_wall_ms();
    facts->idle_ms = shorter(facts->idle_ms, out->idle_ms);
    facts->age_ms = shorter(facts->age_ms, out->age_ms);
    if (session_dir_new(f->runtime, facts, bytes, size, text, len, &d, e) < 0)
        return -1;
    session_id_print(d.hex, id);
    session_dir_close(&d);
    return 0;
}
