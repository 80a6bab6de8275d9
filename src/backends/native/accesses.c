/* accesses.c - which grants a report of what is used has to know of. */
#include "backends/native/build.h"

#include <string.h>

static bool is_placed(const struct builder *b, const char *path)
{
    for (size_t i = 0; i < b->fs->n; i++) {
        const struct place *p = &b->fs->item[i];

        if (p->kind == PLACE_GRANT && !p->base && strcmp(p->target, path) == 0)
            return true;
    }
    return false;
}

int native_add_shown(struct builder *b, struct err *e)
{
    for (size_t i = 0; b->p->accesses && i < b->p->nrules; i++) {
        const struct fs_rule *r = &b->p->rule[i];

        if (r->base || r->derived || r->access == ACCESS_DENY ||
            !r->at.exists || is_placed(b, r->at.real))
            continue;
        if (native_add(b, STEP_SHOWN, 0, 0, 0, r->at.real, NULL, e) < 0)
            return -1;
    }
    return 0;
}
