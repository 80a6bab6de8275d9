/* runsc.c - the root around the view: see runsc.h. */
#include "launch/runsc.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compat.h"
#include "launch/launch.h"
#include "sys/mounts.h"
#include "sys/userns.h"

enum { CHILD_STACK = 16 * 1024 };

#define PLAIN (MXC_ATTR_NOSUID | MXC_ATTR_NODEV)

static int fail(struct err *e, const char *op, int r, const char *what)
{
    return err_sys(e, op, -r, "cannot set up gVisor's %s", what);
}

static bool find_step(const struct plan_view *plan, struct step *out)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        *out = plan_step(plan, i);
        if (out->kind == STEP_RUNSC)
            return true;
    }
    return false;
}

/* The program that was planned with, and no other that has its name by now. */
static int take_program(const struct step *s, struct runsc *r, struct err *e)
{
    struct stat st;

    r->program = mount_clone_path(s->path);
    if (r->program < 0)
        return fail(e, "open_tree(2)", r->program, "program");
    if (fstat(r->program, &st) < 0 || !S_ISREG(st.st_mode) ||
        (uint64_t)st.st_dev != s->num[0] || (uint64_t)st.st_ino != s->num[1])
        return err_set(e, ERR_BACKEND_ERROR,
                       "'%s' was replaced while the sandbox was being set up",
                       s->path);
    return 0;
}

/* Two of /proc: the kernel gives a user namespace below a new one only where
 * another is in sight that has nothing covered (mount_too_revealing()). */
static int take_rest(struct runsc *r, struct err *e)
{
    r->null = mount_clone_path("/dev/null");
    if (r->null < 0)
        return fail(e, "open_tree(2)", r->null, "/dev/null");
    r->proc = mount_new("proc", NULL, PLAIN | MXC_ATTR_NOEXEC);
    if (r->proc < 0)
        return fail(e, "fsmount(2)", r->proc, "/proc");
    r->visible_proc =
        mount_new("proc", NULL, PLAIN | MXC_ATTR_NOEXEC | MXC_ATTR_RDONLY);
    if (r->visible_proc < 0)
        return fail(e, "fsmount(2)", r->visible_proc, "/proc");
    return 0;
}

struct namespace
{
    uid_t uid;
    gid_t gid;
    const char *op;
    int fd;
};

/* runsc does without newuidmap(1) only as number 0.  Now: who lacks
 * CAP_SETFCAP later could not map the host's root, where that is the caller
 * (user_namespaces(7)). */
static int namespace_child(void *arg)
{
    struct namespace *n = arg;

    n->fd = userns_map(0, n->uid, 0, n->gid, &n->op);
    if (n->fd == 0) {
        n->op = "open(2)";
        n->fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
        n->fd = n->fd < 0 ? -errno : n->fd;
    }
    return 0;
}

static int make_userns(struct runsc *r, struct err *e)
{
    static char stack[CHILD_STACK] __attribute__((aligned(16)));
    struct namespace n = { geteuid(), getegid(), "clone(2)", -EPERM };
    pid_t pid = clone(
        namespace_child, stack + sizeof(stack),
        CLONE_NEWUSER | CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &n);

    if (pid < 0)
        return fail(e, "clone(2)", -errno, "user namespace");
    (void)waitpid(pid, NULL, 0);
    r->userns = n.fd;
    return n.fd < 0 ? fail(e, n.op, n.fd, "user namespace") : 0;
}

int runsc_open(const struct plan_view *plan, struct runsc *out, struct err *e)
{
    struct step s;

    *out = (struct runsc){ -1, -1, -1, -1, -1 };
    if (!find_step(plan, &s))
        return 0;
    if (make_userns(out, e) < 0 || take_program(&s, out, e) < 0)
        return -1;
    return take_rest(out, e);
}

