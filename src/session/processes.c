/* processes.c - what runs in a session, as /proc tells.  See look.h. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "session/look.h"

static const char *field(const char *status, const char *name)
{
    const char *at = strstr(status, name);

    return at ? at + strlen(name) : "";
}

/* "NSpid:\t1234\t17": the last of them is that of the innermost namespace. */
static pid_t last_number(const char *line)
{
    char text[32];
    int64_t number = 0;
    size_t end = strcspn(line, "\n"), from = end;

    while (from > 0 && line[from - 1] >= '0' && line[from - 1] <= '9')
        from--;
    if (end - from >= sizeof(text))
        return 0;
    memcpy(text, line + from, end - from);
    text[end - from] = '\0';
    return num_i64(text, 0, INT_MAX, &number) == 0 ? (pid_t)number : 0;
}

static bool read_process(int proc, const char *pid, struct session_process *out)
{
    char path[64], text[4096];
    scoped(drop_fd) int fd = -1;
    size_t n;
    ssize_t got;

    (void)snprintf(path, sizeof(path), "%.20s/status", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (got <= 0)
        return false;
    text[got] = '\0';
    *out =
        (struct session_process){ .pid = last_number(pid),
                                  .parent = last_number(field(text, "\nPPid:")),
                                  .inside =
                                      last_number(field(text, "\nNSpid:")),
                                  .state = *(field(text, "\nState:\t")) };
    n = strcspn(field(text, "Name:\t"), "\n");
    if (n >= sizeof(out->name))
        n = sizeof(out->name) - 1;
    memcpy(out->name, field(text, "Name:\t"), n);
    return true;
}

static int by_pid(const void *a, const void *b)
{
    const struct session_process *x = a, *y = b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* In the order of their pids. */
static size_t read_processes(struct session_process *p)
{
    DIR *d = opendir("/proc");
    size_t n = 0;

    if (!d)
        return 0;
    for (struct dirent *i = readdir(d); i && n < SESSION_PROCESSES;
         i = readdir(d))
        if (isdigit((unsigned char)i->d_name[0]) &&
            read_process(dirfd(d), i->d_name, &p[n]))
            n++;
    (void)closedir(d);
    qsort(p, n, sizeof(*p), by_pid);
    return n;
}

static bool is_marked(const struct session_process *p, size_t n, pid_t pid)
{
    const struct session_process key = { .pid = pid };
    const struct session_process *found =
        bsearch(&key, p, n, sizeof(*p), by_pid);

    return found && found->is_ours;
}

/* Those below one of them. */
static void mark_below(struct session_process *p, size_t n, pid_t top)
{
    bool found = true;

    for (size_t i = 0; i < n; i++)
        p[i].is_ours = false;
    while (found) {
        found = false;
        for (size_t i = 0; i < n; i++) {
            if (p[i].is_ours ||
                (p[i].parent != top && !is_marked(p, n, p[i].parent)))
                continue;
            p[i].is_ours = found = true;
        }
    }
}

/* A runtime may stand between the holder and its init. */
static pid_t find_init(struct session_process *p, size_t n, pid_t holder)
{
    pid_t init = 0;

    mark_below(p, n, holder);
    for (size_t i = 0; i < n; i++)
        if (p[i].is_ours && p[i].inside == 1 &&
            strcmp(p[i].name, "mxc-init") == 0)
            init = p[i].pid;
    return init;
}

pid_t session_init(pid_t holder, struct session_process *p)
{
    return find_init(p, read_processes(p), holder);
}

size_t session_processes(pid_t holder, struct session_process *p)
{
    const size_t n = read_processes(p);
    const pid_t init = find_init(p, n, holder);
    size_t kept = 0;

    /* Who loses its parent inside gets init for one. */
    mark_below(p, n, init ? init : -1);
    for (size_t i = 0; i < n; i++)
        if (p[i].is_ours)
            p[kept++] = p[i];
    return kept;
}

void session_processes_member(const struct session_process *p, size_t n,
                              struct buf *b)
{
    buf_puts(b, ",\"processes\":[");
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "%s{\"pid\":%d,\"hostPid\":%d,\"state\":\"%c\",\"name\":",
                   i ? "," : "", (int)p[i].inside, (int)p[i].pid, p[i].state);
        buf_json(b, p[i].name);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}
