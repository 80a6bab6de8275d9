/* cgroup.h - a control group of our own around a sandbox (cgroups(7)).
 *
 * Needs a directory of a cgroup hierarchy that the caller may write to: on
 * version 2 one that has the controllers enabled for its children and holds
 * our own group, on version 1 our own group of each controller.  Nothing of
 * the host's is changed: no controller is enabled, nobody else is moved.
 *
 * Limits go by base/limit.h, as bits.  A group is locked (flock(2)) for as
 * long as its maker lives; one that nobody has locked and nobody is in was left
 * by a maker that was killed, and the next maker beside it removes it. */
#ifndef MXC_SYS_CGROUP_H
#define MXC_SYS_CGROUP_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/limit.h"

/* What a group can hold at all. */
#define CGROUP_LIMITS                                                          \
    (LIMIT_BIT(LIMIT_MEMORY) | LIMIT_BIT(LIMIT_SWAP) | LIMIT_BIT(LIMIT_PIDS) | \
     LIMIT_BIT(LIMIT_CPU_SHARE) | LIMIT_BIT(LIMIT_CPU_TIME))

enum cgroup_part {
    CGROUP_V2 = 0, /* the one hierarchy of version 2 */
    CGROUP_V1_MEMORY,
    CGROUP_V1_PIDS,
    CGROUP_V1_CPU,
    CGROUP_V1_CPUACCT,
    CGROUP_PARTS
};

/* Where groups could be made, and for which limits. */
struct cgroup_places {
    char dir[CGROUP_PARTS][PATH_MAX]; /* "": nowhere */
    uint32_t can[CGROUP_PARTS];       /* LIMIT_BITs */
};

/* Look, and change nothing.  Where version 2 offers several directories it is
 * the nearest of those that can hold most of `wanted`. */
void cgroup_look(uint32_t wanted, struct cgroup_places *out);

/* Swap that is not there need not be counted. */
bool cgroup_has_no_swap(void);

/* All that these places can hold. */
uint32_t cgroup_can(const struct cgroup_places *p);

enum { CGROUP_NAME = 32 };

struct cgroup {
    char name[CGROUP_PARTS][CGROUP_NAME]; /* "": none */
    int parent[CGROUP_PARTS];
    int dir[CGROUP_PARTS];   /* locked; -1: none */
    int enter[CGROUP_PARTS]; /* its cgroup.procs */
    bool moves; /* nobody could be cloned into it, see cgroup_enter */
};

extern const struct cgroup cgroup_none;

/* Make the groups for `wanted` with their values; all or none.  Who is to be
 * in them is cloned into dir[CGROUP_V2] (CLONE_INTO_CGROUP) and calls
 * cgroup_enter itself. */
int cgroup_make(uint32_t wanted, const uint64_t value[LIMIT_COUNT],
                struct cgroup *out, struct err *e);

/* The calling process goes into the groups of version 1, and with `moves` into
 * that of version 2: 0 or -errno.  System calls alone. */
int cgroup_enter(const struct cgroup *g);

/* How often the kernel refused, so far, or killed for, a limit. */
struct cgroup_counts {
    uint64_t memory_kills;
    uint64_t pids_refused;
    uint64_t cpu_throttled; /* periods in which it had to wait */
};

void cgroup_read(const struct cgroup *g, struct cgroup_counts *out);

/* Processor time used by all that are or were in it, in microseconds: 0, or
 * -errno, when nobody can say. */
int cgroup_cpu_us(const struct cgroup *g, uint64_t *out);

/* Remove what is empty, and let go of it. */
void cgroup_remove(struct cgroup *g);

#endif
