/* fuzz_tls.c - any bytes as the beginning of TLS.
 *
 * Checked besides what the sanitizers see: a verdict stands, whatever comes
 * behind; it does not depend on how a hello is cut into records; a name is
 * clean. */
#include <stdlib.h>
#include <string.h>

#include "gateway/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static enum tls_verdict look(const uint8_t *bytes, size_t n,
                             struct tls_hello *out)
{
    uint8_t *copy = malloc(n ? n : 1);
    enum tls_verdict v;

    must(copy != NULL);
    if (n > 0)
        memcpy(copy, bytes, n);
    v = tls_hello(copy, n, out);
    free(copy);
    return v;
}

static bool is_same(const struct tls_hello *a, const struct tls_hello *b)
{
    return memcmp(a->name, b->name, sizeof(a->name)) == 0 && a->ech == b->ech &&
           memcmp(a->alpn, b->alpn, sizeof(a->alpn)) == 0 &&
           a->alpn_len == b->alpn_len;
}

static void check(const uint8_t *data, size_t size, size_t cut)
{
    struct tls_hello whole, part;
    enum tls_verdict v = look(data, size, &whole);
    enum tls_verdict early = look(data, cut, &part);
    static const struct tls_hello none;
    char name[NET_NAME_MAX + 1];

    must(early == TLS_NEED_MORE || early == v);
    if (early == v)
        must(is_same(&whole, &part));
    if (v != TLS_OK) {
        must(is_same(&whole, &none));
        must(v != TLS_NEED_MORE || size < TLS_PEEK_MAX);
        return;
    }
    must(whole.alpn_len <= TLS_ALPN_MAX);
    if (whole.name[0]) {
        must(net_name_clean(whole.name, strlen(whole.name), name));
        must(strcmp(name, whole.name) == 0);
    }
}

/* The input as the message itself, in records of this size. */
static void check_wrapped(const uint8_t *data, size_t size, size_t each)
{
    static uint8_t one[8192], many[65536];
    struct tls_hello a, b;
    size_t n = 0;

    if (size == 0 || size > 4000)
        return;
    one[0] = 22;
    one[1] = 3;
    one[2] = 1;
    one[3] = (uint8_t)((size + 4) >> 8);
    one[4] = (uint8_t)(size + 4);
    one[5] = 1;
    one[6] = 0;
    one[7] = (uint8_t)(size >> 8);
    one[8] = (uint8_t)size;
    memcpy(one + 9, data, size);
    for (size_t at = 0; at < size + 4; at += each) {
        size_t here = size + 4 - at < each ? size + 4 - at : each;
        const uint8_t head[] = { 22, 3, 3, (uint8_t)(here >> 8),
                                 (uint8_t)here };

        memcpy(many + n, head, 5);
        memcpy(many + n + 5, one + 5 + at, here);
        n += 5 + here;
    }
    must(n > TLS_PEEK_MAX || look(one, size + 9, &a) == look(many, n, &b));
    must(n > TLS_PEEK_MAX || is_same(&a, &b));
    check(one, size + 9, each % (size + 9));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cut;

    if (size < 2)
        return 0;
    cut = (size_t)data[0] << 8 | data[1];
    check(data + 2, size - 2, cut % (size - 1));
    check_wrapped(data + 2, size - 2, 1 + cut % 300);
    return 0;
}
