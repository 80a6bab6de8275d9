/* keys.h - what is known of a thing that has only a number: where it stands in
 * a list, or that it is in none.  Bounded: when it is full, what is in no list
 * is forgotten. */
#ifndef MXC_SUPERVISE_KEYS_H
#define MXC_SUPERVISE_KEYS_H

#include <stddef.h>
#include <stdint.h>

enum { KEYS_MOST = 65536 };

enum {
    KEY_UNKNOWN = -1, /* 0 and above: the place in the list */
    KEY_UNLISTED = -2,
    KEY_IS_NOTHING = -3, /* it was looked at, and is not to be told */
    KEY_IS_LOST = -4     /* nobody looked at it */
};

/* All-zero is empty. */
struct keys {
    struct key_row {
        uint64_t key; /* 0: free */
        int32_t at;
    } * row;
    size_t size, used;
};

int32_t keys_find(const struct keys *k, uint64_t key);

/* Of a key that is unknown.  Without memory it stays so. */
void keys_put(struct keys *k, uint64_t key, int32_t at);

void keys_drop(struct keys *k);

#endif
