/* streams.c - pipes between the caller's streams and runsc: see runsc.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compat.h"
#include "launch/runsc.h"

enum { CHUNK = 65536, PAGE = 4096 };

/* A pipe opened once more has a description of its own: what is done to it is
 * nobody else's.  Not for more than it is open for, and not waiting for the
 * other end, which may be gone. */
static int open_again(int fd)
{
    const int want = fd == 0 ? O_RDONLY : O_WRONLY;
    int flags = fcntl(fd, F_GETFL);
    char path[32];
    struct stat st;

    if (flags < 0 || fstat(fd, &st) < 0)
        return -1;
    /* The sandbox's own /dev/null (launch_check_stdio). */
    if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
        return fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (!S_ISFIFO(st.st_mode) || (flags & O_ACCMODE) != want)
        return -1;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, want | O_NONBLOCK | O_CLOEXEC);
}

static bool write_all(int fd, const char *at, size_t left)
{
    while (left > 0) {
        ssize_t n = write(fd, at, left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        at += n;
        left -= (size_t)n;
    }
    return true;
}

/* A process, which blocks as the workload itself would, and ends with its
 * source or its target. */
static _Noreturn void carry(int from, int to, size_t most)
{
    static char bytes[CHUNK];
    const struct sigaction ignore = { .sa_handler = SIG_IGN };
    ssize_t n;

    /* What a terminal sends to its foreground is not for it. */
    (void)setsid();
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)dup2(from, 0);
    (void)dup2(to, 1);
    (void)syscall(__NR_close_range, 2u, ~0u, 0);
    for (;;) {
        n = read(0, bytes, most);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || !write_all(1, bytes, (size_t)n))
            _exit(0);
    }
}

static int start_carrier(struct streams *s, int i, struct err *e)
{
    int pair[2], theirs = i == 0 ? 0 : 1;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return err_sys(e, "pipe2(2)", errno, "cannot carry a stream");
    s->fd[i] = pair[theirs];
    /* No more of the input is taken than is about to be read. */
    if (i == 0)
        (void)fcntl(pair[0], F_SETPIPE_SZ, PAGE);
    s->carrier[i] = fork();
    if (s->carrier[i] == 0)
        i == 0 ? carry(0, pair[1], PAGE) : carry(pair[0], i, CHUNK);
    (void)close(pair[!theirs]);
    if (s->carrier[i] < 0) {
        s->carrier[i] = 0;
        return err_sys(e, "fork(2)", errno, "cannot carry a stream");
    }
    return 0;
}

int streams_open(struct streams *s, struct err *e)
{
    *s = (struct streams){ .fd = { -1, -1, -1 } };
    for (int i = 0; i < 3; i++) {
        s->fd[i] = open_again(i);
        if (s->fd[i] >= 0 || start_carrier(s, i, e) == 0)
            continue;
        streams_close(s);
        return -1;
    }
    return 0;
}

void streams_close(struct streams *s)
{
    for (int i = 0; i < 3; i++)
        drop_fd(&s->fd[i]);
}

void streams_finish(struct streams *s)
{
    for (int i = 1; i < 3; i++)
        while (s->carrier[i] && waitpid(s->carrier[i], NULL, 0) < 0 &&
               errno == EINTR)
            continue;
}
