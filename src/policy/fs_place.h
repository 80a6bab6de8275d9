/* fs_place.h - what the parts of the filesystem decision share: fs.c tightens
 * the rules, fs_grant.c places grants and hollows, fs_deny.c what is stricter,
 * fs_guard.c makes the result hold. */
#ifndef MXC_POLICY_FS_PLACE_H
#define MXC_POLICY_FS_PLACE_H

#include "policy/fs.h"

int fs_place_add(struct places *ps, struct arena *a, struct place p,
                 struct err *e);

/* `path`, which is within `from`, as it reads when `from` is called `to`. */
const char *fs_moved(struct arena *a, const char *path, const char *from,
                     const char *to);

/* Is that how it reads? */
bool fs_is_moved(const char *path, const char *from, const char *to,
                 const char *want);

/* The deepest place of the kinds (bits 1 << kind) whose target holds the
 * path; NULL if none.  Valid until the next fs_place_add. */
const struct place *fs_above(const struct places *ps, unsigned kinds,
                             const char *path);

enum {
    FS_COVERS = 1 << PLACE_GRANT | 1 << PLACE_HOLLOW,
    FS_MOUNTS = FS_COVERS | 1 << PLACE_MASK
};

/* The place of one of the kinds at exactly that target, NULL if none. */
const struct place *fs_place_at(const struct places *ps, unsigned kinds,
                                const char *target);

/* Grants whose source holds the host path: starts with *at == 0, ends with
 * NULL; *at is 1 more than the index of what was returned. */
struct fs_walk {
    size_t len; /* of the prefix of the path that is looked up */
    uint32_t next;
};
const struct place *fs_next_over(const struct places *ps, const char *path,
                                 struct fs_walk *w);

/* strcmp(3) in which a directory is followed by what is below it. */
int fs_path_order(const char *x, const char *y);

/* What the rules grant, shallow to deep. */
int fs_place_grants(struct places *ps, struct arena *a,
                    const struct fs_rule *rule, size_t n, struct err *e);

/* Masks, read-only parts and absent names wherever a grant shows what is
 * stricter. */
int fs_place_stricter(struct places *ps, struct arena *a,
                      const struct fs_rule *rule, size_t n, struct err *e);

/* Denied names of which nothing shows. */
int fs_place_names(struct places *ps, struct arena *a,
                   const struct fs_rule *rule, size_t n, struct err *e);

/* Leave out what is covered, say where mount points must be made, pin and
 * watch what stands inside grants. */
int fs_guard(const struct places *in, struct arena *a, struct places *out,
             struct err *e);

/* What the names in rules lead through, and where grants for writing lead to,
 * stays what it is. */
int fs_keep_names(struct places *ps, struct arena *a,
                  const struct fs_rule *rule, size_t n, struct err *e);

/* Shallow to deep, places without a target last: for qsort(3). */
int fs_by_target(const void *x, const void *y);

#endif
