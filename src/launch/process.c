/* process.c - what is done to the process itself: its name, its loopback
 * interface, its limits; then the walls that cannot be taken down again. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/compat.h"
#include "launch/launch.h"
#include "sys/caps.h"
#include "sys/landlock.h"

/* The sandbox has its own loopback, with nothing on it but itself. */
static int raise_loopback(struct err *e)
{
    scoped(drop_fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq r = { .ifr_flags = IFF_UP | IFF_RUNNING };

    memcpy(r.ifr_name, "lo", sizeof("lo"));
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r) < 0)
        return err_sys(e, "ioctl(2)", errno, "cannot raise loopback");
    return 0;
}

/* A session keyring of its own, so that even a hole in the filter would not
 * reach the caller's keys (session-keyring(7)).  No keyrings in the kernel is
 * fine; so is a used-up quota (200 keys per user by default): the filter
 * refuses keyctl, add_key and request_key all the same. */
static int leave_keyring(struct err *e)
{
    enum { JOIN_SESSION_KEYRING = 1 };

    if (syscall(SYS_keyctl, JOIN_SESSION_KEYRING, NULL) < 0 &&
        errno != ENOSYS && errno != EDQUOT)
        return err_sys(e, "keyctl(2)", errno,
                       "cannot leave the caller's session keyring");
    return 0;
}

/* gVisor's are in its own configuration, and init answers no calls. */
static uint64_t own_limit(const struct plan_view *plan, const struct step *s)
{
    return s->num[0] == RLIMIT_NOFILE && s->num[1] < LAUNCH_FDS &&
                   plan_count(plan, STEP_RUNSC) == 0
               ? LAUNCH_FDS
               : s->num[1];
}

static int set_limit(const struct plan_view *plan, const struct step *s,
                     struct err *e)
{
    const uint64_t want = own_limit(plan, s);
    struct rlimit r;

    if (getrlimit((int)s->num[0], &r) < 0)
        return err_sys(e, "getrlimit(2)", errno, "cannot read limit %llu",
                       (unsigned long long)s->num[0]);
    /* Where the caller's own ceiling is lower, it is the ceiling. */
    r.rlim_cur = want < r.rlim_max ? want : r.rlim_max;
    if (!(s->flags & STEP_SOFT))
        r.rlim_max = r.rlim_cur;
    if (setrlimit((int)s->num[0], &r) < 0)
        return err_sys(e, "setrlimit(2)", errno, "cannot set limit %llu",
                       (unsigned long long)s->num[0]);
    return 0;
}

/* Handlers went away with the exec; what the caller ignored did not.  By the
 * system call: musl keeps 32 to 34 for itself and refuses them.  Zeros are
 * SIG_DFL, and the mask is of eight bytes (rt_sigaction(2)). */
static void reset_signals(void)
{
    static const unsigned long usual[4] = { 0 };

    for (int sig = 1; sig <= 64; sig++)
        (void)syscall(SYS_rt_sigaction, sig, usual, NULL, (size_t)8);
}

int launch_set_up_process(const struct plan_view *plan, struct err *e)
{
    /* What ps(1) inside shows, as its command line does. */
    (void)prctl(PR_SET_NAME, "mxc-init", 0, 0, 0);
    if (raise_loopback(e) < 0 || leave_keyring(e) < 0)
        return -1;
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (s.kind == STEP_HOSTNAME && sethostname(s.text, s.text_len) < 0)
            return err_sys(e, "sethostname(2)", errno, "cannot set the name");
        if (s.kind == STEP_RLIMIT && set_limit(plan, &s, e) < 0)
            return -1;
    }
    reset_signals();
    return 0;
}

/* Device nodes of the host that the view has too, by minor number of the
 * memory devices (Documentation/admin-guide/devices.txt). */
static const char *own_device(const struct stat *st)
{
    if (!S_ISCHR(st->st_mode) || major(st->st_rdev) != 1)
        return NULL;
    switch (minor(st->st_rdev)) {
    case 3:
        return "/dev/null";
    case 5:
        return "/dev/zero";
    case 7:
        return "/dev/full";
    case 8:
        return "/dev/random";
    case 9:
        return "/dev/urandom";
    default:
        return NULL;
    }
}

