/* request.c - which door a request belongs to, before the engine reads it. */
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "ffi/ffi.h"

/* Room for the tree of the largest document that the engine looks at. */
enum { TREE_MAX = 256 << 20, REQUEST_MAX = 8 << 20 };

static const char *const versions[] = {
    "0.6.0-alpha",  "0.7.0-alpha", "0.8.0-alpha", "0.9.0-alpha",
    "0.10.0-alpha", "1.0.0",       "1.1.0-alpha", "1.1.0+c1",
};

/* What MXC says of a backend that is none of Linux, and with which status. */
struct elsewhere {
    const char *name;
    int32_t status;
    const char *text;
};

/* clang-format off */
static const struct elsewhere elsewhere[] = {
    { "seatbelt", 2, "Seatbelt is only available on macOS" },
    { "macos_sandbox", 2, "Seatbelt is only available on macOS" },
    { "processcontainer", 2, "ProcessContainer is only available on Windows" },
    { "appcontainer", 2, "ProcessContainer is only available on Windows" },
    { "isolation_session", 2, "IsolationSession is only available on Windows" },
    { "wslc", 2, "WSLC is only available on Windows" },
    { "vm", 2,
      "mxc does not yet support streaming for the 'vm' backend" },
    { "microvm", 2,
      "mxc does not yet support streaming for the 'microvm' backend" },
    { "hyperlight", 2,
      "mxc does not yet support streaming for the 'hyperlight' backend" },
    { "windows_sandbox", 2,
      "mxc does not yet support streaming for the 'windows_sandbox' backend" },
};
/* clang-format on */

/* Cut to what fits; "" for what is no string. */
static void name_of(const struct json *v, char out[REQUEST_NAME])
{
    size_t n = v && v->type == JSON_STRING ? v->len : 0;

    if (n >= REQUEST_NAME)
        n = REQUEST_NAME - 1;
    if (n)
        memcpy(out, v->text, n);
    out[n] = '\0';
}

static bool is_version(const struct json *v)
{
    for (size_t i = 0; i < ARRAY_LEN(versions); i++)
        if (json_is(v, versions[i]))
            return true;
    return false;
}

static int32_t other_root(enum root_kind root, MxcErrorDetail *detail)
{
    return fail_saying(
        detail, MXC_FFI_MALFORMED_REQUEST,
        root == ROOT_ONE_SHOT
            ? "expected a one-shot request; lifecycle requests use the "
              "state-aware JSON entry points"
            : "expected a state-aware lifecycle request (with a 'phase' "
              "field), got a one-shot config");
}

/* What is wrong with the version, or is no JSON, says both roots alike. */
static int32_t look(const struct json *doc, enum root_kind root,
                    struct target *out, MxcErrorDetail *detail)
{
    const struct json *version = json_get(doc, "version");
    const struct json *phase = json_get(doc, "phase");

    name_of(json_get(doc, "containment"), out->containment);
    name_of(phase, out->phase);
    /* MXC's name for what `process` means on Linux. */
    if (strcmp(out->containment, "bubblewrap") == 0)
        out->backend = "native";
    if (doc->type != JSON_OBJECT)
        return fail_saying(detail, MXC_FFI_MALFORMED_REQUEST,
                           "Configuration parse error: a request is a JSON "
                           "object");
    if (version && version->type == JSON_STRING && !is_version(version))
        return fail_saying(detail, MXC_FFI_MALFORMED_REQUEST,
                           "Configuration parse error: Unsupported contract "
                           "version. Registered versions are: 0.6.0-alpha, "
                           "0.7.0-alpha, 0.8.0-alpha, 0.9.0-alpha, "
                           "0.10.0-alpha, 1.0.0, 1.1.0-alpha, 1.1.0+c1");
    if (!version || version->type != JSON_STRING)
        return fail_saying(detail, MXC_FFI_MALFORMED_REQUEST,
                           "Configuration parse error: Invalid version "
                           "declaration: a string 'version' is needed");
    return (root == ROOT_LIFECYCLE) == (phase != NULL)
               ? 0
               : other_root(root, detail);
}

int32_t request_look(const char *request, enum root_kind root,
                     struct target *out, MxcErrorDetail *detail)
{
    scoped(arena_drop) struct arena a = { .limit = TREE_MAX };
    struct json *doc = NULL;
    struct err e = { 0 };

    *out = (struct target){ 0 };
    if (!request)
        return fail_saying(detail, MXC_FFI_NULL_POINTER,
                           "request JSON pointer is null");
    out->len = strlen(request);
    if (!utf8_is_valid(request, out->len))
        return fail_saying(detail, MXC_FFI_NOT_UTF8,
                           "request JSON is not UTF-8");
    if (out->len > REQUEST_MAX)
        return fail_saying(detail, MXC_FFI_MALFORMED_REQUEST,
                           "Configuration parse error: the request is larger "
                           "than 8 MiB");
    if (json_parse(&a, request, out->len, &doc, &e) < 0) {
        if (e.code == ERR_MALFORMED_REQUEST)
            err_ctx(&e, "Configuration parse error");
        return fail_with(detail, &e);
    }
    return look(doc, root, out, detail);
}

/* A refusal of the network's policy is MXC's backend that says no. */
static bool is_of_network(const struct err *e)
{
    return strncmp(e->where, "network", 7) == 0 ||
           strncmp(e->where, "runtimeConfig", 13) == 0;
}

int32_t request_refused(const struct target *t, struct err *e,
                        MxcErrorDetail *detail)
{
    if (e->code != ERR_MALFORMED_REQUEST)
        for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++)
            if (strcmp(elsewhere[i].name, t->containment) == 0)
                return fail_saying(detail, elsewhere[i].status,
                                   elsewhere[i].text);
    if (e->code == ERR_MALFORMED_REQUEST)
        err_ctx(e, "Configuration parse error: Invalid one-shot request");
    if (e->code == ERR_POLICY_VALIDATION && is_of_network(e))
        e->code = ERR_BACKEND_ERROR;
    return fail_with(detail, e);
}

int32_t size_check(uint16_t rows, uint16_t columns, MxcErrorDetail *detail)
{
    enum { MOST = 32767 };

    if (rows && columns && rows <= MOST && columns <= MOST)
        return 0;
    return fail_saying(detail, MXC_FFI_MALFORMED_REQUEST,
                       "PTY rows and columns must be between 1 and 32767");
}
