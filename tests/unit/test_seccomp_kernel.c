/* test_seccomp_kernel.c - the filter in the running kernel: each refused call
 * made, with the errno it must get, and made without the filter too, where
 * something else must happen.  The arguments are harmless to whoever has the
 * privilege: bad addresses, bad descriptors, unknown flags. */
#include "sys/seccomp_load.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>

#include "bpf_run.h"
#include "sys/bpf.h"
#include "t.h"

enum { SIGNALLED = 1000 };

#define BAD  1ull /* an address where nothing is */
#define NOFD 0xffffffffull

static int load_filter(int options, bool want_listener, int *listener)
{
    struct sock_filter f[SECCOMP_FILTER_MAX];
    struct seccomp_options o = { options & 1, options & 2, options & 4 };
    struct err e = { 0 };
    size_t n = 0;

    if (seccomp_filter_build(&o, f, &n, &e) < 0)
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return seccomp_enforce(f, n, want_listener, listener);
}

/* The errno of a call made in a child, 0 if it succeeded, SIGNALLED + n if it
 * died.  With `act` an action instead of a call. */
struct attempt {
    const char *name;
    long nr;
    uint64_t args[6];
    int want;
    int (*act)(void);
};

static int child_errno(const struct attempt *a, bool filtered)
{
    const uint64_t *v = a->args;
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        setsid(); /* vhangup must not reach our terminal */
        if (filtered && load_filter(0, false, NULL) < 0)
            _exit(255);
        if (a->act)
            _exit(a->act());
        _exit(syscall(a->nr, v[0], v[1], v[2], v[3], v[4], v[5]) < 0 ? errno
                                                                     : 0);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? SIGNALLED + WTERMSIG(status)
                               : WEXITSTATUS(status);
}

#define CALL(name) #name, __NR_##name

