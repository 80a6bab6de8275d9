/* sha256.c - see sha256.h.  Names are those of FIPS 180-4, section 6.2. */
#include "base/sha256.h"

#include <string.h>

enum { BLOCK = 64, LENGTH_AT = 56 };

/* clang-format off */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};
/* clang-format on */

static uint32_t right(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static void schedule(const unsigned char *block, uint32_t w[64])
{
    for (unsigned t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
               (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
    for (unsigned t = 16; t < 64; t++) {
        uint32_t a = w[t - 15], b = w[t - 2];

        w[t] = w[t - 16] + (right(a, 7) ^ right(a, 18) ^ a >> 3) + w[t - 7] +
               (right(b, 17) ^ right(b, 19) ^ b >> 10);
    }
}

static void compress(uint32_t state[8], const unsigned char *block)
{
    uint32_t w[64];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];

    schedule(block, w);
    for (unsigned t = 0; t < 64; t++) {
        uint32_t one = h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) +
                       ((e & f) ^ (~e & g)) + constants[t] + w[t];
        uint32_t two = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) +
                       ((a & b) ^ (a & c) ^ (b & c));

        h = g;
        g = f;
        f = e;
        e = d + one;
        d = c;
        c = b;
        b = a;
        a = one + two;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

void sha256_begin(struct sha256 *s)
{
    static const uint32_t first[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372,
                                       0xa54ff53a, 0x510e527f, 0x9b05688c,
                                       0x1f83d9ab, 0x5be0cd19 };

    *s = (struct sha256){ 0 };
    memcpy(s->state, first, sizeof(first));
}

void sha256_add(struct sha256 *s, const void *data, size_t len)
{
    const unsigned char *at = data;
    size_t held = s->len % BLOCK;

    s->len += len;
    if (held && held + len >= BLOCK) {
        memcpy(s->block + held, at, BLOCK - held);
        compress(s->state, s->block);
        at += BLOCK - held;
        len -= BLOCK - held;
        held = 0;
    }
    for (; held + len >= BLOCK; len -= BLOCK, at += BLOCK)
        compress(s->state, at);
    if (len)
        memcpy(s->block + held, at, len);
}

void sha256_end(struct sha256 *s, char out[SHA256_HEX])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char last[2 * BLOCK] = { 0 };
    size_t left = s->len % BLOCK;
    size_t padded = left < LENGTH_AT ? BLOCK : 2 * BLOCK;

    memcpy(last, s->block, left);
    last[left] = 0x80;
    for (unsigned i = 0; i < 8; i++)
        last[padded - 1 - i] = (unsigned char)(s->len * 8 >> 8 * i);
    for (size_t i = 0; i < padded; i += BLOCK)
        compress(s->state, last + i);
    for (unsigned i = 0; i < 64; i++)
        out[i] = hex[s->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
    out[64] = '\0';
}

void sha256_hex(const void *data, size_t len, char out[SHA256_HEX])
{
    struct sha256 s;

    sha256_begin(&s);
    sha256_add(&s, data, len);
    sha256_end(&s, out);
}
