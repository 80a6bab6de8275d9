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

#include "base/scoped.h"
#include "sys/bpf.h"

enum {
    NR_END = 512,               /* numbers of the table are below */
    X32_BIT = 0x40000000,       /* asm/unistd.h, __X32_SYSCALL_BIT */
    RANGES_MAX = NR_END + 3,
};

#define ALL32 0xffffffffu

static const uint32_t audit_arch[ARCH_COUNT] = {
    [ARCH_X86_64] = AUDIT_ARCH_X86_64,
    [ARCH_AARCH64] = AUDIT_ARCH_AARCH64,
};

/* Both architectures are little-endian. */
static uint32_t offset_low(unsigned arg)
{
    return (uint32_t)(offsetof(struct seccomp_data, args) + 8 * arg);
}

static uint32_t offset_high(unsigned arg)
{
    return offset_low(arg) + 4;
}

static unsigned when_bits(const struct seccomp_options *o)
{
    return (o->broker_creates ? WHEN_CREATES : 0u) |
           (o->broker_unix ? WHEN_UNIX : 0u);
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

static uint32_t test_high(struct bpf *b, const struct syscall_cond *c,
                          uint32_t yes, uint32_t no)
{
    uint32_t mask = (uint32_t)(c->mask >> 32);

    if (mask == 0 && c->value >> 32 == 0)
        return yes;
    return masked_load(b, offset_high(c->arg), mask,
                       bpf_if_eq(b, (uint32_t)(c->value >> 32), yes, no));
}

static uint32_t test_cond(struct bpf *b, const struct syscall_cond *c,
                          uint32_t yes, uint32_t no)
{
    yes = test_high(b, c, yes, no);
    return masked_load(b, offset_low(c->arg), (uint32_t)c->mask,
                       bpf_if_eq(b, (uint32_t)c->value, yes, no));
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

static bool is_one_word(const struct syscall_rule *r)
{
    for (size_t i = 1; i < SC_CONDS; i++) {
        if (r->cond[i].mask != 0)
            return false;
    }
    return r->cond[0].mask >> 32 == 0 && r->cond[0].value >> 32 == 0;
}

/* Put a rule in front of the chain.  Rules in a row that look at the same
 * word load it once: a failed first comparison leaves it loaded. */
static void add_rule(struct bpf *b, const struct syscall_rule *r,
                     struct chain *c)
{
    const struct syscall_cond *first = &r->cond[0];
    bool shares = same_word(c->loaded, first);
    uint32_t loaded = c->label, entry = 0, yes;

    if (!shares || !is_one_word(r))
        entry = chain_entry(b, c);
    yes = bpf_ret(b, r->verdict);
    for (size_t i = SC_CONDS - 1; i > 0; i--) {
        if (r->cond[i].mask != 0)
            yes = test_cond(b, &r->cond[i], yes, entry);
    }
    yes = test_high(b, first, yes, entry);
    c->label = bpf_if_eq(b, (uint32_t)first->value, yes,
                         shares ? loaded : entry);
    c->loaded = first;
}

/* A label that decides the call, or 0 when its verdict is constant: then it
 * is left in *verdict. */
static uint32_t compile_row(struct bpf *b, const struct syscall_row *row,
                            unsigned when, uint32_t *verdict)
{
    const struct syscall_rule *active[128];
    struct chain c = { 0 };
    size_t n = 0;

    *verdict = row->verdict;
    for (const struct syscall_rule *r = row->rules; r && r->what; r++) {
        if (!is_active(r, when))
            continue;
        if (r->cond[0].mask == 0) {
            *verdict = r->verdict;      /* the rules below are not reached */
            break;
        }
        if (n == ARRAY_LEN(active)) {
            b->failed = true;
            return 0;
        }
        active[n++] = r;
    }
    if (n == 0)
        return 0;
    c.label = bpf_ret(b, *verdict);
    while (n > 0)
        add_rule(b, active[--n], &c);
    return chain_entry(b, &c);
}

/* --- the table --- */

struct decisions {
    uint32_t label[NR_END];     /* 0: the verdict is constant */
    uint32_t verdict[NR_END];   /* 0: no row */
};

static int compile_rows(struct bpf *b, const struct seccomp_table *t,
                        unsigned when, struct decisions *d, struct err *e)
{
    for (size_t i = 0; i < t->nrows; i++) {
        const struct syscall_row *row = &t->rows[i];
        int nr = row->nr[t->arch];

        if (nr < 0)
            continue;
        if (nr >= NR_END)
            return err_set(e, ERR_BACKEND_ERROR,
                           "system call '%s' has the number %d, the filter "
                           "ends at %d", row->name, nr, NR_END);
        if (d->verdict[nr] != 0)
            return err_set(e, ERR_BACKEND_ERROR,
                           "system call '%s' has the number %d of another",
                           row->name, nr);
        d->label[nr] = compile_row(b, row, when, &d->verdict[nr]);
    }
    return 0;
}

static size_t add_range(struct bpf_range *r, size_t n, uint32_t first,
                        uint32_t label)
{
    if (n > 0 && r[n - 1].label == label)
        return n;
    r[n] = (struct bpf_range){ first, label };
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

    return bpf_load(b, offsetof(struct seccomp_data, arch),
                    bpf_if_eq(b, audit_arch[arch], number,
                              bpf_ret(b, SC_KILL)));
}

int seccomp_filter_compile(const struct seccomp_table *t,
                           const struct seccomp_options *o,
                           struct sock_filter *out, size_t *n,
                           struct err *e)
{
    struct bpf_range ranges[RANGES_MAX];
    struct decisions d = { 0 };
    struct bpf b;
    size_t nranges, len;

    bpf_init(&b, out, SECCOMP_FILTER_MAX);
    if (compile_rows(&b, t, when_bits(o), &d, e) < 0)
        return -1;
    nranges = make_ranges(&b, &d, t->arch, ranges);
    len = bpf_finish(&b, begin(&b, t->arch, bpf_tree(&b, ranges, nranges)));
    if (len == 0)
        return err_set(e, ERR_BACKEND_ERROR,
                       "the system-call filter needs more than %d "
                       "instructions", SECCOMP_FILTER_MAX);
    *n = len;
    return 0;
}

int seccomp_filter_build(const struct seccomp_options *o,
                         struct sock_filter *out, size_t *n, struct err *e)
{
    struct seccomp_table t = { .rows = syscall_rows, .nrows = syscall_nrows };

#if defined(__x86_64__) && !defined(__ILP32__)
    t.arch = ARCH_X86_64;
#elif defined(__aarch64__)
    t.arch = ARCH_AARCH64;
#else
#error "the system-call table has no numbers for this architecture"
#endif
    return seccomp_filter_compile(&t, o, out, n, e);
}
