/* test_session.c - the pure parts of sessions: ids, what narrows a command,
 * and a command's plan. */
#include "t.h"

#include "base/compat.h"
#include "base/limit.h"
#include "plan/pack.h"
#include "session/client.h"
#include "session/id.h"
#include "session/narrow.h"

static const char filter[16];

#define READS (MXC_LL_EXECUTE | MXC_LL_READ_FILE | MXC_LL_READ_DIR)
#define ALL   ((MXC_LL_IOCTL_DEV << 1) - 1)

static struct arena arena = { .limit = 16 << 20 };

static void add(struct plan *p, enum step_kind kind, uint32_t flags,
                const char *path, const char *text, size_t len)
{
    struct err e;

    CHECK_INT(plan_add(p, &arena,
                       (struct step){ .kind = kind,
                                      .flags = flags,
                                      .path = path,
                                      .text = text,
                                      .text_len = len },
                       &e),
              0);
}

/* The plan of a session: two grants for writing, one of them in a directory
 * of the sandbox's own, one for reading, and a mask. */
static struct plan_view session_plan_of(uint32_t flags)
{
    struct plan p = { .flags = flags, .landlock_abi = 7 };
    struct plan_view v;
    struct err e;
    void *bytes;
    size_t len;

    add(&p, STEP_ROOT, 0, NULL, NULL, 0);
    add(&p, STEP_DIR, 0, "/tmp", NULL, 0);
    add(&p, STEP_DIR, 0, "/home", NULL, 0);
    add(&p, STEP_BIND, STEP_IS_DIR | STEP_READONLY, "/usr", "/usr", 0);
    add(&p, STEP_BIND, STEP_IS_DIR | STEP_CREATE, "/home/me/a", "/h/a", 0);
    add(&p, STEP_MASK, STEP_IS_DIR, "/home/me/a/secret", NULL, 0);
    add(&p, STEP_BIND, STEP_IS_DIR | STEP_CREATE, "/work", "/h/w", 0);
    add(&p, STEP_SYMLINK, 0, "/bin", "usr/bin", 0);
    add(&p, STEP_PROC, 0, "/proc", NULL, 0);
    add(&p, STEP_LANDLOCK, 0, "/", NULL, 0);
    add(&p, STEP_FILTER, 0, NULL, filter, sizeof(filter));
    add(&p, STEP_CWD, 0, "/work", NULL, 0);
    add(&p, STEP_ENV, 0, NULL, "A=1", 0);
    add(&p, STEP_ENV, 0, NULL, "PWD=/work", 0);
    CHECK_INT(plan_pack(&p, &arena, &bytes, &len, &e), 0);
    if (plan_check(bytes, len, &v, &e) < 0)
        T_FAIL("%s", e.msg);
    return v;
}

static struct plan_view the_session(void)
{
    return session_plan_of(PLAN_SESSION);
}

TEST(ids)
{
    static const struct {
        const char *id;
        enum err_code code;
    } rows[] = {
        { "native:0123456789abcdef0123456789abcdef", ERR_NONE },
        { "native:0123456789abcdef0123456789abcde", ERR_MALFORMED_ID },
        { "native:0123456789abcdef0123456789abcdef0", ERR_MALFORMED_ID },
        { "native:0123456789abcdef0123456789abcdeF", ERR_MALFORMED_ID },
        { "native:/123456789abcdef0123456789abcdef", ERR_MALFORMED_ID },
        { "native:", ERR_MALFORMED_ID },
        { "native", ERR_MALFORMED_ID },
        { "", ERR_MALFORMED_ID },
        { ":0123456789abcdef0123456789abcdef", ERR_MALFORMED_ID },
        { "nativ:0123456789abcdef0123456789abcdef",
          ERR_UNSUPPORTED_CONTAINMENT },
        { "iso:0123456789abcdef0123456789abcdef", ERR_UNSUPPORTED_CONTAINMENT },
        { "gvisor:0123456789abcdef0123456789abcdef",
          ERR_UNSUPPORTED_CONTAINMENT },
        { "bubblewrap:0123456789abcdef0123456789abcdef", ERR_NONE },
        { "bubblewrap:0123456789abcdef0123456789abcde", ERR_MALFORMED_ID },
        { "lxc:0123456789abcdef0123456789abcdef", ERR_NONE },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[SESSION_NAME_MAX], back[SESSION_ID_MAX];
        struct err e = { 0 };
        int r = session_id_parse(rows[i].id, name, &e);

        NOTE(rows[i].id);
        CHECK_INT(e.code, rows[i].code);
        CHECK_INT(r, rows[i].code ? -1 : 0);
        if (r < 0)
            continue;
        session_id_print(name, back);
        CHECK_STR(back, rows[i].id);
        CHECK_INT(strlen(session_backend(name)), strcspn(rows[i].id, ":"));
    }
}

