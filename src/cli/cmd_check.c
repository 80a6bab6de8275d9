/* cmd_check.c - mxc check, mxc explain: say, do not run. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static int prepare_only(struct cli *c, struct prepared *p, struct err *e)
{
    c->flags.term = getenv("TERM");
    c->flags.home = getenv("HOME");
    c->flags.search_path = getenv("PATH");
    if (cli_read_request(c, e) < 0)
        return -1;
    return prepare(&c->arena, c->text, c->text_len, &c->flags, true, p, e);
}

static void write_ok(int fd, const struct prepared *p)
{
    struct buf b = { .max = 4 << 20 };

    buf_puts(&b, "{\"outcome\":\"valid\",\"exitCode\":0,");
    buf_puts(&b, p->plan.receipt);
    buf_puts(&b, "}\n");
    if (!b.failed)
        (void)!write(fd, b.data, b.len);
    buf_drop(&b);
}

int cmd_check(int argc, char **argv)
{
    struct cli c = { 0 };
    struct err e = { 0 };
    struct prepared p;
    int r = cli_parse(&c, command_find("check"), argc, argv), fd;

    if (r < 0) {
        if (prepare_only(&c, &p, &e) < 0 || cli_open_json(&c, &fd, &e) < 0) {
            r = cli_fail(&c, &e, CLI_REFUSED);
        } else {
            for (size_t i = 0; i < p.policy.nwarnings; i++)
                (void)printf("warning: %s\n", p.policy.warning[i]);
            (void)printf("ok: backend '%s' would run it\n", p.backend->name);
            if (fd >= 0)
                write_ok(fd, &p);
            r = CLI_OK;
        }
    }
    cli_free(&c);
    return r;
}

static void line(struct buf *b, const char *name, const char *value,
                 const char *origin)
{
    buf_printf(b, "  %-12s ", name);
    buf_shown(b, value);
    if (origin)
        buf_printf(b, "   (%s)", origin);
    buf_putc(b, '\n');
}

static void explain_paths(struct buf *b, const struct policy *p)
{
    static const char *const names[] = { "denied", "read-only",
                                         "read-write" };

    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < p->nrules; i++)
            if (p->rule[i].base == (pass == 1))
                line(b, names[p->rule[i].access], p->rule[i].path,
                     p->rule[i].origin);
    buf_printf(b, "  everything else is not there; /tmp, /dev, /proc and the "
               "root are private and temporary\n");
}

static void explain_policy(struct buf *b, const struct prepared *p)
{
    const struct policy *q = &p->policy;

    buf_puts(b, "Command\n");
    buf_puts(b, "  ");
    for (size_t i = 0; i < q->nargs; i++) {
        buf_shown(b, q->arg[i]);
        buf_putc(b, ' ');
    }
    if (q->arg_origin)
        buf_printf(b, "  (%s)", q->arg_origin);
    buf_putc(b, '\n');
    line(b, "starts in", p->cwd, q->cwd ? q->cwd_origin : "default");
    if (q->timeout_ms)
        buf_printf(b, "  %-12s %llu ms   (%s)\n", "timeout",
                   (unsigned long long)q->timeout_ms, q->timeout_origin);
    buf_puts(b, "\nFiles\n");
    explain_paths(b, q);
    buf_puts(b, "\nNetwork\n  none\n\nUser interface\n  none\n");
    buf_printf(b, "\nEnvironment (%s)\n", q->env_origin);
    for (size_t i = 0; i < q->nenv; i++) {
        buf_puts(b, "  ");
        buf_shown(b, q->env[i]);
        buf_putc(b, '\n');
    }
}

static void explain_receipt(struct buf *b, const struct prepared *p)
{
    buf_printf(b, "\nWhat enforces it: backend '%s' (%s)\n", p->backend->name,
               p->backend->summary);
    for (const struct receipt_row *r = p->receipt; r->clause; r++) {
        buf_printf(b, "  %s\n      by %s\n", r->clause, r->by);
        if (strcmp(r->state, "enforced") != 0)
            buf_printf(b, "      %s\n", r->state);
    }
    for (size_t i = 0; i < p->policy.nwarnings; i++)
        buf_printf(b, "\nwarning: %s\n", p->policy.warning[i]);
}

int cmd_explain(int argc, char **argv)
{
    struct cli c = { 0 };
    struct err e = { 0 };
    struct prepared p;
    struct buf b = { .max = 64 << 20 };
    int r = cli_parse(&c, command_find("explain"), argc, argv);

    if (r < 0) {
        if (prepare_only(&c, &p, &e) < 0) {
            r = cli_fail(&c, &e, CLI_REFUSED);
        } else {
            explain_policy(&b, &p);
            explain_receipt(&b, &p);
            if (c.plan) {
                buf_puts(&b, "\nPlan\n");
                plan_print(&p.plan, &b);
            }
            cli_print(stdout, &b);
            r = CLI_OK;
        }
    }
    buf_drop(&b);
    cli_free(&c);
    return r;
}
