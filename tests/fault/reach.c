/* reach.c - says in a file what a workload can reach: CANARY ALLOWED DENIED
 * DENIED6.  "ok", or the first wall that does not stand; after "ok" whether
 * the way to the allowed address is open. */
#include "probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

static int has_line(const char *line)
{
    char text[8192] = "\n";
    int fd = open("/proc/self/status", O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text + 1, sizeof(text) - 2);

    close(fd);
    text[n > 0 ? n + 1 : 1] = '\0';
    return strstr(text, line) != NULL;
}

static socklen_t address(const char *text, struct sockaddr_storage *out)
{
    struct sockaddr_in *four = (void *)out;
    struct sockaddr_in6 *six = (void *)out;

    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(7);
        return sizeof(*four);
    }
    inet_pton(AF_INET6, text, &six->sin6_addr);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(7);
    return sizeof(*six);
}

/* 0, or why not; ETIMEDOUT after two seconds. */
static int reach(const char *where, int type)
{
    struct sockaddr_storage to;
    socklen_t len = address(where, &to), size = sizeof(int);
    int s = socket(to.ss_family, type | SOCK_NONBLOCK, 0), why = 0;
    struct pollfd p = { .fd = s, .events = POLLOUT };
    char byte;

    if (s < 0 || (connect(s, (void *)&to, len) < 0 && errno != EINPROGRESS))
        return errno;
    if (poll(&p, 1, 2000) != 1)
        return ETIMEDOUT;
    getsockopt(s, SOL_SOCKET, SO_ERROR, &why, &size);
    if (why || send(s, "x", 1, MSG_NOSIGNAL) < 0)
        return why ? why : errno;
    p.events = POLLIN;
    if (poll(&p, 1, 2000) != 1)
        return ETIMEDOUT;
    why = recv(s, &byte, 1, 0) == 1 ? 0 : errno ? errno : EPIPE;
    close(s);
    return why;
}

static const char *look(char **argv)
{
    if (!has_line("\nNoNewPrivs:\t1\n"))
        return "no new privileges";
    if (!has_line("\nSeccomp:\t2\n"))
        return "no filter";
    if (!has_line("\nCapEff:\t0000000000000000\n") ||
        !has_line("\nCapBnd:\t0000000000000000\n"))
        return "capabilities";
    if (socket(AF_INET, SOCK_RAW, IPPROTO_TCP) >= 0)
        return "raw sockets";
    for (int i = 3; i < 5; i++) {
        if (reach(argv[i], SOCK_STREAM) == 0)
            return "a connection that is denied";
        if (reach(argv[i], SOCK_DGRAM) == 0)
            return "a datagram that is denied";
    }
    return "ok";
}

int main(int argc, char **argv)
{
    int fd = TRY(open(argv[1], O_CREAT | O_WRONLY | O_TRUNC, 0600));
    const char *found = look(argv);
    int why = reach(argv[2], SOCK_STREAM);

    dprintf(fd, "%s%s%s", found, why ? " " : "",
            why ? strerrorname_np(why) : "");
    DONE();
}