TEST(the_other_name_of_an_id)
{
    static const char digits[] = "0123456789abcdef0123456789abcdef";
    char name[SESSION_NAME_MAX], id[64];
    struct err e = { 0 };

    (void)snprintf(id, sizeof(id), "wslc:%s", digits);
    CHECK_INT(session_id_parse(id, name, &e), 0);
    CHECK_STR(name, digits);
    id[strlen(id) - 1] = 'g';
    CHECK_INT(session_id_parse(id, name, &e), -1);
    CHECK_INT(e.code, ERR_UNSUPPORTED_CONTAINMENT);
    CHECK_INT(session_id_parse("wslc:", name, &e), -1);
    CHECK_INT(e.code, ERR_UNSUPPORTED_CONTAINMENT);
}

TEST(names_of_directories)
{
    static const char digits[] = "0123456789abcdef0123456789abcdef";
    char name[SESSION_NAME_MAX], id[SESSION_ID_MAX];

    CHECK_INT(session_name("native", digits, name), 0);
    CHECK_STR(name, digits);
    CHECK_INT(session_name("bubblewrap", digits, name), 0);
    CHECK_STR(name, "bubblewrap-0123456789abcdef0123456789abcdef");
    CHECK_STR(session_backend(name), "bubblewrap");
    session_id_print(name, id);
    CHECK_STR(id, "bubblewrap:0123456789abcdef0123456789abcdef");
    CHECK_INT(session_name("gvisor", digits, name), -1);
}

TEST(hexadecimal)
{
    const unsigned char bytes[16] = { 0, 1,    0x10, 0xff, 0xab, 5, 6, 7,
                                      8, 0x9f, 0,    0,    0,    0, 0, 0xee };
    char out[SESSION_HEX + 1];

    session_hex(bytes, out);
    CHECK_STR(out, "000110ffab05060708"
                   "9f0000000000ee");
}

TEST(what_the_session_may)
{
    static const struct {
        const char *path;
        enum narrow_access access;
    } rows[] = {
        { "/", NARROW_WRITE },
        { "/tmp/x", NARROW_WRITE },
        { "/usr", NARROW_READ },
        { "/usr/bin/env", NARROW_READ },
        { "/usrs", NARROW_WRITE },
        { "/home/me/a", NARROW_WRITE },
        { "/home/me/a/secret", NARROW_DENY },
        { "/home/me/a/secret/deep", NARROW_DENY },
        { "/home/me/a/secrets", NARROW_WRITE },
        { "/proc/self", NARROW_READ },
    };
    struct plan_view s = the_session();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        NOTE(rows[i].path);
        CHECK_INT(narrow_session_access(&s, rows[i].path), rows[i].access);
    }
}

static struct plan narrowed(const struct narrow_path *path, size_t n)
{
    struct plan_view s = the_session();
    struct plan out = { 0 };
    struct err e;

    if (narrow_add(&arena, &s, path, n, &out, &e) < 0)
        T_FAIL("%s", e.msg);
    return out;
}

/* Of a path by itself, not by what lies above it; 0: it has no rule. */
static uint64_t rule(const struct plan *p, const char *path)
{
    uint64_t rights = 0;

    for (size_t i = 0; i < p->nsteps; i++)
        if (strcmp(p->step[i].path, path) == 0)
            rights |= p->step[i].num[0];
    return rights;
}

