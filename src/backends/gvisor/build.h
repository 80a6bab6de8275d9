/* build.h - what the parts of the gvisor backend share. */
#ifndef MXC_BACKENDS_GVISOR_BUILD_H
#define MXC_BACKENDS_GVISOR_BUILD_H

#include "backends/backend.h"

/* Where the launcher puts the view, seen by runsc alone. */
#define GVISOR_VIEW "/view"

/* config.json of the OCI runtime specification, in the arena; NULL: no
 * memory. */
const char *gvisor_config(const struct policy *p, const struct host *h,
                          const char *cwd, uint64_t files, struct arena *a);

/* NULL: no memory. */
const struct receipt_row *gvisor_receipt(const struct policy *p,
                                         const struct host *h,
                                         const struct places *fs,
                                         struct arena *a);

#endif
