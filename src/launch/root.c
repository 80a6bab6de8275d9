/* root.c - the private root: made first, sealed and entered last. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/compat.h"
#include "launch/launch.h"
#include "sys/mounts.h"

#define NO_VIEW                                                                \
    {                                                                          \
        .root = -1, .void_dir = -1, .void_file = -1, .void_place = -1,         \
        .strangers = -1                                                        \
    }

/* On top of "/", where it hides nothing from a process whose root directory
 * lies below. */
int view_attach_root(struct view *v)
{
    scoped(drop_fd) int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = at < 0 ? -errno : mount_attach(v->root, at);

    v->is_attached = r == 0;
    return r;
}

static int make_root(struct view *v, const struct step *s, struct err *e)
{
    char bytes[24], inodes[24];
    const char *const opts[] = { "mode",      "0755", "size", bytes,
                                 "nr_inodes", inodes, NULL };

    (void)snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)s->num[0]);
    (void)snprintf(inodes, sizeof(inodes), "%llu",
                   (unsigned long long)s->num[1]);
    v->root = mount_new("tmpfs", opts, MXC_ATTR_NOSUID | MXC_ATTR_NODEV);
    if (v->root < 0)
        return err_sys(e, "fsmount(2)", -v->root,
                       "cannot make the private root");
    return 0;
}

/* Of memory, whose mounts can be nobody's (mask.c), and where nothing is
 * anybody else's: an image's root is neither, its /dev is. */