TEST(a_grant_becomes_read_only)
{
    const struct narrow_path n[] = { { NARROW_READ, "/work" } };
    struct plan p = narrowed(n, 1);

    CHECK_INT(rule(&p, "/"), READS);
    CHECK_INT(rule(&p, "/work"), READS);
    CHECK_INT(rule(&p, "/home"), ALL);
    CHECK_INT(rule(&p, "/tmp"), ALL);
    CHECK_INT(rule(&p, "/usr"), ALL);
    CHECK_INT(rule(&p, "/bin"), 0);
}

TEST(a_grant_is_taken_away)
{
    const struct narrow_path n[] = { { NARROW_DENY, "/home/me/a" } };
    struct plan p = narrowed(n, 1);

    /* Nothing above it may be listed, or it would be, too. */
    CHECK_INT(rule(&p, "/"), 0);
    CHECK_INT(rule(&p, "/home"), 0);
    CHECK_INT(rule(&p, "/home/me"), 0);
    CHECK_INT(rule(&p, "/home/me/a"), 0);
    CHECK_INT(rule(&p, "/work"), ALL);
    CHECK_INT(rule(&p, "/tmp"), ALL);
}

TEST(parts_are_given_back)
{
    const struct narrow_path n[] = { { NARROW_READ, "/work" },
                                     { NARROW_WRITE, "/work/out" },
                                     { NARROW_DENY, "/home/me/a" },
                                     { NARROW_READ, "/home/me/a/doc" } };
    struct plan p = narrowed(n, 4);

    CHECK_INT(rule(&p, "/work"), READS);
    CHECK_INT(rule(&p, "/work/out"), ALL);
    CHECK_INT(rule(&p, "/home/me/a"), 0);
    CHECK_INT(rule(&p, "/home/me/a/doc"), READS);
    CHECK_INT(rule(&p, "/"), 0);
}

TEST(everything_read_only)
{
    const struct narrow_path n[] = { { NARROW_READ, "/" } };
    struct plan p = narrowed(n, 1);

    CHECK_INT(p.nsteps, 1);
    CHECK_INT(rule(&p, "/"), READS);
}

TEST(of_equal_paths_the_stricter_counts)
{
    const struct narrow_path n[] = { { NARROW_READ, "/work" },
                                     { NARROW_DENY, "/work" },
                                     { NARROW_WRITE, "/work" } };
    struct plan p = narrowed(n, 3);

    CHECK_INT(rule(&p, "/work"), 0);
}

TEST(a_part_given_back_counts_as_the_stricter_too)
{
    const struct narrow_path n[] = { { NARROW_DENY, "/work" },
                                     { NARROW_WRITE, "/work/out" },
                                     { NARROW_READ, "/work/out" } };
    struct plan p = narrowed(n, 3);

    CHECK_INT(rule(&p, "/work"), 0);
    CHECK_INT(rule(&p, "/work/out"), READS);
}

/* The rule of the part would hold for what lies below it. */
TEST(less_inside_of_a_part_given_back)
{
    const enum narrow_access less[] = { NARROW_READ, NARROW_DENY };
    struct plan_view s = the_session();

    for (size_t i = 0; i < ARRAY_LEN(less); i++) {
        const struct narrow_path n[] = { { NARROW_DENY, "/work" },
                                         { NARROW_WRITE, "/work/out" },
                                         { less[i], "/work/out/keep" } };
        struct plan out = { 0 };
        struct err e = { 0 };

        CHECK_INT(narrow_add(&arena, &s, n, 3, &out, &e), -1);
        CHECK_INT(e.code, ERR_POLICY_VALIDATION);
        CHECK_HAS(e.msg, less[i] ? "'/work/out/keep': it lies inside of "
                                   "'/work/out'"
                                 : "'/work/out/keep'");
    }
}

