/* test_gw_dns.c - messages of the domain name system, both directions. */
#include "gateway/dns.h"

#include "t.h"

#include "base/scoped.h"

#define L(text) text, sizeof(text) - 1

/* id 0x1234, RD, one question; then the counts of the other sections. */
#define HEAD    "\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0"
#define HEAD_AR "\x12\x34\x01\x00\x00\x01\0\0\0\0\0\x01"
#define NAME                                                                   \
    "\x03"                                                                     \
    "API"                                                                      \
    "\x07"                                                                     \
    "eXample"                                                                  \
    "\x03"                                                                     \
    "com"                                                                      \
    "\0"
#define OPT(size, flags) "\0\0\x29" size "\0\0" flags "\0\0"

static const uint8_t no_case[32];

static int parse(const char *text, size_t len, struct dns_query *q)
{
    /* A copy of its own, so that a byte too far is seen. */
    uint8_t *copy = malloc(len ? len : 1);
    int r;

    CHECK(copy != NULL);
    memcpy(copy, text, len);
    r = dns_parse_query(copy, len, q);
    free(copy);
    return r;
}

TEST(a_query)
{
    struct dns_query q;

    CHECK_INT(parse(L(HEAD NAME "\0\x1c\0\x01"), &q), 0);
    CHECK_STR(q.name, "api.example.com");
    CHECK_INT(q.id, 0x1234);
    CHECK_INT(q.qtype, DNS_AAAA);
    CHECK_INT(q.udp_size, 512);
    CHECK(q.rd && !q.cd && !q.edns && !q.dnssec_ok);
    CHECK_INT(q.question_len, sizeof(NAME "\0\x1c\0\x01") - 1);
    CHECK(memcmp(q.question, NAME, sizeof(NAME) - 1) == 0);
    CHECK_INT(
        parse(L(HEAD_AR NAME "\0\x01\0\x01" OPT("\x04\xd0", "\x80\0")), &q), 0);
    CHECK(q.edns && q.dnssec_ok);
    CHECK_INT(q.udp_size, 1232);
    CHECK_INT(parse(L(HEAD_AR NAME "\0\x01\0\x01" OPT("\0\x10", "\0\0")), &q),
              0);
    CHECK_INT(q.udp_size, 512);
    CHECK(q.edns && !q.dnssec_ok);
}

