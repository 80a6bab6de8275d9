/* syscall_table.h - what each system call of the workload is answered.
 *
 * Plain data: seccomp_filter.c compiles it, tests evaluate it directly and
 * compare, docs/seccomp.md is printed from it. */
#ifndef MXC_SYS_SYSCALL_TABLE_H
#define MXC_SYS_SYSCALL_TABLE_H

#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

enum syscall_arch { ARCH_X86_64, ARCH_AARCH64, ARCH_COUNT };

/* Verdicts are seccomp's own return values; 0 would be KILL_THREAD. */
#define SC_ALLOW   SECCOMP_RET_ALLOW
#define SC_NOTIFY  SECCOMP_RET_USER_NOTIF
#define SC_KILL    SECCOMP_RET_KILL_PROCESS
#define SC_FAIL(e) (SECCOMP_RET_ERRNO | (uint32_t)(e))

/* When a rule counts: always, or with an option of struct seccomp_options. */
enum {
    WHEN_ALWAYS = 0,
    WHEN_CREATES = 1,
    WHEN_UNIX = 2,
    WHEN_PING = 4,
    WHEN_SENTRY = 8
};

/* Holds if (argument & mask) == value.  The mask is also the width: an
 * argument that the kernel takes as 32 bits is compared on 32 bits, since the
 * rest is whatever the caller left in the register (CVE-2019-10063). */
struct syscall_cond {
    uint64_t mask; /* 0: no condition, none after it */
    uint64_t value;
    unsigned arg;
};

enum { SC_CONDS = 3 };

/* The first rule whose conditions all hold decides. */
struct syscall_rule {
    const char *what; /* NULL ends the list */
    unsigned when;    /* WHEN_* bits, any of them */
    uint32_t verdict;
    struct syscall_cond cond[SC_CONDS];
};

/* A call that is not on this architecture has the number -1. */
struct syscall_row {
    const char *name;
    int16_t nr[ARCH_COUNT];
    uint32_t verdict;                 /* when no rule decides */
    const struct syscall_rule *rules; /* NULL: none */
    const char *why;                  /* NULL: allowed as it is */
};

extern const struct syscall_row syscall_rows[];
extern const size_t syscall_nrows;

/* The rule lists, in syscall_rules.c. */
extern const struct syscall_rule rules_arch_prctl[], rules_bind[],
    rules_chmod_1[], rules_chmod_2[], rules_clone[], rules_connect[],
    rules_creat[], rules_fcntl[], rules_ioctl[], rules_landlock[],
    rules_mknod[], rules_mknodat[], rules_naming[], rules_open[],
    rules_openat[], rules_personality[], rules_prctl[], rules_preadv2[],
    rules_prlimit64[], rules_seccomp[], rules_send_2[], rules_send_3[],
    rules_sentry[], rules_setrlimit[], rules_setsockopt[], rules_socket[],
    rules_socketpair[], rules_unshare[];

#endif
