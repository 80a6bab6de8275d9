/* test_seccomp_watched.c - what the report says that the filter says.
 *
 * With a report the broker lets a call go on where seccomp_judge allows it, so
 * that it must say what the plain filter would: for every call, every option
 * set, and arguments at the borders of every rule.  And the watched filter may
 * hand more to the broker, and never let more through. */
#include "sys/seccomp_filter.h"

#include <asm/unistd.h>
#include <errno.h>

#include "bpf_run.h"
#include "sys/watched.h"
#include "t.h"

#ifdef __aarch64__
static const uint32_t ARCH = AUDIT_ARCH_AARCH64, OTHER = AUDIT_ARCH_X86_64;
enum { INDEX = ARCH_AARCH64 };
#else
static const uint32_t ARCH = AUDIT_ARCH_X86_64, OTHER = AUDIT_ARCH_AARCH64;
enum { INDEX = ARCH_X86_64 };
#endif

enum { SETS = 16, VALUES = 512, NUMBERS = 600 };

struct filter {
    struct sock_filter insn[SECCOMP_FILTER_MAX];
    size_t n;
};

static struct both {
    struct seccomp_options options;
    struct filter plain, watched;
    uint64_t mark;
} both;

static void build(int set, uint64_t mark)
{
    struct err e = { 0 };

    both.options = (struct seccomp_options){ .broker_creates = set & 1,
                                             .broker_unix = set & 2,
                                             .ping = set & 4,
                                             .sentry = set & 8 };
    CHECK_INT(
        seccomp_filter_build(&both.options, both.plain.insn, &both.plain.n, &e),
        0);
    both.options.watched = true;
    CHECK_INT(seccomp_filter_build(&both.options, both.watched.insn,
                                   &both.watched.n, &e),
              0);
    both.options.watched = false;
    both.mark = mark;
    CHECK(seccomp_filter_mark(both.watched.insn, both.watched.n, mark));
    CHECK(bpf_is_valid(both.plain.insn, both.plain.n));
    CHECK(bpf_is_valid(both.watched.insn, both.watched.n));
}

/* --- one call --- */

static size_t nprobes;

static bool is_told(const struct syscall_row *row, uint32_t plain,
                    const uint64_t args[6])
{
    if (plain == SC_ALLOW)
        return watched_call(row->name) &&
               !(strcmp(row->name, "execve") == 0 && args[5] == both.mark);
    return plain == SC_FAIL(EPERM) || plain == SC_FAIL(EACCES) ||
           plain == SC_FAIL(EAFNOSUPPORT);
}

static void probe(int nr, const struct syscall_row *row, const uint64_t args[6])
{
    struct seccomp_data d = { .nr = nr, .arch = ARCH };
    const uint32_t judged =
        row ? seccomp_judge(&both.options, row, args) : SC_FAIL(ENOSYS);
    uint32_t plain, watched;

    memcpy(d.args, args, sizeof(d.args));
    plain = bpf_run(both.plain.insn, &d, NULL);
    watched = bpf_run(both.watched.insn, &d, NULL);
    nprobes++;
    if (judged == plain &&
        watched == (row && is_told(row, plain, args) ? SC_NOTIFY : plain))
        return;
    T_FAIL("%s(%#llx, %#llx, %#llx, %#llx, %#llx, %#llx): judged %#x, plain "
           "%#x, watched %#x",
           row ? row->name : "?", (unsigned long long)args[0],
           (unsigned long long)args[1], (unsigned long long)args[2],
           (unsigned long long)args[3], (unsigned long long)args[4],
           (unsigned long long)args[5], judged, plain, watched);
}

/* --- arguments --- */

struct values {
    uint64_t v[VALUES];
    size_t n;
};

static void add(struct values *s, uint64_t v)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i] == v)
            return;
    CHECK(s->n < VALUES);
    s->v[s->n++] = v;
}

/* At, and beside, what a rule asks of an argument. */
static void add_borders(struct values *s, const struct syscall_cond *c)
{
    const uint64_t high = 0xdeadbeef00000000ull;

    add(s, c->value);
    add(s, c->value + 1);
    add(s, c->value - 1);
    add(s, c->value | ~c->mask);
    add(s, c->value | high);
    add(s, c->value | 1ull << 32);
    add(s, c->value ^ (c->mask & -c->mask)); /* its lowest bit */
    add(s, c->value ^ 1ull << 31);
    add(s, c->mask);
}

static void fill(const struct syscall_row *row, struct values s[6])
{
    static const uint64_t always[] = { 0,          1,          0x7fffffff,
                                       0x80000000, 0xffffffff, 1ull << 32,
                                       1ull << 63, UINT64_MAX };

    memset(s, 0, 6 * sizeof(*s));
    for (int a = 0; a < 6; a++)
        for (size_t i = 0; i < ARRAY_LEN(always); i++)
            add(&s[a], always[i]);
    add(&s[5], WATCH_OWN_EXEC);
    add(&s[5], both.mark);
    add(&s[5], both.mark ^ 1);
    add(&s[5], both.mark ^ 1ull << 63);
    add(&s[5], (uint32_t)both.mark);
    add(&s[5], both.mark & ~0xffffffffull);
    for (const struct syscall_rule *r = row ? row->rules : NULL; r && r->what;
         r++)
        for (size_t i = 0; i < SC_CONDS && r->cond[i].mask; i++)
            add_borders(&s[r->cond[i].arg], &r->cond[i]);
}

