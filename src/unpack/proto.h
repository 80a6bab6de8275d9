/* proto.h - what mxc-unpack is given, and what it says to the image store.
 *
 * One record of a fixed size when all is done or refused.  The program reads
 * bytes of anybody's archive, so the store takes no text of it on trust. */
#ifndef MXC_UNPACK_PROTO_H
#define MXC_UNPACK_PROTO_H

#include <stdint.h>

#include "base/err.h"

enum {
    UNPACK_SOURCE_FD = 0, /* an archive or a directory, to read */
    UNPACK_REPORT_FD = 1, /* a pipe */
    UNPACK_TARGET_FD = 3, /* the directory to fill */
    UNPACK_LOCK_FD = 4    /* held as long as it may write, never used */
};

/* What an image does not keep. */
enum unpack_note_kind {
    NOTE_DEVICE = 0, /* devices, FIFOs and sockets: left out */
    NOTE_SETUID,     /* setuid and setgid bits: taken away */
    NOTE_XATTR,      /* ACLs, file capabilities and their like */
    NOTE_MOUNT,      /* another filesystem mounted below: left empty */
    NOTE_LINK,       /* symbolic links out of a copy: left out */
    NOTE_KINDS
};

struct unpack_note {
    uint64_t count;
    char first[200]; /* the first name, cut */
};

struct unpack_report {
    uint32_t failed; /* else err says why */
    uint64_t entries;
    uint64_t bytes;
    struct unpack_note note[NOTE_KINDS];
    struct err err;
};

#endif
