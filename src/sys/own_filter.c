/* own_filter.c - see own_filter.h. */
#include "sys/own_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "sys/seccomp_load.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "mxc does not know this architecture"
#endif

void own_filter_begin(struct own_filter *f)
{
    bpf_init(&f->b, f->room, OWN_FILTER_MAX);
    f->no = bpf_ret(&f->b, SECCOMP_RET_KILL_PROCESS);
    f->yes = bpf_ret(&f->b, SECCOMP_RET_ALLOW);
    f->at = f->no;
}

/* One by one, in any order: the kernel caches what does not look at
 * arguments. */
void own_filter_allow(struct own_filter *f, const unsigned *call, size_t n)
{
    for (size_t i = n; i > 0; i--)
        own_filter_judge(f, call[i - 1], f->yes);
}

void own_filter_judge(struct own_filter *f, unsigned call, uint32_t label)
{
    f->at = bpf_if_eq(&f->b, call, label, f->at);
}

uint32_t own_filter_arg(unsigned n, unsigned half)
{
    return (uint32_t)(offsetof(struct seccomp_data, args) +
                      sizeof(uint64_t) * n + 4 * half);
}

uint32_t own_filter_no_code(struct own_filter *f)
{
    return bpf_load(
        &f->b, own_filter_arg(2, 0),
        bpf_and(&f->b, PROT_EXEC, bpf_if_eq(&f->b, 0, f->yes, f->no)));
}

int own_filter_enforce(struct own_filter *f)
{
    uint32_t at = bpf_load(&f->b, offsetof(struct seccomp_data, nr), f->at);
    size_t n;

    at = bpf_if_eq(&f->b, NATIVE_ARCH, at, f->no);
    at = bpf_load(&f->b, offsetof(struct seccomp_data, arch), at);
    n = bpf_finish(&f->b, at);
    if (!n)
        return -EINVAL;
#if defined(__SANITIZE_ADDRESS__)
    return 0;
#else
    int none;

    return seccomp_enforce(f->room, n, false, &none);
#endif
}