/* clang-format off */
static const struct attempt refused[] = {
    { CALL(io_uring_setup), { 0, BAD }, EPERM },
    { CALL(io_uring_enter), { NOFD }, EPERM },
    { CALL(io_uring_register), { NOFD }, EPERM },
    { CALL(userfaultfd), { NOFD }, EPERM },
    { CALL(bpf), { 0, BAD, 64 }, EPERM },
    { CALL(perf_event_open), { BAD, 0, NOFD, NOFD }, EPERM },
    { CALL(fanotify_init), { NOFD }, EPERM },
    { CALL(fanotify_mark), { NOFD, NOFD }, EPERM },
    { CALL(add_key), { BAD, BAD }, EPERM },
    { CALL(request_key), { BAD, BAD }, EPERM },
    { CALL(keyctl), { NOFD }, EPERM },
    { CALL(ptrace), { NOFD, NOFD }, EPERM },
    { CALL(process_vm_readv), { NOFD, BAD, 1, BAD, 1 }, EPERM },
    { CALL(process_vm_writev), { NOFD, BAD, 1, BAD, 1 }, EPERM },
    { CALL(pidfd_getfd), { NOFD, 0, 0 }, EPERM },
    { CALL(kcmp), { NOFD, NOFD, 0, 0, 0 }, EPERM },
    { CALL(process_madvise), { NOFD, BAD, 1 }, EPERM },
    { CALL(process_mrelease), { NOFD }, EPERM },
    { CALL(mount), { BAD, BAD, BAD }, EPERM },
    { CALL(umount2), { BAD }, EPERM },
    { CALL(pivot_root), { BAD, BAD }, EPERM },
    { CALL(chroot), { BAD }, EPERM },
    { CALL(fsopen), { BAD }, EPERM },
    { CALL(fsconfig), { NOFD, NOFD }, EPERM },
    { CALL(fsmount), { NOFD }, EPERM },
    { CALL(fspick), { NOFD, BAD }, EPERM },
    { CALL(move_mount), { NOFD, BAD, NOFD, BAD }, EPERM },
    { CALL(open_tree), { NOFD, BAD }, EPERM },
    { "open_tree_attr", 467, { NOFD, BAD }, EPERM },
    { CALL(mount_setattr), { NOFD, BAD, 0, BAD, 32 }, EPERM },
    { CALL(setns), { NOFD }, EPERM },
    { CALL(name_to_handle_at), { NOFD, BAD, BAD, BAD }, EPERM },
    { CALL(open_by_handle_at), { NOFD, BAD }, EPERM },
    { CALL(init_module), { BAD, 16, BAD }, EPERM },
    { CALL(finit_module), { NOFD, BAD }, EPERM },
    { CALL(delete_module), { BAD }, EPERM },
    { CALL(kexec_load), { 0, 0, 0, NOFD }, EPERM },
    { CALL(reboot), { 0 }, EPERM },
    { CALL(swapon), { BAD }, EPERM },
    { CALL(swapoff), { BAD }, EPERM },
    { CALL(acct), { BAD }, EPERM },
    { CALL(quotactl), { NOFD, BAD }, EPERM },
    { CALL(quotactl_fd), { NOFD }, EPERM },
    { CALL(syslog), { 10 }, EPERM },
    { CALL(vhangup), { 0 }, EPERM },
    { CALL(sethostname), { BAD, 1 }, EPERM },
    { CALL(setdomainname), { BAD, 1 }, EPERM },
    { CALL(settimeofday), { BAD }, EPERM },
    { CALL(clock_settime), { 0, BAD }, EPERM },
    { CALL(adjtimex), { BAD }, EPERM },
    { CALL(clock_adjtime), { 0, BAD }, EPERM },
#ifdef __x86_64__
    { CALL(kexec_file_load), { NOFD, NOFD, 0, 0, NOFD }, EPERM },
    { CALL(iopl), { 9 }, EPERM },
    { CALL(ioperm), { ~0ull, 1 }, EPERM },
    { CALL(modify_ldt), { 99 }, EPERM },
    { CALL(arch_prctl), { 0x2001 }, EINVAL },
    { CALL(creat), { BAD, 04755 }, EPERM },
    { CALL(chmod), { BAD, 04755 }, EPERM },
#endif
    { CALL(mbind), { BAD, 1 }, EPERM },
    { CALL(set_mempolicy), { 0xff }, EPERM },
    { CALL(set_mempolicy_home_node), { BAD, 1 }, EPERM },
    { CALL(migrate_pages), { 0x7fffffff, 1, BAD, BAD }, EPERM },
    { CALL(move_pages), { 0x7fffffff, 1, BAD, 0, BAD }, EPERM },
    { CALL(clone3), { BAD, 88 }, ENOSYS },
    { CALL(openat2), { NOFD, BAD, BAD, 24 }, ENOSYS },
    { CALL(io_setup), { 1, BAD }, ENOSYS },
    { CALL(io_destroy), { BAD }, ENOSYS },
    { CALL(io_submit), { BAD, 1, BAD }, ENOSYS },
    { CALL(mincore), { BAD, 1, BAD }, ENOSYS },
    { "cachestat", 451, { NOFD, BAD, BAD }, ENOSYS },
    { "statmount", 457, { BAD, BAD }, ENOSYS },
    { "listmount", 458, { BAD, BAD }, ENOSYS },
    { "file_setattr", 469, { NOFD, BAD, BAD, 24 }, EOPNOTSUPP },
    { CALL(remap_file_pages), { BAD }, ENOSYS },

    /* arguments, with rubbish where the kernel does not look */
    { CALL(ioctl), { NOFD, TIOCSTI }, EPERM },
    { CALL(ioctl), { NOFD, 1ull << 32 | TIOCSTI }, EPERM },
    { CALL(ioctl), { NOFD, ~0ull << 32 | TIOCLINUX }, EPERM },
    { CALL(ioctl), { NOFD, TIOCSETD }, EPERM },
    { CALL(ioctl), { NOFD, TIOCCONS }, EPERM },
    { CALL(ioctl), { NOFD, 0x40086602 /* SETFLAGS */ }, EOPNOTSUPP },
    { CALL(ioctl), { NOFD, 0xae01 /* KVM_CREATE_VM */ }, ENOTTY },
    { CALL(ioctl), { NOFD, 0x400454ca /* TUNSETIFF */ }, ENOTTY },
    { CALL(ioctl), { NOFD, 0x8914 /* SIOCSIFFLAGS */ }, EPERM },
    { CALL(clone), { 1ull << 32 | CLONE_NEWUTS | SIGCHLD }, EPERM },
    { CALL(clone), { CLONE_NEWUSER | SIGCHLD }, EPERM },
    { CALL(unshare), { CLONE_NEWUSER }, EPERM },
    { CALL(unshare), { CLONE_NEWNS }, EPERM },
    { CALL(unshare), { CLONE_NEWTIME }, EPERM },
    { CALL(personality), { 1ull << 32 | 0x0040000 }, EPERM },
    { CALL(personality), { 0x0400000 }, EPERM },
    { CALL(prctl), { 35 /* SET_MM */, 99 }, EPERM },
    { CALL(seccomp), { 1, 8, BAD }, EBUSY },
    { CALL(seccomp), { ~0ull << 32 | 1, ~0ull << 32 | 8, BAD }, EBUSY },
    { CALL(socket), { AF_PACKET, SOCK_RAW, 0 }, EAFNOSUPPORT },
    { CALL(socket), { 40 /* VSOCK */, SOCK_STREAM, 0 }, EAFNOSUPPORT },
    { CALL(socket), { 38 /* ALG */, SOCK_SEQPACKET, 0 }, EAFNOSUPPORT },
    { CALL(socket), { AF_INET, SOCK_RAW, 255 }, EPERM },
    { CALL(socket), { AF_INET, SOCK_STREAM, 262 }, EPROTONOSUPPORT },
    { CALL(socket), { AF_INET, 10 /* PACKET */, 0 }, ESOCKTNOSUPPORT },
    { CALL(socket), { 1ull << 32 | AF_NETLINK, SOCK_RAW, NETLINK_AUDIT },
      EPROTONOSUPPORT },
    { CALL(socket), { AF_NETLINK, SOCK_RAW, NETLINK_GENERIC },
      EPROTONOSUPPORT },
    { CALL(socket), { AF_NETLINK, SOCK_DGRAM, NETLINK_NETFILTER },
      EPROTONOSUPPORT },
    { CALL(sendto), { NOFD, 0, 0, MSG_OOB }, EOPNOTSUPP },
    { CALL(setsockopt), { NOFD, 6, 31 }, ENOPROTOOPT },
    { CALL(fcntl), { 0, F_SETLEASE, 99 }, EINVAL },
    { CALL(preadv2), { NOFD, BAD, 1, 0, 0, 8 }, EOPNOTSUPP },
    { CALL(openat), { NOFD, BAD, O_CREAT, 04755 }, EPERM },
    { CALL(fchmod), { NOFD, 04755 }, EPERM },
    { CALL(mknodat), { NOFD, BAD, S_IFREG | 04755 }, EPERM },
};
/* clang-format on */

