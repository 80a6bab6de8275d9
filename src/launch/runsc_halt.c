/* runsc_halt.c - gVisor stands still, and goes on: see runsc.h.
 *
 * The sentry traces the processes that run the workload's code (ptrace(2)), and
 * reads each stop of one as something that the workload did.  A signal of ours
 * that one of them meets in the middle of that, as when it is being made, ends
 * the sentry.  So those are left alone that are below it: when the sentry
 * stands still, they come to their next call of the kernel and wait for it.
 * Only who computes without one would go on, and is sent the signal alone,
 * which the sentry passes over; but never SIGCONT. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "base/scoped.h"
#include "launch/proc_list.h"
#include "launch/runsc.h"

/* A thread stops as soon as it has a processor. */
enum { TRIES = 200, TRY_NS = 1000000 };

struct halt {
    int proc;
    int number;        /* for runsc and its own; 0: they are looked at */
    bool is_still;     /* all threads that were looked at */
    pid_t traced;      /* whose threads are gone through */
    const char *owner; /* and as a name */
};

/* Of whom the sentry makes, which are below it, one may not be traced yet. */
static bool is_ours(int proc, const char *pid)
{
    enum { INIT = 1, DEEPEST = 2 }; /* runsc, and below it gofer and sentry */
    char name[16], path[32], text[512];
    int64_t parent;
    const char *at;

    (void)snprintf(name, sizeof(name), "%.15s", pid);
    for (int i = 0; i < DEEPEST; i++) {
        (void)snprintf(path, sizeof(path), "%.15s/stat", name);
        at = proc_read(proc, path, text, sizeof(text)) ? strrchr(text, ')')
                                                       : NULL;
        /* ") S PARENT " */
        if (!at || strlen(at) < 5)
            return false;
        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(at + 4, " "),
                       at + 4);
        if (num_i64(name, INIT, INT_MAX, &parent) < 0)
            return false;
        if (parent == INIT)
            return true;
    }
    return false;
}

static bool is_traced(int proc, const char *pid)
{
    static const char before[] = "\nTracerPid:\t";
    char path[32], text[2048];
    const char *at;

    (void)snprintf(path, sizeof(path), "%.15s/status", pid);
    at =
        proc_read(proc, path, text, sizeof(text)) ? strstr(text, before) : NULL;
    return at && at[sizeof(before) - 1] != '0';
}

static char state_of_thread(const struct halt *h, const char *tid)
{
    char path[64], text[512];

    (void)snprintf(path, sizeof(path), "%.15s/task/%.15s/stat", h->owner, tid);
    return proc_read(h->proc, path, text, sizeof(text)) ? proc_state(text)
                                                        : 'X';
}

static void each_thread(struct halt *h, const char *pid,
                        bool (*each)(void *context, const char *name))
{
    char path[32];
    scoped(drop_fd) int dir = -1;

    (void)snprintf(path, sizeof(path), "%.15s/task", pid);
    dir = openat(h->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    h->owner = pid;
    if (dir >= 0)
        proc_each(dir, 1, each, h);
}

static bool look_at_thread(void *context, const char *tid)
{
    struct halt *h = context;

    h->is_still = strchr("TtZX", state_of_thread(h, tid)) != NULL;
    return h->is_still;
}

static bool tell_ours(void *context, const char *name)
{
    struct halt *h = context;
    int64_t pid;

    if (!is_ours(h->proc, name) || is_traced(h->proc, name))
        return true;
    if (h->number && num_i64(name, 2, INT_MAX, &pid) == 0)
        (void)kill((pid_t)pid, h->number);
    if (!h->number)
        each_thread(h, name, look_at_thread);
    return h->is_still;
}

static bool stop_thread(void *context, const char *tid)
{
    struct halt *h = context;
    int64_t number;

    if (state_of_thread(h, tid) == 'R' &&
        num_i64(tid, 2, INT_MAX, &number) == 0)
        (void)syscall(SYS_tgkill, h->traced, (pid_t)number, SIGSTOP);
    return true;
}

static bool stop_traced(void *context, const char *name)
{
    struct halt *h = context;
    int64_t pid;

    if (num_i64(name, 2, INT_MAX, &pid) < 0 || !is_traced(h->proc, name))
        return true;
    h->traced = (pid_t)pid;
    each_thread(h, name, stop_thread);
    return true;
}

/* Until who traces stands still: a process that it was making is one of those
 * that wait for it then. */
static bool await_still(struct halt *h)
{
    static const struct timespec pause = { .tv_nsec = TRY_NS };

    h->number = 0;
    for (int i = 0; i < TRIES; i++) {
        (void)nanosleep(&pause, NULL);
        h->is_still = true;
        proc_each(h->proc, 2, tell_ours, h);
        if (h->is_still)
            return true;
    }
    return false;
}

void runsc_halt(bool halt)
{
    scoped(drop_fd) int proc =
        open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct halt h = { .proc = proc,
                      .number = halt ? SIGSTOP : SIGCONT,
                      .is_still = true };

    if (proc < 0)
        return;
    proc_each(proc, 2, tell_ours, &h);
    if (halt && await_still(&h))
        proc_each(proc, 2, stop_traced, &h);
}
