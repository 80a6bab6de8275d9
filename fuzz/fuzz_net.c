/* fuzz_net.c - network rules: any text compiles or is refused; what compiles
 * opens, whatever the order of the rules; and what was changed in it, or any
 * bytes in its place, are refused or harmless.
 *
 * The first byte says how many changes follow (offset, value), or RAW for
 * bytes in place of the object.  Then come lines, one rule each: 'd' denies,
 * any other letter allows; words are 'c' and a block, '!' and an exception,
 * 'h' and a host, 'i' and a host of the intranet, 'p' and a protocol and
 * two ports. */
#include <stdlib.h>
#include <string.h>

#include "policy/net_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAW = 255, RULES = 16, PARTS = 6, CHANGE = 3 };

struct rule {
    struct net_rule rule;
    struct net_peer to[PARTS];
    const char *except[PARTS][PARTS];
    struct net_port port[PARTS];
};

struct input {
    struct rule rule[RULES];
    struct net_source source[RULES];
    struct net_policy p;
    char text[4096];
};

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void take_except(struct rule *r, const char *text)
{
    struct net_peer *to = r->rule.nto ? &r->to[r->rule.nto - 1] : NULL;

    if (!to || to->except.n == PARTS)
        return;
    to->except.item = r->except[r->rule.nto - 1];
    to->except.item[to->except.n++] = text;
}

static void take_port(struct rule *r, const char *text)
{
    struct net_port *p = &r->port[r->rule.nports];
    const unsigned char *word = (const unsigned char *)text;

    if (r->rule.nports == PARTS || strlen(text) < 5)
        return;
    p->protocol = (enum net_protocol)(word[0] & 3);
    if (p->protocol != PROTO_ICMP) {
        p->port = (uint16_t)(word[1] << 8 | word[2]);
        p->end_port = (uint16_t)(word[3] << 8 | word[4]);
    }
    r->rule.nports++;
}

static void take_word(struct rule *r, char *word)
{
    char kind = word[0];
    struct net_peer peer = { 0 };

    if (kind == '!') {
        take_except(r, word + 1);
    } else if (kind == 'p') {
        take_port(r, word + 1);
    } else if ((kind == 'c' || kind == 'h' || kind == 'i') &&
               r->rule.nto < PARTS) {
        if (kind == 'c')
            peer.cidr = word + 1;
        else
            peer.host = word + 1;
        peer.intranet = kind == 'i';
        r->to[r->rule.nto++] = peer;
    }
}

static void take_line(struct input *in, char *line)
{
    size_t n = in->p.nsources;
    struct rule *r = &in->rule[n];
    char *save = NULL;
    bool deny = line[0] == 'd';

    if (n == RULES)
        return;
    for (char *w = strtok_r(line, " ", &save); w;
         w = strtok_r(NULL, " ", &save))
        take_word(r, w);
    r->rule.to = r->rule.nto ? r->to : NULL;
    r->rule.ports = r->rule.nports ? r->port : NULL;
    in->source[n].action = deny ? NET_DENY : NET_ALLOW;
    in->source[n].rule = &r->rule;
    in->source[n].origin.list = deny ? NET_FROM_DENY : NET_FROM_ALLOW;
    in->source[n].origin.index = (uint32_t)n;
    in->p.nsources++;
}

static void read_text(struct input *in, const uint8_t *data, size_t size)
{
    char *save = NULL;

    memset(in, 0, sizeof(*in));
    in->p.source = in->source;
    if (size >= sizeof(in->text))
        size = sizeof(in->text) - 1;
    memcpy(in->text, data, size);
    if (in->text[0] == 'A')
        in->p.egress_default = NET_ALLOW;
    for (char *l = strtok_r(in->text, "\n", &save); l;
         l = strtok_r(NULL, "\n", &save))
        take_line(in, l);
}

static void try_name(const uint8_t *data, size_t size)
{
    char text[300], out[NET_NAME_MAX + 1], again[NET_NAME_MAX + 1];

    if (size >= sizeof(text))
        size = sizeof(text) - 1;
    memcpy(text, data, size);
    text[size] = '\0';
    if (net_name_clean(text, size, out))
        must(net_name_clean(out, strlen(out), again) &&
             strcmp(out, again) == 0);
    if (!net_host_wrong(text) && text[0] != '*')
        must(net_name_clean(text, strlen(text), out) &&
             net_name_is_packed(out));
}

