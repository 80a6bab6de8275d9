/* bpf_random.h - tables of made-up system calls, and calls that come close to
 * their rules.  The numbers come from `next`, a random generator in the test
 * and the input's bytes in the fuzzer. */
#ifndef MXC_TESTS_BPF_RANDOM_H
#define MXC_TESTS_BPF_RANDOM_H

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>

#include "sys/seccomp_filter.h"

enum { RND_ROWS = 96, RND_RULES = 8 };

struct rnd {
    uint32_t (*next)(void *state);
    void *state;
};

struct rnd_table {
    struct syscall_row row[RND_ROWS];
    struct syscall_rule rule[RND_ROWS][RND_RULES + 1];
    struct seccomp_table table;
    struct seccomp_options options;
};

static inline uint32_t rnd_below(struct rnd *r, uint32_t n)
{
    return n ? r->next(r->state) % n : 0;
}

static inline uint64_t rnd_word(struct rnd *r)
{
    uint64_t high = r->next(r->state);

    switch (rnd_below(r, 4)) {
    case 0:
        return rnd_below(r, 4);
    case 1:
        return 1ull << rnd_below(r, 64);
    case 2:
        return UINT64_MAX - rnd_below(r, 4);
    default:
        return high << 32 | r->next(r->state);
    }
}

static inline uint32_t rnd_verdict(struct rnd *r)
{
    uint32_t kind = rnd_below(r, 8);

    if (kind == 0)
        return SC_NOTIFY;
    return kind < 4 ? SC_ALLOW : SC_FAIL(1 + rnd_below(r, 40));
}

static inline struct syscall_cond rnd_cond(struct rnd *r)
{
    static const uint64_t width[] = { 0xffffffff, UINT64_MAX,
                                      0xffffffff00000000ull, 0xff };
    struct syscall_cond c = { .arg = rnd_below(r, 6) };

    c.mask = rnd_below(r, 2) ? width[rnd_below(r, 4)] : rnd_word(r);
    c.value = rnd_word(r);
    if (rnd_below(r, 8) != 0)
        c.value &= c.mask; /* else it can never hold */
    return c;
}

static inline void rnd_rules(struct rnd *r, struct syscall_rule *rule)
{
    uint32_t n = rnd_below(r, RND_RULES + 1);

    for (uint32_t i = 0; i < n; i++) {
        uint32_t conds = rnd_below(r, SC_CONDS + 1);

        rule[i] = (struct syscall_rule){ .what = "rule" };
        rule[i].when = rnd_below(r, 8);
        rule[i].verdict = rnd_verdict(r);
        for (uint32_t j = 0; j < conds; j++)
            rule[i].cond[j] = rnd_cond(r);
        /* Lists of the kind of ioctl's: one word, many values. */
        if (i > 0 && conds > 0 && rnd_below(r, 2)) {
            rule[i].cond[0].arg = rule[i - 1].cond[0].arg;
            rule[i].cond[0].mask = rule[i - 1].cond[0].mask;
        }
        if (i > 0 && rnd_below(r, 3) == 0) /* a common beginning */
            rule[i].cond[0] = rule[i - 1].cond[0];
        if (i > 0 && rnd_below(r, 3) == 0) { /* a value counting up */
            rule[i] = rule[i - 1];
            rule[i].cond[0].mask = 0xffffffff;
            rule[i].cond[0].value++;
        }
    }
}

static inline void rnd_make(struct rnd *r, struct rnd_table *t)
{
    bool used[512] = { false };
    uint32_t n = 1 + rnd_below(r, RND_ROWS);
    uint32_t span = rnd_below(r, 2) ? 512 : n + 1, two;

    memset(t, 0, sizeof(*t));
    t->table.rows = t->row;
    t->table.arch = (enum syscall_arch)rnd_below(r, ARCH_COUNT);
    t->options.broker_creates = rnd_below(r, 2);
    two = rnd_below(r, 4);
    t->options.broker_unix = two & 1;
    t->options.ping = two & 2;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t nr = rnd_below(r, span);

        if (used[nr])
            continue;
        used[nr] = true;
        rnd_rules(r, t->rule[i]);
        t->row[t->table.nrows++] = (struct syscall_row){
            .name = "call",
            .nr = { (int16_t)nr, (int16_t)nr },
            .verdict = rnd_verdict(r),
            .rules = t->rule[i],
        };
    }
}

/* Often a number of the table, often arguments that satisfy a rule, with a
 * bit changed here and there. */
static inline void rnd_data(struct rnd *r, const struct rnd_table *t,
                            struct seccomp_data *d)
{
    static const uint32_t arch[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64,
                                     AUDIT_ARCH_I386, AUDIT_ARCH_ARM };
    const struct syscall_row *row =
        &t->row[rnd_below(r, (uint32_t)t->table.nrows)];
    const struct syscall_rule *rule = &row->rules[rnd_below(r, RND_RULES)];

    memset(d, 0, sizeof(*d));
    d->arch = rnd_below(r, 16) ? arch[t->table.arch] : arch[rnd_below(r, 4)];
    d->nr = rnd_below(r, 8) ? row->nr[0] : (int)rnd_word(r);
    for (int i = 0; i < 6; i++)
        d->args[i] = rnd_word(r);
    for (int i = 0; i < SC_CONDS; i++) {
        const struct syscall_cond *c = &rule->cond[i];

        d->args[c->arg] = (d->args[c->arg] & ~c->mask) | c->value;
    }
    if (rnd_below(r, 3) == 0)
        d->args[rnd_below(r, 6)] ^= 1ull << rnd_below(r, 64);
}

#endif
