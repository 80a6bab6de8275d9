/* test_seccomp_filter.c - the workload's filter, decided by an interpreter:
 * that it says what the table says, and that the table says what it must. */
#include "sys/seccomp_filter.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "bpf_run.h"
#include "t.h"

static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64 };

struct filter {
    struct sock_filter insn[SECCOMP_FILTER_MAX];
    size_t n;
    struct seccomp_table table;
    struct seccomp_options options;
};

static void build(struct filter *f, enum syscall_arch arch, int options)
{
    struct err e = { 0 };

    f->n = 0;
    f->table = (struct seccomp_table){ syscall_rows, syscall_nrows, arch };
    f->options.broker_creates = options & 1;
    f->options.broker_unix = options & 2;
    f->options.ping = options & 4;
    f->options.sentry = options & 8;
    if (seccomp_filter_compile(&f->table, &f->options, f->insn, &f->n, &e) < 0)
        T_FAIL("%s", e.msg);
    CHECK(bpf_is_valid(f->insn, f->n));
}

static uint32_t verdict(const struct filter *f, const struct seccomp_data *d)
{
    return bpf_run(f->insn, d, NULL);
}

static int number(const struct filter *f, const char *name)
{
    for (size_t i = 0; i < syscall_nrows; i++) {
        if (strcmp(syscall_rows[i].name, name) == 0)
            return syscall_rows[i].nr[f->table.arch];
    }
    T_FAIL("no row '%s'", name);
}

/* --- the table --- */

