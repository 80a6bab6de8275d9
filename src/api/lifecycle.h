/* lifecycle.h - what a request with a phase asks for, in a session's words. */
#ifndef MXC_API_LIFECYCLE_H
#define MXC_API_LIFECYCLE_H

#include "api/prepare.h"
#include "session/client.h"

/* The prefix of ids that were given to a request for `wslc`, whose callers
 * expect it: the same session, by another name. */
#define LIFECYCLE_WSLC "wslc:"

/* A request of that phase, PHASE_NONE for any.  Errors have their line. */
int lifecycle_parse(struct arena *a, const char *text, size_t len,
                    enum phase phase, struct request **out, struct err *e);

/* The session that the request is about; NULL without memory. */
const char *lifecycle_id(struct arena *a, const struct request *r);

/* Would it be done, as far as can be told without doing it?  *out is filled by
 * a provision; of the others there must be such a session, and an exec must
 * be no more than it has. */
int lifecycle_check(struct arena *a, const char *text, size_t len,
                    const struct request *r, const struct run_flags *f,
                    struct prepared *out, struct err *e);

/* The command of an exec.  Errors name their place, and no line. */
int lifecycle_command(struct arena *a, const struct request *r,
                      struct session_command *out, struct err *e);

#endif
