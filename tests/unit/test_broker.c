/* test_broker.c - the calls that make names, and the rule on denied paths
 * that do not exist. */
#include "broker_box.h"

#include <sys/mman.h>

#define DEEP "a/b/c/d/e/f/g/h/deny"

/* Every way to make a name; each takes the name, relative to the cwd, and
 * returns 0 or -errno. */
static int m_openat(const char *p)
{
    return close_it((int)syscall(SYS_openat, AT_FDCWD, p,
                                 O_WRONLY | O_CREAT | O_EXCL, 0600));
}

static int m_openat_dir(const char *p)
{
    int d = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = close_it((int)syscall(SYS_openat, d, p, O_WRONLY | O_CREAT, 0600));

    (void)close(d);
    return r;
}

static int m_creat(const char *p)
{
    return close_it((int)syscall(SYS_creat, p, 0600));
}

static int m_absolute(const char *p)
{
    char path[PATH_MAX];

    path_of(path, p);
    return m_open(path);
}

static int m_dangling(const char *p)
{
    int r;

    CHECK_INT(symlink(p, "dangling"), 0);
    r = m_open("dangling");
    (void)unlink("dangling");
    return r;
}

static int m_dangling_absolute(const char *p)
{
    char path[PATH_MAX];
    int r;

    path_of(path, p);
    CHECK_INT(symlink(path, "dangling"), 0);
    CHECK_INT(symlink("dangling", "dangling2"), 0);
    r = m_open("dangling2");
    (void)unlink("dangling");
    (void)unlink("dangling2");
    return r;
}

static int m_linked_parent(const char *p)
{
    char path[PATH_MAX];
    int r;

    CHECK_INT(symlink(box_dir, "parent"), 0);
    (void)snprintf(path, sizeof(path), "parent/%s", p);
    r = m_open(path);
    (void)unlink("parent");
    return r;
}

static int m_dots(const char *p)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/.././%s/.//%s", box_dir,
                   strrchr(box_dir, '/'), p);
    return m_open(path);
}

static int m_proc_cwd(const char *p)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "/proc/self/cwd/%s", p);
    return m_open(path);
}

static int m_proc_root(const char *p)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "/proc/self/root%s/%s", box_dir, p);
    return m_open(path);
}

static int m_proc_fd(const char *p)
{
    int d = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), r;
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "/proc/thread-self/fd/%d/%s", d, p);
    r = m_open(path);
    (void)close(d);
    return r;
}

static int m_mkdir(const char *p)
{
    return ERRNO(syscall(SYS_mkdir, p, 0700));
}

static int m_mkdir_slash(const char *p)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s///", p);
    return ERRNO(syscall(SYS_mkdirat, AT_FDCWD, path, 0700));
}

static int m_mkfifo(const char *p)
{
    return ERRNO(syscall(SYS_mknod, p, S_IFIFO | 0600, 0));
}

static int m_mksock(const char *p)
{
    return ERRNO(syscall(SYS_mknodat, AT_FDCWD, p, S_IFSOCK | 0600, 0));
}

static int m_mkreg(const char *p)
{
    return ERRNO(syscall(SYS_mknodat, AT_FDCWD, p, S_IFREG | 0600, 0));
}

static int m_link(const char *p)
{
    return ERRNO(syscall(SYS_link, "source", p));
}

static int m_linkat(const char *p)
{
    return ERRNO(linkat(AT_FDCWD, "source", AT_FDCWD, p, AT_SYMLINK_FOLLOW));
}

static int m_symlink(const char *p)
{
    return ERRNO(syscall(SYS_symlink, "/nowhere", p));
}

static int m_symlinkat(const char *p)
{
    return ERRNO(symlinkat("source", AT_FDCWD, p));
}

static int rename_with(const char *p, long nr)
{
    int r;

    touch("moving");
    if (nr == SYS_rename)
        r = ERRNO(syscall(SYS_rename, "moving", p));
    else
        r = ERRNO(syscall(nr, AT_FDCWD, "moving", AT_FDCWD, p, 0));
    (void)unlink("moving");
    return r;
}

static int m_rename(const char *p)
{
    return rename_with(p, SYS_rename);
}

static int m_renameat(const char *p)
{
    return rename_with(p, SYS_renameat);
}

static int m_renameat2(const char *p)
{
    return rename_with(p, SYS_renameat2);
}

static int m_rename_dir(const char *p)
{
    int r;

    CHECK_INT(mkdir("moving", 0700), 0);
    r = ERRNO(rename("moving", p));
    (void)rmdir("moving");
    return r;
}

