/* fs_place.h - what fs.c and fs_deny.c share. */
#ifndef MXC_POLICY_FS_PLACE_H
#define MXC_POLICY_FS_PLACE_H

#include "policy/fs.h"

int fs_place_add(struct places *ps, struct arena *a, struct place p,
                 struct err *e);

/* `path`, which is within `from`, as it reads when `from` is called `to`. */
const char *fs_moved(struct arena *a, const char *path, const char *from,
                     const char *to);

/* The deepest grant or hollow whose target holds the path; NULL if none.
 * Valid until the next fs_place_add. */
const struct place *fs_cover(const struct places *ps, const char *path);

/* The place of that kind at exactly that target, NULL if none. */
const struct place *fs_place_at(const struct places *ps, enum place_kind kind,
                                const char *target);

/* Inside a writable grant a stricter place must not be uncovered: pin its
 * ancestors up to the grant, and watch the host's names. */
int fs_guard(struct places *ps, struct arena *a, struct place grant,
             const char *target, const char *real, const struct fs_rule *r,
             struct err *e);

/* Masks, read-only parts, pins, absent names and watches. */
int fs_place_stricter(struct places *ps, struct arena *a,
                      const struct fs_rule *rule, size_t n, struct err *e);

#endif
