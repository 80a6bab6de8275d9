/* main.c - mxc-unpack BYTES ENTRIES: an archive, or a directory, becomes the
 * tree of an image.
 *
 * Started by the image store with the descriptors of proto.h; of no use by
 * hand.  It is a program of its own because archives come from anybody and
 * the code that reads them is large. */
#include <errno.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "unpack/unpack.h"

static int unpack(struct tree *t, struct err *e)
{
    struct stat st;
    bool is_dir;

    if (fstat(UNPACK_SOURCE_FD, &st) < 0)
        return err_sys(e, "fstat(2)", errno, "cannot look at the source");
    is_dir = S_ISDIR(st.st_mode);
    if (unpack_walls(is_dir, e) < 0)
        return -1;
    return is_dir ? unpack_directory(t, e) : unpack_archive(t, e);
}

int main(int argc, char **argv)
{
    static struct unpack_report report;
    static struct tree tree = { .root = UNPACK_TARGET_FD,
                                .report = &report,
                                .what = "image",
                                .hint = "archives of a root have names such as "
                                        "./etc/passwd: tar -C ROOT -cf FILE .",
                                .dir = -1 };
    struct stat st;

    if (argc != 3 || num_u64(argv[1], INT64_MAX, &tree.max_bytes) < 0 ||
        num_u64(argv[2], INT64_MAX, &tree.max_entries) < 0 ||
        fstat(UNPACK_TARGET_FD, &st) < 0 || !S_ISDIR(st.st_mode))
        return 2;
    /* Names are bytes to us, UTF-8 to the archive's newer headers. */
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    (void)umask(0);
    if (unpack(&tree, &report.err) < 0)
        report.failed = 1;
    return write(UNPACK_REPORT_FD, &report, sizeof(report)) !=
           (ssize_t)sizeof(report);
}
