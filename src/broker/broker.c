/* broker.c - takes notifications, has them performed, answers.
 *
 * What each call means is in open.c, create.c and unix.c.  Single-threaded:
 * a decision and the call that it allows are never interleaved with another
 * one. */
#include "broker/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/compat.h"
#include "broker/parts.h"

/* <linux/seccomp.h>, Linux 6.6: wake the other side on this processor. */
#define MXC_NOTIF_SET_FLAGS    SECCOMP_IOW(4, uint64_t)
#define MXC_NOTIF_SYNC_WAKE_UP 1ul

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH AUDIT_ARCH_RISCV64
#else
#error "the broker does not know this architecture"
#endif

/* How many one broker_serve answers before others get their turn. */
enum { SERVE_AT_ONCE = 64 };

/* Where an argument of the *at form comes from: a number of the call's own
 * argument, or one of these. */
enum { CWD = -1, ZERO = -2, CREATING = -3 };
enum { MAX_ARGS = 5 };

struct trapped {
    int nr;
    int (*run)(struct caller *c, const uint64_t a[]);
    signed char from[MAX_ARGS];
};

static const struct trapped trapped[] = {
    { __NR_openat, do_open, { 0, 1, 2, 3, ZERO } },
    { __NR_mkdirat, do_mkdir, { 0, 1, 2, ZERO, ZERO } },
    { __NR_mknodat, do_mknod, { 0, 1, 2, 3, ZERO } },
    { __NR_linkat, do_link, { 0, 1, 2, 3, 4 } },
    { __NR_symlinkat, do_symlink, { 0, 1, 2, ZERO, ZERO } },
    { __NR_renameat2, do_rename, { 0, 1, 2, 3, 4 } },
#ifdef __NR_renameat
    { __NR_renameat, do_rename, { 0, 1, 2, 3, ZERO } },
#endif
#ifdef __NR_open
    { __NR_open, do_open, { CWD, 0, 1, 2, ZERO } },
    { __NR_creat, do_open, { CWD, 0, CREATING, 1, ZERO } },
    { __NR_mkdir, do_mkdir, { CWD, 0, 1, ZERO, ZERO } },
    { __NR_mknod, do_mknod, { CWD, 0, 1, 2, ZERO } },
    { __NR_link, do_link, { CWD, 0, CWD, 1, ZERO } },
    { __NR_symlink, do_symlink, { 0, CWD, 1, ZERO, ZERO } },
    { __NR_rename, do_rename, { CWD, 0, CWD, 1, ZERO } },
#endif
    { __NR_bind, do_bind, { 0, 1, 2, ZERO, ZERO } },
    { __NR_connect, do_connect, { 0, 1, 2, ZERO, ZERO } },
};

static int allocate(struct broker *b, struct err *e)
{
    struct seccomp_notif_sizes s;

    /* A newer kernel's structures may be longer than ours
     * (seccomp(2), SECCOMP_GET_NOTIF_SIZES). */
    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &s) < 0) {
        err_sys(e, "seccomp(2)", errno,
                "this kernel has no system-call notifications");
        return err_hint(e, "Linux 5.14 or later is needed for this policy");
    }
    b->request_size = s.seccomp_notif;
    if (b->request_size < sizeof(struct seccomp_notif))
        b->request_size = sizeof(struct seccomp_notif);
    b->request = calloc(1, b->request_size);
    if (!b->request)
        return err_sys(e, "malloc(3)", ENOMEM, "cannot start the broker");
    return 0;
}

static int open_dirs(struct broker *b, struct err *e)
{
    b->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (b->root < 0)
        return err_sys(e, "open(2)", errno, "cannot open '/'");
    b->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (b->proc < 0)
        return err_sys(e, "open(2)", errno, "cannot open '/proc'");
    return 0;
}

int broker_create(const struct broker_config *c, struct broker **out,
                  struct err *e)
{
    struct broker *b = calloc(1, sizeof(*b));

    if (!b)
        return err_sys(e, "malloc(3)", ENOMEM, "cannot start the broker");
    b->creates = c->creates;
    b->unix_sockets = c->unix_sockets;
    b->root = b->proc = b->diag = b->listener = -1;
    helpers_init(b);
    if (allocate(b, e) < 0 || open_dirs(b, e) < 0 || absent_init(b, c, e) < 0 ||
        sockets_init(b, c, e) < 0 || report_init(b, c, e) < 0) {
        broker_destroy(b);
        return -1;
    }
    *out = b;
    return 0;
}

void broker_destroy(struct broker *b)
{
    if (!b)
        return;
    report_fini(b);
    helpers_fini(b);
    absent_fini(b);
    sockets_fini(b);
    drop_fd(&b->root);
    drop_fd(&b->proc);
    free(b->request);
    free(b);
}

static void send_answer(int listener, uint64_t id, int error, int64_t value,
                        uint32_t flags)
{
    /* The kernel reads its own size; what it may add after our fields must
     * be zero. */
    struct {
        struct seccomp_notif_resp r;
        char more[64];
    } a = { .r = { .id = id, .error = error, .val = value, .flags = flags } };

    /* ENOENT: the caller is gone, and needs no answer. */
    (void)notif_ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &a);
}

