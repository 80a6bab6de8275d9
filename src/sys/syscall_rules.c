/* syscall_rules.c - the calls whose answer depends on their arguments.
 *
 * Only registers can be judged: memory may change between the filter's look
 * and the kernel's (seccomp(2), "Caveats").  Each comparison is as wide as
 * the kernel's own parameter.  The constants are numbers, since both
 * architectures agree on them and musl's headers lack many; a test compares
 * them with the kernel's headers. */
#include "sys/syscall_table.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* clang-format off */

#define INT 0xffffffffull               /* int and unsigned int parameters */

#define IS(n, v) { INT, (v), (n) }
#define BITS(n, mask, v) { (mask), (v), (n) }
#define SET(n, bits) BITS(n, bits, bits)
#define END { NULL, 0, 0, { { 0 } } }

/* --- names and modes --- */

/* A set-user-ID file outlives the sandbox, where nosuid no longer holds it.
 * The set-group-ID bit stays allowed: shared directories need it. */
#define SUID(n) { "set-user-ID bit", WHEN_ALWAYS, SC_FAIL(EPERM), \
                  { SET(n, S_ISUID) } }
/* What the broker performs for a caller it performs as itself: a domain that
 * the caller made for itself would not hold there, so it cannot make one, and
 * hears what it hears where Landlock is off (landlock_create_ruleset(2)). */
const struct syscall_rule rules_landlock[] = {
    { "with a broker", WHEN_CREATES | WHEN_UNIX, SC_FAIL(EOPNOTSUPP),
      { { 0 } } },
    { 0 }
};

#define NAMING { "makes a name", WHEN_CREATES, SC_NOTIFY, { { 0 } } }

const struct syscall_rule rules_naming[] = { NAMING, END };
const struct syscall_rule rules_creat[] = { SUID(1), NAMING, END };
const struct syscall_rule rules_mknod[] = { SUID(1), NAMING, END };
const struct syscall_rule rules_mknodat[] = { SUID(2), NAMING, END };
const struct syscall_rule rules_chmod_1[] = { SUID(1), END };
const struct syscall_rule rules_chmod_2[] = { SUID(2), END };

/* O_TMPFILE without its O_DIRECTORY: the kernel refuses the bit alone, but
 * not before looking at the rest.  A nameless file gets a name by linkat. */
#define NAMELESS 020000000u
#define OPENING(n)                                                        \
    { "O_CREAT with set-user-ID bit", WHEN_ALWAYS, SC_FAIL(EPERM),        \
      { SET((n) + 1, S_ISUID), SET(n, O_CREAT) } },                       \
    { "O_TMPFILE with set-user-ID bit", WHEN_ALWAYS, SC_FAIL(EPERM),      \
      { SET((n) + 1, S_ISUID), SET(n, NAMELESS) } },                      \
    { "O_CREAT", WHEN_CREATES, SC_NOTIFY, { SET(n, O_CREAT) } },          \
    END

const struct syscall_rule rules_open[] = { OPENING(1) };
const struct syscall_rule rules_openat[] = { OPENING(2) };

/* A lease lets the holder stall whoever opens the file on the host for
 * /proc/sys/fs/lease-break-time; dnotify is inotify's unused ancestor. */
const struct syscall_rule rules_fcntl[] = {
    { "F_SETLEASE", WHEN_ALWAYS, SC_FAIL(EINVAL), { IS(1, 1024) } },
    { "F_NOTIFY", WHEN_ALWAYS, SC_FAIL(EINVAL), { IS(1, 1026) } },
    { "F_SETDELEG", WHEN_ALWAYS, SC_FAIL(EINVAL), { IS(1, 1040) } },
    END
};

/* RWF_NOWAIT tells whether a page is cached, as mincore does.  The errno is
 * that of a file that cannot do it (preadv2(2)). */
const struct syscall_rule rules_preadv2[] = {
    { "RWF_NOWAIT", WHEN_ALWAYS, SC_FAIL(EOPNOTSUPP), { SET(5, 0x8u) } },
    END
};

/* --- processes --- */

/* Every CLONE_NEW* that clone(2) can express; CLONE_NEWTIME is not among
 * them, its bit belongs to the exit signal.  The kernel looks at 32 bits. */
#define NEW_NAMESPACES 0x7e020000u

/* Its parts get namespaces of their own when they are started. */
#define SENTRY { "user-space kernel", WHEN_SENTRY, SC_ALLOW, { { 0 } } }

