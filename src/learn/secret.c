/* secret.c - what no policy is taught unseen. */
#include <string.h>

#include "base/scoped.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "contract/format.h"
#include "learn/learn.h"
#include "policy/fs.h"

/* Is `name` a component, or several, of the path? */
static bool has_part(const char *path, const char *name)
{
    const size_t n = strlen(name);

    for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/'))
        if (strncmp(at + 1, name, n) == 0 &&
            (at[1 + n] == '/' || at[1 + n] == '\0'))
            return true;
    return false;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool ends_in(const char *name, const char *tail)
{
    const size_t n = strlen(name), t = strlen(tail);

    return n > t && strcmp(name + n - t, tail) == 0;
}

/* What is executed, or obeyed, outside: wherever it is. */
static const struct {
    const char *part, *why;
} run_parts[] = {
    { ".husky", "git executes what is there" },
    { ".vscode", "an editor executes what is there" },
    { ".idea", "an editor executes what is there" },
    { ".cursor", "an editor executes what is there" },
    { ".mcp.json", "an editor executes what it names" },
    { ".bashrc", "your shell executes it" },
    { ".bash_profile", "your shell executes it" },
    { ".bash_login", "your shell executes it" },
    { ".bash_logout", "your shell executes it" },
    { ".bash_aliases", "your shell executes it" },
    { ".profile", "your shell executes it" },
    { ".zshrc", "your shell executes it" },
    { ".zshenv", "your shell executes it" },
    { ".zprofile", "your shell executes it" },
    { ".zlogin", "your shell executes it" },
    { ".envrc", "your shell executes it" },
    { ".config/fish", "your shell executes it" },
    { ".config/autostart", "your desktop executes it" },
    { ".config/systemd", "your services are there" },
    { ".local/bin", "your programs are there" },
    { ".local/lib", "your programs are there" },
    { ".local/share/applications", "your desktop executes it" },
    { ".local/share/systemd", "your services are there" },
    { ".local/share/pnpm", "your programs are there" },
    { ".local/share/uv", "your programs are there" },
    { ".gitconfig", "git executes what it names" },
    { ".config/git", "git executes what it names" },
    { ".vimrc", "your editor executes it" },
    { ".config/nvim", "your editor executes it" },
    { ".emacs", "your editor executes it" },
    { ".cargo/bin", "your programs are there" },
    { "go/bin", "your programs are there" },
    { "site-packages", "Python executes what is there" },
    { "dist-packages", "Python executes what is there" },
};

/* The system's own: whoever is root executes it. */
static const char *const run_places[] = {
    "/usr",    "/opt", "/bin",  "/sbin",           "/lib", "/lib32", "/lib64",
    "/libx32", "/etc", "/boot", "/var/spool/cron",
};

/* In a home, what holds nothing that is executed as it is. */
static const char *const caches_of_home[] = {
    ".cache",          ".npm/_cacache",     ".npm/_logs",
    ".cargo/registry", ".cargo/git",        ".m2/repository",
    ".gradle/caches",  ".ivy2/cache",       ".nuget/packages",
    ".yarn/cache",     ".yarn/berry/cache", ".bun/install/cache",
    ".composer/cache",
};

/* But of these: programs. */
static const char *const programs_in_caches[] = {
    ".cache/pre-commit",
    ".cache/ms-playwright",
    ".cache/puppeteer",
    ".cache/bazelisk",
    ".cache/uv/archive-v0",
    ".cache/uv/environments-v2",
    ".cache/pypoetry/virtualenvs",
};

/* Of no command, whatever it asks for. */
static const struct {
    const char *dir, *why;
} places[] = {
    { "/run/user", "sockets of a session" },
    { "/var/lib/docker", "a container engine's own" },
    { "/proc", "the host's processes" },
    { "/sys", "the host's devices" },
    { "/dev", "the host's devices" },
};

const char *learn_secret(const char *path, bool is_dir,
                         const struct learn_place *at)
{
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (path_is_within(path, places[i].dir))
            return places[i].why;
    return secret_why(path, is_dir, at->home);
}

/* --- what others execute ---------------------------------------------------
 */

const char *const learn_git_runs[] = { "config",    "config.worktree", "hooks",
                                       "commondir", "worktrees",       NULL };

/* In a directory of git's, by the name of that. */
static const char *git_runs(const char *path)
{
    for (const char *at = strstr(path, ".git/"); at;
         at = strstr(at + 5, ".git/"))
        for (size_t i = 0; learn_git_runs[i]; i++)
            if (has_part(at + 4, learn_git_runs[i]) &&
                (path_is_within(at + 5, learn_git_runs[i]) ||
                 path_is_within(at + 5, "modules")))
                return "git does what it says";
    return NULL;
}

/* A dot file of a home, which its programs obey, but for caches. */
static const char *of_home(const char *path, const char *home)
{
    const size_t n = home ? strlen(home) : 0;
    const char *rest = NULL;

    if (n > 1 && path_is_within(path, home))
        rest = path + n;
    else if (path_is_within(path, "/root"))
        rest = path + 5;
    else if (strncmp(path, "/home/", 6) == 0)
        rest = strchr(path + 6, '/');
    if (!rest || rest[0] != '/' || rest[1] != '.')
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(programs_in_caches); i++)
        if (path_is_within(rest + 1, programs_in_caches[i]))
            return "your programs are there";
    for (size_t i = 0; i < ARRAY_LEN(caches_of_home); i++)
        if (path_is_within(rest + 1, caches_of_home[i]))
            return NULL;
    return "your programs do what it says";
}

