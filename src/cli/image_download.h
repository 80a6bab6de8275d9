/* image_download.h - a distribution's root from the network, asked for by
 * name. */
#ifndef MXC_CLI_IMAGE_DOWNLOAD_H
#define MXC_CLI_IMAGE_DOWNLOAD_H

#include "cli/cli.h"
#include "image/parts.h"

/* Into the store, which is locked, under a name that was checked.  `template`
 * is another place of lxc-download, or NULL. */
int image_download(struct arena *a, const struct image_store *s,
                   const char *name, const char *template, struct image *out,
                   struct unpack_report *told, struct err *e);

#endif