const struct syscall_rule rules_sentry[] = { SENTRY, END };
const struct syscall_rule rules_clone[] = {
    SENTRY,
    { "no new namespace", WHEN_ALWAYS, SC_ALLOW,
      { BITS(0, NEW_NAMESPACES, 0) } },
    END
};

/* All 64 bits: the parameter is an unsigned long. */
#define UNSHARABLE (CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_THREAD | \
                    CLONE_SIGHAND | CLONE_VM)

const struct syscall_rule rules_unshare[] = {
    { "no new namespace", WHEN_ALWAYS, SC_ALLOW,
      { BITS(0, ~(uint64_t)UNSHARABLE, 0) } },
    END
};

/* RLIMIT_CORE is exactly 1 in a sandbox: with any other value, 0 too, a crash
 * makes the kernel run the host's core_pattern program as root (core(5),
 * "Piping core dumps to a program").  Who asks for no dump has that already,
 * so the call says that it worked.  Another process's limits are no business
 * of the workload's: init is one of them. */
#define CORE_LIMIT(n) { "RLIMIT_CORE", WHEN_ALWAYS, SC_FAIL(0), { IS(n, 4) } }

const struct syscall_rule rules_setrlimit[] = { CORE_LIMIT(0), END };
const struct syscall_rule rules_prlimit64[] = {
    { "query", WHEN_ALWAYS, SC_ALLOW, { BITS(2, ~0ull, 0) } },
    CORE_LIMIT(1),
    { "own", WHEN_ALWAYS, SC_ALLOW, { IS(0, 0) } },
    END
};

/* READ_IMPLIES_EXEC and ADDR_NO_RANDOMIZE undo the hardening of whatever the
 * caller executes next. */
const struct syscall_rule rules_personality[] = {
    { "PER_LINUX", WHEN_ALWAYS, SC_ALLOW, { IS(0, 0) } },
    { "query", WHEN_ALWAYS, SC_ALLOW, { IS(0, 0xffffffffu) } },
    END
};

/* A filter may be tightened.  A second listener would be asked before the
 * broker is; the kernel refuses it with EBUSY too (seccomp(2)). */
const struct syscall_rule rules_seccomp[] = {
    { "NEW_LISTENER", WHEN_ALWAYS, SC_FAIL(EBUSY),
      { IS(0, SECCOMP_SET_MODE_FILTER), SET(1, 0x8u) } },
    { "SET_MODE_STRICT", WHEN_ALWAYS, SC_ALLOW, { IS(0, 0) } },
    { "SET_MODE_FILTER", WHEN_ALWAYS, SC_ALLOW, { IS(0, 1) } },
    { "GET_ACTION_AVAIL", WHEN_ALWAYS, SC_ALLOW, { IS(0, 2) } },
    { "GET_NOTIF_SIZES", WHEN_ALWAYS, SC_ALLOW, { IS(0, 3) } },
    END
};

#define OK(n, id, v) { #id, WHEN_ALWAYS, SC_ALLOW, { IS(n, v) } }
#define BAD(n, id, v, e) { #id, WHEN_ALWAYS, SC_FAIL(e), { IS(n, v) } }

