/* schema.c - see schema.h. */
#include "contract/schema.h"

#include <inttypes.h>
#include <string.h>

#include "contract/table.h"

/* More objects than the tables have; what does not fit fails the buffer. */
enum { OBJECTS_MAX = 64 };

struct writer {
    struct buf *out;
    enum contract contract;
    unsigned depth;
    bool filled; /* the open object has a member already */
    const struct object *objects[OBJECTS_MAX];
    size_t n;
};

static void line(struct writer *w)
{
    buf_putc(w->out, '\n');
    for (unsigned i = 0; i < w->depth; i++)
        buf_puts(w->out, "  ");
}

/* A comma where one is due, and the key (none in an array). */
static void key(struct writer *w, const char *name)
{
    if (w->filled)
        buf_putc(w->out, ',');
    line(w);
    w->filled = true;
    if (!name)
        return;
    buf_json(w->out, name);
    buf_puts(w->out, ": ");
}

static void begin(struct writer *w, const char *name, char bracket)
{
    key(w, name);
    buf_putc(w->out, bracket);
    w->depth++;
    w->filled = false;
}

static void end(struct writer *w, char bracket)
{
    w->depth--;
    if (w->filled)
        line(w);
    buf_putc(w->out, bracket);
    w->filled = true;
}

static void text(struct writer *w, const char *name, const char *value)
{
    key(w, name);
    buf_json(w->out, value);
}

static void number(struct writer *w, const char *name, uint64_t value)
{
    key(w, name);
    buf_printf(w->out, "%" PRIu64, value);
}

static void reference(struct writer *w, const struct object *o)
{
    key(w, "$ref");
    buf_printf(w->out, "\"#/$defs/%s\"", o->name);
}

static void string_type(struct writer *w, const struct format *rule)
{
    text(w, "type", "string");
    if (!rule)
        return;
    if (rule->min_length)
        number(w, "minLength", rule->min_length);
    if (rule->pattern)
        text(w, "pattern", rule->pattern);
}

static void choices(struct writer *w, const struct choice *list)
{
    begin(w, "enum", '[');
    for (; list->name; list++)
        if (!list->in || list->in & IN(w->contract))
            text(w, NULL, list->name);
    end(w, ']');
}

static void array_type(struct writer *w, const struct field *f)
{
    text(w, "type", "array");
    if (f->flags & F_FILLED)
        number(w, "minItems", 1);
    begin(w, "items", '{');
    if (f->kind == K_OBJS)
        reference(w, f->arg);
    else
        string_type(w, f->arg);
    end(w, '}');
}

static void integer_type(struct writer *w, const struct field *f)
{
    text(w, "type", "integer");
    number(w, "minimum", f->kind == K_PORT || f->flags & F_POSITIVE);
    number(w, "maximum",
           f->kind == K_PORT || f->flags & F_PORT ? UINT16_MAX
           : f->kind == K_U32                     ? UINT32_MAX
                                                  : UINT64_MAX);
}

static const char *phase_name(enum phase p)
{
    for (const struct choice *c = phase_names; c->name; c++)
        if (c->value == (int)p)
            return c->name;
    return "";
}

static void type_of(struct writer *w, const struct field *f,
                    const struct root *root)
{
    switch (f->kind) {
    case K_ANY:
        return;
    case K_VERSION:
        text(w, "const", contract_name(w->contract));
        return;
    case K_PHASE:
        text(w, "const", phase_name(root->phase));
        return;
    case K_BACKEND:
        text(w, "const", containment_name(root->containment));
        return;
    case K_BOOL:
    case K_NOT:
        text(w, "type", "boolean");
        if (f->flags & F_TRUE) {
            key(w, "const");
            buf_puts(w->out, "true");
        }
        return;
    case K_STR:
        string_type(w, f->arg);
        return;
    case K_ENUM:
        choices(w, f->arg);
        return;
    case K_U32:
    case K_U64:
    case K_PORT:
        integer_type(w, f);
        return;
    case K_OBJ:
        reference(w, f->arg);
        return;
    case K_STRS:
    case K_OBJS:
        break;
    }
    array_type(w, f);
}

