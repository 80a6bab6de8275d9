/* dns.h - messages of the domain name system, read and written.
 *
 * Towards the sandbox: one question in, one answer out.  Towards a resolver
 * of the host: one question out, its answer in.  Pure; nothing is cached and
 * nothing is decided here. */
#ifndef MXC_GATEWAY_DNS_H
#define MXC_GATEWAY_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/net.h"

enum {
    DNS_HEADER = 12,
    DNS_WIRE_NAME_MAX = 255,                  /* RFC 1035 2.3.4 */
    DNS_QUESTION_MAX = DNS_WIRE_NAME_MAX + 4, /* name, type, class */
    DNS_UDP_MIN = 512,                        /* RFC 1035 4.2.1 */
    DNS_UDP_SIZE = 1232,                      /* what we ask and offer */
    DNS_QUERY_MAX = DNS_HEADER + DNS_QUESTION_MAX + 11,
    DNS_ADDRS = 16,        /* addresses of one result */
    DNS_NEGATIVE_MAX = 300 /* seconds */
};

/* Second word of the header (RFC 1035 4.1.1, RFC 4035 3.2.2). */
enum dns_flag {
    DNS_QR = 0x8000,
    DNS_TC = 0x0200,
    DNS_RD = 0x0100,
    DNS_RA = 0x0080,
    DNS_CD = 0x0010
};

enum { DNS_IN = 1 }; /* the class */

enum dns_type {
    DNS_A = 1,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_AAAA = 28,
    DNS_OPT = 41,
    DNS_SVCB = 64,
    DNS_HTTPS = 65
};

/* RFC 1035 4.1.1, RFC 6891 9. */
enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_BADVERS = 16
};

/* Extended errors that a gateway has use for, RFC 8914 4. */
enum dns_ede {
    DNS_EDE_OTHER = 0,
    DNS_EDE_BLOCKED = 15,
    DNS_EDE_FILTERED = 17,
    DNS_EDE_PROHIBITED = 18,
    DNS_EDE_NO_AUTHORITY = 22,
    DNS_EDE_NETWORK_ERROR = 23
};

/* --- towards the sandbox --------------------------------------------- */

struct dns_query {
    uint16_t id;
    uint16_t qtype;
    uint16_t udp_size; /* the largest answer by UDP, 512 at least */
    uint8_t opcode;
    bool rd;   /* recursion desired */
    bool cd;   /* checking disabled */
    bool edns; /* the query had an OPT record */
    bool dnssec_ok;
    char name[NET_NAME_MAX + 1]; /* clean, "" when the query was refused */
    uint16_t question_len;       /* 0: there was none that could be read */
    uint8_t question[DNS_QUESTION_MAX]; /* as it came, to be echoed */
};

/* 0, or the rcode of the answer that is due (*out is what dns_answer needs
 * for it), or -1 for what deserves none: too short, or itself an answer. */
int dns_parse_query(const uint8_t *bytes, size_t len, struct dns_query *out);

/* All-zero: no error and no record, which is how a name exists without the
 * asked type. */
struct dns_reply {
    unsigned rcode; /* enum dns_rcode */
    const struct net_addr *addr;
    size_t naddrs; /* only for a query of type A (IPv4) or AAAA */
    uint32_t ttl;
    const char *why; /* text of an extended error (RFC 8914), or NULL */
    uint16_t ede;    /* its code, enum dns_ede; only with `why` */
};

/* Writes the answer; returns its length.  Addresses that do not fit in `cap`
 * are left out and the answer says so (TC), so that the client asks by TCP.
 * 0: not even the question fits. */
size_t dns_answer(const struct dns_query *q, const struct dns_reply *r,
                  uint8_t *out, size_t cap);

/* --- towards a resolver ---------------------------------------------- */

/* What an answer must repeat. */
struct dns_sent {
    uint16_t id;
    uint16_t qtype;
    uint16_t question_len;
    uint8_t question[DNS_QUESTION_MAX];
};

/* A query for a clean name into out (DNS_QUERY_MAX always suffices), length
 * or 0.  Each set bit of `random` writes one letter in upper case, which an
 * answer has to repeat (draft-vixie-dnsext-dns0x20): 32 zero bytes ask in
 * lower case, for a resolver that does not keep it. */
size_t dns_make_query(uint16_t id, const char *name, uint16_t qtype,
                      const uint8_t random[32], struct dns_sent *sent,
                      uint8_t *out, size_t cap);

enum dns_status {
    DNS_FOREIGN = 0, /* no answer to what was sent: go on waiting */
    DNS_BAD,         /* answers the question and is malformed */
    DNS_TRUNCATED,   /* ask again by TCP */
    DNS_FAILED,      /* rcode says how; ask another resolver */
    DNS_NO_NAME,     /* NXDOMAIN */
    DNS_NO_DATA,     /* the name exists without addresses of this type */
    DNS_FOUND
};

struct dns_result {
    struct net_addr addr[DNS_ADDRS];
    size_t naddrs;
    uint32_t ttl; /* of NO_NAME and NO_DATA too; 0: not to be kept */
    unsigned rcode;
};

/* Addresses count only when they belong to the asked name or to the end of
 * its chain of aliases, within the answer section. */
enum dns_status dns_parse_response(const uint8_t *bytes, size_t len,
                                   const struct dns_sent *sent,
                                   struct dns_result *out);

#endif
