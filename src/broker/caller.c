/* caller.c - reading the task that waits in a trapped call.
 *
 * Nothing here decides, and nothing read here may be read twice: the caller's
 * other threads change its memory, its working directory and its descriptors
 * at will.  The task cannot be another one as long as its notification is
 * valid, hence caller_waits after the reading (seccomp_unotify(2)).
 *
 * Access is that of ptrace(2): same ids, dumpable, this Landlock domain or
 * one below.  A caller that made itself unreadable is refused with EACCES. */
#include "broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "base/compat.h"

/* pidfd_open(2), Linux 6.9: a thread rather than its process. */
#define MXC_PIDFD_THREAD O_EXCL

/* To the caller, "not permitted to read you" is a refused access. */
static int refusal(int err)
{
    return err == EPERM ? -EACCES : -err;
}

bool caller_waits(const struct caller *c)
{
    uint64_t id = c->id;

    return notif_ioctl(c->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static ssize_t read_memory(const struct caller *c, uint64_t addr, void *out,
                           size_t len)
{
    struct iovec here = { .iov_base = out, .iov_len = len };
    /* An address of the caller's, never followed here. */
    struct iovec there = { .iov_base = (void *)(uintptr_t)addr,
                           .iov_len = len };
    ssize_t n = process_vm_readv(c->tid, &here, 1, &there, 1, 0);

    return n < 0 ? refusal(errno) : n;
}

int caller_path(const struct caller *c, uint64_t addr, char out[PATH_MAX])
{
    const size_t page = 4096;
    size_t have = 0;

    /* Page by page: the string may end just before an unmapped page, and
     * process_vm_readv fails for an iovec whose first byte is missing. */
    while (have < PATH_MAX) {
        size_t want = page - (size_t)((addr + have) % page);
        ssize_t n;

        if (want > PATH_MAX - have)
            want = PATH_MAX - have;
        n = read_memory(c, addr + have, out + have, want);
        if (n <= 0)
            return n < 0 ? (int)n : -EFAULT;
        if (memchr(out + have, '\0', (size_t)n))
            return 0;
        have += (size_t)n;
    }
    return -ENAMETOOLONG;
}

int caller_sockaddr(const struct caller *c, uint64_t addr, uint64_t len,
                    struct sockaddr_storage *out)
{
    /* The kernel takes an int, whatever stands in the upper half. */
    int want = (int)len;
    ssize_t n;

    memset(out, 0, sizeof(*out));
    if (want < 0 || (size_t)want > sizeof(*out))
        return -EINVAL;
    if (want == 0)
        return 0;
    n = read_memory(c, addr, out, (size_t)want);
    if (n < 0)
        return (int)n;
    return n == want ? want : -EFAULT;
}

static int open_proc(const struct caller *c, const char *what, int flags)
{
    char path[64];
    int fd;

    (void)snprintf(path, sizeof(path), "%d/%s", (int)c->tid, what);
    fd = openat(c->b->proc, path, flags | O_CLOEXEC);
    return fd < 0 ? refusal(errno) : fd;
}

/* The beginning of a file of /proc/TID, as text. */
static int read_proc(const struct caller *c, const char *what, char *out,
                     size_t size)
{
    scoped(drop_fd) int fd = open_proc(c, what, O_RDONLY);
    ssize_t n;

    if (fd < 0)
        return fd;
    n = pread(fd, out, size - 1, 0);
    if (n < 0)
        return -errno;
    out[n] = '\0';
    return 0;
}

/* The digits at s, up to the first other character. */
static int number(const char *s, unsigned base, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t v = 0;
    size_t n;

    for (n = 0; s[n]; n++) {
        const char *d = memchr(digits, s[n], base);

        if (!d)
            break;
        if (v > UINT64_MAX / base - 1)
            return -ERANGE;
        v = v * base + (uint64_t)(d - digits);
    }
    if (n == 0)
        return -EINVAL;
    *out = v;
    return 0;
}

/* The number of a line of /proc/TID/status.  The command's name stands above
 * the others, but the kernel escapes its newlines (proc_pid_status(5)). */
static int status_number(const char *status, const char *key, unsigned base,
                         uint64_t *out)
{
    const char *at = strstr(status, key);

    return at && number(at + strlen(key), base, out) == 0 ? 0 : -EACCES;
}

static int read_status(const struct caller *c, const char *key, unsigned base,
                       uint64_t *out)
{
    char text[2048];
    int r = read_proc(c, "status", text, sizeof(text));

    return r < 0 ? r : status_number(text, key, base, out);
}

pid_t caller_tgid(struct caller *c)
{
    uint64_t v = 0;

    if (c->tgid == 0 && read_status(c, "\nTgid:\t", 10, &v) == 0)
        c->tgid = (pid_t)v;
    return c->tgid;
}

int caller_umask(const struct caller *c, mode_t *out)
{
    uint64_t v = 0;
    int r = read_status(c, "\nUmask:\t", 8, &v);

    if (r == 0)
        *out = (mode_t)(v & 0777);
    return r;
}

bool caller_has_signal(const struct caller *c)
{
    uint64_t own = 0, shared = 0, blocked = 0, caught = 0;
    char text[2048];

    if (read_proc(c, "status", text, sizeof(text)) < 0 ||
        status_number(text, "\nSigPnd:\t", 16, &own) < 0 ||
        status_number(text, "\nShdPnd:\t", 16, &shared) < 0 ||
        status_number(text, "\nSigBlk:\t", 16, &blocked) < 0 ||
        status_number(text, "\nSigCgt:\t", 16, &caught) < 0)
        return false;
    return (own | shared) & ~blocked & caught;
}

void caller_name(const struct caller *c, char out[16])
{
    if (read_proc(c, "comm", out, 16) < 0)
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

int caller_cwd(const struct caller *c)
{
    return open_proc(c, "cwd", O_PATH);
}

int caller_base(const struct caller *c, int dirfd, const char *path)
{
    char what[32];
    int fd;

    if (path[0] == '/')
        return fcntl(c->b->root, F_DUPFD_CLOEXEC, 0);
    if (dirfd == AT_FDCWD)
        return caller_cwd(c);
    if (dirfd < 0)
        return -EBADF;
    (void)snprintf(what, sizeof(what), "fd/%d", dirfd);
    fd = open_proc(c, what, O_PATH);
    return fd == -ENOENT ? -EBADF : fd;
}

static int open_pidfd(struct caller *c)
{
    long fd = syscall(__NR_pidfd_open, c->tid, MXC_PIDFD_THREAD);

    if (fd < 0 && errno == EINVAL)
        /* Before 6.9: the process.  A thread with a descriptor table of its
         * own then gets its leader's descriptor, no more than it may have. */
        fd = syscall(__NR_pidfd_open, caller_tgid(c), 0);
    return fd < 0 ? refusal(errno) : (int)fd;
}

int caller_file(struct caller *c, int fd)
{
    scoped(drop_fd) int pidfd = -1;
    long r;

    if (fd < 0)
        return -EBADF;
    pidfd = open_pidfd(c);
    if (pidfd < 0)
        return pidfd;
    r = syscall(__NR_pidfd_getfd, pidfd, fd, 0);
    return r < 0 ? refusal(errno) : (int)r;
}

/* Field 7 of /proc/TID/stat, after the parenthesised name, in the encoding
 * that proc_pid_stat(5) gives: minor in bits 31-20 and 7-0, major 15-8. */
static int tty_number(const struct caller *c, unsigned *maj, unsigned *min)
{
    char text[512];
    const char *at;
    uint64_t tty = 0;
    int r = read_proc(c, "stat", text, sizeof(text));

    if (r < 0)
        return r;
    at = strrchr(text, ')');
    for (int field = 2; at && field < 7; field++)
        at = strchr(at + 1, ' ');
    if (!at || number(at + 1, 10, &tty) < 0)
        return -ENXIO;
    *maj = (unsigned)(tty >> 8) & 0xfffu;
    *min = (unsigned)(tty & 0xffu) | ((unsigned)(tty >> 12) & 0xfff00u);
    return 0;
}

int caller_tty(const struct caller *c)
{
    /* Documentation/admin-guide/devices.txt: 136-143 are UNIX98 terminals,
     * 256 to each major before devpts took over the minors of 136. */
    enum { PTS_MAJOR = 136, PTS_LAST = 143 };
    unsigned maj = 0, min = 0;
    char path[32];
    int fd, r = tty_number(c, &maj, &min);

    if (r < 0)
        return r;
    if (maj < PTS_MAJOR || maj > PTS_LAST)
        return -ENXIO;
    (void)snprintf(path, sizeof(path), "/dev/pts/%u",
                   (maj - PTS_MAJOR) * 256 + min);
    fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -ENXIO : fd;
}
