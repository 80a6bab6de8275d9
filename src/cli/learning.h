/* learning.h - what the parts of `mxc learn` share. */
#ifndef MXC_CLI_LEARNING_H
#define MXC_CLI_LEARNING_H

#include <sys/types.h>

#include "base/json.h"
#include "cli/cli.h"
#include "learn/learn.h"

enum learn_mode { LEARN_BY_DENIAL = 0, LEARN_OBSERVE, LEARN_PERMISSIVE };

const char *learn_mode_name(enum learn_mode mode);

struct learning {
    struct cli *c;
    enum learn_mode mode;
    struct learnt l;
    struct learn_place at;
    const char *base;    /* the policy that it begins with */
    const char *wide;    /* with everything that is no secret; NULL: only with
                          * what was learnt */
    const char *open[2]; /* what of the host that has */
    size_t nopen;
    struct learnt secrets; /* in these, which are denied */
    struct learnt rules;   /* what the caller's policy says of paths */
    struct variables vars; /* what its ${names} are here */
    bool has_home;         /* the caller's policy says where it is */
    int dir;               /* that the policy's file is to be in, or -1 */
    const char *by[2];     /* its names: as it was given, and from the root */
    const char *target;    /* where the policy goes; "-": standard output */
    int signals;
    uint64_t deadline; /* of the monotonic clock; 0: none */
    off_t input, output;
    unsigned rounds, round; /* at most; so far */
    struct buf policy;      /* the last one, as text */
    /* Of the last round. */
    int code;
    char outcome[32];
    bool is_new;         /* it asked for what it did not have before */
    bool is_interrupted; /* by a signal */
    bool is_unwritten;   /* the policy */
    bool is_again;       /* it is to be run again, with less */
    bool has_failed;     /* a round could not be run */
    int signal;          /* that it was */
    bool is_late;        /* no time is left */
    uint64_t unlisted;   /* records that were lost */
    uint64_t unknown;    /* calls that failed, of which the last round does not
                          * know whether they were refused */
    const char *warning[8];
    size_t nwarnings;
    size_t seen;          /* entries that were looked at, in all */
    struct learnt found;  /* in the directory that is looked through */
    struct learnt narrow; /* what is not to be granted as a whole */
};

/* Peers of the network that were learnt, and are not reached meanwhile? */
bool learn_has_unreached(const struct learning *x);
void learn_warn(struct learning *x, const char *text);

/* learn_base.c: the policy that the first round has. */
int learn_begin(struct learning *x, struct err *e);

/* learn_host.c: what the host has of a path.  Looks as its user, and reads only
 * the beginning of regular files. */
bool learn_is_dir(const char *path);
/* An option and a path, as they would be typed into a shell. */
const char *learn_option(struct learning *x, const char *option,
                         const char *path);
/* Judge an entry for a path: fills left_out and option where it is not to be
 * granted; adds what is denied or stays for reading inside of it. */
void learn_judge(struct learning *x, struct learn_entry *e);
/* The secrets in a directory: -1 where they cannot all be told, or denied. */
int learn_find_secrets(struct learning *x, const char *dir, struct learnt *out);
/* What is gone, or has become a link since, is granted no more. */
void learn_check_again(struct learning *x);
/* May your user do that at all? */
bool learn_is_able(const char *path, enum learn_kind kind, bool is_dir);
/* A learn_may: no secrets in it, and not too large to tell. */
bool learn_may_widen(void *learning, const char *dir, enum learn_kind kind);

/* learn_take.c: a record of a refusal; `is_counted` has the count. */
void learn_take(struct learning *x, const struct json *record, bool is_counted);
/* Of something that was used, or connected to, while it was not held back. */
void learn_take_access(struct learning *x, const struct json *record);
/* Of something that was made where the host does not get it, and of what of the
 * working directory was used. */
void learn_take_lost(struct learning *x, const struct json *record);
void learn_take_connection(struct learning *x, const struct json *record);

/* learn_round.c: run it once, and take what came of it. */
int learn_round(struct learning *x, struct err *e);
/* Is there no time left, or has a signal come? */
bool learn_must_end(struct learning *x);

/* learn_report.c */
void learn_tell(const struct learning *x);
int learn_tell_json(const struct learning *x, int fd, struct err *e);

/* learn_out.c */
int learn_check_out(struct learning *x, struct err *e);
int learn_open_target(struct learning *x, struct err *e);
int learn_write(struct learning *x, struct err *e);

#endif
