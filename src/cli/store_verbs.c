/* store_verbs.c - see store_verbs.h. */
#include "cli/store_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/report.h"

void store_put_time(struct buf *b, time_t at)
{
    struct tm tm = { 0 };
    char text[32];

    (void)gmtime_r(&at, &tm);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    buf_puts(b, text);
}

static int find_verb(const struct store_command *s, const struct cli *c,
                     struct err *e)
{
    int v = 0;

    while (c->nwords && s->verbs[v] && strcmp(s->verbs[v], c->word[0]) != 0)
        v++;
    if (c->nwords == 0)
        err_set(e, ERR_MALFORMED_REQUEST, "%s: no verb", s->name);
    else if (!s->verbs[v])
        err_set(e, ERR_MALFORMED_REQUEST, "%s: no such verb '%s'", s->name,
                c->word[0]);
    if (c->nwords == 0 || !s->verbs[v])
        return err_hint(e, "%s; mxc %s --help", s->hint, s->name);
    if (c->template && !s->verb[v].takes_template) {
        err_set(e, ERR_MALFORMED_REQUEST, "%s %s: --template is for download",
                s->name, s->verbs[v]);
        return err_hint(e, "%s", s->verb[v].usage);
    }
    if (c->nwords - 1 == s->verb[v].operands)
        return v;
    err_set(e, ERR_MALFORMED_REQUEST, "%s %s: %s", s->name, s->verbs[v],
            c->nwords - 1 < s->verb[v].operands ? "an operand is missing"
                                                : "too many operands");
    return err_hint(e, "%s", s->verb[v].usage);
}

/* What the answer is, to whom it was asked for. */
static int answer(struct cli *c, struct store_call *k, int fd, struct err *e)
{
    buf_puts(k->json, "}\n");
    if (k->json->failed || k->text->failed)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (fd != STDOUT_FILENO)
        cli_print(stdout, k->text);
    if (fd >= 0 && report_write(fd, k->json, e) < 0) {
        c->json = NULL;
        return -1;
    }
    return 0;
}

static int run(const struct store_command *s, struct cli *c)
{
    scoped(buf_drop) struct buf text = { .max = 64 << 20 };
    scoped(buf_drop) struct buf json = { .max = 64 << 20 };
    struct store_call k = { .c = c,
                            .at = { getenv("XDG_DATA_HOME"), getenv("HOME") },
                            .text = &text,
                            .json = &json };
    struct err e = { 0 };
    int v = find_verb(s, c, &e), fd;

    if (v < 0)
        return cli_fail(c, &e, CLI_USAGE);
    k.name = c->nwords > 1 ? c->word[1] : NULL;
    k.source = c->nwords > 2 ? c->word[2] : NULL;
    buf_puts(&json, "{\"exitCode\":0,");
    if (cli_open_json(c, &fd, &e) < 0 || s->verb[v].run(&k, &e) < 0 ||
        answer(c, &k, fd, &e) < 0)
        return cli_fail(c, &e, CLI_REFUSED);
    return CLI_OK;
}

int store_command(const struct store_command *s, int argc, char **argv)
{
    struct cli c = { 0 };
    int r = cli_parse(&c, command_find(s->name), argc, argv);

    if (r < 0)
        r = run(s, &c);
    cli_free(&c);
    return r;
}
