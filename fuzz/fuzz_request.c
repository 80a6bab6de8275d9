/* fuzz_request.c - request_parse on any text.
 *
 * Checked besides what the sanitizers see: an error is set if and only if the
 * request is refused; its place lies in the text and its words can be shown
 * to a person; what is accepted has what the rest of the program takes for
 * granted. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "contract/cidr.h"
#include "contract/proxy.h"
#include "contract/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth)
        abort();
}

static void check_words(const char *s, size_t max)
{
    size_t left = strnlen(s, max);

    must(left < max);
    while (left > 0) {
        uint32_t cp = 0;
        size_t n = utf8_decode(s, left, &cp);

        must(n > 0 && !utf8_is_hidden(cp));
        s += n;
        left -= n;
    }
}

/* The byte at that line and column, or just behind the last one. */
static void check_place(const char *text, size_t len, unsigned line,
                        unsigned column)
{
    size_t at = 0;

    must(line >= 1 && column >= 1);
    while (--line > 0) {
        const char *end = memchr(text + at, '\n', len - at);

        must(end != NULL);
        at = (size_t)(end - text) + 1;
    }
    must(column - 1 <= len - at);
    must(!memchr(text + at, '\n', column - 1));
}

static void check_refusal(const char *text, size_t len, const struct err *e)
{
    unsigned line, column;

    must(e->code == ERR_MALFORMED_REQUEST && e->msg[0] && !e->sys);
    check_words(e->msg, sizeof(e->msg));
    check_words(e->where, sizeof(e->where));
    check_words(e->hint, sizeof(e->hint));
    check_place(text, len, e->line, e->column);
    request_locate(text, len, e->where, &line, &column);
    if (line)
        check_place(text, len, line, column);
}

static void check_strings(const struct strings *s)
{
    must(s->n == 0 || s->item);
    for (size_t i = 0; i < s->n; i++)
        must(s->item[i] != NULL);
}

static void check_rules(const struct net_rules *rules)
{
    struct cidr c;
    const char *why;

    for (size_t i = 0; i < rules->n; i++) {
        const struct net_rule *r = &rules->item[i];

        for (size_t j = 0; j < r->nto; j++)
            must(r->to[j].host ? !r->to[j].cidr
                               : cidr_parse(r->to[j].cidr, &c, &why) == 0);
        for (size_t j = 0; j < r->nports; j++)
            must(!r->ports[j].end_port || r->ports[j].port);
    }
}

static void check_request(const struct request *r)
{
    bool runs = r->phase == PHASE_NONE || r->phase == PHASE_EXEC;
    /* A policy of our superset may leave the command to the caller. */
    bool may_lack = r->phase == PHASE_NONE && r->contract == CONTRACT_1_1_0_C1;
    bool names = r->phase != PHASE_NONE && r->phase != PHASE_PROVISION;
    struct proxy_url url;
    const char *why;

    must(contract_name(r->contract) && containment_name(r->containment));
    must(strcmp(contract_name(r->contract), r->version) == 0);
    must(!r->process.command_line || (runs && r->process.command_line[0]));
    must(r->process.command_line || !runs || may_lack);
    must(names == (r->sandbox_id != NULL));
    check_strings(&r->process.env);
    check_strings(&r->filesystem.readwrite);
    check_strings(&r->filesystem.readonly);
    check_strings(&r->filesystem.denied);
    check_rules(&r->network.egress_allow);
    check_rules(&r->network.egress_deny);
    must(!r->network_proxy || proxy_parse(r->network_proxy, &url, &why) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(arena_drop) struct arena a = { .limit = 4 << 20 };
    const char *text = (const char *)data;
    struct request *r = NULL;
    struct err e = { 0 };

    if (request_parse(&a, text, size, &r, &e) < 0) {
        must(!r);
        check_refusal(text, size, &e);
    } else {
        must(r && e.code == ERR_NONE);
        check_request(r);
    }
    return 0;
}
