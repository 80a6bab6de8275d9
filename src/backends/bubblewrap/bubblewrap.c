/* bubblewrap.c - the native plan, its namespaces and mounts made by bwrap(1).
 *
 * bwrap is told what to mount; mxc-launch, as its pid 1, looks whether that
 * stands there, and does the rest: what is denied, the network, the limits,
 * Landlock and the filter.  It gives up every capability before the workload
 * runs.  Pure. */
#include <stdio.h>
#include <string.h>

#include "backends/backend.h"
#include "base/compat.h"

/* bwrap counts what it reads by descriptor too, and takes no more. */
enum { MAX_ARGS = 9000 };

/* What the launcher needs in the namespaces until its walls stand; the last
 * where a mask must map root to nobody (user_namespaces(7)). */
static const char *const caps[] = {
    "CAP_SYS_ADMIN", "CAP_NET_ADMIN",        "CAP_SYS_RESOURCE", "CAP_SETPCAP",
    "CAP_NET_RAW",   "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",
};

struct args {
    struct plan *plan;
    struct arena *a;
    size_t n;
};

static int put(struct args *g, uint32_t flags, const char *text, struct err *e)
{
    if (!text)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for the plan");
    if (++g->n > MAX_ARGS) {
        err_set(e, ERR_POLICY_VALIDATION,
                "the policy needs more than the %d arguments that bubblewrap "
                "takes",
                MAX_ARGS);
        return err_hint(e, "grant directories instead of single files, or use "
                           "the backend 'native', which has no such limit");
    }
    return plan_add(
        g->plan, g->a,
        (struct step){ .kind = STEP_RUNTIME_ARG, .flags = flags, .text = text },
        e);
}

/* By descriptor: what a policy names is not to be seen in the host's list of
 * processes. */
static int put_all(struct args *g, const char *const *text, struct err *e)
{
    for (; *text; text++)
        if (put(g, STEP_BY_FD, *text, e) < 0)
            return -1;
    return 0;
}

static int put_dir(struct args *g, const struct step *s, struct err *e)
{
    const char *mode =
        arena_printf(g->a, "%04llo", (unsigned long long)s->num[0]);
    const char *const all[] = { "--perms", mode, "--dir", s->path, NULL };

    return mode ? put_all(g, all, e) : put(g, 0, NULL, e);
}

static int put_mount(struct args *g, const struct step *s, struct err *e)
{
    const char *option = "--bind";

    if (s->kind == STEP_DEVICE)
        option = s->flags & STEP_OPTIONAL ? "--dev-bind-try" : "--dev-bind";
    else if (s->flags & STEP_READONLY)
        option = "--ro-bind";
    return put_all(g, (const char *const[]){ option, s->text, s->path, NULL },
                   e);
}

static int put_step(struct args *g, const struct step *s, struct err *e)
{
    switch ((int)s->kind) {
    case STEP_DIR:
        return put_dir(g, s, e);
    case STEP_BIND:
    case STEP_DEVICE:
        return put_mount(g, s, e);
    case STEP_HOLLOW:
        return put_all(g,
                       (const char *const[]){ "--perms", "0700", "--tmpfs",
                                              s->path, NULL },
                       e);
    case STEP_PROC:
        return put_all(g, (const char *const[]){ "--proc", s->path, NULL }, e);
    default:
        return 0; /* the launcher's business */
    }
}

static int put_namespaces(struct args *g, const struct host *h, struct err *e)
{
    const char *uid = arena_printf(g->a, "%u", h->uid);
    const char *gid = arena_printf(g->a, "%u", h->gid);
    const char *const all[] = { "--unshare-user",
                                "--unshare-pid",
                                "--unshare-ipc",
                                "--unshare-uts",
                                "--unshare-net",
                                "--unshare-cgroup",
                                "--as-pid-1",
                                "--uid",
                                uid,
                                "--gid",
                                gid,
                                "--die-with-parent",
                                "--cap-drop",
                                "ALL",
                                NULL };

    if (!uid || !gid)
        return put(g, 0, NULL, e);
    if (put_all(g, all, e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(caps); i++)
        if (put_all(g, (const char *const[]){ "--cap-add", caps[i], NULL }, e) <
            0)
            return -1;
    return 0;
}

static int add_runtime(struct args *g, const struct host *h, struct err *e)
{
    const size_t nsteps = g->plan->nsteps;

    if (plan_add(g->plan, g->a,
                 (struct step){ .kind = STEP_RUNTIME, .path = h->bwrap },
                 e) < 0 ||
        put(g, 0, "--args", e) < 0 || put(g, 0, RUNTIME_ARGS, e) < 0 ||
        put(g, 0, RUNTIME_LAUNCHER, e) < 0 || put_namespaces(g, h, e) < 0)
        return -1;
    for (size_t i = 0; i < nsteps; i++) {
        /* The array may move while steps are added. */
        const struct step s = g->plan->step[i];

        if (put_step(g, &s, e) < 0)
            return -1;
    }
    return 0;
}

static int bubblewrap_plan(const struct policy *p, const struct host *h,
                           const struct places *fs, const char *cwd,
                           struct arena *a, struct plan *out, struct err *e)
{
    struct plan plan = { 0 };
    struct args g = { .plan = &plan, .a = a };

    if (backend_native.plan(p, h, fs, cwd, a, &plan, e) < 0 ||
        add_runtime(&g, h, e) < 0)
        return -1;
    *out = plan;
    return 0;
}

static int bubblewrap_probe(const struct host *h, const struct policy *p,
                            struct err *e)
{
    if (!h->bwrap) {
        err_set(e, ERR_BACKEND_UNAVAILABLE,
                "bubblewrap is not installed (looked for bwrap in /usr/bin, "
                "/usr/local/bin and /bin)");
        return err_hint(e, "install the package 'bubblewrap', 0.5 or later");
    }
    if (h->bwrap_is_setuid) {
        err_set(e, ERR_BACKEND_UNAVAILABLE,
                "'%s' is setuid, and gives no capability to whom it starts",
                h->bwrap);
        return err_hint(e, "chmod u-s '%s', and let user namespaces be made",
                        h->bwrap);
    }
    return backend_native.probe(h, p, e);
}

static const struct receipt_row *bubblewrap_receipt(const struct policy *p,
                                                    const struct host *h,
                                                    const struct places *fs,
                                                    struct arena *a)
{
    const struct receipt_row *native = backend_native.receipt(p, h, fs, a);
    struct receipt_row *rows;
    size_t n = 0;

    while (native && native[n].clause)
        n++;
    rows = native ? arena_array(a, n + 2, sizeof(*rows)) : NULL;
    if (!rows)
        return NULL;
    rows[0] = (struct receipt_row){
        .clause = "namespaces and mounts",
        .by = arena_printf(a,
                           "made by %s; each mount of the policy is looked at "
                           "before the start",
                           h->bwrap),
        .state = "enforced",
    };
    memcpy(rows + 1, native, (n + 1) * sizeof(*rows));
    return rows[0].by ? rows : NULL;
}

const struct backend backend_bubblewrap = {
    .name = "bubblewrap",
    .summary = "bwrap makes namespaces and mounts; Landlock, seccomp and the "
               "gateway as in native",
    .tier = TIER_PROCESS,
    .features = FEAT_LAUNCHED | FEAT_TTY | FEAT_DENIALS | FEAT_VERIFY,
    .limits = LIMITS_AROUND | LIMITS_INSIDE | LIMITS_SCRATCH | LIMITS_WRITTEN,
    .probe = bubblewrap_probe,
    .plan = bubblewrap_plan,
    .receipt = bubblewrap_receipt,
};
