/* id.c - see id.h. */
#include "session/id.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"

void session_hex(const unsigned char bytes[16], char out[SESSION_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < 16; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[SESSION_HEX] = '\0';
}

/* Backends that keep sessions; the first needs no prefix on a directory. */
static const char *const keepers[] = { "native", "bubblewrap", "lxc" };

/* Of a prefix that may end anywhere. */
static const char *keeper(const char *prefix, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(keepers); i++)
        if (len == strlen(keepers[i]) && memcmp(prefix, keepers[i], len) == 0)
            return keepers[i];
    return NULL;
}

static bool is_alias(const char *prefix, size_t len)
{
    return len == strlen(SESSION_ALIAS) &&
           memcmp(prefix, SESSION_ALIAS, len) == 0;
}

static bool is_hex(const char *text)
{
    return strlen(text) == SESSION_HEX &&
           strspn(text, "0123456789abcdef") == SESSION_HEX;
}

int session_name(const char *backend, const char *hex,
                 char out[SESSION_NAME_MAX])
{
    if (!keeper(backend, strlen(backend)))
        return -1;
    (void)snprintf(out, SESSION_NAME_MAX, "%s%s%.32s",
                   strcmp(backend, keepers[0]) == 0 ? "" : backend,
                   strcmp(backend, keepers[0]) == 0 ? "" : "-", hex);
    return 0;
}

const char *session_backend(const char *name)
{
    const char *end = strchr(name, '-');
    const char *found = end ? keeper(name, (size_t)(end - name)) : NULL;

    return found ? found : keepers[0];
}

static int malformed(const char *id, const char *prefix, struct err *e)
{
    err_set(e, ERR_MALFORMED_ID, "'%.80s' is not the id of a session", id);
    return err_hint(e,
                    "`mxc provision` prints one, `mxc ps` lists them: %s: "
                    "and %d digits",
                    prefix, SESSION_HEX);
}

int session_id_parse(const char *id, char name[SESSION_NAME_MAX], struct err *e)
{
    const size_t len = id ? strcspn(id, ":") : 0;
    const char *digits, *prefix;

    if (!id)
        return err_set(e, ERR_MALFORMED_ID, "no id of a session");
    digits = id + len + 1;
    if (!id[len] || len == 0) {
        err_set(e, ERR_MALFORMED_ID,
                "sandbox_id \"%.80s\" is missing the `<prefix>:...` form", id);
        return err_hint(e, "`mxc provision` prints one, `mxc ps` lists them");
    }
    prefix = keeper(id, len);
    /* What is not of our form under another's prefix is another's. */
    if (!prefix && is_alias(id, len) && is_hex(digits))
        prefix = keepers[0];
    if (!prefix) {
        err_set(e, ERR_UNSUPPORTED_CONTAINMENT,
                "no state-aware backend registered for prefix \"%.*s\"",
                (int)(len < 80 ? len : 80), id);
        return err_hint(e, "an id is as `mxc provision` printed it; `mxc ps` "
                           "lists them");
    }
    if (!is_hex(digits))
        return malformed(id, prefix, e);
    return session_name(prefix, digits, name);
}

const char *session_id_split(const char *text, char id[SESSION_ID_MAX])
{
    const size_t prefix = strcspn(text, ":");
    const char *backend = keeper(text, prefix);
    size_t n = text[prefix] ? prefix + 1 : prefix;

    n += strcspn(text + n, ":");
    /* A longer one is no id, and shall be none when it is cut. */
    if (n >= SESSION_ID_MAX)
        (void)snprintf(id, SESSION_ID_MAX, "%s:...",
                       backend ? backend : keepers[0]);
    else
        (void)snprintf(id, SESSION_ID_MAX, "%.*s", (int)n, text);
    if (n == prefix ||
        (!backend && !(is_alias(text, prefix) && is_hex(id + prefix + 1))))
        return NULL;
    return text[n] ? text + n + 1 : "";
}

void session_id_print(const char *name, char out[SESSION_ID_MAX])
{
    const char *dash = strchr(name, '-');

    (void)snprintf(out, SESSION_ID_MAX, "%.*s:%.32s",
                   dash ? (int)(dash - name) : (int)strlen(keepers[0]),
                   dash ? name : keepers[0], dash ? dash + 1 : name);
}