/* Others get EINVAL, as on a kernel that does not know them. */
const struct syscall_rule rules_prctl[] = {
    OK(0, PR_SET_NAME, 15), OK(0, PR_GET_NAME, 16),
    OK(0, PR_SET_VMA, 0x53564d41), OK(0, PR_SET_PDEATHSIG, 1),
    OK(0, PR_GET_PDEATHSIG, 2), OK(0, PR_GET_DUMPABLE, 3),
    OK(0, PR_SET_DUMPABLE, 4), OK(0, PR_GET_KEEPCAPS, 7),
    OK(0, PR_GET_TIMING, 13),
    OK(0, PR_SET_TIMING, 14), OK(0, PR_GET_SECCOMP, 21),
    OK(0, PR_SET_SECCOMP, 22), OK(0, PR_CAPBSET_READ, 23),
    OK(0, PR_CAPBSET_DROP, 24), OK(0, PR_GET_TSC, 25),
    OK(0, PR_SET_TSC, 26), OK(0, PR_GET_SECUREBITS, 27),
    OK(0, PR_SET_SECUREBITS, 28), OK(0, PR_SET_TIMERSLACK, 29),
    OK(0, PR_GET_TIMERSLACK, 30), OK(0, PR_MCE_KILL, 33),
    OK(0, PR_MCE_KILL_GET, 34), OK(0, PR_SET_CHILD_SUBREAPER, 36),
    OK(0, PR_GET_CHILD_SUBREAPER, 37), OK(0, PR_SET_NO_NEW_PRIVS, 38),
    OK(0, PR_GET_NO_NEW_PRIVS, 39), OK(0, PR_SET_THP_DISABLE, 41),
    OK(0, PR_GET_THP_DISABLE, 42), OK(0, PR_CAP_AMBIENT, 47),
    OK(0, PR_SVE_SET_VL, 50), OK(0, PR_SVE_GET_VL, 51),
    OK(0, PR_GET_SPECULATION_CTRL, 52), OK(0, PR_SET_SPECULATION_CTRL, 53),
    OK(0, PR_PAC_RESET_KEYS, 54), OK(0, PR_SET_TAGGED_ADDR_CTRL, 55),
    OK(0, PR_GET_TAGGED_ADDR_CTRL, 56), OK(0, PR_PAC_SET_ENABLED_KEYS, 60),
    OK(0, PR_PAC_GET_ENABLED_KEYS, 61), OK(0, PR_SME_SET_VL, 63),
    OK(0, PR_SME_GET_VL, 64), OK(0, PR_SET_MDWE, 65),
    OK(0, PR_GET_MDWE, 66), OK(0, PR_GET_SHADOW_STACK_STATUS, 74),
    OK(0, PR_SET_SHADOW_STACK_STATUS, 75),
    OK(0, PR_LOCK_SHADOW_STACK_STATUS, 76),
    OK(0, PR_GET_AUXV, 0x41555856), OK(0, PR_SET_PTRACER, 0x59616d61),
    /* Done, without doing it: there is no capability to keep, and the locked
     * securebits would make it an error, which ping(8) ends with. */
    BAD(0, PR_SET_KEEPCAPS, 8, 0),
    /* Rewrites what /proc shows of the process, its executable included. */
    BAD(0, PR_SET_MM, 35, EPERM),
    END
};

/* x86-64 only: thread pointers, shadow stacks, large register state. */
const struct syscall_rule rules_arch_prctl[] = {
    OK(0, ARCH_SET_FS, 0x1002), OK(0, ARCH_GET_FS, 0x1003),
    OK(0, ARCH_SET_GS, 0x1001), OK(0, ARCH_GET_GS, 0x1004),
    OK(0, ARCH_GET_CPUID, 0x1011), OK(0, ARCH_SET_CPUID, 0x1012),
    OK(0, ARCH_GET_XCOMP_SUPP, 0x1021), OK(0, ARCH_GET_XCOMP_PERM, 0x1022),
    OK(0, ARCH_REQ_XCOMP_PERM, 0x1023), OK(0, ARCH_SHSTK_ENABLE, 0x5001),
    OK(0, ARCH_SHSTK_DISABLE, 0x5002), OK(0, ARCH_SHSTK_LOCK, 0x5003),
    OK(0, ARCH_SHSTK_UNLOCK, 0x5004), OK(0, ARCH_SHSTK_STATUS, 0x5005),
    END
};

/* --- sockets --- */

/* The kernel takes the type from the low 4 bits (net.h, SOCK_TYPE_MASK) and
 * refuses any flag but SOCK_CLOEXEC and SOCK_NONBLOCK. */
#define TYPE(n) BITS(1, 0xfu, n)

/* Each send of a datagram may name another peer, which no filter can see; a
 * stream's or a seqpacket's cannot (unix(7)).  ESOCKTNOSUPPORT is the
 * kernel's word for a type that the family does not have: programs go on
 * without, as syslog(3) does, or try SOCK_STREAM.  SOCK_RAW is the kernel's
 * other name for the same socket. */
#define UNIX_SOCKETS                                                      \
    { "AF_UNIX, SOCK_DGRAM", WHEN_UNIX, SC_FAIL(ESOCKTNOSUPPORT),         \
      { IS(0, AF_UNIX), TYPE(SOCK_DGRAM) } },                             \
    { "AF_UNIX, SOCK_RAW", WHEN_UNIX, SC_FAIL(ESOCKTNOSUPPORT),           \
      { IS(0, AF_UNIX), TYPE(SOCK_RAW) } },                               \
    { "AF_UNIX", WHEN_ALWAYS, SC_ALLOW, { IS(0, AF_UNIX) } }

/* AF_INET or AF_INET6: 2 and 10 differ in one bit. */
#define IP BITS(0, INT & ~8ull, AF_INET)
_Static_assert((AF_INET | 8) == AF_INET6, "IP holds for no other family");

