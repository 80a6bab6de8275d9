/* seccomp_filter.c - from the table of system calls to a BPF program.
 *
 * The program first makes sure of the architecture, since the same number is
 * another call elsewhere (seccomp(2), "SECCOMP_SET_MODE_FILTER"), then finds
 * the number in a balanced tree of ranges: the kernel runs the program once
 * per system call when it is installed, so that its depth, not its length, is
 * the price of a sandbox's start.  Pure; nothing here talks to the kernel. */
#include "sys/seccomp_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>

#include "sys/bpf.h"
#include "sys/watched.h"

enum {
    NR_END = 512,         /* numbers of the table are below */
    X32_BIT = 0x40000000, /* asm/unistd.h, __X32_SYSCALL_BIT */
    RANGES_MAX = NR_END + 3,
    RULES_MAX = 128, /* of one call */
};

#define ALL32 0xffffffffu

static const uint32_t audit_arch[ARCH_COUNT] = {
    [ARCH_X86_64] = AUDIT_ARCH_X86_64,
    [ARCH_AARCH64] = AUDIT_ARCH_AARCH64,
};

/* Both architectures are little-endian. */
static uint32_t offset_low(unsigned arg)
{
    return (uint32_t)(offsetof(struct seccomp_data, args) +
                      sizeof(uint64_t) * arg);
}

static uint32_t offset_high(unsigned arg)
{
    return offset_low(arg) + 4;
}

static unsigned when_bits(const struct seccomp_options *o)
{
    return (o->broker_creates ? WHEN_CREATES : 0u) |
           (o->broker_unix ? WHEN_UNIX : 0u) | (o->ping ? WHEN_PING : 0u) |
           (o->sentry ? WHEN_SENTRY : 0u);
}

static bool is_active(const struct syscall_rule *r, unsigned when)
{
    return r->when == WHEN_ALWAYS || (r->when & when) != 0;
}

/* --- the rules of one call --- */

/* The rules done so far.  If `loaded` is set, the code at `label` expects the
 * masked low word of that condition's argument in the accumulator. */
struct chain {
    uint32_t label;
    const struct syscall_cond *loaded;
};

static uint32_t masked_load(struct bpf *b, uint32_t offset, uint32_t mask,
                            uint32_t next)
{
    if (mask != ALL32)
        next = bpf_and(b, mask, next);
    return bpf_load(b, offset, next);
}

static bool has_high(const struct syscall_cond *c)
{
    return c->mask >> 32 != 0 || c->value >> 32 != 0;
}

static uint32_t test_high(struct bpf *b, const struct syscall_cond *c,
                          uint32_t yes, uint32_t no)
{
    if (!has_high(c))
        return yes;
    return masked_load(b, offset_high(c->arg), (uint32_t)(c->mask >> 32),
                       bpf_if_eq(b, (uint32_t)(c->value >> 32), yes, no));
}

/* The chain's entry for those who have not loaded its word. */
static uint32_t chain_entry(struct bpf *b, struct chain *c)
{
    if (c->loaded) {
        c->label = masked_load(b, offset_low(c->loaded->arg),
                               (uint32_t)c->loaded->mask, c->label);
        c->loaded = NULL;
    }
    return c->label;
}

static bool same_word(const struct syscall_cond *a,
                      const struct syscall_cond *b)
{
    return a && a->arg == b->arg && (uint32_t)a->mask == (uint32_t)b->mask;
}

static bool same_cond(const struct syscall_cond *a,
                      const struct syscall_cond *b)
{
    return a->arg == b->arg && a->mask == b->mask && a->value == b->value;
}

/* Nothing to ask from this condition on. */
static bool is_sure(const struct syscall_rule *r, unsigned depth)
{
    return depth == SC_CONDS || r->cond[depth].mask == 0;
}

/* Do b's values follow on a's, with the same verdict and nothing else to
 * ask?  Then a range does for both. */
static bool follows(const struct syscall_rule *a, const struct syscall_rule *b,
                    unsigned depth)
{
    const struct syscall_cond *x = &a->cond[depth], *y = &b->cond[depth];

    return is_sure(a, depth + 1) && is_sure(b, depth + 1) &&
           a->verdict == b->verdict && x->mask == ALL32 && y->mask == ALL32 &&
           x->arg == y->arg && x->value < ALL32 && y->value == x->value + 1;
}

enum { RUN_MIN = 3 }; /* two comparisons instead of so many */

