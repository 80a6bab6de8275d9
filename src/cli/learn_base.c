/* learn_base.c - what the first round of `mxc learn` has: the caller's policy,
 * the caller's options, and the working directory for reading. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/learning.h"
#include "policy/migrate.h"
#include "policy/tree.h"

struct learn_base {
    struct learning *x;
    struct tree t;
    struct json *root;
    const char *cwd; /* the caller's */
};

static int no_memory(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

static struct json *child(struct learn_base *b, struct json *of,
                          const char *key, enum json_type type)
{
    struct json *v = tree_find(of, key);

    if (v)
        return v;
    v = tree_new(&b->t, type);
    tree_put(of, key, v);
    return v;
}

static void put_string(struct learn_base *b, struct json *list,
                       const char *text)
{
    tree_append(list, tree_string(&b->t, text));
}

static void put_member(struct learn_base *b, struct json *of, const char *key,
                       const char *text)
{
    (void)tree_cut(of, key);
    tree_put(of, key, tree_string(&b->t, text));
}

/* --- options as a request says them ----------------------------------------
 */

static const char *absolute(struct learn_base *b, const char *path)
{
    struct arena *a = &b->x->c->arena;
    const char *text =
        path[0] == '/' ? path : arena_printf(a, "%s/%s", b->cwd, path);

    return text ? path_clean(a, text) : NULL;
}

static int put_paths(struct learn_base *b, const struct run_flags *f,
                     struct err *e)
{
    static const char *const lists[] = { "deniedPaths", "readonlyPaths",
                                         "readwritePaths" };
    struct json *fs;

    for (size_t i = 0; i < f->npaths; i++) {
        const char *path = absolute(b, f->path[i].path);

        if (!path || !learn_is_path(path))
            return err_set(e, ERR_POLICY_VALIDATION,
                           "a path of the options cannot be written into a "
                           "policy: empty, too long, or no plain text");
        fs = child(b, b->root, "filesystem", JSON_OBJECT);
        put_string(b, child(b, fs, lists[f->path[i].access], JSON_ARRAY), path);
    }
    return 0;
}

static void put_env(struct learn_base *b, const char *entry)
{
    struct json *process = child(b, b->root, "process", JSON_OBJECT), *inherit;

    if (!tree_find(process, "env") &&
        !tree_find(process, "inheritDefaultEnv")) {
        inherit = tree_new(&b->t, JSON_BOOL);
        if (inherit)
            inherit->truth = true;
        tree_put(process, "inheritDefaultEnv", inherit);
    }
    put_string(b, child(b, process, "env", JSON_ARRAY), entry);
}

static int put_tools(struct learn_base *b, const struct run_flags *f,
                     struct err *e)
{
    struct arena *a = &b->x->c->arena;
    struct policy *p = arena_alloc(a, sizeof(*p));
    struct json *fs;

    if (!f->tools)
        return 0;
    if (!p)
        return no_memory(e);
    if (tools_add(a, p, f, e) < 0)
        return -1;
    fs = child(b, b->root, "filesystem", JSON_OBJECT);
    for (size_t i = 0; i < p->nrules; i++)
        put_string(b, child(b, fs, "readonlyPaths", JSON_ARRAY),
                   p->rule[i].path);
    for (size_t i = 0; i < p->nenv; i++)
        put_env(b, p->env[i]);
    return 0;
}

static void put_number(struct learn_base *b, struct json *of, const char *key,
                       unsigned value)
{
    struct json *v = tree_new(&b->t, JSON_NUMBER);
    const char *text = arena_printf(b->t.arena, "%u", value);

    if (!v || !text) {
        b->t.failed = true;
        return;
    }
    v->text = text;
    v->len = (uint32_t)strlen(text);
    tree_put(of, key, v);
}

static struct json *rule_of(struct learn_base *b, const struct net_rule *r)
{
    struct json *rule = tree_new(&b->t, JSON_OBJECT), *yes, *list;

    for (size_t i = 0; i < r->nto; i++) {
        struct json *peer = tree_new(&b->t, JSON_OBJECT);

        put_member(b, peer, r->to[i].host ? "host" : "cidr",
                   r->to[i].host ? r->to[i].host : r->to[i].cidr);
        yes = r->to[i].intranet ? tree_new(&b->t, JSON_BOOL) : NULL;
        if (yes) {
            yes->truth = true;
            tree_put(peer, "intranet", yes);
        }
        tree_append(child(b, rule, "to", JSON_ARRAY), peer);
    }
    for (size_t i = 0; i < r->nports; i++) {
        struct json *port = tree_new(&b->t, JSON_OBJECT);

        list = child(b, rule, "ports", JSON_ARRAY);
        put_member(b, port, "protocol", "any");
        put_number(b, port, "port", r->ports[i].port);
        if (r->ports[i].end_port)
            put_number(b, port, "endPort", r->ports[i].end_port);
        tree_append(list, port);
    }
    return rule;
}

static int put_network(struct learn_base *b, const struct net_flags *f,
                       struct err *e)
{
    struct json *egress;

    if (f->npublish || f->nservices || f->proxy || f->builtin_proxy) {
        err_set(e, ERR_MALFORMED_REQUEST,
                "learn: ports and proxies are not learnt");
        return err_hint(e, "write them into a request and name it: mxc learn "
                           "--policy FILE");
    }
    if (!f->nrules && !f->internet)
        return 0;
    egress = child(b, child(b, b->root, "network", JSON_OBJECT), "egress",
                   JSON_OBJECT);
    if (f->internet)
        put_member(b, egress, "default", "allow");
    for (size_t i = 0; i < f->nrules; i++)
        tree_append(child(b, egress,
                          f->rule[i].action == NET_DENY ? "deny" : "allow",
                          JSON_ARRAY),
                    rule_of(b, f->rule[i].rule));
    return 0;
}

static int put_options(struct learn_base *b, struct err *e)
{
    const struct run_flags *f = &b->x->c->flags;

    if (f->image || f->accept_missing) {
        err_set(e, ERR_MALFORMED_REQUEST,
                "learn: %s is no part of a policy that can be learnt",
                f->image ? "--image" : "--accept-missing");
        return err_hint(e, "leave it out");
    }
    if (f->backend)
        put_member(b, b->root, "containment", f->backend);
    if (f->tier != TIER_ANY)
        put_member(b, child(b, b->root, "guarantees", JSON_OBJECT), "tier",
                   tier_name(f->tier));
    for (size_t i = 0; i < f->nenv; i++) {
        if (!learn_is_plain(f->env[i]))
            return err_set(e, ERR_POLICY_VALIDATION,
                           "--env: a value that is no plain text cannot be "
                           "written into a policy");
        put_env(b, f->env[i]);
    }
    if (f->cwd) {
        const char *cwd = absolute(b, f->cwd);

        if (!cwd || path_has_dotdot(cwd) || !learn_is_plain(cwd))
            return err_set(e, ERR_POLICY_VALIDATION,
                           "--cwd: too long, with '..', or no plain text");
        put_member(b, child(b, b->root, "process", JSON_OBJECT), "cwd", cwd);
    }
    return put_paths(b, f, e) < 0 || put_tools(b, f, e) < 0
               ? -1
               : put_network(b, &f->net, e);
}

/* --- the policy ------------------------------------------------------------
 */

/* In the contract that has words for all of it. */
static int read_policy(struct learn_base *b, struct err *e)
{
    struct cli *c = b->x->c;
    scoped(buf_drop) struct buf text = { .max = 64 << 20 };
    struct migrated m;
    const char *kept;

    if (cli_read_request(c, e) < 0)
        return -1;
    if (migrate_request(&c->arena, c->text, c->text_len, CONTRACT_1_1_0_C1,
                        &text, &m, e) < 0) {
        if (!e->line && e->where[0])
            request_locate(c->text, c->text_len, e->where, &e->line,
                           &e->column);
        return -1;
    }
    if (m.nlost) {
        err_set(e, ERR_MALFORMED_REQUEST,
                "the policy says what contract 1.1.0+c1 has no words for");
        return err_hint(e, "mxc migrate --to 1.1.0+c1 FILE tells what");
    }
    kept = text.failed ? NULL : arena_strndup(&c->arena, text.data, text.len);
    if (!kept)
        return no_memory(e);
    return json_parse(&c->arena, kept, text.len, &b->root, e);
}

/* Does the policy say something of this directory, or of all around it? */
static bool is_covered(const struct learn_base *b, const char *dir)
{
    static const char *const lists[] = { "readonlyPaths", "readwritePaths",
                                         "deniedPaths" };
    struct json *fs = tree_find(b->root, "filesystem");

    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct json *list = tree_find(fs, lists[i]);

        for (struct json *v = list ? list->first : NULL; v; v = v->next) {
            const char *path = arena_strndup(b->t.arena, v->text, v->len);

            path = path ? path_clean(b->t.arena, path) : NULL;
            if (path && path_is_within(dir, path))
                return true;
        }
    }
    return false;
}

