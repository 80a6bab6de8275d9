/* id.c - see id.h. */
#include "session/id.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void session_hex(const unsigned char bytes[16], char out[SESSION_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < 16; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[SESSION_HEX] = '\0';
}

static int malformed(const char *id, struct err *e)
{
    err_set(e, ERR_MALFORMED_ID, "'%.80s' is not the id of a session", id);
    return err_hint(e,
                    "`mxc provision` prints one, `mxc ps` lists them: %s: "
                    "and %d digits",
                    SESSION_PREFIX, SESSION_HEX);
}

static bool has_prefix(const char *id, size_t len, const char *prefix)
{
    return len == strlen(prefix) && memcmp(id, prefix, len) == 0;
}

static bool is_hex(const char *text)
{
    return strlen(text) == SESSION_HEX &&
           strspn(text, "0123456789abcdef") == SESSION_HEX;
}

int session_id_parse(const char *id, char hex[SESSION_HEX + 1], struct err *e)
{
    const size_t prefix = strcspn(id, ":");
    const char *digits = id + prefix + 1;

    if (!id[prefix] || prefix == 0) {
        err_set(e, ERR_MALFORMED_ID,
                "sandbox_id \"%.80s\" is missing the `<prefix>:...` form", id);
        return err_hint(e, "`mxc provision` prints one, `mxc ps` lists them");
    }
    /* What is not of our form under another's prefix is another's. */
    if (!has_prefix(id, prefix, SESSION_PREFIX) &&
        !(has_prefix(id, prefix, SESSION_ALIAS) && is_hex(digits)))
        return err_set(e, ERR_UNSUPPORTED_CONTAINMENT,
                       "no state-aware backend registered for prefix "
                       "\"%.*s\"",
                       (int)(prefix < 80 ? prefix : 80), id);
    if (!is_hex(digits))
        return malformed(id, e);
    memcpy(hex, digits, SESSION_HEX + 1);
    return 0;
}

const char *session_id_split(const char *text, char id[SESSION_ID_MAX])
{
    const size_t prefix = strcspn(text, ":");
    size_t n = text[prefix] ? prefix + 1 : prefix;

    n += strcspn(text + n, ":");
    /* A longer one is no id, and shall be none when it is cut. */
    if (n >= SESSION_ID_MAX)
        (void)snprintf(id, SESSION_ID_MAX, "%s:...", SESSION_PREFIX);
    else
        (void)snprintf(id, SESSION_ID_MAX, "%.*s", (int)n, text);
    if (n == prefix ||
        (!has_prefix(text, prefix, SESSION_PREFIX) &&
         !(has_prefix(text, prefix, SESSION_ALIAS) && is_hex(id + prefix + 1))))
        return NULL;
    return text[n] ? text + n + 1 : "";
}

void session_id_print(const char *hex, char out[SESSION_ID_MAX])
{
    (void)snprintf(out, SESSION_ID_MAX, "%s:%s", SESSION_PREFIX, hex);
}
