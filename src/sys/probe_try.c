/* probe_try.c - one attempt per mechanism, each in a child of its own.
 *
 * They do what a run does, in small, and exit: what they made goes with
 * them. */
#include "sys/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/scoped.h"
#include "sys/landlock.h"
#include "sys/mounts.h"
#include "sys/netgate.h"
#include "sys/overlay.h"
#include "sys/seccomp_load.h"
#include "sys/userns.h"

/* A user namespace with the caller in it, then the others. */
static int enter(int flags)
{
    uint32_t uid = geteuid(), gid = getegid();
    const char *op;
    int r;

    if (unshare(CLONE_NEWUSER) < 0)
        return -errno;
    r = userns_map(uid, uid, gid, gid, &op);
    if (r == 0 && flags && unshare(flags) < 0)
        r = -errno;
    return r;
}

/* The first child of a new pid namespace belongs to it (unshare(2)). */
static int in_pid_namespace(int (*fn)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        int r = fn();

        _exit(r < 0 && r > -255 ? -r : r != 0 ? 254 : 0);
    }
    if (waitpid(pid, &status, 0) < 0)
        return -errno;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int nothing(void)
{
    return 0;
}

static int try_user(void)
{
    return enter(0);
}

static int try_mount(void)
{
    return enter(CLONE_NEWNS);
}

static int try_pid(void)
{
    int r = enter(CLONE_NEWPID);

    return r < 0 ? r : in_pid_namespace(nothing);
}

static int try_ipc(void)
{
    return enter(CLONE_NEWIPC);
}

static int try_uts(void)
{
    int r = enter(CLONE_NEWUTS);

    return r == 0 && sethostname("probe", 5) < 0 ? -errno : r;
}

static int try_net(void)
{
    return enter(CLONE_NEWNET);
}

static int try_cgroup(void)
{
    return enter(CLONE_NEWCGROUP);
}

/* A tmpfs made, cloned, made read-only and attached: it must then be so. */
static int try_mount_api(void)
{
    scoped(drop_fd) int top = -1;
    scoped(drop_fd) int copy = -1;
    scoped(drop_fd) int root = -1;
    int r = enter(CLONE_NEWNS);

    if (r < 0)
        return r;
    top = mount_new("tmpfs", NULL, MXC_ATTR_NOSUID | MXC_ATTR_NODEV);
    if (top < 0)
        return top;
    root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    copy = mount_clone(top, 0);
    if (copy < 0)
        return copy;
    r = mount_set(copy, MXC_ATTR_RDONLY, 1);
    if (r == 0)
        r = mount_attach(copy, root);
    if (r < 0)
        return r;
    return mkdirat(copy, "x", 0700) == 0 || errno != EROFS ? -EINVAL : 0;
}

static int mount_proc(void)
{
    int fd = mount_new("proc", NULL, MXC_ATTR_NOSUID);

    return fd < 0 ? fd : 0;
}

static int try_proc(void)
{
    int r = enter(CLONE_NEWNS | CLONE_NEWPID);

    return r < 0 ? r : in_pid_namespace(mount_proc);
}

static int try_devpts(void)
{
    static const char *const opts[] = { "ptmxmode", "0666", NULL };
    int r = enter(CLONE_NEWNS);
    int fd = r < 0 ? r : mount_new("devpts", opts, MXC_ATTR_NOSUID);

    return fd < 0 ? fd : 0;
}

static int try_openat2(void)
{
    const struct mxc_open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = MXC_RESOLVE_IN_ROOT | MXC_RESOLVE_NO_SYMLINKS,
    };
    long fd = syscall(__NR_openat2, AT_FDCWD, "/", &how, sizeof(how));

    return fd < 0 ? -errno : 0;
}

static int try_pidfd(void)
{
    long fd = syscall(__NR_pidfd_open, getpid(), 0);

    return fd < 0 ? -errno : 0;
}

static int try_close_range(void)
{
    enum { SET_CLOEXEC = 4 }; /* Linux 5.11 */

    if (syscall(__NR_close_range, ~0u, ~0u, SET_CLOEXEC) < 0)
        return -errno;
    return 0;
}

/* A filter that refuses getppid(2) with ENOLINK must do so. */
static int try_seccomp(void)
{
    const struct sock_filter refuse[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOLINK),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    int r;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    r = seccomp_enforce(refuse, ARRAY_LEN(refuse), false, NULL);
    if (r < 0)
        return r;
    return syscall(__NR_getppid) == -1 && errno == ENOLINK ? 0 : -EINVAL;
}

/* ADDFD for a notification that is not there: ENOENT when the kernel knows
 * both (seccomp_unotify(2)), EINVAL for a flag it does not. */