static void check_errno(uint32_t v)
{
    if ((v & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO)
        return;
    if ((v & SECCOMP_RET_DATA) == 0)
        return; /* pretends success */
    CHECK(strcmp(err_errno_name(v & SECCOMP_RET_DATA), "E?") != 0);
}

TEST(rows_are_complete)
{
    for (size_t i = 0; i < syscall_nrows; i++) {
        const struct syscall_row *r = &syscall_rows[i];
        bool fails =
            (r->verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;

        NOTE(r->name);
        CHECK(fails || r->verdict == SC_ALLOW);
        CHECK(r->nr[ARCH_X86_64] >= 0);
        CHECK((fails || r->rules) == (r->why != NULL));
        check_errno(r->verdict);
        for (const struct syscall_rule *q = r->rules; q && q->what; q++)
            check_errno(q->verdict);
        for (size_t j = 0; j < i; j++)
            CHECK(strcmp(r->name, syscall_rows[j].name) != 0);
    }
}

/* Linux 6.18 ends at 469; x86-64's old numbers end at 336. */
TEST(every_number_has_a_row)
{
    struct seccomp_table t = { syscall_rows, syscall_nrows, ARCH_X86_64 };
    char name[32];

    for (int nr = 0; nr < 512; nr++) {
        bool exists = nr <= 336 || (nr >= 424 && nr <= 469);

        snprintf(name, sizeof(name), "%d", nr);
        NOTE(name);
        CHECK((table_row(&t, nr) != NULL) == exists);
    }
}

/* clang-format off */

#define NR(name) { #name, __NR_##name }

TEST(numbers_are_the_headers)
{
    static const struct {
        const char *name;
        int nr;
    } some[] = {
        NR(read), NR(openat), NR(ioctl), NR(socket), NR(clone), NR(execve),
        NR(ptrace), NR(mount), NR(prctl), NR(seccomp), NR(bpf), NR(keyctl),
        NR(unshare), NR(setns), NR(openat2), NR(clone3), NR(io_uring_setup),
        NR(userfaultfd), NR(landlock_restrict_self), NR(futex_waitv),
        NR(set_mempolicy_home_node), NR(statx), NR(renameat2),
    };
    /* clang-format on */
    struct filter f;

#ifdef __aarch64__
    build(&f, ARCH_AARCH64, 0);
#else
    build(&f, ARCH_X86_64, 0);
#endif
    for (size_t i = 0; i < ARRAY_LEN(some); i++) {
        NOTE(some[i].name);
        CHECK_INT(number(&f, some[i].name), some[i].nr);
    }
}

/* clang-format off */

#define V(id) { #id, (uint32_t)(id) }

/* The rules carry numbers; here they meet the headers' names.  (termios2 is
 * in <asm/termbits.h>, which does not go with <sys/ioctl.h>.) */
TEST(rule_values_are_the_headers)
{
    static const struct {
        const char *what;
        uint32_t value;
    } known[] = {
        V(TCGETS), V(TCSETS), V(TCSETSW), V(TCSETSF), V(TIOCSCTTY),
        V(TIOCGPGRP), V(TIOCSPGRP), V(TIOCGWINSZ), V(TIOCSWINSZ), V(FIONREAD),
        V(FIONBIO), V(FIOCLEX), V(FIONCLEX), V(FIOASYNC), V(TIOCGPTN),
        V(TIOCSPTLCK), V(TIOCGPTPEER), V(TIOCNOTTY), V(TIOCGSID), V(TIOCSIG),
        V(TIOCPKT), V(TIOCOUTQ), V(TCFLSH), V(TIOCSTI), V(TIOCLINUX),
        V(TIOCCONS), V(TIOCSETD), V(TIOCEXCL), V(TIOCGETD), V(FICLONE),
        V(FICLONERANGE), V(FIDEDUPERANGE), V(FS_IOC_GETFLAGS),
        V(FS_IOC_SETFLAGS), V(FS_IOC_FSGETXATTR), V(FS_IOC_FSSETXATTR),
        V(FS_IOC_FIEMAP), V(SIOCGIFCONF), V(SIOCGIFNAME), V(SIOCGIFFLAGS),
        V(SIOCGIFADDR), V(SIOCGIFINDEX), V(SIOCGIFHWADDR), V(SIOCATMARK),
        V(FIOSETOWN), V(SIOCGIFTXQLEN), V(SIOCOUTQNSD), V(PR_SET_NAME),
        V(PR_SET_MM), V(PR_SET_PDEATHSIG), V(PR_SET_DUMPABLE),
        V(PR_SET_NO_NEW_PRIVS), V(PR_SET_SECCOMP), V(PR_SET_VMA),
        V(PR_CAP_AMBIENT), V(PR_CAPBSET_READ), V(PR_CAPBSET_DROP),
        V(PR_SET_CHILD_SUBREAPER), V(PR_SET_TIMERSLACK),
        V(PR_SET_SPECULATION_CTRL), V(PR_SET_TAGGED_ADDR_CTRL),
        V(PR_SET_PTRACER), V(PR_SET_THP_DISABLE), V(PR_GET_SECUREBITS),
        V(PR_PAC_RESET_KEYS), V(PR_SVE_SET_VL), V(PR_MCE_KILL), V(F_SETLEASE),
        V(F_NOTIFY),
    };
    /* clang-format on */
    const struct syscall_rule *lists[] = { rules_ioctl, rules_prctl,
                                           rules_fcntl };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        int found = 0;

        NOTE(known[i].what);
        for (size_t j = 0; j < ARRAY_LEN(lists); j++) {
            for (const struct syscall_rule *r = lists[j]; r->what; r++) {
                if (strcmp(r->what, known[i].what) != 0)
                    continue;
                CHECK_INT(r->cond[0].value, known[i].value);
                CHECK_INT(r->cond[0].mask, 0xffffffff);
                found++;
            }
        }
        CHECK_INT(found, 1);
    }
}

/* --- program and table agree --- */

static uint64_t next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static void compare(const struct filter *f, const struct seccomp_data *d)
{
    CHECK_INT(verdict(f, d), table_eval(&f->table, &f->options, d));
}

/* Near every rule: exact, with garbage around, with one bit off. */
static void compare_rules(const struct filter *f, struct seccomp_data *d,
                          const struct syscall_rule *rules, uint64_t *seed)
{
    for (const struct syscall_rule *r = rules; r && r->what; r++) {
        for (int round = 0; round < 40; round++) {
            for (int i = 0; i < 6; i++)
                d->args[i] = round ? next(seed) >> (round % 3 * 20) : 0;
            for (int i = 0; i < SC_CONDS; i++) {
                const struct syscall_cond *c = &r->cond[i];

                d->args[c->arg] = (d->args[c->arg] & ~c->mask) | c->value;
            }
            if (round > 20)
                d->args[next(seed) % 6] ^= 1ull << next(seed) % 64;
            compare(f, d);
        }
    }
}

TEST(program_decides_as_the_table)
{
    static struct filter f;
    uint64_t seed = 88172645463325252ull;

    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        for (int options = 0; options < 16; options++) {
            build(&f, (enum syscall_arch)arch, options);
            printf("# %s, options %d: %zu instructions\n",
                   arch ? "aarch64" : "x86-64", options, f.n);
            for (int nr = -3; nr < 1000; nr++) {
                struct seccomp_data d = { .nr = nr, .arch = arches[arch] };
                const struct syscall_row *row = table_row(&f.table, nr);

                compare(&f, &d);
                memset(d.args, 0xff, sizeof(d.args));
                compare(&f, &d);
                if (row)
                    compare_rules(&f, &d, row->rules, &seed);
            }
        }
    }
}

