/* native.c - the plan of the native Linux backend.  Pure.
 *
 * Order matters: the private root, its own directories, the base and the
 * grants shallow to deep with what covers them, /dev and /proc last (so that
 * no grant stands over them), then what is done to the process itself. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "backends/backend.h"
#include "backends/limit_holder.h"
#include "backends/native/build.h"
#include "base/compat.h"
#include "sys/seccomp_filter.h"

/* The private root, /tmp, /dev/shm and the home are one tmpfs: this is all
 * that a workload can write without a grant. */
#define ROOT_BYTES  (1ull << 30)
#define ROOT_INODES (1ull << 18)

/* Default ceilings against accidents and bombs; `limits` sets others. */
#define MAX_PROCESSES 1024ull
#define MAX_FILES     65536ull
/* pid_max goes no higher (proc_sys_kernel(5)). */
#define MAX_PIDS   4194304ull
#define MAX_LOCKED (8ull << 20)
#define MAX_MQUEUE 819200ull

/* Of what the kernel counts per user of the host (128 instances by default):
 * used up inside, they would be missing outside (inotify(7)). */
#define MAX_INOTIFY "64"
#define MAX_WATCHES "65536"
#define USUAL_STACK (8ull << 20)

#define MAKE_RIGHTS                                                            \
    (MXC_LL_REMOVE_DIR | MXC_LL_REMOVE_FILE | MXC_LL_MAKE_DIR |                \
     MXC_LL_MAKE_REG | MXC_LL_MAKE_SOCK | MXC_LL_MAKE_FIFO | MXC_LL_MAKE_SYM | \
     MXC_LL_REFER)
#define FILE_RIGHTS                                                            \
    (MXC_LL_EXECUTE | MXC_LL_WRITE_FILE | MXC_LL_READ_FILE | MXC_LL_READ_DIR | \
     MXC_LL_TRUNCATE)

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

int native_add(struct builder *b, enum step_kind kind, uint32_t flags,
               uint64_t n0, uint64_t n1, const char *path, const char *text,
               struct err *e)
{
    return plan_add(b->plan, b->a,
                    (struct step){ .kind = kind,
                                   .flags = flags,
                                   .num = { n0, n1 },
                                   .path = path,
                                   .text = text },
                    e);
}

static int add_dir(struct builder *b, const char *path, uint64_t mode,
                   struct err *e)
{
    return native_add(b, STEP_DIR, 0, mode, 0, path, NULL, e);
}

/* Does a place of the policy stand at the path, or below it? */
static bool is_taken(const struct builder *b, const char *path, bool below)
{
    for (size_t i = 0; i < b->fs->n; i++) {
        const char *t = b->fs->item[i].target;

        if (t && (strcmp(t, path) == 0 || (below && path_is_within(t, path))))
            return true;
    }
    return false;
}

int native_add_file(struct builder *b, const char *path, const char *text,
                    struct err *e)
{
    if (!text)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for the plan");
    if (is_taken(b, path, false) || is_taken(b, "/etc", false))
        return 0;
    return native_add(b, STEP_FILE, 0, 0444, 0, path, text, e);
}

