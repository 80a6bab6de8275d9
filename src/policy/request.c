/* request.c - from what the JSON said to what is decided. */
#include <string.h>

#include "policy/policy.h"

void policy_need(struct policy *p, enum feature f, const char *where,
                 const char *what)
{
    for (size_t i = 0; i < p->nneeds; i++)
        if (p->need[i].feature == f)
            return;
    p->need[p->nneeds++] = (struct need){ f, where, what };
}

void policy_warn(struct policy *p, const char *text)
{
    if (p->nwarnings < ARRAY_LEN(p->warning))
        p->warning[p->nwarnings++] = text;
}

const char *feature_name(enum feature f)
{
    switch (f) {
    case FEAT_FILESYSTEM:
        return "filesystem";
    case FEAT_NET_DENY:
        return "networkDeny";
    case FEAT_NET_EGRESS:
        return "networkEgress";
    case FEAT_NET_INGRESS:
        return "networkIngress";
    case FEAT_NET_LOOPBACK:
        return "networkLoopback";
    case FEAT_NET_PROXY:
        return "networkProxy";
    case FEAT_UI_DENY:
        return "uiDeny";
    case FEAT_UI_ALLOW:
        return "uiAllow";
    case FEAT_LIMITS:
        return "limits";
    case FEAT_KEEP:
        return "keep";
    case FEAT_TIMEOUT:
        return "timeout";
    case FEAT_TTY:
        return "tty";
    case FEAT_NET_FORWARD:
        return "networkForward";
    case FEAT_NET_NAMES:
        return "networkNames";
    case FEAT_NET_FILTER_PROXY:
        return "networkFilterProxy";
    case FEAT_DENIALS:
        return "denials";
    case FEAT_COPIES:
        return "copies";
    case FEAT_VERIFY:
        return "verify";
    }
    return NULL;
}

void policy_ask_tier(struct policy *p, enum tier tier, const char *origin)
{
    if (tier <= p->tier)
        return;
    p->tier = tier;
    p->tier_origin = origin;
}

enum wall wall_find(const char *name)
{
#define X(bit, id, str, doc)                                                   \
    if (strcmp(name, str) == 0)                                                \
        return WALL_##id;
    WALLS(X)
#undef X
    return WALL_NONE;
}

int policy_add_path(struct policy *p, struct arena *a, enum access access,
                    const char *path, const char *origin, struct err *e)
{
    const char *clean;

    if (path[0] != '/') {
        err_set(e, ERR_POLICY_VALIDATION, "path '%s' is not absolute", path);
        err_hint(e, "write it from the root; '~' and relative names are not "
                    "expanded in a request");
        return err_where(e, "%s", origin);
    }
    if (strlen(path) > PATH_LONGEST) {
        err_set(e, ERR_POLICY_VALIDATION, "path is longer than 4095 bytes");
        return err_where(e, "%s", origin);
    }
    clean = path_clean(a, path);
    if (!clean)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
    if (p->nrules == p->rule_cap) {
        size_t cap = p->rule_cap ? p->rule_cap * 2 : 64;
        struct fs_rule *grown = arena_array(a, cap, sizeof(*grown));

        if (!grown)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
        if (p->nrules)
            memcpy(grown, p->rule, p->nrules * sizeof(*grown));
        p->rule = grown;
        p->rule_cap = cap;
    }
    p->rule[p->nrules++] =
        (struct fs_rule){ .path = clean, .access = access, .origin = origin };
    return 0;
}

static int add_list(struct policy *p, struct arena *a, enum access access,
                    const struct strings *list, const char *name, struct err *e)
{
    for (size_t i = 0; i < list->n; i++) {
        const char *origin = arena_printf(a, "filesystem.%s[%zu]", name, i);

        if (!origin)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory for paths");
        if (policy_add_path(p, a, access, list->item[i], origin, e) < 0)
            return -1;
    }
    return 0;
}