TEST(refused_calls_fail_as_told)
{
    size_t same = 0;

    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        const struct attempt *a = &refused[i];
        int without = child_errno(a, false);

        NOTE(a->name);
        CHECK_INT(child_errno(a, true), a->want);
        if (without == a->want) {
            printf("# no control: %s(0x%" PRIx64 ", 0x%" PRIx64 ") fails "
                   "with errno %d by itself\n",
                   a->name, a->args[0], a->args[1], without);
            same++;
        }
    }
    /* Calls that this kernel was built without, or that a user without
     * privilege is refused anyhow: then the interpreter is the proof. */
    printf("# %zu of %zu calls have a control\n", ARRAY_LEN(refused) - same,
           ARRAY_LEN(refused));
    CHECK(same < ARRAY_LEN(refused) / (geteuid() == 0 ? 5 : 2));
}

/* A number that no kernel has yet, and -1. */
TEST(unknown_numbers_are_missing)
{
    static const long unknown[] = { 337, 511, 512, 4095, -1 };

    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        const struct attempt a = { "unknown", unknown[i], { 0 }, 0, NULL };

        CHECK_INT(child_errno(&a, true), ENOSYS);
    }
}

/* --- other doors --- */

#ifdef __x86_64__
static long by_interrupt(long nr, long arg1, long arg2)
{
    long r;

    __asm__ volatile("int $0x80"
                     : "=a"(r)
                     : "a"(nr), "b"(arg1), "c"(arg2)
                     : "memory", "r8", "r9", "r10", "r11");
    return r;
}

static int int80_getpid(void)
{
    return by_interrupt(20, 0, 0) == getpid() ? 0 : 99;
}

static int int80_unshare(void)
{
    return by_interrupt(310, CLONE_FILES, 0) == 0 ? 0 : 99;
}

