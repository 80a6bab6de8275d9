/* test_plan.c - building, printing, packing, and refusing what is no plan. */
#include "plan_box.h"

static void add_capture(struct plan *p, struct arena *a)
{
    add(p, a, (struct step){ STEP_CAPTURE, 0, { 0 }, "/h/record", NULL, 0 });
}

/* A record is of what is told, and there is one. */
TEST(records)
{
    struct arena a = { .limit = 1 << 20 };
    struct plan p;

    make_plan(&p, &a);
    add_capture(&p, &a);
    CHECK_HAS(verdict(&p, &a), "one record of what is refused");
    p.flags |= PLAN_DENIALS;
    CHECK_STR(verdict(&p, &a), "");
    add_capture(&p, &a);
    CHECK_HAS(verdict(&p, &a), "one record of what is refused");
    arena_drop(&a);
}

TEST(printing)
{
    struct arena a = { .limit = 1 << 20 };
    struct buf out = { .max = 4096 };
    struct plan p;

    make_plan(&p, &a);
    /* Beside a user-space kernel half of these cannot be, nor without a
     * session what it keeps. */
    add_capture(&p, &a);
    CHECK_INT(p.nsteps, STEP_END - 3);
    plan_print(&p, &out);
    CHECK_STR(out.data, printed);
    CHECK_STR(step_name(STEP_NONE), "?");
    CHECK_STR(step_name(STEP_END), "?");
    buf_drop(&out);
    arena_drop(&a);
}

static bool is_same(const char *x, const char *y)
{
    return x == y || (x && y && strcmp(x, y) == 0);
}

TEST(what_is_packed_comes_back)
{
    struct arena a = { .limit = 1 << 20 };
    struct plan_view v;
    struct plan p;

    make_plan(&p, &a);
    v = pack(&p, &a);
    CHECK_INT(v.head.flags, p.flags);
    CHECK_INT(v.head.landlock_abi, 7);
    CHECK_INT(v.head.uid, 1000);
    CHECK_INT(v.head.gid, 1001);
    CHECK_INT(v.head.timeout_ms, 5000);
    CHECK_STR(v.head.receipt, "[]");
    CHECK_INT(v.head.nsteps, p.nsteps);
    CHECK(v.head.step == NULL);
    for (size_t i = 0; i < p.nsteps; i++) {
        struct step s = plan_step(&v, i);

        NOTE(step_name(s.kind));
        CHECK_INT(s.kind, p.step[i].kind);
        CHECK_INT(s.flags, p.step[i].flags);
        CHECK_INT(s.num[0], p.step[i].num[0]);
        CHECK_INT(s.num[1], p.step[i].num[1]);
        CHECK(is_same(s.path, p.step[i].path));
        CHECK_INT(s.text_len, p.step[i].text_len);
        CHECK((s.text == NULL) == (p.step[i].text == NULL));
        CHECK(!s.text || s.kind == STEP_FILTER ||
              memcmp(s.text, p.step[i].text, s.text_len + 1) == 0);
        CHECK_INT(plan_count(&v, s.kind), 1);
    }
    CHECK(memcmp(plan_step(&v, STEP_FILTER - 1).text, filter, sizeof(filter)) ==
          0);
    arena_drop(&a);
}

/* Each way into the network needs rules, and rules a way. */
TEST(network_rules_and_flags_agree)
{
    static const struct {
        uint32_t flags;
        bool listens, has_rules;
        const char *want;
    } rows[] = {
        { 0, false, false, "" },
        { PLAN_NET_EGRESS, false, true, "" },
        { PLAN_NET_EGRESS | PLAN_NET_ICMP, false, true, "" },
        { PLAN_NET_DIAL, false, true, "" },
        { 0, true, true, "" },
        { PLAN_NET_EGRESS | PLAN_NET_DIAL, true, true, "" },
        { 0, false, true, "plan refused: network rules and flags disagree" },
        { 0, true, false, "plan refused: network rules and flags disagree" },
        { PLAN_NET_DIAL, false, false,
          "plan refused: network rules and flags disagree" },
        { PLAN_NET_EGRESS, false, false,
          "plan refused: network rules and flags disagree" },
        { PLAN_NET_ICMP, true, true,
          "plan refused: echo requests without a way out" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct plan p;

        make_plan(&p, &a);
        p.flags = PLAN_BROKER_CREATES | rows[i].flags;
        if (!rows[i].listens)
            p.step[STEP_LISTEN - 1] = p.step[STEP_ENV - 1];
        if (!rows[i].has_rules)
            p.step[STEP_RULES - 1] = p.step[STEP_ENV - 1];
        CHECK_STR(verdict(&p, &a), rows[i].want);
        arena_drop(&a);
    }
}

TEST(a_plan_has_one_runtime)
{
    static const char want[] =
        "plan refused: it may have one runtime, and arguments for no other";
    const enum step_kind both[] = { STEP_RUNTIME, STEP_RUNTIME_ARG };

    /* Arguments for none; two of them. */
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct plan p;

        make_plan(&p, &a);
        p.step[both[i] - 1] =
            p.step[both[i] == STEP_RUNTIME ? STEP_ENV - 1 : STEP_RUNTIME - 1];
        CHECK_STR(verdict(&p, &a), want);
        arena_drop(&a);
    }
}