static int m_tmpfile(const char *p)
{
    int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    char self[64];
    int r;

    CHECK(fd >= 0);
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    r = ERRNO(linkat(AT_FDCWD, self, AT_FDCWD, p, AT_SYMLINK_FOLLOW));
    (void)close(fd);
    return r;
}

static int m_tmpfile_empty(const char *p)
{
    int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int r = ERRNO(linkat(fd, "", AT_FDCWD, p, AT_EMPTY_PATH));

    (void)close(fd);
    return r;
}

static const struct {
    const char *name;
    int (*make)(const char *p);
    mode_t type;
} ways[] = {
    { "open", m_open, S_IFREG },
    { "openat O_EXCL", m_openat, S_IFREG },
    { "openat with a directory", m_openat_dir, S_IFREG },
    { "creat", m_creat, S_IFREG },
    { "absolute path", m_absolute, S_IFREG },
    { "dangling symlink", m_dangling, S_IFREG },
    { "two dangling symlinks", m_dangling_absolute, S_IFREG },
    { "symlinked parent", m_linked_parent, S_IFREG },
    { "dots and slashes", m_dots, S_IFREG },
    { "/proc/self/cwd", m_proc_cwd, S_IFREG },
    { "/proc/self/root", m_proc_root, S_IFREG },
    { "/proc/thread-self/fd", m_proc_fd, S_IFREG },
    { "mkdir", m_mkdir, S_IFDIR },
    { "mkdirat with slashes", m_mkdir_slash, S_IFDIR },
    { "mknod fifo", m_mkfifo, S_IFIFO },
    { "mknodat socket", m_mksock, S_IFSOCK },
    { "mknodat file", m_mkreg, S_IFREG },
    { "link", m_link, S_IFREG },
    { "linkat", m_linkat, S_IFREG },
    { "symlink", m_symlink, S_IFLNK },
    { "symlinkat", m_symlinkat, S_IFLNK },
    { "rename", m_rename, S_IFREG },
    { "renameat", m_renameat, S_IFREG },
    { "renameat2", m_renameat2, S_IFREG },
    { "rename of a directory", m_rename_dir, S_IFDIR },
    { "bind", m_bind, S_IFSOCK },
    { "O_TMPFILE and linkat of /proc", m_tmpfile, S_IFREG },
    { "O_TMPFILE and AT_EMPTY_PATH", m_tmpfile_empty, S_IFREG },
};

enum { NWAYS = sizeof(ways) / sizeof(ways[0]) };

static void each_way_allowed(void)
{
    touch("source");
    for (int i = 0; i < NWAYS; i++) {
        struct stat st;

        NOTE(ways[i].name);
        CHECK_INT(ways[i].make("ok"), 0);
        CHECK_INT(lstat("ok", &st), 0);
        CHECK_INT(st.st_mode & S_IFMT, ways[i].type);
        CHECK_INT(st.st_uid, geteuid());
        CHECK_INT(remove("ok"), 0);
    }
}

static void each_way_refused(const char *path)
{
    for (int i = 0; i < NWAYS; i++) {
        NOTE(ways[i].name);
        CHECK_INT(ways[i].make(path), -EACCES);
        CHECK(!exists(path));
    }
}

static void refused_at_depth_1(void)
{
    touch("source");
    each_way_refused("deny");
    /* The name alone is not what is denied. */
    CHECK_INT(mkdir("sub", 0700), 0);
    for (int i = 0; i < NWAYS; i++) {
        NOTE(ways[i].name);
        CHECK_INT(ways[i].make("sub/deny"), 0);
        CHECK_INT(remove("sub/deny"), 0);
    }
}

static void refused_at_depth_9(void)
{
    char path[PATH_MAX] = "";

    touch("source");
    for (const char *at = DEEP; strchr(at, '/'); at = strchr(at, '/') + 1) {
        (void)snprintf(path, sizeof(path), "%.*s",
                       (int)(strchr(at, '/') - DEEP), DEEP);
        for (int i = 0; i < NWAYS; i++) {
            if (ways[i].make == m_mkdir || ways[i].make == m_mkdir_slash)
                continue;
            NOTE(ways[i].name);
            CHECK_INT(ways[i].make(path), -EACCES);
            CHECK(!exists(path));
        }
        CHECK_INT(mkdir(path, 0700), 0);
    }
    each_way_refused(DEEP);
    CHECK_INT(m_open("a/b/c/d/e/f/g/h/other"), 0);
}

