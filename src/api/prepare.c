/* prepare.c - see prepare.h. */
#include "api/prepare.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/native/base.h"
#include "policy/variables.h"
#include "sys/record_place.h"
#include "sys/store.h"

static int unknown_backend(const char *name, struct err *e)
{
    char names[sizeof(e->hint)] = "";
    size_t n = 0;

    for (size_t i = 0; backends[i] && n < sizeof(names); i++)
        n += (size_t)snprintf(names + n, sizeof(names) - n, ", %s",
                              backends[i]->name);
    err_set(e, ERR_UNSUPPORTED_CONTAINMENT, "backend '%s' is not known", name);
    return err_hint(e, "one of: process%s", names);
}

static int containment_of(const char *name, enum containment *out,
                          struct err *e)
{
    for (int c = CONTAIN_PROCESS; c <= CONTAIN_ISOLATION_SESSION; c++)
        if (strcmp(containment_name((enum containment)c), name) == 0) {
            *out = (enum containment)c;
            return 0;
        }
    return unknown_backend(name, e);
}

/* MXC's SDK can provision two kinds of container, and both are of Windows.  One
 * of them is a Linux container: a caller may say that ours will do. */
static int take_wslc(const struct request *r, struct policy *p, struct err *e)
{
    if (r->phase != PHASE_PROVISION || r->containment != CONTAIN_WSLC ||
        !r->wslc_image || strcmp(r->wslc_image, NATIVE_IMAGE) != 0)
        return 0;
    p->containment = CONTAIN_NATIVE;
    if (!r->wslc_image_tar && !r->nwslc_ports)
        return 0;
    err_set(e, ERR_POLICY_VALIDATION,
            "the image '" NATIVE_IMAGE "' has no archive and no port mappings");
    err_hint(e, "leave them out; 'network.ingress.ports' of a '1.1.0+c1' "
                "request publishes ports");
    return err_where(e, r->wslc_image_tar ? "wslc.provision.imageTarPath"
                                          : "wslc.provision.portMappings");
}

static int start_policy(struct arena *a, const struct request *r,
                        const struct run_flags *f, struct policy *p,
                        struct err *e)
{
    const char *entry;

    if (r && r->phase == PHASE_PROVISION && !f->session_place)
        return policy_no_lifecycle(e);
    if (r)
        return policy_from_request(a, r, p, e) < 0 ? -1 : take_wslc(r, p, e);
    policy_default(p);
    entry = arena_printf(a, "TERM=%s", f->term ? f->term : "dumb");
    if (!entry)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (policy_add_env(p, a, "PATH=" POLICY_DEFAULT_PATH, "default", e) < 0)
        return -1;
    return policy_add_env(p, a, entry, f->term ? "the caller's" : "default", e);
}

int prepare_from_here(const char *option, const char *path, const char *cwd,
                      struct err *e)
{
    if (path[0] == '/' || cwd)
        return 0;
    err_set(e, ERR_POLICY_VALIDATION,
            "%s '%s': the current directory is gone, or cannot be reached",
            option, path);
    return err_hint(e, "change to one that is there, or write the whole path");
}

/* A name on the command line means what it means to the caller's shell. */
static int add_path_flag(struct arena *a, struct policy *p, const char *cwd,
                         const struct path_flag *f, struct err *e)
{
    static const char *const origins[] = { "--deny", "--ro", "--rw" };
    const char *path = f->path;

    if (path[0] == '\0')
        return err_set(e, ERR_POLICY_VALIDATION, "%s: the path is empty",
                       origins[f->access]);
    if (prepare_from_here(origins[f->access], path, cwd, e) < 0)
        return -1;
    if (path[0] != '/')
        path = arena_printf(a, "%s/%s", cwd, path);
    if (!path)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    return policy_add_path(p, a, f->access, path, origins[f->access], e);
}

static int set_cwd(struct arena *a, struct policy *p, const char *cwd,
                   const char *wanted, struct err *e)
{
    const char *path = wanted;

    if (prepare_from_here("--cwd", wanted, cwd, e) < 0)
        return -1;
    if (wanted[0] != '/')
        path = arena_printf(a, "%s/%s", cwd, wanted);
    p->cwd = path ? path_clean(a, path) : NULL;
    p->cwd_origin = "--cwd";
    if (!p->cwd || path_has_dotdot(p->cwd))
        return err_set(e, ERR_POLICY_VALIDATION,
                       "--cwd '%s': too long, or with '..'", wanted);
    return 0;
}

