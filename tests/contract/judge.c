/* judge.c - says what our contract makes of documents, for oracle.py.
 *
 * Standard input: records of a 4-byte little-endian length and that many
 * bytes.  Standard output: one line per record, "ok" or
 * "no LINE:COLUMN WHERE: MESSAGE".  What MXC decides from the machine it runs
 * on (`process` on Linux has no section of its own) is asked as well, since
 * MXC's parse phase includes it; with the argument --anywhere it is not. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/request.h"

enum { REQUEST_ARENA = 256 << 20 };

static bool is_intent(enum containment c)
{
    return c == CONTAIN_PROCESS || c == CONTAIN_VM || c == CONTAIN_MICROVM;
}

static int judge(const char *text, size_t len, bool anywhere, struct err *e)
{
    scoped(arena_drop) struct arena a = { .limit = REQUEST_ARENA };
    struct request *r = NULL;

    if (request_parse(&a, text, len, &r, e) < 0)
        return -1;
    if (!anywhere && r->phase == PHASE_NONE && is_intent(r->containment))
        return request_check_sections(r, CONTAIN_NATIVE, e);
    return 0;
}

static void answer(const char *text, size_t len, bool anywhere)
{
    struct err e = { 0 };

    if (judge(text, len, anywhere, &e) < 0)
        printf("no %u:%u %s: %s\n", e.line, e.column, e.where, e.msg);
    else
        printf("ok\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    bool anywhere = argc == 2 && strcmp(argv[1], "--anywhere") == 0;
    unsigned char head[4];

    while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
        uint32_t len = (uint32_t)head[0] | (uint32_t)head[1] << 8 |
                       (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
        scoped(drop_mem) char *text = malloc((size_t)len + 1);

        if (!text || fread(text, 1, len, stdin) != len)
            return 1;
        answer(text, len, anywhere);
    }
    return 0;
}
