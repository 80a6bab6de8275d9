/* provision.h - from a policy to a session. */
#ifndef MXC_API_PROVISION_H
#define MXC_API_PROVISION_H

#include "api/prepare.h"
#include "session/dir.h"

/* Prepare a session's plan and keep it: *id, and the policy's warnings in
 * *out.  `f->nargs` must be 0, and the request without a command. */
int provision(struct arena *a, const char *text, size_t len,
              const struct run_flags *f, struct session_facts *facts,
              struct prepared *out, char id[SESSION_ID_MAX], struct err *e);

/* Remove what nobody was told of: without its id it would be nobody's. */
void provision_undo(const char *id, const char *runtime);

/* The same without keeping it. */
int provision_check(struct arena *a, const char *text, size_t len,
                    const struct run_flags *f, struct prepared *out,
                    struct err *e);

#endif
