/* lib_exec.c - a command of a session, as the caller of the library says it. */
#include <string.h>
#include <sys/resource.h>

#include "api/lib_session.h"

enum { ARENA_MAX = 16 << 20, LISTS = 3, LIMITS = 5 };

static size_t count(const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

static const char *clean(struct arena *a, const char *path, const char *what,
                         struct err *e)
{
    const char *clean = path[0] == '/' ? path_clean(a, path) : NULL;

    if (clean && !path_has_dotdot(clean))
        return clean;
    (void)err_set(e, ERR_MALFORMED_REQUEST,
                  "%s '%s': not from /, too long, or with '..'", what, path);
    return NULL;
}

static int take_paths(struct arena *a, const struct mxc_command *from,
                      struct session_command *to, struct err *e)
{
    const struct {
        const char *const *list;
        enum narrow_access access;
    } all[LISTS] = { { from->readwrite, NARROW_WRITE },
                     { from->readonly, NARROW_READ },
                     { from->denied, NARROW_DENY } };
    struct narrow_path *p;
    size_t n = 0;

    for (size_t i = 0; i < LISTS; i++)
        n += count(all[i].list);
    p = arena_array(a, n + 1, sizeof(*p));
    if (!p)
        return lib_out_of_memory(e);
    to->path = p;
    for (size_t i = 0; i < LISTS; i++)
        for (const char *const *path = all[i].list; path && *path; path++) {
            p[to->npaths].access = all[i].access;
            p[to->npaths].path = clean(a, *path, "path", e);
            if (!p[to->npaths++].path)
                return -1;
        }
    return 0;
}

static int take_limits(struct arena *a, const struct mxc_command *from,
                       struct session_command *to, struct err *e)
{
    const struct session_limit all[LIMITS] = {
        { RLIMIT_CPU, from->cpu_seconds }, { RLIMIT_NOFILE, from->files },
        { RLIMIT_NPROC, from->processes }, { RLIMIT_FSIZE, from->file_size },
        { RLIMIT_AS, from->memory },
    };
    struct session_limit *limit = arena_array(a, LIMITS, sizeof(*limit));

    if (!limit)
        return lib_out_of_memory(e);
    to->limit = limit;
    for (size_t i = 0; i < LIMITS; i++)
        if (all[i].value)
            limit[to->nlimits++] = all[i];
    return 0;
}

int lib_take_command(struct arena *a, const struct mxc_command *given,
                     struct session_command *to, struct err *e)
{
    struct mxc_command from = MXC_COMMAND_INIT;

    if (!given)
        return err_set(e, ERR_MALFORMED_REQUEST, "no command");
    if (lib_take_struct(&from, sizeof(from), given, given->size, "mxc_command",
                        e) < 0)
        return -1;
    *to = (struct session_command){ .arg = from.argv,
                                    .nargs = count(from.argv),
                                    .env = from.env,
                                    .nenv = count(from.env),
                                    .only_env = from.only_env != 0,
                                    .no_network = from.no_network != 0,
                                    .timeout_ms = from.timeout_ms };
    if (!to->nargs)
        return err_set(e, ERR_MALFORMED_REQUEST, "no command to run");
    if (from.cwd) {
        to->cwd = clean(a, from.cwd, "cwd", e);
        if (!to->cwd)
            return -1;
    }
    if (take_paths(a, &from, to, e) < 0)
        return -1;
    return take_limits(a, &from, to, e);
}

int lib_check_exec(const struct mxc_options *o, struct err *e)
{
    if (!o->events && !o->detached)
        return 0;
    err_set(e, ERR_MALFORMED_REQUEST,
            "options: events and detached are for mxc_spawn");
    return err_hint(e, "what a command leaves running goes on with its "
                       "session; mxc_session_log tells what was refused");
}

static int run(struct mxc_session *session, const struct mxc_command *command,
               const struct mxc_options *o, struct mxc_sandbox **out,
               struct err *e)
{
    struct arena a = { .limit = ARENA_MAX, .block = SESSION_COMMAND_BLOCK };
    struct session_command c;
    int r = lib_take_command(&a, command, &c, e);

    if (r == 0)
        r = lib_exec(session, &c, o, out, e);
    arena_drop(&a);
    return r;
}

int mxc_session_exec(struct mxc_session *session,
                     const struct mxc_command *command,
                     const struct mxc_options *options,
                     struct mxc_sandbox **sandbox, struct mxc_error *error)
{
    struct mxc_options o;
    struct err e = { 0 };

    if (lib_options_kept(options, &o, &e) < 0 || lib_check_spawn(&o, &e) < 0 ||
        lib_check_exec(&o, &e) < 0 ||
        run(session, command, &o, sandbox, &e) < 0)
        return lib_fail(error, &e);
    return 0;
}

int mxc_session_run(struct mxc_session *session,
                    const struct mxc_command *command,
                    const struct mxc_options *options,
                    struct mxc_result *result, struct mxc_error *error)
{
    struct mxc_sandbox *s = NULL;
    struct mxc_options o;
    struct err e = { 0 };
    int r = lib_options_of_run(options, result, &o, &e);

    if (r == 0)
        r = lib_check_kept(&o, &e);
    if (r == 0)
        r = run(session, command, &o, &s, &e);
    if (r == 0)
        r = lib_capture(s, &o, result, &e);
    return r < 0 ? lib_fail(error, &e) : 0;
}
