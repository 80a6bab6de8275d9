/* test_gateway_walls.c - what a gateway that was taken over can still do: each
 * call made before its walls stand, where it works, and behind them, where it
 * ends the process; and what the gateway needs, in both places. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "gateway/gw.h"
#include "t.h"

enum { SIGNALLED = 1000 };

/* Opened before, as what the gateway holds is. */
static int a_socket, a_pipe[2], an_epoll;
static pid_t parent;
static char *const nothing[] = { NULL };

static long do_open(void)
{
    return syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY);
}

static long do_execve(void)
{
    return execve("/bin/true", nothing, nothing);
}

static long do_fork(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (pid == 0)
        syscall(SYS_exit_group, 0);
    return pid;
}

static long do_kill(void)
{
    return kill(parent, 0);
}

/* Signals by way of a descriptor (fcntl(2), F_SETOWN). */
static long do_set_owner(void)
{
    return fcntl(a_socket, F_SETOWN, parent);
}

static long do_duplicate(void)
{
    return fcntl(a_socket, F_DUPFD, 50);
}

static long do_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long do_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long do_pair(void)
{
    int fd[2];

    return socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
}

static long do_map_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? -1 : 0;
}

static long do_make_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static long do_memfd(void)
{
    return syscall(SYS_memfd_create, "x", 0);
}

static long do_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long do_traceme(void)
{
    return ptrace(PTRACE_TRACEME, 0, 0, 0);
}

static long do_read_memory(void)
{
    char byte = 0, to = 0;
    struct iovec a = { &to, 1 }, b = { &byte, 1 };

    return process_vm_readv(getpid(), &a, 1, &b, 1, 0);
}

static long do_listen(void)
{
    return listen(a_socket, 1);
}

static long do_bind(void)
{
    const struct sockaddr_in a = { .sin_family = AF_INET };

    return bind(a_socket, (const void *)&a, sizeof(a));
}

static long do_ioctl(void)
{
    int n;

    return ioctl(a_pipe[0], FIONREAD, &n);
}

static long do_unlink(void)
{
    return syscall(SYS_unlinkat, AT_FDCWD, "/no/such/file", 0) < 0 &&
                   errno == ENOENT
               ? 0
               : -1;
}

static long do_stat(void)
{
    struct stat s;

    return fstatat(AT_FDCWD, "/", &s, 0);
}

static long do_inotify(void)
{
    return inotify_init1(0);
}

static long do_limits(void)
{
    struct rlimit r;

    return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &r);
}

static long do_personality(void)
{
    return personality(0xffffffff);
}

static long do_shared(void)
{
    int id = shmget(IPC_PRIVATE, 4096, 0600);

    /* The control's own must not stay on the host. */
    return id < 0 ? -1 : shmctl(id, IPC_RMID, NULL);
}

static long do_setuid(void)
{
    return syscall(SYS_setuid, getuid());
}

static long do_unshare(void)
{
    return unshare(0);
}

static long do_dup(void)
{
    return dup(a_socket);
}

static const struct {
    const char *name;
    long (*act)(void);
} attacks[] = {
    { "openat", do_open },
    { "execve", do_execve },
    { "fork", do_fork },
    { "kill", do_kill },
    { "fcntl F_SETOWN", do_set_owner },
    { "fcntl F_DUPFD", do_duplicate },
    { "unix socket", do_unix },
    { "netlink socket", do_netlink },
    { "socketpair", do_pair },
    { "mmap PROT_EXEC", do_map_code },
    { "mprotect PROT_EXEC", do_make_code },
    { "memfd_create", do_memfd },
    { "prctl PR_SET_DUMPABLE", do_dumpable },
    { "ptrace", do_traceme },
    { "process_vm_readv", do_read_memory },
    { "bind", do_bind },
    { "listen", do_listen },
    { "ioctl", do_ioctl },
    { "unlinkat", do_unlink },
    { "fstatat", do_stat },
    { "inotify_init1", do_inotify },
    { "prlimit64", do_limits },
    { "personality", do_personality },
    { "shmget", do_shared },
    { "setuid", do_setuid },
    { "unshare", do_unshare },
    { "dup", do_dup },
};

