/* socks.c - see socks.h. */
#include "gateway/socks.h"

#include <string.h>

#include "contract/cidr.h"
#include "gateway/bytes.h"

enum {
    VERSION = 5,
    NO_AUTHENTICATION = 0,
    NO_METHOD = 0xff,
    CONNECT = 1,
    REQUEST_HEAD = 4, /* version, command, reserved, type of address */
    TYPE_V4 = 1,
    TYPE_NAME = 3,
    TYPE_V6 = 4
};

enum socks_verdict socks_greeting(const uint8_t *bytes, size_t len,
                                  size_t *used)
{
    *used = 0;
    if (len > 0 && bytes[0] != VERSION)
        return SOCKS_BAD;
    if (len < 2 || len - 2 < bytes[1])
        return SOCKS_NEED_MORE;
    for (size_t i = 0; i < bytes[1]; i++) {
        if (bytes[2 + i] == NO_AUTHENTICATION) {
            *used = 2 + (size_t)bytes[1];
            return SOCKS_OK;
        }
    }
    return SOCKS_REFUSED;
}

void socks_greeting_reply(bool is_ok, uint8_t out[2])
{
    out[0] = VERSION;
    out[1] = is_ok ? NO_AUTHENTICATION : NO_METHOD;
}

static void set_address(const uint8_t *p, uint8_t family,
                        struct proxy_target *to)
{
    struct cidr c = { .family = family, .bits = family == 4 ? 32 : 128 };
    size_t n = family == 4 ? 4 : 16, brackets = family == 6, len;
    char text[CIDR_TEXT_MAX];

    memcpy(c.addr, p, n);
    cidr_print(&c, text);
    len = strcspn(text, "/");
    to->host[0] = '[';
    memcpy(to->host + brackets, text, len);
    if (brackets)
        to->host[len + 1] = ']';
    to->is_addr = true;
    if (n == 4)
        to->addr.b[10] = to->addr.b[11] = 0xff;
    memcpy(to->addr.b + 16 - n, p, n);
}

/* Length of the address field, its own length byte included; 0: no type. */
static size_t address_size(const uint8_t *bytes, size_t len)
{
    switch (bytes[3]) {
    case TYPE_V4:
        return 4;
    case TYPE_V6:
        return 16;
    case TYPE_NAME:
        return len > REQUEST_HEAD ? 1 + (size_t)bytes[REQUEST_HEAD] : 1;
    default:
        return 0;
    }
}

enum socks_verdict socks_request(const uint8_t *bytes, size_t len,
                                 struct proxy_target *to, size_t *used,
                                 enum socks_code *code)
{
    const uint8_t *p = bytes + REQUEST_HEAD;
    size_t size;
    bool is_host = true;

    memset(to, 0, sizeof(*to));
    *used = 0;
    *code = SOCKS_FAILURE;
    if ((len > 0 && bytes[0] != VERSION) || (len > 2 && bytes[2] != 0))
        return SOCKS_BAD;
    if (len < REQUEST_HEAD)
        return SOCKS_NEED_MORE;
    *code = SOCKS_NO_COMMAND;
    if (bytes[1] != CONNECT)
        return SOCKS_REFUSED;
    size = address_size(bytes, len);
    *code = SOCKS_NO_ADDRESS_TYPE;
    if (size == 0)
        return SOCKS_REFUSED;
    *code = SOCKS_FAILURE;
    if (len - REQUEST_HEAD < size + 2)
        return SOCKS_NEED_MORE;
    if (bytes[3] == TYPE_NAME)
        is_host = proxy_read_host((struct span){ p + 1, size - 1 }, false, to);
    else
        set_address(p, bytes[3] == TYPE_V4 ? 4 : 6, to);
    to->port = get16(p + size);
    *code = SOCKS_NOT_ALLOWED;
    if (!is_host)
        return SOCKS_REFUSED;
    *code = SOCKS_FAILURE;
    if (to->port == 0)
        return SOCKS_REFUSED;
    *code = SOCKS_DONE;
    *used = REQUEST_HEAD + size + 2;
    return SOCKS_OK;
}

void socks_reply(enum socks_code code, uint8_t out[SOCKS_REPLY])
{
    memset(out, 0, SOCKS_REPLY);
    out[0] = VERSION;
    out[1] = (uint8_t)code;
    out[3] = TYPE_V4;
}
