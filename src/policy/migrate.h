/* migrate.h - a request in the words of a later contract. */
#ifndef MXC_POLICY_MIGRATE_H
#define MXC_POLICY_MIGRATE_H

#include "base/buf.h"
#include "contract/request.h"

struct migrate_note {
    const char *path; /* in the old document */
    const char *text; /* a sentence about it */
    bool is_lost;     /* else nothing changes by it */
};

/* More than these are counted alone. */
enum { MIGRATE_NOTES = 64 };

struct migrated {
    enum contract contract;
    struct migrate_note note[MIGRATE_NOTES];
    size_t nnotes;
    size_t nmore; /* that are not listed */
    size_t nlost; /* of both */
};

/* Write the request in contract `to`, CONTRACT_1_0_0 or CONTRACT_1_1_0_C1;
 * CONTRACT_NONE takes the first where nothing is lost, else the second.  What
 * cannot be said there is left out and noted where less is allowed by that;
 * where more would be, it fails.  Pure; `text` must outlive *out. */
int migrate_request(struct arena *a, const char *text, size_t len,
                    enum contract to, struct buf *out, struct migrated *m,
                    struct err *e);

#endif
