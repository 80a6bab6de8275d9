/* main.c - mxc-launch: from a packed plan to a running sandbox.
 *
 * Started by mxc-supervise inside new namespaces, or by a runtime that made
 * them; of no use by hand. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compat.h"
#include "launch/inside.h"
#include "launch/launch.h"
#include "launch/proto.h"
#include "launch/runsc.h"
#include "launch/verify.h"
#include "sys/seal.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

/* It can no longer be changed by anybody: check once, use often. */
const void *launch_map_plan(int fd, size_t *len, struct err *e)
{
    const void *bytes;

    return plan_unseal(fd, PLAN_MAX_BYTES, &bytes, len, e) < 0 ? NULL : bytes;
}

static int map_plan(struct plan_view *out, struct err *e)
{
    size_t len = 0;
    const void *bytes = launch_map_plan(LAUNCH_PLAN_FD, &len, e);

    return bytes ? plan_check(bytes, len, out, e) : -1;
}

/* The terminal lives in the sandbox's own devpts; the supervisor gets the
 * master, so nothing of the caller's terminal is reachable from inside. */
int launch_open_terminal(int *slave, int *master, struct err *e)
{
    int m = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), s;
    int unlock = 0;

    if (m < 0)
        return err_sys(e, "open(2)", errno, "cannot open a terminal");
    s = ioctl(m, TIOCSPTLCK, &unlock) < 0
            ? -1
            : ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (s < 0)
        return err_sys(e, "ioctl(2)", errno, "cannot open a terminal");
    *slave = s;
    *master = m;
    return 0;
}

/* No descriptor but stdio survives the exec of the workload. */
static int close_rest(struct err *e)
{
    enum { SET_CLOEXEC = 4 }; /* CLOSE_RANGE_CLOEXEC, Linux 5.11 */

    if (syscall(__NR_close_range, LAUNCH_INSIDE_FD + 1, ~0u, 0) < 0 ||
        syscall(__NR_close_range, LAUNCH_PLAN_FD, LAUNCH_INSIDE_FD,
                SET_CLOEXEC) < 0)
        return err_sys(e, "close_range(2)", errno,
                       "cannot close inherited descriptors");
    return 0;
}

static int set_up(struct plan_view *plan, char *argv0, int *tty, int *master,
                  struct runsc *runsc, struct err *e)
{
    /* The supervisor's death is ours, also before init listens for it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_sys(e, "prctl(2)", errno, "cannot follow the supervisor");
    (void)umask(0);
    if (map_plan(plan, e) < 0)
        return -1;
    if (plan_count(plan, STEP_RUNTIME) && launch_arrive(argv0, e) < 0)
        return -1;
    if (close_rest(e) < 0)
        return -1;
    /* Without a gateway it is whatever the caller left open there. */
    if (!plan_count(plan, STEP_RULES))
        (void)close(LAUNCH_INSIDE_FD);
    /* The network early: the gateway gets ready while the view is built. */
    if (launch_set_up_process(plan, e) < 0 ||
        launch_set_up_network(plan, e) < 0)
        return -1;
    if (plan->head.flags & PLAN_WARM)
        return 0;
    if (runsc_open(plan, runsc, e) < 0 || launch_build_view(plan, e) < 0 ||
        launch_check_stdio(e) < 0 || runsc_enter(plan, runsc, e) < 0)
        return -1;
    return plan->head.flags & PLAN_TTY ? launch_open_terminal(tty, master, e)
                                       : 0;
}

static int raise_walls(const struct plan_view *plan, int *outside,
                       struct err *e)
{
    int ruleset;

    if (plan->head.flags & PLAN_WARM)
        return 0;
    if (launch_prepare_walls(plan, &ruleset, e) < 0)
        return -1;
    *outside = verify_open_outside(plan);
    return launch_raise_walls(plan, &ruleset, e);
}

int main(int argc, char **argv)
{
    struct plan_view plan;
    struct err e = { 0 };
    struct runsc runsc;
    int tty = -1, master = -1, outside = -1;

    if (argc < 1)
        return 1;
    if (set_up(&plan, argv[0], &tty, &master, &runsc, &e) < 0 ||
        raise_walls(&plan, &outside, &e) < 0) {
        (void)launch_tell(MSG_FAILED, 0, &e, -1);
        return 1;
    }
    return plan.head.flags & PLAN_WARM
               ? launch_warm(&plan)
               : launch_init(&plan, tty, master, runsc.userns, outside);
}
