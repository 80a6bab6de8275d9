/* main.c - mxc-try KIND OPERAND...: asks the kernel inside a sandbox.
 *
 * Handed into a session by `mxc why` and `mxc test`.  For each question one
 * line (proto.h).  Nothing is read, written or executed, and what `create`
 * makes is removed at once.  Only files and directories are opened: who is at
 * the other end of a FIFO or behind a device would notice.
 *
 *     read PATH      open it for reading
 *     write PATH     open it for writing; where there is nothing, and in a
 *                    directory: make a file there that has no name
 *     create PATH    make a file of that name
 *     exec PATH      may it be executed? (execveat(2), AT_EXECVE_CHECK)
 *     connect HOST:PORT    by TCP
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sanitizer.h"
#include "base/scoped.h"
#include "try/proto.h"

SANITIZER_NO_LEAKS

enum { CONNECT_MS = 10000, MOST_LINKS = 40 };

/* execveat(2), Linux 6.14 */
#define MXC_AT_EXECVE_CHECK 0x10000

struct answer {
    int error;
    enum try_call call;
};

static struct answer answer(int r, enum try_call call)
{
    return (struct answer){ r < 0 ? errno : 0, call };
}

/* Somebody runs it, or has a lease on it: the policy has no part in that. */
static bool is_busy(int error)
{
    return error == ETXTBSY || error == EWOULDBLOCK || error == EBUSY;
}

static struct answer try_open(const char *path, int flags)
{
    scoped(drop_fd) int fd =
        open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    struct answer a = answer(fd, TRY_OPEN);

    if (is_busy(a.error))
        a.error = 0;
    return a;
}

static struct answer try_access(const char *path, int mode)
{
    return answer(faccessat(AT_FDCWD, path, mode, AT_EACCESS), TRY_ACCESS);
}

/* What is there, without opening it.  False, and *a, where nothing is. */
static bool look(const char *path, mode_t *type, struct answer *a)
{
    scoped(drop_fd) int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat st;

    *a = answer(fd, TRY_OPEN);
    if (fd < 0)
        return false;
    *a = answer(fstat(fd, &st), TRY_OPEN);
    *type = st.st_mode & S_IFMT;
    return a->error == 0;
}

static struct answer try_read(const char *path)
{
    struct answer a;
    mode_t type;

    if (!look(path, &type, &a))
        return a;
    return type == S_IFREG || type == S_IFDIR ? try_open(path, O_RDONLY)
                                              : try_access(path, R_OK);
}

/* A file of no name; not every filesystem has them. */
static struct answer try_in(const char *dir)
{
    struct answer a = try_open(dir, O_WRONLY | O_TMPFILE);

    return a.error == EOPNOTSUPP || a.error == EISDIR || a.error == EINVAL
               ? try_access(dir, W_OK | X_OK)
               : a;
}

/* The directory that a path is in; cuts the path. */
static const char *directory_of(char *path)
{
    char *slash = strrchr(path, '/');

    if (!slash)
        return ".";
    slash[slash == path ? 1 : 0] = '\0';
    return path;
}

/* Where a link leads whose target is not there: that is what would be made.
 * False: it is none. */
static bool follow(char path[PATH_MAX])
{
    char target[PATH_MAX], dir[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof(target) - 1);

    if (n <= 0)
        return false;
    target[n] = '\0';
    (void)snprintf(dir, sizeof(dir), "%s", path);
    n = target[0] == '/'
            ? snprintf(path, PATH_MAX, "%s", target)
            : snprintf(path, PATH_MAX, "%s/%s", directory_of(dir), target);
    return n < PATH_MAX;
}

static bool take_path(const char *operand, char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s", operand);

    for (int i = 0; i < MOST_LINKS && n < PATH_MAX; i++)
        if (faccessat(AT_FDCWD, path, F_OK, 0) == 0 || !follow(path))
            return true;
    return false;
}

static struct answer try_write(const char *operand)
{
    char path[PATH_MAX];
    struct answer a;
    mode_t type;

