/* claim.c - see claim.h. */
#include "api/claim.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/limit.h"
#include "sys/seccomp_filter.h"

enum { RULES_MAX = 8 << 20 };

static const char *const access_names[] = {
    [ACCESS_DENY] = "deny", [ACCESS_READ] = "ro", [ACCESS_WRITE] = "rw"
};

static int out_of_memory(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

/* --- a pool ----------------------------------------------------------------
 */

static int check_pool(const struct prepared *p, struct err *e)
{
    if (p->policy.arg_origin) {
        err_set(e, ERR_MALFORMED_REQUEST, "a pool is made without a command");
        err_hint(e, "leave it out here; mxc pool run NAME -- COMMAND runs it");
        return err_where(e, "%s", p->policy.arg_origin);
    }
    if (p->policy.record_origin)
        return prepare_no_record(&p->policy, "a pool", e);
    if (p->backend != &backend_native) {
        err_set(e, ERR_UNSUPPORTED_PHASE, "backend '%s' keeps no pools",
                p->backend->name);
        err_hint(e, "use 'native', or run single commands: mxc run");
        return err_where(e, "containment");
    }
    if (p->policy.limits.set) {
        err_set(e, ERR_POLICY_VALIDATION,
                "a pool's sandboxes have the usual limits");
        err_hint(e, "lower them for single commands (mxc pool run NAME "
                    "--limit ...), or use mxc run");
        return err_where(e, "limits");
    }
    if (p->policy.net.npublish) {
        err_set(e, ERR_POLICY_VALIDATION,
                "a port of this host cannot be that of several sandboxes");
        err_hint(e, "run single commands where ports are published: mxc run");
        return err_where(e, "%s", p->policy.publish_from[0]);
    }
    return 0;
}

/* What was asked for, not what came of it: a claim's decision is a new one. */
static const char *print_rules(struct arena *a, const struct policy *p)
{
    struct buf b = { .max = RULES_MAX };
    bool is_first = true;
    const char *text;

    buf_printf(&b,
               "{\"version\":%d,\"hardLinks\":%d,\"privateHome\":%d,"
               "\"acceptMissing\":%u,\"hasCwd\":%d,\"rules\":[",
               POOL_VERSION, p->hard_links, p->private_home, p->accept_missing,
               p->cwd != NULL);
    for (size_t i = 0; i < p->nrules; i++) {
        const struct fs_rule *r = &p->rule[i];

        if (r->base || r->derived)
            continue;
        buf_puts(&b, is_first ? "[" : ",[");
        buf_json(&b, access_names[r->access]);
        buf_putc(&b, ',');
        buf_json(&b, r->path);
        buf_putc(&b, ',');
        buf_json(&b, r->origin);
        buf_putc(&b, ']');
        is_first = false;
    }
    buf_puts(&b, "]}\n");
    text = b.failed ? NULL : arena_strdup(a, b.data);
    buf_drop(&b);
    return text;
}

int claim_make_pool(struct arena *a, const char *text, size_t len,
                    const struct run_flags *f, struct pool_start *s,
                    struct prepared *out, struct err *e)
{
    scoped(drop_fd) int root = -1;
    struct plan_view v;
    void *bytes;
    size_t n = 0;

    /* The root first: the policy keeps it from the sandboxes. */
    if (session_root(f->runtime, true, &root, e) < 0 ||
        prepare(a, text, len, f, true, out, e) < 0 || check_pool(out, e) < 0)
        return -1;
    for (size_t i = 0; i < out->plan.nsteps; i++)
        if (out->plan.step[i].kind != STEP_ARG)
            out->plan.step[n++] = out->plan.step[i];
    out->plan.nsteps = n;
    out->plan.flags |= PLAN_WARM;
    if (plan_pack(&out->plan, a, &bytes, &s->plan_len, e) < 0 ||
        plan_check(bytes, s->plan_len, &v, e) < 0 ||
        pool_mounts(&v, s->facts.mounts, e) < 0)
        return -1;
    s->plan = bytes;
    s->rules = print_rules(a, &out->policy);
    s->facts.created_ms = session_wall_ms();
    return s->rules ? 0 : out_of_memory(e);
}

/* --- its policy again ------------------------------------------------------
 */

static bool text_of(struct arena *a, const struct json *v, const char **out)
{
    if (!v || v->type != JSON_STRING)
        return false;
    *out = arena_strndup(a, v->text, v->len);
    return *out != NULL;
}

static int broken(struct err *e)
{
    err_set(e, ERR_STALE_ID, "the pool's 'rules' cannot be understood");
    return err_hint(e, "another version of mxc may have made it: stop it and "
                       "start it anew");
}

static int take_rule(struct arena *a, const struct json *rule, struct policy *p,
                     struct err *e)
{
    const struct json *item = rule->type == JSON_ARRAY ? rule->first : NULL;
    const char *path, *origin;

    for (int access = ACCESS_DENY; access <= ACCESS_WRITE; access++) {
        if (!item || !json_is(item, access_names[access]))
            continue;
        if (!text_of(a, item->next, &path) ||
            !text_of(a, item->next->next, &origin))
            break;
        return policy_add_path(p, a, (enum access)access, path, origin, e);
    }
    return broken(e);
}

static uint64_t number(const struct json *v, const char *key)
{
    const struct json *member = json_get(v, key);
    uint64_t n = 0;

    return member && json_u64(member, &n) == 0 ? n : 0;
}

static int take_rules(struct arena *a, const struct pool_dir *d,
                      struct policy *p, struct err *e)
{
    const struct json *list;
    const char *text;
    struct json *v;
    size_t len;

    if (pool_read(d, a, "rules", RULES_MAX, &text, &len, e) < 0)
        return -1;
    if (!text || json_parse(a, text, len, &v, e) < 0 ||
        number(v, "version") != POOL_VERSION)
        return broken(e);
    policy_default(p);
    p->hard_links = (enum hard_links)number(v, "hardLinks");
    p->private_home = number(v, "privateHome");
    p->accept_missing = (uint32_t)number(v, "acceptMissing");
    /* Where it was does not matter. */
    p->cwd = number(v, "hasCwd") ? "/" : NULL;
    list = json_get(v, "rules");
    if (!list || list->type != JSON_ARRAY)
        return broken(e);
    for (const struct json *r = list->first; r; r = r->next)
        if (take_rule(a, r, p, e) < 0)
            return -1;
    return 0;
}

/* A name on the command line means what it means to the caller's shell. */
static int add_grant(struct arena *a, const char *here,
                     const struct path_flag *f, struct policy *p, struct err *e)
{
    static const char *const origins[] = { "--deny", "--ro", "--rw" };
    const char *path = f->path;

    if (path[0] == '\0')
        return err_set(e, ERR_POLICY_VALIDATION, "%s: the path is empty",
                       origins[f->access]);
    if (path[0] != '/')
        path = arena_printf(a, "%s/%s", here, path);
    return path ? policy_add_path(p, a, f->access, path, origins[f->access], e)
                : out_of_memory(e);
}

/* The plan of a run with all of it, as far as files go: of the rest nothing is
 * compared. */
static int decide(struct arena *a, const struct pool_dir *d,
                  const struct run_flags *f, const char *here,
                  struct prepared *p, struct err *e)
{
    *p = (struct prepared){ .backend = &backend_native };
    if (take_rules(a, d, &p->policy, e) < 0)
        return -1;
    for (size_t i = 0; i < f->npaths; i++)
        if (add_grant(a, here, &f->path[i], &p->policy, e) < 0)
            return -1;
    p->policy.arg = arena_array(a, 1, sizeof(*p->policy.arg));
    if (!p->policy.arg)
        return out_of_memory(e);
    p->policy.arg[0] = "true";
    p->policy.nargs = 1;
    p->policy.runtime = f->runtime;
    if (prepare_find_stores(a, f, &p->policy, e) < 0 ||
        host_look(a, &p->host, e) < 0)
        return -1;
    return prepare_plan(a, here, false, p, e);
}

/* --- what is new -----------------------------------------------------------
 */

struct difference {
    const struct plan_view *old;
    const struct plan *all;
    const struct run_flags *flags;
    struct step *added;
    size_t n;
};

/* What the decision about files makes, in the order that counts. */
static bool is_decided(const struct step *s)
{
    switch ((int)s->kind) {
    case STEP_DIR:
    case STEP_SYMLINK:
    case STEP_BIND:
    case STEP_HOLLOW:
    case STEP_PIN:
    case STEP_ABSENT:
    case STEP_WATCH:
        return true;
    case STEP_MASK:
        return !(s->flags & STEP_OPTIONAL);
    default:
        return false;
    }
}

static bool stands(const struct step *s)
{
    return s->path && s->kind != STEP_LANDLOCK && s->kind != STEP_SYSCTL &&
           s->kind != STEP_ABSENT && s->kind != STEP_WATCH &&
           s->kind != STEP_CWD;
}

static bool same_text(const char *x, const char *y)
{
    return x == y || (x && y && strcmp(x, y) == 0);
}

static bool is_same(const struct step *x, const struct step *y)
{
    return x->kind == y->kind && x->flags == y->flags &&
           x->num[0] == y->num[0] && x->num[1] == y->num[1] &&
           same_text(x->path, y->path) && same_text(x->text, y->text);
}

static bool is_in_new(const struct difference *d, const struct step *s)
{
    for (size_t i = 0; i < d->all->nsteps; i++)
        if (is_same(&d->all->step[i], s))
            return true;
    return false;
}

static bool is_in_old(const struct difference *d, const struct step *s)
{
    for (size_t i = 0; i < d->old->head.nsteps; i++) {
        struct step old = plan_step(d->old, i);

        if (is_same(&old, s))
            return true;
    }
    return false;
}

static int must_not_change(const char *path, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "the claim would change what stands at '%s' in the pool's "
            "sandboxes",
            path);
    return err_hint(e, "a claim adds to the pool's policy: start a pool with "
                       "these paths, say --cold, or use mxc run; after a "
                       "change of the host's own paths, start the pool anew");
}

