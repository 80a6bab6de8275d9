/* test_paths.c - looking at real paths: symlinks, files on the way, bind
 * mounts in a namespace of the test's own, and what is refused. */
#include "t.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "api/prepare.h"
#include "sys/casefold.h"
#include "sys/hostpath.h"
#include "sys/userns.h"

static char top[64];

static const char *at(struct arena *a, const char *rest)
{
    return arena_printf(a, "%s%s", top, rest);
}

/* A directory of the test's own, in a tmpfs that goes away with the test. */
static void enter(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    const char *op;

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        SKIP("user namespaces");
    CHECK_INT(userns_map(uid, uid, gid, gid, &op), 0);
    (void)snprintf(top, sizeof(top), "/tmp/mxc-paths-XXXXXX");
    CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHECK(mount("none", "/tmp", "tmpfs", 0, "mode=0777") == 0);
    CHECK(mkdtemp(top) != NULL);
}

static void make_dir(struct arena *a, const char *rest)
{
    CHECK_INT(mkdir(at(a, rest), 0755), 0);
}

static void make_file(struct arena *a, const char *rest)
{
    int fd = open(at(a, rest), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

    CHECK(fd >= 0);
    (void)close(fd);
}

static void bind_mount(struct arena *a, const char *from, const char *to)
{
    CHECK_INT(mount(at(a, from), at(a, to), NULL, MS_BIND, NULL), 0);
}

static int look(struct arena *a, struct policy *p, struct err *e)
{
    return paths_look(a, p, e);
}

static void rule(struct arena *a, struct policy *p, enum access access,
                 const char *rest)
{
    struct err e;

    CHECK_INT(policy_add_path(p, a, access, at(a, rest), "here", &e), 0);
}

/* Is there such a placement? */
static bool stands(struct arena *a, const struct places *ps,
                   enum place_kind kind, const char *rest)
{
    for (size_t i = 0; i < ps->n; i++)
        if (ps->item[i].kind == kind && ps->item[i].target &&
            strcmp(ps->item[i].target, at(a, rest)) == 0)
            return true;
    return false;
}

static void decide(struct arena *a, struct policy *p, struct places *ps)
{
    struct err e = { 0 };

    if (look(a, p, &e) < 0 || fs_decide(a, p->rule, &p->nrules, ps, &e) < 0)
        T_FAIL("%s", e.msg);
}

TEST(symlinks_are_followed_once)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct hostpath h;
    struct err e;

    enter();
    make_dir(&a, "/d");
    make_file(&a, "/d/f");
    CHECK_INT(symlink("d", at(&a, "/l")), 0);
    CHECK_INT(hostpath_look(&a, at(&a, "/l/f"), &h, &e), 0);
    CHECK(h.exists && h.is_file && !h.is_dir && h.is_readable);
    CHECK_INT(h.nlink, 1);
    CHECK_STR(h.real, at(&a, "/d/f"));
    CHECK(h.rest == NULL && h.dangling == NULL);
    CHECK_INT(hostpath_look(&a, at(&a, "/l/x/y"), &h, &e), 0);
    CHECK(!h.exists);
    CHECK_STR(h.real, at(&a, "/d"));
    CHECK_STR(h.rest, "x/y");
}

TEST(filesystems_that_fold_case)
{
    static const uint64_t folding[] = { 0x4d44,     0x2011bab0, 0x5346544e,
                                        0x7366746e, 0xff534d42, 0xfe534d42,
                                        0x4244,     0x482b };
    /* ext4, tmpfs, overlay, btrfs, xfs, fuse, 9p, nfs */
    static const uint64_t usual[] = { 0xef53,     0x01021994, 0x794c7630,
                                      0x9123683e, 0x58465342, 0x65735546,
                                      0x01021997, 0x6969 };

    for (size_t i = 0; i < ARRAY_LEN(folding); i++)
        CHECK(casefold_by_type(folding[i]));
    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        CHECK(!casefold_by_type(usual[i]));
}

/* Whatever stands in it. */
TEST(a_usual_directory_does_not_fold_case)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct hostpath h;
    struct err e;

    enter();
    make_dir(&a, "/d");
    CHECK_INT(hostpath_look(&a, at(&a, "/d/x"), &h, &e), 0);
    CHECK(!h.exists && !h.folds_case);
    make_file(&a, "/d/f");
    CHECK_INT(link(at(&a, "/d/f"), at(&a, "/d/F")), 0);
    CHECK_INT(hostpath_look(&a, at(&a, "/d/x"), &h, &e), 0);
    CHECK(!h.folds_case);
    make_dir(&a, "/d/e");
    make_file(&a, "/d/E");
    CHECK_INT(hostpath_look(&a, at(&a, "/d/x"), &h, &e), 0);
    CHECK(!h.folds_case);
    CHECK_INT(chmod(at(&a, "/d"), 0111), 0);
    CHECK_INT(hostpath_look(&a, at(&a, "/d/x"), &h, &e), 0);
    CHECK(!h.exists && !h.folds_case);
}

