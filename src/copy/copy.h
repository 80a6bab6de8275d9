/* copy.h - the parts of mxc-copy. */
#ifndef MXC_COPY_COPY_H
#define MXC_COPY_COPY_H

#include "unpack/tree.h"

/* Write a file, or a directory with all below it, to standard output, under
 * this name.  `path` may lead through symbolic links; below it they are packed
 * as what they are, and so is one that is `path` itself, unless to follow it
 * leads to nothing that who asks has not. */
int copy_pack(const char *path, const char *name, bool follow, struct err *e);

/* On standard error; nothing where nothing was left out. */
void copy_tell_left_out(uint64_t count, const char *first);

/* Fill a tree from standard input.  With `name` there must be one thing, which
 * is called that, whatever it is called there; NULL: all as it is called. */
int copy_unpack(struct tree *t, const char *name, struct err *e);

#endif