TEST(every_way_to_make_a_name_works)
{
    box_begin();
    CHECK_INT(run_with("deny", each_way_allowed), 0);
    box_end();
}

TEST(denied_path_at_depth_1_is_refused)
{
    box_begin();
    CHECK_INT(run_with("deny", refused_at_depth_1), 0);
    CHECK(!exists("deny"));
    box_end();
}

TEST(denied_path_at_depth_9_is_refused)
{
    box_begin();
    CHECK_INT(run_with(DEEP, refused_at_depth_9), 0);
    CHECK(!exists(DEEP));
    box_end();
}

static void appeared(void)
{
    touch("source");
    CHECK_INT(close_it(open("deny", O_RDONLY)), 0);
    CHECK_INT(m_open("deny"), -EACCES);
    CHECK_INT(m_absolute("deny"), -EACCES);
    CHECK_INT(m_link("deny"), -EACCES);
    CHECK_INT(m_rename("deny"), -EACCES);
}

/* The host made it while the sandbox ran: writing by way of O_CREAT is still
 * refused. */
TEST(a_denied_path_that_appeared)
{
    box_begin();
    touch("deny");
    CHECK_INT(run_with("deny", appeared), 0);
    box_end();
}

static void chain_moves(void)
{
    CHECK_INT(mkdir("evil", 0700), 0);
    CHECK_INT(mkdir("evil/hooks", 0700), 0);
    CHECK_INT(m_open("evil/hooks/pre-commit"), 0);
    CHECK_INT(ERRNO(rename("evil", ".git")), -EACCES);
    CHECK_INT(m_mkdir(".git"), 0);
    CHECK_INT(ERRNO(rename("evil", ".git")), -EACCES);
    CHECK_INT(ERRNO(rename("evil/hooks", ".git/hooks")), -EACCES);
    CHECK_INT(exchange("evil", ".git"), -EACCES);
    CHECK_INT(exchange(".git", "evil"), -EACCES);
    CHECK_INT(m_mkdir(".git/hooks"), 0);
    CHECK_INT(exchange("evil/hooks/pre-commit", ".git/hooks/x"), -ENOENT);
    CHECK_INT(m_open(".git/hooks/x"), 0);
    CHECK_INT(ERRNO(rename(".git/hooks/x", ".git/hooks/pre-commit")), -EACCES);
    CHECK_INT(exchange("evil/hooks", ".git/hooks"), -EACCES);
    /* Moved away it is any directory, and may not come back. */
    CHECK_INT(ERRNO(rename(".git", "other")), 0);
    CHECK_INT(m_open("other/hooks/pre-commit"), 0);
    CHECK_INT(ERRNO(rename("other", ".git")), -EACCES);
    CHECK_INT(m_mkdir(".git"), 0);
    CHECK_INT(ERRNO(rename("other/hooks", ".git/hooks")), -EACCES);
    CHECK(!exists(".git/hooks"));
}

TEST(a_missing_directory_is_only_made_by_mkdir)
{
    box_begin();
    CHECK_INT(run_with("deny", chain_moves), 0);
    CHECK(!exists(".git/hooks/pre-commit"));
    box_end();
}

static void kept_directory(void)
{
    int hooks;

    CHECK_INT(m_mkdir(".git"), 0);
    CHECK_INT(m_mkdir(".git/hooks"), 0);
    hooks = open(".git/hooks", O_PATH | O_DIRECTORY | O_CLOEXEC);
    CHECK(hooks >= 0);
    CHECK_INT(ERRNO(openat(hooks, "pre-commit", O_CREAT | O_WRONLY, 0600)),
              -EACCES);
    /* The chain cannot be read any more: refused, not forgotten. */
    CHECK_INT(chmod(".git", 0), 0);
    CHECK_INT(ERRNO(openat(hooks, "pre-commit", O_CREAT | O_WRONLY, 0600)),
              -EACCES);
    CHECK_INT(chmod(".git", 0700), 0);
    CHECK(!exists(".git/hooks/pre-commit"));
    CHECK_INT(rename(".git/hooks", "moved"), 0);
    CHECK_INT(close_it(openat(hooks, "pre-commit", O_CREAT | O_WRONLY, 0600)),
              0);
    CHECK_INT(ERRNO(rename("moved", ".git/hooks")), -EACCES);
}

TEST(a_directory_descriptor_does_not_get_around)
{
    box_begin();
    CHECK_INT(run_with("deny", kept_directory), 0);
    box_end();
}