/* --- the doors beside the numbers --- */

TEST(other_architectures_are_killed)
{
    static const uint32_t foreign[] = { AUDIT_ARCH_I386, AUDIT_ARCH_ARM, 0,
                                        AUDIT_ARCH_PPC64LE, 0xffffffffu };
    static struct filter f;

    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        build(&f, (enum syscall_arch)arch, 0);
        for (int nr = 0; nr < 600; nr++) {
            struct seccomp_data d = { .nr = nr, .arch = arches[!arch] };

            CHECK_INT(verdict(&f, &d), SC_KILL);
            for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
                d.arch = foreign[i];
                CHECK_INT(verdict(&f, &d), SC_KILL);
            }
        }
    }
}

TEST(x32_is_killed)
{
    static struct filter f;

    build(&f, ARCH_X86_64, 0);
    for (uint32_t nr = 0x40000000; nr < 0x40000400; nr++) {
        struct seccomp_data d = { .nr = (int)nr, .arch = AUDIT_ARCH_X86_64 };

        CHECK_INT(verdict(&f, &d), SC_KILL);
    }
}

TEST(unknown_numbers_are_missing)
{
    static const uint32_t unknown[] = {
        337, 400, 423, 470, 511, 512, 513, 4096, 0x3fffffff, 0xffffffff
    };
    static struct filter f;

    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        build(&f, (enum syscall_arch)arch, 3);
        for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
            struct seccomp_data d = { .nr = (int)unknown[i],
                                      .arch = arches[arch] };

            CHECK_INT(verdict(&f, &d), SC_FAIL(ENOSYS));
        }
    }
}

/* --- arguments --- */

#define HIGH 0xdeadbeef00000000ull
#define E(e) SC_FAIL(e)

/* clang-format off */

