/* program.h - a program of ours for a sandbox, which has no file of ours. */
#ifndef MXC_SESSION_PROGRAM_H
#define MXC_SESSION_PROGRAM_H

#include "base/err.h"

/* A sealed copy in memory of the executable at `path`, for the `program` of a
 * session_command: the sandbox has no name for it, and Landlock none to
 * judge.  The caller closes *out. */
int session_program_load(const char *path, int *out, struct err *e);

#endif