static const char *clean_flag(struct arena *a, const struct path_flag *g,
                              const char *here)
{
    const char *path =
        g->path[0] == '/' ? g->path : arena_printf(a, "%s/%s", here, g->path);

    return path ? path_clean(a, path) : NULL;
}

/* Of one path the claim itself asks for two things: who denies it then? */
static bool is_claims_own(struct arena *a, const struct run_flags *f,
                          const char *here, const char *path, enum access is)
{
    for (size_t i = 0; i < f->npaths; i++) {
        const char *other = clean_flag(a, &f->path[i], here);

        if (f->path[i].access == is && other && strcmp(other, path) == 0)
            return true;
    }
    return false;
}

static int refuse_own(const struct path_flag *g, const char *does,
                      struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "'%s' cannot be granted: another option of this claim %s", g->path,
            does);
    return err_hint(e, "of the options for one path, leave one");
}

/* Of equal paths the strictest counts, so that what the pool restricts is not
 * widened; said here, where a run would leave it at that. */
static int check_effect(struct arena *a, const struct policy *p,
                        const struct run_flags *f, const char *here,
                        struct err *e)
{
    static const char *const names[] = { "denies it", "grants it for reading" };

    for (size_t i = 0; i < f->npaths; i++) {
        const struct path_flag *g = &f->path[i];
        const char *path = clean_flag(a, g, here);
        enum access is;

        if (!path)
            return out_of_memory(e);
        is = fs_access(p->rule, p->nrules, path);
        /* "/" was taken apart, and the kernel alone knows what ".." is. */
        if (is >= g->access || path[1] == '\0' || path_has_dotdot(path))
            continue;
        if (is_claims_own(a, f, here, path, is))
            return refuse_own(g, names[is], e);
        err_set(e, ERR_POLICY_VALIDATION,
                "'%s' cannot be granted: the pool's policy %s", g->path,
                names[is]);
        return err_hint(e, "start a pool that grants it, or use mxc run");
    }
    return 0;
}