static void open_semantics(void)
{
    struct stat st;
    char b[8] = "";
    int fd;

    (void)umask(027);
    fd = open("f", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    CHECK(fd >= 0);
    CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_INT(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK),
              O_RDWR | O_APPEND);
    CHECK_INT(fstat(fd, &st), 0);
    CHECK_INT(st.st_mode & 07777, 0640);
    CHECK_INT(write(fd, "hello", 5), 5);
    (void)close(fd);
    fd = open("f", O_WRONLY | O_CREAT | O_NONBLOCK, 0666);
    CHECK_INT(fcntl(fd, F_GETFD), 0);
    CHECK_INT(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK),
              O_WRONLY | O_NONBLOCK);
    (void)close(fd);
    fd = open("f", O_RDONLY | O_CREAT, 0666);
    CHECK_INT(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY);
    CHECK_INT(read(fd, b, sizeof(b)), 5);
    CHECK_STR(b, "hello");
    (void)close(fd);
    CHECK_INT(close_it(open("f", O_WRONLY | O_CREAT | O_TRUNC, 0666)), 0);
    CHECK_INT(stat("f", &st), 0);
    CHECK_INT(st.st_size, 0);
    CHECK_INT(st.st_mode & 07777, 0640);
    (void)umask(0);
    CHECK_INT(mkdir("d", 0777), 0);
    CHECK_INT(mkfifo("p", 0666), 0);
    CHECK_INT(stat("d", &st), 0);
    CHECK_INT(st.st_mode & 07777, 0777);
    CHECK_INT(stat("p", &st), 0);
    CHECK_INT(st.st_mode & 07777, 0666);
    (void)umask(077);
    CHECK_INT(mkdir("d2", 0777), 0);
    CHECK_INT(stat("d2", &st), 0);
    CHECK_INT(st.st_mode & 07777, 0700);
}

static void open_errors(void)
{
    touch("f");
    CHECK_INT(mkdir("d", 0700), 0);
    CHECK_INT(symlink("f", "good"), 0);
    CHECK_INT(symlink("loop", "loop"), 0);
    CHECK_INT(symlink("/nowhere/x", "bad"), 0);
    CHECK_INT(symlink("d/", "slash"), 0);
    CHECK_INT(symlink("g/", "newslash"), 0);
    CHECK_INT(try_open("f", O_CREAT | O_EXCL), -EEXIST);
    CHECK_INT(try_open("bad", O_CREAT | O_EXCL), -EEXIST);
    CHECK_INT(try_open("good", O_CREAT), 0);
    CHECK_INT(try_open("good", O_CREAT | O_NOFOLLOW), -ELOOP);
    CHECK_INT(try_open("loop", O_CREAT), -ELOOP);
    CHECK_INT(try_open("loop/x", O_CREAT), -ELOOP);
    CHECK_INT(try_open("bad", O_CREAT), -ENOENT);
    CHECK_INT(try_open("slash", O_CREAT), -EISDIR);
    CHECK_INT(try_open("newslash", O_CREAT), -EISDIR);
    CHECK_INT(try_open("d", O_CREAT), -EISDIR);
    CHECK_INT(try_open("d/", O_CREAT), -EISDIR);
    CHECK_INT(try_open(".", O_CREAT), -EISDIR);
    CHECK_INT(try_open("/", O_CREAT), -EISDIR);
    CHECK_INT(try_open("f/x", O_CREAT), -ENOTDIR);
    CHECK_INT(try_open("", O_CREAT), -ENOENT);
    CHECK_INT(try_open("d", O_CREAT | O_DIRECTORY), -EINVAL);
    CHECK_INT(try_open("f", O_CREAT | O_PATH), -EINVAL);
    CHECK_INT(try_open(".", O_CREAT | O_TMPFILE | O_RDWR), -EINVAL);
    CHECK_INT(ERRNO(openat(-5, "x", O_CREAT, 0600)), -EBADF);
    CHECK_INT(ERRNO(openat(1000, "x", O_CREAT, 0600)), -EBADF);
    CHECK_INT(ERRNO(openat(0, "x", O_CREAT, 0600)), -ENOTDIR);
    CHECK_INT(ERRNO(mkdir(".", 0700)), -EEXIST);
    CHECK_INT(ERRNO(mkdir("/", 0700)), -EEXIST);
    CHECK_INT(ERRNO(mkdir("f", 0700)), -EEXIST);
    CHECK_INT(ERRNO(mkdir("bad", 0700)), -EEXIST);
    CHECK_INT(ERRNO(rename("d", "f")), -ENOTDIR);
    CHECK_INT(ERRNO(rename("f", "d")), -EISDIR);
    CHECK_INT(ERRNO(rename("f/", "y")), -ENOTDIR);
    CHECK_INT(ERRNO(rename("d", "d/e")), -EINVAL);
    CHECK_INT(ERRNO(rename(".", "y")), -EBUSY);
    CHECK_INT(
        ERRNO(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "d", 1u << 20)),
        -EINVAL);
    CHECK_INT(ERRNO(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "good",
                            RENAME_NOREPLACE)),
              -EEXIST);
    CHECK_INT(exchange("f", "d"), 0);
    CHECK_INT(exchange("f", "d"), 0);
    CHECK_INT(ERRNO(linkat(AT_FDCWD, "f", AT_FDCWD, "y", 1)), -EINVAL);
    CHECK_INT(ERRNO(linkat(AT_FDCWD, "", AT_FDCWD, "y", 0)), -ENOENT);
    CHECK_INT(ERRNO(link("d", "y")), -EPERM);
    CHECK_INT(ERRNO(symlink("", "y")), -ENOENT);
    CHECK_INT(ERRNO(symlink("x", "y/")), -ENOENT);
}

