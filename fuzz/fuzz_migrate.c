/* fuzz_migrate.c - migrate_request on any text.
 *
 * What is refused as a request is refused here; what is written is a request
 * of the contract that was asked for, and comes out the same a second time. */
#include <stdlib.h>
#include <string.h>

#include "policy/migrate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 64 << 20 };

static void must(bool truth)
{
    if (!truth)
        abort();
}

static void check_again(const struct buf *first, enum contract to)
{
    scoped(arena_drop) struct arena a = { .limit = LIMIT };
    scoped(buf_drop) struct buf out = { .max = LIMIT };
    struct migrated m;
    struct err e = { 0 };

    must(migrate_request(&a, first->data, first->len, to, &out, &m, &e) == 0);
    must(m.nnotes == 0 && out.len == first->len);
    must(memcmp(out.data, first->data, out.len) == 0);
}

static void try_target(const char *text, size_t len, enum contract to)
{
    scoped(arena_drop) struct arena a = { .limit = LIMIT };
    scoped(buf_drop) struct buf out = { .max = LIMIT };
    struct migrated m;
    struct request *r;
    struct err e = { 0 };
    bool is_request = request_parse(&a, text, len, &r, &e) == 0;

    e = (struct err){ 0 };
    if (migrate_request(&a, text, len, to, &out, &m, &e) < 0) {
        must(e.code != ERR_NONE && e.msg[0]);
        return;
    }
    must(is_request && (to == CONTRACT_NONE || m.contract == to));
    check_again(&out, m.contract);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    must(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    try_target(text, size, CONTRACT_NONE);
    try_target(text, size, CONTRACT_1_0_0);
    try_target(text, size, CONTRACT_1_1_0_C1);
    free(text);
    return 0;
}
