/* test_goldens.c - request and invented host in, plan and receipt as text out.
 *
 * golden/<name>.json is the request, golden/<name>.plan what it comes to; the
 * text is read in review like code.  MXC_BLESS=1 or --bless writes the plans
 * instead of comparing them. */
#include "t.h"

#include <fcntl.h>

#include "backends/backend.h"
#include "contract/request.h"

#ifndef SOURCE_ROOT
#error "SOURCE_ROOT names the directory of the source tree"
#endif

/* The invented host's tree; a path that is not listed is missing. */
static const struct entry {
    const char *path, *real;
    bool is_file;
    const char *alias;
} tree[] = {
    { "/", "/", false, NULL },
    { "/usr/bin", "/usr/bin", false, NULL },
    { "/usr/lib", "/usr/lib", false, NULL },
    { "/etc/ld.so.cache", "/etc/ld.so.cache", true, NULL },
    { "/etc", "/etc", false, NULL },
    { "/home", "/home", false, NULL },
    { "/home/u", "/home/u", false, NULL },
    { "/home/u/src", "/home/u/src", false, NULL },
    { "/home/u/src/.git", "/home/u/src/.git", false, NULL },
    { "/home/u/src/secret.txt", "/home/u/src/secret.txt", true, NULL },
    { "/home/u/src/lib", "/home/u/src/lib", false, NULL },
    { "/home/u/src/lib/vendor", "/home/u/src/lib/vendor", false,
      "/mnt/vendor" },
    { "/home/u/link", "/home/u/src", false, NULL },
    { "/mnt", "/mnt", false, NULL },
    { "/var/run", "/run", false, NULL },
    { "/opt/a\nb", "/opt/a\nb", false, NULL },
};

static void facts(struct arena *a, struct fs_rule *r)
{
    const struct entry *best = &tree[0];

    for (size_t i = 1; i < ARRAY_LEN(tree); i++)
        if (path_is_within(r->path, tree[i].path) &&
            strlen(tree[i].path) > strlen(best->path))
            best = &tree[i];
    r->at = (struct fs_object){ .exists = strcmp(r->path, best->path) == 0,
                                .is_dir = !best->is_file,
                                .is_file = best->is_file,
                                .dev = 0x801,
                                .nlink = 1,
                                .is_readable = true,
                                .is_writable = true,
                                .real = best->real };
    for (size_t i = 0; i < ARRAY_LEN(tree); i++)
        if (strcmp(tree[i].path, best->real) == 0)
            r->at.ino = 100 + i;
    if (!r->at.exists) {
        r->at.dev = r->at.ino = 0;
        r->at.rest = r->path + strlen(best->path) + (best->path[1] != '\0');
    }
    if (best->alias) {
        r->at.alias = arena_array(a, 1, sizeof(*r->at.alias));
        CHECK(r->at.alias != NULL);
        r->at.alias[0] = best->alias;
        r->at.naliases = 1;
    }
}

static void add_base(struct arena *a, struct policy *p)
{
    static const char *const base[] = { "/usr/bin", "/usr/lib",
                                        "/etc/ld.so.cache" };
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(base); i++) {
        CHECK_INT(policy_add_path(p, a, ACCESS_READ, base[i], "base", &e), 0);
        p->rule[p->nrules - 1].base = true;
    }
}

static const struct host user = {
    .landlock_abi = 7,
    .has_pid_limit = true,
    .uid = 1000,
    .gid = 1001,
    .machine_id = "0123456789abcdef0123456789abcdef",
    .boot_id = "01234567-89ab-4cde-8f01-23456789abcd\n",
    .resolv_conf = "nameserver 192.0.2.53\noptions timeout:1\n",
    .bwrap = "/usr/bin/bwrap",
    .lxc = "/usr/libexec/mxc/mxc-lxc",
    .image = "/home/u/.local/share/mxc/images/trees/0123",
    .image_digest = "0123",
    .image_dev = 0x801,
    .image_ino = 4711,
    .nofile_hard = 4096,
    .nproc_hard = 100000,
    .runsc = "/usr/bin/runsc",
    .runsc_dev = 0x801,
    .runsc_ino = 77,
};
static const struct host root = {
    .landlock_abi = 3,
    .has_pid_limit = false,
    .uid = 0,
    .gid = 0,
    .machine_id = "0123456789abcdef0123456789abcdef",
    .boot_id = "01234567-89ab-4cde-8f01-23456789abcd\n",
    .nofile_hard = 1 << 20,
    .nproc_hard = 512,
    .runsc = "/usr/local/bin/runsc",
    .runsc_dev = 0x801,
    .runsc_ino = 78,
};
static const struct host bare = {
    .landlock_abi = 0,
    .uid = 1000,
    .gid = 1000,
    .hostname = "box",
    .machine_id = "0123456789abcdef0123456789abcdef",
    .boot_id = "01234567-89ab-4cde-8f01-23456789abcd\n",
    .nofile_hard = 1024,
    .nproc_hard = 1024,
};

