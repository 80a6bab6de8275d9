/* verify_scopes.c - the sandbox tries to leave its Landlock domain by a socket:
 * see verify.h.
 *
 * The namespaces have nobody outside, so one is put there: a socket belongs to
 * the domain of who made it (unix(7), landlock(7)), and init makes one before
 * it enters its own.  Were it not for the scope, the connection would come
 * about: that the socket is there, its name proves.
 *
 * For signals it would take a process that was there before, which would have
 * to be made for it. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "launch/verify.h"

enum { WITH_SCOPES = 6 };

static bool has_scopes(const struct plan_view *plan)
{
    return plan->head.landlock_abi >= WITH_SCOPES &&
           !(plan->head.flags & PLAN_NO_LANDLOCK);
}

int verify_open_outside(const struct plan_view *plan)
{
    /* The kernel makes up an abstract name for it (unix(7), "Autobind"). */
    const struct sockaddr_un any = { .sun_family = AF_UNIX };
    int fd = -1;

    if (plan->head.flags & PLAN_VERIFY && has_scopes(plan))
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        bind(fd, (const struct sockaddr *)&any, sizeof(any.sun_family)) < 0)
        drop_fd(&fd);
    return fd;
}

/* The socket is gone before there is a workload to see it. */
int verify_scopes(struct verify *v)
{
    struct sockaddr_un to = { 0 };
    struct sockaddr *const name = (struct sockaddr *)&to;
    socklen_t len = sizeof(to);
    scoped(drop_fd) int outside = take_fd(&v->outside);
    scoped(drop_fd) int fd = -1;

    if (!has_scopes(v->plan))
        return 0;
    if (outside >= 0)
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || getsockname(outside, name, &len) < 0 ||
        len <= sizeof(to.sun_family)) {
        verify_untried(v, CLAUSE_SCOPES, REASON_NOT_SEEN);
        return 0;
    }
    verify_untried(v, CLAUSE_SCOPES, REASON_NOBODY);
    return verify_refused(v, CLAUSE_SCOPES,
                          "connecting to an abstract socket from before the "
                          "domain",
                          connect(fd, name, len), EPERM, EPERM);
}
