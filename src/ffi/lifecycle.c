/* lifecycle.c - requests with a phase.
 *
 * MXC's contract names three backends that keep sandboxes, none of them
 * Linux's: for those a request is checked in full and then refused, in the
 * words that MXC has for it.  What our backends keep is the engine's to
 * do: by an id of ours, by a provision of `1.1.0+c1`, and by one for `wslc`
 * whose image says that it may be ours (docs/compatibility.md). */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "ffi/handle.h"

/* The engine's words, as it has them in session/id.h and api/prepare.h. */
#define ID_WSLC      "wslc:"
#define NATIVE_IMAGE "mxc://native"

/* `process` is the first by another name, and no prefix of an id. */
static const char *const ours[] = { "native", "bubblewrap", "lxc", "process" };

enum { ID_DIGITS = 32, OUR_PREFIXES = 3 };

enum call { CALL_PLAIN, CALL_EXEC, CALL_PTY };

struct keeper {
    const char *prefix;
    const char *containment;
    const char *name;
    bool experimental;
    int32_t status, pty_status;
    const char *text;
};

/* clang-format off */
static const struct keeper keepers[] = {
    { "wslc", "wslc", "Wslc", false, 4, 3,
      "the WSLc backend is not available in this build (compiled without the "
      "`wslc` feature)" },
    { "iso", "isolation_session", "IsolationSession", false, 4, 4,
      "the IsolationSession backend is not available in this build (requires "
      "Windows with the `isolation_session` feature)" },
    { "wsb", "windows_sandbox", "WindowsSandbox", true, 3, 3,
      "backend WindowsSandbox does not implement state-aware lifecycle" },
};
/* clang-format on */

struct order {
    struct target target;
    char *id; /* NULL: provision */
    bool is_ours;
};

static void drop_order(struct order *o)
{
    free(o->id);
}

static bool is_our_id(const char *id)
{
    const size_t n = strlen(ID_WSLC), prefix = strcspn(id, ":");

    for (size_t i = 0; id[prefix] && i < OUR_PREFIXES; i++)
        if (prefix == strlen(ours[i]) && memcmp(id, ours[i], prefix) == 0)
            return true;
    return strncmp(id, ID_WSLC, n) == 0 && strlen(id + n) == ID_DIGITS &&
           strspn(id + n, "0123456789abcdef") == ID_DIGITS;
}

static bool is_our_containment(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (strcmp(name, ours[i]) == 0)
            return true;
    return false;
}

/* Whose it is, and the id that says so.  False: no memory. */
static bool look_inside(const char *request, struct order *o)
{
    scoped(arena_drop) struct arena a = { .limit = 256 << 20 };
    const char *containment = o->target.containment;
    struct json *doc = NULL;
    struct err e = { 0 };
    const struct json *id;

    if (json_parse(&a, request, o->target.len, &doc, &e) < 0)
        return false;
    if (strcmp(o->target.phase, "provision") == 0) {
        const struct json *image = json_at(doc, "wslc.provision.image");

        o->is_ours = is_our_containment(containment) ||
                     (strcmp(containment, "wslc") == 0 && image &&
                      json_is(image, NATIVE_IMAGE));
        return true;
    }
    id = json_get(doc, "sandboxId");
    o->id = id && id->type == JSON_STRING ? text_lossy(id->text, id->len)
                                          : text_lossy("", 0);
    o->is_ours = o->id && is_our_id(o->id);
    return o->id != NULL;
}

/* What the engine says of its form is the caller's mistake, told as MXC does.
 */
static int32_t engine_refused(const struct order *o, struct err *e,
                              MxcErrorDetail *detail)
{
    if (e->code == ERR_MALFORMED_REQUEST)
        err_ctx(e, "Invalid %s request", o->target.phase);
    return fail_with(detail, e);
}

/* Of what is not ours the form alone counts. */
static int32_t check_form(const struct order *o, const char *request,
                          MxcErrorDetail *detail)
{
    char *response = NULL;
    struct err e = { 0 };

    if (engine_lifecycle(request, o->target.len, true, &response, &e) < 0 &&
        e.code == ERR_MALFORMED_REQUEST)
        return engine_refused(o, &e, detail);
    free(response);
    return 0;
}

static int32_t order_read(const char *request, struct order *out,
                          MxcErrorDetail *detail)
{
    int32_t status =
        request_look(request, ROOT_LIFECYCLE, &out->target, detail);

    if (status)
        return status;
    if (!look_inside(request, out))
        return fail_saying(detail, MXC_FFI_INTERNAL, "out of memory");
    return out->is_ours ? 0 : check_form(out, request, detail);
}

