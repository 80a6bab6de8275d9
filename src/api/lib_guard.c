/* lib_guard.c - writes that must not send a signal to the caller.
 *
 * A socket has MSG_NOSIGNAL; a pipe and a file have nothing of the kind.  The
 * kernel sends SIGPIPE and SIGXFSZ to the thread that wrote (pipe(7),
 * setrlimit(2)), so what is held and taken here is this thread's alone. */
#include <errno.h>
#include <time.h>

#include "api/lib.h"

static void these(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGPIPE);
    (void)sigaddset(set, SIGXFSZ);
}

void guard_begin(struct guard *g)
{
    sigset_t set;

    these(&set);
    (void)sigpending(&g->pending);
    (void)pthread_sigmask(SIG_BLOCK, &set, &g->before);
}

void guard_end(const struct guard *g)
{
    static const int list[] = { SIGPIPE, SIGXFSZ };
    const struct timespec now = { 0 };
    const int saved = errno;

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        sigset_t one;

        /* One that was pending before is the caller's. */
        if (sigismember(&g->pending, list[i]) == 1)
            continue;
        (void)sigemptyset(&one);
        (void)sigaddset(&one, list[i]);
        while (sigtimedwait(&one, NULL, &now) < 0 && errno == EINTR)
            continue;
    }
    (void)pthread_sigmask(SIG_SETMASK, &g->before, NULL);
    errno = saved;
}
