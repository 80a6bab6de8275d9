/* container.c - the container, by liblxc.
 *
 * LXC makes the namespaces, the empty network and /proc, and enters the root;
 * its first process is mxc-launch.  It sees no cgroup: none is made, so none
 * is left, and it works alike with all kinds of them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <lxc/lxccontainer.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/scoped.h"
#include "lxc/lxc.h"
#include "sys/caps.h"
#include "sys/userns.h"

#define ONE(cap) (1ull << (cap))

/* Of root of this user namespace: what LXC and the launcher need.  Not
 * CAP_SETGID: LXC would drop groups with it, which such a namespace forbids
 * (user_namespaces(7)). */
#define KEPT_CAPS                                                              \
    (ONE(CAP_SYS_ADMIN) | ONE(CAP_NET_ADMIN) | ONE(CAP_SYS_RESOURCE) |         \
     ONE(CAP_SETPCAP) | ONE(CAP_NET_RAW) | ONE(CAP_NET_BIND_SERVICE) |         \
     ONE(CAP_SETFCAP) | ONE(CAP_DAC_OVERRIDE) | ONE(CAP_FOWNER) |              \
     ONE(CAP_CHOWN) | ONE(CAP_KILL) | ONE(CAP_SYS_CHROOT) | ONE(CAP_SETUID))

static const struct {
    const char *key, *value;
    bool is_optional;
} items[] = {
    { "lxc.rootfs.path", "dir:" LXC_ROOT },
    { "lxc.rootfs.mount", LXC_MOUNT },
    { "lxc.net.0.type", "empty" },
    { "lxc.uts.name", "sandbox" },
    { "lxc.mount.auto", "proc:rw" }, /* the launcher seals it */
    { "lxc.autodev", "0" },          /* ours is there */
    { "lxc.pty.max", "0" },
    { "lxc.tty.max", "0" },
    { "lxc.console.path", "none" },
    /* Not known to a liblxc that was built without it. */
    { "lxc.apparmor.profile", "unchanged", true },
};

int lxc_enter(const struct plan_view *plan, struct err *e)
{
    uint32_t uid = plan->head.uid, gid = plan->head.gid;
    const char *op = "unshare(2)";
    int r;

    /* liblxc takes root of its namespace for root, and nobody else. */
    if (uid == 0 && gid == 0)
        return 0;
    r = unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0
            ? -errno
            : userns_map(0, uid, 0, gid, &op);
    return r < 0 ? err_sys(e, op, -r, "cannot become the container's root") : 0;
}

/* liblxc wants to read of a cgroup that it is in, and takes a host that has
 * mounted none for one without memory: it is told of a root. */
static int show_cgroup(struct err *e)
{
    static const char path[] = "/proc/self/cgroup", ours[] = "/sys/cgroup",
                      text[] = "0::/\n";
    scoped(drop_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    scoped(drop_fd) int file = -1;
    char c;

    if (fd < 0 || read(fd, &c, 1) > 0)
        return 0;
    file = open(ours, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
    if (file < 0 ||
        write(file, text, sizeof(text) - 1) != (ssize_t)sizeof(text) - 1 ||
        mount(ours, path, NULL, MS_BIND, NULL) < 0)
        return err_sys(e, "mount(2)", errno, "cannot show a cgroup to liblxc");
    return 0;
}

/* A network without the host's abstract sockets, where liblxc listens for
 * commands; and no cgroup. */
static int leave_host(struct err *e)
{
    int r;

    if (unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
        return err_sys(e, "unshare(2)", errno, "cannot leave the network");
    if (mount("tmpfs", "/sys", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "mode=0755,size=64k,nr_inodes=64") < 0 ||
        mkdir("/sys/fs", 0755) < 0 || mkdir("/sys/fs/cgroup", 0755) < 0)
        return err_sys(e, "mount(2)", errno, "cannot cover /sys");
    if (show_cgroup(e) < 0)
        return -1;
    r = caps_keep(KEPT_CAPS);
    return r < 0 ? err_sys(e, "capset(2)", -r, "cannot drop capabilities") : 0;
}

static int configure(struct lxc_container *c, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        if (!c->set_config_item(c, items[i].key, items[i].value) &&
            !items[i].is_optional)
            return err_set(e, ERR_BACKEND_ERROR, "liblxc refuses %s = %s",
                           items[i].key, items[i].value);
    /* The launcher's descriptors go through. */
    if (!c->want_daemonize(c, false) || !c->want_close_all_fds(c, false))
        return err_set(e, ERR_BACKEND_ERROR, "liblxc refuses to wait");
    return 0;
}

int lxc_run(struct err *e)
{
    char launcher[] = RUNTIME_LAUNCHER;
    char *const argv[] = { launcher, NULL };
    struct lxc_log log = {
        .name = "mxc", .lxcpath = LXC_STATE, .level = "ERROR", .prefix = "lxc"
    };
    struct lxc_container *c;
    int r = leave_host(e);

    if (r < 0)
        return r;
    (void)lxc_log_init(&log);
    c = lxc_container_new("mxc", LXC_STATE);
    if (!c)
        return err_set(e, ERR_BACKEND_ERROR, "liblxc cannot begin");
    r = configure(c, e);
    if (r == 0 && !c->start(c, 0, argv))
        r = err_set(e, ERR_BACKEND_ERROR, "liblxc did not start the container");
    (void)lxc_container_put(c);
    return r;
}
