/* net_peer.c - both ends of what bench/network measures.
 *
 *     net_peer serve ADDR
 *     net_peer up|down ADDR STREAMS MS
 *     net_peer crr|connect|tcp|udp|refused ADDR MS
 *
 * A server takes a byte and returns it (ECHO, by TCP and UDP), takes or gives
 * as much as it can (SINK, SOURCE), or serves one byte per connection (ONE).
 * A client prints its figures on one line: Gbit/s; connections per second and
 * the median in microseconds; or the median and the 99th percentile of a
 * round trip, or of a connect(2), in microseconds.  IPv4 only. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/scoped.h"
#include "base/num.h"

enum { ECHO = 7001, SINK, SOURCE, ONE, NOBODY };
enum { CHUNK = 256 * 1024, STREAMS = 64, SAMPLES = 1 << 20, EVENTS = 64 };
/* A connection that nobody answers is given up. */
enum { PATIENCE_S = 1 };

static _Thread_local char chunk[CHUNK];

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "net_peer: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct sockaddr_in where(const char *addr, int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port) };

    if (inet_pton(AF_INET, addr, &a.sin_addr) != 1) {
        errno = EINVAL;
        give_up(addr);
    }
    return a;
}

static void no_delay(int fd)
{
    const int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* --- servers ------------------------------------------------------------ */

static int bound(const char *addr, int port, int type)
{
    const struct sockaddr_in a = where(addr, port);
    const int one = 1;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    if (fd < 0)
        give_up("socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (const void *)&a, sizeof(a)) < 0)
        give_up("bind");
    if (type == SOCK_STREAM && listen(fd, 4096) < 0)
        give_up("listen");
    return fd;
}

static void serve_one(int listener)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        char c;

        if (fd < 0)
            continue;
        if (recv(fd, &c, 1, 0) == 1)
            (void)send(fd, &c, 1, MSG_NOSIGNAL);
        (void)close(fd);
    }
}

static void serve_udp(int fd)
{
    for (;;) {
        struct sockaddr_in from;
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(fd, chunk, sizeof(chunk), 0, (void *)&from, &len);

        if (n >= 0)
            (void)sendto(fd, chunk, (size_t)n, 0, (void *)&from, len);
    }
}

/* False: the connection is over. */
static bool echo(int fd, uint64_t *total)
{
    ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);

    (void)total;
    if (n < 0 && errno == EAGAIN)
        return true;
    return n > 0 && send(fd, chunk, (size_t)n, MSG_NOSIGNAL) == n;
}

/* At the end it says how much it got. */
static bool sink(int fd, uint64_t *total)
{
    ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return true;
    if (n == 0)
        (void)send(fd, total, sizeof(*total), MSG_NOSIGNAL);
    *total += n > 0 ? (uint64_t)n : 0;
    return n > 0;
}

static bool source(int fd, uint64_t *total)
{
    ssize_t n = send(fd, chunk, sizeof(chunk), MSG_DONTWAIT | MSG_NOSIGNAL);

    (void)total;
    return n > 0 || (n < 0 && errno == EAGAIN);
}

/* Many connections at once, of one kind. */
static void serve_all(int listener, uint32_t events,
                      bool (*serve)(int, uint64_t *))
{
    struct epoll_event e[EVENTS] = { { .events = EPOLLIN,
                                       .data.fd = listener } };
    int ep = epoll_create1(EPOLL_CLOEXEC);
    static uint64_t total[65536];

    (void)epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e[0]);
    for (;;) {
        int n = epoll_wait(ep, e, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            int fd = e[i].data.fd;

            if (fd == listener) {
                struct epoll_event new = { .events = events };

                fd = accept(listener, NULL, NULL);
                if (fd < 0 || (size_t)fd >= ARRAY_LEN(total))
                    continue;
                no_delay(fd);
                total[fd] = 0;
                new.data.fd = fd;
                (void)epoll_ctl(ep, EPOLL_CTL_ADD, fd, &new);
            } else if (!serve(fd, &total[fd])) {
                (void)close(fd);
            }
        }
    }
}

