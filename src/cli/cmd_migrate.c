/* cmd_migrate.c - mxc migrate: a request in a later contract. */
#include <unistd.h>

#include "base/report.h"
#include "cli/cli.h"
#include "policy/migrate.h"

enum { MOST_BYTES = 64 << 20 };

static int check_usage(const struct cli *c, enum contract *to, struct err *e)
{
    *to = c->to ? contract_find(c->to) : CONTRACT_NONE;
    if (!c->policy_file) {
        err_set(e, ERR_MALFORMED_REQUEST, "no request to rewrite");
        return err_hint(e, "mxc migrate old.json > new.json");
    }
    if (!c->to || *to == CONTRACT_1_0_0 || *to == CONTRACT_1_1_0_C1)
        return 0;
    err_set(e, ERR_MALFORMED_REQUEST, "no request is written in contract '%s'",
            c->to);
    return err_hint(e, "1.0.0 or 1.1.0+c1");
}

static void print_notes(const struct cli *c, const struct migrated *m)
{
    struct buf b = { .max = MOST_BYTES };

    for (size_t i = 0; i < m->nnotes; i++) {
        const struct migrate_note *n = &m->note[i];
        unsigned line, column;

        request_locate(c->text, c->text_len, n->path, &line, &column);
        buf_printf(&b, "warning: %s (line %u, column %u): %s%s\n", n->path,
                   line, column, n->is_lost ? "dropped: " : "", n->text);
    }
    if (m->nmore)
        buf_printf(&b, "warning: and %zu more like these\n", m->nmore);
    cli_print(stderr, &b);
    buf_drop(&b);
}

static int write_result(int fd, const struct cli *c, const struct buf *out,
                        const struct migrated *m, struct err *e)
{
    struct buf b = { .max = MOST_BYTES };
    int r;

    buf_printf(&b, "{\"outcome\":\"migrated\",\"exitCode\":%d,\"version\":",
               m->nlost ? CLI_REFUSED : CLI_OK);
    buf_json(&b, contract_name(m->contract));
    buf_puts(&b, ",\"notes\":[");
    for (size_t i = 0; i < m->nnotes; i++) {
        const struct migrate_note *n = &m->note[i];
        unsigned line, column;

        request_locate(c->text, c->text_len, n->path, &line, &column);
        buf_puts(&b, i ? ",{\"where\":" : "{\"where\":");
        buf_json(&b, n->path);
        buf_printf(&b, ",\"line\":%u,\"column\":%u,\"message\":", line, column);
        buf_json(&b, n->text);
        buf_printf(&b, ",\"dropped\":%s}", n->is_lost ? "true" : "false");
    }
    buf_printf(&b, "],\"notesNotListed\":%zu,\"request\":", m->nmore);
    buf_add(&b, out->data, out->len);
    buf_puts(&b, "}\n");
    r = report_write(fd, &b, e);
    buf_drop(&b);
    return r;
}

static int migrate(struct cli *c, enum contract to, struct buf *out,
                   struct migrated *m, struct err *e)
{
    if (cli_read_request(c, e) < 0)
        return -1;
    if (migrate_request(&c->arena, c->text, c->text_len, to, out, m, e) == 0)
        return 0;
    if (!e->line && e->where[0])
        request_locate(c->text, c->text_len, e->where, &e->line, &e->column);
    return -1;
}

static int run(struct cli *c)
{
    scoped(buf_drop) struct buf out = { .max = MOST_BYTES };
    struct migrated m;
    struct err e = { 0 };
    enum contract to;
    int fd;

    if (check_usage(c, &to, &e) < 0)
        return cli_fail(c, &e, CLI_USAGE);
    c->arena.limit = (size_t)512 << 20;
    if (migrate(c, to, &out, &m, &e) < 0 || cli_open_json(c, &fd, &e) < 0)
        return cli_fail(c, &e, CLI_REFUSED);
    if (fd != STDOUT_FILENO)
        cli_print(stdout, &out);
    print_notes(c, &m);
    if (fd >= 0 && write_result(fd, c, &out, &m, &e) < 0) {
        c->json = NULL;
        return cli_fail(c, &e, CLI_FAILED);
    }
    return m.nlost ? CLI_REFUSED : CLI_OK;
}

int cmd_migrate(int argc, char **argv)
{
    struct cli c = { 0 };
    int r = cli_parse(&c, command_find("migrate"), argc, argv);

    if (r < 0)
        r = run(&c);
    cli_free(&c);
    return r;
}