static int32_t refuse_id(const char *id, size_t prefix_len,
                         MxcErrorDetail *detail)
{
    struct buf b = { .max = 4096 };
    struct err e = { 0 };

    buf_shown(&b, id);
    if (!prefix_len || !id[prefix_len])
        err_set(&e, ERR_MALFORMED_ID,
                "sandbox_id \"%s\" is missing the `<prefix>:...` form",
                b.data ? b.data : "");
    else
        err_set(&e, ERR_UNSUPPORTED_CONTAINMENT,
                "no state-aware backend registered for prefix \"%.*s\"",
                (int)prefix_len, id);
    buf_drop(&b);
    return fail_with(detail, &e);
}

static int32_t refuse(const struct keeper *k, enum call call,
                      int32_t experimental, MxcErrorDetail *detail)
{
    struct err e = { 0 };

    if (k->experimental && !experimental) {
        err_set(&e, ERR_BACKEND_UNAVAILABLE,
                "the '%s' backend is experimental; enable experimental "
                "features to use it",
                k->containment);
        return fail_with(detail, &e);
    }
    if (call == CALL_PTY && k->pty_status == MXC_FFI_UNSUPPORTED_PHASE) {
        err_set(&e, ERR_UNSUPPORTED_PHASE,
                "backend %s does not support state-aware PTY exec", k->name);
        return fail_with(detail, &e);
    }
    return fail_saying(detail, k->status, k->text);
}

/* No backend takes it: always a status. */
static int32_t route(const struct order *o, enum call call,
                     int32_t experimental, MxcErrorDetail *detail)
{
    const bool by_id = strcmp(o->target.phase, "provision") != 0;
    const char *id = o->id ? o->id : "";
    const size_t prefix = strcspn(id, ":");

    for (size_t i = 0; i < ARRAY_LEN(keepers); i++) {
        const struct keeper *k = &keepers[i];
        const bool meant =
            by_id ? id[prefix] == ':' && prefix == strlen(k->prefix) &&
                        memcmp(id, k->prefix, prefix) == 0
                  : strcmp(o->target.containment, k->containment) == 0;

        if (meant)
            return refuse(k, call, experimental, detail);
    }
    if (by_id)
        return refuse_id(id, prefix, detail);
    return fail_saying(detail, MXC_FFI_MALFORMED_REQUEST,
                       "Unsupported containment for provision phase");
}

static bool is_exec(const struct order *o)
{
    return strcmp(o->target.phase, "exec") == 0;
}

/* --- phases ----------------------------------------------------------- */

static int32_t run_lifecycle(const char *request, bool dry_run,
                             int32_t experimental, MxcStateAwareResult *out)
{
    scoped(drop_order) struct order o = { 0 };
    struct err e = { 0 };
    int32_t status = order_read(request, &o, &out->error);

    if (status)
        return status;
    if (is_exec(&o) && !dry_run)
        return fail_saying(&out->error, MXC_FFI_MALFORMED_REQUEST,
                           "the exec phase does not return an envelope: use "
                           "one of the exec entry points");
    if (!o.is_ours)
        return route(&o, CALL_PLAIN, experimental, &out->error);
    if (engine_lifecycle(request, o.target.len, dry_run,
                         &out->response_json_utf8, &e) < 0)
        return engine_refused(&o, &e, &out->error);
    return MXC_FFI_OK;
}

MXC_FFI_API int32_t mxc_run_state_aware_json(const char *request,
                                             int32_t dry_run,
                                             int32_t experimental,
                                             MxcStateAwareResult *out)
{
    if (!out)
        return MXC_FFI_NULL_POINTER;
    *out = (MxcStateAwareResult){ 0 };
    out->status = run_lifecycle(request, dry_run != 0, experimental, out);
    return out->status;
}

MXC_FFI_API void mxc_state_aware_result_free(MxcStateAwareResult *result)
{
    if (!result)
        return;
    free(result->response_json_utf8);
    result->response_json_utf8 = NULL;
    mxc_error_detail_free(&result->error);
}

/* --- commands --------------------------------------------------------- */

/* An exec that the engine shall do: 0, or the status.  Size 1 where there is
 * no terminal. */
static int32_t exec_read(const char *request, enum call call, uint16_t rows,
                         uint16_t columns, int32_t experimental,
                         struct order *out, MxcErrorDetail *detail)
{
    struct err e = { 0 };
    int32_t status = order_read(request, out, detail);

    if (status == 0)
        status = size_check(rows, columns, detail);
    if (status)
        return status;
    if (!is_exec(out)) {
        err_set(&e, ERR_MALFORMED_REQUEST,
                "live exec requires the exec phase, got %s", out->target.phase);
        return fail_with(detail, &e);
    }
    return out->is_ours ? 0 : route(out, call, experimental, detail);
}