/* A caller of whom no home is known has none. */
static int find_store(struct arena *a, const struct run_flags *f,
                      const char *name, const char **out, struct err *e)
{
    const struct store_place at = { f->data_home, f->home };
    char path[PATH_MAX];

    if (store_path(&at, name, path) < 0)
        return 0;
    *out = arena_strdup(a, path);
    return *out ? 0 : err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

int prepare_find_stores(struct arena *a, const struct run_flags *f,
                        struct policy *p, struct err *e)
{
    if (f->fills_store)
        return 0;
    if (find_store(a, f, "images", &p->images, e) < 0)
        return -1;
    return find_store(a, f, "containers", &p->containers, e);
}

static int apply_flags(struct arena *a, struct policy *p, const char *cwd,
                       const struct run_flags *f, struct err *e)
{
    for (size_t i = 0; i < f->npaths; i++)
        if (add_path_flag(a, p, cwd, &f->path[i], e) < 0)
            return -1;
    if (network_flags(a, p, &f->net, e) < 0)
        return -1;
    for (size_t i = 0; i < f->nlimits; i++)
        policy_limit(p, f->limit[i].which, f->limit[i].value,
                     f->limit[i].is_advisory, f->limit[i].origin);
    if (f->tools && tools_add(a, p, f, e) < 0)
        return -1;
    for (size_t i = 0; i < f->nenv; i++)
        if (policy_add_env(p, a, f->env[i], "--env", e) < 0)
            return -1;
    if (f->cwd && set_cwd(a, p, cwd, f->cwd, e) < 0)
        return -1;
    if (f->backend && containment_of(f->backend, &p->containment, e) < 0)
        return -1;
    policy_ask_tier(p, f->tier, "--tier");
    if (f->image)
        p->image = f->image;
    if (f->layer) {
        p->layer = f->layer;
        p->layer_origin = "--layer";
    }
    if (f->nargs) {
        p->arg = f->arg;
        p->nargs = f->nargs;
        p->arg_origin = "command line";
    }
    /* A flag narrows: the shorter of two timeouts counts. */
    if (f->has_timeout && (!p->timeout_ms || f->timeout_ms < p->timeout_ms)) {
        p->timeout_ms = f->timeout_ms;
        p->timeout_origin = "--timeout";
        policy_need(p, FEAT_TIMEOUT, "--timeout", "a timeout");
    }
    if (f->tty) {
        p->tty = true;
        policy_need(p, FEAT_TTY, "--tty", "a terminal of its own");
    }
    if (f->denials || f->accesses) {
        p->denials = p->net.is_told = true;
        p->accesses = f->accesses;
        policy_need(p, FEAT_DENIALS, f->accesses ? "--accesses" : "--denials",
                    "a report of what was refused");
    }
    if (f->copies) {
        p->copies = true;
        policy_need(p, FEAT_COPIES, "--discard-writes",
                    "grants that are copied on write");
    }
    if (f->verify) {
        p->verify = true;
        policy_need(p, FEAT_VERIFY, "--verify",
                    "a test of the sandbox's walls from inside");
    }
    p->die_with_parent = f->die_with_parent;
    p->accept_missing = f->accept_missing;
    p->runtime = f->runtime;
    return prepare_find_stores(a, f, p, e);
}

/* "/bin" and the like: a link where the host has a link. */
static int add_links(struct arena *a, struct prepared *out, struct err *e)
{
    for (const char *const *l = native_links; *l; l++) {
        char text[PATH_MAX];
        ssize_t n = readlink(*l, text, sizeof(text) - 1);
        bool is_taken = false;
        const char *target;

        for (size_t i = 0; i < out->places.n && !is_taken; i++)
            is_taken = out->places.item[i].target &&
                       (path_is_within(out->places.item[i].target, *l) ||
                        (strncmp(*l, "/etc/", 5) == 0 &&
                         strcmp(out->places.item[i].target, "/etc") == 0));
        if (n <= 0 || is_taken)
            continue;
        target = arena_strndup(a, text, (size_t)n);
        if (!target)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory");
        /* Anywhere among the steps: no other step goes through a link. */
        if (plan_add(&out->plan, a,
                     (struct step){
                         .kind = STEP_SYMLINK, .path = *l, .text = target },
                     e) < 0)
            return -1;
    }
    return 0;
}

static const char *receipt_json(struct arena *a, const struct prepared *p)
{
    struct buf b = { .max = 1 << 20 };
    char *text;

    buf_puts(&b, "\"backend\":");
    buf_json(&b, p->backend->name);
    buf_puts(&b, ",\"tier\":");
    buf_json(&b, tier_name(p->backend->tier));
    if (p->policy.label) {
        buf_puts(&b, ",\"containerId\":");
        buf_json(&b, p->policy.label);
    }
    if (p->correlation) {
        buf_puts(&b, ",\"correlationId\":");
        buf_json(&b, p->correlation);
    }
    buf_puts(&b, ",\"warnings\":[");
    for (size_t i = 0; i < p->policy.nwarnings; i++) {
        buf_puts(&b, i ? "," : "");
        buf_json(&b, p->policy.warning[i]);
    }
    buf_puts(&b, "],\"receipt\":[");
    for (const struct receipt_row *r = p->receipt; r->clause; r++) {
        buf_puts(&b, r == p->receipt ? "{\"clause\":" : ",{\"clause\":");
        buf_json(&b, r->clause);
        buf_puts(&b, ",\"by\":");
        buf_json(&b, r->by);
        buf_puts(&b, ",\"state\":");
        buf_json(&b, r->state);
        buf_puts(&b, "}");
    }
    buf_puts(&b, "]");
    text = b.failed ? NULL : arena_strdup(a, b.data);
    buf_drop(&b);
    return text;
}

/* The backend's own rows, behind one for the tier that was asked for. */
static const struct receipt_row *add_tier_row(struct arena *a,
                                              const struct prepared *p,
                                              const struct receipt_row *rows)
{
    struct receipt_row *all;
    size_t n = 1;

    if (!rows || p->policy.tier == TIER_ANY)
        return rows;
    while (rows[n - 1].clause)
        n++;
    all = arena_array(a, n + 1, sizeof(*all));
    if (!all)
        return NULL;
    memcpy(all + 1, rows, n * sizeof(*rows));
    all[0] = (struct receipt_row){
        arena_printf(a, "isolation: tier '%s' or stronger",
                     tier_name(p->policy.tier)),
        arena_printf(a, "backend '%s', which is of tier '%s'", p->backend->name,
                     tier_name(p->backend->tier)),
        "enforced"
    };
    return all[0].clause && all[0].by ? all : NULL;
}

/* A section of another backend would be accepted and do nothing. */
static int sections_fit(const struct request *r, const struct backend *b,
                        struct err *e)
{
    struct request rest;
    enum containment c;

    if (!r)
        return 0;
    if (containment_of(b->name, &c, e) < 0)
        return -1;
    if (r->containment != CONTAIN_PROCESS || !request_wants_record(r))
        return request_check_sections(r, c, e);
    /* Who asks for a process on any system has that section for one of them;
     * what it says of a record holds here too. */
    if (request_check_record(r, e) < 0)
        return -1;
    rest = *r;
    rest.process_container_present = false;
    return request_check_sections(&rest, c, e);
}

/* As the run looks at it once more. */
static int look_at_record(const struct prepared *p, struct err *e)
{
    struct record_place at;
    int r = record_place_open(p->policy.capture, &at, e);

    for (size_t i = 0; r == 0 && i < p->plan.nsteps; i++) {
        const struct step *s = &p->plan.step[i];

        if (s->kind == STEP_BIND && s->num[1] &&
            !(s->flags & (STEP_READONLY | STEP_COPY)) &&
            record_place_is_in(&at, s->num[0], s->num[1]))
            r = record_place_is_open(s->text, e);
    }
    drop_fd(&at.dir);
    return r < 0 ? err_where(e, "processContainer.captureDenials.outputPath")
                 : 0;
}

static int add_capture(struct arena *a, struct prepared *p, struct err *e)
{
    const struct step s = { .kind = STEP_CAPTURE, .path = p->policy.capture };

    if (!s.path)
        return 0;
    return look_at_record(p, e) < 0 ? -1 : plan_add(&p->plan, a, s, e);
}

int prepare_no_record(const struct policy *p, const char *what, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "what is refused is recorded of a single run, and this is %s",
            what);
    err_hint(e, "remove it here, or use mxc run");
    return err_where(e, "%s", p->record_origin);
}

