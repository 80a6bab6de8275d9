/* mountinfo.c - bind-mount aliases from /proc/self/mountinfo
 * (proc_pid_mountinfo(5)). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/scoped.h"
#include "sys/hostpath.h"

enum { MAX_MOUNTINFO = 8 << 20, MAX_ALIASES = 64 };

struct mount_row {
    const char *dev;            /* "major:minor" */
    const char *root;           /* of the filesystem, as seen at the mount */
    const char *point;
};

struct mountinfo {
    struct mount_row *row;
    size_t n;
};

static int read_all(struct arena *a, const char *path, char **out,
                    struct err *e)
{
    scoped(drop_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0, cap = 64 * 1024;
    char *text = NULL;

    if (fd < 0)
        return err_sys(e, "open(2)", errno, "cannot read '%s'", path);
    text = arena_alloc(a, cap + 1);
    while (text) {
        ssize_t n = read(fd, text + len, cap - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "read(2)", errno, "cannot read '%s'", path);
        if (n == 0)
            break;
        len += (size_t)n;
        if (len == cap) {
            char *grown = cap < MAX_MOUNTINFO ? arena_alloc(a, cap * 2 + 1)
                                              : NULL;

            if (grown)
                memcpy(grown, text, len);
            text = grown;
            cap *= 2;
        }
    }
    if (!text)
        return err_set(e, ERR_BACKEND_ERROR, "'%s' is too large", path);
    text[len] = '\0';
    *out = text;
    return 0;
}

/* Spaces, tabs, newlines and backslashes stand there as \ooo. */
static void unescape(char *s)
{
    char *w = s;

    while (*s) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
            *w++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
                          (s[3] - '0'));
            s += 4;
        } else {
            *w++ = *s++;
        }
    }
    *w = '\0';
}

static char *next_field(char **at)
{
    char *field = *at;

    if (!field)
        return NULL;
    *at = strchr(field, ' ');
    if (*at)
        *(*at)++ = '\0';
    return field;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime ..." */
static bool parse_row(char *line, struct mount_row *out)
{
    char *at = line, *root, *point;

    (void)next_field(&at);
    (void)next_field(&at);
    out->dev = next_field(&at);
    root = next_field(&at);
    point = next_field(&at);
    if (!point)
        return false;
    unescape(root);
    unescape(point);
    out->root = root;
    out->point = point;
    return true;
}

int mountinfo_read(struct arena *a, struct mountinfo **out, struct err *e)
{
    struct mountinfo *m = arena_alloc(a, sizeof(*m));
    size_t lines = 1;
    char *text = NULL;

    if (read_all(a, "/proc/self/mountinfo", &text, e) < 0 || !text)
        return -1;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    if (m)
        m->row = arena_array(a, lines, sizeof(*m->row));
    if (!m || !m->row)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for mounts");
    while (*text) {
        char *end = strchr(text, '\n');

        if (end)
            *end = '\0';
        m->n += parse_row(text, &m->row[m->n]);
        text = end ? end + 1 : text + strlen(text);
    }
    *out = m;
    return 0;
}

static bool within(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return n == 1 || (strncmp(path, dir, n) == 0 &&
                      (path[n] == '\0' || path[n] == '/'));
}

/* The mount that shows the path: the last of the longest mount points. */
static const struct mount_row *owner(const struct mountinfo *m,
                                     const char *path)
{
    const struct mount_row *best = NULL;

    for (size_t i = 0; i < m->n; i++)
        if (within(path, m->row[i].point) &&
            (!best || strlen(m->row[i].point) >= strlen(best->point)))
            best = &m->row[i];
    return best;
}

static const char *joined(struct arena *a, const char *dir, const char *rest)
{
    if (*rest == '\0')
        return dir;
    return arena_printf(a, "%s%s", dir[1] ? dir : "", rest);
}

int mountinfo_aliases(struct arena *a, const struct mountinfo *m,
                      const char *real, const char ***out, size_t *n,
                      struct err *e)
{
    const struct mount_row *own = owner(m, real);
    const char *inner, **list = NULL;
    size_t count = 0;

    *out = NULL;
    *n = 0;
    if (!own)
        return 0;
    /* Its place inside the filesystem, whatever mount shows it. */
    inner = joined(a, own->root, real + (own->point[1] ? strlen(own->point)
                                                       : 0));
    if (!inner)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for mounts");
    for (size_t i = 0; i < m->n; i++) {
        const struct mount_row *r = &m->row[i];
        const char *name;

        if (r == own || strcmp(r->dev, own->dev) != 0 ||
            !within(inner, r->root))
            continue;
        name = joined(a, r->point, inner + (r->root[1] ? strlen(r->root) : 0));
        if (!list)
            list = arena_array(a, MAX_ALIASES, sizeof(*list));
        if (!name || !list || count == MAX_ALIASES)
            return err_set(e, ERR_POLICY_VALIDATION,
                           "'%s' shows through more than %d mounts", real,
                           MAX_ALIASES);
        if (strcmp(name, real) != 0 && owner(m, name) == r)
            list[count++] = name;
    }
    *out = list;
    *n = count;
    return 0;
}