/* For reading, so that what is written there is a refusal, and not lost in the
 * sandbox's own memory. */
static void grant_workspace(struct learn_base *b)
{
    struct learning *x = b->x;
    struct learn_entry e = {
        .kind = LEARN_READ,
        .what = x->at.workspace,
        .is_dir = true,
        .message = "the command starts there",
    };

    if (!e.what[0] || is_covered(b, e.what))
        return;
    if (learn_is_path(e.what))
        learn_judge(x, &e);
    else
        e.left_out = "its name cannot be written into a policy";
    if (e.left_out)
        learn_warn(x, "the working directory is not granted; the command "
                      "starts somewhere else");
    (void)learn_add(&x->l, &e);
}

/* One of the places that is opened, to see what is used of it: for writing, but
 * for what is secret in it. */
static int open_place(struct learn_base *b, const char *dir, struct err *e)
{
    struct json *fs = child(b, b->root, "filesystem", JSON_OBJECT), *list;
    struct learnt *secrets = &b->x->secrets;

    secrets->arena = b->t.arena;
    if (learn_forbidden(&b->x->rules, LEARN_WRITE, dir)) {
        err_set(e, ERR_POLICY_VALIDATION,
                "the policy denies '%s', or keeps it for reading; it cannot be "
                "opened to see what is used of it",
                dir);
        return err_hint(e, "--mode deny");
    }
    if (!learn_is_path(dir) || learn_find_secrets(b->x, dir, secrets) < 0) {
        if (learn_must_end(b->x)) {
            err_set(e, ERR_BACKEND_ERROR,
                    "it was to end before '%s' was looked through for secrets",
                    dir);
            return err_hint(e, "a longer --timeout, or --mode deny, which "
                               "opens no directory as a whole");
        }
        err_set(e, ERR_POLICY_VALIDATION,
                "'%s' cannot be opened as a whole: its secrets cannot be told "
                "or denied",
                dir);
        return err_hint(e, "--mode deny, or another directory");
    }
    b->x->open[b->x->nopen++] = dir;
    list = child(b, fs, "readwritePaths", JSON_ARRAY);
    put_string(b, list, dir);
    list = child(b, fs, "deniedPaths", JSON_ARRAY);
    for (size_t i = 0; i < secrets->n; i++)
        if (path_is_within(secrets->entry[i].what, dir))
            put_string(b, list, secrets->entry[i].what);
    return 0;
}

