/* sockets.c - which socket inodes are the sandbox's own.
 *
 * On the sandbox's own filesystems all are.  In a directory of the host that
 * was granted, the sandbox's are those that it bound itself: their inodes are
 * recorded at bind(2), each with a descriptor that keeps the number taken.
 *
 * Which inode a socket was bound to is asked of the kernel (sock_diag(7)),
 * since the name may have been exchanged for a host's socket before anyone
 * can look at it again.  Without that answer nothing is recorded, and the
 * later connect(2) is refused. */
#include "broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>

/* What is made on an overlay is of its upper filesystem, by its number, but for
 * directories (Documentation/filesystems/overlayfs.rst, "Inode properties");
 * before Linux 6.1 it cannot be asked, and sockets there lead nowhere. */
static void add_upper(struct broker *b)
{
    scoped(drop_fd) int fd = -1;
    struct statfs fs;
    struct stat st;

    if (fstatfs(b->root, &fs) < 0 || fs.f_type != OVERLAYFS_SUPER_MAGIC)
        return;
    fd = openat(b->root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 && fstat(fd, &st) == 0)
        b->private_dev[b->nprivate++] = st.st_dev;
}

int sockets_init(struct broker *b, const struct broker_config *c, struct err *e)
{
    struct stat st;

    b->diag = -1;
    b->private_dev = calloc(c->nprivate + 2, sizeof(*b->private_dev));
    if (!b->private_dev)
        return err_sys(e, "malloc(3)", ENOMEM,
                       "cannot keep the private filesystems");
    if (fstat(b->root, &st) < 0)
        return err_sys(e, "fstat(2)", errno, "cannot look at '/'");
    b->private_dev[b->nprivate++] = st.st_dev;
    for (size_t i = 0; i < c->nprivate; i++) {
        if (stat(c->private_dirs[i], &st) < 0)
            return err_sys(e, "stat(2)", errno, "cannot look at '%s'",
                           c->private_dirs[i]);
        b->private_dev[b->nprivate++] = st.st_dev;
    }
    add_upper(b);
    if (c->unix_sockets)
        b->diag =
            socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    return 0;
}

void sockets_fini(struct broker *b)
{
    for (size_t i = 0; i < b->nsock; i++)
        drop_fd(&b->sock[i].fd);
    drop_fd(&b->diag);
    free(b->private_dev);
}

bool sockets_on_private(const struct broker *b, dev_t dev)
{
    for (size_t i = 0; i < b->nprivate; i++)
        if (b->private_dev[i] == dev)
            return true;
    return false;
}

bool sockets_allowed(const struct broker *b, const struct stat *st)
{
    if (sockets_on_private(b, st->st_dev))
        return true;
    for (size_t i = 0; i < b->nsock; i++)
        if (b->sock[i].dev == st->st_dev && b->sock[i].ino == st->st_ino)
            return true;
    return false;
}

/* A socket that is gone keeps a descriptor of init's, of which a caller's own
 * ceiling may leave few. */
static void prune(struct broker *b)
{
    enum { FEW = 64 };
    size_t kept = 0;

    for (size_t i = 0; i < b->nsock; i++) {
        struct stat st;

        if (fstat(b->sock[i].fd, &st) == 0 && st.st_nlink > 0)
            b->sock[kept++] = b->sock[i];
        else
            drop_fd(&b->sock[i].fd);
    }
    b->nsock = kept;
    /* Again when there are twice as many, and no sooner: a look at each time
     * would be a look at all for each of the workload's. */
    b->prune_at = 2 * kept < FEW ? FEW : 2 * kept;
    if (b->prune_at > MAX_SOCKETS)
        b->prune_at = MAX_SOCKETS;
}

int sockets_reserve(struct broker *b)
{
    if (b->nsock >= b->prune_at)
        prune(b);
    return b->nsock == MAX_SOCKETS ? -ENOMEM : 0;
}

struct question {
    struct nlmsghdr h;
    struct unix_diag_req r;
};