TEST(open_keeps_mode_umask_and_flags)
{
    box_begin();
    CHECK_INT(run_with("deny", open_semantics), 0);
    box_end();
}

TEST(errors_are_those_of_the_kernel)
{
    box_begin();
    CHECK_INT(run_with("deny", open_errors), 0);
    box_end();
}

static void odd_arguments(void)
{
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char name[NAME_MAX + 2], path[PATH_MAX + 8] = "";
    char *end = map + 4096;

    CHECK(map != MAP_FAILED);
    CHECK_INT(munmap(end, 4096), 0);
    CHECK_INT(ERRNO(syscall(SYS_mkdir, NULL, 0700)), -EFAULT);
    CHECK_INT(ERRNO(syscall(SYS_mkdir, end, 0700)), -EFAULT);
    CHECK_INT(ERRNO(syscall(SYS_mkdir, -1l, 0700)), -EFAULT);
    memcpy(end - 2, "zz", 2);
    CHECK_INT(ERRNO(syscall(SYS_mkdir, end - 2, 0700)), -EFAULT);
    memcpy(end - 2, "z", 2);
    CHECK_INT(ERRNO(syscall(SYS_mkdir, end - 2, 0700)), 0);
    memset(name, 'n', sizeof(name));
    name[NAME_MAX] = '\0';
    CHECK_INT(ERRNO(mkdir(name, 0700)), 0);
    name[NAME_MAX] = 'n';
    name[NAME_MAX + 1] = '\0';
    CHECK_INT(ERRNO(mkdir(name, 0700)), -ENAMETOOLONG);
    CHECK_INT(try_open(name, O_CREAT), -ENAMETOOLONG);
    for (int i = 0; i < PATH_MAX - 2; i += 2)
        memcpy(path + i, "./", 2);
    memcpy(path + PATH_MAX - 2, "y", 2);
    CHECK_INT(strlen(path), PATH_MAX - 1);
    CHECK_INT(ERRNO(mkdir(path, 0700)), 0);
    memcpy(path + PATH_MAX - 2, "yy", 3);
    CHECK_INT(ERRNO(mkdir(path, 0700)), -ENAMETOOLONG);
    memcpy(path + PATH_MAX - 6, "deny", 5);
    CHECK_INT(strlen(path), PATH_MAX - 2);
    CHECK_INT(ERRNO(mkdir(path, 0700)), -EACCES);
    CHECK_INT(prctl(PR_SET_DUMPABLE, 0), 0);
    CHECK_INT(ERRNO(mkdir("unreadable", 0700)), geteuid() == 0 ? 0 : -EACCES);
}

TEST(odd_arguments_are_answered)
{
    box_begin();
    CHECK_INT(run_with("deny", odd_arguments), 0);
    box_end();
}