static int try_notify(void)
{
    struct {
        uint64_t id;
        uint32_t flags, srcfd, newfd, newfd_flags;
    } add = { .flags = 2 /* SECCOMP_ADDFD_FLAG_SEND, Linux 5.14 */ };
    const struct sock_filter allow =
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    int listener = -1, null, r;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    r = seccomp_enforce(&allow, 1, true, &listener);
    if (r < 0 || null < 0)
        return r < 0 ? r : -errno;
    add.srcfd = (uint32_t)null;
    if (ioctl(listener, _IOW('!', 3, add), &add) == 0)
        return -EINVAL;
    return errno == ENOENT ? 0 : -errno;
}

/* Both the version and the deed: a ruleset without a rule denies "/". */
static int try_landlock(void)
{
    unsigned abi = landlock_abi();
    int ruleset, r;

    if (abi < 3)
        return -ENOSYS;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    ruleset = landlock_create(abi);
    r = ruleset < 0 ? ruleset : landlock_enforce(ruleset);
    if (r < 0)
        return r;
    return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0 && errno == EACCES
               ? 0
               : -EINVAL;
}

static int open_pid_max(void)
{
    int mnt = mount_new("proc", NULL, MXC_ATTR_NOSUID);

    if (mnt < 0)
        return mnt;
    return openat(mnt, "sys/kernel/pid_max", O_WRONLY | O_CLOEXEC) < 0 ? -errno
                                                                       : 0;
}

/* The next number of "6.14.2-arch1", and what follows it. */
static unsigned next_number(const char **at)
{
    unsigned n = 0;

    while (**at >= '0' && **at <= '9')
        n = n * 10 + (unsigned)(*(*at)++ - '0');
    if (**at == '.')
        (*at)++;
    return n;
}

static bool is_at_least(unsigned major, unsigned minor)
{
    struct utsname u;
    const char *at = u.release;
    unsigned a, b;

    if (uname(&u) < 0)
        return false;
    a = next_number(&at);
    b = next_number(&at);
    return a > major || (a == major && b >= minor);
}

/* Where pid_max belongs to the pid namespace, its owner may set it.  Only
 * opened, and never as the host's root, who may set it everywhere: before
 * Linux 6.14 there is one for the whole host. */
static int try_pid_max(void)
{
    enum { NOBODY = 65534 };
    int r;

    /* Root of a user namespace without that id: only the version is left. */
    if (geteuid() == 0 && (setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
                           setresuid(NOBODY, NOBODY, NOBODY) < 0))
        return is_at_least(6, 14) ? 0 : -ENOSYS;
    /* A change of ids makes /proc/self root's (PR_SET_DUMPABLE(2const)). */
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    r = enter(CLONE_NEWNS | CLONE_NEWPID);
    return r < 0 ? r : in_pid_namespace(open_pid_max);
}

/* An inner user namespace that maps the caller to another id. */
static int open_other_ids(void)
{
    int ready[2], status, fd = -1;
    char path[64], word;
    pid_t pid;

    if (pipe2(ready, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        uint32_t uid = geteuid(), gid = getegid();
        const char *op;
        int r = unshare(CLONE_NEWUSER) < 0
                    ? -errno
                    : userns_map(uid ? 0 : 1, uid, gid ? 0 : 1, gid, &op);

        word = (char)-r;
        (void)!write(ready[1], &word, 1);
        (void)pause();
        _exit(0);
    }
    if (read(ready[0], &word, 1) != 1)
        word = EIO;
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    if (word == 0) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        word = fd < 0 ? (char)errno : 0;
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    return word ? -word : fd;
}

static int try_idmap(void)
{
    struct mxc_mount_attr m = { .attr_set = MXC_ATTR_IDMAP };
    scoped(drop_fd) int mnt = -1;
    scoped(drop_fd) int copy = -1;
    scoped(drop_fd) int ids = -1;
    int r = enter(CLONE_NEWNS);

    if (r < 0)
        return r;
    mnt = mount_new("tmpfs", NULL, MXC_ATTR_NOSUID);
    copy = mnt < 0 ? mnt : mount_clone(mnt, 0);
    ids = copy < 0 ? copy : open_other_ids();
    if (ids < 0)
        return ids;
    m.userns_fd = (uint64_t)ids;
    if (syscall(__NR_mount_setattr, copy, "", AT_EMPTY_PATH, &m, sizeof(m)) < 0)
        return -errno;
    return 0;
}

static int try_inotify(void)
{
    int fd = inotify_init1(IN_CLOEXEC);

    if (fd < 0 || inotify_add_watch(fd, "/", IN_CREATE) < 0)
        return -errno;
    return 0;
}

/* In memory of its own; where a session is kept may be of another kind, which
 * its provision tries. */
static int try_overlay(void)
{
    static const char *const dirs[] = { "low", "up", "work" };
    scoped(drop_fd) int top = -1;
    scoped(drop_fd) int place = -1;
    int mnt, r = enter(CLONE_NEWNS);

    if (r < 0)
        return r;
    place = mount_new("tmpfs", NULL, 0);
    top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (place < 0 || top < 0)
        return place < 0 ? place : -errno;
    r = mount_attach(place, top);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(dirs); i++)
        r = mkdirat(place, dirs[i], 0700) < 0 ? -errno : 0;
    if (r < 0)
        return r;
    mnt = overlay_new(place, "low");
    return mnt < 0 ? mnt : close(mnt);
}

