/* discover.c - what this host can do, in MXC's words; version; telemetry.
 *
 * MXC's name for the backend of Linux that needs no root is `bubblewrap`, and
 * its clients ask by that name: here it stands for the native backend, which
 * runs such requests. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "ffi/ffi.h"

enum { REASON = 256 };

struct sight {
    bool can_run;
    bool can_network;
    bool can_lxc;
    char run_reason[REASON];
    char network_reason[REASON];
};

/* Behind what is there.  Cut to what fits, within a character too: buf_json
 * mends that. */
static void add_reason(const struct json *v, const char *before,
                       char out[REASON])
{
    const size_t used = strlen(out);

    if (v && v->type == JSON_STRING && v->len)
        (void)snprintf(out + used, REASON - used, "%s%.*s", used ? before : "",
                       (int)v->len, v->text);
}

static void reason(const struct json *check, char out[REASON])
{
    add_reason(json_get(check, "what"), "", out);
    add_reason(json_get(check, "cause"), ": ", out);
}

static bool has_lxc(const struct json *doc)
{
    const struct json *list = json_get(doc, "backends");

    if (!list || list->type != JSON_ARRAY)
        return false;
    for (const struct json *b = list->first; b; b = b->next)
        if (json_is(json_get(b, "name"), "lxc"))
            return json_is(json_get(b, "state"), "ok");
    return false;
}

static void read_sight(const char *json, struct sight *out)
{
    scoped(arena_drop) struct arena a = { .limit = 16 << 20 };
    struct json *doc = NULL;
    struct err e = { 0 };
    const struct json *ready, *checks;

    if (json_parse(&a, json, strlen(json), &doc, &e) < 0)
        return;
    ready = json_get(doc, "ready");
    out->can_run = ready && ready->type == JSON_BOOL && ready->truth;
    out->can_lxc = out->can_run && has_lxc(doc);
    checks = json_get(doc, "checks");
    if (!checks || checks->type != JSON_ARRAY)
        return;
    for (const struct json *c = checks->first; c; c = c->next) {
        const bool ok = json_is(json_get(c, "state"), "ok");

        if (json_is(json_get(c, "name"), "network")) {
            out->can_network = ok;
            if (!ok)
                reason(c, out->network_reason);
        } else if (!ok && !out->run_reason[0] &&
                   (json_is(json_get(c, "kind"), "needed") ||
                    json_is(json_get(c, "kind"), "wall"))) {
            reason(c, out->run_reason);
        }
    }
    if (!out->can_run && !out->run_reason[0])
        add_reason(json_at(doc, "selfTest.said"), "", out->run_reason);
}

static void look(struct sight *out)
{
    scoped(drop_mem) char *json = NULL;
    struct err e = { 0 };

    *out = (struct sight){ 0 };
    if (engine_probe(&json, &e) < 0)
        memcpy(out->run_reason, e.msg, sizeof(out->run_reason) - 1);
    else
        read_sight(json, out);
    if (!out->can_run && !out->run_reason[0])
        memcpy(out->run_reason, "no sandbox can be made", 23);
    if (!out->can_network && !out->network_reason[0])
        memcpy(out->network_reason, "no connections by rules", 24);
}

static void network_warning(struct buf *b, const struct sight *s)
{
    buf_puts(b, "\"warnings\":[");
    if (!s->can_network)
        buf_json(b, s->network_reason);
    buf_putc(b, ']');
}

static void put_backend(struct buf *b, const char *name, const struct sight *s)
{
    buf_printf(b, "{\"backend\":\"%s\",", name);
    if (s->can_network)
        buf_puts(b, "\"capabilities\":[\"proxyEnforcement\"]");
    else
        network_warning(b, s);
    buf_putc(b, '}');
}

MXC_FFI_API char *mxc_available_backends_json(void)
{
    struct buf b = { .max = 4096 };
    struct sight s;

    look(&s);
    buf_putc(&b, '[');
    if (s.can_run)
        put_backend(&b, "bubblewrap", &s);
    if (s.can_lxc) {
        buf_putc(&b, ',');
        put_backend(&b, "lxc", &s);
    }
    buf_putc(&b, ']');
    return text_give(text_take(&b));
}

MXC_FFI_API char *mxc_platform_support_json(void)
{
    struct buf b = { .max = 4096 };
    struct sight s;

    look(&s);
    if (!s.can_run) {
        buf_puts(&b, "{\"isSupported\":false,\"reason\":");
        buf_json(&b, s.run_reason);
        buf_puts(&b, ",\"availableMethods\":[]}");
        return text_give(text_take(&b));
    }
    buf_puts(&b, "{\"isSupported\":true,\"reason\":null,"
                 "\"availableMethods\":[");
    buf_puts(&b, s.can_lxc ? "\"lxc\",\"bubblewrap\"]," : "\"bubblewrap\"],");
    buf_puts(&b, "\"bubblewrapNetwork\":{\"proxyEnforcement\":");
    buf_puts(&b, s.can_network ? "\"supported\"," : "\"unsupported\",");
    network_warning(&b, &s);
    buf_puts(&b, "}}");
    return text_give(text_take(&b));
}

MXC_FFI_API const char *mxc_version(void)
{
    return "1.0.1";
}

/* --- telemetry: there is none ----------------------------------------- */

static int32_t answer(char **out, const char *text)
{
    if (!out)
        return MXC_FFI_NULL_POINTER;
    *out = text_give(text_lossy(text, strlen(text)));
    return *out ? MXC_FFI_OK : MXC_FFI_INTERNAL;
}

static const char asked[] =
    "{\"effectiveState\":\"not-applicable\",\"policy\":\"not-applicable\","
    "\"reason\":\"not-applicable\",\"result\":\"notApplicable\","
    "\"storedState\":\"not-applicable\"}";

MXC_FFI_API int32_t mxc_telemetry_get_consent(char **out)
{
    return answer(out, "not-applicable");
}

MXC_FFI_API int32_t mxc_telemetry_get_policy(char **out)
{
    return answer(out, "not-applicable");
}

MXC_FFI_API int32_t mxc_telemetry_get_consent_status(char **out)
{
    return answer(out, "{\"effectiveState\":\"not-applicable\","
                       "\"policy\":\"not-applicable\","
                       "\"reason\":\"not-applicable\","
                       "\"storedState\":\"not-applicable\"}");
}

MXC_FFI_API int32_t mxc_telemetry_needs_consent_prompt(int32_t *out)
{
    if (!out)
        return MXC_FFI_NULL_POINTER;
    *out = 0;
    return MXC_FFI_OK;
}

MXC_FFI_API int32_t mxc_telemetry_request_consent(
    const char *locale, int32_t (*presenter)(char *prompt_json, void *context),
    void *context, char **out)
{
    (void)context;
    if (out)
        *out = NULL;
    if (!presenter || !out)
        return MXC_FFI_NULL_POINTER;
    if (locale && !utf8_is_valid(locale, strlen(locale)))
        return MXC_FFI_NOT_UTF8;
    return answer(out, asked);
}

MXC_FFI_API int32_t mxc_telemetry_withdraw_consent(char **out)
{
    return answer(out, asked);
}
