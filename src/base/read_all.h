/* read_all.h - a whole file in memory. */
#ifndef MXC_BASE_READ_ALL_H
#define MXC_BASE_READ_ALL_H

#include "base/arena.h"

/* Read the descriptor to its end; what *text holds is not ended by NUL.
 * Returns 0, -EFBIG for more than `max` bytes, -ENOMEM, or what read(2) says.
 */
int read_all(struct arena *a, int fd, size_t max, const char **text,
             size_t *len);

#endif
