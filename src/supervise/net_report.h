/* net_report.h - what the gateway told, for people and for programs.
 *
 * Each record becomes an event, where somebody listens; refusals are kept
 * besides, each once with a count, for the end of the run.  docs/network.md
 * lists the fields. */
#ifndef MXC_SUPERVISE_NET_REPORT_H
#define MXC_SUPERVISE_NET_REPORT_H

#include "base/buf.h"
#include "gateway/proto.h"
#include "supervise/access.h"
#include "plan/clause.h"
#include "supervise/capture.h"
#include "supervise/denial.h"
#include "supervise/events.h"

enum { NET_REPORT_DENIALS = 64, NET_REPORT_PUBLISHED = 128 };

struct net_denial {
    struct gateway_record record;
    uint64_t count;
};

struct net_report {
    struct events *events;  /* NULL: nobody listens */
    bool is_quiet;          /* nothing for people: a program reads the result */
    struct denials *others; /* of files and calls; NULL: none is wanted */
    struct accesses *accesses; /* what was used; NULL: none is wanted */
    struct verified walls;     /* what the sandbox tried itself */
    struct capture capture;    /* the file that the caller wants of it */
    struct net_denial denial[NET_REPORT_DENIALS];
    size_t ndenials;
    uint64_t more; /* refusals that had no room */
    uint64_t lost; /* refusals that the gateway could not tell */
    uint64_t reached[LIMIT_COUNT]; /* so often, of those that it counts */
    struct net_forward published[NET_REPORT_PUBLISHED];
    size_t npublished;
};

/* Take a record; writes its line. */
void net_report_take(struct net_report *r, const struct gateway_record *rec);

/* How often something was refused. */
uint64_t net_report_count(const struct net_report *r);

/* How many of these have no room in the list. */
uint64_t net_report_left(const struct net_report *r);

/* [...]: the list. */
void net_report_list(const struct net_report *r, struct buf *out);

/* ,"published":[...],"denials":[...] where there are any, and "accesses" where
 * they are wanted. */
void net_report_json(const struct net_report *r, struct buf *out);

/* The refusals, for a person; nothing when there were none. */
void net_report_text(const struct net_report *r, struct buf *out);

/* One sentence on a record: what was refused, and why.  And what would allow
 * it, "" when nothing would. */
void net_report_sentence(const struct gateway_record *rec, struct buf *out);
void net_report_hint(const struct gateway_record *rec, struct buf *out);

#endif
