/* provision.c - see provision.h. */
#include "api/provision.h"
#include "api/clauses.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Names it, too. */
static int check_backend(const struct prepared *p, const char *hex,
                         char name[SESSION_NAME_MAX], struct err *e)
{
    if (session_name(p->backend->name, hex, name) < 0) {
        err_set(e, ERR_UNSUPPORTED_PHASE, "backend '%s' keeps no sessions",
                p->backend->name);
        err_hint(e, "use 'native', 'bubblewrap' or 'lxc', or run single "
                    "commands: mxc run");
        return err_where(e, "containment");
    }
    if (p->policy.layer && p->backend != &backend_native) {
        err_set(e, ERR_POLICY_VALIDATION,
                "backend '%s' keeps nothing of a session that has stopped",
                p->backend->name);
        err_hint(e, "use 'native', or leave the layer out");
        return err_where(e, "%s", p->policy.layer_origin);
    }
    return 0;
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

/* By its canonical name, which is followed without symlinks. */
static const char *place_of(struct arena *a, const char *runtime,
                            const char *hex, struct err *e)
{
    char path[PATH_MAX], real[PATH_MAX];
    const char *out = NULL;

    if (session_root_path(runtime, path, sizeof(path), e) < 0)
        return NULL;
    /* Where nothing is kept, it need not be there. */
    out = arena_printf(a, "%s/%s", realpath(path, real) ? real : path, hex);
    if (!out)
        (void)err_set(e, ERR_BACKEND_ERROR, "out of memory");
    return out;
}

static int plan_session(struct arena *a, const char *text, size_t len,
                        const struct run_flags *f, char name[SESSION_NAME_MAX],
                        struct prepared *out, struct err *e)
{
    struct run_flags flags = *f;
    char hex[SESSION_HEX + 1];

    if (session_new_hex(hex, e) < 0)
        return -1;
    /* Where a native one will be; the others have nothing there. */
    flags.session_place = place_of(a, f->runtime, hex, e);
    if (!flags.session_place ||
        prepare(a, text, len, &flags, true, out, e) < 0 ||
        (!f->drops_command && check_command(&out->policy, e) < 0) ||
        check_backend(out, hex, name, e) < 0)
        return -1;
    make_session(&out->plan);
    return 0;
}

/* As with a timeout, the shorter of two counts. */
static uint64_t shorter(uint64_t a, uint64_t b)
{
    return a && (!b || a < b) ? a : b;
}

int provision_check(struct arena *a, const char *text, size_t len,
                    const struct run_flags *f, struct prepared *out,
                    struct err *e)
{
    char name[SESSION_NAME_MAX];

    return plan_session(a, text, len, f, name, out, e);
}

int provision(struct arena *a, const char *text, size_t len,
              const struct run_flags *f, struct session_facts *facts,
              struct prepared *out, char id[SESSION_ID_MAX], struct err *e)
{
    scoped(drop_fd) int root = -1;
    scoped(buf_drop) struct buf clauses = { 0 };
    struct session_dir d;
    struct plan_view v;
    void *bytes;
    size_t size;
    int r;

    /* The root first: the policy keeps it from the sandbox. */
    if (session_root(f->runtime, true, &root, e) < 0 ||
        plan_session(a, text, len, f, facts->name, out, e) < 0 ||
        plan_pack(&out->plan, a, &bytes, &size, e) < 0 ||
        plan_check(bytes, size, &v, e) < 0 ||
        clauses_print(&out->places, &clauses, e) < 0)
        return -1;
    facts->created_ms = session_wall_ms();
    facts->idle_ms = shorter(facts->idle_ms, out->idle_ms);
    facts->age_ms = shorter(facts->age_ms, out->age_ms);
    if (out->policy.layer)
        (void)snprintf(facts->layer, sizeof(facts->layer), "%s",
                       layer_name(out->policy.layer));
    facts->clauses = &clauses;
    r = session_dir_new(f->runtime, facts, bytes, size, text, len, &d, e);
    facts->clauses = NULL;
    if (r < 0)
        return -1;
    session_id_print(d.name, id);
    session_dir_close(&d);
    return 0;
}

void provision_undo(const char *id, const char *runtime)
{
    struct session_dir d = SESSION_DIR_NONE;
    struct err ignored;

    if (session_dir_open(runtime, id, true, &d, &ignored) < 0)
        return;
    (void)session_dir_remove(&d, &ignored);
    session_dir_close(&d);
}
