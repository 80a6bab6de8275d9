/* num.h - numbers from text, whole and in range or not at all. */
#ifndef MXC_BASE_NUM_H
#define MXC_BASE_NUM_H

#include <stdint.h>

/* Decimal digits only (and one '-' for num_i64): 0, or -EINVAL, -ERANGE. */
int num_u64(const char *s, uint64_t max, uint64_t *out);
int num_i64(const char *s, int64_t min, int64_t max, int64_t *out);

/* A number of bytes, with or without K, M, G or T (of 1024): the same. */
int num_size(const char *s, uint64_t *out);

/* A duration with its unit: "30s", "1500ms", "5m", "2h"; a bare number is in
 * seconds.  At most UINT32_MAX milliseconds. */
int num_duration_ms(const char *s, uint64_t *out);

#endif
