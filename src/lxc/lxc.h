/* lxc.h - the parts of mxc-lxc. */
#ifndef MXC_LXC_LXC_H
#define MXC_LXC_LXC_H

#include "base/err.h"
#include "plan/plan.h"

/* Where the container's root is attached, below a /run of our own. */
#define LXC_ROOT  "/run/root"
#define LXC_STATE "/run/state"
#define LXC_MOUNT "/run/mount"

/* Root of a user namespace in which the caller is uid 0. */
int lxc_enter(const struct plan_view *plan, struct err *e);

/* The image's copy-on-write root with all that the plan mounts in it, at
 * LXC_ROOT.  The image is held as long as this process lives. */
int lxc_make_root(const struct plan_view *plan, struct err *e);

/* Start the container and wait for its end. */
int lxc_run(struct err *e);

#endif
