/* base.h - the read-only base that every native sandbox has. */
#ifndef MXC_BACKENDS_NATIVE_BASE_H
#define MXC_BACKENDS_NATIVE_BASE_H

#include "policy/fs.h"

/* Directories and files of the host that are granted read-only when they are
 * there; end with NULL.  Nothing of /etc that may hold a secret is among
 * them: for a root caller the file modes would not protect it. */
extern const char *const native_base[];

/* Names of the root that are symlinks on a merged-usr host, and directories
 * elsewhere; links of /etc that are copied as links. */
extern const char *const native_links[];

#endif