/* A worktree's .git is a file; its hooks could come into being all the same. */
TEST(a_file_on_the_way_is_as_good_as_missing)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct policy p = { 0 };
    struct places ps;
    struct hostpath h;
    struct err e;

    enter();
    make_file(&a, "/.git");
    CHECK_INT(hostpath_look(&a, at(&a, "/.git/hooks"), &h, &e), 0);
    CHECK(!h.exists);
    CHECK_STR(h.real, top);
    CHECK_STR(h.rest, ".git/hooks");
    CHECK(h.dangling == NULL);
    rule(&a, &p, ACCESS_WRITE, "");
    rule(&a, &p, ACCESS_DENY, "/.git/hooks");
    decide(&a, &p, &ps);
    CHECK(stands(&a, &ps, PLACE_ABSENT, ""));
    CHECK(!stands(&a, &ps, PLACE_PIN, "/.git"));
}

TEST(what_a_dangling_symlink_would_be_is_denied_too)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct policy p = { 0 };
    struct places ps;
    struct hostpath h;
    struct err e;

    enter();
    make_dir(&a, "/w");
    make_dir(&a, "/v");
    CHECK_INT(symlink("../v/gone", at(&a, "/w/l")), 0);
    CHECK_INT(hostpath_look(&a, at(&a, "/w/l"), &h, &e), 0);
    CHECK_STR(h.dangling, at(&a, "/v/gone"));
    CHECK_INT(hostpath_look(&a, at(&a, "/w/l/x"), &h, &e), 0);
    CHECK_STR(h.rest, "l/x");
    CHECK_STR(h.dangling, at(&a, "/v/gone/x"));

    CHECK_INT(unlink(at(&a, "/w/l")), 0);
    CHECK_INT(symlink(at(&a, "/v/gone"), at(&a, "/w/l")), 0);
    rule(&a, &p, ACCESS_WRITE, "/w");
    rule(&a, &p, ACCESS_WRITE, "/v");
    rule(&a, &p, ACCESS_DENY, "/w/l/x");
    decide(&a, &p, &ps);
    CHECK(stands(&a, &ps, PLACE_ABSENT, "/v"));
    /* The link stays, so its own name means that one. */
    CHECK(stands(&a, &ps, PLACE_PIN, "/w/l"));
}

/* A denied name must not come to mean something else (CVE-2026-25725). */
TEST(symlinks_on_a_denied_path_stay)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct policy p = { 0 };
    struct places ps;

    enter();
    make_dir(&a, "/w");
    make_dir(&a, "/w/d");
    make_dir(&a, "/w/d/x");
    CHECK_INT(symlink("d", at(&a, "/w/one")), 0);
    CHECK_INT(symlink(at(&a, "/w/one"), at(&a, "/w/two")), 0);
    rule(&a, &p, ACCESS_WRITE, "/w");
    rule(&a, &p, ACCESS_DENY, "/w/two/x");
    decide(&a, &p, &ps);
    CHECK(stands(&a, &ps, PLACE_MASK, "/w/d/x"));
    CHECK(stands(&a, &ps, PLACE_PIN, "/w/one"));
    CHECK(stands(&a, &ps, PLACE_PIN, "/w/two"));
}

/* A grant inside another must lead to the same object the next time. */
TEST(what_a_grant_inside_another_names_stays)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct policy p = { 0 };
    struct places ps;

    enter();
    make_dir(&a, "/w");
    make_dir(&a, "/w/up");
    make_dir(&a, "/w/up/d");
    make_dir(&a, "/v");
    CHECK_INT(symlink(at(&a, "/v"), at(&a, "/w/link")), 0);
    rule(&a, &p, ACCESS_WRITE, "/w");
    rule(&a, &p, ACCESS_WRITE, "/w/up/d");
    rule(&a, &p, ACCESS_WRITE, "/w/link");
    decide(&a, &p, &ps);
    CHECK(stands(&a, &ps, PLACE_PIN, "/w/up"));
    CHECK(stands(&a, &ps, PLACE_PIN, "/w/up/d"));
    CHECK(stands(&a, &ps, PLACE_PIN, "/w/link"));
    CHECK(stands(&a, &ps, PLACE_GRANT, "/v"));
    /* Nobody restricts it: the host may change it as it likes. */
    for (size_t i = 0; i < ps.n; i++)
        CHECK(ps.item[i].kind != PLACE_WATCH);
}

