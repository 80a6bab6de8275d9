/* image_download.c - an archive of a distribution's root, by LXC's own program
 * for that, lxc-download, where the host has it.
 *
 * What reads from the network runs in a sandbox of ours, which may write to a
 * directory of its own and talk to the public internet.  It is told of a root
 * that is not there, so that it ends when the archive is in its cache: that is
 * unpacked as any other, by mxc-unpack. */
#include "cli/image_download.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compat.h"

enum { MOST_SAID = 4096 };

static const char *const templates[] = {
    "/usr/share/lxc/templates/lxc-download",
    "/usr/local/share/lxc/templates/lxc-download",
};

struct download {
    struct arena *a;
    const struct image_store *s;
    const char *template;
    const char *distribution, *release, *variant, *arch;
    const char *dir; /* its own */
    const char *base;
};

static int no_memory(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

static bool is_program(const char *path)
{
    struct stat st;

    return faccessat(AT_FDCWD, path, X_OK, 0) == 0 && stat(path, &st) == 0 &&
           S_ISREG(st.st_mode);
}

static int find_template(struct download *d, const char *wanted, struct err *e)
{
    d->template = wanted;
    for (size_t i = 0; !d->template && i < ARRAY_LEN(templates); i++)
        if (is_program(templates[i]))
            d->template = templates[i];
    if (d->template && d->template[0] == '/' && is_program(d->template))
        return 0;
    err_set(e, ERR_BACKEND_UNAVAILABLE, "%s is not there, or not executable",
            d->template ? d->template : templates[0]);
    return err_hint(e, "install LXC's templates (Debian: lxc), or name theirs "
                       "from / by --template; or bring a root by yourself: mxc "
                       "image import");
}

/* As the servers of images call it. */
static const char *architecture(struct arena *a)
{
    static const char *const names[][2] = { { "x86_64", "amd64" },
                                            { "i686", "i386" },
                                            { "aarch64", "arm64" },
                                            { "armv7l", "armhf" },
                                            { "ppc64le", "ppc64el" } };
    struct utsname u;

    if (uname(&u) < 0)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(u.machine, names[i][0]) == 0)
            return names[i][1];
    return arena_strdup(a, u.machine);
}

/* DISTRIBUTION/RELEASE[/VARIANT], which was checked to be a name. */
static int split(struct download *d, const char *name, struct err *e)
{
    char *word = arena_strdup(d->a, name), *slash;

    d->arch = architecture(d->a);
    if (!word || !d->arch)
        return no_memory(e);
    slash = strchr(word, '/');
    if (!slash) {
        err_set(e, ERR_MALFORMED_REQUEST, "'%s' names no release to download",
                name);
        return err_hint(e, "DISTRIBUTION/RELEASE, such as debian/bookworm, or "
                           "DISTRIBUTION/RELEASE/VARIANT");
    }
    *slash = '\0';
    d->distribution = word;
    d->release = slash + 1;
    d->variant = "default";
    slash = strchr(slash + 1, '/');
    if (slash) {
        *slash = '\0';
        d->variant = slash + 1;
    }
    return 0;
}

static int make_dirs(struct download *d, struct err *e)
{
    uint64_t random;
    const char *c;

    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return err_sys(e, "getrandom(2)", errno, "cannot make a name");
    d->base = arena_printf(d->a, "%016llx", (unsigned long long)random);
    d->dir =
        d->base ? arena_printf(d->a, "%s/tmp/%s", d->s->path, d->base) : NULL;
    c = d->dir ? arena_printf(d->a, "%s/tmp", d->base) : NULL;
    if (!c)
        return no_memory(e);
    if (mkdirat(d->s->tmp, d->base, 0700) < 0 ||
        mkdirat(d->s->tmp, c, 0700) < 0)
        return err_sys(e, "mkdirat(2)", errno,
                       "cannot write to the image store");
    return 0;
}

/* --- the sandbox ---------------------------------------------------------- */

enum { ENTRIES = 3, WORDS = 15 };

/* What is run, and what it may. */
static int describe(const struct download *d, const char **env,
                    struct path_flag *path, const char **word,
                    struct run_flags *out)
{
    struct arena *a = d->a;
    size_t n = 0;

    env[0] = arena_printf(a, "HOME=%s", d->dir);
    env[1] = arena_printf(a, "LXC_CACHE_PATH=%s/cache", d->dir);
    env[2] = "TAR_OPTIONS=--no-same-owner";
    path[0] = (struct path_flag){ ACCESS_WRITE, d->dir };
    path[1] = (struct path_flag){ ACCESS_READ, d->template };
    word[n++] = d->template;
    word[n++] = "--name=mxc";
    word[n++] = arena_printf(a, "--path=%s/tmp", d->dir);
    word[n++] = arena_printf(a, "--rootfs=%s/none", d->dir);
    word[n++] = arena_printf(a, "--dist=%s", d->distribution);
    word[n++] = arena_printf(a, "--release=%s", d->release);
    word[n++] = arena_printf(a, "--arch=%s", d->arch);
    word[n++] = arena_printf(a, "--variant=%s", d->variant);
    word[n++] = arena_printf(a, "--mapped-uid=%u", (unsigned)geteuid());
    word[n++] = arena_printf(a, "--mapped-gid=%u", (unsigned)getegid());
    for (size_t i = 0; i < n; i++)
        if (!word[i] || !env[i % ENTRIES])
            return -1;
    *out = (struct run_flags){ .path = path,
                               .npaths = 2,
                               .net = { .internet = true },
                               .env = env,
                               .nenv = ENTRIES,
                               .arg = word,
                               .nargs = n,
                               .cwd = d->dir,
                               .timeout_ms = 3600 * 1000,
                               .has_timeout = true,
                               .die_with_parent = true,
                               .fills_store = true };
    return 0;
}

