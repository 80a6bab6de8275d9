/* parts.h - what the files of this folder share. */
#ifndef MXC_CONTAINER_PARTS_H
#define MXC_CONTAINER_PARTS_H

#include "container/container.h"

#define CONTAINER_GONE ".gone"

enum { CONTAINER_LABEL = SHA256_HEX + 8 };

/* Open the store, or say that there is none (*out is -1). */
int container_store(const char *path, int *out, struct err *e);

/* Open a directory of it that is the caller's alone, or -errno; EPERM where it
 * is not. */
int container_open(int store, const char *label);

/* Lock it without waiting: 1 where another has it. */
int container_lock(int dir);

/* Is that label still this directory?  It may have been moved before it was
 * locked. */
bool container_is_current(int store, const char *label, int dir);

/* "KEY.new" */
void container_label(const char *key, const char *suffix,
                     char out[CONTAINER_LABEL]);

/* The record's text, or -errno. */
int container_read(struct arena *a, int dir, const char **text);

/* Lock the store, waiting for whoever has it, and remove what killed runs have
 * left of any container.  0 or -errno. */
int container_clean(int store);

#endif
