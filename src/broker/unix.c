/* unix.c - bind(2) and connect(2), of which AF_UNIX with a path is decided.
 *
 * The filter cannot see the address, so all families come here; for all but
 * path names the call is simply performed, on a duplicate of the caller's
 * descriptor, in the same network namespace and Landlock domain.  A server
 * that asks for its peer's pid (SO_PEERCRED) sees the broker's.
 *
 * Datagram sockets could name a peer with each send; the filter refuses to
 * make them. */
#include "broker/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>

/* An address as the caller gave it. */
struct address {
    union {
        struct sockaddr_storage any;
        struct sockaddr_un un;
        struct sockaddr sa;
    };
    socklen_t len;
};

static int socket_number(int sock, int what)
{
    int v = 0;
    socklen_t len = sizeof(v);

    return getsockopt(sock, SOL_SOCKET, what, &v, &len) < 0 ? -errno : v;
}

static int read_address(const struct caller *c, uint64_t addr, uint64_t len,
                        struct address *out)
{
    int n = caller_sockaddr(c, addr, len, &out->any);

    if (n < 0)
        return n;
    out->len = (socklen_t)n;
    return 0;
}

/* The path in an AF_UNIX address; "" when it has none (autobind, abstract,
 * another family, too long: the kernel knows what to say). */
static void unix_path(const struct address *ad,
                      char out[sizeof(ad->un.sun_path) + 1])
{
    const size_t head = offsetof(struct sockaddr_un, sun_path);

    memset(out, 0, sizeof(ad->un.sun_path) + 1);
    if (ad->un.sun_family == AF_UNIX && ad->len > head &&
        ad->len <= sizeof(ad->un))
        memcpy(out, ad->un.sun_path, strnlen(ad->un.sun_path, ad->len - head));
}

static bool can_wait(int sock)
{
    int flags = fcntl(sock, F_GETFL);
    int type = socket_number(sock, SO_TYPE);

    return flags >= 0 && !(flags & O_NONBLOCK) &&
           (type == SOCK_STREAM || type == SOCK_SEQPACKET);
}

/* A connect that waits no longer than a clock tick.  Not by O_NONBLOCK: a
 * loopback handshake is only finished by a caller that is ready to wait, and
 * the send timeout is what connect(2) waits by (socket(7), SO_SNDTIMEO). */
static int connect_briefly(int sock, const struct address *ad)
{
    struct timeval tick = { .tv_usec = 1 }, old = { 0 };
    socklen_t len = sizeof(old);
    int r;

    if (getsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &old, &len) < 0 ||
        setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tick, sizeof(tick)) < 0)
        return -errno;
    r = connect(sock, &ad->sa, ad->len) < 0 ? -errno : 0;
    if (setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &old, sizeof(old)) < 0)
        return -errno;
    return r;
}

static int perform_connect(struct caller *c, int sock, const struct address *ad)
{
    struct job j = {
        .kind = JOB_CONNECT, .fd = sock, .addr = ad->any, .len = ad->len
    };
    int r;

    if (!can_wait(sock))
        return connect(sock, &ad->sa, ad->len) < 0 ? -errno : 0;
    r = connect_briefly(sock, ad);
    if (r == -EINPROGRESS || r == -EALREADY || r == -EAGAIN)
        return helper_start(c, &j);
    return r;
}

static int connect_path(struct caller *c, int sock, const char *path)
{
    struct address ad = { .un = { .sun_family = AF_UNIX },
                          .len = sizeof(struct sockaddr_un) };
    scoped(drop_fd) int base = caller_base(c, AT_FDCWD, path);
    scoped(drop_fd) int object = -1;
    struct stat st;
    char self[32];

    if (base < 0)
        return base;
    object = walk_object(c, base, path, true);
    if (object < 0)
        return object;
    if (fstat(object, &st) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode))
        return -ECONNREFUSED;
    if (!sockets_allowed(c->b, &st))
        return -EACCES;
    if (!caller_waits(c))
        return -ESRCH;
    proc_self_fd(object, self);
    memcpy(ad.un.sun_path, self, strlen(self) + 1);
    return perform_connect(c, sock, &ad);
}