struct service {
    const char *addr;
    int port;
};

static void *serve(void *arg)
{
    const struct service *s = arg;

    if (s->port == ONE)
        serve_one(bound(s->addr, s->port, SOCK_STREAM));
    else if (s->port == SINK)
        serve_all(bound(s->addr, s->port, SOCK_STREAM), EPOLLIN, sink);
    else if (s->port == SOURCE)
        serve_all(bound(s->addr, s->port, SOCK_STREAM), EPOLLOUT, source);
    else if (s->port == ECHO)
        serve_all(bound(s->addr, s->port, SOCK_STREAM), EPOLLIN, echo);
    else
        serve_udp(bound(s->addr, ECHO, SOCK_DGRAM));
    return NULL;
}

static int run_servers(const char *addr)
{
    static struct service all[NOBODY - ECHO + 1];
    pthread_t thread;

    (void)signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i <= NOBODY - ECHO; i++) {
        all[i] = (struct service){ addr, ECHO + i };
        errno = pthread_create(&thread, NULL, serve, &all[i]);
        if (errno)
            give_up("pthread_create");
    }
    pause();
    return 0;
}

/* --- clients ------------------------------------------------------------ */

/* -1 and errno: refused, or not answered in time (EINPROGRESS). */
static int try_connect(const char *addr, int port)
{
    const struct sockaddr_in a = where(addr, port);
    const struct timeval patience = { .tv_sec = PATIENCE_S };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        give_up("socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const void *)&a, sizeof(a)) < 0) {
        int sys = errno;

        (void)close(fd);
        errno = sys;
        return -1;
    }
    no_delay(fd);
    return fd;
}

static int connected(const char *addr, int port)
{
    int fd = try_connect(addr, port);

    if (fd < 0)
        give_up("connect");
    return fd;
}

static void open_streams(struct pollfd *p, size_t n, const char *addr, int port,
                         short events)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (struct pollfd){ .fd = connected(addr, port), .events = events };
}

/* What the sinks say that they got. */
static uint64_t ask_sinks(struct pollfd *p, size_t n)
{
    uint64_t all = 0, one;

    for (size_t i = 0; i < n; i++)
        (void)shutdown(p[i].fd, SHUT_WR);
    for (size_t i = 0; i < n; i++) {
        if (recv(p[i].fd, &one, sizeof(one), MSG_WAITALL) != sizeof(one))
            give_up("recv");
        all += one;
    }
    return all;
}

