/* test_net_model.c - random policies, random questions: the compiled form
 * answers as a plain loop over the rules does (net_model.h). */
#include "policy/net.h"

#include "net_model.h"
#include "net_text.h"

static uint64_t state = 88172645463325252u;

static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % n;
}

/* Few places, so that rules meet each other, questions and special blocks. */
static const char *const bases[] = {
    "10.0.0.0",
    "10.255.255.255",
    "11.0.0.0",
    "203.0.113.0",
    "203.0.113.0",
    "203.0.113.128",
    "169.254.169.254",
    "169.254.170.2",
    "192.0.0.192",
    "192.168.255.255",
    "100.100.100.200",
    "127.0.0.1",
    "168.63.129.16",
    "223.255.255.255",
    "198.18.0.1",
    "0.0.0.0",
    "2001:db8::",
    "2001:db8::8000:0",
    "2001:db8:1::",
    "fd00:ec2::254",
    "fd6d:7863:6e65:7400::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "64:ff9b::203.0.113.9",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2002:cb00:7107::1",
    "2002:a00:1::1",
    "::1",
    "::203.0.113.9",
    "2001::1",
    "2606:4700::1",
};

static const char *const names[] = {
    "example.com",    "www.example.com", "a.www.example.com",
    "b.example.com",  "example.org",     "com",
    "wwwexample.com", "intranet",        "x.y.z.example.org",
};

static const char *const patterns[] = {
    "example.com",   "www.example.com", "*.example.com",    "*.www.example.com",
    "example.org",   "*.example.org",   "*.z.example.org",  "intranet",
    "B.Example.Com", "+*.example.com",  "+www.example.com", "+example.org",
};

static const uint16_t ports[] = { 1, 22, 79, 80, 81, 442, 443, 444, 65535 };

#define PICK(table) table[below(sizeof(table) / sizeof(table[0]))]

/* An address near one of the bases. */
static struct m_block some_address(void)
{
    struct m_block b;
    unsigned bit = below(128);

