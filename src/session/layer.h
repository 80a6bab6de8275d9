/* layer.h - what a session keeps of its workload's files, below "layer" in its
 * directory: one directory for each step of its plan that is kept there.
 *
 * What is in them is the workload's, down to names, modes and depth. */
#ifndef MXC_SESSION_LAYER_H
#define MXC_SESSION_LAYER_H

#include "base/err.h"
#include "plan/plan.h"

/* Does its plan keep something? */
bool layer_is_kept(const struct plan_view *plan);

/* Make the directories below `dir`, which is the session's; tried at once
 * where they are to be overlays. */
int layer_make(int dir, const struct plan_view *plan, struct err *e);

/* Before each start: they can be entered, whatever was done to them. */
int layer_ready(int dir, const struct plan_view *plan, struct err *e);

/* Empty a directory, and remove it.  0, also where there is none, or -errno.
 * Follows no link, and needs neither stack nor descriptors for its depth.
 * Nobody else may change it meanwhile. */
int layer_remove(int dir, const char *name);

/* Empty one that others may change meanwhile, who are allowed less than we are:
 * of what they put there nothing goes that they could not remove themselves,
 * neither what is mounted below it nor what is in another user's directory.
 * 0, or -errno with the rest left. */
int layer_empty_shared(int dir);

#endif
