/* store_verbs.h - commands with verbs about what a caller's store keeps:
 * `mxc image` and `mxc container`. */
#ifndef MXC_CLI_STORE_VERBS_H
#define MXC_CLI_STORE_VERBS_H

#include <time.h>

#include "cli/cli.h"
#include "sys/store.h"

struct store_call {
    struct cli *c;
    struct store_place at;
    const char *name, *source; /* operands */
    struct buf *text, *json;   /* the answer, for people and programs */
};

struct store_verb {
    int (*run)(struct store_call *k, struct err *e);
    int operands;
    const char *usage;
    bool takes_template; /* --template */
};

struct store_command {
    const char *name;
    const char *const *verbs;      /* their names, ended by NULL */
    const struct store_verb *verb; /* in the same order */
    const char *hint;              /* which there are */
};

/* The whole command; returns the program's exit code. */
int store_command(const struct store_command *s, int argc, char **argv);

/* As 2026-01-31T23:59:59Z. */
void store_put_time(struct buf *b, time_t at);

#endif
