/* cmd_check.c - mxc check: would it run? */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/report.h"
#include "cli/cli.h"

int cli_prepare_only(struct cli *c, struct prepared *p, struct err *e)
{
    c->flags.term = getenv("TERM");
    c->flags.home = getenv("HOME");
    c->flags.data_home = getenv("XDG_DATA_HOME");
    c->flags.search_path = getenv("PATH");
    if (cli_read_request(c, e) < 0)
        return -1;
    return prepare(&c->arena, c->text, c->text_len, &c->flags, true, p, e);
}

static void print_ok(const struct prepared *p)
{
    for (size_t i = 0; i < p->policy.nwarnings; i++)
        (void)printf("warning: %s\n", p->policy.warning[i]);
    (void)printf("ok: backend '%s' would run it\n", p->backend->name);
}

static int write_ok(int fd, const struct prepared *p, struct err *e)
{
    struct buf b = { .max = 4 << 20 };
    int r;

    buf_puts(&b, "{\"outcome\":\"valid\",\"exitCode\":0,");
    buf_puts(&b, p->plan.receipt);
    buf_puts(&b, "}\n");
    r = report_write(fd, &b, e);
    buf_drop(&b);
    return r;
}

int cmd_check(int argc, char **argv)
{
    struct cli c = { 0 };
    struct err e = { 0 };
    struct prepared p;
    int r = cli_parse(&c, command_find("check"), argc, argv), fd;

    if (r < 0) {
        if (cli_prepare_only(&c, &p, &e) < 0 ||
            cli_open_json(&c, &fd, &e) < 0) {
            r = cli_fail(&c, &e, CLI_REFUSED);
        } else {
            if (fd != STDOUT_FILENO)
                print_ok(&p);
            r = CLI_OK;
            if (fd >= 0 && write_ok(fd, &p, &e) < 0) {
                c.json = NULL;
                r = cli_fail(&c, &e, CLI_FAILED);
            }
        }
    }
    cli_free(&c);
    return r;
}