TEST(int80_is_killed)
{
    static const struct attempt doors[] = {
        { .name = "getpid", .act = int80_getpid },
        { .name = "unshare", .act = int80_unshare },
    };

    for (size_t i = 0; i < ARRAY_LEN(doors); i++) {
        NOTE(doors[i].name);
        if (child_errno(&doors[i], false) != 0)
            SKIP("a kernel with IA32 emulation");
        CHECK_INT(child_errno(&doors[i], true), SIGNALLED + SIGSYS);
    }
}

TEST(x32_is_killed)
{
    static const struct attempt doors[] = {
        { "getpid", 0x40000000 + 39, { 0 }, 0, NULL },
        { "execve", 0x40000000 + 520, { BAD }, 0, NULL },
        { "ioctl", 0x40000000 + 514, { NOFD, TIOCSTI }, 0, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(doors); i++) {
        NOTE(doors[i].name);
        CHECK(child_errno(&doors[i], false) < SIGNALLED);
        CHECK_INT(child_errno(&doors[i], true), SIGNALLED + SIGSYS);
    }
}
#endif

/* --- what must go on working --- */

/* clang-format off */
#define TRY(cond)                                                         \
    do {                                                                  \
        if (!(cond))                                                      \
            return __LINE__ - first_line;                                 \
    } while (0)
/* clang-format on */

static void *thread(void *arg)
{
    return arg;
}

static int use_processes(void)
{
    const int first_line = __LINE__;
    int status = 1, p[2];
    pthread_t t;
    pid_t pid;

    TRY(pthread_create(&t, NULL, thread, NULL) == 0);
    TRY(pthread_join(t, NULL) == 0);
    TRY((pid = fork()) >= 0);
    if (pid == 0)
        _exit(7);
    TRY(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
    TRY((pid = vfork()) >= 0);
    if (pid == 0)
        _exit(8);
    TRY(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 8);
    TRY(unshare(CLONE_FILES | CLONE_FS) == 0);
    TRY(syscall(__NR_personality, 0xffffffff) >= 0);
    TRY(pipe2(p, O_CLOEXEC) == 0);
    TRY(fcntl(p[0], F_SETFL, O_NONBLOCK) == 0);
    TRY(syscall(__NR_memfd_create, "m", 1u) >= 0);
    TRY(prctl(PR_SET_NAME, "filtered", 0, 0, 0) == 0);
    TRY(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
    return 0;
}

static int use_sockets(void)
{
    const int first_line = __LINE__;
    int p[2];
    char c = 0;

    TRY(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
    TRY(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 17) >= 0);
    TRY(socket(AF_UNIX, SOCK_DGRAM, 0) >= 0);
    TRY(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) >= 0);
    TRY(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p) == 0);
    TRY(send(p[0], "x", 1, MSG_NOSIGNAL) == 1 && read(p[1], &c, 1) == 1);
    TRY(c == 'x');
    return 0;
}

/* Job control on a terminal of one's own (A6). */
static int use_terminal(void)
{
    const int first_line = __LINE__;
    struct winsize ws = { 24, 80, 0, 0 };
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave, n = -1;
    struct termios tio;
    char name[64];

    TRY(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    TRY(ptsname_r(master, name, sizeof(name)) == 0);
    TRY((slave = open(name, O_RDWR | O_NOCTTY)) >= 0);
    TRY(ioctl(slave, TIOCSCTTY, 0) == 0);
    TRY(tcsetpgrp(slave, getpid()) == 0 && tcgetpgrp(slave) == getpid());
    TRY(tcgetattr(slave, &tio) == 0);
    TRY(tcsetattr(slave, TCSADRAIN, &tio) == 0);
    TRY(ioctl(master, TIOCSWINSZ, &ws) == 0);
    TRY(ioctl(slave, TIOCGWINSZ, &ws) == 0 && ws.ws_col == 80);
    TRY(ioctl(slave, FIONREAD, &n) == 0 && n == 0);
    TRY(ioctl(slave, TIOCSTI, "x") < 0 && errno == EPERM);
    TRY(ioctl(slave, FIONREAD, &n) == 0 && n == 0);
    return 0;
}

TEST(ordinary_calls_work)
{
    static const struct attempt uses[] = {
        { .name = "processes", .act = use_processes },
        { .name = "sockets", .act = use_sockets },
        { .name = "terminal", .act = use_terminal },
    };

    for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
        NOTE(uses[i].name);
        CHECK_INT(child_errno(&uses[i], true), 0);
    }
}

/* E11: one's own filters add to ours and cannot lift it. */
static int lift_filter(void)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const int first_line = __LINE__;

    TRY(seccomp_enforce(&allow, 1, false, NULL) == 0);
    TRY(syscall(__NR_bpf, 0, BAD, 64) < 0 && errno == EPERM);
    TRY(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) < 0);
    TRY(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    return 0;
}

