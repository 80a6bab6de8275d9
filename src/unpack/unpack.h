/* unpack.h - the parts of mxc-unpack. */
#ifndef MXC_UNPACK_UNPACK_H
#define MXC_UNPACK_UNPACK_H

#include <stdbool.h>

#include "unpack/tree.h"

/* Give up all but reading the source and writing below the target.  Needs a
 * kernel with Landlock. */
int unpack_walls(bool from_directory, struct err *e);

/* Fill the tree from the archive, or the directory, at UNPACK_SOURCE_FD. */
int unpack_archive(struct tree *t, struct err *e);
int unpack_directory(struct tree *t, struct err *e);

#endif
