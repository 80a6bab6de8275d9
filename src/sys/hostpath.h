/* hostpath.h - looks at host paths, once each, before anything is decided.
 *
 * The launcher opens each path again inside its own mount namespace (a
 * descriptor of the caller's namespace cannot be mounted there) and refuses
 * to go on unless it finds the same object.  Needs /proc; no privileges. */
#ifndef MXC_SYS_HOSTPATH_H
#define MXC_SYS_HOSTPATH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct hostpath {
    bool exists;
    bool is_dir;
    bool is_file; /* regular */
    uint64_t dev;
    uint64_t ino;
    uint64_t nlink;
    bool is_readable; /* by the caller's real user ... */
    bool is_writable; /* ... asked only of what exists */
    const char *real; /* canonical; of the deepest reachable
                       * ancestor when the path does not exist */
    const char *rest; /* missing components below real, or NULL */
    bool folds_case;  /* what is missing could come by another name,
                       * different in the case of its letters */
    /* A dangling symlink was met: what the path is when the link is followed,
     * to be looked at too. */
    const char *dangling;
};

/* Follows symlinks.  A path below a directory that may not be searched is
 * taken to be that directory itself.  Fails on EIO and the like, not on a
 * path that is not there. */
int hostpath_look(struct arena *a, const char *path, struct hostpath *out,
                  struct err *e);

/* The symlinks that the path leads through, those of their targets included,
 * each by its canonical name. */
struct hostlink {
    const char *path;
    uint64_t dev;
    uint64_t ino;
};
int hostpath_links(struct arena *a, const char *path, struct hostlink **out,
                   size_t *n, struct err *e);

/* The mount table. */
struct mountinfo;
int mountinfo_read(struct arena *a, struct mountinfo **out, struct err *e);

/* Other canonical names of the object at `real`: the same place of the same
 * filesystem seen through another mount.  NULL and 0 when there is none. */
int mountinfo_aliases(struct arena *a, const struct mountinfo *m,
                      const char *real, const char ***out, size_t *n,
                      struct err *e);

/* Whether all that is mounted at exactly that place (there must be something)
 * is answered for by this kernel alone, so that a look at it cannot wait for a
 * process or another machine. */
bool mountinfo_is_local(const struct mountinfo *m, const char *point);

/* Where a filesystem that shows the kernel or its devices is mounted, at or
 * below `real` or holding it; NULL when there is none (more).  *from is 0 for
 * the first and is moved on. */
const char *mountinfo_kernel_tree(const struct mountinfo *m, const char *real,
                                  size_t *from);

/* Adds what is mounted at and below `real`, and nothing that changes otherwise.
 */
struct sha256;
void mountinfo_add_below(const struct mountinfo *m, const char *real,
                         struct sha256 *sum);

/* Canonical directories to search, and paths below them to pass over. */
struct link_search {
    const char **dirs;
    size_t ndirs;
    const char **excluded;
    size_t nexcluded;
};

/* Names outside at which a mount shows a part of the tree at `real` (with the
 * mounts in it), each with the part's own name inside that tree. */
struct hostpart {
    const char *inside;
    const char *outside;
};
int mountinfo_parts(struct arena *a, const struct mountinfo *m,
                    const char *real, struct hostpart **out, size_t *n,
                    struct err *e);

/* The first regular file in the directories (same filesystem) that has hard
 * links elsewhere; NULL when there is none. */
int hostpath_outside_link(struct arena *a, const struct link_search *s,
                          const char **found, struct err *e);

#endif
