/* lib_options.c - what the caller of the library says besides the request. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/lib.h"
#include "base/event.h"

enum { ARENA_MAX = 64 << 20, SIZE_MAX_TTY = 32767 };

static int wrong(struct err *e, const char *what, const char *hint)
{
    err_set(e, ERR_MALFORMED_REQUEST, "options: %s", what);
    return err_hint(e, "%s", hint);
}

/* A variable that leads elsewhere is passed over; a word of the caller's is
 * not. */
static int check_runtime(const char *path, struct err *e)
{
    struct stat st;

    if (path[0] != '/')
        return wrong(e, "runtime is not absolute", "write it from /");
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
        return 0;
    err_set(e, ERR_BACKEND_UNAVAILABLE,
            "options: there is no place for sessions: '%.300s'", path);
    return err_hint(e, "name a directory that is yours, mode 0700");
}

int lib_options(const struct mxc_options *from, struct mxc_options *to,
                struct err *e)
{
    struct mxc_options o = MXC_OPTIONS_INIT;

    if (from &&
        lib_take_struct(&o, sizeof(o), from, from->size, "mxc_options", e) < 0)
        return -1;
    o.size = sizeof(o);
    if (o.stdio > MXC_STDIO_TERMINAL)
        return wrong(e, "no such stdio", "one of MXC_STDIO_*");
    if (o.libexec && o.libexec[0] != '/')
        return wrong(e, "libexec is not absolute", "write it from /");
    if (o.directory && o.directory[0] != '/')
        return wrong(e, "directory is not absolute", "write it from /");
    if (o.runtime && check_runtime(o.runtime, e) < 0)
        return -1;
    if (o.data_home && o.data_home[0] != '/')
        return wrong(e, "data_home is not absolute", "write it from /");
    if (o.correlation_id && !event_id_is_fine(o.correlation_id))
        return wrong(e, "correlation_id is no word for a run",
                     "1 to 128 bytes of text that can be seen");
    if (o.rows > SIZE_MAX_TTY || o.columns > SIZE_MAX_TTY)
        return wrong(e, "the terminal is too large", "at most 32767 each");
    if (o.input_len && !o.input)
        return wrong(e, "input_len without input", "give both, or none");
    if (!o.rows)
        o.rows = 24;
    if (!o.columns)
        o.columns = 80;
    *to = o;
    return 0;
}

int lib_check_kept(const struct mxc_options *o, struct err *e)
{
    if (o->accesses)
        return wrong(e, "accesses are told of a single run",
                     "mxc_run or mxc_spawn");
    if (o->denials)
        return wrong(e, "denials are told of a single run",
                     "mxc_run or mxc_spawn");
    if (o->correlation_id)
        return wrong(e, "correlation_id is for a single run",
                     "mxc_run or mxc_spawn");
    if (!o->verify)
        return 0;
    return wrong(e, "verify is for a single run", "mxc_run or mxc_spawn");
}

int lib_options_kept(const struct mxc_options *from, struct mxc_options *to,
                     struct err *e)
{
    return lib_options(from, to, e) < 0 ? -1 : lib_check_kept(to, e);
}

bool lib_has_terminal(const struct mxc_options *o)
{
    return o->stdio >= MXC_STDIO_PTY;
}

int lib_check_one_shot(const struct mxc_options *o, struct err *e)
{
    if (!o->idle_timeout_ms && !o->max_age_ms)
        return 0;
    return wrong(e, "idle_timeout_ms and max_age_ms are for a session",
                 "call mxc_session_provision");
}

/* --- our programs ----------------------------------------------------------
 */

/* The file that holds an address, from "start-end perms ... path" in
 * /proc/self/maps: for where the loader knows a relative name only. */
