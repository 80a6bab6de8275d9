/* seal.h - a packed plan in a descriptor that nobody can change. */
#ifndef MXC_SYS_SEAL_H
#define MXC_SYS_SEAL_H

#include <stddef.h>

#include "base/err.h"

/* As a sealed memfd, for the launcher. */
int plan_seal(const void *bytes, size_t len, int *out, struct err *e);

/* The bytes of one, for reading; what is not sealed, or longer than `max`, is
 * refused. */
int plan_unseal(int fd, size_t max, const void **bytes, size_t *len,
                struct err *e);

#endif
