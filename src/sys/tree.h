/* tree.h - a directory and all that is in it. */
#ifndef MXC_SYS_TREE_H
#define MXC_SYS_TREE_H

/* Remove an entry of a directory and, where it is one, all below it: 0, also
 * where there is none, or -errno.  Whoever filled it may have made it deeper
 * than a path is long, and directories that not even their owner may enter. */
int tree_remove(int dir, const char *name);

/* All below a directory, which stays.  Takes the descriptor. */
int tree_empty(int fd);

#endif
