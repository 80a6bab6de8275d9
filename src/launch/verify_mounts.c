/* verify_mounts.c - the sandbox looks for mounts that nobody planned, and for
 * the host's tree, which would lie over its root: see verify.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compat.h"
#include "launch/verify.h"

/* struct statx, of which these are known by their places. */
struct place {
    uint64_t word[32];
};

static bool look(const char *path, struct place *out)
{
    enum { MNT_ID = 0x1000, INO = 0x100 };

    memset(out, 0, sizeof(*out));
    return syscall(SYS_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, MNT_ID | INO,
                   out) == 0;
}

/* Above the root is the root; a tree that was mounted over it would be found
 * there.  Where the kernel does not tell the mount (Linux 5.8), both words are
 * 0. */
static int try_above(struct verify *v)
{
    enum { AT_INO = 4, AT_DEV = 17, AT_MNT = 18 };
    struct place root, above;

    if (!look("/", &root) || !look("/..", &above)) {
        verify_untried(v, CLAUSE_VIEW, REASON_NOT_SEEN);
        return 0;
    }
    if (root.word[AT_INO] != above.word[AT_INO] ||
        root.word[AT_DEV] != above.word[AT_DEV] ||
        root.word[AT_MNT] != above.word[AT_MNT])
        return verify_fell(v, CLAUSE_VIEW, "/..", "the root", "another tree");
    return verify_held(v, CLAUSE_VIEW);
}

static bool is_mount(const struct step *s)
{
    switch ((int)s->kind) {
    case STEP_BIND:
    case STEP_OVERLAY:
    case STEP_DEVICE:
    case STEP_DEVPTS:
    case STEP_PROC:
    case STEP_MASK:
    case STEP_HOLLOW:
    case STEP_PIN:
    case STEP_FILE:
        return true;
    default:
        return false;
    }
}

/* A grant comes with what is mounted in it. */
static bool is_planned_by(const struct step *s, const char *path)
{
    size_t n;

    if (!is_mount(s))
        return false;
    n = strlen(s->path);
    if (strncmp(s->path, path, n) != 0)
        return false;
    return path[n] == '\0' || (path[n] == '/' && (s->kind == STEP_BIND ||
                                                  s->kind == STEP_OVERLAY));
}

/* They come about in the order of the plan: so where the last one was. */
static bool is_planned(const struct verify *v, const char *path, size_t *last)
{
    const size_t n = v->plan->head.nsteps;

    for (size_t i = 0; i < n; i++) {
        const size_t at = (*last + i) % n;
        const struct step s = plan_step(v->plan, at);

        if (is_planned_by(&s, path)) {
            *last = at;
            return true;
        }
    }
    return false;
}

struct mounts {
    int fd;
    size_t at, end;
    size_t last;  /* step that was found */
    size_t roots; /* mounts at "/" */
    bool is_over;
    char room[16384];
};

/* One line, without its end; NULL: no more, or one that is too long. */
static char *next_line(struct mounts *m)
{
    for (;;) {
        char *const line = m->room + m->at;
        char *const end = memchr(line, '\n', m->end - m->at);
        ssize_t n;

        if (end) {
            *end = '\0';
            m->at = (size_t)(end - m->room) + 1;
            return line;
        }
        memmove(m->room, line, m->end - m->at);
        m->end -= m->at;
        m->at = 0;
        n = read(m->fd, m->room + m->end, sizeof(m->room) - m->end);
        if (n <= 0) {
            m->is_over = n == 0 && m->end == 0;
            return NULL;
        }
        m->end += (size_t)n;
    }
}

/* "\040" for a space, and the like: proc_pid_mountinfo(5). */
static void unescape(char *text)
{
    char *out = text;

    for (; *text; text++) {
        if (text[0] == '\\' && text[1] && text[2] && text[3]) {
            *out++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 +
                            (text[3] - '0'));
            text += 3;
        } else {
            *out++ = *text;
        }
    }
    *out = '\0';
}

/* The fifth word. */
static char *mount_point(char *line)
{
    enum { BEFORE = 4 };

    for (int i = 0; i < BEFORE; i++) {
        line = strchr(line, ' ');
        if (!line)
            return NULL;
        line++;
    }
    line[strcspn(line, " ")] = '\0';
    unescape(line);
    return line;
}

static int try_line(struct verify *v, struct mounts *m, char *line)
{
    const char *const path = mount_point(line);

    if (path && strcmp(path, "/") == 0 && m->roots++ == 0)
        return 0;
    return path && strcmp(path, "/") != 0 && is_planned(v, path, &m->last)
               ? 0
               : verify_fell(v, CLAUSE_VIEW, path ? path : "mountinfo",
                             "no mount but what the plan has", "one more");
}

static int try_list(struct verify *v)
{
    static struct mounts m;
    char *line;

    m = (struct mounts){ .fd = open("/proc/self/mountinfo",
                                    O_RDONLY | O_CLOEXEC) };
    while (m.fd >= 0 && (line = next_line(&m)))
        if (try_line(v, &m, line) < 0)
            break;
    drop_fd(&m.fd);
    if (v->err.msg[0])
        return -1;
    if (!m.is_over || !m.roots)
        return verify_fell(v, CLAUSE_VIEW, "/proc/self/mountinfo", "all mounts",
                           "not all");
    return verify_held(v, CLAUSE_VIEW);
}

int verify_mounts(struct verify *v)
{
    if (!v->has_proc)
        verify_untried(v, CLAUSE_VIEW, REASON_NO_PROC);
    else if (try_list(v) < 0)
        return -1;
    return try_above(v);
}