/* clang-format off */
static const struct {
    const char *bytes;
    size_t len;
    int result;
    int question;   /* may it be echoed? */
} refused[] = {
    { L(""), -1, 0 },
    { L("\x12\x34\x01\x00\x00\x01\0\0\0\0\0"), -1, 0 },
    { L("\x12\x34\x81\x00\x00\x01\0\0\0\0\0\0" NAME "\0\x01\0\x01"), -1, 0 },
    { L(HEAD), DNS_FORMERR, 0 },
    { L("\x12\x34\x28\x00\x00\x01\0\0\0\0\0\0" NAME "\0\x06\0\x01"),
      DNS_NOTIMP, 0 },
    { L("\x12\x34\x08\x00\x00\x01\0\0\0\0\0\0"), DNS_NOTIMP, 0 },
    { L("\x12\x34\x03\x00\x00\x01\0\0\0\0\0\0" NAME "\0\x01\0\x01"),
      DNS_FORMERR, 0 },
    { L("\x12\x34\x01\x00\0\0\0\0\0\0\0\0"), DNS_FORMERR, 0 },
    { L("\x12\x34\x01\x00\0\x02\0\0\0\0\0\0" NAME "\0\x01\0\x01"
        NAME "\0\x01\0\x01"), DNS_FORMERR, 0 },
    { L("\x12\x34\x01\x00\0\x01\0\x01\0\0\0\0" NAME "\0\x01\0\x01"),
      DNS_FORMERR, 0 },
    { L("\x12\x34\x01\x00\0\x01\0\0\0\x01\0\0" NAME "\0\x01\0\x01"),
      DNS_FORMERR, 0 },
    { L(HEAD NAME "\0\x01\0"), DNS_FORMERR, 0 },
    { L(HEAD "\x03" "api"), DNS_FORMERR, 0 },
    { L(HEAD "\x04" "api"), DNS_FORMERR, 0 },
    { L(HEAD "\xc0\x0c\0\x01\0\x01"), DNS_FORMERR, 0 },
    { L(HEAD "\x03" "api\xc0\x0c\0\x01\0\x01"), DNS_FORMERR, 0 },
    { L(HEAD "\x40" "api\0\0\x01\0\x01"), DNS_FORMERR, 0 },
    { L(HEAD NAME "\0\x01\0\x01" "x"), DNS_FORMERR, 1 },
    { L(HEAD_AR NAME "\0\x01\0\x01"), DNS_FORMERR, 1 },
    { L(HEAD_AR NAME "\0\x01\0\x01" "\0\0\x01\0\x01\0\0\0\0\0\0"),
      DNS_FORMERR, 1 },
    { L(HEAD_AR NAME "\0\x01\0\x01" "\x01" "a\0\0\x29\x04\0\0\0\0\0\0\0"),
      DNS_FORMERR, 1 },
    { L(HEAD_AR NAME "\0\x01\0\x01" "\0\0\x29\x04\0\0\0\0\0\0\x01"),
      DNS_FORMERR, 1 },
    { L(HEAD_AR NAME "\0\x01\0\x01" OPT("\x04\0", "\0\0") "x"),
      DNS_FORMERR, 1 },
    { L(HEAD_AR NAME "\0\x01\0\x01" "\0\0\x29\x04\0\0\x01\0\0\0\0"),
      DNS_BADVERS, 1 },
    { L(HEAD NAME "\0\x01\0\x03"), DNS_REFUSED, 1 },
    { L(HEAD NAME "\0\x01\0\xff"), DNS_REFUSED, 1 },
    { L(HEAD "\0\0\x02\0\x01"), DNS_REFUSED, 1 },
    { L(HEAD "\x09localhost\0\0\x01\0\x01"), DNS_REFUSED, 1 },
    { L(HEAD "\x03" "a.b\x03" "com\0\0\x01\0\x01"), DNS_REFUSED, 1 },
    { L(HEAD "\x03" "a\0b\x03" "com\0\0\x01\0\x01"), DNS_REFUSED, 1 },
    { L(HEAD "\x03" "a b\x03" "com\0\0\x01\0\x01"), DNS_REFUSED, 1 },
    { L(HEAD "\x02\xc3\xa4\x03" "com\0\0\x01\0\x01"), DNS_REFUSED, 1 },
    { L(HEAD "\x03" "127\x01" "1\0\0\x01\0\x01"), DNS_REFUSED, 1 },
};
/* clang-format on */

TEST(queries_that_are_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        char note[32];
        struct dns_query q;

        (void)snprintf(note, sizeof(note), "row %zu", i);
        NOTE(note);
        CHECK_INT(parse(refused[i].bytes, refused[i].len, &q),
                  refused[i].result);
        CHECK_STR(q.name, "");
        CHECK_INT(q.question_len > 0, refused[i].question);
    }
}

TEST(long_names)
{
    /* Four labels of 61 and one of `last`: 4 * 62 + 1 + last + 1 bytes. */
    for (size_t last = 1; last < 9; last++) {
        uint8_t bytes[400] = HEAD;
        struct dns_query q;
        size_t n = 12;

        for (int i = 0; i < 4; i++) {
            bytes[n++] = 61;
            memset(bytes + n, 'a', 61);
            n += 61;
        }
        bytes[n++] = (uint8_t)last;
        memset(bytes + n, 'b', last);
        n += last;
        memcpy(bytes + n, "\0\0\x01\0\x01", 5);
        n += 5;
        CHECK_INT(dns_parse_query(bytes, n, &q), last <= 5 ? 0 : DNS_FORMERR);
        CHECK_INT(strlen(q.name), last <= 5 ? 248 + last : 0);
    }
}

TEST(a_cut_query_is_never_one)
{
    static const char whole[] =
        HEAD_AR NAME "\0\x01\0\x01" OPT("\x04\xd0", "\x80\0");
    struct dns_query q;

    for (size_t n = 0; n < sizeof(whole) - 1; n++)
        CHECK_INT(parse(whole, n, &q), n < 12 ? -1 : DNS_FORMERR);
}

