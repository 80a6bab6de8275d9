/* parts.h - what the files of the image store share. */
#ifndef MXC_IMAGE_PARTS_H
#define MXC_IMAGE_PARTS_H

#include <stdio.h>

#include "image/image.h"

enum { LABEL_MAX = IMAGE_NAME_MAX + 1 };

/* The file below names/ that stands for a name, and back. */
void image_label(const char *name, char label[LABEL_MAX]);
void image_unlabel(const char *label, char name[LABEL_MAX]);

/* What a walk over a tree found. */
struct manifest {
    struct sha256 sha;
    uint64_t entries;
    uint64_t bytes;
    FILE *write;   /* where the lines go, or NULL */
    FILE *match;   /* what they must be equal to, or NULL */
    char odd[200]; /* the first entry that is not */
};

/* The tree below `root`; digest is that of all lines. */
int manifest_walk(int root, struct manifest *m, char digest[SHA256_HEX],
                  struct err *e);

/* Remove an entry of a directory and all below it. */
int image_delete(int dir, const char *name, struct err *e);
/* All that an earlier process left in tmp/. */
int image_sweep(const struct image_store *s, struct err *e);
/* Trees that no name leads to and nobody uses. */
int image_collect(const struct image_store *s, struct err *e);

/* False: a container runs on it, and holds its seal (flock(2), shared).  Else
 * none can begin to while *lock is held; -1, where it has no seal. */
bool image_claim(const struct image_store *s, const char *digest, int *lock);

/* Write a small file whole, over what was there. */
int image_put_file(int dir, const char *name, const char *text, struct err *e);

#endif
