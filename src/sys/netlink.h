/* netlink.h - messages to the kernel's network configuration, built by hand.
 *
 * One buffer holds several messages that are sent at once and carried out in
 * order (netlink(7)); the kernel's answer is the first error or the last
 * message's acknowledgement. */
#ifndef MXC_SYS_NETLINK_H
#define MXC_SYS_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NETLINK_ROOM = 8192, NETLINK_DEPTH = 8 };

struct netlink {
    /* Aligned as struct nlmsghdr wants it. */
    uint32_t room[NETLINK_ROOM / 4];
    size_t len;
    size_t message;             /* offset of the one being built */
    size_t nest[NETLINK_DEPTH]; /* offsets of the open attributes */
    unsigned depth;
    uint32_t seq;
    bool failed; /* no room: netlink_send refuses */
};

void netlink_begin(struct netlink *n, uint16_t type, uint16_t flags,
                   const void *head, size_t head_len);
void netlink_put(struct netlink *n, uint16_t type, const void *data,
                 size_t len);
void netlink_put_text(struct netlink *n, uint16_t type, const char *text);
void netlink_put_be32(struct netlink *n, uint16_t type, uint32_t value);
void netlink_nest(struct netlink *n, uint16_t type);
void netlink_unnest(struct netlink *n);

/* Send what was built and wait for the answer: 0 or -errno.  Ends the last
 * message and asks the kernel to acknowledge the message `ack` (an offset, as
 * netlink_here returned it before netlink_begin). */
size_t netlink_here(const struct netlink *n);
int netlink_send(struct netlink *n, int fd, size_t ack);

/* A socket of this protocol (NETLINK_ROUTE, NETLINK_NETFILTER): fd or
 * -errno. */
int netlink_open(int protocol);

#endif