/* In a session, what ran before may have moved /dev away and made one of its
 * own: so without waiting, as the end of a FIFO does, and it is the device that
 * the host has, or nothing. */
static int open_own_device(const char *path, int flags, const struct stat *host)
{
    int fd = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOFOLLOW |
                            O_NOCTTY | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
        st.st_rdev == host->st_rdev && fcntl(fd, F_SETFL, 0) == 0)
        return fd;
    (void)close(fd);
    return -ENODEV;
}

/* The device that a stream is, and its own one that took its place. */
struct replaced {
    dev_t device; /* 0: another kind of stream */
    int mode;     /* O_ACCMODE */
};

/* The same device once more is the same descriptor once more. */
static int find_replaced(const struct replaced *r, int fd)
{
    for (int i = 0; i < fd; i++)
        if (r[fd].device == r[i].device && r[fd].mode == r[i].mode)
            return i;
    return -1;
}

static int replace_device(int fd, int flags, const char *path,
                          const struct stat *host, const char *stream,
                          struct replaced *r, struct err *e)
{
    int same, own, sys;

    r[fd] = (struct replaced){ host->st_rdev, flags & O_ACCMODE };
    same = find_replaced(r, fd);
    own = same < 0 ? open_own_device(path, flags, host) : same;
    if (own < 0) {
        err_sys(e, "open(2)", -own, "cannot open '%s' inside", path);
        return err_hint(e,
                        "policy denies it, or a command put something in its "
                        "place, and standard %s is it: give another stream",
                        stream);
    }
    sys = dup2(own, fd) < 0 ? errno : 0;
    if (same < 0)
        (void)close(own);
    return sys ? err_sys(e, "dup2(2)", sys, "cannot replace standard %s",
                         stream)
               : 0;
}

/* A socket made outside belongs to the host's network: one of TCP can be
 * disconnected and connected again to anybody (connect(2), AF_UNSPEC), one for
 * datagrams sends to anybody.  What has one peer for good is a connected unix
 * socket that is not for datagrams (unix(7)). */
static bool leads_elsewhere(int fd)
{
    struct sockaddr_storage peer = { 0 };
    socklen_t len = sizeof(peer), size = sizeof(int);
    int type = 0;

    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
        return true;
    return peer.ss_family != AF_UNIX ||
           (type != SOCK_STREAM && type != SOCK_SEQPACKET);
}

/* The descriptors lead past the view to the host's objects, of which the
 * caller, and so the workload, may be the owner.  From a directory it could
 * go on by fchdir(2) and change modes and times, which Landlock does not
 * judge; of the host's /dev/null a root caller's workload could change the
 * mode for everybody.  What else is given is given. */
static int check_stream(int fd, struct replaced *r, struct err *e)
{
    static const char *const names[] = { "input", "output", "error" };
    int flags = fcntl(fd, F_GETFL);
    const char *device;
    struct stat st;

    if (flags < 0 || fstat(fd, &st) < 0)
        return 0; /* closed: nothing to reach */
    if (S_ISDIR(st.st_mode)) {
        err_set(e, ERR_POLICY_VALIDATION, "standard %s is a directory",
                names[fd]);
        return err_hint(e, "grant it with --ro or --rw instead");
    }
    if (flags & O_PATH)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "standard %s names an object that was not opened "
                       "(O_PATH)",
                       names[fd]);
    if (S_ISSOCK(st.st_mode) && leads_elsewhere(fd)) {
        err_set(e, ERR_POLICY_VALIDATION,
                "standard %s is a socket that can "
                "reach more than its peer",
                names[fd]);
        return err_hint(e, "give a pipe, a file or a connected unix socket "
                           "(cat and socat can stand between)");
    }
    device = own_device(&st);
    return device ? replace_device(fd, flags, device, &st, names[fd], r, e) : 0;
}

int launch_check_stdio(struct err *e)
{
    struct replaced r[3] = { { 0 } };

    for (int fd = 0; fd < 3; fd++)
        if (check_stream(fd, r, e) < 0)
            return -1;
    return 0;
}

