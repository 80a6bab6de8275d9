/* prepare.h - from request text and flags to a plan that can be run.
 *
 * Everything that `mxc run`, `mxc check` and `mxc explain` have in common;
 * looks at the host (paths, kernel, caller), changes nothing. */
#ifndef MXC_API_PREPARE_H
#define MXC_API_PREPARE_H

#include "backends/backend.h"

struct path_flag {
    enum access access;
    const char *path; /* absolute or relative to the caller */
};

/* What the caller says besides the request.  All-zero adds nothing. */
struct run_flags {
    struct path_flag *path;
    size_t npaths;
    const char **env; /* KEY=VALUE */
    size_t nenv;
    const char **arg; /* replaces the request's command */
    size_t nargs;
    const char *cwd;
    const char *backend; /* containment name */
    uint64_t timeout_ms;
    bool has_timeout;
    bool tools;
    bool tty;
    bool die_with_parent;
    bool want_receipt; /* a plan that carries its receipt as JSON */
    uint32_t accept_missing;
    const char *home; /* the caller's HOME, TERM and PATH, */
    const char *term; /* for --tools and a terminal */
    const char *search_path;
};

struct prepared {
    struct policy policy;
    const struct backend *backend;
    struct host host;
    struct places places;
    const char *cwd;
    struct plan plan;
    const struct receipt_row *receipt;
};

/* `text` is the request, NULL for a policy of flags alone.  Needs no command
 * when `plan_only` (check and explain of a policy). */
int prepare(struct arena *a, const char *text, size_t len,
            const struct run_flags *f, bool plan_only, struct prepared *out,
            struct err *e);

/* The caller and the kernel, as far as planning needs them. */
int host_look(struct arena *a, struct host *out, struct err *e);

/* Fill in what the host says about every rule; expands a grant of "/". */
int paths_look(struct arena *a, struct policy *p, struct err *e);

/* The read-only base and its links, as rules. */
int paths_add_base(struct arena *a, struct policy *p, struct err *e);

/* The directories of the caller's toolchains (--tools). */
int tools_add(struct arena *a, struct policy *p, const struct run_flags *f,
              struct err *e);

#endif
