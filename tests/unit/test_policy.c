/* test_policy.c - from a parsed request to what is decided, the environment,
 * and what backends refuse: each refusal with its code, place and remedy. */
#include "t.h"

#include "backends/backend.h"
#include "contract/request.h"
#include "policy/policy.h"

#define V   "\"version\":\"1.1.0-alpha\""
#define RUN "\"process\":{\"commandLine\":\"id\"}"

static int make(struct arena *a, const char *json, struct policy *p,
                struct err *e)
{
    struct request *r;

    if (request_parse(a, json, strlen(json), &r, e) < 0)
        T_FAIL("%s", e->msg);
    return policy_from_request(a, r, p, e);
}

TEST(a_request_becomes_a_policy)
{
    struct arena a = { .limit = 1 << 20 };
    struct err e = { 0 };
    struct policy p;

    CHECK_INT(make(&a,
                   "{" V ",\"containerId\":\"c\",\"process\":{"
                   "\"commandLine\":\"a b\",\"cwd\":\"/w/./x/\",\"timeout\":7,"
                   "\"env\":[\"A=1\",\"B=\",\"A=2\"]},\"filesystem\":{"
                   "\"readwritePaths\":[\"/w//x/\"],\"readonlyPaths\":[\"/r\"],"
                   "\"deniedPaths\":[\"/w/x/no\"]}}",
                   &p, &e),
              0);
    CHECK_STR(p.label, "c");
    CHECK_INT(p.nargs, 3);
    CHECK_STR(p.arg[0], "/bin/sh");
    CHECK_STR(p.arg[1], "-c");
    CHECK_STR(p.arg[2], "a b");
    CHECK_STR(p.cwd, "/w/x");
    CHECK_INT(p.timeout_ms, 7);
    CHECK_INT(p.nenv, 2);
    CHECK_STR(p.env[0], "A=2");
    CHECK_STR(p.env[1], "B=");
    CHECK_INT(p.nrules, 3);
    CHECK_STR(p.rule[0].path, "/w/x");
    CHECK_INT(p.rule[0].access, ACCESS_WRITE);
    CHECK_STR(p.rule[0].origin, "filesystem.readwritePaths[0]");
    CHECK_INT(p.rule[1].access, ACCESS_READ);
    CHECK_STR(p.rule[1].origin, "filesystem.readonlyPaths[0]");
    CHECK_INT(p.rule[2].access, ACCESS_DENY);
    CHECK_STR(p.rule[2].origin, "filesystem.deniedPaths[0]");
    CHECK(!p.tty && !p.accept_missing && p.containment == CONTAIN_PROCESS);
    arena_drop(&a);
}

/* Host lists of former contracts: the same rules, and as strict. */
TEST(legacy_host_lists)
{
    const char *allowed[] = { "api.example.com", "*.cdn.example.com",
                              "192.0.2.0/24", "2001:db8::1" };
    const char *blocked[] = { "192.0.2.7" };
    const struct strings yes = { allowed, 4, true }, no = { blocked, 1, true };
    const struct net_legacy lists = { .allowed = &yes, .blocked = &no };
    struct arena a = { .limit = 1 << 20 };
    struct policy p = { 0 };
    struct net_verdict v;
    struct net_addr addr;
    struct net_view view;
    struct err e = { 0 };
    char origin[64];
    void *bytes;
    size_t len;

    CHECK_INT(policy_add_legacy(&p, &a, &lists, &e), 0);
    CHECK_INT(net_compile(&a, &p.net, &bytes, &len, &e), 0);
    CHECK_INT(net_open(bytes, len, &view, &e), 0);
    net_decide_name(&view, "api.example.com", NET_TCP, 443, &v);
    CHECK(v.is_allowed);
    net_decide_name(&view, "x.cdn.example.com", NET_UDP, 5, &v);
    CHECK(v.is_allowed);
    net_decide_name(&view, "example.com", NET_TCP, 443, &v);
    CHECK(!v.is_allowed && v.why == NET_BY_DEFAULT);
    net_addr_v4(&addr, (const uint8_t[]){ 192, 0, 2, 8 });
    net_decide(&view, &addr, NET_TCP, 1, false, &v);
    net_origin_print(v.origin, origin);
    CHECK(v.is_allowed);
    CHECK_STR(origin, "network.allowedHosts[2]");
    net_addr_v4(&addr, (const uint8_t[]){ 192, 0, 2, 7 });
    net_decide(&view, &addr, NET_TCP, 1, false, &v);
    net_origin_print(v.origin, origin);
    CHECK(!v.is_allowed && v.why == NET_BY_RULE);
    CHECK_STR(origin, "network.blockedHosts[0]");
    arena_drop(&a);
}