const char *learn_is_run(const char *path, const struct learn_place *at)
{
    const char *why = git_runs(path);

    for (size_t i = 0; i < ARRAY_LEN(run_parts) && !why; i++)
        if (has_part(path, run_parts[i].part))
            why = run_parts[i].why;
    for (size_t i = 0; i < ARRAY_LEN(run_places) && !why; i++)
        if (path_is_within(path, run_places[i]))
            why = "the system does what it says";
    for (size_t i = 0; i < at->nprograms && !why; i++)
        if (path_is_within(path, at->programs[i]))
            why = "your programs are there (PATH)";
    return why ? why : of_home(path, at->home);
}

bool learn_may_be_secret(const char *path)
{
    static const char *const tails[] = { ".pem",    ".key",      ".p12",
                                         ".pfx",    ".keystore", ".jks",
                                         ".ppk",    ".kdbx",     "_rsa",
                                         "_ed25519" };
    const char *name = last_part(path);

    for (size_t i = 0; i < ARRAY_LEN(tails); i++)
        if (ends_in(name, tails[i]))
            return true;
    return strcmp(name, "key") == 0;
}

static bool holds(const char *text, size_t len, const char *piece)
{
    return memmem(text, len, piece, strlen(piece)) != NULL;
}

const char *learn_secret_text(const char *text, size_t len)
{
    if (holds(text, len, "PRIVATE KEY-----") ||
        holds(text, len, "PuTTY-User-Key-File-") ||
        holds(text, len, "AGE-SECRET-KEY-") ||
        (len > 4 && (memcmp(text, "\x03\xd9\xa2\x9a", 4) == 0 ||
                     memcmp(text, "\xfe\xed\xfe\xed", 4) == 0)) ||
        /* PKCS #12: a sequence that begins with version 3. */
        (len > 7 && memcmp(text, "\x30\x82", 2) == 0 &&
         memcmp(text + 4, "\x02\x01\x03", 3) == 0))
        return "a private key";
    if (holds(text, len, "_authToken=") || holds(text, len, "_password="))
        return "a token";
    return NULL;
}

const char *learn_wide(const char *dir, const struct learn_place *at)
{
    static const char *const wide[] = {
        "/home",      "/root",      "/etc",     "/var",     "/var/tmp",
        "/var/lib",   "/var/cache", "/var/log", "/var/run", "/tmp",
        "/usr",       "/usr/local", "/opt",     "/srv",     "/run",
        "/mnt",       "/media",     "/boot",    "/data",    "/work",
        "/etc/ssl",   "/var/spool", "/private", "/users",   "/Users",
        "/usr/share", "/usr/lib",
    };
    static const char *const below[] = {
        "",        ".config", ".local",    ".local/share", ".local/state",
        ".cache",  ".cargo",  "Documents", "Downloads",    "Desktop",
        "Library", ".var",    "snap",
    };
    const char *home = at->home;

    if (dir[0] != '/' || dir[1] == '\0' || !strchr(dir + 1, '/'))
        return "it holds too much";
    for (size_t i = 0; i < ARRAY_LEN(wide); i++)
        if (strcmp(dir, wide[i]) == 0)
            return "it holds too much";
    /* /home/somebody */
    if (strncmp(dir, "/home/", 6) == 0 && !strchr(dir + 6, '/'))
        return "it is a home";
    if (!home || home[0] != '/' || home[1] == '\0')
        return NULL;
    if (path_is_within(home, dir))
        return "your home is in it";
    if (!path_is_within(dir, home))
        return NULL;
    for (size_t i = 1; i < ARRAY_LEN(below); i++)
        if (strcmp(dir + strlen(home) + 1, below[i]) == 0)
            return "it holds too much";
    return NULL;
}

bool learn_is_plain(const char *text)
{
    return utf8_is_plain(text);
}

bool learn_is_path(const char *path)
{
    return learn_is_plain(path) && !format_path.wrong(path);
}

bool learn_is_minor(const struct learn_entry *e)
{
    return e->kind == LEARN_READ && (strncmp(e->what, "/etc/", 5) == 0 ||
                                     strncmp(e->what, "/usr/", 5) == 0);
}
