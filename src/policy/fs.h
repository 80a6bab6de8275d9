/* fs.h - the filesystem decision: rules in, placements out.  Pure.
 *
 * The deepest path wins; on equal paths, and on different names of one object
 * (symlink, bind mount, hard link among the listed), the most restrictive
 * wins.  The result says what stands where in the sandbox's view, in an order
 * in which it can be mounted. */
#ifndef MXC_POLICY_FS_H
#define MXC_POLICY_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/* Most restrictive first: the smaller of two wins a tie. */
enum access { ACCESS_DENY = 0, ACCESS_READ, ACCESS_WRITE };

/* A symlink that a path leads through, by its own canonical name. */
struct fs_link {
    const char *path;
    uint64_t dev;
    uint64_t ino;
};

/* What a host path was when it was looked at. */
struct fs_object {
    bool exists;
    bool is_dir;
    bool is_file; /* regular */
    uint64_t dev;
    uint64_t ino;
    uint64_t nlink;
    bool is_readable; /* by the caller; of what exists */
    bool is_writable;
    const char *real;   /* canonical; of the deepest existing
                         * ancestor when the path does not exist */
    const char *rest;   /* what is missing below real, else NULL */
    bool folds_case;    /* ... and real takes names in either case */
    const char **alias; /* other canonical names by bind mounts */
    size_t naliases;
    struct fs_link *link;
    size_t nlinks;
};

struct fs_rule {
    const char *path; /* absolute, clean */
    enum access access;
    const char *origin; /* "filesystem.deniedPaths[0]", "--rw" */
    const char *named;  /* the path that stands there; NULL: `path`, as
                         * fs_decide fills in */
    bool base;          /* of the sandbox's own base, not policy's */
    bool derived;       /* another name of what a rule restricts: holds
                         * where a grant shows it, shows nothing */
    struct fs_object at;
};

enum place_kind {
    PLACE_GRANT,  /* source mounted at target */
    PLACE_MASK,   /* an unreadable object over target */
    PLACE_HOLLOW, /* denied, but with grants inside */
    PLACE_PIN,    /* target cannot be renamed */
    PLACE_ABSENT, /* target + "/" + rest cannot be created */
    PLACE_WATCH   /* the host must not change source/rest */
};

struct place {
    enum place_kind kind;
    enum access access;
    const char *target; /* in the sandbox's view */
    const char *source; /* canonical host path; NULL for a pin and for
                         * a mask of which nothing is shown */
    const char *rest;   /* PLACE_ABSENT, PLACE_WATCH */
    bool folds_case;    /* PLACE_ABSENT: of source */
    bool is_dir;
    bool own_space; /* mount point must be made */
    bool base;
    uint64_t dev;
    uint64_t ino;
    const char *origin;
    const char *named; /* what the rule calls it; NULL for a pin or watch */
    uint32_t next;     /* index chains, see fs_index.c */
    uint32_t next_source;
};

struct places {
    struct place *item;
    size_t n;
    size_t cap;
    uint32_t *bucket; /* by target, then grants by source; 1-based,
                       * 0 ends a chain */
};

enum { PATH_LONGEST = 4095 }; /* path_resolution(7) */

/* A clean form of an absolute path: no "//", "/./", trailing "/".  ".." is
 * kept (its meaning depends on symlinks); path_has_dotdot tells.  NULL when
 * the path is not absolute, too long or out of memory. */
const char *path_clean(struct arena *a, const char *path);
bool path_has_dotdot(const char *path);

/* Is `path` equal to `dir` or below it?  Both clean. */
bool path_is_within(const char *path, const char *dir);

/* Number of components; "/" has 0. */
size_t path_depth(const char *path);

/* Sorts and tightens the rules in place, then decides.  Every rule's `at` must
 * be filled in.  Fails on what cannot be held: a granted path that does not
 * exist, a denied file with further hard links. */
int fs_decide(struct arena *a, struct fs_rule *rule, size_t *nrules,
              struct places *out, struct err *e);

/* The access that the rules give to a clean path of the view: the deepest
 * rule's.  The reference that tests compare placements with. */
enum access fs_access(const struct fs_rule *rule, size_t nrules,
                      const char *path);

#endif