TEST(legacy_lists_that_cannot_be_held)
{
    const char *bad[] = { "ok.example.com", "no_such" }, *name[] = { "a.test" };
    const struct strings wrong = { bad, 2, true }, one = { name, 1, true };
    struct arena a = { .limit = 1 << 20 };
    struct policy p = { 0 };
    struct err e = { 0 };
    void *bytes;
    size_t len;

    CHECK_INT(policy_add_legacy(&p, &a,
                                &(struct net_legacy){ .allowed = &wrong }, &e),
              -1);
    CHECK_STR(e.where, "network.allowedHosts[1]");
    p = (struct policy){ 0 };
    e = (struct err){ 0 };
    CHECK_INT(policy_add_legacy(&p, &a,
                                &(struct net_legacy){ .allows_by_default = true,
                                                      .blocked = &one },
                                &e),
              0);
    CHECK_INT(net_compile(&a, &p.net, &bytes, &len, &e), -1);
    CHECK_INT(e.code, ERR_POLICY_VALIDATION);
    CHECK(strstr(e.msg, "cannot be enforced"));
    p = (struct policy){ 0 };
    CHECK_INT(policy_add_legacy(
                  &p, &a,
                  &(struct net_legacy){ .allows_local = true,
                                        .proxy = "http://127.0.0.1:8080" },
                  &e),
              0);
    CHECK_INT(p.net.nservices, 1);
    CHECK(backend_check(&backend_native, &p, &e) < 0);
    CHECK_STR(e.where, "network.allowLocalNetwork");
    arena_drop(&a);
}

