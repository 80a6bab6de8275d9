/* exec.c - a command by itself, and the same in a session by libmxc.
 *
 *     bench_exec SESSION ROUNDS CMD...
 *
 * One after the other, taking turns; from the call to the known end.  Prints a
 * line for each of the two: p50 and p99 in microseconds. */
#include <errno.h>
#include <fcntl.h>
#include <mxc/mxc.h>
#include <spawn.h>
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

static double in_session(struct mxc_session *session, char **argv, int null)
{
    const double start = now_us();
    struct mxc_options options = MXC_OPTIONS_INIT;
    struct mxc_command command = MXC_COMMAND_INIT;
    struct mxc_status status = { sizeof(status), 0, 0, 0, 0 };
    struct mxc_error error = MXC_ERROR_INIT;
    struct mxc_sandbox *sandbox;

    command.argv = (const char *const *)argv;
    options.stdio = MXC_STDIO_FDS;
    options.stdin_fd = options.stdout_fd = options.stderr_fd = null;
    if (mxc_session_exec(session, &command, &options, &sandbox, &error) < 0 ||
        mxc_sandbox_wait(sandbox, -1, &status, &error) < 0)
        give_up(argv[0], error.message);
    if (status.exit_code)
        give_up(argv[0], "did not end with status 0 in the session");
    mxc_sandbox_destroy(sandbox);
    return now_us() - start;
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

int main(int argc, char **argv)
{
    enum { WARM = 10, MOST = 1000000 };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct mxc_error error = MXC_ERROR_INIT;
    struct mxc_session *session;
    uint64_t rounds = 0;
    double *alone, *inside;

    if (argc < 4 || null < 0 || num_u64(argv[2], MOST, &rounds) < 0 || !rounds)
        give_up("usage", "SESSION ROUNDS CMD...");
    if (mxc_session_open(argv[1], NULL, &session, &error) < 0)
        give_up(argv[1], error.message);
    alone = calloc(rounds, sizeof(*alone));
    inside = calloc(rounds, sizeof(*inside));
    if (!alone || !inside)
        give_up("memory", "not enough");
    for (int i = 0; i < WARM; i++)
        (void)(by_itself(argv + 3, null) + in_session(session, argv + 3, null));
    for (size_t i = 0; i < rounds; i++) {
        alone[i] = by_itself(argv + 3, null);
        inside[i] = in_session(session, argv + 3, null);
    }
    mxc_session_close(session);
    print(alone, rounds);
    print(inside, rounds);
    return 0;
}
