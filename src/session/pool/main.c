/* main.c - mxc-pool: keeps warm sandboxes of one policy, one claim for each.
 *
 * Started by `mxc pool start` and by libmxc, detached from whoever called; of
 * no use by hand:
 *
 *     mxc-pool keep LAUNCHER ENTRY NAME    directory, plan, starter and root of
 *                                          the sessions as 0 to 3
 *     mxc-pool slot LAUNCHER MOUNTS        SLOT_PLAN and what follows it;
 *                                          MOUNTS: struct pool_facts */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/pool/pool_parts.h"

/* The directory keeps others out; this is the second lock on the door. */
bool pool_is_owner(int fd)
{
    struct ucred who;
    socklen_t len = sizeof(who);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
           who.uid == geteuid();
}

/* Nothing to read, and nobody who reads.  Not /dev/null, which policy may
 * deny. */
int pool_rest_streams(struct err *e)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0 || dup2(pair[0], 0) < 0 ||
        dup2(pair[0], 1) < 0 || dup2(pair[0], 2) < 0)
        return err_sys(e, "pipe2(2)", errno, "cannot make the streams");
    (void)close(pair[1]);
    if (pair[0] > 2)
        (void)close(pair[0]);
    /* It shall keep no filesystem of the caller's busy. */
    if (chdir("/") < 0)
        return err_sys(e, "chdir(2)", errno, "cannot leave the directory");
    return 0;
}

int main(int argc, char **argv)
{
    (void)umask(077);
    supervise_ignore_signals();
    if (argc == 5 && strcmp(argv[1], "keep") == 0)
        return keeper_main(argv[2], argv[3], argv[4]);
    if (argc == 4 && strcmp(argv[1], "slot") == 0)
        return slot_main(argv[2], argv[3]);
    return EXIT_MXC;
}
