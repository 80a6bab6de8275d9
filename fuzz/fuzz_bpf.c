/* fuzz_bpf.c - any table of system calls, compiled: the program must be valid
 * and decide every call as the table itself does. */
#include <stdlib.h>

#include "../tests/lib/bpf_random.h"
#include "../tests/lib/bpf_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t left;
    uint32_t spent;
};

/* The input's bytes; then numbers made from the last ones, since a table is
 * larger than an input. */
static uint32_t next(void *state)
{
    struct input *in = state;
    uint32_t x = 0;

    if (in->left < sizeof(x)) {
        in->spent = in->spent * 1664525 + 1013904223;
        return in->spent >> 8;
    }
    memcpy(&x, in->data, sizeof(x));
    in->data += sizeof(x);
    in->left -= sizeof(x);
    in->spent ^= x;
    return x;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rnd_table t;
    struct sock_filter f[SECCOMP_FILTER_MAX];
    struct input in = { data, size, 1 };
    struct rnd r = { next, &in };
    struct err e = { 0 };
    size_t n = 0;

    rnd_make(&r, &t);
    if (seccomp_filter_compile(&t.table, &t.options, f, &n, &e) < 0) {
        if (n != 0 || e.code != ERR_BACKEND_ERROR)
            abort();
        return 0;
    }
    if (e.code != ERR_NONE || !bpf_is_valid(f, n))
        abort();
    for (int i = 0; i < 64; i++) {
        struct seccomp_data d;

        rnd_data(&r, &t, &d);
        if (bpf_run(f, &d, NULL) != table_eval(&t.table, &t.options, &d))
            abort();
    }
    return 0;
}
