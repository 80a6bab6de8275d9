/* verify_view.c - the sandbox tries what it sees of files: see verify.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/compat.h"
#include "launch/verify.h"

/* getdents64(2) */
struct entry {
    uint64_t ino;
    int64_t next;
    uint16_t size;
    uint8_t type;
    char name[];
};

static bool is_of_view(const struct step *s)
{
    return s->kind >= STEP_DIR && s->kind <= STEP_PIN;
}

/* Is the name the first of the path's? */
static bool begins_with(const char *path, const char *name)
{
    const size_t n = strlen(name);

    return strncmp(path + 1, name, n) == 0 &&
           (path[1 + n] == '/' || path[1 + n] == '\0');
}

static bool is_planned(const struct verify *v, const char *name)
{
    if (name[0] == '.' &&
        (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
        return true;
    for (size_t i = 0; i < v->plan->head.nsteps; i++) {
        const struct step s = plan_step(v->plan, i);

        if (is_of_view(&s) && begins_with(s.path, name))
            return true;
    }
    return false;
}

static int try_names(struct verify *v, const char *room, size_t len)
{
    for (size_t at = 0; at < len;) {
        const struct entry *e = (const void *)(room + at);

        if (!is_planned(v, e->name))
            return verify_fell(v, CLAUSE_VIEW, e->name,
                               "nothing in / but what the plan has",
                               "this name");
        at += e->size;
    }
    return 0;
}

/* Its root is not the host's, and nothing is in it but what was planned. */
static int try_root(struct verify *v)
{
    scoped(drop_fd) int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char room[8192] __attribute__((aligned(8)));
    struct stat st;
    long n;

    if (fd < 0 || fstat(fd, &st) < 0)
        return verify_fell(v, CLAUSE_VIEW, "/", "a root", "none");
    if (st.st_dev == v->host.root_dev && st.st_ino == v->host.root_ino)
        return verify_fell(v, CLAUSE_VIEW, "/", "a root of its own",
                           "the host's");
    (void)verify_held(v, CLAUSE_VIEW);
    while ((n = syscall(SYS_getdents64, fd, room, sizeof(room))) > 0)
        if (try_names(v, room, (size_t)n) < 0)
            return -1;
    if (n == 0)
        return verify_held(v, CLAUSE_VIEW);
    verify_untried(v, CLAUSE_VIEW, REASON_NOT_SEEN);
    return 0;
}

/* Is it at most as large as the root is planned? */
static bool has_size(const struct statfs *f, const struct step *root)
{
    if ((root->num[0] && !f->f_blocks) || (root->num[1] && !f->f_files))
        return false; /* 0: no limit */
    return (uint64_t)f->f_blocks * (uint64_t)f->f_bsize <=
               root->num[0] + (uint64_t)f->f_bsize &&
           f->f_files <= root->num[1];
}

static int try_size(struct verify *v, const struct step *s)
{
    struct statfs f;

    if (statfs("/", &f) < 0 || ~f.f_flags & (ST_NOSUID | ST_NODEV) ||
        f.f_type != TMPFS_MAGIC || !has_size(&f, s))
        return verify_fell(v, CLAUSE_SCRATCH, "/", "memory of the planned size",
                           "another filesystem");
    return verify_held(v, CLAUSE_SCRATCH);
}

/* Directories by a file without a name, which a read-only mount refuses before
 * anything is made; other kinds are not written to by opening them. */
static int try_writing(struct verify *v, const struct step *s, int at,
                       mode_t type)
{
    const int flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    scoped(drop_fd) int fd = -1;

    if (type == S_IFDIR) {
        fd = openat(at, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    } else if (type == S_IFREG) {
        fd = open(s->path, flags);
        /* A program that runs, and one that nobody may change. */
        if (fd < 0 && (errno == ETXTBSY || errno == EPERM))
            return verify_held(v, CLAUSE_READ_ONLY);
    } else {
        return 0;
    }
    return verify_refused(v, CLAUSE_READ_ONLY, s->path, fd, EROFS, EACCES);
}

static void try_leave(struct verify *v, int at)
{
    if (syscall(__NR_faccessat2, at, "", W_OK, AT_EACCESS | AT_EMPTY_PATH) == 0)
        (void)verify_held(v, CLAUSE_WRITABLE);
    else
        verify_untried(v, CLAUSE_WRITABLE,
                       errno == EROFS ? REASON_READ_ONLY_THERE
                                      : REASON_NOT_OURS);
}

/* Is it, or what it lies in, covered by a step of its own? */
static bool is_covered(const struct verify *v, const char *path)
{
    for (size_t i = 0; i < v->plan->head.nsteps; i++) {
        const struct step s = plan_step(v->plan, i);
        size_t n;

        if (s.kind != STEP_MASK && s.kind != STEP_HOLLOW)
            continue;
        n = strlen(s.path);
        if (strncmp(path, s.path, n) == 0 &&
            (path[n] == '/' || path[n] == '\0'))
            return true;
    }
    return false;
}

/* Policy has taken away what was planned first, which is tried for itself; or
 * it could not be looked at. */
static int not_reached(struct verify *v, const struct step *s, enum clause c)
{
    if (is_covered(v, s->path))
        return 0;
    verify_untried(v, c, REASON_NOT_SEEN);
    if (s->flags & STEP_COPY)
        verify_untried(v, CLAUSE_COPIES, REASON_NOT_SEEN);
    return 0;
}

/* What is written to an overlay goes into its upper part, whose size it tells
 * as its own: that of the memory.  Nothing is written to find it out, since
 * where it is no copy that would be to the host's. */
static int try_copy(struct verify *v, const struct step *s,
                    const struct stat *st, const struct statfs *f)
{
    const struct step root = plan_step(v->plan, 0);

    if (f->f_type != OVERLAYFS_SUPER_MAGIC)
        return verify_fell(v, CLAUSE_COPIES, s->path, "an overlay",
                           "another filesystem");
    if (st->st_dev == s->num[0])
        return verify_fell(v, CLAUSE_COPIES, s->path, "a copy",
                           "the host's directory");
    if (!has_size(f, &root))
        return verify_fell(v, CLAUSE_COPIES, s->path,
                           "memory of the planned size", "another place");
    return verify_held(v, CLAUSE_COPIES);
}

static int try_bind(struct verify *v, const struct step *s)
{
    scoped(drop_fd) int fd = open(s->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct statfs f;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || S_ISLNK(st.st_mode) ||
        fstatfs(fd, &f) < 0)
        return not_reached(v, s, CLAUSE_VIEW);
    if (~f.f_flags & (ST_NOSUID | ST_NODEV))
        return verify_fell(v, CLAUSE_VIEW, s->path,
                           "a mount without setuid and devices",
                           "one that has them");
    if (s->flags & STEP_NOEXEC && !(f.f_flags & ST_NOEXEC))
        return verify_fell(v, CLAUSE_VIEW, s->path, "a mount without programs",
                           "one that has them");
    (void)verify_held(v, CLAUSE_VIEW);
    if (s->flags & STEP_COPY && try_copy(v, s, &st, &f) < 0)
        return -1;
    if (!(s->flags & STEP_READONLY)) {
        try_leave(v, fd);
        return 0;
    }
    if (!(f.f_flags & ST_RDONLY))
        return verify_fell(v, CLAUSE_READ_ONLY, s->path, "a read-only mount",
                           "a writable one");
    return try_writing(v, s, fd, st.st_mode & S_IFMT);
}

/* Read or written, it is refused; a hollow is not listed. */
static int try_denied(struct verify *v, const struct step *s)
{
    scoped(drop_fd) int fd = open(s->path, O_RDONLY | O_NONBLOCK | O_NOCTTY |
                                               O_NOFOLLOW | O_CLOEXEC);

    return verify_refused(v, CLAUSE_DENIED, s->path, fd, EACCES, EACCES);
}

/* What keeps a denied thing below it in its place. */
static int try_pin(struct verify *v, const struct step *s)
{
    enum { BASIC = 0x7ff, MOUNT_ROOT = 0x2000 };
    uint64_t st[32] = { 0 }; /* struct statx: a mask, a block size, this */
    const uint64_t *attributes = &st[1], *known = &st[7];

    if (syscall(SYS_statx, AT_FDCWD, s->path, AT_SYMLINK_NOFOLLOW, BASIC, st) <
            0 ||
        !(*known & MOUNT_ROOT)) {
        verify_untried(v, CLAUSE_DENIED, REASON_OLD_KERNEL);
        return 0;
    }
    return *attributes & MOUNT_ROOT
               ? verify_held(v, CLAUSE_DENIED)
               : verify_fell(v, CLAUSE_DENIED, s->path,
                             "a mount that cannot be moved", "none");
}

/* Who asks is the one that it tells of: it is of this pid namespace. */
int verify_proc(struct verify *v)
{
    struct statfs f;
    char is[24], want[24];
    ssize_t n;

    if (is_covered(v, "/proc")) {
        verify_untried(v, CLAUSE_KERNEL_FILES, REASON_NO_PROC);
        return 0;
    }
    n = readlink("/proc/self", is, sizeof(is) - 1);
    is[n < 0 ? 0 : n] = '\0';
    (void)snprintf(want, sizeof(want), "%d", (int)getpid());
    if (statfs("/proc", &f) < 0 || f.f_type != PROC_SUPER_MAGIC ||
        strcmp(is, want) != 0)
        return verify_fell(v, CLAUSE_KERNEL_FILES, "/proc",
                           "that of its own processes", "another one");
    v->has_proc = true;
    return verify_held(v, CLAUSE_KERNEL_FILES);
}

static int try_proc(struct verify *v, const struct step *s)
{
    const unsigned long want = ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC;
    struct statfs f;

    if (!v->has_proc)
        return 0;
    if (statfs(s->path, &f) < 0 || ~f.f_flags & want)
        return verify_fell(v, CLAUSE_KERNEL_FILES, s->path, "a read-only mount",
                           "a writable one");
    return verify_held(v, CLAUSE_KERNEL_FILES);
}

/* Where this kernel has it.  Below what policy denies, its own mask was not
 * asked. */
static int try_hidden(struct verify *v, const struct step *s)
{
    scoped(drop_fd) int fd = -1;

    if (!v->has_proc)
        return 0;
    fd = open(s->path,
              O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    return verify_refused(v, CLAUSE_KERNEL_FILES, s->path, fd, EACCES, EACCES);
}

static int try_covered(struct verify *v, const struct step *s)
{
    char text[256];

    if (strncmp(s->path, "/proc/", 6) != 0)
        return 0;
    if (!v->has_proc || s->text_len >= sizeof(text) ||
        verify_read(s->path, text, sizeof(text)) < 0)
        return not_reached(v, s, CLAUSE_KERNEL_FILES);
    return strcmp(text, s->text) == 0
               ? verify_held(v, CLAUSE_KERNEL_FILES)
               : verify_fell(v, CLAUSE_KERNEL_FILES, s->path,
                             "what was made up", "another text");
}

/* Read-only for the file, not for the device behind it. */
static int try_device(struct verify *v, const struct step *s)
{
    const unsigned long want = ST_RDONLY | ST_NOSUID | ST_NOEXEC;
    scoped(drop_fd) int fd = open(s->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct statfs f;

    if (fd < 0 && errno == ENOENT && s->flags & STEP_OPTIONAL)
        return 0;
    if (fd < 0 || fstatfs(fd, &f) < 0)
        return not_reached(v, s, CLAUSE_VIEW);
    return ~f.f_flags & want
               ? verify_fell(v, CLAUSE_VIEW, s->path, "a read-only mount",
                             "a writable one")
               : verify_held(v, CLAUSE_VIEW);
}

static int try_name(struct verify *v, const struct step *s)
{
    struct utsname u;

    if (uname(&u) < 0 || strcmp(u.nodename, s->text) != 0)
        return verify_fell(v, CLAUSE_PROCESSES, "host name", s->text,
                           "another one");
    return verify_held(v, CLAUSE_PROCESSES);
}

static int try_mask(struct verify *v, const struct step *s)
{
    return s->flags & STEP_OPTIONAL ? try_hidden(v, s) : try_denied(v, s);
}

static int try_step(struct verify *v, const struct step *s)
{
    static int (*const tries[STEP_END])(struct verify *,
                                        const struct step *) = {
        [STEP_ROOT] = try_size,     [STEP_BIND] = try_bind,
        [STEP_MASK] = try_mask,     [STEP_HOLLOW] = try_denied,
        [STEP_PIN] = try_pin,       [STEP_PROC] = try_proc,
        [STEP_FILE] = try_covered,  [STEP_DEVICE] = try_device,
        [STEP_HOSTNAME] = try_name,
    };

    return tries[s->kind] ? tries[s->kind](v, s) : 0;
}

int verify_view(struct verify *v)
{
    for (size_t i = 0; i < v->plan->head.nsteps; i++) {
        const struct step s = plan_step(v->plan, i);

        if (try_step(v, &s) < 0)
            return -1;
    }
    return try_root(v);
}
