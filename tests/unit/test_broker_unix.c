/* test_broker_unix.c - bind(2) and connect(2): the sandbox's own sockets
 * work, the host's in a granted directory are out of reach.
 *
 * "/" is the sandbox's own filesystem here, a directory on /dev/shm stands
 * for a granted one of the host. */
#include "broker_box.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

static int run(void (*body)(void))
{
    const struct broker_config cfg = { .unix_sockets = true };

    return box_run(&cfg, body);
}

static void begin_granted(void)
{
    struct stat root, shm;

    CHECK_INT(stat("/", &root), 0);
    if (stat("/dev/shm", &shm) < 0 || shm.st_dev == root.st_dev)
        SKIP("a /dev/shm on a filesystem of its own");
    box_begin_in("/dev/shm");
}

static socklen_t address(struct sockaddr_un *un, const char *path)
{
    *un = (struct sockaddr_un){ .sun_family = AF_UNIX };
    (void)snprintf(un->sun_path, sizeof(un->sun_path), "%s", path);
    return sizeof(*un);
}

static int bind_to(int s, const char *path)
{
    struct sockaddr_un un;
    socklen_t len = address(&un, path);

    return ERRNO(bind(s, (const struct sockaddr *)&un, len));
}

static int connect_to(int s, const char *path)
{
    struct sockaddr_un un;
    socklen_t len = address(&un, path);

    return ERRNO(connect(s, (const struct sockaddr *)&un, len));
}

static int stream(void)
{
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(s >= 0);
    return s;
}

static int server(const char *path)
{
    int s = stream();

    CHECK_INT(bind_to(s, path), 0);
    CHECK_INT(listen(s, 5), 0);
    return s;
}

static int try_connect(const char *path)
{
    int s = stream(), r = connect_to(s, path);

    (void)close(s);
    return r;
}

/* A server at bind_path, a client that reaches it at connect_path. */
static void talk(const char *bind_path, const char *connect_path)
{
    struct sockaddr_un name = { 0 };
    socklen_t len = sizeof(name);
    int s = server(bind_path), c = stream(), a;
    char b[8] = "";

    CHECK_INT(getsockname(s, (struct sockaddr *)&name, &len), 0);
    CHECK_STR(name.sun_path, bind_path);
    CHECK_INT(connect_to(c, connect_path), 0);
    a = accept4(s, NULL, NULL, SOCK_CLOEXEC);
    CHECK(a >= 0);
    CHECK_INT(write(c, "hello", 5), 5);
    CHECK_INT(read(a, b, sizeof(b)), 5);
    CHECK_STR(b, "hello");
    (void)close(a);
    (void)close(c);
    (void)close(s);
}

static void own_sockets(void)
{
    char path[PATH_MAX], by_fd[64];
    struct stat st;
    int d;

    (void)umask(027);
    path_of(path, "absolute");
    talk(path, path);
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 07777, 0750);
    talk("relative", "relative");
    talk("./dots/../relative2", "dots//../relative2");
    CHECK_INT(symlink("relative", "linked"), 0);
    CHECK_INT(try_connect("linked"), -ECONNREFUSED);
    CHECK_INT(unlink("relative"), 0);
    talk("relative", "linked");
    d = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d/relative3", d);
    {
        int s = server(by_fd);

        CHECK_INT(try_connect("relative3"), 0);
        CHECK_INT(try_connect(by_fd), 0);
        (void)close(s);
    }
    (void)umask(0);
    CHECK_INT(bind_to(stream(), "relative"), -EADDRINUSE);
    CHECK_INT(bind_to(stream(), "nowhere/x"), -ENOENT);
    CHECK_INT(try_connect("nowhere"), -ENOENT);
    CHECK_INT(try_connect("dots"), -ECONNREFUSED);
    CHECK_INT(try_connect("relative/"), -ENOTDIR);
}

TEST(own_sockets_on_the_private_filesystem)
{
    box_begin();
    CHECK_INT(mkdir("dots", 0700), 0);
    CHECK_INT(run(own_sockets), 0);
    box_end();
}

TEST(own_sockets_in_a_granted_directory)
{
    begin_granted();
    CHECK_INT(mkdir("dots", 0700), 0);
    CHECK_INT(run(own_sockets), 0);
    box_end();
}

static int host_socket;

