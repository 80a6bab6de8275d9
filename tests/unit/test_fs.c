/* test_fs.c - paths, the filesystem decision's refusals and its named cases,
 * and that it costs little for ten thousand rules. */
#include "t.h"

#include <malloc.h>
#include <time.h>

#include "policy/fs.h"

static struct fs_rule dir(const char *path, enum access access, uint64_t ino)
{
    return (struct fs_rule){ .path = path,
                             .access = access,
                             .origin = path,
                             .at = { .exists = true,
                                     .is_dir = true,
                                     .dev = 1,
                                     .ino = ino,
                                     .nlink = 2,
                                     .is_readable = true,
                                     .is_writable = true,
                                     .real = path } };
}

static struct fs_rule file(const char *path, enum access access, uint64_t ino)
{
    struct fs_rule r = dir(path, access, ino);

    r.at.is_dir = false;
    r.at.is_file = true;
    r.at.nlink = 1;
    return r;
}

static struct fs_rule missing(const char *real, const char *rest,
                              const char *path)
{
    struct fs_rule r = dir(path, ACCESS_DENY, 0);

    r.at.exists = false;
    r.at.dev = 0;
    r.at.real = real;
    r.at.rest = rest;
    return r;
}

static const char *const kinds[] = { "grant", "mask",   "hollow",
                                     "pin",   "absent", "watch" };

/* One line per placement, in mounting order. */
static const char *text_of(struct arena *a, const struct places *ps)
{
    const char *text = "";

    for (size_t i = 0; i < ps->n; i++) {
        const struct place *p = &ps->item[i];

        text = arena_printf(
            a, "%s%s %s%s%s%s%s%s%s\n", text, kinds[p->kind],
            p->target ? p->target : p->source, p->rest ? " : " : "",
            p->rest ? p->rest : "", p->kind == PLACE_GRANT ? " <- " : "",
            p->kind == PLACE_GRANT ? p->source : "",
            p->kind == PLACE_GRANT ? p->access == ACCESS_WRITE ? " rw" : " ro"
                                   : "",
            p->own_space ? " own" : "");
    }
    return text;
}

#define CHECK_PLACES(want, ...)                                                \
    do {                                                                       \
        struct fs_rule rule[] = { __VA_ARGS__ };                               \
        struct arena arena = { .limit = 1 << 20 };                             \
        struct places ps = { 0 };                                              \
        struct err err = { 0 };                                                \
        size_t n = ARRAY_LEN(rule);                                            \
        CHECK_INT(fs_decide(&arena, rule, &n, &ps, &err), 0);                  \
        CHECK_STR(text_of(&arena, &ps), want);                                 \
        CHECK_INT(err.code, ERR_NONE);                                         \
        arena_drop(&arena);                                                    \
    } while (0)

TEST(clean_paths)
{
    static const struct {
        const char *path, *want;
    } rows[] = {
        { "/", "/" },
        { "//", "/" },
        { "/.", "/" },
        { "/./.", "/" },
        { "/a", "/a" },
        { "/a/", "/a" },
        { "//a///b/.//", "/a/b" },
        { "/a/..", "/a/.." },
        { "/...", "/..." },
        { "/.a/b.", "/.a/b." },
        { "/a\nb", "/a\nb" },
        { "", NULL },
        { "a", NULL },
        { "./a", NULL },
        { "~", NULL },
        { "*", NULL },
    };
    struct arena a = { .limit = 1 << 16 }, none = { .limit = 0 };
    char longest[4098];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = path_clean(&a, rows[i].path);

        NOTE(rows[i].path);
        if (rows[i].want)
            CHECK_STR(got, rows[i].want);
        else
            CHECK(got == NULL);
    }
    memset(longest, 'x', sizeof(longest));
    longest[0] = '/';
    longest[4095] = '\0';
    CHECK_STR(path_clean(&a, longest), longest);
    longest[4095] = 'x';
    longest[4096] = '\0';
    CHECK(path_clean(&a, longest) == NULL);
    CHECK(path_clean(&none, "/a") == NULL);
    arena_drop(&a);
}

