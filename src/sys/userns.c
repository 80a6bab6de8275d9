/* userns.c - see userns.h. */
#include "sys/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t len = strlen(text);
    int r = 0;

    if (fd < 0)
        return -errno;
    if (write(fd, text, len) != (ssize_t)len)
        r = errno ? -errno : -EIO;
    (void)close(fd);
    return r;
}

/* Digits and a space; without stdio, which a vfork child must not touch. */
static size_t put_id(char *out, uint32_t id)
{
    char digits[12];
    size_t n = sizeof(digits), len;

    do
        digits[--n] = (char)('0' + id % 10);
    while (id /= 10);
    len = sizeof(digits) - n;
    memcpy(out, digits + n, len);
    out[len] = ' ';
    return len + 1;
}

static int write_map(const char *path, uint32_t in, uint32_t out)
{
    char line[32];
    size_t n = put_id(line, in);

    n += put_id(line + n, out);
    memcpy(line + n, "1", 2);
    return write_file(path, line);
}

int userns_map(uint32_t in_uid, uint32_t out_uid, uint32_t in_gid,
               uint32_t out_gid, const char **op)
{
    int r;

    *op = "write(2) to uid_map";
    r = write_map("/proc/self/uid_map", in_uid, out_uid);
    if (r < 0)
        return r;
    /* Must come before the group map: who could drop a group could reach what
     * the group is kept from (CVE-2014-8989). */
    *op = "write(2) to setgroups";
    r = write_file("/proc/self/setgroups", "deny");
    if (r < 0)
        return r;
    *op = "write(2) to gid_map";
    return write_map("/proc/self/gid_map", in_gid, out_gid);
}

/* The value of a sysctl as text; "" when there is none. */
static const char *sysctl(const char *path, char out[32])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, 31);

    if (fd >= 0)
        (void)close(fd);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return out;
}

int userns_explain(int sys, struct err *e)
{
    char v[32];

    err_sys(e, "clone(2)", sys, "cannot make the sandbox's namespaces");
    e->code = ERR_BACKEND_UNAVAILABLE;
    if (strcmp(sysctl("/proc/sys/kernel/unprivileged_userns_clone", v), "0") ==
        0)
        return err_hint(e, "this host forbids user namespaces to ordinary "
                           "users: sysctl kernel.unprivileged_userns_clone=1");
    if (strcmp(sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_"
                      "userns",
                      v),
               "1") == 0)
        return err_hint(e, "AppArmor forbids user namespaces to programs "
                           "without a profile: add one for mxc, or sysctl "
                           "kernel.apparmor_restrict_unprivileged_userns=0");
    if (strcmp(sysctl("/proc/sys/user/max_user_namespaces", v), "0") == 0)
        return err_hint(e, "user.max_user_namespaces is 0 (are we inside a "
                           "sandbox already?)");
    if (sys == ENOSPC || sys == EUSERS)
        return err_hint(e, "the limit of namespaces is reached "
                           "(/proc/sys/user/max_*_namespaces)");
    if (sys == EAGAIN)
        return err_hint(e, "the limit of processes is reached (ulimit -u, or "
                           "pids.max of the cgroup)");
    return err_hint(e, "a container, a chroot or a security module forbids it; "
                       "`mxc doctor` tells more");
}