/* No `env` and an empty one differ (attacks.md I3). */
TEST(absent_and_empty_environment)
{
    struct arena a = { .limit = 1 << 20 };
    struct err e = { 0 };
    struct policy p;

    CHECK_INT(make(&a, "{" V "," RUN "}", &p, &e), 0);
    CHECK_INT(p.nenv, 2);
    CHECK_STR(p.env[0], "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                        "/usr/bin:/sbin:/bin");
    CHECK_STR(p.env[1], "TERM=xterm-256color");
    CHECK_INT(make(&a,
                   "{" V ",\"process\":{\"commandLine\":\"id\","
                   "\"env\":[]}}",
                   &p, &e),
              0);
    CHECK_INT(p.nenv, 0);
    arena_drop(&a);
}

/* Nothing said is everything refused. */
TEST(zero_denies)
{
    struct policy zero = { 0 }, flags;

    CHECK_INT(fs_access(zero.rule, zero.nrules, "/"), ACCESS_DENY);
    CHECK_STR(policy_cwd(&zero, "/w"), "/");
    CHECK_STR(policy_cwd(&zero, NULL), "/");
    policy_default(&flags);
    CHECK_INT(flags.nrules, 0);
    CHECK_INT(flags.nneeds, 3);
    CHECK(flags.private_home && !flags.tty);
    CHECK_STR(policy_cwd(&flags, "/w"), POLICY_HOME);
}

TEST(the_callers_directory_needs_a_grant)
{
    struct arena a = { .limit = 1 << 20 };
    struct policy p = { 0 };
    struct err e;

    CHECK_INT(policy_add_path(&p, &a, ACCESS_READ, "/w", "x", &e), 0);
    CHECK_STR(policy_cwd(&p, "/w/sub"), "/w/sub");
    CHECK_STR(policy_cwd(&p, "/else"), "/");
    CHECK_INT(policy_add_path(&p, &a, ACCESS_DENY, "/w/sub", "x", &e), 0);
    CHECK_STR(policy_cwd(&p, "/w/sub"), "/");
    p.cwd = "/given";
    CHECK_STR(policy_cwd(&p, "/w"), "/given");
    arena_drop(&a);
}

static const struct {
    const char *name, *body;
    enum err_code code;
    const char *msg, *where, *hint;
} refusals[] = {
    { "relative path", RUN ",\"filesystem\":{\"readonlyPaths\":[\"/a\",\"b\"]}",
      ERR_POLICY_VALIDATION, "path 'b' is not absolute",
      "filesystem.readonlyPaths[1]",
      "write it from the root; '~' and relative names are not expanded in a "
      "request" },
    { "a home is not guessed",
      RUN ",\"filesystem\":{\"deniedPaths\":[\"~/.ssh\"]}",
      ERR_POLICY_VALIDATION, "path '~/.ssh' is not absolute",
      "filesystem.deniedPaths[0]",
      "write it from the root; '~' and relative names are not expanded in a "
      "request" },
    { "relative cwd", "\"process\":{\"commandLine\":\"id\",\"cwd\":\"w\"}",
      ERR_POLICY_VALIDATION, "cwd 'w' is not absolute", "process.cwd", "" },
    { "cwd with '..'",
      "\"process\":{\"commandLine\":\"id\",\"cwd\":\"/w/../x\"}",
      ERR_POLICY_VALIDATION, "cwd must be at most 4095 bytes, without '..'",
      "process.cwd", "" },
    { "lifecycle request", "\"phase\":\"stop\",\"sandboxId\":\"iso:1\"",
      ERR_MALFORMED_REQUEST,
      "expected a one-shot request, got a lifecycle "
      "request (it has a 'phase')",
      "", "mxc provision and mxc exec take those of their phase" },
    { "environment without '='",
      "\"process\":{\"commandLine\":\"id\",\"env\":[\"A=1\",\"B\"]}",
      ERR_POLICY_VALIDATION, "environment entry has no '='", "process.env[1]",
      "write KEY=VALUE" },
    { "environment without a name",
      "\"process\":{\"commandLine\":\"id\",\"env\":[\"=1\"]}",
      ERR_POLICY_VALIDATION, "environment entry has an empty name",
      "process.env[0]", "write KEY=VALUE" },
};

TEST(refusals_say_which_and_why)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct policy p = { .label = "untouched" };
        struct err e = { 0 };
        struct request *r;
        const char *json = arena_printf(&a, "{" V ",%s}", refusals[i].body);

        NOTE(refusals[i].name);
        if (request_parse(&a, json, strlen(json), &r, &e) == 0)
            CHECK_INT(policy_from_request(&a, r, &p, &e), -1);
        CHECK_INT(e.code, refusals[i].code);
        CHECK_STR(e.msg, refusals[i].msg);
        CHECK_STR(e.where, refusals[i].where);
        CHECK_STR(e.hint, refusals[i].hint);
        CHECK_STR(p.label, "untouched");
        arena_drop(&a);
    }
}

TEST(paths_have_a_limit)
{
    struct arena a = { .limit = 1 << 20 };
    struct policy p = { 0 };
    struct err e = { 0 };
    char path[PATH_LONGEST + 2];

    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[PATH_LONGEST] = '\0';
    CHECK_INT(policy_add_path(&p, &a, ACCESS_READ, path, "here", &e), 0);
    path[PATH_LONGEST] = 'x';
    path[PATH_LONGEST + 1] = '\0';
    CHECK_INT(policy_add_path(&p, &a, ACCESS_READ, path, "here", &e), -1);
    CHECK_INT(e.code, ERR_POLICY_VALIDATION);
    CHECK_STR(e.msg, "path is longer than 4095 bytes");
    CHECK_STR(e.where, "here");
    CHECK_INT(p.nrules, 1);
    arena_drop(&a);
}