/* A record is of a single run.  Who asks what a policy says wants none. */
static int record_fits(struct policy *p, const struct run_flags *f,
                       struct err *e)
{
    if (!p->record_origin)
        return 0;
    if (f->drops_record) {
        p->denials = p->net.is_told = false;
        p->record_origin = p->capture = NULL;
        return 0;
    }
    return f->session_place ? prepare_no_record(p, "a session", e) : 0;
}

int prepare_plan(struct arena *a, const char *caller_cwd, bool want_receipt,
                 struct prepared *p, struct err *e)
{
    /* After the look, which knows what a grant of "/" comes to; before the
     * base, which is nobody's place to start in. */
    if (paths_look(a, &p->policy, e) < 0)
        return -1;
    p->cwd = policy_cwd(&p->policy, caller_cwd);
    if (policy_finish_env(&p->policy, a, p->cwd, e) < 0 ||
        policy_check_size(&p->policy, e) < 0 ||
        (!p->backend->has_image && paths_add_base(a, &p->policy, e) < 0) ||
        fs_decide(a, p->policy.rule, &p->policy.nrules, &p->places, e) < 0 ||
        p->backend->probe(&p->host, &p->policy, e) < 0 ||
        p->backend->plan(&p->policy, &p->host, &p->places, p->cwd, a, &p->plan,
                         e) < 0 ||
        (!p->backend->has_image && add_links(a, p, e) < 0) ||
        add_capture(a, p, e) < 0)
        return -1;
    if (!want_receipt)
        return 0;
    p->receipt = add_tier_row(
        a, p, p->backend->receipt(&p->policy, &p->host, &p->places, a));
    p->plan.receipt = p->receipt ? receipt_json(a, p) : NULL;
    if (!p->plan.receipt)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    return 0;
}

