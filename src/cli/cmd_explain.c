/* cmd_explain.c - mxc explain: prints what api/explain.c says. */
#include "api/explain.h"
#include "cli/cli.h"

int cmd_explain(int argc, char **argv)
{
    struct cli c = { 0 };
    struct err e = { 0 };
    struct prepared p;
    struct buf b = { .max = 64 << 20 };
    int r = cli_parse(&c, command_find("explain"), argc, argv);

    if (r < 0) {
        if (cli_prepare_only(&c, &p, &e) < 0) {
            r = cli_fail(&c, &e, CLI_REFUSED);
        } else {
            explain(&b, &p, c.all, c.plan);
            cli_print(stdout, &b);
            r = b.failed ? CLI_FAILED : CLI_OK;
        }
    }
    buf_drop(&b);
    cli_free(&c);
    return r;
}
