/* test_bpf.c - the builder of sys/bpf.h, and random tables compiled to
 * programs that must decide every call as the table itself does. */
#include "sys/bpf.h"

#include "bpf_random.h"
#include "bpf_run.h"
#include "t.h"

enum { ROOM = 4096 };

static uint32_t run(const struct sock_filter *f, uint32_t nr)
{
    struct seccomp_data d = { .nr = (int)nr };

    return bpf_run(f, &d, NULL);
}

/* A program that loads the number and decides it with the given code. */
static size_t finish(struct bpf *b, uint32_t code)
{
    return bpf_finish(b, bpf_load(b, 0, code));
}

TEST(branches_choose)
{
    struct sock_filter f[ROOM];
    struct bpf b;
    uint32_t one, two;
    size_t n;

    bpf_init(&b, f, ROOM);
    one = bpf_ret(&b, 1);
    two = bpf_ret(&b, 2);
    n = finish(&b, bpf_if_eq(&b, 7, one, bpf_if_ge(&b, 9, two, one)));
    CHECK_INT(n, 5);
    CHECK(bpf_is_valid(f, n));
    CHECK_INT(run(f, 7), 1);
    CHECK_INT(run(f, 8), 1);
    CHECK_INT(run(f, 9), 2);
    CHECK_INT(run(f, 0xffffffffu), 2);
}

TEST(masks_keep_bits)
{
    struct sock_filter f[ROOM];
    struct bpf b;
    size_t n;

    bpf_init(&b, f, ROOM);
    n = finish(
        &b,
        bpf_and(&b, 0xf0, bpf_if_eq(&b, 0x30, bpf_ret(&b, 1), bpf_ret(&b, 2))));
    CHECK(bpf_is_valid(f, n));
    CHECK_INT(run(f, 0xf3f), 1);
    CHECK_INT(run(f, 0xf4f), 2);
}

/* A chain longer than a jump reaches, whose first test must still find the
 * last return, and a return farther than 255 that is not one of the cached. */
TEST(far_jumps_arrive)
{
    struct sock_filter f[ROOM];
    struct bpf b;
    uint32_t code, last, stone;
    size_t n;

    bpf_init(&b, f, ROOM);
    last = bpf_ret(&b, 1);
    stone = bpf_and(&b, 0, bpf_if_eq(&b, 0, bpf_ret(&b, 2), last));
    code = last;
    for (uint32_t i = 0; i < 600; i++)
        code = bpf_if_eq(&b, i, i % 2 ? last : stone, code);
    n = finish(&b, code);
    CHECK(bpf_is_valid(f, n));
    for (uint32_t i = 0; i < 600; i++)
        CHECK_INT(run(f, i), i % 2 ? 1 : 2);
    CHECK_INT(run(f, 600), 1);
}

TEST(far_jumps_on_both_sides)
{
    struct sock_filter f[ROOM];
    struct bpf b;
    uint32_t a, c, pad;
    size_t n;

    for (uint32_t fill = 240; fill < 270; fill++) {
        bpf_init(&b, f, ROOM);
        a = bpf_and(&b, 0, bpf_ret(&b, 1));
        c = bpf_and(&b, 0, bpf_ret(&b, 2));
        pad = a;
        for (uint32_t i = 0; i < fill; i++)
            pad = bpf_and(&b, 0xff, pad);
        n = finish(&b, bpf_if_eq(&b, 1, a, bpf_if_eq(&b, 2, c, pad)));
        CHECK(bpf_is_valid(f, n));
        CHECK_INT(run(f, 1), 1);
        CHECK_INT(run(f, 2), 2);
        CHECK_INT(run(f, 3), 1);
    }
}

TEST(trees_find_every_range)
{
    struct bpf_range r[200];
    struct sock_filter f[ROOM];
    struct bpf b;

    for (size_t count = 1; count <= ARRAY_LEN(r); count++) {
        unsigned steps = 0;
        struct seccomp_data d = { .nr = 300 };
        size_t n;

        bpf_init(&b, f, ROOM);
        for (size_t i = 0; i < count; i++)
            r[i] = (struct bpf_range){ .first = (uint32_t)(3 * i),
                                       .label = bpf_ret(&b, (uint32_t)i) };
        n = finish(&b, bpf_tree(&b, r, count));
        CHECK(n > 0 && bpf_is_valid(f, n));
        for (uint32_t nr = 0; nr < 3 * count + 9; nr++)
            CHECK_INT(run(f, nr), nr / 3 < count ? nr / 3 : count - 1);
        bpf_run(f, &d, &steps);
        CHECK(steps <= 2 + 8 + 1 + 8); /* load, tree, return, stones */
    }
}