static int open_everything(struct learn_base *b, struct err *e)
{
    const struct learn_place *at = &b->x->at;
    const bool has_home = at->home && at->home[1];
    struct json *egress;

    if (has_home) {
        if (!b->x->has_home)
            put_env(b, arena_printf(b->t.arena, "HOME=%s", at->home));
        if (open_place(b, at->home, e) < 0)
            return -1;
    }
    if (!has_home || !path_is_within(at->workspace, at->home)) {
        if (learn_wide(at->workspace, at))
            learn_warn(b->x, "the working directory holds too much to be "
                             "opened; the command starts somewhere else");
        else if (open_place(b, at->workspace, e) < 0)
            return -1;
    }
    if (b->x->mode != LEARN_PERMISSIVE)
        return 0;
    egress = child(b, child(b, b->root, "network", JSON_OBJECT), "egress",
                   JSON_OBJECT);
    put_member(b, egress, "default", "allow");
    return 0;
}

/* As text, which stays as it is when the tree grows. */
static const char *print(struct learn_base *b, struct err *e)
{
    scoped(buf_drop) struct buf text = { .max = 64 << 20 };
    const char *kept = NULL;

    if (!b->t.failed)
        json_print(&text, b->root);
    if (!b->t.failed && !text.failed)
        kept = arena_strndup(b->t.arena, text.data, text.len);
    if (!kept)
        no_memory(e);
    return kept;
}

