/* acquire.c - the request's text: a file, or base64 on the command line. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/read_all.h"
#include "base/utf8.h"
#include "lxcexec/lxcexec.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

static int cannot_read(const char *path, int sys, struct err *e)
{
    err_set(e, ERR_MALFORMED_REQUEST,
            "Failed to read configuration file '%s': %s (os error %d)", path,
            strerror(sys), sys);
    e->sys = sys;
    return -1;
}

static int read_file(struct door *d, const char *path, struct err *e)
{
    struct stat st;
    scoped(drop_fd) int fd = -1;
    int r;

    /* Whatever keeps it from being seen is "not found"; what is seen and not
     * readable says why. */
    if (stat(path, &st) < 0)
        return err_set(e, ERR_MALFORMED_REQUEST,
                       "Configuration file not found: %s", path);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return cannot_read(path, errno, e);
    r = read_all(&d->arena, fd, REQUEST_MAX_BYTES, &d->text, &d->len);
    if (r == -EFBIG)
        return err_set(e, ERR_MALFORMED_REQUEST,
                       "the request is larger than %u bytes",
                       REQUEST_MAX_BYTES);
    if (r == -ENOMEM)
        return no_memory(e);
    return r < 0 ? cannot_read(path, -r, e) : 0;
}

/* The value of a digit of RFC 4648, section 4; 64 for all that is none. */
static unsigned digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (unsigned)(at - digits) : 64;
}

/* Four digits to three bytes, two of the last four at least; what is cut off
 * must be zero.  Returns how many bytes, 0: not base64. */
static size_t decode_four(const char *in, bool is_last, char out[3])
{
    size_t pad = !is_last || in[3] != '=' ? 0 : in[2] == '=' ? 2 : 1;
    uint32_t bits = 0;

    for (size_t i = 0; i < 4; i++) {
        unsigned d = i < 4 - pad ? digit(in[i]) : 0;

        if (d > 63)
            return 0;
        bits = bits << 6 | d;
    }
    if (bits & (pad ? (1u << 8 * pad) - 1 : 0))
        return 0;
    for (size_t i = 0; i < 3; i++)
        out[i] = (char)(bits >> (16 - 8 * i));
    return 3 - pad;
}

static int decode(struct door *d, const char *in, struct err *e)
{
    size_t len = strlen(in), used = 0;
    char *out = arena_alloc(&d->arena, len + 3);

    if (!out)
        return no_memory(e);
    for (size_t i = 0; i < len; i += 4) {
        size_t n = len % 4 ? 0 : decode_four(in + i, i + 4 == len, out + used);

        if (n == 0)
            return err_set(e, ERR_MALFORMED_REQUEST,
                           "Failed to decode base64 configuration");
        used += n;
    }
    if (!utf8_is_valid(out, used))
        return err_set(e, ERR_MALFORMED_REQUEST,
                       "Base64 decoded content is not valid UTF-8");
    d->text = out;
    d->len = used;
    return 0;
}

int acquire(struct door *d, struct err *e)
{
    if (d->args.config_base64)
        return decode(d, d->args.config_base64, e);
    return read_file(d, d->args.config ? d->args.config : d->args.path, e);
}
