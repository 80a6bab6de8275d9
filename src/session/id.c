/* id.c - see id.h. */
#include "session/id.h"

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

int session_id_parse(const char *id, char hex[SESSION_HEX + 1], struct err *e)
{
    const size_t prefix = strcspn(id, ":");

    if (!id[prefix] || prefix == 0) {
        err_set(e, ERR_MALFORMED_ID,
                "sandbox_id \"%.80s\" is missing the `<prefix>:...` form", id);
        return err_hint(e, "`mxc provision` prints one, `mxc ps` lists them");
    }
    if (prefix != strlen(SESSION_PREFIX) ||
        memcmp(id, SESSION_PREFIX, prefix) != 0)
        return err_set(e, ERR_UNSUPPORTED_CONTAINMENT,
                       "no state-aware backend registered for prefix "
                       "\"%.*s\"",
                       (int)(prefix < 80 ? prefix : 80), id);
    id += prefix + 1;
    if (strlen(id) != SESSION_HEX ||
        strspn(id, "0123456789abcdef") != SESSION_HEX)
        return malformed(id - prefix - 1, e);
    memcpy(hex, id, SESSION_HEX + 1);
    return 0;
}

const char *session_id_split(const char *text, char id[SESSION_ID_MAX])
{
    static const char prefix[] = SESSION_PREFIX ":";
    size_t n;

    if (strncmp(text, prefix, strlen(prefix)) != 0)
        return NULL;
    n = strlen(prefix) + strcspn(text + strlen(prefix), ":");
    /* A longer one is no id, and shall be none when it is cut. */
    if (n >= SESSION_ID_MAX)
        (void)snprintf(id, SESSION_ID_MAX, "%s...", prefix);
    else
        (void)snprintf(id, SESSION_ID_MAX, "%.*s", (int)n, text);
    return text[n] ? text + n + 1 : "";
}

void session_id_print(const char *hex, char out[SESSION_ID_MAX])
{
    (void)snprintf(out, SESSION_ID_MAX, "%s:%s", SESSION_PREFIX, hex);
}
