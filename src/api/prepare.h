/* prepare.h - from request text and flags to a plan that can be run.
 *
 * Everything that `mxc run`, `mxc check` and `mxc explain` have in common;
 * looks at the host (paths, kernel, caller), changes nothing. */
#ifndef MXC_API_PREPARE_H
#define MXC_API_PREPARE_H

#include "backends/backend.h"
#include "sys/seal.h"

/* A flag of the network: policy_add_net and the like. */
struct net_flags {
    struct net_source *rule;
    size_t nrules;
    bool internet; /* --allow-net internet */
    struct net_forward *publish;
    size_t npublish;
    struct net_forward *service;
    size_t nservices;
    const char *proxy; /* URL; NULL: none */
    bool builtin_proxy;
};

/* --limit */
struct limit_flag {
    enum limit which;
    uint64_t value;
    bool is_advisory;
    const char *origin;
};

struct path_flag {
    enum access access;
    const char *path; /* absolute or relative to the caller */
};

/* What the caller says besides the request.  All-zero adds nothing. */
struct run_flags {
    struct path_flag *path;
    size_t npaths;
    struct net_flags net;
    struct limit_flag limit[2 * LIMIT_COUNT];
    size_t nlimits;
    const char **env; /* KEY=VALUE */
    size_t nenv;
    const char **arg; /* replaces the request's command */
    size_t nargs;
    const char *cwd;
    const char *directory;     /* stands for the caller's; NULL: ask for it */
    const char *backend;       /* containment name */
    enum tier tier;            /* at least this one */
    enum layer layer;          /* of a session; LAYER_NONE: the request's */
    const char *session_place; /* where it is to be; NULL: it is a run */
    uint64_t timeout_ms;
    bool has_timeout;
    bool tools;
    bool tty;
    bool die_with_parent;
    bool drops_command; /* of a session: the request's command is left out */
    bool drops_record;  /* nor is one made of what is refused */
    bool fills_store;   /* may write where images are: one is to come */
    bool want_receipt;  /* a plan that carries its receipt as JSON */
    bool denials;       /* tell what is refused */
    bool copies;        /* keep nothing of what is written to grants */
    bool accesses;      /* and what is used */
    bool verify;        /* try the walls from inside, before it starts */
    uint32_t accept_missing;
    const char *correlation; /* the caller's word for the run, or NULL */
    const char *data_home;   /* the caller's XDG_DATA_HOME, for images */
    const char *image;      /* of a backend that has one; NULL: the request's */
    const char *lxc_driver; /* mxc-lxc; NULL: beside this program */
    const char *runtime;    /* XDG_RUNTIME_DIR; NULL: the usual one */
    const char *home;       /* the caller's HOME, TERM and PATH, */
    const char *term;       /* for --tools and a terminal */
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
    uint64_t idle_ms, age_ms; /* of a session, as the request says */
    const char *correlation;  /* as the flags have it */
};

/* The image of a `wslc` request that stands for none: the container is the
 * native backend's, with this host's programs.  As a name of an image it is
 * malformed, so that it can mean nothing else. */
#define NATIVE_IMAGE "mxc://native"

/* `text` is the request, NULL for a policy of flags alone.  Needs no command
 * when `plan_only` (check and explain of a policy). */
int prepare(struct arena *a, const char *text, size_t len,
            const struct run_flags *f, bool plan_only, struct prepared *out,
            struct err *e);

/* The same for a one-shot request that was parsed before.  Errors name the
 * place in the request, and no line. */
int prepare_parsed(struct arena *a, const struct request *r,
                   const struct run_flags *f, struct prepared *out,
                   struct err *e);

/* A relative path of an option means nothing where the caller's directory,
 * `cwd`, is gone (NULL); least of all "/". */
int prepare_from_here(const char *option, const char *path, const char *cwd,
                      struct err *e);

/* Where the caller's images and containers would be; NULL for a caller of whom
 * no home is known. */
int prepare_find_stores(struct arena *a, const struct run_flags *f,
                        struct policy *p, struct err *e);

/* Refuse the record that the policy wants: `what` is no single run. */
int prepare_no_record(const struct policy *p, const char *what, struct err *e);

/* The last part of it: policy, host and backend are filled in, and what they
 * come to is not. */
int prepare_plan(struct arena *a, const char *caller_cwd, bool want_receipt,
                 struct prepared *p, struct err *e);

/* The caller and the kernel, as far as planning needs them. */
int host_look(struct arena *a, struct host *out, struct err *e);

/* What control groups of ours can hold here of these LIMIT_BITs
 * (h->group_limits). */
int limits_look(struct arena *a, uint32_t limits, struct host *h,
                struct err *e);

/* The network's flags, added to the policy. */
int network_flags(struct arena *a, struct policy *p, const struct net_flags *f,
                  struct err *e);

/* The host's name servers that are not its own loopback (h->resolv_conf). */
int network_look(struct arena *a, struct host *h, struct err *e);

/* What a resolv.conf (changed on the way) comes to; *out stays as it is when
 * it names no server for others. */
int network_resolver(struct arena *a, char *text, const char **out,
                     struct err *e);

/* The driver of liblxc beside this program (h->lxc), if it is there. */
int driver_look(struct arena *a, struct host *h, struct err *e);

/* The policy's image, where the backend has one; one that is not named, is not
 * there, or cannot be trusted is refused, and one that would be of no use. */
int image_look(struct arena *a, const struct policy *p, const struct backend *b,
               const struct run_flags *f, struct host *h, struct err *e);

/* The container that is kept under the policy's label, or shall be (h->kept).
 * Gives it a name where it has none. */
int container_look(struct arena *a, struct policy *p, const struct backend *b,
                   const struct run_flags *f, struct host *h, struct err *e);

/* Fill in what the host says about every rule; expands a grant of "/". */
int paths_look(struct arena *a, struct policy *p, struct err *e);

/* Pieces of it: one rule, which of the first `nrules` decides about a name of
 * the host's (NULL: none), and what keeps mxc's own places from the sandbox. */
int paths_look_at(struct arena *a, struct policy *p, size_t i, struct err *e);
const struct fs_rule *paths_nearest(const struct policy *p, size_t nrules,
                                    const char *name, size_t *len);
struct mountinfo;
int paths_guard(struct arena *a, struct policy *p, const struct mountinfo *m,
                struct err *e);

/* The read-only base and its links, as rules. */
int paths_add_base(struct arena *a, struct policy *p, struct err *e);

/* The directories of the caller's toolchains (--tools). */
int tools_add(struct arena *a, struct policy *p, const struct run_flags *f,
              struct err *e);

#endif
