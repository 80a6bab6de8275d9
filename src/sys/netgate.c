/* netgate.c - routes, packet rules and sockets; see netgate.h. */
#include "sys/netgate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/scoped.h"
#include "sys/netgate_parts.h"
#include "sys/netlink.h"

#ifndef IFA_F_NODAD
#define IFA_F_NODAD 0x02
#endif

enum { LOOPBACK = 1 }; /* its index in every namespace */

/* --- addresses and routes ------------------------------------------- */

static void add_address(struct netlink *n, int family, const void *addr,
                        size_t len)
{
    const struct ifaddrmsg m = { .ifa_family = (uint8_t)family,
                                 .ifa_prefixlen = (uint8_t)(len * 8),
                                 .ifa_flags = IFA_F_NODAD,
                                 .ifa_index = LOOPBACK };

    netlink_begin(n, RTM_NEWADDR, NLM_F_CREATE, &m, sizeof(m));
    netlink_put(n, IFA_LOCAL, addr, len);
    netlink_put(n, IFA_ADDRESS, addr, len);
}

/* In the table of local addresses: from another one, answers of sockets that
 * are not transparent would not find their way. */
static void add_default(struct netlink *n, int family, const void *source,
                        size_t len)
{
    const uint32_t out = LOOPBACK;
    const struct rtmsg m = { .rtm_family = (uint8_t)family,
                             .rtm_table = RT_TABLE_LOCAL,
                             .rtm_protocol = RTPROT_BOOT,
                             .rtm_scope = family == AF_INET ? RT_SCOPE_HOST
                                                            : RT_SCOPE_UNIVERSE,
                             .rtm_type = RTN_LOCAL };

    netlink_begin(n, RTM_NEWROUTE, NLM_F_CREATE, &m, sizeof(m));
    netlink_put(n, RTA_OIF, &out, sizeof(out));
    netlink_put(n, RTA_PREFSRC, source, len);
}

static int set_up_routes(const struct netgate_addrs *a, bool has_v6)
{
    scoped(drop_fd) int fd = netlink_open(NETLINK_ROUTE);
    struct netlink n = { 0 };
    size_t last;

    if (fd < 0)
        return fd;
    add_address(&n, AF_INET, a->own4, sizeof(a->own4));
    if (has_v6) {
        add_address(&n, AF_INET6, a->own6, sizeof(a->own6));
        add_default(&n, AF_INET6, a->own6, sizeof(a->own6));
    }
    last = netlink_here(&n);
    add_default(&n, AF_INET, a->own4, sizeof(a->own4));
    return netlink_send(&n, fd, last);
}

/* --- packet rules ---------------------------------------------------- */

#define TABLE     "mxc"
#define CHAIN     "in"
#define TYPE(msg) ((uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | (msg)))

static void begin(struct netlink *n, uint16_t type, uint16_t flags,
                  uint16_t subsystem)
{
    const struct nfgenmsg m = { .nfgen_family = NFPROTO_INET,
                                .version = NFNETLINK_V0,
                                .res_id = htons(subsystem) };

    netlink_begin(n, type, flags, &m, sizeof(m));
}

static void expr(struct netlink *n, const char *name)
{
    netlink_nest(n, NFTA_LIST_ELEM);
    netlink_put_text(n, NFTA_EXPR_NAME, name);
    netlink_nest(n, NFTA_EXPR_DATA);
}

static void end_expr(struct netlink *n)
{
    netlink_unnest(n);
    netlink_unnest(n);
}

static void value(struct netlink *n, uint16_t type, const void *data,
                  size_t len)
{
    netlink_nest(n, type);
    netlink_put(n, NFTA_DATA_VALUE, data, len);
    netlink_unnest(n);
}

static void load_meta(struct netlink *n, uint32_t key)
{
    expr(n, "meta");
    netlink_put_be32(n, NFTA_META_DREG, NFT_REG_1);
    netlink_put_be32(n, NFTA_META_KEY, key);
    end_expr(n);
}

static void load_packet(struct netlink *n, uint32_t base, uint32_t offset,
                        uint32_t len)
{
    expr(n, "payload");
    netlink_put_be32(n, NFTA_PAYLOAD_DREG, NFT_REG_1);
    netlink_put_be32(n, NFTA_PAYLOAD_BASE, base);
    netlink_put_be32(n, NFTA_PAYLOAD_OFFSET, offset);
    netlink_put_be32(n, NFTA_PAYLOAD_LEN, len);
    end_expr(n);
}

