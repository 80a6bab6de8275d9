/* cmd_check.c - mxc check: would it run? */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/lifecycle.h"
#include "base/report.h"
#include "cli/cli.h"

static void take_caller(struct cli *c)
{
    c->flags.term = getenv("TERM");
    c->flags.home = getenv("HOME");
    c->flags.data_home = getenv("XDG_DATA_HOME");
    c->flags.search_path = getenv("PATH");
}

int cli_prepare_only(struct cli *c, struct prepared *p, struct err *e)
{
    take_caller(c);
    if (cli_read_request(c, e) < 0)
        return -1;
    return prepare(&c->arena, c->text, c->text_len, &c->flags, true, p, e);
}

/* A request with a phase, as the phase would have it; *r is NULL for one
 * without, or for none. */
static int check_lifecycle(struct cli *c, struct request **r,
                           struct prepared *p, struct err *e)
{
    int n;

    if (!c->text)
        return 0;
    if (request_parse(&c->arena, c->text, c->text_len, r, e) < 0)
        return -1;
    if ((*r)->phase == PHASE_NONE) {
        *r = NULL;
        return 0;
    }
    n = lifecycle_check(&c->arena, c->text, c->text_len, *r, &c->flags, p, e);
    if (n < 0 && e->where[0] && !e->line)
        request_locate(c->text, c->text_len, e->where, &e->line, &e->column);
    return n;
}

static int look(struct cli *c, struct request **r, struct prepared *p,
                struct err *e)
{
    take_caller(c);
    if (cli_read_request(c, e) < 0 || check_lifecycle(c, r, p, e) < 0)
        return -1;
    return *r ? 0
              : prepare(&c->arena, c->text, c->text_len, &c->flags, true, p, e);
}

static void print_ok(const struct request *r, const struct prepared *p)
{
    if (r && r->phase != PHASE_PROVISION) {
        (void)puts("ok: there is such a session");
        return;
    }
    for (size_t i = 0; i < p->policy.nwarnings; i++)
        (void)printf("warning: %s\n", p->policy.warning[i]);
    (void)printf("ok: backend '%s' would run it\n", p->backend->name);
}

static int write_ok(int fd, const struct request *r, const struct prepared *p,
                    struct err *e)
{
    struct buf b = { .max = 4 << 20 };
    int n;

    buf_puts(&b, "{\"outcome\":\"valid\",\"exitCode\":0,");
    if (r && r->phase != PHASE_PROVISION) {
        buf_puts(&b, "\"warnings\":[");
        if (r->telemetry)
            buf_json(&b, POLICY_NO_TELEMETRY);
        buf_putc(&b, ']');
    } else {
        buf_puts(&b, p->plan.receipt);
    }
    buf_puts(&b, "}\n");
    n = report_write(fd, &b, e);
    buf_drop(&b);
    return n;
}

int cmd_check(int argc, char **argv)
{
    struct cli c = { 0 };
    struct request *request = NULL;
    struct err e = { 0 };
    struct prepared p;
    int r = cli_parse(&c, command_find("check"), argc, argv), fd;

    if (r < 0) {
        if (look(&c, &request, &p, &e) < 0 || cli_open_json(&c, &fd, &e) < 0) {
            r = cli_fail(&c, &e, CLI_REFUSED);
        } else {
            if (fd != STDOUT_FILENO)
                print_ok(request, &p);
            r = CLI_OK;
            if (fd >= 0 && write_ok(fd, request, &p, &e) < 0) {
                c.json = NULL;
                r = cli_fail(&c, &e, CLI_FAILED);
            }
        }
    }
    cli_free(&c);
    return r;
}
