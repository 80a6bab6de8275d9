/* test_host.c - small looks at the machine: mount table, Landlock, user
 * namespaces, capabilities, toolchains. */
#include "t.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "api/prepare.h"
#include "base/compat.h"
#include "sys/caps.h"
#include "sys/hostpath.h"
#include "sys/landlock.h"
#include "sys/userns.h"

static void enter(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    const char *op = NULL;

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        SKIP("user namespaces");
    CHECK_INT(userns_map(uid, uid, gid, gid, &op), 0);
    CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHECK(mount("none", "/tmp", "tmpfs", 0, "mode=0777") == 0);
}

TEST(ids_are_mapped_and_groups_locked)
{
    char text[64] = "";
    int fd;

    enter();
    fd = open("/proc/self/setgroups", O_RDONLY | O_CLOEXEC);
    CHECK(read(fd, text, sizeof(text) - 1) > 0);
    CHECK_STR(text, "deny\n");
    (void)close(fd);
}

TEST(a_second_map_is_refused)
{
    const char *op = NULL;

    enter();
    CHECK_INT(userns_map(0, 0, 0, 0, &op), -EPERM);
    CHECK_STR(op, "write(2) to uid_map");
}

TEST(why_there_are_no_namespaces)
{
    struct err e = { 0 };

    CHECK_INT(userns_explain(ENOSPC, &e), -1);
    CHECK_INT(e.code, ERR_BACKEND_UNAVAILABLE);
    CHECK_INT(e.sys, ENOSPC);
    CHECK_STR(e.op, "clone(2)");
    CHECK_STR(e.msg, "cannot make the sandbox's namespaces: No space left on "
                     "device");
    CHECK(e.hint[0]);
}

/* A name with a space and a backslash, and an alias through it. */
TEST(mount_points_with_odd_names)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct mountinfo *m;
    const char **alias;
    struct err e;
    size_t n;

    enter();
    CHECK_INT(mkdir("/tmp/from", 0755), 0);
    CHECK_INT(mkdir("/tmp/a b\\c\n", 0755), 0);
    CHECK_INT(mount("/tmp/from", "/tmp/a b\\c\n", NULL, MS_BIND, NULL), 0);
    CHECK_INT(mkdir("/tmp/from/x", 0755), 0);
    CHECK_INT(mountinfo_read(&a, &m, &e), 0);
    CHECK_INT(mountinfo_aliases(&a, m, "/tmp/from/x", &alias, &n, &e), 0);
    CHECK_INT(n, 1);
    CHECK_STR(alias[0], "/tmp/a b\\c\n/x");
    CHECK_INT(mountinfo_aliases(&a, m, alias[0], &alias, &n, &e), 0);
    CHECK_INT(n, 1);
    CHECK_STR(alias[0], "/tmp/from/x");
    /* A name that another mount hides is no name. */
    CHECK_INT(mount("none", "/tmp/a b\\c\n", "tmpfs", 0, NULL), 0);
    CHECK_INT(mountinfo_read(&a, &m, &e), 0);
    CHECK_INT(mountinfo_aliases(&a, m, "/tmp/from/x", &alias, &n, &e), 0);
    CHECK_INT(n, 0);
}

TEST(more_aliases_than_can_be_held_are_refused)
{
    scoped(arena_drop) struct arena a = { .limit = 4 << 20 };
    struct mountinfo *m;
    const char **alias;
    struct err e = { 0 };
    size_t n;

    enter();
    CHECK_INT(mkdir("/tmp/from", 0755), 0);
    for (int i = 0; i < 65; i++) {
        const char *to = arena_printf(&a, "/tmp/m%d", i);

        CHECK_INT(mkdir(to, 0755), 0);
        CHECK_INT(mount("/tmp/from", to, NULL, MS_BIND, NULL), 0);
    }
    CHECK_INT(mountinfo_read(&a, &m, &e), 0);
    CHECK_INT(mountinfo_aliases(&a, m, "/tmp/from", &alias, &n, &e), -1);
    CHECK_INT(e.code, ERR_POLICY_VALIDATION);
    CHECK_STR(e.msg, "'/tmp/from' shows through more than 64 mounts");
}

TEST(landlock_denies_what_is_not_allowed)
{
    unsigned abi = landlock_abi();
    int rules, dir;

    if (abi == 0)
        SKIP("Landlock");
    enter();
    CHECK_INT(mkdir("/tmp/yes", 0755), 0);
    CHECK_INT(mkdir("/tmp/no", 0755), 0);
    rules = landlock_create(abi);
    CHECK(rules >= 0);
    CHECK(fcntl(rules, F_GETFD) & FD_CLOEXEC);
    dir = open("/tmp/yes", O_PATH | O_CLOEXEC);
    CHECK_INT(landlock_allow(rules, abi, dir, UINT64_MAX), 0);
    CHECK_INT(landlock_allow(rules, abi, -1, MXC_LL_READ_FILE), -EBADF);
    /* The control: without the wall both can be made. */
    CHECK_INT(mkdir("/tmp/no/before", 0755), 0);
    CHECK_INT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_INT(landlock_enforce(-1), -EBADF);
    CHECK_INT(landlock_enforce(rules), 0);
    CHECK_INT(mkdir("/tmp/yes/x", 0755), 0);
    CHECK_INT(mkdir("/tmp/no/x", 0755), -1);
    CHECK_INT(errno, EACCES);
    /* The leak checker could not read /proc any more. */
    (void)fflush(stdout);
    _exit(0);
}

