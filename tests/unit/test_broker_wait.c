/* test_broker_wait.c - callers that wait, die, or come in numbers. */
#include "broker_box.h"

#include <pthread.h>
#include <stdatomic.h>

static void fifo_blocks_only_its_opener(void)
{
    double t;
    int r, w, status;
    pid_t pid;
    char b[8] = "";

    CHECK_INT(mkfifo("p", 0600), 0);
    CHECK_INT(try_open("p", O_WRONLY | O_CREAT | O_NONBLOCK), -ENXIO);
    CHECK_INT(try_open("p", O_RDONLY | O_CREAT | O_NONBLOCK), 0);
    CHECK_INT(try_open("p", O_RDWR | O_CREAT), 0);
    pid = fork();
    if (pid == 0) {
        w = open("p", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        CHECK(w >= 0);
        CHECK_INT(fcntl(w, F_GETFL) & O_NONBLOCK, 0);
        CHECK_INT(fcntl(w, F_GETFD), FD_CLOEXEC);
        CHECK_INT(write(w, "hello", 5), 5);
        _exit(0);
    }
    t = now_s();
    for (int i = 0; i < 200; i++) {
        CHECK_INT(mkdir("d", 0700), 0);
        CHECK_INT(rmdir("d"), 0);
    }
    CHECK(now_s() - t < 2);
    CHECK_INT(waitpid(pid, &status, WNOHANG), 0);
    r = open("p", O_RDONLY);
    CHECK(r >= 0);
    CHECK_INT(read(r, b, sizeof(b)), 5);
    CHECK_STR(b, "hello");
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

TEST(opening_a_fifo_blocks_nobody_else)
{
    box_begin();
    CHECK_INT(run_with("deny", fifo_blocks_only_its_opener), 0);
    box_end();
}

static void many_blocked(void)
{
    enum { N = 20 };
    pid_t pid[N];
    int refused = 0, status;

    CHECK_INT(mkfifo("p", 0600), 0);
    for (int i = 0; i < N; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            int r = try_open("p", O_RDONLY | O_CREAT);

            _exit(r == -EAGAIN ? 7 : 0);
        }
    }
    while (refused < N - 16) {
        CHECK(wait(&status) > 0);
        CHECK_INT(WEXITSTATUS(status), 7);
        refused++;
    }
    /* Dead callers make room. */
    for (int i = 0; i < N; i++)
        (void)kill(pid[i], SIGKILL);
    while (wait(NULL) > 0)
        ;
    for (int tries = 0; tries < 100; tries++) {
        pid_t one = fork();

        if (one == 0)
            _exit(try_open("p", O_WRONLY | O_CREAT) == 0 ? 0 : 7);
        (void)usleep(20000);
        if (waitpid(one, &status, WNOHANG) == 0) {
            CHECK_INT(close_it(open("p", O_RDONLY)), 0);
            CHECK_INT(waitpid(one, &status, 0), one);
            CHECK_INT(status, 0);
            return;
        }
    }
    T_FAIL("no helper became free");
}

TEST(blocked_opens_are_bounded)
{
    box_begin();
    CHECK_INT(run_with("deny", many_blocked), 0);
    box_end();
}

/* Kill the broker's children (not this test's), as a workload can. */
static int kill_helpers(pid_t init)
{
    char path[64], text[512];
    DIR *d = opendir("/proc");
    struct dirent *e;
    int n = 0;

    CHECK(d);
    while ((e = readdir(d))) {
        int ppid = 0, fd;
        pid_t pid = atoi(e->d_name);
        ssize_t len;

        /* "self" is no number, and kill(2) takes 0 for the whole group. */
        if (pid <= 1 || pid == getpid())
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        len = read(fd, text, sizeof(text) - 1);
        (void)close(fd);
        if (len <= 0)
            continue;
        text[len] = '\0';
        if (strrchr(text, ')') &&
            sscanf(strrchr(text, ')') + 1, " %*c %d", &ppid) == 1 &&
            ppid == init)
            n += kill(pid, SIGKILL) == 0;
    }
    (void)closedir(d);
    return n;
}

static void helper_killed(void)
{
    int status, n = 0;
    pid_t pid;

    CHECK_INT(mkfifo("p", 0600), 0);
    pid = fork();
    if (pid == 0)
        _exit(try_open("p", O_RDONLY | O_CREAT) == -EINTR ? 0 : 7);
    while (n == 0)
        n = kill_helpers(getppid());
    CHECK_INT(n, 1);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

TEST(a_killed_helper_does_not_leave_its_caller)
{
    box_begin();
    CHECK_INT(run_with("deny", helper_killed), 0);
    box_end();
}

static void on_signal(int sig)
{
    (void)sig;
}

static void signal_ends_wait(void)
{
    struct sigaction sa = { .sa_handler = on_signal };
    double t = now_s();

    CHECK_INT(mkfifo("p", 0600), 0);
    CHECK_INT(sigaction(SIGALRM, &sa, NULL), 0);
    (void)alarm(1);
    CHECK_INT(try_open("p", O_RDONLY | O_CREAT), -EINTR);
    CHECK(now_s() - t < 3);
}

TEST(a_signal_ends_a_blocked_open)
{
    box_begin();
    CHECK_INT(run_with("deny", signal_ends_wait), 0);
    box_end();
}

static void lease(void)
{
    int fd, go[2];
    char c;
    pid_t pid;

    touch("f");
    CHECK_INT(pipe(go), 0);
    pid = fork();
    if (pid == 0) {
        (void)signal(SIGIO, SIG_IGN);
        fd = open("f", O_RDWR);
        CHECK_INT(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
        CHECK_INT(write(go[1], "x", 1), 1);
        (void)usleep(300000);
        CHECK_INT(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
        _exit(0);
    }
    CHECK_INT(read(go[0], &c, 1), 1);
    CHECK_INT(try_open("f", O_WRONLY | O_CREAT | O_NONBLOCK), -EAGAIN);
    CHECK_INT(try_open("f", O_WRONLY | O_CREAT), 0);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
}

TEST(a_lease_makes_only_its_opener_wait)
{
    box_begin();
    CHECK_INT(run_with("deny", lease), 0);
    box_end();
}

static atomic_long failures;

static void dying_callers(void)
{
    for (int i = 0; i < 300; i++) {
        pid_t pid = fork();

        if (pid == 0)
            for (;;) {
                (void)m_open("x");
                (void)mkdir("y", 0700);
                (void)rename("x", "z");
            }
        (void)usleep((useconds_t)(i % 40) * 20);
        CHECK_INT(kill(pid, SIGKILL), 0);
        CHECK_INT(waitpid(pid, NULL, 0), pid);
    }
    CHECK_INT(m_open("still"), 0);
}

TEST(callers_may_die_at_any_moment)
{
    box_begin();
    CHECK_INT(run_with("deny", dying_callers), 0);
    box_end();
}

static void *flood(void *arg)
{
    const char *name = arg;

    for (int i = 0; i < 2000; i++) {
        if (m_open(name) != 0)
            atomic_fetch_add(&failures, 1);
        (void)unlink(name);
    }
    return NULL;
}

static void flooded(void)
{
    static char name[8][2] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    pthread_t t[8];

    for (size_t i = 0; i < 8; i++)
        CHECK_INT(pthread_create(&t[i], NULL, flood, name[i]), 0);
    for (size_t i = 0; i < 8; i++)
        CHECK_INT(pthread_join(t[i], NULL), 0);
    CHECK_INT(atomic_load(&failures), 0);
}

TEST(eight_threads_at_once)
{
    box_begin();
    CHECK_INT(run_with("deny", flooded), 0);
    box_end();
}

static void timed(const char *what, int n)
{
    double t = now_s();

    for (int i = 0; i < n; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "f%d", i);
        CHECK_INT(close_it(open(name, O_CREAT | O_EXCL | O_WRONLY, 0600)), 0);
    }
    printf("# %s: %.1f us per create\n", what, (now_s() - t) * 1e6 / n);
    for (int i = 0; i < n; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "f%d", i);
        (void)unlink(name);
    }
}

static void timed_brokered(void)
{
    timed("brokered", 20000);
}

TEST(twenty_thousand_creates)
{
    box_begin_in("/dev/shm");
    timed("plain", 20000);
    CHECK_INT(run_with("deny", timed_brokered), 0);
    box_end();
}

T_MAIN()
