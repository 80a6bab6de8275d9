/* gvisor.c - the plan of the gvisor backend.  Pure.
 *
 * The native plan, with a kernel in user space between it and the workload:
 * the same code decides the view, the host's mounts hold it, and runsc runs in
 * the place of the workload, inside of namespaces that have nothing but the
 * view and the gateway's network.  So gVisor is a wall more around what can
 * be reached, and two less: its own mounts exclude Landlock, and the filter on
 * the host is runsc's. */
#include <string.h>
#include <sys/resource.h>

#include "backends/gvisor/build.h"
#include "base/utf8.h"
#include "sys/seccomp_filter.h"

/* One of runsc, one of its sentry; a third is what masks are owned by. */
#define USER_NAMESPACES "3"

enum { FILES_MAX = 65536 };

/* Of the host's tasks a process of the workload costs about six. */
#define TASKS_MAX  4096ull
#define TASKS_TEXT "4096"

static int cannot(struct err *e, const char *origin)
{
    if (origin)
        err_where(e, "%s", origin);
    return err_hint(e, "containment 'native' can; nothing was run");
}

/* Where gVisor has a file system of its own, whatever the view has. */
static const char *own_space(const char *target)
{
    static const char *const own[] = { "/proc", "/dev", "/sys" };

    for (size_t i = 0; target && i < ARRAY_LEN(own); i++)
        if (path_is_within(target, own[i]))
            return own[i];
    return NULL;
}

static int check_place(const struct place *p, struct err *e)
{
    const char *own = p->base ? NULL : own_space(p->target);

    if (p->kind == PLACE_ABSENT) {
        err_set(e, ERR_POLICY_VALIDATION,
                "backend 'gvisor' cannot deny '%s/%s', which does not exist "
                "yet",
                p->target, p->rest);
        return cannot(e, p->origin);
    }
    if (own) {
        err_set(e, ERR_POLICY_VALIDATION,
                "backend 'gvisor' has a %s of its own: it cannot enforce '%s'",
                own, p->target);
        return cannot(e, p->origin);
    }
    /* It would put a /tmp of its own over a denied one (config.c). */
    if (p->kind == PLACE_MASK && strcmp(p->target, "/tmp") == 0) {
        err_set(e, ERR_POLICY_VALIDATION,
                "backend 'gvisor' cannot deny all of '/tmp'");
        return cannot(e, p->origin);
    }
    return 0;
}

static int check_places(const struct places *fs, struct err *e)
{
    for (size_t i = 0; i < fs->n; i++)
        if (check_place(&fs->item[i], e) < 0)
            return -1;
    return 0;
}

/* Rules for every protocol say no more than before; a rule for echo requests
 * alone would say nothing. */
static int check_icmp(const struct net_policy *n, struct err *e)
{
    for (size_t i = 0; i < n->nsources; i++) {
        const struct net_rule *r = n->source[i].rule;

        for (size_t k = 0; k < r->nports; k++) {
            if (r->ports[k].protocol != PROTO_ICMP)
                continue;
            err_set(e, ERR_POLICY_VALIDATION,
                    "backend 'gvisor' has no ICMP for rules to decide");
            return cannot(e, NULL);
        }
    }
    return 0;
}

/* JSON has no other text, and a replacement character would be another
 * argument. */
static int check_text(const char *const *item, size_t n, const char *what,
                      const char *origin, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (utf8_is_valid(item[i], strlen(item[i])))
            continue;
        err_set(e, ERR_POLICY_VALIDATION,
                "backend 'gvisor' takes text alone, and %s %zu is not UTF-8",
                what, i);
        return cannot(e, origin);
    }
    return 0;
}

static int check(const struct policy *p, const struct places *fs,
                 const char *cwd, struct err *e)
{
    if (check_places(fs, e) < 0 || check_icmp(&p->net, e) < 0 ||
        check_text(p->arg, p->nargs, "argument", p->arg_origin, e) < 0 ||
        check_text(p->env, p->nenv, "variable", p->env_origin, e) < 0)
        return -1;
    return check_text(&cwd, 1, "directory", p->cwd_origin, e);
}

static int use_filter(struct step *s, struct arena *a, struct err *e)
{
    const struct seccomp_options o = { .sentry = true };
    struct sock_filter *f = arena_array(a, SECCOMP_FILTER_MAX, sizeof(*f));
    size_t n;

    if (!f)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for the filter");
    if (seccomp_filter_build(&o, f, &n, e) < 0)
        return -1;
    s->text = (const char *)f;
    s->text_len = n * sizeof(*f);
    return 0;
}

