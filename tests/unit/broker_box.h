/* broker_box.h - a workload under a small filter of its own, and the broker.
 *
 * The filter here is not the product's: it traps what the broker serves and
 * allows the rest.  The listener reaches this process as in the real init,
 * through a descriptor table that is shared for a moment. */
#ifndef MXC_TESTS_BROKER_BOX_H
#define MXC_TESTS_BROKER_BOX_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#include "base/compat.h"
#include "broker/broker.h"
#include "t.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* The result of an expression that sets errno, as 0/positive or -errno. */
#define ERRNO(x) (errno = 0, (x) < 0 ? -errno : 0)

static char box_dir[64]; /* made by box_begin, removed by box_end */

static inline void path_of(char out[PATH_MAX], const char *name)
{
    (void)snprintf(out, PATH_MAX, "%s/%s", box_dir, name);
}

static inline int box_remove(const char *p, const struct stat *st, int type,
                             struct FTW *f)
{
    (void)st;
    (void)type;
    (void)f;
    (void)remove(p);
    return 0;
}

static inline void box_begin_in(const char *top)
{
    (void)snprintf(box_dir, sizeof(box_dir), "%s/mxc-broker-XXXXXX", top);
    CHECK(mkdtemp(box_dir));
    CHECK_INT(chdir(box_dir), 0);
}

static inline void box_begin(void)
{
    box_begin_in("/tmp");
}

static inline void box_end(void)
{
    CHECK_INT(chdir("/"), 0);
    (void)nftw(box_dir, box_remove, 16, FTW_DEPTH | FTW_PHYS);
    CHECK_INT(access(box_dir, F_OK), -1);
}

static inline int count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    CHECK(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

static inline double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#define LOAD(field)                                                            \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define TRAP(call)                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 1),                    \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)
#define TRAP_IF(call, field, bit)                                              \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 4), LOAD(field),       \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bit, 0, 1),                       \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),                     \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static inline int box_load(struct sock_filter *code, size_t n)
{
    struct sock_fprog prog = { .len = (unsigned short)n, .filter = code };

    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                        SECCOMP_FILTER_FLAG_NEW_LISTENER |
                            SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
                        &prog);
}

static inline int box_filter(bool creates)
{
    struct sock_filter sockets[] = {
        LOAD(nr),
        TRAP(bind),
        TRAP(connect),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_filter all[] = {
        LOAD(nr),
        TRAP_IF(openat, args[2], O_CREAT),
        TRAP(mkdirat),
        TRAP(mknodat),
        TRAP(linkat),
        TRAP(symlinkat),
        TRAP(renameat2),
        TRAP(bind),
        TRAP(connect),
#ifdef __NR_open
        TRAP_IF(open, args[1], O_CREAT),
        TRAP(creat),
        TRAP(mkdir),
        TRAP(mknod),
        TRAP(link),
        TRAP(symlink),
        TRAP(rename),
#endif
#ifdef __NR_renameat
        TRAP(renameat),
#endif
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    return creates ? box_load(all, ARRAY_LEN(all))
                   : box_load(sockets, ARRAY_LEN(sockets));
}

static inline _Noreturn void box_child(bool creates, int out, int go,
                                       void (*body)(void))
{
    int listener;
    char c;

    alarm(T_SECONDS);
    CHECK_INT(prctl(PR_SET_DUMPABLE, 1), 0);
    CHECK_INT(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
    CHECK_INT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    listener = box_filter(creates);
    CHECK(listener >= 0);
    CHECK_INT(unshare(CLONE_FILES), 0);
    (void)close(listener);
    CHECK_INT(write(out, &listener, sizeof(listener)), sizeof(listener));
    CHECK_INT(read(go, &c, 1), 1);
    (void)close(out);
    (void)close(go);
    body();
    fflush(stdout);
    _exit(0);
}

static inline void box_serve(struct broker *b, int listener, int pidfd)
{
    struct pollfd p[2] = { { .fd = listener, .events = POLLIN },
                           { .fd = pidfd, .events = POLLIN } };

    for (;;) {
        /* The period stands for init's SIGCHLD. */
        int r = poll(p, 2, 50);

        if (r > 0 && p[1].revents)
            return;
        (void)broker_serve(b, listener);
    }
}

/* Whether the broker shall take its callers for narrowed ones. */
static bool box_is_narrowed;

/* Run the body under the filter, with a broker of this configuration, and
 * return its wait status; no descriptor may be left. */
static inline int box_run(const struct broker_config *cfg, void (*body)(void))
{
    int before = count_fds(), out[2], go[2], listener = -1, status = -1;
    struct broker *b = NULL;
    struct err e = { 0 };
    int pidfd;
    long pid;

    if (broker_create(cfg, &b, &e) < 0)
        T_FAIL("broker_create: %s", e.msg);
    broker_narrow(b, box_is_narrowed);
    fflush(stdout);
    CHECK_INT(prctl(PR_SET_DUMPABLE, 0), 0);
    CHECK_INT(pipe2(out, O_CLOEXEC), 0);
    CHECK_INT(pipe2(go, O_CLOEXEC), 0);
    pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        box_child(cfg->creates, out[1], go[0], body);
    CHECK(pid > 0);
    CHECK_INT(read(out[0], &listener, sizeof(listener)), sizeof(listener));
    CHECK_INT(write(go[1], "", 1), 1);
    pidfd = (int)syscall(__NR_pidfd_open, pid, 0);
    CHECK(pidfd >= 0);
    box_serve(b, listener, pidfd);
    CHECK_INT(waitpid((pid_t)pid, &status, 0), pid);
    broker_destroy(b);
    CHECK_INT(chdir(box_dir), 0); /* the broker may leave it at "/" */
    (void)close(listener);
    (void)close(pidfd);
    for (int i = 0; i < 2; i++) {
        (void)close(out[i]);
        (void)close(go[i]);
    }
    CHECK_INT(count_fds(), before);
    /* The caller's check of the status ends the test: leave nothing. */
    if (status != 0)
        box_end();
    return status;
}

/* With one denied path of the test's and one that three tests share. */
static inline int run_with(const char *rest, void (*body)(void))
{
    const struct broker_absent absent[] = {
        { box_dir, rest },
        { box_dir, ".git/hooks/pre-commit" },
    };
    const struct broker_config cfg = { .creates = true,
                                       .absent = absent,
                                       .nabsent = 2 };
    return box_run(&cfg, body);
}

static inline bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static inline void touch(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    (void)close(fd);
}

static inline int close_it(int fd)
{
    if (fd < 0)
        return -errno;
    (void)close(fd);
    return 0;
}

static inline int m_open(const char *p)
{
    return close_it((int)syscall(SYS_open, p, O_RDWR | O_CREAT, 0600));
}

static inline int try_open(const char *path, int flags)
{
    return close_it(open(path, flags, 0600));
}

static inline int m_bind(const char *p)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r;

    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", p);
    r = ERRNO(bind(s, (struct sockaddr *)&un, sizeof(un)));
    (void)close(s);
    return r;
}

static inline int exchange(const char *a, const char *b)
{
    return ERRNO(
        syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE));
}

#endif
