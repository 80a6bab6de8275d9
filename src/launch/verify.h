/* verify.h - the sandbox tries its own walls: in the process that becomes the
 * workload, as its last act before the execve(2), so that what is tried is what
 * the workload meets.  Nothing is written, executed or sent. */
#ifndef MXC_LAUNCH_VERIFY_H
#define MXC_LAUNCH_VERIFY_H

#include "base/err.h"
#include "launch/proto.h"
#include "plan/plan.h"

struct verify {
    const struct plan_view *plan;
    char *const *envp;     /* that the workload gets */
    struct launch_go host; /* what must not be found */
    struct verified found;
    bool has_proc; /* the sandbox's own is there, and tells */
    int outside;   /* of verify_open_outside; closed when it was tried */
    struct err err;
};

/* A socket in the sandbox's network namespace, before its Landlock domain and
 * so outside of it: with an abstract name, and reachable for all who are not in
 * that domain.  -1: the plan has none to try, or there is none. */
int verify_open_outside(const struct plan_view *plan);

/* Before the filter, behind it, and where the limits are the workload's, which
 * ends with telling the supervisor: who does not hear it has no workload.  -1:
 * a wall does not hold, and v->err says which.  Calls that the filter hands to
 * the broker are made before it, since who would answer waits for the
 * execve(2). */
int verify_before(struct verify *v);
int verify_behind(struct verify *v);
int verify_limits(struct verify *v);

/* Pieces of these.  A try that found what the plan says; that something cannot
 * be tried, which no other try makes up for; and the opposite of the first,
 * which returns -1. */
int verify_held(struct verify *v, enum clause c);
void verify_untried(struct verify *v, enum clause c, enum clause_reason why);
int verify_fell(struct verify *v, enum clause c, const char *what,
                const char *expected, const char *found);

/* The same for a call that is to be refused with one of two errnos. */
int verify_refused(struct verify *v, enum clause c, const char *what,
                   long returned, int expected, int also);

/* verify_scopes.c: what Landlock's scopes say, ABI 6 on. */
int verify_scopes(struct verify *v);

/* verify_view.c: what is seen of files, and how.  Is the /proc of the sandbox
 * there?  Before all that asks it. */
int verify_view(struct verify *v);
int verify_proc(struct verify *v);

/* verify_mounts.c: nothing is mounted that the plan has not. */
int verify_mounts(struct verify *v);

/* verify_filter.c: what the filter refuses. */
int verify_filter(struct verify *v);

/* The clause of the network that the plan has. */
enum clause verify_network_clause(const struct verify *v);

/* The first bytes of a file, as text: 0 or -errno. */
int verify_read(const char *path, char *text, size_t size);

/* verify_net.c: what is reached of the network. */
int verify_network(struct verify *v);

#endif
