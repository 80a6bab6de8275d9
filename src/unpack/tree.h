/* tree.h - fills one directory, entry by entry, and writes nowhere else.
 *
 * Names are walked a component at a time from the target's descriptor, no
 * symbolic link is followed, and ".." or a leading '/' is refused: whatever
 * an archive holds, its entries end up below the target.  Everything belongs
 * to who runs this, who can read all of it. */
#ifndef MXC_UNPACK_TREE_H
#define MXC_UNPACK_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "unpack/proto.h"

enum { TREE_PATH = 4096, TREE_DEPTH = 100 };

struct tree {
    int root;         /* the target */
    const char *what; /* it is, in words: "image" */
    const char *hint; /* on its names, or NULL */
    const char *more; /* on its size, or NULL */
    bool keeps_dirs;  /* a directory that is there keeps its mode */
    /* Symbolic links that lead out are left out, by the names that they stand
     * for; of the first `depth` components the tree has not been given all. */
    bool keeps_inside;
    unsigned depth;
    uint64_t max_bytes;
    uint64_t max_entries;
    struct unpack_report *report; /* counts entries, bytes and notes */
    int dir;                      /* the directory that was used last */
    char dir_path[TREE_PATH];
};

/* One entry to be made; path is of tree_name's. */
struct entry {
    const char *path;
    mode_t mode;
    int64_t size;
    struct timespec mtime;
};

void tree_note(struct tree *t, enum unpack_note_kind kind, const char *path);

/* The name of an entry, relative and without "." or doubled '/'; "" for the
 * target itself. */
int tree_name(const struct tree *t, const char *raw, char out[TREE_PATH],
              struct err *e);

/* Count an entry and its bytes, before it is made. */
int tree_count(struct tree *t, const struct entry *n, struct err *e);

int tree_dir(struct tree *t, const struct entry *n, struct err *e);
int tree_symlink(struct tree *t, const char *path, const char *target,
                 struct err *e);
/* A second name of the file `target`. */
int tree_link(struct tree *t, const char *path, const char *target,
              struct err *e);

/* A new file, to be written at any place and then finished; closes *fd. */
int tree_file(struct tree *t, const char *path, int *fd, struct err *e);
int tree_write(int fd, const struct entry *n, const void *data, size_t len,
               int64_t at, struct err *e);
int tree_finish(struct tree *t, const struct entry *n, int *fd, struct err *e);

#endif
