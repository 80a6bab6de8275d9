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

/* What stands between the terminal of a command and its caller (lib_relay.c):
 * pipes whose ends become the sandbox's streams, or the caller's own. */
int lib_relay_start(struct mxc_sandbox *s, const struct mxc_options *o,
                    const char *libexec, struct err *e);
int lib_relay_resize(const struct mxc_sandbox *s, uint16_t rows,
                     uint16_t columns, struct err *e);

/* Start a command; `o` are checked options. */
int lib_exec(struct mxc_session *session, const struct session_command *c,
             const struct mxc_options *o, struct mxc_sandbox **out,
             struct err *e);

/* What the caller says of a command, checked. */
int lib_take_command(struct arena *a, const struct mxc_command *given,
                     struct session_command *to, struct err *e);

/* How a command gets to whoever runs it. */
struct lib_way {
    int (*send)(const struct lib_way *way, int conn,
                const struct session_command *c, const int streams[3],
                struct err *e);
    int (*hear)(int conn, struct say *out, int *fd, struct err *e);
    bool waits;       /* for ever until it has started, */
    int cancel;       /* or until this is readable; or -1 */
    const void *plan; /* packed */
    size_t len;
    const char *libexec;
};

/* A sandbox that is a command; `holder` in words.  Completes what is asked for
 * and how. */
int lib_command_make(struct session_command *c, struct mxc_options *o,
                     const char *holder, struct mxc_sandbox **out,
                     struct err *e);

/* Hand it over on its wait_fd: it has started then, or never will. */
int lib_command_start(struct mxc_sandbox *s, const struct session_command *c,
                      const struct mxc_options *o, const struct lib_way *way,
                      struct err *e);

/* Nothing that is for mxc_spawn or mxc_run alone. */
int lib_check_exec(const struct mxc_options *o, struct err *e);

#endif
