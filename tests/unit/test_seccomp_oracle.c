/* test_seccomp_oracle.c - libseccomp compiles the same rules: numbers by
 * name, verdicts, random tables.  Only equality and masked equality, since
 * its ordered comparisons have a bug of their own in 2.5.4. */
#include <seccomp.h>
#include <sys/mman.h>

#include "bpf_random.h"
#include "bpf_run.h"
#include "t.h"

enum { ORACLE_MAX = 8192 };

static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64 };
static const uint32_t oracle_arches[] = { SCMP_ARCH_X86_64, SCMP_ARCH_AARCH64 };

struct program {
    struct sock_filter insn[ORACLE_MAX];
    size_t n;
};

/* 2.5.4 itself loses nodes of its tree when rules overlap. */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *
__lsan_default_suppressions(void)
{
    return "leak:libseccomp";
}

static uint32_t next(void *state)
{
    uint32_t *x = state;

    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

/* The names that libseccomp 2.5.4 knows go up to Linux 6.7, fewer for
 * fchmodat2 and later. */
TEST(numbers_are_libseccomps)
{
    int known = 0;

    for (size_t i = 0; i < syscall_nrows; i++) {
        const struct syscall_row *row = &syscall_rows[i];

        for (int arch = 0; arch < ARCH_COUNT; arch++) {
            int nr = seccomp_syscall_resolve_name_arch(oracle_arches[arch],
                                                       row->name);

            NOTE(row->name);
            if (nr == __NR_SCMP_ERROR && row->nr[arch] > 450)
                continue;
            /* Dropped from the kernel before 64-bit numbers were fixed, or
             * multiplexed: libseccomp keeps a negative placeholder. */
            if (nr < 0)
                CHECK_INT(row->nr[arch] < 0 || row->nr[arch] == 335 ||
                              row->nr[arch] == 336,
                          1);
            else
                CHECK_INT(row->nr[arch], nr);
            known++;
        }
    }
    printf("# %d numbers compared\n", known);
    CHECK(known > 700);
}

/* Does libseccomp know a call that the table has no row for? */
TEST(no_known_call_is_forgotten)
{
    struct seccomp_table t = { syscall_rows, syscall_nrows, ARCH_AARCH64 };

    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        t.arch = (enum syscall_arch)arch;
        for (int nr = 0; nr < 512; nr++) {
            char *name =
                seccomp_syscall_resolve_num_arch(oracle_arches[arch], nr);

            NOTE(name ? name : "");
            CHECK(!name || table_row(&t, nr));
            free(name);
        }
    }
}

/* --- compilation --- */

static scmp_filter_ctx start(int arch, uint32_t otherwise)
{
    scmp_filter_ctx ctx = seccomp_init(otherwise);

    CHECK(ctx != NULL);
    CHECK_INT(
        seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS),
        0);
    if (seccomp_arch_native() != oracle_arches[arch]) {
        CHECK_INT(seccomp_arch_add(ctx, oracle_arches[arch]), 0);
        CHECK_INT(seccomp_arch_remove(ctx, seccomp_arch_native()), 0);
    }
    return ctx;
}

static void add_rule(scmp_filter_ctx ctx, int nr, uint32_t verdict,
                     const struct syscall_rule *r)
{
    struct scmp_arg_cmp cmp[SC_CONDS];
    unsigned n = 0;

    for (; r && n < SC_CONDS && r->cond[n].mask != 0; n++)
        cmp[n] = SCMP_CMP64(r->cond[n].arg, SCMP_CMP_MASKED_EQ, r->cond[n].mask,
                            r->cond[n].value);
    CHECK_INT(seccomp_rule_add_exact_array(ctx, verdict, nr, n, cmp), 0);
}

static void finish(scmp_filter_ctx ctx, struct program *p)
{
    int fd = memfd_create("oracle", MFD_CLOEXEC);
    ssize_t got;

    CHECK(fd >= 0);
    CHECK_INT(seccomp_export_bpf(ctx, fd), 0);
    got = pread(fd, p->insn, sizeof(p->insn), 0);
    CHECK(got > 0 && (size_t)got < sizeof(p->insn));
    p->n = (size_t)got / sizeof(p->insn[0]);
    close(fd);
    seccomp_release(ctx);
}