static void keep_bits(struct netlink *n, const void *mask, uint32_t len)
{
    static const uint8_t zero[16] = { 0 };

    expr(n, "bitwise");
    netlink_put_be32(n, NFTA_BITWISE_SREG, NFT_REG_1);
    netlink_put_be32(n, NFTA_BITWISE_DREG, NFT_REG_1);
    netlink_put_be32(n, NFTA_BITWISE_LEN, len);
    value(n, NFTA_BITWISE_MASK, mask, len);
    value(n, NFTA_BITWISE_XOR, zero, len);
    end_expr(n);
}

static void compare(struct netlink *n, uint32_t op, const void *data,
                    size_t len)
{
    expr(n, "cmp");
    netlink_put_be32(n, NFTA_CMP_SREG, NFT_REG_1);
    netlink_put_be32(n, NFTA_CMP_OP, op);
    value(n, NFTA_CMP_DATA, data, len);
    end_expr(n);
}

static void if_byte(struct netlink *n, uint32_t meta, uint8_t is)
{
    load_meta(n, meta);
    compare(n, NFT_CMP_EQ, &is, 1);
}

static void set_register(struct netlink *n, uint32_t reg, const void *data,
                         size_t len)
{
    expr(n, "immediate");
    netlink_put_be32(n, NFTA_IMMEDIATE_DREG, reg);
    value(n, NFTA_IMMEDIATE_DATA, data, len);
    end_expr(n);
}

