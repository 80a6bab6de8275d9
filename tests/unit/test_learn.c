/* What a policy is taught, from paths and names alone. */
#include "t.h"

#include "base/json.h"
#include "base/scoped.h"
#include "base/secret.h"
#include "learn/learn.h"

static const struct learn_place at = { .home = "/home/me",
                                       .workspace = "/home/me/p" };
static struct arena arena = { .limit = 64 << 20 };
static const struct variables vars = { "/home/me/p", "/home/me" };

static bool yes(void *arg, const char *dir, enum learn_kind kind)
{
    (void)kind;
    (void)arg;
    (void)dir;
    return true;
}

static bool no(void *arg, const char *dir, enum learn_kind kind)
{
    (void)kind;
    (void)arg;
    (void)dir;
    return false;
}

static struct learn_entry *put(struct learnt *l, enum learn_kind kind,
                               const char *what)
{
    const struct learn_entry e = { .kind = kind, .what = what, .round = 1 };

    l->arena = &arena;
    return learn_add(l, &e);
}

/* The granted ones, in order, with a blank between. */
static const char *granted(const struct learnt *l)
{
    static const char letters[] = "rwdghneco";
    static char out[4096];

    out[0] = '\0';
    for (size_t i = 0; i < l->n; i++)
        if (learn_is_granted(&l->entry[i]))
            (void)snprintf(out + strlen(out), sizeof(out) - strlen(out),
                           "%s%c:%s", out[0] ? " " : "",
                           letters[l->entry[i].kind], l->entry[i].what);
    return out;
}

TEST(secrets_by_name)
{
    static const char *const secret[] = {
        "/home/me/.ssh",
        "/home/me/.ssh/id_rsa",
        "/srv/x/.ssh/config",
        "/home/other/.kube/config",
        "/root/.docker/config.json",
        "/home/me/.docker",
        "/home/me/.config/gcloud/x",
        "/home/me/p/.env",
        "/home/me/p/.env.local",
        "/home/me/p/sub/id_ed25519",
        "/home/me/.netrc",
        "/home/me/.mozilla/firefox",
        "/etc/shadow",
        "/etc/ssh/ssh_host_rsa_key",
        "/run/secrets/x",
        "/proc/1/environ",
        "/var/run/secrets/kubernetes.io/serviceaccount/token",
        "/home/me/p/.npmrc",
        "/home/me/.pypirc",
        "/home/me/.claude/settings.json",
        "/home/me/.claude.json",
        "/home/me/.codex/auth.json",
        "/home/me/.config/rclone/rclone.conf",
        "/home/me/.config/gh",
        "/home/me/.config/hub",
        "/home/me/.config/op/x",
        "/home/me/.m2/settings.xml",
        "/home/me/.gradle/gradle.properties",
        "/home/me/.s3cfg",
        "/home/me/.boto",
        "/home/me/.python_history",
        "/home/me/.local/share/fish/fish_history",
        "/home/me/.cache/huggingface/token",
        "/home/me/.password-store/a.gpg",
        "/home/me/.local/share/keyrings",
        "/home/me/.electrum/wallets/default_wallet",
        "/home/me/p/.kube/config",
        "/etc/gshadow",
        "/home/me/.config/sops/age/keys.txt",
        "/home/me/.kaggle/kaggle.json",
        "/home/me/.cache/huggingface/stored_tokens",
        "/etc/sudoers.d/x",
        "/etc/ssl/private/x.pem",
        "/etc/ssh/mine_key",
        "/root/notes",
        "/proc/self/environ",
    };
    static const char *const plain[] = {
        "/home/me/p/.env.example",  "/home/me/p/environment",
        "/home/me/p/.sshrc",        "/home/me/p/.docker/Dockerfile",
        "/home/me/p/id_rsa.pub",    "/etc/passwd",
        "/etc/ssh/ssh_config",      "/etc/ssh/ssh_host_rsa_key.pub",
        "/home/me/.config/gcloudx", "/etc/shadowy",
    };

    for (size_t i = 0; i < ARRAY_LEN(secret); i++) {
        NOTE(secret[i]);
        CHECK(learn_secret(secret[i], false, &at));
        /* Whoever tells of a refusal knows the same. */
        CHECK(secret_is_in(secret[i], at.home));
    }
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        NOTE(plain[i]);
        CHECK(!learn_secret(plain[i], false, &at));
        CHECK(!secret_is_in(plain[i], at.home));
    }
    CHECK(!secret_why("/root/notes", false, "/root"));
    CHECK(secret_is_in("/home/me/.config", at.home));
    CHECK(secret_is_in("/home/me", at.home));
    CHECK(!secret_is_in("/home/me/p", at.home));
    /* Somebody else's home, and what is in it. */
    CHECK(secret_is_in("/home/you", at.home));
    CHECK(secret_is_in("/home/m", at.home));
    CHECK(secret_is_in("/home/me2", at.home));
    CHECK(secret_is_in("/home/you/p", at.home));
    CHECK(secret_is_in("/home/you", "/root"));
    CHECK(secret_is_in("/home/you", NULL));
    /* A virtual environment of Python's may be called so. */
    CHECK(!learn_secret("/home/me/p/.env", true, &at));
    CHECK(learn_secret("/home/me/.ssh", true, &at));
}

