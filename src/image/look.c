/* look.c - names, seals, and whether a tree is what was sealed: see image.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "image/parts.h"

static const char digest_word[] = "sha256:";

static int damaged(const char *name, const char *why, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION, "the image '%s' is damaged: %s", name,
            why);
    return err_hint(e, "mxc image rm %s; then import it again", name);
}

/* A small file of ours, or -errno; EPERM for one that is not. */
static int read_small(int dir, const char *name, char *out, size_t size,
                      time_t *changed)
{
    scoped(drop_fd) int fd =
        openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        st.st_mode & (S_IWGRP | S_IWOTH))
        return -EPERM;
    n = read(fd, out, size - 1);
    if (n < 0)
        return -errno;
    out[n] = '\0';
    if (changed)
        *changed = st.st_mtime;
    return 0;
}

/* A line "WORD VALUE\n" at *text, which moves on; NULL when it is not. */
static const char *take_line(char **text, const char *word)
{
    size_t n = strlen(word);
    char *value = *text + n;
    char *end;

    if (strncmp(*text, word, n) != 0)
        return NULL;
    end = strchr(value, '\n');
    if (!end)
        return NULL;
    *end = '\0';
    *text = end + 1;
    return value;
}

static bool is_digest(const char *s)
{
    return s && strlen(s) == SHA256_HEX - 1 &&
           strspn(s, "0123456789abcdef") == SHA256_HEX - 1;
}

static int read_seal(const struct image_store *s, struct image *out,
                     struct err *e)
{
    scoped(drop_fd) int tree = image_open_tree(s, out->digest, e);
    scoped(drop_fd) int root = -1;
    char text[256], *at = text;
    const char *digest, *entries, *bytes;

    if (tree < 0)
        return damaged(out->name, "its tree is missing or not yours", e);
    if (read_small(tree, "seal", text, sizeof(text), &out->sealed) < 0)
        return damaged(out->name, "its seal is missing or not yours", e);
    digest = take_line(&at, digest_word);
    entries = take_line(&at, "entries ");
    bytes = take_line(&at, "bytes ");
    if (!digest || strcmp(digest, out->digest) != 0 || !entries ||
        num_u64(entries, UINT64_MAX, &out->entries) < 0 || !bytes ||
        num_u64(bytes, UINT64_MAX, &out->bytes) < 0 || *at)
        return damaged(out->name, "its seal is of another tree", e);
    root = openat(tree, "root", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return root < 0 ? damaged(out->name, "its tree is missing", e) : 0;
}

int image_find(const struct image_store *s, const char *name, struct image *out,
               struct err *e)
{
    char label[LABEL_MAX], text[128], *at = text;
    const char *digest;
    int r;

    if (image_check_name(name, e) < 0)
        return -1;
    *out = (struct image){ 0 };
    (void)snprintf(out->name, sizeof(out->name), "%s", name);
    image_label(name, label);
    r = read_small(s->names, label, text, sizeof(text), NULL);
    if (r == -ENOENT)
        return 1;
    if (r < 0)
        return damaged(name, "its name cannot be read or is not yours", e);
    digest = take_line(&at, digest_word);
    if (!is_digest(digest) || *at)
        return damaged(name, "its name leads nowhere", e);
    (void)snprintf(out->digest, sizeof(out->digest), "%s", digest);
    return read_seal(s, out, e);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static DIR *list_names(const struct image_store *s, struct err *e)
{
    int fd = openat(s->names, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (!d)
        err_sys(e, "openat(2)", errno, "cannot list the images");
    return d;
}

int image_names(const struct image_store *s, struct arena *a,
                const char *const **out, size_t *n, struct err *e)
{
    DIR *d = list_names(s, e);
    const struct dirent *entry;
    const char **list = NULL;
    size_t cap = 0, got = 0;

    if (!d)
        return -1;
    while ((entry = readdir(d))) {
        char name[LABEL_MAX];
        struct err none;

        image_unlabel(entry->d_name, name);
        if (strlen(entry->d_name) >= LABEL_MAX ||
            image_check_name(name, &none) < 0)
            continue;
        if (got == cap) {
            const char **grown = arena_array(a, cap * 2 + 16, sizeof(*grown));

            if (!grown)
                break;
            if (got)
                memcpy(grown, list, got * sizeof(*grown));
            list = grown;
            cap = cap * 2 + 16;
        }
        list[got] = arena_strdup(a, name);
        if (!list[got++])
            break;
    }
    (void)closedir(d);
    if (entry)
        return err_set(e, ERR_BACKEND_ERROR, "out of memory");
    if (got)
        qsort(list, got, sizeof(*list), by_text);
    *out = (const char *const *)list;
    *n = got;
    return 0;
}

static FILE *open_manifest(int tree)
{
    int fd = openat(tree, "manifest", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

    if (fd >= 0 && !f)
        (void)close(fd);
    return f;
}

int image_verify(const struct image_store *s, const struct image *image,
                 struct err *e)
{
    scoped(drop_fd) int tree = image_open_tree(s, image->digest, e);
    scoped(drop_fd) int root = -1;
    struct manifest m = { 0 };
    char digest[SHA256_HEX], why[300];
    int r;

    if (tree < 0)
        return -1;
    root =
        openat(tree, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0)
        return damaged(image->name, "its tree is missing", e);
    m.match = open_manifest(tree);
    r = manifest_walk(root, &m, digest, e);
    if (m.match)
        (void)fclose(m.match);
    if (r < 0 || strcmp(digest, image->digest) == 0)
        return r;
    (void)snprintf(why, sizeof(why), "%s%.200s%s",
                   m.odd[0] ? "'" : "entries are missing", m.odd,
                   m.odd[0] ? "' is not what was imported" : "");
    return damaged(image->name, why, e);
}
