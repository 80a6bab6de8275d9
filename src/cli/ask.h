/* ask.h - questions to a policy: decided, and tried in a sandbox of it. */
#ifndef MXC_CLI_ASK_H
#define MXC_CLI_ASK_H

#include "cli/cli.h"
#include "session/try.h"

struct asked {
    struct why_question question;
    struct why_answer answer;
    struct try_answer tried;
    bool was_tried;
    /* What the gateway said of the trial, of what the policy lets begin: */
    bool is_heard;       /* all of it is known */
    bool is_refused;     /* it was refused all the same */
    bool leads_astray;   /* for where the name leads to */
    const char *refusal; /* in words */
};

/* Fill in what `n` questions come to: by the policy of the command line, or of
 * the session c->id.  A signal meanwhile is an error, too. */
int ask_all(struct cli *c, struct asked *q, size_t n, struct err *e);

/* What counts: as it was tried, else as it was decided. */
enum why_decision ask_outcome(const struct asked *q);

/* "allowed", "refused", "open" */
const char *ask_word(enum why_decision d);

/* The policy's, or what the trial tells better. */
const char *ask_reason(const struct asked *q);

/* A connection that the policy allows, and that failed outside.  Where that is
 * not known it is open. */
bool ask_is_let_through(const struct asked *q);

/* Decided and tried are the same, as far as both are known. */
bool ask_agrees(const struct asked *q);

/* One answer as a JSON object. */
void ask_json(struct buf *b, const struct asked *q);

/* --- what the gateway refused (ask_refusals.c) ---------------------------- */

/* The events of a session, from now on; -1: there are none to be read. */
int ask_open_events(const struct session_dir *d);

/* What they say of the questions that were tried meanwhile. */
void ask_take_refusals(struct arena *a, int events, struct asked *q, size_t n);

#endif