/* Where a session is planned. */
static const struct host keeper = {
    .landlock_abi = 7,
    .has_pid_limit = true,
    .uid = 1000,
    .gid = 1000,
    .machine_id = "0123456789abcdef0123456789abcdef",
    .boot_id = "01234567-89ab-4cde-8f01-23456789abcd\n",
    .nofile_hard = 1024,
    .nproc_hard = 1024,
    .session_place = "/run/user/1000/mxc/0123456789abcdef0123456789abcdef",
};

/* A container of that name is there already, and one is not. */
static struct host with_kept(const struct kept *kept)
{
    struct host h = user;

    h.kept = *kept;
    return h;
}

static const struct kept made = {
    .path = "/home/u/.local/share/mxc/containers/89ab",
    .name = "builder",
    .found = "",
    .record = "{\"name\":\"builder\"}\n",
    .has_network = true,
};
static const struct kept last = {
    .path = "/home/u/.local/share/mxc/containers/89ab",
    .name = "builder",
    .found = "{\"name\":\"builder\"}\n",
    .dev = 0x801,
    .ino = 4712,
    .ends = true,
};

static const struct {
    const char *name;
    const struct host *host;
    bool tty;
    const struct kept *kept;
} cases[] = {
    { "nothing", &user, false },
    { "workspace", &user, false },
    { "root-caller", &root, false },
    { "no-landlock", &bare, false },
    { "nested", &user, false },
    { "terminal", &user, true },
    { "etc", &user, false },
    { "strange-names", &user, false },
    { "net-names", &user, false },
    { "net-blocks", &user, false },
    { "net-open", &root, false },
    { "net-proxy", &bare, false },
    { "net-builtin", &user, false },
    { "net-former", &user, false },
    { "net-no-resolver", &bare, false },
    { "net-own-resolver", &user, false },
    { "bubblewrap", &user, false },
    { "net-bubblewrap", &user, true },
    { "gvisor", &user, false },
    { "net-gvisor", &root, false },
    { "lxc", &user, false },
    { "lxc-kept", &user, false, &made },
    { "lxc-last", &user, false, &last },
    { "net-lxc", &user, true },
    { "session-private", &keeper, false },
    { "session-system", &keeper, false },
};

static char *read_text(struct arena *a, const char *path)
{
    char *text = arena_alloc(a, 1 << 16);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return NULL;
    CHECK(text != NULL);
    n = read(fd, text, (1 << 16) - 1);
    (void)close(fd);
    CHECK(n >= 0);
    return text;
}

struct made {
    const struct backend *backend;
    struct policy policy;
    struct places fs;
    struct plan plan;
};

static void make(struct arena *a, const char *json, const struct host *h,
                 bool tty, struct made *m)
{
    struct policy *p = &m->policy;
    const char *cwd;
    struct request *r;
    struct err e = { 0 };

    if (request_parse(a, json, strlen(json), &r, &e) < 0 ||
        policy_from_request(a, r, p, &e) < 0 ||
        policy_check_network(p, &e) < 0 ||
        backend_find(p, h, &m->backend, &e) < 0)
        T_FAIL("%s", e.msg);
    p->tty = tty;
    if (!m->backend->has_image)
        add_base(a, p);
    for (size_t i = 0; i < p->nrules; i++)
        facts(a, &p->rule[i]);
    cwd = policy_cwd(p, "/home/u/src");
    if (policy_finish_env(p, a, cwd, &e) < 0 ||
        fs_decide(a, p->rule, &p->nrules, &m->fs, &e) < 0 ||
        backend_check(m->backend, p, &e) < 0 ||
        m->backend->plan(p, h, &m->fs, cwd, a, &m->plan, &e) < 0)
        T_FAIL("%s", e.msg);
}

static void render(struct arena *a, const char *json, const struct host *h,
                   bool tty, struct buf *out)
{
    struct made m;
    struct err e = { 0 };
    void *bytes;
    size_t len;
    struct plan_view v;

    make(a, json, h, tty, &m);
    plan_print(&m.plan, out);
    for (const struct receipt_row *row =
             m.backend->receipt(&m.policy, h, &m.fs, a);
         row->clause; row++)
        buf_printf(out, "= %s: %s [%s]\n", row->clause, row->by, row->state);
    /* What is planned is also what the launcher accepts. */
    if (h->session_place)
        m.plan.flags |= PLAN_SESSION;
    if (plan_pack(&m.plan, a, &bytes, &len, &e) < 0 ||
        plan_check(bytes, len, &v, &e) < 0)
        T_FAIL("%s", e.msg);
}

