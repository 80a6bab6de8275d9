/* helper.c - short-lived children for calls that wait.
 *
 * A helper performs one call on a descriptor that was resolved and allowed
 * before, answers, and exits.  It makes no names and decides nothing, so that
 * all decisions stay in one thread.  At most MAX_HELPERS at once; beyond, the
 * caller gets EAGAIN. */
#include "broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compat.h"

/* waitid(2), Linux 5.4; not in every libc's headers. */
#define MXC_P_PIDFD 3

/* How often a waiting helper looks whether its caller still waits. */
enum { LOOK_US = 200000 };

/* For one that was killed to be gone: it may wait in the kernel. */
enum { ENDING_MS = 50 };

void helpers_init(struct broker *b)
{
    for (size_t i = 0; i < MAX_HELPERS; i++)
        b->helper[i].pidfd = -1;
}

static bool has_ended(int pidfd)
{
    struct pollfd p = { .fd = pidfd, .events = POLLIN };

    return poll(&p, 1, 0) != 0;
}

static void reap(struct helper *h)
{
    siginfo_t info;

    /* The process around may have been faster: then there is no child. */
    (void)waitid((idtype_t)MXC_P_PIDFD, (id_t)h->pidfd, &info,
                 WEXITED | WNOHANG);
    drop_fd(&h->pidfd);
}

void helpers_tend(struct broker *b)
{
    for (size_t i = 0; i < MAX_HELPERS; i++) {
        struct helper *h = &b->helper[i];
        struct caller c = { .b = b, .listener = h->listener, .id = h->id };

        if (h->pidfd < 0)
            continue;
        if (has_ended(h->pidfd)) {
            /* Killed before it could answer?  If it did, this is void. */
            answer(h->listener, h->id, -EINTR);
            reap(h);
        } else if (!caller_waits(&c)) {
            (void)syscall(SYS_pidfd_send_signal, h->pidfd, SIGKILL, NULL, 0);
        }
    }
}

static void end_helper(struct helper *h)
{
    siginfo_t info;

    if (h->pidfd < 0)
        return;
    (void)syscall(SYS_pidfd_send_signal, h->pidfd, SIGKILL, NULL, 0);
    (void)waitid((idtype_t)MXC_P_PIDFD, (id_t)h->pidfd, &info, WEXITED);
    drop_fd(&h->pidfd);
}

void helpers_fini(struct broker *b)
{
    for (size_t i = 0; i < MAX_HELPERS; i++)
        end_helper(&b->helper[i]);
}

void broker_forget(struct broker *b, int listener)
{
    for (size_t i = 0; i < MAX_HELPERS; i++)
        if (b->helper[i].listener == listener)
            end_helper(&b->helper[i]);
    if (b->listener == listener)
        b->listener = -1;
}

static void on_alarm(int sig)
{
    (void)sig;
}

/* A timer whose signal interrupts the wait: no SA_RESTART. */
static void start_looking(void)
{
    struct sigaction sa = { .sa_handler = on_alarm };
    struct itimerval every = {
        .it_interval = { .tv_usec = LOOK_US },
        .it_value = { .tv_usec = LOOK_US },
    };
    sigset_t set;

    (void)sigaction(SIGALRM, &sa, NULL);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGALRM);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    (void)setitimer(ITIMER_REAL, &every, NULL);
}

static int run_open(const struct caller *c, const struct job *j)
{
    int flags = j->flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW);
    scoped(drop_fd) int fd = -1;
    char self[32];

    proc_self_fd(j->fd, self);
    fd = open(self, flags | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return answer_fd(c, &fd, j->flags & O_CLOEXEC);
}

static int run_connect(const struct job *j)
{
    const struct sockaddr *sa = (const struct sockaddr *)&j->addr;

    if (connect(j->fd, sa, j->len) == 0)
        return 0;
    /* The attempt that was interrupted went on without us (connect(2)). */
    return errno == EISCONN ? 0 : -errno;
}

static int run(const struct caller *c, const struct job *j)
{
    return j->kind == JOB_OPEN ? run_open(c, j) : run_connect(j);
}

static _Noreturn void help(const struct caller *c, const struct job *j)
{
    int r;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    start_looking();
    do {
        r = run(c, j);
    } while (r == -EINTR && caller_waits(c) && !caller_has_signal(c));
    if (r != ANSWERED)
        answer(c->listener, c->id, r);
    _exit(0);
}

static struct helper *free_helper(struct broker *b)
{
    for (size_t i = 0; i < MAX_HELPERS; i++)
        if (b->helper[i].pidfd < 0)
            return &b->helper[i];
    return NULL;
}

/* Some have answered, and are not gone yet: their callers are on their way
 * again, and may be back here before. */
static struct helper *await_free(struct broker *b)
{
    for (size_t i = 0; i < MAX_HELPERS; i++) {
        struct helper *h = &b->helper[i];
        struct caller c = { .b = b, .listener = h->listener, .id = h->id };
        struct pollfd p = { .fd = h->pidfd, .events = POLLIN };

        if (caller_waits(&c))
            continue;
        (void)syscall(SYS_pidfd_send_signal, h->pidfd, SIGKILL, NULL, 0);
        if (poll(&p, 1, ENDING_MS) <= 0)
            continue;
        reap(h);
        return h;
    }
    return NULL;
}

int helper_start(struct caller *c, const struct job *j)
{
    struct helper *h = free_helper(c->b);
    long fd;
    pid_t pid;

    if (!h)
        h = await_free(c->b);
    if (!h)
        return -EAGAIN;
    pid = fork();
    if (pid < 0)
        return -EAGAIN;
    if (pid == 0)
        help(c, j);
    fd = syscall(__NR_pidfd_open, pid, 0);
    if (fd < 0) {
        /* Without a descriptor it could not be tended. */
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return -EAGAIN;
    }
    *h = (struct helper){ .pidfd = (int)fd,
                          .listener = c->listener,
                          .id = c->id };
    return ANSWERED;
}