/* How many rules at the end of the list are tested together: those that
 * begin with the same condition, or a run of values. */
static size_t last_group(const struct syscall_rule *const *r, size_t n,
                         unsigned depth, bool *is_run)
{
    size_t same = 1, run = 1;

    while (same < n &&
           same_cond(&r[n - same - 1]->cond[depth], &r[n - 1]->cond[depth]))
        same++;
    while (run < n && follows(r[n - run - 1], r[n - run], depth))
        run++;
    *is_run =
        same == 1 && run >= RUN_MIN && r[n - 1]->cond[depth].value < ALL32;
    return *is_run ? run : same;
}

static uint32_t compile_list(struct bpf *b, const struct syscall_rule *const *r,
                             size_t n, unsigned depth, uint32_t rest);

/* Put a group in front of the chain.  Groups in a row that look at the same
 * word load it once: a failed first comparison leaves it loaded. */
static void add_group(struct bpf *b, const struct syscall_rule *const *r,
                      size_t n, unsigned depth, struct chain *c)
{
    const struct syscall_cond *first = &r[0]->cond[depth];
    bool shares = same_word(c->loaded, first);
    bool is_leaf = n == 1 && is_sure(r[0], depth + 1);
    uint32_t no = c->label, entry = 0, yes;

    if (!shares || !is_leaf || has_high(first))
        entry = chain_entry(b, c);
    if (!shares)
        no = entry;
    yes = is_leaf ? bpf_ret(b, r[0]->verdict)
                  : compile_list(b, r, n, depth + 1, entry);
    yes = test_high(b, first, yes, entry);
    c->label = bpf_if_eq(b, (uint32_t)first->value, yes, no);
    c->loaded = first;
}

static void add_run(struct bpf *b, const struct syscall_rule *const *r,
                    size_t n, unsigned depth, struct chain *c)
{
    const struct syscall_cond *first = &r[0]->cond[depth];
    uint32_t lo = (uint32_t)first->value;
    uint32_t no = same_word(c->loaded, first) ? c->label : chain_entry(b, c);
    uint32_t yes = bpf_ret(b, r[0]->verdict);

    c->label = bpf_if_ge(b, lo + (uint32_t)n, no, bpf_if_ge(b, lo, yes, no));
    c->loaded = first;
}

/* The first rule that holds decides, or what is at `rest`. */
static uint32_t compile_list(struct bpf *b, const struct syscall_rule *const *r,
                             size_t n, unsigned depth, uint32_t rest)
{
    struct chain c = { .label = rest };

    for (size_t i = 0; i < n; i++) {
        if (is_sure(r[i], depth)) { /* those below are not reached */
            c.label = bpf_ret(b, r[i]->verdict);
            n = i;
        }
    }
    while (n > 0) {
        bool is_run;
        size_t k = last_group(r, n, depth, &is_run);

        n -= k;
        if (is_run)
            add_run(b, r + n, k, depth, &c);
        else
            add_group(b, r + n, k, depth, &c);
    }
    return chain_entry(b, &c);
}

/* What is told of: a call that names a path, and one that is refused for what
 * it would do.  That a call is not there, that an argument of it is not known,
 * and that nothing was done where nothing need be, is told of no one. */
static uint32_t watched_verdict(const struct syscall_row *row, uint32_t verdict)
{
    if (verdict == SC_ALLOW)
        return watched_call(row->name) ? SC_NOTIFY : verdict;
    return verdict == SC_FAIL(EPERM) || verdict == SC_FAIL(EACCES) ||
                   verdict == SC_FAIL(EAFNOSUPPORT)
               ? SC_NOTIFY
               : verdict;
}

/* The row as it is watched; `rules` has room for RULES_MAX.  False: its rules
 * have no room there. */
static bool watched_row(const struct syscall_row *row,
                        struct syscall_rule *rules, struct syscall_row *out)
{
    static const struct syscall_rule own = {
        "our own", WHEN_ALWAYS, SC_ALLOW, { { ~0ull, WATCH_OWN_EXEC, 5 } }
    };
    size_t n = 0;

    *out = *row;
    if (strcmp(row->name, "execve") == 0)
        rules[n++] = own;
    for (const struct syscall_rule *r = row->rules; r && r->what; r++) {
        if (n == RULES_MAX - 1)
            return false;
        rules[n] = *r;
        rules[n++].verdict = watched_verdict(row, r->verdict);
    }
    rules[n].what = NULL;
    out->verdict = watched_verdict(row, row->verdict);
    out->rules = rules;
    return true;
}