/* The plan as a session's: nothing to run, made by nobody else. */
static void make_session_plan(struct plan *p, struct arena *a)
{
    const struct step pin = { STEP_PIN, 0, { 0 }, "/w/q", NULL, 0 };

    make_plan(p, a);
    p->flags = PLAN_SESSION | PLAN_BROKER_CREATES | PLAN_NET_EGRESS;
    p->step[STEP_ARG - 1] = pin;
    p->step[STEP_RUNTIME - 1] = pin;
    p->step[STEP_RUNTIME_ARG - 1] = pin;
    p->step[STEP_IMAGE - 2] = pin;
    p->step[STEP_KEPT - 3] = pin;
    p->step[STEP_RECORD - 3] = pin;
}

TEST(walls_that_are_tried)
{
    struct arena a = { .limit = 1 << 20 };
    struct plan p;

    make_plan(&p, &a);
    p.flags |= PLAN_VERIFY;
    CHECK_STR(verdict(&p, &a), "");
    make_session_plan(&p, &a);
    CHECK_STR(verdict(&p, &a), "");
    p.flags |= PLAN_VERIFY;
    CHECK_HAS(verdict(&p, &a), "the walls are tried by a single run");
    arena_drop(&a);
}

TEST(what_a_session_keeps)
{
    const struct step overlay = { STEP_OVERLAY, STEP_CREATE, { 0 },
                                  "/usr/bin",   "/s/b",      4 };
    const struct step kept = {
        STEP_BIND, STEP_LAYER | STEP_IS_DIR | STEP_CREATE,
        { 0 },     "/tmp",
        "/s/tmp",  6
    };
    const struct {
        bool is_run;
        struct step step;
        const char *want; /* NULL: it is one */
    } rows[] = {
        { false, overlay, NULL },
        { false, kept, NULL },
        { true, overlay, "a layer without a session" },
        { true, kept, "a layer without a session" },
        { false,
          { STEP_KEPT, 0, { 1, 7 }, "/c/k", "r", 1 },
          "a session has no container that is kept" },
        { false,
          { STEP_OVERLAY, 0, { 0 }, "/usr:/etc", "/s/b", 4 },
          "not a path to lay something over" },
        { false,
          { STEP_OVERLAY, 0, { 0 }, "/usr,upperdir=x", "/s/b", 4 },
          "not a path to lay something over" },
        { false,
          { STEP_OVERLAY, STEP_READONLY, { 0 }, "/usr/bin", "/s/b", 4 },
          "unknown flag" },
        { false,
          { STEP_OVERLAY, 0, { 0 }, "/usr/bin", "../b", 4 },
          "path is not absolute and clean" },
        { false,
          { STEP_BIND, STEP_LAYER, { 0 }, "/tmp", "/s/tmp", 6 },
          "not a directory to write to" },
        { false,
          { STEP_BIND,
            STEP_LAYER | STEP_IS_DIR | STEP_READONLY,
            { 0 },
            "/tmp",
            "/s/tmp",
            6 },
          "not a directory to write to" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct err e = { 0 };
        struct plan_view v;
        struct plan p;
        void *bytes;
        size_t len;

        NOTE(rows[i].want ? rows[i].want : "kept");
        (rows[i].is_run ? make_plan : make_session_plan)(&p, &a);
        p.step[STEP_PIN - 1] = rows[i].step;
        CHECK_INT(plan_pack(&p, &a, &bytes, &len, &e), 0);
        CHECK_INT(plan_check(bytes, len, &v, &e), rows[i].want ? -1 : 0);
        CHECK_HAS(e.msg, rows[i].want ? rows[i].want : "");
        arena_drop(&a);
    }
}

TEST(what_is_copied_on_write)
{
    const uint32_t fine = STEP_COPY | STEP_IS_DIR | STEP_CREATE;
    const struct step pin = { STEP_PIN, 0, { 0 }, "/w/p", NULL, 0 };
    const struct {
        bool is_run, has_runtime;
        uint32_t flags;
        uint64_t inode;
        const char *want; /* NULL: fine */
    } rows[] = {
        { true, false, fine, 7, NULL },
        { false, false, fine, 7,
          "a copy on write that is not of a single run" },
        { true, true, fine, 7, "a copy on write that is not of a single run" },
        { true, false, fine | STEP_READONLY, 7,
          "not a grant to copy on write" },
        { true, false, STEP_COPY, 7, "not a grant to copy on write" },
        { true, false, fine, 0, "not a grant to copy on write" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct step copy = {
            STEP_BIND, rows[i].flags, { 1, rows[i].inode }, "/w/c", "/c", 2
        };
        struct arena a = { .limit = 1 << 20 };
        struct plan p;

        NOTE(rows[i].want ? rows[i].want : "copied");
        (rows[i].is_run ? make_plan : make_session_plan)(&p, &a);
        p.step[STEP_PIN - 1] = copy;
        if (rows[i].is_run && !rows[i].has_runtime) {
            p.step[STEP_RUNTIME - 1] = p.step[STEP_RUNTIME_ARG - 1] = pin;
            p.step[STEP_IMAGE - 2] = pin;
            p.step[STEP_KEPT - 3] = p.step[STEP_RECORD - 3] = pin;
        }
        if (rows[i].want)
            CHECK_HAS(verdict(&p, &a), rows[i].want);
        else
            CHECK_STR(verdict(&p, &a), "");
        arena_drop(&a);
    }
}

TEST(a_container_that_is_kept)
{
    const struct step kept = { STEP_KEPT, 0, { 0x801, 7 }, "/c/k", "r", 1 },
                      made = { STEP_KEPT, 0, { 0 }, "/c/k", "", 0 },
                      record = { STEP_RECORD, 0, { 0 }, NULL, "n", 1 };
    const struct {
        struct step step[2];
        bool without_image;
        const char *want; /* NULL: fine */
    } rows[] = {
        { { kept }, false, NULL },
        { { kept, record }, false, NULL },
        { { made, record }, false, NULL },
        { { { STEP_KEPT, STEP_LAST, { 1, 7 }, "/c/k", "r", 1 } }, false, NULL },
        { { made }, false, "a new container without a record, or an end" },
        { { { STEP_KEPT, STEP_LAST, { 0 }, "/c/k", "", 0 }, record },
          false,
          "a new container without a record, or an end" },
        { { { STEP_KEPT, 0, { 1, 0 }, "/c/k", "r", 1 } },
          false,
          "a container without identity" },
        { { record }, false, "it may have one container" },
        { { kept, kept }, false, "it may have one container" },
        { { record, record }, false, "it may have one container" },
        { { kept }, true, "it may have one container" },
        { { { STEP_KEPT, STEP_OPTIONAL, { 1, 7 }, "/c/k", "r", 1 } },
          false,
          "unknown flag" },
        { { { STEP_KEPT, 0, { 1, 7 }, "/c/../k", "r", 1 } },
          false,
          "path is not absolute and clean" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct err e = { 0 };
        struct plan_view v;
        struct plan p;
        void *bytes;
        size_t len;

        NOTE(rows[i].want ? rows[i].want : "fine");
        make_plan(&p, &a);
        for (size_t k = 0; k < 2; k++)
            p.step[STEP_KEPT - 3 + k] =
                rows[i].step[k].kind ? rows[i].step[k] : p.step[STEP_ENV - 1];
        if (rows[i].without_image)
            p.step[STEP_IMAGE - 2] = p.step[STEP_ENV - 1];
        CHECK_INT(plan_pack(&p, &a, &bytes, &len, &e), 0);
        CHECK_INT(plan_check(bytes, len, &v, &e), rows[i].want ? -1 : 0);
        if (rows[i].want)
            CHECK_HAS(e.msg, rows[i].want);
        arena_drop(&a);
    }
}

static const struct step runsc = { STEP_RUNSC,   0,    { 0x801, 5 },
                                   "/bin/runsc", "{}", 2 };

/* The plan without what cannot be around a user-space kernel. */
static void make_runsc_plan(struct plan *p, struct arena *a)
{
    const struct step pin = { STEP_PIN, 0, { 0 }, "/w/q", NULL, 0 };

    make_plan(p, a);
    p->flags = PLAN_NO_LANDLOCK | PLAN_NET_EGRESS;
    p->step[STEP_LANDLOCK - 1] = pin;
    p->step[STEP_ABSENT - 1] = pin;
    p->step[STEP_RUNTIME - 1] = pin;
    p->step[STEP_RUNTIME_ARG - 1] = pin;
    p->step[STEP_IMAGE - 2] = pin;
    p->step[STEP_KEPT - 3] = pin;
    p->step[STEP_RECORD - 3] = pin;
    add(p, a, runsc);
}

TEST(a_user_space_kernel)
{
    struct arena a = { .limit = 1 << 20 };
    struct buf out = { .max = 4096 };
    struct plan_view v;
    struct plan p;
    struct step s;

    make_runsc_plan(&p, &a);
    plan_print(&p, &out);
    CHECK_HAS(out.data, "runsc /bin/runsc {} object=801:5\n");
    v = pack(&p, &a);
    s = plan_step(&v, p.nsteps - 1);
    CHECK_INT(s.kind, STEP_RUNSC);
    CHECK_STR(s.text, "{}");
    buf_drop(&out);
    arena_drop(&a);
}

TEST(what_cannot_be_around_a_user_space_kernel)
{
    static const struct {
        uint32_t flags;         /* more than the good ones */
        enum step_kind kind;    /* STEP_NONE: no step is replaced, ... */
        const struct step with; /* ... else by this one */
        const char *want;
    } rows[] = {
        { PLAN_TTY, STEP_NONE, { 0 }, "a terminal or a broker behind" },
        { PLAN_BROKER_UNIX, STEP_NONE, { 0 }, "a terminal or a broker behind" },
        { PLAN_BROKER_CREATES,
          STEP_PIN,
          { STEP_ABSENT, 0, { 0 }, "/w", "x", 1 },
          "a terminal or a broker behind" },
        { 0,
          STEP_PIN,
          { STEP_RUNTIME, 0, { 0 }, "/r", NULL, 0 },
          "a user-space kernel in a runtime's sandbox" },
        { 0,
          STEP_PIN,
          { STEP_RUNSC, 0, { 1, 1 }, "/r", "{}", 2 },
          "it may have one user-space kernel" },
        { 0,
          STEP_RUNSC,
          { STEP_RUNSC, 0, { 1, 0 }, "/r", "{}", 2 },
          "a program without identity or configuration" },
        { 0,
          STEP_RUNSC,
          { STEP_RUNSC, 0, { 1, 1 }, "/r", "", 0 },
          "a program without identity or configuration" },
        { 0,
          STEP_RUNSC,
          { STEP_RUNSC, 0, { 1, 1 }, "runsc", "{}", 2 },
          "path is not absolute and clean" },
        { 0,
          STEP_RUNSC,
          { STEP_RUNSC, STEP_OPTIONAL, { 1, 1 }, "/r", "{}", 2 },
          "unknown flag" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct plan p;

        NOTE(rows[i].want);
        make_runsc_plan(&p, &a);
        p.flags |= rows[i].flags;
        if (rows[i].kind)
            p.step[rows[i].kind - 1] = rows[i].with;
        CHECK_HAS(verdict(&p, &a), rows[i].want);
        arena_drop(&a);
    }
}

TEST(landlock_around_a_user_space_kernel)
{
    struct arena a = { .limit = 1 << 20 };
    struct plan p;

    make_runsc_plan(&p, &a);
    p.flags &= ~(uint32_t)PLAN_NO_LANDLOCK;
    p.step[STEP_PIN - 1] =
        (struct step){ STEP_LANDLOCK, 0, { 0xff }, "/", NULL, 0 };
    CHECK_HAS(verdict(&p, &a), "Landlock around a user-space kernel");
    arena_drop(&a);
}

/* A plan that is wrong in one thing, and the words for it. */
static const struct {
    enum step_kind kind;
    struct step with; /* in place of the good one */
    const char *want;
} wrong[] = {
    { STEP_DIR,
      { STEP_DIR, STEP_READONLY, { 0 }, "/tmp", NULL, 0 },
      "unknown flag" },
    { STEP_RLIMIT,
      { STEP_RLIMIT, STEP_SOFT << 1, { 0 }, NULL, NULL, 0 },
      "unknown flag" },
    { STEP_DIR,
      { STEP_DIR, 0, { 04755 }, "/tmp", NULL, 0 },
      "mode has setuid or setgid bits" },
    { STEP_FILE,
      { STEP_FILE, 0, { 02644 }, "/f", "x", 1 },
      "mode has setuid or setgid bits" },
    { STEP_DIR,
      { STEP_ROOT, 0, { 0 }, NULL, NULL, 0 },
      "the private root must come first, once" },
    { STEP_ROOT,
      { STEP_DIR, 0, { 0 }, "/x", NULL, 0 },
      "the private root must come first, once" },
    { STEP_DIR, { STEP_NONE, 0, { 0 }, "/x", NULL, 0 }, "unknown kind" },
    { STEP_DIR, { STEP_END, 0, { 0 }, "/x", NULL, 0 }, "unknown kind" },
    { STEP_DIR,
      { STEP_DIR, 0, { 0 }, NULL, NULL, 0 },
      "string outside the pool" },
    { STEP_DIR,
      { STEP_DIR, 0, { 0 }, "/x", "text", 4 },
      "a string where none belongs" },
    { STEP_HOSTNAME,
      { STEP_HOSTNAME, 0, { 0 }, "/x", "box", 3 },
      "a path where none belongs" },
    { STEP_HOSTNAME,
      { STEP_HOSTNAME, 0, { 0 }, NULL, "b\0x", 3 },
      "string holds a NUL" },
    { STEP_BIND,
      { STEP_BIND, 0, { 0 }, "/w", "host/w", 6 },
      "path is not absolute and clean" },
    { STEP_BIND,
      { STEP_BIND, 0, { 0 }, "/w/../x", "/w", 2 },
      "path is not absolute and clean" },
    { STEP_BIND,
      { STEP_BIND, 0, { 0 }, "/w//x", "/w", 2 },
      "path is not absolute and clean" },
    { STEP_BIND,
      { STEP_BIND, 0, { 0 }, "/w/", "/w", 2 },
      "path is not absolute and clean" },
    { STEP_BIND,
      { STEP_BIND, 0, { 0 }, "/w/.", "/w", 2 },
      "path is not absolute and clean" },
    { STEP_ABSENT,
      { STEP_ABSENT, 0, { 0 }, "/w", "../x", 4 },
      "path is not relative and clean" },
    { STEP_WATCH,
      { STEP_WATCH, 0, { 0 }, "/w", "/etc", 4 },
      "path is not relative and clean" },
    { STEP_WATCH,
      { STEP_WATCH, 0, { 0 }, "/w", "a/", 2 },
      "path is not relative and clean" },
    { STEP_FILTER,
      { STEP_FILTER, 0, { 0 }, NULL, filter, 12 },
      "filter is not a list of instructions" },
    { STEP_SYSCTL,
      { STEP_SYSCTL, 0, { 0 }, "/proc/1/x", "1", 1 },
      "not a sysctl" },
    { STEP_FILTER,
      { STEP_HOSTNAME, 0, { 0 }, NULL, "x", 1 },
      "plan refused: it must have one filter" },
    { STEP_ARG,
      { STEP_FILTER, 0, { 0 }, NULL, filter, 8 },
      "plan refused: it must have one filter" },
    { STEP_ARG,
      { STEP_ENV, 0, { 0 }, NULL, "x", 1 },
      "plan refused: nothing to run, or nowhere" },
    { STEP_CWD,
      { STEP_PIN, 0, { 0 }, "/x", NULL, 0 },
      "plan refused: nothing to run, or nowhere" },
    { STEP_LANDLOCK,
      { STEP_PIN, 0, { 0 }, "/x", NULL, 0 },
      "plan refused: Landlock rules and flag disagree" },
    { STEP_ABSENT,
      { STEP_PIN, 0, { 0 }, "/x", NULL, 0 },
      "plan refused: absent paths and broker flag disagree" },
    { STEP_RULES, { STEP_RULES, 0, { 0 }, NULL, "", 0 }, "rules are empty" },
    { STEP_RULES,
      { STEP_HOSTNAME, 0, { 0 }, NULL, "x", 1 },
      "plan refused: network rules and flags disagree" },
    { STEP_ENV,
      { STEP_RULES, 0, { 0 }, NULL, "x", 1 },
      "plan refused: it may have one list of network rules" },
    { STEP_LISTEN, { STEP_LISTEN, 0, { 0 }, NULL, NULL, 0 }, "not a port" },
    { STEP_LISTEN, { STEP_LISTEN, 0, { 65536 }, NULL, NULL, 0 }, "not a port" },
    { STEP_LISTEN, { STEP_LISTEN, 0, { 80, 1 }, NULL, NULL, 0 }, "not a port" },
    { STEP_LISTEN,
      { STEP_LISTEN, STEP_OPTIONAL, { 80 }, NULL, NULL, 0 },
      "unknown flag" },
};

TEST(wrong_steps_are_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct plan_view v = { .len = 77 };
        struct err e = { 0 };
        struct plan p;
        void *bytes;
        size_t len;

        NOTE(wrong[i].want);
        make_plan(&p, &a);
        p.step[wrong[i].kind - 1] = wrong[i].with;
        CHECK_INT(plan_pack(&p, &a, &bytes, &len, &e), 0);
        CHECK_INT(plan_check(bytes, len, &v, &e), -1);
        CHECK_INT(e.code, ERR_BACKEND_ERROR);
        CHECK_HAS(e.msg, "plan refused: ");
        CHECK_HAS(e.msg, wrong[i].want);
        CHECK_INT(v.len, 77);
        arena_drop(&a);
    }
}

static struct packed_plan *head;
static struct packed_step *first;

static void mend_nothing(void)
{
}
static void break_magic(void)
{
    head->magic[0] = 'm';
}
static void break_version(void)
{
    head->version++;
}
static void break_total(void)
{
    head->total--;
}
static void no_steps(void)
{
    head->nsteps = 0;
}
static void many_steps(void)
{
    head->nsteps = PLAN_MAX_STEPS + 1;
}
static void all_steps(void)
{
    head->nsteps = 100;
}
static void odd_flag(void)
{
    head->flags |= PLAN_ALL_FLAGS + 1u;
}
static void receipt_out(void)
{
    head->receipt = head->total;
}
static void receipt_none(void)
{
    head->receipt = PACKED_NONE;
}
static void open_pool(void)
{
    ((char *)head)[head->total - 1] = 'x';
}
static void path_out(void)
{
    first[1].path = head->total;
}
static void text_long(void)
{
    first[2].text_len = UINT32_MAX;
}
static void text_past(void)
{
    first[21].text_len++;
}
static void padding(void)
{
    first[3].zero = 1;
}
static void no_landlock(void)
{
    head->flags |= PLAN_NO_LANDLOCK;
}

TEST(wrong_bytes_are_refused)
{
    static const struct {
        void (*damage)(void);
        const char *want;
    } rows[] = {
        { mend_nothing, NULL },
        { break_magic, "plan refused: not a plan of this version" },
        { break_version, "plan refused: not a plan of this version" },
        { break_total, "plan refused: wrong size" },
        { no_steps, "plan refused: wrong size" },
        { many_steps, "plan refused: wrong size" },
        { all_steps, "plan refused: wrong size" },
        { odd_flag, "plan refused: unknown flag" },
        { receipt_out, "plan refused: broken pool" },
        { receipt_none, "plan refused: broken pool" },
        { open_pool, "plan refused: broken pool" },
        { path_out, "plan refused: step 1: string outside the pool" },
        { text_long, "plan refused: step 2: string is not terminated" },
        { text_past, "plan refused: step 21: string is not terminated" },
        { padding, "plan refused: step 3: unknown kind" },
        { no_landlock, "plan refused: Landlock rules and flag disagree" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct err e = { 0 };
        struct plan_view v;
        struct plan p;
        void *bytes;
        size_t len;

        make_plan(&p, &a);
        CHECK_INT(plan_pack(&p, &a, &bytes, &len, &e), 0);
        head = bytes;
        first = (struct packed_step *)(head + 1);
        rows[i].damage();
        CHECK_INT(plan_check(bytes, len, &v, &e), rows[i].want ? -1 : 0);
        CHECK_STR(e.msg, rows[i].want ? rows[i].want : "");
        arena_drop(&a);
    }
}

TEST(every_length_but_its_own_is_refused)
{
    struct arena a = { .limit = 1 << 20 };
    struct plan_view good, v;
    struct plan p;

    make_plan(&p, &a);
    good = pack(&p, &a);
    for (size_t len = 0; len < good.len; len++) {
        /* Its own block, so that the sanitizer sees a byte too far. */
        unsigned char *copy = malloc(len + !len);
        struct err e = { 0 };

        CHECK(copy != NULL);
        memcpy(copy, good.bytes, len);
        CHECK_INT(plan_check(copy, len, &v, &e), -1);
        CHECK_HAS(e.msg, "plan refused: ");
        free(copy);
    }
    arena_drop(&a);
}

/* Whatever a changed byte does: refused with words, or every step readable. */
TEST(every_changed_byte_is_safe)
{
    struct arena a = { .limit = 1 << 20 };
    struct plan_view good, v;
    struct plan p;
    unsigned char *copy;

    make_plan(&p, &a);
    good = pack(&p, &a);
    copy = malloc(good.len);
    CHECK(copy != NULL);
    for (size_t i = 0; i < good.len * 4; i++) {
        static const unsigned char with[] = { 0, 1, 0x80, 0xff };
        struct err e = { 0 };
        size_t sum = 0;

        memcpy(copy, good.bytes, good.len);
        copy[i / 4] ^= with[i % 4];
        if (plan_check(copy, good.len, &v, &e) < 0) {
            CHECK_HAS(e.msg, "plan refused: ");
            continue;
        }
        for (size_t k = 0; k < v.head.nsteps; k++) {
            struct step s = plan_step(&v, k);

            sum += s.path ? strlen(s.path) : 0;
            sum += s.text ? (unsigned char)s.text[s.text_len] : 0;
        }
        CHECK(sum < good.len && strlen(v.head.receipt) < good.len);
    }
    free(copy);
    arena_drop(&a);
}

TEST(too_large_is_said)
{
    struct arena a = { .limit = 64 << 20 };
    struct plan p = { 0 };
    struct err e = { 0 };
    char *big = malloc((16 << 20) + 1);
    void *bytes = &a;
    size_t len = 77;

    CHECK(big != NULL);
    memset(big, 'x', 16 << 20);
    big[16 << 20] = '\0';
    add(&p, &a, (struct step){ .kind = STEP_ARG, .text = big });
    CHECK_INT(plan_pack(&p, &a, &bytes, &len, &e), -1);
    CHECK_INT(e.code, ERR_POLICY_VALIDATION);
    CHECK_HAS(e.msg, "the plan would take 16777");
    CHECK_HAS(e.msg, "bytes, the limit is 16777216");
    CHECK(bytes == &a && len == 77);
    free(big);
    while (p.nsteps < PLAN_MAX_STEPS)
        add(&p, &a, (struct step){ .kind = STEP_ARG, .text = "x" });
    CHECK_INT(plan_add(&p, &a, (struct step){ .kind = STEP_ARG }, &e), -1);
    CHECK_INT(e.code, ERR_POLICY_VALIDATION);
    CHECK_STR(e.msg, "the policy needs more than 65536 set-up steps");
    arena_drop(&a);
}

TEST(out_of_memory_is_an_error)
{
    struct arena room = { .limit = 1 << 20 };
    struct plan p;
    int failures = 0;

    make_plan(&p, &room);
    for (size_t limit = 0; limit < 4096; limit += 16) {
        struct arena a = { .limit = limit };
        struct plan empty = { 0 };
        struct err e = { 0 };
        void *bytes;
        size_t len;

        if (plan_pack(&p, &a, &bytes, &len, &e) < 0) {
            CHECK_STR(e.msg, "out of memory for the plan");
            failures++;
        }
        arena_drop(&a);
        if (plan_add(&empty, &a, p.step[0], &e) < 0)
            CHECK_STR(e.msg, "out of memory for the plan");
        arena_drop(&a);
    }
    CHECK(failures > 50);
    arena_drop(&room);
}

T_MAIN()