/* libseccomp takes this machine's number of a call and translates it for the
 * other architecture, if it knows the name. */
static bool oracle_knows(const struct syscall_row *row, int arch)
{
    return row->nr[arch] >= 0 && (arch == ARCH_X86_64 || row->nr[arch] <= 450);
}

static void compile_constants(int arch, struct program *p)
{
    scmp_filter_ctx ctx = start(arch, SC_FAIL(ENOSYS));

    for (size_t i = 0; i < syscall_nrows; i++) {
        const struct syscall_row *row = &syscall_rows[i];

        /* The default's verdict cannot be added and need not be. */
        if (oracle_knows(row, arch) && !row->rules &&
            row->verdict != SC_FAIL(ENOSYS))
            add_rule(ctx, row->nr[ARCH_X86_64], row->verdict, NULL);
    }
    finish(ctx, p);
}

static void compare(const struct sock_filter *ours, const struct program *p,
                    int nr, uint32_t arch)
{
    struct seccomp_data d = { .nr = nr, .arch = arch };

    CHECK_INT(bpf_run(ours, &d, NULL), bpf_run(p->insn, &d, NULL));
}

TEST(whole_table_agrees)
{
    static struct program theirs;
    struct sock_filter ours[SECCOMP_FILTER_MAX];
    struct seccomp_options o = { 0 };
    struct err e = { 0 };
    size_t n;

    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        struct seccomp_table t = { syscall_rows, syscall_nrows,
                                   (enum syscall_arch)arch };

        CHECK_INT(seccomp_filter_compile(&t, &o, ours, &n, &e), 0);
        compile_constants(arch, &theirs);
        printf("# %zu instructions, libseccomp %zu without arguments\n", n,
               theirs.n);
        for (int nr = -1; nr < 1000; nr++) {
            const struct syscall_row *row = table_row(&t, nr);

            if (!row || (!row->rules && oracle_knows(row, arch)))
                compare(ours, &theirs, nr, arches[arch]);
            compare(ours, &theirs, nr, arches[!arch]);
        }
        for (int x32 = 0x40000000; arch == 0 && x32 < 0x40000400; x32++)
            compare(ours, &theirs, x32, arches[arch]);
    }
}

/* --- one call's rules --- */

/* libseccomp has no order of rules.  So each of ours is one filter there,
 * with nothing but the question whether it holds. */
static size_t compile_each(const struct syscall_row *row, struct program *p)
{
    size_t n = 0;

    for (const struct syscall_rule *r = row->rules; r->what; r++) {
        scmp_filter_ctx ctx;

        if (r->when != WHEN_ALWAYS)
            continue;
        ctx = start(ARCH_X86_64, SC_ALLOW);
        add_rule(ctx, row->nr[ARCH_X86_64], SC_FAIL(EPERM), r);
        finish(ctx, &p[n++]);
    }
    return n;
}

static uint32_t first_that_holds(const struct syscall_row *row,
                                 const struct program *p,
                                 const struct seccomp_data *d)
{
    for (const struct syscall_rule *r = row->rules; r->what; r++) {
        if (r->when != WHEN_ALWAYS)
            continue;
        if (bpf_run((p++)->insn, d, NULL) != SC_ALLOW)
            return r->verdict;
    }
    return row->verdict;
}

static void near_rule(struct rnd *r, const struct syscall_rule *rule,
                      struct seccomp_data *d)
{
    for (int i = 0; i < 6; i++)
        d->args[i] = rnd_word(r);
    for (int i = 0; i < SC_CONDS; i++) {
        const struct syscall_cond *c = &rule->cond[i];

        d->args[c->arg] = (d->args[c->arg] & ~c->mask) | c->value;
    }
    if (rnd_below(r, 2))
        d->args[rnd_below(r, 3)] ^= 1ull << rnd_below(r, 64);
}

