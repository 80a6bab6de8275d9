/* test_container.c - containers that are kept: their records, the lock, and
 * what stays when. */
#include "t.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "container/container.h"

#define DIGEST                                                                 \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

enum { NOBODY = 65534 };

static struct arena arena = { .limit = 16 << 20 };
static char home[64];
static struct store_place at;
static struct err e;

/* A home of one who is no root: root's place is one for all. */
static void begin(void)
{
    (void)snprintf(home, sizeof(home), "/tmp/mxc-container-XXXXXX");
    CHECK(mkdtemp(home) != NULL);
    if (geteuid() == 0) {
        CHECK(fchownat(AT_FDCWD, home, NOBODY, NOBODY, 0) == 0);
        CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0);
        CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
    }
    at.data_home = home;
}

static void end(void)
{
    CHECK(chdir(home) == 0 && chdir("mxc") == 0);
    CHECK(rmdir("containers") == 0 && chdir("..") == 0 && rmdir("mxc") == 0);
    CHECK(rmdir(home) == 0);
}

static struct container plan(const char *name, const char *network)
{
    struct container c = { .name = name,
                           .image = "debian/12",
                           .digest = DIGEST,
                           .network = network,
                           .created_ms = 1700000000123 };

    CHECK_INT(container_path(&arena, &at, name, &c.path, &e), 0);
    CHECK_INT(container_print(&arena, &c, &e), 0);
    return c;
}

static struct container_want new_one(const char *name, const char *network)
{
    const struct container c = plan(name, network);

    return (struct container_want){ .path = c.path,
                                    .found = "",
                                    .record = c.record };
}

static struct container_want old_one(const char *name, bool ends)
{
    struct container c;

    CHECK_INT(container_find(&arena, &at, name, &c, &e), 0);
    return (struct container_want){ .path = c.path,
                                    .found = c.record,
                                    .dev = c.dev,
                                    .ino = c.ino,
                                    .ends = ends };
}

static void make(const char *name, const char *network)
{
    const struct container_want w = new_one(name, network);
    struct container_hold h;

    CHECK_INT(container_hold(&w, &h, &e), 0);
    CHECK_INT(container_begin(&w, &h, &e), 0);
    CHECK_INT(container_release(&h, &e), 0);
}

static bool is_there(const char *name)
{
    struct container c;

    return container_find(&arena, &at, name, &c, &e) == 0;
}

TEST(a_record_comes_back)
{
    static const char name[] = "a \"name\" of\n\x01 \xc3\xa9/..";
    struct container c;

    begin();
    make(name, "default deny\nallow 192.0.2.0/24\n");
    CHECK_INT(container_find(&arena, &at, name, &c, &e), 0);
    CHECK_STR(c.name, name);
    CHECK_STR(c.image, "debian/12");
    CHECK_STR(c.digest, DIGEST);
    CHECK_STR(c.network, "default deny\nallow 192.0.2.0/24\n");
    CHECK_INT(c.created_ms, 1700000000123);
    CHECK_STR(c.path, plan(name, NULL).path);
    CHECK_INT(container_remove(&at, name, &e), 0);
    CHECK_INT(container_find(&arena, &at, name, &c, &e), 1);
    CHECK_INT(container_remove(&at, name, &e), 1);
    end();
}

TEST(what_is_no_record_is_damaged)
{
    static const char *const rows[] = {
        "",
        "{}",
        "[1]",
        "{\"version\":2,\"name\":\"a\",\"image\":\"i\",\"digest\":\"" DIGEST
        "\","
        "\"created\":1}",
        "{\"version\":1,\"name\":\"b\",\"image\":\"i\",\"digest\":\"" DIGEST
        "\","
        "\"created\":1}",
        "{\"version\":1,\"name\":\"a\",\"image\":7,\"digest\":\"" DIGEST "\","
        "\"created\":1}",
        "{\"version\":1,\"name\":\"a\",\"image\":\"i\",\"digest\":\"" DIGEST
        "\"}",
        "{\"version\":1,\"name\":\"a\",\"image\":\"i\",\"digest\":\"" DIGEST
        "\","
        "\"created\":1,\"network\":null}",
        "{\"version\":1,\"name\":\"a\",\"image\":\"i\",\"digest\":\"0\","
        "\"created\":1}",
    };

    begin();
    make("a", NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *path =
            arena_printf(&arena, "%s/record", plan("a", NULL).path);
        FILE *f = fopen(path, "we");
        struct container c;

        NOTE(rows[i]);
        CHECK(f && fputs(rows[i], f) >= 0 && fclose(f) == 0);
        CHECK_INT(container_find(&arena, &at, "a", &c, &e), -1);
        CHECK_INT(e.code, ERR_POLICY_VALIDATION);
        CHECK_HAS(e.msg, "is damaged");
    }
    CHECK_INT(container_remove(&at, "a", &e), 0);
    end();
}

