/* test_tier.c - which backend a request gets, by name and by tier, of tables
 * that were made up; and that nothing is put in another's place. */
#include "t.h"

#include "backends/backend.h"
#include "contract/request.h"
#include "policy/policy.h"

static int fits(const struct host *h, const struct policy *p, struct err *e)
{
    (void)h;
    (void)p;
    (void)e;
    return 0;
}

static int fits_users(const struct host *h, const struct policy *p,
                      struct err *e)
{
    (void)p;
    if (h->uid != 0)
        return 0;
    err_set(e, ERR_BACKEND_UNAVAILABLE, "not for root");
    return err_hint(e, "be somebody else");
}

static int lacks_program(const struct host *h, const struct policy *p,
                         struct err *e)
{
    (void)h;
    (void)p;
    err_set(e, ERR_BACKEND_UNAVAILABLE, "no program");
    return err_hint(e, "install it");
}

/* Of the policy too, as a wall that may be missing. */
static int wants_word(const struct host *h, const struct policy *p,
                      struct err *e)
{
    (void)h;
    if (p->accept_missing & WALL_LANDLOCK)
        return 0;
    return err_set(e, ERR_BACKEND_UNAVAILABLE, "no word");
}

/* The wire has these names; what they are here is made up. */
#define ROW(id, text, of_tier, check)                                          \
    static const struct backend id = { .name = (text),                         \
                                       .tier = (of_tier),                      \
                                       .probe = (check) }
ROW(native, "native", TIER_PROCESS, fits_users);
ROW(other, "bubblewrap", TIER_PROCESS, fits);
ROW(absent, "lxc", TIER_KERNEL, lacks_program);
ROW(kernel, "hyperlight", TIER_KERNEL, fits_users);
ROW(picky, "seatbelt", TIER_KERNEL, wants_word);
ROW(machine, "microvm", TIER_VM, fits);

#define TABLE(...)                                                             \
    (const struct backend *const[])                                            \
    {                                                                          \
        __VA_ARGS__, NULL                                                      \
    }
#define WHOLE TABLE(&native, &other, &absent, &kernel, &machine)

struct pick {
    const struct backend *const *table;
    enum containment asked;
    enum tier tier;
    uint32_t uid;
    const struct backend *got; /* NULL: refused */
};

static const struct backend *pick(const struct pick *k, struct err *e)
{
    const struct policy p = { .containment = k->asked,
                              .tier = k->tier,
                              .tier_origin =
                                  k->tier ? "guarantees.tier" : NULL };
    const struct host h = { .uid = k->uid };
    const struct backend *b = NULL;
    int r;

    *e = (struct err){ 0 };
    r = backend_choose(k->table, &p, &h, &b, e);
    CHECK_INT(r, b ? 0 : -1);
    CHECK_INT(e->code != 0, b == NULL);
    return b;
}

TEST(a_backend_is_the_first_that_will_do)
{
    const struct pick rows[] = {
        /* Without a tier: native, usable or not. */
        { WHOLE, CONTAIN_PROCESS, TIER_ANY, 1, &native },
        { WHOLE, CONTAIN_PROCESS, TIER_ANY, 0, &native },
        { TABLE(&other, &kernel, &native), CONTAIN_PROCESS, TIER_ANY, 0,
          &native },
        /* With one: the first that has it and is usable. */
        { WHOLE, CONTAIN_PROCESS, TIER_PROCESS, 1, &native },
        { WHOLE, CONTAIN_PROCESS, TIER_PROCESS, 0, &other },
        { WHOLE, CONTAIN_PROCESS, TIER_KERNEL, 1, &kernel },
        { WHOLE, CONTAIN_PROCESS, TIER_KERNEL, 0, &machine },
        { WHOLE, CONTAIN_PROCESS, TIER_VM, 1, &machine },
        { TABLE(&machine, &native), CONTAIN_PROCESS, TIER_PROCESS, 1,
          &machine },
        /* A name is that backend, strong enough. */
        { WHOLE, CONTAIN_NATIVE, TIER_PROCESS, 0, &native },
        { WHOLE, CONTAIN_BUBBLEWRAP, TIER_PROCESS, 1, &other },
        { WHOLE, CONTAIN_BUBBLEWRAP, TIER_ANY, 1, &other },
        { WHOLE, CONTAIN_LXC, TIER_KERNEL, 1, &absent },
        { WHOLE, CONTAIN_MICROVM, TIER_KERNEL, 1, &machine },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e;
        const struct backend *got = pick(&rows[i], &e);

        if (got != rows[i].got)
            T_FAIL("row %zu: got %s, not %s: %s", i, got ? got->name : "none",
                   rows[i].got->name, e.msg);
    }
}

TEST(a_probe_hears_the_policy)
{
    const struct backend *const *table = TABLE(&native, &picky);
    const struct host h = { .uid = 1 };
    struct policy p = { .tier = TIER_KERNEL, .tier_origin = "--tier" };
    const struct backend *b = NULL;
    struct err e = { 0 };

    CHECK_INT(backend_choose(table, &p, &h, &b, &e), -1);
    CHECK(!b);
    p.accept_missing = WALL_LANDLOCK;
    CHECK_INT(backend_choose(table, &p, &h, &b, &e), 0);
    CHECK(b == &picky);
}