static void measure_stream(const char *addr, bool is_up, size_t n, double us)
{
    struct pollfd p[STREAMS];
    double from;
    uint64_t all = 0;

    open_streams(p, n, addr, is_up ? SINK : SOURCE, is_up ? POLLOUT : POLLIN);
    from = now_us();
    while (now_us() - from < us) {
        if (poll(p, n, PATIENCE_S * 1000) <= 0)
            give_up("poll");
        for (size_t i = 0; i < n; i++) {
            ssize_t r;

            if (!p[i].revents)
                continue;
            if (is_up)
                r = send(p[i].fd, chunk, CHUNK, MSG_DONTWAIT | MSG_NOSIGNAL);
            else
                r = recv(p[i].fd, chunk, CHUNK, MSG_DONTWAIT);
            if (r == 0 || (r < 0 && errno != EAGAIN))
                give_up("stream");
            all += r > 0 ? (uint64_t)r : 0;
        }
    }
    if (is_up)
        all = ask_sinks(p, n);
    printf("%.3f\n", (double)all * 8 / (now_us() - from) / 1e3);
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Something that is done again and again; false: it failed. */
struct turn {
    const char *addr;
    int fd;
    bool (*go)(const struct turn *r);
};

static bool round_trip(const struct turn *r)
{
    /* Not a letter: by name, a word could be the beginning of HTTP, which
     * the gateway would have to follow. */
    char c = '\0';

    return send(r->fd, &c, 1, 0) == 1 && recv(r->fd, &c, 1, 0) == 1;
}

static bool one_each(const struct turn *r)
{
    struct turn once = { .fd = connected(r->addr, ONE) };
    bool done = round_trip(&once);

    (void)close(once.fd);
    return done;
}

static bool is_refused(const struct turn *r)
{
    int fd = try_connect(r->addr, NOBODY);

    if (fd < 0)
        return true;
    (void)close(fd);
    errno = EISCONN;
    return false;
}

static void measure_rounds(const struct turn *r, bool tells_rate, double us)
{
    static float took[SAMPLES];
    double start = now_us(), from, end = start;
    size_t n = 0;

    while (n < SAMPLES && (n == 0 || end - start < us)) {
        from = now_us();
        if (!r->go(r))
            give_up("round");
        end = now_us();
        took[n++] = (float)(end - from);
    }
    qsort(took, n, sizeof(took[0]), compare);
    if (tells_rate)
        printf("%.1f %.1f\n", (double)n * 1e6 / (end - start),
               (double)took[n / 2]);
    else
        printf("%.1f %.1f\n", (double)took[n / 2], (double)took[n * 99 / 100]);
}

/* connect(2) alone; the rest of the connection's life is not in it. */
static void measure_connect(const char *addr, double us)
{
    static float took[SAMPLES];
    double start = now_us(), from;
    size_t n = 0;

    while (n < SAMPLES && now_us() - start < us) {
        struct turn r = { 0 };

        from = now_us();
        r.fd = connected(addr, ONE);
        took[n++] = (float)(now_us() - from);
        if (!round_trip(&r))
            give_up("round");
        (void)close(r.fd);
    }
    qsort(took, n, sizeof(took[0]), compare);
    printf("%.1f %.1f\n", (double)took[n / 2], (double)took[n * 99 / 100]);
}

static int udp_socket(const char *addr)
{
    const struct sockaddr_in a = where(addr, ECHO);
    const struct timeval patience = { .tv_sec = PATIENCE_S };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (fd < 0 || connect(fd, (const void *)&a, sizeof(a)) < 0)
        give_up("socket");
    return fd;
}

static int run_client(const char *what, const char *addr, double us)
{
    struct turn r = { .addr = addr, .go = round_trip };
    bool tells_rate = strcmp(what, "crr") == 0;

    if (strcmp(what, "connect") == 0) {
        measure_connect(addr, us);
        return 0;
    }
    if (tells_rate)
        r.go = one_each;
    else if (strcmp(what, "tcp") == 0)
        r.fd = connected(addr, ECHO);
    else if (strcmp(what, "udp") == 0)
        r.fd = udp_socket(addr);
    else if (strcmp(what, "refused") == 0)
        r.go = is_refused;
    else
        return 2;
    measure_rounds(&r, tells_rate, us);
    return 0;
}

/* Once, so that looking up a name is in no figure. */
static const char *resolve(const char *name, char out[INET_ADDRSTRLEN])
{
    const struct addrinfo hints = { .ai_family = AF_INET };
    struct addrinfo *found;

    errno = ENOENT;
    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        give_up(name);
    if (!inet_ntop(AF_INET,
                   &((const struct sockaddr_in *)(const void *)found->ai_addr)
                        ->sin_addr,
                   out, INET_ADDRSTRLEN))
        give_up(name);
    freeaddrinfo(found);
    return out;
}

static uint64_t number(const char *text, uint64_t max)
{
    uint64_t n;

    if (num_u64(text, max, &n) < 0 || !n) {
        errno = EINVAL;
        give_up(text);
    }
    return n;
}

int main(int argc, char **argv)
{
    char addr[INET_ADDRSTRLEN];

    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        return run_servers(argv[2]);
    if (argc == 4)
        return run_client(argv[1], resolve(argv[2], addr),
                          (double)number(argv[3], 60000) * 1e3);
    if (argc != 5)
        return 2;
    measure_stream(resolve(argv[2], addr), strcmp(argv[1], "up") == 0,
                   (size_t)number(argv[3], STREAMS),
                   (double)number(argv[4], 60000) * 1e3);
    return 0;
}