static int find_place(struct learning *x, struct err *e)
{
    struct arena *a = &x->c->arena;
    const char *home = getenv("HOME");
    char real[PATH_MAX];

    if (home && home[0] == '/') {
        x->vars.home = path_clean(a, home);
        if (realpath(home, real))
            x->at.home = arena_strdup(a, real);
    }
    if (realpath(".", real))
        x->vars.workspace = arena_strdup(a, real);
    if (!realpath(x->c->flags.cwd ? x->c->flags.cwd : ".", real))
        return err_sys(e, "realpath(3)", errno,
                       "cannot find the working directory");
    x->at.workspace = arena_strdup(a, real);
    if (!x->at.workspace)
        return no_memory(e);
    return 0;
}

/* What of the caller's PATH is a directory. */
static int find_programs(struct learning *x, struct err *e)
{
    struct arena *a = &x->c->arena;
    const char *at = getenv("PATH");
    const char **list;
    char real[PATH_MAX];
    size_t n = 1;

    for (const char *c = at; c && *c; c++)
        n += *c == ':';
    list = arena_array(a, n, sizeof(*list));
    if (!list)
        return no_memory(e);
    for (; at && *at; at += strcspn(at, ":"), at += *at == ':') {
        const char *dir = arena_strndup(a, at, strcspn(at, ":"));

        if (!dir || !realpath(dir[0] ? dir : ".", real))
            continue;
        list[x->at.nprograms] = arena_strdup(a, real);
        if (!list[x->at.nprograms++])
            return no_memory(e);
    }
    x->at.programs = list;
    return 0;
}

/* Under the names that they have on the host, too. */
static int find_rules(struct learn_base *b, struct err *e)
{
    struct learnt *rules = &b->x->rules;
    char real[PATH_MAX];

    learn_rules(b->t.arena, b->root, &b->x->vars, rules);
    for (size_t i = 0, n = rules->n; i < n; i++) {
        struct learn_entry also = rules->entry[i];

        also.what = realpath(also.what, real);
        if (also.what)
            (void)learn_add(rules, &also);
    }
    return rules->more ? err_set(e, ERR_POLICY_VALIDATION,
                                 "the policy names too many paths to learn on "
                                 "top of it")
                       : 0;
}

/* What the request says of the place itself. */
static int find_process(struct learn_base *b, struct err *e)
{
    struct arena *a = b->t.arena;
    struct json *process = tree_find(b->root, "process"),
                *env = process ? tree_find(process, "env") : NULL,
                *cwd = process ? tree_find(process, "cwd") : NULL;
    const char *text;
    char real[PATH_MAX];

    for (struct json *v = env ? env->first : NULL; v; v = v->next)
        if (v->type == JSON_STRING && v->len >= 5 &&
            strncmp(v->text, "HOME=", 5) == 0)
            b->x->has_home = true;
    if (!cwd || cwd->type != JSON_STRING || !cwd->len)
        return 0;
    text = arena_strndup(a, cwd->text, cwd->len);
    if (!text)
        return no_memory(e);
    b->x->at.workspace = variables_expand(a, &b->x->vars, text, e);
    if (!b->x->at.workspace)
        return -1;
    if (realpath(b->x->at.workspace, real))
        b->x->at.workspace = arena_strdup(a, real);
    return b->x->at.workspace ? 0 : no_memory(e);
}

int learn_begin(struct learning *x, struct err *e)
{
    struct learn_base b = { .x = x, .t = { .arena = &x->c->arena } };
    char cwd[PATH_MAX];

    if (find_place(x, e) < 0 || find_programs(x, e) < 0)
        return -1;
    if (!getcwd(cwd, sizeof(cwd)))
        return err_sys(e, "getcwd(3)", errno, "cannot find the directory");
    b.cwd = cwd;
    if (x->c->policy_file) {
        if (read_policy(&b, e) < 0)
            return -1;
    } else {
        b.root = tree_new(&b.t, JSON_OBJECT);
        tree_put(b.root, "version", tree_string(&b.t, "1.1.0+c1"));
    }
    if (put_options(&b, e) < 0 || find_rules(&b, e) < 0 ||
        find_process(&b, e) < 0)
        return -1;
    x->base = print(&b, e);
    if (!x->base)
        return -1;
    if (x->mode == LEARN_BY_DENIAL) {
        grant_workspace(&b);
        return 0;
    }
    if (open_everything(&b, e) < 0)
        return -1;
    x->wide = print(&b, e);
    return x->wide ? 0 : -1;
}