static void hex(const uint8_t *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", p[i]);
    out[2 * n] = '\0';
}

TEST(answers)
{
    struct net_addr addr[2] = { { { [10] = 0xff, 0xff, 192, 0, 2, 1 } },
                                { { 0x20, 1, 0xd, 0xb8, [15] = 1 } } };
    struct dns_reply r = { .addr = addr, .naddrs = 1, .ttl = 60 };
    struct dns_query q;
    uint8_t out[512];
    char text[1100];

    CHECK_INT(parse(L(HEAD NAME "\0\x01\0\x01"), &q), 0);
    hex(out, dns_answer(&q, &r, out, sizeof(out)), text);
    CHECK_STR(text, "123481800001000100000000"
                    "03415049076558616d706c6503636f6d0000010001"
                    "c00c000100010000003c0004c0000201");
    r.addr = addr + 1;
    q.qtype = DNS_AAAA;
    q.question[q.question_len - 3] = DNS_AAAA;
    hex(out, dns_answer(&q, &r, out, sizeof(out)), text);
    CHECK_STR(text, "123481800001000100000000"
                    "03415049076558616d706c6503636f6d00001c0001"
                    "c00c001c00010000003c0010"
                    "20010db8000000000000000000000001");
    /* No address has another type. */
    q.qtype = DNS_HTTPS;
    q.question[q.question_len - 3] = DNS_HTTPS;
    q.cd = true;
    hex(out, dns_answer(&q, &r, out, sizeof(out)), text);
    CHECK_STR(text, "123481900001000000000000"
                    "03415049076558616d706c6503636f6d0000410001");
    /* Nor has an error. */
    q.qtype = DNS_AAAA;
    q.edns = q.dnssec_ok = true;
    q.cd = q.rd = false;
    r.rcode = DNS_REFUSED;
    r.why = "no";
    r.ede = DNS_EDE_PROHIBITED;
    hex(out, dns_answer(&q, &r, out, sizeof(out)), text);
    CHECK_STR(text, "123480850001000000000001"
                    "03415049076558616d706c6503636f6d0000410001"
                    "00002904d0000080000008000f000400126e6f");
    /* A version of EDNS that we do not speak. */
    r.rcode = DNS_BADVERS;
    r.why = NULL;
    q.dnssec_ok = false;
    q.question_len = 0;
    hex(out, dns_answer(&q, &r, out, sizeof(out)), text);
    CHECK_STR(text, "123480800000000000000001"
                    "00002904d0010000000000");
    q.opcode = 5;
    q.edns = false;
    r.rcode = DNS_NOTIMP;
    hex(out, dns_answer(&q, &r, out, sizeof(out)), text);
    CHECK_STR(text, "1234a8840000000000000000");
}

TEST(answers_keep_to_their_size)
{
    struct net_addr addr[100] = { { { 0 } } };
    struct dns_reply r = { .addr = addr, .naddrs = 100, .why = "a reason" };
    struct dns_query q;

    CHECK_INT(parse(L(HEAD_AR NAME "\0\x01\0\x01" OPT("\x04\0", "\0\0")), &q),
              0);
    for (size_t cap = 0; cap < 2000; cap++) {
        uint8_t *out = malloc(cap ? cap : 1);
        size_t n;

        CHECK(out != NULL);
        n = dns_answer(&q, &r, out, cap);
        CHECK(n <= cap);
        CHECK((n == 0) == (cap < 12 + 21 + 11));
        if (n > 0) {
            bool all = out[7] == 100;

            CHECK_INT((out[2] & 2) != 0, !all);
            CHECK_INT(all, cap >= 12 + 21 + 1600 + 11);
            CHECK_INT(out[11], 1);
        }
        free(out);
    }
    r.naddrs = 0;
    for (size_t cap = 44; cap < 100; cap++) {
        uint8_t out[100];
        size_t text = cap < 50 ? 0 : cap - 50 < 8 ? cap - 50 : 8;

        CHECK_INT(dns_answer(&q, &r, out, cap), cap < 50 ? 44 : 50 + text);
        CHECK_INT(out[2] & 2, 0);
    }
}