TEST(path_arithmetic)
{
    CHECK(path_has_dotdot("/a/../b") && path_has_dotdot("/..") &&
          path_has_dotdot("/a/.."));
    CHECK(!path_has_dotdot("/") && !path_has_dotdot("/a/...") &&
          !path_has_dotdot("/..a/b..") && !path_has_dotdot("/a/."));
    CHECK(path_is_within("/a", "/a") && path_is_within("/a/b", "/a") &&
          path_is_within("/a", "/") && path_is_within("/", "/"));
    CHECK(!path_is_within("/ab", "/a") && !path_is_within("/", "/a") &&
          !path_is_within("/a", "/a/b") && !path_is_within("/b/a", "/a"));
    CHECK_INT(path_depth("/"), 0);
    CHECK_INT(path_depth("/a"), 1);
    CHECK_INT(path_depth("/a/b/c"), 3);
}

TEST(deepest_rule_decides)
{
    struct fs_rule r[] = { dir("/a", ACCESS_WRITE, 1),
                           dir("/a/b", ACCESS_DENY, 2),
                           dir("/a/b", ACCESS_READ, 2),
                           dir("/a/b/c", ACCESS_READ, 3) };

    CHECK_INT(fs_access(r, 4, "/a"), ACCESS_WRITE);
    CHECK_INT(fs_access(r, 4, "/a/x"), ACCESS_WRITE);
    CHECK_INT(fs_access(r, 4, "/a/b/x"), ACCESS_DENY);
    CHECK_INT(fs_access(r, 4, "/a/b/c/x"), ACCESS_READ);
    CHECK_INT(fs_access(r, 4, "/"), ACCESS_DENY);
    CHECK_INT(fs_access(r, 0, "/a"), ACCESS_DENY);
}

TEST(nothing_is_nothing)
{
    struct arena a = { .limit = 1 << 20 };
    struct places ps = { 0 };
    struct fs_rule none[1];
    struct err e = { 0 };
    size_t n = 0;

    CHECK_INT(fs_decide(&a, none, &n, &ps, &e), 0);
    CHECK_INT(ps.n, 0);
    CHECK_INT(n, 0);
    arena_drop(&a);
}

TEST(one_path_in_all_lists)
{
    CHECK_PLACES("mask /w own\n", dir("/w", ACCESS_WRITE, 1),
                 dir("/w", ACCESS_READ, 1), dir("/w", ACCESS_DENY, 1));
    CHECK_PLACES("grant /w <- /w ro own\n", dir("/w", ACCESS_WRITE, 1),
                 dir("/w", ACCESS_READ, 1));
}

TEST(denied_inside_a_writable_grant)
{
    CHECK_PLACES("grant /w <- /w rw own\n"
                 "pin /w/a\n"
                 "pin /w/a/b\n"
                 "mask /w/a/b/c\n"
                 "watch /w : a/b/c\n",
                 file("/w/a/b/c", ACCESS_DENY, 2), dir("/w", ACCESS_WRITE, 1));
}

TEST(missing_and_denied)
{
    CHECK_PLACES("grant /w <- /w rw own\n"
                 "pin /w/a\n"
                 "absent /w/a : .git/hooks\n"
                 "watch /w : a/.git/hooks\n",
                 missing("/w/a", ".git/hooks", "/w/a/.git/hooks"),
                 dir("/w", ACCESS_WRITE, 1));
    /* Nothing can be created there: the host's name is all to look at. */
    CHECK_PLACES("grant /w <- /w ro own\nwatch /w : a/x\n",
                 missing("/w/a", "x", "/w/a/x"), dir("/w", ACCESS_READ, 1));
    CHECK_PLACES("mask /w/a/x own\n", missing("/w/a", "x", "/w/a/x"));
}

