/* import.c - an archive or a directory into the store, all of it or nothing.
 *
 * mxc-unpack fills a directory of tmp/, behind its walls; the tree is read
 * back for its manifest, sealed, and renamed to where it is found. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "base/compat.h"
#include "image/parts.h"
#include "sys/beside.h"

/* More than any root of a system; less than what would fill a machine. */
#define MOST_BYTES   "34359738368"
#define MOST_ENTRIES "1000000"

static int open_source(const char *source, struct err *e)
{
    int fd = strcmp(source, "-") == 0
                 ? fcntl(0, F_DUPFD_CLOEXEC, 3)
                 : open(source, O_RDONLY | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        err_sys(e, "open(2)", errno, "cannot read '%s'", source);
        e->code = ERR_MALFORMED_REQUEST;
        return -1;
    }
    return fd;
}

/* A name in tmp/ that is new. */
static int make_place(const struct image_store *s, char name[17], struct err *e)
{
    uint64_t random;

    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return err_sys(e, "getrandom(2)", errno, "cannot make a name");
    (void)snprintf(name, 17, "%016llx", (unsigned long long)random);
    if (mkdirat(s->tmp, name, 0700) < 0)
        return err_sys(e, "mkdirat(2)", errno,
                       "cannot write to the image "
                       "store");
    return 0;
}

struct unpacker {
    const char *path;
    int fd[UNPACK_LOCK_FD + 1];
};

static void child(const struct unpacker *u)
{
    char name[] = "mxc-unpack", bytes[] = MOST_BYTES, entries[] = MOST_ENTRIES;
    char *const argv[] = { name, bytes, entries, NULL };
    char *const envp[] = { NULL };

    /* All were opened above the numbers that they get. */
    for (int i = 0; i <= UNPACK_LOCK_FD; i++)
        if (dup2(u->fd[i], i) < 0)
            _exit(126);
    /* What our caller left open is not for who reads the archive. */
    if (syscall(__NR_close_range, UNPACK_LOCK_FD + 1u, ~0u, 0) < 0)
        _exit(126);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0)
        (void)execve(u->path, argv, envp);
    _exit(127);
}

/* Its word is bytes of whoever made the archive. */
static int take_report(int fd, int status, struct unpack_report *out,
                       struct err *e)
{
    size_t at = 0;
    ssize_t n;

    while (at < sizeof(*out) &&
           (n = read(fd, (char *)out + at, sizeof(*out) - at)) != 0) {
        if (n < 0 && errno != EINTR)
            break;
        at += n > 0 ? (size_t)n : 0;
    }
    if (at < sizeof(*out)) {
        if (WIFSIGNALED(status))
            return err_set(e, ERR_BACKEND_ERROR,
                           "mxc-unpack was ended by signal %d: the archive "
                           "asked for more than it may",
                           WTERMSIG(status));
        return err_set(e, ERR_BACKEND_ERROR, "mxc-unpack ended with status %d",
                       WEXITSTATUS(status));
    }
    for (size_t i = 0; i < NOTE_KINDS; i++)
        out->note[i].first[sizeof(out->note[i].first) - 1] = '\0';
    if (!out->failed)
        return 0;
    *e = out->err;
    err_end_texts(e);
    return -1;
}

static int run_unpacker(struct unpacker *u, int report,
                        struct unpack_report *told, struct err *e)
{
    struct unpack_report *out = told;
    int status = 0;
    pid_t pid = fork();

    if (pid < 0)
        return err_sys(e, "fork(2)", errno, "cannot start mxc-unpack");
    if (pid == 0)
        child(u);
    (void)close(u->fd[UNPACK_REPORT_FD]);
    u->fd[UNPACK_REPORT_FD] = -1;
    /* The record fits the pipe: it ends without being read. */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return take_report(report, status, out, e);
}

static int unpack(const struct image_store *s, const char *source, int target,
                  struct unpack_report *told, struct err *e)
{
    char path[PATH_MAX];
    scoped(drop_fd) int in = open_source(source, e);
    scoped(drop_fd) int null = -1;
    scoped(drop_fd) int report = -1;
    struct unpacker u = { .path = path };
    int pipes[2], r;

    if (in < 0 || beside_find("unpack", "mxc-unpack",
                              "build mxc where libarchive is: libarchive-dev",
                              path, e) < 0)
        return -1;
    null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0 || pipe2(pipes, O_CLOEXEC) < 0)
        return err_sys(e, "pipe2(2)", errno, "cannot start mxc-unpack");
    report = pipes[0];
    u.fd[UNPACK_SOURCE_FD] = fcntl(in, F_DUPFD_CLOEXEC, 10);
    u.fd[UNPACK_REPORT_FD] = fcntl(pipes[1], F_DUPFD_CLOEXEC, 10);
    u.fd[2] = fcntl(null, F_DUPFD_CLOEXEC, 10);
    u.fd[UNPACK_TARGET_FD] = fcntl(target, F_DUPFD_CLOEXEC, 10);
    u.fd[UNPACK_LOCK_FD] = fcntl(s->lock, F_DUPFD_CLOEXEC, 10);
    (void)close(pipes[1]);
    r = run_unpacker(&u, report, told, e);
    for (size_t i = 0; i < ARRAY_LEN(u.fd); i++)
        drop_fd(&u.fd[i]);
    return r;
}

