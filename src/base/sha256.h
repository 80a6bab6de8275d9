/* sha256.h - SHA-256 (FIPS 180-4). */
#ifndef MXC_BASE_SHA256_H
#define MXC_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_HEX 65 /* with the NUL */

/* Of a text that is at hand as a whole, as hexadecimal digits in lower case.
 */
void sha256_hex(const void *data, size_t len, char out[SHA256_HEX]);

/* Of what comes piece by piece. */
struct sha256 {
    uint32_t state[8];
    uint64_t len; /* bytes so far; the last len % 64 wait in `block` */
    unsigned char block[64];
};

void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
void sha256_end(struct sha256 *s, char out[SHA256_HEX]);

#endif
