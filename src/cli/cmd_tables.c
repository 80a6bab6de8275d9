/* cmd_tables.c - mxc tables: the tables of this program as one JSON object.
 *
 * Hidden: completions, man pages and reference pages are made from it
 * (tools/gen-docs), so that they cannot drift from what the program does.
 * Its form is no promise to anybody else. */
#include <string.h>

#include "cli/cli.h"
#include "contract/table.h"
#include "sys/probe.h"

static void member(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "\"%s\":", name);
    if (value)
        buf_json(b, value);
    else
        buf_puts(b, "null");
}

static void separate(struct buf *b, bool *is_first)
{
    if (!*is_first)
        buf_putc(b, ',');
    *is_first = false;
}

static void put_options(struct buf *b, const struct command *cmd)
{
    bool is_first = true;

    buf_puts(b, ",\"options\":[");
    for (const struct option_row *o = option_rows; o->name; o++) {
        if (!takes_option(cmd, o))
            continue;
        separate(b, &is_first);
        buf_putc(b, '{');
        member(b, "name", o->name);
        buf_printf(b, ",\"letter\":\"%.1s\",", o->letter ? &o->letter : "");
        member(b, "arg", o->arg);
        buf_putc(b, ',');
        member(b, "doc", o->doc);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void put_verbs(struct buf *b, const struct command *cmd)
{
    bool is_first = true;

    buf_puts(b, ",\"verbs\":[");
    for (const char *const *v = cmd->verbs; v && *v; v++) {
        separate(b, &is_first);
        buf_json(b, *v);
    }
    buf_putc(b, ']');
}

static void put_commands(struct buf *b)
{
    bool is_first = true;

    buf_puts(b, "\"commands\":[");
    for (const struct command *c = commands; c->name; c++) {
        if (c->groups & OPT_HIDDEN)
            continue;
        separate(b, &is_first);
        buf_putc(b, '{');
        member(b, "name", c->name);
        buf_putc(b, ',');
        member(b, "args", c->args);
        buf_putc(b, ',');
        member(b, "summary", c->summary);
        buf_putc(b, ',');
        member(b, "help", c->help);
        buf_printf(b, ",\"operands\":%s",
                   c->groups & (OPT_POLICY | OPT_FILE | OPT_TAIL | OPT_WORDS)
                       ? "true"
                       : "false");
        put_verbs(b, c);
        put_options(b, c);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static void put_codes(struct buf *b)
{
    buf_puts(b, ",\"errors\":[");
#define X(num, id, str)                                                        \
    buf_printf(b, "%s{\"number\":%d,\"name\":\"%s\"}", (num) == 1 ? "" : ",",  \
               (num), (str));
    ERR_CODES(X)
#undef X
    buf_puts(b, "],\"walls\":[");
#define X(bit, id, str, doc)                                                   \
    buf_printf(b, "%s{\"name\":\"%s\",\"doc\":\"%s\"}", (bit) == 0 ? "" : ",", \
               (str), (doc));
    WALLS(X)
#undef X
    buf_puts(b, "]");
}

static void put_backends(struct buf *b)
{
    bool is_first = true;

    buf_puts(b, ",\"backends\":[");
    for (const struct backend *const *p = backends; *p; p++) {
        separate(b, &is_first);
        buf_putc(b, '{');
        member(b, "name", (*p)->name);
        buf_putc(b, ',');
        member(b, "summary", (*p)->summary);
        buf_putc(b, ',');
        member(b, "tier", tier_name((*p)->tier));
        buf_printf(b, ",\"features\":%u}", (unsigned)(*p)->features);
    }
    buf_puts(b, "],\"tiers\":[");
    for (const struct choice *t = tier_names; t->name; t++) {
        buf_puts(b, t == tier_names ? "" : ",");
        buf_json(b, t->name);
    }
    buf_puts(b, "],\"probes\":[");
    for (const struct probe *p = probes; p->name; p++) {
        buf_puts(b, p == probes ? "{" : ",{");
        member(b, "name", p->name);
        buf_putc(b, ',');
        member(b, "what", p->what);
        buf_putc(b, ',');
        member(b, "without", p->without);
        buf_putc(b, ',');
        member(b, "remedy", p->remedy);
        buf_printf(b, ",\"kind\":%d}", (int)p->kind);
    }
    buf_putc(b, ']');
}

static void put_choices(struct buf *b, const struct field *f)
{
    bool is_first = true;

    buf_puts(b, ",\"choices\":[");
    for (const struct choice *c = f->arg; c->name; c++) {
        separate(b, &is_first);
        buf_putc(b, '{');
        member(b, "name", c->name);
        buf_printf(b, ",\"in\":%u}", c->in ? c->in : f->in);
    }
    buf_putc(b, ']');
}

static void put_limits(struct buf *b)
{
    buf_puts(b, ",\"limits\":[");
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        buf_puts(b, i ? ",{" : "{");
        member(b, "name", limit_rows[i].name);
        buf_putc(b, ',');
        member(b, "word", limit_rows[i].word);
        buf_putc(b, ',');
        member(b, "doc", limit_rows[i].what);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static const char *type_of(enum kind k)
{
    static const char *const names[] = {
        [K_ANY] = "anything", [K_VERSION] = "version",
        [K_PHASE] = "phase",  [K_BACKEND] = "string",
        [K_BOOL] = "boolean", [K_NOT] = "boolean",
        [K_STR] = "string",   [K_STRS] = "list of strings",
        [K_ENUM] = "word",    [K_U32] = "integer",
        [K_U64] = "integer",  [K_PORT] = "port",
        [K_OBJ] = "object",   [K_OBJS] = "list of objects",
    };

    return names[k];
}

struct place_in {
    const struct object *object;
    const char *prefix;
    unsigned in; /* contracts that have the object there */
};

static void put_field(struct buf *b, const struct field *f,
                      const struct place_in *at)
{
    char path[160];

    (void)snprintf(path, sizeof(path), "%s%s", at->prefix, f->name);
    buf_putc(b, '{');
    member(b, "path", path);
    buf_putc(b, ',');
    member(b, "type", type_of(f->kind));
    buf_putc(b, ',');
    member(b, "doc", f->doc);
    buf_printf(b, ",\"in\":%u,\"required\":%s,\"positive\":%s", f->in & at->in,
               f->flags & F_REQUIRED ? "true" : "false",
               f->flags & F_POSITIVE ? "true" : "false");
    if (f->kind == K_ENUM)
        put_choices(b, f);
    buf_putc(b, '}');
}

/* The tables are nested a fixed number of levels deep: the stack is enough. */
static void put_object(struct buf *b, struct place_in at, bool *is_first)
{
    for (const struct field *f = at.object->fields; f->name; f++) {
        char prefix[160];

        if (!(f->in & at.in))
            continue;
        separate(b, is_first);
        put_field(b, f, &at);
        if (f->kind != K_OBJ && f->kind != K_OBJS)
            continue;
        (void)snprintf(prefix, sizeof(prefix), "%s%s%s.", at.prefix, f->name,
                       f->kind == K_OBJS ? "[]" : "");
        put_object(b, (struct place_in){ f->arg, prefix, f->in & at.in },
                   is_first);
    }
}

static void put_contracts(struct buf *b)
{
    bool is_first = true;

    buf_puts(b, ",\"contracts\":[");
    for (const struct choice *c = contract_names; c->name; c++) {
        buf_puts(b, c == contract_names ? "{" : ",{");
        member(b, "name", c->name);
        buf_printf(b, ",\"in\":%u}", IN(c->value));
    }
    buf_puts(b, "],\"fields\":[");
    put_object(b, (struct place_in){ roots[0].object, "", IN_ALL }, &is_first);
    buf_putc(b, ']');
}

int cmd_tables(int argc, char **argv)
{
    struct cli c = { 0 };
    struct buf b = { .max = 4 << 20 };
    int r = cli_parse(&c, command_find("tables"), argc, argv);

    if (r < 0) {
        buf_putc(&b, '{');
        member(&b, "version", MXC_VERSION);
        buf_putc(&b, ',');
        put_commands(&b);
        put_codes(&b);
        put_backends(&b);
        put_limits(&b);
        put_contracts(&b);
        buf_puts(&b, "}\n");
        cli_print(stdout, &b);
        r = b.failed ? CLI_FAILED : CLI_OK;
    }
    buf_drop(&b);
    cli_free(&c);
    return r;
}