/* Faults that are found after parsing know their JSON path: add the line. */
static void locate(const char *text, size_t len, struct err *e)
{
    if (text && e->where[0] && !e->line)
        request_locate(text, len, e->where, &e->line, &e->column);
}

static int no_command(struct arena *a, struct policy *p, bool plan_only,
                      struct err *e)
{
    if (!plan_only) {
        err_set(e, ERR_MALFORMED_REQUEST, "no command to run");
        return err_hint(e, "write it after '--', as in: mxc run -- ls");
    }
    p->arg = arena_alloc(a, sizeof(*p->arg));
    if (!p->arg)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    p->arg[0] = "true";
    p->nargs = 1;
    return 0;
}

/* What a single run writes goes with it, and it has a timeout. */
static int session_fits(const struct prepared *p, const struct run_flags *f,
                        struct err *e)
{
    if (f->session_place || (!p->policy.layer && !p->idle_ms && !p->age_ms))
        return 0;
    if (p->policy.layer) {
        err_set(e, ERR_POLICY_VALIDATION,
                "only a session keeps a layer, a single run has none");
        err_hint(e, "make one: mxc provision; or grant a directory (--rw DIR)");
        return err_where(e, "%s", p->policy.layer_origin);
    }
    err_set(e, ERR_POLICY_VALIDATION,
            "only a session has an idle timeout and an age");
    err_hint(e, "make one: mxc provision; or set process.timeout");
    return err_where(e, p->idle_ms ? "session.idleTimeout" : "session.maxAge");
}

/* `r` is NULL for a policy of flags alone. */
static int build(struct arena *a, const struct request *r,
                 const struct run_flags *f, bool plan_only,
                 struct prepared *out, struct err *e)
{
    struct prepared p = { 0 };
    struct request meant;
    struct variables v;
    char here[PATH_MAX];
    const char *cwd = f->directory;

    p.correlation = f->correlation;
    if (r) {
        p.idle_ms = r->session.idle_timeout_ms;
        p.age_ms = r->session.max_age_ms;
    }
    if (!cwd)
        cwd = getcwd(here, sizeof(here));
    if (!cwd || cwd[0] != '/')
        cwd = NULL; /* a deleted or unreachable one */
    v = (struct variables){ .workspace = cwd ? cwd : "/", .home = f->home };
    if (r && variables_apply(a, &v, r, &meant, e) < 0)
        return -1;
    r = r ? &meant : NULL;
    if (start_policy(a, r, f, &p.policy, e) < 0 ||
        record_fits(&p.policy, f, e) < 0 ||
        apply_flags(a, &p.policy, cwd, f, e) < 0 ||
        session_fits(&p, f, e) < 0 || host_look(a, &p.host, e) < 0)
        return -1;
    p.host.session_place = f->session_place;
    if (p.policy.nargs == 0 && no_command(a, &p.policy, plan_only, e) < 0)
        return -1;
    if (backend_find(&p.policy, &p.host, &p.backend, e) < 0 ||
        sections_fit(r, p.backend, e) < 0 ||
        backend_check(p.backend, &p.policy, e) < 0 ||
        policy_check_network(&p.policy, e) < 0 ||
        policy_check_limits(&p.policy, e) < 0 ||
        limits_look(a, p.policy.limits.set, &p.host, e) < 0 ||
        backend_limits(p.backend, &p.host, &p.policy, e) < 0 ||
        image_look(a, &p.policy, p.backend, f, &p.host, e) < 0 ||
        container_look(a, &p.policy, p.backend, f, &p.host, e) < 0 ||
        (net_has_egress(&p.policy.net) && network_look(a, &p.host, e) < 0) ||
        prepare_plan(a, arena_strdup(a, v.workspace),
                     plan_only || f->want_receipt, &p, e) < 0)
        return -1;
    *out = p;
    return 0;
}

int prepare(struct arena *a, const char *text, size_t len,
            const struct run_flags *f, bool plan_only, struct prepared *out,
            struct err *e)
{
    struct request *r = NULL;

    if ((text && request_parse(a, text, len, &r, e) < 0) ||
        build(a, r, f, plan_only, out, e) < 0) {
        locate(text, len, e);
        return -1;
    }
    return 0;
}

int prepare_parsed(struct arena *a, const struct request *r,
                   const struct run_flags *f, struct prepared *out,
                   struct err *e)
{
    return build(a, r, f, false, out, e);
}
