/* test_net_blob.c - the compiled form from hostile hands: refused, or at worst
 * wrong, but never read beyond its end (the sanitizers look). */
#include "policy/net.h"

#include "net_text.h"

#include "policy/net_pack.h"

static const char policy[] =
    "default allow;"
    "allow 10.0.0.0/8 !10.1.0.0/16 tcp:80 udp:1-99;"
    "allow 10.2.0.0/16 tcp:443;"
    "allow 203.0.113.0/24 2001:db8::/32;"
    "allow +*.example.com www.example.com tcp:443 tcp:80-90;"
    "allow example.org;"
    "deny 192.0.2.0/24 icmp;"
    "deny tcp:25";

static struct nt_policy np;
static struct net_forward publish[] = { { 80, 8080, false } };
static struct net_forward service[] = { { 5432, 5432, true }, { 1, 2, false } };

/* A copy of its own, so that a sanitizer sees what is read behind it. */
struct blob {
    unsigned char *bytes;
    size_t len;
};

static struct blob make(void)
{
    struct arena a = { .limit = 1 << 20 };
    struct blob b;
    struct net_view v;

    nt_read(&np, policy);
    np.p.publish = publish;
    np.p.npublish = 1;
    np.p.service = service;
    np.p.nservices = 2;
    np.p.filtering_proxy = true;
    v = nt_compile(&a, &np.p);
    b.len = v.len;
    b.bytes = malloc(v.len);
    CHECK(b.bytes != NULL);
    memcpy(b.bytes, v.bytes, v.len);
    arena_drop(&a);
    return b;
}

/* Ask whatever walks through the object. */
static void ask_all(const struct net_view *v)
{
    static const char *const questions[] = {
        "tcp 10.2.0.1 443",
        "udp 10.1.0.1 50",
        "icmp 192.0.2.9",
        "tcp 0.0.0.0 0",
        "tcp 255.255.255.255 1",
        "tcp :: 65535",
        "tcp ffff:ffff::ffff 443",
        "tcp 2001:db8::1 25",
        "tcp www.example.com 85",
        "tcp a.b.c.example.com 443",
        "udp example.org 443",
        "icmp example.org",
        "tcp zzz 1",
        "tcp a.a.a.a.a.a.a.a.a.a.a 1",
    };
    char got[128];

    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
        (void)nt_ask(v, questions[i], got);
    (void)net_knows_name(v, "www.example.com");
    (void)net_knows_name(v, "a.b.c.example.com");
    (void)net_knows_name(v, "");
    for (size_t i = 0; i < net_publish_count(v); i++)
        (void)net_publish_at(v, i);
    for (size_t i = 0; i < net_service_count(v); i++)
        (void)net_service_at(v, i);
}

static bool try_open(const void *bytes, size_t len)
{
    struct net_view v = { .len = 77 };
    struct err e = { 0 };

    if (net_open(bytes, len, &v, &e) == 0) {
        ask_all(&v);
        return true;
    }
    CHECK(v.len == 77 && !v.bytes);
    CHECK_INT(e.code, ERR_BACKEND_ERROR);
    CHECK_HAS(e.msg, "network rules refused: ");
    return false;
}

TEST(opens_as_made)
{
    struct blob b = make();

    CHECK(try_open(b.bytes, b.len));
    free(b.bytes);
}

TEST(every_shorter_one_is_refused)
{
    struct blob b = make();

    for (size_t n = 0; n < b.len; n++) {
        unsigned char *copy = malloc(n ? n : 1);

        CHECK(copy != NULL);
        memcpy(copy, b.bytes, n);
        CHECK(!try_open(copy, n));
        free(copy);
    }
    CHECK(!try_open(NULL, 0));
    free(b.bytes);
}

TEST(not_aligned)
{
    struct blob b = make();
    unsigned char *copy = malloc(b.len + 8);

    CHECK(copy != NULL);
    for (size_t shift = 1; shift < 8; shift++) {
        memcpy(copy + shift, b.bytes, b.len);
        CHECK(!try_open(copy + shift, b.len));
    }
    free(copy);
    free(b.bytes);
}

static uint64_t state = 88172645463325252u;

static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % n;
}

TEST(every_byte_changed)
{
    static const unsigned char with[] = { 1, 0x80, 0xff, 0x20 };
    struct blob b = make();

    for (size_t i = 0; i < b.len; i++)
        for (size_t k = 0; k < sizeof(with); k++) {
            b.bytes[i] ^= with[k];
            (void)try_open(b.bytes, b.len);
            b.bytes[i] ^= with[k];
        }
    free(b.bytes);
}

