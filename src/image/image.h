/* image.h - the store of roots for backends that need one of their own.
 *
 *   names/NAME         a line: sha256:DIGEST
 *   trees/DIGEST/root  the tree; nobody writes to it again
 *   trees/DIGEST/manifest, seal   what was sealed, written last
 *   tmp/               of an import under way, or of one that was killed
 *   lock               held by who changes the store
 *
 * DIGEST is the SHA-256 of the manifest: a line of each entry of the tree, in
 * order, with mode, size, SHA-256 of the content or target of the link.  The
 * store belongs to one user, who alone may enter it; every entry of a tree
 * belongs to the same. */
#ifndef MXC_IMAGE_IMAGE_H
#define MXC_IMAGE_IMAGE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/sha256.h"
#include "sys/store.h"
#include "unpack/proto.h"

enum { IMAGE_NAME_MAX = 128 };

struct image_store {
    char path[PATH_MAX];
    int root, names, trees, tmp; /* descriptors */
    int lock;                    /* -1: only looking */
    struct store_place place;
};

struct image {
    char name[IMAGE_NAME_MAX + 1];
    char digest[SHA256_HEX];
    uint64_t entries;
    uint64_t bytes;
    time_t sealed;
};

/* "alpine/3.23": one to three words of letters, digits and ._- */
int image_check_name(const char *name, struct err *e);

/* Open the store for looking.  1: there is none yet. */
int image_open(struct image_store *s, const struct store_place *at,
               struct err *e);
/* Open it for changing, made if it is not there; waits for whoever else
 * changes it, and removes what a killed import left. */
int image_open_locked(struct image_store *s, const struct store_place *at,
                      struct err *e);
void image_close(struct image_store *s);

/* Look a name up, cheaply: owner and mode of the store, and the seal.  1: the
 * store has none of that name. */
int image_find(const struct image_store *s, const char *name, struct image *out,
               struct err *e);

/* The names, sorted. */
int image_names(const struct image_store *s, struct arena *a,
                const char *const **out, size_t *n, struct err *e);

/* Descriptor of trees/DIGEST. */
int image_open_tree(const struct image_store *s, const char *digest,
                    struct err *e);

/* Read the whole tree again: 0 if it is what was sealed. */
int image_verify(const struct image_store *s, const struct image *image,
                 struct err *e);

/* All of these change the store, which is locked. */
int image_import(const struct image_store *s, const char *name,
                 const char *source, struct image *out,
                 struct unpack_report *told, struct err *e);
/* 1: the store has none of that name. */
int image_remove(const struct image_store *s, const char *name, struct err *e);

#endif
