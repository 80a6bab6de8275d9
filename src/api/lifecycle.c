/* lifecycle.c - see lifecycle.h. */
#include "api/lifecycle.h"

#include <string.h>

#include "api/provision.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

int lifecycle_parse(struct arena *a, const char *text, size_t len,
                    enum phase phase, struct request **out, struct err *e)
{
    struct request *r = NULL;

    if (!text)
        return err_set(e, ERR_MALFORMED_REQUEST, "no request");
    if (request_parse(a, text, len, &r, e) < 0)
        return -1;
    if (r->phase == PHASE_NONE)
        return err_set(e, ERR_MALFORMED_REQUEST,
                       "expected a lifecycle request, with a 'phase'");
    if (phase == PHASE_EXEC && r->phase != phase)
        return err_set(e, ERR_MALFORMED_REQUEST, "expected the phase 'exec'");
    *out = r;
    return 0;
}

/* --- a command -------------------------------------------------------------
 */

/* What `process.env` names, without the contract's defaults: those are the
 * session's. */
static int take_env(struct arena *a, const struct request *r,
                    const struct policy *p, struct session_command *out,
                    struct err *e)
{
    static const char from[] = "process.env[";
    const char **env = arena_array(a, p->nenv + 1, sizeof(*env));

    if (!env)
        return no_memory(e);
    for (size_t i = 0; i < p->nenv; i++)
        if (strncmp(p->env_from[i], from, strlen(from)) == 0)
            env[out->nenv++] = p->env[i];
    out->env = env;
    out->only_env = r->process.env.present && !r->process.inherit_default_env;
    return 0;
}

static int refuse(struct err *e, const char *where, const char *what,
                  const char *hint)
{
    err_set(e, ERR_POLICY_VALIDATION, "%s", what);
    err_hint(e, "%s", hint);
    return err_where(e, "%s", where);
}

static int take_network(const struct request *r, struct session_command *out,
                        struct err *e)
{
    static const char hint[] = "provision a session with that policy";

    if (r->network_proxy || r->filtering_proxy)
        return refuse(e,
                      r->network_proxy ? "runtimeConfig.networkProxy"
                                       : "runtimeConfig.filteringProxy",
                      "the proxy of a session is the one that it was "
                      "provisioned with",
                      hint);
    if (!r->network.present)
        return 0;
    if (r->network.legacy.present || r->network.egress_default != NET_DENY ||
        r->network.egress_allow.n || r->network.egress_deny.n ||
        r->network.ingress_default != NET_DENY ||
        r->network.host_loopback != NET_DENY || r->network.npublish ||
        r->network.nservices)
        return refuse(e, "network",
                      "a command has its session's network, or none: the only "
                      "'network' that it can ask for denies everything",
                      hint);
    out->no_network = true;
    return 0;
}

static int add_paths(struct arena *a, const struct strings *list,
                     const char *name, enum narrow_access access,
                     struct narrow_path *path, struct session_command *out,
                     struct err *e)
{
    for (size_t i = 0; i < list->n; i++) {
        const char *given = list->item[i];
        const char *clean = given[0] == '/' ? path_clean(a, given) : NULL;

        if (!clean || path_has_dotdot(clean)) {
            err_set(e, ERR_POLICY_VALIDATION,
                    "'%.200s' is not absolute, too long, or with '..'", given);
            return err_where(e, "filesystem.%s[%zu]", name, i);
        }
        path[out->npaths++] = (struct narrow_path){ access, clean };
    }
    return 0;
}

static int take_filesystem(struct arena *a, const struct request *r,
                           struct session_command *out, struct err *e)
{
    const struct strings *rw = &r->filesystem.readwrite;
    const struct strings *ro = &r->filesystem.readonly;
    const struct strings *no = &r->filesystem.denied;
    struct narrow_path *path =
        arena_array(a, rw->n + ro->n + no->n + 1, sizeof(*path));

    if (!path)
        return no_memory(e);
    if (r->filesystem.hard_links != LINKS_UNCHECKED)
        return refuse(e, "filesystem.hardLinks",
                      "hard links are looked for when a session is provisioned",
                      "say so there");
    out->path = path;
    if (add_paths(a, rw, "readwritePaths", NARROW_WRITE, path, out, e) < 0 ||
        add_paths(a, ro, "readonlyPaths", NARROW_READ, path, out, e) < 0)
        return -1;
    return add_paths(a, no, "deniedPaths", NARROW_DENY, path, out, e);
}

int lifecycle_command(struct arena *a, const struct request *r,
                      struct session_command *out, struct err *e)
{
    struct policy *p = arena_alloc(a, sizeof(*p));

    if (!p)
        return no_memory(e);
    *out = (struct session_command){ 0 };
    if (policy_from_process(a, r, p, e) < 0 || take_env(a, r, p, out, e) < 0 ||
        take_network(r, out, e) < 0)
        return -1;
    out->arg = p->arg;
    out->nargs = p->nargs;
    out->cwd = p->cwd;
    out->timeout_ms = p->timeout_ms;
    if (!out->nargs)
        return err_set(e, ERR_MALFORMED_REQUEST, "no command to run");
    return take_filesystem(a, r, out, e);
}

/* --- looking ---------------------------------------------------------------
 */

static int check_command(struct arena *a, const struct request *r,
                         const struct session_dir *d, struct err *e)
{
    scoped(session_plan_drop) struct plan_view plan = { 0 };
    struct session_command c;
    void *bytes;
    size_t len;

    if (lifecycle_command(a, r, &c, e) < 0 || session_plan(d, &plan, e) < 0)
        return -1;
    return session_command_plan(a, &plan, &c, &bytes, &len, e);
}

int lifecycle_check(struct arena *a, const char *text, size_t len,
                    const struct request *r, const struct run_flags *f,
                    struct prepared *out, struct err *e)
{
    struct session_dir d = SESSION_DIR_NONE;
    int n;

    if (r->phase == PHASE_PROVISION)
        return provision_check(a, text, len, f, out, e);
    if (session_dir_open(f->runtime, r->sandbox_id, false, &d, e) < 0)
        return -1;
    n = r->phase == PHASE_EXEC ? check_command(a, r, &d, e) : 0;
    session_dir_close(&d);
    return n;
}