static int make_root(struct view *v, const struct step *s, struct err *e)
{
    static const char *const opts[] = { "mode",      "0755", "size", "64m",
                                        "nr_inodes", "256",  NULL };
    static const char *const dirs[] = { "view",  "proc",   "visible", "dev",
                                        "state", "bundle", "tmp" };
    int r;

    v->root = mount_new("tmpfs", opts, PLAIN);
    if (v->root < 0)
        return fail(e, "fsmount(2)", v->root, "root");
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        if (mkdirat(v->root, dirs[i], 0755) < 0)
            return fail(e, "mkdirat(2)", -errno, dirs[i]);
    r = view_make_file(v, "/runsc", 0755, NULL, 0);
    if (r == 0)
        r = view_make_file(v, "/dev/null", 0666, NULL, 0);
    if (r == 0)
        r = view_make_file(v, "/bundle/config.json", 0444, s->text,
                           s->text_len);
    if (r == 0)
        r = view_attach_root(v);
    return r < 0 ? fail(e, "open(2)", r, "root") : 0;
}

struct mount {
    int mnt;
    const char *path;
    uint64_t attr;
};

static int attach_all(struct view *v, const struct runsc *r, struct err *e)
{
    const struct mount all[] = {
        { r->program, "/runsc", PLAIN | MXC_ATTR_RDONLY },
        { r->null, "/dev/null", MXC_ATTR_NOSUID | MXC_ATTR_RDONLY },
        { r->proc, "/proc", PLAIN },
        { r->visible_proc, "/visible", PLAIN | MXC_ATTR_RDONLY },
    };

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        int sys = mount_set(all[i].mnt, all[i].attr, 0);

        if (sys == 0)
            sys = mount_attach_at(all[i].mnt, v->root, all[i].path + 1);
        if (sys < 0)
            return fail(e, "move_mount(2)", sys, all[i].path);
    }
    return 0;
}

/* Nothing of processes. */
static bool is_of_kernel(const char *name)
{
    return name[0] != '.' && !(name[0] >= '0' && name[0] <= '9') &&
           strcmp(name, "self") != 0 && strcmp(name, "thread-self") != 0 &&
           strcmp(name, "mounts") != 0 && strcmp(name, "net") != 0;
}

static int freeze(int proc, const char *name)
{
    scoped(drop_fd) int at =
        openat(proc, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    scoped(drop_fd) int mnt = at < 0 ? -errno : mount_clone(at, 0);
    int r = mnt < 0 ? mnt : mount_set(mnt, MXC_ATTR_RDONLY, 0);

    return r < 0 ? r : mount_attach(mnt, at);
}

/* runsc writes maps of ids into its /proc, so that it cannot be read-only; and
 * who is root on the host needs no capability to write a sysctl there. */
static int freeze_kernel(const struct view *v, struct err *e)
{
    struct entry {
        uint64_t ino;
        int64_t next;
        uint16_t len;
        uint8_t type;
        char name[];
    };
    static char room[8192] __attribute__((aligned(8)));
    scoped(drop_fd) int proc = view_open(v, "/proc", O_RDONLY | O_DIRECTORY);
    long n;

    while ((n = syscall(SYS_getdents64, proc, room, sizeof(room))) > 0)
        for (char *at = room; at < room + n;) {
            const struct entry *d = (const void *)at;
            int r = is_of_kernel(d->name) ? freeze(proc, d->name) : 0;

            if (r < 0)
                return fail(e, "move_mount(2)", r, d->name);
            at += d->len;
        }
    return n < 0 ? fail(e, "getdents64(2)", -errno, "/proc") : 0;
}

int runsc_enter(const struct plan_view *plan, struct runsc *r, struct err *e)
{
    struct view v = { .root = -1 };
    struct step s;

    if (!find_step(plan, &s))
        return 0;
    if (make_root(&v, &s, e) < 0 || attach_all(&v, r, e) < 0 ||
        (plan->head.uid == 0 && freeze_kernel(&v, e) < 0))
        return -1;
    if (fchdir(v.root) < 0 || syscall(SYS_pivot_root, ".", "view") < 0 ||
        chdir("/") < 0)
        return fail(e, "pivot_root(2)", -errno, "root");
    (void)close(v.root);
    drop_fd(&r->program);
    drop_fd(&r->null);
    drop_fd(&r->proc);
    drop_fd(&r->visible_proc);
    return 0;
}
