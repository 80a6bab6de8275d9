/* crowd.c - see crowd.h. */
#include "launch/crowd.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/scoped.h"
#include "launch/proc_list.h"

enum {
    LOOK_MS = 250, /* from one look to the next */
    RUN_MS = 200,  /* that a crowd is left to itself */
    HALT_MS = 100, /* that it is stopped */
    /* What a processor may have to do without being crowded: no build and no
     * test starts as many at once, and what waits for others is not busy. */
    BUSY_EACH = 64
};

void crowd_begin(struct crowd *c)
{
    cpu_set_t set;
    int processors = 0;

    /* Not sysconf(3), which may look into files. */
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        processors = CPU_COUNT(&set);
    c->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    c->most = (processors > 0 ? (unsigned)processors : 1) * BUSY_EACH;
    c->is_paused = c->is_halted = false;
    c->due_ms = (int64_t)now_ms() + LOOK_MS;
    if (c->proc >= 0 && faccessat(c->proc, "loadavg", R_OK, 0) < 0)
        drop_fd(&c->proc);
}

int crowd_patience(const struct crowd *c)
{
    const int64_t now = (int64_t)now_ms();

    if (c->proc < 0)
        return -1;
    return now >= c->due_ms ? 0 : (int)(c->due_ms - now);
}

/* The number of the last process of the namespace stands at the end
 * (proc_loadavg(5)): before that many were made there was no crowd. */
static bool may_be_one(const struct crowd *c)
{
    char text[128];
    uint64_t last;
    char *at;

    if (!proc_read(c->proc, "loadavg", text, sizeof(text)))
        return false;
    text[strcspn(text, "\n")] = '\0';
    at = strrchr(text, ' ');
    return at && num_u64(at + 1, UINT64_MAX, &last) == 0 && last >= c->most;
}

/* What a shell or a supervisor watches is left alone where it has a terminal:
 * it would take that for a job that the user stopped. */
enum { JOBS = 16 };

/* Does it want a processor, or wait in the kernel for what it wants?  The state
 * stands behind the name, which may be anything; then the parent, the process
 * group, the session and the terminal (proc_pid_stat(5)). */
static bool is_busy(const struct crowd *c, const char *pid, unsigned *jobs)
{
    char path[32], text[512], group[24];
    const char *at, *tty;

    (void)snprintf(path, sizeof(path), "%.15s/stat", pid);
    if (!proc_read(c->proc, path, text, sizeof(text)))
        return false;
    at = strrchr(text, ')');
    if (!at || (strncmp(at, ") R", 3) != 0 && strncmp(at, ") D", 3) != 0))
        return false;
    at = strchr(at + 4, ' ');
    (void)snprintf(group, sizeof(group), " %.15s ", pid);
    if (!at || strncmp(at, group, strlen(group)) != 0 || *jobs == JOBS)
        return true;
    tty = strchr(at + strlen(group), ' ');
    if (!tty || strncmp(tty, " 0 ", 3) == 0)
        return true;
    ++*jobs;
    return false;
}

struct count {
    struct crowd *crowd;
    bool takes; /* the busy ones */
    unsigned found, jobs;
};

static bool count_one(void *context, const char *name)
{
    struct count *n = context;
    struct crowd *c = n->crowd;
    int64_t pid;

    n->found++;
    if (n->takes && c->nbusy < CROWD_MAX && is_busy(c, name, &n->jobs) &&
        num_i64(name, 2, INT_MAX, &pid) == 0)
        c->busy[c->nbusy++] = (pid_t)pid;
    return true;
}

/* How many there are, but for init; with `take`, the busy ones of them. */
static unsigned each_process(struct crowd *c, bool take)
{
    struct count n = { .crowd = c, .takes = take };

    proc_each(c->proc, 2, count_one, &n);
    return n.found;
}

/* Who waits for something else is not disturbed: it would have to wait for a
 * processor to go on waiting. */
static void find_busy(struct crowd *c)
{
    c->nbusy = 0;
    if (may_be_one(c) && each_process(c, false) >= c->most)
        (void)each_process(c, true);
}

/* One of them may be gone, and its number another's: which goes on, too. */
static void tell_busy(const struct crowd *c, int sig)
{
    for (unsigned i = 0; i < c->nbusy; i++)
        (void)kill(c->busy[i], sig);
}

static void let_go_on(struct crowd *c)
{
    if (c->is_halted)
        tell_busy(c, SIGCONT);
    c->is_halted = false;
    c->due_ms = (int64_t)now_ms() + RUN_MS;
}

void crowd_tend(struct crowd *c)
{
    if (c->proc < 0 || (int64_t)now_ms() < c->due_ms)
        return;
    if (c->is_halted) {
        let_go_on(c);
        return;
    }
    if (!c->is_paused)
        find_busy(c);
    c->is_halted = !c->is_paused && c->nbusy >= c->most;
    if (c->is_halted)
        tell_busy(c, SIGSTOP);
    c->due_ms = (int64_t)now_ms() + (c->is_halted ? HALT_MS : LOOK_MS);
}

void crowd_signal(struct crowd *c, int number)
{
    let_go_on(c);
    if (number == SIGSTOP)
        c->is_paused = true;
    if (number == SIGCONT)
        c->is_paused = false;
}

bool crowd_halts(const struct crowd *c, pid_t pid)
{
    for (unsigned i = 0; c->is_halted && i < c->nbusy; i++)
        if (c->busy[i] == pid)
            return true;
    return false;
}
