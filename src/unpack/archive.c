/* archive.c - from a tar archive, compressed or not, into a tree.
 *
 * libarchive reads; nothing of what it can write to a disk is used. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include "unpack/unpack.h"

enum { BLOCK = 64 * 1024 };

static int bad_archive(struct archive *a, const char *path, struct err *e)
{
    const char *said = archive_error_string(a);

    if (!path)
        err_set(e, ERR_POLICY_VALIDATION, "this is no tar archive: %.200s",
                said ? said : "unknown format");
    else
        err_set(e, ERR_POLICY_VALIDATION,
                "the archive is damaged near '%.200s': %.200s", path,
                said ? said : "it cannot be read");
    return err_hint(e, "tar, plain or with gzip, bzip2, xz or zstd; or a "
                       "directory");
}

static int copy_data(struct archive *a, const struct entry *n, int fd,
                     struct err *e)
{
    const void *data;
    size_t len;
    la_int64_t at;
    int r;

    while ((r = archive_read_data_block(a, &data, &len, &at)) == ARCHIVE_OK)
        if (tree_write(fd, n, data, len, at, e) < 0)
            return -1;
    return r == ARCHIVE_EOF ? 0 : bad_archive(a, n->path, e);
}

static int put_file(struct tree *t, struct archive *a, const struct entry *n,
                    struct err *e)
{
    scoped(drop_fd) int fd = -1;

    if (tree_file(t, n->path, &fd, e) < 0 || copy_data(a, n, fd, e) < 0)
        return -1;
    return tree_finish(t, n, &fd, e);
}

static int put_link(struct tree *t, const char *path, const char *raw,
                    struct err *e)
{
    char target[TREE_PATH];

    if (tree_name(t, raw, target, e) < 0)
        return -1;
    return tree_link(t, path, target, e);
}

static int put_symlink(struct tree *t, const char *path, const char *target,
                       struct err *e)
{
    if (!target || !*target)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "the entry '%.200s' is a link to nothing", path);
    return tree_symlink(t, path, target, e);
}

static int put(struct tree *t, struct archive *a, struct archive_entry *ae,
               const struct entry *n, struct err *e)
{
    const char *hard = archive_entry_hardlink(ae);

    if (tree_count(t, n, e) < 0)
        return -1;
    if (archive_entry_xattr_count(ae) || archive_entry_acl_types(ae))
        tree_note(t, NOTE_XATTR, n->path);
    if (hard)
        return put_link(t, n->path, hard, e);
    switch (archive_entry_filetype(ae)) {
    case AE_IFREG:
        return put_file(t, a, n, e);
    case AE_IFDIR:
        return tree_dir(t, n, e);
    case AE_IFLNK:
        return put_symlink(t, n->path, archive_entry_symlink(ae), e);
    default:
        tree_note(t, NOTE_DEVICE, n->path);
        return 0;
    }
}

static int put_next(struct tree *t, struct archive *a, struct archive_entry *ae,
                    char path[TREE_PATH], struct err *e)
{
    const char *raw = archive_entry_pathname(ae);
    struct entry n = { .path = path,
                       .mode = archive_entry_mode(ae) & 07777,
                       .size = archive_entry_size(ae),
                       .mtime = { archive_entry_mtime(ae),
                                  archive_entry_mtime_nsec(ae) } };

    if (!raw)
        return err_set(e, ERR_POLICY_VALIDATION,
                       "an entry after '%.200s' has no usable name", path);
    if (tree_name(t, raw, path, e) < 0)
        return -1;
    return put(t, a, ae, &n, e);
}

static int read_all_of(struct tree *t, struct archive *a, struct err *e)
{
    struct archive_entry *ae;
    char path[TREE_PATH] = "";
    int r;

    if (archive_read_open_fd(a, UNPACK_SOURCE_FD, BLOCK) != ARCHIVE_OK)
        return bad_archive(a, NULL, e);
    /* A warning is about what we do not keep, such as the name of an owner. */
    while ((r = archive_read_next_header(a, &ae)) == ARCHIVE_OK ||
           r == ARCHIVE_WARN)
        if (put_next(t, a, ae, path, e) < 0)
            return -1;
    if (r != ARCHIVE_EOF)
        return bad_archive(a, t->report->entries ? path : NULL, e);
    if (!t->report->entries)
        return err_set(e, ERR_POLICY_VALIDATION, "the archive is empty");
    return 0;
}

int unpack_archive(struct tree *t, struct err *e)
{
    struct archive *a = archive_read_new();
    int r;

    /* No filter that starts a program, no format but tar. */
    if (!a || archive_read_support_format_tar(a) != ARCHIVE_OK ||
        archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
        archive_read_support_filter_bzip2(a) != ARCHIVE_OK ||
        archive_read_support_filter_xz(a) != ARCHIVE_OK ||
        archive_read_support_filter_zstd(a) != ARCHIVE_OK)
        r = err_set(e, ERR_BACKEND_ERROR, "this libarchive lacks a format");
    else
        r = read_all_of(t, a, e);
    (void)archive_read_free(a);
    return r;
}
