/* clock.h - time that nobody sets back. */
#ifndef MXC_BASE_CLOCK_H
#define MXC_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds of CLOCK_MONOTONIC (clock_gettime(2)). */
static inline uint64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* So long after that; whoever asks for more than there is asks for never. */
static inline uint64_t later_ms(uint64_t ms, uint64_t by)
{
    return by < UINT64_MAX - ms ? ms + by : UINT64_MAX;
}

#endif
