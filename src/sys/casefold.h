/* casefold.h - whether a directory takes two names for one that differ in
 * nothing but the case of their letters. */
#ifndef MXC_SYS_CASEFOLD_H
#define MXC_SYS_CASEFOLD_H

#include <stdbool.h>
#include <stdint.h>

/* By the filesystem's type alone (statfs(2), f_type). */
bool casefold_by_type(uint64_t type);

/* Of the directory that is open at `dir` (O_PATH will do) and whose canonical
 * name is `real`: by its filesystem, by its own flag, else by what is in it,
 * and by its own name where that says nothing. */
bool casefold_of(int dir, const char *real);

#endif