/* Its own process, which is the sandbox's supervisor. */
static int child(const struct download *d, pid_t caller, int said)
{
    const char *env[ENTRIES], *word[WORDS];
    struct path_flag path[2];
    struct cli c = { .caller = getppid(), .parent = caller };
    struct err e = { 0 };
    int null = open("/dev/null", O_RDWR), code = CLI_FAILED;

    if (null < 0 || dup2(null, 0) < 0 || dup2(said, 1) < 0 || dup2(said, 2) < 0)
        return CLI_FAILED;
    c.arena.limit = d->a->limit;
    if (describe(d, env, path, word, &c.flags) < 0)
        (void)no_memory(&e);
    else if (cli_run(&c, &code, &e) == 0)
        return code;
    return cli_fail(&c, &e, CLI_FAILED);
}

static int start(const struct download *d, int said, int *status, struct err *e)
{
    const pid_t caller = getpid();
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid < 0)
        return err_sys(e, "fork(2)", errno, "cannot start a sandbox");
    if (pid == 0)
        _exit(child(d, caller, said));
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, "waitpid(2)", errno, "cannot wait");
    return 0;
}

/* Its last lines, of whose bytes a terminal shall believe none. */
static void tell(int said)
{
    char text[MOST_SAID + 1];
    struct stat st;
    off_t at = fstat(said, &st) == 0 && st.st_size > MOST_SAID
                   ? st.st_size - MOST_SAID
                   : 0;
    ssize_t n = pread(said, text, MOST_SAID, at);
    struct buf b = { .max = 8 * MOST_SAID };

    text[n > 0 ? n : 0] = '\0';
    for (char *line = text; *line;) {
        size_t len = strcspn(line, "\n");
        bool is_last = !line[len];

        line[len] = '\0';
        buf_puts(&b, "| ");
        buf_shown(&b, line);
        buf_putc(&b, '\n');
        line += len + !is_last;
    }
    cli_print(stderr, &b);
    buf_drop(&b);
}

/* Whoever filled the cache may have left links there. */
static int open_plain(const struct download *d, const char *name)
{
    const struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
                                  .resolve =
                                      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
    const char *path =
        arena_printf(d->a, "%s/cache/download/%s/%s/%s/%s/%s", d->base,
                     d->distribution, d->release, d->arch, d->variant, name);
    struct stat st;
    int fd =
        path ? (int)syscall(__NR_openat2, d->s->tmp, path, &how, sizeof(how))
             : -1;

    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
        drop_fd(&fd);
    return fd;
}

/* Written last, when all pieces are there. */
static bool is_complete(const struct download *d)
{
    scoped(drop_fd) int fd = open_plain(d, "build_id");

    return fd >= 0;
}

static int fetch(const struct download *d, int *archive, struct err *e)
{
    scoped(drop_fd) int said = memfd_create("mxc-download", MFD_CLOEXEC);
    int status = 0;

    if (said < 0)
        return err_sys(e, "memfd_create(2)", errno, "cannot start a sandbox");
    if (start(d, said, &status, e) < 0)
        return -1;
    *archive = is_complete(d) ? open_plain(d, "rootfs.tar.xz") : -1;
    if (*archive >= 0)
        return 0;
    tell(said);
    err_set(e, ERR_BACKEND_ERROR,
            "lxc-download brought no archive of %s/%s/%s/%s; it ended with "
            "status %d",
            d->distribution, d->release, d->arch, d->variant,
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return err_hint(e,
                    "what it said stands above; its own list of what there "
                    "is: %.120s --list",
                    d->template);
}

int image_download(struct arena *a, const struct image_store *s,
                   const char *name, const char *template, struct image *out,
                   struct unpack_report *told, struct err *e)
{
    struct download d = { .a = a, .s = s };
    scoped(drop_fd) int archive = -1;
    char path[32];
    struct err other;
    int r;

    if (find_template(&d, template, e) < 0 || split(&d, name, e) < 0 ||
        make_dirs(&d, e) < 0)
        return -1;
    r = fetch(&d, &archive, e);
    if (r == 0) {
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", archive);
        r = image_import(s, name, path, out, told, e);
    }
    (void)image_delete(s->tmp, d.base, &other);
    return r;
}
