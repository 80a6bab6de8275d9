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
    .nofile_hard = 4096,
    .nproc_hard = 100000,
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

static const struct {
    const char *name;
    const struct host *host;
    bool tty;
} cases[] = {
    { "nothing", &user, false },     { "workspace", &user, false },
    { "root-caller", &root, false }, { "no-landlock", &bare, false },
    { "nested", &user, false },      { "terminal", &user, true },
    { "etc", &user, false },         { "strange-names", &user, false },
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

static void render(struct arena *a, const char *json, const struct host *h,
                   bool tty, struct buf *out)
{
    struct request *r;
    struct policy p;
    struct places fs;
    struct plan plan;
    struct err e = { 0 };
    const struct backend *b;
    void *bytes;
    size_t len;
    struct plan_view v;

    if (request_parse(a, json, strlen(json), &r, &e) < 0 ||
        policy_from_request(a, r, &p, &e) < 0)
        T_FAIL("%s", e.msg);
    p.tty = tty;
    add_base(a, &p);
    for (size_t i = 0; i < p.nrules; i++)
        facts(a, &p.rule[i]);
    if (policy_finish_env(&p, a, policy_cwd(&p, "/home/u/src"), &e) < 0 ||
        fs_decide(a, p.rule, &p.nrules, &fs, &e) < 0 ||
        backend_find(p.containment, &b, &e) < 0 ||
        backend_check(b, &p, &e) < 0 ||
        b->plan(&p, h, &fs, policy_cwd(&p, "/home/u/src"), a, &plan, &e) < 0)
        T_FAIL("%s", e.msg);
    plan_print(&plan, out);
    for (const struct receipt_row *row = b->receipt(&p, h, &fs, a); row->clause;
         row++)
        buf_printf(out, "= %s: %s [%s]\n", row->clause, row->by, row->state);
    /* What is planned is also what the launcher accepts. */
    if (plan_pack(&plan, a, &bytes, &len, &e) < 0 ||
        plan_check(bytes, len, &v, &e) < 0)
        T_FAIL("%s", e.msg);
}

/* The filter has goldens of its own: here it is enough that there is one. */
static void forget_filter_size(char *text)
{
    char *size = strstr(text, "\nfilter ("), *end;

    CHECK(size != NULL);
    size += strlen("\nfilter");
    end = strchr(size, ')') + 1;
    memmove(size, end, strlen(end) + 1);
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

        NOTE(cases[i].name);
        CHECK(json != NULL);
        render(&a, json, cases[i].host, cases[i].tty, &out);
        CHECK(!out.failed);
        forget_filter_size(out.data);
        compare(&a, cases[i].name, out.data);
        buf_drop(&out);
        arena_drop(&a);
    }
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