int do_connect(struct caller *c, const uint64_t a[])
{
    scoped(drop_fd) int sock = caller_file(c, (int)a[0]);
    struct address ad = { .len = 0 };
    char path[sizeof(ad.un.sun_path) + 1] = "";
    int r, domain;

    if (sock < 0)
        return sock;
    domain = socket_number(sock, SO_DOMAIN);
    if (domain < 0)
        return domain;
    /* By name, in our domain, which is wider than the caller's. */
    if (domain == AF_UNIX && c->b->is_narrowed)
        return -EACCES;
    r = read_address(c, a[1], a[2], &ad);
    if (r < 0)
        return r;
    if (domain == AF_UNIX)
        unix_path(&ad, path);
    if (path[0])
        return connect_path(c, sock, path);
    if (!caller_waits(c))
        return -ESRCH;
    return perform_connect(c, sock, &ad);
}

/* bind(2) with a working directory for its duration. */
static int bind_from(struct caller *c, int dir, int sock,
                     const struct address *ad, mode_t mask)
{
    mode_t old;
    int r;

    if (!caller_waits(c))
        return -ESRCH;
    if (fchdir(dir) < 0)
        return -errno;
    old = umask(mask);
    r = bind(sock, &ad->sa, ad->len) < 0 ? -errno : 0;
    (void)umask(old);
    return fchdir(c->b->root) < 0 ? -errno : r;
}

/* The kernel keeps the string as the socket's name, and programs read it back
 * to connect or to unlink; so it is passed on as given wherever that is
 * sound.  Its directory may be exchanged meanwhile, but its last component
 * may not, and no denied path has a component of that name.  Otherwise the
 * resolved directory and the last component alone are used. */
static int bind_place(struct caller *c, int base, int sock,
                      const struct address *ad, const struct place *p)
{
    struct address in = { .un = { .sun_family = AF_UNIX } };
    mode_t mask = 0;
    size_t n = strlen(p->arg);
    int r = caller_umask(c, &mask);

    if (r < 0)
        return r;
    if (!c->via_proc && !absent_has_name(c->b, p->name))
        return bind_from(c, base, sock, ad, mask);
    if (n > sizeof(in.un.sun_path))
        return -ENAMETOOLONG;
    memcpy(in.un.sun_path, p->arg, n);
    in.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    return bind_from(c, p->parent, sock, &in, mask);
}

static int bind_path(struct caller *c, int sock, const struct address *ad,
                     const char *path)
{
    scoped(drop_fd) int base = caller_base(c, AT_FDCWD, path);
    scoped(place_drop) struct place p = PLACE_NONE;
    bool record;
    struct stat st;
    int r;

    if (base < 0)
        return base;
    r = walk_parent(c, base, path, &p);
    if (r < 0)
        return r;
    if (p.object >= 0)
        return -EADDRINUSE;
    if (absent_verdict(c->b, p.parent, p.name) != FREE)
        return -EACCES;
    if (fstat(p.parent, &st) < 0)
        return -errno;
    record = c->b->unix_sockets && !sockets_on_private(c->b, st.st_dev);
    if (record)
        r = sockets_reserve(c->b);
    if (r == 0)
        r = bind_place(c, base, sock, ad, &p);
    if (r == 0 && record)
        sockets_record(c->b, sock, p.parent, p.name);
    return r;
}

int do_bind(struct caller *c, const uint64_t a[])
{
    scoped(drop_fd) int sock = caller_file(c, (int)a[0]);
    struct address ad = { .len = 0 };
    char path[sizeof(ad.un.sun_path) + 1] = "";
    int r, domain;

    if (sock < 0)
        return sock;
    domain = socket_number(sock, SO_DOMAIN);
    if (domain < 0)
        return domain;
    /* By name, in our domain, which is wider than the caller's. */
    if (domain == AF_UNIX && c->b->is_narrowed)
        return -EACCES;
    r = read_address(c, a[1], a[2], &ad);
    if (r < 0)
        return r;
    if (domain == AF_UNIX)
        unix_path(&ad, path);
    if (path[0])
        return bind_path(c, sock, &ad, path);
    if (!caller_waits(c))
        return -ESRCH;
    return bind(sock, &ad.sa, ad.len) < 0 ? -errno : 0;
}