/* attacks.md B4 */
TEST(bind_mounts_of_a_denied_directory)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct policy p = { 0 };
    struct places ps;

    enter();
    make_dir(&a, "/w");
    make_dir(&a, "/w/x");
    make_dir(&a, "/b");
    bind_mount(&a, "/w/x", "/b");
    rule(&a, &p, ACCESS_WRITE, "/w");
    rule(&a, &p, ACCESS_DENY, "/b");
    decide(&a, &p, &ps);
    CHECK(stands(&a, &ps, PLACE_MASK, "/w/x"));
    CHECK(stands(&a, &ps, PLACE_MASK, "/b"));
}

/* Only a part of what is denied shows in the grant. */
TEST(bind_mounts_from_inside_a_denied_directory)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct policy p = { 0 };
    struct places ps;

    enter();
    make_dir(&a, "/secret");
    make_dir(&a, "/secret/keys");
    make_dir(&a, "/w");
    make_dir(&a, "/w/keys");
    make_dir(&a, "/w/given");
    make_dir(&a, "/u");
    bind_mount(&a, "/secret/keys", "/w/keys");
    bind_mount(&a, "/secret/keys", "/u");
    rule(&a, &p, ACCESS_WRITE, "/w");
    rule(&a, &p, ACCESS_DENY, "/secret");
    decide(&a, &p, &ps);
    CHECK(stands(&a, &ps, PLACE_MASK, "/w/keys"));
    CHECK(stands(&a, &ps, PLACE_MASK, "/secret"));
    /* What no grant shows gets no name in the sandbox. */
    CHECK(!stands(&a, &ps, PLACE_MASK, "/u"));

    /* A rule on the very part is somebody's word on it. */
    p = (struct policy){ 0 };
    rule(&a, &p, ACCESS_WRITE, "/w");
    rule(&a, &p, ACCESS_WRITE, "/w/keys");
    rule(&a, &p, ACCESS_DENY, "/secret");
    decide(&a, &p, &ps);
    CHECK(!stands(&a, &ps, PLACE_MASK, "/w/keys"));

    /* And read-only stays read-only through it. */
    p = (struct policy){ 0 };
    rule(&a, &p, ACCESS_WRITE, "/w");
    rule(&a, &p, ACCESS_READ, "/secret");
    decide(&a, &p, &ps);
    CHECK(stands(&a, &ps, PLACE_GRANT, "/w/keys"));
    CHECK(!stands(&a, &ps, PLACE_GRANT, "/u"));
}

TEST(a_mount_inside_a_denied_directory_shows_elsewhere)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct policy p = { 0 };
    struct places ps;

    enter();
    make_dir(&a, "/secret");
    make_dir(&a, "/secret/disk");
    make_dir(&a, "/w");
    make_dir(&a, "/w/disk");
    CHECK_INT(mount("none", at(&a, "/secret/disk"), "tmpfs", 0, NULL), 0);
    bind_mount(&a, "/secret/disk", "/w/disk");
    rule(&a, &p, ACCESS_WRITE, "/w");
    rule(&a, &p, ACCESS_DENY, "/secret");
    decide(&a, &p, &ps);
    CHECK(stands(&a, &ps, PLACE_MASK, "/w/disk"));
}

static const struct refusal {
    const char *name, *path;
    enum access access;
    const char *msg, *hint;
} refusals[] = {
    { "the root is not denied", "/", ACCESS_DENY,
      "path '/' cannot be denied: nothing could run",
      "deny the directories that matter" },
    { "nor behind a link", "/tmp/root", ACCESS_DENY,
      "path '/tmp/root' cannot be denied: nothing could run",
      "deny the directories that matter" },
    { "the host's /proc behind a link to the root", "/tmp/root", ACCESS_READ,
      "path '/tmp/root' leads to the root of the host",
      "write '/', or the directories that matter" },
    { "the root by '..'", "/tmp/..", ACCESS_WRITE,
      "path '/' leads to the root of the host",
      "write '/', or the directories that matter" },
    { "proc", "/proc", ACCESS_READ,
      "path '/proc' belongs to the sandbox itself and cannot be granted from "
      "the host",
      "leave it out; the sandbox has a /dev and a /proc of its own" },
    { "proc behind a link", "/tmp/proc", ACCESS_READ,
      "path '/tmp/proc' belongs to the sandbox itself and cannot be granted "
      "from the host",
      "leave it out; the sandbox has a /dev and a /proc of its own" },
    { "dev", "/dev/null", ACCESS_WRITE,
      "path '/dev/null' belongs to the sandbox itself and cannot be granted "
      "from the host",
      "leave it out; the sandbox has a /dev and a /proc of its own" },
    { "sys for writing", "/sys", ACCESS_WRITE,
      "path '/sys' cannot be granted for writing", "grant it read-only" },
    { "'..' that is missing", "/tmp/no/../x", ACCESS_DENY,
      "path '/tmp/no/../x' has '..' and does not exist",
      "write the path without '..'" },
    { "links without end", "/tmp/ring9", ACCESS_DENY,
      "path '/tmp/ring1' is a symlink that leads nowhere", "remove the link" },
};

