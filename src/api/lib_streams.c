/* lib_streams.c - the workload's three streams, as the options want them. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "api/lib.h"

static int open_null(int *out, struct err *e)
{
    *out = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
    return *out < 0 ? err_sys(e, "open(2)", errno, "cannot open '/dev/null'")
                    : 0;
}

/* Stream 0 is read there and written here; the others the other way. */
static int open_pipe(struct mxc_sandbox *s, int i, int *theirs, struct err *e)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return err_sys(e, "pipe2(2)", errno, "cannot make the streams");
    *theirs = pair[i == 0 ? 0 : 1];
    s->stream[i] = pair[i == 0 ? 1 : 0];
    return 0;
}

int lib_open_stream(struct mxc_sandbox *s, int i, const struct mxc_options *o,
                    int *theirs, bool *is_borrowed, struct err *e)
{
    const int given[3] = { o->stdin_fd, o->stdout_fd, o->stderr_fd };

    if (o->stdio == MXC_STDIO_PIPE || (o->stdio == MXC_STDIO_PTY && i < 2))
        return open_pipe(s, i, theirs, e);
    if (o->stdio != MXC_STDIO_FDS || given[i] < 0)
        return open_null(theirs, e);
    if (fcntl(given[i], F_GETFD) < 0)
        return err_sys(e, "fcntl(2)", errno, "descriptor %d is not open",
                       given[i]);
    *theirs = given[i];
    *is_borrowed = true;
    return 0;
}