static uint64_t file_rights(int fd, uint64_t rights)
{
    const uint64_t of_files = MXC_LL_EXECUTE | MXC_LL_WRITE_FILE |
                              MXC_LL_READ_FILE | MXC_LL_TRUNCATE |
                              MXC_LL_IOCTL_DEV;
    struct stat st;

    return fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode) ? rights & of_files
                                                       : rights;
}

/* The next name of the path, below `dir`, which is closed.  -1, and errno. */
static int open_next(int dir, const char **path)
{
    char name[NAME_MAX + 1];
    const size_t n = strcspn(*path, "/");
    int fd = -1;

    errno = ENAMETOOLONG;
    if (n < sizeof(name)) {
        memcpy(name, *path, n);
        name[n] = '\0';
        fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    }
    *path += n + strspn(*path + n, "/");
    (void)close(dir);
    return fd;
}

/* Commands before this one may have put a link on its way: one in the middle is
 * no directory, the last is itself.  Name by name, since no filter allows
 * openat2(2), and init may stand behind one. */
static int open_plain(const char *path)
{
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    path += strspn(path, "/");
    while (fd >= 0 && *path)
        fd = open_next(fd, &path);
    return fd;
}

static int look_at_place(const char *path, struct launch_place *out)
{
    scoped(drop_fd) int fd = open_plain(path);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    *out = (struct launch_place){ st.st_dev, st.st_ino };
    return 0;
}

int launch_note_places(const struct plan_view *plan,
                       const struct launch_place **out, struct err *e)
{
    struct launch_place *noted =
        mmap(NULL, (plan->head.nsteps + 1) * sizeof(*noted),
             PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (noted == MAP_FAILED)
        return err_sys(e, "mmap(2)", errno, "cannot note what stands where");
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        const struct step s = plan_step(plan, i);

        /* The plan has numbers of what is the host's. */
        if (s.kind != STEP_DIR && s.kind != STEP_OVERLAY &&
            (s.kind != STEP_BIND || s.num[1] != 0))
            continue;
        if (look_at_place(s.path, &noted[i]) < 0)
            return err_sys(e, "open(2)", errno, "cannot look at '%s'", s.path);
    }
    *out = noted;
    return 0;
}

int launch_check_places(const struct plan_view *plan,
                        const struct launch_place *noted, struct err *e)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        const struct step s = plan_step(plan, i);
        struct launch_place was = noted[i], is;

        if (s.kind == STEP_BIND && s.num[1] != 0)
            was = (struct launch_place){ s.num[0], s.num[1] };
        if (was.ino == 0 || (look_at_place(s.path, &is) == 0 &&
                             is.dev == was.dev && is.ino == was.ino))
            continue;
        err_set(e, ERR_POLICY_VALIDATION,
                "this session cannot narrow what a command reaches any more: "
                "a command before this one has moved '%s'",
                s.path);
        return err_hint(e, "stop the session and start it again");
    }
    return 0;
}

static int add_rules(const struct plan_view *plan, unsigned abi, bool may_miss,
                     int ruleset, struct err *e)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);
        scoped(drop_fd) int fd = -1;
        int r;

        if (s.kind != STEP_LANDLOCK)
            continue;
        fd = may_miss ? open_plain(s.path)
                      : open(s.path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
        if (may_miss && fd < 0 && errno == ENOENT)
            continue;
        r = fd < 0 ? -errno
                   : landlock_allow(ruleset, abi, fd,
                                    may_miss ? file_rights(fd, s.num[0])
                                             : s.num[0]);
        if (r < 0)
            return err_sys(e, "landlock_add_rule(2)", -r, "cannot allow '%s'",
                           s.path);
    }
    return 0;
}

/* What a stream may be opened for once more.  No writing before the end of a
 * log that was opened to append. */
static uint64_t stream_rights(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    uint64_t rights = 0;
    struct stat st;

    if (flags < 0 || fstat(fd, &st) < 0 ||
        (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode)))
        return 0;
    if ((flags & O_ACCMODE) != O_WRONLY)
        rights |= MXC_LL_READ_FILE;
    if ((flags & O_ACCMODE) != O_RDONLY && !(flags & O_APPEND))
        rights |= MXC_LL_WRITE_FILE | MXC_LL_TRUNCATE;
    return rights && S_ISCHR(st.st_mode) ? rights | MXC_LL_IOCTL_DEV : rights;
}