TEST(capabilities_go_and_stay_away)
{
    enter();
    CHECK_INT(prctl(PR_CAPBSET_READ, 21, 0, 0, 0), 1);
    CHECK_INT(caps_bound(), 0);
    CHECK_INT(caps_clear(), 0);
    CHECK_INT(prctl(PR_CAPBSET_READ, 21, 0, 0, 0), 0);
    CHECK_INT(mount("none", "/tmp", "tmpfs", 0, NULL), -1);
    CHECK_INT(errno, EPERM);
    CHECK_INT(caps_keep(1 << 21), -EPERM);
}

static bool has_rule(const struct policy *p, const char *path)
{
    for (size_t i = 0; i < p->nrules; i++)
        if (strcmp(p->rule[i].path, path) == 0 &&
            p->rule[i].access == ACCESS_READ)
            return true;
    return false;
}

/* Beside programs lie their libraries, and secrets: only the former. */
TEST(tools_are_granted_without_what_lies_beside)
{
    static const char *const dirs[] = { "/tmp/t", "/tmp/t/bin", "/tmp/t/lib",
                                        "/tmp/t/cache" };
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    const struct run_flags f = {
        .search_path = "/tmp/t/bin:relative:/:/tmp/missing/bin:"
    };
    struct policy p = { 0 };
    struct err e;

    enter();
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        CHECK_INT(mkdir(dirs[i], 0755), 0);
    CHECK_INT(tools_add(&a, &p, &f, &e), 0);
    CHECK(has_rule(&p, "/tmp/t/bin") && has_rule(&p, "/tmp/t/lib"));
    CHECK_INT(p.nrules, 2);
    CHECK_INT(p.nenv, 1);
    CHECK_STR(p.env[0], "PATH=/tmp/t/bin:relative:/:/tmp/missing/bin:");
}

TEST(the_caller_and_the_kernel)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct host h, again;
    struct err e;

    CHECK_INT(host_look(&a, &h, &e), 0);
    CHECK_INT(host_look(&a, &again, &e), 0);
    CHECK_INT(h.uid, geteuid());
    CHECK_INT(h.gid, getegid());
    CHECK_INT(h.landlock_abi, landlock_abi());
    CHECK_INT(strlen(h.machine_id), 32);
    CHECK_INT(strlen(h.boot_id), 37);
    /* Made up anew: nothing of the host, and not to be recognised. */
    CHECK(strcmp(h.machine_id, again.machine_id) != 0);
    CHECK(strcmp(h.boot_id, again.boot_id) != 0);
}

/* What of the host's resolv.conf is shown inside. */
TEST(name_servers_that_others_may_ask)
{
    static const struct {
        const char *text, *want; /* NULL: none */
    } rows[] = {
        { "", NULL },
        { "nameserver 192.0.2.1\n", "nameserver 192.0.2.1\n" },
        { "nameserver 192.0.2.1", "nameserver 192.0.2.1\n" },
        { "# made\n; by\nnameserver\t 2001:db8::1 # one\n",
          "nameserver 2001:db8::1\n" },
        { "nameserver 127.0.0.53\noptions edns0\n", NULL },
        { "nameserver ::1\nnameserver 0.0.0.0\nnameserver ::\n", NULL },
        { "nameserver ::ffff:127.0.0.1\n", NULL },
        { "nameserver 127.0.0.1\nsearch a.example b.example\n"
          "nameserver 192.0.2.1\noptions timeout:1 rotate\n",
          "search a.example b.example\nnameserver 192.0.2.1\n"
          "options timeout:1 rotate\n" },
        { "nameserver fe80::1%eth0\nnameserver host.example\n", NULL },
        { "nameserver192.0.2.1\nnameserver\n", NULL },
        { "nameserver 192.0.2.1\nsortlist 192.0.2.0\ndomain x\nsearch a\033b\n"
          "options\n",
          "nameserver 192.0.2.1\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = { .limit = 1 << 20 };
        const char *got = NULL;
        struct err e;

        NOTE(rows[i].text);
        CHECK_INT(
            network_resolver(&a, arena_strdup(&a, rows[i].text), &got, &e), 0);
        CHECK((got == NULL) == (rows[i].want == NULL));
        if (got)
            CHECK_STR(got, rows[i].want);
        arena_drop(&a);
    }
}

T_MAIN()
