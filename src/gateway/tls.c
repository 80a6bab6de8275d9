/* tls.c - see tls.h: RFC 8446 4.1.2 and 5.1, RFC 6066 3, RFC 7301 3.1.
 *
 * A ClientHello may lie in many records, so it is read through a cursor that
 * steps over their heads.  Nothing is read before all of it is there. */
#include "gateway/tls.h"

#include <string.h>

enum {
    RECORD_HEAD = 5,
    RECORD_MAX = 16384,
    HANDSHAKE = 22,
    MESSAGE_HEAD = 4,
    CLIENT_HELLO = 1,
    EXT_SERVER_NAME = 0,
    EXT_ALPN = 16,
    EXT_ESNI = 0xffce, /* draft-ietf-tls-esni before it became ECH */
    EXT_ECH = 0xfe0d
};

/* A part of the message: what is left of it, and of the record it is in. */
struct in {
    const uint8_t *p;
    size_t left;
    size_t in_record;
    bool failed; /* more was asked for than there is */
};

static uint8_t take(struct in *in)
{
    if (in->failed || in->left == 0) {
        in->failed = true;
        return 0;
    }
    if (in->in_record == 0) {
        in->in_record = (size_t)in->p[3] << 8 | in->p[4];
        in->p += RECORD_HEAD;
    }
    in->left--;
    in->in_record--;
    return *in->p++;
}

static size_t number(struct in *in, int bytes)
{
    size_t n = 0;

    while (bytes-- > 0)
        n = n << 8 | take(in);
    return n;
}

static void skip(struct in *in, size_t n)
{
    if (n > in->left)
        in->failed = true;
    while (!in->failed && n-- > 0)
        (void)take(in);
}

/* A vector: its length of so many bytes, and then itself as its own part. */
static struct in vector(struct in *in, int bytes)
{
    size_t n = number(in, bytes);
    struct in part = *in;

    part.left = n;
    skip(in, n);
    part.failed = in->failed;
    return part;
}

/* Is every byte of the message there?  The heads of its records are checked
 * on the way, so that the cursor can take them for granted. */
static enum tls_verdict find_message(const uint8_t *bytes, size_t len,
                                     size_t *message)
{
    uint8_t head[MESSAGE_HEAD] = { 0 };
    size_t at = 0, got = 0;

    *message = 0;
    if (len > TLS_PEEK_MAX)
        len = TLS_PEEK_MAX;
    while (len - at >= RECORD_HEAD) {
        const uint8_t *r = bytes + at;
        size_t n = (size_t)r[3] << 8 | r[4], here;

        /* RFC 8446 5.1: no empty ones, none of another type in between. */
        if (r[0] != HANDSHAKE || r[1] != 3 || r[2] > 4 || n == 0 ||
            n > RECORD_MAX)
            return TLS_BAD;
        at += RECORD_HEAD;
        here = n < len - at ? n : len - at;
        for (size_t i = 0; i < here && got + i < MESSAGE_HEAD; i++)
            head[got + i] = bytes[at + i];
        got += here;
        if (got > 0 && head[0] != CLIENT_HELLO)
            return TLS_BAD;
        if (got >= MESSAGE_HEAD) {
            *message = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
            if (*message > TLS_HELLO_MAX - MESSAGE_HEAD)
                return TLS_BAD;
            /* A ClientHello ends its record: nothing may follow it there. */
            if (got - here + n > *message + MESSAGE_HEAD)
                return TLS_BAD;
            if (got == *message + MESSAGE_HEAD)
                return TLS_OK;
        }
        at += here;
        if (here < n)
            break;
    }
    return len < TLS_PEEK_MAX ? TLS_NEED_MORE : TLS_BAD;
}

