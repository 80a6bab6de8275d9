/* record_place.h - where a file of the caller's is to be written that a
 * workload may want to lead elsewhere. */
#ifndef MXC_SYS_RECORD_PLACE_H
#define MXC_SYS_RECORD_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { RECORD_DEPTH = 512 };

/* Its directory, and what it is and lies in: itself where it is there, then
 * each directory up to the root, by each name that a mount gives it. */
struct record_place {
    int dir;          /* O_PATH, or -1 */
    const char *name; /* the last component of the path */
    size_t n;
    struct {
        uint64_t dev, ino;
    } at[RECORD_DEPTH];
};

/* `path` is clean, begins with a slash, and stays.  No symlink is on its way,
 * and what has its name is a file or a link, or not there; *e names neither
 * clause nor consequence. */
int record_place_open(const char *path, struct record_place *out,
                      struct err *e);

/* Is the name free, or a file's or link's still? */
int record_place_check(int dir, const char *name, const char *path,
                       struct err *e);

/* Is it that object, or does it lie in it? */
bool record_place_is_in(const struct record_place *p, uint64_t dev,
                        uint64_t ino);

/* A workload may write there, by that grant. */
int record_place_is_open(const char *grant, struct err *e);

#endif