static int take_filesystem(struct policy *p, struct arena *a,
                           const struct request *r, struct err *e)
{
    if (add_list(p, a, ACCESS_WRITE, &r->filesystem.readwrite, "readwritePaths",
                 e) < 0 ||
        add_list(p, a, ACCESS_READ, &r->filesystem.readonly, "readonlyPaths",
                 e) < 0 ||
        add_list(p, a, ACCESS_DENY, &r->filesystem.denied, "deniedPaths", e) <
            0)
        return -1;
    p->hard_links = r->filesystem.hard_links;
    return 0;
}

static int take_env(struct policy *p, struct arena *a, const struct request *r,
                    struct err *e)
{
    const struct strings *env = &r->process.env;

    p->env_origin = env->present ? "process.env" : "contract default";
    if (!env->present || r->process.inherit_default_env) {
        const char *where = "contract default";

        if (policy_add_env(p, a, "PATH=" POLICY_DEFAULT_PATH, where, e) < 0 ||
            policy_add_env(p, a, "TERM=xterm-256color", where, e) < 0)
            return -1;
    }
    for (size_t i = 0; i < env->n; i++) {
        const char *where = arena_printf(a, "process.env[%zu]", i);

        if (!where)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory");
        if (policy_add_env(p, a, env->item[i], where, e) < 0)
            return -1;
    }
    return 0;
}

static int take_process(struct policy *p, struct arena *a,
                        const struct request *r, struct err *e)
{
    if (r->process.command_line) {
        p->arg = arena_array(a, 3, sizeof(*p->arg));
        if (!p->arg)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory");
        p->arg[0] = POLICY_SHELL;
        p->arg[1] = "-c";
        p->arg[2] = r->process.command_line;
        p->nargs = 3;
        p->arg_origin = "process.commandLine";
    }
    if (r->process.cwd && r->process.cwd[0] != '/') {
        err_set(e, ERR_POLICY_VALIDATION, "cwd '%s' is not absolute",
                r->process.cwd);
        return err_where(e, "process.cwd");
    }
    if (r->process.cwd) {
        if (strlen(r->process.cwd) > PATH_LONGEST ||
            path_has_dotdot(r->process.cwd)) {
            err_set(e, ERR_POLICY_VALIDATION,
                    "cwd must be at most 4095 bytes, without '..'");
            return err_where(e, "process.cwd");
        }
        p->cwd_origin = "process.cwd";
        p->cwd = path_clean(a, r->process.cwd);
        if (!p->cwd)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    }
    p->timeout_ms = r->process.timeout_ms;
    p->timeout_origin = "process.timeout";
    if (p->timeout_ms)
        policy_need(p, FEAT_TIMEOUT, "process.timeout", "a timeout");
    return take_env(p, a, r, e);
}

static void take_ui(struct policy *p, const struct request *r)
{
    policy_need(p, FEAT_UI_DENY, "ui", "no user interface");
    if (r->ui.enable)
        policy_need(p, FEAT_UI_ALLOW, "ui.disable", "a display");
    if (r->ui.clipboard != CLIP_NONE)
        policy_need(p, FEAT_UI_ALLOW, "ui.clipboard", "the clipboard");
    if (r->ui.injection)
        policy_need(p, FEAT_UI_ALLOW, "ui.injection", "input injection");
}

static void take_rest(struct policy *p, const struct request *r)
{
    p->label = r->container_id;
    p->keeps = r->lifecycle.keep_on_exit;
    p->keeps_network = r->lifecycle.preserve_policy;
    policy_ask_tier(p, r->tier, "guarantees.tier");
    p->layer = r->layer;
    p->layer_origin = "session.layer";
    if (r->lifecycle.keep_on_exit)
        policy_need(p, FEAT_KEEP, "lifecycle.destroyOnExit",
                    "a sandbox that outlives its run");
    if (r->lifecycle.preserve_policy)
        policy_need(p, FEAT_KEEP, "lifecycle.preservePolicy",
                    "a policy that outlives its run");
    if (r->telemetry)
        policy_warn(p, POLICY_NO_TELEMETRY);
}