/* A label that decides the call, or 0 when its verdict is constant: then it
 * is left in *verdict. */
static uint32_t compile_row(struct bpf *b, const struct syscall_row *row,
                            unsigned when, uint32_t *verdict)
{
    const struct syscall_rule *active[RULES_MAX];
    size_t n = 0;

    *verdict = row->verdict;
    for (const struct syscall_rule *r = row->rules; r && r->what; r++) {
        if (!is_active(r, when))
            continue;
        if (is_sure(r, 0)) {
            *verdict = r->verdict;
            break;
        }
        if (n == RULES_MAX) {
            b->failed = true;
            return 0;
        }
        active[n++] = r;
    }
    if (n == 0)
        return 0;
    return compile_list(b, active, n, 0, bpf_ret(b, *verdict));
}

/* Apart, for the size of its frame. */
static __attribute__((noinline)) uint32_t
compile_watched(struct bpf *b, const struct syscall_row *row, unsigned when,
                uint32_t *verdict)
{
    struct syscall_rule rules[RULES_MAX];
    struct syscall_row seen;

    /* A filter that lacks a rule must not come to be. */
    if (!watched_row(row, rules, &seen)) {
        b->failed = true;
        return 0;
    }
    return compile_row(b, &seen, when, verdict);
}

/* --- the table --- */

struct decisions {
    uint32_t label[NR_END];   /* 0: the verdict is constant */
    uint32_t verdict[NR_END]; /* 0: no row */
};

/* An earlier row with the same rules, whose code does for this one. */
static uint32_t same_code(const struct seccomp_table *t, size_t i,
                          const struct decisions *d)
{
    const struct syscall_row *row = &t->rows[i];

    for (size_t j = 0; row->rules && j < i; j++) {
        const struct syscall_row *other = &t->rows[j];

        if (other->rules == row->rules && other->verdict == row->verdict &&
            other->nr[t->arch] >= 0)
            return d->label[other->nr[t->arch]];
    }
    return 0;
}

static int compile_rows(struct bpf *b, const struct seccomp_table *t,
                        unsigned when, bool is_watched, struct decisions *d,
                        struct err *e)
{
    for (size_t i = 0; i < t->nrows; i++) {
        const struct syscall_row *row = &t->rows[i];
        int nr = row->nr[t->arch];

        if (nr < 0)
            continue;
        if (nr >= NR_END)
            return err_set(e, ERR_BACKEND_ERROR,
                           "system call '%s' has the number %d, the filter "
                           "ends at %d",
                           row->name, nr, NR_END);
        if (d->verdict[nr] != 0)
            return err_set(e, ERR_BACKEND_ERROR,
                           "system call '%s' has the number %d of another",
                           row->name, nr);
        d->verdict[nr] = row->verdict;
        if (is_watched) {
            d->label[nr] = compile_watched(b, row, when, &d->verdict[nr]);
            continue;
        }
        d->label[nr] = same_code(t, i, d);
        if (d->label[nr] == 0)
            d->label[nr] = compile_row(b, row, when, &d->verdict[nr]);
    }
    return 0;
}

static size_t add_range(struct bpf_range *r, size_t n, uint32_t first,
                        uint32_t label)
{
    struct bpf_range *last = n > 0 ? &r[n - 1] : NULL;
    struct bpf_range *before = n > 1 ? &r[n - 2] : NULL;

    if (last && last->label == label)
        return n;
    /* One comparison does for one number, where it takes two to have it apart
     * from both its sides. */
    if (before && before->label == label && !before->other && !last->other &&
        last->first + 1 == first) {
        before->but = last->first;
        before->other = last->label;
        return n - 1;
    }
    r[n] = (struct bpf_range){ .first = first, .label = label };
    return n + 1;
}

static size_t make_ranges(struct bpf *b, const struct decisions *d,
                          enum syscall_arch arch, struct bpf_range *r)
{
    size_t n = 0;