/* One row, one call: what it is answered without options, and with both. */
static const struct call {
    const char *call;
    uint64_t args[6];
    uint32_t want, brokered;
} calls[] = {
    /* E16, A1-A3: the request is 32 bits wide (CVE-2019-10063) */
    { "ioctl", { 0, TIOCSTI }, E(EPERM), E(EPERM) },
    { "ioctl", { 0, 1ull << 32 | TIOCSTI }, E(EPERM), E(EPERM) },
    { "ioctl", { 0, HIGH | TIOCLINUX }, E(EPERM), E(EPERM) },
    { "ioctl", { 0, HIGH | TIOCSETD }, E(EPERM), E(EPERM) },
    { "ioctl", { 0, HIGH | TIOCCONS }, E(EPERM), E(EPERM) },
    { "ioctl", { 0, HIGH | TIOCGWINSZ }, SC_ALLOW, SC_ALLOW },
    { "ioctl", { 0, FS_IOC_SETFLAGS }, E(EOPNOTSUPP), E(EOPNOTSUPP) },
    { "ioctl", { 0, FIDEDUPERANGE }, E(EOPNOTSUPP), E(EOPNOTSUPP) },
    { "ioctl", { 0, FIFREEZE }, E(ENOTTY), E(ENOTTY) },
    { "ioctl", { 0, FICLONE }, SC_ALLOW, SC_ALLOW },
    { "ioctl", { 0, SIOCSIFFLAGS }, E(EPERM), E(EPERM) },
    { "ioctl", { 0, SIOCSIFADDR }, E(EPERM), E(EPERM) },
    { "ioctl", { 0, 0x89e0 /* SIOCUNIXFILE */ }, E(EPERM), E(EPERM) },
    { "ioctl", { 0, 0xae01 /* KVM_CREATE_VM */ }, E(ENOTTY), E(ENOTTY) },
    { "ioctl", { 0, 0x400454ca /* TUNSETIFF */ }, E(ENOTTY), E(ENOTTY) },
    { "ioctl", { 0, 0x4c00 /* LOOP_SET_FD */ }, E(ENOTTY), E(ENOTTY) },
    { "ioctl", { 0, 0x4b32 /* KDSETLED */ }, E(ENOTTY), E(ENOTTY) },
    /* a btrfs subvolume would be a name that no broker saw */
    { "ioctl", { 0, 0x5000940e /* SUBVOL_CREATE */ }, E(ENOTTY), E(ENOTTY) },

    /* E14 */
    { "socket", { AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK },
      SC_ALLOW, SC_ALLOW },
    { "socket", { HIGH | AF_INET, HIGH | SOCK_STREAM, HIGH | 6 },
      SC_ALLOW, SC_ALLOW },
    { "socket", { AF_INET6, SOCK_DGRAM, IPPROTO_UDP }, SC_ALLOW, SC_ALLOW },
    { "socket", { AF_INET, SOCK_STREAM, IPPROTO_UDP }, E(EPROTONOSUPPORT),
      E(EPROTONOSUPPORT) },
    { "socket", { AF_INET, SOCK_STREAM, 262 /* MPTCP */ },
      E(EPROTONOSUPPORT), E(EPROTONOSUPPORT) },
    { "socket", { AF_INET, SOCK_STREAM, IPPROTO_SCTP }, E(EPROTONOSUPPORT),
      E(EPROTONOSUPPORT) },
    { "socket", { AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6 }, E(EPROTONOSUPPORT),
      E(EPROTONOSUPPORT) },
    { "socket", { AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE }, E(EPROTONOSUPPORT),
      E(EPROTONOSUPPORT) },
    { "socket", { AF_INET, SOCK_RAW, IPPROTO_TCP }, E(EPERM), E(EPERM) },
    { "socket", { AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 255 }, E(EPERM),
      E(EPERM) },
    { "socket", { AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP },
      E(ESOCKTNOSUPPORT), E(ESOCKTNOSUPPORT) },
    { "socket", { AF_INET, SOCK_DCCP, IPPROTO_DCCP }, E(ESOCKTNOSUPPORT),
      E(ESOCKTNOSUPPORT) },
    { "socket", { AF_INET, SOCK_PACKET, 0x300 }, E(ESOCKTNOSUPPORT),
      E(ESOCKTNOSUPPORT) },
    { "socket", { AF_NETLINK, SOCK_RAW, 0 }, SC_ALLOW, SC_ALLOW },
    { "socket", { AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, 0 }, SC_ALLOW,
      SC_ALLOW },
    { "socket", { AF_NETLINK, SOCK_RAW, 9 /* audit */ }, E(EPROTONOSUPPORT),
      E(EPROTONOSUPPORT) },
    { "socket", { AF_NETLINK, SOCK_RAW, 12 /* nfnetlink */ },
      E(EPROTONOSUPPORT), E(EPROTONOSUPPORT) },
    { "socket", { AF_NETLINK, SOCK_RAW, 16 /* generic */ },
      E(EPROTONOSUPPORT), E(EPROTONOSUPPORT) },
    { "socket", { AF_PACKET, SOCK_RAW, 0x300 }, E(EAFNOSUPPORT),
      E(EAFNOSUPPORT) },
    { "socket", { HIGH | 40 /* VSOCK */, SOCK_STREAM }, E(EAFNOSUPPORT),
      E(EAFNOSUPPORT) },
    { "socket", { 38 /* ALG */, SOCK_SEQPACKET }, E(EAFNOSUPPORT),
      E(EAFNOSUPPORT) },
    { "socket", { 44 /* XDP */, SOCK_RAW }, E(EAFNOSUPPORT),
      E(EAFNOSUPPORT) },
    { "socket", { 43 /* SMC */, SOCK_STREAM }, E(EAFNOSUPPORT),
      E(EAFNOSUPPORT) },
    { "socket", { UINT64_MAX, SOCK_STREAM }, E(EAFNOSUPPORT),
      E(EAFNOSUPPORT) },
    { "socket", { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC }, SC_ALLOW, SC_ALLOW },
    { "socket", { AF_UNIX, SOCK_SEQPACKET }, SC_ALLOW, SC_ALLOW },
    { "socket", { HIGH | AF_UNIX, HIGH | SOCK_DGRAM | SOCK_CLOEXEC },
      SC_ALLOW, E(ESOCKTNOSUPPORT) },
    { "socket", { AF_UNIX, SOCK_RAW }, SC_ALLOW, E(ESOCKTNOSUPPORT) },
    { "socketpair", { AF_UNIX, SOCK_STREAM }, SC_ALLOW, SC_ALLOW },
    { "socketpair", { AF_UNIX, SOCK_DGRAM }, SC_ALLOW, E(ESOCKTNOSUPPORT) },
    { "socketpair", { AF_INET, SOCK_STREAM }, E(EAFNOSUPPORT),
      E(EAFNOSUPPORT) },
    { "connect", { 3 }, SC_ALLOW, SC_NOTIFY },
    { "bind", { 3 }, SC_ALLOW, SC_NOTIFY },
    { "sendto", { 3, 0, 0, MSG_NOSIGNAL }, SC_ALLOW, SC_ALLOW },
    { "sendto", { 3, 0, 0, HIGH | MSG_OOB | MSG_NOSIGNAL }, E(EOPNOTSUPP),
      E(EOPNOTSUPP) },
    { "sendmsg", { 3, 0, MSG_OOB }, E(EOPNOTSUPP), E(EOPNOTSUPP) },
    { "sendmmsg", { 3, 0, 1, MSG_OOB }, E(EOPNOTSUPP), E(EOPNOTSUPP) },
    { "setsockopt", { 3, IPPROTO_TCP, 31 /* TCP_ULP */ }, E(ENOPROTOOPT),
      E(ENOPROTOOPT) },
    { "setsockopt", { 3, SOL_SOCKET, 31 }, SC_ALLOW, SC_ALLOW },

    /* E8 */
    { "clone", { CLONE_VM | CLONE_VFORK | 17 }, SC_ALLOW, SC_ALLOW },
    { "clone", { CLONE_NEWNS }, E(EPERM), E(EPERM) },
    { "clone", { CLONE_NEWUTS }, E(EPERM), E(EPERM) },
    { "clone", { CLONE_NEWIPC }, E(EPERM), E(EPERM) },
    { "clone", { CLONE_NEWPID }, E(EPERM), E(EPERM) },
    { "clone", { CLONE_NEWNET }, E(EPERM), E(EPERM) },
    { "clone", { CLONE_NEWCGROUP }, E(EPERM), E(EPERM) },
    { "clone", { HIGH | CLONE_NEWUSER | CLONE_VM | 17 }, E(EPERM), E(EPERM) },
    { "unshare", { CLONE_FILES | CLONE_FS | CLONE_SYSVSEM }, SC_ALLOW,
      SC_ALLOW },
    { "unshare", { CLONE_NEWUSER }, E(EPERM), E(EPERM) },
    { "unshare", { CLONE_FILES | CLONE_NEWNS }, E(EPERM), E(EPERM) },
    { "unshare", { CLONE_NEWTIME }, E(EPERM), E(EPERM) },
    { "unshare", { 1ull << 32 }, E(EPERM), E(EPERM) },
    { "clone3", { 0 }, E(ENOSYS), E(ENOSYS) },
    { "setns", { 3, CLONE_NEWNET }, E(EPERM), E(EPERM) },

    /* E11, E12 */
    { "seccomp", { 1, 8 /* NEW_LISTENER */ }, E(EBUSY), E(EBUSY) },
    { "seccomp", { HIGH | 1, HIGH | 8 | 1 }, E(EBUSY), E(EBUSY) },
    { "seccomp", { 1, 1 /* TSYNC */ }, SC_ALLOW, SC_ALLOW },
    { "seccomp", { 2 }, SC_ALLOW, SC_ALLOW },
    { "seccomp", { 4 }, E(EINVAL), E(EINVAL) },
    { "personality", { 0 }, SC_ALLOW, SC_ALLOW },
    { "personality", { UINT64_MAX }, SC_ALLOW, SC_ALLOW },
    { "personality", { 0xffffffff }, SC_ALLOW, SC_ALLOW },
    { "personality", { HIGH | 0x0400000 }, E(EPERM), E(EPERM) },
    { "personality", { 0x0040000 }, E(EPERM), E(EPERM) },
    { "prctl", { PR_SET_NAME }, SC_ALLOW, SC_ALLOW },
    { "prctl", { HIGH | PR_SET_MM }, E(EPERM), E(EPERM) },
    { "prctl", { 59 /* SYSCALL_USER_DISPATCH */ }, E(EINVAL), E(EINVAL) },
    { "prctl", { 67 /* MEMORY_MERGE */ }, E(EINVAL), E(EINVAL) },

    /* a crash must not run the host's handler: RLIMIT_CORE stays */
    { "setrlimit", { HIGH | 4, 1 }, E(0), E(0) },
    { "setrlimit", { 7, 1 }, SC_ALLOW, SC_ALLOW },
    { "prlimit64", { 0, HIGH | 4, 1 }, E(0), E(0) },
    { "prlimit64", { 1, 4, 1 }, E(0), E(0) },
    { "prlimit64", { 0, 7, 1 }, SC_ALLOW, SC_ALLOW },
    { "prlimit64", { 1, 7, 1 }, E(EPERM), E(EPERM) },
    { "prlimit64", { 1, 7, 1ull << 32 }, E(EPERM), E(EPERM) },
    { "prlimit64", { 1, 4, 0, 1 }, SC_ALLOW, SC_ALLOW },

    /* files */
    { "fcntl", { 3, F_SETFD, 1 }, SC_ALLOW, SC_ALLOW },
    { "fcntl", { 3, HIGH | F_SETLEASE, 1 }, E(EINVAL), E(EINVAL) },
    { "preadv2", { 3, 0, 0, 0, 0, 0x8 }, E(EOPNOTSUPP), E(EOPNOTSUPP) },
    { "preadv2", { 3, 0, 0, 0, 0, 0x1 }, SC_ALLOW, SC_ALLOW },
    { "openat", { 3, 0, O_RDWR, 07777 }, SC_ALLOW, SC_ALLOW },
    { "openat", { 3, 0, O_RDWR | O_CREAT, 0666 }, SC_ALLOW, SC_NOTIFY },
    { "openat", { 3, 0, HIGH | O_CREAT, 0666 }, SC_ALLOW, SC_NOTIFY },
    { "openat", { 3, 0, HIGH | O_CREAT, HIGH | 04755 }, E(EPERM), E(EPERM) },
    { "openat", { 3, 0, O_TMPFILE | O_RDWR, 0600 }, SC_ALLOW, SC_ALLOW },
    { "openat", { 3, 0, O_TMPFILE | O_RDWR, 04711 }, E(EPERM), E(EPERM) },
    { "openat2", { 3 }, E(ENOSYS), E(ENOSYS) },
    { "mknodat", { 3, 0, S_IFREG | 04755 }, E(EPERM), E(EPERM) },
    { "mknodat", { 3, 0, S_IFIFO | 0666 }, SC_ALLOW, SC_NOTIFY },
    { "fchmod", { 3, 04755 }, E(EPERM), E(EPERM) },
    { "fchmod", { 3, 02775 }, SC_ALLOW, SC_ALLOW },
    { "fchmodat", { 3, 0, HIGH | 06755 }, E(EPERM), E(EPERM) },
    { "fchmodat2", { 3, 0, 04755 }, E(EPERM), E(EPERM) },
    { "mkdirat", { 3, 0, 0777 }, SC_ALLOW, SC_NOTIFY },
    { "linkat", { 3 }, SC_ALLOW, SC_NOTIFY },
    { "symlinkat", { 0 }, SC_ALLOW, SC_NOTIFY },
    { "renameat2", { 3 }, SC_ALLOW, SC_NOTIFY },
    /* only x86-64 has these */
    { "open", { 0, O_CREAT | O_WRONLY, 0644 }, SC_ALLOW, SC_NOTIFY },
    { "open", { 0, O_CREAT | O_WRONLY, 04755 }, E(EPERM), E(EPERM) },
    { "open", { 0, O_WRONLY, 04755 }, SC_ALLOW, SC_ALLOW },
    { "creat", { 0, 0644 }, SC_ALLOW, SC_NOTIFY },
    { "creat", { 0, 04755 }, E(EPERM), E(EPERM) },
    { "chmod", { 0, HIGH | 04755 }, E(EPERM), E(EPERM) },
    { "mknod", { 0, 0644 }, SC_ALLOW, SC_NOTIFY },
    { "mkdir", { 0 }, SC_ALLOW, SC_NOTIFY },
    { "link", { 0 }, SC_ALLOW, SC_NOTIFY },
    { "symlink", { 0 }, SC_ALLOW, SC_NOTIFY },
    { "rename", { 0 }, SC_ALLOW, SC_NOTIFY },
    { "renameat", { 0 }, SC_ALLOW, SC_NOTIFY },
    { "arch_prctl", { 0x1002 }, SC_ALLOW, SC_ALLOW },
    { "arch_prctl", { 0x2001 /* MAP_VDSO */ }, E(EINVAL), E(EINVAL) },
};
/* clang-format on */