    m_block_read(&b, PICK(bases));
    if (below(2))
        b.a[15] ^= (uint8_t)(1u << below(4));
    if (below(4) == 0)
        b.a[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
    return b;
}

static void cut(struct m_block *b)
{
    for (unsigned i = b->bits; i < 128; i++)
        b->a[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
}

static bool is_mapped(const struct m_block *b)
{
    struct m_block mapped;

    m_block_read(&mapped, "::ffff:0:0/96");
    return b->bits >= 96 && m_in(b->a, &mapped);
}

static void write_block(struct buf *out, struct m_block b, bool as_v6)
{
    char text[INET6_ADDRSTRLEN];
    bool v4 = is_mapped(&b) && !as_v6;

    cut(&b);
    CHECK(inet_ntop(v4 ? AF_INET : AF_INET6, b.a + (v4 ? 12 : 0), text,
                    sizeof(text)));
    buf_printf(out, "%s/%u", text, b.bits - (v4 ? 96 : 0));
}

static void write_peer(struct buf *out)
{
    struct m_block b = some_address(), inner;
    bool as_v6 = below(4) == 0;
    unsigned n = below(3);

    if (below(4) == 0) {
        buf_printf(out, " %s", PICK(patterns));
        return;
    }
    b.bits = is_mapped(&b) ? 96 + below(33) : 3 + below(126);
    if (below(2))
        b.bits = 120 + below(9);
    buf_putc(out, ' ');
    write_block(out, b, as_v6);
    while (below(3) == 0 && n--) {
        inner = some_address();
        inner.bits = b.bits + below(129 - b.bits);
        for (unsigned i = 0; i < b.bits; i++) {
            uint8_t bit = (uint8_t)(0x80u >> i % 8);

            inner.a[i / 8] =
                (uint8_t)((inner.a[i / 8] & ~bit) | (b.a[i / 8] & bit));
        }
        buf_puts(out, " !");
        write_block(out, inner, as_v6);
    }
}

static void write_port(struct buf *out)
{
    static const char *const proto[] = { "tcp", "udp", "any", "icmp" };
    const char *p = PICK(proto);
    uint16_t lo = PICK(ports), hi = PICK(ports);

    buf_printf(out, " %s", p);
    if (p[0] == 'i' || below(4) == 0)
        return;
    buf_printf(out, ":%u", lo);
    if (hi >= lo && below(2))
        buf_printf(out, "-%u", hi);
}

static void write_policy(struct buf *out)
{
    static const char *const start[] = {
        "allow", "allow", "net allow", "host allow", "deny", "denynet deny"
    };
    unsigned rules = below(10);

    if (below(3) == 0)
        buf_puts(out, "default allow;");
    for (unsigned i = 0; i < rules; i++) {
        unsigned peers = below(8) ? 1 + below(3) : 0, nports = below(4);

        buf_puts(out, PICK(start));
        while (peers--)
            write_peer(out);
        while (nports--)
            write_port(out);
        buf_putc(out, ';');
    }
}

static struct nt_policy np;
static struct m_policy model;

/* May it be refused?  Looks for the reasons that random policies have. */
static bool has_reason(const struct m_policy *m)
{
    struct m_block v4;
    unsigned bits;
    bool everything = m->default_allow;

    m_block_read(&v4, "::ffff:0:0");
    for (size_t i = 0; i < m->n; i++)
        everything |= m->rule[i].source->action == NET_ALLOW &&
                      m->rule[i].source->rule->nto == 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct net_source *s = m->rule[i].source;

        for (size_t k = 0; k < s->rule->nto; k++) {
            const struct m_peer *to = &m->rule[i].to[k];

            if (to->host && s->action == NET_DENY && everything)
                return true;
            if (to->host)
                continue;
            if (to->block.bits < 96 && m_in(v4.a, &to->block))
                return true;
            if (s->action == NET_ALLOW &&
                m_classify(m, to->block.a, &bits) == NET_NEVER)
                return true;
        }
    }
    return false;
}

static void check_same(const char *policy, const char *question,
                       const struct net_verdict *got,
                       const struct net_verdict *want)
{
    char g[128], w[128];

    if (got->is_allowed == want->is_allowed && got->why == want->why &&
        got->origin.list == want->origin.list &&
        got->origin.index == want->origin.index &&
        got->intranet == want->intranet)
        return;
    nt_print(got, g);
    nt_print(want, w);
    NOTE(policy);
    T_FAIL("%s: got %s, want %s", question, g, w);
}

static void ask_address(const struct net_view *v, const char *policy)
{
    struct m_block b = some_address();
    enum net_proto proto = (enum net_proto)below(NET_PROTOS);
    uint16_t port = PICK(ports);
    bool own = below(8) == 0;
    struct net_verdict got, want;
    struct net_addr a;
    char text[96], shown[48];

    memcpy(a.b, b.a, sizeof(a.b));
    net_decide(v, &a, proto, port, own, &got);
    m_decide(&model, b.a, proto, port, own, &want);
    net_addr_print(&a, shown);
    (void)snprintf(text, sizeof(text), "%d %s %u%s", proto, shown, port,
                   own ? " own" : "");
    check_same(policy, text, &got, &want);
}

static void ask_name(const struct net_view *v, const char *policy)
{
    const char *name = PICK(names);
    enum net_proto proto = (enum net_proto)below(NET_PROTOS);
    uint16_t port = PICK(ports);
    struct net_verdict got, want;
    enum net_known known;

    net_decide_name(v, name, proto, port, &got);
    m_decide_name(&model, name, proto, port, &want, &known);
    check_same(policy, name, &got, &want);
    if (below(8) == 0) {
        NOTE(policy);
        if (net_knows_name(v, name) != m_knows(&model, name))
            T_FAIL("%s: known %d, want %d", name, net_knows_name(v, name),
                   m_knows(&model, name));
    }
}

static unsigned allowed_to_compile;

static void one_policy(unsigned questions)
{
    struct buf text = { .max = sizeof(np.text) - 1 };
    struct arena a = { .limit = 4 << 20 };
    struct err e = { 0 };
    struct net_view v;
    void *bytes;
    size_t len;

    buf_puts(&text, "");
    write_policy(&text);
    CHECK(!text.failed);
    nt_read(&np, text.data);
    m_read(&model, &np.p);
    if (net_compile(&a, &np.p, &bytes, &len, &e) < 0) {
        NOTE(text.data);
        if (e.code != ERR_POLICY_VALIDATION || !has_reason(&model))
            T_FAIL("%s: %s", e.where, e.msg);
    } else {
        allowed_to_compile++;
        NOTE(text.data);
        if (net_open(bytes, len, &v, &e) < 0)
            T_FAIL("%s", e.msg);
        while (questions--) {
            if (below(4))
                ask_address(&v, text.data);
            else
                ask_name(&v, text.data);
        }
    }
    NOTE("");
    buf_drop(&text);
    arena_drop(&a);
}

TEST(compiled_as_defined)
{
    for (int i = 0; i < 40000; i++)
        one_policy(100);
    printf("# %u policies\n", allowed_to_compile);
    /* The generator must not tire. */
    CHECK(allowed_to_compile > 16000);
}

TEST(classes_as_defined)
{
    struct net_policy none = { 0 };

    m_read(&model, &none);
    for (int i = 0; i < 300000; i++) {
        struct m_block b = some_address();
        struct net_addr a;
        unsigned got = 77, want;
        char shown[48];

        memcpy(a.b, b.a, sizeof(a.b));
        net_addr_print(&a, shown);
        NOTE(shown);
        CHECK_INT(net_classify(&a, &got), m_classify(&model, b.a, &want));
        CHECK_INT(got, want);
    }
}

T_MAIN()
