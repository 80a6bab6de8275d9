/* denial.h - what the workload was refused of files, programs and system
 * calls (--denials): why, and what would allow it.
 *
 * Init tells what failed in the sandbox's view; here is known what the policy
 * made of the host, and what the host has.  Its records come from inside: no
 * text or number is taken on trust, and the host's paths that they name are
 * looked at, never opened. */
#ifndef MXC_SUPERVISE_DENIAL_H
#define MXC_SUPERVISE_DENIAL_H

#include <limits.h>

#include "launch/proto.h"
#include "plan/plan.h"
#include "supervise/events.h"
#include "supervise/keys.h"

enum { DENIALS_LISTED = 64, DENIALS_TEXT = 1024 };

struct denial {
    uint64_t key, count;
    int sys;
    uint32_t op; /* enum watch_op */
    int pid;
    bool is_allowable;
    bool is_secret;        /* what would then be shown */
    bool is_link;          /* `path` is what the name led to on the host */
    const char *home;      /* the caller's, or NULL */
    const char *reason;    /* a word for programs */
    const char *mechanism; /* what refused it */
    const char *rule;      /* the clause that decided, or NULL */
    char call[24];
    char process[16];
    char named[256];
    char path[DENIALS_TEXT];
    char clause[DENIALS_TEXT]; /* "" where nothing would allow it */
    char hint[DENIALS_TEXT];
    char why[256]; /* the end of the sentence */
};

/* What the looks at the host took so far (host_seen.c). */
struct host_looks {
    unsigned work;
    bool met_link; /* the last one, on its way */
    enum { ROOT_UNSEEN = 0, ROOT_IS_LOCAL, ROOT_IS_NOT } root;
};

struct denials {
    const struct plan_view *plan;
    const char *home;      /* the caller's, or NULL */
    struct events *events; /* NULL: nobody listens */
    struct denial list[DENIALS_LISTED];
    size_t n;
    struct keys keys;
    uint64_t more;   /* that had no room */
    uint64_t lost;   /* of which nobody knows whether they were refused */
    uint64_t untold; /* of these, that no gap has told yet */
    uint64_t losses; /* how often something was lost */
    struct host_looks looks;
};

/* Take a record of init's (launcher.h): of what is a denial an event is told,
 * once. */
void denials_take(struct denials *d, const struct launch_seen *rec);

/* The last: what is not told yet. */
void denials_settle(struct denials *d);

void denials_drop(struct denials *d);

/* How often something was refused, as far as that is known. */
uint64_t denials_count(const struct denials *d);

/* The objects of a result's "denials", with a comma before each. */
void denials_json(const struct denials *d, struct buf *out);

/* ,"denialsLost":N, where there are any. */
void denials_lost_json(const struct denials *d, struct buf *out);

/* For a person; nothing when there were none. */
void denials_text(const struct denials *d, struct buf *out);

/* --- denial_why.c ----------------------------------------------------------
 */

enum denial_is {
    DENIAL_NONE = 0, /* what failed is no refusal of this policy's */
    DENIAL_FOUND,
    DENIAL_UNKNOWN /* nobody looks any more */
};

/* Fill in why. */
enum denial_is denial_explain(struct denials *all, struct denial *d);

/* One sentence. */
void denial_sentence(const struct denial *d, struct buf *out);

/* --- host_seen.c -----------------------------------------------------------
 */

enum host_seen {
    HOST_MISSING = 0,
    HOST_THERE,
    HOST_UNKNOWN,
    HOST_UNASKED /* all looks of the run are used up */
};

struct host_found {
    char name[PATH_MAX]; /* without links */
    bool is_dir, is_own;
    bool may_read, may_write; /* the caller, who can grant it so */
    bool is_readable;         /* inside, where he has no capability */
    bool is_writable;
    bool is_searched; /* or executed */
};

/* What all looks of a run may take: one for each component, and for each look
 * at the table of mounts as much as for many.  Names that are nowhere are
 * cheap, and many. */
enum { HOST_WORK = 1 << 17 };

/* Is there anything of that name on the host?  Opens nothing, and never looks
 * into a file system that would ask somebody else: HOST_UNKNOWN.  `out` is
 * written for HOST_THERE. */
enum host_seen host_see(struct host_looks *looks, const char *path,
                        struct host_found *out);

#endif
