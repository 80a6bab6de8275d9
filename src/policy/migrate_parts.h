/* migrate_parts.h - what the parts of migrate_request share. */
#ifndef MXC_POLICY_MIGRATE_PARTS_H
#define MXC_POLICY_MIGRATE_PARTS_H

#include "policy/migrate.h"
#include "policy/tree.h"

struct migration {
    struct tree tree;
    struct json *doc;
    const struct request *from;
    enum contract to;
    struct migrated *out;
};

/* `path` and `text` are borrowed; a path of the arena may be NULL for lack of
 * memory. */
void migrate_note(struct migration *m, bool is_lost, const char *path,
                  const char *text);

/* migrate_network.c: host lists and proxies. */
int migrate_network(struct migration *m, struct err *e);

#endif