static int raise_loopback(void)
{
    scoped(drop_fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };

    return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r) < 0 ? -errno : 0;
}

/* All that the launcher does for the gateway, in a namespace of its own; the
 * addresses are those of documentation (RFC 5737, RFC 3849). */
static int try_network(void)
{
    static const struct netgate_addrs addrs = {
        .own4 = { 192, 0, 2, 1 },
        .own6 = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 },
        .listen4 = { 192, 0, 2, 4 },
        .listen6 = { 0x20, 0x01, 0x0d, 0xb8, [15] = 4 },
    };
    int fd[NETGATE_SOCKETS];
    const char *op;
    bool has_v6;
    int r = enter(CLONE_NEWNET);

    if (r == 0)
        r = raise_loopback();
    if (r < 0)
        return r;
    has_v6 = netgate_has_v6();
    r = netgate_set_up(&addrs, has_v6, &op);
    return r < 0 ? r : netgate_open(&addrs, has_v6, true, fd, &op);
}

/* In the host's network, where the gateway would send them (icmp(7)). */
static int try_ping(void)
{
    scoped(drop_fd) int fd =
        socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);

    return fd < 0 ? -errno : 0;
}

static void describe_ping(char *out, size_t size)
{
    char groups[64], *tab;

    (void)probe_line("/proc/sys/net/ipv4/ping_group_range", groups,
                     sizeof(groups));
    tab = strchr(groups, '\t');
    if (tab)
        *tab = '-';
    (void)snprintf(out, size, "groups %s", groups);
}

static const char *explain_ping(int sys)
{
    return sys == EACCES ? "none of the caller's groups is in "
                           "net.ipv4.ping_group_range"
                         : NULL;
}

static int try_keyring(void)
{
    enum { JOIN_SESSION_KEYRING = 1 };

    return syscall(SYS_keyctl, JOIN_SESSION_KEYRING, NULL) < 0 ? -errno : 0;
}

static int try_scopes(void)
{
    return landlock_abi() >= 6 ? 0 : -ENOSYS;
}

static int try_device_ioctl(void)
{
    return landlock_abi() >= 5 ? 0 : -ENOSYS;
}

/* A filter tree has one listener (seccomp(2), EBUSY). */
static const char *explain_notify(int sys)
{
    return sys == EBUSY ? "a sandbox around this process decides its system "
                          "calls already"
                        : NULL;
}

/* Only who sees all of a /proc may have another (mount_too_revealing() in
 * the kernel's fs/namespace.c). */
static const char *explain_proc(int sys)
{
    return sys == EPERM ? "parts of the /proc here are covered by other "
                          "mounts, as in most containers"
                        : NULL;
}

static void describe_landlock(char *out, size_t size)
{
    (void)snprintf(out, size, "ABI %u", landlock_abi());
}

static void describe_inotify(char *out, size_t size)
{
    char watches[32], instances[32];

    (void)probe_line("/proc/sys/fs/inotify/max_user_watches", watches,
                     sizeof(watches));
    (void)probe_line("/proc/sys/fs/inotify/max_user_instances", instances,
                     sizeof(instances));
    (void)snprintf(out, size, "%s watches, %s instances per user", watches,
                   instances);
}

#define NS_REMEDY                                                              \
    "run on the host itself, or give the container that mxc "                  \
    "runs in the right to make namespaces"
#define KERNEL(v) "boot Linux " v " or later"