static void proc_paths(void)
{
    char path[64], text[8] = "";
    int fd, p[2];
    pid_t init = getppid();

    static const char *const own[] = { "mem", "status", "oom_score_adj",
                                       "environ", "comm" };
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        NOTE(own[i]);
        (void)snprintf(path, sizeof(path), "/proc/self/%s", own[i]);
        CHECK_INT(try_open(path, O_CREAT), -EACCES);
        (void)snprintf(path, sizeof(path), "/proc/%d/%s", init, own[i]);
        CHECK_INT(try_open(path, O_CREAT), -EACCES);
    }
    NOTE("the broker's own");
    (void)snprintf(path, sizeof(path), "/proc/%d/root/tmp/x", init);
    CHECK_INT(try_open(path, O_CREAT), -EACCES);
    (void)snprintf(path, sizeof(path), "/proc/%d/fd/0", init);
    CHECK_INT(try_open(path, O_CREAT), -EACCES);
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/cwd/x", init, init);
    CHECK_INT(try_open(path, O_CREAT), -EACCES);
    CHECK_INT(try_open("/proc/self/../self/mem", O_CREAT), -EACCES);
    CHECK_INT(try_open("/proc/sys/kernel/hostname", O_CREAT | O_WRONLY),
              -EACCES);
    CHECK_INT(try_open("/proc/self/fd/999", O_CREAT), -ENOENT);
    (void)snprintf(path, sizeof(path), "/proc/%d", init);
    fd = open(path, O_PATH | O_DIRECTORY);
    CHECK(fd >= 0);
    CHECK_INT(ERRNO(openat(fd, "mem", O_CREAT, 0)), -EACCES);
    CHECK_INT(ERRNO(openat(fd, "root/tmp/x", O_CREAT, 0)), -EACCES);
    (void)close(fd);
    NOTE("the caller's own");
    CHECK_INT(pipe(p), 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", p[1]);
    CHECK_INT(ERRNO(mkdir(path, 0700)), -EEXIST);
    CHECK_INT(ERRNO(link(path, "x")), -EXDEV);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, "hi", 2), 2);
    CHECK_INT(read(p[0], text, sizeof(text)), 2);
    CHECK_STR(text, "hi");
    CHECK_INT(dup2(p[1], 1), 1);
    CHECK_INT(try_open("/dev/stdout", O_WRONLY | O_CREAT), 0);
    CHECK_INT(try_open("/dev/fd/1", O_WRONLY | O_CREAT), 0);
    CHECK_INT(try_open("/dev/null", O_WRONLY | O_CREAT), 0);
}

TEST(proc_gives_nothing_of_the_broker)
{
    box_begin();
    CHECK_INT(run_with("deny", proc_paths), 0);
    box_end();
}

static void own_tty(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave, tty;
    char b[8] = "";

    CHECK(setsid() > 0);
    CHECK_INT(try_open("/dev/tty", O_RDWR | O_CREAT), -ENXIO);
    CHECK(master >= 0);
    CHECK_INT(grantpt(master), 0);
    CHECK_INT(unlockpt(master), 0);
    /* Without O_NOCTTY: it becomes the controlling terminal. */
    slave = open(ptsname(master), O_RDWR | O_CLOEXEC);
    CHECK(slave >= 0);
    tty = open("/dev/tty", O_RDWR | O_CREAT, 0600);
    CHECK(tty >= 0);
    CHECK_INT(write(tty, "hi", 2), 2);
    CHECK_INT(read(master, b, sizeof(b)), 2);
    CHECK_STR(b, "hi");
}

TEST(dev_tty_is_the_callers)
{
    box_begin();
    CHECK_INT(run_with("deny", own_tty), 0);
    box_end();
}

TEST(bad_configuration_is_refused)
{
    static const struct {
        const char *dir, *rest, *want;
    } bad[] = {
        { "/nowhere", "x", "cannot open '/nowhere', above a denied path" },
        { "/dev/null", "x", "cannot open '/dev/null', above a denied path" },
        { "/tmp", "", "'' is not made of plain components" },
        { "/tmp", "/x", "'/x' is not made of plain components" },
        { "/tmp", "x/", "'x/' is not made of plain components" },
        { "/tmp", "x/../y", "'x/../y' is not made of plain components" },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct broker_absent a = { bad[i].dir, bad[i].rest };
        struct broker_config cfg = { .creates = true,
                                     .absent = &a,
                                     .nabsent = 1 };
        struct broker *b = NULL;
        struct err e = { 0 };
        int before = count_fds();

        NOTE(bad[i].want);
        CHECK_INT(broker_create(&cfg, &b, &e), -1);
        CHECK_HAS(e.msg, bad[i].want);
        CHECK(!b);
        CHECK_INT(count_fds(), before);
    }
}

T_MAIN()