const struct syscall_rule rules_socket[] = {
    UNIX_SOCKETS,
    { "IP, SOCK_STREAM, 0", WHEN_ALWAYS, SC_ALLOW,
      { IP, TYPE(SOCK_STREAM), IS(2, 0) } },
    { "IP, SOCK_STREAM, IPPROTO_TCP", WHEN_ALWAYS, SC_ALLOW,
      { IP, TYPE(SOCK_STREAM), IS(2, 6) } },
    /* Go, curl and others then fall back from MPTCP to TCP. */
    { "IP, SOCK_STREAM", WHEN_ALWAYS, SC_FAIL(EPROTONOSUPPORT),
      { IP, TYPE(SOCK_STREAM) } },
    { "IP, SOCK_DGRAM, 0", WHEN_ALWAYS, SC_ALLOW,
      { IP, TYPE(SOCK_DGRAM), IS(2, 0) } },
    { "IP, SOCK_DGRAM, IPPROTO_UDP", WHEN_ALWAYS, SC_ALLOW,
      { IP, TYPE(SOCK_DGRAM), IS(2, 17) } },
    /* The kernel lets them send echo requests and nothing else (icmp(7)). */
    { "AF_INET, SOCK_DGRAM, IPPROTO_ICMP", WHEN_PING, SC_ALLOW,
      { IS(0, AF_INET), TYPE(SOCK_DGRAM), IS(2, 1) } },
    { "AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6", WHEN_PING, SC_ALLOW,
      { IS(0, AF_INET6), TYPE(SOCK_DGRAM), IS(2, 58) } },
    { "IP, SOCK_DGRAM", WHEN_ALWAYS, SC_FAIL(EPROTONOSUPPORT),
      { IP, TYPE(SOCK_DGRAM) } },
    { "IP, SOCK_RAW", WHEN_ALWAYS, SC_FAIL(EPERM), { IP, TYPE(SOCK_RAW) } },
    { "IP", WHEN_ALWAYS, SC_FAIL(ESOCKTNOSUPPORT), { IP } },
    /* Protocol 0 is NETLINK_ROUTE: getifaddrs(3) and resolvers need it. */
    { "AF_NETLINK, SOCK_RAW, route", WHEN_ALWAYS, SC_ALLOW,
      { IS(0, AF_NETLINK), TYPE(SOCK_RAW), IS(2, 0) } },
    { "AF_NETLINK, SOCK_DGRAM, route", WHEN_ALWAYS, SC_ALLOW,
      { IS(0, AF_NETLINK), TYPE(SOCK_DGRAM), IS(2, 0) } },
    { "AF_NETLINK", WHEN_ALWAYS, SC_FAIL(EPROTONOSUPPORT),
      { IS(0, AF_NETLINK) } },
    END
};

const struct syscall_rule rules_socketpair[] = { UNIX_SOCKETS, END };

const struct syscall_rule rules_connect[] = {
    { "names a socket", WHEN_UNIX, SC_NOTIFY, { { 0 } } },
    END
};

const struct syscall_rule rules_bind[] = {
    { "names a socket", WHEN_CREATES | WHEN_UNIX, SC_NOTIFY, { { 0 } } },
    END
};

/* Out-of-band data on unix sockets gave code in a sandbox the kernel
 * (CVE-2025-38236).  The errno is that of a kernel built without it. */
#define OOB(n) { "MSG_OOB", WHEN_ALWAYS, SC_FAIL(EOPNOTSUPP), \
                 { SET(n, MSG_OOB) } }

const struct syscall_rule rules_send_2[] = { OOB(2), END };
const struct syscall_rule rules_send_3[] = { OOB(3), END };

/* TLS and SMC inside the kernel; libraries use their own code then. */
const struct syscall_rule rules_setsockopt[] = {
    { "TCP_ULP", WHEN_ALWAYS, SC_FAIL(ENOPROTOOPT), { IS(1, 6), IS(2, 31) } },
    END
};

/* --- ioctl --- */

/* The kernel truncates the request to 32 bits (CVE-2019-10063).  What is not
 * here gets ENOTTY, "not for this kind of file": that is what a file that is
 * no such device answers.  So devices, subvolumes (a way to make a name),
 * loop, tun, kvm and the rest need no rows.  Values that follow on each
 * other stand together: they become one range. */