/* clang-format off */
const struct probe probes[] = {
    { "user-namespace", "user namespace", PROBE_NEEDED,
      "no run: every other wall is built in one", NS_REMEDY,
      .try = try_user, .in_userns = true },
    { "mount-namespace", "mount namespace", PROBE_NEEDED,
      "no run: the private view of files", NS_REMEDY,
      .try = try_mount, .in_userns = true },
    { "pid-namespace", "pid namespace", PROBE_NEEDED,
      "no run: keeps processes apart, ends them all", NS_REMEDY,
      .try = try_pid, .in_userns = true },
    { "ipc-namespace", "ipc namespace", PROBE_NEEDED,
      "no run: keeps shared memory apart", NS_REMEDY,
      .try = try_ipc, .in_userns = true },
    { "uts-namespace", "uts namespace", PROBE_NEEDED,
      "no run: hides the host's name", NS_REMEDY,
      .try = try_uts, .in_userns = true },
    { "net-namespace", "network namespace", PROBE_NEEDED,
      "no run: keeps the network away", NS_REMEDY,
      .try = try_net, .in_userns = true },
    { "cgroup-namespace", "cgroup namespace", PROBE_NEEDED,
      "no run: hides the host's groups", NS_REMEDY,
      .try = try_cgroup, .in_userns = true },
    { "mount-api", "mounts by descriptor", PROBE_NEEDED,
      "no run: fsopen, open_tree, move_mount, mount_setattr",
      KERNEL("5.12"),
      .try = try_mount_api, .in_userns = true },
    { "proc", "own /proc", PROBE_NEEDED,
      "no run: a /proc of the sandbox's processes alone",
      "in a container: unmask its /proc (docker: --security-opt "
      "systempaths=unconfined; podman: --security-opt unmask=ALL)",
      .try = try_proc, .in_userns = true,
      .explain = explain_proc },
    { "devpts", "own /dev/pts", PROBE_NEEDED,
      "no run: terminals of the sandbox alone", NS_REMEDY,
      .try = try_devpts, .in_userns = true },
    { "openat2", "paths without symlinks", PROBE_NEEDED,
      "no run: openat2", KERNEL("5.6"),
      .try = try_openat2 },
    { "pidfd", "process descriptors", PROBE_NEEDED,
      "no run: pidfd_open", KERNEL("5.3"),
      .try = try_pidfd },
    { "close-range", "closing inherited descriptors", PROBE_NEEDED,
      "no run: close_range", KERNEL("5.11"),
      .try = try_close_range },
    { "seccomp", "system-call filter", PROBE_NEEDED,
      "no run: seccomp", "boot a kernel with CONFIG_SECCOMP_FILTER",
      .try = try_seccomp },
    { "landlock", "Landlock, the second wall on files", PROBE_WALL,
      "a run needs --accept-missing landlock",
      "boot Linux 6.2 or later with landlock in the lsm= list (see "
      "/sys/kernel/security/lsm), or say --accept-missing landlock",
      .try = try_landlock,
      .describe = describe_landlock },
    { "pid-limit", "ceiling on the number of processes", PROBE_WALL,
      "a run by root needs --accept-missing pid-limit; for others a limit "
      "per user holds", KERNEL("6.14") ", run as an ordinary user, or say "
      "--accept-missing pid-limit",
      .try = try_pid_max, .in_userns = true },
    { "broker", "deciding single system calls", PROBE_POLICY,
      "no run that grants a path: host sockets below it would be open",
      KERNEL("5.14"),
      .try = try_notify, .explain = explain_notify },
    { "inotify", "watching denied paths", PROBE_POLICY,
      "no run that denies a path",
      "raise fs.inotify.max_user_watches and max_user_instances",
      .try = try_inotify,
      .describe = describe_inotify },
    { "network", "connections by rules", PROBE_POLICY,
      "no run that allows any network: nf_tables and transparent sockets",
      "let mxc make netlink and raw sockets in namespaces of its own (a "
      "seccomp filter or a security module forbids them)",
      .try = try_network, .in_userns = true,
      .explain = netgate_lack, .advise = netgate_remedy },
    { "overlay", "writing over the base system", PROBE_POLICY,
      "no session that keeps it (--layer system)", KERNEL("5.11"),
      .try = try_overlay, .in_userns = true },
    { "idmapped-tmpfs", "masks that nobody owns", PROBE_EXTRA,
      "truncating a denied file says EROFS instead of EACCES",
      KERNEL("6.3"),
      .try = try_idmap, .in_userns = true },
    { "landlock-device-ioctl", "Landlock on device ioctls", PROBE_EXTRA,
      "devices are kept away by mounts alone", KERNEL("6.10"),
      .try = try_device_ioctl },
    { "landlock-scopes", "Landlock on signals and abstract sockets",
      PROBE_EXTRA, "these are kept apart by namespaces alone",
      KERNEL("6.12"),
      .try = try_scopes },
    { "session-keyring", "own session keyring", PROBE_EXTRA,
      "keys are kept away by the filter alone",
      "raise kernel.keys.maxkeys",
      .try = try_keyring },
    { "ping", "ICMP echo to the network", PROBE_EXTRA,
      "ping inside gets no answer, whatever the policy allows",
      "sysctl -w net.ipv4.ping_group_range='0 2147483647' (as root; to keep "
      "it: a file in /etc/sysctl.d)",
      .try = try_ping, .describe = describe_ping, .explain = explain_ping },
    { 0 }
};
/* clang-format on */
