/* fuzz_dns.c - any bytes as a query and as a resolver's answer.
 *
 * Checked besides what the sanitizers see: what is taken for a query can be
 * asked again and reads the same; what we answer, our own reader accepts and
 * finds the addresses in; a result's numbers are in bounds. */
#include <stdlib.h>
#include <string.h>

#include "gateway/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Our answer to a query, read as the client would. */
static void check_answer(const struct dns_query *q, unsigned rcode, size_t cap,
                         size_t naddrs)
{
    struct net_addr addr[DNS_ADDRS];
    struct dns_reply r = { .rcode = rcode,
                           .addr = addr,
                           .naddrs = naddrs,
                           .ttl = 77,
                           .why = "policy",
                           .ede = 15 };
    struct dns_sent sent = { .id = q->id,
                             .qtype = q->qtype,
                             .question_len = q->question_len };
    uint8_t *out = malloc(cap ? cap : 1);
    struct dns_result back;
    enum dns_status s;
    size_t n;

    must(out != NULL);
    memset(addr, 0, sizeof(addr));
    for (size_t i = 0; i < naddrs; i++) {
        addr[i].b[10] = addr[i].b[11] = 0xff;
        addr[i].b[15] = (uint8_t)i;
    }
    memcpy(sent.question, q->question, q->question_len);
    n = dns_answer(q, &r, out, cap);
    must(n <= cap);
    must(n > 0 || cap < DNS_QUERY_MAX);
    if (n > 0 && q->opcode == 0 && q->question_len > 0) {
        bool has = (q->qtype == DNS_A || q->qtype == DNS_AAAA) && naddrs > 0;

        s = dns_parse_response(out, n, &sent, &back);
        if (rcode != 0 && rcode != DNS_BADVERS)
            must(s == DNS_FAILED && back.rcode == rcode);
        else if (rcode == 0 && has && out[2] & 2)
            must(s == DNS_TRUNCATED);
        else if (rcode == 0 && has)
            must(s == DNS_FOUND && back.naddrs == naddrs && back.ttl == 77);
        else
            must(s == DNS_NO_DATA);
        for (size_t i = 0; i < back.naddrs && q->qtype == DNS_A; i++)
            must(memcmp(&back.addr[i], &addr[i], sizeof(addr[i])) == 0);
    }
    free(out);
}

static void check_query(const uint8_t *data, size_t size, size_t cap)
{
    struct dns_query q, again;
    struct dns_sent sent;
    uint8_t out[DNS_QUERY_MAX];
    char name[NET_NAME_MAX + 1];
    int r = dns_parse_query(data, size, &q);
    size_t n;

    must(q.question_len <= DNS_QUESTION_MAX);
    if (r < 0)
        return;
    check_answer(&q, (unsigned)r, cap, r ? 0 : cap % (DNS_ADDRS + 1));
    must((r == 0) == (q.name[0] != '\0'));
    if (r != 0)
        return;
    must(net_name_clean(q.name, strlen(q.name), name));
    must(strcmp(q.name, name) == 0);
    must(q.udp_size >= DNS_UDP_MIN);
    /* Its case is the client's choice; anything goes as ours. */
    n = dns_make_query(q.id, q.name, q.qtype, data, &sent, out, sizeof(out));
    must(n > 0 && sent.question_len == q.question_len);
    must(dns_parse_query(out, n, &again) == 0);
    must(strcmp(again.name, q.name) == 0 && again.qtype == q.qtype);
    must(again.id == q.id && again.edns && again.rd);
    must(memcmp(again.question, sent.question, sent.question_len) == 0);
}

static void check_response(const uint8_t *data, size_t size, uint16_t qtype)
{
    static const uint8_t none[32];
    struct dns_sent sent;
    struct dns_result r;
    uint8_t *msg;
    uint8_t out[DNS_QUERY_MAX];
    size_t n =
        dns_make_query(1, "a.example", qtype, none, &sent, out, sizeof(out));
    enum dns_status s;

    /* With our identifier and question in place. */
    must(n > 0);
    if (size < (size_t)DNS_HEADER + sent.question_len)
        return;
    msg = malloc(size);
    must(msg != NULL);
    memcpy(msg, data, size);
    memcpy(msg, out, 2);
    msg[2] = (uint8_t)((msg[2] & 0x87) | 0x80);
    memcpy(msg + 4, out + 4, 2);
    memcpy(msg + DNS_HEADER, sent.question, sent.question_len);
    s = dns_parse_response(msg, size, &sent, &r);
    must(s != DNS_FOREIGN);
    must((s == DNS_FOUND) == (r.naddrs > 0) && r.naddrs <= DNS_ADDRS);
    must(s == DNS_FOUND || r.ttl <= DNS_NEGATIVE_MAX);
    for (size_t i = 0; i < r.naddrs && qtype == DNS_A; i++)
        must(memcmp(r.addr[i].b, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0);
    free(msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_sent sent = { .id = 0 };
    struct dns_result r;

    if (size < 33)
        return 0;
    check_query(data + 1, size - 1, data[0] * 3u);
    check_response(data + 1, size - 1, data[0] & 1 ? DNS_A : DNS_AAAA);
    (void)dns_parse_response(data, size, &sent, &r);
    return 0;
}