/* A new mount over something that stands would hide it.  A directory of the
 * sandbox's own has nothing in it yet; what a denied one shows of itself is
 * complete, and closed (STEP_HOLLOW). */
static int check_over(const struct difference *d, const struct step *s,
                      struct err *e)
{
    for (size_t i = 0; i < d->old->head.nsteps; i++) {
        struct step old = plan_step(d->old, i);

        if (old.kind == STEP_HOLLOW && s->flags & STEP_CREATE &&
            path_is_within(s->path, old.path))
            return must_not_change(old.path, e);
        if (stands(&old) && old.kind != STEP_DIR &&
            path_is_within(old.path, s->path) &&
            !(s->kind == STEP_PIN && old.kind == STEP_BIND))
            return must_not_change(old.path, e);
    }
    return 0;
}

static int compare(struct difference *d, struct err *e)
{
    for (size_t i = 0; i < d->old->head.nsteps; i++) {
        struct step old = plan_step(d->old, i);

        if (is_decided(&old) && !is_in_new(d, &old))
            return must_not_change(old.path, e);
    }
    for (size_t i = 0; i < d->all->nsteps; i++) {
        const struct step *s = &d->all->step[i];

        if (!is_decided(s) || is_in_old(d, s))
            continue;
        if (s->kind == STEP_DIR || s->kind == STEP_SYMLINK)
            return must_not_change(s->path, e);
        if (stands(s) && check_over(d, s, e) < 0)
            return -1;
        d->added[d->n++] = *s;
    }
    return 0;
}

