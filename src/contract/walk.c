/* walk.c - see walk.h.
 *
 * The depth of the walk is the depth of the tables: an unknown field is
 * refused before anything below it is looked at. */
#include "contract/walk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "contract/names.h"

/* Where the walk is; a chain on the stack, read only to report a fault. */
struct place {
    const struct place *up;
    const char *name; /* NULL: an element */
    size_t len;       /* of the name */
    size_t index;
    size_t pos; /* byte of the value */
};

static int walk_object(const struct walk *w, const struct place *at,
                       const struct json *v, const struct object *o,
                       char *base);

int walk_fail(const struct walk *w, size_t pos, const char *fmt, ...)
{
    char msg[sizeof(w->e->msg)];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    err_set(w->e, ERR_MALFORMED_REQUEST, "%s", msg);
    json_place(w->text, w->len, pos, &w->e->line, &w->e->column);
    return -1;
}

static size_t path_text(const struct place *at, char *out, size_t size)
{
    char name[SHOWN_MAX];
    size_t used;
    int n;

    if (!at)
        return 0;
    used = path_text(at->up, out, size);
    if (at->name)
        n = snprintf(out + used, size - used, "%s%s", used ? "." : "",
                     shown(name, at->name, at->len));
    else
        n = snprintf(out + used, size - used, "[%zu]", at->index);
    return n < 0 || (size_t)n >= size - used ? used : used + (size_t)n;
}

static int fail(const struct walk *w, const struct place *at, const char *fmt,
                ...) printf_like(3, 4);
static int fail(const struct walk *w, const struct place *at, const char *fmt,
                ...)
{
    char msg[sizeof(w->e->msg)];
    char path[sizeof(w->e->where)];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    walk_fail(w, at ? at->pos : 0, "%s", msg);
    path[path_text(at, path, sizeof(path))] = '\0';
    err_where(w->e, "%s", path);
    return -1;
}

static int no_memory(const struct walk *w, const struct place *at)
{
    return fail(w, at, "request needs more memory than a request may use");
}

static int wrong_type(const struct walk *w, const struct place *at,
                      const struct json *v, const char *expected)
{
    fail(w, at, "expected %s, found %s", expected, json_type_name(v->type));
    if (v->type == JSON_NULL)
        err_hint(w->e, "leave the field out instead of setting it to null");
    return -1;
}

/* The newest contract that has this field, or NULL. */
static const char *contract_with(const struct object *o, const char *name,
                                 size_t len)
{
    for (const struct field *f = o->fields; f->name; f++) {
        if (strlen(f->name) != len || memcmp(f->name, name, len) != 0)
            continue;
        for (int c = CONTRACT_1_1_0_C1; c > CONTRACT_NONE; c--)
            if (f->in & IN(c))
                return contract_name((enum contract)c);
    }
    return NULL;
}

static int unknown_field(const struct walk *w, const struct place *at,
                         const struct object *o)
{
    char name[SHOWN_MAX], list[LISTED_MAX];
    const char *meant = meant_field(o->fields, w->contract, at->name, at->len);
    const char *other = contract_with(o, at->name, at->len);

    fail(w, at, "unknown field '%s', expected one of %s",
         shown(name, at->name, at->len),
         listed_fields(list, o->fields, w->contract));
    if (meant)
        err_hint(w->e, "did you mean '%s'?", meant);
    if (other)
        err_hint(w->e, "contract '%s' has this field", other);
    for (const struct moved *m = o->moved; m && m->name; m++)
        if (strlen(m->name) == at->len &&
            memcmp(m->name, at->name, at->len) == 0)
            err_hint(w->e, "%s", m->now);
    return -1;
}

static const struct field *find_field(const struct object *o, enum contract c,
                                      const struct json *v)
{
    for (const struct field *f = o->fields; f->name; f++)
        if (f->in & IN(c) && strlen(f->name) == v->key_len &&
            memcmp(f->name, v->key, v->key_len) == 0)
            return f;
    return NULL;
}

static int store_bool(const struct walk *w, const struct place *at,
                      const struct json *v, const struct field *f, char *base)
{
    bool value = v->truth != (f->kind == K_NOT);

    if (v->type != JSON_BOOL)
        return wrong_type(w, at, v, "true or false");
    if (f->flags & F_TRUE && !v->truth) {
        fail(w, at, "expected true, found false");
        return err_hint(w->e, "leave the field out instead");
    }
    if (f->off != NOWHERE)
        memcpy(base + f->off, &value, sizeof(value));
    return 0;
}

