/* inject.c - runs a command and lets one system call of one of mxc's programs
 * fail, or kills the program there:
 *
 *   inject REPORT UNTIL PROGRAM NUMBER NTH ERRNO COMMAND [ARG]...
 *
 * PROGRAM is the name of what was executed last (proc_pid_comm(5)), so that a
 * child counts with its parent until it executes something.  ERRNO 0 kills.
 * Without a PROGRAM ("-") nothing fails and the report is the list of calls.
 * Looks no further than the program UNTIL, the workload or what has a tracer
 * of its own, and leaves that alone.
 * Ends when all others have, with the command's status. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* <linux/ptrace.h>, which does not go together with <sys/ptrace.h>. */
enum { GET_SYSCALL_INFO = 0x420e, ENTRY = 1, EXIT = 2, STOPPED = 128 };
struct info {
    unsigned char op, pad[3];
    unsigned arch;
    unsigned long long ip, sp, nr, args[6];
};

struct tracee {
    pid_t pid;
    char name[32]; /* "": its parent has not told yet */
    int is_waiting;
    int failing; /* the call that it is in shall return this */
    unsigned long long rdi;
};

enum { MAX = 512 };
static struct tracee all[MAX];
static FILE *report;
static const char *program, *until;
static long number, nth, error, count;
static int workload_runs;

static struct tracee *find(pid_t pid)
{
    struct tracee *empty = NULL;

    for (int i = 0; i < MAX; i++) {
        if (all[i].pid == pid)
            return &all[i];
        if (!all[i].pid && !empty)
            empty = &all[i];
    }
    if (!empty)
        exit(120);
    *empty = (struct tracee){ .pid = pid };
    return empty;
}

static void go_on(struct tracee *t, int sig)
{
    (void)ptrace(PTRACE_SYSCALL, t->pid, 0, sig);
}

static void read_name(struct tracee *t)
{
    char path[64];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/comm", t->pid);
    f = fopen(path, "r");
    if (!f || !fgets(t->name, sizeof(t->name), f))
        memcpy(t->name, "?", 2);
    if (f)
        fclose(f);
    t->name[strcspn(t->name, "\n")] = '\0';
}

/* Another call in its place, which every filter of mxc's allows and which does
 * nothing: without a call, a filter would see the number -1 and kill. */
static void skip_call(struct tracee *t)
{
    struct user_regs_struct r;

    ptrace(PTRACE_GETREGS, t->pid, 0, &r);
    t->rdi = r.rdi;
    r.orig_rax = SYS_clock_gettime;
    r.rdi = INT_MAX; /* no such clock */
    ptrace(PTRACE_SETREGS, t->pid, 0, &r);
}

static void set_result(struct tracee *t)
{
    struct user_regs_struct r;

    ptrace(PTRACE_GETREGS, t->pid, 0, &r);
    r.rax = -t->failing;
    r.rdi = t->rdi;
    ptrace(PTRACE_SETREGS, t->pid, 0, &r);
    t->failing = 0;
}

static void on_entry(struct tracee *t, long nr)
{
    if (workload_runs)
        return;
    if (*program == '-') {
        fprintf(report, "%s %ld\n", t->name, nr);
        return;
    }
    if (nr != number || strcmp(t->name, program) != 0 || ++count != nth)
        return;
    fprintf(report, "hit\n");
    if (!error) {
        kill(t->pid, SIGKILL);
        return;
    }
    t->failing = (int)error;
    skip_call(t);
}

static void on_call(struct tracee *t)
{
    struct info i = { 0 };

    if (ptrace(GET_SYSCALL_INFO, t->pid, sizeof(i), &i) > 0) {
        if (i.op == ENTRY)
            on_entry(t, (long)i.nr);
        else if (i.op == EXIT && t->failing)
            set_result(t);
    }
    go_on(t, 0);
}

static void on_exec(struct tracee *t)
{
    read_name(t);
    if (strcmp(t->name, until) != 0) {
        go_on(t, 0);
        return;
    }
    workload_runs = 1;
    ptrace(PTRACE_DETACH, t->pid, 0, 0);
    t->pid = 0;
}

static void on_child(struct tracee *t)
{
    unsigned long pid = 0;
    struct tracee *child;

    ptrace(PTRACE_GETEVENTMSG, t->pid, 0, &pid);
    child = find((pid_t)pid);
    memcpy(child->name, t->name, sizeof(child->name));
    if (child->is_waiting)
        go_on(child, 0);
    child->is_waiting = 0;
    go_on(t, 0);
}

static void on_stop(struct tracee *t, int status)
{
    int sig = WSTOPSIG(status);

    switch (status >> 16) {
    case 0:
        if (sig == (SIGTRAP | 0x80))
            on_call(t);
        else
            go_on(t, sig);
        return;
    case PTRACE_EVENT_EXEC:
        on_exec(t);
        return;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        on_child(t);
        return;
    case STOPPED: /* a new one, or job control */
        if (!t->name[0])
            t->is_waiting = 1;
        else if (sig == SIGTRAP)
            go_on(t, 0);
        else
            ptrace(PTRACE_LISTEN, t->pid, 0, 0);
        return;
    default:
        go_on(t, 0);
    }
}

static pid_t start(char **argv)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
                         PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                         PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    int ready[2];
    char word;
    pid_t pid;

    if (pipe(ready) < 0 || (pid = fork()) < 0)
        exit(121);
    if (pid == 0) {
        close(ready[1]);
        (void)!read(ready[0], &word, 1);
        close(ready[0]);
        execv(argv[0], argv);
        _exit(127);
    }
    if (ptrace(PTRACE_SEIZE, pid, 0, options) < 0)
        exit(122);
    memcpy(find(pid)->name, "start", 6);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

int main(int argc, char **argv)
{
    int status, result = 123;
    pid_t first, pid;

    if (argc < 8)
        return 2;
    report = fopen(argv[1], "we");
    until = argv[2];
    program = argv[3];
    number = atol(argv[4]);
    nth = atol(argv[5]);
    error = atol(argv[6]);
    first = start(argv + 7);
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        struct tracee *t = find(pid);

        if (WIFSTOPPED(status)) {
            on_stop(t, status);
            continue;
        }
        t->pid = 0;
        if (pid == first)
            result = WIFEXITED(status) ? WEXITSTATUS(status)
                                       : 128 + WTERMSIG(status);
    }
    fclose(report);
    return result;
}
