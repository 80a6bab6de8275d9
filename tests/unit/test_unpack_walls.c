/* test_unpack_walls.c - what an mxc-unpack that an archive took over can still
 * do: each call made before its walls stand, where it works, and behind them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "t.h"
#include "unpack/unpack.h"

enum { SIGNALLED = 1000 };

static char *const nothing[] = { NULL };
static char inside[] = "/tmp/mxc-unpack-XXXXXX";
static char outside[] = "/tmp/mxc-unpack-XXXXXX";
static int other;

static long do_read_file(void)
{
    return open("/etc/passwd", O_RDONLY);
}

static long do_write_file(void)
{
    return openat(other, "file", O_WRONLY | O_CREAT, 0600);
}

static long do_mkdir(void)
{
    return mkdirat(other, "dir", 0700);
}

static long do_symlink(void)
{
    return symlinkat("x", other, "link");
}

static long do_unlink(void)
{
    return unlinkat(other, "there", 0);
}

/* Landlock does not look at modes, times and owners: nor do they have a call
 * that takes a path. */
static long do_chmod_path(void)
{
    return syscall(SYS_fchmodat, other, "there", 0777);
}

static long do_utimes_path(void)
{
    return utimensat(other, "there", NULL, 0);
}

static long do_chown(void)
{
    return fchown(UNPACK_TARGET_FD, getuid(), getgid());
}

static long do_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
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
    return kill(getppid(), 0);
}

static long do_executable(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? -1 : 0;
}

static long do_memory(void)
{
    void *p = mmap(NULL, (size_t)2 << 30, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? -1 : 0;
}

/* What it is for. */
static long do_inside(void)
{
    int fd = openat(UNPACK_TARGET_FD, "f", O_WRONLY | O_CREAT, 0600);
    struct timespec now[2] = { { 0 } };

    if (fd < 0 || fchmod(fd, 0755) < 0 || futimens(fd, now) < 0 ||
        mkdirat(UNPACK_TARGET_FD, "d", 0700) < 0 ||
        symlinkat("/etc/passwd", UNPACK_TARGET_FD, "l") < 0 ||
        linkat(UNPACK_TARGET_FD, "f", UNPACK_TARGET_FD, "g", 0) < 0 ||
        unlinkat(UNPACK_TARGET_FD, "g", 0) < 0)
        return -1;
    return 0;
}

/* A link of its own making leads nowhere. */
static long do_by_link(void)
{
    if (symlinkat(outside, UNPACK_TARGET_FD, "out") < 0)
        return 0;
    return openat(UNPACK_TARGET_FD, "out/new", O_WRONLY | O_CREAT, 0600);
}

static const struct {
    const char *name;
    long (*call)(void);
    int want; /* behind the walls: errno, a signal, or 0 */
} rows[] = {
    { "what it is for", do_inside, 0 },
    { "read a file of the host", do_read_file, EACCES },
    { "write elsewhere", do_write_file, EACCES },
    { "write elsewhere by a link", do_by_link, EACCES },
    { "mkdir elsewhere", do_mkdir, EACCES },
    { "symlink elsewhere", do_symlink, EACCES },
    { "unlink elsewhere", do_unlink, EACCES },
    { "chmod a path", do_chmod_path, SIGNALLED + SIGSYS },
    { "utimes of a path", do_utimes_path, SIGNALLED + SIGSYS },
    { "chown", do_chown, SIGNALLED + SIGSYS },
    { "socket", do_socket, SIGNALLED + SIGSYS },
    { "exec", do_execve, SIGNALLED + SIGSYS },
    { "fork", do_fork, SIGNALLED + SIGSYS },
    { "kill", do_kill, SIGNALLED + SIGSYS },
    { "code of its own", do_executable, SIGNALLED + SIGSYS },
    { "much memory", do_memory, ENOMEM },
};

/* 0, an errno, or a signal. */
static int attempt(size_t row, int walls)
{
    struct err e = { 0 };
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        if (walls && unpack_walls(false, &e) < 0)
            _exit(255);
        _exit(rows[row].call() < 0 ? errno : 0);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? SIGNALLED + WTERMSIG(status)
                               : WEXITSTATUS(status);
}

static void empty(void)
{
    static const char *const names[] = { "f", "g", "l", "out" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)unlinkat(UNPACK_TARGET_FD, names[i], 0);
    (void)unlinkat(UNPACK_TARGET_FD, "d", AT_REMOVEDIR);
    (void)unlinkat(other, "file", 0);
    (void)unlinkat(other, "link", 0);
    (void)unlinkat(other, "new", 0);
    (void)unlinkat(other, "dir", AT_REMOVEDIR);
    (void)close(openat(other, "there", O_WRONLY | O_CREAT, 0600));
}

static void begin(void)
{
    int null = open("/dev/null", O_RDONLY);

    CHECK(mkdtemp(inside) && mkdtemp(outside));
    other = fcntl(open(outside, O_RDONLY | O_DIRECTORY), F_DUPFD, 10);
    CHECK(other >= 0);
    CHECK(dup2(null, UNPACK_SOURCE_FD) == UNPACK_SOURCE_FD);
    CHECK(dup2(open(inside, O_RDONLY | O_DIRECTORY), UNPACK_TARGET_FD) ==
          UNPACK_TARGET_FD);
}

TEST(what_a_taken_over_unpacker_can_do)
{
#if defined(__SANITIZE_ADDRESS__)
    SKIP("no filter under a sanitizer");
#endif
    begin();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        NOTE(rows[i].name);
        empty();
        CHECK_INT(attempt(i, 0), 0);
        empty();
        CHECK_INT(attempt(i, 1), rows[i].want);
    }
    empty();
    (void)unlinkat(other, "there", 0);
    (void)rmdir(inside);
    (void)rmdir(outside);
}

T_MAIN()