TEST(a_query_to_a_resolver)
{
    uint8_t out[DNS_QUERY_MAX], all[32];
    struct dns_sent sent;
    char text[1100], longest[254];

    hex(out,
        dns_make_query(0xbeef, "a1.example", DNS_A, no_case, &sent, out,
                       sizeof(out)),
        text);
    CHECK_STR(text, "beef01000001000000000001"
                    "026131076578616d706c65000001000100002904d0000000000000");
    memset(all, 0xff, sizeof(all));
    hex(out,
        dns_make_query(1, "a1-z.example", DNS_AAAA, all, &sent, out,
                       sizeof(out)),
        text);
    CHECK_STR(text,
              "000101000001000000000001"
              "0441312d5a074558414d504c4500001c000100002904d0000000000000");
    CHECK_INT(sent.qtype, DNS_AAAA);
    CHECK_INT(dns_make_query(1, "", 1, all, &sent, out, sizeof(out)), 0);
    CHECK_INT(dns_make_query(1, "a..b", 1, all, &sent, out, sizeof(out)), 0);
    CHECK_INT(dns_make_query(1, "a.", 1, all, &sent, out, sizeof(out)), 0);
    CHECK_INT(dns_make_query(1, "a.b", 1, all, &sent, out, 31), 0);
    CHECK_INT(dns_make_query(1, "a.b", 1, all, &sent, out, 32), 32);
    memset(longest, 'a', 253);
    longest[253] = '\0';
    CHECK_INT(dns_make_query(1, longest, 1, all, &sent, out, sizeof(out)), 0);
    longest[63] = longest[127] = longest[191] = '.';
    CHECK_INT(dns_make_query(1, longest, 1, all, &sent, out, sizeof(out)),
              DNS_QUERY_MAX);
}

/* --- answers of a resolver ------------------------------------------- */

/* The asked name, a.b, is at 12; answers begin at 21. */
#define RHEAD(flags, an, ns)                                                   \
    "\0\x07" flags "\0\x01\0" an "\0" ns "\0\0"                                \
    "\x01"                                                                     \
    "a\x01"                                                                    \
    "b\0\0\x01\0\x01"
#define OK               "\x81\x80"
#define ME               "\xc0\x0c"
#define A(ttl, last)     "\0\x01\0\x01\0\0\0" ttl "\0\x04\xc0\0\x02" last
#define CNAME(ttl, size) "\0\x05\0\x01\0\0\0" ttl "\0" size
#define C_B                                                                    \
    "\x01"                                                                     \
    "c\x01"                                                                    \
    "b\0" /* 5 bytes */
#define SOA(ttl, min)                                                          \
    "\0\x06\0\x01\0\0\0" ttl "\0\x18" ME ME                                    \
    "\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0" min

static enum dns_status answer(const char *text, size_t len,
                              struct dns_result *out)
{
    struct dns_sent sent;
    uint8_t query[DNS_QUERY_MAX], *copy = malloc(len ? len : 1);
    enum dns_status s;

    CHECK(copy != NULL);
    CHECK(dns_make_query(7, "a.b", DNS_A, no_case, &sent, query,
                         sizeof(query)) > 0);
    memcpy(copy, text, len);
    s = dns_parse_response(copy, len, &sent, out);
    free(copy);
    return s;
}

