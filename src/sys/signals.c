/* signals.c - see signals.h. */
#include "sys/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>

#include "base/scoped.h"

static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

bool signals_is_end(int number)
{
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (number == ends[i])
            return true;
    return number == SIGKILL;
}

static int take(const int *list, size_t n)
{
    sigset_t set;
    int fd;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < n; i++)
        (void)sigaddset(&set, list[i]);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int signals_take_ends(void)
{
    return take(ends, ARRAY_LEN(ends));
}

int signals_take_passed(void)
{
    static const int list[] = { SIGHUP,  SIGINT,   SIGQUIT, SIGTERM, SIGUSR1,
                                SIGUSR2, SIGWINCH, SIGTSTP, SIGALRM };

    return take(list, ARRAY_LEN(list));
}
