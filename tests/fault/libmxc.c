/* libmxc.c - uses libmxc again and again, and lets the N-th of each call that
 * it makes to libc fail, in its child before the exec too:
 *
 *   libmxc LIBEXEC [STATUS]
 *
 * Linked with libmxc.a and --wrap of every call below.  STATUS stands for
 * /proc/1/status.  After each round nothing may be left: no descriptor, no
 * memory, no child.  Prints a line for each call: how often it failed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mxc/mxc.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *failing = "";
static long count, nth, hits, live;
static const char *libexec, *status_file, *round_name;

static int fails(const char *name)
{
    if (strcmp(name, failing) != 0 || ++count != nth)
        return 0;
    hits++;
    return 1;
}

#define WRAP(result, name, bad, error, params, args)                           \
    result __real_##name params;                                               \
    result __wrap_##name params;                                               \
    result __wrap_##name params                                                \
    {                                                                          \
        if (fails(#name)) {                                                    \
            errno = error;                                                     \
            return bad;                                                        \
        }                                                                      \
        return __real_##name args;                                             \
    }

WRAP(int, pipe2, -1, EMFILE, (int *p, int f), (p, f))
WRAP(int, socketpair, -1, EMFILE, (int d, int t, int p, int *v), (d, t, p, v))
WRAP(int, memfd_create, -1, EMFILE, (const char *n, unsigned f), (n, f))
WRAP(ssize_t, write, -1, EIO, (int f, const void *b, size_t n), (f, b, n))
WRAP(ssize_t, read, -1, EIO, (int f, void *b, size_t n), (f, b, n))
WRAP(ssize_t, getrandom, -1, EIO, (void *b, size_t n, unsigned f), (b, n, f))
WRAP(int, setsid, -1, EPERM, (void), ())
WRAP(int, dup2, -1, EBUSY, (int a, int b), (a, b))
WRAP(int, poll, -1, ENOMEM, (void *p, unsigned long n, int t), (p, n, t))
WRAP(int, execve, -1, EACCES, (const char *p, char *const *a, char *const *e),
     (p, a, e))
WRAP(void *, mmap64, (void *)-1, ENOMEM,
     (void *a, size_t n, int p, int f, int d, long o), (a, n, p, f, d, o))
WRAP(int, fstat64, -1, EIO, (int f, void *s), (f, s))
WRAP(ssize_t, __pread64_chk, -1, EIO,
     (int f, void *b, size_t n, long o, size_t r), (f, b, n, o, r))
WRAP(ssize_t, send, -1, EAGAIN, (int f, const void *b, size_t n, int g),
     (f, b, n, g))
WRAP(int, faccessat, -1, EACCES, (int d, const char *p, int m, int f),
     (d, p, m, f))
WRAP(int, sigaction, -1, EINVAL, (int s, const void *a, void *b), (s, a, b))
WRAP(int, getrlimit64, -1, EPERM, (int r, void *l), (r, l))
WRAP(ssize_t, readlink, -1, EIO, (const char *p, char *b, size_t n), (p, b, n))

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    if (fails("open64")) {
        errno = EMFILE;
        return -1;
    }
    if (status_file && strcmp(path, "/proc/1/status") == 0)
        path = status_file;
    return __real_open64(path, flags, 0);
}

int __real_fcntl64(int fd, int cmd, ...);
int __wrap_fcntl64(int fd, int cmd, ...);
int __wrap_fcntl64(int fd, int cmd, ...)
{
    va_list ap;
    long arg;

    va_start(ap, cmd);
    arg = va_arg(ap, long);
    va_end(ap);
    if (fails("fcntl64")) {
        errno = EMFILE;
        return -1;
    }
    return __real_fcntl64(fd, cmd, arg);
}

long __real_syscall(long n, ...);
long __wrap_syscall(long n, ...);
long __wrap_syscall(long n, ...)
{
    va_list ap;
    long a[6];

    va_start(ap, n);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    if (fails("syscall")) {
        errno = EMFILE;
        return -1;
    }
    return __real_syscall(n, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int __real_clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
int __wrap_clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
int __wrap_clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
    va_list ap;
    void *pidfd = NULL;

    va_start(ap, arg);
    if (flags & CLONE_PIDFD)
        pidfd = va_arg(ap, void *);
    va_end(ap);
    if (fails("clone")) {
        errno = EAGAIN;
        return -1;
    }
    return __real_clone(fn, stack, flags, arg, pidfd);
}

/* --- memory ----------------------------------------------------------------
 */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static void *got(void *p)
{
    live += p != NULL;
    return p;
}