/* clang-format off */
static const struct {
    const char *bytes;
    size_t len;
    enum dns_status status;
    const char *last;   /* last bytes of the addresses */
    unsigned ttl, rcode;
} answered[] = {
    { L(RHEAD(OK, "\x01", "\0") ME A("\x3c", "\x05")),
      DNS_FOUND, "\x05", 60, 0 },
    { L(RHEAD(OK, "\x02", "\0") ME A("\x3c", "\x05") ME A("\x0a", "\x06")),
      DNS_FOUND, "\x05\x06", 10, 0 },
    { L(RHEAD(OK, "\x01", "\0") "\x01" "A\x01" "B\0" A("\x3c", "\x05")),
      DNS_FOUND, "\x05", 60, 0 },
    /* what belongs to another name, type or class is passed over */
    { L(RHEAD(OK, "\x02", "\0") C_B A("\x3c", "\x06") ME A("\x3c", "\x05")),
      DNS_FOUND, "\x05", 60, 0 },
    { L(RHEAD(OK, "\x02", "\0") ME "\0\x1c\0\x01\0\0\0\x01\0\x10"
        "0123456789abcdef" ME A("\x3c", "\x05")), DNS_FOUND, "\x05", 60, 0 },
    { L(RHEAD(OK, "\x02", "\0") ME "\0\x01\0\x03\0\0\0\x01\0\x04" "0123"
        ME A("\x3c", "\x05")), DNS_FOUND, "\x05", 60, 0 },
    { L(RHEAD(OK, "\x01", "\0") C_B A("\x3c", "\x06")),
      DNS_NO_DATA, "", 0, 0 },
    /* aliases, in any order */
    { L(RHEAD(OK, "\x02", "\0") ME CNAME("\x09", "\x05") C_B
        C_B A("\x3c", "\x05")), DNS_FOUND, "\x05", 9, 0 },
    { L(RHEAD(OK, "\x02", "\0") C_B A("\x08", "\x05")
        ME CNAME("\x09", "\x05") "\x01" "C\x01" "B\0"),
      DNS_FOUND, "\x05", 8, 0 },
    { L(RHEAD(OK, "\x02", "\0") ME CNAME("\x09", "\x04") "\x01" "c\xc0\x0e"
        "\xc0\x21" A("\x3c", "\x05")), DNS_FOUND, "\x05", 9, 0 },
    { L(RHEAD(OK, "\x01", "\0") ME CNAME("\x09", "\x05") C_B),
      DNS_NO_DATA, "", 0, 0 },
    { L(RHEAD(OK, "\x02", "\0") ME CNAME("\x09", "\x05") C_B
        ME A("\x3c", "\x05")), DNS_BAD, "", 0, 0 },
    { L(RHEAD(OK, "\x01", "\0") ME CNAME("\x09", "\x02") ME),
      DNS_BAD, "", 0, 0 },
    { L(RHEAD(OK, "\x02", "\0") ME CNAME("\x09", "\x05") C_B
        C_B CNAME("\x09", "\x02") ME), DNS_BAD, "", 0, 0 },
    { L(RHEAD(OK, "\x01", "\0") ME CNAME("\x09", "\x06") C_B "x"),
      DNS_BAD, "", 0, 0 },
    { L(RHEAD(OK, "\x01", "\0") ME CNAME("\x09", "\x04") C_B),
      DNS_BAD, "", 0, 0 },
    /* no addresses */
    { L(RHEAD(OK, "\0", "\0")), DNS_NO_DATA, "", 0, 0 },
    { L(RHEAD(OK, "\0", "\x01") ME SOA("\x3c", "\x0f")),
      DNS_NO_DATA, "", 15, 0 },
    { L(RHEAD(OK, "\0", "\x02") ME A("\x01", "\x05") ME SOA("\x3c", "\x0f")),
      DNS_NO_DATA, "", 15, 0 },
    { L(RHEAD(OK, "\0", "\x01") ME SOA("\x0b", "\x0f")),
      DNS_NO_DATA, "", 11, 0 },
    { L(RHEAD("\x81\x83", "\0", "\x01") ME SOA("\x3c", "\x0f")),
      DNS_NO_NAME, "", 15, 3 },
    { L(RHEAD("\x81\x83", "\x01", "\x01") ME CNAME("\x09", "\x05") C_B
        ME SOA("\x3c", "\x0f")), DNS_NO_NAME, "", 9, 3 },
    { L(RHEAD(OK, "\0", "\x01") ME "\0\x06\0\x01\0\0\0\x01\0\x04" ME ME),
      DNS_NO_DATA, "", 0, 0 },
    { L(RHEAD(OK, "\0", "\x01") "\xc0"), DNS_NO_DATA, "", 0, 0 },
    { L(RHEAD("\x81\x82", "\0", "\0")), DNS_FAILED, "", 0, 2 },
    { L(RHEAD("\x81\x85", "\0", "\0")), DNS_FAILED, "", 0, 5 },
    { L("\0\x07\x80\x01\0\0\0\0\0\0\0\0"), DNS_FAILED, "", 0, 1 },
    { L("\0\x07\x80\x00\0\0\0\0\0\0\0\0"), DNS_FOREIGN, "", 0, 0 },
    { L(RHEAD("\x83\x80", "\x01", "\0")), DNS_TRUNCATED, "", 0, 0 },
    /* no answer to ours */
    { L(""), DNS_FOREIGN, "", 0, 0 },
    { L("\0\x07\x81\x80\0\x01\0\0\0\0\0"), DNS_FOREIGN, "", 0, 0 },
    { L("\0\x08\x81\x80\0\x01\0\0\0\0\0\0\x01" "a\x01" "b\0\0\x01\0\x01"),
      DNS_FOREIGN, "", 0, 0 },
    { L("\0\x07\x01\x80\0\x01\0\0\0\0\0\0\x01" "a\x01" "b\0\0\x01\0\x01"),
      DNS_FOREIGN, "", 0, 0 },
    { L("\0\x07\xa1\x80\0\x01\0\0\0\0\0\0\x01" "a\x01" "b\0\0\x01\0\x01"),
      DNS_FOREIGN, "", 0, 0 },
    { L("\0\x07\x81\x80\0\x01\0\0\0\0\0\0\x01" "A\x01" "b\0\0\x01\0\x01"),
      DNS_FOREIGN, "", 0, 0 },
    { L("\0\x07\x81\x80\0\x01\0\0\0\0\0\0\x01" "a\x01" "b\0\0\x1c\0\x01"),
      DNS_FOREIGN, "", 0, 0 },
    { L("\0\x07\x81\x80\0\x01\0\0\0\0\0\0\x01" "a\x01" "b\0\0\x01\0\x03"),
      DNS_FOREIGN, "", 0, 0 },
    { L("\0\x07\x81\x80\0\x01\0\0\0\0\0\0\x01" "a\x01" "b\0\0\x01\0"),
      DNS_FOREIGN, "", 0, 0 },
    { L("\0\x07\x81\x80\0\x02\0\0\0\0\0\0\x01" "a\x01" "b\0\0\x01\0\x01"),
      DNS_FOREIGN, "", 0, 0 },
    /* malformed */
    { L(RHEAD(OK, "\x01", "\0")), DNS_BAD, "", 0, 0 },
    { L(RHEAD(OK, "\x02", "\0") ME A("\x3c", "\x05")), DNS_BAD, "", 0, 0 },
    { L(RHEAD(OK, "\x01", "\0") ME "\0\x01\0\x01\0\0\0\x01\0\x05" "01234"),
      DNS_BAD, "", 0, 0 },
    { L(RHEAD(OK, "\x01", "\0") ME "\0\x01\0\x01\0\0\0\x01\0\x04" "012"),
      DNS_BAD, "", 0, 0 },
    { L(RHEAD(OK, "\x01", "\0") "\xc0\x15" A("\x3c", "\x05")),
      DNS_BAD, "", 0, 0 },
    { L(RHEAD(OK, "\x01", "\0") "\xc0\x17" A("\x3c", "\x05")),
      DNS_BAD, "", 0, 0 },
    { L(RHEAD(OK, "\x01", "\0") "\xc0\x02" A("\x3c", "\x05")),
      DNS_BAD, "", 0, 0 },
    { L(RHEAD(OK, "\x01", "\0") "\xc0"), DNS_BAD, "", 0, 0 },
    { L(RHEAD(OK, "\x01", "\0") "\x80\x0c" A("\x3c", "\x05")),
      DNS_BAD, "", 0, 0 },
    { L(RHEAD(OK, "\x01", "\0") "\x3f" "x"), DNS_BAD, "", 0, 0 },
};
/* clang-format on */

