/* look.c - which containers are kept, and what is written of them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "container/parts.h"

enum { VERSION = 1, MOST = 65536 };

static int no_memory(struct err *e)
{
    return err_set(e, ERR_BACKEND_ERROR, "out of memory");
}

static int store_of(struct arena *a, const struct store_place *at,
                    const char **out, struct err *e)
{
    char path[PATH_MAX];
    int r = store_path(at, "containers", path);

    if (r == 0) {
        *out = arena_strdup(a, path);
        return *out ? 0 : no_memory(e);
    }
    err_set(e, ERR_BACKEND_ERROR, "there is no place for containers");
    return err_hint(e, "HOME or XDG_DATA_HOME, an absolute path without '..'");
}

int container_path(struct arena *a, const struct store_place *at,
                   const char *name, const char **out, struct err *e)
{
    const char *store = "";
    char key[SHA256_HEX];

    if (strlen(name) > CONTAINER_NAME_MAX) {
        err_set(e, ERR_POLICY_VALIDATION,
                "the name of a container that is kept has at most %d bytes",
                CONTAINER_NAME_MAX);
        err_hint(e, "take a shorter one");
        return err_where(e, "containerId");
    }
    if (store_of(a, at, &store, e) < 0)
        return -1;
    sha256_hex(name, strlen(name), key);
    *out = arena_printf(a, "%s/%s", store, key);
    return *out ? 0 : no_memory(e);
}

/* --- records ------------------------------------------------------------- */

int container_print(struct arena *a, struct container *c, struct err *e)
{
    struct buf b = { .max = CONTAINER_RECORD_MAX };

    buf_printf(&b, "{\"version\":%d,\"name\":", VERSION);
    buf_json(&b, c->name);
    buf_puts(&b, ",\"image\":");
    buf_json(&b, c->image);
    buf_puts(&b, ",\"digest\":");
    buf_json(&b, c->digest);
    buf_printf(&b, ",\"created\":%llu", (unsigned long long)c->created_ms);
    if (c->network) {
        buf_puts(&b, ",\"network\":");
        buf_json(&b, c->network);
    }
    buf_puts(&b, "}\n");
    c->record = b.failed ? NULL : arena_strdup(a, b.data);
    buf_drop(&b);
    if (c->record)
        return 0;
    err_set(e, ERR_POLICY_VALIDATION,
            "what is to be kept of the container's policy is larger than %d "
            "bytes",
            CONTAINER_RECORD_MAX);
    err_hint(e, "write fewer rules, or leave preservePolicy out");
    return err_where(e, "lifecycle.preservePolicy");
}

static bool take_text(struct arena *a, const struct json *v, const char *key,
                      const char **out)
{
    const struct json *member = json_get(v, key);

    *out = NULL;
    if (!member)
        return true;
    if (member->type != JSON_STRING || memchr(member->text, '\0', member->len))
        return false;
    *out = arena_strndup(a, member->text, member->len);
    return *out != NULL;
}

static bool is_key(const char *name)
{
    return strlen(name) == SHA256_HEX - 1 &&
           strspn(name, "0123456789abcdef") == SHA256_HEX - 1;
}

static bool parse(struct arena *a, const char *text, struct container *c)
{
    struct err none;
    struct json *v;
    uint64_t version = 0;

    return json_parse(a, text, strlen(text), &v, &none) == 0 &&
           json_get(v, "version") && json_get(v, "created") &&
           json_u64(json_get(v, "version"), &version) == 0 &&
           version == VERSION &&
           json_u64(json_get(v, "created"), &c->created_ms) == 0 &&
           take_text(a, v, "name", &c->name) && c->name &&
           take_text(a, v, "image", &c->image) && c->image &&
           take_text(a, v, "digest", &c->digest) && c->digest &&
           is_key(c->digest) && take_text(a, v, "network", &c->network);
}

/* False: it cannot be understood, or is not of that key's name. */
static bool read_one(struct arena *a, int dir, const char *key,
                     struct container *out)
{
    struct container c = { 0 };
    char own[SHA256_HEX];
    struct stat st;

    if (fstat(dir, &st) < 0 || container_read(a, dir, &c.record) < 0 ||
        !parse(a, c.record, &c))
        return false;
    sha256_hex(c.name, strlen(c.name), own);
    if (strcmp(own, key) != 0)
        return false;
    c.dev = (uint64_t)st.st_dev;
    c.ino = (uint64_t)st.st_ino;
    *out = c;
    return true;
}

static int damaged(const char *name, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION,
            "the container '%.200s' is damaged: it is not yours alone, or its "
            "record cannot be understood",
            name);
    err_hint(e, "another version of mxc may have made it; `mxc container rm` "
                "removes it");
    return err_where(e, "containerId");
}

int container_find(struct arena *a, const struct store_place *at,
                   const char *name, struct container *out, struct err *e)
{
    struct container c;
    scoped(drop_fd) int store = -1;
    scoped(drop_fd) int dir = -1;
    const char *path = "", *around = "", *key;

    if (container_path(a, at, name, &path, e) < 0 ||
        store_of(a, at, &around, e) < 0 ||
        container_store(around, &store, e) < 0)
        return -1;
    key = path + strlen(around) + 1;
    dir = store < 0 ? -ENOENT : container_open(store, key);
    if (dir == -ENOENT)
        return 1;
    if (dir < 0 || !read_one(a, dir, key, &c) || strcmp(c.name, name) != 0)
        return damaged(name, e);
    c.path = path;
    *out = c;
    return 0;
}

/* --- all of them --------------------------------------------------------- */

struct list {
    struct arena *a;
    const char *path; /* of the store */
    struct container *item;
    size_t n, cap, damaged;
};

static int add(struct list *l, int store, const char *label)
{
    scoped(drop_fd) int dir = container_open(store, label);

    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        struct container *grown = arena_array(l->a, cap, sizeof(*grown));

        if (!grown)
            return -1;
        if (l->n)
            memcpy(grown, l->item, l->n * sizeof(*grown));
        l->item = grown;
        l->cap = cap;
    }
    if (dir == -ENOENT) /* it has just gone */
        return 0;
    if (dir < 0 || !read_one(l->a, dir, label, &l->item[l->n])) {
        l->damaged++;
        return 0;
    }
    l->item[l->n].path = arena_printf(l->a, "%s/%s", l->path, label);
    return l->item[l->n++].path ? 0 : -1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct container *)a)->name,
                  ((const struct container *)b)->name);
}

int container_list(struct arena *a, const struct store_place *at,
                   struct container **out, size_t *n, size_t *damaged_ones,
                   struct err *e)
{
    struct list l = { .a = a };
    scoped(drop_fd) int store = -1;
    DIR *d;
    int fd, r = 0;

    *out = NULL;
    *n = *damaged_ones = 0;
    if (store_of(a, at, &l.path, e) < 0 ||
        container_store(l.path, &store, e) < 0)
        return -1;
    if (store < 0)
        return 0;
    fd = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        err_sys(e, "open(2)", errno, "cannot list the containers");
        drop_fd(&fd);
        return -1;
    }
    for (struct dirent *i = readdir(d); r == 0 && i && l.n < MOST;
         i = readdir(d))
        if (is_key(i->d_name))
            r = add(&l, store, i->d_name);
    (void)closedir(d);
    if (r < 0)
        return no_memory(e);
    if (l.n)
        qsort(l.item, l.n, sizeof(*l.item), by_name);
    *out = l.item;
    *n = l.n;
    *damaged_ones = l.damaged;
    return 0;
}