TEST(refusals_say_which_and_why)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 22 };

    enter();
    CHECK_INT(symlink("/", "/tmp/root"), 0);
    CHECK_INT(symlink("/proc", "/tmp/proc"), 0);
    /* Not a loop, which open(2) refuses by itself: each is one further. */
    for (int i = 0; i < 10; i++) {
        char link[32], to[32];

        (void)snprintf(link, sizeof(link), "/tmp/ring%d", i);
        (void)snprintf(to, sizeof(to), "/tmp/ring%d", i - 1);
        CHECK_INT(symlink(to, link), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal *r = &refusals[i];
        struct policy p = { 0 };
        struct err e = { 0 };

        NOTE(r->name);
        CHECK_INT(policy_add_path(&p, &a, r->access, r->path, "here", &e), 0);
        CHECK_INT(paths_look(&a, &p, &e), -1);
        CHECK_INT(e.code, ERR_POLICY_VALIDATION);
        CHECK_STR(e.msg, r->msg);
        CHECK_STR(e.hint, r->hint);
        CHECK_STR(e.where, "here");
    }
}

TEST(nobody_gets_more_than_the_caller_has)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct policy p = { 0 };
    struct err e = { 0 };

    enter();
    make_file(&a, "/f");
    /* Of a read-only mount nobody can give write access. */
    bind_mount(&a, "/f", "/f");
    CHECK_INT(mount("none", at(&a, "/f"), NULL,
                    MS_REMOUNT | MS_BIND | MS_RDONLY, NULL),
              0);
    rule(&a, &p, ACCESS_WRITE, "/f");
    CHECK_INT(paths_look(&a, &p, &e), -1);
    CHECK_INT(e.code, ERR_POLICY_VALIDATION);
    CHECK_HAS(e.msg, "cannot be granted: the invoking user does not have "
                     "read and write access to it");
    CHECK_STR(e.hint, "a sandbox never gets more than its caller has");
    CHECK_STR(e.where, "here");
}

TEST(linked_files_are_found_when_asked)
{
    scoped(arena_drop) struct arena a = { .limit = 1 << 20 };
    struct policy p = { .hard_links = LINKS_REFUSE };
    struct err e = { 0 };

    enter();
    make_dir(&a, "/w");
    make_dir(&a, "/w/sub");
    make_file(&a, "/w/sub/f");
    CHECK_INT(link(at(&a, "/w/sub/f"), at(&a, "/w/g")), 0);
    rule(&a, &p, ACCESS_WRITE, "/w");
    CHECK_INT(paths_look(&a, &p, &e), 0);
    CHECK_INT(link(at(&a, "/w/sub/f"), at(&a, "/outside")), 0);
    CHECK_INT(paths_look(&a, &p, &e), -1);
    CHECK_INT(e.code, ERR_POLICY_VALIDATION);
    CHECK_HAS(e.msg, "has hard links outside of the writable paths");
    CHECK_STR(e.where, "filesystem.hardLinks");
    CHECK_HAS(e.hint, "break the link");
}

/* Each allocation fails once: an error, never a rule without its facts. */
TEST(out_of_memory_is_an_error)
{
    scoped(arena_drop) struct arena names = { .limit = 1 << 20 };
    int failures = 0;
    bool done = false;

    enter();
    make_dir(&names, "/w");
    CHECK_INT(symlink("/tmp/nowhere", at(&names, "/w/l")), 0);
    for (size_t limit = 16; !done; limit += 48) {
        struct arena a = { .limit = limit };
        struct policy p = { 0 };
        struct err e = { 0 };
        int r =
            policy_add_path(&p, &a, ACCESS_WRITE, at(&names, "/w"), "a", &e);

        CHECK(limit < 4 << 20);
        if (r == 0)
            r = policy_add_path(&p, &a, ACCESS_DENY, at(&names, "/w/l"), "b",
                                &e);
        if (r == 0)
            r = paths_look(&a, &p, &e);
        done = r == 0;
        failures += r < 0;
        CHECK_INT(e.code == ERR_NONE, r == 0);
        CHECK(r < 0 || p.nrules == 2);
        arena_drop(&a);
    }
    CHECK(failures > 10);
}

T_MAIN()
