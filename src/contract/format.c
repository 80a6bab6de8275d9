/* format.c - see format.h. */
#include "contract/format.h"

#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/utf8.h"
#include "contract/cidr.h"
#include "contract/objects.h"

/* Unicode's White_Space: what MXC trims before it calls a text blank. */
static bool is_space(uint32_t cp)
{
    return (cp >= 0x09 && cp <= 0x0d) || cp == 0x20 || cp == 0x85 ||
           cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) ||
           cp == 0x2028 || cp == 0x2029 || cp == 0x202f || cp == 0x205f ||
           cp == 0x3000;
}

static bool is_blank(const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        uint32_t cp = 0;
        size_t n = utf8_decode(text, left, &cp);

        if (n == 0 || !is_space(cp))
            return false;
        text += n;
        left -= n;
    }
    return true;
}

static const char *wrong_command(const char *text)
{
    return *text ? NULL : "must not be empty";
}

static const char *wrong_path(const char *text)
{
    if (is_blank(text))
        return "path is empty";
    if (strchr(text, '"'))
        return "path holds the character '\"'";
    return NULL;
}

static const char *wrong_cidr(const char *text)
{
    struct cidr c;
    const char *why;

    return cidr_parse(text, &c, &why) < 0 ? why : NULL;
}

/* A coarse look: what a name may be is for whoever decides about names. */
static const char *wrong_host(const char *text)
{
    if (strncmp(text, "*.", 2) == 0)
        text += 2;
    for (const char *c = text; *c; c++)
        if (!ascii_is_letter(*c) && !ascii_is_digit(*c) && *c != '-' &&
            *c != '.')
            return "expected a host name: letters, digits, hyphens and dots, "
                   "perhaps with '*.' in front";
    return *text ? NULL : "must not be empty";
}

static const char *wrong_capability(const char *text)
{
    if (strchr(text, ','))
        return "a capability holds no comma; write several capabilities as "
               "several strings";
    if (strcasecmp(text, "learningModeLogging") == 0 ||
        strcasecmp(text, "permissiveLearningMode") == 0)
        return "this capability is reserved; use 'learningMode' or "
               "'captureDenials'";
    return NULL;
}

static const char *wrong_peer(const char *text)
{
    if (is_blank(text))
        return "must not be blank";
    if (strcasecmp(text, "MXC-Loopback") == 0)
        return "'MXC-Loopback' is a reserved identity";
    return NULL;
}

/* The path behind its root, or NULL.  Of either kind: the contract does not
 * change with the machine it is read on. */
static const char *behind_root(const char *text)
{
    if (text[0] == '/')
        return text + 1;
    if (text[0] == '\\' && text[1] == '\\')
        return text + 2;
    if (ascii_is_letter(text[0]) && text[1] == ':' &&
        (text[2] == '\\' || text[2] == '/'))
        return text + 3;
    return NULL;
}

static const char *wrong_file(const char *text)
{
    const char *rest = behind_root(text);

    if (!rest)
        return "expected an absolute path";
    return *rest ? NULL : "expected a file, found the root directory";
}

static const char *wrong_limit(const char *text)
{
    for (const struct field *f = object_limits.fields; f->name; f++)
        if (strcmp(f->name, text) == 0 && f->kind != K_STRS)
            return NULL;
    return "expected the name of a limit";
}

/* clang-format off */
const struct format format_command = {
    .min_length = 1, .wrong = wrong_command
};
const struct format format_path = {
    .pattern = "^\\s*[^\\s\"][^\"]*$", .min_length = 1, .wrong = wrong_path
};
const struct format format_cidr = {
    .pattern = "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$",
    .min_length = 2, .wrong = wrong_cidr
};
const struct format format_host = {
    .pattern = "^(\\*\\.)?[0-9A-Za-z.-]+$", .min_length = 1,
    .wrong = wrong_host
};
const struct format format_capability = {
    .pattern = "^[^,]*$", .wrong = wrong_capability
};
const struct format format_peer = {
    .pattern = "\\S", .min_length = 1, .wrong = wrong_peer
};
const struct format format_file = {
    .pattern = "^(/|\\\\\\\\|[A-Za-z]:[\\\\/]).",
    .min_length = 2, .wrong = wrong_file
};
/* clang-format on */
const struct format format_limit = { .wrong = wrong_limit };
