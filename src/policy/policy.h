/* policy.h - what is decided: who may touch what, whatever asked for it.
 *
 * Built from a request (policy_from_request), from command-line flags
 * (policy_add_*), or from both: flags add to or narrow the file.  Pure: facts
 * about the host's paths are filled in from outside (sys/hostpath.h).
 * Strings belong to the arena.  All-zero denies everything. */
#ifndef MXC_POLICY_POLICY_H
#define MXC_POLICY_POLICY_H

#include "contract/request.h"
#include "policy/fs.h"
#include "policy/limit_set.h"
#include "policy/net.h"

/* What a clause needs a backend to enforce (struct backend.features). */
enum feature {
    FEAT_FILESYSTEM = 1 << 0,
    FEAT_NET_DENY = 1 << 1,
    FEAT_NET_EGRESS = 1 << 2, /* default allow, or rules */
    FEAT_NET_INGRESS = 1 << 3,
    FEAT_NET_LOOPBACK = 1 << 4, /* every port of the host's loopback */
    FEAT_NET_PROXY = 1 << 5,
    FEAT_UI_DENY = 1 << 6,
    FEAT_UI_ALLOW = 1 << 7,
    FEAT_LIMITS = 1 << 8,
    FEAT_KEEP = 1 << 9, /* outlive the run */
    FEAT_TIMEOUT = 1 << 10,
    FEAT_TTY = 1 << 11,
    FEAT_NET_FORWARD = 1 << 12,      /* single ports of the loopback */
    FEAT_NET_NAMES = 1 << 13,        /* rules for host names */
    FEAT_NET_FILTER_PROXY = 1 << 14, /* the built-in proxy */
    FEAT_DENIALS = 1 << 15, /* tell what was refused, of files and calls */
    FEAT_COPIES = 1 << 16,  /* writable grants that keep nothing */
    FEAT_VERIFY = 1 << 17   /* the sandbox tries its own walls */
};

struct need {
    enum feature feature;
    const char *where; /* place in the request */
    const char *what;  /* the clause, in words */
};

/* Walls that a host may lack and a caller may accept as missing. */
#define WALLS(X)                                                               \
    X(0, LANDLOCK, "landlock",                                                 \
      "second wall on filesystem objects (kernel 6.2 or later)")               \
    X(1, PID_LIMIT, "pid-limit",                                               \
      "ceiling on the number of processes (pid_max of the pid namespace, "     \
      "kernel 6.14 or later, for root callers)")

enum wall {
    WALL_NONE = 0,
#define X(bit, id, name, doc) WALL_##id = 1 << (bit),
    WALLS(X)
#undef X
};

struct policy {
    enum containment containment;
    enum tier tier;          /* at least this one */
    const char *tier_origin; /* NULL when none is asked for */
    enum layer layer;        /* a session's */
    const char *layer_origin;
    const char *label; /* containerId; NULL if none */
    const char *image; /* DISTRIBUTION/RELEASE of `lxc`, or NULL */

    const char **arg; /* what to execute, argv form */
    size_t nargs;
    const char *arg_origin;
    const char **env;      /* "KEY=VALUE", no duplicates */
    const char **env_from; /* where each of them comes from */
    size_t nenv;
    const char *env_origin;
    const char *cwd; /* NULL: policy_cwd() decides */
    const char *cwd_origin;
    uint64_t timeout_ms; /* 0: none */
    const char *timeout_origin;

    struct fs_rule *rule;
    size_t nrules;
    size_t rule_cap;
    enum hard_links hard_links;

    struct net_policy net;
    /* Where its parts were written; NULL where there is none. */
    const char *egress_origin; /* a default of allow */
    const char **publish_from;
    const char **service_from;
    const char *proxy_origin; /* of either kind */

    struct policy_limits limits;

    bool keeps;         /* destroyOnExit: false */
    bool keeps_network; /* preservePolicy */
    bool private_home;  /* HOME, USER, LANG, TMPDIR of its own */
    bool tty;
    bool denials;  /* what is refused is told, */
    bool accesses; /* and what is used */
    bool copies;   /* what is written to grants is gone afterwards */
    const char *record_origin; /* the clause that asks for the report */
    const char *capture;       /* file for that, clean and from /; or NULL */
    bool verify;               /* its walls are tried from inside first */
    bool die_with_parent;
    uint32_t accept_missing; /* enum wall bits */
    const char *runtime;     /* directory with the sessions, beside the usual
                              * one; NULL: none */
    const char *images;      /* directory of the image store; NULL: none */
    const char *containers;  /* directory of those that are kept; NULL: none */

    struct need need[24];
    size_t nneeds;
    const char *warning[8];
    size_t nwarnings;
};

/* The shell that a request's commandLine is handed to.  Absolute, so that
 * neither PATH nor a granted directory decides which shell runs. */
#define POLICY_SHELL "/bin/sh"

