/* lifecycle.c - requests with a phase.
 *
 * MXC's contract names three backends that keep sandboxes, none of them
 * Linux's.  So a request is checked in full and then refused, by the backend
 * that its id or its containment names, in the words that MXC has for it. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "ffi/ffi.h"

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
};

static void drop_order(struct order *o)
{
    free(o->id);
}

static char *id_of(const char *request, size_t len)
{
    scoped(arena_drop) struct arena a = { .limit = 256 << 20 };
    struct json *doc = NULL;
    struct err e = { 0 };
    const struct json *id;

    if (json_parse(&a, request, len, &doc, &e) < 0)
        return NULL;
    id = json_get(doc, "sandboxId");
    return id && id->type == JSON_STRING ? text_lossy(id->text, id->len) : NULL;
}

/* Read and check it; the engine's word on its form is the last one. */
static int32_t order_read(const char *request, struct order *out,
                          MxcErrorDetail *detail)
{
    struct err e = { 0 };
    int32_t status =
        request_look(request, ROOT_LIFECYCLE, &out->target, detail);

    if (status)
        return status;
    if (engine_check_lifecycle(request, out->target.len, &e) < 0) {
        err_ctx(&e, "Invalid %s request", out->target.phase);
        return fail_with(detail, &e);
    }
    out->id = id_of(request, out->target.len);
    if (!out->id && strcmp(out->target.phase, "provision") != 0)
        return fail_saying(detail, MXC_FFI_INTERNAL, "out of memory");
    return 0;
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

/* Size 1 where there is no terminal. */
static int32_t exec(const char *request, enum call call, uint16_t rows,
                    uint16_t columns, int32_t experimental,
                    MxcErrorDetail *detail)
{
    scoped(drop_order) struct order o = { 0 };
    struct err e = { 0 };
    int32_t status = order_read(request, &o, detail);

    if (status == 0)
        status = size_check(rows, columns, detail);
    if (status)
        return status;
    if (is_exec(&o))
        return route(&o, call, experimental, detail);
    err_set(&e, ERR_MALFORMED_REQUEST,
            "live exec requires the exec phase, got %s", o.target.phase);
    return fail_with(detail, &e);
}

static int32_t run_lifecycle(const char *request, int32_t dry_run,
                             int32_t experimental, MxcErrorDetail *detail)
{
    scoped(drop_order) struct order o = { 0 };
    int32_t status = order_read(request, &o, detail);

    if (status)
        return status;
    if (is_exec(&o) && !dry_run)
        return fail_saying(detail, MXC_FFI_MALFORMED_REQUEST,
                           "the exec phase does not return an envelope: use "
                           "one of the exec entry points");
    return route(&o, CALL_PLAIN, experimental, detail);
}

MXC_FFI_API int32_t mxc_run_state_aware_json(const char *request,
                                             int32_t dry_run,
                                             int32_t experimental,
                                             MxcStateAwareResult *out)
{
    if (!out)
        return MXC_FFI_NULL_POINTER;
    *out = (MxcStateAwareResult){ 0 };
    out->status = run_lifecycle(request, dry_run, experimental, &out->error);
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
    return exec(request, CALL_EXEC, 1, 1, experimental, error);
}

MXC_FFI_API int32_t mxc_run_state_aware_exec_json(const char *request,
                                                  int32_t experimental,
                                                  MxcRunResult *out)
{
    if (!out)
        return MXC_FFI_NULL_POINTER;
    *out = (MxcRunResult){ 0 };
    out->status = exec(request, CALL_EXEC, 1, 1, experimental, &out->error);
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
    return exec(request, CALL_PTY, rows, columns, experimental, error);
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
    return route(&o, CALL_EXEC, experimental, error);
}