static uint32_t next(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

/* Each argument over its values with the others as a rule wants them; then
 * all at random. */
static void probe_call(int nr, const struct syscall_row *row)
{
    static struct values s[6];
    uint64_t args[6], from[6];
    uint32_t x = 0x9e3779b9u + (uint32_t)nr;

    fill(row, s);
    memset(from, 0, sizeof(from));
    for (const struct syscall_rule *r = row ? row->rules : NULL;; r++) {
        for (size_t i = 0; r && r->what && i < SC_CONDS && r->cond[i].mask; i++)
            from[r->cond[i].arg] = r->cond[i].value;
        for (int a = 0; a < 6; a++)
            for (size_t i = 0; i < s[a].n; i++) {
                memcpy(args, from, sizeof(args));
                args[a] = s[a].v[i];
                probe(nr, row, args);
            }
        if (!r || !r->what)
            break;
        memset(from, 0, sizeof(from));
    }
    for (int i = 0; i < 2000; i++) {
        for (int a = 0; a < 6; a++)
            args[a] = s[a].v[next(&x) % s[a].n];
        probe(nr, row, args);
    }
}

TEST(the_judge_says_what_the_filters_say)
{
    /* One of a run, and those whose halves are the same or are zero. */
    static const uint64_t marks[] = { 0x0123456789abcdefull,
                                      0x7777777777777777ull, 0xffffffffull,
                                      UINT64_MAX << 32 };

    for (int set = 0; set < SETS; set++) {
        build(set, marks[set % (int)ARRAY_LEN(marks)]);
        for (int nr = -1; nr < NUMBERS; nr++)
            probe_call(nr, nr < 0 ? NULL : seccomp_row(nr));
    }
    printf("# %zu calls compared\n", nprobes);
    CHECK(nprobes > 1000000);
}

/* What stands in for the mark in a plan is known to all, and lets nothing
 * pass once the mark of a run is there. */
TEST(what_stands_in_for_the_mark_is_told)
{
    struct seccomp_data d = { .nr = __NR_execve, .arch = ARCH };

    build(0, 0x0123456789abcdefull);
    d.args[5] = WATCH_OWN_EXEC;
    CHECK_INT(bpf_run(both.watched.insn, &d, NULL), SC_NOTIFY);
    d.args[5] = both.mark;
    CHECK_INT(bpf_run(both.watched.insn, &d, NULL), SC_ALLOW);
    d.nr = __NR_execveat;
    CHECK_INT(bpf_run(both.watched.insn, &d, NULL), SC_NOTIFY);
}

TEST(no_other_filter_is_marked)
{
    struct filter f;

    build(0, WATCH_OWN_EXEC);
    CHECK(!seccomp_filter_mark(both.plain.insn, both.plain.n, 1));
    /* Nor one twice, nor where the place is there twice, or half. */
    f = both.watched;
    CHECK(seccomp_filter_mark(f.insn, f.n, 1));
    CHECK(!seccomp_filter_mark(f.insn, f.n, 2));
    f = both.watched;
    CHECK(2 * f.n <= SECCOMP_FILTER_MAX);
    memcpy(f.insn + f.n, both.watched.insn, f.n * sizeof(f.insn[0]));
    CHECK(!seccomp_filter_mark(f.insn, 2 * f.n, 1));
    for (size_t n = 0; n < both.watched.n; n++) {
        f = both.watched;
        if (f.insn[n].k == (uint32_t)WATCH_OWN_EXEC ||
            f.insn[n].k == WATCH_OWN_EXEC >> 32) {
            f.insn[n].k++;
            CHECK(!seccomp_filter_mark(f.insn, f.n, 1));
        }
    }
}

TEST(no_row_stands_for_two_numbers)
{
    for (int nr = 0; nr < NUMBERS; nr++) {
        const struct syscall_row *row = seccomp_row(nr);

        CHECK(!row || row->nr[INDEX] == nr);
    }
}

TEST(another_architecture_is_killed_by_both)
{
    for (int set = 0; set < SETS; set++) {
        build(set, WATCH_OWN_EXEC);
        for (uint32_t nr = 0; nr < NUMBERS; nr++) {
            struct seccomp_data d = { .nr = (int)nr, .arch = OTHER };

            CHECK_INT(bpf_run(both.plain.insn, &d, NULL), SC_KILL);
            CHECK_INT(bpf_run(both.watched.insn, &d, NULL), SC_KILL);
            d.arch = ARCH;
            d.nr = (int)(nr | 0x40000000u);
            CHECK_INT(bpf_run(both.watched.insn, &d, NULL),
                      bpf_run(both.plain.insn, &d, NULL));
        }
    }
}

T_MAIN()
