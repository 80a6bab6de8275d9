/* beside.h - programs of ours, which lie beside the one that looks for them: in
 * ../libexec/mxc when installed, in the next folder of a build tree.  Relative
 * to where the running program is, so that a tree can be moved. */
#ifndef MXC_SYS_BESIDE_H
#define MXC_SYS_BESIDE_H

#include <limits.h>

#include "base/err.h"

/* The program `name` of the sources' `folder`: 0; 1: it is not there. */
int beside_look(const char *folder, const char *name, char out[PATH_MAX],
                struct err *e);

/* The same, where it must be: ERR_BACKEND_UNAVAILABLE, and a remedy. */
int beside_find(const char *folder, const char *name, const char *remedy,
                char out[PATH_MAX], struct err *e);

#endif
