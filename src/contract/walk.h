/* walk.h - a JSON tree against the tables, into a struct. */
#ifndef MXC_CONTRACT_WALK_H
#define MXC_CONTRACT_WALK_H

#include "base/json.h"
#include "contract/table.h"

struct walk {
    struct arena *arena; /* for what is kept */
    const char *text;    /* the document, for line and column */
    size_t len;
    enum contract contract;
    struct err *e;
};

/* Every field known, once, of its kind, and the required ones there; values
 * go where their rows say, relative to base. */
int walk_document(const struct walk *w, const struct json *v,
                  const struct object *o, void *base);

/* A refusal at a byte of the document. */
int walk_fail(const struct walk *w, size_t pos, const char *fmt, ...)
    printf_like(3, 4);

#endif