static int take_string(const struct walk *w, const struct place *at,
                       const struct json *v, const struct format *rule,
                       const char **out)
{
    const char *wrong, *s;

    if (v->type != JSON_STRING)
        return wrong_type(w, at, v, "a string");
    /* C strings end at NUL; what stands behind it would be checked by no one
     * and seen by whoever reads the JSON again. */
    if (v->len && memchr(v->text, '\0', v->len))
        return fail(w, at, "string holds a NUL character");
    s = arena_strndup(w->arena, v->text, v->len);
    if (!s)
        return no_memory(w, at);
    wrong = rule ? rule->wrong(s) : NULL;
    if (wrong)
        return fail(w, at, "%s", wrong);
    *out = s;
    return 0;
}

static int store_string(const struct walk *w, const struct place *at,
                        const struct json *v, const struct field *f, char *base)
{
    const char *s = NULL;

    if (take_string(w, at, v, f->arg, &s) < 0)
        return -1;
    if (f->flags & F_EMPTY_IS_ABSENT && v->len == 0)
        s = NULL;
    if (f->off != NOWHERE)
        memcpy(base + f->off, &s, sizeof(s));
    return 0;
}

static int check_list(const struct walk *w, const struct place *at,
                      const struct json *v, const struct field *f)
{
    if (v->type != JSON_ARRAY)
        return wrong_type(w, at, v, "an array");
    if (f->flags & F_FILLED && v->len == 0) {
        fail(w, at, "array must not be empty");
        return err_hint(w->e, "leave '%s' out to match everything", f->name);
    }
    return 0;
}

static int store_strings(const struct walk *w, const struct place *at,
                         const struct json *v, const struct field *f,
                         char *base)
{
    struct strings list = { .present = true };
    const struct json *c = v->first;

    if (check_list(w, at, v, f) < 0)
        return -1;
    if (v->len) {
        list.item = arena_array(w->arena, v->len, sizeof(*list.item));
        if (!list.item)
            return no_memory(w, at);
    }
    for (; list.n < v->len; c = c->next, list.n++) {
        struct place here = { .up = at, .index = list.n, .pos = c->pos };

        if (take_string(w, &here, c, f->arg, &list.item[list.n]) < 0)
            return -1;
    }
    if (f->off != NOWHERE)
        memcpy(base + f->off, &list, sizeof(list));
    return 0;
}

static int store_choice(const struct walk *w, const struct place *at,
                        const struct json *v, const struct field *f, char *base)
{
    char name[SHOWN_MAX], list[LISTED_MAX];
    const char *meant;
    int value;

    if (v->type != JSON_STRING)
        return wrong_type(w, at, v, "a string");
    value = choice_find(f->arg, w->contract, v->text, v->len);
    if (value < 0) {
        fail(w, at, "unknown value '%s', expected one of %s",
             shown(name, v->text, v->len),
             listed_choices(list, f->arg, w->contract));
        meant = meant_choice(f->arg, w->contract, v->text, v->len);
        return meant ? err_hint(w->e, "did you mean '%s'?", meant) : -1;
    }
    if (f->off != NOWHERE)
        memcpy(base + f->off, &value, sizeof(value));
    return 0;
}

static int wrong_number(const struct walk *w, const struct place *at,
                        const struct json *v, uint64_t least, uint64_t most)
{
    char name[SHOWN_MAX], want[80];

    (void)snprintf(want, sizeof(want),
                   "an integer from %" PRIu64 " to %" PRIu64, least, most);
    if (v->type != JSON_NUMBER)
        return wrong_type(w, at, v, want);
    return fail(w, at, "expected %s, found %s", want,
                shown(name, v->text, v->len));
}

