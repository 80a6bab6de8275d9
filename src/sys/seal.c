/* seal.c - see seal.h. */
#include "sys/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

int plan_unseal(int fd, size_t max, const void **bytes, size_t *len,
                struct err *e)
{
    const int want = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
    const int seals = fcntl(fd, F_GET_SEALS);
    struct stat st;
    void *at;

    if (seals < 0 || (seals & want) != want)
        return err_set(e, ERR_BACKEND_ERROR, "the plan is not sealed");
    if (fstat(fd, &st) < 0 || st.st_size <= 0 || (size_t)st.st_size > max)
        return err_set(e, ERR_BACKEND_ERROR, "the plan has no usable size");
    at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return err_sys(e, "mmap(2)", errno, "cannot map the plan");
    *bytes = at;
    *len = (size_t)st.st_size;
    return 0;
}
