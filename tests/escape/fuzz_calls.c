/* fuzz_calls.c SECONDS SEED - random system calls from several processes.
 *
 * For inside a sandbox only.  Children make the calls and die of them; the
 * parent makes new ones until the time is up. */
#include "probe.h"

#include <time.h>

enum { CHILDREN = 4, CALLS = 2000, NUMBERS = 480 };

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Numbers, descriptors, addresses, flags: what a call might take. */
static uint64_t argument(uint64_t *state, void *room)
{
    static const uint64_t fixed[] = {
        0,          1,          2,          3,          4,
        7,          8,          16,         64,         4096,
        0xffffffff, ~0ull,      1ull << 32, 1ull << 63, (uint64_t)-100,
        0x10000000, 0x7e020000, 0x5412,
    };
    uint64_t r = next(state);

    switch (r >> 8 & 7) {
    case 0:
        return (uint64_t)(uintptr_t)room + (r >> 16 & 0xfff);
    case 1:
    case 2:
        return (uint64_t)(uintptr_t)room;
    case 3:
        return next(state);
    case 4:
        return 1ull << (r >> 16 & 63);
    default:
        return fixed[(r >> 16) % (sizeof(fixed) / sizeof(fixed[0]))];
    }
}

static void child(uint64_t seed)
{
    char *room = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    alarm(2);
    for (int i = 0; i < 65536; i++)
        room[i] = (char)next(&seed);
    for (int i = 0; i < CALLS; i++) {
        long nr = (long)(next(&seed) % NUMBERS);
        uint64_t a[6];

        for (int k = 0; k < 6; k++)
            a[k] = argument(&seed, room);
        /* Its own end, and waiting for nothing, are no news. */
        if (nr == SYS_exit || nr == SYS_exit_group || nr == SYS_pause ||
            nr == SYS_rt_sigsuspend)
            continue;
        syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    time_t end = time(NULL) + atoi(argv[1]);
    uint64_t seed = strtoull(argv[2], NULL, 10) * 2654435761u + 1;

    /* Only init and this process have the right to live on. */
    for (int sig = 1; sig < 32; sig++)
        signal(sig, sig == SIGCHLD ? SIG_DFL : SIG_IGN);
    while (time(NULL) < end) {
        for (int i = 0; i < CHILDREN; i++) {
            next(&seed);
            if (fork() == 0) {
                for (int sig = 1; sig < 32; sig++)
                    signal(sig, SIG_DFL);
                child(seed);
            }
        }
        for (int i = 0; i < CHILDREN; i++)
            waitpid(-1, NULL, 0);
    }
    DONE();
}
