/* bpf.c - the builder of bpf.h.  Pure: no system call, no allocation.  It
 * does not know what the numbers mean; that is seccomp_filter.c's part. */
#include "sys/bpf.h"

#include <string.h>

/* An 8-bit offset counts the instructions between jump and target. */
enum { REACH = 255 };

void bpf_init(struct bpf *b, struct sock_filter *insn, size_t cap)
{
    memset(b, 0, sizeof(*b));
    b->insn = insn;
    b->cap = cap;
}

static uint32_t put(struct bpf *b, struct sock_filter insn)
{
    if (b->len == b->cap)
        b->failed = true;
    if (b->failed)
        return 0;
    b->len++;
    b->insn[b->cap - b->len] = insn;
    return (uint32_t)b->len;
}

/* Instructions that lie between the next one to be put and the label. */
static uint32_t distance(const struct bpf *b, uint32_t label)
{
    return (uint32_t)b->len - label;
}

static uint32_t put_ret(struct bpf *b, uint32_t value)
{
    return put(b, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, value));
}

static struct bpf_ret_at *find_ret(struct bpf *b, uint32_t value)
{
    for (size_t i = 0; i < b->nret; i++) {
        if (b->ret[i].value == value)
            return &b->ret[i];
    }
    return NULL;
}

uint32_t bpf_ret(struct bpf *b, uint32_t value)
{
    struct bpf_ret_at *known = find_ret(b, value);
    uint32_t label;

    if (known)
        return known->label;
    label = put_ret(b, value);
    if (b->nret < BPF_RETS)
        b->ret[b->nret++] = (struct bpf_ret_at){ value, label };
    return label;
}

/* A return that is out of reach is repeated, which costs the program no more
 * than a stepping stone and saves the step. */
static uint32_t near_ret(struct bpf *b, uint32_t value)
{
    struct bpf_ret_at *known = find_ret(b, value);

    if (known && distance(b, known->label) <= REACH - 2)
        return known->label;
    if (!known)
        return put_ret(b, value);
    known->label = put_ret(b, value);
    return known->label;
}

/* A label that does the same and that the next instructions can reach.  The
 * margin of 2 leaves room for the other branch's stone and the jump. */
static uint32_t reach(struct bpf *b, uint32_t label)
{
    const struct sock_filter *to;

    if (b->failed || label == 0 || distance(b, label) <= REACH - 2)
        return label;
    to = &b->insn[b->cap - label];
    if (to->code == (BPF_RET | BPF_K))
        return near_ret(b, to->k);
    return put(
        b, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, distance(b, label)));
}

/* For instructions that simply run on into the next one. */
static void run_on(struct bpf *b, uint32_t label)
{
    uint32_t between = distance(b, label);

    if (!b->failed && between > 0)
        put(b, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, between));
}

uint32_t bpf_load(struct bpf *b, uint32_t offset, uint32_t next)
{
    run_on(b, next);
    return put(b,
               (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

uint32_t bpf_and(struct bpf *b, uint32_t mask, uint32_t next)
{
    run_on(b, next);
    return put(b,
               (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
}

static uint32_t branch(struct bpf *b, uint16_t op, uint32_t k, uint32_t yes,
                       uint32_t no)
{
    yes = reach(b, yes);
    no = reach(b, no);
    if (b->failed)
        return 0;
    return put(b, (struct sock_filter)BPF_JUMP(BPF_JMP | op | BPF_K, k,
                                               (uint8_t)distance(b, yes),
                                               (uint8_t)distance(b, no)));
}

uint32_t bpf_if_eq(struct bpf *b, uint32_t k, uint32_t yes, uint32_t no)
{
    return branch(b, BPF_JEQ, k, yes, no);
}

uint32_t bpf_if_ge(struct bpf *b, uint32_t k, uint32_t yes, uint32_t no)
{
    return branch(b, BPF_JGE, k, yes, no);
}

/* Recursion is as deep as the tree: 10 for 1,000 ranges. */
uint32_t bpf_tree(struct bpf *b, const struct bpf_range *r, size_t n)
{
    size_t mid = n / 2;
    uint32_t low, high;

    if (n == 1 && r[0].other)
        return bpf_if_eq(b, r[0].but, r[0].other, r[0].label);
    if (n == 1)
        return r[0].label;
    high = bpf_tree(b, r + mid, n - mid);
    low = bpf_tree(b, r, mid);
    return bpf_if_ge(b, r[mid].first, high, low);
}

size_t bpf_finish(struct bpf *b, uint32_t entry)
{
    run_on(b, entry);
    if (b->failed)
        return 0;
    memmove(b->insn, b->insn + (b->cap - b->len), b->len * sizeof(*b->insn));
    return b->len;
}
