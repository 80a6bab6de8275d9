/* secret.h - names that secrets are known to have: what a refusal warns of, and
 * no policy is taught unseen.  A secret may have any other name. */
#ifndef MXC_BASE_SECRET_H
#define MXC_BASE_SECRET_H

#include <stdbool.h>

/* Why this path (absolute, clean) is one, or part of one, or NULL.  `home` is
 * the caller's, or NULL.  A directory is none by the name of a file. */
const char *secret_why(const char *path, bool is_dir, const char *home);

/* Would a grant of this path show some? */
bool secret_is_in(const char *path, const char *home);

/* Is it a home, the one inside too, or does it hold one?  Whoever may write
 * there writes what its owner executes, and that is no remedy for one file. */
bool secret_is_home(const char *dir, const char *home);

#endif