TEST(secrets_by_text)
{
    static const char key[] = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl";
    static const char age[] = "# mine\nAGE-SECRET-KEY-1QQQ\n";
    static const char certificate[] = "-----BEGIN CERTIFICATE-----\nMIIB";

    CHECK(learn_secret_text(key, sizeof(key) - 1));
    CHECK(learn_secret_text(age, sizeof(age) - 1));
    CHECK(!learn_secret_text(certificate, sizeof(certificate) - 1));
    CHECK(!learn_secret_text("", 0));
    CHECK(learn_secret_text("\x30\x82\x0a\x00\x02\x01\x03\x30", 8));
    CHECK(learn_may_be_secret("/x/a.pem"));
    CHECK(!learn_may_be_secret("/x/a.pub"));
}

TEST(what_others_execute)
{
    static const char *const programs[] = { "/home/me/scripts" };
    static const char *const run[] = {
        "/home/me/p/.git/hooks/pre-commit",
        "/home/me/p/.git/config",
        "/home/me/p/.git/config.worktree",
        "/home/me/p/.git/commondir",
        "/home/me/p/.git/worktrees/w/gitdir",
        "/home/me/p/.git/modules/a/modules/b/config",
        "/home/me/p/.git/modules/a/hooks/x",
        "/srv/bare.git/config",
        "/srv/bare.git/hooks",
        "/home/me/.bashrc",
        "/home/me/.vim/plugin/x.vim",
        "/home/me/.config/Code/User/settings.json",
        "/home/me/.pyenv/shims/python",
        "/home/me/.rustup/toolchains/x",
        "/home/me/.local/share/pnpm/x",
        "/home/me/.local/bin/x",
        "/home/me/.cache/pre-commit/x",
        "/home/me/.npm/_npx/x",
        "/home/me/go/bin/x",
        "/home/me/p/venv/lib/python3/site-packages/x.py",
        "/home/other/.anything",
        "/home/me/scripts/x",
        "/home/me/p/.envrc",
        "/home/me/p/.cursor/mcp.json",
        "/home/me/p/.mcp.json",
        "/etc/cron.d/x",
        "/usr/local/bin/x",
        "/usr/local/lib",
        "/opt/x/bin",
        "/lib64/x",
        "/boot/x",
        "/var/spool/cron/root",
    };
    static const char *const plain[] = {
        "/home/me/p/.git/index",
        "/home/me/p/.git/modules/a/index",
        "/home/me/p/hooks",
        "/home/me/p/config",
        "/home/me/.cache/x/y",
        "/home/me/.npm/_cacache/x",
        "/home/me/.cargo/registry",
        "/home/me/.m2/repository/x",
        "/home/me/p/.x",
        "/home/me/scripts2",
        "/usrx",
        "/var/spool/mail/x",
    };
    const struct learn_place here = { .home = "/home/me",
                                      .programs = programs,
                                      .nprograms = 1 };

    for (size_t i = 0; i < ARRAY_LEN(run); i++) {
        NOTE(run[i]);
        CHECK(learn_is_run(run[i], &here));
    }
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        NOTE(plain[i]);
        CHECK(!learn_is_run(plain[i], &here));
    }
}

