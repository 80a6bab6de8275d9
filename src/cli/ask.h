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

/* A connection that the policy allows, and that failed outside. */
bool ask_is_let_through(const struct asked *q);

/* Decided and tried are the same, as far as both are known. */
bool ask_agrees(const struct asked *q);

/* One answer as a JSON object. */
void ask_json(struct buf *b, const struct asked *q);

#endif
