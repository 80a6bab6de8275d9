/* document.c - a request with what was learnt. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/scoped.h"
#include "contract/cidr.h"
#include "learn/learn.h"
#include "policy/fs.h"
#include "policy/tree.h"

struct learn_doc {
    struct tree t;
    struct json *root;
    const struct learnt *l;
    struct learnt rules; /* of the base */
    const struct variables *v;
    bool spells; /* paths with variables */
};

/* --- what the base says ----------------------------------------------------
 */

static const char *const lists[] = { [LEARN_READ] = "readonlyPaths",
                                     [LEARN_WRITE] = "readwritePaths",
                                     [LEARN_DENY] = "deniedPaths" };

static const char *clean(struct arena *a, const struct variables *vars,
                         const struct json *v)
{
    struct err e = { 0 };
    const char *text =
        v->type == JSON_STRING ? arena_strndup(a, v->text, v->len) : NULL;

    if (text)
        text = variables_expand(a, vars, text, &e);
    return text ? path_clean(a, text) : NULL;
}

void learn_rules(struct arena *a, struct json *root,
                 const struct variables *vars, struct learnt *out)
{
    struct json *fs = tree_find(root, "filesystem");

    out->arena = a;
    for (size_t i = 0; fs && i < ARRAY_LEN(lists); i++) {
        struct json *list = tree_find(fs, lists[i]);

        for (struct json *v = list ? list->first : NULL; v; v = v->next) {
            const struct learn_entry e = { .kind = (enum learn_kind)i,
                                           .what = clean(a, vars, v) };

            if (e.what)
                (void)learn_add(out, &e);
        }
    }
}

/* The deepest rule that holds a path; of several the strictest. */
static const struct learn_entry *deepest(const struct learnt *rules,
                                         const char *path)
{
    const struct learn_entry *found = NULL;

    for (size_t i = 0; i < rules->n; i++) {
        const struct learn_entry *e = &rules->entry[i];
        const size_t n = strlen(e->what), m = found ? strlen(found->what) : 0;

        if (path_is_within(path, e->what) &&
            (!found || n > m ||
             (n == m &&
              (e->kind == LEARN_DENY ||
               (e->kind == LEARN_READ && found->kind != LEARN_DENY)))))
            found = e;
    }
    return found;
}

const char *learn_forbidden(const struct learnt *rules, enum learn_kind kind,
                            const char *path)
{
    const struct learn_entry *by = deepest(rules, path);

    if (!by || kind == LEARN_DENY || kind > LEARN_GUARD)
        return NULL;
    if (by->kind == LEARN_DENY)
        return "your policy denies it";
    for (size_t i = 0; i < rules->n && kind == LEARN_WRITE; i++)
        if (by->kind == LEARN_READ && rules->entry[i].kind == LEARN_WRITE &&
            strcmp(rules->entry[i].what, by->what) != 0 &&
            path_is_within(by->what, rules->entry[i].what))
            return "your policy keeps it for reading inside of what it grants";
    return NULL;
}

static struct json *child(struct learn_doc *d, struct json *of, const char *key,
                          enum json_type type)
{
    struct json *v = tree_find(of, key);

    if (v && v->type == type)
        return v;
    v = tree_new(&d->t, type);
    tree_put(of, key, v);
    return v;
}

/* A path may be written in several ways. */
static struct json **find_string(struct learn_doc *d, struct json *list,
                                 const char *text)
{
    struct json **at = &list->first;

    for (; *at && !json_is(*at, text); at = &(*at)->next) {
        const char *path = text[0] == '/' ? clean(d->t.arena, d->v, *at) : NULL;

        if (path && strcmp(path, text) == 0)
            break;
    }
    return at;
}

static const char *spell(struct learn_doc *d, const char *path)
{
    return d->spells ? variables_spell(d->t.arena, d->v, path) : path;
}

static void add_path(struct learn_doc *d, struct json *list, const char *path)
{
    if (list && !*find_string(d, list, path))
        tree_append(list, tree_string(&d->t, spell(d, path)));
}

/* NAME=VALUE, of which the value may be a path. */
static void add_env(struct learn_doc *d, struct json *list, const char *text)
{
    const char *value = strchr(text, '=');

    if (value && value[1] == '/')
        text = arena_printf(d->t.arena, "%.*s=%s", (int)(value - text), text,
                            spell(d, value + 1));
    if (list && text && !*find_string(d, list, text))
        tree_append(list, tree_string(&d->t, text));
}

static void cut_string(struct learn_doc *d, struct json *list, const char *text)
{
    struct json **at;

    while (list && *(at = find_string(d, list, text))) {
        *at = (*at)->next;
        list->len--;
    }
}

static const char *list_of(enum learn_kind kind)
{
    return lists[kind == LEARN_GUARD ? LEARN_READ : kind];
}

static void put_paths(struct learn_doc *d)
{
    for (size_t i = 0; i < d->l->n; i++) {
        const struct learn_entry *e = &d->l->entry[i];
        struct json *fs;

        if (!learn_is_granted(e) || e->kind > LEARN_GUARD ||
            learn_forbidden(&d->rules, e->kind, e->what))
            continue;
        fs = child(d, d->root, "filesystem", JSON_OBJECT);
        /* Of two grants of one path the one for reading would win. */
        if (e->kind == LEARN_WRITE)
            cut_string(d, tree_find(fs, "readonlyPaths"), e->what);
        add_path(d, child(d, fs, list_of(e->kind), JSON_ARRAY), e->what);
    }
}

