/* engine.c - see engine.h.  Turns libmxc's values into ours, decides
 * nothing. */
#include "ffi/engine.h"

#include <mxc/mxc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"

/* Of each stream of mxc_run_json. */
enum { OUTPUT_MAX = 256 << 20 };

struct engine {
    struct mxc_sandbox *box;
};

static int failed(const struct mxc_error *from, struct err *e)
{
    const bool known =
        from->code >= MXC_MALFORMED_REQUEST && from->code <= MXC_BACKEND_ERROR;

    err_set(e, known ? (enum err_code)from->code : ERR_BACKEND_ERROR, "%s",
            from->message[0] ? from->message : "it failed");
    e->sys = from->system;
    e->line = from->line;
    e->column = from->column;
    _Static_assert(sizeof(e->op) == sizeof(from->operation), "op");
    _Static_assert(sizeof(e->where) == sizeof(from->where), "where");
    _Static_assert(sizeof(e->hint) == sizeof(from->hint), "hint");
    memcpy(e->op, from->operation, sizeof(e->op));
    memcpy(e->where, from->where, sizeof(e->where));
    memcpy(e->hint, from->hint, sizeof(e->hint));
    return -1;
}

void engine_output_drop(struct engine_output *o)
{
    free(o->out);
    free(o->err);
    free(o->json);
}

/* Always fills *out, what the error says included. */
static void end_of(const struct mxc_status *s, const struct mxc_error *error,
                   struct engine_end *out)
{
    *out = (struct engine_end){ .exit_code = s->exit_code };
    switch (s->how) {
    case 0:
        out->how = ENGINE_RUNS;
        break;
    case MXC_EXITED:
    case MXC_SIGNALED:
        out->how = ENGINE_EXITED;
        break;
    case MXC_TIMED_OUT:
        out->how = ENGINE_TIMED_OUT;
        break;
    case MXC_KILLED:
        out->how = ENGINE_KILLED;
        break;
    case MXC_NEVER_BEGAN:
        out->how = ENGINE_NEVER_BEGAN;
        break;
    default:
        out->how = ENGINE_FAILED;
        break;
    }
    if (error->code)
        (void)failed(error, &out->why);
}

/* What the result says of the error; a run that it stopped is none to
 * mxc_run. */
static void why_of(const char *json, struct err *e)
{
    scoped(arena_drop) struct arena a = { .limit = 64 << 20 };
    struct json *doc = NULL;
    struct err ignored = { 0 };
    const struct json *text;

    if (!json || json_parse(&a, json, strlen(json), &doc, &ignored) < 0)
        return;
    text = json_at(doc, "error.message");
    if (text && text->type == JSON_STRING)
        err_set(e, ERR_BACKEND_ERROR, "%.*s", (int)text->len, text->text);
}

typedef int run_fn(const char *, size_t, const struct mxc_options *,
                   struct mxc_result *, struct mxc_error *);
typedef int start_fn(const char *, size_t, const struct mxc_options *,
                     struct mxc_sandbox **, struct mxc_error *);

static int capture(run_fn *run, const char *request, size_t len,
                   const char *backend, struct engine_output *out,
                   struct err *e)
{
    struct mxc_options o = MXC_OPTIONS_INIT;
    struct mxc_result r = MXC_RESULT_INIT;
    struct mxc_error error = MXC_ERROR_INIT;

    o.backend = backend;
    o.output_max = OUTPUT_MAX;
    if (run(request, len, &o, &r, &error) < 0) {
        mxc_result_clear(&r); /* of one that failed there is a result */
        return failed(&error, e);
    }
    *out = (struct engine_output){ .out = r.out,
                                   .out_len = r.out_len,
                                   .err = r.err,
                                   .err_len = r.err_len,
                                   .lost = r.out_lost + r.err_lost,
                                   .json = r.json };
    end_of(&r.status, &error, &out->end);
    why_of(r.json, &out->end.why);
    return 0;
}

