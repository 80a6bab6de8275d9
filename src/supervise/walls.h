/* walls.h - what of the outside a sandbox must not find inside. */
#ifndef MXC_SUPERVISE_WALLS_H
#define MXC_SUPERVISE_WALLS_H

#include "launch/proto.h"

/* Namespaces and root of this process, and the groups that the sandbox is
 * in. */
int walls_outside(const struct cgroup *group, struct launch_go *out,
                  struct err *e);

#endif