TEST(five_deep)
{
    CHECK_PLACES("grant /a <- /a rw own\n"
                 "hollow /a/b\n"
                 "grant /a/b/c <- /a/b/c rw own\n"
                 "grant /a/b/c/d <- /a/b/c/d ro\n"
                 "mask /a/b/c/d/e\n"
                 "watch /a : b\n"
                 "watch /a/b/c : d\n"
                 "watch /a/b/c/d : e\n",
                 dir("/a/b/c/d", ACCESS_READ, 4),
                 dir("/a/b/c/d/e", ACCESS_DENY, 5), dir("/a", ACCESS_WRITE, 1),
                 dir("/a/b/c", ACCESS_WRITE, 3), dir("/a/b", ACCESS_DENY, 2));
}

TEST(alias_of_a_denied_object)
{
    const char *alias[] = { "/w/x/y" };
    struct fs_rule secret = dir("/secret", ACCESS_DENY, 7);

    secret.at.alias = alias;
    secret.at.naliases = 1;
    CHECK_PLACES("grant /w <- /w rw own\n"
                 "mask /secret own\n"
                 "pin /w/x\n"
                 "mask /w/x/y\n"
                 "watch /w : x/y\n",
                 dir("/w", ACCESS_WRITE, 1), secret);
}

TEST(symlink_into_a_denied_place)
{
    struct fs_rule link = dir("/w/l", ACCESS_WRITE, 9);

    link.at.real = "/secret/key";
    CHECK_PLACES("grant /w <- /w rw own\n"
                 "mask /secret own\n",
                 dir("/w", ACCESS_WRITE, 1), link,
                 dir("/secret", ACCESS_DENY, 8));
    /* Named directly it was meant. */
    CHECK_PLACES("hollow /secret own\n"
                 "grant /secret/key <- /secret/key rw own\n",
                 dir("/secret", ACCESS_DENY, 8),
                 dir("/secret/key", ACCESS_WRITE, 9));
}

/* All of /home is a symlink: every name leads through it, none is sneaky. */
TEST(symlink_above_the_denied_place)
{
    struct fs_rule home = dir("/home", ACCESS_DENY, 1);
    struct fs_rule work = dir("/home/u/w", ACCESS_WRITE, 2);

    home.at.real = "/data/home";
    work.at.real = "/data/home/u/w";
    CHECK_PLACES("hollow /home own\n"
                 "grant /home/u/w <- /data/home/u/w rw own\n",
                 home, work);
}

TEST(base_obeys_policy)
{
    struct fs_rule base = dir("/usr/lib", ACCESS_READ, 3);
    struct fs_rule same = dir("/usr/lib", ACCESS_DENY, 3);

    base.base = true;
    CHECK_PLACES("mask /usr/lib own\n", base, same);
    CHECK_PLACES("grant /usr/lib <- /usr/lib ro own\n"
                 "mask /usr/lib/x\n"
                 "watch /usr/lib : x\n",
                 base, dir("/usr/lib/x", ACCESS_DENY, 4));
}

TEST(a_granted_path_must_exist)
{
    struct arena a = { .limit = 1 << 20 };
    struct fs_rule r[] = { missing("/w", "x", "/w/x") };
    struct places ps = { .n = 77 };
    struct err e = { 0 };
    size_t n = 1;

    r[0].access = ACCESS_READ;
    r[0].origin = "filesystem.readonlyPaths[0]";
    CHECK_INT(fs_decide(&a, r, &n, &ps, &e), -1);
    CHECK_INT(e.code, ERR_POLICY_VALIDATION);
    CHECK_STR(e.msg, "path '/w/x' does not exist");
    CHECK_STR(e.where, "filesystem.readonlyPaths[0]");
    CHECK_STR(e.hint, "create it, or leave it out of the policy");
    CHECK_INT(ps.n, 77);
    arena_drop(&a);
}

