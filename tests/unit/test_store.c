/* test_store.c - where a user's things are kept, and how a tree is removed
 * that somebody else has filled. */
#include "t.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/scoped.h"
#include "sys/store.h"
#include "sys/tree.h"

enum { NOBODY = 65534 };

/* An empty directory of the one who tests, who is no root any more. */
static int place_of_nobody(char path[64])
{
    int fd;

    (void)snprintf(path, 64, "/tmp/mxc-store-XXXXXX");
    CHECK(mkdtemp(path) != NULL);
    if (geteuid() == 0) {
        CHECK(fchownat(AT_FDCWD, path, NOBODY, NOBODY, 0) == 0);
        CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0);
        CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static void make_file(int dir, const char *name)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0);

    CHECK(fd >= 0);
    (void)close(fd);
}

static bool is_there(int dir, const char *name)
{
    return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

TEST(what_is_not_there_is_removed)
{
    char path[64];
    int dir = place_of_nobody(path);

    CHECK_INT(tree_remove(dir, "none"), 0);
    make_file(dir, "file");
    CHECK_INT(tree_remove(dir, "file"), 0);
    CHECK(!is_there(dir, "file"));
    CHECK(rmdir(path) == 0);
}

TEST(links_are_removed_and_not_followed)
{
    char path[64];
    int dir = place_of_nobody(path);

    CHECK(mkdirat(dir, "kept", 0700) == 0 && mkdirat(dir, "a", 0700) == 0);
    make_file(dir, "kept/file");
    CHECK(symlinkat("../kept", dir, "a/link") == 0);
    CHECK(symlinkat("kept", dir, "link") == 0);
    CHECK_INT(tree_remove(dir, "a"), 0);
    CHECK_INT(tree_remove(dir, "link"), 0);
    CHECK(is_there(dir, "kept/file") && !is_there(dir, "link"));
    CHECK_INT(tree_remove(dir, "kept"), 0);
    CHECK(rmdir(path) == 0);
}

TEST(closed_directories_open_for_their_owner)
{
    char path[64];
    int dir = place_of_nobody(path);

    CHECK(mkdirat(dir, "a", 0700) == 0 && mkdirat(dir, "a/b", 0700) == 0 &&
          mkdirat(dir, "a/b/c", 0700) == 0);
    make_file(dir, "a/b/c/file");
    CHECK(fchmodat(dir, "a/b/c", 0, 0) == 0 &&
          fchmodat(dir, "a/b", 0, 0) == 0 && fchmodat(dir, "a", 0, 0) == 0);
    CHECK_INT(tree_remove(dir, "a"), 0);
    CHECK(rmdir(path) == 0);
}

/* More levels than descriptors, or than a stack has room for; their names are
 * those that they are moved to. */
TEST(depth_costs_nothing)
{
    const struct rlimit few = { 16, 16 };
    char path[64];
    int dir = place_of_nobody(path), at = openat(dir, ".", O_RDONLY);

    for (int i = 0; i < 5000; i++) {
        int next;

        CHECK(mkdirat(at, "0", 0700) == 0 && mkdirat(at, "1", 0700) == 0);
        make_file(at, "2");
        next = openat(at, "0", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(next >= 0);
        (void)close(at);
        at = next;
    }
    (void)close(at);
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    CHECK_INT(tree_empty(openat(dir, ".", O_RDONLY | O_DIRECTORY)), 0);
    CHECK(rmdir(path) == 0);
}

TEST(where_things_are)
{
    static const struct {
        struct store_place at;
        int r;
        const char *want;
    } rows[] = {
        { { "/d", "/h" }, 0, "/d/mxc/x" },
        { { NULL, "/h" }, 0, "/h/.local/share/mxc/x" },
        { { "relative", "/h" }, 0, "/h/.local/share/mxc/x" },
        { { "", "//h///u/" }, 0, "/h/u/.local/share/mxc/x" },
        { { "/a/./b/.", NULL }, 0, "/a/b/mxc/x" },
        { { "/..a/b..", NULL }, 0, "/..a/b../mxc/x" },
        { { "/a/../b", NULL }, -ENOENT, NULL },
        { { NULL, NULL }, -ENOENT, NULL },
        { { "d", "h" }, -ENOENT, NULL },
    };
    char path[PATH_MAX], way[64];

    if (geteuid() == 0) {
        CHECK_INT(store_path(&rows[0].at, "x", path), 0);
        CHECK_STR(path, "/var/lib/mxc/x");
    }
    (void)place_of_nobody(way);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        NOTE(rows[i].want ? rows[i].want : "none");
        CHECK_INT(store_path(&rows[i].at, "x", path), rows[i].r);
        if (rows[i].want)
            CHECK_STR(path, rows[i].want);
    }
    CHECK(rmdir(way) == 0 || errno == EACCES || errno == EPERM);
}

T_MAIN()
