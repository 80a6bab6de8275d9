/* keys.c - see keys.h. */
#include "supervise/keys.h"

#include <stdbool.h>
#include <stdlib.h>

enum { FIRST = 1024 };

static struct key_row *place_of(const struct keys *k, uint64_t key)
{
    size_t at = key % k->size;

    while (k->row[at].key && k->row[at].key != key)
        at = (at + 1) % k->size;
    return &k->row[at];
}

int32_t keys_find(const struct keys *k, uint64_t key)
{
    const struct key_row *row = k->size ? place_of(k, key) : NULL;

    return row && row->key ? row->at : KEY_UNKNOWN;
}

/* Into a table of that size, without what is in no list where it does not
 * grow. */
static bool rebuild(struct keys *k, size_t size)
{
    struct keys new = { .row = calloc(size, sizeof(*k->row)), .size = size };

    if (!new.row)
        return false;
    for (size_t i = 0; i < k->size; i++) {
        const struct key_row *old = &k->row[i];

        if (!old->key || (size == k->size && old->at < 0))
            continue;
        *place_of(&new, old->key) = *old;
        new.used++;
    }
    free(k->row);
    *k = new;
    return true;
}

void keys_put(struct keys *k, uint64_t key, int32_t at)
{
    struct key_row *row;

    if (2 * k->used >= k->size) {
        const size_t size = !k->size                  ? FIRST
                            : k->size < 2 * KEYS_MOST ? 2 * k->size
                                                      : k->size;

        if (!rebuild(k, size) || 2 * k->used >= k->size)
            return;
    }
    row = place_of(k, key);
    k->used += !row->key;
    *row = (struct key_row){ .key = key, .at = at };
}

void keys_drop(struct keys *k)
{
    free(k->row);
    *k = (struct keys){ 0 };
}
