/* backend.h - one containment backend: a row of the table in table.c. */
#ifndef MXC_BACKENDS_BACKEND_H
#define MXC_BACKENDS_BACKEND_H

#include "plan/plan.h"
#include "policy/policy.h"

/* The container of which the run is one, where it is kept. */
struct kept {
    const char *path; /* of its directory; NULL: none is kept */
    const char *name;
    const char *found;  /* its record; "": it is to be made */
    const char *record; /* what that becomes; NULL: it stays */
    uint64_t dev, ino;
    bool ends;        /* with this run */
    bool has_network; /* its rules are kept with it */
};

/* What planning may know of this machine and of the caller.  Plain data, so
 * that tests can invent any host. */
struct host {
    unsigned landlock_abi; /* 0: none */
    bool has_pid_limit;    /* pid_max is per pid namespace (6.14) */
    uint32_t uid;
    uint32_t gid;
    const char *hostname;    /* for the workload; NULL: the default */
    const char *machine_id;  /* synthetic, 32 hex digits */
    const char *boot_id;     /* synthetic, a UUID */
    bool is_sandbox;         /* no user namespace may be made */
    bool keeps_groups;       /* though the caller is root */
    bool crash_runs_program; /* of the host, and no limit can prevent it */
    const char *bwrap;       /* where it is, or NULL */
    bool bwrap_is_setuid;
    const char *lxc;   /* our driver of liblxc, or NULL */
    const char *image; /* the tree of the policy's image, or NULL */
    const char *image_digest;
    uint64_t image_dev, image_ino;
    const char *session_place; /* of the session that is planned, canonical;
                                * NULL: it is a run */
    struct kept kept;
    const char *resolv_conf; /* its name servers that others may ask, or NULL */
    const char *runsc;       /* gVisor's program, or NULL */
    uint64_t runsc_dev, runsc_ino;
    uint32_t group_limits; /* LIMIT_BITs that a control group of ours can
                            * hold; looked for where the policy has limits */
    uint32_t group_v2;     /* those of them that one of version 2 holds */
    uint64_t nofile_hard;  /* caller's own ceilings, see rlimit(2) */
    uint64_t nproc_hard;
};

/* Rows of explain and receipt: which mechanism enforces which clause. */
struct receipt_row {
    const char *clause;
    const char *by;    /* mechanisms, in words */
    const char *state; /* "enforced", "not enforced: ..." */
};

/* What each backend has whose sandbox our launcher finishes, with the gateway
 * as its only way out. */
#define FEAT_LAUNCHED                                                          \
    (FEAT_FILESYSTEM | FEAT_NET_DENY | FEAT_NET_EGRESS | FEAT_NET_PROXY |      \
     FEAT_NET_FORWARD | FEAT_NET_NAMES | FEAT_NET_FILTER_PROXY |               \
     FEAT_UI_DENY | FEAT_TIMEOUT | FEAT_LIMITS)

/* Limits that are held around it: of what the host's kernel counts, of its
 * output, and by the gateway. */
#define LIMITS_AROUND                                                          \
    (LIMIT_BIT(LIMIT_MEMORY) | LIMIT_BIT(LIMIT_SWAP) |                         \
     LIMIT_BIT(LIMIT_CPU_SHARE) | LIMIT_BIT(LIMIT_CPU_TIME) |                  \
     LIMIT_BIT(LIMIT_SILENCE) | LIMIT_BIT(LIMIT_OUTPUT) |                      \
     LIMIT_BIT(LIMIT_CONNECTIONS) | LIMIT_BIT(LIMIT_NETWORK))

/* And those that the host's kernel holds for each process of the workload. */
#define LIMITS_INSIDE                                                          \
    (LIMIT_BIT(LIMIT_PIDS) | LIMIT_BIT(LIMIT_FILES) |                          \
     LIMIT_BIT(LIMIT_FILE_SIZE))

#define LIMITS_SCRATCH                                                         \
    (LIMIT_BIT(LIMIT_SCRATCH) | LIMIT_BIT(LIMIT_SCRATCH_FILES))

/* Accepted by all, to be refused with their own words. */
#define LIMITS_WRITTEN                                                         \
    (LIMIT_BIT(LIMIT_WRITTEN) | LIMIT_BIT(LIMIT_WRITTEN_FILES))

struct backend {
    const char *name; /* wire value of `containment` */
    const char *summary;
    enum tier tier;
    uint32_t features; /* OR of enum feature */
    uint32_t limits;   /* LIMIT_BITs that it has a way to hold */
    bool has_image;    /* the root is an image's: no base of the host's */

    /* Usable here?  Reads *h only.  On failure *e names cause and remedy. */
    int (*probe)(const struct host *h, const struct policy *p, struct err *e);

    /* Policy to steps.  Pure.  The policy's rules are complete with facts;
     * cwd is where the workload starts. */
    int (*plan)(const struct policy *p, const struct host *h,
                const struct places *fs, const char *cwd, struct arena *a,
                struct plan *out, struct err *e);

    /* Ends with a row whose clause is NULL; in the arena. */
    const struct receipt_row *(*receipt)(const struct policy *p,
                                         const struct host *h,
                                         const struct places *fs,
                                         struct arena *a);
};

extern const struct backend backend_native;
extern const struct backend backend_bubblewrap;
extern const struct backend backend_gvisor;
extern const struct backend backend_lxc;

/* All backends, in order of preference; ends with NULL. */
extern const struct backend *const backends[];

/* The row of a containment, `process` being the native one; NULL if a table
 * has none. */
const struct backend *backend_row(const struct backend *const *table,
                                  enum containment c);

/* The backend that runs a policy.  A name means that backend, and `process`
 * means native; where the policy asks for a tier as well, `process` is the
 * first of the table that has it and is usable here.  Whatever fits not is
 * refused: nothing is put in its place. */
int backend_choose(const struct backend *const *table, const struct policy *p,
                   const struct host *h, const struct backend **out,
                   struct err *e);

/* The same, of all backends. */
int backend_find(const struct policy *p, const struct host *h,
                 const struct backend **out, struct err *e);

/* Refuse every clause that the backend cannot enforce. */
int backend_check(const struct backend *b, const struct policy *p,
                  struct err *e);

/* Find what holds each limit of the policy, and refuse what cannot be held
 * and is not advisory.  The host was looked at (limits_look). */
int backend_limits(const struct backend *b, const struct host *h,
                   struct policy *p, struct err *e);

#endif
