/* copy.h - files into a started session and out of it, as a tar stream.
 *
 * Inside, mxc-copy packs or unpacks as a command of the session: the policy
 * says what it may reach.  What comes out is the workload's word, and unpacked
 * by a process that can write below one directory and nothing else. */
#ifndef MXC_SESSION_COPY_H
#define MXC_SESSION_COPY_H

#include "session/client.h"
#include "unpack/proto.h"

struct copy_job {
    bool is_out;
    const char *inside;  /* path in the session */
    const char *outside; /* on the host; NULL: `stream` holds the archive */
    int stream;
    uint64_t max_bytes;  /* out, of files */
    const char *program; /* path of mxc-copy */
    int signals;         /* signalfd(2); what is read from it ends the copy */
};

struct copy_result {
    struct unpack_report told; /* out, into files: what was made of them */
    int signal;                /* that ended it, or 0 */
    char note[512];            /* what was left out, in words, or "" */
};

/* A copy that failed has left nothing, but in a directory that was there. */
int session_copy(const struct session_dir *d, const struct copy_job *j,
                 struct copy_result *out, struct err *e);

/* --- copy_place.c: where on the host it ends up ----------------------------
 */

struct copy_place {
    int dir;        /* that it is in */
    char name[256]; /* there */
    int target;     /* for mxc-copy to fill ... */
    char own[256];  /* ... with a thing of this name; ".": with what is in it */
    char stage[48]; /* made in `dir` until it is whole, or "" */
    int made;       /* that directory, or -1 */
};

#define COPY_PLACE_NONE                                                        \
    {                                                                          \
        .dir = -1, .target = -1, .made = -1                                    \
    }

/* Find it, and make what is filled: `outside` as of cp(1), with the last name
 * of `inside`. */
int copy_place_open(const char *outside, const char *inside,
                    struct copy_place *out, struct err *e);

/* It is whole: give it its name. */
int copy_place_keep(struct copy_place *p, struct err *e);

/* Remove what was not kept. */
void copy_place_close(struct copy_place *p);

/* The last name of a path, "" where it has none (".", "/", ""). */
void copy_last(const char *path, char out[256]);

#endif
