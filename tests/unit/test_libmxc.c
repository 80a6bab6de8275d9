/* test_libmxc.c - libmxc from C, with threads: what a sanitizer should see.
 * The programs are those of the tree of $MXC. */
#include <errno.h>
#include <fcntl.h>
#include <mxc/mxc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "t.h"

enum { THREADS = 8, RUNS = 25 };

static const char *libexec(void)
{
    static char path[4096]; /* before there is a thread */
    const char *mxc = getenv("MXC");
    const char *slash = mxc ? strrchr(mxc, '/') : NULL;

    if (path[0])
        return path;
    if (!slash || mxc[0] != '/')
        SKIP("MXC, the path of a built tree");
    snprintf(path, sizeof(path), "%.*s/../libexec/mxc", (int)(slash - mxc),
             mxc);
    if (access(path, X_OK) < 0)
        SKIP("the programs of a built tree");
    return path;
}

static struct mxc_options options(uint32_t stdio)
{
    struct mxc_options o = MXC_OPTIONS_INIT;

    o.libexec = libexec();
    o.stdio = stdio;
    return o;
}

static void request(char out[512], const char *command)
{
    snprintf(out, 512,
             "{\"version\":\"1.1.0+c1\",\"process\":{\"commandLine\":\"%s\"}}",
             command);
}

static struct mxc_sandbox *spawn(const char *command, uint32_t stdio)
{
    struct mxc_options o = options(stdio);
    struct mxc_error e = MXC_ERROR_INIT;
    struct mxc_sandbox *box = NULL;
    char text[512];

    request(text, command);
    if (mxc_spawn(text, strlen(text), &o, &box, &e) < 0)
        T_FAIL("%s", e.message);
    return box;
}

static int exit_code(struct mxc_sandbox *box)
{
    struct mxc_status s = { sizeof(s), 0, 0, 0, 0 };
    struct mxc_error e = MXC_ERROR_INIT;

    if (mxc_sandbox_wait(box, -1, &s, &e) < 0)
        T_FAIL("%s", e.message);
    return s.exit_code;
}

static void *run_some(void *arg)
{
    const int me = *(int *)arg;

    for (int i = 0; i < RUNS; i++) {
        struct mxc_options o = options(0);
        struct mxc_result r = MXC_RESULT_INIT;
        struct mxc_error e = MXC_ERROR_INIT;
        char text[512], input[32], command[32];

        snprintf(input, sizeof(input), "%d %d", me, i);
        snprintf(command, sizeof(command), "cat; exit %d", me);
        request(text, command);
        o.input = input;
        o.input_len = strlen(input);
        if (mxc_run(text, strlen(text), &o, &r, &e) < 0)
            T_FAIL("%s", e.message);
        CHECK_STR(r.out, input);
        CHECK_INT(r.status.exit_code, me);
        mxc_result_clear(&r);
        mxc_result_clear(&r);
    }
    return NULL;
}

TEST(eight_threads_run_at_once)
{
    pthread_t thread[THREADS];
    int number[THREADS];

    (void)libexec();
    for (int i = 0; i < THREADS; i++) {
        number[i] = i;
        CHECK_INT(pthread_create(&thread[i], NULL, run_some, &number[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(thread[i], NULL), 0);
}

static void *spawn_one(void *arg)
{
    struct mxc_sandbox **box = arg;

    *box = spawn("sleep 0.3; exit 6", MXC_STDIO_NULL);
    return NULL;
}

TEST(the_thread_that_spawned_may_end)
{
    struct mxc_sandbox *box;
    pthread_t thread;

    (void)libexec();
    CHECK_INT(pthread_create(&thread, NULL, spawn_one, &box), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(exit_code(box), 6);
    mxc_sandbox_destroy(box);
}

static void *use(void *arg)
{
    struct mxc_sandbox *box = arg;

    for (int i = 0; i < 50; i++) {
        (void)mxc_sandbox_signal(box, SIGUSR1, NULL);
        (void)mxc_sandbox_result_json(box);
        (void)mxc_sandbox_stdout(box);
        (void)mxc_sandbox_wait(box, 1, NULL, NULL);
    }
    (void)mxc_sandbox_kill(box, NULL);
    (void)mxc_sandbox_wait(box, -1, NULL, NULL);
    return mxc_sandbox_result_json(box) ? NULL : box;
}

TEST(one_sandbox_and_many_threads)
{
    struct mxc_sandbox *box =
        spawn("trap : USR1; echo; while :; do sleep 0.1; done", MXC_STDIO_PIPE);
    pthread_t thread[THREADS];
    void *bad;
    char up;

    CHECK_INT(read(mxc_sandbox_stdout(box), &up, 1), 1);

    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&thread[i], NULL, use, box), 0);
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(thread[i], &bad), 0);
        CHECK(!bad);
    }
    CHECK_INT(exit_code(box), 137);
    mxc_sandbox_destroy(box);
}

TEST(a_fork_forgets)
{
    struct mxc_sandbox *box = spawn("cat; exit 5", MXC_STDIO_PIPE);
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        mxc_sandbox_forget(box);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, 0);
    (void)close(mxc_sandbox_take_stdin(box));
    CHECK_INT(exit_code(box), 5);
    mxc_sandbox_destroy(box);
}

TEST(what_is_destroyed_early_leaves_nothing)
{
    static const uint32_t kinds[] = { MXC_STDIO_NULL, MXC_STDIO_PIPE,
                                      MXC_STDIO_PTY };
    int first = open("/dev/null", O_RDONLY), last;

    CHECK(first >= 0);
    for (int i = 0; i < 30; i++)
        mxc_sandbox_destroy(spawn("sleep 50", kinds[i % 3]));
    last = open("/dev/null", O_RDONLY);
    CHECK_INT(last, first + 1);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0);
}

TEST(a_terminal_that_nobody_reads_is_destroyed_at_once)
{
    struct mxc_sandbox *box = spawn("yes", MXC_STDIO_PTY);
    struct timespec begin, end;

    (void)usleep(300000); /* until what it writes has no room any more */
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    mxc_sandbox_destroy(box);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    CHECK(end.tv_sec - begin.tv_sec <= 1);
}

TEST(a_stopped_supervisor_is_killed)
{
    struct mxc_sandbox *box = spawn("sleep 100", MXC_STDIO_PIPE);
    struct timespec begin, end;

    CHECK(syscall(SYS_pidfd_send_signal, mxc_sandbox_wait_fd(box), SIGSTOP,
                  NULL, 0) == 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    mxc_sandbox_destroy(box);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    CHECK(end.tv_sec - begin.tv_sec <= 2);
}

TEST(null_where_it_is_allowed)
{
    struct mxc_error e = { 0, 0, 0, 0, 0, "", "", "", "" };
    char *text;

    mxc_free(NULL);
    mxc_sandbox_destroy(NULL);
    mxc_sandbox_forget(NULL);
    mxc_result_clear(NULL);
    CHECK_INT(mxc_validate("{", 1, NULL, NULL), -1);
    CHECK_INT(mxc_validate("{", 1, NULL, &e), -1);
    CHECK_INT(e.code, 0);
    CHECK_INT(mxc_run("{", 1, NULL, NULL, NULL), -1);
    text = mxc_error_json(NULL);
    CHECK_HAS(text, "backend_error");
    mxc_free(text);
}

T_MAIN()
