/* in_session.c - what `mxc run` would run, as a command of a session.
 *
 *     in_session NOTES MXC run [OPTION...] [FILE] [-- COMMAND...]
 *
 * Provisions and starts a session with the options of `mxc run`, and becomes
 * `mxc exec`: under the number, with the streams and for the signals that a
 * run would have.  When that has ended, by whatever, the session is removed
 * with all that runs in it, by a process that is there from the start: nothing
 * is forked then.  Until then it holds a lock on the
 * file NOTES.PID.  What has no session is run as it is, and said in the file
 * NOTES.
 *
 * The holder is a child of `mxc exec`, as the workload is one of `mxc run`. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REFUSED = 125 };

/* Whose an option is, and whether a word belongs to it. */
static const struct option {
    const char *name;
    bool of_exec, is_alone, of_run;
} options[] = {
    { "--timeout", .of_exec = true },
    { "-T", .of_exec = true },
    { "--pty", .of_exec = true },
    { "--json", .of_exec = true },
    { "-j", .of_exec = true },
    { "--control", .of_exec = true },
    { "--tty", .of_exec = true, .is_alone = true },
    { "-i", .of_exec = true, .is_alone = true },
    { "--die-with-parent", .of_exec = true, .is_alone = true },
    { "--parent", .of_exec = true },
    { "--tools", .is_alone = true },
    { "-t", .is_alone = true },
    { "--events", .of_run = true },
    { "--correlation-id", .of_run = true },
    { "--denials", .of_run = true, .is_alone = true },
    { "--accesses", .of_run = true, .is_alone = true },
    { "--help", .of_run = true },
    { "-h", .of_run = true },
};

struct list {
    char **word; /* NULL behind the last */
    size_t n;
};

struct text {
    char *data; /* ends with a 0 */
    size_t len;
};

static char *mxc;

static void die(const char *what)
{
    perror(what);
    exit(REFUSED);
}

static struct list list_of(size_t most, char *first, char *second)
{
    struct list l = { .word = calloc(most + 8, sizeof(char *)) };

    if (!l.word)
        die("calloc");
    l.word[l.n++] = first;
    l.word[l.n++] = second;
    return l;
}

static void add(struct list *l, char *word)
{
    l->word[l->n++] = word;
}

static const struct option *option_of(const char *word)
{
    static const struct option other = { .name = "" };
    const size_t len = strcspn(word, "=");

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (strncmp(options[i].name, word, len) == 0 && !options[i].name[len])
            return &options[i];
    return &other;
}

/* Of the words after `run`, up to "--": to whom each goes.  Answers where the
 * command begins, or NULL: it has no session. */
static char **split(char **word, struct list *ours, struct list *theirs)
{
    for (; *word && strcmp(*word, "--") != 0; word++) {
        const struct option *o = option_of(*word);
        struct list *to = o->of_exec ? theirs : ours;

        if (**word != '-' || !(*word)[1] || o->of_run)
            return NULL;
        add(to, *word);
        if (o->is_alone || (strncmp(*word, "--", 2) == 0 && strchr(*word, '=')))
            continue;
        if (!word[1])
            return NULL;
        add(to, *++word);
    }
    return *word && word[1] ? word : NULL;
}

static void become(char **argv)
{
    execv(argv[0], argv);
    die(argv[0]);
}

static void note(const char *path, char **word)
{
    FILE *f = fopen(path, "a");

    if (!f)
        die(path);
    for (; *word && strcmp(*word, "--") != 0; word++)
        fprintf(f, "%s ", *word);
    fputc('\n', f);
    fclose(f);
}

static void redirect(int fd, int to)
{
    if (fd < 0 || dup2(fd, to) < 0)
        die("dup2");
}

static struct text all_of(int fd)
{
    const off_t len = lseek(fd, 0, SEEK_END);
    struct text t = { .data = calloc(1, (size_t)len + 1), .len = (size_t)len };

    if (len < 0 || !t.data || pread(fd, t.data, t.len, 0) != len)
        die("read");
    close(fd);
    return t;
}

/* A call that ends by itself: its exit code, and what it wrote. */
static int phase(char **argv, struct text *out, struct text *err)
{
    const int files[] = { memfd_create("out", MFD_CLOEXEC),
                          memfd_create("err", MFD_CLOEXEC) };
    const pid_t pid = fork();
    int status;

    if (pid == 0) {
        redirect(open("/dev/null", O_RDONLY), 0);
        redirect(files[0], 1);
        redirect(files[1], 2);
        become(argv);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid < 0)
        die("fork");
    *out = all_of(files[0]);
    *err = all_of(files[1]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : REFUSED;
}

static const char *value_of(const struct list *l, const char *name,
                            const char *brief)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->word[i], name) == 0 || strcmp(l->word[i], brief) == 0)
            return l->word[i + 1];
    return NULL;
}