static void check_call(const struct filter *f, const struct call *c,
                       uint32_t want)
{
    struct seccomp_data d = { .arch = arches[f->table.arch] };
    static char note[80];

    snprintf(note, sizeof(note),
             "%s(0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64 ")", c->call,
             c->args[0], c->args[1], c->args[2]);
    NOTE(note);
    d.nr = number(f, c->call);
    memcpy(d.args, c->args, sizeof(d.args));
    if (d.nr >= 0)
        CHECK_INT(verdict(f, &d), want);
}

TEST(arguments_decide)
{
    static struct filter plain, brokered;

    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        build(&plain, (enum syscall_arch)arch, 0);
        build(&brokered, (enum syscall_arch)arch, 3);
        for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
            check_call(&plain, &calls[i], calls[i].want);
            check_call(&brokered, &calls[i], calls[i].brokered);
        }
    }
}

/* One option must not bring the other's traps along. */
TEST(options_are_separate)
{
    /* clang-format off */
    static const struct call creates[] = {
        { "connect", { 3 }, SC_ALLOW, 0 },
        { "bind", { 3 }, SC_NOTIFY, 0 },
        { "socket", { AF_UNIX, SOCK_DGRAM }, SC_ALLOW, 0 },
        { "mkdirat", { 3 }, SC_NOTIFY, 0 },
        { "socket", { AF_INET, SOCK_DGRAM, IPPROTO_ICMP },
          E(EPROTONOSUPPORT), 0 },
    }, unix_only[] = {
        { "connect", { 3 }, SC_NOTIFY, 0 },
        { "bind", { 3 }, SC_NOTIFY, 0 },
        { "socket", { AF_UNIX, SOCK_DGRAM }, E(ESOCKTNOSUPPORT), 0 },
        { "mkdirat", { 3 }, SC_ALLOW, 0 },
        { "openat", { 3, 0, O_CREAT }, SC_ALLOW, 0 },
        { "socket", { AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6 },
          E(EPROTONOSUPPORT), 0 },
    }, ping[] = {
        { "socket", { AF_INET, SOCK_DGRAM, IPPROTO_ICMP }, SC_ALLOW, 0 },
        { "socket", { AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMPV6 },
          SC_ALLOW, 0 },
        { "socket", { AF_INET, HIGH | SOCK_DGRAM, HIGH | IPPROTO_ICMP },
          SC_ALLOW, 0 },
        { "socket", { AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6 },
          E(EPROTONOSUPPORT), 0 },
        { "socket", { AF_INET6, SOCK_DGRAM, IPPROTO_ICMP },
          E(EPROTONOSUPPORT), 0 },
        { "socket", { AF_INET, SOCK_STREAM, IPPROTO_ICMP },
          E(EPROTONOSUPPORT), 0 },
        { "socket", { AF_INET, SOCK_RAW, IPPROTO_ICMP }, E(EPERM), 0 },
        { "socket", { AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 }, E(EPERM), 0 },
        { "socket", { AF_PACKET, SOCK_DGRAM, IPPROTO_ICMP },
          E(EAFNOSUPPORT), 0 },
        { "connect", { 3 }, SC_ALLOW, 0 },
        { "bind", { 3 }, SC_ALLOW, 0 },
        { "socket", { AF_UNIX, SOCK_DGRAM }, SC_ALLOW, 0 },
        { "mkdirat", { 3 }, SC_ALLOW, 0 },
        { "ptrace", { 0 }, E(EPERM), 0 },
        { "mount", { 0 }, E(EPERM), 0 },
        { "clone", { CLONE_NEWUSER }, E(EPERM), 0 },
        { "ioctl", { 0, 0x8946 }, E(EPERM), 0 },
    }, sentry[] = {
        { "ptrace", { 0 }, SC_ALLOW, 0 },
        { "mount", { 0 }, SC_ALLOW, 0 },
        { "umount2", { 0 }, SC_ALLOW, 0 },
        { "pivot_root", { 0 }, SC_ALLOW, 0 },
        { "chroot", { 0 }, SC_ALLOW, 0 },
        { "mincore", { 0 }, SC_ALLOW, 0 },
        { "clone", { CLONE_NEWUSER }, SC_ALLOW, 0 },
        { "ioctl", { 0, 0x8946 }, SC_ALLOW, 0 },
        { "ioctl", { 0, 0x8914 }, E(EPERM), 0 },
        { "ioctl", { 0, 0x5412 }, E(EPERM), 0 },
        { "unshare", { CLONE_NEWUSER }, E(EPERM), 0 },
        { "setns", { 3 }, E(EPERM), 0 },
        { "bpf", { 0 }, E(EPERM), 0 },
        { "io_uring_setup", { 0 }, E(EPERM), 0 },
        { "keyctl", { 0 }, E(EPERM), 0 },
        { "process_vm_writev", { 0 }, E(EPERM), 0 },
        { "move_mount", { 0 }, E(EPERM), 0 },
        { "open_by_handle_at", { 0 }, E(EPERM), 0 },
        { "socket", { AF_INET, SOCK_RAW, IPPROTO_ICMP }, E(EPERM), 0 },
        { "socket", { AF_PACKET, SOCK_DGRAM, 0 }, E(EAFNOSUPPORT), 0 },
        { "connect", { 3 }, SC_ALLOW, 0 },
    };
    /* clang-format on */
    static struct filter f;

    build(&f, ARCH_X86_64, 1);
    for (size_t i = 0; i < ARRAY_LEN(creates); i++)
        check_call(&f, &creates[i], creates[i].want);
    build(&f, ARCH_X86_64, 2);
    for (size_t i = 0; i < ARRAY_LEN(unix_only); i++)
        check_call(&f, &unix_only[i], unix_only[i].want);
    for (int arch = 0; arch < ARCH_COUNT; arch++) {
        build(&f, (enum syscall_arch)arch, 4);
        for (size_t i = 0; i < ARRAY_LEN(ping); i++)
            check_call(&f, &ping[i], ping[i].want);
        build(&f, (enum syscall_arch)arch, 8);
        for (size_t i = 0; i < ARRAY_LEN(sentry); i++)
            check_call(&f, &sentry[i], sentry[i].want);
    }
}

T_MAIN()