static void verdict(struct netlink *n, uint32_t code)
{
    expr(n, "immediate");
    netlink_put_be32(n, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    netlink_nest(n, NFTA_IMMEDIATE_DATA);
    netlink_nest(n, NFTA_DATA_VERDICT);
    netlink_put_be32(n, NFTA_VERDICT_CODE, code);
    netlink_unnest(n);
    netlink_unnest(n);
    end_expr(n);
}

static void begin_rule(struct netlink *n)
{
    begin(n, TYPE(NFT_MSG_NEWRULE), NLM_F_CREATE | NLM_F_APPEND, 0);
    netlink_put_text(n, NFTA_RULE_TABLE, TABLE);
    netlink_put_text(n, NFTA_RULE_CHAIN, CHAIN);
    netlink_nest(n, NFTA_RULE_EXPRESSIONS);
}

static void end_rule(struct netlink *n, uint32_t code)
{
    verdict(n, code);
    netlink_unnest(n);
}

static void add_chain(struct netlink *n)
{
    begin(n, TYPE(NFT_MSG_NEWTABLE), NLM_F_CREATE, 0);
    netlink_put_text(n, NFTA_TABLE_NAME, TABLE);
    begin(n, TYPE(NFT_MSG_NEWCHAIN), NLM_F_CREATE, 0);
    netlink_put_text(n, NFTA_CHAIN_TABLE, TABLE);
    netlink_put_text(n, NFTA_CHAIN_NAME, CHAIN);
    netlink_nest(n, NFTA_CHAIN_HOOK);
    netlink_put_be32(n, NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING);
    netlink_put_be32(n, NFTA_HOOK_PRIORITY, 0);
    netlink_unnest(n);
    netlink_put_text(n, NFTA_CHAIN_TYPE, "filter");
    netlink_put_be32(n, NFTA_CHAIN_POLICY, NF_ACCEPT);
}

/* First, because it holds for nearly all packets: what belongs to a
 * connection that exists finds its socket by itself. */
static void accept_established(struct netlink *n)
{
    static const uint8_t both = NETGATE_SYN_ACK, syn = NETGATE_SYN;

    begin_rule(n);
    if_byte(n, NFT_META_L4PROTO, IPPROTO_TCP);
    load_packet(n, NFT_PAYLOAD_TRANSPORT_HEADER, NETGATE_TCP_FLAGS, 1);
    keep_bits(n, &both, 1);
    compare(n, NFT_CMP_NEQ, &syn, 1);
    end_rule(n, NF_ACCEPT);
}

struct family {
    uint8_t nfproto;
    uint8_t len;    /* of an address */
    uint8_t offset; /* of the destination in the header */
    const void *own;
    const void *loopback;
    const void *loopback_mask;
    const void *listen;
};

static void accept_destination(struct netlink *n, const struct family *f,
                               const void *mask, const void *addr)
{
    begin_rule(n);
    if_byte(n, NFT_META_NFPROTO, f->nfproto);
    load_packet(n, NFT_PAYLOAD_NETWORK_HEADER, f->offset, f->len);
    if (mask)
        keep_bits(n, mask, f->len);
    compare(n, NFT_CMP_EQ, addr, f->len);
    end_rule(n, NF_ACCEPT);
}

static void steer(struct netlink *n, const struct family *f, uint8_t proto,
                  bool marked, uint16_t port)
{
    const uint32_t mark = NETGATE_MARK;

    begin_rule(n);
    if_byte(n, NFT_META_L4PROTO, proto);
    if_byte(n, NFT_META_NFPROTO, f->nfproto);
    if (marked) {
        load_meta(n, NFT_META_MARK);
        compare(n, NFT_CMP_EQ, &mark, sizeof(mark));
    }
    port = htons(port);
    set_register(n, NFT_REG_1, f->listen, f->len);
    set_register(n, NFT_REG_2, &port, sizeof(port));
    expr(n, "tproxy");
    netlink_put_be32(n, NFTA_TPROXY_FAMILY, f->nfproto);
    netlink_put_be32(n, NFTA_TPROXY_REG_ADDR, NFT_REG_1);
    netlink_put_be32(n, NFTA_TPROXY_REG_PORT, NFT_REG_2);
    end_expr(n);
    end_rule(n, NF_ACCEPT);
}

/* Where no socket of the gateway's is left: to nobody, and not to a socket
 * of the workload's that listens on every address. */
static void drop_rest(struct netlink *n, uint8_t proto)
{
    begin_rule(n);
    if_byte(n, NFT_META_L4PROTO, proto);
    end_rule(n, NF_DROP);
}

static void add_rules(struct netlink *n, const struct family *f, size_t count)
{
    accept_established(n);
    for (size_t i = 0; i < count; i++) {
        accept_destination(n, &f[i], f[i].loopback_mask, f[i].loopback);
        accept_destination(n, &f[i], NULL, f[i].own);
    }
    for (size_t i = 0; i < count; i++) {
        steer(n, &f[i], IPPROTO_TCP, true, NETGATE_ACCEPT_PORT);
        steer(n, &f[i], IPPROTO_TCP, false, NETGATE_MUTE_PORT);
        steer(n, &f[i], IPPROTO_UDP, false, NETGATE_UDP_PORT);
    }
    drop_rest(n, IPPROTO_TCP);
    drop_rest(n, IPPROTO_UDP);
}

static int set_up_rules(const struct netgate_addrs *a, bool has_v6)
{
    static const uint8_t loopback4[4] = { 127 }, mask4[4] = { 255 };
    static const uint8_t loopback6[16] = { [15] = 1 };
    const struct family families[] = {
        { NFPROTO_IPV4, 4, 16, a->own4, loopback4, mask4, a->listen4 },
        { NFPROTO_IPV6, 16, 24, a->own6, loopback6, NULL, a->listen6 },
    };
    scoped(drop_fd) int fd = netlink_open(NETLINK_NETFILTER);
    struct netlink n = { 0 };
    size_t last;

    if (fd < 0)
        return fd;
    begin(&n, NFNL_MSG_BATCH_BEGIN, 0, NFNL_SUBSYS_NFTABLES);
    add_chain(&n);
    add_rules(&n, families, has_v6 ? 2 : 1);
    /* The batch is carried out as a whole at its end; an answer to the end
     * itself is only known to newer kernels. */
    last = n.message;
    begin(&n, NFNL_MSG_BATCH_END, 0, NFNL_SUBSYS_NFTABLES);
    return netlink_send(&n, fd, last);
}

int netgate_set_up(const struct netgate_addrs *a, bool has_v6, const char **op)
{
    int r;

    *op = "rtnetlink(7)";
    r = set_up_routes(a, has_v6);
    if (r < 0)
        return r;
    *op = "nf_tables";
    return set_up_rules(a, has_v6);
}

/* Netlink and nf_tables say a missing protocol, subsystem, family, chain type
 * or expression in these ways. */
static bool is_missing(int sys)
{
    return sys == ENOENT || sys == EOPNOTSUPP || sys == EPROTONOSUPPORT ||
           sys == EAFNOSUPPORT;
}

const char *netgate_lack(int sys)
{
    return is_missing(sys) ? "this kernel lacks nf_tables or transparent "
                             "proxying (nft_tproxy)"
                           : NULL;
}

const char *netgate_remedy(int sys)
{
    return is_missing(sys)
               ? "modprobe nft_tproxy (as root; to keep it: a file in "
                 "/etc/modules-load.d), or boot a kernel with "
                 "CONFIG_NF_TABLES_INET and CONFIG_NFT_TPROXY"
               : NULL;
}

bool netgate_has_v6(void)
{
    scoped(drop_fd) int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in6 one = { .sin6_family = AF_INET6,
                                      .sin6_addr = IN6ADDR_LOOPBACK_INIT };

    /* Where it is switched off for interfaces, loopback has no ::1. */
    return fd >= 0 && bind(fd, (const void *)&one, sizeof(one)) == 0;
}