TEST(answers_of_a_resolver)
{
    for (size_t i = 0; i < ARRAY_LEN(answered); i++) {
        char note[32];
        struct dns_result r;

        (void)snprintf(note, sizeof(note), "row %zu", i);
        NOTE(note);
        CHECK_INT(answer(answered[i].bytes, answered[i].len, &r),
                  answered[i].status);
        CHECK_INT(r.naddrs, strlen(answered[i].last));
        for (size_t j = 0; j < r.naddrs; j++)
            CHECK(memcmp(r.addr[j].b + 10, "\xff\xff\xc0\0\x02", 5) == 0 &&
                  r.addr[j].b[15] == (uint8_t)answered[i].last[j]);
        CHECK_INT(r.ttl, answered[i].ttl);
        CHECK_INT(r.rcode, answered[i].rcode);
    }
}

TEST(a_ttl_beyond_all_measure)
{
    struct dns_result r;

    CHECK_INT(
        answer(L(RHEAD(OK, "\x01", "\0") ME "\0\x01\0\x01\x80\0\0\x01\0\x04"
                                            "0123"),
               &r),
        DNS_FOUND);
    CHECK_INT(r.ttl, 0);
    CHECK_INT(answer(L(RHEAD(OK, "\0", "\x01") ME
                       "\0\x06\0\x01\0\x01\0\0\0\x18" ME ME "0123456789abcdef"
                       "\0\x01\0\0"),
                     &r),
              DNS_NO_DATA);
    CHECK_INT(r.ttl, DNS_NEGATIVE_MAX);
}