static void required(struct writer *w, const struct object *o)
{
    bool any = false;

    for (const struct field *f = o->fields; f->name; f++)
        any |= f->flags & F_REQUIRED && f->in & IN(w->contract);
    if (!any)
        return;
    begin(w, "required", '[');
    for (const struct field *f = o->fields; f->name; f++)
        if (f->flags & F_REQUIRED && f->in & IN(w->contract))
            text(w, NULL, f->name);
    end(w, ']');
}

static void definition(struct writer *w, const struct object *o,
                       const struct root *root)
{
    begin(w, o->name, '{');
    text(w, "type", "object");
    key(w, "additionalProperties");
    buf_puts(w->out, "false");
    required(w, o);
    begin(w, "properties", '{');
    for (const struct field *f = o->fields; f->name; f++) {
        if (!(f->in & IN(w->contract)))
            continue;
        begin(w, f->name, '{');
        text(w, "description", f->doc);
        type_of(w, f, root);
        end(w, '}');
    }
    end(w, '}');
    end(w, '}');
}

static bool is_listed(const struct writer *w, const struct object *o)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->objects[i] == o)
            return true;
    return false;
}

/* The objects below o that this contract has, each once. */
static void list_below(struct writer *w, const struct object *o)
{
    for (const struct field *f = o->fields; f->name; f++) {
        const struct object *child = f->arg;

        if ((f->kind != K_OBJ && f->kind != K_OBJS) ||
            !(f->in & IN(w->contract)) || is_listed(w, child))
            continue;
        if (w->n == OBJECTS_MAX) {
            w->out->failed = true;
            return;
        }
        w->objects[w->n++] = child;
        list_below(w, child);
    }
}

static void write_head(struct writer *w)
{
    const char *name = contract_name(w->contract);

    text(w, "$schema", "https://json-schema.org/draft/2020-12/schema");
    key(w, "$id");
    buf_printf(w->out, "\"urn:mxc:contract:%s\"", name);
    key(w, "title");
    buf_printf(w->out, "\"mxc request, contract %s\"", name);
    begin(w, "oneOf", '[');
    for (const struct root *r = roots; r->object; r++) {
        if (!(r->in & IN(w->contract)))
            continue;
        begin(w, NULL, '{');
        reference(w, r->object);
        end(w, '}');
    }
    end(w, ']');
}

void contract_schema(enum contract c, struct buf *out)
{
    static const struct root no_root = { 0 };
    struct writer w = { .out = out, .contract = c };

    buf_putc(out, '{');
    w.depth = 1;
    write_head(&w);
    begin(&w, "$defs", '{');
    for (const struct root *r = roots; r->object; r++) {
        if (!(r->in & IN(c)))
            continue;
        definition(&w, r->object, r);
        list_below(&w, r->object);
    }
    for (size_t i = 0; i < w.n; i++)
        definition(&w, w.objects[i], &no_root);
    end(&w, '}');
    end(&w, '}');
    buf_putc(out, '\n');
}

/* A JSON string, as a libFuzzer dictionary writes it; each once. */
static void word(struct buf *out, const char *s)
{
    struct buf entry = { .max = 256 };

    buf_printf(&entry, "\"\\\"%s\\\"\"\n", s);
    if (entry.failed)
        out->failed = true;
    else if (!out->data || !strstr(out->data, entry.data))
        buf_add(out, entry.data, entry.len);
    buf_drop(&entry);
}

static void words(struct buf *out, const struct choice *list)
{
    for (; list->name; list++)
        word(out, list->name);
}

static void words_of(struct buf *out, const struct object *o)
{
    for (const struct field *f = o->fields; f->name; f++) {
        word(out, f->name);
        if (f->kind == K_ENUM)
            words(out, f->arg);
        else if (f->kind == K_OBJ || f->kind == K_OBJS)
            words_of(out, f->arg);
    }
}

void contract_fuzz_dictionary(struct buf *out)
{
    words(out, contract_names);
    words(out, phase_names);
    for (const struct root *r = roots; r->object; r++)
        words_of(out, r->object);
}