TEST(random_changes)
{
    struct blob b = make();
    unsigned char *copy = malloc(b.len);
    unsigned opened = 0;

    CHECK(copy != NULL);
    for (int i = 0; i < 100000; i++) {
        unsigned changes = 1 + below(4);

        memcpy(copy, b.bytes, b.len);
        while (changes--) {
            size_t at = below((uint32_t)b.len);
            uint32_t word = below(4) ? below(200) : UINT32_MAX - below(3);

            if (below(2))
                copy[at] = (unsigned char)word;
            else if ((at &= ~(size_t)3) + sizeof(word) <= b.len)
                memcpy(copy + at, &word, sizeof(word));
        }
        opened += try_open(copy, b.len);
    }
    printf("# %u of 100000 opened\n", opened);
    CHECK(opened > 1000);
    free(copy);
    free(b.bytes);
}

/* Parts of a blob that may be written to. */
struct parts {
    struct packed_net *head;
    struct packed_block *block;
    struct packed_set *set;
    struct packed_span *span;
    struct packed_name *name;
    struct packed_forward *forward;
    char *text;
};

static struct parts parts_of(const struct blob *b)
{
    struct parts p = { .head = (struct packed_net *)(void *)b->bytes };

    p.block = (struct packed_block *)(p.head + 1);
    p.set = (struct packed_set *)(p.block + p.head->nblocks);
    p.span = (struct packed_span *)(p.set + p.head->nsets);
    p.name = (struct packed_name *)(p.span + p.head->nspans);
    p.forward = (struct packed_forward *)(p.name + p.head->nnames);
    p.text = (char *)(p.forward + p.head->npublish + p.head->nservices);
    return p;
}

/* clang-format off */
#define LEAVE_OUT "its flags leave something out"
#define FAULTS(X)                                                              \
    X(p.head->magic[0]++, "it is of another version")                          \
    X(p.head->version++, "it is of another version")                           \
    X(p.head->flags |= 1u << 31, "it has unknown flags")                       \
    X(p.head->flags &= ~(uint32_t)NET_F_EGRESS, LEAVE_OUT)                     \
    X(p.head->flags &= ~(uint32_t)NET_F_ICMP, LEAVE_OUT)                       \
    X(p.head->flags &= ~(uint32_t)NET_F_NAMES, LEAVE_OUT)                      \
    X(p.head->total--, "its parts do not add up to its size")                  \
    X(p.head->nblocks = UINT32_MAX, "its parts do not add up to its size")     \
    X(p.head->npublish = p.head->nservices = UINT32_MAX,                       \
      "its parts do not add up to its size")                                   \
    X(p.head->ntext++, "its parts do not add up to its size")                  \
    X(p.block[0].bits = 129, "a block is none")                                \
    X(p.block[0].lo = 1, "a block is none")                                    \
    X(p.block[1].reach = p.block[1].bits + 1, "a block is none")               \
    X(p.block[1] = p.block[0], "its blocks are out of order")                  \
    X(p.block[0].parent = 0, "a block has the wrong parent")                   \
    X(p.block[1].parent = 1, "a block has the wrong parent")                   \
    X(p.block[1].parent = NET_NONE, "a block has the wrong parent")            \
    X(p.block[1].parent = UINT32_MAX - 1, "a block has the wrong parent")      \
    X(p.block[0].set = p.head->nsets, "a block has no ports")                  \
    X(p.set[1].first++, "its lists of ports are out of order")                 \
    X(p.set[0].n[0][0]++, "its lists of ports are out of order")               \
    X(p.set[0].n[2][2] = UINT32_MAX, "a list of ports is too long")            \
    X(p.set[p.head->nsets - 1].n[1][0]--, "ports are left over")               \
    X(p.span[0].hi = 0, "its ports are out of order")                          \
    X(p.span[0].list = NET_FROM_DEFAULT, "a rule comes from nowhere")          \
    X(p.span[0].list = NET_FROM_END, "a rule comes from nowhere")              \
    X(p.name[1].text++, "a name is out of bounds")                             \
    X(p.name[0].text = UINT32_MAX, "a name is out of bounds")                  \
    X(p.name[1].set = p.head->nsets, "a name has no ports")                    \
    X(p.text[p.head->ntext - 1] = 'm', "a name is out of bounds")              \
    X(p.text[1] = 'E', "a name is none")                                       \
    X(p.text[2] = '*', "a name is none")                                       \
    X(p.text[0] = '-', "a name is none")                                       \
    X(p.text[0] = 'z', "its names are out of order")                           \
    X(p.text[strlen(p.text) + 2] = '\0', "a name is out of bounds")            \
    X(p.forward[0].is_v6 = 1, "a forwarded port is none")                      \
    X(p.forward[1].is_v6 = 2, "a forwarded port is none")

/* clang-format on */

TEST(each_fault_is_named)
{
#define X(change, text)                                                        \
    do {                                                                       \
        struct blob b = make();                                                \
        struct parts p = parts_of(&b);                                         \
        struct net_view v;                                                     \
        struct err e = { 0 };                                                  \
                                                                               \
        NOTE(#change);                                                         \
        (void)(change);                                                        \
        CHECK(net_open(b.bytes, b.len, &v, &e) == -1);                         \
        CHECK_STR(e.msg, "network rules refused: " text);                      \
        free(b.bytes);                                                         \
    } while (0);
    FAULTS(X)
#undef X
}

T_MAIN()
