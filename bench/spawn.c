/* spawn.c - start commands and time them, from spawn to reaped.
 *
 *     bench_spawn ROUNDS WIDTH CMD... ::: CMD... [::: ...]
 *
 * WIDTH 1: one after the other, the commands taking turns so that a drift of
 * the machine hits all alike; prints for each: p50 and p99 in microseconds.
 * WIDTH > 1: each command ROUNDS times, WIDTH at once; prints runs per second.
 * A command that ends with any status but 0 ends the measurement.  It judges
 * nothing; bench/run does. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"

enum { COMMANDS = 16 };

struct command {
    char **argv;
    double *took; /* microseconds */
};

static _Noreturn void give_up(const char *what, const char *why)
{
    fprintf(stderr, "bench_spawn: %s: %s\n", what, why);
    exit(1);
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void start(const posix_spawn_file_actions_t *quiet, char **argv)
{
    pid_t pid;
    int r = posix_spawnp(&pid, argv[0], quiet, NULL, argv, environ);

    if (r != 0)
        give_up(argv[0], strerror(r));
}

static void finish(const char *name)
{
    int status;
    pid_t pid;

    do {
        pid = wait(&status);
    } while (pid < 0 && errno == EINTR);
    if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        give_up(name, "did not end with status 0");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Returns how many commands stand in argv, cut at each ":::". */
static size_t split(char **argv, struct command *commands, size_t rounds)
{
    size_t n = 0;

    while (*argv && n < COMMANDS) {
        commands[n].argv = argv;
        commands[n].took = calloc(rounds, sizeof(double));
        if (!commands[n++].took)
            give_up("memory", "not enough");
        while (*argv && strcmp(*argv, ":::") != 0)
            argv++;
        if (*argv)
            *argv++ = NULL;
    }
    return n;
}

static void take_turns(const posix_spawn_file_actions_t *quiet,
                       struct command *commands, size_t n, size_t rounds)
{
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < n; i++) {
            double from = now_us();

            start(quiet, commands[i].argv);
            finish(commands[i].argv[0]);
            commands[i].took[round] = now_us() - from;
        }
    }
    for (size_t i = 0; i < n; i++) {
        qsort(commands[i].took, rounds, sizeof(double), compare);
        printf("%.0f %.0f\n", commands[i].took[rounds / 2],
               commands[i].took[rounds * 99 / 100]);
    }
}

static double runs_per_second(const posix_spawn_file_actions_t *quiet,
                              char **argv, size_t rounds, size_t width)
{
    double from = now_us();
    size_t started = 0;

    for (size_t ended = 0; ended < rounds; ended++) {
        for (; started < rounds && started - ended < width; started++)
            start(quiet, argv);
        finish(argv[0]);
    }
    return (double)rounds * 1e6 / (now_us() - from);
}

int main(int argc, char **argv)
{
    struct command commands[COMMANDS];
    posix_spawn_file_actions_t quiet;
    uint64_t rounds, width;
    size_t n;

    if (argc < 4 || num_u64(argv[1], 1000000, &rounds) < 0 ||
        num_u64(argv[2], 64, &width) < 0 || !rounds || !width)
        give_up("usage", "bench_spawn ROUNDS WIDTH CMD... ::: CMD...");
    n = split(argv + 3, commands, rounds);
    for (size_t i = 0; i < n; i++) {
        if (!commands[i].argv[0])
            give_up("usage", "an empty command");
    }
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    if (width == 1) {
        take_turns(&quiet, commands, n, rounds);
    } else {
        for (size_t i = 0; i < n; i++)
            printf("%.0f\n",
                   runs_per_second(&quiet, commands[i].argv, rounds, width));
    }
    for (size_t i = 0; i < n; i++)
        free(commands[i].took);
    return 0;
}