TEST(what_cannot_be_narrowed)
{
    static const struct {
        struct narrow_path path;
        const char *why;
    } rows[] = {
        { { NARROW_WRITE, "/usr" }, "may only read it" },
        { { NARROW_WRITE, "/usr/bin" }, "may only read it" },
        { { NARROW_READ, "/home/me/a/secret" }, "denies it" },
        { { NARROW_WRITE, "/home/me/a/secret/x" }, "denies it" },
        { { NARROW_DENY, "/work/part" }, "no such path by itself" },
        { { NARROW_READ, "/work/part" }, "no such path by itself" },
        { { NARROW_DENY, "/nowhere" }, "no such path by itself" },
        { { NARROW_WRITE, "/nowhere" }, "no such path by itself" },
        { { NARROW_DENY, "/bin" }, "is a link" },
        { { NARROW_READ, "/bin/sh" }, "is a link" },
    };
    struct plan_view s = the_session();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct plan out = { 0 };
        struct err e = { 0 };

        NOTE(rows[i].path.path);
        CHECK_INT(narrow_add(&arena, &s, &rows[i].path, 1, &out, &e), -1);
        CHECK_INT(e.code, ERR_POLICY_VALIDATION);
        CHECK_HAS(e.msg, rows[i].why);
        CHECK_HAS(e.msg, rows[i].path.path);
    }
}

/* A mask is known by itself, but lies inside of what is granted whole. */
TEST(a_reduction_inside_of_a_grant)
{
    const struct narrow_path n[] = { { NARROW_DENY, "/home/me/a/secret" } };
    struct plan_view s = the_session();
    struct plan out = { 0 };
    struct err e = { 0 };

    CHECK_INT(narrow_add(&arena, &s, n, 1, &out, &e), -1);
    CHECK_HAS(e.msg, "lies inside of '/home/me/a'");
}

TEST(a_session_has_no_command)
{
    struct plan p = { .flags = PLAN_SESSION, .landlock_abi = 7 };
    struct plan_view v;
    struct err e = { 0 };
    void *bytes;
    size_t len;

    add(&p, STEP_ROOT, 0, NULL, NULL, 0);
    add(&p, STEP_LANDLOCK, 0, "/", NULL, 0);
    add(&p, STEP_FILTER, 0, NULL, filter, sizeof(filter));
    add(&p, STEP_CWD, 0, "/", NULL, 0);
    CHECK_INT(plan_pack(&p, &arena, &bytes, &len, &e), 0);
    CHECK_INT(plan_check(bytes, len, &v, &e), 0);
    p.flags |= PLAN_TTY;
    CHECK_INT(plan_pack(&p, &arena, &bytes, &len, &e), 0);
    CHECK_INT(plan_check(bytes, len, &v, &e), -1);
    CHECK_HAS(e.msg, "no terminal");
    p.flags = 0;
    CHECK_INT(plan_pack(&p, &arena, &bytes, &len, &e), 0);
    CHECK_INT(plan_check(bytes, len, &v, &e), -1);
    CHECK_HAS(e.msg, "nothing to run");
    p.flags = PLAN_SESSION;
    add(&p, STEP_ARG, 0, NULL, "true", 0);
    CHECK_INT(plan_pack(&p, &arena, &bytes, &len, &e), 0);
    CHECK_INT(plan_check(bytes, len, &v, &e), -1);
}

static struct plan a_command(void)
{
    struct plan p = { .flags = PLAN_EXEC, .landlock_abi = 7 };

    add(&p, STEP_CWD, 0, "/", NULL, 0);
    add(&p, STEP_ARG, 0, NULL, "true", 0);
    return p;
}

static int check_command(const struct plan *p, struct err *e)
{
    struct plan_view v;
    void *bytes;
    size_t len;

    CHECK_INT(plan_pack(p, &arena, &bytes, &len, e), 0);
    return plan_check_exec(bytes, len, &v, e);
}

TEST(a_commands_plan)
{
    struct plan p = a_command();
    struct err e = { 0 };

    CHECK_INT(check_command(&p, &e), 0);
    p.flags = 0;
    CHECK_INT(check_command(&p, &e), -1);
    p.flags = PLAN_EXEC | PLAN_SESSION;
    CHECK_INT(check_command(&p, &e), -1);
    CHECK_HAS(e.msg, "unknown flag");
    p.flags = PLAN_EXEC;
    add(&p, STEP_LANDLOCK, 0, "/", NULL, 0);
    CHECK_INT(check_command(&p, &e), -1);
    CHECK_HAS(e.msg, "Landlock");
    p.flags |= PLAN_EXEC_NARROWED;
    CHECK_INT(check_command(&p, &e), 0);
    p = a_command();
    add(&p, STEP_BIND, STEP_IS_DIR, "/x", "/etc", 0);
    CHECK_INT(check_command(&p, &e), -1);
    CHECK_HAS(e.msg, "no place in a session's command");
    p = a_command();
    add(&p, STEP_CWD, 0, "/", NULL, 0);
    CHECK_INT(check_command(&p, &e), -1);
}

