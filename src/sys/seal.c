/* seal.c - see seal.h. */
#include "sys/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/scoped.h"

int plan_seal(const void *bytes, size_t len, int *out, struct err *e)
{
    scoped(drop_fd) int fd =
        memfd_create("mxc-plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t at = 0;

    if (fd < 0)
        return err_sys(e, "memfd_create(2)", errno, "cannot pass the plan");
    while (at < len) {
        ssize_t n = write(fd, (const char *)bytes + at, len - at);

        if (n < 0)
            return err_sys(e, "write(2)", errno, "cannot pass the plan");
        at += (size_t)n;
    }
    if (fcntl(fd, F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return err_sys(e, "fcntl(2)", errno, "cannot seal the plan");
    *out = take_fd(&fd);
    return 0;
}
