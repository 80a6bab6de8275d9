/* lib_session.h - the handle of a session, and what the files about it share.
 */
#ifndef MXC_API_LIB_SESSION_H
#define MXC_API_LIB_SESSION_H

#include "api/lib.h"
#include "session/pool.h"

struct mxc_session {
    pthread_mutex_t lock; /* of the plan */
    struct session_dir dir;
    bool has_plan;
    struct plan_view plan; /* mapped when first used: it does not change */
    char id[SESSION_ID_MAX];
    char *runtime; /* NULL: the usual one */
    char *libexec; /* NULL: beside the library */
    char *warnings;
};

/* What was kept at its provision; the session's. */
int lib_session_plan(struct mxc_session *s, const struct plan_view **out,
                     struct err *e);

/* Provision one, or find it; `o` are checked options. */
int lib_session_make(const char *request, size_t len,
                     const struct mxc_options *o, struct mxc_session **out,
                     struct err *e);
int lib_session_find(const char *id, const struct mxc_options *o,
                     struct mxc_session **out, struct err *e);

/* The phases by id. */
int lib_session_start(struct mxc_session *s, struct err *e);
int lib_session_stop(struct mxc_session *s, uint64_t grace_ms, struct err *e);
int lib_session_end(struct mxc_session *s, uint64_t grace_ms, struct err *e);

/* Start a command; `o` are checked options. */
int lib_exec(struct mxc_session *session, const struct session_command *c,
             const struct mxc_options *o, struct mxc_sandbox **out,
             struct err *e);

/* What the caller says of a command, checked. */
int lib_take_command(struct arena *a, const struct mxc_command *given,
                     struct session_command *to, struct err *e);

/* A sandbox that is a command.  It is handed over on its wait_fd, by the plan
 * of a claim, or else as a session's; and has then started, or never will. */
extern const struct sandbox_kind lib_command;

struct lib_claim {
    const void *plan; /* NULL: a session's command, whose plan is */
    size_t len;
    int plan_fd; /* this */
};
int lib_hand_over(struct mxc_sandbox *s, const struct session_command *c,
                  const struct mxc_options *o, const struct lib_claim *claim,
                  struct err *e);
int lib_await_start(struct mxc_sandbox *s, int patience_ms,
                    int (*hear)(int conn, struct say *out, int *fd,
                                struct err *e),
                    struct err *e);

/* Nothing that is for mxc_spawn or mxc_run alone. */
int lib_check_exec(const struct mxc_options *o, struct err *e);

#endif
