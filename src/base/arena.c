/* arena.c - a chain of blocks, each of a least size. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One mapping usually holds a whole request and its plan: every further one
 * costs a system call and its page faults, which a short run feels. */
enum { BLOCK = 128 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) char data[];
};

static struct arena_block *add_block(struct arena *a, size_t size)
{
    const size_t least = a->block ? a->block : BLOCK;
    size_t want = size > least ? size : least;
    struct arena_block *b;

    if (a->used > a->limit || size > a->limit - a->used)
        return NULL;
    if (want > a->limit - a->used)
        want = a->limit - a->used;
    b = calloc(1, sizeof(*b) + want);
    if (!b) {
        a->starved = true;
        return NULL;
    }
    b->size = want;
    b->next = a->head;
    a->head = b;
    a->used += want;
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t align = alignof(max_align_t);
    struct arena_block *b = a->head;
    void *p;

    if (size > SIZE_MAX - align)
        return NULL;
    size = (size + align - 1) & ~(align - 1);
    if (!b || b->size - b->used < size) {
        b = add_block(a, size);
        if (!b)
            return NULL;
    }
    p = b->data + b->used;
    b->used += size;
    return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total))
        return NULL;
    return arena_alloc(a, total);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *p;

    if (len == SIZE_MAX)
        return NULL;
    p = arena_alloc(a, len + 1);
    if (p && len)
        memcpy(p, s, len);
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    char *p;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return NULL;
    p = arena_alloc(a, (size_t)n + 1);
    if (!p)
        return NULL;
    va_start(ap, fmt);
    (void)vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}

void arena_drop(struct arena *a)
{
    struct arena_block *b = a->head;

    while (b) {
        struct arena_block *next = b->next;

        free(b);
        b = next;
    }
    a->head = NULL;
    a->used = 0;
}
