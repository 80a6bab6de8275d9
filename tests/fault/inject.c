/* inject.c - runs a command and lets one system call of one of mxc's programs
 * fail, or kills the program there:
 *
 *   inject REPORT UNTIL PROGRAM NUMBER NTH ERRNO COMMAND [ARG]...
 *
 * PROGRAM is the name of what was executed last (proc_pid_comm(5)), so that a
 * child counts with its parent until it executes something.  ERRNO 0 kills.
 * Without a PROGRAM ("-") nothing fails and the report is the list of calls.
 *
 * So much for failures.  A wall that is missing without a word is another
 * matter: NUMBER may be "NUMBER:FIRST", calls with that first argument alone;
 * NTH 0 is each of them; and in place of an ERRNO may stand what becomes of the
 * call: "skip" (it is not made, and returns 0), "arg0&~MASK" or "arg2&~MASK"
 * (bits are taken out of its first or third argument), "mem3&~MASK" (out of
 * what its fourth points to, or "mem0" its first, of that the third word),
 * "filter" (seccomp(2): its program becomes one
 * that refuses four calls and no other), "hang" (it never returns).
 *
 * Looks no further than the program UNTIL, the workload or what has a tracer
 * of its own, and leaves that alone.
 * Ends when all others have, with the command's status. */
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
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
    int is_skipped;
    int is_hanging;
    unsigned long long rdi;
};

enum { MAX = 512 };
static struct tracee all[MAX];
static FILE *report;
static const char *program, *until;
static long number, first = -1, nth, error, count;
static const char *instead; /* of an error; NULL: none */
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
    t->failing = t->is_skipped = 0;
}

static void change_call(struct tracee *t, unsigned long mask)
{
    struct user_regs_struct r;
    unsigned long at;
    long word;

    ptrace(PTRACE_GETREGS, t->pid, 0, &r);
    if (strncmp(instead, "arg", 3) == 0) {
        *(instead[3] == '0' ? &r.rdi : &r.rdx) &= ~mask;
        ptrace(PTRACE_SETREGS, t->pid, 0, &r);
        return;
    }
    at = instead[3] == '0' ? r.rdi + 2 * sizeof(long) : r.r10;
    word = ptrace(PTRACE_PEEKDATA, t->pid, at, 0);
    ptrace(PTRACE_POKEDATA, t->pid, at, word & (long)~mask);
}

/* Far below its stack, where the tracee has nothing yet. */
static void change_filter(struct tracee *t)
{
    const struct sock_filter four[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 437 /* openat2 */, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setns, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_keyctl, 2, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    struct user_regs_struct r;
    unsigned long words[sizeof(four) / sizeof(long)], at;

    ptrace(PTRACE_GETREGS, t->pid, 0, &r);
    at = (r.rsp - 16384) & ~15ul;
    memcpy(words, four, sizeof(words));
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        ptrace(PTRACE_POKEDATA, t->pid, at + i * sizeof(long), words[i]);
    /* struct sock_fprog */
    ptrace(PTRACE_POKEDATA, t->pid, r.rdx, sizeof(four) / sizeof(*four));
    ptrace(PTRACE_POKEDATA, t->pid, r.rdx + sizeof(long), at);
}

static void go_without(struct tracee *t)
{
    if (strcmp(instead, "hang") == 0) {
        t->is_hanging = 1;
    } else if (strcmp(instead, "filter") == 0) {
        change_filter(t);
    } else if (strcmp(instead, "skip") == 0) {
        t->is_skipped = 1;
        skip_call(t);
    } else {
        change_call(t, strtoul(strchr(instead, '~') + 1, NULL, 0));
    }
}

static void on_entry(struct tracee *t, const struct info *i)
{
    const long nr = (long)i->nr;

    if (workload_runs)
        return;
    if (*program == '-') {
        fprintf(report, "%s %ld\n", t->name, nr);
        return;
    }
    if (nr != number || strcmp(t->name, program) != 0 ||
        (first >= 0 && (long)i->args[0] != first) || (++count != nth && nth))
        return;
    fprintf(report, "hit\n");
    if (instead) {
        go_without(t);
        return;
    }
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
            on_entry(t, &i);
        else if (i.op == EXIT && (t->failing || t->is_skipped))
            set_result(t);
    }
    if (!t->is_hanging)
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
    pid_t begun, pid;

    if (argc < 8)
        return 2;
    report = fopen(argv[1], "we");
    until = argv[2];
    program = argv[3];
    number = atol(argv[4]);
    nth = atol(argv[5]);
    error = atol(argv[6]);
    if (strchr(argv[4], ':'))
        first = atol(strchr(argv[4], ':') + 1);
    if (strchr("0123456789", argv[6][0]) == NULL)
        instead = argv[6];
    begun = start(argv + 7);
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        struct tracee *t = find(pid);

        if (WIFSTOPPED(status)) {
            on_stop(t, status);
            continue;
        }
        t->pid = 0;
        if (pid == begun)
            result = WIFEXITED(status) ? WEXITSTATUS(status)
                                       : 128 + WTERMSIG(status);
    }
    fclose(report);
    return result;
}
