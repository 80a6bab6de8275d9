/* net_report.h - what the gateway told, for people and for programs.
 *
 * Each record becomes one line of JSON on the caller's descriptor, when there
 * is one; refusals are kept besides, each once with a count, for the end of
 * the run.  docs/network.md lists the fields. */
#ifndef MXC_SUPERVISE_NET_REPORT_H
#define MXC_SUPERVISE_NET_REPORT_H

#include "base/buf.h"
#include "gateway/proto.h"

enum { NET_REPORT_DENIALS = 64, NET_REPORT_PUBLISHED = 128 };

struct net_denial {
    struct gateway_record record;
    uint64_t count;
};

struct net_report {
    int events_fd;      /* -1: none */
    bool is_stuck;      /* it had no room the last time */
    uint64_t written;   /* bytes of lines */
    uint64_t unwritten; /* lines that it had no room for, not told yet */
    bool is_quiet;      /* nothing for people: a program reads the result */
    struct net_denial denial[NET_REPORT_DENIALS];
    size_t ndenials;
    uint64_t more; /* refusals that had no room */
    uint64_t lost; /* that the gateway could not tell */
    struct net_forward published[NET_REPORT_PUBLISHED];
    size_t npublished;
};

/* Take a record; writes its line. */
void net_report_take(struct net_report *r, const struct gateway_record *rec);

/* The line of a record, without its time: an object's members. */
void net_report_members(const struct gateway_record *rec, struct buf *out);

/* ,"published":[...],"denials":[...] where there are any. */
void net_report_json(const struct net_report *r, struct buf *out);

/* The refusals, for a person; nothing when there were none. */
void net_report_text(const struct net_report *r, struct buf *out);

/* One sentence on a record: what was refused, and why.  And what would allow
 * it, "" when nothing would. */
void net_report_sentence(const struct gateway_record *rec, struct buf *out);
void net_report_hint(const struct gateway_record *rec, struct buf *out);

#endif