TEST(filters_only_add_up)
{
    static const struct attempt a = { .name = "lift", .act = lift_filter };

    CHECK_INT(child_errno(&a, true), 0);
}

TEST(load_refuses_no_program)
{
    struct sock_filter f = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
    int listener = 77;

    CHECK_INT(seccomp_enforce(&f, 0, false, NULL), -EINVAL);
    CHECK_INT(seccomp_enforce(&f, BPF_MAXINSNS + 1, false, NULL), -EINVAL);
    CHECK_INT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_INT(seccomp_enforce(&f, 1, true, &listener), -EINVAL);
    CHECK_INT(listener, 77);
}

/* --- notifications --- */

static int send_fd(int sock, int fd)
{
    char control[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec iov = { control, 1 };
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control,
                        .msg_controllen = sizeof(control) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    return sendmsg(sock, &m, 0) == 1 ? 0 : -1;
}

static int recv_fd(int sock)
{
    char control[CMSG_SPACE(sizeof(int))], byte;
    struct iovec iov = { &byte, 1 };
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control,
                        .msg_controllen = sizeof(control) };
    int fd = -1;

    if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
    return fd;
}

/* EXDEV is this test's broker's answer to everything. */
/* clang-format off */
static const struct attempt brokered[] = {
    { CALL(openat), { NOFD, BAD, O_CREAT | O_WRONLY, 0600 }, EXDEV, NULL },
    { CALL(openat), { NOFD, BAD, 1ull << 32 | O_CREAT, 0600 }, EXDEV, NULL },
    { CALL(openat), { NOFD, BAD, O_RDONLY, 0 }, EFAULT, NULL },
    { CALL(mkdirat), { NOFD, BAD, 0700 }, EXDEV, NULL },
    { CALL(mknodat), { NOFD, BAD, S_IFREG }, EXDEV, NULL },
    { CALL(linkat), { NOFD, BAD, NOFD, BAD }, EXDEV, NULL },
    { CALL(symlinkat), { BAD, NOFD, BAD }, EXDEV, NULL },
    { CALL(renameat2), { NOFD, BAD, NOFD, BAD }, EXDEV, NULL },
    { CALL(bind), { NOFD, BAD, 2 }, EXDEV, NULL },
    { CALL(connect), { NOFD, BAD, 2 }, EXDEV, NULL },
    { CALL(openat2), { NOFD, BAD, BAD, 24 }, ENOSYS, NULL },
    { CALL(socket), { AF_UNIX, SOCK_DGRAM, 0 }, ESOCKTNOSUPPORT, NULL },
    { CALL(unlinkat), { NOFD, BAD }, EFAULT, NULL },
#ifdef __x86_64__
    { CALL(open), { BAD, O_CREAT, 0600 }, EXDEV, NULL },
    { CALL(open), { BAD, O_RDONLY }, EFAULT, NULL },
    { CALL(creat), { BAD, 0600 }, EXDEV, NULL },
    { CALL(mkdir), { BAD, 0700 }, EXDEV, NULL },
    { CALL(mknod), { BAD, S_IFIFO }, EXDEV, NULL },
    { CALL(link), { BAD, BAD }, EXDEV, NULL },
    { CALL(symlink), { BAD, BAD }, EXDEV, NULL },
    { CALL(rename), { BAD, BAD }, EXDEV, NULL },
    { CALL(renameat), { NOFD, BAD, NOFD, BAD }, EXDEV, NULL },
    { CALL(creat), { BAD, 04755 }, EPERM, NULL },
#endif
};
/* clang-format on */