/* What a rule names is a link, or was one that led nowhere. */
TEST(a_place_knows_what_its_rule_names)
{
    struct arena a = { .limit = 1 << 20 };
    struct fs_rule r[] = { dir("/data", ACCESS_WRITE, 1),
                           dir("/links/deny", ACCESS_DENY, 2),
                           dir("/links/read", ACCESS_READ, 3),
                           missing("/data", "z", "/data/z") };
    static const char *const want[][2] = { { "/data", "/data" },
                                           { "/data/x", "/links/deny" },
                                           { "/data/y", "/links/read" },
                                           { "/links/read", "/links/read" },
                                           { "/data", "/links/none" } };
    struct places ps = { 0 };
    struct err e = { 0 };
    size_t n = ARRAY_LEN(r), found = 0;

    r[1].at.real = "/data/x";
    r[2].at.real = "/data/y";
    r[3].named = "/links/none";
    CHECK_INT(fs_decide(&a, r, &n, &ps, &e), 0);
    for (size_t i = 0; i < ps.n; i++)
        for (size_t k = 0; k < ARRAY_LEN(want); k++)
            found += ps.item[i].named && ps.item[i].target &&
                     strcmp(ps.item[i].target, want[k][0]) == 0 &&
                     strcmp(ps.item[i].named, want[k][1]) == 0;
    CHECK_INT(found, ARRAY_LEN(want));
    arena_drop(&a);
}

/* For the host the name that is denied would be there. */
TEST(a_missing_name_must_have_one_spelling)
{
    struct arena a = { .limit = 1 << 20 };
    struct fs_rule r[] = { missing("/w/d", ".git/hooks", "/w/d/.git/hooks"),
                           dir("/w", ACCESS_WRITE, 1) };
    struct places ps = { .n = 77 };
    struct err e = { 0 };
    size_t n = 2;

    r[0].at.folds_case = true;
    r[0].origin = "filesystem.deniedPaths[0]";
    CHECK_INT(fs_decide(&a, r, &n, &ps, &e), -1);
    CHECK_INT(e.code, ERR_POLICY_VALIDATION);
    CHECK_STR(e.msg, "denied path '/w/d/.git/hooks' does not exist, and cannot "
                     "be held: '/w/d' takes names in upper and lower case for "
                     "the same");
    CHECK_STR(e.where, "filesystem.deniedPaths[0]");
    CHECK_HAS(e.hint, "create it");
    CHECK_INT(ps.n, 77);
    arena_drop(&a);
}

/* Behind a denial nobody makes anything. */
TEST(a_missing_name_that_is_out_of_reach)
{
    struct fs_rule r = missing("/w/d", "x", "/w/d/x");

    r.at.folds_case = true;
    CHECK_PLACES("grant /w <- /w rw own\n"
                 "mask /w/d\n"
                 "watch /w : d\n",
                 dir("/w", ACCESS_WRITE, 1), dir("/w/d", ACCESS_DENY, 2), r);
}

TEST(a_denied_file_must_have_one_name)
{
    struct arena a = { .limit = 1 << 20 };
    struct fs_rule r[] = { file("/w/key", ACCESS_DENY, 5) };
    struct places ps = { .n = 77 };
    struct err e = { 0 };
    size_t n = 1;

    r[0].at.nlink = 3;
    CHECK_INT(fs_decide(&a, r, &n, &ps, &e), -1);
    CHECK_INT(e.code, ERR_POLICY_VALIDATION);
    CHECK_STR(e.msg, "denied file '/w/key' has 3 hard links: its other names "
                     "cannot be known");
    CHECK_STR(e.where, "/w/key");
    CHECK_HAS(e.hint, "break the links");
    CHECK_INT(ps.n, 77);
    r[0].access = ACCESS_READ; /* granting it is no problem */
    CHECK_INT(fs_decide(&a, r, &n, &ps, &e), 0);
    arena_drop(&a);
}