    for (uint32_t nr = 0; nr < NR_END; nr++) {
        uint32_t verdict = d->verdict[nr] ? d->verdict[nr] : SC_FAIL(ENOSYS);

        n = add_range(r, n, nr,
                      d->label[nr] ? d->label[nr] : bpf_ret(b, verdict));
    }
    n = add_range(r, n, NR_END, bpf_ret(b, SC_FAIL(ENOSYS)));
    if (arch == ARCH_X86_64) {
        /* Same numbers, other structures: a second door to every call.  -1
         * is no call at all, but what a tracer leaves to skip one. */
        n = add_range(r, n, X32_BIT, bpf_ret(b, SC_KILL));
        n = add_range(r, n, ALL32, bpf_ret(b, SC_FAIL(ENOSYS)));
    }
    return n;
}

static uint32_t begin(struct bpf *b, enum syscall_arch arch, uint32_t tree)
{
    uint32_t number = bpf_load(b, offsetof(struct seccomp_data, nr), tree);

    return bpf_load(
        b, offsetof(struct seccomp_data, arch),
        bpf_if_eq(b, audit_arch[arch], number, bpf_ret(b, SC_KILL)));
}

int seccomp_filter_compile(const struct seccomp_table *t,
                           const struct seccomp_options *o,
                           struct sock_filter *out, size_t *n, struct err *e)
{
    struct bpf_range ranges[RANGES_MAX];
    struct decisions d = { 0 };
    struct bpf b;
    size_t nranges, len;

    bpf_init(&b, out, SECCOMP_FILTER_MAX);
    if (compile_rows(&b, t, when_bits(o), o->watched, &d, e) < 0)
        return -1;
    nranges = make_ranges(&b, &d, t->arch, ranges);
    len = bpf_finish(&b, begin(&b, t->arch, bpf_tree(&b, ranges, nranges)));
    if (len == 0)
        return err_set(e, ERR_BACKEND_ERROR,
                       "the system-call filter needs more than %d "
                       "instructions",
                       SECCOMP_FILTER_MAX);
    *n = len;
    return 0;
}

/* --- the mark of a run --- */

/* Compare this word of the sixth argument with `to` instead of `from`.  How
 * often that was done. */
static size_t mark_word(struct sock_filter *f, size_t n, uint32_t offset,
                        uint32_t from, uint32_t to)
{
    size_t done = 0;

    for (size_t i = 1; i < n; i++) {
        const struct sock_filter *load = &f[i - 1];

        if (load->code != (BPF_LD | BPF_W | BPF_ABS) || load->k != offset ||
            f[i].code != (BPF_JMP | BPF_JEQ | BPF_K) || f[i].k != from)
            continue;
        f[i].k = to;
        done++;
    }
    return done;
}

bool seccomp_filter_mark(struct sock_filter *f, size_t n, uint64_t mark)
{
    const uint32_t at = offsetof(struct seccomp_data, args[5]);
    const uint64_t from = WATCH_OWN_EXEC;
    /* Of both architectures, which are little-endian. */
    const size_t low = mark_word(f, n, at, (uint32_t)from, (uint32_t)mark);
    const size_t high =
        mark_word(f, n, at + 4, (uint32_t)(from >> 32), (uint32_t)(mark >> 32));

    return low == 1 && high == 1;
}

/* --- without the kernel --- */

#if defined(__x86_64__) && !defined(__ILP32__)
#define OUR_ARCH ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH ARCH_AARCH64
#else
#error "the system-call table has no numbers for this architecture"
#endif

static bool holds(const struct syscall_rule *r, const uint64_t args[6])
{
    for (size_t i = 0; i < SC_CONDS && r->cond[i].mask; i++) {
        const struct syscall_cond *c = &r->cond[i];

        if ((args[c->arg] & c->mask) != c->value)
            return false;
    }
    return true;
}

const struct syscall_row *seccomp_row(int nr)
{
    for (size_t i = 0; i < syscall_nrows; i++)
        if (syscall_rows[i].nr[OUR_ARCH] == nr)
            return &syscall_rows[i];
    return NULL;
}

uint32_t seccomp_judge(const struct seccomp_options *o,
                       const struct syscall_row *row, const uint64_t args[6])
{
    const unsigned when = when_bits(o);

    for (const struct syscall_rule *r = row->rules; r && r->what; r++)
        if (is_active(r, when) && holds(r, args))
            return r->verdict;
    return row->verdict;
}

int seccomp_filter_build(const struct seccomp_options *o,
                         struct sock_filter *out, size_t *n, struct err *e)
{
    const struct seccomp_table t = { .rows = syscall_rows,
                                     .nrows = syscall_nrows,
                                     .arch = OUR_ARCH };

    return seccomp_filter_compile(&t, o, out, n, e);
}
