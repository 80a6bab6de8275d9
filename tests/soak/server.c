/* server.c - says back what it hears, on one port of every address, until the
 * client ends; for many thousands at once.  PORT */
#include "probe.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>

static void serve(int ep, int fd)
{
    char bytes[4096];
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
        close(fd);
}

int main(int argc, char **argv)
{
    struct sockaddr_in6 a = { .sin6_family = AF_INET6,
                              .sin6_port = htons(atoi(argv[1])) };
    int ep = TRY(epoll_create1(0)), s, one = 1;
    struct epoll_event e = { .events = EPOLLIN }, got[256];
    struct rlimit r;

    TRY(getrlimit(RLIMIT_NOFILE, &r));
    r.rlim_cur = r.rlim_max;
    TRY(setrlimit(RLIMIT_NOFILE, &r));
    s = TRY(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0));
    TRY(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
    TRY(bind(s, (void *)&a, sizeof(a)));
    TRY(listen(s, 4096));
    e.data.fd = s;
    TRY(epoll_ctl(ep, EPOLL_CTL_ADD, s, &e));
    dprintf(1, "up\n");
    for (;;) {
        int n = epoll_wait(ep, got, 256, -1);

        for (int i = 0; i < n; i++) {
            if (got[i].data.fd != s) {
                serve(ep, got[i].data.fd);
                continue;
            }
            while ((e.data.fd = accept4(s, NULL, NULL, SOCK_NONBLOCK)) >= 0)
                epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
        }
    }
}