/* The caller's name, for the number that the caller has inside. */
static const char *own_passwd(const struct policy *p, const struct host *h,
                              struct arena *a)
{
    return arena_printf(
        a, "%s:x:0:0::%s:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
        h->uid == 0 ? "root" : POLICY_USER,
        p->private_home ? policy_home(p) : "/");
}

static int replace(struct step *s, const char *text, struct err *e)
{
    if (!text)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for the plan");
    s->text = text;
    s->text_len = strlen(text);
    return 0;
}

static bool is_at(const struct step *s, enum step_kind kind, const char *path)
{
    return s->kind == kind && strcmp(s->path, path) == 0;
}

static int adapt_step(struct step *s, const struct policy *p,
                      const struct host *h, struct arena *a, struct err *e)
{
    if (s->kind == STEP_FILTER)
        return use_filter(s, a, e);
    if (is_at(s, STEP_SYSCTL, "/proc/sys/user/max_user_namespaces"))
        return replace(s, USER_NAMESPACES, e);
    if (is_at(s, STEP_SYSCTL, "/proc/sys/kernel/pid_max"))
        return replace(s, TASKS_TEXT, e);
    if (s->kind == STEP_RLIMIT && s->num[0] == RLIMIT_NPROC)
        s->num[1] = h->nproc_hard < TASKS_MAX ? h->nproc_hard : TASKS_MAX;
    /* The workload's is in its configuration; runsc itself has more open. */
    if (s->kind == STEP_RLIMIT && s->num[0] == RLIMIT_NOFILE)
        s->num[1] = h->nofile_hard < FILES_MAX ? h->nofile_hard : FILES_MAX;
    if (is_at(s, STEP_FILE, "/etc/passwd"))
        return replace(s, own_passwd(p, h, a), e);
    if (is_at(s, STEP_FILE, "/etc/group"))
        return replace(s,
                       arena_printf(a, "%s:x:0:\nnogroup:x:65534:\n",
                                    h->uid == 0 ? "root" : POLICY_USER),
                       e);
    return 0;
}

static int add_runsc(struct plan *plan, const struct policy *p,
                     const struct host *h, const char *cwd, struct arena *a,
                     struct err *e)
{
    const uint64_t wanted = limit_or(&p->limits, LIMIT_FILES, FILES_MAX);
    uint64_t files = h->nofile_hard < wanted ? h->nofile_hard : wanted;
    struct step s = { .kind = STEP_RUNSC,
                      .num = { h->runsc_dev, h->runsc_ino },
                      .path = h->runsc,
                      .text = gvisor_config(p, h, cwd, files, a) };

    if (!s.text)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "too many arguments and variables for 'gvisor'");
    return plan_add(plan, a, s, e);
}

static int gvisor_plan(const struct policy *p, const struct host *h,
                       const struct places *fs, const char *cwd,
                       struct arena *a, struct plan *out, struct err *e)
{
    struct host around = *h;
    struct plan plan;

    if (check(p, fs, cwd, e) < 0)
        return -1;
    /* A process under Landlock cannot mount (landlock(7)), and runsc must. */
    around.landlock_abi = 0;
    if (backend_native.plan(p, &around, fs, cwd, a, &plan, e) < 0)
        return -1;
    for (size_t i = 0; i < plan.nsteps; i++)
        if (adapt_step(&plan.step[i], p, h, a, e) < 0)
            return -1;
    /* No socket of the host is reached through gVisor, granted path or not. */
    plan.flags &= ~(uint32_t)PLAN_BROKER_UNIX;
    if (add_runsc(&plan, p, h, cwd, a, e) < 0)
        return -1;
    *out = plan;
    return 0;
}

static int gvisor_probe(const struct host *h, const struct policy *p,
                        struct err *e)
{
    struct policy without = *p;

    if (!h->runsc) {
        err_set(e, ERR_BACKEND_UNAVAILABLE,
                "gVisor's runsc is not installed (looked in /usr/bin and "
                "/usr/local/bin)");
        return err_hint(e, "apt install runsc, or choose another backend; "
                           "nothing was run");
    }
    /* The rest as native, whose namespaces stand around it. */
    without.accept_missing |= WALL_LANDLOCK;
    return backend_native.probe(h, &without, e);
}

const struct backend backend_gvisor = {
    .name = "gvisor",
    .summary = "gVisor: a kernel in user space between workload and host; "
               "needs runsc",
    .tier = TIER_KERNEL,
    .features = FEAT_LAUNCHED,
    .limits = LIMITS_AROUND | LIMIT_BIT(LIMIT_FILES) | LIMITS_WRITTEN,
    .probe = gvisor_probe,
    .plan = gvisor_plan,
    .receipt = gvisor_receipt,
};
