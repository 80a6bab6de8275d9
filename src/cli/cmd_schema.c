/* cmd_schema.c - mxc schema: the contract as JSON Schema. */
#include "cli/cli.h"
#include "contract/schema.h"

int cmd_schema(int argc, char **argv)
{
    struct cli c = { 0 };
    struct err e = { 0 };
    struct buf b = { .max = 4 << 20 };
    int r = cli_parse(&c, command_find("schema"), argc, argv);

    if (r < 0) {
        const char *v = c.version ? c.version : "1.1.0+c1";

        if (contract_schema(v, &b) < 0 || b.failed) {
            err_set(&e, ERR_MALFORMED_REQUEST,
                    "contract version '%s' is not known", v);
            err_hint(&e, "0.9.0-alpha, 1.0.0, 1.1.0-alpha or 1.1.0+c1");
            r = cli_fail(&c, &e, CLI_REFUSED);
        } else {
            cli_print(stdout, &b);
            r = CLI_OK;
        }
    }
    buf_drop(&b);
    cli_free(&c);
    return r;
}
