/* test_events.c - the writer of events: it does not wait for a pipe that
 * somebody else fills, and at the end not longer than it says. */
#include "t.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/clock.h"
#include "supervise/events.h"
#include "sys/userns.h"

/* A pipe that others write to: it is full whenever the writer has seen that
 * there is room. */
static int filled = -1;

static void fill(int fd)
{
    static const char rest[4096];
    const int flags = fcntl(fd, F_GETFL);

    CHECK(fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
    while (write(fd, rest, sizeof(rest)) > 0 || write(fd, rest, 1) > 0)
        continue;
    CHECK_INT(errno, EAGAIN);
    CHECK(fcntl(fd, F_SETFL, flags) == 0);
}

/* In place of libc's. */
int poll(struct pollfd *p, nfds_t n, int ms)
{
    const int r = (int)syscall(SYS_poll, p, n, ms);

    if (filled >= 0 && n == 1 && p->fd == filled && r > 0)
        fill(filled);
    return r;
}

/* Without /proc nothing can be opened anew, as a stranger's pipe. */
static void hide_proc(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    const char *op;

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        SKIP("user namespaces");
    CHECK_INT(userns_map(uid, uid, gid, gid, &op), 0);
    CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHECK(mount("none", "/proc", "tmpfs", 0, "mode=0755") == 0);
}

static void tell(struct events *ev)
{
    event_put_text(events_begin(ev, EVENT_LIMITED), EVENT_OF, "something");
    events_end(ev);
}

static size_t lines_in(int fd)
{
    size_t lines = 0;
    char piece[4096];
    ssize_t n;

    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    while ((n = read(fd, piece, sizeof(piece))) > 0)
        for (ssize_t i = 0; i < n; i++)
            lines += piece[i] == '\n';
    return lines;
}

static void make_pipe(int p[2], bool has_name)
{
    const char *name = "/proc/fifo";

    hide_proc();
    if (!has_name) {
        CHECK(pipe2(p, O_CLOEXEC) == 0);
        return;
    }
    CHECK(mkfifo(name, 0600) == 0);
    p[0] = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    p[1] = open(name, O_WRONLY | O_CLOEXEC);
    CHECK(p[0] >= 0 && p[1] >= 0 && unlink(name) == 0);
}

static void never_waits(bool has_name)
{
    struct events ev;
    int p[2];

    make_pipe(p, has_name);
    (void)alarm(20);
    events_open(&ev, p[1], NULL);
    CHECK_INT(ev.own, -1);
    tell(&ev);
    CHECK_INT(lines_in(p[0]), 1);
    /* There is room when it looks, and none any more when it writes. */
    filled = p[1];
    for (int i = 0; i < 8; i++)
        tell(&ev);
    filled = -1;
    (void)lines_in(p[0]);
    events_flush(&ev);
    CHECK_INT(lines_in(p[0]), 8);
    events_close(&ev);
}

TEST(a_pipe_that_is_full_when_it_is_written_to)
{
    never_waits(false);
}

TEST(a_pipe_with_a_name_that_is_full_when_it_is_written_to)
{
    never_waits(true);
}

/* More than a pipe takes, in the order in which it was told. */
TEST(a_pipe_that_is_read_now_and_then)
{
    enum { MANY = 4000 };
    static char all[4 << 20];
    size_t n = 0;
    struct events ev;
    int p[2];

    make_pipe(p, false);
    events_open(&ev, p[1], NULL);
    for (int i = 0; i < MANY; i++) {
        tell(&ev);
        if (i % 100 == 0 || i == MANY - 1)
            for (ssize_t r = 1; r > 0; n += r > 0 ? (size_t)r : 0) {
                events_flush(&ev);
                CHECK(fcntl(p[0], F_SETFL, O_NONBLOCK) == 0);
                r = read(p[0], all + n, sizeof(all) - 1 - n);
            }
    }
    events_close(&ev);
    for (int i = 1, at = 0; i <= MANY; i++) {
        char want[32];
        char *end = strchr(all + at, '\n');

        CHECK(end);
        *end = '\0';
        (void)snprintf(want, sizeof(want), "\"seq\":%d,", i);
        CHECK_HAS(all + at, want);
        at = (int)(end + 1 - all);
    }
}

/* A reader that takes a little all the time: two seconds, and not two for what
 * waits and two more for the last line. */
TEST(the_wait_at_the_end_is_one)
{
    struct events ev;
    uint64_t began;
    int p[2];
    pid_t pid;

    CHECK(pipe2(p, O_CLOEXEC) == 0);
    CHECK(fcntl(p[1], F_SETPIPE_SZ, 4096) == 4096);
    events_open(&ev, p[1], NULL);
    for (int i = 0; i < 1500; i++)
        tell(&ev);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        const struct timespec nap = { .tv_nsec = 100000000 };
        char piece[4096];

        (void)close(p[1]);
        (void)close(ev.own);
        while (read(p[0], piece, sizeof(piece)) > 0)
            (void)nanosleep(&nap, NULL);
        _exit(0);
    }
    began = now_ms();
    events_settle(&ev);
    CHECK(now_ms() - began >= 1500);
    tell(&ev);
    events_close(&ev);
    CHECK(now_ms() - began < 3000);
    (void)close(p[1]);
    (void)close(p[0]);
    CHECK(waitpid(pid, NULL, 0) == pid);
}

T_MAIN()