static long need_sockets(void)
{
    int four = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int six = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in a = { .sin_family = AF_INET,
                                   .sin_port = htons(9),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    if (four < 0 || (six < 0 && errno != EAFNOSUPPORT))
        return -1;
    (void)connect(four, (const void *)&a, sizeof(a));
    return close(four);
}

static long need_pipes(void)
{
    int p[2];

    if (pipe2(p, O_NONBLOCK | O_CLOEXEC) < 0)
        return -1;
    return fcntl(p[1], F_SETPIPE_SZ, 1 << 17);
}

static long need_memory(void)
{
    for (size_t n = 1; n < 64 << 20; n *= 3) {
        char *p = malloc(n), *q;

        if (!p)
            return -1;
        memset(p, 1, n);
        q = realloc(p, n * 2);
        free(q);
    }
    return 0;
}

static long need_events(void)
{
    struct epoll_event e = { .events = EPOLLIN };

    if (epoll_ctl(an_epoll, EPOLL_CTL_ADD, a_pipe[0], &e) < 0 ||
        epoll_wait(an_epoll, &e, 1, 0) < 0)
        return -1;
    return epoll_ctl(an_epoll, EPOLL_CTL_DEL, a_pipe[0], NULL);
}

static long need_random(void)
{
    char bytes[34];

    return getrandom(bytes, sizeof(bytes), 0);
}

static const struct {
    const char *name;
    long (*act)(void);
} needs[] = {
    { "sockets", need_sockets }, { "pipes", need_pipes },
    { "memory", need_memory },   { "events", need_events },
    { "random", need_random },
};

/* 0, an errno, or SIGNALLED and the signal. */
static int outcome(long (*act)(void), bool has_walls)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct err e;

        if (has_walls && walls_raise(&e) < 0)
            _exit(200);
        _exit(act() < 0 ? errno : 0);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? SIGNALLED + WTERMSIG(status)
                               : WEXITSTATUS(status);
}

static void open_things(void)
{
    parent = getpid();
    a_socket = socket(AF_INET, SOCK_STREAM, 0);
    an_epoll = epoll_create1(0);
    CHECK(a_socket >= 0 && an_epoll >= 0 && pipe(a_pipe) == 0);
}

TEST(an_attack_ends_the_gateway)
{
#if defined(__SANITIZE_ADDRESS__)
    SKIP("no filter under a sanitizer");
#endif
    open_things();
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
        NOTE(attacks[i].name);
        CHECK_INT(outcome(attacks[i].act, false), 0);
        CHECK_INT(outcome(attacks[i].act, true), SIGNALLED + SIGSYS);
    }
}

TEST(what_it_needs_is_left)
{
    open_things();
    for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
        NOTE(needs[i].name);
        CHECK_INT(outcome(needs[i].act, false), 0);
        CHECK_INT(outcome(needs[i].act, true), 0);
    }
}

static void read_status(pid_t pid, char *out, size_t size)
{
    char path[64];
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    CHECK(f);
    out[fread(out, 1, size - 1, f)] = '\0';
    (void)fclose(f);
}

TEST(it_has_no_privilege)
{
    int ready[2];
    char byte, text[8192];
    struct err e;
    pid_t pid;

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ready) == 0);
    pid = fork();
    if (pid == 0) {
        byte = walls_raise(&e) == 0 ? 'y' : 'n';
        (void)send(ready[1], &byte, 1, 0);
        (void)recv(ready[1], &byte, 1, 0);
        _exit(0);
    }
    CHECK(recv(ready[0], &byte, 1, 0) == 1);
    CHECK_INT(byte, 'y');
    read_status(pid, text, sizeof(text));
    (void)kill(pid, SIGKILL);
    CHECK_HAS(text, "\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
                    "CapEff:\t0000000000000000\n");
    CHECK_HAS(text, "\nCapAmb:\t0000000000000000\n");
    CHECK_HAS(text, "\nNoNewPrivs:\t1\n");
#if !defined(__SANITIZE_ADDRESS__)
    CHECK_HAS(text, "\nSeccomp:\t2\n");
#endif
}

T_MAIN()