static void put_env(struct learn_doc *d)
{
    for (size_t i = 0; i < d->l->n; i++) {
        const struct learn_entry *e = &d->l->entry[i];
        struct json *process, *inherit;

        if (!learn_is_granted(e) || e->kind != LEARN_ENV)
            continue;
        process = child(d, d->root, "process", JSON_OBJECT);
        if (!tree_find(process, "env")) {
            inherit = tree_new(&d->t, JSON_BOOL);
            if (inherit)
                inherit->truth = true;
            (void)tree_cut(process, "inheritDefaultEnv");
            tree_put(process, "inheritDefaultEnv", inherit);
        }
        add_env(d, child(d, process, "env", JSON_ARRAY), e->what);
    }
}

static void put_cwd(struct learn_doc *d)
{
    for (size_t i = 0; i < d->l->n; i++) {
        const struct learn_entry *e = &d->l->entry[i];
        struct json *process;

        if (!learn_is_granted(e) || e->kind != LEARN_CWD)
            continue;
        process = child(d, d->root, "process", JSON_OBJECT);
        if (!tree_find(process, "cwd"))
            tree_put(process, "cwd", tree_string(&d->t, spell(d, e->what)));
    }
}

/* --- the network -----------------------------------------------------------
 */

static const char *const proto_names[] = { "any", "tcp", "udp", "icmp" };

static struct json *number(struct learn_doc *d, uint16_t value)
{
    struct json *v = tree_new(&d->t, JSON_NUMBER);
    const char *text = arena_printf(d->t.arena, "%u", value);

    if (!v || !text) {
        d->t.failed = true;
        return NULL;
    }
    v->text = text;
    v->len = (uint32_t)strlen(text);
    return v;
}

static struct json *port_of(struct learn_doc *d, const struct learn_entry *e)
{
    struct json *port = tree_new(&d->t, JSON_OBJECT);

    tree_put(port, "protocol", tree_string(&d->t, proto_names[e->proto]));
    if (e->port && e->proto != LEARN_ICMP)
        tree_put(port, "port", number(d, e->port));
    return port;
}

static bool is_peer(const struct learn_entry *e)
{
    return learn_is_granted(e) &&
           (e->kind == LEARN_HOST || e->kind == LEARN_NET);
}

/* "192.0.2.1" as the block that it is. */
static const char *block_of(struct learn_doc *d, const char *address)
{
    char text[CIDR_TEXT_MAX];
    struct cidr block;
    const char *why;

    if (cidr_parse(address, &block, &why) < 0)
        return address;
    cidr_print(&block, text);
    return arena_strdup(d->t.arena, text);
}

/* One rule for all ports of a peer, where its first entry stands. */
static void put_rule(struct learn_doc *d, size_t first, struct json *list)
{
    const struct learn_entry *e = &d->l->entry[first];
    struct json *rule, *to, *peer, *ports;

    for (size_t i = 0; i < first; i++)
        if (is_peer(&d->l->entry[i]) && d->l->entry[i].kind == e->kind &&
            strcmp(d->l->entry[i].what, e->what) == 0)
            return;
    rule = tree_new(&d->t, JSON_OBJECT);
    to = tree_new(&d->t, JSON_ARRAY);
    peer = tree_new(&d->t, JSON_OBJECT);
    ports = tree_new(&d->t, JSON_ARRAY);
    if (e->kind == LEARN_HOST)
        tree_put(peer, "host", tree_string(&d->t, e->what));
    else
        tree_put(peer, "cidr", tree_string(&d->t, block_of(d, e->what)));
    tree_append(to, peer);
    tree_put(rule, "to", to);
    for (size_t i = first; i < d->l->n; i++)
        if (is_peer(&d->l->entry[i]) && d->l->entry[i].kind == e->kind &&
            strcmp(d->l->entry[i].what, e->what) == 0)
            tree_append(ports, port_of(d, &d->l->entry[i]));
    tree_put(rule, "ports", ports);
    tree_append(list, rule);
}

static void put_network(struct learn_doc *d)
{
    for (size_t i = 0; i < d->l->n; i++) {
        struct json *egress;

        if (!is_peer(&d->l->entry[i]))
            continue;
        egress = child(d, child(d, d->root, "network", JSON_OBJECT), "egress",
                       JSON_OBJECT);
        put_rule(d, i, child(d, egress, "allow", JSON_ARRAY));
    }
}

int learn_document(struct arena *a, const char *base, size_t len,
                   const struct variables *v, bool spells,
                   const struct learnt *l, struct buf *out, struct err *e)
{
    struct learn_doc d = {
        .t = { .arena = a }, .l = l, .v = v, .spells = spells
    };

    if (base) {
        if (json_parse(a, base, len, &d.root, e) < 0)
            return -1;
    } else {
        d.root = tree_new(&d.t, JSON_OBJECT);
        tree_put(d.root, "version", tree_string(&d.t, "1.1.0+c1"));
    }
    learn_rules(a, d.root, v, &d.rules);
    if (d.rules.more)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "the policy names too many paths to learn on top of it");
    put_env(&d);
    put_cwd(&d);
    put_paths(&d);
    put_network(&d);
    if (!d.t.failed)
        json_print(out, d.root);
    if (d.t.failed || out->failed)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for the policy");
    return 0;
}