const struct syscall_rule rules_ioctl[] = {
    /* terminals, pipes, descriptors */
    OK(1, TCGETS, 0x5401), OK(1, TCSETS, 0x5402), OK(1, TCSETSW, 0x5403),
    OK(1, TCSETSF, 0x5404), OK(1, TCGETA, 0x5405), OK(1, TCSETA, 0x5406),
    OK(1, TCSETAW, 0x5407), OK(1, TCSETAF, 0x5408), OK(1, TCSBRK, 0x5409),
    OK(1, TCXONC, 0x540a), OK(1, TCFLSH, 0x540b), OK(1, TIOCEXCL, 0x540c),
    OK(1, TIOCNXCL, 0x540d), OK(1, TIOCSCTTY, 0x540e),
    OK(1, TIOCGPGRP, 0x540f), OK(1, TIOCSPGRP, 0x5410),
    OK(1, TIOCOUTQ, 0x5411), OK(1, TIOCGWINSZ, 0x5413),
    OK(1, TIOCSWINSZ, 0x5414), OK(1, FIONREAD, 0x541b), OK(1, TIOCPKT, 0x5420),
    OK(1, FIONBIO, 0x5421), OK(1, TIOCNOTTY, 0x5422), OK(1, TIOCGETD, 0x5424),
    OK(1, TCSBRKP, 0x5425), OK(1, TIOCSBRK, 0x5427), OK(1, TIOCCBRK, 0x5428),
    OK(1, TIOCGSID, 0x5429), OK(1, TIOCGPTPEER, 0x5441),
    OK(1, FIONCLEX, 0x5450), OK(1, FIOCLEX, 0x5451), OK(1, FIOASYNC, 0x5452),
    OK(1, TCGETS2, 0x802c542a), OK(1, TCSETS2, 0x402c542b),
    OK(1, TCSETSW2, 0x402c542c), OK(1, TCSETSF2, 0x402c542d),
    OK(1, TIOCGPTN, 0x80045430), OK(1, TIOCSPTLCK, 0x40045431),
    OK(1, TIOCSIG, 0x40045436),

    /* files */
    OK(1, FICLONE, 0x40049409), OK(1, FICLONERANGE, 0x4020940d),
    OK(1, FS_IOC_GETFLAGS, 0x80086601), OK(1, FS_IOC_FIEMAP, 0xc020660b),
    OK(1, FS_IOC_FSGETXATTR, 0x801c581f), OK(1, RNDGETENTCNT, 0x80045200),

    /* sockets: nothing that changes an interface */
    OK(1, FIOSETOWN, 0x8901), OK(1, SIOCSPGRP, 0x8902),
    OK(1, FIOGETOWN, 0x8903), OK(1, SIOCGPGRP, 0x8904),
    OK(1, SIOCATMARK, 0x8905), OK(1, SIOCGSTAMP_OLD, 0x8906),
    OK(1, SIOCGSTAMPNS_OLD, 0x8907), OK(1, SIOCGIFNAME, 0x8910),
    OK(1, SIOCGIFCONF, 0x8912), OK(1, SIOCGIFFLAGS, 0x8913),
    OK(1, SIOCGIFADDR, 0x8915), OK(1, SIOCGIFDSTADDR, 0x8917),
    OK(1, SIOCGIFBRDADDR, 0x8919), OK(1, SIOCGIFNETMASK, 0x891b),
    OK(1, SIOCGIFMTU, 0x8921), OK(1, SIOCGIFHWADDR, 0x8927),
    OK(1, SIOCGIFINDEX, 0x8933), OK(1, SIOCGIFTXQLEN, 0x8942),
    OK(1, SIOCOUTQNSD, 0x894b), OK(1, SIOCGIFMAP, 0x8970),

    /* Typing into, taking over or diverting a terminal (CVE-2017-5226,
     * CVE-2023-28100); a line discipline loads a driver. */
    BAD(1, TIOCSTI, 0x5412, EPERM), BAD(1, TIOCLINUX, 0x541c, EPERM),
    BAD(1, TIOCCONS, 0x541d, EPERM), BAD(1, TIOCSETD, 0x5423, EPERM),

    /* Inode flags outlive the sandbox; comparing files tells their contents
     * (dedupe).  The errno is that of a file system without them. */
    BAD(1, FS_IOC_SETFLAGS, 0x40086602, EOPNOTSUPP),
    BAD(1, FS_IOC_FSSETXATTR, 0x401c5820, EOPNOTSUPP),
    BAD(1, FIDEDUPERANGE, 0xc0189436, EOPNOTSUPP),

    /* gVisor asks for the offloads of loopback and takes no refusal; to set
     * them it has no capability. */
    { "SIOCETHTOOL", WHEN_SENTRY, SC_ALLOW, { IS(1, 0x8946) } },

    /* As the kernel answers who lacks the capability. */
    { "SIOC* that set", WHEN_ALWAYS, SC_FAIL(EPERM),
      { BITS(1, 0xffffff00u, 0x8900u) } },
    END
};
/* clang-format on */