void *__wrap_malloc(size_t n)
{
    return fails("malloc") ? NULL : got(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails("calloc") ? NULL : got(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
    if (fails("realloc"))
        return NULL;
    return p ? __real_realloc(p, n) : got(__real_realloc(p, n));
}

void __wrap_free(void *p)
{
    live -= p != NULL;
    __real_free(p);
}

/* --- rounds ------------------------------------------------------------------
 */

static void bad(const char *what, const char *more)
{
    printf("not ok: %s %ld of %s: %s (%s)\n", round_name, nth, failing, what,
           more);
    fflush(stdout);
    exit(1);
}

static void check_error(int r, const struct mxc_error *e)
{
    if (r < 0 && (e->code < 1 || e->code > 12 || !e->message[0]))
        bad("an error without a word", e->message);
}

static const char request[] =
    "{\"version\":\"1.1.0+c1\",\"process\":{\"commandLine\":\"cat; exit 3\"},"
    "\"filesystem\":{\"readonlyPaths\":[\"/usr/share\"]}}";

static void round_run(void)
{
    struct mxc_options o = MXC_OPTIONS_INIT;
    struct mxc_result r = MXC_RESULT_INIT;
    struct mxc_error e = MXC_ERROR_INIT;
    int ret;

    o.libexec = libexec;
    o.input = "text";
    o.input_len = 4;
    ret = mxc_run(request, strlen(request), &o, &r, &e);
    check_error(ret, &e);
    /* A view that lacks something, as a link of the host, says so. */
    if (ret == 0 && r.status.how != MXC_NEVER_BEGAN &&
        (r.status.how != MXC_EXITED || r.status.exit_code != 3 ||
         r.out_len != 4 || strcmp(r.out, "text") != 0))
        bad("a wrong result", r.json);
    mxc_result_clear(&r);
}

static void round_spawn(void)
{
    struct mxc_options o = MXC_OPTIONS_INIT;
    struct mxc_status s = { sizeof(s), 0, 0, 0, 0 };
    struct mxc_error e = MXC_ERROR_INIT;
    struct mxc_sandbox *box = NULL;
    int ret;

    o.libexec = libexec;
    o.stdio = MXC_STDIO_PTY;
    o.events = 1;
    ret = mxc_spawn(request, strlen(request), &o, &box, &e);
    check_error(ret, &e);
    if (ret < 0) {
        if (box)
            bad("an output was touched", e.message);
        return;
    }
    check_error(mxc_sandbox_resize(box, 10, 20, &e), &e);
    check_error(mxc_sandbox_signal(box, SIGUSR1, &e), &e);
    check_error(mxc_sandbox_kill(box, &e), &e);
    ret = mxc_sandbox_wait(box, -1, &s, &e);
    check_error(ret, &e);
    if (ret == 0 && s.how != MXC_KILLED && s.how != MXC_SIGNALED)
        bad("a wrong end", mxc_sandbox_result_json(box));
    mxc_sandbox_destroy(box);
}

static void round_look(void)
{
    struct mxc_error e = MXC_ERROR_INIT;
    char *text = NULL;

    check_error(mxc_validate(request, strlen(request), NULL, &e), &e);
    check_error(mxc_explain(request, strlen(request), NULL, &text, &e), &e);
    mxc_free(text);
    text = NULL;
    check_error(mxc_receipt(request, strlen(request), NULL, &text, &e), &e);
    mxc_free(text);
    mxc_free(mxc_error_json(&e));
}

static int open_fds(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += __real_fcntl64(fd, F_GETFD, 0L) >= 0;
    return n;
}

static void check_clean(int fds)
{
    char text[64];

    snprintf(text, sizeof(text), "%d, were %d; %ld pieces", open_fds(), fds,
             live);
    if (open_fds() != fds)
        bad("descriptors are left", text);
    if (live)
        bad("memory is left", text);
    if (waitpid(-1, NULL, WNOHANG | __WALL) != -1 || errno != ECHILD)
        bad("a child is left", text);
}

static const struct {
    const char *name;
    void (*run)(void);
} rounds[] = { { "run", round_run },
               { "spawn", round_spawn },
               { "look", round_look } };

int main(int argc, char **argv)
{
    static const char *const calls[] = {
        "malloc",        "calloc", "realloc",   "pipe2",     "socketpair",
        "memfd_create",  "write",  "read",      "getrandom", "setsid",
        "dup2",          "poll",   "execve",    "mmap64",    "fstat64",
        "__pread64_chk", "send",   "faccessat", "sigaction", "getrlimit64",
        "readlink",      "open64", "fcntl64",   "syscall",   "clone"
    };
    const int fds = open_fds();

    if (argc < 2)
        return 2;
    libexec = argv[1];
    status_file = argc > 2 ? argv[2] : NULL;
    for (size_t k = 0; k < sizeof(rounds) / sizeof(rounds[0]); k++) {
        round_name = rounds[k].name;
        failing = "";
        rounds[k].run();
        check_clean(fds);
        for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
            long before;

            failing = calls[i];
            nth = 0;
            hits = 0;
            do {
                before = hits;
                count = 0;
                nth++;
                rounds[k].run();
                check_clean(fds);
            } while (hits > before);
            printf("%s %s %ld\n", round_name, failing, hits);
        }
    }
    printf("ok\n");
    return 0;
}