static int32_t spawn(const char *request, enum call call, uint16_t rows,
                     uint16_t columns, int32_t experimental, MxcSandbox **out,
                     MxcErrorDetail *error)
{
    scoped(drop_order) struct order o = { 0 };
    struct engine_start how = { .rows = call == CALL_PTY ? rows : 0,
                                .columns = columns };
    struct engine *g = NULL;
    struct err e = { 0 };
    int32_t status =
        exec_read(request, call, rows, columns, experimental, &o, error);

    if (status)
        return status;
    if (engine_exec(request, o.target.len, &how, &g, &e) < 0)
        return engine_refused(&o, &e, error);
    *out = handle_create(g, call == CALL_PTY);
    return *out ? MXC_FFI_OK
                : fail_saying(error, MXC_FFI_INTERNAL, "out of memory");
}

MXC_FFI_API int32_t mxc_exec_state_aware_json(const char *request,
                                              int32_t experimental,
                                              MxcSandbox **out,
                                              MxcErrorDetail *error)
{
    if (error)
        *error = (MxcErrorDetail){ 0 };
    if (!out)
        return MXC_FFI_NULL_POINTER;
    *out = NULL;
    return spawn(request, CALL_EXEC, 1, 1, experimental, out, error);
}

static int32_t run_exec(const char *request, int32_t experimental,
                        MxcRunResult *out)
{
    scoped(engine_output_drop) struct engine_output got = { 0 };
    scoped(drop_order) struct order o = { 0 };
    struct err e = { 0 };
    int32_t status =
        exec_read(request, CALL_EXEC, 1, 1, experimental, &o, &out->error);

    if (status)
        return status;
    if (engine_exec_run(request, o.target.len, &got, &e) < 0)
        return engine_refused(&o, &e, &out->error);
    return run_result_fill(&got, out);
}

MXC_FFI_API int32_t mxc_run_state_aware_exec_json(const char *request,
                                                  int32_t experimental,
                                                  MxcRunResult *out)
{
    if (!out)
        return MXC_FFI_NULL_POINTER;
    *out = (MxcRunResult){ 0 };
    out->status = run_exec(request, experimental, out);
    return out->status;
}

MXC_FFI_API int32_t mxc_state_aware_exec_pty(const char *request,
                                             int32_t experimental,
                                             uint16_t rows, uint16_t columns,
                                             MxcSandbox **out,
                                             MxcErrorDetail *error)
{
    if (error)
        *error = (MxcErrorDetail){ 0 };
    if (!out)
        return MXC_FFI_NULL_POINTER;
    *out = NULL;
    /* MXC looks at the request in between. */
    if (!rows || !columns)
        return size_check(rows, columns, error);
    return spawn(request, CALL_PTY, rows, columns, experimental, out, error);
}

/* --- on the caller's own terminal ------------------------------------- */

static int32_t run_attached(const char *request, const struct order *o,
                            MxcExecOutcome *out, MxcErrorDetail *error)
{
    const struct engine_start how = { .is_attached = true };
    struct engine_end end = { 0 };
    struct engine *g = NULL;
    struct err e = { 0 };
    int r;

    if (engine_exec(request, o->target.len, &how, &g, &e) < 0)
        return engine_refused(o, &e, error);
    r = engine_wait(g, -1, &end, &e);
    engine_destroy(g);
    if (r < 0)
        return fail_with(error, &e);
    if (end.how == ENGINE_FAILED)
        return fail_with(error, &end.why);
    *out = (MxcExecOutcome){ .timed_out = end.how == ENGINE_TIMED_OUT,
                             .exit_code = end.how == ENGINE_EXITED ||
                                                  end.how == ENGINE_NEVER_BEGAN
                                              ? end.exit_code
                                              : -1 };
    return MXC_FFI_OK;
}

MXC_FFI_API int32_t mxc_exec_state_aware_attached_json(const char *request,
                                                       int32_t experimental,
                                                       MxcExecOutcome *out,
                                                       MxcErrorDetail *error)
{
    scoped(drop_order) struct order o = { 0 };
    struct err e = { 0 };
    int32_t status;

    if (error)
        *error = (MxcErrorDetail){ 0 };
    if (!out)
        return MXC_FFI_NULL_POINTER;
    status = order_read(request, &o, error);
    if (status)
        return status;
    if (!is_exec(&o)) {
        err_set(&e, ERR_MALFORMED_REQUEST,
                "an attached exec requires the exec phase, got %s",
                o.target.phase);
        return fail_with(error, &e);
    }
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return fail_saying(error, MXC_FFI_MALFORMED_REQUEST,
                           "an attached exec requires standard input and "
                           "output to be terminals");
    return o.is_ours ? run_attached(request, &o, out, error)
                     : route(&o, CALL_EXEC, experimental, error);
}
