/* proto.h - what the gateway says to the supervisor, and its descriptors.
 *
 * Records of a fixed size over a SOCK_SEQPACKET pair.  The gateway reads bytes
 * of the workload, so the supervisor takes no text or number on trust. */
#ifndef MXC_GATEWAY_PROTO_H
#define MXC_GATEWAY_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limit.h"
#include "policy/net.h"

/* Descriptors that the gateway is started with, besides stdio. */
enum {
    GATEWAY_RULES_FD = 3,  /* the compiled rules, in a sealed memfd */
    GATEWAY_STATUS_FD = 4, /* to the supervisor */
    GATEWAY_INSIDE_FD = 5  /* to the launcher, later the sandbox's init */
};

enum gateway_kind {
    GATEWAY_NONE = 0,
    GATEWAY_READY,     /* its walls stand, it has the sandbox's sockets */
    GATEWAY_FAILED,    /* err; nothing has run */
    GATEWAY_PUBLISHED, /* forward: guest's and the host's chosen port */
    GATEWAY_DECIDED,   /* a connection, flow or query was allowed/refused */
    GATEWAY_CLOSED,    /* the end of an allowed one: bytes, duration */
    GATEWAY_LIMIT,     /* a bound of the gateway's was reached */
    GATEWAY_LOST       /* so many events could not be told: lost */
};

/* What a decision was about. */
enum gateway_what {
    GATEWAY_CONNECT = 0, /* TCP */
    GATEWAY_FLOW,        /* UDP or ICMP echo */
    GATEWAY_QUERY,       /* DNS: name and qtype */
    GATEWAY_TLS,         /* server name of a ClientHello: other */
    GATEWAY_HTTP,        /* Host of a request: other */
    GATEWAY_PROXY,       /* by the built-in proxy */
    GATEWAY_SERVICE,     /* a service of the host's loopback */
    GATEWAY_PUBLISH      /* a connection from the host to a published port */
};

/* Refusals that no rule of the policy's explains. */
enum gateway_why {
    GATEWAY_BY_POLICY = 0, /* verdict says it */
    GATEWAY_BY_UPSTREAM,   /* sys: how the dialled peer or network failed */
    GATEWAY_BY_ADDRESS,    /* a name led to an address it may not lead to */
    GATEWAY_BY_NO_ADDRESS, /* a name has no address */
    GATEWAY_BY_MISMATCH,   /* TLS or HTTP named something else: other */
    GATEWAY_BY_NO_NAME,    /* TLS or HTTP named nothing */
    GATEWAY_BY_PROTOCOL,   /* malformed, or a way around the check */
    GATEWAY_BY_BUDGET      /* too many names, queries or connections */
};

struct gateway_record {
    uint32_t kind; /* enum gateway_kind */
    uint32_t what; /* enum gateway_what */
    uint32_t why;  /* enum gateway_why */
    uint32_t id;   /* joins DECIDED and CLOSED; 0: no CLOSED follows */
    uint32_t is_allowed;
    uint32_t proto;       /* enum net_proto */
    uint32_t verdict_why; /* enum net_why */
    struct net_origin origin;
    int32_t sys;
    uint16_t port;
    uint16_t qtype;
    struct net_addr addr; /* destination; for names the dialled one or zero */
    struct net_forward forward;
    uint64_t sent; /* bytes of the workload's */
    uint64_t received;
    uint64_t duration_ms;
    uint64_t lost;         /* LOST: so many records */
    uint64_t lost_denials; /* and so many of them were refusals */
    uint32_t limit;        /* LIMIT: 1 + enum limit where it is the policy's */
    char name[NET_NAME_MAX + 1];  /* or "" */
    char other[NET_NAME_MAX + 1]; /* what TLS or HTTP said, printable, or "" */
    struct err err;               /* FAILED; other records end before it */
};

/* Did the policy refuse something?  That a peer does not answer is the
 * network's news. */
static inline bool gateway_is_denial(const struct gateway_record *r)
{
    return r->kind == GATEWAY_DECIDED && !r->is_allowed &&
           r->why != GATEWAY_BY_UPSTREAM;
}

#define GATEWAY_RECORD_SHORT offsetof(struct gateway_record, err)

#endif