static int make_brokered(void)
{
    for (size_t i = 0; i < ARRAY_LEN(brokered); i++) {
        const uint64_t *v = brokered[i].args;

        errno = 0;
        syscall(brokered[i].nr, v[0], v[1], v[2], v[3], v[4], v[5]);
        if (errno != brokered[i].want)
            return (int)i + 1;
    }
    return 0;
}

static void answer_all(int listener)
{
    struct pollfd p = { listener, POLLIN, 0 };
    size_t at = 0;

    while (poll(&p, 1, -1) == 1 && (p.revents & POLLIN)) {
        struct seccomp_notif n = { 0 };
        struct seccomp_notif_resp r = { 0 };

        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
            continue;
        while (at < ARRAY_LEN(brokered) && brokered[at].want != EXDEV)
            at++;
        CHECK(at < ARRAY_LEN(brokered));
        NOTE(brokered[at].name);
        CHECK_INT(n.data.nr, brokered[at++].nr);
        r.id = n.id;
        r.error = -EXDEV;
        CHECK_INT(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r), 0);
    }
    while (at < ARRAY_LEN(brokered) && brokered[at].want != EXDEV)
        at++;
    CHECK_INT(at, ARRAY_LEN(brokered));
}

TEST(brokered_calls_arrive_in_order)
{
    int p[2], status = 1, listener;
    pid_t pid;

    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p), 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        if (load_filter(3, true, &listener) < 0 ||
            !(fcntl(listener, F_GETFD) & FD_CLOEXEC) ||
            send_fd(p[1], listener) < 0)
            _exit(255);
        close(listener);
        _exit(make_brokered());
    }
    close(p[1]);
    listener = recv_fd(p[0]);
    CHECK(listener >= 0);
    answer_all(listener);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    NOTE("number of the failing row, from 1");
    CHECK_INT(status, WEXITSTATUS(status) << 8);
    CHECK_INT(WEXITSTATUS(status), 0);
}

/* --- what it costs --- */

/* The same verdicts, as a chain of comparisons. */
static size_t linear(struct sock_filter *f)
{
    struct bpf b;
    uint32_t code;

    bpf_init(&b, f, SECCOMP_FILTER_MAX);
    code = bpf_ret(&b, SC_FAIL(ENOSYS));
    for (size_t i = syscall_nrows; i > 0; i--) {
        const struct syscall_row *r = &syscall_rows[i - 1];

        if (r->nr[ARCH_X86_64] >= 0)
            code = bpf_if_eq(&b, (uint32_t)r->nr[ARCH_X86_64],
                             bpf_ret(&b, r->verdict), code);
    }
    return bpf_finish(&b, bpf_load(&b, 0, code));
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare_doubles(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

enum { ROUNDS = 51 };

/* The median of one installation per child. */
static double install_us(const struct sock_filter *f, size_t n)
{
    double *us = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(us != MAP_FAILED);
    for (int i = 0; i < ROUNDS; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            double start;

            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            start = now_us();
            if (seccomp_enforce(f, n, false, NULL) < 0)
                _exit(1);
            us[i] = now_us() - start;
            _exit(0);
        }
        CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
        CHECK(us[i] > 0);
    }
    qsort(us, ROUNDS, sizeof(*us), compare_doubles);
    return us[ROUNDS / 2];
}

TEST(cost_is_printed)
{
    struct sock_filter f[SECCOMP_FILTER_MAX];
    struct seccomp_options o = { 0 };
    struct err e = { 0 };
    unsigned deepest = 0;
    double start = now_us();
    size_t n = 0;

    CHECK_INT(seccomp_filter_build(&o, f, &n, &e), 0);
    printf("# build: %.1f us, %zu instructions\n", now_us() - start, n);
    for (int nr = 0; nr < 512; nr++) {
        struct seccomp_data d = { .nr = nr, .arch = AUDIT_ARCH_X86_64 };
        unsigned steps = 0;

        bpf_run(f, &d, &steps);
        deepest = steps > deepest ? steps : deepest;
    }
    printf("# longest way with all arguments 0: %u steps\n", deepest);
    printf("# install, tree: %.1f us\n", install_us(f, n));
    n = linear(f);
    CHECK(n > 0);
    printf("# install, chain of %zu: %.1f us\n", n, install_us(f, n));
}

T_MAIN()
