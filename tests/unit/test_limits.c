/* Limits: their words and values, of two the lower one, and what holds them on
 * hosts of every kind. */
#include "backends/limit_holder.h"

#include <errno.h>

#include "t.h"

/* --- words and values ------------------------------------------------------
 */

TEST(each_has_two_names_and_no_other)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        const struct limit_row *row = &limit_rows[i];

        NOTE(row->name);
        CHECK_INT(limit_find(row->name, strlen(row->name)), i);
        CHECK_INT(limit_find(row->word, strlen(row->word)), i);
        /* Neither a part of one, nor one and something more. */
        CHECK_INT(limit_find(row->name, strlen(row->name) - 1), LIMIT_COUNT);
        for (int j = 0; j < i; j++) {
            CHECK(strcmp(row->name, limit_rows[j].name) != 0);
            CHECK(strcmp(row->word, limit_rows[j].word) != 0);
        }
    }
    CHECK_INT(limit_find("", 0), LIMIT_COUNT);
    CHECK_INT(limit_find("Memory", 6), LIMIT_COUNT);
}

TEST(values_as_people_write_them)
{
    static const struct {
        const char *text;
        enum limit which;
        int r;
        uint64_t want;
    } rows[] = {
        { "512M", LIMIT_MEMORY, 0, 512u << 20 },
        { "8G", LIMIT_MEMORY, 0, 8ull << 30 },
        { "4096", LIMIT_MEMORY, 0, 4096 },
        { "0", LIMIT_MEMORY, -ERANGE, 0 },
        { "-1", LIMIT_MEMORY, -EINVAL, 0 },
        { "", LIMIT_MEMORY, -EINVAL, 0 },
        { "M", LIMIT_MEMORY, -EINVAL, 0 },
        { "1 M", LIMIT_MEMORY, -EINVAL, 0 },
        { "99999999999999999999", LIMIT_MEMORY, -ERANGE, 0 },
        { "0", LIMIT_SWAP, 0, 0 },
        { "64", LIMIT_PIDS, 0, 64 },
        { "0", LIMIT_PIDS, -ERANGE, 0 },
        { "4294967295", LIMIT_PIDS, 0, UINT32_MAX },
        { "4294967296", LIMIT_PIDS, -ERANGE, 0 },
        { "64M", LIMIT_PIDS, -EINVAL, 0 },
        { "50%", LIMIT_CPU_SHARE, 0, 50 },
        { "250", LIMIT_CPU_SHARE, 0, 250 },
        { "%", LIMIT_CPU_SHARE, -EINVAL, 0 },
        { "50%%", LIMIT_CPU_SHARE, -EINVAL, 0 },
        { "1234567890123456%", LIMIT_CPU_SHARE, -EINVAL, 0 },
        { "500ms", LIMIT_CPU_TIME, 0, 500 },
        { "5m", LIMIT_CPU_TIME, 0, 300000 },
        { "5x", LIMIT_CPU_TIME, -EINVAL, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t got = 12345;

        NOTE(rows[i].text);
        CHECK_INT(limit_value(rows[i].which, rows[i].text, &got), rows[i].r);
        CHECK_INT(got, rows[i].r ? 12345 : rows[i].want);
    }
}

TEST(values_with_their_units)
{
    static const struct {
        enum limit which;
        uint64_t value;
        const char *want;
    } rows[] = { { LIMIT_MEMORY, 536870912, "536870912 bytes" },
                 { LIMIT_PIDS, 64, "64" },
                 { LIMIT_CPU_SHARE, 50, "50 %" },
                 { LIMIT_SILENCE, UINT64_MAX, "18446744073709551615 ms" } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = { .max = 64 };

        limit_print(rows[i].which, rows[i].value, &b);
        CHECK_STR(b.data, rows[i].want);
        buf_drop(&b);
    }
}

/* --- of a request and an option --------------------------------------------
 */

struct word {
    uint64_t value;
    bool is_advisory;
    const char *origin;
};

TEST(of_two_the_lower_counts_and_what_one_insists_on)
{
    static const struct {
        struct word first, second;
        uint64_t value;
        const char *origin;
        bool is_advisory;
    } rows[] = {
        { { 64, 0, "a" }, { 32, 0, "b" }, 32, "b", false },
        { { 32, 0, "a" }, { 64, 0, "b" }, 32, "a", false },
        { { 32, 0, "a" }, { 32, 0, "b" }, 32, "a", false },
        { { 64, 1, "a" }, { 32, 1, "b" }, 32, "b", true },
        { { 64, 1, "a" }, { 32, 0, "b" }, 32, "b", false },
        { { 64, 0, "a" }, { 32, 1, "b" }, 32, "b", false },
        { { 32, 1, "a" }, { 64, 0, "b" }, 32, "a", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct word *first = &rows[i].first, *second = &rows[i].second;
        struct policy p;

        policy_default(&p);
        CHECK_INT(p.limits.set, 0);
        CHECK_INT(limit_or(&p.limits, LIMIT_PIDS, 7), 7);
        policy_limit(&p, LIMIT_PIDS, first->value, first->is_advisory,
                     first->origin);
        policy_limit(&p, LIMIT_PIDS, second->value, second->is_advisory,
                     second->origin);
        CHECK_INT(limit_or(&p.limits, LIMIT_PIDS, 7), rows[i].value);
        CHECK_STR(p.limits.origin[LIMIT_PIDS], rows[i].origin);
        CHECK_INT(p.limits.advisory != 0, rows[i].is_advisory);
    }
}

TEST(swap_without_memory_has_no_end)
{
    struct err e = { 0 };
    struct policy p;

    policy_default(&p);
    policy_limit(&p, LIMIT_SWAP, 1 << 20, false, "limits.swapBytes");
    CHECK_INT(policy_check_limits(&p, &e), -1);
    CHECK_STR(e.where, "limits.swapBytes");
    CHECK(strstr(e.msg, "swap is limited, and memory is not"));
}

/* No swap is a limit as well as some. */
TEST(no_swap_is_said_by_a_zero)
{
    static const struct {
        const char *limits;
        const char *msg;      /* "": it holds */
        bool is_swap_advised; /* then */
    } rows[] = {
        { "'swapBytes':0", "swap is limited, and memory is not", 0 },
        { "'swapBytes':1", "swap is limited, and memory is not", 0 },
        { "'pids':7", "", 0 },
        { "'memoryBytes':9999999,'swapBytes':0,'advisory':['memoryBytes']", "",
          0 },
        { "'memoryBytes':9999999,'swapBytes':1,'advisory':['memoryBytes']", "",
          0 },
        { "'memoryBytes':9999999,'advisory':['memoryBytes']", "", 1 },
        { "'memoryBytes':9999999,'swapBytes':0,'advisory':['swapBytes']", "",
          1 },
        { "'memoryBytes':9999999,'advisory':['swapBytes']", "", 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct request *r;
        struct err e = { 0 };
        struct policy p;
        char *text = arena_printf(&a,
                                  "{'version':'1.1.0+c1','process':"
                                  "{'commandLine':'x'},'limits':{%s}}",
                                  rows[i].limits);

        NOTE(rows[i].limits);
        for (char *q = text; *q; q++)
            if (*q == '\'')
                *q = '"';
        policy_default(&p);
        CHECK_INT(request_parse(&a, text, strlen(text), &r, &e), 0);
        CHECK_INT(policy_from_limits(&p, &a, r, &e), 0);
        CHECK_INT(policy_check_limits(&p, &e), rows[i].msg[0] ? -1 : 0);
        CHECK(strstr(e.msg, rows[i].msg));
        CHECK_STR(e.where, rows[i].msg[0] ? "limits.swapBytes" : "");
        if (!rows[i].msg[0])
            CHECK_INT(!(p.limits.advisory & LIMIT_BIT(LIMIT_SWAP)),
                      !rows[i].is_swap_advised);
        arena_drop(&a);
    }
}

TEST(memory_alone_means_no_swap)
{
    for (int advisory = 0; advisory < 2; advisory++) {
        struct err e = { 0 };
        struct policy p;

        policy_default(&p);
        policy_limit(&p, LIMIT_MEMORY, 1 << 30, advisory, "limits.memoryBytes");
        CHECK_INT(policy_check_limits(&p, &e), 0);
        CHECK_INT(limit_or(&p.limits, LIMIT_SWAP, 7), 0);
        CHECK_INT(!(p.limits.advisory & LIMIT_BIT(LIMIT_SWAP)), !advisory);
    }
}

TEST(less_than_a_sandbox_needs_is_refused)
{
    for (int i = 0; i < LIMIT_COUNT; i++) {
        const uint64_t least = limit_rows[i].least;

        NOTE(limit_rows[i].name);
        if (least < 2)
            continue;
        for (uint64_t value = least - 1; value <= least; value++) {
            struct err e = { 0 };
            struct policy p;

            policy_default(&p);
            policy_limit(&p, (enum limit)i, value, true, "here");
            CHECK_INT(policy_check_limits(&p, &e), value < least ? -1 : 0);
            CHECK_STR(e.where, value < least ? "here" : "");
        }
    }
}

/* --- what holds them -------------------------------------------------------
 */

#define BIT(name) LIMIT_BIT(LIMIT_##name)
#define ALL_GROUPS                                                             \
    (BIT(MEMORY) | BIT(SWAP) | BIT(PIDS) | BIT(CPU_SHARE) | BIT(CPU_TIME))

struct held {
    const char *name;
    struct host h;
    enum layer layer;
    enum limit which;
    uint64_t value;
    enum limit_holder by; /* HOLD_NOT: refused, */
    const char *says;     /* with this in its words */
};

#define GROUPS(bits) .group_limits = (bits)
#define AS(id)       .uid = (id)
#define SESSION      .session_place = "/run/s"

static const struct held held[] = {
    { "memory",
      { AS(1), GROUPS(ALL_GROUPS) },
      0,
      LIMIT_MEMORY,
      1 << 20,
      HOLD_GROUP,
      "" },
    { "memory, no group",
      { AS(1) },
      0,
      LIMIT_MEMORY,
      1 << 20,
      HOLD_NOT,
      "an ordinary user may make none" },
    { "memory, root, no group",
      { AS(0) },
      0,
      LIMIT_MEMORY,
      1 << 20,
      HOLD_NOT,
      "root may make none" },
    { "memory, other groups",
      { AS(1), GROUPS(ALL_GROUPS & ~BIT(MEMORY)) },
      0,
      LIMIT_MEMORY,
      1 << 20,
      HOLD_NOT,
      "needs a control group" },
    { "memory in a session",
      { AS(1), GROUPS(ALL_GROUPS), SESSION },
      0,
      LIMIT_MEMORY,
      1 << 20,
      HOLD_GROUP,
      "" },
    { "share",
      { AS(0), GROUPS(BIT(CPU_SHARE)) },
      0,
      LIMIT_CPU_SHARE,
      50,
      HOLD_GROUP,
      "" },
    { "pids by group",
      { AS(0), GROUPS(BIT(PIDS)) },
      0,
      LIMIT_PIDS,
      2,
      HOLD_GROUP,
      "" },
    { "pids of a user", { AS(1) }, 0, LIMIT_PIDS, 2, HOLD_RLIMIT, "" },
    /* Root's processes are not counted by an rlimit. */
    { "pids of root",
      { AS(0), .has_pid_limit = true },
      0,
      LIMIT_PIDS,
      1024,
      HOLD_PID_MAX,
      "" },
    { "few pids of root",
      { AS(0), .has_pid_limit = true },
      0,
      LIMIT_PIDS,
      1023,
      HOLD_NOT,
      "root may make none" },
    { "pids of root, old kernel",
      { AS(0) },
      0,
      LIMIT_PIDS,
      4096,
      HOLD_NOT,
      "root may make none" },
    { "time",
      { AS(1), GROUPS(ALL_GROUPS) },
      0,
      LIMIT_CPU_TIME,
      9,
      HOLD_GROUP,
      "" },
    { "time of a session",
      { AS(1), GROUPS(ALL_GROUPS), SESSION },
      0,
      LIMIT_CPU_TIME,
      9,
      HOLD_NOT,
      "one of a single run" },
    { "files", { AS(1) }, 0, LIMIT_FILES, 64, HOLD_RLIMIT, "" },
    { "size of a file", { AS(0) }, 0, LIMIT_FILE_SIZE, 4096, HOLD_RLIMIT, "" },
    { "scratch", { AS(1) }, 0, LIMIT_SCRATCH, 1 << 20, HOLD_TMPFS, "" },
    { "scratch of a layer",
      { AS(1), SESSION },
      LAYER_PRIVATE,
      LIMIT_SCRATCH,
      1 << 20,
      HOLD_NOT,
      "where a layer is kept" },
    { "files of a layer",
      { AS(1), SESSION },
      LAYER_SYSTEM,
      LIMIT_SCRATCH_FILES,
      999,
      HOLD_NOT,
      "where a layer is kept" },
    { "scratch of a session",
      { AS(1), SESSION },
      0,
      LIMIT_SCRATCH,
      1 << 20,
      HOLD_TMPFS,
      "" },
    { "output", { AS(1) }, 0, LIMIT_OUTPUT, 1, HOLD_SUPERVISOR, "" },
    { "output of a session",
      { AS(1), SESSION },
      0,
      LIMIT_OUTPUT,
      1,
      HOLD_NOT,
      "one of a single run" },
    { "silence of a session",
      { AS(1), SESSION },
      0,
      LIMIT_SILENCE,
      1,
      HOLD_NOT,
      "one of a single run" },
    { "bytes, no network",
      { AS(1) },
      0,
      LIMIT_NETWORK,
      1,
      HOLD_NO_NETWORK,
      "" },
    { "connections, no network",
      { AS(1), SESSION },
      0,
      LIMIT_CONNECTIONS,
      1,
      HOLD_NO_NETWORK,
      "" },
    { "written",
      { AS(0), GROUPS(ALL_GROUPS) },
      0,
      LIMIT_WRITTEN,
      1 << 20,
      HOLD_NOT,
      "a quota of its filesystem" },
    { "files written",
      { AS(0), GROUPS(ALL_GROUPS) },
      0,
      LIMIT_WRITTEN_FILES,
      1,
      HOLD_NOT,
      "a quota of its filesystem" },
};

static void try_held(const struct held *row, bool is_advisory)
{
    struct err e = { 0 };
    struct policy p;
    int r;

    policy_default(&p);
    p.layer = row->layer;
    policy_limit(&p, row->which, row->value, is_advisory, "here");
    r = backend_limits(&backend_native, &row->h, &p, &e);
    CHECK_INT(r, row->by == HOLD_NOT && !is_advisory ? -1 : 0);
    CHECK_INT(p.limits.holder[row->which], row->by);
    if (r == 0)
        return;
    CHECK_STR(e.where, "here");
    CHECK(e.hint[0]);
    if (!strstr(e.msg, row->says))
        T_FAIL("'%s' is not in: %s", row->says, e.msg);
}

TEST(what_holds_a_limit_on_every_host)
{
    for (size_t i = 0; i < ARRAY_LEN(held); i++) {
        NOTE(held[i].name);
        try_held(&held[i], false);
        try_held(&held[i], true);
    }
}

/* Only what is held becomes a step; all of it becomes a row of the receipt. */
TEST(steps_and_rows_say_what_is_held)
{
    for (size_t i = 0; i < ARRAY_LEN(held); i++) {
        const struct held *row = &held[i];
        struct arena a = { .limit = 1 << 20 };
        struct receipt_row told;
        struct plan plan = { 0 };
        struct err e = { 0 };
        struct policy p;

        NOTE(row->name);
        policy_default(&p);
        p.layer = row->layer;
        policy_limit(&p, row->which, row->value, true, "here");
        CHECK_INT(backend_limits(&backend_native, &row->h, &p, &e), 0);
        CHECK_INT(limits_add(&p.limits, &plan, &a, &e), 0);
        told = limits_row(&p.limits, &row->h, &a, row->which);
        CHECK_INT(plan.nsteps, row->by == HOLD_NOT ? 0 : 1);
        CHECK_INT(strncmp(told.state, "not enforced", 12) == 0,
                  row->by == HOLD_NOT);
        CHECK_INT(strcmp(told.by, "nothing") == 0, row->by == HOLD_NOT);
        if (plan.nsteps) {
            CHECK_INT(plan.step[0].kind, STEP_LIMIT);
            CHECK_INT(plan.step[0].num[0], row->which);
            CHECK_INT(plan.step[0].num[1], row->value);
            CHECK_INT(plan.step[0].flags == STEP_BY_GROUP,
                      row->by == HOLD_GROUP);
        }
        arena_drop(&a);
    }
}

TEST(a_backend_without_a_way_says_so_by_its_name)
{
    const struct host h = { .uid = 1, .group_limits = ALL_GROUPS };
    struct err e = { 0 };
    struct policy p;

    policy_default(&p);
    policy_limit(&p, LIMIT_PIDS, 64, false, "--limit processes");
    CHECK_INT(backend_limits(&backend_gvisor, &h, &p, &e), -1);
    CHECK_STR(e.msg, "backend 'gvisor' cannot enforce limit 'pids'");
    CHECK_STR(e.where, "--limit processes");
    policy_default(&p);
    policy_limit(&p, LIMIT_PIDS, 64, true, "--limit processes");
    CHECK_INT(backend_limits(&backend_gvisor, &h, &p, &e), 0);
    CHECK_INT(p.limits.holder[LIMIT_PIDS], HOLD_NOT);
}

T_MAIN()