/* The filter has goldens of its own, and the rules have tests: here it is
 * enough that there are some. */
static bool forget_size(char *text, const char *step)
{
    char *size = strstr(text, step), *end;

    if (!size)
        return false;
    size = strchr(size, ' ');
    end = strchr(size, ')') + 1;
    memmove(size, end, strlen(end) + 1);
    return true;
}

static void compare(struct arena *a, const char *name, const char *got)
{
    const char *path = arena_printf(a,
                                    SOURCE_ROOT "/tests/plan/golden/%s"
                                                ".plan",
                                    name);
    const char *want = read_text(a, path);
    FILE *f;

    if (getenv("MXC_BLESS")) {
        f = fopen(path, "we");
        CHECK(f && fputs(got, f) >= 0 && fclose(f) == 0);
        return;
    }
    CHECK_STR(got, want ? want : "(no such golden file)");
}

TEST(plans_are_as_reviewed)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a = { .limit = 8 << 20 };
        struct buf out = { .max = 1 << 16 };
        const char *json = read_text(
            &a, arena_printf(&a, SOURCE_ROOT "/tests/plan/golden/%s.json",
                             cases[i].name));
        const struct host kept =
            cases[i].kept ? with_kept(cases[i].kept) : *cases[i].host;

        NOTE(cases[i].name);
        CHECK(json != NULL);
        render(&a, json, &kept, cases[i].tty, &out);
        CHECK(!out.failed);
        CHECK(forget_size(out.data, "\nfilter ("));
        CHECK(forget_size(out.data, "\nrules (") ==
              (strncmp(cases[i].name, "net-", 4) == 0));
        compare(&a, cases[i].name, out.data);
        buf_drop(&out);
        arena_drop(&a);
    }
}

/* Whom the workload asks for names. */
TEST(resolvers)
{
    static const struct {
        const char *name;
        const struct host *host;
        const char *want; /* NULL: no such file */
    } rows[] = {
        { "nothing", &user, "# no name server: this sandbox has no network\n" },
        { "net-names", &user, "nameserver 198.18.0.2\noptions edns0\n" },
        { "net-open", &root, "nameserver 198.18.0.2\noptions edns0\n" },
        { "net-blocks", &user, "nameserver 192.0.2.53\noptions timeout:1\n" },
        { "net-proxy", &user,
          "# no name server: nothing beyond loopback is reached\n" },
        { "net-no-resolver", &bare, NULL },
        { "net-own-resolver", &user, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = { .limit = 8 << 20 };
        const char *json = read_text(
            &a, arena_printf(&a, SOURCE_ROOT "/tests/plan/golden/%s.json",
                             rows[i].name));
        const char *got = NULL;
        struct made m;

        NOTE(rows[i].name);
        CHECK(json != NULL);
        make(&a, json, rows[i].host, false, &m);
        for (size_t k = 0; k < m.plan.nsteps; k++)
            if (m.plan.step[k].kind == STEP_FILE &&
                strcmp(m.plan.step[k].path, "/etc/resolv.conf") == 0)
                got = m.plan.step[k].text;
        CHECK((got == NULL) == (rows[i].want == NULL));
        if (got)
            CHECK_STR(got, rows[i].want);
        arena_drop(&a);
    }
}

/* Of gVisor's own needs the remedy is told; Landlock is none of them. */
TEST(gvisor_needs_its_program)
{
    struct host h = bare;
    struct policy p;
    struct err e = { 0 };

    policy_default(&p);
    CHECK_INT(backend_gvisor.probe(&h, &p, &e), -1);
    CHECK_INT(e.code, ERR_BACKEND_UNAVAILABLE);
    CHECK_HAS(e.msg, "runsc is not installed");
    CHECK_HAS(e.hint, "apt install runsc");
    h.runsc = "/usr/bin/runsc";
    CHECK_INT(backend_gvisor.probe(&h, &p, &e), 0);
    h.is_sandbox = true;
    CHECK_INT(backend_gvisor.probe(&h, &p, &e), -1);
    CHECK_HAS(e.msg, "no sandbox can be made here");
}

/* The same request and host give the same bytes. */
TEST(plans_repeat)
{
    struct arena a = { .limit = 8 << 20 };
    struct buf one = { .max = 1 << 16 }, two = { .max = 1 << 16 };
    const char *json =
        read_text(&a, SOURCE_ROOT "/tests/plan/golden/workspace.json");

    CHECK(json != NULL);
    render(&a, json, &user, false, &one);
    render(&a, json, &user, false, &two);
    CHECK_STR(two.data, one.data);
    buf_drop(&one);
    buf_drop(&two);
    arena_drop(&a);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--bless") == 0)
        CHECK(setenv("MXC_BLESS", "1", 1) == 0);
    return t_main();
}
