/* program.c - see program.h. */
#include "session/program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/scoped.h"

static int memory_file(const char *name)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create(name, flags | MXC_MFD_EXEC);

    /* Before Linux 6.3 all of them can be executed. */
    return fd < 0 && errno == EINVAL ? memfd_create(name, flags) : fd;
}

static int no_program(struct err *e, const char *op)
{
    return err_sys(e, op, errno, "cannot hand a program to the session");
}

int session_program_load(const char *path, int *out, struct err *e)
{
    const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    const char *slash = strrchr(path, '/');
    scoped(drop_fd) int from = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    scoped(drop_fd) int to = -1;
    char block[4096];
    ssize_t n;

    if (from < 0)
        return err_sys(e, "open(2)", errno, "cannot read '%.200s'", path);
    to = memory_file(slash ? slash + 1 : path);
    if (to < 0) {
        (void)no_program(e, "memfd_create(2)");
        return err_hint(e, "sysctl vm.memfd_noexec must be 0 or 1");
    }
    while ((n = read(from, block, sizeof(block))) > 0)
        if (write(to, block, (size_t)n) != n)
            return no_program(e, "write(2)");
    if (n < 0)
        return no_program(e, "read(2)");
    if (fcntl(to, F_ADD_SEALS, seals) < 0)
        return no_program(e, "fcntl(2)");
    *out = take_fd(&to);
    return 0;
}
