/* mountinfo.c - bind-mount aliases from /proc/self/mountinfo
 * (proc_pid_mountinfo(5)). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/scoped.h"
#include "base/sha256.h"
#include "sys/hostpath.h"

enum { MAX_MOUNTINFO = 8 << 20, MAX_ALIASES = 64 };

struct mount_row {
    uint64_t id, parent;
    bool is_first;    /* nothing that we see is above it */
    const char *dev;  /* "major:minor" */
    const char *root; /* of the filesystem, as seen at the mount */
    const char *point;
    const char *type; /* of the filesystem */
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
            char *grown =
                cap < MAX_MOUNTINFO ? arena_alloc(a, cap * 2 + 1) : NULL;

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
            *w++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
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

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 - ext4 /dev/sda1 rw" */
static bool parse_row(char *line, struct mount_row *out)
{
    char *at = line, *root, *point, *rest;
    const char *id = next_field(&at), *parent = next_field(&at);

    if (!parent || num_u64(id, INT_MAX, &out->id) < 0 ||
        num_u64(parent, INT_MAX, &out->parent) < 0)
        return false;
    out->dev = next_field(&at);
    root = next_field(&at);
    point = next_field(&at);
    rest = point && at ? strstr(at, " - ") : NULL;
    if (!rest)
        return false;
    rest += 3;
    out->type = next_field(&rest);
    unescape(root);
    unescape(point);
    out->root = root;
    out->point = point;
    return true;
}

static int by_id(const void *x, const void *y)
{
    const uint64_t *a = x, *b = y;

    return (*a > *b) - (*a < *b);
}

/* The parent of the root, or of what is mounted in a chroot, is not listed. */
static int find_first(struct arena *a, struct mountinfo *m)
{
    uint64_t *id = arena_array(a, m->n + 1, sizeof(*id));

    if (!id)
        return -1;
    for (size_t i = 0; i < m->n; i++)
        id[i] = m->row[i].id;
    qsort(id, m->n, sizeof(*id), by_id);
    for (size_t i = 0; i < m->n; i++)
        m->row[i].is_first =
            m->row[i].parent == m->row[i].id ||
            !bsearch(&m->row[i].parent, id, m->n, sizeof(*id), by_id);
    return 0;
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
    if (find_first(a, m) < 0)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for mounts");
    *out = m;
    return 0;
}

