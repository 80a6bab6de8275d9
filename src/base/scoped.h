/* scoped.h - scope-bound ownership of descriptors and heap memory. */
#ifndef MXC_BASE_SCOPED_H
#define MXC_BASE_SCOPED_H

#include <stdlib.h>
#include <unistd.h>

#define ARRAY_LEN(a)            (sizeof(a) / sizeof((a)[0]))
#define scoped(fn)              __attribute__((cleanup(fn)))
#define printf_like(fmt, first) __attribute__((format(printf, fmt, first)))

static inline void drop_fd(int *fd)
{
    /* No retry on EINTR: Linux has already released the number, and a retry
     * could close a descriptor that another thread just got (close(2)). */
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static inline int take_fd(int *fd)
{
    int r = *fd;

    *fd = -1;
    return r;
}

static inline void drop_mem(void *p)
{
    void **m = p;

    free(*m);
    *m = NULL;
}

#endif