/* Grants need a broker, which the pool's filter may not ask. */
static int add_filter(struct arena *a, struct difference *d, uint32_t flags,
                      struct err *e)
{
    const struct seccomp_options o = {
        .broker_creates = flags & PLAN_BROKER_CREATES,
        .broker_unix = flags & PLAN_BROKER_UNIX,
        .ping = d->old->head.flags & PLAN_NET_ICMP,
    };
    struct sock_filter *f = arena_array(a, SECCOMP_FILTER_MAX, sizeof(*f));
    size_t n;

    if (!f)
        return out_of_memory(e);
    if (seccomp_filter_build(&o, f, &n, e) < 0)
        return -1;
    d->added[d->n++] = (struct step){ .kind = STEP_FILTER,
                                      .text = (const char *)f,
                                      .text_len = n * sizeof(*f) };
    return 0;
}

static const char *cwd_of(const struct plan_view *v)
{
    for (size_t i = 0; i < v->head.nsteps; i++) {
        struct step s = plan_step(v, i);

        if (s.kind == STEP_CWD)
            return s.path;
    }
    return "/";
}

int claim_grants(struct arena *a, const struct pool_dir *d,
                 const struct run_flags *f, struct session_command *c,
                 struct pool_extra *out, struct err *e)
{
    const uint32_t brokers = PLAN_BROKER_CREATES | PLAN_BROKER_UNIX;
    struct difference diff = { .flags = f };
    struct plan_view old;
    struct prepared p;
    char here[PATH_MAX];
    const char *cwd = f->directory;
    uint32_t flags;

    *out = (struct pool_extra){ 0 };
    if (!f->npaths)
        return 0;
    if (!cwd)
        cwd = getcwd(here, sizeof(here));
    if (!cwd || cwd[0] != '/')
        cwd = NULL; /* a deleted or unreachable one */
    for (size_t i = 0; i < f->npaths; i++)
        if (prepare_from_here("path", f->path[i].path, cwd, e) < 0)
            return -1;
    /* What is decided points to it, and so does the command. */
    cwd = arena_strdup(a, cwd ? cwd : "/");
    if (!cwd)
        return out_of_memory(e);
    if (pool_plan(d, &old, e) < 0 || decide(a, d, f, cwd, &p, e) < 0 ||
        check_effect(a, &p.policy, f, cwd, e) < 0)
        return -1;
    diff.old = &old;
    diff.all = &p.plan;
    diff.added = arena_array(a, p.plan.nsteps + 1, sizeof(*diff.added));
    if (!diff.added)
        return out_of_memory(e);
    if (compare(&diff, e) < 0)
        return -1;
    flags = (old.head.flags | p.plan.flags) & brokers;
    if (diff.n && flags && add_filter(a, &diff, flags, e) < 0)
        return -1;
    /* The caller's own directory, which is granted now. */
    if (diff.n && !c->cwd && strcmp(p.cwd, cwd) == 0 &&
        strcmp(p.cwd, cwd_of(&old)) != 0)
        c->cwd = p.cwd;
    *out = (struct pool_extra){ .step = diff.added,
                                .n = diff.n,
                                .flags = diff.n ? flags : 0 };
    return 0;
}

/* --- without a sandbox -----------------------------------------------------
 */