TEST(the_environment_has_a_limit)
{
    struct arena a = { .limit = 1 << 20 };
    struct policy p = { 0 };
    struct err e = { 0 };

    for (int i = 0; i < 4096; i++)
        CHECK_INT(policy_add_env(&p, &a, arena_printf(&a, "V%d=x", i), "w", &e),
                  0);
    CHECK_INT(policy_add_env(&p, &a, "V17=y", "w", &e), 0);
    CHECK_STR(p.env[17], "V17=y");
    CHECK_INT(policy_add_env(&p, &a, "W=x", "w", &e), -1);
    CHECK_INT(e.code, ERR_POLICY_VALIDATION);
    CHECK_STR(e.msg, "more than 4096 environment variables");
    arena_drop(&a);
}

TEST(a_private_home_fills_only_gaps)
{
    struct arena a = { .limit = 1 << 20 };
    struct policy p;
    struct err e = { 0 };

    policy_default(&p);
    CHECK_INT(policy_add_env(&p, &a, "HOME=/mine", "--env", &e), 0);
    CHECK_INT(policy_add_env(&p, &a, "HOMER=x", "--env", &e), 0);
    CHECK_INT(policy_finish_env(&p, &a, "/w", &e), 0);
    CHECK_INT(p.nenv, 7);
    CHECK_STR(p.env[0], "HOME=/mine");
    CHECK_STR(p.env[6], "PWD=/w");
    arena_drop(&a);
}

/* Clauses beyond the backend's features are refused one by one. */
static const struct {
    const char *name, *body, *msg, *where, *hint; /* NULL: the usual one */
} unmet[] = {
    { "ingress", RUN ",\"network\":{\"ingress\":{\"default\":\"allow\"}}",
      "backend 'native' cannot enforce incoming connections from other "
      "machines (network.ingress.default)",
      "network.ingress.default",
      "publish single ports on the host's loopback instead: "
      "network.ingress.ports of contract 1.1.0+c1, or --publish" },
    { "loopback",
      RUN ",\"network\":{\"ingress\":{\"hostLoopback\":"
          "\"allow\"}}",
      "backend 'native' cannot enforce the host's loopback without a list of "
      "ports (network.ingress.hostLoopback)",
      "network.ingress.hostLoopback",
      "which ports? contract 1.1.0+c1 names them: network.ingress.ports and "
      "network.ingress.hostServices" },
    { "clipboard", RUN ",\"ui\":{\"clipboard\":\"read\"}",
      "backend 'native' cannot enforce the clipboard (ui.clipboard)",
      "ui.clipboard", NULL },
    { "display", RUN ",\"ui\":{\"disable\":false}",
      "backend 'native' cannot enforce a display (ui.disable)", "ui.disable",
      NULL },
    { "keeping", RUN ",\"lifecycle\":{\"destroyOnExit\":false}",
      "backend 'native' cannot enforce a sandbox that outlives its run "
      "(lifecycle.destroyOnExit)",
      "lifecycle.destroyOnExit", NULL },
};

TEST(what_a_backend_lacks_is_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(unmet); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct err e = { 0 };
        struct policy p;
        const char *json = arena_printf(&a, "{" V ",%s}", unmet[i].body);

        NOTE(unmet[i].name);
        CHECK_INT(make(&a, json, &p, &e), 0);
        CHECK_INT(backend_check(&backend_native, &p, &e), -1);
        CHECK_INT(e.code, ERR_POLICY_VALIDATION);
        CHECK_STR(e.msg, unmet[i].msg);
        CHECK_STR(e.where, unmet[i].where);
        CHECK_STR(e.hint, unmet[i].hint
                              ? unmet[i].hint
                              : "remove the clause, or choose a backend that "
                                "has it; nothing was run");
        arena_drop(&a);
    }
}

