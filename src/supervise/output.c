/* output.c - see output.h. */
#include "supervise/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervise/lane.h"

enum { OUT = 1, ERR = 2, LANES = 2, FIRST = 10, PIPE_BYTES = 1 << 20 };

struct output {
    int end[LANES]; /* the workload's; -1: it has it, or the other's */
    int input;      /* the same, for reading alone; -1: as it is */
    bool is_one;    /* both are the same file */
    uint64_t most;
    size_t left[LANES]; /* to be taken after its end, at most */
    struct lane lane[LANES];
};

static bool is_same_file(int a, int b)
{
    struct stat x, y;

    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

/* Above the numbers that a child gets its own by. */
static int open_pipe(int *from, int *end, struct err *e)
{
    scoped(drop_fd) int reader = -1;
    scoped(drop_fd) int writer = -1;
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return err_sys(e, "pipe2(2)", errno, "cannot take the output");
    reader = pair[0];
    writer = pair[1];
    *from = fcntl(reader, F_DUPFD_CLOEXEC, FIRST);
    *end = fcntl(writer, F_DUPFD_CLOEXEC, FIRST);
    if (*from < 0 || *end < 0 || fcntl(*from, F_SETFL, O_NONBLOCK) < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot take the output");
    /* Fewer turns for much output; not everybody may have it that large. */
    (void)fcntl(*from, F_SETPIPE_SZ, PIPE_BYTES);
    return 0;
}

/* A terminal can be written to by any of its descriptors.  A socket cannot be
 * opened anew: what is written to it is nobody's output. */
static int open_input(int *out, struct err *e)
{
    const int flags = fcntl(0, F_GETFL);
    scoped(drop_fd) int low = -1;
    off_t at;

    *out = -1;
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
        return 0;
    low = open("/proc/self/fd/0", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (low < 0 && errno == ENXIO)
        return 0;
    if (low >= 0) {
        at = lseek(0, 0, SEEK_CUR);
        if (at > 0)
            (void)lseek(low, at, SEEK_SET);
        *out = fcntl(low, F_DUPFD_CLOEXEC, FIRST);
    }
    if (*out >= 0)
        return 0;
    err_sys(e, "open(2)", errno,
            "standard input can be written to, and would be output that "
            "nobody counts");
    return err_hint(e, "give a pipe or a file that is open for reading alone");
}

int output_create(uint64_t most, struct output **out, struct err *e)
{
    struct output *o = calloc(1, sizeof(*o));

    if (!o)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    *o = (struct output){ .end = { -1, -1 },
                          .input = -1,
                          .is_one = is_same_file(OUT, ERR),
                          .most = most ? most : INT64_MAX,
                          .left = { PIPE_BYTES, PIPE_BYTES } };
    for (int i = 0; i < LANES; i++) {
        o->lane[i].from = o->lane[i].to = -1;
        if (i > 0 && o->is_one)
            continue;
        if (open_pipe(&o->lane[i].from, &o->end[i], e) < 0) {
            output_destroy(o);
            return -1;
        }
        o->lane[i].to = lane_open_output(OUT + i);
    }
    if (open_input(&o->input, e) < 0) {
        output_destroy(o);
        return -1;
    }
    *out = o;
    return 0;
}

int output_end(const struct output *o, int fd)
{
    if (!o)
        return -1;
    if (fd == 0)
        return o->input;
    return o->end[fd == ERR && !o->is_one ? 1 : 0];
}

void output_given(struct output *o)
{
    for (int i = 0; o && i < LANES; i++)
        drop_fd(&o->end[i]);
    if (o)
        drop_fd(&o->input);
}

size_t output_poll(const struct output *o, void *pollfds)
{
    struct pollfd *p = pollfds;

    return lane_poll(&o->lane[0], p) + lane_poll(&o->lane[1], p + 2);
}

/* A reader that is gone is the workload's to notice, as without us. */
static void give_up(struct lane *l)
{
    if (l->from >= 0)
        (void)close(l->from);
    l->from = -1;
    l->start = l->end = 0;
}

/* What is left of it is left for both. */
static void take(struct output *o, struct lane *l)
{
    const int from = l->from;

    if (output_is_full(o))
        return;
    l->is_limited = true;
    l->most = l->taken + (o->most - output_taken(o));
    lane_fill(l);
    if (l->from < 0)
        (void)close(from);
}

void output_serve(struct output *o, const void *pollfds, size_t n)
{
    const struct pollfd *p = pollfds;

    for (size_t i = 0; i < LANES && 2 * i + 1 < n; i++) {
        struct lane *l = &o->lane[i];

        if (p[2 * i].fd >= 0 && p[2 * i].revents)
            take(o, l);
        if (p[2 * i + 1].fd >= 0 && p[2 * i + 1].revents && lane_empty(l) < 0)
            give_up(l);
    }
}

uint64_t output_taken(const struct output *o)
{
    return o->lane[0].taken + o->lane[1].taken;
}

bool output_is_full(const struct output *o)
{
    return o->lane[0].is_full || o->lane[1].is_full;
}

int output_sys(const struct output *o)
{
    return o->lane[0].sys ? o->lane[0].sys : o->lane[1].sys;
}

bool output_is_waiting(const struct output *o)
{
    return o->lane[0].start < o->lane[0].end ||
           o->lane[1].start < o->lane[1].end;
}

/* The pipe's content at most: who writes to it is gone. */
static void take_rest(struct output *o, struct lane *l, size_t *left)
{
    while (l->from >= 0 && l->end < LANE_ROOM) {
        const uint64_t before = l->taken;
        size_t got;

        take(o, l);
        got = (size_t)(l->taken - before);
        *left -= got < *left ? got : *left;
        if (l->from >= 0 && (!got || !*left || output_is_full(o))) {
            (void)close(l->from);
            l->from = -1;
        }
    }
}

bool output_rest(struct output *o)
{
    for (int i = 0; i < LANES; i++)
        take_rest(o, &o->lane[i], &o->left[i]);
    return output_is_waiting(o);
}

void output_destroy(struct output *o)
{
    if (!o)
        return;
    output_given(o);
    for (int i = 0; i < LANES; i++) {
        drop_fd(&o->lane[i].from);
        if (o->lane[i].to > ERR)
            (void)close(o->lane[i].to);
    }
    free(o);
}