static int start(start_fn *spawn, const char *request, size_t len,
                 const struct engine_start *how, struct engine **out,
                 struct err *e)
{
    struct mxc_options o = MXC_OPTIONS_INIT;
    struct mxc_error error = MXC_ERROR_INIT;
    struct engine *g = calloc(1, sizeof(*g));

    if (!g)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    o.backend = how->backend;
    o.stdio = how->is_attached ? MXC_STDIO_TERMINAL
              : how->rows      ? MXC_STDIO_PTY_PIPES
                               : MXC_STDIO_PIPE;
    if (how->is_attached) {
        o.stdin_fd = STDIN_FILENO;
        o.stdout_fd = STDOUT_FILENO;
    }
    o.rows = how->rows;
    o.columns = how->columns;
    if (spawn(request, len, &o, &g->box, &error) < 0) {
        free(g);
        return failed(&error, e);
    }
    *out = g;
    return 0;
}

int engine_run(const char *request, size_t len, const char *backend,
               struct engine_output *out, struct err *e)
{
    return capture(mxc_run, request, len, backend, out, e);
}

int engine_spawn(const char *request, size_t len,
                 const struct engine_start *how, struct engine **out,
                 struct err *e)
{
    return start(mxc_spawn, request, len, how, out, e);
}

int engine_wait(struct engine *g, int timeout_ms, struct engine_end *out,
                struct err *e)
{
    struct mxc_status s = { .size = sizeof(s) };
    struct mxc_error error = MXC_ERROR_INIT;

    if (mxc_sandbox_wait(g->box, timeout_ms, &s, &error) < 0 && !s.how)
        return failed(&error, e);
    end_of(&s, &error, out);
    return 0;
}

int engine_kill(struct engine *g, struct err *e)
{
    struct mxc_error error = MXC_ERROR_INIT;

    return mxc_sandbox_kill(g->box, &error) < 0 ? failed(&error, e) : 0;
}

int engine_resize(struct engine *g, uint16_t rows, uint16_t columns,
                  struct err *e)
{
    struct mxc_error error = MXC_ERROR_INIT;

    return mxc_sandbox_resize(g->box, rows, columns, &error) < 0
               ? failed(&error, e)
               : 0;
}

int engine_lifecycle(const char *request, size_t len, bool dry, char **response,
                     struct err *e)
{
    struct mxc_options o = MXC_OPTIONS_INIT;
    struct mxc_error error = MXC_ERROR_INIT;
    int r = dry ? mxc_lifecycle_check(request, len, &o, response, &error)
                : mxc_lifecycle(request, len, &o, response, &error);

    return r < 0 ? failed(&error, e) : 0;
}

int engine_exec(const char *request, size_t len, const struct engine_start *how,
                struct engine **out, struct err *e)
{
    return start(mxc_lifecycle_exec, request, len, how, out, e);
}

int engine_exec_run(const char *request, size_t len, struct engine_output *out,
                    struct err *e)
{
    return capture(mxc_lifecycle_run, request, len, NULL, out, e);
}

int engine_probe(char **json, struct err *e)
{
    struct mxc_error error = MXC_ERROR_INIT;

    return mxc_probe(json, &error) < 0 ? failed(&error, e) : 0;
}

int engine_take(struct engine *g, int stream)
{
    switch (stream) {
    case 0:
        return mxc_sandbox_take_stdin(g->box);
    case 1:
        return mxc_sandbox_take_stdout(g->box);
    case 2:
        return mxc_sandbox_take_stderr(g->box);
    default:
        return -1;
    }
}

int engine_wait_fd(const struct engine *g)
{
    return mxc_sandbox_wait_fd(g->box);
}

uint32_t engine_pid(const struct engine *g)
{
    return (uint32_t)mxc_sandbox_pid(g->box);
}

const char *engine_result(struct engine *g)
{
    return mxc_sandbox_result_json(g->box);
}

void engine_destroy(struct engine *g)
{
    if (!g)
        return;
    mxc_sandbox_destroy(g->box);
    free(g);
}
