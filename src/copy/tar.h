/* tar.h - headers of tar archives: ustar (pax(1), IEEE Std 1003.1), its
 * extended headers, and GNU's long names.  Pure.
 *
 * What is read may be anybody's.  Names are bytes, told as they stand there:
 * whoever makes something of them judges them. */
#ifndef MXC_COPY_TAR_H
#define MXC_COPY_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TAR_BLOCK = 512,
    TAR_NAME = 4096,       /* with its NUL */
    TAR_EXTRA = 64 * 1024, /* most of an extended header or a long name */
    /* An extended header with two names, a size and a time, and the header. */
    TAR_HEAD = 2 * TAR_BLOCK + 3 * TAR_NAME
};

enum tar_kind {
    TAR_END = 0, /* a block of zeros */
    TAR_FILE,
    TAR_DIR,
    TAR_SYMLINK,
    TAR_LINK, /* a second name of a file before it */
    TAR_DEVICE,
    /* What follows is about the next entry, or about none. */
    TAR_PAX,
    TAR_LONG_NAME,
    TAR_LONG_LINK,
    TAR_IGNORED
};

struct tar_entry {
    enum tar_kind kind;
    unsigned mode; /* 07777 of it */
    int64_t size;  /* of a file */
    int64_t extra; /* of what follows any other header, without its padding */
    int64_t mtime;
    char name[TAR_NAME];
    char link[TAR_NAME];
    /* Said by a header before it, and to be kept when it is decoded. */
    bool has_name, has_link, has_size, has_mtime;
};

/* Begin with the next entry. */
void tar_reset(struct tar_entry *e);

/* Take a header into what earlier ones said.  NULL, or why it is none. */
const char *tar_decode(struct tar_entry *e, const void *block);

/* Take what followed a header of one of the three kinds. */
const char *tar_extra(struct tar_entry *e, enum tar_kind kind, const char *text,
                      size_t len);

/* From an entry to its headers: their length, a multiple of TAR_BLOCK.
 * Owners are nobody's. */
size_t tar_encode(const struct tar_entry *e, unsigned char out[TAR_HEAD]);

/* What follows `size` bytes until the next header. */
size_t tar_padding(int64_t size);

#endif
