/* run.c - one-shot requests: run to the end, or start. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "ffi/handle.h"

/* --- warnings --------------------------------------------------------- */

static void add_text(struct buf *b, const char *text)
{
    buf_puts(b, b->len ? "," : "[");
    buf_json(b, text);
}

/* Those of the result, which is ours and JSON: that it cannot be read means
 * that there is no memory. */
static bool add_warnings(struct buf *b, struct arena *a, const char *json)
{
    struct json *doc = NULL;
    struct err e = { 0 };
    const struct json *list;

    if (!json)
        return true;
    if (json_parse(a, json, strlen(json), &doc, &e) < 0)
        return false;
    list = json_get(doc, "warnings");
    if (!list || list->type != JSON_ARRAY)
        return true;
    for (const struct json *w = list->first; w; w = w->next) {
        const char *text;

        if (w->type != JSON_STRING)
            continue;
        text = arena_strndup(a, w->text, w->len);
        if (!text)
            return false;
        add_text(b, text);
    }
    return true;
}

bool warnings_text(const char *result_json, const char *more, char **out)
{
    scoped(arena_drop) struct arena a = { .limit = 64 << 20 };
    struct buf b = { .max = 8 << 20 };

    *out = NULL;
    if (!add_warnings(&b, &a, result_json))
        b.failed = true;
    if (more && more[0])
        add_text(&b, more);
    if (b.len)
        buf_putc(&b, ']');
    if (b.failed) {
        buf_drop(&b);
        return false;
    }
    *out = b.data;
    return true;
}

bool metadata_text(const char *result_json, char **out)
{
    static const char head[] = "\"outputMetadata\":";
    scoped(arena_drop) struct arena a = { .limit = 64 << 20 };
    struct buf b = { .max = 1 << 20 };
    const struct json *all;
    struct json *doc = NULL;
    struct err e = { 0 };

    *out = NULL;
    if (!result_json || !strstr(result_json, head))
        return true;
    if (json_parse(&a, result_json, strlen(result_json), &doc, &e) < 0)
        return false;
    all = json_get(doc, "outputMetadata");
    if (!all)
        return true;
    json_print(&b, all);
    *out = b.failed ? NULL : b.data;
    if (b.failed)
        buf_drop(&b);
    return *out != NULL;
}

/* --- run -------------------------------------------------------------- */

MXC_FFI_API void mxc_run_result_free(MxcRunResult *result)
{
    if (!result)
        return;
    free(result->stdout_utf8);
    free(result->stderr_utf8);
    free(result->output_metadata_json_utf8);
    free(result->warnings_json_utf8);
    result->stdout_utf8 = NULL;
    result->stderr_utf8 = NULL;
    result->output_metadata_json_utf8 = NULL;
    result->warnings_json_utf8 = NULL;
    mxc_error_detail_free(&result->error);
}

/* As a shell would say it, behind what the workload said: nothing. */
static char *stderr_of(const struct engine_output *o)
{
    struct buf b = { .max = 4096 };

    if (o->end.how != ENGINE_NEVER_BEGAN)
        return text_lossy(o->err, o->err_len);
    buf_printf(&b, "mxc: %s\n", o->end.why.msg);
    return text_take(&b);
}

int32_t run_result_fill(const struct engine_output *o, MxcRunResult *out)
{
    static const char lost[] =
        "of output beyond 256 MiB the middle was left out";
    const bool by_itself =
        o->end.how == ENGINE_EXITED || o->end.how == ENGINE_NEVER_BEGAN;

    if (o->end.how == ENGINE_FAILED)
        return fail_with(&out->error, &o->end.why);
    out->exit_code = by_itself ? o->end.exit_code : -1;
    out->timed_out = o->end.how == ENGINE_TIMED_OUT;
    out->stdout_utf8 = text_lossy(o->out, o->out_len);
    out->stderr_utf8 = stderr_of(o);
    if (warnings_text(o->json, o->lost ? lost : NULL,
                      &out->warnings_json_utf8) &&
        metadata_text(o->json, &out->output_metadata_json_utf8) &&
        out->stdout_utf8 && out->stderr_utf8)
        return MXC_FFI_OK;
    mxc_run_result_free(out);
    *out = (MxcRunResult){ 0 };
    return fail_saying(&out->error, MXC_FFI_INTERNAL, "out of memory");
}

static int32_t run(const char *request, MxcRunResult *out)
{
    scoped(engine_output_drop) struct engine_output o = { 0 };
    struct target t;
    struct err e = { 0 };
    int32_t status = request_look(request, ROOT_ONE_SHOT, &t, &out->error);

    if (status)
        return status;
    if (engine_run(request, t.len, t.backend, &o, &e) < 0)
        return request_refused(&t, &e, &out->error);
    return run_result_fill(&o, out);
}

MXC_FFI_API int32_t mxc_run_json(const char *request, int32_t experimental,
                                 MxcRunResult *out)
{
    (void)experimental;
    if (!out)
        return MXC_FFI_NULL_POINTER;
    *out = (MxcRunResult){ 0 };
    out->status = run(request, out);
    return out->status;
}

/* --- spawn ------------------------------------------------------------ */

static int32_t spawn(const char *request, uint16_t rows, uint16_t columns,
                     MxcSandbox **out, MxcErrorDetail *error)
{
    struct engine_start how = { .rows = rows, .columns = columns };
    struct engine *g = NULL;
    struct target t;
    struct err e = { 0 };
    int32_t status = request_look(request, ROOT_ONE_SHOT, &t, error);

    if (status)
        return status;
    how.backend = t.backend;
    if (engine_spawn(request, t.len, &how, &g, &e) < 0)
        return request_refused(&t, &e, error);
    *out = handle_create(g, rows > 0);
    return *out ? MXC_FFI_OK
                : fail_saying(error, MXC_FFI_INTERNAL, "out of memory");
}

MXC_FFI_API int32_t mxc_spawn_json(const char *request, int32_t experimental,
                                   MxcSandbox **out, MxcErrorDetail *error)
{
    (void)experimental;
    if (error)
        *error = (MxcErrorDetail){ 0 };
    if (!out)
        return MXC_FFI_NULL_POINTER;
    *out = NULL;
    return spawn(request, 0, 0, out, error);
}

MXC_FFI_API int32_t mxc_spawn_pty_json(const char *request,
                                       int32_t experimental, uint16_t rows,
                                       uint16_t columns, MxcSandbox **out,
                                       MxcErrorDetail *error)
{
    int32_t status;

    (void)experimental;
    if (error)
        *error = (MxcErrorDetail){ 0 };
    if (!out)
        return MXC_FFI_NULL_POINTER;
    *out = NULL;
    status = size_check(rows, columns, error);
    return status ? status : spawn(request, rows, columns, out, error);
}