TEST(backends_are_never_replaced)
{
    const struct host h = { .uid = 1 };
    struct policy p = { .containment = CONTAIN_PROCESS };
    const struct backend *b = NULL;
    struct err e = { 0 };

    CHECK_INT(backend_find(&p, &h, &b, &e), 0);
    CHECK(b == &backend_native);
    b = NULL;
    p.containment = CONTAIN_MICROVM;
    CHECK_INT(backend_find(&p, &h, &b, &e), -1);
    CHECK(b == NULL);
    CHECK_INT(e.code, ERR_UNSUPPORTED_CONTAINMENT);
    CHECK_STR(e.msg, "containment 'microvm' is not available in this build");
    CHECK_STR(e.where, "containment");
    CHECK_STR(e.hint, "use 'process' (this host's native backend); another "
                      "backend is never put in its place silently");
}

TEST(bubblewrap_needs_its_program)
{
    static const struct {
        struct host h;
        const char *msg, *hint;
    } rows[] = {
        { { .landlock_abi = 7, .uid = 1, .bwrap = "/usr/bin/bwrap" },
          NULL,
          NULL },
        { { .landlock_abi = 7, .uid = 1 },
          "bubblewrap is not installed (looked for bwrap in /usr/bin, "
          "/usr/local/bin and /bin)",
          "install the package 'bubblewrap'" },
        { { .landlock_abi = 7,
            .uid = 1,
            .bwrap = "/bin/bwrap",
            .bwrap_is_setuid = true },
          "'/bin/bwrap' is setuid, and gives no capability to whom it starts",
          "chmod u-s '/bin/bwrap'" },
        { { .uid = 1, .bwrap = "/usr/bin/bwrap" },
          "this kernel has no Landlock (ABI 0)",
          "--accept-missing landlock" },
    };
    const struct policy p = { .containment = CONTAIN_BUBBLEWRAP };
    const struct backend *b = NULL;
    struct err none;

    CHECK_INT(backend_find(&p, &rows[0].h, &b, &none), 0);
    CHECK(b == &backend_bubblewrap);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = { 0 };

        NOTE(rows[i].msg ? rows[i].msg : "fine");
        CHECK_INT(b->probe(&rows[i].h, &p, &e), rows[i].msg ? -1 : 0);
        CHECK_STR(e.msg, rows[i].msg ? rows[i].msg : "");
        CHECK_INT(e.code, rows[i].msg ? ERR_BACKEND_UNAVAILABLE : ERR_NONE);
        if (rows[i].hint)
            CHECK_HAS(e.hint, rows[i].hint);
    }
}

TEST(lxc_needs_its_driver)
{
    const struct host without = { .landlock_abi = 7, .uid = 1 };
    const struct host with = { .landlock_abi = 7,
                               .uid = 1,
                               .lxc = "/usr/libexec/mxc/mxc-lxc" };
    const struct policy p = { .containment = CONTAIN_LXC };
    const struct backend *b = NULL;
    struct err e = { 0 };

    CHECK_INT(backend_find(&p, &with, &b, &e), 0);
    CHECK(b == &backend_lxc && b->has_image);
    CHECK_INT(b->probe(&with, &p, &e), 0);
    CHECK_INT(b->probe(&without, &p, &e), -1);
    CHECK_STR(e.msg, "this build has no lxc: mxc-lxc is not installed");
    CHECK_INT(e.code, ERR_BACKEND_UNAVAILABLE);
    CHECK_HAS(e.hint, "lxc-dev");
}

