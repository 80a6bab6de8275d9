/* tables.c - prints what is generated from the contract's tables:
 * `tables schema VERSION`, `tables dictionary` or `tables event`. */
#include <stdio.h>
#include <string.h>

#include "base/event.h"
#include "contract/schema.h"

int main(int argc, char **argv)
{
    struct buf out = { .max = 1 << 20 };
    enum contract c = argc == 3 ? contract_find(argv[2]) : CONTRACT_NONE;
    int status = 1;

    if (argc == 3 && strcmp(argv[1], "schema") == 0 && c != CONTRACT_NONE)
        contract_schema(c, &out);
    else if (argc == 2 && strcmp(argv[1], "dictionary") == 0)
        contract_fuzz_dictionary(&out);
    else if (argc == 2 && strcmp(argv[1], "event") == 0)
        event_schema(&out);
    else
        fprintf(stderr, "usage: tables schema VERSION | dictionary | event\n");
    if (out.data && !out.failed)
        status = fwrite(out.data, 1, out.len, stdout) == out.len ? 0 : 1;
    buf_drop(&out);
    return status;
}
