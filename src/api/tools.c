/* tools.c - --tools: the directories of the caller's toolchains, read-only.
 *
 * For every directory of PATH: itself, and beside a bin directory what its
 * programs read (lib, share, ...), never the whole prefix: next to ~/.x/bin
 * lie caches and credentials. */
#include <string.h>
#include <sys/stat.h>

#include "api/prepare.h"

static bool is_dir_or_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode));
}

static bool is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int grant(struct arena *a, struct policy *p, const char *path,
                 struct err *e)
{
    if (!path)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (path[0] != '/' || path[1] == '\0' || !is_dir_or_file(path))
        return 0;
    return policy_add_path(p, a, ACCESS_READ, path, "--tools", e);
}

/* The directory above, when `path` ends in a directory of programs. */
static const char *prefix_of(struct arena *a, const char *path)
{
    static const char *const names[] = { "/bin", "/sbin", "/shims" };
    size_t len = strlen(path);

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t n = strlen(names[i]);

        if (len > n && strcmp(path + len - n, names[i]) == 0)
            return arena_strndup(a, path, len - n);
    }
    return NULL;
}

static int grant_beside(struct arena *a, struct policy *p, const char *dir,
                        struct err *e)
{
    static const char *const beside[] = { "lib",     "lib64",   "libexec",
                                          "share",   "include", "versions",
                                          "pyenv.d", "plugins", "toolchains",
                                          "pkg",     "src",     "version" };
    const char *prefix = prefix_of(a, dir);

    if (!prefix || strcmp(prefix, "/usr") == 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(beside); i++)
        if (grant(a, p, arena_printf(a, "%s/%s", prefix, beside[i]), e) < 0)
            return -1;
    return 0;
}

/* Version managers look for themselves under HOME, which is another one in
 * the sandbox: tell them where they are. */
static int point_managers(struct arena *a, struct policy *p, const char *prefix,
                          struct err *e)
{
    size_t len = strlen(prefix);
    const char *rustup, *entry;

    if (len > 7 && strcmp(prefix + len - 7, "/.pyenv") == 0) {
        entry = arena_printf(a, "PYENV_ROOT=%s", prefix);
        return entry ? policy_add_env(p, a, entry, "--tools", e)
                     : err_set(e, ERR_BACKEND_ERROR, "out of memory");
    }
    if (len > 7 && strcmp(prefix + len - 7, "/.cargo") == 0) {
        rustup = arena_printf(a, "%.*s/.rustup", (int)(len - 7), prefix);
        entry = rustup ? arena_printf(a, "RUSTUP_HOME=%s", rustup) : NULL;
        if (!entry)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory");
        if (!is_dir(rustup))
            return 0;
        return grant(a, p, rustup, e) < 0
                   ? -1
                   : policy_add_env(p, a, entry, "--tools", e);
    }
    return 0;
}

int tools_add(struct arena *a, struct policy *p, const struct run_flags *f,
              struct err *e)
{
    const char *at = f->search_path ? f->search_path : "";
    const char *entry = arena_printf(a, "PATH=%s", at);

    if (!*at)
        return 0;
    if (!entry)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (policy_add_env(p, a, entry, "--tools", e) < 0)
        return -1;
    while (*at) {
        size_t n = strcspn(at, ":");
        const char *dir = arena_strndup(a, at, n), *prefix;

        if (!dir)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory");
        prefix = dir[0] == '/' && is_dir(dir) ? prefix_of(a, dir) : NULL;
        if (grant(a, p, dir, e) < 0 || grant_beside(a, p, dir, e) < 0 ||
            (prefix && point_managers(a, p, prefix, e) < 0))
            return -1;
        at += n + (at[n] == ':');
    }
    return 0;
}
