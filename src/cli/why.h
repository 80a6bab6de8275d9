/* why.h - may the workload, and why: one question to a plan.
 *
 * The plan is what the sandbox is made of, so the answer names the step that
 * gives it, what stands behind that in the kernel, and the clause of the policy
 * that it comes from.  What it looks at on the host it looks at with the
 * caller's own rights; it opens nothing. */
#ifndef MXC_CLI_WHY_H
#define MXC_CLI_WHY_H

#include "api/prepare.h"

enum why_kind { WHY_READ = 0, WHY_WRITE, WHY_EXEC, WHY_CONNECT };

struct why_question {
    enum why_kind kind;
    const char *operand; /* absolute and clean path; HOST:PORT */
};

enum why_decision {
    WHY_REFUSED = 0,
    WHY_ALLOWED,
    WHY_OPEN /* the kernel decides by what no plan says */
};

struct why_answer {
    enum why_decision decision;
    int error;          /* that a program is told; 0: it may, or it is the
                         * network's to say */
    const char *where;  /* the path or name that the clause is about */
    const char *clause; /* "--ro", "filesystem.deniedPaths[0]", "default" */
    const char *mechanism;
    const char *reason;  /* a sentence */
    const char *remedy;  /* an option, or what to take away; NULL: nothing
                          * in a policy allows it */
    const char *instead; /* what to try in the place of the question; NULL:
                          * that itself */
    const char *peer;    /* WHY_CONNECT, where it is allowed: the name or the
                          * address, as events have it */
    uint16_t port;
    bool is_new;    /* WHY_WRITE: there is nothing of that name */
    bool is_secret; /* what the remedy grants may be one */
};

/* The word of a kind: "read". */
const char *why_name(enum why_kind kind);
/* -1: there is no such word. */
int why_find(const char *name);

/* A question as it is asked: relative paths are `cwd`'s. */
int why_ask(struct arena *a, enum why_kind kind, const char *operand,
            const char *cwd, struct why_question *out, struct err *e);

struct why_policy {
    const struct plan_view *plan;
    /* Where its steps come from; NULL: not known, of a session that was made
     * by an older mxc. */
    const struct places *places;
    const char *home; /* the caller's, or NULL */
    bool is_session;  /* commands may have left something behind */
};

int why_decide(struct arena *a, const struct why_policy *p,
               const struct why_question *q, struct why_answer *out,
               struct err *e);

/* Of the network (why_network.c). */
int why_decide_connect(struct arena *a, const struct plan_view *plan,
                       const char *peer, struct why_answer *out, struct err *e);

/* "EACCES"; "0" for none. */
const char *why_error_name(int error);

#endif
