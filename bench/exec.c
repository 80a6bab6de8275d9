/* exec.c - a command by itself, and the same by libmxc: in a session, and in a
 * sandbox of a warm pool.
 *
 *     bench_exec SESSION POOL ROUNDS CMD...
 *
 * One after the other, taking turns; from the call to the known end.  POOL may
 * be `-`: none.  Prints a line for each: p50 and p99 in microseconds. */
#include <errno.h>
#include <fcntl.h>
#include <mxc/mxc.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"

static _Noreturn void give_up(const char *what, const char *why)
{
    fprintf(stderr, "bench_exec: %s: %s\n", what, why);
    exit(1);
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double by_itself(char **argv, int null)
{
    const double start = now_us();
    posix_spawn_file_actions_t quiet;
    int status = 0, r;
    pid_t pid;

    posix_spawn_file_actions_init(&quiet);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_adddup2(&quiet, null, fd);
    r = posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&quiet);
    if (r != 0)
        give_up(argv[0], strerror(r));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (status)
        give_up(argv[0], "did not end with status 0");
    return now_us() - start;
}

struct ways {
    struct mxc_session *session;
    struct mxc_pool *pool; /* NULL: none */
    int null;
};

static double by_library(const struct ways *w, bool in_pool, char **argv)
{
    const double start = now_us();
    struct mxc_options options = MXC_OPTIONS_INIT;
    struct mxc_command command = MXC_COMMAND_INIT;
    struct mxc_status status = { sizeof(status), 0, 0, 0, 0 };
    struct mxc_error error = MXC_ERROR_INIT;
    struct mxc_sandbox *sandbox;
    int r;

    command.argv = (const char *const *)argv;
    options.stdio = MXC_STDIO_FDS;
    options.stdin_fd = options.stdout_fd = options.stderr_fd = w->null;
    r = in_pool
            ? mxc_pool_exec(w->pool, &command, -1, &options, &sandbox, &error)
            : mxc_session_exec(w->session, &command, &options, &sandbox,
                               &error);
    if (r < 0 || mxc_sandbox_wait(sandbox, -1, &status, &error) < 0)
        give_up(argv[0], error.message);
    if (status.exit_code)
        give_up(argv[0], "did not end with status 0 in the sandbox");
    mxc_sandbox_destroy(sandbox);
    return now_us() - start;
}

/* The next sandbox is made meanwhile, and in nobody's way. */
static double claim(const struct ways *w, char **argv)
{
    const struct timespec pause = { 0, 20 * 1000 * 1000 };
    const double took = by_library(w, true, argv);

    (void)nanosleep(&pause, NULL);
    return took;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(double *took, size_t n)
{
    qsort(took, n, sizeof(*took), compare);
    printf("%.1f %.1f\n", took[n / 2], took[n * 99 / 100]);
}

static void open_ways(struct ways *w, const char *session, const char *pool)
{
    struct mxc_error error = MXC_ERROR_INIT;

    w->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (w->null < 0)
        give_up("/dev/null", strerror(errno));
    if (mxc_session_open(session, NULL, &w->session, &error) < 0)
        give_up(session, error.message);
    if (strcmp(pool, "-") != 0 &&
        mxc_pool_open(pool, NULL, &w->pool, &error) < 0)
        give_up(pool, error.message);
}

int main(int argc, char **argv)
{
    enum { WARM = 10, MOST = 1000000, CMD = 4, WAYS = 3 };
    struct ways w = { 0 };
    uint64_t rounds = 0;
    double *took[WAYS];

    if (argc <= CMD || num_u64(argv[3], MOST, &rounds) < 0 || !rounds)
        give_up("usage", "SESSION POOL ROUNDS CMD...");
    open_ways(&w, argv[1], argv[2]);
    argv += CMD;
    for (size_t i = 0; i < WAYS; i++) {
        took[i] = calloc(rounds, sizeof(*took[i]));
        if (!took[i])
            give_up("memory", "not enough");
    }
    for (int i = 0; i < WARM; i++)
        (void)(by_itself(argv, w.null) + by_library(&w, false, argv) +
               (w.pool ? claim(&w, argv) : 0));
    for (size_t i = 0; i < rounds; i++) {
        took[0][i] = by_itself(argv, w.null);
        took[1][i] = by_library(&w, false, argv);
        if (w.pool)
            took[2][i] = claim(&w, argv);
    }
    for (size_t i = 0; i < WAYS; i++) {
        if (i < 2 || w.pool)
            print(took[i], rounds);
        free(took[i]);
    }
    mxc_session_close(w.session);
    mxc_pool_close(w.pool);
    return 0;
}
