/* port_set.h - which ports were named already. */
#ifndef MXC_BASE_PORT_SET_H
#define MXC_BASE_PORT_SET_H

#include <stdbool.h>
#include <stdint.h>

/* Init with { 0 }. */
struct port_set {
    uint8_t bit[(UINT16_MAX + 1) / 8];
};

/* True when it was there before. */
static inline bool port_set_add(struct port_set *s, uint16_t port)
{
    uint8_t bit = (uint8_t)(1u << port % 8);
    bool was = s->bit[port / 8] & bit;

    s->bit[port / 8] |= bit;
    return was;
}

#endif