/* The workload holds its streams already; "> /dev/stdout" opens one again by
 * its descriptor, which for a file or a terminal of the host is outside of
 * every rule.  It gets what the descriptor itself gives. */
static int add_stream_rules(int ruleset, unsigned abi, struct err *e)
{
    for (int fd = 0; fd < 3; fd++) {
        uint64_t rights = stream_rights(fd);
        int r = rights ? landlock_allow(ruleset, abi, fd, rights) : 0;

        /* A pipe without a name needs no rule (landlock_add_rule(2)). */
        if (r < 0 && r != -EBADFD)
            return err_sys(e, "landlock_add_rule(2)", -r,
                           "cannot allow stream %d", fd);
    }
    return 0;
}

int launch_make_ruleset(const struct plan_view *plan, unsigned abi,
                        bool may_miss, int *out, struct err *e)
{
    scoped(drop_fd) int ruleset = landlock_create(abi);

    if (ruleset < 0)
        return err_sys(e, "landlock_create_ruleset(2)", -ruleset,
                       "cannot make a Landlock ruleset");
    if (add_rules(plan, abi, may_miss, ruleset, e) < 0 ||
        add_stream_rules(ruleset, abi, e) < 0)
        return -1;
    *out = take_fd(&ruleset);
    return 0;
}

/* -1 where the plan is without. */
static int prepare_landlock(const struct plan_view *plan, int *ruleset,
                            struct err *e)
{
    const unsigned abi = landlock_abi();

    *ruleset = -1;
    if (plan->head.flags & PLAN_NO_LANDLOCK)
        return 0;
    if (abi < plan->head.landlock_abi)
        return err_set(e, ERR_BACKEND_UNAVAILABLE,
                       "the plan needs Landlock ABI %u, this kernel has %u",
                       plan->head.landlock_abi, abi);
    *ruleset = landlock_create(plan->head.landlock_abi);
    if (*ruleset < 0)
        return err_sys(e, "landlock_create_ruleset(2)", -*ruleset,
                       "cannot make a Landlock ruleset");
    return add_rules(plan, plan->head.landlock_abi, false, *ruleset, e);
}

static int enforce_landlock(const struct plan_view *plan, int *ruleset,
                            struct err *e)
{
    int r;

    if (*ruleset < 0)
        return 0;
    if (add_stream_rules(*ruleset, plan->head.landlock_abi, e) < 0)
        return -1;
    r = landlock_enforce(*ruleset);
    drop_fd(ruleset);
    return r < 0 ? err_sys(e, "landlock_restrict_self(2)", -r,
                           "cannot enforce Landlock")
                 : 0;
}

int launch_prepare_walls(const struct plan_view *plan, int *ruleset,
                         struct err *e)
{
    int r;

    /* Before Landlock and seccomp: both demand it of a process without
     * CAP_SYS_ADMIN, and it makes every setuid bit powerless. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(e, "prctl(2)", errno, "cannot set no_new_privs");
    if (prepare_landlock(plan, ruleset, e) < 0)
        return -1;
    r = caps_bound();
    return r < 0 ? err_sys(e, "prctl(2)", -r, "cannot bound capabilities") : 0;
}

int launch_raise_walls(const struct plan_view *plan, int *ruleset,
                       struct err *e)
{
    int r;

    /* Before the capabilities go: the rules are opened as they are now. */
    if (enforce_landlock(plan, ruleset, e) < 0)
        return -1;
    r = caps_clear();
    if (r < 0)
        return err_sys(e, "capset(2)", -r, "cannot drop capabilities");
    /* After the last write to /proc/self: a process that is not dumpable
     * has those files owned by root.  Closes /proc/1/{mem,environ,exe,fd,
     * root,cwd,maps} to the workload (ptrace(2), "access mode checking"). */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_sys(e, "prctl(2)", errno, "cannot become undumpable");
    return 0;
}