TEST(it_is_there_when_the_workload_begins)
{
    const struct container_want none = { .path = "/x", .found = "" };
    struct container_want w;
    struct container_hold h, other;

    begin();
    CHECK_INT(container_hold(&none, &h, &e), -1);
    w = new_one("a", NULL);
    CHECK_INT(container_hold(&w, &h, &e), 0);
    CHECK(!is_there("a"));
    CHECK_INT(container_hold(&w, &other, &e), -1);
    CHECK_HAS(e.msg, "another run has this container");
    CHECK_INT(container_release(&h, &e), 0);
    CHECK(!is_there("a"));
    CHECK_INT(container_hold(&w, &h, &e), 0);
    CHECK_INT(container_begin(&w, &h, &e), 0);
    CHECK(is_there("a"));
    CHECK_INT(container_remove(&at, "a", &e), -1);
    CHECK_HAS(e.msg, "another run has this container");
    CHECK_INT(container_release(&h, &e), 0);
    CHECK(is_there("a"));
    CHECK_INT(container_hold(&w, &h, &e), 0);
    CHECK_INT(container_begin(&w, &h, &e), -1);
    CHECK_HAS(e.msg, "another run has this container");
    CHECK_INT(container_release(&h, &e), 0);
    CHECK_INT(container_remove(&at, "a", &e), 0);
    end();
}

TEST(its_last_run_ends_it)
{
    struct container_want w, stale;
    struct container_hold h;

    begin();
    make("a", NULL);
    w = old_one("a", true);
    stale = old_one("a", false);
    /* One that did not come to its workload does not. */
    CHECK_INT(container_hold(&w, &h, &e), 0);
    CHECK_INT(container_release(&h, &e), 0);
    CHECK(is_there("a"));
    CHECK_INT(container_hold(&w, &h, &e), 0);
    CHECK_INT(container_begin(&w, &h, &e), 0);
    CHECK(!is_there("a"));
    make("b", NULL); /* who cleans up passes over it */
    CHECK(faccessat(AT_FDCWD, arena_printf(&arena, "%s.gone/record", w.path),
                    F_OK, 0) == 0);
    CHECK_INT(container_release(&h, &e), 0);
    CHECK_INT(container_hold(&stale, &h, &e), -1);
    CHECK_HAS(e.msg, "changed or removed");
    CHECK_INT(container_remove(&at, "b", &e), 0);
    end();
}

TEST(a_plan_of_another_record_is_refused)
{
    struct container_want w, keeps;
    struct container c;
    struct container_hold h;

    begin();
    make("a", NULL);
    w = old_one("a", false);
    keeps = w;
    keeps.record = plan("a", "").record;
    CHECK_INT(container_hold(&keeps, &h, &e), 0);
    CHECK_INT(container_begin(&keeps, &h, &e), 0);
    CHECK_INT(container_release(&h, &e), 0);
    CHECK_INT(container_hold(&w, &h, &e), -1);
    CHECK_HAS(e.msg, "changed or removed");
    CHECK_INT(container_find(&arena, &at, "a", &c, &e), 0);
    CHECK_STR(c.network, "");
    CHECK_INT(container_remove(&at, "a", &e), 0);
    end();
}

/* Nobody holds what was left: the next one who changes something removes it. */
TEST(what_was_left_is_cleared_away)
{
    struct container_want w;
    struct container_hold h;
    struct container *list;
    size_t n, damaged;
    const char *left;

    begin();
    w = new_one("a", NULL);
    left = arena_printf(&arena, "%s.new", w.path);
    CHECK_INT(container_hold(&w, &h, &e), 0);
    drop_fd(&h.dir); /* as when it is killed */
    drop_fd(&h.store);
    CHECK(faccessat(AT_FDCWD, left, F_OK, 0) == 0);
    make("c", NULL);
    CHECK(faccessat(AT_FDCWD, left, F_OK, 0) < 0);
    make("b", "");
    CHECK_INT(container_list(&arena, &at, &list, &n, &damaged, &e), 0);
    CHECK_INT(n, 2);
    CHECK_INT(damaged, 0);
    CHECK_STR(list[0].name, "b");
    CHECK_STR(list[1].name, "c");
    CHECK_STR(list[1].path, plan("c", NULL).path);
    CHECK_INT(container_remove(&at, "b", &e), 0);
    CHECK_INT(container_remove(&at, "c", &e), 0);
    end();
}

TEST(a_store_that_others_may_enter_is_none)
{
    struct container_want w;
    struct container_hold h;
    struct container c;
    const char *store;

    begin();
    make("a", NULL);
    w = old_one("a", false);
    store = arena_strndup(&arena, w.path, strlen(w.path) - SHA256_HEX);
    CHECK(fchmodat(AT_FDCWD, store, 0750, 0) == 0);
    CHECK_INT(container_find(&arena, &at, "a", &c, &e), -1);
    CHECK_HAS(e.msg, "others own it, or may enter it");
    CHECK_INT(container_hold(&w, &h, &e), -1);
    CHECK_HAS(e.msg, "others own it, or may enter it");
    CHECK_INT(container_remove(&at, "a", &e), -1);
    CHECK(fchmodat(AT_FDCWD, store, 0700, 0) == 0);
    CHECK_INT(container_remove(&at, "a", &e), 0);
    end();
}

T_MAIN()
