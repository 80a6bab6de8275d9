/* freezer.h - all processes of a session stand still at once, by a control
 * group of its own (cgroups(7), version 2: cgroup.freeze).
 *
 * Only where the holder may make a group below its own.  Init is not put there:
 * it goes on hearing the holder.  Version 1's freezer is not used: what is
 * frozen there cannot be killed, so that it would outlive its holder. */
#ifndef MXC_SESSION_FREEZER_H
#define MXC_SESSION_FREEZER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { FREEZER_MOST = 8192 };

struct freezer {
    int within;          /* a group that holds their limits, or -1: they stay
                          * in it, since ours is made below */
    int group;           /* its directory, or -1 */
    char path[PATH_MAX]; /* of it, or "" */
    /* All processes of the host, and which are in the group already. */
    pid_t pid[FREEZER_MOST], parent[FREEZER_MOST], in[FREEZER_MOST];
    size_t npids, nin;
};

/* Freeze what is below init.  The group's path is kept as "freezer" in the
 * directory `dir` before it is there.  False: it cannot be, and all runs. */
bool freezer_freeze(struct freezer *f, int dir, pid_t init);

/* Whether all stand still by now: what is in a system call may take a while. */
bool freezer_is_frozen(const struct freezer *f);
void freezer_thaw(struct freezer *f);

/* Everything in it has ended: remove it. */
void freezer_remove(struct freezer *f, int dir);

#endif
