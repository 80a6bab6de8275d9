/* run_filtered.c - run a command under the workload's system-call filter and
 * nothing else, to see whether programs get along with it.  Not a sandbox. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sys/seccomp_filter.h"
#include "sys/seccomp_load.h"

int main(int argc, char **argv)
{
    struct sock_filter f[SECCOMP_FILTER_MAX];
    struct seccomp_options o = { 0 };
    struct err e = { 0 };
    size_t n = 0;
    int r;

    if (argc < 2) {
        fprintf(stderr, "usage: run_filtered COMMAND [ARGUMENT...]\n");
        return 125;
    }
    if (seccomp_filter_build(&o, f, &n, &e) < 0) {
        fprintf(stderr, "run_filtered: %s\n", e.msg);
        return 125;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        fprintf(stderr, "run_filtered: prctl: %s\n", strerror(errno));
        return 125;
    }
    r = seccomp_enforce(f, n, false, NULL);
    if (r < 0) {
        fprintf(stderr, "run_filtered: seccomp: %s\n", strerror(-r));
        return 125;
    }
    execvp(argv[1], argv + 1);
    fprintf(stderr, "run_filtered: %s: %s\n", argv[1], strerror(errno));
    return errno == ENOENT ? 127 : 126;
}