/* Every allocation fails once: an error, never a placement left out. */
TEST(out_of_memory_is_an_error)
{
    const char *alias[] = { "/w/x/y" };
    struct places whole = { 0 };
    int failures = 0;

    for (size_t limit = 0; limit < 1 << 18; limit += 16) {
        struct arena a = { .limit = limit };
        struct fs_rule r[] = { dir("/w", ACCESS_WRITE, 1),
                               dir("/secret", ACCESS_DENY, 7),
                               dir("/w/l", ACCESS_READ, 9),
                               missing("/w/a", "b/c", "/w/a/b/c"),
                               dir("/w/x", ACCESS_READ, 10) };
        struct places ps = { 0 };
        struct err e = { 0 };
        size_t n = ARRAY_LEN(r);

        r[1].at.alias = alias;
        r[1].at.naliases = 1;
        r[2].at.real = "/w/q/l";
        if (fs_decide(&a, r, &n, &ps, &e) < 0) {
            CHECK_INT(e.code, ERR_BACKEND_ERROR);
            CHECK_STR(e.msg, "out of memory for paths");
            CHECK_INT(ps.n, 0);
            failures++;
        } else {
            whole.n = whole.n ? whole.n : ps.n;
            CHECK_INT(ps.n, whole.n);
        }
        arena_drop(&a);
    }
    CHECK(failures > 100 && whole.n > 5);
}

enum shape { FLAT, NESTED, DENIED, LINKED, SHAPES };

static void make_rule(struct arena *a, struct fs_rule *r, enum shape shape,
                      size_t i)
{
    unsigned u = (unsigned)i;

    *r = dir(arena_printf(a, "/w/d%u/e%u", u % 100, u), ACCESS_READ, i + 9);
    if (shape == NESTED)
        r->path = arena_printf(a, "/w/d%u/e%u%s", u / 3, u / 3,
                               i % 3 == 0   ? ""
                               : i % 3 == 1 ? "/f"
                                            : "/f/g");
    if (shape == NESTED)
        r->access = (enum access)(i % 3);
    if (shape == DENIED)
        r->access = ACCESS_DENY;
    r->at.real = r->path;
    if (shape == LINKED)
        r->path = arena_printf(a, "/l/d%u/e%u", u % 100, u);
}

static double seconds(enum shape shape, size_t n)
{
    struct arena a = { .limit = 256 << 20 };
    struct fs_rule *r = arena_array(&a, n + 1, sizeof(*r));
    struct timespec t0, t1;
    struct places ps;
    struct err e;

    CHECK(r != NULL);
    for (size_t i = 0; i < n; i++)
        make_rule(&a, &r[i], shape, i);
    r[n++] = dir("/w", ACCESS_WRITE, 1);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
    CHECK_INT(fs_decide(&a, r, &n, &ps, &e), 0);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t1);
    CHECK(ps.n >= n / 2);
    arena_drop(&a);
    return (double)(t1.tv_sec - t0.tv_sec) +
           (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
}

/*
 * Four times the rules: some 4.5 times the work where it grows as n log n, 16
 * times where it grows as the square.  Both numbers are too large for a
 * processor's cache, so that what is compared is not memory.
 */
TEST(cost_grows_with_the_rules_not_their_square)
{
    static const char *const names[] = { "flat", "nested", "denied", "linked" };

#ifdef __GLIBC__
    /* Memory is kept once it was had: fresh pages, which only the larger number
     * would get from the kernel each time, cost more than the work itself. */
    (void)mallopt(M_MMAP_MAX, 0);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
    for (int s = 0; s < SHAPES; s++) {
        double few = 1, many = 1, t;

        /* The best of five, or of more where others disturb it. */
        for (int i = 0; i < 5 || (i < 40 && many >= few * 10); i++) {
            t = seconds((enum shape)s, 5000);
            few = t < few ? t : few;
            t = seconds((enum shape)s, 20000);
            many = t < many ? t : many;
        }
        printf("# %s: %.2f ms for 5000, %.2f ms for 20000\n", names[s],
               few * 1e3, many * 1e3);
        NOTE(names[s]);
        CHECK(many < few * 10);
    }
}

T_MAIN()
