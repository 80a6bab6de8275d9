/* own_filter.h - the system calls of a program of ours that reads what others
 * wrote: a list, and the end of the program for every other. */
#ifndef MXC_SYS_OWN_FILTER_H
#define MXC_SYS_OWN_FILTER_H

#include "sys/bpf.h"

enum { OWN_FILTER_MAX = 256 };

struct own_filter {
    struct sock_filter room[OWN_FILTER_MAX];
    struct bpf b;
    uint32_t yes, no; /* verdicts, to jump to */
    uint32_t at;      /* what is looked at next */
};

void own_filter_begin(struct own_filter *f);

/* Allow these calls, whatever their arguments. */
void own_filter_allow(struct own_filter *f, const unsigned *call, size_t n);

/* Judge this one by what begins at `label`. */
void own_filter_judge(struct own_filter *f, unsigned call, uint32_t label);

/* Where half an argument is: 0 is the low one.  For bpf_load. */
uint32_t own_filter_arg(unsigned n, unsigned half);

/* Of mmap(2) and mprotect(2): nothing that can be executed. */
uint32_t own_filter_no_code(struct own_filter *f);

/* For good; the caller has set PR_SET_NO_NEW_PRIVS.  0 or -errno.  Under
 * AddressSanitizer, whose own calls are not ours, it is built and not loaded.
 */
int own_filter_enforce(struct own_filter *f);

#endif