    if (!take_path(operand, path))
        return (struct answer){ ELOOP, TRY_OPEN };
    if (!look(path, &type, &a))
        return a.error == ENOENT ? try_in(directory_of(path)) : a;
    if (type == S_IFDIR)
        return try_in(path);
    return type == S_IFREG ? try_open(path, O_WRONLY) : try_access(path, W_OK);
}

static struct answer try_create(const char *operand)
{
    char path[PATH_MAX];
    struct answer a;

    if (!take_path(operand, path))
        return (struct answer){ ELOOP, TRY_OPEN };
    a = try_open(path, O_WRONLY | O_CREAT | O_EXCL);
    if (a.error == 0)
        (void)unlink(path);
    /* It has come about meanwhile. */
    return a.error == EEXIST ? try_write(operand) : a;
}

/* Kernels that cannot be asked: what access(2) knows of. */
static struct answer try_exec(const char *path)
{
    static char *const none[] = { NULL };
    char *const argv[] = { (char *)(uintptr_t)path, NULL };
    scoped(drop_fd) int fd = open(path, O_PATH | O_CLOEXEC);
    struct answer a;
    mode_t type;
    long r;

    if (!look(path, &type, &a))
        return a;
    if (fd < 0 || type != S_IFREG)
        return (struct answer){ EACCES, TRY_EXECVE };
    r = syscall(SYS_execveat, fd, "", argv, none,
                AT_EMPTY_PATH | MXC_AT_EXECVE_CHECK);
    if (r < 0 && errno == EINVAL)
        return try_access(path, X_OK);
    a = answer((int)r, TRY_EXECVE);
    if (is_busy(a.error))
        a.error = 0;
    return a;
}

static struct answer try_address(const struct addrinfo *at, int64_t until)
{
    scoped(drop_fd) int fd =
        socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    const int64_t left = until - (int64_t)now_ms();
    int error = 0;
    socklen_t len = sizeof(error);

    if (fd < 0)
        return answer(fd, TRY_SOCKET);
    if (connect(fd, at->ai_addr, at->ai_addrlen) == 0)
        return answer(0, TRY_CONNECT);
    if (errno != EINPROGRESS)
        return answer(-1, TRY_CONNECT);
    if (left <= 0 || poll(&p, 1, (int)left) <= 0)
        return (struct answer){ ETIMEDOUT, TRY_CONNECT };
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return answer(-1, TRY_CONNECT);
    return (struct answer){ error, TRY_CONNECT };
}

/* There is none of that family here: that says nothing of the peer. */
static bool is_lacking(int error)
{
    return error == ENETUNREACH || error == EADDRNOTAVAIL ||
           error == EAFNOSUPPORT;
}

/* Of several addresses the first that answers, all in one time. */
static struct answer try_connect(char *peer)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    const int64_t until = (int64_t)now_ms() + CONNECT_MS;
    char *colon = strrchr(peer, ':');
    struct answer a = { EHOSTUNREACH, TRY_CONNECT };
    struct addrinfo *list;

    if (!colon)
        return (struct answer){ EINVAL, TRY_CONNECT };
    *colon = '\0';
    if (peer[0] == '[' && colon[-1] == ']') {
        peer++;
        colon[-1] = '\0';
    }
    if (getaddrinfo(peer, colon + 1, &hints, &list) != 0)
        return (struct answer){ TRY_NO_NAME, TRY_GETADDRINFO };
    for (const struct addrinfo *i = list; i && a.error != 0; i = i->ai_next) {
        const struct answer got = try_address(i, until);

        if (i == list || !is_lacking(got.error))
            a = got;
    }
    freeaddrinfo(list);
    return a;
}

static struct answer ask(const char *kind, char *operand)
{
    if (strcmp(kind, "read") == 0)
        return try_read(operand);
    if (strcmp(kind, "write") == 0)
        return try_write(operand);
    if (strcmp(kind, "create") == 0)
        return try_create(operand);
    if (strcmp(kind, "exec") == 0)
        return try_exec(operand);
    if (strcmp(kind, "connect") == 0)
        return try_connect(operand);
    return (struct answer){ EINVAL, TRY_NONE };
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const struct answer a = ask(argv[i], argv[i + 1]);

        (void)printf("%d %d\n", a.error, (int)a.call);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
