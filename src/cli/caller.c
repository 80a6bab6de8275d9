/* caller.c - whose end ends a command: --die-with-parent, --parent. */
#include <unistd.h>

#include "cli/cli.h"

/* A process that ends has its children adopted: by pid 1, or by a subreaper
 * (PR_SET_CHILD_SUBREAPER of prctl(2)).  They stay in its session, so that one
 * which leads none and is not in its parent's was made by somebody else. */
static bool is_adopted(pid_t caller)
{
    const pid_t ours = getsid(0), theirs = getsid(caller);

    return ours != getpid() && theirs >= 0 && theirs != ours;
}

int cli_find_caller(const struct cli *c, pid_t *out, struct err *e)
{
    *out = 0;
    if (!c->flags.die_with_parent)
        return 0;
    if (c->parent && c->parent != c->caller) {
        err_set(e, ERR_BACKEND_ERROR,
                "the caller has ended: %d of --parent is not the process that "
                "started this, which is %d",
                c->parent, c->caller);
        return err_hint(e, "give your own number; a program between the two "
                           "has to exec mxc");
    }
    if (!c->parent && is_adopted(c->caller))
        return err_set(e, ERR_BACKEND_ERROR, "the caller has ended");
    if (c->caller == 0) {
        err_set(e, ERR_BACKEND_UNAVAILABLE,
                "the caller cannot be followed: it is in another PID "
                "namespace");
        return err_hint(e, "start mxc by a process inside, such as sh -c");
    }
    *out = c->caller;
    return 0;
}
