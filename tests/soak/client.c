/* client.c - the workload of test_network_soak.py.  Reads commands, one a
 * line, and says "ok ..." after each:
 *
 *   run COUNT AT_ONCE ADDRESS PORT   connections that say a byte, hear it back
 *                                    and end; most of them with a reset, as
 *                                    the ports of others stay in use for a
 *                                    minute (TIME_WAIT)
 *   hold COUNT ADDRESS PORT TEXT     connections that say TEXT ("-": nothing;
 *                                    \r\n as in C) and stay; how many stand
 *   flows COUNT ADDRESS PORT         a datagram from so many sockets, which
 *                                    stay
 *   ask COUNT                        questions for names below wild.test
 *   reset COUNT ADDRESS PORT         connections that say much and end with a
 *                                    reset, a hundred at a time
 *   drop                             ends all that stay
 */
#include "probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

enum { MAX = 20000 };
static int held[MAX], nheld;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static socklen_t address(const char *text, int port, struct sockaddr_storage *a)
{
    struct sockaddr_in *four = (void *)a;
    struct sockaddr_in6 *six = (void *)a;

    memset(a, 0, sizeof(*a));
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        return sizeof(*four);
    }
    inet_pton(AF_INET6, text, &six->sin6_addr);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    return sizeof(*six);
}

static int start(const char *text, int port)
{
    struct sockaddr_storage a;
    socklen_t len = address(text, port, &a);
    int s = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (s >= 0 && connect(s, (void *)&a, len) < 0 && errno != EINPROGRESS) {
        close(s);
        s = -1;
    }
    return s;
}

static void end(int s, int with_reset)
{
    const struct linger l = { 1, 0 };

    if (with_reset)
        setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    close(s);
}

static void run(long count, int at_once, const char *to, int port)
{
    int ep = epoll_create1(0), open = 0;
    long begun = 0, good = 0, bad = 0;
    struct epoll_event got[256];
    double since = now();

    while (good + bad < count && now() - since < 800) {
        while (open < at_once && begun < count) {
            struct epoll_event e = { .events = EPOLLOUT | EPOLLONESHOT };

            e.data.u64 = begun++;
            e.data.u64 |= (uint64_t)start(to, port) << 32;
            epoll_ctl(ep, EPOLL_CTL_ADD, e.data.u64 >> 32, &e);
            open++;
        }
        int n = epoll_wait(ep, got, 256, 1000);

        for (int i = 0; i < n; i++) {
            int s = got[i].data.u64 >> 32;
            char byte;
            struct epoll_event e = { .events = EPOLLIN | EPOLLONESHOT,
                                     .data = got[i].data };

            if (got[i].events == EPOLLOUT &&
                send(s, "x", 1, MSG_NOSIGNAL) == 1) {
                epoll_ctl(ep, EPOLL_CTL_MOD, s, &e);
                continue;
            }
            if (got[i].events & EPOLLIN && recv(s, &byte, 1, 0) == 1)
                good++;
            else {
                int why = 0;
                socklen_t size = sizeof(why);

                getsockopt(s, SOL_SOCKET, SO_ERROR, &why, &size);
                dprintf(2, "number %u: %s, %s, events %x\n",
                        (unsigned)got[i].data.u64, strerror(why),
                        strerror(errno), got[i].events);
                bad++;
            }
            end(s, got[i].data.u64 & 15);
            open--;
        }
    }
    close(ep);
    dprintf(1, "ok %ld %ld %.3f\n", good, bad, now() - since);
}

/* With one "-", or what it is in C's way of writing. */
static size_t unescape(const char *text, char *out)
{
    size_t n = 0;

    for (; *text; text++)
        if (text[0] == '\\' && text[1] == 'x') {
            out[n++] = (char)strtol((char[]){ text[2], text[3], 0 }, NULL, 16);
            text += 3;
        } else {
            out[n++] = *text == '_' ? ' ' : *text;
        }
    return n;
}