/* The envelope of a phase, as the result of a run. */
static void write_result(const char *where, const struct text *said)
{
    char *end;
    const long fd = strtol(where, &end, 10);
    FILE *f = *end ? fopen(where, "w") : fdopen((int)fd, "w");

    if (!f || said->data[0] != '{')
        die(where);
    fprintf(f, "{\"outcome\":\"failed\",\"exitCode\":%d,%s", REFUSED,
            said->data + 1);
    fclose(f);
}

/* As a run says it. */
static void refuse(const struct text *err, const struct list *ours,
                   const struct list *theirs)
{
    const char *json = value_of(theirs, "--json", "-j");
    struct list again = list_of(ours->n + 2, mxc, "provision");
    struct text out, ignored;

    fwrite(err->data, 1, err->len, stderr);
    if (json) {
        add(&again, "--json");
        add(&again, "/dev/stdout");
        for (size_t i = 2; i < ours->n; i++)
            add(&again, ours->word[i]);
        (void)phase(again.word, &out, &ignored);
        write_result(json, &out);
    }
    exit(REFUSED);
}

/* Locked for as long as there is the session of this process. */
static int lock_of(const char *notes)
{
    char path[4096];
    int fd;

    (void)snprintf(path, sizeof(path), "%s.%d", notes, (int)getpid());
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    /* Whatever the umask of the test is. */
    if (fd < 0 || fchmod(fd, 0600) < 0 || flock(fd, LOCK_EX) < 0)
        die(path);
    return fd;
}

static void close_between(int low, int high)
{
    if (low < high && close_range((unsigned)low, (unsigned)high - 1, 0) < 0)
        exit(REFUSED);
}

/* Waits for the process `it`. */
static void remove_after(pid_t it, char *id, int lock)
{
    char *argv[] = { mxc, "deprovision", id, "--grace", "0", NULL };
    const int fd = (int)syscall(SYS_pidfd_open, it, 0);
    struct pollfd p = { .fd = fd, .events = POLLIN };

    if (fd < 0)
        die("pidfd_open");
    /* No signal of the terminal's, and nobody's end of a pipe. */
    (void)setsid();
    for (int n = 0; n < 3; n++)
        redirect(open("/dev/null", O_RDWR), n);
    close_between(3, lock < fd ? lock : fd);
    close_between((lock < fd ? lock : fd) + 1, lock < fd ? fd : lock);
    close_between((lock < fd ? fd : lock) + 1, INT_MAX);
    if (chdir("/") < 0)
        exit(REFUSED);
    while (poll(&p, 1, -1) < 0)
        continue;
    become(argv);
}

/* By a process that is no descendant of this one's, as nothing of a run is. */
static void have_it_removed(char *id, const char *notes)
{
    const int lock = lock_of(notes);
    const pid_t me = getpid(), middle = fork();

    if (middle == 0) {
        if (fork() == 0)
            remove_after(me, id, lock);
        _exit(0);
    }
    if (middle < 0 || waitpid(middle, NULL, 0) < 0)
        die("fork");
    close(lock);
}

int main(int argc, char **argv)
{
    const struct sigaction usual = { .sa_handler = SIG_DFL };
    struct sigaction callers;
    struct list ours, theirs;
    struct text out, err;
    char **command;

    if (argc < 4)
        exit(REFUSED);
    mxc = argv[2];
    ours = list_of((size_t)argc, mxc, "provision");
    theirs = list_of((size_t)argc, mxc, "exec");
    add(&theirs, ""); /* the id */
    command = split(argv + 4, &ours, &theirs);
    if (!command) {
        note(argv[1], argv + 4);
        become(argv + 2);
    }
    /* Who ignores it has no child to wait for. */
    sigaction(SIGCHLD, &usual, &callers);
    if (phase(ours.word, &out, &err) != 0)
        refuse(&err, &ours, &theirs);
    out.data[strcspn(out.data, "\n")] = '\0';
    theirs.word[2] = out.data;
    for (; *command; command++)
        add(&theirs, *command);
    have_it_removed(theirs.word[2], argv[1]);
    /* Orphans come here now, as to their parent. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        die("prctl");
    if (phase((char *[]){ mxc, "start", theirs.word[2], NULL }, &out, &err) !=
        0)
        refuse(&err, &ours, &theirs);
    sigaction(SIGCHLD, &callers, NULL);
    become(theirs.word);
}
