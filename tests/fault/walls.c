/* walls.c - says in a file whether every wall stands: CANARY SECRET DENIED
 * PORT.  "ok", or those that do not.  Nobody else writes that file, so that its
 * being there says that the workload ran. */
#include "probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#define WANT(what, truth)                                                      \
    do {                                                                       \
        if (!(truth))                                                          \
            miss(what);                                                        \
    } while (0)

static char missing[1024];

static void miss(const char *what)
{
    size_t n = strlen(missing);

    snprintf(missing + n, sizeof(missing) - n, "%s%s", n ? ", " : "no ", what);
}

static int open_errno(const char *path)
{
    int fd = open(path, O_RDONLY);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static int has_line(const char *path, const char *line)
{
    char text[8192] = "\n";
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text + 1, sizeof(text) - 2);

    close(fd);
    text[n > 0 ? n + 1 : 1] = '\0';
    return strstr(text, line) != NULL;
}

static unsigned long mount_flags(const char *path)
{
    struct statvfs s;

    return statvfs(path, &s) < 0 ? 0 : s.f_flag;
}

static rlim_t limit(int which)
{
    struct rlimit r = { RLIM_INFINITY, RLIM_INFINITY };

    getrlimit(which, &r);
    return r.rlim_max;
}

static int connect_errno(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int s = socket(AF_INET, SOCK_STREAM, 0);
    int why = connect(s, (void *)&a, sizeof(a)) < 0 ? errno : 0;

    close(s);
    return why;
}

static void look(char **argv)
{
    static const char status[] = "/proc/self/status";
    char host[100] = "";

    WANT("filesystem view", open_errno(argv[2]) == ENOENT);
    WANT("mask", open_errno(argv[3]) == EACCES);
    WANT("network namespace", connect_errno(atoi(argv[4])) == ECONNREFUSED);
    WANT("pid namespace", getpid() < 10);
    WANT("host name", gethostname(host, sizeof(host) - 1) == 0 &&
                          strcmp(host, "sandbox") == 0);
    WANT("new privileges", has_line(status, "\nNoNewPrivs:\t1\n"));
    WANT("filter", has_line(status, "\nSeccomp:\t2\n"));
    WANT("capabilities",
         has_line(status, "\nCapEff:\t0000000000000000\n") &&
             has_line(status, "\nCapPrm:\t0000000000000000\n") &&
             has_line(status, "\nCapBnd:\t0000000000000000\n"));
    /* Landlock says EACCES; without it, EPERM for want of CAP_MKNOD. */
    WANT("Landlock",
         mknod("/tmp/n", S_IFCHR | 0600, makedev(1, 3)) < 0 && errno == EACCES);
    WANT("limit of namespaces",
         has_line("/proc/sys/user/max_user_namespaces", "\n0\n"));
    WANT("limit of processes",
         has_line("/proc/sys/kernel/pid_max", "\n1024\n"));
    WANT("core limit", limit(RLIMIT_CORE) == 1);
    WANT("mask in /proc", open_errno("/proc/kallsyms") == EACCES);
    WANT("closed init", open_errno("/proc/1/environ") == EACCES);
    WANT("nosuid", mount_flags("/") & ST_NOSUID);
    WANT("read-only base", open_errno("/usr/bin") == ENOENT ||
                               mount_flags("/usr/bin") & ST_RDONLY);
    WANT("read-only /proc", mount_flags("/proc") & ST_RDONLY);
    WANT("session", getsid(0) == getpid());
    WANT("descriptors", fcntl(3, F_GETFD) < 0 && fcntl(4, F_GETFD) < 0);
    WANT("volunteering", has_line("/proc/self/oom_score_adj", "\n1000\n"));
    WANT("broker",
         open("absent", O_CREAT | O_WRONLY, 0600) < 0 && errno == EACCES);
    unlink("absent");
}

int main(int argc, char **argv)
{
    const char *found = missing;
    int fd;

    TRY(chdir(argv[1]));
    look(argv);
    if (!*found)
        found = "ok";
    fd = TRY(open("canary", O_CREAT | O_WRONLY, 0600));
    TRY(write(fd, found, strlen(found)));
    DONE();
}