/* MXC's record of refusals (request_wants_record). */
static int take_record(struct policy *p, struct arena *a,
                       const struct request *r, struct err *e)
{
    static const char where[] = "processContainer.captureDenials.outputPath";
    const char *path = r->process_container.capture_output_path;

    if (!request_wants_record(r))
        return 0;
    p->denials = p->net.is_told = true;
    p->record_origin = r->process_container.capture_present
                           ? "processContainer.captureDenials"
                           : "processContainer.learningMode";
    policy_need(p, FEAT_DENIALS, p->record_origin,
                "a report of what was refused");
    if (!path)
        return 0;
    p->capture = path[0] == '/' ? path_clean(a, path) : NULL;
    if (p->capture && p->capture[1] && !path_has_dotdot(p->capture))
        return 0;
    err_set(e, ERR_POLICY_VALIDATION, "'%.300s' is no file of this system",
            path);
    err_hint(e, "name it from /, without '..'");
    return err_where(e, "%s", where);
}

/* Both, or there is none to look for. */
static int take_image(struct policy *p, struct arena *a,
                      const struct request *r, struct err *e)
{
    if (!r->lxc.present || !r->lxc.distribution[0] || !r->lxc.release[0])
        return 0;
    p->image = arena_printf(a, "%s/%s", r->lxc.distribution, r->lxc.release);
    return p->image ? 0 : err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

int policy_no_lifecycle(struct err *e)
{
    err_set(e, ERR_MALFORMED_REQUEST,
            "expected a one-shot request, got a lifecycle request (it has a "
            "'phase')");
    return err_hint(e, "mxc provision and mxc exec take those of their phase");
}

int policy_from_process(struct arena *a, const struct request *r,
                        struct policy *out, struct err *e)
{
    *out = (struct policy){ 0 };
    return take_process(out, a, r, e);
}

int policy_from_request(struct arena *a, const struct request *r,
                        struct policy *out, struct err *e)
{
    /* A policy without a process (1.1.0+c1) is used with a command, which
     * gets what `mxc run` gives to a command without a policy. */
    struct policy p = { .containment = r->containment,
                        .private_home = !r->process.command_line };

    if (r->phase != PHASE_NONE && r->phase != PHASE_PROVISION)
        return policy_no_lifecycle(e);
    policy_need(&p, FEAT_FILESYSTEM, "filesystem", "filesystem rules");
    if (policy_from_network(&p, a, r, e) < 0)
        return -1;
    take_ui(&p, r);
    take_rest(&p, r);
    if (take_record(&p, a, r, e) < 0 || take_image(&p, a, r, e) < 0 ||
        policy_from_limits(&p, a, r, e) < 0)
        return -1;
    if (take_process(&p, a, r, e) < 0 || take_filesystem(&p, a, r, e) < 0)
        return -1;
    *out = p;
    return 0;
}

void policy_default(struct policy *out)
{
    *out = (struct policy){ .containment = CONTAIN_PROCESS,
                            .private_home = true,
                            .env_origin = "default" };
    policy_need(out, FEAT_FILESYSTEM, "filesystem", "filesystem rules");
    policy_need(out, FEAT_NET_DENY, "network", "no network");
    policy_need(out, FEAT_UI_DENY, "ui", "no user interface");
}

const char *policy_home(const struct policy *p)
{
    static const char *const places[] = { POLICY_HOME, "/tmp/home",
                                          "/run/home" };

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        bool is_covered = false;

        for (size_t r = 0; r < p->nrules && !is_covered; r++)
            is_covered = path_is_within(places[i], p->rule[r].path) ||
                         path_is_within(p->rule[r].path, places[i]);
        if (!is_covered)
            return places[i];
    }
    return "/";
}

const char *policy_cwd(const struct policy *p, const char *caller_cwd)
{
    if (p->cwd)
        return p->cwd;
    if (caller_cwd && fs_access(p->rule, p->nrules, caller_cwd) != ACCESS_DENY)
        return caller_cwd;
    return p->private_home ? policy_home(p) : "/";
}