/* Exactly one name, of type host_name. */
static bool read_server_name(struct in *ext, struct tls_hello *out)
{
    struct in list = vector(ext, 2), name;
    char text[NET_NAME_MAX + 1] = { 0 };
    size_t n;

    if (ext->left != 0 || number(&list, 1) != 0)
        return false;
    name = vector(&list, 2);
    n = name.left;
    if (name.failed || list.left != 0 || n == 0 || n > NET_NAME_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        text[i] = (char)take(&name);
    /* Without a trailing dot, RFC 6066 3. */
    return text[n - 1] != '.' && net_name_clean(text, n, out->name);
}

static bool read_alpn(struct in *ext, struct tls_hello *out)
{
    struct in list = vector(ext, 2), walk = list;

    if (ext->left != 0 || list.failed || list.left == 0 ||
        list.left > sizeof(out->alpn))
        return false;
    while (walk.left > 0) {
        struct in name = vector(&walk, 1);

        if (name.failed || name.left == 0)
            return false;
    }
    while (list.left > 0)
        out->alpn[out->alpn_len++] = take(&list);
    return true;
}

static bool read_extensions(struct in *in, struct tls_hello *out)
{
    bool has_name = false;

    while (in->left > 0) {
        size_t type = number(in, 2);
        struct in ext = vector(in, 2);

        if (ext.failed)
            return false;
        if (type == EXT_SERVER_NAME) {
            if (has_name || !read_server_name(&ext, out))
                return false;
            has_name = true;
        } else if (type == EXT_ALPN) {
            if (out->alpn_len > 0 || !read_alpn(&ext, out))
                return false;
        } else if (type == EXT_ECH || type == EXT_ESNI) {
            out->ech = true;
        }
    }
    return true;
}

static bool read_hello(struct in *in, struct tls_hello *out)
{
    struct in part;

    skip(in, MESSAGE_HEAD);
    if (number(in, 1) != 3) /* legacy_version */
        return false;
    skip(in, 1 + 32);     /* its second byte, random */
    part = vector(in, 1); /* legacy_session_id */
    if (part.failed || part.left > 32)
        return false;
    part = vector(in, 2); /* cipher_suites */
    if (part.failed || part.left < 2 || part.left % 2 != 0)
        return false;
    part = vector(in, 1); /* legacy_compression_methods */
    if (part.failed || part.left == 0)
        return false;
    if (in->left == 0) /* TLS 1.2 and before: extensions may be missing */
        return true;
    part = vector(in, 2);
    return !part.failed && in->left == 0 && read_extensions(&part, out);
}

/* What the first bytes are, before any of it is read as TLS. */
static enum tls_verdict sort(const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return TLS_NEED_MORE;
    if (bytes[0] == HANDSHAKE)
        return TLS_OK;
    if (bytes[0] >= 20 && bytes[0] <= 24) {
        /* Some servers read a ClientHello behind an alert or a
         * change_cipher_spec. */
        if (len < 2)
            return TLS_NEED_MORE;
        return bytes[1] == 3 ? TLS_BAD : TLS_NOT_TLS;
    }
    /* A hello in the form of SSL 2.0, RFC 5246 E.2. */
    if (bytes[0] & 0x80) {
        if (len >= 3 && bytes[2] != CLIENT_HELLO)
            return TLS_NOT_TLS;
        if (len >= 4 && bytes[3] != 3 && bytes[3] != 0)
            return TLS_NOT_TLS;
        return len < 4 ? TLS_NEED_MORE : TLS_BAD;
    }
    return TLS_NOT_TLS;
}

enum tls_verdict tls_hello(const uint8_t *bytes, size_t len,
                           struct tls_hello *out)
{
    struct in in = { .p = bytes };
    enum tls_verdict v = sort(bytes, len);

    memset(out, 0, sizeof(*out));
    if (v != TLS_OK)
        return v;
    v = find_message(bytes, len, &in.left);
    if (v != TLS_OK)
        return v;
    in.left += MESSAGE_HEAD;
    if (read_hello(&in, out))
        return TLS_OK;
    memset(out, 0, sizeof(*out));
    return TLS_BAD;
}