TEST(image_of_a_request)
{
    static const struct {
        const char *section, *want;
    } rows[] = {
        { "{\"distribution\":\"debian\",\"release\":\"12\"}", "debian/12" },
        { "{\"distribution\":\"\",\"release\":\"12\"}", NULL },
        { "{\"distribution\":\"debian\",\"release\":\"\"}", NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = { .limit = 1 << 20 };
        struct request *r;
        struct policy p;
        struct err e = { 0 };
        char text[300];

        NOTE(rows[i].section);
        (void)snprintf(text, sizeof(text),
                       "{\"version\":\"1.0.0\",\"containment\":\"lxc\","
                       "\"process\":{\"commandLine\":\"id\"},\"lxc\":%s}",
                       rows[i].section);
        CHECK_INT(request_parse(&a, text, strlen(text), &r, &e), 0);
        CHECK_INT(policy_from_request(&a, r, &p, &e), 0);
        if (rows[i].want)
            CHECK_STR(p.image, rows[i].want);
        else
            CHECK(p.image == NULL);
        arena_drop(&a);
    }
}

TEST(missing_walls_need_a_word)
{
    static const struct {
        struct host h;
        uint32_t accept;
        const char *msg, *hint;
    } rows[] = {
        { { .landlock_abi = 3, .uid = 1 }, 0, NULL, NULL },
        { { .landlock_abi = 0, .uid = 1 },
          0,
          "this kernel has no Landlock (ABI 0)",
          "--accept-missing landlock" },
        { { .landlock_abi = 2, .uid = 1 },
          WALL_PID_LIMIT,
          "this kernel's Landlock (ABI 2) is too old for the policy: ABI 3 is "
          "needed",
          "boot Linux 6.2 or later" },
        { { .landlock_abi = 0, .uid = 1 }, WALL_LANDLOCK, NULL, NULL },
        { { .landlock_abi = 7, .uid = 0 },
          WALL_LANDLOCK,
          "this kernel cannot bound the number of processes of a sandbox "
          "whose caller is root",
          "--accept-missing pid-limit" },
        { { .landlock_abi = 7, .uid = 0 }, WALL_PID_LIMIT, NULL, NULL },
        { { .landlock_abi = 7, .uid = 0, .has_pid_limit = true },
          0,
          NULL,
          NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct policy p = { .accept_missing = rows[i].accept };
        struct err e = { 0 };

        NOTE(rows[i].msg ? rows[i].msg : "fine");
        CHECK_INT(backend_native.probe(&rows[i].h, &p, &e),
                  rows[i].msg ? -1 : 0);
        CHECK_STR(e.msg, rows[i].msg ? rows[i].msg : "");
        CHECK_INT(e.code, rows[i].msg ? ERR_BACKEND_UNAVAILABLE : ERR_NONE);
        if (rows[i].hint)
            CHECK_HAS(e.hint, rows[i].hint);
    }
    CHECK_INT(wall_find("landlock"), WALL_LANDLOCK);
    CHECK_INT(wall_find("pid-limit"), WALL_PID_LIMIT);
    CHECK_INT(wall_find("Landlock"), WALL_NONE);
}

/* Every allocation fails once, from the text to the policy. */
TEST(out_of_memory_is_an_error)
{
    static const char json[] =
        "{" V ",\"process\":{\"commandLine\":\"id\","
        "\"cwd\":\"/w\",\"env\":[\"A=1\"]},\"filesystem\":{"
        "\"readwritePaths\":[\"/w\"],\"deniedPaths\":[\"/w/x\"]}}";
    int failures = 0;
    bool done = false;

    for (size_t limit = 0; !done; limit += 64) {
        struct arena a = { .limit = limit };
        struct policy p = { .label = "untouched" };
        struct err e = { 0 };
        struct request *r;

        CHECK(limit < 1 << 20);
        done = request_parse(&a, json, strlen(json), &r, &e) == 0 &&
               policy_from_request(&a, r, &p, &e) == 0 &&
               policy_finish_env(&p, &a, "/w", &e) == 0;
        CHECK_INT(e.code == ERR_NONE, done);
        if (!done)
            CHECK(e.msg[0]);
        failures += !done;
        arena_drop(&a);
    }
    CHECK(failures > 100);
}

T_MAIN()
