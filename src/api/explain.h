/* explain.h - what a prepared request comes to, as text for people. */
#ifndef MXC_API_EXPLAIN_H
#define MXC_API_EXPLAIN_H

#include "api/prepare.h"

/* `all`: the base path by path.  `plan`: that, and every step. */
void explain(struct buf *b, const struct prepared *p, bool all, bool plan);

/* Its parts: "  name  value  (origin)", and the network. */
void explain_row(struct buf *b, const char *name, const char *value,
                 const char *origin);
void explain_network(struct buf *b, const struct policy *p, bool all);

#endif