int image_put_file(int dir, const char *name, const char *text, struct err *e)
{
    scoped(drop_fd) int fd = openat(
        dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    size_t len = strlen(text);

    if (fd < 0)
        return err_sys(e, "openat(2)", errno,
                       "cannot write '%s' of the image "
                       "store",
                       name);
    if (write(fd, text, len) != (ssize_t)len || fsync(fd) < 0)
        return err_sys(e, "write(2)", errno,
                       "cannot write '%s' of the image "
                       "store",
                       name);
    return 0;
}

static int write_manifest(int place, int root, struct manifest *m,
                          char digest[SHA256_HEX], struct err *e)
{
    int fd = openat(place, "manifest", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                    0600);
    int r;

    m->write = fd < 0 ? NULL : fdopen(fd, "w");
    if (!m->write) {
        if (fd >= 0)
            (void)close(fd);
        return err_sys(e, "openat(2)", errno, "cannot write the manifest");
    }
    r = manifest_walk(root, m, digest, e);
    if (fclose(m->write) != 0 && r == 0)
        r = err_sys(e, "write(2)", errno, "cannot write the manifest");
    return r;
}

/* The seal comes last, when all else is on the disk. */
static int seal(int place, int root, struct image *out, struct err *e)
{
    struct manifest m = { 0 };
    char text[256];

    if (write_manifest(place, root, &m, out->digest, e) < 0)
        return -1;
    if (syncfs(place) < 0)
        return err_sys(e, "syncfs(2)", errno, "cannot write the image");
    out->entries = m.entries;
    out->bytes = m.bytes;
    (void)snprintf(text, sizeof(text), "sha256:%s\nentries %llu\nbytes %llu\n",
                   out->digest, (unsigned long long)m.entries,
                   (unsigned long long)m.bytes);
    return image_put_file(place, "seal", text, e);
}

/* The same tree again takes the place of the one that is there: it is known to
 * be whole.  One that is in use stays. */
static int move_in(const struct image_store *s, const char *place,
                   const char *digest, struct err *e)
{
    scoped(drop_fd) int lock = -1;
    char old[SHA256_HEX + 4];

    if (renameat(s->tmp, place, s->trees, digest) == 0)
        return 0;
    if (errno != EEXIST && errno != ENOTEMPTY)
        return err_sys(e, "renameat(2)", errno, "cannot move the image");
    if (!image_claim(s, digest, &lock))
        return image_delete(s->tmp, place, e);
    (void)snprintf(old, sizeof(old), "%s.old", digest);
    if (renameat(s->trees, digest, s->tmp, old) < 0 ||
        renameat(s->tmp, place, s->trees, digest) < 0)
        return err_sys(e, "renameat(2)", errno, "cannot move the image");
    return image_delete(s->tmp, old, e);
}

static int give_name(const struct image_store *s, const struct image *image,
                     struct err *e)
{
    char label[LABEL_MAX], text[SHA256_HEX + 16];

    image_label(image->name, label);
    (void)snprintf(text, sizeof(text), "sha256:%s\n", image->digest);
    if (image_put_file(s->tmp, "name", text, e) < 0)
        return -1;
    if (renameat(s->tmp, "name", s->names, label) < 0)
        return err_sys(e, "renameat(2)", errno, "cannot name the image");
    return 0;
}

static int fill(const struct image_store *s, const char *place,
                const char *source, struct image *out,
                struct unpack_report *told, struct err *e)
{
    scoped(drop_fd) int at =
        openat(s->tmp, place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    scoped(drop_fd) int root = -1;

    if (at < 0 || mkdirat(at, "root", 0755) < 0)
        return err_sys(e, "mkdirat(2)", errno,
                       "cannot write to the image "
                       "store");
    root = openat(at, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return err_sys(e, "openat(2)", errno,
                       "cannot write to the image "
                       "store");
    if (unpack(s, source, root, told, e) < 0)
        return -1;
    return seal(at, root, out, e);
}

int image_import(const struct image_store *s, const char *name,
                 const char *source, struct image *out,
                 struct unpack_report *told, struct err *e)
{
    char place[17];
    struct err other;

    *out = (struct image){ .sealed = time(NULL) };
    (void)snprintf(out->name, sizeof(out->name), "%s", name);
    if (image_check_name(name, e) < 0 || make_place(s, place, e) < 0)
        return -1;
    if (fill(s, place, source, out, told, e) < 0 ||
        move_in(s, place, out->digest, e) < 0 || give_name(s, out, e) < 0) {
        (void)image_sweep(s, &other);
        return -1;
    }
    return image_collect(s, e);
}