static int ask(struct broker *b, uint32_t ino)
{
    struct question q = {
        .h = { .nlmsg_len = sizeof(q),
               .nlmsg_type = SOCK_DIAG_BY_FAMILY,
               .nlmsg_flags = NLM_F_REQUEST,
               .nlmsg_seq = ++b->diag_seq },
        .r = { .sdiag_family = AF_UNIX,
               .udiag_states = ~0u,
               .udiag_ino = ino,
               .udiag_show = UDIAG_SHOW_VFS,
               .udiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } },
    };

    return send(b->diag, &q, sizeof(q), 0) == (ssize_t)sizeof(q) ? 0 : -EIO;
}

/* The answer's attribute that names the inode. */
static int find_vfs(const char *msg, size_t len, struct unix_diag_vfs *out)
{
    const size_t head = NLMSG_LENGTH(sizeof(struct unix_diag_msg));
    struct rtattr a;

    for (size_t at = NLMSG_ALIGN(head); at + sizeof(a) <= len;
         at += RTA_ALIGN(a.rta_len)) {
        memcpy(&a, msg + at, sizeof(a));
        if (a.rta_len < sizeof(a) || a.rta_len > len - at)
            break;
        if (a.rta_type == UNIX_DIAG_VFS &&
            a.rta_len >= RTA_LENGTH(sizeof(*out))) {
            memcpy(out, msg + at + RTA_LENGTH(0), sizeof(*out));
            return 0;
        }
    }
    return -ENOENT;
}

static int bound_inode(struct broker *b, int sock, struct unix_diag_vfs *out)
{
    char msg[512];
    struct nlmsghdr h;
    struct stat st;
    ssize_t n;

    if (b->diag < 0 || fstat(sock, &st) < 0 || ask(b, (uint32_t)st.st_ino) < 0)
        return -ENOENT;
    /* The kernel has queued the answer when send returns. */
    do {
        n = recv(b->diag, msg, sizeof(msg), MSG_DONTWAIT);
        if (n < (ssize_t)sizeof(h))
            return -ENOENT;
        memcpy(&h, msg, sizeof(h));
    } while (h.nlmsg_seq != b->diag_seq);
    if (h.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return -ENOENT;
    return find_vfs(msg, (size_t)n, out);
}

/* A new socket does not listen yet, or its listener has a number in this pid
 * namespace; a host's has none (pid_namespaces(7), unix(7) SO_PEERCRED). */
static bool is_ours_by_probe(int sock, int object)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct ucred peer = { 0 };
    socklen_t len = sizeof(int);
    scoped(drop_fd) int probe = -1;
    char self[32];
    int type = 0;

    if (getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
        return false;
    probe = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return false;
    proc_self_fd(object, self);
    memcpy(un.sun_path, self, strlen(self) + 1);
    if (connect(probe, (const struct sockaddr *)&un, sizeof(un)) < 0)
        return errno == ECONNREFUSED;
    len = sizeof(peer);
    return getsockopt(probe, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           peer.pid > 0;
}

static bool is_bound_to(int sock, int object, const struct stat *st,
                        const struct unix_diag_vfs *vfs)
{
    /* The kernel's own encoding of a device number. */
    uint32_t dev = (uint32_t)(major(st->st_dev) << 20 | minor(st->st_dev));
    struct statfs s;

    if (!S_ISSOCK(st->st_mode) || (uint32_t)st->st_ino != vfs->udiag_vfs_ino)
        return false;
    if (dev == vfs->udiag_vfs_dev && st->st_ino <= UINT32_MAX)
        return true;
    /* Not exact: the answer has 32 bits for the inode, and btrfs gives each
     * subvolume a device number that the answer does not know. */
    if (dev != vfs->udiag_vfs_dev &&
        (fstatfs(object, &s) < 0 || s.f_type != BTRFS_SUPER_MAGIC))
        return false;
    return is_ours_by_probe(sock, object);
}

void sockets_record(struct broker *b, int sock, int parent, const char *name)
{
    scoped(drop_fd) int object = -1;
    struct unix_diag_vfs vfs;
    struct stat st;

    if (b->nsock == MAX_SOCKETS || bound_inode(b, sock, &vfs) < 0)
        return;
    object = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (object < 0 && errno == EMFILE) {
        prune(b);
        object = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    }
    if (object < 0 || fstat(object, &st) < 0 ||
        !is_bound_to(sock, object, &st, &vfs))
        return;
    b->sock[b->nsock++] = (struct socket_record){
        .fd = take_fd(&object),
        .dev = st.st_dev,
        .ino = st.st_ino,
    };
}
