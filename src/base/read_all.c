/* read_all.c - a whole file in memory. */
#include "base/read_all.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int read_all(struct arena *a, int fd, size_t max, const char **text,
             size_t *len)
{
    size_t cap = 64 * 1024, got = 0;
    char *p = arena_alloc(a, cap);
    ssize_t n;

    while (p && (n = read(fd, p + got, cap - got)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        got += (size_t)n;
        if (got > max)
            return -EFBIG;
        if (got == cap) {
            char *grown = arena_alloc(a, cap * 2);

            if (grown)
                memcpy(grown, p, got);
            p = grown;
            cap *= 2;
        }
    }
    if (!p)
        return -ENOMEM;
    *text = p;
    *len = got;
    return 0;
}
