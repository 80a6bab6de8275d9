/* fuzz_proxy.c - any bytes as what a client asks of the proxy.
 *
 * Checked besides what the sanitizers see: a verdict does not depend on how
 * the bytes come; a host is clean or an address; a head that was rewritten is
 * one that the tracker passes, for the same host, when it would have passed
 * the original. */
#include <stdlib.h>
#include <string.h>

#include "gateway/http.h"
#include "gateway/proxy_head.h"
#include "gateway/socks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_target(const struct proxy_target *to)
{
    char name[NET_NAME_MAX + 1];

    must(to->host[0] && strlen(to->host) <= NET_NAME_MAX);
    if (to->is_addr)
        return;
    must(net_name_clean(to->host, strlen(to->host), name));
    must(strcmp(name, to->host) == 0);
}

static void check_rewritten(const uint8_t *data, size_t size,
                            const struct proxy_head *h, size_t cap)
{
    static uint8_t big[PROXY_REWRITTEN_MAX];
    uint8_t *out = malloc(cap ? cap : 1);
    size_t n = proxy_head_rewrite(data, h, big, sizeof(big)), m, pass;
    struct http t;

    must(out != NULL && n > 0);
    m = proxy_head_rewrite(data, h, out, cap);
    must(m == (n <= cap ? n : 0));
    must(memcmp(out, big, m) == 0);
    free(out);
    http_init(&t, h->to.host, h->to.port);
    t.once = true;
    if (http_look(&t, data, size, &pass) != HTTP_PASS)
        return;
    must(pass >= h->len);
    http_init(&t, h->to.host, h->to.port);
    must(http_look(&t, big, n, &pass) == HTTP_PASS && pass == n);
}

static bool is_same(const struct proxy_head *a, const struct proxy_head *b)
{
    return memcmp(a->to.host, b->to.host, sizeof(a->to.host)) == 0 &&
           memcmp(&a->to.addr, &b->to.addr, sizeof(a->to.addr)) == 0 &&
           memcmp(a->other, b->other, sizeof(a->other)) == 0 &&
           a->to.is_addr == b->to.is_addr && a->to.port == b->to.port &&
           a->len == b->len && a->method_len == b->method_len &&
           a->path_at == b->path_at && a->path_len == b->path_len &&
           a->fields_at == b->fields_at && a->is_1_0 == b->is_1_0;
}

static void check_http(const uint8_t *data, size_t size, size_t cut)
{
    struct proxy_head whole, part;
    size_t seen = 0, slow = 0;
    enum proxy_verdict v = proxy_head_parse(data, size, &seen, &whole);
    enum proxy_verdict early = proxy_head_parse(data, cut, &slow, &part);

    if (early == PROXY_NEED_MORE)
        early = proxy_head_parse(data, size, &slow, &part);
    must(early == v);
    if (v == PROXY_BAD || v == PROXY_NEED_MORE)
        return;
    must(is_same(&whole, &part));
    must(whole.len <= size && whole.path_at + whole.path_len <= whole.len);
    if (v == PROXY_NO_HOST)
        return;
    check_target(&whole.to);
    must(whole.to.port > 0);
    if (v == PROXY_PLAIN)
        check_rewritten(data, size, &whole, cut);
}

static void check_socks(const uint8_t *data, size_t size, size_t cut)
{
    struct proxy_target to, early_to;
    enum socks_code code, early_code;
    size_t used, early_used;
    enum socks_verdict v = socks_request(data, size, &to, &used, &code);
    enum socks_verdict early =
        socks_request(data, cut, &early_to, &early_used, &early_code);

    must(early == SOCKS_NEED_MORE || (early == v && early_code == code));
    must(used <= size && (used > 0) == (v == SOCKS_OK));
    if (v == SOCKS_OK)
        check_target(&to);
    v = socks_greeting(data, size, &used);
    early = socks_greeting(data, cut, &early_used);
    must(early == SOCKS_NEED_MORE || early == v);
    must(used <= size && (used > 0) == (v == SOCKS_OK));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;
    size_t cut;

    if (size < 3)
        return 0;
    cut = ((size_t)data[0] << 8 | data[1]) % (size - 1);
    /* A copy of its own, so that a byte too far is seen. */
    copy = malloc(size - 2);
    must(copy != NULL);
    memcpy(copy, data + 2, size - 2);
    check_http(copy, size - 2, cut);
    check_socks(copy, size - 2, cut);
    free(copy);
    return 0;
}
