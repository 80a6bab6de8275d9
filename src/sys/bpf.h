/* bpf.h - writes classic BPF programs for seccomp(2), from the end.
 *
 * Every jump of classic BPF goes forward.  So the builder starts with the
 * last instruction and works its way up: whatever is jumped to exists
 * already, every distance is known, and there is nothing to patch later.
 * Each function puts instructions in front and returns their label, the place
 * where to jump to.  A conditional jump reaches 255 instructions; farther
 * ones get a stepping stone by themselves.
 *
 * Running out of room sets `failed`; later calls do nothing, so that the
 * caller asks once, in bpf_finish. */
#ifndef MXC_SYS_BPF_H
#define MXC_SYS_BPF_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BPF_RETS = 16 };

struct bpf {
    struct sock_filter *insn; /* the program is insn[cap - len .. cap - 1] */
    size_t cap;
    size_t len;
    bool failed;
    /* The nearest return of each value, so that all jumps share it. */
    struct bpf_ret_at {
        uint32_t value;
        uint32_t label;
    } ret[BPF_RETS];
    size_t nret;
};

/* A label counts instructions from the end; 0 is none. */

/* From `first` up to the next range's first, go to `label`; from one number
 * among them elsewhere. */
struct bpf_range {
    uint32_t first;
    uint32_t label;
    uint32_t but;   /* that number ... */
    uint32_t other; /* ... and where it goes; 0: there is none */
};

void bpf_init(struct bpf *b, struct sock_filter *insn, size_t cap);

/* End the program with this verdict. */
uint32_t bpf_ret(struct bpf *b, uint32_t value);

/* Load the 32-bit word at this offset of struct seccomp_data, go on at next. */
uint32_t bpf_load(struct bpf *b, uint32_t offset, uint32_t next);

/* Keep these bits of the loaded word, go on at next. */
uint32_t bpf_and(struct bpf *b, uint32_t mask, uint32_t next);

/* Is the loaded word equal to / at least k? */
uint32_t bpf_if_eq(struct bpf *b, uint32_t k, uint32_t yes, uint32_t no);
uint32_t bpf_if_ge(struct bpf *b, uint32_t k, uint32_t yes, uint32_t no);

/* Find the loaded word's range in log2(n) steps, and one for its exception. The
 * ranges are sorted, the first begins at 0. */
uint32_t bpf_tree(struct bpf *b, const struct bpf_range *r, size_t n);

/* Move the program that begins at `entry` to the front of the array: its
 * length, or 0 when it did not fit. */
size_t bpf_finish(struct bpf *b, uint32_t entry);

#endif