static void host_refused(void)
{
    char path[PATH_MAX], by_fd[64];
    int fd;

    (void)close(host_socket);
    path_of(path, "host");
    CHECK_INT(try_connect("host"), -EACCES);
    CHECK_INT(try_connect(path), -EACCES);
    CHECK_INT(symlink("host", "link"), 0);
    CHECK_INT(try_connect("link"), -EACCES);
    CHECK_INT(link("host", "hard"), 0);
    CHECK_INT(try_connect("hard"), -EACCES);
    fd = open("host", O_PATH | O_CLOEXEC);
    (void)snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
    CHECK_INT(try_connect(by_fd), -EACCES);
    (void)snprintf(by_fd, sizeof(by_fd), "/proc/self/cwd/host");
    CHECK_INT(try_connect(by_fd), -EACCES);
    /* A name that was ours, and now is the host's. */
    (void)close(server("mine"));
    CHECK_INT(try_connect("mine"), -ECONNREFUSED);
    CHECK_INT(rename("hard", "mine"), 0);
    CHECK_INT(try_connect("mine"), -EACCES);
}

TEST(host_sockets_are_refused)
{
    begin_granted();
    host_socket = server("host");
    /* Outside it works, so that the refusal is the broker's. */
    CHECK_INT(try_connect("host"), 0);
    CHECK_INT(run(host_refused), 0);
    CHECK_INT(try_connect("host"), 0);
    (void)close(host_socket);
    box_end();
}

TEST(a_private_directory_can_be_named)
{
    const char *const dirs[] = { "/dev/shm" };
    const struct broker_config cfg = { .unix_sockets = true,
                                       .private_dirs = dirs,
                                       .nprivate = 1 };
    const char *const none[] = { "/nowhere" };
    struct broker_config bad = cfg;
    struct broker *b = NULL;
    struct err e = { 0 };

    bad.private_dirs = none;
    CHECK_INT(broker_create(&bad, &b, &e), -1);
    CHECK_HAS(e.msg, "cannot look at '/nowhere'");
    begin_granted();
    CHECK_INT(mkdir("dots", 0700), 0);
    CHECK_INT(box_run(&cfg, own_sockets), 0);
    box_end();
}

/* The name is exchanged for the host's socket as fast as it goes, so that the
 * broker records the wrong one if it trusts the name. */
static atomic_bool race_over;

static void *swap_in(void *arg)
{
    (void)arg;
    while (!atomic_load(&race_over)) {
        (void)exchange("here", "there");
        /* Fails while the other side has bound there. */
        (void)ERRNO(link("host", "dir/name"));
        (void)unlink("dir/name");
    }
    return NULL;
}

static void race_record(void)
{
    pthread_t t;
    int bound = 0;

    (void)close(host_socket);
    CHECK_INT(mkdir("dir", 0700), 0);
    CHECK_INT(mkdir("dir2", 0700), 0);
    CHECK_INT(symlink("dir", "here"), 0);
    CHECK_INT(symlink("dir2", "there"), 0);
    CHECK_INT(pthread_create(&t, NULL, swap_in, NULL), 0);
    for (int i = 0; i < 10000 || !bound; i++) {
        int s = stream();

        bound += bind_to(s, "here/name") == 0;
        (void)close(s);
        if (try_connect("host") != -EACCES)
            T_FAIL("the host's socket was recorded in round %d", i);
        (void)unlink("dir/name");
        (void)unlink("dir2/name");
    }
    atomic_store(&race_over, true);
    CHECK_INT(pthread_join(t, NULL), 0);
}

static void nothing_by_name(void)
{
    char path[PATH_MAX];
    struct sockaddr_un un = { .sun_family = AF_UNIX };

    path_of(path, "absolute");
    CHECK_INT(bind_to(stream(), path), -EACCES);
    CHECK_INT(bind_to(stream(), "relative"), -EACCES);
    CHECK_INT(access(path, F_OK), -1);
    CHECK_INT(try_connect("served"), -EACCES);
    /* Nor one that has no name yet, and would get an abstract one. */
    CHECK_INT(ERRNO(bind(stream(), (const struct sockaddr *)&un,
                         sizeof(un.sun_family))),
              -EACCES);
}

TEST(a_narrowed_caller_has_nothing_by_name)
{
    box_begin();
    host_socket = server("served");
    CHECK_INT(try_connect("served"), 0);
    box_is_narrowed = true;
    CHECK_INT(run(nothing_by_name), 0);
    (void)close(host_socket);
    box_end();
}

TEST(race_of_bind_and_a_host_socket)
{
    begin_granted();
    host_socket = server("host");
    CHECK_INT(try_connect("host"), 0);
    CHECK_INT(run(race_record), 0);
    (void)close(host_socket);
    box_end();
}

static void records_end(void)
{
    char path[32];
    int s;

    for (int i = 0; i < 512; i++) {
        (void)snprintf(path, sizeof(path), "s%d", i);
        s = stream();
        CHECK_INT(bind_to(s, path), 0);
        (void)close(s);
    }
    CHECK_INT(bind_to(stream(), "one-more"), -ENOMEM);
    CHECK_INT(access("one-more", F_OK), -1);
    CHECK_INT(unlink("s7"), 0);
    talk("one-more", "one-more");
    CHECK_INT(try_connect("s8"), -ECONNREFUSED);
}

