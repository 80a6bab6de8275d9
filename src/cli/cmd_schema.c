/* cmd_schema.c - mxc schema: the contract as JSON Schema. */
#include <string.h>

#include "cli/cli.h"
#include "contract/names.h"
#include "contract/schema.h"

int cmd_schema(int argc, char **argv)
{
    struct cli c = { 0 };
    struct err e = { 0 };
    struct buf b = { .max = 4 << 20 };
    int r = cli_parse(&c, command_find("schema"), argc, argv);

    if (r < 0) {
        const char *name = c.version ? c.version : "1.1.0+c1";
        enum contract v = contract_find(name);
        char names[LISTED_MAX];

        if (v == CONTRACT_NONE) {
            err_set(&e, ERR_MALFORMED_REQUEST,
                    "contract version '%s' is not known", name);
            err_hint(&e, "one of %s",
                     listed_choices(names, contract_names, CONTRACT_NONE));
            r = cli_fail(&c, &e, CLI_REFUSED);
        } else {
            contract_schema(v, &b);
            cli_print(stdout, &b);
            r = b.failed ? CLI_FAILED : CLI_OK;
        }
    }
    buf_drop(&b);
    cli_free(&c);
    return r;
}