/* A chain a.b -> 0.b -> 1.b ... of `n` aliases, with an address at its end. */
static size_t make_chain(uint8_t *out, int n)
{
    static const char head[] = RHEAD(OK, "\0", "\0");
    size_t len = sizeof(head) - 1;

    memcpy(out, head, len);
    out[7] = (uint8_t)(n + 1);
    for (int i = 0; i <= n; i++) {
        const uint8_t owner[] = { 1, (uint8_t)(i ? '0' + i : 'a'), 1, 'b', 0 };
        const uint8_t target[] = { 1, (uint8_t)('1' + i), 1, 'b', 0 };

        memcpy(out + len, owner, sizeof(owner));
        len += sizeof(owner);
        if (i < n) {
            memcpy(out + len, CNAME("\x09", "\x05"), 10);
            memcpy(out + len + 10, target, 5);
            len += 15;
        } else {
            memcpy(out + len, A("\x09", "\x05"), 14);
            len += 14;
        }
    }
    return len;
}

TEST(chains_are_bounded)
{
    uint8_t bytes[1000];
    struct dns_result r;

    for (int n = 0; n < 20; n++) {
        size_t len = make_chain(bytes, n);

        CHECK_INT(answer((const char *)bytes, len, &r),
                  n <= 16 ? DNS_FOUND : DNS_BAD);
        CHECK_INT(r.naddrs, n <= 16);
    }
}

TEST(many_addresses)
{
    static const char head[] = RHEAD(OK, "\x28", "\0");
    uint8_t bytes[2000];
    size_t len = sizeof(head) - 1;
    struct dns_result r;

    memcpy(bytes, head, len);
    for (int i = 0; i < 40; i++, len += 16)
        memcpy(bytes + len, ME A("\x3c", "\x05"), 16);
    CHECK_INT(answer((const char *)bytes, len, &r), DNS_FOUND);
    CHECK_INT(r.naddrs, DNS_ADDRS);
    bytes[6] = 1; /* 296 records */
    CHECK_INT(answer((const char *)bytes, len, &r), DNS_BAD);
}

TEST(the_case_must_come_back)
{
    uint8_t out[DNS_QUERY_MAX], upper[32] = { 0xff };
    struct dns_result r;
    struct dns_sent sent;
    size_t n =
        dns_make_query(7, "a.b", DNS_AAAA, upper, &sent, out, sizeof(out));

    out[2] |= 0x80;
    CHECK_INT(dns_parse_response(out, n, &sent, &r), DNS_NO_DATA);
    out[13] |= 0x20;
    CHECK_INT(dns_parse_response(out, n, &sent, &r), DNS_FOREIGN);
}

T_MAIN()