TEST(records_are_bounded_and_pruned)
{
    begin_granted();
    CHECK_INT(run(records_end), 0);
    box_end();
}

static void without_path(void)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "" };
    struct sockaddr_un name = { 0 };
    socklen_t len = sizeof(name);
    int s = stream(), c = stream();

    (void)snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "mxc-%d",
                   getpid());
    CHECK_INT(ERRNO(bind(s, (struct sockaddr *)&un, sizeof(un))), 0);
    CHECK_INT(listen(s, 1), 0);
    CHECK_INT(ERRNO(connect(c, (struct sockaddr *)&un, sizeof(un))), 0);
    (void)close(c);
    (void)close(s);
    s = stream();
    CHECK_INT(ERRNO(bind(s, (struct sockaddr *)&un, sizeof(sa_family_t))), 0);
    CHECK_INT(getsockname(s, (struct sockaddr *)&name, &len), 0);
    CHECK_INT(len, sizeof(sa_family_t) + 6);
    CHECK_INT(ERRNO(bind(s, NULL, 16)), -EFAULT);
    CHECK_INT(ERRNO(bind(s, (struct sockaddr *)&un, 200)), -EINVAL);
    CHECK_INT(ERRNO(bind(s, (struct sockaddr *)&un, (socklen_t)-1)), -EINVAL);
    CHECK_INT(ERRNO(bind(s, (struct sockaddr *)&un, 111)), -EINVAL);
    CHECK_INT(ERRNO(bind(500, (struct sockaddr *)&un, 20)), -EBADF);
    CHECK_INT(ERRNO(connect(-1, (struct sockaddr *)&un, 20)), -EBADF);
    CHECK_INT(ERRNO(connect(0, (struct sockaddr *)&un, 20)), -ENOTSOCK);
}

TEST(addresses_without_a_path)
{
    box_begin();
    CHECK_INT(run(without_path), 0);
    box_end();
}

static void full_length(void)
{
    char path[109] = "";
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int s = stream(), c = stream();

    /* All of sun_path, without a NUL (unix(7), "Pathname sockets"). */
    memset(path, 'n', 108);
    memcpy(un.sun_path, path, 108);
    CHECK_INT(ERRNO(bind(s, (struct sockaddr *)&un, sizeof(un))), 0);
    CHECK_INT(listen(s, 1), 0);
    CHECK_INT(ERRNO(connect(c, (struct sockaddr *)&un, sizeof(un))), 0);
    CHECK_INT(access(path, F_OK), 0);
}

TEST(a_path_without_a_nul)
{
    box_begin();
    CHECK_INT(run(full_length), 0);
    box_end();
}

static int loopback(int type, struct sockaddr_in *in, int backlog)
{
    socklen_t len = sizeof(*in);
    int s = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    *in = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    CHECK_INT(ERRNO(bind(s, (struct sockaddr *)in, sizeof(*in))), 0);
    if (type == SOCK_STREAM)
        CHECK_INT(listen(s, backlog), 0);
    CHECK_INT(getsockname(s, (struct sockaddr *)in, &len), 0);
    return s;
}

static int dial(const struct sockaddr_in *in, int type)
{
    int s = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    int r = ERRNO(connect(s, (const struct sockaddr *)in, sizeof(*in)));

    (void)close(s);
    return r;
}

static void inet(void)
{
    struct sockaddr_in in;
    struct timeval tv = { 0 };
    socklen_t len = sizeof(tv);
    int s = loopback(SOCK_STREAM, &in, 5), c;

    CHECK_INT(dial(&in, SOCK_STREAM), 0);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(connect(c, (struct sockaddr *)&in, sizeof(in)), 0);
    CHECK_INT(getsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &tv, &len), 0);
    CHECK_INT(tv.tv_sec, 0);
    CHECK_INT(tv.tv_usec, 0);
    CHECK_INT(fcntl(c, F_GETFL) & O_NONBLOCK, 0);
    CHECK_INT(ERRNO(connect(c, (struct sockaddr *)&in, sizeof(in))), -EISCONN);
    (void)close(c);
    (void)close(s);
    CHECK_INT(dial(&in, SOCK_STREAM), -ECONNREFUSED);
    CHECK_INT(dial(&in, SOCK_STREAM | SOCK_NONBLOCK), -EINPROGRESS);
    s = loopback(SOCK_DGRAM, &in, 0);
    CHECK_INT(dial(&in, SOCK_DGRAM), 0);
    (void)close(s);
}

TEST(internet_sockets_are_as_before)
{
    box_begin();
    CHECK_INT(run(inet), 0);
    box_end();
}

