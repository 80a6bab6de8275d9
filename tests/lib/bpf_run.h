/* bpf_run.h - run a seccomp program as the kernel would, and decide a call
 * straight from the table, so that tests can compare the two. */
#ifndef MXC_TESTS_BPF_RUN_H
#define MXC_TESTS_BPF_RUN_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>

#include "sys/seccomp_filter.h"

/* The kernel's conditions (net/core/filter.c, bpf_check_classic;
 * kernel/seccomp.c, seccomp_check_filter), for the instructions that our
 * builder makes. */
static inline bool bpf_insn_is_valid(const struct sock_filter *f, size_t at,
                                     size_t n)
{
    size_t left = n - at - 1;

    switch (f[at].code) {
    case BPF_LD | BPF_W | BPF_ABS:
        return f[at].k % 4 == 0 && f[at].k < sizeof(struct seccomp_data);
    case BPF_ALU | BPF_AND | BPF_K:
    case BPF_RET | BPF_K:
        return true;
    case BPF_JMP | BPF_JA:
        return f[at].k < left;
    case BPF_JMP | BPF_JEQ | BPF_K:
    case BPF_JMP | BPF_JGE | BPF_K:
        return f[at].jt < left && f[at].jf < left;
    default:
        return false;
    }
}

static inline bool bpf_is_valid(const struct sock_filter *f, size_t n)
{
    if (n == 0 || n > BPF_MAXINSNS || f[n - 1].code != (BPF_RET | BPF_K))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!bpf_insn_is_valid(f, i, n))
            return false;
    }
    return true;
}

/* The program is valid.  *steps, if wanted, counts instructions. */
static inline uint32_t bpf_run(const struct sock_filter *f,
                               const struct seccomp_data *data, unsigned *steps)
{
    uint32_t a = 0;

    for (size_t pc = 0;; pc++) {
        const struct sock_filter *i = &f[pc];

        if (steps)
            (*steps)++;
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&a, (const char *)data + i->k, sizeof(a));
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            break;
        case BPF_JMP | BPF_JA:
            pc += i->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            pc += a >= i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K: /* other compilers' */
            pc += a > i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            pc += (a & i->k) != 0 ? i->jt : i->jf;
            break;
        default:
            return i->k;
        }
    }
}

static inline bool rule_holds(const struct syscall_rule *r,
                              const struct seccomp_options *o,
                              const struct seccomp_data *data)
{
    if (r->when != WHEN_ALWAYS &&
        !((r->when & WHEN_CREATES) && o->broker_creates) &&
        !((r->when & WHEN_UNIX) && o->broker_unix) &&
        !((r->when & WHEN_PING) && o->ping) &&
        !((r->when & WHEN_SENTRY) && o->sentry))
        return false;
    for (size_t i = 0; i < SC_CONDS; i++) {
        const struct syscall_cond *c = &r->cond[i];

        if (c->mask == 0)
            break;
        if ((data->args[c->arg] & c->mask) != c->value)
            return false;
    }
    return true;
}

static inline const struct syscall_row *table_row(const struct seccomp_table *t,
                                                  int nr)
{
    for (size_t i = 0; i < t->nrows; i++) {
        if (nr >= 0 && t->rows[i].nr[t->arch] == nr)
            return &t->rows[i];
    }
    return NULL;
}

static inline uint32_t table_eval(const struct seccomp_table *t,
                                  const struct seccomp_options *o,
                                  const struct seccomp_data *data)
{
    static const uint32_t arch[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64 };
    const struct syscall_row *row = table_row(t, data->nr);

    if (data->arch != arch[t->arch])
        return SECCOMP_RET_KILL_PROCESS;
    if (t->arch == ARCH_X86_64 && (uint32_t)data->nr >= 0x40000000u &&
        data->nr != -1)
        return SECCOMP_RET_KILL_PROCESS;
    if (!row)
        return SECCOMP_RET_ERRNO | ENOSYS;
    for (const struct syscall_rule *r = row->rules; r && r->what; r++) {
        if (rule_holds(r, o, data))
            return r->verdict;
    }
    return row->verdict;
}

#endif