TEST(what_the_base_forbids)
{
    static const char base[] =
        "{\"version\":\"1.1.0+c1\",\"filesystem\":{\"readwritePaths\":"
        "[\"/w/\",\"/d/in\"],\"readonlyPaths\":[\"/w//keep\",\"/r\"],"
        "\"deniedPaths\":[\"/d/./\",\"/w/no\"]}}";
    struct learnt l = { 0 }, rules = { 0 };
    struct buf out = { .max = 1 << 20 };
    struct json *root;
    struct err e;

    CHECK_INT(json_parse(&arena, base, sizeof(base) - 1, &root, &e), 0);
    learn_rules(&arena, root, &vars, &rules);
    CHECK(learn_forbidden(&rules, LEARN_READ, "/d"));
    CHECK(learn_forbidden(&rules, LEARN_READ, "/d/x/y"));
    CHECK(learn_forbidden(&rules, LEARN_GUARD, "/d/x/y"));
    CHECK(!learn_forbidden(&rules, LEARN_WRITE, "/d/in/x"));
    CHECK(!learn_forbidden(&rules, LEARN_DENY, "/d/x"));
    CHECK(!learn_forbidden(&rules, LEARN_READ, "/dx"));
    CHECK(learn_forbidden(&rules, LEARN_WRITE, "/w/keep/x"));
    CHECK(!learn_forbidden(&rules, LEARN_READ, "/w/keep/x"));
    CHECK(!learn_forbidden(&rules, LEARN_WRITE, "/r/x"));
    (void)put(&l, LEARN_READ, "/d/x");
    (void)put(&l, LEARN_WRITE, "/d/y");
    (void)put(&l, LEARN_WRITE, "/w/keep");
    (void)put(&l, LEARN_WRITE, "/w");
    (void)put(&l, LEARN_WRITE, "/r");
    CHECK_INT(learn_document(&arena, base, sizeof(base) - 1, &vars, false, &l,
                             &out, &e),
              0);
    CHECK(!strstr(out.data, "/d/x") && !strstr(out.data, "/d/y"));
    CHECK(!strstr(out.data, "\"/w\""));
    CHECK(!strstr(out.data, "\"/w/keep\""));
    CHECK_HAS(out.data, "\"readonlyPaths\": [\n      \"/w//keep\"\n    ]");
    CHECK_HAS(out.data, "\"/r\"");
    buf_drop(&out);
}

TEST(wide_directories)
{
    static const char *const wide[] = {
        "/",
        "/etc",
        "/var",
        "/var/lib",
        "/tmp",
        "/home",
        "/home/me",
        "/home/somebody",
        "/usr",
        "/anything",
        "/home/me/.config",
        "/home/me/.cache",
        "/home/me/.local/share",
    };
    static const char *const fine[] = { "/home/me/p", "/var/lib/x", "/tmp/x",
                                        "/home/me/.cache/uv", "/opt/tool" };

    for (size_t i = 0; i < ARRAY_LEN(wide); i++) {
        NOTE(wide[i]);
        CHECK(learn_wide(wide[i], &at));
    }
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        NOTE(fine[i]);
        CHECK(!learn_wide(fine[i], &at));
    }
    CHECK(
        !learn_wide("/srv/x", &(struct learn_place){ .workspace = "/srv/x" }));
    /* What the home is in. */
    CHECK(learn_wide(
        "/data/homes",
        &(struct learn_place){ .home = "/data/homes/me", .workspace = "/x" }));
}