static bool within(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return n == 1 ||
           (strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/'));
}

/* The next mount on the way to the path, from one that is on it. */
static const struct mount_row *next_on_way(const struct mountinfo *m,
                                           const struct mount_row *from,
                                           const char *path)
{
    const struct mount_row *best = NULL;

    for (size_t i = 0; i < m->n; i++) {
        const struct mount_row *r = &m->row[i];

        if (r != from && (from ? r->parent == from->id : r->is_first) &&
            within(path, r->point) &&
            (!best || strlen(r->point) < strlen(best->point)))
            best = r;
    }
    return best;
}

/* The mount that shows the path.  From the root on, as the kernel walks: the
 * order of the list says nothing of what is stacked on what (mount(8),
 * --move; move_mount(2), MOVE_MOUNT_BENEATH). */
static const struct mount_row *owner(const struct mountinfo *m,
                                     const char *path)
{
    const struct mount_row *at = NULL, *next;

    for (size_t i = 0; i <= m->n; i++) {
        next = next_on_way(m, at, path);
        if (!next)
            break;
        at = next;
    }
    return at;
}

static const char *joined(struct arena *a, const char *dir, const char *rest)
{
    if (*rest == '\0')
        return dir;
    return arena_printf(a, "%s%s", dir[1] ? dir : "", rest);
}

/* The place of `path` inside the filesystem of the mount that shows it. */
static const char *inner_of(struct arena *a, const struct mount_row *own,
                            const char *path)
{
    return joined(a, own->root,
                  path + (own->point[1] ? strlen(own->point) : 0));
}

/* The name that a place of the filesystem has through that mount. */
static const char *name_through(struct arena *a, const struct mount_row *r,
                                const char *inner)
{
    return joined(a, r->point, inner + (r->root[1] ? strlen(r->root) : 0));
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
    inner = inner_of(a, own, real);
    if (!inner)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for mounts");
    for (size_t i = 0; i < m->n; i++) {
        const struct mount_row *r = &m->row[i];
        const char *name;

        if (r == own || strcmp(r->dev, own->dev) != 0 ||
            !within(inner, r->root))
            continue;
        name = name_through(a, r, inner);
        if (!list)
            list = arena_array(a, MAX_ALIASES, sizeof(*list));
        if (!name || !list)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory for mounts");
        if (count == MAX_ALIASES)
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

struct part_list {
    struct hostpart *item;
    size_t n;
};

static int add_part(struct arena *a, struct part_list *l, const char *inside,
                    const char *outside, const char *real, struct err *e)
{
    if (!l->item)
        l->item = arena_array(a, MAX_ALIASES, sizeof(*l->item));
    if (!l->item || !inside || !outside)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory for mounts");
    if (l->n == MAX_ALIASES)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "parts of '%s' show through more than %d mounts", real,
                       MAX_ALIASES);
    l->item[l->n++] = (struct hostpart){ inside, outside };
    return 0;
}

/* The mount `t` shows the tree at `top` (its place in the filesystem) below
 * `real`; where else does `r` show some of it? */
static int find_part(struct arena *a, const struct mountinfo *m,
                     const struct mount_row *t, const char *top,
                     const struct mount_row *r, const char *real,
                     struct part_list *l, struct err *e)
{
    const char *inside, *outside;

    if (r == t || strcmp(r->dev, t->dev) != 0)
        return 0;
    if (within(r->root, top)) {
        inside = name_through(a, t, r->root);
        outside = r->point;
    } else if (within(top, r->root)) {
        inside = name_through(a, t, top);
        outside = name_through(a, r, top);
    } else {
        return 0;
    }
    /* Hidden under another mount, or the tree itself: an alias, not a part. */
    if (inside && outside &&
        (owner(m, inside) != t || owner(m, outside) != r ||
         strcmp(inside, real) == 0))
        return 0;
    return add_part(a, l, inside, outside, real, e);
}

int mountinfo_parts(struct arena *a, const struct mountinfo *m,
                    const char *real, struct hostpart **out, size_t *n,
                    struct err *e)
{
    const struct mount_row *own = owner(m, real);
    struct part_list l = { 0 };

    for (size_t i = 0; own && i < m->n; i++) {
        const struct mount_row *t = &m->row[i];
        const char *top = t == own ? inner_of(a, own, real) : t->root;

        if (t != own && !within(t->point, real))
            continue;
        if (!top)
            return err_set(e, ERR_BACKEND_ERROR, "out of memory for mounts");
        for (size_t k = 0; k < m->n; k++)
            if (find_part(a, m, t, top, &m->row[k], real, &l, e) < 0)
                return -1;
    }
    *out = l.item;
    *n = l.n;
    return 0;
}

/* Their files are the kernel's own, or another's: written to by a root caller
 * they rule the host (core(5), "Piping core dumps to a program"). */
static bool is_kernel_type(const char *type)
{
    static const char *const types[] = {
        "proc",     "sysfs",      "cgroup",   "cgroup2",     "debugfs",
        "tracefs",  "securityfs", "configfs", "bpf",         "devtmpfs",
        "devpts",   "mqueue",     "efivarfs", "binfmt_misc", "selinuxfs",
        "smackfs",  "pstore",     "fusectl",  "rpc_pipefs",  "nfsd",
        "resctrl",  "cpuset",     "binder",   "xenfs",       "functionfs",
        "gadgetfs",
    };

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

bool mountinfo_is_local(const struct mountinfo *m, const char *point)
{
    static const char *const types[] = {
        "ext2",     "ext3",    "ext4",     "xfs",      "btrfs",
        "f2fs",     "zfs",     "tmpfs",    "ramfs",    "rootfs",
        "devtmpfs", "overlay", "squashfs", "erofs",    "iso9660",
        "vfat",     "exfat",   "ntfs3",    "bcachefs",
    };
    bool is_found = false;

    for (size_t i = 0; i < m->n; i++) {
        bool is_known = false;

        if (strcmp(m->row[i].point, point) != 0)
            continue;
        for (size_t k = 0; k < ARRAY_LEN(types) && !is_known; k++)
            is_known = strcmp(m->row[i].type, types[k]) == 0;
        if (!is_known)
            return false;
        is_found = true;
    }
    return is_found;
}

const char *mountinfo_kernel_tree(const struct mountinfo *m, const char *real,
                                  size_t *from)
{
    const struct mount_row *own = *from == 0 ? owner(m, real) : NULL;

    if (own && is_kernel_type(own->type)) {
        *from = m->n;
        return own->point;
    }
    while (*from < m->n) {
        const struct mount_row *r = &m->row[(*from)++];

        if (is_kernel_type(r->type) && within(r->point, real) &&
            owner(m, r->point) == r)
            return r->point;
    }
    return NULL;
}

/* With the NUL, which no path has inside. */
static void add_text(struct sha256 *sum, const char *text)
{
    sha256_add(sum, text, strlen(text) + 1);
}

void mountinfo_add_below(const struct mountinfo *m, const char *real,
                         struct sha256 *sum)
{
    add_text(sum, real);
    for (size_t i = 0; i < m->n; i++) {
        const struct mount_row *r = &m->row[i];

        if (!within(r->point, real))
            continue;
        add_text(sum, r->point);
        add_text(sum, r->dev);
        add_text(sum, r->root);
        add_text(sum, r->type);
    }
}