/* What holds whatever the object says. */
static void ask(const struct net_view *v, const uint8_t *data, size_t size)
{
    static const char *const name[] = { "example.com", "a.b.example.com", "a",
                                        "", "." };
    struct net_addr a = { 0 };
    struct net_verdict got;
    unsigned bits;

    memcpy(a.b, data, size < sizeof(a.b) ? size : sizeof(a.b));
    for (int i = 0; i < 6 * 4; i++) {
        enum net_proto proto = (enum net_proto)(i % NET_PROTOS);

        if (i == 8)
            net_addr_v4(&a, a.b);
        net_decide(v, &a, proto, (uint16_t)(i * 40), i % 2, &got);
        must(!got.is_allowed || net_egress(v));
        must(!got.is_allowed || net_classify(&a, &bits) != NET_NEVER);
        must(!got.is_allowed || proto != NET_ICMP || net_icmp(v));
        net_decide_name(v, name[i % 5], proto, (uint16_t)(i * 40), &got);
        must(!got.is_allowed ||
             (net_names(v) && net_knows_name(v, name[i % 5])));
    }
}

static void try_bytes(void *bytes, size_t len, const uint8_t *data, size_t size)
{
    struct net_view v = { .len = 77 };
    struct err e = { 0 };

    if (net_open(bytes, len, &v, &e) == 0) {
        ask(&v, data, size);
        return;
    }
    must(v.len == 77 && e.code == ERR_BACKEND_ERROR);
    must(strncmp(e.msg, "network rules refused: ", 23) == 0);
}

static void try_raw(const uint8_t *data, size_t size)
{
    struct packed_net *h;

    if (size < sizeof(*h))
        return;
    h = malloc(size);
    must(h != NULL);
    memcpy(h, data, size);
    memcpy(h->magic, NET_MAGIC, sizeof(h->magic));
    h->version = NET_VERSION;
    h->total = (uint32_t)size;
    try_bytes(h, size, data, size);
    free(h);
}

/* The same rules backwards: the same object. */
static void check_order(struct input *in, struct arena *a, const void *bytes,
                        size_t len)
{
    struct net_source *s = in->source;
    struct err e = { 0 };
    size_t again_len;
    void *again;

    for (size_t i = 0, k = in->p.nsources; i + 1 < k; i++) {
        struct net_source swap = s[i];

        s[i] = s[--k];
        s[k] = swap;
    }
    must(net_compile(a, &in->p, &again, &again_len, &e) == 0);
    must(again_len == len && memcmp(bytes, again, len) == 0);
}

static void try_text(const uint8_t *change, size_t changes, const uint8_t *data,
                     size_t size)
{
    static struct input in;
    struct arena a = { .limit = 64 << 20 };
    struct net_view v;
    struct err e = { 0 };
    unsigned char *bytes;
    void *made;
    size_t len;

    read_text(&in, data, size);
    if (net_compile(&a, &in.p, &made, &len, &e) < 0) {
        must(e.code == ERR_POLICY_VALIDATION && e.msg[0] && e.where[0]);
    } else {
        must(net_open(made, len, &v, &e) == 0);
        ask(&v, data, size);
        check_order(&in, &a, made, len);
        bytes = malloc(len);
        must(bytes != NULL);
        memcpy(bytes, made, len);
        for (; changes--; change += CHANGE)
            bytes[(change[0] << 8 | change[1]) % len] = change[2];
        try_bytes(bytes, len, data, size);
        free(bytes);
    }
    arena_drop(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t changes = size ? data[0] : 0;

    if (size == 0 || size > 1 << 14)
        return 0;
    data++;
    size--;
    if (changes == RAW) {
        try_raw(data, size);
        return 0;
    }
    changes %= 8;
    if (size < changes * CHANGE)
        return 0;
    try_name(data, size);
    try_text(data, changes, data + changes * CHANGE, size - changes * CHANGE);
    return 0;
}
