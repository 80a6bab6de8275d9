/* session.h - what the commands about sessions share. */
#ifndef MXC_CLI_SESSION_H
#define MXC_CLI_SESSION_H

#include "cli/cli.h"
#include "session/client.h"

/* {"result":{...}} with these members, or {"error":...}, to --json. */
int cli_answer(const struct cli *c, const char *members, struct err *e);
int cli_fail_phase(const struct cli *c, const struct err *e, int code);

#endif