/* The environment that the contract gives when a request has none. */
#define POLICY_DEFAULT_PATH                                                    \
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define POLICY_HOME "/home/user"
#define POLICY_USER "user"

/* The warning of a request with telemetry.enabled. */
#define POLICY_NO_TELEMETRY                                                    \
    "telemetry.enabled: there is no telemetry in mxc; nothing is sent"

/* Of a one-shot request, or one that provisions.  Refuses what no backend
 * could honour; what one backend may lack is listed in need[] and judged by
 * backend_check(). */
int policy_from_request(struct arena *a, const struct request *r,
                        struct policy *out, struct err *e);

/* What its `process` alone says: command, environment, directory, timeout. */
int policy_from_process(struct arena *a, const struct request *r,
                        struct policy *out, struct err *e);

/* The refusal of a request with a phase, where one without was expected. */
int policy_no_lifecycle(struct err *e);

/* The policy of `mxc run` without a file: nothing of the user's, no network,
 * a private home. */
void policy_default(struct policy *out);

/* Add one path.  `path` is as the user gave it and must be absolute. */
int policy_add_path(struct policy *p, struct arena *a, enum access access,
                    const char *path, const char *origin, struct err *e);

/* Set one variable ("KEY=VALUE"); the last of equal names wins. */
int policy_add_env(struct policy *p, struct arena *a, const char *entry,
                   const char *where, struct err *e);

/* The network, from a request (take_network) or from flags; `origin` is the
 * place in the request or the flag, and borrowed like everything else. */
int policy_from_network(struct policy *p, struct arena *a,
                        const struct request *r, struct err *e);
int policy_add_net(struct policy *p, struct arena *a,
                   const struct net_source *s, const char *origin,
                   struct err *e);
void policy_allow_internet(struct policy *p, const char *origin);
int policy_publish(struct policy *p, struct arena *a, struct net_forward f,
                   const char *origin, struct err *e);
int policy_serve(struct policy *p, struct arena *a, struct net_forward f,
                 const char *origin, struct err *e);
/* Checks the URL as well. */
int policy_set_proxy(struct policy *p, struct arena *a, const char *url,
                     const char *origin, struct err *e);
void policy_set_filtering_proxy(struct policy *p, const char *origin);

/* The network of contracts before 0.9.0-alpha.  All-zero: none.  Beside a
 * proxy of the host `allows_by_default` does nothing: that one is the only way
 * out. */
struct net_legacy {
    bool allows_by_default;        /* defaultPolicy: allow */
    bool allows_local;             /* allowLocalNetwork */
    const struct strings *allowed; /* allowedHosts; NULL: none */
    const struct strings *blocked; /* blockedHosts */
    const char *proxy;             /* as a URL */
    bool filtering_proxy;          /* proxy.builtinTestServer */
};

struct legacy_hosts {
    const struct strings *hosts;
    const char *path;
    enum net_action action;
    enum net_list from;
};

/* Lower it to the rules that policy_from_network makes of a later request:
 * names become names, addresses and blocks become blocks. */
int policy_add_legacy(struct policy *p, struct arena *a,
                      const struct net_legacy *n, struct err *e);

/* Request and flags together: ports that are named twice, a proxy that is not
 * the only way out. */
int policy_check_network(const struct policy *p, struct err *e);

/* Complete the environment: proxy variables, the private home's, PWD. */
int policy_finish_env(struct policy *p, struct arena *a, const char *cwd,
                      struct err *e);

/* The private home: POLICY_HOME, or a place that no grant covers. */
const char *policy_home(const struct policy *p);

/* Refuses a command or an environment that execve(2) would not take
 * (E2BIG), while it can still be said which part is too long. */
int policy_check_size(const struct policy *p, struct err *e);

/* Where the workload starts: what was asked for, else the caller's directory
 * when a policy path grants it, else "/" (or the private home). */
const char *policy_cwd(const struct policy *p, const char *caller_cwd);

/* One limit; of two values the lower counts, and it is advisory where both
 * are.  `origin` is borrowed. */
void policy_limit(struct policy *p, enum limit which, uint64_t value,
                  bool is_advisory, const char *origin);

/* A request's `limits`. */
int policy_from_limits(struct policy *p, struct arena *a,
                       const struct request *r, struct err *e);

/* Request and flags together; where memory is limited, swap is too. */
int policy_check_limits(struct policy *p, struct err *e);

/* Of several tiers the strongest counts. */
void policy_ask_tier(struct policy *p, enum tier tier, const char *origin);

/* A sentence that the caller is told, and nothing is refused. */
void policy_warn(struct policy *p, const char *text);

void policy_need(struct policy *p, enum feature f, const char *where,
                 const char *what);

/* A feature's name for programs; NULL for a number that has none. */
const char *feature_name(enum feature f);

/* The wall of that name, WALL_NONE if there is none. */
enum wall wall_find(const char *name);

#endif
