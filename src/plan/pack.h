/* pack.h - layout of a packed plan, shared by pack.c and check.c alone. */
#ifndef MXC_PLAN_PACK_H
#define MXC_PLAN_PACK_H

#include "plan/plan.h"

#define PACKED_MAGIC   "MXCPLAN"
#define PACKED_VERSION 1u
#define PACKED_NONE    UINT32_MAX

struct packed_plan {
    char magic[8];
    uint32_t version;
    uint32_t nsteps;
    uint32_t total; /* bytes, header and pool included */
    uint32_t flags;
    uint32_t landlock_abi;
    uint32_t uid;
    uint32_t gid;
    uint32_t receipt; /* offsets are from the start of the pool */
    uint64_t timeout_ms;
};

struct packed_step {
    uint32_t kind;
    uint32_t flags;
    uint64_t num[2];
    uint32_t path;
    uint32_t text;
    uint32_t text_len;
    uint32_t zero;
};

#endif