TEST(argument_rules_agree)
{
    static struct program theirs[128];
    struct sock_filter ours[SECCOMP_FILTER_MAX];
    struct seccomp_options o = { 0 };
    uint32_t seed = 0x9e3779b9;
    struct rnd r = { next, &seed };
    struct err e = { 0 };
    size_t n, rules = 0;

    CHECK_INT(seccomp_filter_build(&o, ours, &n, &e), 0);
    for (size_t i = 0; i < syscall_nrows; i++) {
        const struct syscall_row *row = &syscall_rows[i];
        struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64 };

        if (!row->rules)
            continue;
        NOTE(row->name);
        rules += compile_each(row, theirs);
        d.nr = row->nr[ARCH_X86_64];
        for (const struct syscall_rule *q = row->rules; q->what; q++) {
            for (int round = 0; round < 60; round++) {
                near_rule(&r, q, &d);
                CHECK_INT(bpf_run(ours, &d, NULL),
                          first_that_holds(row, theirs, &d));
            }
        }
    }
    printf("# %zu rules\n", rules);
    CHECK(rules > 140);
}

/* --- random tables --- */

/* What both can say: each call has one verdict for all its rules, and the
 * program's default where none holds. */
static void make_common(struct rnd *r, struct rnd_table *t)
{
    rnd_make(r, t);
    t->table.arch = ARCH_X86_64;
    for (size_t i = 0; i < t->table.nrows; i++) {
        struct syscall_row *row = &t->row[i];
        struct syscall_rule *list = t->rule[0];

        while (list != row->rules)
            list += RND_RULES + 1;
        if (list->cond[0].mask == 0)
            list->what = NULL;
        for (struct syscall_rule *q = list; q->what; q++) {
            q->when = WHEN_ALWAYS;
            q->verdict = row->verdict;
            for (unsigned j = 0; j < SC_CONDS; j++) {
                /* libseccomp takes one condition per argument, and cuts
                 * values to the mask, where ours could never hold. */
                q->cond[j].arg = j;
                q->cond[j].value &= q->cond[j].mask;
            }
        }
        if (list->what)
            row->verdict = SC_FAIL(ENOSYS);
    }
}

static void add_table(scmp_filter_ctx ctx, const struct rnd_table *t)
{
    for (size_t i = 0; i < t->table.nrows; i++) {
        const struct syscall_row *row = &t->row[i];
        const struct syscall_rule *r = row->rules;

        if (!r->what && row->verdict != SC_FAIL(ENOSYS))
            add_rule(ctx, row->nr[0], row->verdict, NULL);
        for (; r->what && r->verdict != SC_FAIL(ENOSYS); r++)
            add_rule(ctx, row->nr[0], r->verdict, r);
    }
}

TEST(random_tables_agree)
{
    static struct program theirs;
    static struct rnd_table t;
    struct sock_filter ours[SECCOMP_FILTER_MAX];
    uint32_t seed = 0x01234567, calls = 0, held = 0;
    struct rnd r = { next, &seed };

    for (int i = 0; i < 300; i++) {
        struct err e = { 0 };
        scmp_filter_ctx ctx;
        size_t n;

        make_common(&r, &t);
        if (seccomp_filter_compile(&t.table, &t.options, ours, &n, &e) < 0)
            continue;
        ctx = start(ARCH_X86_64, SC_FAIL(ENOSYS));
        add_table(ctx, &t);
        finish(ctx, &theirs);
        for (int j = 0; j < 500; j++) {
            struct seccomp_data d;
            uint32_t want;

            rnd_data(&r, &t, &d);
            want = bpf_run(theirs.insn, &d, NULL);
            CHECK_INT(bpf_run(ours, &d, NULL), want);
            calls++;
            held += want != SC_FAIL(ENOSYS);
        }
    }
    printf("# %u calls, %u not the default\n", calls, held);
    CHECK(calls > 50000 && held > calls / 4);
}

T_MAIN()
