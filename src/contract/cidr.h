/* cidr.h - blocks of IP addresses, from text and compared. */
#ifndef MXC_CONTRACT_CIDR_H
#define MXC_CONTRACT_CIDR_H

#include <stdbool.h>
#include <stdint.h>

struct cidr {
    uint8_t family;   /* 4 or 6 */
    uint8_t bits;     /* length of the prefix */
    uint8_t addr[16]; /* network order; IPv4 uses the first four bytes */
};

/* "10.0.0.0/8", "fe80::/10", or a literal, which is a block of one.  Strict:
 * no leading zeros, no zone, no space, no bits set behind the prefix.
 * -EINVAL, and *why says what is wrong. */
int cidr_parse(const char *text, struct cidr *out, const char **why);

/* An address alone: "10.0.0.1" or "::1". */
int cidr_parse_address(const char *text, struct cidr *out);

/* Every address of `inner` lies in `outer`; families never mix, not even an
 * IPv4-mapped IPv6 block and its IPv4 form. */
bool cidr_contains(const struct cidr *outer, const struct cidr *inner);

/* Longest text with its NUL: eight groups and "/128". */
#define CIDR_TEXT_MAX 48

/* Canonical text (RFC 5952 for IPv6; the length is always written). */
void cidr_print(const struct cidr *c, char out[CIDR_TEXT_MAX]);

#endif