static void hold(long count, const char *to, int port, const char *text)
{
    char said[1000];
    size_t len = strcmp(text, "-") == 0 ? 0 : unescape(text, said);
    long good = 0, bad = 0;
    double worst = 0;

    for (long i = 0; i < count && nheld < MAX; i++) {
        double since = now();
        struct pollfd p = { .fd = start(to, port), .events = POLLOUT };
        int why = 0;
        socklen_t size = sizeof(why);

        if (p.fd >= 0 && poll(&p, 1, 3000) == 1)
            getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &why, &size);
        else
            why = ETIMEDOUT;
        if (!why && len && send(p.fd, said, len, MSG_NOSIGNAL) < 0)
            why = errno;
        if (now() - since > worst)
            worst = now() - since;
        if (why) {
            bad++;
            close(p.fd);
            continue;
        }
        good++;
        held[nheld++] = p.fd;
    }
    dprintf(1, "ok %ld %ld %.3f\n", good, bad, worst);
}

static void flows(long count, const char *to, int port)
{
    struct sockaddr_storage a;
    socklen_t len = address(to, port, &a);
    long good = 0;

    for (long i = 0; i < count && nheld < MAX; i++) {
        int s = socket(a.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

        good += sendto(s, "x", 1, 0, (void *)&a, len) == 1;
        held[nheld++] = s;
        if (i % 100 == 99)
            usleep(2000);
    }
    dprintf(1, "ok %ld 0 0\n", good);
}

/* One question each for A of NUMBER.wild.test, to the resolver inside. */
static void ask(long count)
{
    struct sockaddr_storage a;
    socklen_t len = address("198.18.0.2", 53, &a);
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    long answers = 0;
    char q[512], back[2048];

    for (long i = 0; i < count; i++) {
        int n = 0, label;

        memcpy(q, "\0\0\1\0\0\1\0\0\0\0\0\0", 12);
        q[0] = (char)(i >> 8);
        q[1] = (char)i;
        n = 12;
        label = sprintf(q + n + 1, "%ld", i % 1000);
        q[n] = (char)label;
        n += label + 1;
        memcpy(q + n, "\4wild\4test\0\0\1\0\1", 15);
        n += 15;
        (void)!sendto(s, q, n, 0, (void *)&a, len);
        if (i % 50 == 49)
            usleep(2000);
        while (recv(s, back, sizeof(back), 0) > 0)
            answers++;
    }
    close(s);
    dprintf(1, "ok %ld 0 0\n", answers);
}

static void many_resets(long count, const char *to, int port)
{
    static char bytes[20000];
    long good = 0;
    int batch[100];

    for (long i = 0; i < count; i += 100) {
        for (int k = 0; k < 100; k++) {
            struct pollfd p = { .fd = start(to, port), .events = POLLOUT };

            if (poll(&p, 1, 3000) == 1 &&
                send(p.fd, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
                good++;
            batch[k] = p.fd;
        }
        /* The gateway shall have seen all of them, and what they sent. */
        usleep(20000);
        for (int k = 0; k < 100; k++)
            end(batch[k], 1);
    }
    dprintf(1, "ok %ld 0 0\n", good);
}

static void drop(void)
{
    while (nheld)
        close(held[--nheld]);
    dprintf(1, "ok 0 0 0\n");
}

int main(void)
{
    char line[1000], what[20], to[64], text[800];
    long count;
    int at_once, port;
    struct rlimit r;

    getrlimit(RLIMIT_NOFILE, &r);
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    while (fgets(line, sizeof(line), stdin)) {
        if (sscanf(line, "run %ld %d %63s %d", &count, &at_once, to, &port) ==
            4)
            run(count, at_once, to, port);
        else if (sscanf(line, "hold %ld %63s %d %799s", &count, to, &port,
                        text) == 4)
            hold(count, to, port, text);
        else if (sscanf(line, "flows %ld %63s %d", &count, to, &port) == 3)
            flows(count, to, port);
        else if (sscanf(line, "ask %ld", &count) == 1)
            ask(count);
        else if (sscanf(line, "reset %ld %63s %d", &count, to, &port) == 3)
            many_resets(count, to, port);
        else
            drop();
    }
    return 0;
}
