/* netlink.c - see netlink.h. */
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

static void *at(struct netlink *n, size_t offset)
{
    return (char *)n->room + offset;
}

/* Zeroed room at the end, padded to four bytes; NULL when there is none. */
static void *extend(struct netlink *n, size_t len)
{
    size_t padded = NLMSG_ALIGN(len);
    void *p = at(n, n->len);

    if (n->failed || padded > sizeof(n->room) - n->len) {
        n->failed = true;
        return NULL;
    }
    memset(p, 0, padded);
    n->len += padded;
    return p;
}

static void end_message(struct netlink *n)
{
    struct nlmsghdr *h = at(n, n->message);

    if (n->len > n->message && !n->failed)
        h->nlmsg_len = (uint32_t)(n->len - n->message);
}

void netlink_begin(struct netlink *n, uint16_t type, uint16_t flags,
                   const void *head, size_t head_len)
{
    struct nlmsghdr *h;
    void *room;

    end_message(n);
    n->message = n->len;
    h = extend(n, sizeof(*h));
    room = extend(n, head_len);
    if (!h || !room)
        return;
    h->nlmsg_type = type;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    h->nlmsg_seq = ++n->seq;
    memcpy(room, head, head_len);
}

void netlink_put(struct netlink *n, uint16_t type, const void *data, size_t len)
{
    struct nlattr *a = extend(n, NLA_HDRLEN + len);

    if (!a)
        return;
    a->nla_type = type;
    a->nla_len = (uint16_t)(NLA_HDRLEN + len);
    memcpy((char *)a + NLA_HDRLEN, data, len);
}

void netlink_put_text(struct netlink *n, uint16_t type, const char *text)
{
    netlink_put(n, type, text, strlen(text) + 1);
}

void netlink_put_be32(struct netlink *n, uint16_t type, uint32_t value)
{
    value = htonl(value);
    netlink_put(n, type, &value, sizeof(value));
}

void netlink_nest(struct netlink *n, uint16_t type)
{
    size_t here = n->len;
    struct nlattr *a = extend(n, NLA_HDRLEN);

    if (!a || n->depth == NETLINK_DEPTH) {
        n->failed = true;
        return;
    }
    a->nla_type = (uint16_t)(type | NLA_F_NESTED);
    n->nest[n->depth++] = here;
}

void netlink_unnest(struct netlink *n)
{
    struct nlattr *a;

    if (n->failed || n->depth == 0) {
        n->failed = true;
        return;
    }
    a = at(n, n->nest[--n->depth]);
    a->nla_len = (uint16_t)(n->len - n->nest[n->depth]);
}

size_t netlink_here(const struct netlink *n)
{
    return n->len;
}

/* Each message that failed has an answer, and the one at `ack` in any case;
 * whatever comes first decides. */
static int hear(int fd, uint32_t seq)
{
    for (;;) {
        uint32_t room[2048];
        ssize_t len = recv(fd, room, sizeof(room), 0);
        const struct nlmsghdr *h = (const void *)room;

        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return -errno;
        for (; NLMSG_OK(h, (size_t)len); h = NLMSG_NEXT(h, len)) {
            const struct nlmsgerr *e = NLMSG_DATA(h);

            if (h->nlmsg_type != NLMSG_ERROR)
                continue;
            if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
                return -EBADMSG;
            if (e->error || h->nlmsg_seq == seq)
                return e->error;
        }
    }
}

int netlink_send(struct netlink *n, int fd, size_t ack)
{
    const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    struct nlmsghdr *h;

    end_message(n);
    if (n->failed || n->depth || ack >= n->len)
        return -EMSGSIZE;
    h = at(n, ack);
    h->nlmsg_flags |= NLM_F_ACK;
    if (sendto(fd, n->room, n->len, 0, (const void *)&kernel, sizeof(kernel)) <
        0)
        return -errno;
    return hear(fd, h->nlmsg_seq);
}

int netlink_open(int protocol)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

    return fd < 0 ? -errno : fd;
}