void answer(int listener, uint64_t id, int error)
{
    send_answer(listener, id, error, 0, 0);
}

int answer_fd(const struct caller *c, int *fd, bool cloexec)
{
    struct seccomp_notif_addfd a = {
        .id = c->id,
        .srcfd = (uint32_t)*fd,
        .newfd_flags = cloexec ? O_CLOEXEC : 0,
    };
    long given = notif_ioctl(c->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a);

    if (given < 0)
        return -errno;
    /* Not SECCOMP_ADDFD_FLAG_SEND: the caller could go on while we still hold
     * the file open, and its execve(2) fail with ETXTBSY, or another's
     * flock(2) with EWOULDBLOCK. */
    drop_fd(fd);
    send_answer(c->listener, c->id, 0, given, 0);
    return ANSWERED;
}

static const struct trapped *find(int nr)
{
    for (size_t i = 0; i < ARRAY_LEN(trapped); i++)
        if (trapped[i].nr == nr)
            return &trapped[i];
    return NULL;
}

static bool is_served(const struct broker *b, const struct trapped *t)
{
    if (t->run == do_connect)
        return b->unix_sockets;
    return b->creates || (b->unix_sockets && t->run == do_bind);
}

static void at_form(const struct trapped *t, const struct seccomp_data *d,
                    uint64_t a[MAX_ARGS])
{
    for (size_t i = 0; i < MAX_ARGS; i++) {
        switch (t->from[i]) {
        case CWD:
            a[i] = (uint64_t)AT_FDCWD;
            break;
        case ZERO:
            a[i] = 0;
            break;
        case CREATING:
            a[i] = O_CREAT | O_WRONLY | O_TRUNC;
            break;
        default:
            a[i] = d->args[t->from[i]];
        }
    }
}

static const uint64_t *args_of(const struct seccomp_data *d)
{
    return (const uint64_t *)d->args;
}

enum { PERFORM = 2 };

/* What comes here for the report alone.  Only what the filter by itself would
 * let through goes on, and that it knows by numbers which do not change. */
static int pass(struct caller *c, const struct seccomp_data *d)
{
    const uint32_t verdict = report_verdict(c->b, d->nr, args_of(d));
    const int sys = (int)(verdict & SECCOMP_RET_DATA);

    switch (verdict & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
        if (c->tid > 0)
            report_look(c, d->nr, args_of(d));
        send_answer(c->listener, c->id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
        return ANSWERED;
    case SECCOMP_RET_ERRNO:
        if (c->tid > 0)
            report_refused(c, d->nr, sys);
        return -sys;
    case SECCOMP_RET_USER_NOTIF:
        return PERFORM;
    default:
        return -ENOSYS;
    }
}

static int perform(struct broker *b, int listener,
                   const struct seccomp_notif *n)
{
    struct caller c = {
        .b = b, .listener = listener, .id = n->id, .tid = (pid_t)n->pid
    };
    const struct trapped *t = find(n->data.nr);
    uint64_t a[MAX_ARGS];
    int r;

    if (n->data.arch != NATIVE_ARCH)
        return -ENOSYS;
    if (b->report) {
        r = pass(&c, &n->data);
        if (r != PERFORM)
            return r;
    }
    if (!t || !is_served(b, t))
        return -ENOSYS;
    /* Not visible from this pid namespace, so not readable. */
    if (n->pid == 0)
        return -EACCES;
    at_form(t, &n->data, a);
    if (b->report)
        report_begin(&c, n->data.nr, args_of(&n->data));
    r = t->run(&c, a);
    if (b->report)
        report_end(&c, r < 0 ? -r : 0);
    return r;
}

static bool is_ready(int listener, bool *gone)
{
    struct pollfd p = { .fd = listener, .events = POLLIN };

    if (poll(&p, 1, 0) <= 0)
        return false;
    *gone = !(p.revents & POLLIN) && p.revents & (POLLHUP | POLLERR | POLLNVAL);
    return p.revents & POLLIN;
}

static void serve_one(struct broker *b, int listener)
{
    const struct seccomp_notif *n = b->request;
    int r;

    memset(b->request, 0, b->request_size);
    /* Fails with ENOENT when the caller died since poll. */
    if (notif_ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, b->request) < 0)
        return;
    r = perform(b, listener, n);
    if (r != ANSWERED)
        answer(listener, n->id, r);
}

static void adopt(struct broker *b, int listener)
{
    b->listener = listener;
    /* Before 6.6 it is slower, nothing else. */
    (void)syscall(SYS_ioctl, listener, MXC_NOTIF_SET_FLAGS,
                  MXC_NOTIF_SYNC_WAKE_UP);
}

void broker_narrow(struct broker *b, bool is_narrowed)
{
    b->is_narrowed = is_narrowed;
}

static void begin(struct broker *b, int listener)
{
    if (b->listener != listener)
        adopt(b, listener);
    helpers_tend(b);
}

void broker_serve_one(struct broker *b, int listener)
{
    begin(b, listener);
    serve_one(b, listener);
}

int broker_serve(struct broker *b, int listener)
{
    bool gone = false;

    begin(b, listener);
    for (int i = 0; i < SERVE_AT_ONCE && is_ready(listener, &gone); i++)
        serve_one(b, listener);
    return gone ? -1 : 0;
}
