/* store.h - where a user's lasting things are kept: images, containers. */
#ifndef MXC_SYS_STORE_H
#define MXC_SYS_STORE_H

#include <limits.h>

/* What the caller's environment says about it. */
struct store_place {
    const char *data_home; /* XDG_DATA_HOME, or NULL */
    const char *home;
};

/* /var/lib/mxc/NAME for root, NAME in the data home for others: a clean
 * absolute path.  -ENOENT: nobody says where, -ENAMETOOLONG. */
int store_path(const struct store_place *at, const char *name,
               char out[PATH_MAX]);

/* Each directory on the way, as `mkdir -p -m 700` would: 0, or -errno with the
 * path that could not be made in `at`. */
int store_make(const char *path, char at[PATH_MAX]);

#endif
