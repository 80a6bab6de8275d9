/* num.c - see num.h. */
#include "base/num.h"

#include <errno.h>
#include <string.h>

#include <stdbool.h>

#include "base/scoped.h"

static int digits(const char *s, size_t n, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (n == 0)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)(unsigned char)s[i] - '0';

        if (d > 9)
            return -EINVAL;
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, d, &v) || v > max)
            return -ERANGE;
    }
    *out = v;
    return 0;
}

int num_u64(const char *s, uint64_t max, uint64_t *out)
{
    return digits(s, strlen(s), max, out);
}

int num_i64(const char *s, int64_t min, int64_t max, int64_t *out)
{
    bool negative = s[0] == '-';
    uint64_t v;
    int64_t signed_v;
    int r = digits(s + negative, strlen(s + negative), INT64_MAX, &v);

    if (r < 0)
        return r;
    signed_v = negative ? -(int64_t)v : (int64_t)v;
    if (signed_v < min || signed_v > max)
        return -ERANGE;
    *out = signed_v;
    return 0;
}

int num_size(const char *s, uint64_t *out)
{
    static const char units[] = "KMGT";
    size_t n = strspn(s, "0123456789");
    const char *unit = s[n] ? strchr(units, s[n]) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    uint64_t v;
    int r;

    if (s[n] && (!unit || s[n + 1]))
        return -EINVAL;
    r = digits(s, n, INT64_MAX >> shift, &v);
    if (r < 0)
        return r;
    *out = v << shift;
    return 0;
}

int num_duration_ms(const char *s, uint64_t *out)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = { { "", 1000 },
                  { "ms", 1 },
                  { "s", 1000 },
                  { "m", 60000 },
                  { "h", 3600000 } };
    size_t n = strspn(s, "0123456789");

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        uint64_t v;
        int r;

        if (strcmp(s + n, units[i].unit) != 0)
            continue;
        r = digits(s, n, UINT32_MAX / units[i].ms, &v);
        if (r < 0)
            return r;
        *out = v * units[i].ms;
        return 0;
    }
    return -EINVAL;
}