static bool replaces(const struct plan_view *claim, const struct step *s)
{
    const size_t n = s->kind == STEP_ENV ? strcspn(s->text, "=") : 0;

    if (s->kind == STEP_ENV && claim->head.flags & PLAN_CLAIM_ONLY_ENV &&
        strncmp(s->text, "PWD=", 4) != 0)
        return true;

    for (size_t i = 0; i < claim->head.nsteps; i++) {
        struct step c = plan_step(claim, i);

        if (c.kind != s->kind)
            continue;
        if (s->kind == STEP_FILTER || s->kind == STEP_CWD)
            return true;
        if (s->kind == STEP_ENV && strcspn(c.text, "=") == n &&
            memcmp(c.text, s->text, n) == 0)
            return true;
    }
    return false;
}

/* The later of two variables counts. */
static bool is_overridden(const struct plan_view *claim, size_t i)
{
    const struct step s = plan_step(claim, i);
    const size_t n = strcspn(s.text, "=");

    for (i++; i < claim->head.nsteps; i++) {
        struct step later = plan_step(claim, i);

        if (later.kind == STEP_ENV && strcspn(later.text, "=") == n &&
            memcmp(later.text, s.text, n) == 0)
            return true;
    }
    return false;
}

static int check_limit(const struct plan_view *old, const struct step *s,
                       struct err *e)
{
    for (size_t i = 0; i < old->head.nsteps; i++) {
        struct step o = plan_step(old, i);

        if (o.kind == STEP_RLIMIT && !(o.flags & STEP_SOFT) &&
            o.num[0] == s->num[0] && o.num[1] < s->num[1]) {
            const char *word = limit_word(s->num[0]);

            err_set(e, ERR_POLICY_VALIDATION,
                    "limit '%s' is higher than the pool's", word ? word : "");
            return err_hint(e, "a command may have less than its pool, not "
                               "more");
        }
    }
    return 0;
}

/* Mounts, before what is never covered; the rest at the end. */
static int add_claim(struct arena *a, const struct plan_view *old,
                     const struct plan_view *claim, bool mounts,
                     struct plan *out, struct err *e)
{
    for (size_t i = 0; i < claim->head.nsteps; i++) {
        struct step s = plan_step(claim, i);

        if (is_decided(&s) != mounts ||
            (s.kind == STEP_ENV && is_overridden(claim, i)))
            continue;
        if (s.kind == STEP_RLIMIT && check_limit(old, &s, e) < 0)
            return -1;
        if (plan_add(out, a, s, e) < 0)
            return -1;
    }
    return 0;
}

static int merge(struct arena *a, const struct plan_view *old,
                 const struct plan_view *claim, struct plan *out, struct err *e)
{
    bool has_mounted = false;

    for (size_t i = 0; i < old->head.nsteps; i++) {
        struct step s = plan_step(old, i);

        if (!has_mounted && (s.kind == STEP_DEVICE || s.kind == STEP_DEVPTS ||
                             s.kind == STEP_PROC)) {
            has_mounted = true;
            if (add_claim(a, old, claim, true, out, e) < 0)
                return -1;
        }
        if (!replaces(claim, &s) && plan_add(out, a, s, e) < 0)
            return -1;
    }
    if (!has_mounted)
        return err_set(e, ERR_BACKEND_ERROR,
                       "the pool's plan has no place for more");
    return add_claim(a, old, claim, false, out, e);
}

int claim_cold_plan(struct arena *a, const struct pool_dir *d,
                    const struct session_command *c,
                    const struct pool_extra *extra, void **bytes, size_t *len,
                    struct err *e)
{
    const uint64_t most = c->timeout_ms;
    struct plan_view old, claim;
    struct pool_facts facts;
    struct plan p;

    if (pool_facts(d, &facts, e) < 0 || pool_plan(d, &old, e) < 0 ||
        pool_check_mounts(&old, facts.mounts, e) < 0 ||
        pool_claim_plan(a, c, extra, bytes, len, e) < 0 ||
        plan_check_claim(*bytes, *len, &claim, e) < 0)
        return -1;
    p = old.head;
    p.flags =
        (old.head.flags & ~(uint32_t)PLAN_WARM) |
        (claim.head.flags & ~(uint32_t)(PLAN_CLAIM | PLAN_CLAIM_ONLY_ENV));
    p.nsteps = 0;
    if (most && (!p.timeout_ms || most < p.timeout_ms))
        p.timeout_ms = most;
    if (merge(a, &old, &claim, &p, e) < 0)
        return -1;
    return plan_pack(&p, a, bytes, len, e);
}