static int add_root(struct builder *b, struct err *e)
{
    static const struct {
        const char *path;
        uint64_t mode;
    } dirs[] = {
        { "/dev", 0755 }, { "/dev/pts", 0755 },  { "/dev/shm", 01777 },
        { "/etc", 0755 }, { "/home", 0755 },     { "/proc", 0555 },
        { "/run", 0755 }, { "/tmp", 01777 },     { "/usr", 0755 },
        { "/var", 0755 }, { "/var/tmp", 01777 },
    };
    const struct policy_limits *l = &b->p->limits;

    if (native_add(b, STEP_ROOT, 0, limit_or(l, LIMIT_SCRATCH, ROOT_BYTES),
                   limit_or(l, LIMIT_SCRATCH_FILES, ROOT_INODES), NULL, NULL,
                   e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        if (add_dir(b, dirs[i].path, dirs[i].mode, e) < 0)
            return -1;
    if (b->p->private_home && policy_home(b->p)[1] &&
        add_dir(b, policy_home(b->p), 0700, e) < 0)
        return -1;
    if (!is_taken(b, "/var/run", true) && !is_taken(b, "/var", false) &&
        native_add(b, STEP_SYMLINK, 0, 0, 0, "/var/run", "/run", e) < 0)
        return -1;
    return 0;
}

/* Who the workload seems to be: one user, no host names. */
static int add_identity(struct builder *b, struct err *e)
{
    const char *home = b->p->private_home ? policy_home(b->p) : "/";
    const char *name = b->h->hostname ? b->h->hostname : "sandbox";
    const char *user = b->h->uid == 0 ? "root" : POLICY_USER;

    if (native_add_file(
            b, "/etc/passwd",
            arena_printf(
                b->a,
                "%s:x:%u:%u::%s:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
                user, b->h->uid, b->h->gid, home),
            e) < 0 ||
        native_add_file(
            b, "/etc/group",
            arena_printf(b->a, "%s:x:%u:\nnogroup:x:65534:\n", user, b->h->gid),
            e) < 0 ||
        native_add_file(b, "/etc/hostname", arena_printf(b->a, "%s\n", name),
                        e) < 0 ||
        native_add_file(
            b, "/etc/hosts",
            arena_printf(b->a,
                         "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n",
                         name),
            e) < 0 ||
        native_add_resolver(b, e) < 0 ||
        native_add_file(b, "/etc/nsswitch.conf",
                        "passwd: files\ngroup: files\nhosts: files dns\n"
                        "services: files\nprotocols: files\n",
                        e) < 0 ||
        native_add_file(b, "/etc/machine-id",
                        arena_printf(b->a, "%s\n", b->h->machine_id), e) < 0)
        return -1;
    return native_add(b, STEP_HOSTNAME, 0, 0, 0, NULL, name, e);
}

static int no_copy(const struct place *p, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "'%s' is a file, and only a directory is copied on write",
            p->target);
    err_hint(e, "grant the directory that it is in, or leave out "
                "--discard-writes");
    return err_where(e, "%s", p->origin);
}

static int add_bind(struct builder *b, const struct place *p, struct err *e)
{
    uint32_t flags = p->is_dir ? STEP_IS_DIR : 0;

    if (p->access == ACCESS_READ)
        flags |= STEP_READONLY;
    else if (b->p->copies && !p->base && !p->is_dir)
        return no_copy(p, e);
    else if (b->p->copies && !p->base)
        flags |= STEP_COPY;
    if (p->own_space)
        flags |= STEP_CREATE;
    /* The base's own paths are constants of this program on the host's system
     * directories; there is no earlier look to compare with. */
    return native_add(b, STEP_BIND, flags, p->base ? 0 : p->dev,
                      p->base ? 0 : p->ino, p->target, p->source, e);
}

/* Where mxc keeps what is its own (own_places.c): no clause is about it. */
static uint32_t ours(const struct place *p)
{
    return p->origin && strncmp(p->origin, "mxc's ", 6) == 0 ? STEP_OURS : 0;
}

/* What a report of refusals has to call it: a clause may have named a link. */
static int add_name(struct builder *b, const struct place *p, struct err *e)
{
    const char *target = p->target;

    if (!b->p->denials || p->base || !p->named)
        return 0;
    if (p->kind == PLACE_ABSENT)
        target = arena_printf(b->a, "%s/%s", target[1] ? target : "", p->rest);
    if (!target)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for the plan");
    if (strcmp(p->named, target) == 0 || strlen(target) > PATH_LONGEST)
        return 0;
    return native_add(b, STEP_NAMED, 0, 0, 0, target, p->named, e);
}

static int add_place(struct builder *b, const struct place *p, struct err *e)
{
    uint32_t create = p->own_space ? STEP_CREATE : 0;

    switch (p->kind) {
    case PLACE_GRANT:
        return native_has_overlay(b, p) ? native_add_overlay(b, p, e)
                                        : add_bind(b, p, e);
    case PLACE_MASK:
        return native_add(b, STEP_MASK,
                          create | ours(p) | (p->is_dir ? STEP_IS_DIR : 0), 0,
                          0, p->target, NULL, e);
    case PLACE_HOLLOW:
        return native_add(b, STEP_HOLLOW, create, 0, 0, p->target, NULL, e);
    case PLACE_PIN:
        return native_add(b, STEP_PIN, 0, 0, 0, p->target, NULL, e);
    case PLACE_ABSENT:
        b->plan->flags |= PLAN_BROKER_CREATES;
        return native_add(b, STEP_ABSENT, ours(p), 0, 0, p->target, p->rest, e);
    case PLACE_WATCH:
        return native_add(b, STEP_WATCH, 0, p->dev, p->ino, p->source, p->rest,
                          e);
    }
    return 0;
}

static int add_places(struct builder *b, struct err *e)
{
    for (size_t i = 0; i < b->fs->n; i++) {
        const struct place *p = &b->fs->item[i];

        if (add_place(b, p, e) < 0 || add_name(b, p, e) < 0)
            return -1;
        /* A host socket below a granted directory is a way to a daemon that
         * acts for whoever connects: the broker decides. */
        if (p->kind == PLACE_GRANT && !p->base)
            b->plan->flags |= PLAN_BROKER_UNIX;
    }
    return 0;
}

static int add_dev(struct builder *b, struct err *e)
{
    static const char *const nodes[] = { "/dev/null",    "/dev/zero",
                                         "/dev/full",    "/dev/random",
                                         "/dev/urandom", "/dev/tty" };
    static const char *const links[][2] = {
        { "/dev/fd", "/proc/self/fd" },
        { "/dev/stdin", "/proc/self/fd/0" },
        { "/dev/stdout", "/proc/self/fd/1" },
        { "/dev/stderr", "/proc/self/fd/2" },
        { "/dev/ptmx", "pts/ptmx" },
    };

    if (is_taken(b, "/dev", false))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
        if (native_add(b, STEP_DEVICE, STEP_OPTIONAL, 0, 0, nodes[i], nodes[i],
                       e) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_LEN(links); i++)
        if (native_add(b, STEP_SYMLINK, 0, 0, 0, links[i][0], links[i][1], e) <
            0)
            return -1;
    if (b->p->tty &&
        native_add(b, STEP_SYMLINK, 0, 0, 0, "/dev/console", "pts/0", e) < 0)
        return -1;
    return native_add(b, STEP_DEVPTS, 0, 0, 0, "/dev/pts", NULL, e);
}

/* What of /proc says more of host or kernel than a program needs.  All of it
 * is read-only. */
static const char *const proc_files[] = {
    "/proc/kallsyms", "/proc/keys",    "/proc/key-users",   "/proc/config.gz",
    "/proc/cmdline",  "/proc/modules", "/proc/sched_debug", NULL
};
static const char *const proc_dirs[] = { "/proc/acpi", "/proc/asound",
                                         "/proc/scsi", NULL };

/* Files that their mode keeps from everybody but the host's root, which a
 * workload of a root caller is, without its capabilities. */
static const char *const proc_root_files[] = { "/proc/kcore",
                                               "/proc/kmsg",
                                               "/proc/kpagecount",
                                               "/proc/kpageflags",
                                               "/proc/kpagecgroup",
                                               "/proc/sysrq-trigger",
                                               "/proc/timer_list",
                                               "/proc/vmallocinfo",
                                               "/proc/slabinfo",
                                               "/proc/latency_stats",
                                               NULL };
static const char *const proc_root_dirs[] = { "/proc/bus", "/proc/driver",
                                              "/proc/fs", "/proc/irq", NULL };

static int mask_all(struct builder *b, const char *const *list, uint32_t flag,
                    struct err *e)
{
    for (; *list; list++)
        if (native_add(b, STEP_MASK, STEP_OPTIONAL | flag, 0, 0, *list, NULL,
                       e) < 0)
            return -1;
    return 0;
}

/* A ceiling beside what holds the limit, where that lets more through. */
static uint64_t pid_max(const struct builder *b)
{
    const uint64_t pids = limit_or(&b->p->limits, LIMIT_PIDS, MAX_PROCESSES);

    if (pids < MAX_PROCESSES)
        return MAX_PROCESSES;
    return least(pids, MAX_PIDS);
}

static int add_proc(struct builder *b, struct err *e)
{
    bool is_root = b->h->uid == 0;

    /* Also where policy denies /proc, which is covered last: the ceilings are
     * set through it. */
    if (native_add(b, STEP_PROC, 0, 0, 0, "/proc", NULL, e) < 0 ||
        native_add(b, STEP_SYSCTL, 0, 0, 0,
                   "/proc/sys/user/max_user_namespaces", "0", e) < 0 ||
        native_add(b, STEP_SYSCTL, 0, 0, 0,
                   "/proc/sys/user/max_inotify_instances", MAX_INOTIFY,
                   e) < 0 ||
        native_add(b, STEP_SYSCTL, 0, 0, 0,
                   "/proc/sys/user/max_inotify_watches", MAX_WATCHES, e) < 0)
        return -1;
    if (b->h->has_pid_limit &&
        native_add(b, STEP_SYSCTL, 0, 0, 0, "/proc/sys/kernel/pid_max",
                   arena_printf(b->a, "%llu", (unsigned long long)pid_max(b)),
                   e) < 0)
        return -1;
    if (mask_all(b, proc_files, 0, e) < 0 ||
        mask_all(b, proc_dirs, STEP_IS_DIR, e) < 0 ||
        (is_root && mask_all(b, proc_root_files, 0, e) < 0) ||
        (is_root && mask_all(b, proc_root_dirs, STEP_IS_DIR, e) < 0))
        return -1;
    return native_add(b, STEP_FILE, 0, 0444, 0,
                      "/proc/sys/kernel/random/boot_id", b->h->boot_id, e);
}

static int add_landlock(struct builder *b, struct err *e)
{
    uint64_t device = b->h->landlock_abi >= 5 ? MXC_LL_IOCTL_DEV : 0;

    if (b->h->landlock_abi == 0) {
        b->plan->flags |= PLAN_NO_LANDLOCK;
        return 0;
    }
    if (native_add(b, STEP_LANDLOCK, 0, FILE_RIGHTS | MAKE_RIGHTS, 0, "/", NULL,
                   e) < 0)
        return -1;
    if (!device || is_taken(b, "/dev", false))
        return 0;
    return native_add(b, STEP_LANDLOCK, 0, device, 0, "/dev", NULL, e);
}

/* Init is one of them.  Where a control group holds the limit this is the
 * second wall, a little further out: what the group refuses is counted, and
 * told. */
static uint64_t most_processes(const struct builder *b)
{
    enum { INIT = 1, BEHIND_THE_GROUP = 16 };
    const struct policy_limits *l = &b->p->limits;

    if (!(l->set & LIMIT_BIT(LIMIT_PIDS)) || l->holder[LIMIT_PIDS] == HOLD_NOT)
        return MAX_PROCESSES;
    return l->value[LIMIT_PIDS] +
           (l->holder[LIMIT_PIDS] == HOLD_GROUP ? BEHIND_THE_GROUP : INIT);
}

static int add_rlimits(struct builder *b, struct err *e)
{
    const struct policy_limits *l = &b->p->limits;
    const uint64_t files = limit_or(l, LIMIT_FILES, MAX_FILES);
    const struct {
        int resource;
        uint64_t value;
    } rows[] = {
        /* Not 0: the kernel runs a core_pattern with a pipe, as root on the
         * host, with any value but this one (core(5), do_coredump()).  The
         * filter keeps it. */
        { RLIMIT_CORE, 1 },
        { RLIMIT_NOFILE, least(files, b->h->nofile_hard) },
        { RLIMIT_NPROC, least(most_processes(b), b->h->nproc_hard) },
        { RLIMIT_MEMLOCK, MAX_LOCKED },
        { RLIMIT_MSGQUEUE, MAX_MQUEUE },
        { RLIMIT_NICE, 0 },
        { RLIMIT_RTPRIO, 0 },
    };
    /* Soft limits are a habit of the caller's shell: the usual ones instead.
     * Its hard limits stay, since nobody may raise them. */
    const struct {
        int resource;
        uint64_t value;
    } soft[] = {
        { RLIMIT_STACK, USUAL_STACK },   { RLIMIT_AS, RLIM_INFINITY },
        { RLIMIT_CPU, RLIM_INFINITY },   { RLIMIT_DATA, RLIM_INFINITY },
        { RLIMIT_FSIZE, RLIM_INFINITY },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (native_add(b, STEP_RLIMIT, 0, (uint64_t)rows[i].resource,
                       rows[i].value, NULL, NULL, e) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_LEN(soft); i++)
        if (native_add(b, STEP_RLIMIT, STEP_SOFT, (uint64_t)soft[i].resource,
                       soft[i].value, NULL, NULL, e) < 0)
            return -1;
    if (!limit_is_held(l, LIMIT_FILE_SIZE, HOLD_RLIMIT))
        return 0;
    return native_add(b, STEP_RLIMIT, 0, RLIMIT_FSIZE,
                      l->value[LIMIT_FILE_SIZE], NULL, NULL, e);
}

static int add_filter(struct builder *b, struct err *e)
{
    const struct seccomp_options o = {
        .broker_creates = b->plan->flags & PLAN_BROKER_CREATES,
        .broker_unix = b->plan->flags & PLAN_BROKER_UNIX,
        .ping = b->plan->flags & PLAN_NET_ICMP,
        .watched = b->plan->flags & PLAN_DENIALS,
    };
    struct sock_filter *f = arena_array(b->a, SECCOMP_FILTER_MAX, sizeof(*f));
    size_t n;

    if (!f)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for the filter");
    if (seccomp_filter_build(&o, f, &n, e) < 0)
        return -1;
    return plan_add(b->plan, b->a,
                    (struct step){ .kind = STEP_FILTER,
                                   .text = (const char *)f,
                                   .text_len = n * sizeof(*f) },
                    e);
}

static int add_process(struct builder *b, const char *cwd, struct err *e)
{
    if (native_add(b, STEP_CWD, 0, 0, 0, cwd, NULL, e) < 0)
        return -1;
    for (size_t i = 0; i < b->p->nenv; i++)
        if (native_add(b, STEP_ENV, 0, 0, 0, NULL, b->p->env[i], e) < 0)
            return -1;
    for (size_t i = 0; i < b->p->nargs; i++)
        if (native_add(b, STEP_ARG, 0, 0, 0, NULL, b->p->arg[i], e) < 0)
            return -1;
    return 0;
}

static int native_plan(const struct policy *p, const struct host *h,
                       const struct places *fs, const char *cwd,
                       struct arena *a, struct plan *out, struct err *e)
{
    struct plan plan = { .landlock_abi = h->landlock_abi,
                         .uid = h->uid,
                         .gid = h->gid,
                         .timeout_ms = p->timeout_ms };
    struct builder b = { &plan, a, p, h, fs };

    if (p->tty)
        plan.flags |= PLAN_TTY;
    if (p->denials)
        plan.flags |= PLAN_DENIALS | (p->accesses ? PLAN_ACCESSES : 0);
    if (p->verify)
        plan.flags |= PLAN_VERIFY;
    if (p->die_with_parent)
        plan.flags |= PLAN_DIE_WITH_PARENT;
    if (add_root(&b, e) < 0 || native_add_layer(&b, e) < 0 ||
        add_places(&b, e) < 0 || native_add_shown(&b, e) < 0 ||
        add_identity(&b, e) < 0 || add_dev(&b, e) < 0 || add_proc(&b, e) < 0 ||
        add_landlock(&b, e) < 0 || add_rlimits(&b, e) < 0 ||
        native_add_network(&b, e) < 0 || add_filter(&b, e) < 0 ||
        limits_add(&p->limits, &plan, a, e) < 0 || add_process(&b, cwd, e) < 0)
        return -1;
    *out = plan;
    return 0;
}

static int native_probe(const struct host *h, const struct policy *p,
                        struct err *e)
{
    if (h->is_sandbox) {
        err_set(e, ERR_BACKEND_UNAVAILABLE,
                "no sandbox can be made here: user.max_user_namespaces is 0");
        return err_hint(e, "inside of a sandbox none can be made; on a host: "
                           "sysctl user.max_user_namespaces=15000");
    }
    if (h->crash_runs_program) {
        err_set(e, ERR_BACKEND_UNAVAILABLE,
                "a crash in the sandbox would run the host's core_pattern "
                "program: the caller's hard limit on core files is 0");
        return err_hint(e, "start mxc where that limit is not 0 (root: prlimit "
                           "--core=1 --pid PID), or set kernel.core_pattern to "
                           "a file name");
    }
    if (h->landlock_abi < 3 && !(p->accept_missing & WALL_LANDLOCK)) {
        err_set(e, ERR_BACKEND_UNAVAILABLE,
                h->landlock_abi ? "this kernel's Landlock (ABI %u) is too old "
                                  "for the policy: ABI 3 is needed"
                                : "this kernel has no "
                                  "Landlock (ABI %u)",
                h->landlock_abi);
        return err_hint(e, "boot Linux 6.2 or later with Landlock enabled "
                           "(lsm=landlock,...), or say --accept-missing "
                           "landlock to run without this wall");
    }
    if (!h->has_pid_limit && h->uid == 0 &&
        !(p->accept_missing & WALL_PID_LIMIT)) {
        err_set(e, ERR_BACKEND_UNAVAILABLE,
                "this kernel cannot bound the number of processes of a "
                "sandbox whose caller is root");
        return err_hint(e, "run as an ordinary user, boot Linux 6.14 or "
                           "later, or say --accept-missing pid-limit");
    }
    return 0;
}

const struct backend backend_native = {
    .name = "native",
    .summary = "process sandbox: namespaces, Landlock, seccomp; no root, no "
               "helper programs",
    .tier = TIER_PROCESS,
    .features =
        FEAT_LAUNCHED | FEAT_TTY | FEAT_DENIALS | FEAT_COPIES | FEAT_VERIFY,
    .limits = LIMITS_AROUND | LIMITS_INSIDE | LIMITS_SCRATCH | LIMITS_WRITTEN,
    .probe = native_probe,
    .plan = native_plan,
    .receipt = native_receipt,
};