static bool find_in_maps(uintptr_t address, char *out, size_t size)
{
    FILE *f = fopen("/proc/self/maps", "re");
    char *line = NULL;
    size_t cap = 0;
    bool found = false;

    while (f && !found && getline(&line, &cap, f) > 0) {
        uintptr_t bound[2] = { 0, 0 };
        const char *at = line, *path = strchr(line, '/');
        int i = 0;

        for (; *at && *at != ' ' && i < 2; at++) {
            if (*at == '-')
                i++;
            else
                bound[i] = bound[i] << 4 |
                           (uintptr_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
        }
        if (!path || address < bound[0] || address >= bound[1])
            continue;
        line[strcspn(line, "\n")] = '\0';
        found = (size_t)snprintf(out, size, "%s", path) < size;
    }
    free(line);
    if (f)
        (void)fclose(f);
    return found;
}

/* The file of this library, or of the program that holds it. */
static bool find_self(char *out, size_t size)
{
    static const char anchor;
    Dl_info info;

    if (dladdr(&anchor, &info) && info.dli_fname && info.dli_fname[0] == '/')
        return (size_t)snprintf(out, size, "%s", info.dli_fname) < size;
    return find_in_maps((uintptr_t)&anchor, out, size);
}

static bool is_there(const char *dir, int len, const char *tail,
                     const char *name, char *out, size_t size)
{
    return (size_t)snprintf(out, size, "%.*s%s/%s", len, dir, tail, name) <
               size &&
           faccessat(AT_FDCWD, out, X_OK, 0) == 0;
}

static bool is_near(const char *file, const char *name, char *out, size_t size)
{
    /* From lib, from lib/x86_64-linux-gnu, and all in one folder. */
    static const char *const tails[] = { "/../libexec/mxc",
                                         "/../../libexec/mxc", "", "/../bin",
                                         "/../../bin" };
    const char *slash = strrchr(file, '/');

    for (size_t i = 0; slash && i < ARRAY_LEN(tails); i++)
        if (is_there(file, (int)(slash - file), tails[i], name, out, size))
            return true;
    return false;
}

int lib_find(const char *libexec, const char *name, char *out, size_t size,
             struct err *e)
{
    char self[PATH_MAX], real[PATH_MAX];

    if (libexec) {
        if (is_there(libexec, PATH_MAX, "", name, out, size))
            return 0;
    } else if (find_self(self, sizeof(self))) {
        /* As it was found, or where a link leads. */
        if (is_near(self, name, out, size) ||
            (realpath(self, real) && is_near(real, name, out, size)))
            return 0;
    }
    err_set(e, ERR_BACKEND_UNAVAILABLE, "%s is not installed%s%.300s", name,
            libexec ? " in " : "", libexec ? libexec : "");
    return err_hint(e, "keep lib/ and libexec/ together when moving mxc, or "
                       "say where it is (mxc_options.libexec)");
}

/* --- the request -----------------------------------------------------------
 */

/* What is read of the caller's environment: this, and where images and
 * containers are; not by a program that has more rights than its user. */
const char *lib_runtime(const struct mxc_options *o)
{
    return o->runtime ? o->runtime : secure_getenv("XDG_RUNTIME_DIR");
}

void lib_flags(const struct mxc_options *o, char driver[PATH_MAX],
               struct run_flags *out)
{
    struct err none;
    const bool has_driver =
        lib_find(o->libexec, "mxc-lxc", driver, PATH_MAX, &none) == 0;

    *out =
        (struct run_flags){ .lxc_driver = has_driver ? driver : "",
                            .directory = o->directory,
                            .backend = o->backend,
                            .runtime = lib_runtime(o),
                            .data_home = o->data_home
                                             ? o->data_home
                                             : secure_getenv("XDG_DATA_HOME"),
                            .home = secure_getenv("HOME") };
}

int lib_prepare(struct arena *a, const char *request, size_t len,
                const struct mxc_options *o, bool plan_only,
                struct prepared *out, struct err *e)
{
    char driver[PATH_MAX];
    struct run_flags flags;

    lib_flags(o, driver, &flags);
    flags.tty = lib_has_terminal(o);
    flags.die_with_parent = !o->detached;
    flags.want_receipt = true;
    flags.correlation = o->correlation_id;
    flags.denials = o->denials != 0;
    flags.accesses = o->accesses != 0;
    flags.verify = o->verify != 0;
    *a = (struct arena){ .limit = ARENA_MAX };
    if (!request)
        return err_set(e, ERR_MALFORMED_REQUEST, "no request");
    return prepare(a, request, len, &flags, plan_only, out, e);
}