TEST(trees_find_the_exceptions)
{
    struct bpf_range r[100];
    struct sock_filter f[ROOM];
    struct bpf b;

    for (size_t count = 1; count <= ARRAY_LEN(r); count++) {
        size_t n;

        bpf_init(&b, f, ROOM);
        /* One number of three, each in another place; of each fourth none. */
        for (uint32_t i = 0; i < count; i++)
            r[i] = (struct bpf_range){
                .first = 3 * i,
                .label = bpf_ret(&b, i),
                .but = 3 * i + i % 3,
                .other = i % 4 == 3 ? 0 : bpf_ret(&b, 1000 + i),
            };
        n = finish(&b, bpf_tree(&b, r, count));
        CHECK(n > 0 && bpf_is_valid(f, n));
        for (uint32_t nr = 0; nr < 3 * count; nr++) {
            const uint32_t i = nr / 3;
            const bool is_other = nr == r[i].but && i % 4 != 3;

            CHECK_INT(run(f, nr), is_other ? 1000 + i : i);
        }
    }
}

TEST(no_room_is_a_failure)
{
    struct sock_filter f[8];
    struct bpf b;
    uint32_t code;

    bpf_init(&b, f, ARRAY_LEN(f));
    code = bpf_ret(&b, 1);
    for (uint32_t i = 0; i < 20; i++)
        code = bpf_if_eq(&b, i, bpf_ret(&b, i), code);
    CHECK(b.failed);
    CHECK_INT(finish(&b, code), 0);
}

/* --- tables --- */

/* xorshift32: the same tables on every run. */
static uint32_t next(void *state)
{
    uint32_t *x = state;

    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

TEST(random_tables_decide_as_written)
{
    static struct rnd_table t;
    struct sock_filter f[SECCOMP_FILTER_MAX];
    uint32_t seed = 0x2545f491, kept = 0, allowed = 0, calls = 0;
    struct rnd r = { next, &seed };

    for (int i = 0; i < 2000; i++) {
        struct err e = { 0 };
        size_t n = 0;

        rnd_make(&r, &t);
        if (seccomp_filter_compile(&t.table, &t.options, f, &n, &e) < 0) {
            CHECK_HAS(e.msg, "needs more than 2048 instructions");
            continue;
        }
        kept++;
        CHECK(bpf_is_valid(f, n));
        for (int j = 0; j < 300; j++) {
            struct seccomp_data d;
            uint32_t want;

            rnd_data(&r, &t, &d);
            want = table_eval(&t.table, &t.options, &d);
            calls++;
            allowed += want == SC_ALLOW;
            CHECK_INT(bpf_run(f, &d, NULL), want);
        }
    }
    printf("# %u tables, %u calls, %u allowed\n", kept, calls, allowed);
    CHECK(kept > 1000);
    CHECK(allowed > calls / 10 && allowed < calls - calls / 10);
}

/* --- what is no table --- */

static void refuses(const struct syscall_row *row, size_t n, const char *why)
{
    struct seccomp_table t = { .rows = row, .nrows = n };
    struct seccomp_options o = { 0 };
    struct sock_filter f[SECCOMP_FILTER_MAX];
    struct err e = { 0 };
    size_t len = 77;

    CHECK_INT(seccomp_filter_compile(&t, &o, f, &len, &e), -1);
    CHECK_STR(e.msg, why);
    CHECK_INT(e.code, ERR_BACKEND_ERROR);
    CHECK_INT(len, 77);
}

TEST(contradictory_tables_are_errors)
{
    static const struct syscall_row twice[] = {
        { "read", { 0, 63 }, SC_ALLOW, NULL, NULL },
        { "peek", { 0, 64 }, SC_FAIL(EPERM), NULL, NULL },
    };
    static const struct syscall_row high[] = {
        { "far", { 512, 512 }, SC_ALLOW, NULL, NULL },
    };

    refuses(twice, 2, "system call 'peek' has the number 0 of another");
    refuses(high, 1,
            "system call 'far' has the number 512, the filter ends at 512");
}

T_MAIN()