/* A connect that finds the backlog full waits, and only it. */
static void full_backlog(void)
{
    int s = stream(), status, c, a;
    double t;
    pid_t pid;

    CHECK_INT(bind_to(s, "full"), 0);
    CHECK_INT(listen(s, 0), 0);
    CHECK_INT(try_connect("full"), 0);
    c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_INT(connect_to(c, "full"), -EAGAIN);
    pid = fork();
    if (pid == 0)
        _exit(try_connect("full") == 0 ? 0 : 7);
    t = now_s();
    for (int i = 0; i < 100; i++)
        CHECK_INT(try_connect("nowhere"), -ENOENT);
    CHECK(now_s() - t < 2);
    CHECK_INT(waitpid(pid, &status, WNOHANG), 0);
    for (int i = 0; i < 2; i++) {
        a = accept(s, NULL, NULL);
        CHECK(a >= 0);
        (void)close(a);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

TEST(a_full_backlog_blocks_nobody_else)
{
    box_begin();
    CHECK_INT(run(full_backlog), 0);
    box_end();
}

static void full_tcp(void)
{
    struct sockaddr_in in;
    int s = loopback(SOCK_STREAM, &in, 0), status, n = 0;
    pid_t pid = 0;

    /* Fill the queue, until one waits for more than a moment. */
    for (int i = 0; i < 8; i++) {
        pid = fork();
        if (pid == 0)
            _exit(dial(&in, SOCK_STREAM) == 0 ? 0 : 7);
        (void)usleep(100000);
        if (waitpid(pid, &status, WNOHANG) == 0)
            break;
        CHECK_INT(status, 0);
        n++;
    }
    CHECK(n > 0 && n < 8);
    for (int i = 0; i < n; i++) {
        int a = accept(s, NULL, NULL);

        CHECK(a >= 0);
        (void)close(a);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

TEST(a_waiting_tcp_connect_is_finished)
{
    box_begin();
    CHECK_INT(run(full_tcp), 0);
    box_end();
}

/* Denied paths hold for sockets, through the same names. */
static void bind_denied(void)
{
    char path[PATH_MAX];

    path_of(path, "deny");
    CHECK_INT(bind_to(stream(), path), -EACCES);
    CHECK_INT(bind_to(stream(), "deny"), -EACCES);
    CHECK_INT(symlink(".", "up"), 0);
    CHECK_INT(bind_to(stream(), "up/deny"), -EACCES);
    CHECK_INT(access("deny", F_OK), -1);
    CHECK_INT(mkdir("sub", 0700), 0);
    CHECK_INT(bind_to(stream(), "sub/deny"), 0);
    CHECK_INT(access("sub/deny", F_OK), 0);
    /* connect is not asked for in this configuration. */
    CHECK_INT(try_connect("sub/deny"), -ENOSYS);
}

TEST(bind_of_a_denied_path_is_refused)
{
    box_begin();
    CHECK_INT(run_with("deny", bind_denied), 0);
    box_end();
}

static void python(void)
{
    (void)execlp("python3", "python3", "-c",
                 "import multiprocessing as m\n"
                 "if __name__ == '__main__':\n"
                 "    c = m.get_context('forkserver')\n"
                 "    q = c.Manager().list([1])\n"
                 "    p = c.Pool(2)\n"
                 "    assert p.map(abs, [-1, -2, -3]) == [1, 2, 3]\n"
                 "    q.append(2)\n"
                 "    assert list(q) == [1, 2]\n",
                 NULL);
    _exit(errno == ENOENT ? T_SKIP : 1);
}

TEST(python_forkserver_and_manager)
{
    const struct broker_config cfg = { .creates = true, .unix_sockets = true };
    int status;

    begin_granted();
    CHECK_INT(setenv("TMPDIR", box_dir, 1), 0);
    status = box_run(&cfg, python);
    box_end();
    if (WIFEXITED(status) && WEXITSTATUS(status) == T_SKIP)
        SKIP("python3");
    CHECK_INT(status, 0);
}

static void timed_connects(void)
{
    struct sockaddr_in in;
    int s = loopback(SOCK_STREAM, &in, 4096), u;
    double t = now_s();

    for (int i = 0; i < 1000; i++)
        CHECK_INT(dial(&in, SOCK_STREAM), 0);
    printf("# tcp: %.1f us per connect\n", (now_s() - t) * 1e3);
    (void)close(s);
    u = stream();
    CHECK_INT(bind_to(u, "many"), 0);
    CHECK_INT(listen(u, 4096), 0);
    t = now_s();
    for (int i = 0; i < 1000; i++)
        CHECK_INT(try_connect("many"), 0);
    printf("# unix: %.1f us per connect\n", (now_s() - t) * 1e3);
    (void)unlink("many");
    (void)close(u);
}

TEST(thousand_connects)
{
    begin_granted();
    printf("# plain:\n");
    timed_connects();
    printf("# brokered:\n");
    CHECK_INT(run(timed_connects), 0);
    box_end();
}

T_MAIN()