static int store_number(const struct walk *w, const struct place *at,
                        const struct json *v, const struct field *f, char *base)
{
    bool port = f->kind == K_PORT;
    uint64_t least = port || f->flags & F_POSITIVE;
    uint64_t most = port || f->flags & F_PORT ? UINT16_MAX
                    : f->kind == K_U32        ? UINT32_MAX
                                              : UINT64_MAX;
    uint64_t value;
    uint32_t u32;
    uint16_t u16;

    if (json_u64(v, &value) < 0 || value < least || value > most)
        return wrong_number(w, at, v, least, most);
    u32 = (uint32_t)value;
    u16 = (uint16_t)value;
    if (f->off == NOWHERE)
        return 0;
    if (port)
        memcpy(base + f->off, &u16, sizeof(u16));
    else if (f->kind == K_U32)
        memcpy(base + f->off, &u32, sizeof(u32));
    else
        memcpy(base + f->off, &value, sizeof(value));
    return 0;
}

static int store_object(const struct walk *w, const struct place *at,
                        const struct json *v, const struct field *f, char *base)
{
    const bool yes = true;
    bool before = false;

    /* Two rows with one target are two names of one field. */
    if (f->off != NOWHERE)
        memcpy(&before, base + f->off, sizeof(before));
    if (before)
        return fail(w, at,
                    "duplicate field: '%s' is another name of a field "
                    "that is already there",
                    f->name);
    if (f->off != NOWHERE)
        memcpy(base + f->off, &yes, sizeof(yes));
    return walk_object(w, at, v, f->arg, base);
}

static int store_objects(const struct walk *w, const struct place *at,
                         const struct json *v, const struct field *f,
                         char *base)
{
    const struct object *o = f->arg;
    const struct json *c = v->first;
    char *list = NULL;
    size_t n = 0;

    if (check_list(w, at, v, f) < 0)
        return -1;
    if (v->len) {
        list = arena_array(w->arena, v->len, o->size);
        if (!list)
            return no_memory(w, at);
    }
    for (; n < v->len; c = c->next, n++) {
        struct place here = { .up = at, .index = n, .pos = c->pos };

        if (walk_object(w, &here, c, o, list + n * o->size) < 0)
            return -1;
    }
    memcpy(base + f->off, &list, sizeof(list));
    memcpy(base + f->count, &n, sizeof(n));
    return 0;
}

static int store(const struct walk *w, const struct place *at,
                 const struct json *v, const struct field *f, char *base)
{
    const bool yes = true;

    if (f->seen)
        memcpy(base + f->seen, &yes, sizeof(yes));
    switch (f->kind) {
    case K_ANY:
    case K_VERSION:
    case K_PHASE:
    case K_BACKEND:
        return 0;
    case K_BOOL:
    case K_NOT:
        return store_bool(w, at, v, f, base);
    case K_STR:
        return store_string(w, at, v, f, base);
    case K_STRS:
        return store_strings(w, at, v, f, base);
    case K_ENUM:
        return store_choice(w, at, v, f, base);
    case K_U32:
    case K_U64:
    case K_PORT:
        return store_number(w, at, v, f, base);
    case K_OBJ:
        return store_object(w, at, v, f, base);
    case K_OBJS:
        break;
    }
    return store_objects(w, at, v, f, base);
}

static int check_required(const struct walk *w, const struct place *at,
                          const struct object *o, uint64_t seen)
{
    for (size_t i = 0; o->fields[i].name; i++) {
        const struct field *f = &o->fields[i];

        if (f->flags & F_REQUIRED && f->in & IN(w->contract) &&
            !(seen & UINT64_C(1) << i))
            return fail(w, at, "missing field '%s'", f->name);
    }
    return 0;
}

static int walk_object(const struct walk *w, const struct place *at,
                       const struct json *v, const struct object *o, char *base)
{
    uint64_t seen = 0;

    if (v->type != JSON_OBJECT)
        return wrong_type(w, at, v, "an object");
    for (const struct json *c = v->first; c; c = c->next) {
        struct place here = {
            .up = at, .name = c->key, .len = c->key_len, .pos = c->key_pos
        };
        const struct field *f = find_field(o, w->contract, c);
        uint64_t bit;

        if (!f)
            return unknown_field(w, &here, o);
        bit = UINT64_C(1) << (f - o->fields);
        if (seen & bit)
            return fail(w, &here, "duplicate field '%s'", f->name);
        seen |= bit;
        here.pos = c->pos;
        if (store(w, &here, c, f, base) < 0)
            return -1;
    }
    return check_required(w, at, o, seen);
}

int walk_document(const struct walk *w, const struct json *v,
                  const struct object *o, void *base)
{
    return walk_object(w, NULL, v, o, base);
}
