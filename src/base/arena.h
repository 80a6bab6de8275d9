/* arena.h - memory with the life of one request.
 *
 * Everything parsed or planned is allocated here and freed at once.  An arena
 * has a byte limit; reaching it is an error (NULL), never growth.  Init with
 * `struct arena a = { .limit = N };`, end with arena_drop. */
#ifndef MXC_BASE_ARENA_H
#define MXC_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    size_t limit; /* bytes, all blocks together */
    size_t block; /* the least of one; 0: room for a whole request */
    size_t used;
    struct arena_block *head;
    bool starved; /* memory was lacking, not the limit reached */
};

/* Zeroed, aligned for any object; NULL when the limit or memory is reached. */
void *arena_alloc(struct arena *a, size_t size);

/* Room for n objects of the given size; NULL on overflow too. */
void *arena_array(struct arena *a, size_t n, size_t size);

/* A copy with a terminating NUL. */
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

void arena_drop(struct arena *a);

#endif