TEST(what_is_too_weak_is_refused)
{
    const struct {
        struct pick k;
        enum err_code code;
        const char *where, *msg, *hint;
    } rows[] = {
        { { WHOLE, CONTAIN_NATIVE, TIER_KERNEL, 1, NULL },
          ERR_POLICY_VALIDATION,
          "guarantees.tier",
          "backend 'native' is of tier 'process', which is weaker than "
          "'kernel'",
          "containment 'lxc' is of tier 'kernel'" },
        { { WHOLE, CONTAIN_HYPERLIGHT, TIER_VM, 1, NULL },
          ERR_POLICY_VALIDATION,
          "guarantees.tier",
          "backend 'hyperlight' is of tier 'kernel', which is weaker than 'vm'",
          "containment 'microvm' is of tier 'vm'" },
        { { TABLE(&native, &machine), CONTAIN_NATIVE, TIER_KERNEL, 1, NULL },
          ERR_POLICY_VALIDATION,
          "guarantees.tier",
          "backend 'native' is of tier 'process', which is weaker than "
          "'kernel'",
          "containment 'microvm' is of tier 'vm'" },
        { { TABLE(&native, &kernel), CONTAIN_NATIVE, TIER_VM, 1, NULL },
          ERR_POLICY_VALIDATION,
          "guarantees.tier",
          "backend 'native' is of tier 'process', which is weaker than 'vm'",
          "this build has no backend of tier 'vm' or stronger; ask for a "
          "weaker one, if that will do" },
        { { TABLE(&native, &kernel), CONTAIN_PROCESS, TIER_VM, 1, NULL },
          ERR_POLICY_VALIDATION,
          "guarantees.tier",
          "no backend of this build is of tier 'vm' or stronger",
          "ask for a weaker tier, if that will do; nothing was run" },
        { { TABLE(&native, &absent, &kernel), CONTAIN_PROCESS, TIER_KERNEL, 0,
            NULL },
          ERR_BACKEND_UNAVAILABLE,
          "guarantees.tier",
          "no backend of tier 'kernel' or stronger is usable here: lxc: no "
          "program; hyperlight: not for root",
          "install it" },
        /* A name that the table lacks is not another's, whatever the tier. */
        { { TABLE(&native, &kernel), CONTAIN_MICROVM, TIER_KERNEL, 1, NULL },
          ERR_UNSUPPORTED_CONTAINMENT,
          "containment",
          "containment 'microvm' is not available in this build",
          "use 'process' (this host's native backend); another backend is "
          "never put in its place silently" },
        { { WHOLE, CONTAIN_VM, TIER_VM, 1, NULL },
          ERR_UNSUPPORTED_CONTAINMENT,
          "containment",
          "containment 'vm' is not available in this build",
          "use 'process' (this host's native backend); another backend is "
          "never put in its place silently" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e;

        if (pick(&rows[i].k, &e))
            T_FAIL("row %zu is not refused", i);
        CHECK_INT(e.code, rows[i].code);
        CHECK_STR(e.msg, rows[i].msg);
        CHECK_STR(e.where, rows[i].where);
        CHECK_STR(e.hint, rows[i].hint);
    }
}

/* More reasons than a message has room for. */
TEST(many_reasons_are_cut)
{
    const struct backend *table[80] = { 0 };
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(table) - 1; i++)
        table[i] = &absent;
    CHECK(!pick(&(struct pick){ table, CONTAIN_PROCESS, TIER_KERNEL, 1, NULL },
                &e));
    CHECK_INT(e.code, ERR_BACKEND_UNAVAILABLE);
    CHECK_HAS(e.msg, "lxc: no program; lxc: no program");
    CHECK_STR(e.hint, "install it");
}

TEST(the_stronger_of_two_words_counts)
{
    struct policy p = { 0 };

    policy_ask_tier(&p, TIER_ANY, "a");
    CHECK_INT(p.tier, TIER_ANY);
    CHECK(!p.tier_origin);
    policy_ask_tier(&p, TIER_KERNEL, "b");
    policy_ask_tier(&p, TIER_KERNEL, "c");
    policy_ask_tier(&p, TIER_PROCESS, "d");
    CHECK_INT(p.tier, TIER_KERNEL);
    CHECK_STR(p.tier_origin, "b");
    policy_ask_tier(&p, TIER_VM, "e");
    CHECK_INT(p.tier, TIER_VM);
    CHECK_STR(p.tier_origin, "e");
}

TEST(every_backend_has_a_tier)
{
    for (const struct backend *const *b = backends; *b; b++)
        if (!tier_name((*b)->tier))
            T_FAIL("%s has none", (*b)->name);
    CHECK_INT(backend_native.tier, TIER_PROCESS);
    CHECK_INT(tier_find("kernel"), TIER_KERNEL);
    CHECK_INT(tier_find("Kernel"), TIER_ANY);
    CHECK_INT(tier_find(""), TIER_ANY);
    CHECK(!tier_name(TIER_ANY));
}

TEST(every_feature_has_a_name)
{
    uint32_t all = 0;

    for (const struct backend *const *b = backends; *b; b++)
        all |= (*b)->features;
    for (uint32_t bit = 1; bit; bit <<= 1)
        if (all & bit && !feature_name((enum feature)bit))
            T_FAIL("feature 0x%x has no name", bit);
}

T_MAIN()
