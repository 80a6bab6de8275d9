/* learn.h - from what a command was refused, or has used, to the smallest
 * policy that lets it work.  Pure: paths are text here, and who asks knows what
 * the host has of them.
 *
 * What is learnt comes from the workload, so nothing is granted that its owner
 * would not want a policy to give away unseen: secrets, and directories so
 * wide that they hold everything. */
#ifndef MXC_LEARN_LEARN_H
#define MXC_LEARN_LEARN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "policy/variables.h"

enum learn_kind {
    LEARN_READ = 0, /* a path */
    LEARN_WRITE,
    LEARN_DENY,  /* a secret inside of what is granted */
    LEARN_GUARD, /* stays for reading inside of what is granted for writing */
    LEARN_HOST,  /* a name */
    LEARN_NET,   /* an address */
    LEARN_ENV,   /* NAME=VALUE */
    LEARN_CWD,   /* where it starts */
    LEARN_OTHER  /* what no clause allows */
};

enum learn_proto { LEARN_ANY = 0, LEARN_TCP, LEARN_UDP, LEARN_ICMP };

enum {
    LEARN_PROGRAMS = 4,
    LEARN_MOST = 2048, /* entries, those that are left out too */
    /* So many entries of one directory stand for all of it. */
    LEARN_SEVERAL = 4,
    /* A name that was only looked up is allowed a port that nobody serves
     * (RFC 863), so that looking it up goes on to work. */
    LEARN_PORT_NONE = 9
};

struct learn_entry {
    enum learn_kind kind;
    enum learn_proto proto; /* LEARN_HOST, LEARN_NET */
    uint16_t port;          /* 0: all */
    const char *what;
    const char *left_out;  /* why it is not granted; NULL: it is */
    const char *option;    /* that would grant it all the same, or NULL */
    const char *message;   /* the refusal, in a sentence; or NULL */
    const char *stands_in; /* the wider entry that holds it, or NULL */
    bool is_secret;        /* a grant of it may show some, as a record says */
    char program[LEARN_PROGRAMS][16];
    size_t nprograms;
    uint64_t count;
    unsigned round; /* that it was met in first; 0: before all */
    unsigned last;  /* and last */
    bool is_dir;
};

struct learnt {
    struct arena *arena;
    struct learn_entry *entry;
    size_t n;
    size_t more; /* that had no room */
};

struct learn_place {
    const char *home;            /* the caller's, clean; or NULL */
    const char *workspace;       /* where the command starts, clean */
    const char *const *programs; /* the directories of the caller's PATH */
    size_t nprograms;
};

/* The entry of that kind and text, or NULL. */
struct learn_entry *learn_find(const struct learnt *l, enum learn_kind kind,
                               const char *what, enum learn_proto proto,
                               uint16_t port);
/* That one, or a new one with copies of the texts; NULL: no room for it. */
struct learn_entry *learn_add(struct learnt *l, const struct learn_entry *e);
void learn_program(struct learn_entry *e, const char *name);
/* Is it in the policy: neither left out, nor part of a wider one? */
bool learn_is_granted(const struct learn_entry *e);

/* --- what is not granted unseen (secret.c) -------------------------------- */

/* Why a path is a secret by its name, or NULL. */
const char *learn_secret(const char *path, bool is_dir,
                         const struct learn_place *at);
/* Whether such a name may be one, by what the file holds (learn_secret_text).
 */
bool learn_may_be_secret(const char *path);
/* Why writing there would be a way out: somebody else executes it, or does
 * what it says, outside of the sandbox.  NULL: nobody is known to. */
const char *learn_is_run(const char *path, const struct learn_place *at);
/* What git does the bidding of in a directory of its own, up to NULL. */
extern const char *const learn_git_runs[];
/* The beginning of a file: why it is a secret, or NULL. */
const char *learn_secret_text(const char *text, size_t len);
/* Why a directory is too wide to be granted as a whole, or NULL. */
const char *learn_wide(const char *dir, const struct learn_place *at);
/* Can it be written, and read by people, as it is? */
bool learn_is_plain(const char *text);
/* The same of a path, of which the contract has an own opinion. */
bool learn_is_path(const char *path);
/* Is it the system's own, which programs look for of their own accord, and do
 * without? */
bool learn_is_minor(const struct learn_entry *e);

/* --- fewer and wider entries (shape.c) ------------------------------------ */

/* The cache that a path belongs to, in the arena; NULL: none, or none that is
 * to be written as a whole. */
const char *learn_cache(struct arena *a, const char *path, enum learn_kind kind,
                        const struct learn_place *at);
/* A name that is another each time: "tmpab12cd34", "sedXkQw9z". */
bool learn_is_temporary(const char *name);
/* "/" or what stands before the last name, in the arena. */
const char *learn_above(struct arena *a, const char *path);

/* May this directory be granted as a whole, for that? */
typedef bool learn_may(void *arg, const char *dir, enum learn_kind kind);

/* Put entries together: caches, temporary names, several of one directory;
 * drop what a wider entry holds.  0, or -1 for lack of memory. */
int learn_shape(struct learnt *l, const struct learn_place *at, learn_may *may,
                void *arg);

/* --- the document (document.c) -------------------------------------------- */

struct json;

/* What a request says of paths: entries that read, write or deny. */
void learn_rules(struct arena *a, struct json *root, const struct variables *v,
                 struct learnt *out);
/* Why these rules forbid a grant of that kind, or NULL. */
const char *learn_forbidden(const struct learnt *rules, enum learn_kind kind,
                            const char *path);

/* `base`, a request of contract 1.1.0+c1 or NULL, with what was learnt, as
 * text.  Nothing of it is dropped but a grant for reading of a path that is
 * granted for writing now; and what it forbids stays forbidden. */
int learn_document(struct arena *a, const char *base, size_t len,
                   const struct variables *v, bool spells,
                   const struct learnt *l, struct buf *out, struct err *e);

/* Two texts as a unified diff; nothing when they are the same. */
void learn_diff(const char *old_name, const char *old_text,
                const char *new_name, const char *new_text, struct buf *out);

#endif
