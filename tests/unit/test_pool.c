/* Pools: names, what is claimed, and which plans of that are safe. */
#include "session/pool.h"

#include <string.h>

#include "t.h"

static struct arena arena = { .limit = 64 << 20 };
static const char filter[8] = { 0 };

static void add(struct plan *p, struct step s)
{
    struct err e;

    CHECK_INT(plan_add(p, &arena, s, &e), 0);
}

static struct plan a_claim(void)
{
    struct plan p = { .flags = PLAN_CLAIM };

    add(&p, (struct step){ .kind = STEP_ARG, .text = "true" });
    return p;
}

static int check(const struct plan *p, struct err *e)
{
    struct plan_view v;
    void *bytes;
    size_t len;

    *e = (struct err){ 0 };
    CHECK_INT(plan_pack(p, &arena, &bytes, &len, e), 0);
    return plan_check_claim(bytes, len, &v, e);
}

static struct plan with(struct step s, uint32_t flags)
{
    struct plan p = a_claim();

    p.flags |= flags;
    add(&p, s);
    return p;
}

TEST(names)
{
    static const char *const good[] = { "a", "A9", "lab.1", "x-y_z" };
    static const char *const bad[] = { "",   ".",   "..",  "-a", "_a",
                                       "a/", "a b", "a\n", "é" };
    struct err e;
    char name[POOL_NAME_MAX + 2];

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        CHECK_INT(pool_check_name(good[i], &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_INT(pool_check_name(bad[i], &e), -1);
    memset(name, 'x', sizeof(name));
    name[POOL_NAME_MAX] = '\0';
    CHECK_INT(pool_check_name(name, &e), 0);
    name[POOL_NAME_MAX] = 'x';
    name[POOL_NAME_MAX + 1] = '\0';
    CHECK_INT(pool_check_name(name, &e), -1);
}

TEST(what_a_claim_may_hold)
{
    static const struct {
        struct step step;
        uint32_t flags;
        const char *why; /* NULL: it may */
    } rows[] = {
        { { STEP_ENV, .text = "A=1" }, 0, NULL },
        { { STEP_CWD, .path = "/w" }, 0, NULL },
        { { STEP_RLIMIT, .num = { 7, 9 } }, 0, NULL },
        { { STEP_ARG, .text = "" }, PLAN_TTY | PLAN_EXEC_NO_SOCKETS, NULL },
        { { STEP_BIND, .num = { 1, 2 }, .path = "/w", .text = "/w" }, 0, NULL },
        { { STEP_MASK, .path = "/w/no" }, 0, NULL },
        { { STEP_HOLLOW, .path = "/w" }, 0, NULL },
        { { STEP_PIN, .path = "/w" }, 0, NULL },
        { { STEP_WATCH, .path = "/w", .text = "no" }, 0, NULL },
        { { STEP_FILTER, .text = filter, .text_len = 8 },
          PLAN_BROKER_UNIX,
          NULL },
        { { STEP_FILTER, .text = filter, .text_len = 8 }, 0, "filter" },
        { { STEP_ENV, .text = "A=1" }, PLAN_BROKER_UNIX, "filter" },
        { { STEP_ABSENT, .path = "/w", .text = "no" }, 0, "absent" },
        { { STEP_ENV, .text = "A=1" }, PLAN_SESSION, "unknown flag" },
        { { STEP_ENV, .text = "A=1" }, PLAN_NO_LANDLOCK, "unknown flag" },
        { { STEP_ENV, .text = "A=1" }, PLAN_EXEC, "unknown flag" },
        { { STEP_BIND, .path = "/w", .text = "/w" }, 0, "nobody has looked" },
        { { STEP_BIND, .num = { 1, 2 }, .path = "/", .text = "/w" }, 0, "own" },
        { { STEP_BIND, .num = { 1, 2 }, .path = "/proc", .text = "/w" },
          0,
          "own" },
        { { STEP_BIND, .num = { 1, 2 }, .path = "/dev/x", .text = "/w" },
          0,
          "own" },
        { { STEP_MASK, .flags = STEP_OPTIONAL, .path = "/w" }, 0, "own" },
        { { STEP_ROOT, .num = { 1, 1 } }, 0, "no place" },
        { { STEP_DIR, .path = "/w" }, 0, "no place" },
        { { STEP_FILE, .path = "/w", .text = "x", .text_len = 1 },
          0,
          "no place" },
        { { STEP_SYMLINK, .path = "/w", .text = "x" }, 0, "no place" },
        { { STEP_PROC, .path = "/w" }, 0, "no place" },
        { { STEP_LANDLOCK, .num = { 1 }, .path = "/w" }, 0, "no place" },
        { { STEP_SYSCTL, .path = "/proc/sys/x", .text = "1" }, 0, "no place" },
        { { STEP_RULES, .text = "x", .text_len = 1 }, 0, "no place" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct plan p = with(rows[i].step, rows[i].flags);
        struct err e;

        CHECK_INT(check(&p, &e), rows[i].why ? -1 : 0);
        CHECK_HAS(e.msg, rows[i].why ? rows[i].why : "");
    }
}

TEST(a_claim_has_one_command_and_one_place)
{
    struct plan p = { .flags = PLAN_CLAIM };
    struct err e;

    add(&p, (struct step){ .kind = STEP_CWD, .path = "/" });
    CHECK_INT(check(&p, &e), -1);
    CHECK_HAS(e.msg, "nothing to run");
    add(&p, (struct step){ .kind = STEP_ARG, .text = "true" });
    CHECK_INT(check(&p, &e), 0);
    add(&p, (struct step){ .kind = STEP_CWD, .path = "/" });
    CHECK_INT(check(&p, &e), -1);
    p = a_claim();
    p.flags = PLAN_EXEC;
    CHECK_INT(check(&p, &e), -1);
}

/* Bytes of a caller's: none of them may be believed. */
TEST(a_claim_with_a_bit_turned)
{
    const struct plan p = with(
        (struct step){
            .kind = STEP_BIND, .num = { 1, 2 }, .path = "/w", .text = "/w" },
        0);
    struct plan_view v;
    struct err e;
    void *bytes;
    size_t len;

    CHECK_INT(plan_pack(&p, &arena, &bytes, &len, &e), 0);
    for (size_t i = 0; i < len * 8; i++) {
        unsigned char *b = bytes;

        b[i / 8] ^= (unsigned char)(1u << i % 8);
        if (plan_check_claim(bytes, len, &v, &e) == 0)
            for (size_t s = 0; s < v.head.nsteps; s++)
                CHECK(plan_step(&v, s).kind < STEP_END);
        b[i / 8] ^= (unsigned char)(1u << i % 8);
    }
}

TEST(a_warm_sandbox)
{
    struct plan p = { .flags = PLAN_WARM, .landlock_abi = 7 };
    struct plan_view v;
    struct err e = { 0 };
    void *bytes;
    size_t len;

    add(&p, (struct step){ .kind = STEP_ROOT });
    add(&p, (struct step){ .kind = STEP_LANDLOCK, .path = "/" });
    add(&p,
        (struct step){ .kind = STEP_FILTER, .text = filter, .text_len = 8 });
    add(&p, (struct step){ .kind = STEP_CWD, .path = "/" });
    CHECK_INT(plan_pack(&p, &arena, &bytes, &len, &e), 0);
    CHECK_INT(plan_check(bytes, len, &v, &e), 0);
    p.flags |= PLAN_SESSION;
    CHECK_INT(plan_pack(&p, &arena, &bytes, &len, &e), 0);
    CHECK_INT(plan_check(bytes, len, &v, &e), -1);
    CHECK_HAS(e.msg, "warm");
    p.flags = PLAN_WARM | PLAN_EXEC_NO_SOCKETS;
    CHECK_INT(plan_pack(&p, &arena, &bytes, &len, &e), 0);
    CHECK_INT(plan_check(bytes, len, &v, &e), -1);
    CHECK_HAS(e.msg, "forbid sockets");
    p.flags = PLAN_WARM;
    add(&p, (struct step){ .kind = STEP_ARG, .text = "true" });
    CHECK_INT(plan_pack(&p, &arena, &bytes, &len, &e), 0);
    CHECK_INT(plan_check(bytes, len, &v, &e), -1);
    CHECK_HAS(e.msg, "nothing to run");
}

TEST(a_commands_claim)
{
    const char *const arg[] = { "a", "" };
    const char *const env[] = { "A=1" };
    const char *const wrong[] = { "=1" };
    const struct session_limit limit = { 7, 99 };
    const struct step step = {
        .kind = STEP_BIND, .num = { 1, 2 }, .path = "/w", .text = "/w"
    };
    const struct pool_extra extra = { .step = &step, .n = 1 };
    struct session_command c = { .arg = arg,
                                 .nargs = 2,
                                 .env = env,
                                 .nenv = 1,
                                 .cwd = "/w",
                                 .limit = &limit,
                                 .nlimits = 1,
                                 .no_network = true };
    struct plan_view v;
    struct err e = { 0 };
    void *bytes;
    size_t len;

    CHECK_INT(pool_claim_plan(&arena, &c, &extra, &bytes, &len, &e), 0);
    CHECK_INT(plan_check_claim(bytes, len, &v, &e), 0);
    CHECK_INT(v.head.flags, PLAN_CLAIM | PLAN_EXEC_NO_SOCKETS);
    CHECK_INT(plan_count(&v, STEP_ARG), 2);
    CHECK_INT(plan_count(&v, STEP_ENV), 2);
    CHECK_INT(plan_count(&v, STEP_BIND), 1);
    CHECK_STR(plan_step(&v, 2).text, "PWD=/w");
    c.env = wrong;
    CHECK_INT(pool_claim_plan(&arena, &c, NULL, &bytes, &len, &e), -1);
    CHECK_HAS(e.msg, "KEY=VALUE");
}

T_MAIN()