/* Bytes of a caller's: none of them may be believed. */
TEST(a_commands_plan_with_a_bit_turned)
{
    struct plan p = a_command();
    struct plan_view v;
    struct err e;
    void *bytes;
    size_t len;

    CHECK_INT(plan_pack(&p, &arena, &bytes, &len, &e), 0);
    for (size_t i = 0; i < len * 8; i++) {
        unsigned char *b = bytes;

        b[i / 8] ^= (unsigned char)(1u << i % 8);
        if (plan_check_exec(bytes, len, &v, &e) == 0)
            for (size_t s = 0; s < v.head.nsteps; s++)
                CHECK(plan_step(&v, s).kind < STEP_END);
        b[i / 8] ^= (unsigned char)(1u << i % 8);
    }
}

TEST(names_of_limits)
{
    CHECK(limit_resource("files") >= 0);
    CHECK(limit_resource("memory") >= 0);
    CHECK_INT(limit_resource(""), -1);
    CHECK_INT(limit_resource("file"), -1);
}

TEST(ids_with_a_path)
{
    static const char hex[] = "0123456789abcdef0123456789abcdef";
    static const struct {
        const char *text, *path, *id;
    } rows[] = {
        { "native:0123456789abcdef0123456789abcdef:/a:b", "/a:b",
          "native:0123456789abcdef0123456789abcdef" },
        { "native:0123456789abcdef0123456789abcdef:", "",
          "native:0123456789abcdef0123456789abcdef" },
        { "native:0123456789abcdef0123456789abcdef", "",
          "native:0123456789abcdef0123456789abcdef" },
        { "bubblewrap:0123456789abcdef0123456789abcdef:/a", "/a",
          "bubblewrap:0123456789abcdef0123456789abcdef" },
        { "lxc:0123456789abcdef0123456789abcdef:a", "a",
          "lxc:0123456789abcdef0123456789abcdef" },
        { "native:12:x", "x", "native:12" },
        { "native::x", "x", "native:" },
        { "wslc:0123456789abcdef0123456789abcdef:/a", "/a",
          "wslc:0123456789abcdef0123456789abcdef" },
        { "wslc:12:x", NULL, NULL },
        { "native", NULL, NULL },
        { "", NULL, NULL },
        { "file", NULL, NULL },
        { "./native:x", NULL, NULL },
        { "other:0123456789abcdef0123456789abcdef:/a", NULL, NULL },
    };
    char id[SESSION_ID_MAX], name[SESSION_NAME_MAX], text[200];
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *path = session_id_split(rows[i].text, id);

        CHECK((path == NULL) == (rows[i].path == NULL));
        if (!path)
            continue;
        CHECK_STR(path, rows[i].path);
        CHECK_STR(id, rows[i].id);
    }
    /* One that begins as an id is none when it is cut. */
    (void)snprintf(text, sizeof(text), "native:%s%s:/a", hex, hex);
    CHECK_STR(session_id_split(text, id), "/a");
    CHECK_INT(session_id_parse(id, name, &e), -1);
    CHECK_INT(e.code, ERR_MALFORMED_ID);
}

/* A program that is handed in has no terminal. */
TEST(a_program_that_is_handed_in)
{
    const struct plan_view s = session_plan_of(PLAN_SESSION);
    struct session_command c = { .arg = (const char *[]){ "x" },
                                 .nargs = 1,
                                 .has_program = true };
    scoped(arena_drop) struct arena a = { .limit = SESSION_COMMAND_MAX };
    struct err e = { 0 };
    void *bytes;
    size_t len;

    CHECK_INT(session_command_plan(&a, &s, &c, &bytes, &len, &e), 0);
    c.tty = true;
    CHECK_INT(session_command_plan(&a, &s, &c, &bytes, &len, &e), -1);
    CHECK_HAS(e.msg, "a terminal for a program of ours");
}

T_MAIN()
