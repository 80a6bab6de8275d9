/* start.c - what a command does before it becomes the supervisor of its plan:
 * see supervise.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/compat.h"
#include "supervise/supervise.h"
#include "sys/beside.h"

void supervise_hold_stdio(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", O_RDWR);
}

int supervise_find_launcher(char out[PATH_MAX], struct err *e)
{
    return beside_find("launch", "mxc-launch",
                       "keep bin/ and libexec/ together when moving mxc", out,
                       e);
}

static int close_between(unsigned from, unsigned to, struct err *e)
{
    if (from > to || syscall(__NR_close_range, from, to, 0) == 0)
        return 0;
    return err_sys(e, "close_range(2)", errno,
                   "cannot close inherited descriptors");
}

int supervise_close_strangers(int *kept, size_t n, struct err *e)
{
    unsigned from = 3;

    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0 && kept[j - 1] > kept[j]; j--) {
            int swap = kept[j];

            kept[j] = kept[j - 1];
            kept[j - 1] = swap;
        }
    for (size_t i = 0; i < n; i++) {
        if (kept[i] < (int)from)
            continue;
        if (close_between(from, (unsigned)kept[i] - 1, e) < 0)
            return -1;
        if (fcntl(kept[i], F_SETFD, FD_CLOEXEC) < 0)
            return err_sys(e, "fcntl(2)", errno, "cannot keep descriptor %d",
                           kept[i]);
        from = (unsigned)kept[i] + 1;
    }
    return close_between(from, ~0u, e);
}
