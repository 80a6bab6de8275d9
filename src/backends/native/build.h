/* build.h - what the parts of the native backend's plan share. */
#ifndef MXC_BACKENDS_NATIVE_BUILD_H
#define MXC_BACKENDS_NATIVE_BUILD_H

#include "backends/backend.h"

struct builder {
    struct plan *plan;
    struct arena *a;
    const struct policy *p;
    const struct host *h;
    const struct places *fs;
};

int native_add(struct builder *b, enum step_kind kind, uint32_t flags,
               uint64_t n0, uint64_t n1, const char *path, const char *text,
               struct err *e);

/* A synthetic file, unless policy has something at that path.  No text is no
 * memory. */
int native_add_file(struct builder *b, const char *path, const char *text,
                    struct err *e);

/* What a session keeps (policy.layer): its private places, before what stands
 * in them; and of the base a directory that can be written over. */
int native_add_layer(struct builder *b, struct err *e);
bool native_has_overlay(const struct builder *b, const struct place *p);
int native_add_overlay(struct builder *b, const struct place *p, struct err *e);

/* What of the policy's grants the base shows already, for a report of what is
 * used. */
int native_add_shown(struct builder *b, struct err *e);

/* The gateway's rules, and what the launcher makes for it.  After /proc, whose
 * sysctls it sets. */
int native_add_network(struct builder *b, struct err *e);

/* /etc/resolv.conf, or none. */
int native_add_resolver(struct builder *b, struct err *e);

enum { RECEIPT_ROWS = 48 };

struct receipt {
    struct receipt_row *row; /* RECEIPT_ROWS of them, the last stays empty */
    size_t n;
    struct arena *a;
};

/* The texts are borrowed; NULL says that there is no memory. */
void native_receipt_put(struct receipt *r, const char *clause, const char *by,
                        const char *state);

/* The rows of the network. */
void native_receipt_network(struct receipt *r, const struct net_policy *n);

/* NULL: no memory. */
const struct receipt_row *native_receipt(const struct policy *p,
                                         const struct host *h,
                                         const struct places *fs,
                                         struct arena *a);

#endif