static int open_void_place(const struct view *v)
{
    return v->has_image
               ? view_open(v, "/dev", O_PATH | O_DIRECTORY)
               : openat(v->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* What masks are made of lives there without a name. */
static int make_voids(struct view *v, struct err *e)
{
    scoped(drop_fd) int at = open_void_place(v);
    int fd;

    if (at < 0 || mkdirat(at, ".void", 0) < 0)
        return err_sys(e, "mkdirat(2)", errno, "cannot make a mask");
    fd = openat(at, ".file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(e, "open(2)", errno, "cannot make a mask");
    (void)close(fd);
    v->void_dir = openat(at, ".void", O_PATH | O_CLOEXEC);
    v->void_file = openat(at, ".file", O_PATH | O_CLOEXEC);
    if (v->void_dir < 0 || v->void_file < 0)
        return err_sys(e, "open(2)", errno, "cannot make a mask");
    v->void_place = take_fd(&at);
    return 0;
}

static int remove_voids(struct view *v, struct err *e)
{
    if (unlinkat(v->void_place, ".void", AT_REMOVEDIR) < 0 ||
        unlinkat(v->void_place, ".file", 0) < 0)
        return err_sys(e, "unlinkat(2)", errno, "cannot finish the masks");
    (void)close(v->void_place);
    (void)close(v->void_dir);
    (void)close(v->void_file);
    return 0;
}

static void drop_strangers(struct view *v)
{
    if (v->strangers >= 0)
        (void)close(v->strangers);
}

static int seal(const struct view *v, const struct step *s, struct err *e)
{
    scoped(drop_fd) int fd = view_open(v, s->path, O_RDONLY | O_DIRECTORY);
    int r = fd < 0 ? fd : 0;

    /* Let the path through to what is granted inside, list nothing. */
    if (r == 0 && s->kind == STEP_HOLLOW && fchmod(fd, 0111) < 0)
        r = -errno;
    if (r == 0)
        r = mount_set(fd, MXC_ATTR_RDONLY, 0);
    if (r < 0)
        return err_sys(e, "mount_setattr(2)", -r, "cannot seal '%s'", s->path);
    return 0;
}

/* The OOM killer shall take the sandbox, all of it, before anything of the
 * host; children inherit it and may only raise it (proc_pid_oom_score_adj(5)).
 * Must happen while /proc is still writable. */
static int volunteer_for_oom(const struct view *v, struct err *e)
{
    scoped(drop_fd) int fd =
        openat(v->root, "proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, "1000", 4) != 4)
        return err_sys(e, "write(2)", errno, "cannot set oom_score_adj");
    return 0;
}

/* Does policy deny something that is there? */
static bool has_masks(const struct plan_view *plan)
{
    for (size_t i = 0; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (s.kind == STEP_MASK && !(s.flags & STEP_OPTIONAL))
            return true;
    }
    return false;
}

/* What policy denies of the sandbox's own /proc and /dev is covered when those
 * are complete: a mask made earlier would be under their mounts, and under a
 * covered /proc the settings could not be made. */
static bool is_late(const struct step *s)
{
    return s->kind == STEP_MASK && !(s->flags & STEP_OPTIONAL) &&
           (strcmp(s->path, "/proc") == 0 ||
            strncmp(s->path, "/proc/", 6) == 0 ||
            strncmp(s->path, "/dev/", 5) == 0);
}

static bool is_proc_file(const struct step *s)
{
    return s->kind == STEP_FILE && strncmp(s->path, "/proc/", 6) == 0;
}

/* After the settings: what may no longer be written, and what is covered. */
static int finish_view(struct view *v, const struct plan_view *plan,
                       struct err *e)
{
    for (size_t i = 1; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (is_proc_file(&s) && view_apply(v, &s, e) < 0)
            return -1;
        if ((s.kind == STEP_PROC || s.kind == STEP_HOLLOW) &&
            seal(v, &s, e) < 0)
            return -1;
    }
    for (size_t i = 1; i < plan->head.nsteps; i++) {
        struct step s = plan_step(plan, i);

        if (is_late(&s) && view_apply(v, &s, e) < 0)
            return -1;
    }
    return 0;
}

static int explain(const struct view *v, struct err *e)
{
    if (!v->has_layer || e->hint[0])
        return -1;
    return err_hint(e, "what an earlier start left in the session's layer may "
                       "be in the way; mxc deprovision removes it");
}

/* The private root, with everything that belongs there. */
static int make_view(const struct plan_view *plan, struct view *v,
                     struct err *e)
{
    struct step s = plan_step(plan, 0);
    int r;

    v->is_taken = plan_count(plan, STEP_RUNTIME);
    v->has_image = plan_count(plan, STEP_IMAGE);
    if ((v->is_taken ? launch_take_root : make_root)(v, &s, e) < 0 ||
        make_voids(v, e) < 0 || view_copy_grants(v, plan, e) < 0)
        return -1;
    for (size_t i = 1; i < plan->head.nsteps; i++) {
        s = plan_step(plan, i);
        if (is_proc_file(&s) || is_late(&s))
            continue;
        if ((v->is_taken ? launch_take_step(v, plan, &s, e)
                         : view_apply(v, &s, e)) < 0)
            return explain(v, e);
    }
    r = v->is_attached ? 0 : view_attach_root(v);
    if (r < 0)
        return err_sys(e, "move_mount(2)", -r,
                       "cannot attach the private root");
    view_drop_copies(v);
    if (volunteer_for_oom(v, e) < 0 || finish_view(v, plan, e) < 0 ||
        remove_voids(v, e) < 0)
        return -1;
    return 0;
}

static int cannot_enter(int r, struct err *e)
{
    return err_sys(e, "pivot_root(2)", -r, "cannot enter the new root");
}

/* Now: under a stacked root no user namespace can be made. */
static int open_strangers(struct view *v, struct err *e)
{
    v->strangers = view_open_strangers();
    return v->strangers == -EOWNERDEAD
               ? err_set(e, ERR_BACKEND_ERROR,
                         "a part of the sandbox's set-up was killed")
               : 0;
}

int launch_build_view(const struct plan_view *plan, struct err *e)
{
    struct view v = NO_VIEW;
    int r;

    if ((has_masks(plan) && open_strangers(&v, e) < 0) ||
        make_view(plan, &v, e) < 0)
        return -1;
    drop_strangers(&v);
    r = v.is_taken ? 0 : mount_pivot(v.root);
    (void)close(v.root);
    return r < 0 ? cannot_enter(r, e) : 0;
}

/* --- one that stays open for a while ---------------------------------------
 */

/* A detached copy is let go of by closing it, and nobody waits for that (RCU)
 * who is not the last to have it.  All of it is copied to see whether that can
 * be done: its mounts do not part (mount_namespaces(7), "locked"). */
static int open_host(int *host, bool *is_stacked, struct err *e)
{
    scoped(drop_fd) int copy = mount_clone_path("/");
    scoped(drop_fd) int again = copy < 0 ? -1 : mount_clone(copy, 1);

    *is_stacked = again < 0;
    *host = *is_stacked ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)
                        : take_fd(&copy);
    return *host < 0
               ? err_sys(e, "open(2)", errno, "cannot keep the host's root")
               : 0;
}

int launch_build_open_view(const struct plan_view *plan, struct spare *out,
                           struct err *e)
{
    struct view v = NO_VIEW;
    scoped(drop_fd) int host = -1;
    bool is_stacked = false;
    int r;

    if (open_host(&host, &is_stacked, e) < 0 || open_strangers(&v, e) < 0 ||
        make_view(plan, &v, e) < 0)
        return -1;
    r = is_stacked ? mount_enter(v.root) : mount_pivot(v.root);
    (void)close(v.root);
    if (r < 0)
        return cannot_enter(r, e);
    *out = (struct spare){ .host = take_fd(&host),
                           .strangers = v.strangers,
                           .is_stacked = is_stacked };
    return 0;
}

static bool is_of_view(enum step_kind k)
{
    return k == STEP_BIND || k == STEP_MASK || k == STEP_HOLLOW ||
           k == STEP_PIN;
}

static int add_steps(struct view *v, const struct plan_view *claim,
                     struct err *e)
{
    for (size_t i = 0; i < claim->head.nsteps; i++) {
        struct step s = plan_step(claim, i);

        if (is_of_view(s.kind) && view_apply(v, &s, e) < 0)
            return -1;
    }
    for (size_t i = 0; i < claim->head.nsteps; i++) {
        struct step s = plan_step(claim, i);

        if (s.kind == STEP_HOLLOW && seal(v, &s, e) < 0)
            return -1;
    }
    return 0;
}

/* What was built before is complete, so every way there is walked as one
 * through granted trees (has_hollow): no symlink is followed. */
int launch_add_to_view(const struct plan_view *claim, const struct spare *s,
                       struct err *e)
{
    struct view v = NO_VIEW;
    bool is_any = false;
    int r;

    for (size_t i = 0; i < claim->head.nsteps && !is_any; i++)
        is_any = is_of_view(plan_step(claim, i).kind);
    if (!is_any)
        return 0;
    v.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    v.is_attached = v.has_hollow = true;
    v.strangers = s->strangers;
    v.host = s->host;
    if (v.root < 0)
        return err_sys(e, "open(2)", errno, "cannot open the root");
    r = make_voids(&v, e);
    if (r == 0)
        r = add_steps(&v, claim, e);
    if (r == 0)
        r = remove_voids(&v, e);
    (void)close(v.root);
    return r;
}

/* From here on nothing of the host can be found any more. */
int launch_close_view(struct spare *s, struct err *e)
{
    scoped(drop_fd) int root = -1;
    int r = 0;

    if (s->is_stacked) {
        root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = root < 0 ? -errno : mount_leave_old(root);
    }
    drop_fd(&s->host);
    drop_fd(&s->strangers);
    return r < 0 ? err_sys(e, "umount2(2)", -r,
                           "cannot let go of the host's root")
                 : 0;
}
