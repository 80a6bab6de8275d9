/* request.c - see request.h: text to struct request, in one pass over the
 * document per question (which version, which kind, does it fit). */
#include "contract/request.h"

#include <string.h>

#include "contract/check.h"
#include "contract/names.h"
#include "contract/walk.h"

/* The tree of a request that is as long as it may be and reasonably dense
 * fits; one made only of brackets does not. */
#define TREE_MAX_BYTES ((size_t)64 << 20)

static const struct json *probe(const struct walk *w, const struct json *doc,
                                const char *name, bool required)
{
    const struct json *v = json_get(doc, name);

    if (!v) {
        if (!required)
            return NULL;
        walk_fail(w, doc->pos, "missing field '%s'", name);
        return NULL;
    }
    if (v->type == JSON_STRING)
        return v;
    walk_fail(w, v->pos, "expected a string, found %s",
              json_type_name(v->type));
    err_where(w->e, "%s", name);
    return NULL;
}

static int unknown_name(const struct walk *w, const struct json *v,
                        const char *field, const char *what,
                        const struct choice *list)
{
    char name[SHOWN_MAX], names[LISTED_MAX];

    walk_fail(w, v->pos, "%s '%s', expected one of %s", what,
              shown(name, v->text, v->len),
              listed_choices(names, list, w->contract));
    return err_where(w->e, "%s", field);
}

static int unknown_version(const struct walk *w, const struct json *v)
{
    return unknown_name(w, v, "version", "unsupported contract version",
                        contract_names);
}

static int find_version(struct walk *w, const struct json *doc)
{
    const struct json *v = probe(w, doc, "version", true);
    int found;

    if (!v) {
        if (!w->e->where[0])
            err_hint(w->e, "add \"version\": \"1.0.0\"");
        return -1;
    }
    found = choice_find(contract_names, CONTRACT_NONE, v->text, v->len);
    if (found < 0)
        return unknown_version(w, v);
    w->contract = (enum contract)found;
    return 0;
}

static int find_phase(const struct walk *w, const struct json *doc,
                      enum phase *out)
{
    const struct json *v;
    int found;

    /* Where there are no phases, that is an unknown field. */
    if (!json_get(doc, "phase") ||
        !root_find(w->contract, PHASE_START, CONTAIN_PROCESS)) {
        *out = PHASE_NONE;
        return 0;
    }
    v = probe(w, doc, "phase", true);
    if (!v)
        return -1;
    found = choice_find(phase_names, w->contract, v->text, v->len);
    if (found < 0)
        return unknown_name(w, v, "phase", "unknown phase", phase_names);
    *out = (enum phase)found;
    return 0;
}

static int find_backend(const struct walk *w, const struct json *doc,
                        enum containment *out)
{
    const struct json *v = probe(w, doc, "containment", true);
    char name[SHOWN_MAX];
    int found;

    if (!v)
        return -1;
    found = choice_find(containment_names, w->contract, v->text, v->len);
    if (found >= 0 &&
        root_find(w->contract, PHASE_PROVISION, (enum containment)found)) {
        *out = (enum containment)found;
        return 0;
    }
    walk_fail(w, v->pos, "containment '%s' cannot be provisioned",
              shown(name, v->text, v->len));
    return err_where(w->e, "containment");
}

static int find_root(struct walk *w, const struct json *doc,
                     const struct root **out)
{
    enum containment backend = CONTAIN_PROCESS;
    enum phase phase = PHASE_NONE;

    if (doc->type != JSON_OBJECT)
        return walk_fail(w, doc->pos, "expected an object, found %s",
                         json_type_name(doc->type));
    if (find_version(w, doc) < 0 || find_phase(w, doc, &phase) < 0)
        return -1;
    if (phase == PHASE_PROVISION && find_backend(w, doc, &backend) < 0)
        return -1;
    *out = root_find(w->contract, phase, backend);
    return 0;
}

/* Line and column for a fault that knows only its path: the value itself, or
 * the nearest value above it that the document has. */
static void locate_fault(const struct walk *w, const struct json *doc)
{
    char path[sizeof(w->e->where)];
    const struct json *v;

    memcpy(path, w->e->where, sizeof(path));
    while (!(v = json_at(doc, path))) {
        char *dot = strrchr(path, '.'), *bracket = strrchr(path, '[');
        char *cut = dot > bracket ? dot : bracket;

        *(cut ? cut : path) = '\0';
    }
    json_place(w->text, w->len, v->pos, &w->e->line, &w->e->column);
}

static int parse_document(struct walk *w, const struct json *doc,
                          struct request **out)
{
    const struct root *root = NULL;
    struct request *r;

    if (find_root(w, doc, &root) < 0)
        return -1;
    r = arena_alloc(w->arena, sizeof(*r));
    if (!r)
        return walk_fail(w, 0,
                         "request needs more memory than a request may "
                         "use");
    r->contract = w->contract;
    r->version = contract_name(w->contract);
    r->phase = root->phase;
    r->containment = root->containment;
    if (walk_document(w, doc, root->object, r) < 0)
        return -1;
    if (check_request(r, w->e) < 0) {
        locate_fault(w, doc);
        return -1;
    }
    *out = r;
    return 0;
}

int request_parse(struct arena *a, const char *text, size_t len,
                  struct request **out, struct err *e)
{
    scoped(arena_drop) struct arena tree = { .limit = TREE_MAX_BYTES };
    struct walk w = { .arena = a, .text = text, .len = len, .e = e };
    struct json *doc;

    if (len > REQUEST_MAX_BYTES)
        return err_set(e, ERR_MALFORMED_REQUEST,
                       "request has %zu bytes, more than the %u that are read",
                       len, REQUEST_MAX_BYTES);
    if (json_parse(&tree, text, len, &doc, e) < 0)
        return -1;
    return parse_document(&w, doc, out);
}

void request_locate(const char *text, size_t len, const char *path,
                    unsigned *line, unsigned *column)
{
    scoped(arena_drop) struct arena tree = { .limit = TREE_MAX_BYTES };
    const struct json *v;
    struct json *doc;
    struct err e;

    *line = 0;
    *column = 0;
    if (len > REQUEST_MAX_BYTES || json_parse(&tree, text, len, &doc, &e) < 0)
        return;
    v = json_at(doc, path);
    if (v)
        json_place(text, len, v->pos, line, column);
}