TEST(temporary_names)
{
    static const char *const temporary[] = { "tmpab12cd34", "sedXkQw9z",
                                             ".tmpA1b2C3", "file.aB3dE9",
                                             "ccXyZ1q2.s" };
    static const char *const steady[] = {
        "Makefile", "README.md",   "template",          "tmp",
        "sedan",    "python3",     "config.production", "index.html",
        "a.tar.gz", "temperature",
    };

    for (size_t i = 0; i < ARRAY_LEN(temporary); i++) {
        NOTE(temporary[i]);
        CHECK(learn_is_temporary(temporary[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(steady); i++) {
        NOTE(steady[i]);
        CHECK(!learn_is_temporary(steady[i]));
    }
}

TEST(one_temporary_name_is_a_name)
{
    struct learnt l = { 0 }, m = { 0 };

    (void)put(&l, LEARN_WRITE, "/d/e/tmpab12cd34");
    (void)put(&l, LEARN_READ, "/d/e/tmpab12cd35");
    CHECK_INT(learn_shape(&l, &at, yes, NULL), 0);
    CHECK_STR(granted(&l), "w:/d/e/tmpab12cd34 r:/d/e/tmpab12cd35");
    (void)put(&m, LEARN_WRITE, "/d/e/tmpab12cd34");
    (void)put(&m, LEARN_WRITE, "/d/e/tmpab12cd35");
    CHECK_INT(learn_shape(&m, &at, yes, NULL), 0);
    CHECK_STR(granted(&m), "w:/d/e");
}

TEST(caches)
{
    CHECK_STR(learn_cache(&arena, "/home/me/.cache/uv/a/b", LEARN_READ, &at),
              "/home/me/.cache/uv");
    CHECK_STR(learn_cache(&arena, "/home/me/.cache/huggingface/hub/x/y",
                          LEARN_READ, &at),
              "/home/me/.cache/huggingface/hub");
    CHECK_STR(learn_cache(&arena, "/home/me/.cache/huggingface/datasets/x",
                          LEARN_WRITE, &at),
              "/home/me/.cache/huggingface/datasets");
    CHECK(
        !learn_cache(&arena, "/home/me/.cache/huggingface", LEARN_WRITE, &at));
    CHECK_STR(learn_cache(&arena, "/home/me/.npm/_cacache/x", LEARN_READ, &at),
              "/home/me/.npm/_cacache");
    CHECK_STR(learn_cache(&arena, "/home/me/.npm/x", LEARN_READ, &at),
              "/home/me/.npm");
    CHECK(!learn_cache(&arena, "/home/me/.npm/x", LEARN_WRITE, &at));
    CHECK(
        !learn_cache(&arena, "/home/me/.local/share/pnpm/x", LEARN_WRITE, &at));
    CHECK_STR(learn_cache(&arena, "/home/me/.cache/x/y", LEARN_WRITE, &at),
              "/home/me/.cache/x");
    CHECK_STR(
        learn_cache(&arena, "/home/me/.cargo/registry/src/x", LEARN_READ, &at),
        "/home/me/.cargo/registry");
    CHECK(!learn_cache(&arena, "/home/me/.cache", LEARN_READ, &at));
    CHECK(!learn_cache(&arena, "/home/me/.cargo/credentials.toml", LEARN_READ,
                       &at));
    CHECK(!learn_cache(&arena, "/home/mean/.npm/x", LEARN_READ, &at));
    CHECK(!learn_cache(&arena, "/x/.npm/x", LEARN_READ,
                       &(struct learn_place){ 0 }));
}

TEST(several_of_one_directory)
{
    struct learnt l = { 0 }, m = { 0 }, n = { 0 };
    static const char *const names[] = { "/d/e/a", "/d/e/b", "/d/e/c",
                                         "/d/e/d" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)put(&l, LEARN_READ, names[i]);
        (void)put(&m, LEARN_READ, names[i]);
        if (i < 3)
            (void)put(&n, LEARN_READ, names[i]);
    }
    (void)put(&n, LEARN_WRITE, names[3]);
    CHECK_INT(learn_shape(&l, &at, yes, NULL), 0);
    CHECK_STR(granted(&l), "r:/d/e");
    CHECK_INT(learn_shape(&m, &at, no, NULL), 0);
    CHECK_STR(granted(&m), "r:/d/e/a r:/d/e/b r:/d/e/c r:/d/e/d");
    /* Three that are read, and one that is written. */
    CHECK_INT(learn_shape(&n, &at, yes, NULL), 0);
    CHECK_STR(granted(&n), "r:/d/e/a r:/d/e/b r:/d/e/c w:/d/e/d");
    /* Again, it is the same. */
    CHECK_INT(learn_shape(&l, &at, yes, NULL), 0);
    CHECK_STR(granted(&l), "r:/d/e");
}

TEST(never_up_to_what_holds_everything)
{
    struct learnt l = { 0 };

    (void)put(&l, LEARN_READ, "/etc/a");
    (void)put(&l, LEARN_READ, "/etc/b");
    (void)put(&l, LEARN_READ, "/etc/c");
    (void)put(&l, LEARN_READ, "/etc/d");
    (void)put(&l, LEARN_READ, "/home/me/a");
    (void)put(&l, LEARN_READ, "/home/me/b");
    (void)put(&l, LEARN_READ, "/home/me/c");
    (void)put(&l, LEARN_READ, "/home/me/d");
    (void)put(&l, LEARN_READ, "/tmp/tmpab12cd34");
    CHECK_INT(learn_shape(&l, &at, yes, NULL), 0);
    CHECK_STR(granted(&l),
              "r:/etc/a r:/etc/b r:/etc/c r:/etc/d r:/home/me/a r:/home/me/b "
              "r:/home/me/c r:/home/me/d r:/tmp/tmpab12cd34");
}

TEST(what_a_wider_entry_holds)
{
    struct learnt l = { 0 };

    (void)put(&l, LEARN_READ, "/d/e");
    (void)put(&l, LEARN_READ, "/d/e/x");
    (void)put(&l, LEARN_WRITE, "/d/e/out");
    (void)put(&l, LEARN_READ, "/d/e/out/f");
    (void)put(&l, LEARN_WRITE, "/d/f");
    (void)put(&l, LEARN_READ, "/d/f");
    (void)put(&l, LEARN_GUARD, "/d/f/.git/hooks");
    (void)put(&l, LEARN_DENY, "/d/f/.env");
    (void)put(&l, LEARN_READ, "/d/ef");
    CHECK_INT(learn_shape(&l, &at, yes, NULL), 0);
    CHECK_STR(granted(&l), "r:/d/e w:/d/e/out w:/d/f g:/d/f/.git/hooks "
                           "d:/d/f/.env r:/d/ef");
}

TEST(a_document)
{
    static const char base[] =
        "{\"version\":\"1.1.0+c1\",\"_comment\":\"x\",\"filesystem\":"
        "{\"readonlyPaths\":[\"/a\",\"/b\"]},\"network\":{\"egress\":"
        "{\"allow\":[{\"to\":[{\"host\":\"mine.test\"}]}]}}}";
    struct learn_entry host = {
        .kind = LEARN_HOST, .what = "x.test", .proto = LEARN_TCP, .port = 443
    };
    struct learnt l = { .arena = &arena };
    struct buf out = { .max = 1 << 20 };
    struct err e;

    (void)put(&l, LEARN_WRITE, "/a");
    (void)put(&l, LEARN_READ, "/b");
    (void)put(&l, LEARN_READ, "/q\"uote");
    (void)put(&l, LEARN_ENV, "HOME=/h");
    put(&l, LEARN_READ, "/left")->left_out = "why";
    (void)learn_add(&l, &host);
    host.port = 80;
    (void)learn_add(&l, &host);
    host = (struct learn_entry){ .kind = LEARN_NET,
                                 .what = "203.0.113.1",
                                 .proto = LEARN_ICMP };
    (void)learn_add(&l, &host);
    CHECK_INT(learn_document(&arena, base, sizeof(base) - 1, &vars, false, &l,
                             &out, &e),
              0);
    CHECK_HAS(out.data, "\"readonlyPaths\": [\n      \"/b\",\n"
                        "      \"/q\\\"uote\"\n    ]");
    CHECK_HAS(out.data, "\"readwritePaths\": [\n      \"/a\"\n    ]");
    CHECK_HAS(out.data, "\"host\": \"mine.test\"");
    CHECK_HAS(out.data, "\"_comment\": \"x\"");
    CHECK_HAS(out.data, "\"inheritDefaultEnv\": true");
    CHECK_HAS(out.data, "\"port\": 443");
    CHECK_HAS(out.data, "\"cidr\": \"203.0.113.1/32\"");
    CHECK(!strstr(out.data, "/left"));
    buf_drop(&out);
}

TEST(variables)
{
    static const struct {
        const char *text, *meant; /* NULL: an error */
        bool is_spelt;            /* and so it is written */
    } rows[] = {
        { "${workspace}", "/home/me/p", true },
        { "${workspace}/a", "/home/me/p/a", true },
        { "${home}", "/home/me", true },
        { "${home}/px", "/home/me/px", true },
        { "${home}/p/a", "/home/me/p/a", false },
        { "/usr", "/usr", true },
        { "/x/${home}", "/x/${home}", true },
        { "${workspace}x", NULL, false },
        { "${home", NULL, false },
        { "${HOME}/a", NULL, false },
        { "${}", NULL, false },
    };
    const struct variables nobody = { "/w", NULL }, top = { "/", "/" },
                           home = { "/home", "/home/me" };
    struct err e = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = variables_expand(&arena, &vars, rows[i].text, &e);

        NOTE(rows[i].text);
        CHECK_INT(got == NULL, rows[i].meant == NULL);
        if (!got)
            continue;
        CHECK_STR(got, rows[i].meant);
        if (rows[i].is_spelt)
            CHECK_STR(variables_spell(&arena, &vars, got), rows[i].text);
    }
    CHECK(!variables_expand(&arena, &nobody, "${home}", &e));
    CHECK_HAS(e.hint, "set HOME");
    CHECK_STR(variables_spell(&arena, &top, "/usr"), "/usr");
    CHECK(!variables_expand(&arena, &top, "${workspace}/x", &e));
    CHECK(!variables_expand(&arena, &home, "${workspace}/x", &e));
    CHECK_HAS(e.msg, "holds all of a home");
    CHECK_STR(variables_spell(&arena, &home, "/home/x"), "/home/x");
}

TEST(a_document_with_variables)
{
    static const char base[] =
        "{\"version\":\"1.1.0+c1\",\"filesystem\":"
        "{\"readonlyPaths\":[\"${workspace}/a\",\"${home}/b\"]}}";
    struct learnt l = { .arena = &arena };
    struct buf out = { .max = 1 << 20 };
    struct err e;

    (void)put(&l, LEARN_WRITE, "/home/me/p/a");
    (void)put(&l, LEARN_READ, "/home/me/b");
    (void)put(&l, LEARN_READ, "/home/me/c");
    (void)put(&l, LEARN_READ, "/srv");
    (void)put(&l, LEARN_ENV, "HOME=/home/me");
    (void)put(&l, LEARN_CWD, "/home/me/p");
    CHECK_INT(learn_document(&arena, base, sizeof(base) - 1, &vars, true, &l,
                             &out, &e),
              0);
    CHECK_HAS(out.data, "\"readonlyPaths\": [\n      \"${home}/b\",\n"
                        "      \"${home}/c\",\n      \"/srv\"\n    ]");
    CHECK_HAS(out.data,
              "\"readwritePaths\": [\n      \"${workspace}/a\"\n    ]");
    CHECK_HAS(out.data, "\"HOME=${home}\"");
    CHECK_HAS(out.data, "\"cwd\": \"${workspace}\"");
    buf_drop(&out);
}

TEST(an_empty_document)
{
    struct learnt l = { .arena = &arena };
    struct buf out = { .max = 1 << 20 };
    struct err e;

    CHECK_INT(learn_document(&arena, NULL, 0, &vars, false, &l, &out, &e), 0);
    CHECK_STR(out.data, "{\n  \"version\": \"1.1.0+c1\"\n}\n");
    buf_drop(&out);
}

static const char *diff(const char *old, const char *new)
{
    static char text[4096];
    struct buf out = { .max = 1 << 20 };

    learn_diff("a", old, "b", new, &out);
    (void)snprintf(text, sizeof(text), "%s", out.len ? out.data : "");
    buf_drop(&out);
    return text;
}

TEST(diffs)
{
    CHECK_STR(diff("x\n", "x\n"), "");
    CHECK_STR(diff("1\n2\n3\n4\n5\n", "1\n2\nx\n4\n5\n"),
              "--- a\n+++ b\n@@ -1,5 +1,5 @@\n 1\n 2\n-3\n+x\n 4\n 5\n");
    CHECK_STR(diff("", "1\n"), "--- a\n+++ b\n@@ -0,0 +1,1 @@\n+1\n");
    CHECK_STR(diff("1\n", ""), "--- a\n+++ b\n@@ -1,1 +0,0 @@\n-1\n");
    CHECK_STR(diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n",
                   "x\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\ny\n"),
              "--- a\n+++ b\n@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n"
              "@@ -9,4 +9,4 @@\n 9\n 10\n 11\n-12\n+y\n");
    /* Nothing of it does something to a terminal. */
    CHECK_HAS(diff("", "a\x1b[2J\n"), "+a\\x1b[2J\n");
}

T_MAIN()
